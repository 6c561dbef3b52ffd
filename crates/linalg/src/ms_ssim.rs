//! Multi-scale structural similarity.

use rayon::prelude::*;

use crate::Result;
use crate::error::argument;

/// The exponents of the scales, finest first (Wang, Simoncelli, Bovik 2003).
const WEIGHTS: [f64; 5] = [0.0448, 0.2856, 0.3001, 0.2363, 0.1333];
/// The Gaussian window and its deviation, in pixels (Wang et al. 2004).
const WINDOW: usize = 11;
const SIGMA: f64 = 1.5;
/// (K₁ L)² and (K₂ L)² with K₁ = 0.01, K₂ = 0.03, L = 255 (Wang et al. 2004).
const C1: f64 = (0.01 * 255.0) * (0.01 * 255.0);
const C2: f64 = (0.03 * 255.0) * (0.03 * 255.0);
/// Each scale halves the sides; the last one has at least 1 pixel.
const SMALLEST: usize = 1 << (WEIGHTS.len() - 1);

/// MS-SSIM of each pair of images `[N, height, width, channels]`: the product over five scales of the mean contrast-structure
/// term, and at the last one of the mean SSIM, to the weights' powers; negative means count as 0.
///
/// As TensorFlow's `msssim.py` and the Progressive GAN code have it: terms are averaged over the places where the window lies
/// inside of the image, and over channels. Where a scale is smaller than the window (images below 176 pixels), the number of
/// scales does not change: the window shrinks to the scale's size, and its deviation with it.
///
/// # Errors
///
/// Sides that are not multiples of 16, or bytes that are not whole images of both sets alike.
pub fn ms_ssim(a: &[u8], b: &[u8], height: usize, width: usize, channels: usize) -> Result<Vec<f64>> {
    if height == 0 || width == 0 || !height.is_multiple_of(SMALLEST) || !width.is_multiple_of(SMALLEST) || channels == 0
    {
        return argument(format!(
            "msSsim: sides that are multiples of {SMALLEST} are expected, for five scales, got {height} x {width} x {channels}"
        ));
    }
    let size = height.checked_mul(width).and_then(|pixels| pixels.checked_mul(channels)).unwrap_or(usize::MAX);
    if a.len() != b.len() || !a.len().is_multiple_of(size) {
        let (m, n) = (a.len(), b.len());
        return argument(format!(
            "msSsim: pairs of images of {height} x {width} x {channels} bytes are expected, got {m} and {n} bytes"
        ));
    }
    let pairs = a.par_chunks_exact(size).zip(b.par_chunks_exact(size));
    Ok(pairs
        .map(|(a, b)| pair(Scale::new(a, height, width, channels), Scale::new(b, height, width, channels)))
        .collect())
}

fn pair(mut a: Scale, mut b: Scale) -> f64 {
    let mut product = 1.0;
    for (scale, weight) in WEIGHTS.into_iter().enumerate() {
        let (ssim, contrast) = similarity(&a, &b);
        if scale + 1 == WEIGHTS.len() {
            return product * ssim.max(0.0).powf(weight);
        }
        product *= contrast.max(0.0).powf(weight);
        (a, b) = (a.half(), b.half());
    }
    product
}

/// Mean SSIM and mean contrast-structure term of one scale.
fn similarity(a: &Scale, b: &Scale) -> (f64, f64) {
    let size = WINDOW.min(a.height).min(a.width);
    let window = gaussian(size, SIGMA * size as f64 / WINDOW as f64);
    let [mean_a, mean_b] = [a, b].map(|image| image.filter(&window));
    let products = |x: &Scale, y: &Scale| {
        let values = x.values.iter().zip(&y.values).map(|(x, y)| x * y).collect();
        Scale { values, ..*x }.filter(&window)
    };
    let (aa, bb, ab) = (products(a, a), products(b, b), products(a, b));
    let (mut ssim, mut contrast) = (0.0, 0.0);
    for i in 0..ab.len() {
        let (mean_a, mean_b) = (mean_a[i], mean_b[i]);
        let variances = aa[i] - mean_a * mean_a + bb[i] - mean_b * mean_b;
        let structure = (2.0 * (ab[i] - mean_a * mean_b) + C2) / (variances + C2);
        contrast += structure;
        ssim += (2.0 * mean_a * mean_b + C1) / (mean_a * mean_a + mean_b * mean_b + C1) * structure;
    }
    let count = ab.len() as f64;
    (ssim / count, contrast / count)
}

/// A Gaussian of sum 1 around the middle.
fn gaussian(size: usize, sigma: f64) -> Vec<f64> {
    let middle = (size - 1) as f64 / 2.0;
    let values: Vec<f64> = (0..size).map(|i| (-(i as f64 - middle).powi(2) / (2.0 * sigma * sigma)).exp()).collect();
    let sum: f64 = values.iter().sum();
    values.iter().map(|value| value / sum).collect()
}

/// One image at one scale: `[height, width, channels]`.
struct Scale {
    values: Vec<f64>,
    height: usize,
    width: usize,
    channels: usize,
}

impl Scale {
    fn new(pixels: &[u8], height: usize, width: usize, channels: usize) -> Self {
        Self { values: pixels.iter().map(|&value| f64::from(value)).collect(), height, width, channels }
    }

    /// The means of 2 x 2 pixels.
    fn half(&self) -> Self {
        let (height, width, channels) = (self.height / 2, self.width / 2, self.channels);
        let row = self.width * channels;
        let mut values = Vec::with_capacity(height * width * channels);
        for pair in self.values.chunks_exact(2 * row) {
            let (upper, lower) = pair.split_at(row);
            for i in (0..row).step_by(2 * channels).flat_map(|x| x..x + channels) {
                values.push((upper[i] + upper[i + channels] + lower[i] + lower[i + channels]) * 0.25);
            }
        }
        Self { values, height, width, channels }
    }

    /// The window at every place inside of the image, in both directions.
    fn filter(&self, window: &[f64]) -> Vec<f64> {
        let (row, out_row) = (self.width * self.channels, (self.width - window.len() + 1) * self.channels);
        let mut wide = vec![0.0; (self.height - window.len() + 1) * row];
        for (y, out) in wide.chunks_exact_mut(row).enumerate() {
            for (tap, weight) in window.iter().enumerate() {
                let from = &self.values[(y + tap) * row..][..row];
                out.iter_mut().zip(from).for_each(|(out, value)| *out += weight * value);
            }
        }
        let mut narrow = vec![0.0; wide.len() / row * out_row];
        for (from, out) in wide.chunks_exact(row).zip(narrow.chunks_exact_mut(out_row)) {
            for (tap, weight) in window.iter().enumerate() {
                let from = &from[tap * self.channels..][..out_row];
                out.iter_mut().zip(from).for_each(|(out, value)| *out += weight * value);
            }
        }
        narrow
    }
}
