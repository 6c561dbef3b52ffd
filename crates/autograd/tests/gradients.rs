//! Every op's gradient, and the gradient of its gradient, against central differences in f64.

use std::collections::BTreeSet;

use stylegan_autograd::{Device, LayerForm, LayerOperands, Options, Tensor, grad, ops};
use stylegan_tensor::{AffineResample, Conv2d, DType, Position, Reference, Result, Upfirdn2d, uniform_from_bits};

type Op = Box<dyn Fn(&[Tensor]) -> Result<Tensor>>;

/// An op at inputs drawn from an interval in which it is smooth.
struct Case {
    op: &'static str,
    shapes: Vec<Vec<usize>>,
    interval: (f64, f64),
    f: Op,
}

fn case(
    op: &'static str,
    shapes: &[&[usize]],
    interval: (f64, f64),
    f: impl Fn(&[Tensor]) -> Result<Tensor> + 'static,
) -> Case {
    Case { op, shapes: shapes.iter().map(|s| s.to_vec()).collect(), interval, f: Box::new(f) }
}

fn draw(len: usize, stream: u64, (low, high): (f64, f64)) -> Vec<f64> {
    let at = Position { seed: 7, stream, offset: 0 };
    let unit = |i: usize| f64::from(uniform_from_bits(at.block(i as u64)[0]));
    // As f32 has them, so that every device is given the same numbers.
    (0..len).map(|i| f64::from((low + (high - low) * unit(i)) as f32)).collect()
}

fn tensors(device: &Device, shapes: &[Vec<usize>], values: &[Vec<f64>]) -> Vec<Tensor> {
    let float = device.backend().float();
    let make = |(shape, values): (&Vec<usize>, &Vec<f64>)| Tensor::from_f64(device, values, shape, float);
    shapes.iter().zip(values).map(|pair| make(pair).unwrap().tracked()).collect()
}

/// `Σ y · weights`, so that every element of y counts differently.
fn weighted(y: &Tensor, stream: u64) -> Tensor {
    let weights = draw(y.len(), stream, (-1.0, 1.0));
    let weights = Tensor::from_f64(y.device(), &weights, y.shape(), y.dtype()).unwrap();
    let axes: Vec<usize> = (0..y.shape().len()).collect();
    ops::sum(&ops::mul(y, &weights).unwrap(), &axes, false).unwrap()
}

fn gradients(y: &Tensor, inputs: &[Tensor], create_graph: bool) -> Vec<Tensor> {
    grad(&[y], &inputs.iter().collect::<Vec<_>>(), Options { create_graph }).unwrap()
}

/// The scalar whose gradient is checked: of the op itself, or of its weighted gradients.
fn scalar(case: &Case, inputs: &[Tensor], order: usize) -> Tensor {
    let y = weighted(&(case.f)(inputs).unwrap(), 100);
    if order == 1 {
        return y;
    }
    let first = gradients(&y, inputs, true);
    let parts = first.iter().enumerate().map(|(i, g)| weighted(g, 200 + i as u64));
    parts.reduce(|a, b| ops::add(&a, &b).unwrap()).unwrap()
}

fn check(case: &Case, order: usize, device: &Device) {
    let lengths = case.shapes.iter().map(|shape| shape.iter().product());
    let values: Vec<Vec<f64>> = lengths.enumerate().map(|(i, len)| draw(len, i as u64, case.interval)).collect();
    let inputs = tensors(device, &case.shapes, &values);
    let found = gradients(&scalar(case, &inputs, order), &inputs, false);
    let step = 1e-5;
    for (which, gradient) in found.iter().enumerate() {
        let gradient = gradient.to_vec().unwrap();
        for element in 0..gradient.len() {
            let at = |delta: f64| {
                let mut moved = values.clone();
                moved[which][element] += delta;
                scalar(case, &tensors(device, &case.shapes, &moved), order).to_vec().unwrap()[0]
            };
            let expected = (at(step) - at(-step)) / (2.0 * step);
            let error = (gradient[element] - expected).abs() / expected.abs().max(1.0);
            // Truncation of the difference is step² · f‴ ≈ 1e-10 · f‴, cancellation 1e-16 / step = 1e-11.
            assert!(
                error < 2e-7,
                "{} order {order}, input {which}, element {element}: {} is not {expected}",
                case.op,
                gradient[element]
            );
        }
    }
}

fn conv(stride: usize, padding: [usize; 4]) -> Conv2d {
    Conv2d { stride, padding, algorithm: None }
}

/// A small rotation and a large one, and the filter of a lookup.
fn maps(device: &Device) -> (Tensor, AffineResample) {
    let values = [0.5, 0.2, 0.1, -0.2, 0.5, 0.3, -0.3, 0.8, 1.0, -0.8, -0.3, 2.5];
    let m = Tensor::from_f64(device, &values, &[2, 2, 3], device.backend().float()).unwrap();
    (m, AffineResample { up: 2, taps: vec![0.25, 0.75, 0.7, -0.2], reflect: true })
}

