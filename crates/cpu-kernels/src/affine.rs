//! Images looked up through affine maps, and the adjoint. An image is upsampled by the taps in tiles of the part that is looked up,
//! four channels at a time, and looked up bilinearly there.

use rayon::prelude::*;
use std::cell::RefCell;

use crate::parallel::{is_large, simd};

/// Channels that are computed together.
const LANES: usize = 4;

/// Rows and columns of the larger image's tiles, at most: what they need of the upsampled image stays in the second-level cache.
const TILE: usize = 96;

type Pixel = [f32; LANES];

/// Sizes and filter: see `stylegan_tensor::AffineResample`.
#[derive(Clone, Copy, Debug)]
pub struct Affine<'a> {
    /// N, H, W, C of x.
    pub shape: [usize; 4],
    /// Height and width of y.
    pub out: [usize; 2],
    /// Taps between two pixels.
    pub up: usize,
    /// The filter along both axes.
    pub taps: &'a [f32],
    /// Whether x is reflected at its borders.
    pub reflect: bool,
}

/// `x [N, H, W, C], m [N, 2, 3] → y [N, H', W', C]`.
pub fn affine_resample(p: &Affine, x: &[f32], m: &[f32], y: &mut [f32]) {
    let ([_, h, w, c], [oh, ow]) = (p.shape, p.out);
    if y.is_empty() {
        return;
    }
    let axes = p.axes();
    let rows = part(oh);
    let bands = oh.div_ceil(rows);
    let band = |(at, y): (usize, &mut [f32])| {
        let (n, first) = (at / bands, at % bands * rows);
        let (x, map) = (&x[n * h * w * c..][..h * w * c], Map::new(p, &m[6 * n..]));
        let height = y.len() / (ow * c);
        with_work(|work| {
            for left in (0..ow).step_by(part(ow)) {
                let tile = Tile { first: [first, left], size: [height, part(ow).min(ow - left)] };
                let Some(window) = Window::of(&axes, &map, &tile) else {
                    each_row(y, &tile, ow, c, 0, |_, _, y| y.fill(0.0));
                    continue;
                };
                for channel in (0..c).step_by(LANES) {
                    simd!(|| {
                        upsample(&axes, &window, x, [w, c, channel], work);
                        each_row(y, &tile, ow, c, first, |i, j, y| {
                            let value = look_up(&window, &work.large, map.at(i, j));
                            for (y, value) in y[channel..].iter_mut().zip(value) {
                                *y = value;
                            }
                        });
                    });
                }
            }
        });
    };
    // A band never ends beyond its image: images are cut one by one.
    let cut = y.chunks_mut(oh * ow * c).flat_map(|image| image.chunks_mut(rows * ow * c));
    let cut: Vec<_> = cut.enumerate().collect();
    if is_large(x.len() + p.shape[0] * oh * ow * c) {
        cut.into_par_iter().for_each(band);
    } else {
        cut.into_iter().for_each(band);
    }
}

/// `y [N, H', W', C], m [N, 2, 3] → x [N, H, W, C]`: the adjoint. An image is one task, so that sums have one order.
pub fn affine_resample_transpose(p: &Affine, y: &[f32], m: &[f32], x: &mut [f32]) {
    let ([_, h, w, c], [oh, ow]) = (p.shape, p.out);
    if x.is_empty() {
        return;
    }
    let axes = p.axes();
    let cost = x.len() + y.len();
    let image = |(n, x): (usize, &mut [f32])| {
        let (y, map) = (&y[n * oh * ow * c..][..oh * ow * c], Map::new(p, &m[6 * n..]));
        x.fill(0.0);
        with_work(|work| {
            for (top, left) in tiles(oh, ow) {
                let tile = Tile { first: [top, left], size: [part(oh).min(oh - top), part(ow).min(ow - left)] };
                let Some(window) = Window::of(&axes, &map, &tile) else { continue };
                for channel in (0..c).step_by(LANES) {
                    simd!(|| {
                        work.large.clear();
                        work.large.resize(window.len(), [0.0; LANES]);
                        for i in top..top + tile.size[0] {
                            for j in left..left + tile.size[1] {
                                let y = &y[(i * ow + j) * c + channel..][..LANES.min(c - channel)];
                                spread(&window, &mut work.large, map.at(i, j), y);
                            }
                        }
                        upsample_transpose(&axes, &window, x, [w, c, channel], work);
                    });
                }
            }
        });
    };
    if is_large(cost) {
        x.par_chunks_mut(h * w * c).enumerate().for_each(image);
    } else {
        x.chunks_mut(h * w * c).enumerate().for_each(image);
    }
}

