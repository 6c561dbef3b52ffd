//! CPU kernels as pure functions over slices: plain loops compiled for the best instruction set of the machine at hand,
//! and spread over threads in blocks of a fixed size. Results have the same bits for every number of threads. Of
//! `stylegan-tensor` they take the enums and parameters of kernels; nothing here knows storages, devices, candle or Node.
#![deny(missing_docs)]

pub mod adam;
pub mod affine;
pub mod bf16;
pub mod cache_line;
pub mod conv;
pub mod elementwise;
mod epilogue;
pub mod isa;
pub mod layer;
pub mod matmul;
mod matrix;
pub mod movement;
pub mod normalize;
mod panel;
mod parallel;
pub mod places;
pub mod random;
pub mod reduce;
pub mod resample;
pub mod stddev;
mod thin;

pub use parallel::is_large;
