//! Which GPUs there are, and the opening of one.

use stylegan_tensor::{Error, Result};

use crate::device::Gpu;

/// A GPU of this machine, or a program that acts as one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AdapterInfo {
    /// The name by which [`open`] takes it: `wgpu:0`, `wgpu:1`, …
    pub device: String,
    /// The hardware's name.
    pub name: String,
    /// `discrete`, `integrated`, `virtual`, `software` or `other`.
    pub kind: &'static str,
    /// The interface below WebGPU, such as `vulkan`.
    pub backend: String,
    /// The driver's name and version.
    pub driver: String,
    /// The largest tensor that one kernel can see, in bytes.
    pub max_tensor_bytes: u64,
}

/// Bytes of parameters that a dispatch carries.
pub(crate) const IMMEDIATE_BYTES: u32 = 128;

/// The GPUs that can run the kernels, fastest kind first.
pub fn adapters() -> Vec<AdapterInfo> {
    let found = usable();
    found
        .iter()
        .enumerate()
        .map(|(index, adapter)| describe(index, adapter))
        .collect()
}

/// Opens `wgpu` (the first of [`adapters`]) or `wgpu:<index>`, with at most `limit` bytes of tensors.
///
/// # Errors
///
/// [`Error::Device`] if the name is of another form, or no such adapter is there, or it cannot be opened.
pub fn open(name: &str, limit: usize) -> Result<Gpu> {
    open_limited(name, limit, u64::MAX)
}

/// As [`open`], with kernels that see at most `tensor_limit` bytes of a tensor at once, as on a smaller GPU: for tests of
/// what is taken apart there.
///
/// # Errors
///
/// As [`open`].
pub fn open_limited(name: &str, limit: usize, tensor_limit: u64) -> Result<Gpu> {
    let index = match name.strip_prefix("wgpu") {
        Some("") => Some(0),
        Some(rest) => rest
            .strip_prefix(':')
            .and_then(|index| index.parse::<usize>().ok()),
        None => None,
    };
    let index = index.ok_or_else(|| {
        Error::device(
            "open",
            format!("a GPU is named wgpu or wgpu:<index>, got '{name}'"),
        )
    })?;
    let mut found = usable();
    if index >= found.len() {
        return Err(missing(name, found.len()));
    }
    let adapter = found.swap_remove(index);
    let mut limits = adapter.limits();
    limits.max_storage_buffer_binding_size =
        limits.max_storage_buffer_binding_size.min(tensor_limit);
    let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
        label: Some("stylegan"),
        required_features: wgpu::Features::IMMEDIATES,
        required_limits: limits,
        memory_hints: wgpu::MemoryHints::Performance,
        ..Default::default()
    }))
    .map_err(|error| {
        let adapter = adapter.get_info().name;
        Error::device(
            "open",
            format!("'{name}' ({adapter}) cannot be opened: {error}"),
        )
    })?;
    Gpu::new(name, device, queue, limit)
}

fn missing(name: &str, count: usize) -> Error {
    let found = match count {
        0 => "no GPU with a Vulkan, Metal or DirectX 12 driver was found; install the GPU's driver, or on Linux \
              mesa-vulkan-drivers and libvulkan1 for a software one"
            .to_owned(),
        count => format!("there are {count} adapters: wgpu:0 to wgpu:{}", count - 1),
    };
    Error::device("open", format!("'{name}' is not there: {found}"))
}

fn usable() -> Vec<wgpu::Adapter> {
    let mut descriptor = wgpu::InstanceDescriptor::new_without_display_handle();
    descriptor.backends = wgpu::Backends::VULKAN | wgpu::Backends::METAL | wgpu::Backends::DX12;
    let backends = descriptor.backends;
    let instance = wgpu::Instance::new(descriptor);
    let mut found = pollster::block_on(instance.enumerate_adapters(backends));
    found.retain(|adapter| {
        adapter.features().contains(wgpu::Features::IMMEDIATES)
            && adapter.limits().max_immediate_size >= IMMEDIATE_BYTES
            && adapter.limits().max_compute_invocations_per_workgroup >= 256
    });
    found.sort_by_key(|adapter| rank(adapter.get_info().device_type));
    found
}

fn rank(kind: wgpu::DeviceType) -> u8 {
    match kind {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    }
}

fn describe(index: usize, adapter: &wgpu::Adapter) -> AdapterInfo {
    let info = adapter.get_info();
    AdapterInfo {
        device: format!("wgpu:{index}"),
        name: info.name,
        kind: match info.device_type {
            wgpu::DeviceType::DiscreteGpu => "discrete",
            wgpu::DeviceType::IntegratedGpu => "integrated",
            wgpu::DeviceType::VirtualGpu => "virtual",
            wgpu::DeviceType::Cpu => "software",
            wgpu::DeviceType::Other => "other",
        },
        backend: info.backend.to_string(),
        driver: format!("{} {}", info.driver, info.driver_info)
            .trim()
            .to_owned(),
        max_tensor_bytes: adapter.limits().max_storage_buffer_binding_size,
    }
}