/// Rows or columns of a tile: parts of about equal size.
fn part(size: usize) -> usize {
    size.div_ceil(size.div_ceil(TILE).max(1)).max(1)
}

fn tiles(height: usize, width: usize) -> impl Iterator<Item = (usize, usize)> {
    let columns = move || (0..width).step_by(part(width));
    (0..height).step_by(part(height)).flat_map(move |top| columns().map(move |left| (top, left)))
}

/// A part of y.
struct Tile {
    first: [usize; 2],
    size: [usize; 2],
}

/// Calls `f(i, j, pixel)` for the pixels of a tile within rows of y from row `first` on.
#[inline(always)]
fn each_row(
    y: &mut [f32],
    tile: &Tile,
    ow: usize,
    c: usize,
    first: usize,
    mut f: impl FnMut(usize, usize, &mut [f32]),
) {
    let ([_, left], [height, width]) = (tile.first, tile.size);
    for row in 0..height {
        let y = &mut y[(row * ow + left) * c..][..width * c];
        for (j, y) in y.chunks_exact_mut(c).enumerate() {
            f(first + row, left + j, y);
        }
    }
}

/// From pixels of y to samples of the upsampled image.
struct Map([f32; 6]);

impl Map {
    fn new(p: &Affine, m: &[f32]) -> Self {
        let centre = (p.taps.len() as f32 - 1.0) / 2.0;
        let mut map = [0.0; 6];
        for (to, from) in map.iter_mut().zip(m) {
            *to = from * p.up as f32;
        }
        map[2] += centre;
        map[5] += centre;
        Self(map)
    }

    #[inline(always)]
    fn at(&self, i: usize, j: usize) -> [f32; 2] {
        let [a, b, c, d, e, f] = self.0;
        let (i, j) = (i as f32, j as f32);
        [b * j + (a * i + c), e * j + (d * i + f)]
    }
}

/// The samples of one axis of the upsampled image: sample t is the sum of the pixels `t / up − k` with the taps of its phase, `t % up`.
struct Axis {
    up: isize,
    /// Of each phase, from k = 0 on; as many for all.
    phases: Vec<Vec<f32>>,
    size: isize,
    reflect: bool,
}

impl Affine<'_> {
    fn axes(&self) -> [Axis; 2] {
        let count = self.taps.len().div_ceil(self.up);
        let tap = |phase: usize, k: usize| self.taps.get(phase + k * self.up).copied().unwrap_or(0.0);
        let phases = || (0..self.up).map(|phase| (0..count).map(|k| tap(phase, k)).collect()).collect();
        [self.shape[1], self.shape[2]].map(|size| Axis {
            up: self.up as isize,
            phases: phases(),
            size: size as isize,
            reflect: self.reflect,
        })
    }
}

impl Axis {
    /// First and last pixel of the image with its reflections.
    fn ends(&self) -> (isize, isize) {
        let reach = if self.reflect { self.size - 1 } else { 0 };
        (-reach, self.size - 1 + reach)
    }

    /// First and last sample that is not zero for lack of pixels.
    fn samples(&self) -> (isize, isize) {
        let (first, last) = self.ends();
        let taps = (self.phases[0].len() as isize) * self.up;
        (first * self.up, last * self.up + taps - 1)
    }

    /// The pixel of x at a place of the reflected image.
    fn pixel(&self, at: isize) -> Option<usize> {
        let (first, last) = self.ends();
        if at < first || at > last {
            return None;
        }
        let from_first = at.abs();
        let folded = if from_first < self.size { from_first } else { 2 * (self.size - 1) - from_first };
        Some(folded as usize)
    }
}

/// The samples that a tile looks up, with a zero beyond each end of the image.
struct Window {
    first: [isize; 2],
    size: [usize; 2],
}

