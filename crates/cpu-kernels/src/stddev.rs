//! The minibatch standard deviation of the discriminator (Karras et al. 2017, section 3) and its adjoint.

use crate::parallel::{BLOCK, pieces, simd};

/// Added to variances (official networks_stylegan.py: `1e-8` of minibatch_stddev_layer).
const EPSILON: f32 = 1e-8;

/// Elements taken at a time.
const TILE: usize = 256;

/// Groups of the images m, m + count, m + 2·count ….
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Groups {
    /// Number of groups.
    pub count: usize,
    /// Images in a group.
    pub size: usize,
    /// H · W · C.
    pub image: usize,
}

impl Groups {
    /// Elements `at..at + W` of image `k` of group `m`.
    fn tile(self, x: &[f32], m: usize, k: usize, at: usize, len: usize) -> &[f32] {
        &x[(m + k * self.count) * self.image + at..][..len]
    }

    /// Mean, and √(σ² + ε), of elements `at..` within group m.
    #[inline(always)]
    fn moments(self, x: &[f32], m: usize, at: usize, len: usize) -> [[f32; TILE]; 2] {
        let [mut mean, mut deviation] = [[0.0; TILE]; 2];
        let scale = 1.0 / self.size as f32;
        for k in 0..self.size {
            let x = self.tile(x, m, k, at, len);
            mean.iter_mut().zip(x).for_each(|(mean, x)| *mean += x);
        }
        mean.iter_mut().for_each(|mean| *mean *= scale);
        for k in 0..self.size {
            let x = self.tile(x, m, k, at, len);
            for ((deviation, x), mean) in deviation.iter_mut().zip(x).zip(&mean) {
                *deviation += (x - mean) * (x - mean);
            }
        }
        deviation.iter_mut().for_each(|d| *d = (*d * scale + EPSILON).sqrt());
        [mean, deviation]
    }
}

/// `x [N, H, W, C] → s [M]`: the mean over H, W, C of `√(σ² + ε)`, σ² the biased variance within the group.
pub fn minibatch_stddev(groups: Groups, x: &[f32], s: &mut [f32]) {
    let block = (BLOCK / groups.size).next_multiple_of(TILE);
    let blocks = groups.image.div_ceil(block);
    let mut partials = vec![0.0; groups.count * blocks];
    pieces(&mut partials, 1, x.len(), |start, sum| {
        let (m, first) = (start / blocks, start % blocks * block);
        simd!(|| {
            for at in (first..(first + block).min(groups.image)).step_by(TILE) {
                let len = TILE.min(groups.image - at);
                let [_, deviation] = groups.moments(x, m, at, len);
                sum[0] += deviation[..len].iter().map(|&d| f64::from(d)).sum::<f64>();
            }
        });
    });
    for (m, s) in s.iter_mut().enumerate() {
        let sum: f64 = partials[m * blocks..][..blocks].iter().sum();
        *s = (sum / groups.image as f64) as f32;
    }
}

/// `g [M], x → dx`: `g · (x − μ) / (group · √(σ² + ε) · H·W·C)`.
pub fn minibatch_stddev_grad(groups: Groups, g: &[f32], x: &[f32], dx: &mut [f32]) {
    // Each image computes its group's moments again: cheaper than keeping them, for groups of a few images.
    let per_image = groups.image.div_ceil(TILE);
    let scale = 1.0 / (groups.size * groups.image) as f64;
    pieces(dx, groups.image, x.len(), |start, dx| {
        let m = start / groups.image % groups.count;
        let x_own = &x[start..][..groups.image];
        let factor = (f64::from(g[m]) * scale) as f32;
        simd!(|| {
            for tile in 0..per_image {
                let at = tile * TILE;
                let len = TILE.min(groups.image - at);
                let [mean, deviation] = groups.moments(x, m, at, len);
                let (dx, x) = (&mut dx[at..][..len], &x_own[at..][..len]);
                for i in 0..len {
                    dx[i] = factor * (x[i] - mean[i]) / deviation[i];
                }
            }
        });
    });
}
