//! How the work of a pass is divided. A task has a band of tiles and all outputs; where the transformed weights are too many for the
//! caches it has a panel of outputs instead, so that they come from memory once for many tiles, and not once for each band of them.

use super::output::{Place, Tiles};
use super::{BAND, PANEL, Winograd};
use crate::conv::buffers::{Buffers, grow};
use crate::conv::pass::{Target, Tile};
use crate::normalize::Maps;
use crate::parallel::Shared;
use rayon::prelude::*;

/// Elements of transformed weights from which on this is faster: they are more than the second cache holds.
const MANY: usize = 1 << 20;
/// Elements that the transforms of the tiles of a chunk take, if a band does not take more. In tests they are few.
const TRANSFORMS: usize = if cfg!(test) { 1 << 12 } else { 1 << 19 };

impl Winograd {
    /// Computes one tile of a pass; `weights` are transformed. Rows of the tile begin at a multiple of four.
    pub fn run(&self, x: Maps, weights: &[f32], tile: Tile, to: &mut Target, buffer: &mut [f32]) {
        let places: Vec<_> = self.places(tile).collect();
        let depth = self.depth();
        let read = self.plane(places.len(), self.words(depth));
        let (tiles, results) = buffer.split_at_mut(self.planes() * read);
        let place = Shared(tiles.as_mut_ptr());
        for (index, &at) in places.iter().enumerate() {
            // SAFETY: `tiles` holds `planes` planes with a row for each of the places.
            unsafe { self.transform_input(x, at, 0..depth, &place, read, index, false) };
        }
        let tiles = Tiles { places: &places, values: tiles, plane: read, first: 0 };
        let len = to.data.len();
        let to = Place { data: &Shared(to.data.as_mut_ptr()), len, rows: to.rows, tile, accumulate: to.accumulate };
        for first in (0..self.pass.o).step_by(PANEL) {
            // SAFETY: the place is borrowed from `to`, of which nobody else has a part.
            unsafe { self.multiply(&tiles, weights, first, &to, results) };
        }
    }

    /// Whether the weights are so many.
    pub fn has_many_weights(&self) -> bool {
        self.weights_len() >= MANY
    }

    /// Computes the pass for `n` images of `height` rows; `weights` are transformed.
    #[allow(clippy::too_many_arguments, reason = "the operands of a convolution, and workspace")]
    pub fn run_by_panel(
        &self,
        x: Maps,
        weights: &[f32],
        out: &mut [f32],
        [n, height]: [usize; 2],
        accumulate: bool,
        tiles: &mut Vec<f32>,
        buffers: &mut Buffers,
    ) {
        let rows = height.saturating_sub(self.pass.first[0]).div_ceil(self.pass.step);
        let tile = Tile { image: 0, images: n, row: 0, rows };
        let places: Vec<_> = self.places(tile).collect();
        let words = self.words(self.depth());
        // Results have the same bits for every size of chunks, so that it may depend on the threads: two tasks for each at least.
        let panels = self.pass.o.div_ceil(PANEL);
        let bands = (2 * rayon::current_num_threads()).div_ceil(panels);
        let most = (TRANSFORMS / (self.planes() * words)).max(bands * BAND).next_multiple_of(BAND).min(places.len());
        let transforms = grow(tiles, self.planes() * self.plane(most, words));
        buffers.reserve(self.planes() * self.plane(BAND, PANEL));
        let buffers = &*buffers;
        let to = Place { data: &Shared(out.as_mut_ptr()), len: out.len(), rows: height, tile, accumulate };
        for places in places.chunks(most.max(1)) {
            let plane = self.plane(places.len(), words);
            let place = Shared(transforms.as_mut_ptr());
            places.par_iter().enumerate().with_min_len(2).for_each(|(index, &at)| {
                // SAFETY: `transforms` holds `planes` planes with a row for each of `most` places.
                unsafe { self.transform_input(x, at, 0..self.depth(), &place, plane, index, false) };
            });
            let bands = places.len().div_ceil(BAND);
            let values = &*transforms;
            (0..panels * bands).into_par_iter().with_max_len(1).for_each(|task| {
                let first = task % bands * BAND;
                let tiles = Tiles { places: &places[first..places.len().min(first + BAND)], values, plane, first };
                // SAFETY: each task has tiles and channels of its own.
                buffers.with(|results| unsafe { self.multiply(&tiles, weights, task / bands * PANEL, &to, results) });
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bf16::is_supported;
    use crate::conv::geometry::Conv;
    use stylegan_tensor::Algorithm;

    fn numbers(len: usize, seed: usize) -> Vec<f32> {
        (0..len).map(|at| ((at * 7919 + seed) % 1999) as f32 / 1000.0 - 1.0).collect()
    }

    #[test]
    fn panels_have_the_bits_of_bands_on_every_number_of_threads() {
        for (k, stride, n, h, w, c, o) in [(3, 1, 2, 30, 21, 20, 100), (4, 2, 3, 22, 34, 5, 64), (3, 1, 1, 3, 5, 3, 70)]
        {
            let (oh, ow) = ((h + 2 - k) / stride + 1, (w + 2 - k) / stride + 1);
            let g = Conv { n, h, w, c, kh: k, kw: k, o, oh, ow, stride, padding: [1; 4] };
            // The convolution, and the phases of its adjoint.
            let forward = (g.pass(), n * h * w * c, n * oh * ow * o, oh);
            let phases = g.phases().0.into_iter().map(|pass| (pass, n * oh * ow * o, n * h * w * c, h));
            let both = [Algorithm::Winograd, Algorithm::Bf16].into_iter();
            let algorithms = both.filter(|&it| it == Algorithm::Winograd || (is_supported() && (c | o) % 2 == 0));
            let passes: Vec<_> = [forward].into_iter().chain(phases).collect();
            for (algorithm, (pass, from, to, height)) in
                algorithms.flat_map(|it| passes.iter().map(move |&pass| (it, pass)))
            {
                let winograd = Winograd::new(&pass, algorithm).expect("it has this form");
                let (x, raw) = (numbers(from, 1), numbers(k * k * c * o / pass.step.pow(2), 2));
                let mut weights = vec![0.0; winograd.weights_len()];
                winograd.transform_weights(&raw, &mut weights);
                for accumulate in [false, true] {
                    let start = numbers(to, 3);
                    let mut expected = start.clone();
                    let rows = (height - pass.first[0]).div_ceil(pass.step);
                    let tile = Tile { image: 0, images: n, row: 0, rows };
                    let tiles = winograd.places(tile).count();
                    let mut to = Target { data: &mut expected, rows: height, accumulate };
                    winograd.run(x[..].into(), &weights, tile, &mut to, &mut vec![0.0; winograd.workspace(tiles)]);
                    for threads in [1, 2, 3] {
                        let mut found = start.clone();
                        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool starts");
                        pool.install(|| {
                            let (mut tiles, mut buffers) = (Vec::new(), Buffers::default());
                            let size = [n, height];
                            winograd.run_by_panel(
                                x[..].into(),
                                &weights,
                                &mut found,
                                size,
                                accumulate,
                                &mut tiles,
                                &mut buffers,
                            );
                        });
                        let is_same = found.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits());
                        assert!(is_same, "{algorithm:?} {pass:?} on {threads} threads, accumulate {accumulate}");
                    }
                }
            }
        }
    }
}
