//! What the contract of a device asks for beside the kernels. Without an adapter these tests fail: a software one is enough.

use stylegan_tensor::conformance::{read_f64, synchronize, upload, write_f64};
use stylegan_tensor::{
    Algorithm, Backend, Binary, Conv2d, DType, Error, Kernel, Reduce, Unary, Upfirdn2d, View,
};
use stylegan_wgpu::{Gpu, adapters, open, open_limited};

fn gpu() -> Gpu {
    open("wgpu", usize::MAX).expect("a GPU, or Mesa's software Vulkan")
}

/// Numbers between −1 and 1 without a pattern.
fn numbers(len: usize) -> Vec<f64> {
    let mut state = 1_u32;
    let next = |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        f64::from((state >> 8) as f32 / (1 << 23) as f32 - 1.0)
    };
    (0..len).map(next).collect()
}

fn tensor(device: &Gpu, shape: &[usize]) -> View {
    upload(device, &numbers(shape.iter().product()), shape).expect("room")
}

#[test]
fn adapters_are_listed_under_the_names_that_open_them() {
    let found = adapters();
    assert!(!found.is_empty(), "no adapter");
    for adapter in found {
        let device = open(&adapter.device, usize::MAX).expect("a listed adapter opens");
        assert_eq!(device.name(), adapter.device);
    }
}

#[test]
fn an_adapter_that_is_not_there_is_an_error_that_says_what_is() {
    let error = open("wgpu:99", usize::MAX).err().expect("no such adapter");
    assert!(error.to_string().contains("wgpu:99"), "{error}");
    assert!(error.to_string().contains("adapters"), "{error}");
    let error = open("wgpu:x", usize::MAX).err().expect("no number");
    assert!(error.to_string().contains("wgpu:<index>"), "{error}");
}

#[test]
fn dropped_memory_serves_the_next_tensor_of_its_size() {
    let device = gpu();
    for _ in 0..100 {
        let x = tensor(&device, &[1000]);
        let y = device.allocate("unary", 1000, DType::F32).expect("room");
        let y = View {
            storage: y,
            shape: vec![1000],
        };
        device
            .launch(Kernel::Unary(Unary::Square), &[&x], &[&y], false)
            .expect("launched");
    }
    synchronize(&device).expect("no fault");
    let memory = device.memory();
    assert_eq!(memory.live, 0);
    assert_eq!(memory.allocations, 2);
}

#[test]
fn memory_over_the_limit_is_refused_at_once_and_names_the_op() {
    let device = open("wgpu", 1 << 20).expect("a GPU, or Mesa's software Vulkan");
    let kept = device
        .allocate("conv2d", 200_000, DType::F32)
        .expect("room");
    let error = device
        .allocate("adain", 100_000, DType::F32)
        .err()
        .expect("no room");
    assert!(
        matches!(error, Error::Memory { op: "adain", limit, .. } if limit == 1 << 20),
        "{error}"
    );
    drop(kept);
    device
        .allocate("adain", 100_000, DType::F32)
        .expect("room again");
}

#[test]
fn a_tensor_of_f64_is_refused() {
    let error = gpu()
        .allocate("cast", 1, DType::F64)
        .err()
        .expect("refused");
    assert!(error.to_string().contains("f32"), "{error}");
}

#[test]
fn bytes_are_written_and_read_in_stream_order() {
    let device = gpu();
    let x = tensor(&device, &[3]);
    let y = tensor(&device, &[3]);
    write_f64(&device, &x.storage, &[1.0, 2.0, 3.0]);
    device
        .launch(Kernel::Unary(Unary::Square), &[&x], &[&y], false)
        .expect("launched");
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
    let rows = View {
        storage: rows,
        shape: vec![2],
    };
    let y = tensor(&device, &[2, 3]);
    device
        .launch(Kernel::GatherRows, &[&table, &rows], &[&y], false)
        .expect("launched");
    for _ in 0..2 {
        let error = synchronize(&device).expect_err("a fault");
        assert_eq!(
            error,
            Error::device("gather_rows", "rows must be in 0..4, got -5")
        );
    }
    let error = read_f64(&device, &table.storage).expect_err("the same fault");
    assert_eq!(
        error,
        Error::device("gather_rows", "rows must be in 0..4, got -5")
    );
}

#[test]
fn devices_open_and_close_with_work_under_way() {
    for _ in 0..20 {
        let device = gpu();
        let x = tensor(&device, &[64, 64]);
        let y = tensor(&device, &[1, 64, 64]);
        let a = View {
            shape: vec![1, 64, 64],
            ..x
        };
        let kernel = Kernel::Matmul {
            transpose_a: false,
            transpose_b: false,
        };
        for _ in 0..10 {
            device
                .launch(kernel.clone(), &[&a, &a], &[&y], false)
                .expect("launched");
        }
        device.synchronize(Box::new(drop));
    }
}

