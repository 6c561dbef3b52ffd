//! Every tile of gemm.wgsl, at numbers of columns on both sides of where one takes over from another.

use stylegan_tensor::conformance::read_f64;
use stylegan_tensor::{Algorithm, Backend, Conv2d, Kernel, View};

mod gpu;
use gpu::{gpu, tensor};

const ALGORITHMS: [Option<Algorithm>; 5] =
    [None, Some(Algorithm::Im2col), Some(Algorithm::Shifted), Some(Algorithm::Direct), Some(Algorithm::Winograd)];

fn same(what: &str, results: &[Vec<f64>]) {
    let largest = results[0].iter().fold(0.0, |most: f64, value| most.max(value.abs()));
    for other in &results[1..] {
        for (i, (a, b)) in results[0].iter().zip(other).enumerate() {
            // The terms are added up in other orders.
            assert!((a - b).abs() <= 1e-5 * largest, "{what}, element {i}: {a} and {b}");
        }
    }
}

#[test]
fn convolutions_of_few_and_many_channels_are_the_same_at_every_tile() {
    let device = gpu();
    for channels in [1, 3, 16, 17, 24, 32, 33, 65] {
        let shapes = (vec![2, 13, 11, channels], vec![3, 3, channels, channels]);
        let (x, w) = (tensor(&device, &shapes.0), tensor(&device, &shapes.1));
        type Member<'a> = (&'a str, fn(Conv2d) -> Kernel, [&'a View; 2], &'a [usize]);
        let kernels: [Member; 3] = [
            ("forward", Kernel::Conv2d, [&x, &w], &shapes.0),
            ("transpose", Kernel::Conv2dTranspose, [&x, &w], &shapes.0),
            ("weights", Kernel::Conv2dWeightGrad, [&x, &x], &shapes.1),
        ];
        for (name, kernel, inputs, out) in kernels {
            let results = ALGORITHMS.map(|algorithm| {
                let p = Conv2d { stride: 1, padding: [1; 4], algorithm };
                let y = tensor(&device, out);
                device.launch(kernel(p), &inputs, &[&y], false).expect("launched");
                read_f64(&device, &y.storage).expect("no fault")
            });
            same(&format!("{name} of {channels}"), &results);
        }
    }
}

#[test]
fn products_of_few_and_many_columns_are_the_same_whichever_operand_is_transposed() {
    let device = gpu();
    let (m, k) = (301, 45);
    for n in [1, 7, 16, 17, 32, 33, 100] {
        let a = tensor(&device, &[1, m, k]);
        let b = tensor(&device, &[1, k, n]);
        let product = |a: &View, b: &View, transpose: [bool; 2], n: usize| {
            let y = tensor(&device, &[1, m, n]);
            let kernel = Kernel::Matmul { transpose_a: transpose[0], transpose_b: transpose[1] };
            device.launch(kernel, &[a, b], &[&y], false).expect("launched");
            read_f64(&device, &y.storage).expect("no fault")
        };
        let turned = |x: &View| {
            let [rows, columns] = [x.shape[1], x.shape[2]];
            let y = tensor(&device, &[1, columns, rows]);
            let kernel = Kernel::Copy {
                shape: vec![columns, rows],
                src: 0,
                src_strides: vec![1, columns as isize],
                dst: 0,
                dst_strides: vec![rows as isize, 1],
            };
            device.launch(kernel, &[x], &[&y], false).expect("launched");
            y
        };
        let (at, bt) = (turned(&a), turned(&b));
        let (values_a, values_b) =
            (read_f64(&device, &a.storage).expect("no fault"), read_f64(&device, &b.storage).expect("no fault"));
        let element = |i: usize, j: usize| -> f64 {
            let terms = (0..k).map(|t| values_a[i * k + t] * values_b[t * n + j]);
            terms.sum()
        };
        let expected = (0..m * n).map(|at| element(at / n, at % n)).collect();
        let results = [
            expected,
            product(&a, &b, [false, false], n),
            product(&at, &b, [true, false], n),
            product(&a, &bt, [false, true], n),
            product(&at, &bt, [true, true], n),
        ];
        same(&format!("{n} columns"), &results);
    }
}
