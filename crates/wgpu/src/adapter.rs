//! Which GPUs there are, and the opening of one.

use std::cmp::Reverse;
use std::sync::LazyLock;

use stylegan_tensor::{Error, Result};

use crate::device::{Gpu, Options};
use crate::shader::IMMEDIATE_BYTES;

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
    /// The largest part of a tensor that one kernel can see, in bytes; what is larger is computed in parts.
    pub max_tensor_bytes: u64,
    /// The largest tensor, in bytes.
    pub max_buffer_bytes: u64,
    /// Whether kernels could compute in half precision.
    pub f16: bool,
    /// The smallest and the largest number of invocations that run together, where kernels can make use of it.
    pub subgroups: Option<(u32, u32)>,
    /// Rows and columns (8 or 16) of the cooperative matrices that products of f16 can be made of: units of the GPU that multiply
    /// f16 and add up in f32.
    pub matrices: Option<u32>,
    /// Whether the GPU tells when a kernel began and ended.
    pub timestamps: bool,
}

impl AdapterInfo {
    /// Whether this is hardware: a program that acts as a GPU is far slower than the CPU device.
    pub fn is_hardware(&self) -> bool {
        self.kind != "software"
    }
}

/// The GPUs that can run the kernels, fastest kind first, and of one kind the one with the largest tensors.
pub fn adapters() -> Vec<AdapterInfo> {
    FOUND.iter().enumerate().map(|(index, adapter)| describe(index, adapter)).collect()
}

/// Opens `wgpu` (the first of [`adapters`]) or `wgpu:<index>`.
///
/// # Errors
///
/// [`Error::Device`] if the name is of another form, or no such adapter is there, or it cannot be opened.
pub fn open(name: &str, options: &Options) -> Result<Gpu> {
    let index = match name.strip_prefix("wgpu") {
        Some("") => Some(0),
        Some(rest) => rest.strip_prefix(':').and_then(|index| index.parse::<usize>().ok()),
        None => None,
    };
    let index =
        index.ok_or_else(|| Error::device("open", format!("a GPU is named wgpu or wgpu:<index>, got '{name}'")))?;
    let adapter = FOUND.get(index).ok_or_else(|| missing(name, FOUND.len()))?;
    let mut limits = adapter.limits();
    limits.max_storage_buffer_binding_size = limits.max_storage_buffer_binding_size.min(options.tensor_limit);
    let mut wanted = wgpu::Features::TIMESTAMP_QUERY | wgpu::Features::PIPELINE_CACHE;
    wanted.set(wgpu::Features::SUBGROUP, options.subgroups);
    let is_wanted = options.matrices && options.subgroups;
    let matrices = is_wanted.then(|| matrices(adapter)).flatten();
    let needed = wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX | wgpu::Features::SHADER_F16;
    wanted.set(needed, matrices.is_some());
    let features = wgpu::Features::IMMEDIATES | (adapter.features() & wanted);
    let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor {
        label: Some("stylegan"),
        required_features: features,
        required_limits: limits,
        memory_hints: wgpu::MemoryHints::Performance,
        // SAFETY: the one experimental feature is cooperative matrices. What uses them is gemm_cooperative.wgsl, whose loads and
        // stores lie within its own arrays.
        experimental_features: unsafe { wgpu::ExperimentalFeatures::enabled() },
        ..Default::default()
    }))
    .map_err(|error| {
        let adapter = adapter.get_info().name;
        Error::device("open", format!("'{name}' ({adapter}) cannot be opened: {error}"))
    })?;
    Gpu::new(name, &adapter.get_info(), matrices, device, queue, options)
}

fn missing(name: &str, count: usize) -> Error {
    let found = match count {
        0 => "no GPU with a Vulkan, Metal or DirectX 12 driver was found; install the GPU's driver, or on Linux \
              mesa-vulkan-drivers and libvulkan1 for a software one"
            .to_owned(),
        1 => "the only adapter is wgpu:0".to_owned(),
        count => format!("there are {count} adapters: wgpu:0 to wgpu:{}", count - 1),
    };
    Error::device("open", format!("'{name}' is not there: {found}"))
}

/// Found once for the whole process: to load and unload every driver at each opening would be slow, and drivers keep some
/// memory each time.
static FOUND: LazyLock<Vec<wgpu::Adapter>> = LazyLock::new(|| {
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
    found.sort_by_key(|adapter| {
        let limits = adapter.limits();
        let size = (limits.max_buffer_size, limits.max_storage_buffer_binding_size);
        (rank(adapter.get_info().device_type), Reverse(size))
    });
    found
});

fn rank(kind: wgpu::DeviceType) -> u8 {
    match kind {
        wgpu::DeviceType::DiscreteGpu => 0,
        wgpu::DeviceType::IntegratedGpu => 1,
        wgpu::DeviceType::VirtualGpu => 2,
        wgpu::DeviceType::Other => 3,
        wgpu::DeviceType::Cpu => 4,
    }
}

/// The side of the largest cooperative matrices that gemm_cooperative.wgsl can use: square ones, since WGSL has no others.
fn matrices(adapter: &wgpu::Adapter) -> Option<u32> {
    use wgpu::CooperativeScalarType::{F16, F32};
    let needed =
        wgpu::Features::EXPERIMENTAL_COOPERATIVE_MATRIX | wgpu::Features::SHADER_F16 | wgpu::Features::SUBGROUP;
    if !adapter.features().contains(needed) {
        return None;
    }
    let sizes = adapter.cooperative_matrix_properties().into_iter();
    let fits = sizes.filter(|size| {
        let is_square = size.m_size == size.n_size && size.n_size == size.k_size;
        is_square && size.ab_type == F16 && size.cr_type == F32
    });
    fits.map(|size| size.m_size).max()
}

fn describe(index: usize, adapter: &wgpu::Adapter) -> AdapterInfo {
    let (info, limits, features) = (adapter.get_info(), adapter.limits(), adapter.features());
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
        driver: format!("{} {}", info.driver, info.driver_info).trim().to_owned(),
        max_tensor_bytes: limits.max_storage_buffer_binding_size,
        max_buffer_bytes: limits.max_buffer_size,
        f16: features.contains(wgpu::Features::SHADER_F16),
        subgroups: features
            .contains(wgpu::Features::SUBGROUP)
            .then_some((info.subgroup_min_size, info.subgroup_max_size)),
        matrices: matrices(adapter),
        timestamps: features.contains(wgpu::Features::TIMESTAMP_QUERY),
    }
}
