//! A layer: a convolution, and all that follows it, in the memory of its results. Large maps come from memory once or not at all
//! after the convolution, since the normalisation is left to whatever reads them next.

use stylegan_tensor::Algorithm;

use crate::conv::{Conv, Kind, Scratch, Then, forward, grow, upscaled};
use crate::epilogue::Epilogue;
use crate::normalize::{Image, Maps, statistics};
use crate::thin::{few_columns_around, has_few_columns};

/// Normalised means above which sums of channels would cancel: up to it they are as exact as those of other layers.
const LARGE_MEAN: f32 = 16.0;

/// Geometry and constants.
#[derive(Clone, Copy, Debug)]
pub struct Layer {
    /// The convolution.
    pub conv: Conv,
    /// Whether each pixel of x is first repeated twice along both axes: then its kernel is 3×3, with a stride and a padding of 1.
    pub is_upscaled: bool,
    /// What it is multiplied with.
    pub gain: f32,
    /// How it is computed, if not in the fastest way.
    pub algorithm: Option<Algorithm>,
    /// The filter of a blur, along both axes.
    pub blur: Option<[f32; 3]>,
    /// Slope of the activation below 0.
    pub alpha: f32,
}

/// Operands; images are `[N, H, W, C]` of the convolution's operand and result.
#[derive(Clone, Copy)]
pub struct Inputs<'a> {
    /// The convolution's operand.
    pub x: &'a [f32],
    /// Its weights.
    pub w: &'a [f32],
    /// Bias, one for each channel of the result.
    pub b: &'a [f32],
    /// What normalises x, `[N, 3, C]`: μ, factor and summand of `(x − μ) · factor + summand`.
    pub normal: Option<&'a [f32]>,
    /// Noise `[N or 1, H, W, 1]` and its strength in each channel of the result.
    pub noise: Option<[&'a [f32]; 2]>,
    /// Scales less 1, then biases, `[N, 2C]` of the result.
    pub style: Option<&'a [f32]>,
}

/// Writes y, activated, and what normalises it in [`adain`](crate::normalize::adain), `[N, 3, C]`, if there is a style; else `normal`
/// is empty.
///
/// # Panics
///
/// If a slice does not have the length that `p` says.
pub fn layer(p: &Layer, inputs: Inputs, y: &mut [f32], normal: &mut [f32], scratch: &mut Scratch) {
    let Layer { conv: g, is_upscaled, gain, algorithm, blur, alpha } = *p;
    let Inputs { x, w, b, noise, style, .. } = inputs;
    let Conv { n, h, w: width, c, o, oh, ow, .. } = g;
    let shape = [n, oh, ow, o];
    let epilogue = Epilogue { shape, gain, blur, alpha, noise, b, measures: style.is_some() };
    if let (Some(by), true) = (inputs.normal, p.is_sum_of_channels(&inputs)) {
        return sum_channels(g, x, by, w, gain, b, y);
    }
    // An upscale with a 3×3 kernel is the adjoint of this convolution.
    let adjoint = Conv { n, h: oh, w: ow, c: o, kh: 4, kw: 4, o: c, oh: h, ow: width, stride: 2, padding: [1; 4] };
    let (kind, conv) = if is_upscaled { (Kind::Transpose, adjoint) } else { (Kind::Forward, g) };
    let image = Image { pixels: h * width, channels: c };
    let mut maps = std::mem::take(&mut scratch.maps);
    let x = match inputs.normal {
        Some(normal) if !conv.normalises(kind, algorithm) => {
            let maps = grow(&mut maps, x.len());
            Maps::write(normal, image, x, maps);
            Maps::from(&*maps)
        }
        normal => Maps { x, normal },
    };
    let finish = |first: usize, y: &mut [f32]| epilogue.finish(first, y);
    let then: Option<&Then> = if blur.is_none() { Some(&finish) } else { None };
    let parts = match kind {
        Kind::Transpose => upscaled(&conv, x, w, y, algorithm, scratch, then),
        _ => forward(&conv, x, w, y, algorithm, false, scratch, then),
    };
    scratch.maps = maps;
    let parts = parts.unwrap_or_else(|| epilogue.run(y, &mut scratch.rows));
    let Some(style) = style else { return };
    let images = normal.chunks_exact_mut(3 * o).zip(parts.chunk_by(|a, b| a.image == b.image));
    for (normal, parts) in images {
        let style = &style[2 * parts[0].image * o..][..2 * o];
        let [mean, factor, summand] = normal.get_disjoint_mut([0..o, o..2 * o, 2 * o..3 * o]).expect("three thirds");
        statistics(parts, [mean, factor]);
        factor.iter_mut().zip(style).for_each(|(rsqrt, style)| *rsqrt *= style + 1.0);
        summand.copy_from_slice(&style[o..]);
    }
}

impl Layer {
    /// Whether a pixel of the result is a few sums over the channels of a normalised one, and nothing follows.
    fn is_sum_of_channels(&self, inputs: &Inputs) -> bool {
        let g = &self.conv;
        let is_plain = self.blur.is_none() && self.alpha == 1.0 && inputs.noise.is_none() && inputs.style.is_none();
        let is_pointwise = (g.kh, g.kw, g.stride, g.padding) == (1, 1, 1, [0; 4]) && !self.is_upscaled;
        is_plain && is_pointwise && self.algorithm.is_none() && has_few_columns([g.h * g.w, g.o])
    }
}

/// The layer to RGB, w times the gain: `Σ x · (factor · w) + Σ (summand − μ · factor) · w + b`, or, where a mean is so large beside the
/// deviation that the sums would cancel, `Σ (x − μ) · (factor · w) + Σ summand · w + b`.
fn sum_channels(g: Conv, x: &[f32], normal: &[f32], w: &[f32], gain: f32, b: &[f32], y: &mut [f32]) {
    let [from, to] = [g.c, g.o].map(|channels| g.h * g.w * channels);
    for (image, (x, y)) in x.chunks_exact(from).zip(y.chunks_exact_mut(to)).enumerate() {
        let [mean, factor, summand] = Maps::of(normal, image, g.c);
        let cancels = mean.iter().zip(factor).any(|(mean, factor)| (mean * factor).abs() > LARGE_MEAN);
        let constant = |c: usize| {
            let own = f64::from(mean[c]) * f64::from(factor[c]);
            f64::from(summand[c]) - if cancels { 0.0 } else { own }
        };
        let sum = |o: usize| (0..g.c).map(|c| constant(c) * f64::from(w[c * g.o + o])).sum::<f64>() * f64::from(gain);
        let first = std::array::from_fn(|o| if o < g.o { (sum(o) + f64::from(b[o])) as f32 } else { 0.0 });
        let mean = cancels.then_some(mean);
        few_columns_around([g.c, g.o], x, mean, |c, o| factor[c] * (w[c * g.o + o] * gain), first, y, false);
    }
}