fn rows(device: &Device) -> Tensor {
    Tensor::from_f64(device, &[2.0, 0.0, 2.0, 1.0], &[4], DType::I32).unwrap()
}

fn elementwise() -> Vec<Case> {
    let wide = (-2.0, 2.0);
    let positive = (0.3, 2.0);
    vec![
        case("affine", &[&[5]], wide, |x| ops::affine(&x[0], 1.7, 0.3)),
        case("neg", &[&[5]], wide, |x| ops::neg(&x[0])),
        case("exp", &[&[5]], wide, |x| ops::exp(&x[0])),
        case("log", &[&[5]], positive, |x| ops::log(&x[0])),
        case("sqrt", &[&[5]], positive, |x| ops::sqrt(&x[0])),
        case("rsqrt", &[&[5]], positive, |x| ops::rsqrt(&x[0])),
        case("square", &[&[5]], wide, |x| ops::square(&x[0])),
        case("softplus", &[&[5]], wide, |x| ops::softplus(&x[0])),
        case("sigmoid", &[&[5]], wide, |x| ops::sigmoid(&x[0])),
        case("sin", &[&[5]], wide, |x| ops::sin(&x[0])),
        case("cos", &[&[5]], wide, |x| ops::cos(&x[0])),
        case("acos", &[&[5]], (-0.8, 0.8), |x| ops::acos(&x[0])),
        case("clamp", &[&[6]], wide, |x| ops::mul(&ops::clamp(&x[0], -0.5, 0.7)?, &x[0])),
        case("leaky_relu", &[&[6]], wide, |x| ops::leaky_relu(&ops::affine(&ops::square(&x[0])?, 1.0, -1.0)?, 0.2)),
        case("leaky_relu", &[&[6]], wide, |x| ops::leaky_relu(&ops::affine(&ops::square(&x[0])?, 1.0, -1.0)?, 0.0)),
        case("add", &[&[2, 3], &[3]], wide, |x| ops::square(&ops::add(&x[0], &x[1])?)),
        case("sub", &[&[2, 1], &[2, 3]], wide, |x| ops::square(&ops::sub(&x[0], &x[1])?)),
        case("mul", &[&[2, 3], &[2, 1]], wide, |x| ops::mul(&x[0], &x[1])),
        case("div", &[&[3], &[2, 3]], positive, |x| ops::div(&x[0], &x[1])),
        case("maximum", &[&[2, 3], &[3]], wide, |x| ops::square(&ops::maximum(&x[0], &x[1])?)),
        case("select", &[&[2, 3], &[3]], wide, |x| {
            let condition = ops::greater(&x[0].detach(), &Tensor::scalar(x[0].device(), 0.0)?)?;
            ops::select(&condition, &ops::square(&x[0])?, &ops::square(&x[1])?)
        }),
    ]
}

fn structural() -> Vec<Case> {
    let wide = (-2.0, 2.0);
    vec![
        case("sum", &[&[2, 3, 2]], wide, |x| ops::square(&ops::sum(&x[0], &[2, 0], false)?)),
        case("mean", &[&[2, 3, 2]], wide, |x| ops::square(&ops::mean(&x[0], &[1], true)?)),
        case("max", &[&[3, 4]], wide, |x| ops::square(&ops::max(&x[0], &[1], false)?)),
        case("reshape", &[&[2, 3]], wide, |x| ops::square(&ops::reshape(&x[0], &[3, 2])?)),
        case("permute", &[&[2, 3, 2]], wide, |x| ops::square(&ops::permute(&x[0], &[2, 0, 1])?)),
        case("slice", &[&[4, 3]], wide, |x| ops::square(&ops::slice(&x[0], &[1, 1], &[2, 2])?)),
        case("pad", &[&[2, 2]], wide, |x| ops::square(&ops::pad(&x[0], &[(1, 0), (2, 1)])?)),
        case("concat", &[&[2, 1], &[2, 3]], wide, |x| ops::square(&ops::concat(&[&x[0], &x[1], &x[0]], 1)?)),
        case("flip", &[&[2, 3]], wide, |x| ops::square(&ops::flip(&x[0], &[1])?)),
        case("broadcast_to", &[&[3, 1]], wide, |x| ops::square(&ops::broadcast_to(&x[0], &[2, 3, 2])?)),
        case("gather_rows", &[&[3, 2]], wide, |x| ops::square(&ops::gather_rows(&x[0], &rows(x[0].device()))?)),
        case("scatter_rows", &[&[4, 2]], wide, |x| ops::square(&ops::scatter_rows(&x[0], &rows(x[0].device()), 3)?)),
        case("matmul", &[&[2, 3], &[3, 2]], wide, |x| ops::matmul(&x[0], &x[1], false, false)),
        case("matmul", &[&[2, 3, 2], &[3, 4]], wide, |x| ops::matmul(&x[0], &x[1], true, false)),
        case("matmul", &[&[3, 2], &[2, 4, 2]], wide, |x| ops::matmul(&x[0], &x[1], false, true)),
        case("matmul", &[&[2, 3, 2], &[2, 4, 3]], wide, |x| ops::matmul(&x[0], &x[1], true, true)),
    ]
}

