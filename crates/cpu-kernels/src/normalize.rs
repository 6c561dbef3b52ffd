//! Adaptive instance normalisation and its adjoints. Squares are summed in f64 of distances to a mean: layer 0 of the
//! synthesis network normalises a near-constant, where the difference of two large sums would look like variance.

use rayon::prelude::*;
use std::ops::Range;

use crate::parallel::{BLOCK, by_channels, is_large, pieces, simd, some};

/// Added to variances (official networks_stylegan.py: `epsilon=1e-8` of instance_norm).
const EPSILON: f64 = 1e-8;

/// Pixels and channels of each image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Image {
    /// H · W.
    pub pixels: usize,
    /// C.
    pub channels: usize,
}

/// `x [N, H, W, C], style [N, 2C] → y, stats [N, 2, C]`: `x̂ = (x − μ) / √(σ² + ε)`, `y = x̂ · (style[n, c] + 1) +
/// style[n, C + c]`; stats are μ and 1/√(σ² + ε).
pub fn adain(image: Image, x: &[f32], style: &[f32], y: &mut [f32], stats: &mut [f32]) {
    let channels = image.channels;
    let adain = |n: usize, y: &mut [f32], stats: &mut [f32]| {
        let x = image.of(x, n);
        let (mean, rsqrt) = stats.split_at_mut(channels);
        statistics(&image.parts(x), [mean, rsqrt]);
        let [scale, bias] = &image.style(style, n, rsqrt);
        image.rows(
            y,
            #[inline(always)]
            |start, y| normalize(&x[start..], [mean, scale, bias], y),
        );
    };
    let size = image.pixels * channels;
    if size == 0 {
        return;
    }
    if is_large(x.len()) {
        let images = y.par_chunks_mut(size).zip(stats.par_chunks_mut(2 * channels));
        images.enumerate().for_each(|(n, (y, stats))| adain(n, y, stats));
    } else {
        let images = y.chunks_mut(size).zip(stats.chunks_mut(2 * channels));
        images.enumerate().for_each(|(n, (y, stats))| adain(n, y, stats));
    }
}

/// `g, x, style, stats → dx`: with r = 1/√(σ² + ε) and means over H and W,
/// `dx = (style + 1) · r · (g − mean g − x̂ · mean(g·x̂))`.
pub fn adain_input_grad(image: Image, g: &[f32], x: &[f32], style: &[f32], stats: &[f32], dx: &mut [f32]) {
    let channels = image.channels;
    pieces(dx, image.pixels * channels, x.len(), |start, dx| {
        let n = start / dx.len();
        let (g, x) = (image.of(g, n), image.of(x, n));
        let (mean, rsqrt) = stats[2 * n * channels..][..2 * channels].split_at(channels);
        let [gx, g_sum] = image.sums(&Products { g, x, mean, rsqrt });

        let scale = |c: usize| f64::from((style[2 * n * channels + c] + 1.0) * rsqrt[c]);
        let scales: Vec<f32> = (0..channels).map(|c| scale(c) as f32).collect();
        let slopes: Vec<f32> = (0..channels).map(|c| (f64::from(rsqrt[c]) * gx[c] / image.count()) as f32).collect();
        let shifts: Vec<f32> = g_sum.iter().map(|sum| (sum / image.count()) as f32).collect();
        image.rows(
            dx,
            #[inline(always)]
            |start, dx| {
                let (mean, scales) = (&mean[..channels], &scales[..channels]);
                let (slopes, shifts) = (&slopes[..channels], &shifts[..channels]);
                let operands = g[start..].chunks_exact(channels).zip(x[start..].chunks_exact(channels));
                for (dx, (g, x)) in dx.chunks_exact_mut(channels).zip(operands) {
                    for c in 0..channels {
                        dx[c] = scales[c] * (g[c] - shifts[c] - (x[c] - mean[c]) * slopes[c]);
                    }
                }
            },
        );
    });
}

/// `g, x, stats → dstyle [N, 2C]`: `(Σ g·x̂, Σ g)` over H and W.
pub fn adain_style_grad(image: Image, g: &[f32], x: &[f32], stats: &[f32], dstyle: &mut [f32]) {
    let channels = image.channels;
    pieces(dstyle, 2 * channels, x.len(), |start, dstyle| {
        let n = start / dstyle.len();
        let (mean, rsqrt) = stats[start..][..2 * channels].split_at(channels);
        let sums = image.sums(&Products { g: image.of(g, n), x: image.of(x, n), mean, rsqrt });
        dstyle.iter_mut().zip(sums.iter().flatten()).for_each(|(d, sum)| *d = *sum as f32);
    });
}

impl Image {
    fn of(self, x: &[f32], n: usize) -> &[f32] {
        &x[n * self.pixels * self.channels..][..self.pixels * self.channels]
    }

