//! What the contract of a device asks for beside the kernels. Without an adapter these tests fail: a software one is enough.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use stylegan_tensor::conformance::{read_f64, synchronize, write_f64};
use stylegan_tensor::{Backend, DType, Error, Kernel, Unary, View};
use stylegan_wgpu::{Options, adapters, open};

mod gpu;
use gpu::{gpu, tensor};

#[test]
fn adapters_are_listed_under_the_names_that_open_them() {
    let found = adapters();
    assert!(!found.is_empty(), "no adapter");
    for adapter in found {
        let device = open(&adapter.device, &Options::default()).expect("a listed adapter opens");
        assert_eq!(device.name(), adapter.device);
    }
}

#[test]
fn an_adapter_that_is_not_there_is_an_error_that_says_what_is() {
    let error = open("wgpu:99", &Options::default()).err().expect("no such adapter");
    assert!(error.to_string().contains("wgpu:99"), "{error}");
    assert!(error.to_string().contains("wgpu:0"), "{error}");
    let error = open("wgpu:x", &Options::default()).err().expect("no number");
    assert!(error.to_string().contains("wgpu:<index>"), "{error}");
}

#[test]
fn dropped_memory_serves_the_next_tensor_of_its_size() {
    let device = gpu();
    for _ in 0..100 {
        let x = tensor(&device, &[1000]);
        let y = device.allocate("unary", 1000, DType::F32).expect("room");
        let y = View { storage: y, shape: vec![1000] };
        device.launch(Kernel::Unary(Unary::Square), &[&x], &[&y], false).expect("launched");
    }
    synchronize(&device).expect("no fault");
    let memory = device.memory();
    assert_eq!(memory.live, 0);
    assert_eq!(memory.allocations, 2);
}

#[test]
fn memory_over_the_limit_is_refused_at_once_and_names_the_op() {
    let options = Options { memory_limit: 1 << 20, ..Options::default() };
    let device = open("wgpu", &options).expect("a GPU, or Mesa's software Vulkan");
    let kept = device.allocate("conv2d", 200_000, DType::F32).expect("room");
    let error = device.allocate("adain", 100_000, DType::F32).err().expect("no room");
    assert!(matches!(error, Error::Memory { op: "adain", limit, .. } if limit == 1 << 20), "{error}");
    drop(kept);
    device.allocate("adain", 100_000, DType::F32).expect("room again");
}

#[test]
fn a_tensor_larger_than_the_gpu_makes_is_refused_with_its_op_its_size_and_what_to_do() {
    let largest = adapters()[0].max_buffer_bytes as usize;
    let device = gpu();
    let error = device.allocate("conv2d", largest / 4 + 1, DType::F32);
    let error = error.err().expect("no room").to_string();
    let size = format!("{} bytes asked for", error_bytes(&error));
    for part in ["conv2d", "smaller minibatch", &size, &largest.to_string()] {
        assert!(error.contains(part), "{part}: {error}");
    }
    assert!(error_bytes(&error) > largest, "{error}");
    // The device goes on.
    tensor(&device, &[16]);
    synchronize(&device).expect("no fault");
}

fn error_bytes(message: &str) -> usize {
    let number = message.split(' ').find_map(|word| word.parse().ok());
    number.expect("a number of bytes")
}

#[test]
fn buffers_are_refused_once_the_gpu_has_no_memory_left_and_the_device_goes_on() {
    let device = gpu();
    // Never written, so that a software GPU need not have the memory; at most so many, should a driver promise anything.
    let mut kept = Vec::new();
    let refused = (0..4096).find_map(|_| match device.allocate("adain", 1 << 28, DType::F32) {
        Ok(storage) => {
            kept.push(storage);
            None
        }
        Err(error) => Some(error),
    });
    drop(kept);
    if let Some(error) = refused {
        assert!(matches!(error, Error::Memory { op: "adain", .. }), "{error}");
    }
    let x = tensor(&device, &[16]);
    assert_eq!(read_f64(&device, &x.storage).map(|values| values.len()), Ok(16));
}

#[test]
fn a_tensor_of_f64_is_refused() {
    let error = gpu().allocate("cast", 1, DType::F64).err().expect("refused");
    assert!(error.to_string().contains("f32"), "{error}");
}

#[test]
fn bytes_are_written_and_read_in_stream_order() {
    let device = gpu();
    let x = tensor(&device, &[3]);
    let y = tensor(&device, &[3]);
    write_f64(&device, &x.storage, &[1.0, 2.0, 3.0]);
    device.launch(Kernel::Unary(Unary::Square), &[&x], &[&y], false).expect("launched");
    // After the launch: it must not see this.
    write_f64(&device, &x.storage, &[7.0, 7.0, 7.0]);
    assert_eq!(read_f64(&device, &y.storage), Ok(vec![1.0, 4.0, 9.0]));
    assert_eq!(read_f64(&device, &x.storage), Ok(vec![7.0, 7.0, 7.0]));
}

#[test]
fn an_upload_of_a_few_bytes_leaves_its_neighbours_alone() {
    let device = gpu();
    let all = device.allocate("upload", 600, DType::U8).expect("room");
    write_f64(&device, &all, &[9.0; 600]);
    let part = all.slice(256, 7).expect("aligned");
    write_f64(&device, &part, &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    let mut expected = vec![9.0; 600];
    expected[256..263].copy_from_slice(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0]);
    assert_eq!(read_f64(&device, &all), Ok(expected));
}

#[test]
fn a_row_that_is_not_there_is_reported_by_every_later_wait() {
    let device = gpu();
    let table = tensor(&device, &[4, 3]);
    let rows = device.allocate("upload", 2, DType::I32).expect("room");
    write_f64(&device, &rows, &[1.0, -5.0]);
    let rows = View { storage: rows, shape: vec![2] };
    let y = tensor(&device, &[2, 3]);
    device.launch(Kernel::GatherRows, &[&table, &rows], &[&y], false).expect("launched");
    for _ in 0..2 {
        let error = synchronize(&device).expect_err("a fault");
        assert_eq!(error, Error::device("gather_rows", "rows must be in 0..4, got -5"));
    }
    let error = read_f64(&device, &table.storage).expect_err("the same fault");
    assert_eq!(error, Error::device("gather_rows", "rows must be in 0..4, got -5"));
}

#[test]
fn a_settled_device_has_answered_everybody_and_its_thread_goes_on() {
    let device = gpu();
    let x = tensor(&device, &[1, 256, 256]);
    let product = Kernel::Matmul { transpose_a: false, transpose_b: false };
    for _ in 0..3 {
        for _ in 0..10 {
            device.launch(product.clone(), &[&x, &x], &[&tensor(&device, &[1, 256, 256])], false).expect("launched");
        }
        let answered = Arc::new(AtomicBool::new(false));
        let answer = Arc::clone(&answered);
        device.synchronize(Box::new(move |_| answer.store(true, Ordering::SeqCst)));
        device.settle();
        assert!(answered.load(Ordering::SeqCst));
    }
}
