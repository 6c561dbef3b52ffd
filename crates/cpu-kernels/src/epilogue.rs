//! What follows a convolution in a [`layer`](crate::layer::layer), in the memory of its result.

use rayon::prelude::*;
use std::cell::RefCell;

use crate::conv::grow;
use crate::elementwise::leaky_relu;
use crate::normalize::Part;
use crate::parallel::{BLOCK, by_channels, is_large, simd, some};

/// Bands of rows wanted for 16 cores, of each image.
const BANDS: usize = 16;

/// What follows a convolution.
pub(crate) struct Epilogue<'a> {
    /// N, H, W, C of the convolution's result.
    pub shape: [usize; 4],
    /// What it is multiplied with.
    pub gain: f32,
    /// The filter of a blur, along both axes.
    pub blur: Option<[f32; 3]>,
    /// Slope of the activation below 0.
    pub alpha: f32,
    /// Noise `[N or 1, H, W, 1]` and its strength `[C]`.
    pub noise: Option<[&'a [f32]; 2]>,
    /// Bias `[C]`.
    pub b: &'a [f32],
    /// Whether statistics are wanted.
    pub measures: bool,
}

impl Epilogue<'_> {
    /// Everything, in place.
    pub fn run(&self, y: &mut [f32], rows: &mut Vec<f32>) -> Vec<Part> {
        let [_, h, w, c] = self.shape;
        if y.is_empty() {
            return Vec::new();
        }
        if let Some(taps) = self.blur {
            return self.blur_bands(taps, y, rows);
        }
        let block = rows_of_block(w * c).min(h) * w * c;
        let piece = |(index, y): (usize, &mut [f32])| self.finish(index * block, y);
        if is_large(y.len()) {
            let parts: Vec<_> = y.par_chunks_mut(block).enumerate().map(piece).collect();
            parts.into_iter().flatten().collect()
        } else {
            y.chunks_mut(block).enumerate().flat_map(piece).collect()
        }
    }

    /// Whole pixels from element `first` of y on, which may be of several images, and that are not blurred.
    pub fn finish(&self, first: usize, y: &mut [f32]) -> Vec<Part> {
        let [_, h, w, c] = self.shape;
        let (image, block) = (h * w * c, (BLOCK / c).max(1) * c);
        let (mut parts, mut rest, mut at) = (Vec::new(), y, first);
        while !rest.is_empty() {
            let len = block.min(image - at % image).min(rest.len());
            let (y, others) = rest.split_at_mut(len);
            simd!(|| self.activate(at / c, y));
            if self.measures {
                parts.push(Part::new(at / image, y, c));
            }
            (rest, at) = (others, at + len);
        }
        parts
    }

    /// Pixels of one image, from one on that is counted through all images.
    #[inline(always)]
    fn activate(&self, pixel: usize, y: &mut [f32]) {
        match self.noise {
            Some(_) => by_channels!(self.b.len(), c, W => self.activate_some::<true, W>(pixel, c, y)),
            None => by_channels!(self.b.len(), c, W => self.activate_some::<false, W>(pixel, c, y)),
        }
    }

    /// Channels `c..c + W` of [`Self::activate`].
    #[inline(always)]
    fn activate_some<const NOISY: bool, const W: usize>(&self, pixel: usize, c: usize, y: &mut [f32]) {
        let then = Activation::<W>::new(self, c);
        let noise = self.noise_from(pixel, y.len() / self.b.len());
        for (j, y) in y.chunks_exact_mut(self.b.len()).enumerate() {
            let values = then.of::<NOISY>(some(y, c), if NOISY { noise[j] } else { 0.0 });
            y[c..c + W].copy_from_slice(&values);
        }
    }

    /// The noise of so many pixels of one image.
    #[inline(always)]
    fn noise_from(&self, pixel: usize, count: usize) -> &[f32] {
        self.noise.map_or(&[], |[noise, _]| &noise[pixel % noise.len()..][..count])
    }

    /// The blur and all that follows, in bands of rows, whose neighbours are set aside before.
    fn blur_bands(&self, taps: [f32; 3], y: &mut [f32], rows: &mut Vec<f32>) -> Vec<Part> {
        let [n, h, w, c] = self.shape;
        let line = w * c;
        let height = if is_large(y.len()) { h.div_ceil(BANDS).next_multiple_of(rows_of_block(line)) } else { h };
        let bands = h.div_ceil(height);
        // The last row of each band and the first of the next one.
        let aside = grow(rows, n * bands * 2 * line);
        let set_aside = |(index, rows): (usize, &mut [f32])| {
            let (image, next) = (index / bands, (index % bands + 1) * height);
            if next < h {
                rows.copy_from_slice(&y[(image * h + next - 1) * line..][..2 * line]);
            }
        };
        aside.par_chunks_mut(2 * line).enumerate().for_each(set_aside);
        let aside = &*aside;
        let bands = y.par_chunks_mut(h * line).enumerate().flat_map(|(image, y)| {
            y.par_chunks_mut(height * line).enumerate().map(move |(index, y)| {
                let around = |index: usize| aside[(image * bands + index) * 2 * line..][..2 * line].split_at(line);
                let above = (index > 0).then(|| around(index - 1).0);
                let below = (index + 1 < bands).then(|| around(index).1);
                self.blur_band(taps, [image, index * height], y, [above, below])
            })
        });
        let parts: Vec<_> = bands.collect();
        parts.into_iter().flatten().collect()
    }

    /// Rows of an image from one on, between the rows above and below.
    fn blur_band(
        &self,
        taps: [f32; 3],
        [image, row]: [usize; 2],
        y: &mut [f32],
        [above, below]: [Option<&[f32]>; 2],
    ) -> Vec<Part> {
        let [_, h, w, c] = self.shape;
        let line = w * c;
        let (rows, block) = (y.len() / line, rows_of_block(line));
        let mut parts = Vec::new();
        with_row(line, |before| {
            match above {
                Some(above) => before.copy_from_slice(above),
                None => before.fill(0.0),
            }
            for i in 0..rows {
                let (here, behind) = y[i * line..].split_at_mut(line);
                let behind = behind.get(..line).or(below);
                simd!(|| self.blur_row(taps, (image * h + row + i) * w, before, here, behind));
                if self.measures && ((i + 1) % block == 0 || i + 1 == rows) {
                    parts.push(Part::new(image, &y[i / block * block * line..(i + 1) * line], c));
                }
            }
        });
        parts
    }

    /// One row; `before` is the row above as it was, and becomes this one as it was.
    #[inline(always)]
    fn blur_row(&self, taps: [f32; 3], pixel: usize, before: &mut [f32], here: &mut [f32], behind: Option<&[f32]>) {
        match self.noise {
            Some(_) => {
                by_channels!(self.b.len(), c, W => self.blur_some::<true, W>(taps, pixel, before, here, behind, c))
            }
            None => {
                by_channels!(self.b.len(), c, W => self.blur_some::<false, W>(taps, pixel, before, here, behind, c))
            }
        }
    }

    /// Channels `c..c + W` of [`Self::blur_row`]. The row's three columns stay in registers.
    #[inline(always)]
    fn blur_some<const NOISY: bool, const W: usize>(
        &self,
        taps: [f32; 3],
        pixel: usize,
        before: &mut [f32],
        here: &mut [f32],
        behind: Option<&[f32]>,
        c: usize,
    ) {
        let (w, channels) = (self.shape[2], self.b.len());
        let then = Activation::<W>::new(self, c);
        let noise = self.noise_from(pixel, w);
        let mut columns = [[0.0; W], column(taps, before, here, behind, c), [0.0; W]];
        for j in 0..w {
            columns[2] = [0.0; W];
            if j + 1 < w {
                columns[2] = column(taps, before, here, behind, (j + 1) * channels + c);
            }
            let values = then.of::<NOISY>(weighted(taps, columns), if NOISY { noise[j] } else { 0.0 });
            here[j * channels + c..][..W].copy_from_slice(&values);
            columns = [columns[1], columns[2], [0.0; W]];
        }
    }
}

