//! The sliced Wasserstein distance of two sets of images.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use crate::Result;
use crate::descriptors::Descriptors;
use crate::error::argument;
use crate::random::Random;

/// Random directions: 4 times 128, as the Progressive GAN code has them; all are averaged.
const DIRECTIONS: usize = 512;
/// Directions at a time: memory is 2 × 16 floats a descriptor.
const SLICE: usize = 16;
/// Descriptors that one task projects.
const CHUNK: usize = 4096;
/// Streams of directions come after those of places.
const STREAM: u64 = 2 << 32;

/// The sliced Wasserstein distance at each level of the pyramid, largest first (Progressive GAN, Section 5; Rabin et al.
/// 2011): descriptors are brought to mean 0 and deviation 1 in each channel of each set, projected on random directions of
/// length 1, sorted, and compared in order; the mean of the absolute differences.
///
/// # Errors
///
/// Sets that differ in size of images or number; no images; a level where a channel of a set is constant.
pub fn sliced_wasserstein(reals: &Descriptors, fakes: &Descriptors, random: Random) -> Result<Vec<f64>> {
    let (m, n) = (reals.count(), fakes.count());
    if m != n || m == 0 {
        return argument(format!(
            "sliced Wasserstein distance: as many reals as fakes are expected, at least 1, got {m} and {n}"
        ));
    }
    if reals.sides() != fakes.sides() || reals.width() != fakes.width() {
        let (a, b) = (reals.sides()[0], fakes.sides()[0]);
        return argument(format!(
            "sliced Wasserstein distance: images of one size and number of channels are expected, got sides {a} and {b}, \
             descriptors of {} and {} values",
            reals.width(),
            fakes.width()
        ));
    }
    (0..reals.sides().len()).map(|level| level_distance(reals, fakes, level, random)).collect()
}

fn level_distance(reals: &Descriptors, fakes: &Descriptors, level: usize, random: Random) -> Result<f64> {
    let sets = [Normalised::new("reals", reals, level)?, Normalised::new("fakes", fakes, level)?];
    let width = reals.width();
    let mut total = 0.0;
    for first in (0..DIRECTIONS).step_by(SLICE) {
        let directions: Vec<f32> = (first..first + SLICE).flat_map(|i| direction(level, i, width, random)).collect();
        let [real, fake] = [&sets[0], &sets[1]].map(|set| set.project(&directions));
        let distances: Vec<f64> = (0..SLICE)
            .into_par_iter()
            .map(|i| {
                let (a, b) = (sorted(&real, i), sorted(&fake, i));
                a.iter().zip(&b).map(|(a, b)| f64::from((a - b).abs())).sum::<f64>() / a.len() as f64
            })
            .collect();
        total += distances.iter().sum::<f64>();
    }
    Ok(total / DIRECTIONS as f64)
}

/// A random direction of length 1.
fn direction(level: usize, i: usize, width: usize, random: Random) -> Vec<f32> {
    let stream = STREAM | level as u64;
    let values: Vec<f64> = (0..width).map(|j| random.normal(stream, (i * width + j) as u64)).collect();
    let length = values.iter().map(|value| value * value).sum::<f64>().sqrt();
    values.iter().map(|value| (value / length) as f32).collect()
}

/// A level's descriptors, each channel of mean 0 and deviation 1.
struct Normalised<'a> {
    descriptors: &'a Descriptors,
    level: usize,
    /// Mean and 1 / deviation of each channel.
    moments: Vec<(f32, f32)>,
}

impl<'a> Normalised<'a> {
    fn new(set: &str, descriptors: &'a Descriptors, level: usize) -> Result<Self> {
        let moments = descriptors.moments(level);
        if let Some(channel) = moments.iter().position(|&(_, deviation)| deviation == 0.0) {
            let side = descriptors.sides()[level];
            return argument(format!(
                "sliced Wasserstein distance: channel {channel} of the {set} is constant at {side} x {side}; \
                 it cannot be brought to deviation 1"
            ));
        }
        let moments = moments.iter().map(|&(mean, deviation)| (mean as f32, (1.0 / deviation) as f32)).collect();
        Ok(Self { descriptors, level, moments })
    }

    /// Projections: for each chunk of descriptors, for each direction, a value for each descriptor.
    fn project(&self, directions: &[f32]) -> Vec<Vec<f32>> {
        let (count, width) = (self.descriptors.count_of_descriptors(), self.descriptors.width());
        let chunk = |first: usize| {
            let rows = CHUNK.min(count - first);
            let mut values = Vec::with_capacity(rows * width);
            (first..first + rows).for_each(|i| self.descriptors.read(self.level, i, &mut values));
            for pixel in values.chunks_exact_mut(self.moments.len()) {
                pixel.iter_mut().zip(&self.moments).for_each(|(value, (mean, scale))| *value = (*value - mean) * scale);
            }
            let mut out = vec![0.0; rows * SLICE];
            matmul(
                MatMut::from_column_major_slice_mut(&mut out, rows, SLICE),
                Accum::Replace,
                MatRef::from_row_major_slice(&values, rows, width),
                MatRef::from_column_major_slice(directions, width, SLICE),
                1.0,
                Par::Seq,
            );
            out
        };
        (0..count.div_ceil(CHUNK)).into_par_iter().map(|i| chunk(i * CHUNK)).collect()
    }
}

/// All projections on direction `i`, ascending.
fn sorted(projections: &[Vec<f32>], i: usize) -> Vec<f32> {
    let slices = projections.iter().map(|chunk| {
        let rows = chunk.len() / SLICE;
        &chunk[i * rows..][..rows]
    });
    let mut values: Vec<f32> = slices.flatten().copied().collect();
    radsort::sort(&mut values);
    values
}
