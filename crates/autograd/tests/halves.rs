//! Gradients through feature maps of 16 bits. Without an adapter these tests fail: a software one is enough.

use stylegan_autograd::{Device, Options, Tensor, grad, ops};
use stylegan_tensor::{Conv2d, DType, Error, Position, Reference, Result, Upfirdn2d, uniform_from_bits};

fn gpu() -> Device {
    let options = stylegan_wgpu::Options::default();
    Device::new(stylegan_wgpu::open("wgpu", &options).expect("a GPU, or Mesa's software Vulkan"))
}

/// Numbers between −1 and 1 that bf16 and f16 hold: with 7 significant bits.
fn draw(len: usize, stream: u64) -> Vec<f64> {
    let at = Position { seed: 11, stream, offset: 0 };
    let unit = |i: usize| f64::from(uniform_from_bits(at.block(i as u64)[0]));
    (0..len).map(|i| (unit(i) * 128.0).floor() / 64.0 - 1.0).collect()
}

fn tensor(device: &Device, shape: &[usize], stream: u64) -> Tensor {
    let values = draw(shape.iter().product(), stream);
    Tensor::from_f64(device, &values, shape, device.backend().float()).unwrap()
}

/// `Σ y · weights` in the device's float type, so that every element of y counts differently.
fn weighted(y: &Tensor, stream: u64) -> Tensor {
    let y = ops::cast(y, y.device().backend().float()).unwrap();
    let axes: Vec<usize> = (0..y.shape().len()).collect();
    let product = ops::mul(&y, &tensor(y.device(), y.shape(), stream)).unwrap();
    ops::sum(&product, &axes, false).unwrap()
}

type Op = fn(&[Tensor], DType) -> Result<Tensor>;

