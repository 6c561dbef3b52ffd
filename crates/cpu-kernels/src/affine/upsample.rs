//! The part of an upsampled image that a tile looks up, four channels at a time, and the adjoint.

use std::cell::RefCell;

use super::window::{Axis, LANES, Pixel, Window};

/// Memory that a thread keeps.
#[derive(Default)]
pub(super) struct Work {
    /// The window's samples.
    pub large: Vec<Pixel>,
    /// Rows of x, each upsampled along its width.
    wide: Vec<Pixel>,
    /// Where the upsampled row of each row of x is in `wide`, plus one.
    places: Vec<usize>,
    /// One row of x with its reflections.
    line: Vec<Pixel>,
    /// The column of x at each place of `line`.
    columns: Vec<Option<usize>>,
}

pub(super) fn with_work(f: impl FnOnce(&mut Work)) {
    thread_local! {
        static WORK: RefCell<Work> = RefCell::default();
    }
    WORK.with_borrow_mut(f);
}

impl Work {
    fn begin(&mut self, [vertical, horizontal]: &[Axis; 2], window: &Window) {
        let (first, count) = window.pixels(1, horizontal);
        self.columns.clear();
        self.columns.extend((0..count).map(|k| horizontal.pixel(first + k as isize)));
        self.line.clear();
        self.line.resize(count, [0.0; LANES]);
        self.places.clear();
        self.places.resize(vertical.size as usize, 0);
        self.wide.clear();
    }
}

/// The window of the upsampled image, into `work.large`. `[w, c, channel]`: width and channels of x, and the first channel.
#[inline(always)]
pub(super) fn upsample(axes: &[Axis; 2], window: &Window, x: &[f32], [w, c, channel]: [usize; 3], work: &mut Work) {
    let [vertical, horizontal] = axes;
    let width = window.size[1];
    let lanes = LANES.min(c - channel);
    work.begin(axes, window);
    work.large.resize(window.len(), [0.0; LANES]);
    let (first, _) = window.pixels(0, vertical);
    let up = vertical.up as usize;
    let mut rows = Vec::with_capacity(vertical.count);
    for at in 0..window.size[0] / up {
        rows.clear();
        for k in 0..vertical.count {
            let Some(row) = vertical.pixel(first + (at + k) as isize) else { continue };
            if work.places[row] == 0 {
                for (pixel, column) in work.line.iter_mut().zip(&work.columns) {
                    if let Some(column) = column {
                        let x = &x[(row * w + column) * c + channel..][..lanes];
                        for (pixel, x) in pixel.iter_mut().zip(x) {
                            *pixel = *x;
                        }
                    }
                }
                match horizontal.count {
                    1 => widen::<1>(horizontal, &work.line, &mut work.wide),
                    6 => widen::<6>(horizontal, &work.line, &mut work.wide),
                    _ => widen::<0>(horizontal, &work.line, &mut work.wide),
                }
                work.places[row] = work.wide.len() / width;
            }
            rows.push((k, (work.places[row] - 1) * width * LANES));
        }
        for phase in 0..up {
            let to = work.large[(at * up + phase) * width..][..width].as_flattened_mut();
            let taps = &vertical.phases[phase];
            to.fill(0.0);
            add_rows(&rows, taps, work.wide.as_flattened(), to);
        }
    }
}

/// Adds rows of `from`, each with the tap of its number.
#[inline(always)]
fn add_rows(rows: &[(usize, usize)], taps: &[f32], from: &[f32], to: &mut [f32]) {
    let len = to.len();
    let row = |&(k, first): &(usize, usize)| (taps[k], &from[first..][..len]);
    let mut threes = rows.chunks_exact(3);
    for three in &mut threes {
        let [(a, x0), (b, x1), (c, x2)] = [row(&three[0]), row(&three[1]), row(&three[2])];
        for i in 0..len {
            to[i] += a * x0[i] + b * x1[i] + c * x2[i];
        }
    }
    for (a, x) in threes.remainder().iter().map(row) {
        to.iter_mut().zip(x).for_each(|(to, x)| *to += a * x);
    }
}

