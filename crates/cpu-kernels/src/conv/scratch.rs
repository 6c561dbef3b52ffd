//! Workspace that grows to the largest convolution seen and is then reused: a steady step takes no memory.

use super::buffers::Buffers;
use super::weight_cache::WeightCache;

/// Workspace of the convolutions, kept by the caller between calls. Its content has no meaning.
#[derive(Default)]
pub struct Scratch {
    /// Rearranged weights.
    pub(super) weights: Vec<f32>,
    /// Weights in Winograd's form, or partial sums of a weight gradient.
    pub(super) large: Vec<f32>,
    /// Tiles in Winograd's form that all threads share.
    pub(super) tiles: Vec<f32>,
    /// Normalised maps of a layer.
    pub(crate) maps: Vec<f32>,
    /// Rows that a blur in place reads after they have changed.
    pub(crate) rows: Vec<f32>,
    /// What was made of weights that do not change.
    pub(super) cache: WeightCache,
    /// One buffer a thread.
    pub(super) buffers: Buffers,
}

impl Scratch {
    /// An empty workspace.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells that these weights do not change until [`Scratch::forget`]: what a convolution makes of them is cached. `None`
    /// for all others.
    pub fn freeze(&mut self, weights: Option<&[f32]>) {
        self.cache.freeze(weights);
    }

    /// Tells that this memory has other values now, or will be given back.
    pub fn forget(&mut self, memory: &[f32]) {
        self.cache.forget(memory);
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        let lists = [&self.weights, &self.large, &self.tiles, &self.maps, &self.rows];
        let shared: usize = lists.iter().map(|list| list.capacity()).sum();
        4 * (shared + self.buffers.capacity() + self.cache.len())
    }
}
