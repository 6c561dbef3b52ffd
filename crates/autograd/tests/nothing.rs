//! Sizes of 0 are sizes like any other: ops take them, alike on all devices, in values and gradients.

use stylegan_autograd::{Device, LayerForm, LayerOperands, Options, Tensor, adam, grad, ops};
use stylegan_tensor::{AdamStep, AffineResample, Conv2d, DType, Reference, Result, Upfirdn2d};

fn devices() -> [Device; 3] {
    let gpu =
        stylegan_wgpu::open("wgpu", &stylegan_wgpu::Options::default()).expect("a GPU, or Mesa's software Vulkan");
    [Device::new(Reference::device(usize::MAX)), Device::new(stylegan_cpu::open(usize::MAX)), Device::new(gpu)]
}

type Op = fn(&[Tensor]) -> Result<Tensor>;

const CONV: Conv2d = Conv2d { stride: 1, padding: [1; 4], algorithm: None };

fn rows(device: &Device, count: usize) -> Tensor {
    Tensor::from_f64(device, &vec![0.0; count], &[count], DType::I32).unwrap()
}

fn looked_up(x: &Tensor, size: [usize; 2]) -> Result<Tensor> {
    let m = Tensor::full(x.device(), &[x.shape()[0], 2, 3], 0.5)?;
    ops::affine_resample(x, &m, size, &AffineResample { up: 1, taps: vec![1.0], reflect: true })
}

fn blur() -> Upfirdn2d {
    Upfirdn2d { up: 1, down: 1, taps: vec![0.25, 0.5, 0.25], padding: [2; 4] }
}

fn layer(x: &[Tensor]) -> Result<Tensor> {
    let form = LayerForm { conv: CONV, is_upscaled: false, gain: 1.5, blur: Some([0.25, 0.5, 0.25]), alpha: 0.2 };
    let of = LayerOperands { normal: None, noise: Some([&x[3], &x[4]]), style: Some(&x[5]) };
    Ok(ops::layer(&x[0], &x[1], &x[2], of, form)?.0)
}

