//! Products by cooperative matrices, on an adapter that has them for factors in f16: a GPU, or Mesa's software Vulkan from 26.1 on.

use stylegan_tensor::conformance::{Options as Suite, check, read_f64, upload, write_f64};
use stylegan_tensor::{Algorithm, Backend, Conv2d, DType, Kernel, View};
use stylegan_wgpu::{Gpu, Options, adapters, open};

mod gpu;
use gpu::{difference, numbers};

/// The device with cooperative matrices; none is a failure, since everything else here would pass without.
fn with() -> Gpu {
    let adapter = adapters().swap_remove(0);
    assert!(adapter.matrices.is_some(), "no cooperative matrices of f16: {adapter:?}");
    open("wgpu", &Options::default()).expect("a GPU")
}

fn without() -> Gpu {
    let options = Options { matrices: false, ..Options::default() };
    open("wgpu", &options).expect("a GPU")
}

/// A tensor of f32 or f16.
fn stored(device: &Gpu, values: &[f64], shape: &[usize], dtype: DType) -> View {
    if dtype == DType::F32 {
        return upload(device, values, shape).expect("room");
    }
    let storage = device.allocate("upload", values.len(), dtype);
    let storage = storage.expect("room");
    write_f64(device, &storage, values);
    View { storage, shape: shape.to_vec() }
}

/// Shape, values and type of an operand.
type Operand<'a> = (&'a [usize], &'a [f64], DType);

fn run(device: &Gpu, kernel: &Kernel, inputs: [Operand; 2], shape: &[usize]) -> Vec<f64> {
    let inputs = inputs.map(|(shape, values, dtype)| stored(device, values, shape, dtype));
    let zeros = vec![0.0; shape.iter().product()];
    let y = upload(device, &zeros, shape).expect("room");
    let [a, b] = &inputs;
    device.launch(kernel.clone(), &[a, b], &[&y], false).expect("launched");
    read_f64(device, &y.storage).expect("no fault")
}

/// The terms are added up in another order.
const ORDER: f64 = 1e-5;

/// Numbers between −1 and 1 that f16 holds.
fn short(len: usize) -> Vec<f64> {
    let unrounded = numbers(len).into_iter();
    unrounded.map(|value| (value * 256.0).round() / 256.0).collect()
}

fn rounded_to_f16(value: f64) -> f64 {
    // Steps of 2⁻¹⁰ between 1 and 2; ties do not occur among these numbers.
    let step = 2_f64.powi(value.abs().log2().floor() as i32 - 10);
    (value / step).round_ties_even() * step
}

const PRODUCT: Kernel = Kernel::Matmul { transpose_a: false, transpose_b: false };

#[test]
fn a_factor_in_f32_is_rounded_to_f16_where_the_other_is_stored_so_and_nowhere_else() {
    let (m, k, n) = (48, 64, 48);
    let (a, b) = (numbers(m * k), short(k * n));
    let rounded: Vec<f64> = a.iter().copied().map(rounded_to_f16).collect();
    let shapes = ([1, m, k], [1, k, n]);
    let product = |device: &Gpu, a: &[f64], dtype: DType| {
        let inputs = [(&shapes.0[..], a, DType::F32), (&shapes.1[..], &b[..], dtype)];
        run(device, &PRODUCT, inputs, &[1, m, n])
    };
    let (with, without) = (with(), without());
    let found = product(&with, &a, DType::F16);
    assert!(difference(&found, &product(&without, &rounded, DType::F16)) < ORDER);
    assert!(difference(&found, &product(&without, &a, DType::F16)) > ORDER);
    // Without a factor in 16 bits nothing is rounded.
    let exact = product(&without, &a, DType::F32);
    assert!(difference(&exact, &product(&with, &a, DType::F32)) < ORDER);
    assert!(difference(&exact, &product(&without, &a, DType::F16)) < ORDER);
}

#[test]
fn every_kernel_agrees_with_the_reference_on_feature_maps_in_f16() {
    let options = Suite { half: Some(DType::F16), rounds_factors: true, ..Suite::default() };
    let report = check(&with(), &options);
    println!("{} launches; errors as parts of those allowed: {:.2?}", report.launches, report.worst);
    report.assert();
}

