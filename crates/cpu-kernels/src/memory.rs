//! Memory as the system gives it: not touched before a kernel writes to it.

use bytemuck::Zeroable;
use std::alloc::{Layout, alloc_zeroed};

/// `len` zeros, or `None` if there is no memory for them.
pub fn zeros<T: Zeroable>(len: usize) -> Option<Vec<T>> {
    let layout = Layout::array::<T>(len).ok()?;
    if layout.size() == 0 {
        return Some(Vec::new());
    }
    // SAFETY: the layout has a size.
    let elements = unsafe { alloc_zeroed(layout) };
    if elements.is_null() {
        return None;
    }
    // SAFETY: the global allocator gave this memory for `len` elements of T, for which zeros are a value.
    Some(unsafe { Vec::from_raw_parts(elements.cast(), len, len) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_blocks_are_zeros() {
        for len in [0, 1, 1 << 21] {
            let block: Vec<f32> = zeros(len).unwrap();
            assert_eq!(block.len(), len);
            assert!(block.iter().all(|x| *x == 0.0));
        }
    }

    #[test]
    fn more_than_there_is_gives_none() {
        assert!(zeros::<f32>(usize::MAX / 2).is_none());
        assert!(zeros::<f32>(usize::MAX / 16).is_none());
    }
}
