//! The device `cpu`. candle holds the memory: a block is a one-dimensional candle tensor, read through its storage and
//! written through an in-place op. `stylegan_cpu_kernels` does the work; none of candle's own mathematics runs.
#![deny(missing_docs)]

mod convert;
mod cpu;
mod families;
mod launch;
mod memory;

pub use cpu::Cpu;

use stylegan_tensor::{DType, Stream};

/// Opens the device `cpu`, which computes in f32 and never holds more than `limit` bytes of tensors.
pub fn open(limit: usize) -> Stream<Cpu> {
    Stream::new("cpu", DType::F32, Cpu::default(), limit)
}

/// The machine's memory in bytes, or no limit where it is not known.
pub fn default_limit() -> usize {
    let info = std::fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let total = info.lines().find_map(|line| line.strip_prefix("MemTotal:"));
    let kib = total.and_then(|total| total.trim().strip_suffix(" kB")?.parse::<usize>().ok());
    kib.map_or(usize::MAX, |kib| kib * 1024)
}

/// Threads that share a kernel's work.
pub fn threads() -> usize {
    rayon::current_num_threads()
}