impl Window {
    /// Nothing if the tile sees only zeros.
    fn of(axes: &[Axis; 2], map: &Map, tile: &Tile) -> Option<Self> {
        let mut window = Self { first: [0; 2], size: [0; 2] };
        let ends = |axis: usize| [tile.first[axis], tile.first[axis] + tile.size[axis] - 1];
        for axis in 0..2 {
            let [mut low, mut high] = [f32::INFINITY, f32::NEG_INFINITY];
            for i in ends(0) {
                for j in ends(1) {
                    let at = map.at(i, j)[axis];
                    if !at.is_finite() {
                        return None;
                    }
                    (low, high) = (low.min(at), high.max(at));
                }
            }
            let (first, last) = axes[axis].samples();
            // Inner pixels may be rounded a little beyond the corners.
            let first = (low.floor() as isize).saturating_sub(1).max(first - 1);
            let last = (high.floor() as isize).saturating_add(2).min(last + 1);
            if last <= first {
                return None;
            }
            window.first[axis] = first;
            window.size[axis] = (last - first + 1) as usize;
        }
        Some(window)
    }

    fn len(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// The upper left of the four samples around a place, and the weights of the lower and the right ones.
    #[inline(always)]
    fn corner(&self, [r, s]: [f32; 2]) -> Option<(usize, f32, f32)> {
        let (top, left) = (r.floor(), s.floor());
        let (row, column) = (top as isize - self.first[0], left as isize - self.first[1]);
        if row < 0 || column < 0 || row + 1 >= self.size[0] as isize || column + 1 >= self.size[1] as isize {
            return None;
        }
        Some((row as usize * self.size[1] + column as usize, r - top, s - left))
    }
}

#[inline(always)]
fn look_up(window: &Window, large: &[Pixel], at: [f32; 2]) -> Pixel {
    let Some((first, down, right)) = window.corner(at) else { return [0.0; LANES] };
    let (upper, lower) = (&large[first..first + 2], &large[first + window.size[1]..][..2]);
    let mut value = [0.0; LANES];
    for c in 0..LANES {
        let top = upper[0][c] * (1.0 - right) + upper[1][c] * right;
        let bottom = lower[0][c] * (1.0 - right) + lower[1][c] * right;
        value[c] = top * (1.0 - down) + bottom * down;
    }
    value
}

#[inline(always)]
fn spread(window: &Window, large: &mut [Pixel], at: [f32; 2], y: &[f32]) {
    let Some((first, down, right)) = window.corner(at) else { return };
    let mut value = [0.0; LANES];
    value[..y.len()].copy_from_slice(y);
    for (row, part) in [(first, 1.0 - down), (first + window.size[1], down)] {
        let samples = &mut large[row..row + 2];
        for c in 0..LANES {
            samples[0][c] += value[c] * part * (1.0 - right);
            samples[1][c] += value[c] * part * right;
        }
    }
}

/// Memory that a thread keeps.
#[derive(Default)]
struct Work {
    /// The window's samples.
    large: Vec<Pixel>,
    /// Rows of x, each upsampled along its width.
    wide: Vec<Pixel>,
    /// Where the upsampled row of each row of x is in `wide`, plus one.
    places: Vec<usize>,
    /// One row of x with its reflections.
    line: Vec<Pixel>,
}

fn with_work(f: impl FnOnce(&mut Work)) {
    thread_local! {
        static WORK: RefCell<Work> = RefCell::default();
    }
    WORK.with_borrow_mut(f);
}

impl Window {
    /// The pixels of the reflected image that samples of the window's columns are sums of: the first, and how many.
    fn line(&self, axis: &Axis) -> (isize, usize) {
        let count = axis.phases[0].len() as isize;
        let first = self.first[1].div_euclid(axis.up) - (count - 1);
        let last = (self.first[1] + self.size[1] as isize - 1).div_euclid(axis.up);
        (first, (last - first + 1) as usize)
    }

    /// The rows of x that sample row `at` of the window is a sum of, with their taps.
    fn rows<'a>(&self, axis: &'a Axis, at: usize) -> impl Iterator<Item = (usize, f32)> + 'a {
        let t = self.first[0] + at as isize;
        let (pixel, phase) = (t.div_euclid(axis.up), t.rem_euclid(axis.up) as usize);
        let taps = axis.phases[phase].iter().enumerate();
        taps.filter_map(move |(k, &tap)| axis.pixel(pixel - k as isize).map(|row| (row, tap)))
    }
}

