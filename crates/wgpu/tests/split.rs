//! Tensors larger than one kernel can see are computed in parts.

use stylegan_tensor::conformance::{read_f64, write_f64};
use stylegan_tensor::{
    AdamStep, AffineResample, Backend, Binary, Conv2d, DType, Error, Kernel, Position, Reduce, Unary, Upfirdn2d, View,
};
use stylegan_wgpu::Gpu;

mod gpu;
use gpu::{gpu, half, limited, tensor};

#[test]
fn what_one_kernel_cannot_see_at_once_is_computed_in_parts() {
    // Tensors of 4 · 16 · 8 · 64 elements are 128 KiB.
    let (whole, limited) = (gpu(), limited());
    let (x, w, s) = (vec![4, 16, 8, 64], vec![1, 1, 64, 64], vec![4, 128]);
    let p = Conv2d { stride: 1, padding: [0; 4], algorithm: None };
    let blur = Upfirdn2d { up: 1, down: 1, taps: vec![0.25, 0.5, 0.25], padding: [1; 4] };
    let bilinear = AffineResample { up: 1, taps: vec![1.0], reflect: false };
    let (one, stats) = (vec![1, 64, 8, 64], vec![4, 2, 64]);
    let position = Position { seed: 3, stream: 1, offset: 8 };
    let mean_of_all = Kernel::Reduce { op: Reduce::Mean, axes: vec![0, 1, 2, 3] };
    let sum = |axes: &[usize]| Kernel::Reduce { op: Reduce::Sum, axes: axes.to_vec() };
    let cases = [
        (Kernel::Fill { value: 3.0 }, vec![], vec![x.clone()]),
        (Kernel::Unary(Unary::Square), vec![x.clone()], vec![x.clone()]),
        (Kernel::Binary(Binary::Mul), vec![x.clone(), vec![4, 1, 1, 64]], vec![x.clone()]),
        (Kernel::Binary(Binary::Add), vec![vec![64], x.clone()], vec![x.clone()]),
        (Kernel::BiasAct { alpha: 0.2 }, vec![x.clone(), vec![64]], vec![x.clone()]),
        (Kernel::NoiseBiasAct { alpha: 0.2 }, vec![x.clone(), vec![1, 16, 8, 1], vec![64], vec![64]], vec![x.clone()]),
        (Kernel::NoiseBiasAct { alpha: 0.2 }, vec![x.clone(), vec![4, 16, 8, 1], vec![64], vec![64]], vec![x.clone()]),
        (Kernel::Adain, vec![x.clone(), s.clone()], vec![x.clone(), stats.clone()]),
        (Kernel::AdainStyleGrad, vec![x.clone(), x.clone(), stats], vec![s]),
        (Kernel::Conv2d(p), vec![x.clone(), w.clone()], vec![x.clone()]),
        (Kernel::Conv2dTranspose(p), vec![x.clone(), w.clone()], vec![x.clone()]),
        (Kernel::Conv2dWeightGrad(p), vec![x.clone(), x.clone()], vec![w]),
        (Kernel::Upfirdn2d(blur), vec![x.clone()], vec![x.clone()]),
        (Kernel::AffineResample(bilinear.clone()), vec![x.clone(), vec![4, 2, 3]], vec![x.clone()]),
        (Kernel::AffineResampleTranspose(bilinear), vec![x.clone(), vec![4, 2, 3]], vec![x.clone()]),
        (sum(&[1, 2]), vec![x.clone()], vec![vec![4, 64]]),
        (sum(&[0, 1, 2]), vec![x.clone()], vec![vec![64]]),
        (mean_of_all, vec![x.clone()], vec![vec![]]),
        (Kernel::Uniform(position), vec![], vec![x.clone()]),
        (Kernel::Normal(position), vec![], vec![x.clone()]),
        // One image: there is no batch to take apart.
        (Kernel::Unary(Unary::Square), vec![one.clone()], vec![one.clone()]),
        (Kernel::Binary(Binary::Mul), vec![one.clone(), one.clone()], vec![one.clone()]),
        (Kernel::BiasAct { alpha: 0.2 }, vec![one.clone(), vec![64]], vec![one.clone()]),
        (Kernel::NoiseBiasAct { alpha: 0.2 }, vec![one.clone(), vec![1, 64, 8, 1], vec![64], vec![64]], vec![one]),
    ];
    for (kernel, inputs, outs) in cases {
        // Feature maps in 16 bits too, of which kernels see twice as many.
        let (maps, gives_map) = kernel.maps();
        let is_map = |at: usize| maps.get(at) == Some(&true);
        let types = [None, Some(DType::BF16), Some(DType::F16)];
        for stored in types.into_iter().filter(|stored| stored.is_none() || gives_map || is_map(0)) {
            for accumulate in [false, true] {
                let make = |device: &Gpu, shape: &Vec<usize>, is_map: bool| match stored {
                    Some(dtype) if is_map => half(device, shape, dtype),
                    _ => tensor(device, shape),
                };
                let run = |device: &Gpu| {
                    let x = inputs.iter().enumerate();
                    let x: Vec<View> = x.map(|(at, shape)| make(device, shape, is_map(at))).collect();
                    let y = outs.iter().enumerate();
                    let y = y.map(|(at, shape)| make(device, shape, gives_map && at == 0));
                    results(device, &kernel, &x, &y.collect::<Vec<_>>(), accumulate)
                };
                same(&kernel, stored, &run(&whole), &run(&limited));
            }
        }
    }
}

