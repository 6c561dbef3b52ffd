//! Colour profiles.

use image::{DynamicImage, GrayAlphaImage, RgbImage, RgbaImage};
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformOptions};

/// An image in sRGB whose numbers are those of `profile`, an ICC profile. It has 8 bits and three colours; alpha stays.
///
/// Profiles of other colours than the decoder gives are ignored: it has made RGB of CMYK already.
pub(crate) fn to_srgb(image: DynamicImage, profile: &[u8]) -> Result<DynamicImage, String> {
    let unreadable =
        |error| format!("its colour profile cannot be used ({error}): leave it out with --colour-profile ignore");
    let profile = ColorProfile::new_from_slice(profile).map_err(unreadable)?;
    let (width, height, has_alpha) = (image.width(), image.height(), image.color().has_alpha());
    let (from, to, raw) = match (profile.color_space, has_alpha) {
        (DataColorSpace::Rgb, false) => (Layout::Rgb, Layout::Rgb, image.into_rgb8().into_raw()),
        (DataColorSpace::Rgb, true) => (Layout::Rgba, Layout::Rgba, image.into_rgba8().into_raw()),
        (DataColorSpace::Gray, _) if image.color().has_color() => return Ok(image),
        (DataColorSpace::Gray, false) => (Layout::Gray, Layout::Rgb, image.into_luma8().into_raw()),
        (DataColorSpace::Gray, true) => {
            let gray: GrayAlphaImage = image.into_luma_alpha8();
            (Layout::GrayAlpha, Layout::Rgba, gray.into_raw())
        }
        _ => return Ok(image),
    };
    let transform = profile
        .create_transform_8bit(from, &ColorProfile::new_srgb(), to, TransformOptions::default())
        .map_err(unreadable)?;
    let mut out = vec![0; width as usize * height as usize * to.channels()];
    transform.transform(&raw, &mut out).map_err(unreadable)?;
    let converted = match to {
        Layout::Rgb => RgbImage::from_raw(width, height, out).map(DynamicImage::from),
        _ => RgbaImage::from_raw(width, height, out).map(DynamicImage::from),
    };
    converted.ok_or_else(|| "its colour profile gave another number of pixels".into())
}

/// Whether colours with this profile look other than the same numbers in sRGB, by more than two levels.
pub(crate) fn changes_colours(profile: &[u8]) -> bool {
    let levels = [0u8, 64, 128, 192, 255];
    let grid = RgbImage::from_fn(25, 5, |x, y| {
        image::Rgb([levels[x as usize % 5], levels[x as usize / 5], levels[y as usize]])
    });
    let gray = image::GrayImage::from_fn(5, 1, |x, _| image::Luma([levels[x as usize]]));
    [DynamicImage::from(grid), DynamicImage::from(gray)].into_iter().any(|image| {
        let before = image.to_rgb8();
        let after = to_srgb(image, profile).map(DynamicImage::into_rgb8);
        after.is_ok_and(|after| before.iter().zip(after.iter()).any(|(a, b)| a.abs_diff(*b) > 2))
    })
}