/// Gain, noise, bias and activation of W channels.
struct Activation<const W: usize> {
    gain: f32,
    strength: [f32; W],
    b: [f32; W],
    alpha: f32,
}

impl<const W: usize> Activation<W> {
    #[inline(always)]
    fn new(epilogue: &Epilogue, c: usize) -> Self {
        let strength = epilogue.noise.map_or([0.0; W], |[_, strength]| some(strength, c));
        Self { gain: epilogue.gain, strength, b: some(epilogue.b, c), alpha: epilogue.alpha }
    }

    #[inline(always)]
    fn of<const NOISY: bool>(&self, mut x: [f32; W], noise: f32) -> [f32; W] {
        for (k, x) in x.iter_mut().enumerate() {
            let scaled = *x * self.gain;
            let noisy = if NOISY { scaled + noise * self.strength[k] } else { scaled };
            *x = leaky_relu(noisy + self.b[k], self.alpha);
        }
        x
    }
}

/// Rows of so many elements that are measured together.
fn rows_of_block(line: usize) -> usize {
    (BLOCK / line).max(1)
}

/// Calls `f` with a row of this thread's memory.
fn with_row(len: usize, f: impl FnOnce(&mut [f32])) {
    thread_local! {
        static ROW: RefCell<Vec<f32>> = const { RefCell::new(Vec::new()) };
    }
    ROW.with_borrow_mut(|row| {
        row.resize(row.len().max(len), 0.0);
        f(&mut row[..len]);
    });
}

/// Numbers of a pixel filtered along its column; `before` becomes what `here` is.
#[inline(always)]
fn column<const W: usize>(
    taps: [f32; 3],
    before: &mut [f32],
    here: &[f32],
    behind: Option<&[f32]>,
    at: usize,
) -> [f32; W] {
    let mut x = [some(before, at), some(here, at), [0.0; W]];
    if let Some(behind) = behind {
        x[2] = some(behind, at);
    }
    before[at..][..W].copy_from_slice(&x[1]);
    weighted(taps, x)
}

/// `Σ taps · x`, in the order of [`upfirdn2d`](crate::resample::upfirdn2d).
#[inline(always)]
fn weighted<const W: usize>(taps: [f32; 3], x: [[f32; W]; 3]) -> [f32; W] {
    let mut sum = [0.0; W];
    for k in 0..W {
        sum[k] = taps[0] * x[0][k] + taps[1] * x[1][k] + taps[2] * x[2][k];
    }
    sum
}