    fn count(self) -> f64 {
        self.pixels as f64
    }

    /// Pixels of a task.
    fn block(self) -> usize {
        (BLOCK / self.channels).max(1)
    }

    /// Calls `f(start, rows)` for blocks of whole pixels of one image.
    fn rows(self, y: &mut [f32], f: impl Fn(usize, &mut [f32]) + Sync) {
        let cost = y.len();
        pieces(y, self.block() * self.channels, cost, |start, y| simd!(|| f(start, y)));
    }

    /// Parts of one image, in their order.
    fn parts(self, x: &[f32]) -> Vec<Part> {
        let block = self.block() * self.channels;
        if is_large(x.len()) {
            x.par_chunks(block).map(|x| Part::new(0, x, self.channels)).collect()
        } else {
            x.chunks(block).map(|x| Part::new(0, x, self.channels)).collect()
        }
    }

    /// The factors and summands of image n, by channel, whose deviations are `1 / rsqrt`.
    fn style(self, style: &[f32], n: usize, rsqrt: &[f32]) -> [Vec<f32>; 2] {
        let (scale, bias) = style[2 * n * self.channels..][..2 * self.channels].split_at(self.channels);
        [scale.iter().zip(rsqrt).map(|(s, r)| (s + 1.0) * r).collect(), bias.to_vec()]
    }

    /// Each of K quantities summed over the pixels, by channel: blocks of pixels in their order.
    fn sums<const K: usize>(self, quantity: &impl Quantity<K>) -> [Vec<f64>; K] {
        let (channels, block) = (self.channels, self.block());
        let mut partials = vec![0.0; self.pixels.div_ceil(block) * K * channels];
        pieces(&mut partials, K * channels, self.pixels * channels, |start, sums| {
            let first = start / (K * channels) * block;
            let pixels = first..(first + block).min(self.pixels);
            simd!(|| add_all(quantity, pixels.clone(), channels, sums));
        });
        std::array::from_fn(|k| {
            let mut sums = vec![0.0; channels];
            for block in partials.chunks(K * channels) {
                sums.iter_mut().zip(&block[k * channels..]).for_each(|(sum, x)| *sum += x);
            }
            sums
        })
    }
}

/// Sums over some pixels of an image, by channel.
pub(crate) struct Part {
    /// The image.
    pub image: usize,
    pixels: usize,
    sums: Vec<f64>,
    /// Of the distances to the part's own mean.
    squares: Vec<f64>,
}

impl Part {
    /// Of whole pixels.
    pub fn new(image: usize, x: &[f32], channels: usize) -> Self {
        let pixels = x.len() / channels;
        let mut part = Self { image, pixels, sums: vec![0.0; channels], squares: vec![0.0; channels] };
        simd!(|| add_all(&Values(x), 0..pixels, channels, &mut part.sums));
        let mean: Vec<f32> = (0..channels).map(|c| part.mean(c)).collect();
        simd!(|| add_all(&Squares { x, mean: &mean }, 0..pixels, channels, &mut part.squares));
        part
    }

    fn mean(&self, c: usize) -> f32 {
        (self.sums[c] / self.pixels as f64) as f32
    }
}

/// Writes means over an image's pixels and 1/√(σ² + ε), by channel: with a part's own mean m,
/// Σ(x − μ)² = Σ(x − m)² + 2(m − μ)Σ(x − m) + n(m − μ)².
pub(crate) fn statistics(parts: &[Part], [means, rsqrt]: [&mut [f32]; 2]) {
    let count = parts.iter().map(|part| part.pixels).sum::<usize>() as f64;
    for (c, (mean, rsqrt)) in means.iter_mut().zip(rsqrt).enumerate() {
        *mean = (parts.iter().map(|part| part.sums[c]).sum::<f64>() / count) as f32;
        let squares = parts.iter().map(|part| {
            let (own, count) = (f64::from(part.mean(c)), part.pixels as f64);
            let apart = own - f64::from(*mean);
            part.squares[c] + apart * (2.0 * (part.sums[c] - count * own) + count * apart)
        });
        *rsqrt = (1.0 / (squares.sum::<f64>() / count + EPSILON).sqrt()) as f32;
    }
}

/// Feature maps as a layer reads them: x `[N, H, W, C]`, and what normalises it, if something does, `[N, 3, C]`: by channel
/// μ, factor and summand of `(x − μ) · factor + summand`.
#[derive(Clone, Copy)]
pub(crate) struct Maps<'a> {
    pub x: &'a [f32],
    pub normal: Option<&'a [f32]>,
}

impl<'a> From<&'a [f32]> for Maps<'a> {
    fn from(x: &'a [f32]) -> Self {
        Self { x, normal: None }
    }
}