#[test]
fn products_of_every_size_are_the_same_as_without_whichever_operand_is_transposed() {
    let (with, without) = (with(), without());
    // On both sides of two matrices of 8 and 16, of a tile and of a step; the last has one run of its terms, others several.
    let sizes = [
        [15_usize, 16, 16],
        [16, 16, 12],
        [16, 16, 16],
        [17, 36, 20],
        [31, 32, 32],
        [63, 33, 28],
        [65, 31, 36],
        [127, 64, 60],
        [129, 130, 64],
        [64, 1000, 68],
        [33_000, 17, 16],
    ];
    for [m, k, n] in sizes {
        for (transpose_a, transpose_b) in [(false, false), (false, true), (true, false), (true, true)] {
            // What is stored in 16 bits has a last axis that is a multiple of 4.
            let k = if transpose_b { k.next_multiple_of(4) } else { k };
            let a_shape = if transpose_a { [1, k, m] } else { [1, m, k] };
            let b_shape = if transpose_b { [2, n, k] } else { [2, k, n] };
            let (a, b) = (short(m * k), short(2 * k * n));
            let kernel = Kernel::Matmul { transpose_a, transpose_b };
            let [found, expected] = [&with, &without].map(|device| {
                let inputs = [(&a_shape[..], &a[..], DType::F32), (&b_shape[..], &b[..], DType::F16)];
                run(device, &kernel, inputs, &[2, m, n])
            });
            let error = difference(&expected, &found);
            assert!(error < ORDER, "{m} {k} {n} {kernel:?}: {error}");
        }
    }
}

#[test]
fn convolutions_of_few_and_many_channels_are_the_same_as_without() {
    let (with, without) = (with(), without());
    let channels = [4, 12, 16, 20, 28, 32, 36, 64, 68];
    // Channels that are stored in 16 bits come in fours, those of a result in f32 in any number.
    let pairs = channels.into_iter().flat_map(|c| [(c, c), (c, c + 1), (c, 33)]);
    for (stride, (c, o)) in pairs.enumerate().map(|(i, pair)| (1 + i % 2, pair)) {
        let p = Conv2d { stride, padding: [1; 4], algorithm: None };
        let (height, width) = (13_usize.div_ceil(stride), 11_usize.div_ceil(stride));
        let (x, w, y) = ([2, 13, 11, c], [3, 3, c, o], [2, height, width, o]);
        let is_map = |shape: &[usize; 4]| shape[3].is_multiple_of(4) && *shape != w;
        let kernels = [
            (Kernel::Conv2d(p), x, w, y),
            (Kernel::Conv2dTranspose(p), y, w, x),
            (Kernel::Conv2dWeightGrad(p), x, y, w),
        ];
        for (kernel, a, b, out) in kernels {
            let operands = [a, b].map(|shape| {
                let dtype = if is_map(&shape) { DType::F16 } else { DType::F32 };
                (shape, short(shape.iter().product()), dtype)
            });
            let [found, expected] = [&with, &without].map(|device| {
                let inputs = operands.each_ref();
                let inputs = inputs.map(|(shape, values, dtype)| (&shape[..], &values[..], *dtype));
                run(device, &kernel, inputs, &out)
            });
            let error = difference(&expected, &found);
            assert!(error < ORDER, "{a:?} {b:?} {kernel:?}: {error}");
        }
    }
}

#[test]
fn a_wide_convolution_of_maps_in_f16_is_not_winograds() {
    let (x, w) = ([4, 32, 32, 160], [3, 3, 160, 160]);
    let (maps, weights) = (short(x.iter().product()), numbers(w.iter().product()));
    let rounded: Vec<f64> = weights.iter().copied().map(rounded_to_f16).collect();
    let convolution = |device: &Gpu, weights: &[f64], algorithm| {
        let p = Conv2d { stride: 1, padding: [1; 4], algorithm };
        let inputs = [(&x[..], &maps[..], DType::F16), (&w[..], weights, DType::F32)];
        run(device, &Kernel::Conv2d(p), inputs, &x)
    };
    let found = convolution(&with(), &weights, None);
    let direct = convolution(&without(), &rounded, Some(Algorithm::Im2col));
    assert!(difference(&found, &direct) < ORDER);
}
