//! Separable resampling: zeros inserted, padded, filtered, every few pixels kept. Nearest upscaling, box downscaling and
//! the blur are three of its settings.

use rayon::prelude::*;
use std::cell::RefCell;

use crate::parallel::{BLOCK, pieces, simd};

/// Geometry: rows and columns of zeros around the upsampled image are added (or cropped, if negative).
#[derive(Clone, Copy, Debug)]
pub struct Resample<'a> {
    /// N, H, W, C of x.
    pub shape: [usize; 4],
    /// Height and width of y.
    pub out: [usize; 2],
    /// Zeros inserted, plus one.
    pub up: usize,
    /// Pixels skipped, plus one.
    pub down: usize,
    /// The filter along both axes, not flipped.
    pub taps: &'a [f32],
    /// Rows added above, and columns added on the left.
    pub before: [isize; 2],
}

/// `x [N, H, W, C] → y [N, H', W', C]`: each row of y is a sum of rows of x, filtered along its width.
pub fn upfirdn2d(p: &Resample, x: &[f32], y: &mut [f32]) {
    let [_, h, w, c] = p.shape;
    let [oh, ow] = p.out;
    if y.is_empty() {
        return;
    }
    let rows = Sums::new(p, h, oh, p.before[0]);
    let columns = Sums::new(p, w, ow, p.before[1]);
    if c >= WIDE {
        return by_pixel(p, &rows, &columns, x, y);
    }
    // All pixels of a row are one sum of shifted rows; with a change of scale, those of each phase are. Where pixels have many
    // channels, sums of single pixels are as fast.
    let flat = Flat::new(p);
    let is_flat = (p.up == 1 || p.down == 1) && (c < FEW || p.up == p.down);
    let share = (BLOCK / (ow * c)).max(1);
    let cost = x.len() + y.len();
    pieces(y, share * ow * c, cost, |start, y| {
        with_rows(|row, phases| {
            let (first, width) = if is_flat { (flat.first, flat.width) } else { (0, w) };
            // Zeros before and after the row of x.
            row.resize(width * c, 0.0);
            let (before, rest) = row.split_at_mut(first * c);
            before.fill(0.0);
            rest[w * c..].fill(0.0);
            for at in 0..y.len() / (ow * c) {
                let (n, i) = ((start / (ow * c) + at) / oh, (start / (ow * c) + at) % oh);
                let (done, y) = y.split_at_mut(at * ow * c);
                let y = &mut y[..ow * c];
                if at > 0 && i > 0 && rows.at(i) == rows.at(i - 1) {
                    // Nearest upscaling: a row is the one above once more.
                    y.copy_from_slice(&done[done.len() - ow * c..]);
                    continue;
                }
                let image = &x[n * h * w * c..][..h * w * c];
                let row = match rows.at(i) {
                    // A row that stays as it is is read where it lies.
                    [(weight, at)] if *weight == 1.0 && !is_flat => &image[at * w * c..][..w * c],
                    terms => {
                        simd!(|| sum(terms, image, w * c, &mut row[first * c..][..w * c]));
                        &row[..]
                    }
                };
                if is_flat {
                    simd!(|| flat.sum(row, c, phases, y));
                } else {
                    simd!(|| {
                        for (j, y) in y.chunks_exact_mut(c).enumerate() {
                            sum(columns.at(j), row, c, y);
                        }
                    });
                }
            }
        });
    });
}

/// Channels from which on a few rows would be too little work for many threads: small kernels seen as images, whose
/// channels are pairs of channels.
const WIDE: usize = 4096;

/// Each pixel of y at once, as the sum of pixels of x, in blocks of channels.
fn by_pixel(p: &Resample, rows: &Sums, columns: &Sums, x: &[f32], y: &mut [f32]) {
    let ([_, h, w, c], [oh, ow]) = (p.shape, p.out);
    y.par_chunks_mut(c).enumerate().for_each(|(pixel, y)| {
        let (n, i, j) = (pixel / (oh * ow), pixel / ow % oh, pixel % ow);
        let row = |&(weight, at): &(f32, usize)| {
            let across = columns.at(j).iter();
            across.map(move |&(other, column)| (weight * other, (n * h + at) * w + column))
        };
        let terms: Vec<_> = rows.at(i).iter().flat_map(row).collect();
        y.par_chunks_mut(WIDE).enumerate().for_each(|(block, y)| {
            simd!(|| sum(&terms, &x[block * WIDE..], c, y));
        });
    });
}

/// Calls `f` with this thread's rows, which keep their memory.
fn with_rows(f: impl FnOnce(&mut Vec<f32>, &mut Vec<f32>)) {
    thread_local! {
        static ROWS: RefCell<[Vec<f32>; 2]> = const { RefCell::new([Vec::new(), Vec::new()]) };
    }
    ROWS.with_borrow_mut(|[row, phases]| f(row, phases));
}

