//! How work is spread: over vector lanes by the compiler, over threads in pieces that depend on shapes alone.

use rayon::prelude::*;

/// Elements of one task: large enough that handing it out (about a microsecond) costs little, small enough for 16
/// cores and for the second-level cache.
pub(crate) const BLOCK: usize = 16 * 1024;

/// Runs a closure compiled for the best instruction set of this machine. Its loops use plain multiplications and
/// additions, which no compiler contracts, so that their results do not depend on the set.
macro_rules! simd {
    ($($work:tt)+) => {
        $crate::isa::arch().dispatch($crate::parallel::Inlined(
            #[inline(always)]
            $($work)+
        ))
    };
}
pub(crate) use simd;

/// A closure that becomes part of the function for each instruction set. Called in another way, its body may be one
/// function for all of them, compiled for the oldest.
pub(crate) struct Inlined<F>(pub F);

impl<R, F: FnMut() -> R> pulp::WithSimd for Inlined<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: pulp::Simd>(mut self, _: S) -> R {
        (self.0)()
    }
}

/// Channels that are computed together: what is the same for all pixels stays in registers.
pub(crate) const LANES: usize = 16;

/// For channels `c..c + W` at a time, W being [`LANES`] or 1, of so many. A macro and no closure, as the body may use SIMD.
macro_rules! by_channels {
    ($channels:expr, $c:ident, $W:ident => $work:expr) => {{
        let (channels, mut $c) = ($channels, 0);
        while $c + $crate::parallel::LANES <= channels {
            const $W: usize = $crate::parallel::LANES;
            $work;
            $c += $W;
        }
        while $c < channels {
            const $W: usize = 1;
            $work;
            $c += $W;
        }
    }};
}
pub(crate) use by_channels;

/// W elements of x.
#[inline(always)]
pub(crate) fn some<const W: usize>(x: &[f32], at: usize) -> [f32; W] {
    *x[at..].first_chunk().expect("the elements lie inside")
}

/// Whether `cost` elements are worth more than one thread.
pub fn is_large(cost: usize) -> bool {
    cost > 2 * BLOCK
}

/// Calls `work(start, piece)` for each piece of `size` elements of y, which begins at `start`; on the calling thread
/// if all of them together touch few elements (`cost`).
pub(crate) fn pieces<T: Send>(y: &mut [T], size: usize, cost: usize, work: impl Fn(usize, &mut [T]) + Sync) {
    let size = size.max(1);
    if is_large(cost) {
        let pieces = y.par_chunks_mut(size).enumerate();
        pieces.for_each(|(i, piece)| work(i * size, piece));
    } else {
        let pieces = y.chunks_mut(size).enumerate();
        pieces.for_each(|(i, piece)| work(i * size, piece));
    }
}

/// `to = values`, or `to += values`: results of tasks, one after the other.
pub(crate) fn put(to: &mut [f32], values: &[f32], accumulate: bool) {
    if accumulate {
        to.iter_mut().zip(values).for_each(|(to, value)| *to += value);
    } else {
        to.copy_from_slice(values);
    }
}

/// A pointer that tasks share to write elements which no other task touches.
pub(crate) struct Shared<T>(pub *mut T);
// SAFETY: whoever writes through the pointer promises to write elements of its own.
unsafe impl<T: Send> Sync for Shared<T> {}
