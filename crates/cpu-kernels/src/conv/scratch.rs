//! Workspace that grows to the largest convolution seen and is then reused: a steady step takes no memory.

use super::weight_cache::WeightCache;
use std::sync::{Mutex, PoisonError};

/// Workspace of the convolutions, kept by the caller between calls. Its content has no meaning.
#[derive(Default)]
pub struct Scratch {
    /// Rearranged weights.
    pub(super) weights: Vec<f32>,
    /// Weights in Winograd's form, or partial sums of a weight gradient.
    pub(super) large: Vec<f32>,
    /// What was made of weights that do not change.
    pub(super) cache: WeightCache,
    /// One buffer a thread.
    pub(super) buffers: Buffers,
}

/// A buffer for each thread that may work on a convolution.
#[derive(Default)]
pub(super) struct Buffers(Vec<Mutex<Vec<f32>>>);

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
        let buffers: usize = self.buffers.0.iter().map(|buffer| lock(buffer).capacity()).sum();
        4 * (self.weights.capacity() + self.large.capacity() + buffers + self.cache.len())
    }
}

impl Buffers {
    /// Makes room for `len` elements a thread of the current pool.
    pub fn reserve(&mut self, len: usize) {
        let threads = rayon::current_num_threads();
        if self.0.len() < threads {
            self.0.resize_with(threads, Mutex::default);
        }
        for buffer in &self.0 {
            grow(&mut lock(buffer), len);
        }
    }

    /// Calls `work` with this thread's buffer. `work` must not start parallel work: this thread could then be handed
    /// a task that asks for the same buffer.
    pub fn with<R>(&self, work: impl FnOnce(&mut [f32]) -> R) -> R {
        let thread = rayon::current_thread_index().unwrap_or(0) % self.0.len();
        work(&mut lock(&self.0[thread]))
    }
}

/// At least `len` elements of `buffer`.
pub(super) fn grow(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < len {
        // The old one is given back first: nothing of it is needed.
        *buffer = Vec::new();
        *buffer = vec![0.0; len];
    }
    &mut buffer[..len]
}

/// A panic elsewhere leaves numbers without meaning, which is what a buffer holds anyway.
fn lock(buffer: &Mutex<Vec<f32>>) -> std::sync::MutexGuard<'_, Vec<f32>> {
    buffer.lock().unwrap_or_else(PoisonError::into_inner)
}
