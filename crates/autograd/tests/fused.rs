//! A fused op equals its composition in value, gradient and gradient of the gradient.

use stylegan_autograd::{Device, LayerForm, LayerOperands, Options, Tensor, grad, ops};
use stylegan_tensor::{Conv2d, DType, Error, Reference, Result, Upfirdn2d};

fn ramp(device: &Device, shape: &[usize], scale: f64) -> Tensor {
    let len: usize = shape.iter().product();
    let values: Vec<f64> = (0..len).map(|i| scale * (((i * 7) % 11) as f64 - 4.3 + 0.01 * i as f64)).collect();
    Tensor::from_f64(device, &values, shape, DType::F64).unwrap().tracked()
}

fn close(a: &Tensor, b: &Tensor, what: &str) {
    let (a, b) = (a.to_vec().unwrap(), b.to_vec().unwrap());
    let largest = b.iter().fold(1e-30_f64, |m, v| m.max(v.abs()));
    for (a, b) in a.iter().zip(&b) {
        // Two orders of f64 operations on a few dozen terms.
        assert!((a - b).abs() / largest < 1e-11, "{what}: {a} is not {b}");
    }
}

fn same(
    inputs: &[Tensor],
    fused: impl Fn(&[Tensor]) -> Result<Tensor>,
    composed: impl Fn(&[Tensor]) -> Result<Tensor>,
) {
    let all: Vec<&Tensor> = inputs.iter().collect();
    let run = |f: &dyn Fn(&[Tensor]) -> Result<Tensor>| {
        let y = f(inputs).unwrap();
        let y = ops::mul(&ops::square(&y).unwrap(), &y).unwrap();
        let plain = grad(&[&y], &all, Options::default()).unwrap();
        let first = grad(&[&y], &all, Options { create_graph: true }).unwrap();
        let squares: Vec<Tensor> = first.iter().map(|g| ops::square(g).unwrap()).collect();
        let second = grad(&squares.iter().collect::<Vec<_>>(), &all, Options::default()).unwrap();
        (y, plain, first, second)
    };
    let (a, b) = (run(&fused), run(&composed));
    close(&a.0, &b.0, "value");
    for i in 0..inputs.len() {
        close(&a.1[i], &b.1[i], "gradient");
        close(&a.2[i], &b.2[i], "gradient with history");
        close(&a.3[i], &b.3[i], "gradient of the gradient");
    }
}

#[test]
fn adain_equals_its_composition() {
    let device = Device::new(Reference::device(usize::MAX));
    let inputs = [ramp(&device, &[2, 3, 2, 3], 0.3), ramp(&device, &[2, 6], 0.1)];
    same(
        &inputs,
        |x| ops::adain(&x[0], &x[1]),
        |x| {
            let half = |start| ops::reshape(&ops::slice(&x[1], &[0, start], &[2, 3])?, &[2, 1, 1, 3]);
            let centred = ops::sub(&x[0], &ops::mean(&x[0], &[1, 2], true)?)?;
            let variance = ops::mean(&ops::square(&centred)?, &[1, 2], true)?;
            let deviation = ops::sqrt(&ops::affine(&variance, 1.0, 1e-8)?)?;
            ops::add(&ops::mul(&ops::div(&centred, &deviation)?, &ops::affine(&half(0)?, 1.0, 1.0)?)?, &half(3)?)
        },
    );
}

#[test]
fn minibatch_stddev_equals_its_composition() {
    let device = Device::new(Reference::device(usize::MAX));
    let inputs = [ramp(&device, &[4, 2, 1, 2], 0.3)];
    same(
        &inputs,
        |x| ops::minibatch_stddev(&x[0], 2),
        |x| {
            let y = ops::reshape(&x[0], &[2, 2, 4])?;
            let centred = ops::sub(&y, &ops::mean(&y, &[0], true)?)?;
            let variance = ops::mean(&ops::square(&centred)?, &[0], false)?;
            ops::mean(&ops::sqrt(&ops::affine(&variance, 1.0, 1e-8)?)?, &[1], false)
        },
    );
}

#[test]
fn noise_equals_its_composition() {
    let device = Device::new(Reference::device(usize::MAX));
    let inputs = [
        ramp(&device, &[2, 2, 2, 3], 0.3),
        ramp(&device, &[1, 2, 2, 1], 0.4),
        ramp(&device, &[3], 0.2),
        ramp(&device, &[3], 0.5),
    ];
    same(
        &inputs,
        |x| ops::noise_bias_act(&x[0], &x[1], &x[2], &x[3], 0.2),
        |x| ops::bias_act(&ops::add(&x[0], &ops::mul(&x[1], &x[2])?)?, &x[3], 0.2),
    );
}

