//! Memory that grows to the largest size asked for.

use crate::cache_line::{before_line, padded};
use crate::places::look;
use std::sync::{Mutex, PoisonError};

/// A buffer for each thread that may work on a convolution.
#[derive(Default)]
pub(super) struct Buffers(Vec<Mutex<Vec<f32>>>);

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

    /// Elements held.
    pub fn capacity(&self) -> usize {
        self.0.iter().map(|buffer| lock(buffer).capacity()).sum()
    }

    /// Calls `work` with this thread's buffer. `work` must not start parallel work: this thread could then be handed
    /// a task that asks for the same buffer.
    pub fn with<R>(&self, work: impl FnOnce(&mut [f32]) -> R) -> R {
        look();
        let thread = rayon::current_thread_index().unwrap_or(0) % self.0.len();
        let mut buffer = lock(&self.0[thread]);
        let first = before_line(&buffer);
        work(&mut buffer[first..])
    }
}

/// `len` elements of `buffer`, which begin with a cache line.
pub(crate) fn grow(buffer: &mut Vec<f32>, len: usize) -> &mut [f32] {
    if buffer.len() < padded::<f32>(len) {
        // The old one is given back first: nothing of it is needed.
        *buffer = Vec::new();
        *buffer = vec![0.0; padded::<f32>(len)];
    }
    let first = before_line(buffer);
    &mut buffer[first..first + len]
}

/// A panic elsewhere leaves numbers without meaning, which is what a buffer holds anyway.
fn lock(buffer: &Mutex<Vec<f32>>) -> std::sync::MutexGuard<'_, Vec<f32>> {
    buffer.lock().unwrap_or_else(PoisonError::into_inner)
}