/// An op, the shapes of its operands, the shape of its result.
type Case = (&'static str, Op, &'static [&'static [usize]], &'static [usize]);

const CASES: &[Case] = &[
    ("affine", |x| ops::affine(&x[0], 2.0, 1.0), &[&[0, 3]], &[0, 3]),
    ("clamp", |x| ops::clamp(&x[0], -1.0, 1.0), &[&[3, 0]], &[3, 0]),
    ("acos", |x| ops::acos(&x[0]), &[&[0]], &[0]),
    ("softplus", |x| ops::softplus(&x[0]), &[&[0]], &[0]),
    ("leaky_relu", |x| ops::leaky_relu(&x[0], 0.0), &[&[0]], &[0]),
    ("add", |x| ops::add(&x[0], &x[1]), &[&[0, 3], &[3]], &[0, 3]),
    ("mul", |x| ops::mul(&x[0], &x[1]), &[&[2, 1], &[1, 0]], &[2, 0]),
    ("div", |x| ops::div(&x[0], &x[1]), &[&[], &[0]], &[0]),
    ("maximum", |x| ops::maximum(&x[0], &x[1]), &[&[0], &[1]], &[0]),
    ("select", |x| ops::select(&x[0].detach(), &x[1], &x[2]), &[&[1], &[0], &[]], &[0]),
    ("sum", |x| ops::sum(&x[0], &[0], false), &[&[0, 3]], &[3]),
    ("mean", |x| ops::mean(&x[0], &[0, 1], true), &[&[0, 3]], &[1, 1]),
    ("max", |x| ops::max(&x[0], &[1], false), &[&[0, 3]], &[0]),
    ("reshape", |x| ops::reshape(&x[0], &[5, 0]), &[&[0, 3]], &[5, 0]),
    ("permute", |x| ops::permute(&x[0], &[1, 0]), &[&[0, 3]], &[3, 0]),
    ("slice", |x| ops::slice(&x[0], &[2, 1], &[0, 2]), &[&[2, 3]], &[0, 2]),
    ("pad", |x| ops::pad(&x[0], &[(1, 2), (0, 1)]), &[&[0, 3]], &[3, 4]),
    ("concat", |x| ops::concat(&[&x[0], &x[1]], 0), &[&[0, 3], &[2, 3]], &[2, 3]),
    ("concat", |x| ops::concat(&[&x[0], &x[1]], 0), &[&[0, 3], &[0, 3]], &[0, 3]),
    ("flip", |x| ops::flip(&x[0], &[0, 1]), &[&[0, 3]], &[0, 3]),
    ("broadcast_to", |x| ops::broadcast_to(&x[0], &[0, 3]), &[&[1, 3]], &[0, 3]),
    ("gather_rows", |x| ops::gather_rows(&x[0], &rows(x[0].device(), 0)), &[&[0, 3]], &[0, 3]),
    ("scatter_rows", |x| ops::scatter_rows(&x[0], &rows(x[0].device(), 0), 2), &[&[0, 3]], &[2, 3]),
    ("matmul", |x| ops::matmul(&x[0], &x[1], false, false), &[&[0, 2, 3], &[3, 4]], &[0, 2, 4]),
    ("matmul", |x| ops::matmul(&x[0], &x[1], true, true), &[&[1, 3, 2], &[0, 4, 3]], &[0, 2, 4]),
    ("matmul", |x| ops::matmul(&x[0], &x[1], false, false), &[&[2, 0], &[0, 4]], &[2, 4]),
    ("conv2d", |x| ops::conv2d(&x[0], &x[1], CONV), &[&[0, 4, 4, 2], &[3, 3, 2, 5]], &[0, 4, 4, 5]),
    ("conv2d", |x| ops::conv2d(&x[0], &x[1], CONV), &[&[2, 4, 4, 0], &[3, 3, 0, 5]], &[2, 4, 4, 5]),
    (
        "conv2d_transpose",
        |x| ops::conv2d_transpose(&x[0], &x[1], [4, 4], CONV),
        &[&[2, 4, 4, 0], &[3, 3, 2, 0]],
        &[2, 4, 4, 2],
    ),
    (
        "conv2d_weight_grad",
        |x| ops::conv2d_weight_grad(&x[0], &x[1], [3, 3], CONV),
        &[&[0, 4, 4, 2], &[0, 4, 4, 5]],
        &[3, 3, 2, 5],
    ),
    ("upfirdn2d", |x| ops::upfirdn2d(&x[0], &blur()), &[&[2, 0, 0, 3]], &[2, 2, 2, 3]),
    ("affine_resample", |x| looked_up(&x[0], [3, 5]), &[&[2, 0, 4, 3]], &[2, 3, 5, 3]),
    ("affine_resample", |x| looked_up(&x[0], [0, 5]), &[&[2, 4, 4, 3]], &[2, 0, 5, 3]),
    ("affine_resample", |x| looked_up(&x[0], [3, 5]), &[&[0, 4, 4, 3]], &[0, 3, 5, 3]),
    ("affine_resample", |x| looked_up(&x[0], [3, 5]), &[&[2, 4, 4, 0]], &[2, 3, 5, 0]),
    ("bias_act", |x| ops::bias_act(&x[0], &x[1], 0.2), &[&[0, 3], &[3]], &[0, 3]),
    ("bias_act", |x| ops::bias_act(&x[0], &x[1], 0.0), &[&[3, 0], &[0]], &[3, 0]),
    (
        "noise_bias_act",
        |x| ops::noise_bias_act(&x[0], &x[1], &x[2], &x[3], 0.2),
        &[&[0, 2, 2, 3], &[1, 2, 2, 1], &[3], &[3]],
        &[0, 2, 2, 3],
    ),
    (
        "noise_bias_act",
        |x| ops::noise_bias_act(&x[0], &x[1], &x[2], &x[3], 0.2),
        &[&[2, 2, 2, 0], &[2, 2, 2, 1], &[0], &[0]],
        &[2, 2, 2, 0],
    ),
    (
        "noise_bias_act",
        |x| ops::noise_bias_act(&x[0], &x[1], &x[2], &x[3], 0.2),
        &[&[2, 0, 2, 3], &[2, 0, 2, 1], &[3], &[3]],
        &[2, 0, 2, 3],
    ),
    ("adain", |x| ops::adain(&x[0], &x[1]), &[&[0, 2, 2, 3], &[0, 6]], &[0, 2, 2, 3]),
    ("adain", |x| ops::adain(&x[0], &x[1]), &[&[2, 0, 2, 3], &[2, 6]], &[2, 0, 2, 3]),
    ("adain", |x| ops::adain(&x[0], &x[1]), &[&[2, 2, 2, 0], &[2, 0]], &[2, 2, 2, 0]),
    ("layer", layer, &[&[0, 2, 2, 3], &[3, 3, 3, 3], &[3], &[1, 2, 2, 1], &[3], &[0, 6]], &[0, 2, 2, 3]),
    ("layer", layer, &[&[2, 2, 2, 0], &[3, 3, 0, 3], &[3], &[1, 2, 2, 1], &[3], &[2, 6]], &[2, 2, 2, 3]),
    ("layer", layer, &[&[2, 2, 2, 3], &[3, 3, 3, 0], &[0], &[1, 2, 2, 1], &[0], &[2, 0]], &[2, 2, 2, 0]),
    ("minibatch_stddev", |x| ops::minibatch_stddev(&x[0], 2), &[&[0, 2, 2, 3]], &[0]),
    ("minibatch_stddev", |x| ops::minibatch_stddev(&x[0], 2), &[&[4, 0, 2, 3]], &[2]),
];

/// Shape and elements of the value and of the gradients of both orders.
fn results(device: &Device, op: Op, shapes: &[&[usize]]) -> Result<Vec<(Vec<usize>, Vec<f64>)>> {
    let inputs = shapes.iter().map(|shape| Ok(Tensor::full(device, shape, 0.5)?.tracked()));
    let inputs: Vec<Tensor> = inputs.collect::<Result<_>>()?;
    let y = op(&inputs)?;
    let wanted: Vec<&Tensor> = inputs.iter().collect();
    let first = grad(&[&y], &wanted, Options { create_graph: true })?;
    let squares = first.iter().map(ops::square).collect::<Result<Vec<_>>>()?;
    let second = grad(&squares.iter().collect::<Vec<_>>(), &wanted, Options { create_graph: false })?;
    std::iter::once(&y).chain(&first).chain(&second).map(|x| Ok((x.shape().to_vec(), x.to_vec()?))).collect()
}

#[test]
fn every_op_takes_sizes_of_0_alike_on_all_devices() {
    let devices = devices();
    for (name, op, shapes, y) in CASES {
        let expected = results(&devices[0], *op, shapes).unwrap_or_else(|error| panic!("{name} {shapes:?}: {error}"));
        assert_eq!(&expected[0].0, y, "{name} {shapes:?}");
        for device in &devices[1..] {
            let found = results(device, *op, shapes).unwrap_or_else(|error| panic!("{name} {shapes:?}: {error}"));
            // NaN is written as NaN.
            let name = format!("{name} {shapes:?} on {}", device.backend().name());
            assert_eq!(format!("{found:?}"), format!("{expected:?}"), "{name}");
        }
    }
}

#[test]
fn what_nothing_has_no_answer_for_is_refused_alike_on_all_devices() {
    for device in devices() {
        let nothing = Tensor::full(&device, &[0, 3], 0.0).unwrap();
        let message = ops::max(&nothing, &[0], false).err().unwrap().to_string();
        assert_eq!(message, "max: axes [0] of [0, 3] must have elements; none is the largest of none");
        let message = ops::gather_rows(&nothing, &rows(&device, 2)).err().unwrap().to_string();
        assert_eq!(message, "gather_rows: table must have rows to gather 2 from, got [0, 3]");
        let (none, state) = (Tensor::full(&device, &[0], 0.0).unwrap(), Tensor::full(&device, &[2], 0.0).unwrap());
        let step = AdamStep { rate: 1.0, beta1: 0.0, beta2: 0.9, epsilon: 1e-8, average_beta: 0.0 };
        let message = adam(&none, &none, &none, &none, &state, None, step).err().unwrap().to_string();
        assert_eq!(message, "adam: a step must have parameters, got none");
        let message = ops::matmul(
            &Tensor::full(&device, &[0, 2, 3], 0.0).unwrap(),
            &Tensor::full(&device, &[2, 3, 2], 0.0).unwrap(),
            false,
            false,
        );
        assert!(message.err().unwrap().to_string().starts_with("matmul: a must be [.., m, k]"));
        assert_eq!(Tensor::full(&device, &[3], 2.0).unwrap().to_vec().unwrap(), [2.0; 3], "the device goes on");
    }
}

#[test]
fn a_number_of_elements_that_does_not_fit_is_refused() {
    for device in devices() {
        for shape in [&[1 << 31, 1 << 31, 4][..], &[1 << 32, 1 << 32], &[1 << 31, 1 << 31, 4, 0]] {
            let message = format!("tensor: a tensor must have at most 2^56 elements, got {shape:?}");
            let error = Tensor::from_bytes(&device, Vec::new(), shape, DType::U8).err().unwrap();
            assert_eq!(error.to_string(), message);
            let none = Tensor::full(&device, &[0], 0.0).unwrap();
            assert!(ops::reshape(&none, shape).is_err());
            assert!(Tensor::full(&device, shape, 0.0).is_err());
        }
    }
}
