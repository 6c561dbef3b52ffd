//! Resizing with Pillow's filters, bit for bit (Pillow, `src/libImaging/Resample.c`): rows first, then columns, weights
//! of 22 bits, and 8 bits in between.

use crate::{Filter, Image, Result};

const PRECISION: u32 = 32 - 8 - 2;

/// `image` in `width` x `height` pixels. Colours are weighted by alpha where there are 4 channels.
///
/// # Errors
///
/// None that sides of at least 1 could give.
pub(crate) fn resize(image: &Image, (width, height): (usize, usize), filter: Filter) -> Result<Image> {
    let channels = image.channels();
    let mut pixels = match channels {
        4 => image.pixels().as_chunks::<4>().0.iter().flat_map(premultiplied).collect(),
        _ => image.pixels().to_vec(),
    };
    if width != image.width() {
        pixels = horizontal(&pixels, image.width(), channels, &Weights::new(image.width(), width, filter));
    }
    if height != image.height() {
        pixels = vertical(&pixels, width * channels, &Weights::new(image.height(), height, filter));
    }
    if channels == 4 {
        pixels = pixels.as_chunks::<4>().0.iter().flat_map(divided).collect();
    }
    Image::new(width, height, channels, pixels)
}

/// `c · a / 255`, rounded as Pillow does.
fn premultiplied(&[r, g, b, a]: &[u8; 4]) -> [u8; 4] {
    let times = |c: u8| {
        let product = u32::from(c) * u32::from(a) + 128;
        ((product + (product >> 8)) >> 8) as u8
    };
    [times(r), times(g), times(b), a]
}

fn divided(&[r, g, b, a]: &[u8; 4]) -> [u8; 4] {
    let over = |c: u8| if a == 0 || a == 255 { c } else { (255 * u32::from(c) / u32::from(a)).min(255) as u8 };
    [over(r), over(g), over(b), a]
}

/// What each new pixel takes of the old ones.
struct Weights {
    /// The first old pixel, and where its weights begin and end in `values`.
    parts: Vec<(usize, std::ops::Range<usize>)>,
    values: Vec<i32>,
}

impl Weights {
    fn new(from: usize, to: usize, filter: Filter) -> Weights {
        let (kernel, support): (fn(f64) -> f64, f64) = match filter {
            Filter::Box => (boxed, 0.5),
            Filter::Bicubic => (bicubic, 2.0),
            Filter::Lanczos | Filter::Default => (lanczos, 3.0),
        };
        let scale = from as f64 / to as f64;
        // Smaller images take a wider filter.
        let stretch = scale.max(1.0);
        let support = support * stretch;
        let mut weights = Weights { parts: Vec::with_capacity(to), values: Vec::new() };
        for place in 0..to {
            let center = (place as f64 + 0.5) * scale;
            let first = (center - support + 0.5).max(0.0) as usize;
            let last = ((center + support + 0.5) as usize).min(from);
            let raw: Vec<f64> = (first..last).map(|x| kernel((x as f64 - center + 0.5) * (1.0 / stretch))).collect();
            let sum: f64 = raw.iter().sum();
            let begin = weights.values.len();
            let fixed = |value: f64| (value / sum * f64::from(1 << PRECISION)).round() as i32;
            weights.values.extend(raw.into_iter().map(fixed));
            weights.parts.push((first, begin..weights.values.len()));
        }
        weights
    }

    fn iter(&self) -> impl Iterator<Item = (usize, &[i32])> {
        self.parts.iter().map(|(first, range)| (*first, &self.values[range.clone()]))
    }
}

pub(crate) fn boxed(x: f64) -> f64 {
    if x > -0.5 && x <= 0.5 { 1.0 } else { 0.0 }
}

fn bicubic(x: f64) -> f64 {
    const A: f64 = -0.5;
    let x = x.abs();
    if x < 1.0 {
        ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    } else if x < 2.0 {
        (((x - 5.0) * x + 8.0) * x - 4.0) * A
    } else {
        0.0
    }
}

pub(crate) fn lanczos(x: f64) -> f64 {
    if (-3.0..3.0).contains(&x) { sinc(x) * sinc(x / 3.0) } else { 0.0 }
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 {
        return 1.0;
    }
    let x = x * std::f64::consts::PI;
    x.sin() / x
}

/// A sum of weighted bytes as a byte.
fn rounded(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

const HALF: i32 = 1 << (PRECISION - 1);

fn horizontal(pixels: &[u8], width: usize, channels: usize, weights: &Weights) -> Vec<u8> {
    match channels {
        1 => horizontal_of::<1>(pixels, width, weights),
        3 => horizontal_of::<3>(pixels, width, weights),
        _ => horizontal_of::<4>(pixels, width, weights),
    }
}

fn horizontal_of<const C: usize>(pixels: &[u8], width: usize, weights: &Weights) -> Vec<u8> {
    let rows = pixels.chunks_exact(width * C);
    let mut out = Vec::with_capacity(rows.len() * weights.parts.len() * C);
    for row in rows {
        let row = row.as_chunks::<C>().0;
        for (first, weights) in weights.iter() {
            let mut sums = [HALF; C];
            for (pixel, weight) in row[first..].iter().zip(weights) {
                for (sum, value) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(*value) * weight;
                }
            }
            out.extend(sums.map(rounded));
        }
    }
    out
}

fn vertical(pixels: &[u8], row_bytes: usize, weights: &Weights) -> Vec<u8> {
    let mut out = Vec::with_capacity(weights.parts.len() * row_bytes);
    let mut sums = vec![HALF; row_bytes];
    for (first, weights) in weights.iter() {
        sums.fill(HALF);
        for (row, weight) in pixels.chunks_exact(row_bytes).skip(first).zip(weights) {
            for (sum, value) in sums.iter_mut().zip(row) {
                *sum += i32::from(*value) * weight;
            }
        }
        out.extend(sums.iter().map(|&sum| rounded(sum)));
    }
    out
}
