//! What a tensor is made of and what a device must be able to do.
//!
//! A [`Storage`] is a range of a device buffer, a [`View`] a storage with a shape. Work is described by a
//! closed list of [`Kernel`]s; a [`Backend`] runs them in stream order. [`Reference`] gives every kernel
//! its meaning in plain f64 loops, and [`conformance`] holds every other backend against it. Nothing here
//! knows gradients, candle, WebGPU or Node.
#![deny(missing_docs)]

mod backend;
pub mod conformance;
mod cost;
mod dtype;
mod error;
mod kernel;
mod phase;
mod philox;
mod pool;
mod reference;
mod shape;
mod stream;

pub use backend::{Backend, Done, Memory, Storage, View};
pub use cost::{Cost, Costs};
pub use dtype::DType;
pub use error::{Error, Result};
pub use kernel::{AdamStep, AffineResample, Algorithm, Binary, Conv2d, Kernel, Layer, Reduce, Unary, Upfirdn2d};
pub use phase::Phase;
pub use philox::{Position, integer_below, philox4x32, uniform_from_bits};
pub use reference::Reference;
pub use shape::{Shape, broadcast, elements, permute, reduce_shape, strides};
pub use stream::{Executor, Operand, Stream};
