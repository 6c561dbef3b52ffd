//! A device to test, and tensors on it. Without an adapter the tests fail: a software one is enough.
#![allow(dead_code, reason = "no test file uses all of this")]

use stylegan_tensor::conformance::{upload, write_f64};
use stylegan_tensor::{Backend, DType, View};
use stylegan_wgpu::{Gpu, Options, open};

pub fn gpu() -> Gpu {
    open("wgpu", &Options::default()).expect("a GPU, or Mesa's software Vulkan")
}

/// Kernels of this one see 48 KiB of a tensor at once.
pub fn limited() -> Gpu {
    let options = Options { tensor_limit: 48 << 10, ..Options::default() };
    open("wgpu", &options).expect("a GPU, or Mesa's software Vulkan")
}

/// Numbers between −1 and 1 without a pattern.
pub fn numbers(len: usize) -> Vec<f64> {
    let mut state = 1_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from((state >> 8) as f32 / (1 << 23) as f32 - 1.0)
    };
    (0..len).map(next).collect()
}

/// As [`tensor`], stored in 16 bits.
pub fn half(device: &Gpu, shape: &[usize], dtype: DType) -> View {
    let len = shape.iter().product();
    let storage = device.allocate("upload", len, dtype).expect("room");
    write_f64(device, &storage, &numbers(len));
    View { storage, shape: shape.to_vec() }
}

pub fn tensor(device: &Gpu, shape: &[usize]) -> View {
    upload(device, &numbers(shape.iter().product()), shape).expect("room")
}

/// The largest difference, as a part of the largest value.
pub fn difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let largest = a.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    let pairs = a.iter().zip(b);
    let most = pairs.fold(0.0, |most: f64, (a, b)| most.max((a - b).abs()));
    most / largest
}
