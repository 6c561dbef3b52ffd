//! A fused op equals its composition in value, gradient and gradient of the gradient.

use stylegan_autograd::{Device, Options, Tensor, grad, ops};
use stylegan_tensor::{DType, Error, LayerEpilogue, Reference, Result, Upfirdn2d};

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
fn an_epilogue_equals_its_composition() {
    let device = Device::new(Reference::device(usize::MAX));
    let inputs = [
        ramp(&device, &[2, 3, 2, 3], 0.3),
        ramp(&device, &[1, 3, 2, 1], 0.4),
        ramp(&device, &[3], 0.2),
        ramp(&device, &[3], 0.5),
        ramp(&device, &[2, 6], 0.1),
    ];
    let blur = LayerEpilogue { blur: Some([0.25, 0.5, 0.25]), alpha: 0.2 };
    let op = |x: &[Tensor]| ops::layer_epilogue(&x[0], [&x[1], &x[2], &x[3]], &x[4], blur);
    same(&inputs, op, |x| {
        let p = Upfirdn2d { up: 1, down: 1, taps: vec![0.25, 0.5, 0.25], padding: [1; 4] };
        ops::adain(&ops::noise_bias_act(&ops::upfirdn2d(&x[0], &p)?, &x[1], &x[2], &x[3], 0.2)?, &x[4])
    });
    // Recorded or not, the same values.
    let recorded: Vec<Tensor> = inputs.iter().map(Tensor::tracked).collect();
    let [one, other] = [op(&inputs), op(&recorded)].map(|y| y.unwrap().to_vec().unwrap());
    assert!(one.iter().zip(&other).all(|(a, b)| (a - b).abs() < 1e-12), "{one:?} is not {other:?}");
    let p = LayerEpilogue { blur: None, alpha: 2.0 };
    let refused = ops::layer_epilogue(&inputs[0], [&inputs[1], &inputs[2], &inputs[3]], &inputs[4], p);
    assert!(matches!(refused, Err(Error::Shape { op: "layer_epilogue", .. })));
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