impl<'a> Maps<'a> {
    /// Of image n: μ, factors and summands.
    pub fn of(normal: &'a [f32], n: usize, channels: usize) -> [&'a [f32]; 3] {
        std::array::from_fn(|k| &normal[(3 * n + k) * channels..][..channels])
    }

    /// Writes the normalised maps.
    pub fn write(normal: &[f32], image: Image, x: &[f32], y: &mut [f32]) {
        let size = image.pixels * image.channels;
        let block = image.block().min(image.pixels);
        // Blocks of one image each.
        pieces(y, size, x.len(), |start, y| {
            let by = Maps::of(normal, start / size, image.channels);
            let x = &x[start..][..size];
            pieces(y, block * image.channels, size, |start, y| simd!(|| normalize(&x[start..], by, y)));
        });
    }
}

/// `y = (x − mean) · scale + bias` of as many pixels as y has.
#[inline(always)]
fn normalize(x: &[f32], by: [&[f32]; 3], y: &mut [f32]) {
    by_channels!(by[0].len(), c, W => normalize_some::<W>(x, by, c, y));
}

/// Channels `c..c + W`, whose numbers stay in registers.
#[inline(always)]
fn normalize_some<const W: usize>(x: &[f32], by: [&[f32]; 3], c: usize, y: &mut [f32]) {
    let channels = by[0].len();
    let (mean, scale, bias) = (some::<W>(by[0], c), some::<W>(by[1], c), some::<W>(by[2], c));
    for (y, x) in y.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
        let mut values = some::<W>(x, c);
        for i in 0..W {
            values[i] = (values[i] - mean[i]) * scale[i] + bias[i];
        }
        y[c..c + W].copy_from_slice(&values);
    }
}

/// K quantities of each element.
trait Quantity<const K: usize>: Sync {
    /// Of the W elements from `at` on, in channels `c..`.
    fn at<const W: usize>(&self, at: usize, c: usize) -> [[f32; W]; K];
}

/// Writes K sums of each channel, one quantity after the other.
#[inline(always)]
fn add_all<const K: usize>(quantity: &impl Quantity<K>, pixels: Range<usize>, channels: usize, sums: &mut [f64]) {
    by_channels!(channels, c, W => add::<K, W>(quantity, pixels.clone(), channels, c, sums));
}

#[inline(always)]
fn add<const K: usize, const W: usize>(
    quantity: &impl Quantity<K>,
    pixels: Range<usize>,
    channels: usize,
    c: usize,
    sums: &mut [f64],
) {
    // Two pixels at a time: an addition takes longer than it takes to begin one.
    let [mut even, mut odd] = [[[0.0; W]; K]; 2];
    let mut pixel = pixels.start;
    while pixel < pixels.end {
        let values = quantity.at::<W>(pixel * channels + c, c);
        for k in 0..K {
            for i in 0..W {
                even[k][i] += f64::from(values[k][i]);
            }
        }
        if pixel + 1 < pixels.end {
            let values = quantity.at::<W>((pixel + 1) * channels + c, c);
            for k in 0..K {
                for i in 0..W {
                    odd[k][i] += f64::from(values[k][i]);
                }
            }
        }
        pixel += 2;
    }
    for k in 0..K {
        for i in 0..W {
            sums[k * channels + c + i] = even[k][i] + odd[k][i];
        }
    }
}

struct Values<'a>(&'a [f32]);

impl Quantity<1> for Values<'_> {
    #[inline(always)]
    fn at<const W: usize>(&self, at: usize, _: usize) -> [[f32; W]; 1] {
        [some(self.0, at)]
    }
}

struct Squares<'a> {
    x: &'a [f32],
    mean: &'a [f32],
}

impl Quantity<1> for Squares<'_> {
    #[inline(always)]
    fn at<const W: usize>(&self, at: usize, c: usize) -> [[f32; W]; 1] {
        let (x, mean) = (some::<W>(self.x, at), some::<W>(self.mean, c));
        let mut squares = [0.0; W];
        for i in 0..W {
            squares[i] = (x[i] - mean[i]) * (x[i] - mean[i]);
        }
        [squares]
    }
}

struct Products<'a> {
    g: &'a [f32],
    x: &'a [f32],
    mean: &'a [f32],
    rsqrt: &'a [f32],
}

impl Quantity<2> for Products<'_> {
    #[inline(always)]
    fn at<const W: usize>(&self, at: usize, c: usize) -> [[f32; W]; 2] {
        let (g, x) = (some::<W>(self.g, at), some::<W>(self.x, at));
        let (mean, rsqrt) = (some::<W>(self.mean, c), some::<W>(self.rsqrt, c));
        let mut products = [0.0; W];
        for i in 0..W {
            products[i] = g[i] * ((x[i] - mean[i]) * rsqrt[i]);
        }
        [products, g]
    }
}
