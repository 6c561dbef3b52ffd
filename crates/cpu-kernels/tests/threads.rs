//! Every kernel gives the same bits for every number of threads.

mod values;

use stylegan_cpu_kernels::adam::{Arenas, adam};
use stylegan_cpu_kernels::affine::{Affine, affine_resample, affine_resample_transpose};
use stylegan_cpu_kernels::elementwise::{bias_act, binary, noise_bias_act, unary};
use stylegan_cpu_kernels::movement::{Strided, copy, gather_rows, scatter_rows};
use stylegan_cpu_kernels::normalize::{Image, adain, adain_input_grad, adain_style_grad};
use stylegan_cpu_kernels::random::normal;
use stylegan_cpu_kernels::reduce::reduce;
use stylegan_cpu_kernels::resample::{Resample, upfirdn2d};
use stylegan_cpu_kernels::stddev::{Groups, minibatch_stddev, minibatch_stddev_grad};
use stylegan_tensor::{AdamStep, Binary, Position, Reduce, Unary};
use values::values;

const SHAPE: [usize; 4] = [3, 67, 45, 19];
const LEN: usize = 3 * 67 * 45 * 19;

/// Fails unless a kernel that writes `len` elements gives the same bits for every number of threads.
fn assert_same_bits(kernel: &str, len: usize, run: impl Fn(&mut [f32]) + Sync) {
    values::assert_same_bits(kernel, || {
        let mut y = vec![f32::NAN; len];
        run(&mut y);
        y
    });
}

#[test]
fn elementwise_kernels_have_the_same_bits() {
    let (x, b, noise) = (values(1, LEN), values(2, 19), values(3, 67 * 45));
    assert_same_bits("exp", LEN, |y| unary(Unary::Exp, &x, y, false));
    assert_same_bits("div", LEN, |y| binary(Binary::Div, (&x, &SHAPE), (&b, &[19]), y, &SHAPE, false));
    assert_same_bits("bias_act", LEN, |y| bias_act(&x, Some(&b), 0.2, y, false));
    assert_same_bits("noise_bias_act", LEN, |y| noise_bias_act(&x, &noise, [&b, &b], 0.2, y));
    assert_same_bits("normal", LEN, |y| normal(Position::default(), y));
}

#[test]
fn reductions_have_the_same_bits() {
    let x = values(1, LEN);
    for axes in [&[0, 1, 2][..], &[1, 2], &[3], &[0, 1, 2, 3], &[0, 3], &[1, 3], &[2]] {
        let kept = (0..4).filter(|axis| !axes.contains(axis)).map(|axis| SHAPE[axis]).product();
        assert_same_bits("sum", kept, |y| reduce(Reduce::Sum, &x, &SHAPE, axes, y));
    }
}

#[test]
fn movements_have_the_same_bits() {
    let x = values(1, LEN);
    let (src, dst) = ([57_285, 1, 855, 19], [57_285, 3015, 45, 1]);
    let p = Strided { shape: &[3, 19, 67, 45], src: 0, src_strides: &src, dst: 0, dst_strides: &dst };
    assert_same_bits("copy", LEN, |y| copy(&p, &x, y, |y, x| *y = x));
    let rows: Vec<i32> = (0..67 * 45).map(|i| i * 7 % 100).collect();
    assert_same_bits("gather_rows", 67 * 45 * 57, |y| {
        gather_rows(&x[..5700], &rows, 57, y).expect("the rows exist");
    });
    assert_same_bits("scatter_rows", 5700, |y| {
        scatter_rows(&x[..67 * 45 * 57], &rows, 57, y).expect("the rows exist");
    });
}

#[test]
fn resampling_has_the_same_bits() {
    let x = values(1, LEN);
    for (up, down, taps) in [(1, 1, &[0.25, 0.5, 0.25][..]), (2, 1, &[1.0, 1.0]), (1, 2, &[0.5, 0.5])] {
        let out = [67 * up / down, 45 * up / down];
        let p = Resample { shape: SHAPE, out, up, down, taps, before: [1, 1] };
        assert_same_bits("upfirdn2d", 3 * out[0] * out[1] * 19, |y| upfirdn2d(&p, &x, y));
    }
}

#[test]
fn lookups_through_affine_maps_have_the_same_bits() {
    let x = values(1, LEN);
    let m = [0.5, 0.3, -7.0, -0.3, 0.5, 9.0].repeat(3);
    let p = Affine { shape: SHAPE, out: [130, 99], up: 2, taps: &[0.25, 0.75, 0.75, 0.25], reflect: true };
    assert_same_bits("affine_resample", 3 * 130 * 99 * 19, |y| affine_resample(&p, &x, &m, y));
    // The same numbers as a minibatch of the other size.
    let p = Affine { out: [67, 45], ..p };
    assert_same_bits("affine_resample_transpose", LEN, |dx| affine_resample_transpose(&p, &x, &m, dx));
}

#[test]
fn normalisation_has_the_same_bits() {
    let image = Image { pixels: 67 * 45, channels: 19 };
    let (x, g, style) = (values(1, LEN), values(2, LEN), values(3, 3 * 38));
    let (mut y, mut stats) = (vec![0.0; LEN], vec![0.0; 3 * 38]);
    adain(image, &x, &style, &mut y, &mut stats);
    assert_same_bits("adain", LEN, |y| adain(image, &x, &style, y, &mut vec![0.0; 3 * 38]));
    assert_same_bits("statistics", 3 * 38, |s| adain(image, &x, &style, &mut vec![0.0; LEN], s));
    assert_same_bits("adain_input_grad", LEN, |dx| adain_input_grad(image, &g, &x, &style, &stats, dx));
    assert_same_bits("adain_style_grad", 3 * 38, |d| adain_style_grad(image, &g, &x, &stats, d));
    let groups = Groups { count: 1, size: 3, image: 67 * 45 * 19 };
    assert_same_bits("minibatch_stddev", 1, |s| minibatch_stddev(groups, &x, s));
    assert_same_bits("minibatch_stddev_grad", LEN, |dx| minibatch_stddev_grad(groups, &[1.0], &x, dx));
}

#[test]
fn adam_has_the_same_bits() {
    let step = AdamStep { rate: 0.01, beta1: 0.5, beta2: 0.9, epsilon: 1e-8, average_beta: 0.75 };
    let grad = values(1, LEN);
    assert_same_bits("adam", LEN, |params| {
        params.fill(1.0);
        let (mut m, mut v, mut state, mut average) = (vec![0.5; LEN], vec![0.5; LEN], [0.0; 2], vec![0.0; LEN]);
        for _ in 0..2 {
            let average = Some(&mut average[..]);
            adam(&step, &grad, Arenas { params, m: &mut m, v: &mut v, state: &mut state, average });
        }
        params.iter_mut().zip(&average).for_each(|(p, a)| *p += a);
    });
}