#[test]
fn what_one_kernel_cannot_see_at_once_is_computed_in_parts() {
    // Tensors of 4 · 16 · 8 · 64 elements are 128 KiB.
    let (whole, limited) = (
        gpu(),
        open_limited("wgpu", usize::MAX, 48 << 10).expect("a GPU"),
    );
    let (x, w, s) = (vec![4, 16, 8, 64], vec![1, 1, 64, 64], vec![4, 128]);
    let p = Conv2d {
        stride: 1,
        padding: [0; 4],
        algorithm: Algorithm::Auto,
    };
    let blur = Upfirdn2d {
        up: 1,
        down: 1,
        taps: vec![0.25, 0.5, 0.25],
        padding: [1; 4],
    };
    let stats = vec![4, 2, 64];
    let sum = |axes: &[usize]| Kernel::Reduce {
        op: Reduce::Sum,
        axes: axes.to_vec(),
    };
    let cases = [
        (Kernel::Fill { value: 3.0 }, vec![], vec![x.clone()]),
        (
            Kernel::Unary(Unary::Square),
            vec![x.clone()],
            vec![x.clone()],
        ),
        (
            Kernel::Binary(Binary::Mul),
            vec![x.clone(), vec![4, 1, 1, 64]],
            vec![x.clone()],
        ),
        (
            Kernel::Binary(Binary::Add),
            vec![vec![64], x.clone()],
            vec![x.clone()],
        ),
        (
            Kernel::BiasAct { alpha: 0.2 },
            vec![x.clone(), vec![64]],
            vec![x.clone()],
        ),
        (
            Kernel::AddNoise,
            vec![x.clone(), vec![1, 16, 8, 1], vec![64]],
            vec![x.clone()],
        ),
        (
            Kernel::AddNoise,
            vec![x.clone(), vec![4, 16, 8, 1], vec![64]],
            vec![x.clone()],
        ),
        (
            Kernel::Adain,
            vec![x.clone(), s.clone()],
            vec![x.clone(), stats.clone()],
        ),
        (
            Kernel::AdainStyleGrad,
            vec![x.clone(), x.clone(), stats],
            vec![s],
        ),
        (
            Kernel::Conv2d(p),
            vec![x.clone(), w.clone()],
            vec![x.clone()],
        ),
        (
            Kernel::Conv2dTranspose(p),
            vec![x.clone(), w.clone()],
            vec![x.clone()],
        ),
        (
            Kernel::Conv2dWeightGrad(p),
            vec![x.clone(), x.clone()],
            vec![w],
        ),
        (Kernel::Upfirdn2d(blur), vec![x.clone()], vec![x.clone()]),
        (sum(&[1, 2]), vec![x.clone()], vec![vec![4, 64]]),
        (sum(&[0, 1, 2]), vec![x.clone()], vec![vec![64]]),
    ];
    for (kernel, inputs, outs) in cases {
        for accumulate in [false, true] {
            let run = |device: &Gpu| {
                let x: Vec<View> = inputs.iter().map(|shape| tensor(device, shape)).collect();
                let y: Vec<View> = outs.iter().map(|shape| tensor(device, shape)).collect();
                let (x, y): (Vec<_>, Vec<_>) = (x.iter().collect(), y.iter().collect());
                device
                    .launch(kernel.clone(), &x, &y, accumulate)
                    .expect("launched");
                read_f64(device, &y[0].storage).expect("no fault")
            };
            let (expected, found) = (run(&whole), run(&limited));
            let largest = expected
                .iter()
                .fold(0.0, |most: f64, value| most.max(value.abs()));
            for (e, f) in expected.iter().zip(&found) {
                // Sums over the batch are added up in another order: a few roundings of the largest.
                assert!(
                    (e - f).abs() <= 1e-5 * largest,
                    "{kernel:?}: expected {e}, got {f}"
                );
            }
        }
    }
}

#[test]
fn what_cannot_be_taken_apart_is_an_error_that_names_the_op_and_the_limit() {
    let device = open_limited("wgpu", usize::MAX, 48 << 10).expect("a GPU");
    let (x, y) = (
        tensor(&device, &[1, 100, 200]),
        tensor(&device, &[1, 100, 100]),
    );
    let kernel = Kernel::Matmul {
        transpose_a: false,
        transpose_b: true,
    };
    let error = device
        .launch(kernel, &[&x, &x], &[&y], false)
        .expect_err("too large");
    assert!(
        matches!(
            error,
            Error::Memory {
                op: "matmul",
                limit: 49_152,
                ..
            }
        ),
        "{error}"
    );
}