#[test]
fn what_cannot_be_taken_apart_is_an_error_that_names_the_op_and_the_limit() {
    let device = limited();
    let (x, y) = (tensor(&device, &[1, 100, 200]), tensor(&device, &[1, 100, 100]));
    let kernel = Kernel::Matmul { transpose_a: false, transpose_b: true };
    let error = device.launch(kernel, &[&x, &x], &[&y], false).expect_err("too large");
    assert!(matches!(error, Error::Memory { op: "matmul", limit: 49_152, .. }), "{error}");
}

/// Every output after a launch.
fn results(device: &Gpu, kernel: &Kernel, x: &[View], y: &[View], accumulate: bool) -> Vec<Vec<f64>> {
    let (inputs, outs): (Vec<_>, Vec<_>) = (x.iter().collect(), y.iter().collect());
    device.launch(kernel.clone(), &inputs, &outs, accumulate).expect("launched");
    y.iter().map(|y| read_f64(device, &y.storage).expect("no fault")).collect()
}

fn same(kernel: &Kernel, stored: Option<DType>, expected: &[Vec<f64>], found: &[Vec<f64>]) {
    for (expected, found) in expected.iter().zip(found) {
        let largest = expected.iter().fold(0.0, |most: f64, value| most.max(value.abs()));
        assert_eq!(expected.len(), found.len());
        for (e, f) in expected.iter().zip(found) {
            // Sums over the batch are added up in another order: a few roundings of the largest, or another 16-bit number.
            let tolerance = if stored.is_some() { 1.0 / 128.0 } else { 1e-5 };
            assert!((e - f).abs() <= tolerance * largest, "{kernel:?}: expected {e}, got {f}");
        }
    }
}

