//! The device `wgpu`: any GPU that Vulkan, Metal or DirectX 12 reaches, and software Vulkan. One WGSL file a kernel in
//! `shaders/`; `launch/` chooses sizes and parameters; the recorder batches dispatches; the pool keeps buffers.
#![deny(missing_docs)]

mod adapter;
mod device;
mod fault;
mod launch;
mod memory;
mod pipelines;
mod profile;
mod reader;
mod recorder;
mod shader;

pub use adapter::{AdapterInfo, adapters, open};
pub use device::{Gpu, Options};
