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
    let mut pixels = Vec::with_capacity(part.width * part.height * channels);
    for row in image.pixels().chunks_exact(image.width() * channels).skip(part.top).take(part.height) {
        pixels.extend_from_slice(&row[part.left * channels..][..part.width * channels]);
    }
    Image::new(part.width, part.height, channels, pixels)
}

/// Columns first, then rows, as the resizer does both. It is built for four channels alone (`only_u8x4`): other forms
/// are 3 MB of code, a fifth of the addon. But to columns it is all one how bytes are grouped, so that only the rows
/// that remain are padded.
fn fast(image: &Image, part: Part, (width, height): (usize, usize), filter: FilterType) -> Result<Image> {
    let channels = image.channels();
    if channels == 4 || !(image.width() * channels).is_multiple_of(4) {
        let whole = Four { pixels: &padded(image.pixels(), channels), width: image.width(), height: image.height() };
        return unpadded(whole.resized(part, (width, height), filter, channels == 4)?, (width, height), channels);
    }
    let whole = Four { pixels: image.pixels(), width: image.width() * channels / 4, height: image.height() };
    let (first, last) = (part.left * channels / 4, ((part.left + part.width) * channels).div_ceil(4));
    let columns = Part { left: first, width: last - first, ..part };
    let strip = whole.resized(columns, (columns.width, height), filter, false)?;
    let before = part.left * channels - first * 4;
    let mut rows = Vec::with_capacity(part.width * channels * height);
    for row in strip.chunks_exact(columns.width * 4) {
        rows.extend_from_slice(&row[before..][..part.width * channels]);
    }
    let strip = padded(&rows, channels);
    let rows = Part { left: 0, top: 0, width: part.width, height };
    let strip = Four { pixels: &strip, width: part.width, height };
    unpadded(strip.resized(rows, (width, height), filter, false)?, (width, height), channels)
}

/// Pixels of four bytes.
struct Four<'a> {
    pixels: &'a [u8],
    width: usize,
    height: usize,
}

impl Four<'_> {
    fn resized(
        &self,
        part: Part,
        (width, height): (usize, usize),
        filter: FilterType,
        use_alpha: bool,
    ) -> Result<Vec<u8>> {
        let wrong = |error: &dyn std::error::Error| {
            Error::Argument(format!("cannot resize {}x{} to {width}x{height}: {error}", part.width, part.height))
        };
        let whole = ImageRef::new(self.width as u32, self.height as u32, self.pixels, PixelType::U8x4);
        let whole = whole.map_err(|e| wrong(&e))?;
        let [left, top, wide, high] = [part.left, part.top, part.width, part.height].map(|value| value as u32);
        // Not the resizer's own crop option: its filter reads beyond the part's border.
        let part = CroppedImage::new(&whole, left, top, wide, high).map_err(|e| wrong(&e))?;
        let mut out = Resized::new(width as u32, height as u32, PixelType::U8x4);
        let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).use_alpha(use_alpha);
        Resizer::new().resize(&part, &mut out, &options).map_err(|e| wrong(&e))?;
        Ok(out.into_vec())
    }
}

/// A whole image in `side` x `side` pixels, whatever its aspect.
///
/// # Errors
///
/// [`Error::Argument`] if it is too large to be resized.
pub(crate) fn thumbnail(image: &Image, side: usize) -> Result<Image> {
    let whole = Part { left: 0, top: 0, width: image.width(), height: image.height() };
    fast(image, whole, (side, side), FilterType::Box)
}

/// Four channels a pixel.
fn padded(pixels: &[u8], channels: usize) -> Cow<'_, [u8]> {
    match channels {
        1 => Cow::Owned(pixels.iter().flat_map(|&gray| [gray, 0, 0, 0]).collect()),
        3 => Cow::Owned(pixels.as_chunks().0.iter().flat_map(|&[r, g, b]| [r, g, b, 0]).collect()),
        _ => Cow::Borrowed(pixels),
    }
}

fn unpadded(pixels: Vec<u8>, (width, height): (usize, usize), channels: usize) -> Result<Image> {
    let pixels = match channels {
        1 => pixels.as_chunks().0.iter().map(|&[gray, _, _, _]| gray).collect(),
        3 => pixels.as_chunks().0.iter().flat_map(|&[r, g, b, _]| [r, g, b]).collect(),
        _ => pixels,
    };
    Image::new(width, height, channels, pixels)
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
        unrounded = match channels {
            1 => halve::<1>(&unrounded, side),
            3 => halve::<3>(&unrounded, side),
            _ => halve::<4>(&unrounded, side),
        };
        side /= 2;
        levels.push(unrounded.iter().map(|&v| rounded(v)).collect());
    }
    Ok(levels)
}

/// The nearest byte, of two the even one. Beyond 2^23 an f32 has no fraction, so that adding it rounds; calling
/// `round_ties_even` takes several times as long on processors that are not told to have it.
fn rounded(value: f32) -> u8 {
    const WHOLE: f32 = 8_388_608.0;
    ((value + WHOLE) - WHOLE) as u8
}

/// The 2x2 box averages of `[side, side, C]`.
fn halve<const C: usize>(level: &[f32], side: usize) -> Vec<f32> {
    let row = side * C;
    let mut half = Vec::with_capacity(level.len() / 4);
    for rows in level.chunks_exact(2 * row) {
        let (upper, lower) = rows.split_at(row);
        for (a, b) in
            upper.as_chunks::<C>().0.as_chunks::<2>().0.iter().zip(lower.as_chunks::<C>().0.as_chunks::<2>().0)
        {
            half.extend(std::array::from_fn::<f32, C, _>(|c| (a[0][c] + a[1][c] + b[0][c] + b[1][c]) * 0.25));
        }
    }
    half
}

#[cfg(test)]
mod tests {
    use super::*;

    fn noise(width: usize, height: usize, channels: usize) -> Image {
        let mut state = 1u32;
        let pixels = (0..width * height * channels).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            // Black and white too: a sum that leaves the range of bytes is clipped between the passes.
            match state >> 30 {
                0 => 0,
                1 => 255,
                _ => (state >> 16) as u8,
            }
        });
        Image::new(width, height, channels, pixels.collect()).unwrap()
    }

    #[test]
    fn columns_of_bytes_give_the_pixels_of_both_passes_at_once() {
        for (width, height, channels) in [(64, 48, 3), (44, 60, 3), (36, 36, 1), (20, 33, 1), (16, 16, 3)] {
            let image = noise(width, height, channels);
            let side = width.min(height);
            for left in [0, (width - side) / 2, width - side] {
                let part = Part { left, top: (height - side) / 2, width: side, height: side };
                for to in [8, 16, 64] {
                    let whole = Four { pixels: &padded(image.pixels(), channels), width, height };
                    let both = whole.resized(part, (to, to), FilterType::Lanczos3, false).unwrap();
                    let both = unpadded(both, (to, to), channels).unwrap();
                    let apart = fast(&image, part, (to, to), FilterType::Lanczos3).unwrap();
                    assert_eq!(apart, both, "{width}x{height}x{channels} from {left} to {to}");
                }
            }
        }
    }

    #[test]
    fn rounding_takes_the_even_one_of_two() {
        for eighths in 0..=255 * 8u16 {
            let value = f32::from(eighths) / 8.0;
            assert_eq!(rounded(value), value.round_ties_even() as u8, "{value}");
        }
    }
}