#[test]
fn copies_of_any_strides_are_made_in_parts() {
    let (whole, limited) = (gpu(), limited());
    let (height, width) = (200, 150);
    let copy = |shape: &[usize], src: usize, from: &[isize], dst: usize, to: &[isize]| Kernel::Copy {
        shape: shape.to_vec(),
        src,
        src_strides: from.to_vec(),
        dst,
        dst_strides: to.to_vec(),
    };
    let (w, h) = (width as isize, height as isize);
    let len = height * width;
    let cases = [
        ("all", copy(&[len], 0, &[1], 0, &[1])),
        ("transposed", copy(&[width, height], 0, &[1, w], 0, &[h, 1])),
        ("flipped", copy(&[height, width], len - 1, &[-w, -1], 0, &[w, 1])),
        ("a slice", copy(&[100, 70], 3000, &[w, 1], 5000, &[w, 1])),
        ("broadcast", copy(&[height, width], 17, &[0, 1], 0, &[w, 1])),
    ];
    for (name, kernel) in cases {
        for accumulate in [false, true] {
            let run = |device: &Gpu| {
                let (x, y) = (tensor(device, &[len]), tensor(device, &[len]));
                results(device, &kernel, &[x], &[y], accumulate)
            };
            assert_eq!(run(&whole), run(&limited), "{name}");
        }
    }
    // 16 bits, in runs of four.
    let (h, w) = (height as isize, 152);
    let len = height * 152;
    let cases = [
        ("all", copy(&[len], 0, &[1], 0, &[1])),
        ("turned", copy(&[38, height, 4], 0, &[4, w, 1], 0, &[4 * h, 4, 1])),
        ("a slice", copy(&[100, 72], 3000, &[w, 1], 5000, &[w, 1])),
    ];
    for (name, kernel) in cases {
        for accumulate in [false, true] {
            let run = |device: &Gpu| {
                let [x, y] = [(); 2].map(|()| half(device, &[len], DType::BF16));
                results(device, &kernel, &[x], &[y], accumulate)
            };
            assert_eq!(run(&whole), run(&limited), "{name} in 16 bits");
        }
    }
    // Bytes: parts may meet within a word.
    let len = height * width;
    let bytes = |device: &Gpu| {
        let make = |value: f64| {
            let storage = device.allocate("upload", len * 4, DType::U8).expect("room");
            let values: Vec<f64> = (0..len * 4).map(|i| (i % 251) as f64 * value).collect();
            write_f64(device, &storage, &values);
            View { storage, shape: vec![len * 4] }
        };
        let odd = copy(&[len * 4 - 3], 1, &[1], 2, &[1]);
        results(device, &odd, &[make(1.0)], &[make(0.0)], false)
    };
    assert_eq!(bytes(&whole), bytes(&limited));
}

#[test]
fn rows_of_large_tables_are_gathered_and_scattered_in_parts() {
    let (whole, limited) = (gpu(), limited());
    let (table, picked, width) = (3000, 2500, 7);
    for accumulate in [false, true] {
        for kernel in [Kernel::GatherRows, Kernel::ScatterRows] {
            let run = |device: &Gpu| {
                let storage = device.allocate("upload", picked, DType::I32).expect("room");
                let rows: Vec<f64> = (0..picked).map(|k| (k * 577 % table) as f64).collect();
                write_f64(device, &storage, &rows);
                let rows = View { storage, shape: vec![picked] };
                let (t, y) = (tensor(device, &[table, width]), tensor(device, &[picked, width]));
                let (from, to) = if kernel == Kernel::GatherRows { (t, y) } else { (y, t) };
                results(device, &kernel, &[from, rows], &[to], accumulate)
            };
            same(&kernel, None, &run(&whole), &run(&limited));
        }
    }
}

#[test]
fn adam_takes_its_step_in_parts_and_skips_it_for_one_bad_gradient_anywhere() {
    let (whole, limited) = (gpu(), limited());
    let len = 30_001;
    let kernel = Kernel::Adam(AdamStep { rate: 0.01, beta1: 0.3, beta2: 0.99, epsilon: 1e-8, average_beta: 0.9 });
    for bad in [None, Some(5), Some(len - 1)] {
        let run = |device: &Gpu| {
            let grad = tensor(device, &[len]);
            if let Some(at) = bad {
                let mut values = gpu::numbers(len);
                values[at] = f64::NAN;
                write_f64(device, &grad.storage, &values);
            }
            // The second moment is not negative.
            let positive: Vec<f64> = gpu::numbers(len).iter().map(|v| v.abs()).collect();
            let outs = [0, 1, 2, 3, 4].map(|k| tensor(device, &[if k == 3 { 2 } else { len }]));
            write_f64(device, &outs[2].storage, &positive);
            write_f64(device, &outs[3].storage, &[3.0, 1.0]);
            results(device, &kernel, &[grad], &outs, false)
        };
        let (expected, found) = (run(&whole), run(&limited));
        assert_eq!(expected[3], if bad.is_some() { [3.0, 2.0] } else { [4.0, 1.0] });
        assert_eq!(expected, found);
    }
}
