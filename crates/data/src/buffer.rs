//! Large buffers that a thread uses again: the system clears every page of a new one, which takes as long as resizing.

use std::cell::RefCell;

/// Larger ones are given back to the system.
const MOST_BYTES: usize = 16 << 20;

thread_local! {
    static KEPT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// A buffer of any bytes.
pub(crate) fn take(bytes: usize) -> Vec<u8> {
    let mut buffer = KEPT.take();
    if buffer.capacity() < bytes {
        return vec![0; bytes];
    }
    buffer.resize(bytes, 0);
    buffer
}

/// Keeps a buffer for the thread's next image.
pub(crate) fn give(buffer: Vec<u8>) {
    if buffer.capacity() <= MOST_BYTES {
        KEPT.set(buffer);
    }
}

/// Call it before many images: until a large block was freed once, glibc gives what an image took back to the system,
/// which then clears a hundred pages for the next image. Other allocators take no notice.
pub(crate) fn settle() {
    drop(std::hint::black_box(Vec::<u8>::with_capacity(MOST_BYTES)));
}