fn convolutional() -> Vec<Case> {
    let wide = (-1.0, 1.0);
    let down = conv(2, [1, 1, 1, 1]);
    let odd = conv(2, [2, 0, 1, 1]);
    vec![
        case("conv2d", &[&[2, 3, 3, 2], &[3, 3, 2, 2]], wide, |x| ops::conv2d(&x[0], &x[1], conv(1, [1; 4]))),
        case("conv2d", &[&[1, 5, 4, 1], &[2, 3, 1, 2]], wide, move |x| ops::conv2d(&x[0], &x[1], odd)),
        case("conv2d_in", &[&[1, 3, 3, 2], &[3, 3, 2, 1]], wide, |x| {
            ops::conv2d_in(&x[0], &x[1], conv(1, [1; 4]), x[0].dtype())
        }),
        case("conv2d_transpose", &[&[2, 2, 2, 2], &[4, 4, 1, 2]], wide, move |x| {
            ops::conv2d_transpose(&x[0], &x[1], [4, 4], down)
        }),
        case("conv2d_weight_grad", &[&[2, 4, 4, 1], &[2, 2, 2, 2]], wide, move |x| {
            ops::conv2d_weight_grad(&x[0], &x[1], [4, 4], down)
        }),
        case("upfirdn2d", &[&[1, 3, 4, 2]], wide, |x| {
            let p = Upfirdn2d { up: 2, down: 3, taps: vec![0.5, -1.0, 0.25], padding: [2, 1, -1, 3] };
            ops::square(&ops::upfirdn2d(&x[0], &p)?)
        }),
        case("upfirdn2d", &[&[2, 3, 3, 1]], wide, |x| {
            let p = Upfirdn2d { up: 1, down: 1, taps: vec![0.25, 0.5, 0.25], padding: [1; 4] };
            ops::square(&ops::upfirdn2d(&x[0], &p)?)
        }),
        case("affine_resample", &[&[2, 3, 4, 2]], wide, |x| {
            let (m, p) = maps(x[0].device());
            ops::square(&ops::affine_resample(&x[0], &m, [4, 3], &p)?)
        }),
        case("affine_resample_transpose", &[&[2, 4, 3, 2]], wide, |x| {
            let (m, p) = maps(x[0].device());
            ops::square(&ops::affine_resample_transpose(&x[0], &m, [3, 4], &p)?)
        }),
        case("bias_act", &[&[2, 3], &[3]], wide, |x| ops::bias_act(&ops::square(&x[0])?, &x[1], 0.2)),
        case("bias_act", &[&[2, 3], &[3]], wide, |x| ops::square(&ops::bias_act(&x[0], &x[1], 0.0)?)),
        case("bias_act_grad", &[&[2, 3]], wide, |x| ops::bias_act_grad(&ops::square(&x[0])?, &x[0], 0.2)),
        case("noise_bias_act", &[&[2, 2, 2, 3], &[2, 2, 2, 1], &[3], &[3]], wide, |x| {
            ops::square(&ops::noise_bias_act(&x[0], &x[1], &x[2], &x[3], 0.2)?)
        }),
        case("noise_bias_act", &[&[2, 2, 2, 3], &[1, 2, 2, 1], &[3], &[3]], wide, |x| {
            ops::noise_bias_act(&x[0], &x[1], &x[2], &x[3], 1.0)
        }),
        case("adain", &[&[2, 3, 2, 2], &[2, 4]], wide, |x| ops::adain(&x[0], &x[1])),
        case("layer", &LAYER, wide, |x| layers(x, 2, false, None)),
        case("layer", &LAYER, wide, |x| layers(x, 1, false, Some([-0.5, 1.0, 0.25]))),
        case("layer", &LAYER[..5], wide, |x| layers(x, 0, true, None)),
        case("minibatch_stddev", &[&[4, 2, 1, 2]], wide, |x| ops::minibatch_stddev(&x[0], 2)),
    ]
}

/// x, weights, bias, noise, its strength and style of a layer.
const LAYER: [&[usize]; 6] = [&[2, 3, 3, 2], &[3, 3, 2, 2], &[2], &[2, 3, 3, 1], &[2], &[2, 4]];