/// Channels below which a row is summed as a whole.
const FEW: usize = 16;

/// A row of y as sums of shifted rows, where x or y has one phase. The phases of the other are every `up`-th pixel of y, or every
/// `down`-th of x.
struct Flat {
    up: usize,
    down: usize,
    out: usize,
    /// Zeros before the row of x, and the length with zeros after it.
    first: usize,
    width: usize,
    /// Of each phase of y: the taps, and where each begins in the row, or in the phases of x one after the other.
    shifts: Vec<Vec<(f32, usize)>>,
}

impl Flat {
    fn new(p: &Resample) -> Self {
        let ([_, _, w, _], [_, out], (up, down), left) = (p.shape, p.out, (p.up, p.down), p.before[1]);
        let first = left.max(0) as usize;
        let start = |phase: usize, t: usize| (phase * down + t) as isize - left + (first * up) as isize;
        let reach = (start(up - 1, p.taps.len()).max(0) as usize).div_ceil(up);
        let width = (first + w).max(reach + out.div_ceil(up) * down).next_multiple_of(down);
        let shift = |phase: usize| {
            let taps = p.taps.iter().enumerate().map(move |(t, &tap)| (tap, start(phase, t) as usize));
            let taps = taps.filter(|(_, at)| at.is_multiple_of(up));
            taps.map(|(tap, at)| (tap, at / up % down * (width / down) + at / up / down)).collect()
        };
        Self { up, down, out, first, width, shifts: (0..up).map(shift).collect() }
    }

    /// From the row of x with its zeros; `phases` is memory.
    #[inline(always)]
    fn sum(&self, row: &[f32], c: usize, phases: &mut Vec<f32>, y: &mut [f32]) {
        if self.up == 1 && self.down == 1 {
            return sum(&self.shifts[0], row, c, y);
        }
        if self.up == 1 {
            phases.resize(row.len(), 0.0);
            let length = row.len() / self.down;
            for (at, pixel) in row.chunks_exact(c).enumerate() {
                phases[at % self.down * length + at / self.down * c..][..c].copy_from_slice(pixel);
            }
            return sum(&self.shifts[0], phases, c, y);
        }
        for (phase, shifts) in self.shifts.iter().enumerate().take(self.out) {
            let count = (self.out - phase).div_ceil(self.up);
            phases.resize(count * c, 0.0);
            sum(shifts, row, c, phases);
            let pixels = y.chunks_exact_mut(c).skip(phase).step_by(self.up);
            pixels.zip(phases.chunks_exact(c)).for_each(|(y, pixel)| y.copy_from_slice(pixel));
        }
    }
}

/// Which elements of one axis of x, with which weights, each element of y is the sum of.
struct Sums {
    starts: Vec<usize>,
    terms: Vec<(f32, usize)>,
}

impl Sums {
    fn new(p: &Resample, size: usize, out: usize, before: isize) -> Self {
        let mut sums = Self { starts: vec![0], terms: Vec::new() };
        for i in 0..out {
            for (t, &tap) in p.taps.iter().enumerate() {
                let at = (i * p.down + t) as isize - before;
                if at >= 0 && (at as usize).is_multiple_of(p.up) && at as usize / p.up < size {
                    sums.terms.push((tap, at as usize / p.up));
                }
            }
            sums.starts.push(sums.terms.len());
        }
        sums
    }

    fn at(&self, i: usize) -> &[(f32, usize)] {
        &self.terms[self.starts[i]..self.starts[i + 1]]
    }
}

/// `y = Σ weight · x[at · step ..]` over the terms.
#[inline(always)]
fn sum(terms: &[(f32, usize)], x: &[f32], step: usize, y: &mut [f32]) {
    let len = y.len();
    let term = |&(weight, at): &(f32, usize)| (weight, &x[at * step..][..len]);
    match terms {
        [] => y.fill(0.0),
        [a] => {
            let (a, x) = term(a);
            y.iter_mut().zip(x).for_each(|(y, x)| *y = a * x);
        }
        [a, b] => {
            let ((a, x0), (b, x1)) = (term(a), term(b));
            for i in 0..len {
                y[i] = a * x0[i] + b * x1[i];
            }
        }
        [a, b, c, others @ ..] => {
            let ((a, x0), (b, x1), (c, x2)) = (term(a), term(b), term(c));
            for i in 0..len {
                y[i] = a * x0[i] + b * x1[i] + c * x2[i];
            }
            for (weight, x) in others.iter().map(term) {
                y.iter_mut().zip(x).for_each(|(y, x)| *y += weight * x);
            }
        }
    }
}
