//! Memory that begins with a cache line: a register of 64 bytes is then in one line, where else it is in two.

use std::mem::size_of;

/// Bytes of a line.
const LINE: usize = 64;

/// Elements to ask for, so that `len` of them begin with a line.
pub fn padded<T>(len: usize) -> usize {
    len.saturating_add(LINE / size_of::<T>() - 1)
}

/// How many elements come before the first line.
pub fn before_line<T>(memory: &[T]) -> usize {
    memory.as_ptr().align_offset(LINE).min(memory.len())
}