/// A layer, and one that reads it normalised; `noises` images have noise of their own.
fn layers(x: &[Tensor], noises: usize, is_upscaled: bool, blur: Option<[f64; 3]>) -> Result<Tensor> {
    let noise = ops::slice(&x[3], &[0, 0, 0, 0], &[noises.max(1), 3, 3, 1])?;
    let conv = Conv2d { stride: 1, padding: [1; 4], algorithm: None };
    let form = LayerForm { conv, is_upscaled, gain: 0.75, blur, alpha: 0.2 };
    let of = LayerOperands { normal: None, noise: (noises > 0).then_some([&noise, &x[4]]), style: x.get(5) };
    let (y, normal) = ops::layer(&x[0], &x[1], &x[2], of, form)?;
    let next = LayerForm { is_upscaled: false, blur: None, alpha: 1.0, ..form };
    Ok(ops::layer(&y, &x[1], &x[2], LayerOperands { normal: normal.as_ref(), ..Default::default() }, next)?.0)
}

/// Both orders on the plain reference and behind the lazy queue of the test device.
fn check_all(cases: &[Case]) {
    for device in [Device::new(Reference::device(usize::MAX)), Device::new(Reference::test_device(usize::MAX))] {
        for case in cases {
            (1..=2).for_each(|order| check(case, order, &device));
        }
    }
}

#[test]
fn elementwise_gradients_of_both_orders_match_central_differences() {
    check_all(&elementwise());
}

#[test]
fn structural_gradients_of_both_orders_match_central_differences() {
    check_all(&structural());
}

#[test]
fn convolutional_and_fused_gradients_of_both_orders_match_central_differences() {
    check_all(&convolutional());
}

/// Both orders of every case on `device` against the reference, as parts of the largest element of each gradient.
fn compare_all(device: &Device) {
    let reference = Device::new(Reference::device(usize::MAX));
    for case in [elementwise(), structural(), convolutional()].iter().flatten() {
        for order in 1..=2 {
            let gradients_on = |device: &Device| {
                let lengths = case.shapes.iter().map(|shape| shape.iter().product());
                let values: Vec<Vec<f64>> =
                    lengths.enumerate().map(|(i, len)| draw(len, i as u64, case.interval)).collect();
                let inputs = tensors(device, &case.shapes, &values);
                let found = gradients(&scalar(case, &inputs, order), &inputs, false);
                found.iter().map(|gradient| gradient.to_vec().unwrap()).collect::<Vec<_>>()
            };
            let pairs = gradients_on(&reference).into_iter().zip(gradients_on(device));
            for (which, (expected, found)) in pairs.enumerate() {
                let largest = expected.iter().fold(1.0, |most: f64, value| most.max(value.abs()));
                for (element, (expected, found)) in expected.iter().zip(&found).enumerate() {
                    let error = (found - expected).abs() / largest;
                    // A few dozen roundings of 6e-8.
                    assert!(
                        error < 2e-6,
                        "{} order {order}, input {which}, element {element}: {found} is not {expected} ({error:e})",
                        case.op
                    );
                }
            }
        }
    }
}

#[test]
fn gradients_of_both_orders_on_the_cpu_agree_with_the_reference() {
    compare_all(&Device::new(stylegan_cpu::open(usize::MAX)));
}

/// Without an adapter this test fails: a software one is enough.
#[test]
fn gradients_of_both_orders_on_wgpu_agree_with_the_reference() {
    let gpu =
        stylegan_wgpu::open("wgpu", &stylegan_wgpu::Options::default()).expect("a GPU, or Mesa's software Vulkan");
    compare_all(&Device::new(gpu));
}

#[test]
fn no_op_is_without_a_gradient_test() {
    let without = ["cast", "equal", "greater", "greater_equal", "normal", "uniform"];
    let cases = [elementwise(), structural(), convolutional()].concat_names();
    let source = include_str!("../src/ops/mod.rs");
    let public = source.split("pub use").skip(1).map(|rest| rest.split(';').next().unwrap());
    let names =
        public.flat_map(|list| list.rsplit("::").next().unwrap().split(',').map(str::to_owned).collect::<Vec<_>>());
    let names = names.map(|name| name.trim_matches(|c: char| !c.is_alphanumeric() && c != '_').to_owned());
    let untested: Vec<String> = names
        .filter(|name| !name.is_empty() && !without.contains(&name.as_str()) && !cases.contains(name.as_str()))
        .collect();
    assert!(untested.is_empty(), "{untested:?}");
    assert!(cases.len() > 40, "the list of ops was not read: {}", cases.len());
}

trait Names {
    fn concat_names(&self) -> BTreeSet<&'static str>;
}

impl Names for [Vec<Case>; 3] {
    fn concat_names(&self) -> BTreeSet<&'static str> {
        self.iter().flatten().map(|case| case.op).collect()
    }
}
