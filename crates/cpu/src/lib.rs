//! The device `cpu`. candle holds the memory: a block is a one-dimensional candle tensor, read through its storage and
//! written through an in-place op. `stylegan_cpu_kernels` does the work; none of candle's own mathematics runs.
#![deny(missing_docs)]

mod cpu;
mod families;
mod launch;
mod limit;
mod memory;

pub use cpu::Cpu;
pub use limit::default_limit;
pub use stylegan_cpu_kernels::bf16::{is_hidden as hides_bf16, is_supported as multiplies_bf16};
pub use stylegan_cpu_kernels::isa;

use stylegan_tensor::{DType, Stream};

/// Opens the device `cpu`, which computes in f32 and never holds more than `limit` bytes of tensors.
pub fn open(limit: usize) -> Stream<Cpu> {
    Stream::new("cpu", DType::F32, Cpu::default(), limit)
}

/// Threads that share a kernel's work.
pub fn threads() -> usize {
    rayon::current_num_threads()
}