#[test]
fn a_layer_equals_its_composition() {
    let device = Device::new(Reference::device(usize::MAX));
    let inputs = [
        ramp(&device, &[2, 3, 2, 3], 0.3),
        ramp(&device, &[3, 3, 3, 4], 0.2),
        ramp(&device, &[4], 0.5),
        ramp(&device, &[2, 3, 3], 0.6),
        ramp(&device, &[1, 3, 2, 1], 0.4),
        ramp(&device, &[4], 0.2),
        ramp(&device, &[2, 8], 0.1),
    ];
    let conv = Conv2d { stride: 1, padding: [1; 4], algorithm: None };
    let form = LayerForm { conv, is_upscaled: false, gain: 1.5, blur: Some([0.25, 0.5, 0.25]), alpha: 0.2 };
    let op = |x: &[Tensor]| {
        let of = LayerOperands { normal: Some(&x[3]), noise: Some([&x[4], &x[5]]), style: Some(&x[6]) };
        let (y, normal) = ops::layer(&x[0], &x[1], &x[2], of, form)?;
        apply(&y, &normal.expect("there is a style"))
    };
    same(&inputs, op, |x| {
        let p = Upfirdn2d { up: 1, down: 1, taps: vec![0.25, 0.5, 0.25], padding: [1; 4] };
        let scaled = ops::affine(&ops::conv2d(&apply(&x[0], &x[3])?, &x[1], conv)?, 1.5, 0.0)?;
        let blurred = ops::upfirdn2d(&scaled, &p)?;
        ops::adain(&ops::noise_bias_act(&blurred, &x[4], &x[5], &x[2], 0.2)?, &x[6])
    });
    // Recorded or not, the same values.
    let plain: Vec<Tensor> = inputs.iter().map(Tensor::detach).collect();
    let [one, other] = [op(&inputs), op(&plain)].map(|y| y.unwrap().to_vec().unwrap());
    assert!(one.iter().zip(&other).all(|(a, b)| (a - b).abs() < 1e-12), "{one:?} is not {other:?}");
}

fn apply(x: &Tensor, normal: &Tensor) -> Result<Tensor> {
    let [n, c] = [x.shape()[0], x.shape()[3]];
    let number = |k: usize| ops::reshape(&ops::slice(normal, &[0, k, 0], &[n, 1, c])?, &[n, 1, 1, c]);
    ops::add(&ops::mul(&ops::sub(x, &number(0)?)?, &number(1)?)?, &number(2)?)
}

#[test]
fn a_layer_names_the_operand_that_does_not_fit() {
    let device = Device::new(Reference::device(usize::MAX));
    let zeros = |shape: &[usize]| Tensor::full(&device, shape, 0.0).unwrap();
    let [x, w, b] = [zeros(&[2, 3, 3, 2]), zeros(&[3, 3, 2, 4]), zeros(&[4])];
    let form = LayerForm {
        conv: Conv2d { stride: 1, padding: [1; 4], algorithm: None },
        is_upscaled: false,
        gain: 1.5,
        blur: None,
        alpha: 0.2,
    };
    let none = LayerOperands::default();
    let refused = |b: &Tensor, of: LayerOperands, form: LayerForm, expected: &str| {
        let error = ops::layer(&x, &w, b, of, form).err().expect("it is refused");
        assert!(matches!(error, Error::Shape { op: "layer", .. }));
        assert!(error.to_string().contains(expected), "{error}");
    };
    refused(&zeros(&[2]), none, form, "b must be [4], got [2]");
    refused(
        &b,
        LayerOperands { normal: Some(&zeros(&[2, 2, 2])), ..none },
        form,
        "normal must be [2, 3, 2], got [2, 2, 2]",
    );
    refused(&b, LayerOperands { noise: Some([&zeros(&[3, 3]), &b]), ..none }, form, "noise [N or 1, H, W, 1]");
    refused(&b, LayerOperands { style: Some(&zeros(&[2, 4])), ..none }, form, "style must be [2, 8], got [2, 4]");
    refused(&b, none, LayerForm { alpha: 2.0, ..form }, "alpha must be in [0, 1], got 2");
    let strided = Conv2d { stride: 2, ..form.conv };
    refused(
        &b,
        none,
        LayerForm { is_upscaled: true, conv: strided, ..form },
        "kernel [3, 3], stride 1 and padding 1, got [3, 3], 2",
    );
}

#[test]
fn bias_and_leaky_relu_equal_their_composition() {
    let device = Device::new(Reference::device(usize::MAX));
    let inputs = [ramp(&device, &[2, 3], 0.3), ramp(&device, &[3], 0.2)];
    same(
        &inputs,
        |x| ops::bias_act(&x[0], &x[1], 0.2),
        |x| {
            let y = ops::add(&x[0], &x[1])?;
            let zero = Tensor::scalar(y.device(), 0.0)?;
            let positive = ops::greater_equal(&y.detach(), &zero)?;
            ops::select(&positive, &y, &ops::affine(&y, 0.2, 0.0)?)
        },
    );
}

#[test]
fn the_composition_serves_an_input_that_feeds_the_other_one() {
    let device = Device::new(Reference::device(usize::MAX));
    let inputs = [ramp(&device, &[2, 2, 2, 2], 0.3)];
    let style = |x: &Tensor| ops::reshape(&ops::mean(x, &[1], false)?, &[2, 4]);
    same(
        &inputs,
        |x| ops::adain(&x[0], &style(&x[0])?),
        |x| {
            let style = style(&x[0])?;
            let half = |start| ops::reshape(&ops::slice(&style, &[0, start], &[2, 2])?, &[2, 1, 1, 2]);
            let centred = ops::sub(&x[0], &ops::mean(&x[0], &[1, 2], true)?)?;
            let variance = ops::mean(&ops::square(&centred)?, &[1, 2], true)?;
            let normalised = ops::mul(&centred, &ops::rsqrt(&ops::affine(&variance, 1.0, 1e-8)?)?)?;
            ops::add(&ops::mul(&normalised, &ops::affine(&half(0)?, 1.0, 1.0)?)?, &half(2)?)
        },
    );
}
