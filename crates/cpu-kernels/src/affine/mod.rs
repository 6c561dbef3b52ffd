//! Images looked up through affine maps, and the adjoint. An image is upsampled by the taps in tiles of the part that is looked up,
//! four channels at a time, and looked up bilinearly there.

mod upsample;
mod window;

use rayon::prelude::*;

use crate::parallel::{is_large, simd};
use upsample::{upsample, upsample_transpose, with_work};
use window::{Axis, LANES, Pixel, Window};

/// Rows and columns of the larger image's tiles, at most: what they need of the upsampled image stays in the second-level cache.
const TILE: usize = 96;

/// Pixels between two that are spread one after the other.
const APART: usize = 4;

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
                    tile.rows(y, ow, c).for_each(|(_, y)| y.fill(0.0));
                    continue;
                };
                let map = map.within(&window);
                for channel in (0..c).step_by(LANES) {
                    let lanes = LANES.min(c - channel);
                    simd!(|| {
                        upsample(&axes, &window, x, [w, c, channel], work);
                        for (i, y) in tile.rows(y, ow, c) {
                            for (j, y) in y.chunks_exact_mut(c).enumerate() {
                                let value = look_up(&window, &work.large, map.at(i, left + j));
                                y[channel..][..lanes].copy_from_slice(&value[..lanes]);
                            }
                        }
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
                let map = map.within(&window);
                for channel in (0..c).step_by(LANES) {
                    simd!(|| {
                        work.large.clear();
                        work.large.resize(window.len(), [0.0; LANES]);
                        for i in top..top + tile.size[0] {
                            // Neighbours write to the same samples: a core waits for what it has just written in another width.
                            for start in 0..APART.min(tile.size[1]) {
                                for j in (left + start..left + tile.size[1]).step_by(APART) {
                                    let y = &y[(i * ow + j) * c + channel..][..LANES.min(c - channel)];
                                    spread(&window, &mut work.large, map.at(i, j), y);
                                }
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

impl Tile {
    /// Its rows by their number in y, of which `y` holds the band that the tile lies in.
    fn rows<'y>(
        &self,
        y: &'y mut [f32],
        ow: usize,
        c: usize,
    ) -> impl Iterator<Item = (usize, &'y mut [f32])> + use<'y> {
        let ([first, left], [_, width]) = (self.first, self.size);
        y.chunks_exact_mut(ow * c).enumerate().map(move |(row, y)| (first + row, &mut y[left * c..][..width * c]))
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

    /// To samples of a window.
    fn within(&self, window: &Window) -> Self {
        let [a, b, c, d, e, f] = self.0;
        Self([a, b, c - window.first[0] as f32, d, e, f - window.first[1] as f32])
    }

    #[inline(always)]
    fn at(&self, i: usize, j: usize) -> [f32; 2] {
        let [a, b, c, d, e, f] = self.0;
        let (i, j) = (i as f32, j as f32);
        [b * j + (a * i + c), e * j + (d * i + f)]
    }
}

impl Affine<'_> {
    fn axes(&self) -> [Axis; 2] {
        let count = self.taps.len().div_ceil(self.up);
        let tap = |phase: usize, k: usize| self.taps.get(phase + k * self.up).copied().unwrap_or(0.0);
        let phases = || (0..self.up).map(|phase| (0..count).rev().map(|k| tap(phase, k)).collect()).collect();
        [self.shape[1], self.shape[2]].map(|size| Axis {
            up: self.up as isize,
            count,
            phases: phases(),
            size: size as isize,
            reflect: self.reflect,
        })
    }
}

impl Window {
    /// Nothing if the tile sees only zeros.
    fn of(axes: &[Axis; 2], map: &Map, tile: &Tile) -> Option<Self> {
        let mut window = Self { first: [0; 2], size: [0; 2] };
        let ends = |axis: usize| [tile.first[axis], tile.first[axis] + tile.size[axis] - 1];
        for (at, axis) in axes.iter().enumerate() {
            let [mut low, mut high] = [f32::INFINITY, f32::NEG_INFINITY];
            for i in ends(0) {
                for j in ends(1) {
                    let place = map.at(i, j)[at];
                    if !place.is_finite() {
                        return None;
                    }
                    (low, high) = (low.min(place), high.max(place));
                }
            }
            let (first, last) = axis.ends();
            // Inner places may be rounded a little beyond the corners.
            let low = ((low.floor() as isize).saturating_sub(1).div_euclid(axis.up)).max(first - 1);
            let high = ((high.floor() as isize).saturating_add(2).div_euclid(axis.up)).min(last + axis.count as isize);
            if high < low {
                return None;
            }
            window.first[at] = low * axis.up;
            window.size[at] = ((high - low + 1) * axis.up) as usize;
        }
        Some(window)
    }
}

#[inline(always)]
fn look_up(window: &Window, large: &[Pixel], at: [f32; 2]) -> Pixel {
    let Some((first, down, right)) = window.corner(at) else { return [0.0; LANES] };
    let (upper, lower) = (&large[first..first + 2], &large[first + window.size[1]..][..2]);
    let (upper, lower) = ([upper[0], upper[1]], [lower[0], lower[1]]);
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
    for (value, y) in value.iter_mut().zip(y) {
        *value = *y;
    }
    for (row, part) in [(first, 1.0 - down), (first + window.size[1], down)] {
        let samples = &mut large[row..row + 2];
        let [mut left, mut beside] = [samples[0], samples[1]];
        for c in 0..LANES {
            left[c] += value[c] * (part * (1.0 - right));
            beside[c] += value[c] * (part * right);
        }
        (samples[0], samples[1]) = (left, beside);
    }
}
