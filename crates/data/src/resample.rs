//! From an image of any size to the levels of a prepared dataset.

use std::borrow::Cow;

use fast_image_resize::images::{CroppedImage, Image as Resized, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::{Error, Image, Result, log2_resolution};

/// The centre square of `image`, resized to `resolution` x `resolution` with an antialiased Lanczos filter (a = 3),
/// as the official dataset_tool does for LSUN.
///
/// If an odd number of pixels is cut, the larger part goes at the right or bottom. Colours are weighted by alpha
/// where there are 4 channels. A square of the right size is copied unchanged.
///
/// # Errors
///
/// [`Error::Argument`] if `resolution` is not a power of two from 4 to 16384.
pub fn fit(image: &Image, resolution: usize) -> Result<Image> {
    log2_resolution(resolution)?;
    let (width, height, channels) = (image.width(), image.height(), image.channels());
    if (width, height) == (resolution, resolution) {
        return Ok(image.clone());
    }
    let wrong = |error: &dyn std::error::Error| {
        Error::Argument(format!("cannot resize {width}x{height} to {resolution}x{resolution}: {error}"))
    };
    let side = width.min(height);
    let pixels = padded(image);
    let whole = ImageRef::new(width as u32, height as u32, &pixels, PixelType::U8x4).map_err(|e| wrong(&e))?;
    // Not the resizer's own crop option: its filter reads beyond the square's border.
    let (left, top) = ((width - side) / 2, (height - side) / 2);
    let centre = CroppedImage::new(&whole, left as u32, top as u32, side as u32, side as u32).map_err(|e| wrong(&e))?;
    let mut square = Resized::new(resolution as u32, resolution as u32, PixelType::U8x4);
    let lanczos =
        ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3)).use_alpha(channels == 4);
    Resizer::new().resize(&centre, &mut square, &lanczos).map_err(|e| wrong(&e))?;
    let pixels = match channels {
        4 => square.into_vec(),
        _ => square.buffer().chunks_exact(4).flat_map(|pixel| &pixel[..channels]).copied().collect(),
    };
    Image::new(resolution, resolution, channels, pixels)
}

/// Four channels a pixel. The resizer is built for these alone (`only_u8x4`): other forms are 3 MB of code, a fifth of the addon.
fn padded(image: &Image) -> Cow<'_, [u8]> {
    let pixels = image.pixels();
    match image.channels() {
        1 => Cow::Owned(pixels.iter().flat_map(|&gray| [gray, 0, 0, 0]).collect()),
        3 => Cow::Owned(pixels.as_chunks().0.iter().flat_map(|&[r, g, b]| [r, g, b, 0]).collect()),
        _ => Cow::Borrowed(pixels),
    }
}

/// The pixels of a square image at its resolution, a half, a quarter, … down to 4x4.
///
/// Each level is the 2x2 box average of the unrounded level before, then rounded half to even and clipped to 0..255
/// (official dataset_tool.py, `add_image`).
///
/// # Errors
///
/// [`Error::Argument`] if the image is not square with a side that is a power of two from 4 to 16384.
pub fn pyramid(image: &Image) -> Result<Vec<Vec<u8>>> {
    let (mut side, channels) = (image.width(), image.channels());
    if image.height() != side {
        return Err(Error::Argument(format!("a pyramid needs a square image, got {side}x{}", image.height())));
    }
    let count = log2_resolution(side)? - 1;
    let mut levels = Vec::with_capacity(count);
    levels.push(image.pixels().to_vec());
    let mut unrounded: Vec<f32> = image.pixels().iter().map(|&v| f32::from(v)).collect();
    while side > 4 {
        unrounded = halve(&unrounded, side, channels);
        side /= 2;
        // The cast clips; an average of bytes needs none.
        levels.push(unrounded.iter().map(|v| v.round_ties_even() as u8).collect());
    }
    Ok(levels)
}

/// The 2x2 box averages of `[side, side, channels]`.
fn halve(level: &[f32], side: usize, channels: usize) -> Vec<f32> {
    let row = side * channels;
    let mut half = Vec::with_capacity(level.len() / 4);
    for rows in level.chunks_exact(2 * row) {
        let (upper, lower) = rows.split_at(row);
        for (a, b) in upper.chunks_exact(2 * channels).zip(lower.chunks_exact(2 * channels)) {
            for c in 0..channels {
                half.push((a[c] + a[c + channels] + b[c] + b[c + channels]) * 0.25);
            }
        }
    }
    half
}