/// The window of the upsampled image, into `work.large`. `[w, c, channel]`: width and channels of x, and the first channel.
#[inline(always)]
fn upsample(
    [vertical, horizontal]: &[Axis; 2],
    window: &Window,
    x: &[f32],
    [w, c, channel]: [usize; 3],
    work: &mut Work,
) {
    let width = window.size[1];
    let lanes = LANES.min(c - channel);
    let (first, count) = window.line(horizontal);
    work.places.clear();
    work.places.resize(vertical.size as usize, 0);
    work.wide.clear();
    work.large.clear();
    work.large.resize(window.len(), [0.0; LANES]);
    work.line.clear();
    work.line.resize(count, [0.0; LANES]);
    for at in 0..window.size[0] {
        for (row, tap) in window.rows(vertical, at) {
            if work.places[row] == 0 {
                for (k, pixel) in work.line.iter_mut().enumerate() {
                    if let Some(column) = horizontal.pixel(first + k as isize) {
                        let x = &x[(row * w + column) * c + channel..][..lanes];
                        pixel[..lanes].copy_from_slice(x);
                    }
                }
                widen(horizontal, window, &work.line, &mut work.wide);
                work.places[row] = work.wide.len() / width;
            }
            let from = &work.wide[(work.places[row] - 1) * width..][..width];
            let to = &mut work.large[at * width..][..width];
            for (to, from) in to.as_flattened_mut().iter_mut().zip(from.as_flattened()) {
                *to += tap * from;
            }
        }
    }
}

/// Appends one row, upsampled along its width.
#[inline(always)]
fn widen(axis: &Axis, window: &Window, line: &[Pixel], wide: &mut Vec<Pixel>) {
    let (first, _) = window.line(axis);
    for j in 0..window.size[1] {
        let t = window.first[1] + j as isize;
        let (pixel, phase) = (t.div_euclid(axis.up), t.rem_euclid(axis.up) as usize);
        let taps = &axis.phases[phase];
        let from = &line[(pixel - first) as usize + 1 - taps.len()..][..taps.len()];
        let mut sum = [0.0; LANES];
        for (tap, from) in taps.iter().rev().zip(from) {
            for c in 0..LANES {
                sum[c] += tap * from[c];
            }
        }
        wide.push(sum);
    }
}

/// The adjoint of [`upsample`]: adds the window, from `work.large`, to x.
#[inline(always)]
fn upsample_transpose(
    [vertical, horizontal]: &[Axis; 2],
    window: &Window,
    x: &mut [f32],
    [w, c, channel]: [usize; 3],
    work: &mut Work,
) {
    let width = window.size[1];
    let lanes = LANES.min(c - channel);
    let (first, count) = window.line(horizontal);
    work.places.clear();
    work.places.resize(vertical.size as usize, 0);
    work.wide.clear();
    for at in 0..window.size[0] {
        for (row, tap) in window.rows(vertical, at) {
            if work.places[row] == 0 {
                work.wide.resize(work.wide.len() + width, [0.0; LANES]);
                work.places[row] = work.wide.len() / width;
            }
            let to = &mut work.wide[(work.places[row] - 1) * width..][..width];
            let from = &work.large[at * width..][..width];
            for (to, from) in to.as_flattened_mut().iter_mut().zip(from.as_flattened()) {
                *to += tap * from;
            }
        }
    }
    for (row, &place) in work.places.iter().enumerate().filter(|(_, place)| **place > 0) {
        work.line.clear();
        work.line.resize(count, [0.0; LANES]);
        narrow(horizontal, window, &work.wide[(place - 1) * width..][..width], &mut work.line);
        for (k, pixel) in work.line.iter().enumerate() {
            if let Some(column) = horizontal.pixel(first + k as isize) {
                let x = &mut x[(row * w + column) * c + channel..][..lanes];
                x.iter_mut().zip(pixel).for_each(|(x, value)| *x += value);
            }
        }
    }
}

/// The adjoint of [`widen`].
#[inline(always)]
fn narrow(axis: &Axis, window: &Window, wide: &[Pixel], line: &mut [Pixel]) {
    let (first, _) = window.line(axis);
    for (j, wide) in wide.iter().enumerate() {
        let t = window.first[1] + j as isize;
        let (pixel, phase) = (t.div_euclid(axis.up), t.rem_euclid(axis.up) as usize);
        let taps = &axis.phases[phase];
        let to = &mut line[(pixel - first) as usize + 1 - taps.len()..][..taps.len()];
        for (tap, to) in taps.iter().rev().zip(to) {
            for c in 0..LANES {
                to[c] += tap * wide[c];
            }
        }
    }
}