/// Shapes of the feature maps, which the op gets in 16 bits, and of its other operands.
struct Case(&'static str, &'static [&'static [usize]], &'static [&'static [usize]], Op);

fn conv(stride: usize) -> Conv2d {
    Conv2d { stride, padding: [1; 4], algorithm: None }
}

fn blur() -> Upfirdn2d {
    Upfirdn2d { up: 2, down: 1, taps: vec![0.25, 0.5, 0.25], padding: [1; 4] }
}

const MAP: &[usize] = &[2, 4, 4, 4];

/// Enough channels for products by cooperative matrices, where there are some.
const DEEP: &[usize] = &[1, 4, 4, 16];

const CASES: [Case; 20] = [
    Case("conv2d", &[MAP], &[&[3, 3, 4, 8]], |x, _| ops::conv2d(&x[0], &x[1], conv(1))),
    Case("conv2d of stride 2", &[MAP], &[&[4, 4, 4, 12]], |x, _| ops::conv2d(&x[0], &x[1], conv(2))),
    Case("conv2d of many channels", &[DEEP], &[&[3, 3, 16, 20]], |x, _| ops::conv2d(&x[0], &x[1], conv(1))),
    Case("conv2d_transpose of many channels", &[DEEP], &[&[4, 4, 20, 16]], |x, _| {
        ops::conv2d_transpose(&x[0], &x[1], [8, 8], conv(2))
    }),
    Case("conv2d from an image", &[], &[&[2, 4, 4, 3], &[3, 3, 3, 4]], |x, half| {
        ops::conv2d_in(&x[0], &x[1], conv(1), half)
    }),
    Case("conv2d to an image", &[MAP], &[&[3, 3, 4, 3]], |x, _| ops::conv2d_in(&x[0], &x[1], conv(1), x[1].dtype())),
    Case("conv2d_transpose", &[MAP], &[&[4, 4, 8, 4]], |x, _| ops::conv2d_transpose(&x[0], &x[1], [8, 8], conv(2))),
    Case("conv2d_weight_grad", &[MAP, &[2, 4, 4, 8]], &[], |x, _| {
        ops::conv2d_weight_grad(&x[0], &x[1], [3, 3], conv(1))
    }),
    Case("upfirdn2d", &[MAP], &[], |x, _| ops::square(&ops::upfirdn2d(&x[0], &blur())?)),
    Case("bias_act", &[MAP], &[&[4]], |x, _| ops::bias_act(&ops::square(&x[0])?, &x[1], 0.2)),
    Case("leaky_relu", &[MAP], &[], |x, _| ops::square(&ops::leaky_relu(&x[0], 0.2)?)),
    Case("noise_bias_act", &[MAP], &[&[2, 4, 4, 1], &[4], &[4]], |x, _| {
        ops::square(&ops::noise_bias_act(&x[0], &x[1], &x[2], &x[3], 0.2)?)
    }),
    Case("adain", &[MAP], &[&[2, 8]], |x, _| ops::adain(&x[0], &x[1])),
    Case("add", &[MAP, MAP], &[], |x, _| ops::square(&ops::add(&x[0], &x[1])?)),
    Case("sub, used twice", &[MAP], &[], |x, _| ops::sub(&ops::square(&x[0])?, &x[0])),
    Case("mul by vectors", &[MAP], &[&[2, 1, 1, 4]], |x, _| ops::mul(&x[0], &x[1])),
    Case("mul by pixels", &[MAP], &[&[2, 4, 4, 1]], |x, _| ops::mul(&x[0], &x[1])),
    Case("mean", &[MAP], &[], |x, _| ops::square(&ops::mean(&ops::square(&x[0])?, &[1, 2], true)?)),
    Case("matmul", &[&[2, 16, 4]], &[&[1, 3, 16]], |x, _| ops::matmul(&x[1], &x[0], false, false)),
    Case("reshape", &[MAP], &[], |x, _| ops::square(&ops::reshape(&x[0], &[2, 16, 4])?)),
];

/// Gradients of a case, of order 1 or of their own weighted sum, towards all its operands in the device's float type.
fn gradients(device: &Device, Case(_, maps, others, f): &Case, order: usize, half: DType) -> Vec<Vec<f64>> {
    let shapes = maps.iter().chain(*others).enumerate();
    let leaves: Vec<Tensor> = shapes.map(|(i, shape)| tensor(device, shape, i as u64).tracked()).collect();
    let store = |(i, x): (usize, &Tensor)| if i < maps.len() { ops::cast(x, half).unwrap() } else { x.clone() };
    let inputs: Vec<Tensor> = leaves.iter().enumerate().map(store).collect();
    let leaves: Vec<&Tensor> = leaves.iter().collect();
    let mut y = weighted(&f(&inputs, half).unwrap(), 100);
    if order == 2 {
        let first = grad(&[&y], &leaves, Options { create_graph: true }).unwrap();
        let parts = first.iter().enumerate().map(|(i, g)| weighted(g, 200 + i as u64));
        y = parts.reduce(|a, b| ops::add(&a, &b).unwrap()).unwrap();
    }
    let found = grad(&[&y], &leaves, Options::default()).unwrap();
    found.iter().map(|g| g.to_vec().unwrap()).collect()
}

/// Every map on the way is rounded once, by 2⁻⁹ of an element for bf16 and 2⁻¹² for f16 (half of that or twice as much, by the
/// significand). Up to a dozen are stored one after the other, adain's second order has the most, and their errors are independent:
/// six roundings of the largest element are allowed.
fn compare(half: DType, rounding: f64) {
    let (device, reference) = (gpu(), Device::new(Reference::device(usize::MAX)));
    let mut worst = ("", 0.0);
    for case in &CASES {
        for order in 1..=2 {
            let expected = gradients(&reference, case, order, DType::F64);
            for (which, (expected, found)) in expected.iter().zip(gradients(&device, case, order, half)).enumerate() {
                let largest = expected.iter().fold(1.0, |most: f64, value| most.max(value.abs()));
                for (element, (expected, found)) in expected.iter().zip(&found).enumerate() {
                    let error = (found - expected).abs() / largest / rounding;
                    if error > worst.1 {
                        worst = (case.0, error);
                    }
                    assert!(
                        error <= 6.0,
                        "{} order {order}, input {which}, element {element}: {found} is not {expected}, {error} roundings",
                        case.0
                    );
                }
            }
        }
    }
    println!("{half}: at most {:.1} roundings, in {}", worst.1, worst.0);
}

#[test]
fn gradients_of_both_orders_through_bf16_agree_with_the_reference() {
    compare(DType::BF16, 2_f64.powi(-9));
}

#[test]
fn gradients_of_both_orders_through_f16_agree_with_the_reference() {
    compare(DType::F16, 2_f64.powi(-12));
}

#[test]
fn a_gradient_has_the_type_of_its_input_and_a_result_that_of_its_feature_maps() {
    let device = gpu();
    let x = ops::cast(&tensor(&device, MAP, 0), DType::BF16).unwrap().tracked();
    let (w, b, style) = (
        tensor(&device, &[3, 3, 4, 4], 1).tracked(),
        tensor(&device, &[4], 2).tracked(),
        tensor(&device, &[2, 8], 3).tracked(),
    );
    let y = ops::bias_act(&ops::conv2d(&x, &w, conv(1)).unwrap(), &b, 0.2).unwrap();
    let y = ops::adain(&y, &style).unwrap();
    assert_eq!(y.dtype(), DType::BF16);
    let all = [&x, &w, &b, &style];
    for create_graph in [false, true] {
        let types = grad(&[&y], &all, Options { create_graph }).unwrap().iter().map(Tensor::dtype).collect::<Vec<_>>();
        assert_eq!(types, [DType::BF16, DType::F32, DType::F32, DType::F32]);
    }
}

fn message(result: Result<Tensor>) -> String {
    match result {
        Err(Error::Shape { op, message }) => format!("{op}: {message}"),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("no error"),
    }
}

#[test]
fn what_cannot_be_stored_in_16_bits_is_an_error_that_says_what_to_do() {
    let device = gpu();
    let x = tensor(&device, &[2, 4], 0);
    let half = ops::cast(&x, DType::BF16).unwrap();
    assert_eq!(
        message(ops::cast(&tensor(&device, &[2, 3], 0), DType::BF16)),
        "cast: the last axis of bf16 must be a multiple of 4, got [2, 3]; cast it to f32 first"
    );
    assert_eq!(
        message(ops::add(&half, &ops::cast(&x, DType::F16).unwrap())),
        "binary: feature maps must be of one type, got bf16 and f16; cast one first"
    );
    assert_eq!(
        message(ops::permute(&half, &[1, 0])),
        "copy: the last axis of bf16 must be a multiple of 4, got [4, 2]; cast it to f32 first"
    );
    let square = ops::cast(&tensor(&device, &[4, 4], 0), DType::BF16).unwrap();
    assert_eq!(
        message(ops::permute(&square, &[1, 0])),
        "copy: a GPU moves bf16 in runs of four elements only; cast it to f32 first"
    );
    assert_eq!(message(ops::select(&x, &half, &x)), "select: operands must be f32, got bf16; cast first");
    assert_eq!(message(ops::cast(&half, DType::U8)), "cast: bf16 does not become u8; cast it to f32 first");
    for (device, name, float) in [
        (Device::new(stylegan_cpu::open(usize::MAX)), "cpu", "f32"),
        (Device::new(Reference::device(usize::MAX)), "reference", "f64"),
    ] {
        let expected = format!("cast: device '{name}' stores feature maps in {float}, got f16");
        assert_eq!(message(ops::cast(&tensor(&device, &[4], 0), DType::F16)), expected);
        let (x, w) = (tensor(&device, MAP, 0), tensor(&device, &[3, 3, 4, 4], 1));
        let expected = format!("conv2d: device '{name}' stores feature maps in {float}, got bf16");
        assert_eq!(message(ops::conv2d_in(&x, &w, conv(1), DType::BF16)), expected);
    }
}
