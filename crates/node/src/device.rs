use std::cell::RefCell;
use std::sync::Weak;

use napi::Env;
use napi::bindgen_prelude::{Object, Uint8Array};
use napi_derive::napi;
use stylegan_autograd::{Arena, Device, Tensor};
use stylegan_tensor::{Backend, Cost, DType, Done, Reference};
use stylegan_wgpu::{AdapterInfo, Options};

use crate::error::{Result, invalid, native, rejected};
use crate::table::{self, Handle};

/// An open device.
#[napi]
pub struct NativeDevice(pub(crate) Device);

/// Bytes of a device's memory; `allocations` counts blocks ever taken from the system.
#[napi(object)]
pub struct NativeMemory {
    pub live: f64,
    pub pooled: f64,
    pub peak: f64,
    pub allocations: f64,
}

/// Launches of one kernel on operands of the same shapes.
#[napi(object)]
pub struct NativeCost {
    pub kernel: String,
    pub shapes: String,
    pub launches: f64,
    pub nanoseconds: f64,
    pub host_nanoseconds: f64,
    pub flop: f64,
    pub bytes: f64,
}

thread_local! {
    static OPENED: RefCell<Vec<Weak<dyn Backend>>> = RefCell::default();
}

/// Returns when nothing is under way on the devices of this thread that a process must not end before.
#[napi(catch_unwind)]
pub fn settle() {
    let opened = OPENED.with_borrow(|opened| opened.iter().filter_map(Weak::upgrade).collect::<Vec<_>>());
    opened.iter().for_each(|backend| backend.settle());
}

/// The table of devices: name → what opens it.
fn open(name: &str, limit: Option<usize>) -> Result<Device> {
    let limit_or = |default: usize| limit.unwrap_or(default);
    let host = || limit_or(stylegan_cpu::default_limit());
    match name {
        "cpu" => {
            stylegan_cpu::isa::check().map_err(invalid)?;
            Ok(Device::new(stylegan_cpu::open(host())))
        }
        "reference" => Ok(Device::new(Reference::device(host()))),
        "test" => Ok(Device::new(Reference::test_device(host()))),
        _ if name.starts_with("wgpu") => {
            let options = Options { memory_limit: limit_or(usize::MAX), ..Options::default() };
            stylegan_wgpu::open(name, &options).map(Device::new).map_err(native)
        }
        _ => Err(invalid(format!("device: auto, cpu, wgpu, wgpu:N or reference is expected, got '{name}'"))),
    }
}

/// A GPU of this machine, or a program that acts as one; see [`AdapterInfo`].
#[napi(object)]
pub struct NativeAdapter {
    pub device: String,
    pub name: String,
    pub kind: String,
    pub backend: String,
    pub driver: String,
    pub max_tensor_bytes: f64,
    pub max_buffer_bytes: f64,
    pub f16: bool,
    pub subgroups: Vec<u32>,
    pub matrices: Option<u32>,
    pub timestamps: bool,
    pub is_hardware: bool,
}

/// The adapters by which `wgpu:0`, `wgpu:1`, … are opened.
#[napi(catch_unwind)]
pub fn adapters() -> Vec<NativeAdapter> {
    stylegan_wgpu::adapters().into_iter().map(NativeAdapter::from).collect()
}

impl From<AdapterInfo> for NativeAdapter {
    fn from(adapter: AdapterInfo) -> Self {
        Self {
            is_hardware: adapter.is_hardware(),
            device: adapter.device,
            name: adapter.name,
            kind: adapter.kind.to_owned(),
            backend: adapter.backend,
            driver: adapter.driver,
            max_tensor_bytes: adapter.max_tensor_bytes as f64,
            max_buffer_bytes: adapter.max_buffer_bytes as f64,
            f16: adapter.f16,
            subgroups: adapter.subgroups.map_or_else(Vec::new, |(least, most)| vec![least, most]),
            matrices: adapter.matrices,
            timestamps: adapter.timestamps,
        }
    }
}

/// The widest vectors that the kernels of the device `cpu` use.
#[napi(catch_unwind)]
pub fn simd() -> Result<&'static str> {
    stylegan_cpu::isa::check().map_err(invalid)?;
    Ok(stylegan_cpu::isa::simd())
}

/// Whether convolutions of the device `cpu` can multiply bf16 by bf16.
#[napi(js_name = "multipliesBf16", catch_unwind)]
pub fn multiplies_bf16() -> bool {
    stylegan_cpu::multiplies_bf16()
}

/// Whether they could, but for `STYLEGAN_ISA`.
#[napi(js_name = "hidesBf16", catch_unwind)]
pub fn hides_bf16() -> bool {
    stylegan_cpu::hides_bf16()
}

#[napi]
impl NativeDevice {
    #[napi(factory, catch_unwind)]
    pub fn open(name: String, memory_limit: Option<f64>) -> Result<Self> {
        let device = open(&name, memory_limit.map(|bytes| bytes as usize))?;
        OPENED.with_borrow_mut(|opened| {
            opened.retain(|device| device.strong_count() > 0);
            opened.push(device.downgrade());
        });
        Ok(Self(device))
    }

    #[napi(getter, catch_unwind)]
    pub fn float(&self) -> String {
        self.0.backend().float().to_string()
    }

    /// Whether feature maps can be stored in 16 bits.
    #[napi(getter, catch_unwind)]
    pub fn stores_half(&self) -> bool {
        self.0.backend().stores_half()
    }

