//! From an image of any size to the levels of a prepared dataset.

use std::borrow::Cow;

use fast_image_resize::images::{CroppedImage, Image as Resized, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::pillow;
use crate::{Error, Filter, Image, Recipe, Result, Transform, log2_resolution};

/// The part of `image` that the recipe shows, in `resolution` x `resolution` pixels.
///
/// The centre square: if an odd number of pixels is cut, the larger part goes at the right or bottom. A square of the
/// right size is copied unchanged. The wide form follows StyleGAN3's dataset_tool.
///
/// # Errors
///
/// [`Error::Argument`] if `resolution` is not a power of two from 4 to 16384; [`Error::TooSmall`] for the wide form.
pub fn fit(image: &Image, resolution: usize, recipe: &Recipe) -> Result<Image> {
    log2_resolution(resolution)?;
    let (width, height) = (image.width(), image.height());
    match recipe.transform {
        Transform::CenterCrop if (width, height) == (resolution, resolution) => Ok(image.clone()),
        Transform::CenterCrop => {
            let side = width.min(height);
            let part = Part { left: (width - side) / 2, top: (height - side) / 2, width: side, height: side };
            resized(image, part, (resolution, resolution), recipe.filter)
        }
        Transform::CenterCropWide { height: rows } => wide(image, resolution, rows, recipe.filter),
    }
}

/// `center-crop-wide`: rows in the middle, resized to `resolution` x `rows` and laid on a black square. The number of
/// rows that are taken is the official tool's: the height that the image would have at the new width.
fn wide(image: &Image, resolution: usize, rows: usize, filter: Filter) -> Result<Image> {
    if rows == 0 || rows > resolution {
        return Err(Error::Argument(format!("a height from 1 to {resolution} is expected, got {rows}")));
    }
    let (width, height, channels) = (image.width(), image.height(), image.channels());
    let taken = (resolution as f64 * height as f64 / width as f64).round_ties_even() as usize;
    if width < resolution || taken < rows {
        return Err(Error::TooSmall(format!(
            "{width}x{height} is too small or too flat for center-crop-wide to {resolution}x{rows}"
        )));
    }
    let part = Part { left: 0, top: (height - taken) / 2, width, height: taken };
    let strip = resized(image, part, (resolution, rows), filter)?;
    let mut square = vec![0; resolution * resolution * channels];
    let start = (resolution - rows) / 2 * resolution * channels;
    square[start..][..strip.pixels().len()].copy_from_slice(strip.pixels());
    Image::new(resolution, resolution, channels, square)
}

/// A rectangle of an image.
#[derive(Clone, Copy)]
struct Part {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

/// A part of an image with other sides. Colours are weighted by alpha where there are 4 channels.
fn resized(image: &Image, part: Part, (width, height): (usize, usize), filter: Filter) -> Result<Image> {
    match filter {
        Filter::Default => fast(image, part, (width, height), FilterType::Lanczos3),
        _ => pillow::resize(&cropped(image, part)?, (width, height), filter),
    }
}

fn cropped(image: &Image, part: Part) -> Result<Image> {
    let channels = image.channels();
    let rows = image.pixels().chunks_exact(image.width() * channels).skip(part.top).take(part.height);
    let pixels = rows.flat_map(|row| &row[part.left * channels..][..part.width * channels]).copied().collect();
    Image::new(part.width, part.height, channels, pixels)
}

fn fast(image: &Image, part: Part, (width, height): (usize, usize), filter: FilterType) -> Result<Image> {
    let channels = image.channels();
    let wrong = |error: &dyn std::error::Error| {
        let [from_width, from_height] = [image.width(), image.height()];
        Error::Argument(format!("cannot resize {from_width}x{from_height} to {width}x{height}: {error}"))
    };
    let pixels = padded(image);
    let whole = ImageRef::new(image.width() as u32, image.height() as u32, &pixels, PixelType::U8x4);
    let whole = whole.map_err(|e| wrong(&e))?;
    let [left, top, wide, high] = [part.left, part.top, part.width, part.height].map(|value| value as u32);
    // Not the resizer's own crop option: its filter reads beyond the part's border.
    let part = CroppedImage::new(&whole, left, top, wide, high).map_err(|e| wrong(&e))?;
    let mut out = Resized::new(width as u32, height as u32, PixelType::U8x4);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).use_alpha(channels == 4);
    Resizer::new().resize(&part, &mut out, &options).map_err(|e| wrong(&e))?;
    let pixels = match channels {
        4 => out.into_vec(),
        _ => out.buffer().chunks_exact(4).flat_map(|pixel| &pixel[..channels]).copied().collect(),
    };
    Image::new(width, height, channels, pixels)
}

/// The luma of a whole image in `side` x `side` pixels, whatever its aspect.
///
/// # Errors
///
/// [`Error::Argument`] if it is too large to be resized.
pub(crate) fn thumbnail(image: &Image, side: usize) -> Result<Vec<f64>> {
    let whole = Part { left: 0, top: 0, width: image.width(), height: image.height() };
    let small = fast(image, whole, (side, side), FilterType::Box)?;
    let luma = |pixel: &[u8]| match *pixel {
        [r, g, b, ..] => 0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b),
        _ => f64::from(pixel[0]),
    };
    Ok(small.pixels().chunks_exact(small.channels()).map(luma).collect())
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