/// Appends a row that is upsampled along its width. K is the number of taps of a phase, or 0 for any.
#[inline(always)]
fn widen<const K: usize>(axis: &Axis, line: &[Pixel], wide: &mut Vec<Pixel>) {
    let count = if K == 0 { axis.count } else { K };
    for from in line.windows(count) {
        for taps in &axis.phases {
            let mut sum = [0.0; LANES];
            for (tap, from) in taps[..count].iter().zip(from) {
                for c in 0..LANES {
                    sum[c] += tap * from[c];
                }
            }
            wide.push(sum);
        }
    }
}

/// The adjoint of [`upsample`]: adds the window, from `work.large`, to x.
#[inline(always)]
pub(super) fn upsample_transpose(
    axes: &[Axis; 2],
    window: &Window,
    x: &mut [f32],
    [w, c, channel]: [usize; 3],
    work: &mut Work,
) {
    let [vertical, horizontal] = axes;
    let width = window.size[1];
    let lanes = LANES.min(c - channel);
    work.begin(axes, window);
    let (first, _) = window.pixels(0, vertical);
    let up = vertical.up as usize;
    for at in 0..window.size[0] / up {
        let samples: Vec<_> = (0..up).map(|phase| (phase, (at * up + phase) * width * LANES)).collect();
        for k in 0..vertical.count {
            let Some(row) = vertical.pixel(first + (at + k) as isize) else { continue };
            if work.places[row] == 0 {
                work.wide.resize(work.wide.len() + width, [0.0; LANES]);
                work.places[row] = work.wide.len() / width;
            }
            let to = work.wide[(work.places[row] - 1) * width..][..width].as_flattened_mut();
            add_samples(&samples, |phase| vertical.phases[phase][k], work.large.as_flattened(), to);
        }
    }
    let margin = (horizontal.count - 1) * up;
    let mut padded = vec![[0.0; LANES]; width + 2 * margin];
    // What a pixel gives to the samples from the first that it reaches on.
    let taps: Vec<f32> =
        (0..horizontal.count).rev().flat_map(|k| horizontal.phases.iter().map(move |taps| taps[k])).collect();
    for (row, &place) in work.places.iter().enumerate().filter(|(_, place)| **place > 0) {
        padded[margin..][..width].copy_from_slice(&work.wide[(place - 1) * width..][..width]);
        match taps.len() {
            1 => narrow::<1>(&taps, up, &padded, &mut work.line),
            12 => narrow::<12>(&taps, up, &padded, &mut work.line),
            _ => narrow::<0>(&taps, up, &padded, &mut work.line),
        }
        for (pixel, column) in work.line.iter().zip(&work.columns) {
            if let Some(column) = column {
                let x = &mut x[(row * w + column) * c + channel..][..lanes];
                x.iter_mut().zip(pixel).for_each(|(x, value)| *x += value);
            }
        }
    }
}

/// Adds rows of samples, each with the tap of its phase.
#[inline(always)]
fn add_samples(rows: &[(usize, usize)], tap: impl Fn(usize) -> f32, from: &[f32], to: &mut [f32]) {
    let len = to.len();
    let row = |&(phase, first): &(usize, usize)| (tap(phase), &from[first..][..len]);
    let mut pairs = rows.chunks_exact(2);
    for pair in &mut pairs {
        let [(a, x0), (b, x1)] = [row(&pair[0]), row(&pair[1])];
        for i in 0..len {
            to[i] += a * x0[i] + b * x1[i];
        }
    }
    for (a, x) in pairs.remainder().iter().map(row) {
        to.iter_mut().zip(x).for_each(|(to, x)| *to += a * x);
    }
}

/// The adjoint of [`widen`], of a row with zeros around it: the sum of what each pixel gave to samples.
#[inline(always)]
fn narrow<const TAPS: usize>(taps: &[f32], up: usize, padded: &[Pixel], line: &mut [Pixel]) {
    let count = if TAPS == 0 { taps.len() } else { TAPS };
    for (at, to) in line.iter_mut().enumerate() {
        let mut sum = [0.0; LANES];
        for (tap, sample) in taps[..count].iter().zip(&padded[at * up..][..count]) {
            for c in 0..LANES {
                sum[c] += tap * sample[c];
            }
        }
        *to = sum;
    }
}