    /// Whether convolutions can multiply bf16 by bf16.
    #[napi(getter, catch_unwind)]
    pub fn multiplies_bf16(&self) -> bool {
        self.0.backend().multiplies_bf16()
    }

    #[napi(catch_unwind)]
    pub fn memory(&self) -> NativeMemory {
        let memory = self.0.backend().memory();
        NativeMemory {
            live: memory.live as f64,
            pooled: memory.pooled as f64,
            peak: memory.peak as f64,
            allocations: memory.allocations as f64,
        }
    }

    #[napi(catch_unwind)]
    pub fn hold(&self, hold: bool) -> Result<()> {
        self.0.backend().hold(hold).map_err(native)
    }

    #[napi(catch_unwind)]
    pub fn inject_fault(&self, launches: u32) -> Result<()> {
        self.0.backend().inject_fault(launches as usize).map_err(native)
    }

    #[napi(ts_return_type = "Promise<void>", catch_unwind)]
    pub fn synchronize<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let (deferred, promise) = env.create_deferred()?;
        let done: Done<()> = Box::new(move |result| match result {
            Ok(()) => deferred.resolve(|_| Ok(())),
            Err(error) => deferred.reject(rejected(error)),
        });
        self.0.backend().synchronize(done);
        Ok(promise)
    }

    #[napi(catch_unwind)]
    pub fn profile(&self, on: bool) {
        self.0.backend().profile(on);
    }

    #[napi(ts_return_type = "Promise<Array<NativeCost>>", catch_unwind)]
    pub fn costs<'env>(&self, env: &'env Env) -> napi::Result<Object<'env>> {
        let (deferred, promise) = env.create_deferred()?;
        let done: Done<Vec<Cost>> = Box::new(move |result| match result {
            Ok(costs) => deferred.resolve(|_| Ok(costs.into_iter().map(NativeCost::from).collect::<Vec<_>>())),
            Err(error) => deferred.reject(rejected(error)),
        });
        self.0.backend().costs(done);
        Ok(promise)
    }

    #[napi(catch_unwind)]
    pub fn tensor(&self, bytes: &[u8], shape: Vec<u32>, dtype: String) -> Result<Handle> {
        let tensor = Tensor::from_bytes(&self.0, bytes.to_vec(), &sizes(&shape), dtype_of(&dtype)?);
        tensor.map(table::insert).map_err(native)
    }

    #[napi(catch_unwind)]
    pub fn full(&self, shape: Vec<u32>, value: f64) -> Result<Handle> {
        Tensor::full(&self.0, &sizes(&shape), value).map(table::insert).map_err(native)
    }

    /// The flat tensor, then its slices.
    #[napi(catch_unwind)]
    pub fn arena(&self, shapes: Vec<Vec<u32>>) -> Result<Vec<Handle>> {
        let shapes: Vec<_> = shapes.iter().map(|shape| sizes(shape)).collect();
        let Arena { flat, tensors } = Arena::zeros(&self.0, &shapes).map_err(native)?;
        Ok(std::iter::once(flat).chain(tensors).map(table::insert).collect())
    }
}

impl From<Cost> for NativeCost {
    fn from(cost: Cost) -> Self {
        Self {
            kernel: cost.kernel.to_owned(),
            shapes: cost.shapes,
            launches: cost.launches as f64,
            nanoseconds: cost.nanoseconds as f64,
            host_nanoseconds: cost.host_nanoseconds as f64,
            flop: cost.flop as f64,
            bytes: cost.bytes as f64,
        }
    }
}

/// The elements of a tensor in native byte order, when the device has them.
#[napi(ts_return_type = "Promise<Uint8Array>", catch_unwind)]
pub fn read(env: &Env, handle: Handle) -> Result<Object<'_>> {
    let tensor = table::get("data", handle)?;
    let (deferred, promise) = env.create_deferred().map_err(|error| invalid(error.to_string()))?;
    let done: Done<Vec<u8>> = Box::new(move |result| match result {
        Ok(bytes) => deferred.resolve(|_| Ok(Uint8Array::new(bytes))),
        Err(error) => deferred.reject(rejected(error)),
    });
    tensor.device().backend().read(tensor.as_storage(), done);
    Ok(promise)
}

/// Sizes of a tensor's axes.
#[napi(catch_unwind)]
pub fn shape(handle: Handle) -> Result<Vec<u32>> {
    Ok(table::get("shape", handle)?.shape().iter().map(|&size| size as u32).collect())
}

/// Name of a tensor's element type.
#[napi(catch_unwind)]
pub fn dtype(handle: Handle) -> Result<String> {
    Ok(table::get("dtype", handle)?.dtype().to_string())
}

/// Shapes as they come from JavaScript.
pub fn sizes(shape: &[u32]) -> Vec<usize> {
    shape.iter().map(|&size| size as usize).collect()
}

/// An element type by name.
pub fn dtype_of(name: &str) -> Result<DType> {
    match name {
        "f32" => Ok(DType::F32),
        "bf16" => Ok(DType::BF16),
        "f16" => Ok(DType::F16),
        "f64" => Ok(DType::F64),
        "u8" => Ok(DType::U8),
        "i32" => Ok(DType::I32),
        _ => Err(invalid(format!("dtype must be f32, bf16, f16, f64, u8 or i32, got '{name}'"))),
    }
}
