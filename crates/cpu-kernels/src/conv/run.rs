//! One tile of a pass by each algorithm.

use super::direct;
use super::pass::{Pass, Target, Tile};
use super::winograd::{SIDE, Winograd};
use crate::matmul::{product, unpacked_product};
use crate::matrix::Matrix;
use crate::normalize::Maps;
use stylegan_tensor::Algorithm;

impl Pass {
    /// Elements of workspace that a tile needs.
    pub fn workspace(&self, algorithm: Algorithm, images: usize, rows: usize) -> usize {
        match algorithm {
            Algorithm::Im2col => images * rows * self.ow * (self.depth() + self.o),
            Algorithm::Shifted => self.gathered(rows) + rows * self.wide() * self.o,
            Algorithm::Direct => self.depth() * self.o,
            Algorithm::Winograd | Algorithm::Bf16 => Winograd::new(self, algorithm)
                .map_or(0, |winograd| winograd.workspace(images * rows.div_ceil(SIDE) * winograd.wide())),
        }
    }

    /// Computes one tile. `weights` are this pass's, `[kh, kw, c, o]`; `buffer` holds at least `workspace` elements.
    pub fn run(&self, algorithm: Algorithm, x: Maps, weights: &[f32], tile: Tile, to: &mut Target, buffer: &mut [f32]) {
        if tile.rows == 0 || self.ow == 0 {
            return;
        }
        assert!(
            x.normal.is_none() || matches!(algorithm, Algorithm::Winograd | Algorithm::Bf16),
            "others read numbers as they are"
        );
        match algorithm {
            Algorithm::Im2col => self.im2col(x.x, weights, tile, to, buffer),
            Algorithm::Shifted => self.shifted(x.x, weights, tile, to, buffer),
            Algorithm::Direct => direct::run(self, x.x, weights, tile, to, buffer),
            Algorithm::Winograd | Algorithm::Bf16 => {
                let winograd = Winograd::new(self, algorithm).expect("`Conv::fits_winograd` has looked at the kernel");
                winograd.run(x, weights, tile, to, buffer);
            }
        }
    }

    fn im2col(&self, x: &[f32], weights: &[f32], tile: Tile, to: &mut Target, buffer: &mut [f32]) {
        let [k, o] = [self.depth(), self.o];
        let pixels = tile.images * tile.rows * self.ow;
        let (windows, results) = buffer.split_at_mut(pixels * k);
        if k > 0 {
            self.gather_windows(x, tile, windows);
        }
        let [a, b] = [Matrix::rows(windows, k), Matrix::rows(weights, o)];
        if self.step == 1 {
            product([pixels, k, o], a, b, to.data, o, to.accumulate);
            return;
        }
        product([pixels, k, o], a, b, results, o, false);
        for image in 0..tile.images {
            self.write(&results[image * tile.rows * self.ow * o..], self.ow, image, tile.rows, to);
        }
    }

    fn shifted(&self, x: &[f32], weights: &[f32], tile: Tile, to: &mut Target, buffer: &mut [f32]) {
        let (wide, length, o) = (self.wide(), self.kw * self.c, self.o);
        let (padded, results) = buffer.split_at_mut(self.gathered(tile.rows));
        let results = &mut results[..tile.rows * wide * o];
        for image in 0..tile.images {
            let x = &x[(tile.image + image) * self.image()..][..self.image()];
            if length * self.kh == 0 {
                results.fill(0.0);
            } else {
                self.gather_rows(x, tile.row, tile.rows, padded);
            }
            for u in 0..if length == 0 { 0 } else { self.kh } {
                let a = Matrix::rows(&padded[self.term(u, tile.rows)..], self.stride * self.c);
                let b = Matrix::rows(&weights[u * length * o..], o);
                unpacked_product([tile.rows * wide, length, o], a, b, results, o, u > 0);
            }
            self.write(results, wide, image, tile.rows, to);
        }
    }
}
