mod values;

use stylegan_cpu_kernels::elementwise::{bias_act, bias_act_grad, binary, noise_bias_act, unary};
use stylegan_tensor::{Binary, Unary};
use values::{assert_close, values};

/// Element `i` of `shape` in an operand of shape `from`.
fn broadcast(i: usize, from: &[usize], shape: &[usize]) -> usize {
    let (mut rest, mut step, mut at) = (i, 1, 0);
    for axis in (0..shape.len()).rev() {
        let index = rest % shape[axis];
        rest /= shape[axis];
        if let Some(own) = (axis + from.len()).checked_sub(shape.len()) {
            at += if from[own] == 1 { 0 } else { index * step };
            step *= from[own];
        }
    }
    at
}

#[test]
fn every_form_of_broadcasting_finds_its_elements() {
    let shapes: [(&[usize], &[usize], &[usize]); 9] = [
        (&[70_001], &[], &[70_001]),
        (&[9001, 3], &[3], &[9001, 3]),
        (&[33, 1025], &[1025], &[33, 1025]),
        (&[5, 7, 11, 64], &[5, 1, 1, 64], &[5, 7, 11, 64]),
        (&[5, 70, 11, 13], &[5, 70, 11, 1], &[5, 70, 11, 13]),
        (&[5, 70, 11, 13], &[1, 70, 1, 13], &[5, 70, 11, 13]),
        (&[129, 1], &[1, 257], &[129, 257]),
        (&[], &[3, 1, 1], &[3, 4, 5]),
        (&[1], &[1], &[1]),
    ];
    for (a_shape, b_shape, shape) in shapes {
        let a = values(1, a_shape.iter().product());
        let b = values(2, b_shape.iter().product());
        let len = shape.iter().product();
        let mut y = vec![f32::NAN; len];
        binary(Binary::Sub, (&a, a_shape), (&b, b_shape), &mut y, shape, false);
        for (i, &y) in y.iter().enumerate() {
            let expected = a[broadcast(i, a_shape, shape)] - b[broadcast(i, b_shape, shape)];
            assert_eq!(y, expected, "{a_shape:?} - {b_shape:?} at {i}");
        }
    }
}

#[test]
fn results_are_added_to_the_output_on_request() {
    let (x, start) = (values(1, 1000), values(2, 1000));
    let mut y = start.clone();
    unary(Unary::Affine { scale: 2.0, shift: 0.5 }, &x, &mut y, true);
    let expected: Vec<f64> = x.iter().zip(&start).map(|(&x, &s)| f64::from(s) + 2.0 * f64::from(x) + 0.5).collect();
    // Three roundings.
    assert_close(&y, &expected, 2e-7);
}

#[test]
fn softplus_and_sigmoid_survive_large_operands() {
    let x = [-1e30, -200.0, 0.0, 200.0, 1e30];
    let mut y = [0.0; 5];
    unary(Unary::Softplus, &x, &mut y, false);
    assert_eq!(y, [0.0, 0.0, 2.0_f32.ln(), 200.0, 1e30]);
    unary(Unary::Sigmoid, &x, &mut y, false);
    assert_eq!((y[0], y[2], y[4]), (0.0, 0.5, 1.0));
}

#[test]
fn the_bias_is_added_before_the_slope_is_chosen_and_zero_counts_as_positive() {
    let mut y = [f32::NAN; 4];
    bias_act(&[1.0, -0.75, -3.0, -1.0], Some(&[-2.0, 1.0]), 0.5, &mut y, false);
    assert_eq!(y, [-0.5, 0.25, -2.5, 0.0]);
    let mut x = [f32::NAN; 4];
    bias_act_grad(&[8.0; 4], &y, 0.5, &mut x, false);
    assert_eq!(x, [4.0, 8.0, 4.0, 8.0]);
}

#[test]
fn one_noise_image_serves_every_image_of_a_batch() {
    let mut y = [f32::NAN; 12];
    let noise = [1.0, 2.0, 3.0];
    noise_bias_act(&[10.0; 12], &noise, [&[1.0, -1.0], &[0.0, -8.0]], 0.5, &mut y);
    let image = [11.0, 1.0, 12.0, 0.0, 13.0, -0.5];
    assert_eq!(y[..6], image);
    assert_eq!(y[6..], image);
}
