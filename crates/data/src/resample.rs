//! From an image of any size to the levels of a prepared dataset.

use fast_image_resize::images::{CroppedImage, Image as Resized, ImageRef};
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use crate::convolve::{self, Kernel, Source};
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
        Filter::Default => fast(image, part, (width, height), Kernel::Lanczos3),
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

fn fast(image: &Image, part: Part, (width, height): (usize, usize), kernel: Kernel) -> Result<Image> {
    let channels = image.channels();
    if channels == 4 {
        return with_alpha(image, part, (width, height));
    }
    let stride = image.width() * channels;
    let bytes = &image.pixels()[part.top * stride + part.left * channels..];
    let source = Source { bytes, stride, width: part.width, height: part.height, channels };
    Image::new(width, height, channels, convolve::resize(&source, (width, height), kernel))
}

/// Colours are weighted by alpha.
fn with_alpha(image: &Image, part: Part, (width, height): (usize, usize)) -> Result<Image> {
    let pixels = four(image.pixels(), (image.width(), image.height()), part, (width, height), FilterType::Lanczos3)?;
    Image::new(width, height, 4, pixels)
}

/// [`with_alpha`] of the pixels of an image. The resizer is built for four channels alone (`only_u8x4`): other forms are
/// 3 MB of code, a fifth of the addon.
fn four(
    pixels: &[u8],
    (from_width, from_height): (usize, usize),
    part: Part,
    (width, height): (usize, usize),
    filter: FilterType,
) -> Result<Vec<u8>> {
    let wrong = |error: &dyn std::error::Error| {
        Error::Argument(format!("cannot resize {}x{} to {width}x{height}: {error}", part.width, part.height))
    };
    let whole = ImageRef::new(from_width as u32, from_height as u32, pixels, PixelType::U8x4);
    let whole = whole.map_err(|e| wrong(&e))?;
    let [left, top, wide, high] = [part.left, part.top, part.width, part.height].map(|value| value as u32);
    // Not the resizer's own crop option: its filter reads beyond the part's border.
    let part = CroppedImage::new(&whole, left, top, wide, high).map_err(|e| wrong(&e))?;
    let mut out = Resized::new(width as u32, height as u32, PixelType::U8x4);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(filter)).use_alpha(true);
    Resizer::new().resize(&part, &mut out, &options).map_err(|e| wrong(&e))?;
    Ok(out.into_vec())
}

/// A whole image in `side` x `side` pixels, whatever its aspect.
///
/// # Errors
///
/// [`Error::Argument`] if it is too large to be resized.
pub(crate) fn thumbnail(image: &Image, side: usize) -> Result<Image> {
    let whole = Part { left: 0, top: 0, width: image.width(), height: image.height() };
    fast(image, whole, (side, side), Kernel::Box)
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
    let (side, channels) = (image.width(), image.channels());
    if image.height() != side {
        return Err(Error::Argument(format!("a pyramid needs a square image, got {side}x{}", image.height())));
    }
    let mut below = Vec::with_capacity(log2_resolution(side)? - 2);
    let mut half = side / 2;
    while half >= 4 {
        below.push(Level { level: Vec::with_capacity(half * half * channels), waiting: Vec::new() });
        half /= 2;
    }
    for rows in image.pixels().chunks_exact(2 * side * channels) {
        let (upper, lower) = rows.split_at(side * channels);
        add(&mut below, halved(upper, lower, channels), channels);
    }
    Ok(std::iter::once(image.pixels().to_vec()).chain(below.into_iter().map(|below| below.level)).collect())
}

/// A level that is being made, row by row: unrounded levels, which are four times as large, are never whole.
struct Level {
    level: Vec<u8>,
    /// The unrounded row that has no row below it yet.
    waiting: Vec<f32>,
}

/// The next row of the first of `levels`, and what follows from it in the others.
fn add(levels: &mut [Level], row: Vec<f32>, channels: usize) {
    let [first, below @ ..] = levels else { return };
    first.level.extend(row.iter().map(|&value| rounded(value)));
    match std::mem::take(&mut first.waiting) {
        upper if upper.is_empty() => first.waiting = row,
        upper => add(below, halved(&upper, &row, channels), channels),
    }
}

/// The nearest byte, of two the even one. Beyond 2^23 an f32 has no fraction, so that adding it rounds; calling
/// `round_ties_even` takes several times as long on processors that are not told to have it.
fn rounded(value: f32) -> u8 {
    const WHOLE: f32 = 8_388_608.0;
    ((value + WHOLE) - WHOLE) as u8
}

/// The 2x2 box averages of two rows.
fn halved<T: Copy + Into<f32>>(upper: &[T], lower: &[T], channels: usize) -> Vec<f32> {
    match channels {
        1 => halve::<T, 1>(upper, lower),
        3 => halve::<T, 3>(upper, lower),
        _ => halve::<T, 4>(upper, lower),
    }
}

fn halve<T: Copy + Into<f32>, const C: usize>(upper: &[T], lower: &[T]) -> Vec<f32> {
    let mut half = vec![0.0; upper.len() / 2];
    let pairs = upper.as_chunks::<C>().0.as_chunks::<2>().0.iter().zip(lower.as_chunks::<C>().0.as_chunks::<2>().0);
    for (to, (a, b)) in half.as_chunks_mut::<C>().0.iter_mut().zip(pairs) {
        let [a0, a1, b0, b1] = [a[0], a[1], b[0], b[1]].map(|pixel| pixel.map(Into::<f32>::into));
        *to = std::array::from_fn(|c| (a0[c] + a1[c] + b0[c] + b1[c]) * 0.25);
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

    /// By the resizer that makes no difference between opaque pixels and those without alpha.
    fn by_library(image: &Image, part: Part, to: usize, filter: FilterType) -> Vec<u8> {
        let channels = image.channels();
        let opaque = |pixel: &[u8]| [pixel[0], pixel[1 % channels], pixel[2 % channels], 255];
        let pixels: Vec<u8> = image.pixels().chunks_exact(channels).flat_map(opaque).collect();
        let pixels = four(&pixels, (image.width(), image.height()), part, (to, to), filter).unwrap();
        pixels.as_chunks::<4>().0.iter().flat_map(|pixel| &pixel[..channels]).copied().collect()
    }

    #[test]
    fn pixels_are_those_of_the_library_for_every_size() {
        let sizes = [(64, 48), (44, 60), (36, 36), (20, 33), (16, 16), (301, 257), (130, 1024), (5, 7), (1, 9)];
        for ((width, height), channels) in sizes.into_iter().flat_map(|size| [(size, 1), (size, 3)]) {
            let image = noise(width, height, channels);
            let side = width.min(height);
            for left in [0, (width - side) / 2, width - side] {
                let part = Part { left, top: (height - side) / 2, width: side, height: side };
                for to in [4, 8, 16, 64, 128] {
                    for (kernel, filter) in [(Kernel::Lanczos3, FilterType::Lanczos3), (Kernel::Box, FilterType::Box)] {
                        let ours = fast(&image, part, (to, to), kernel).unwrap();
                        let theirs = by_library(&image, part, to, filter);
                        assert!(ours.pixels() == theirs, "{width}x{height}x{channels} from {left} to {to}, {kernel:?}");
                    }
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
