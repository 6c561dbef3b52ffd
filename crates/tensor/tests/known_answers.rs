//! Numbers worked out by hand: the reference itself has no other reference.

mod launch;

use launch::{run, run_one};
use stylegan_tensor::conformance::{read_f64, upload};
use stylegan_tensor::{
    AdamStep, Algorithm, Backend, Binary, Conv2d, DType, Kernel, Position, Reduce, Reference, Unary, Upfirdn2d, View,
};

fn assert_near(found: &[f64], expected: &[f64]) {
    // f64 roundings of a handful of operations.
    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-12 * b.abs().max(1.0);
    let same = found.len() == expected.len() && found.iter().zip(expected).all(near);
    assert!(same, "expected {expected:?}, found {found:?}");
}

fn convolution(stride: usize, padding: [usize; 4]) -> Conv2d {
    Conv2d { stride, padding, algorithm: Algorithm::Auto }
}

#[test]
fn a_convolution_with_ones_counts_the_pixels_under_the_window() {
    let kernel = Kernel::Conv2d(convolution(1, [1; 4]));
    let y = run_one(kernel, &[(&[1, 3, 3, 1], &[1.0; 9]), (&[3, 3, 1, 1], &[1.0; 9])], &[1, 3, 3, 1]);
    assert_near(&y, &[4.0, 6.0, 4.0, 6.0, 9.0, 6.0, 4.0, 6.0, 4.0]);
}

#[test]
fn a_convolution_is_a_correlation_with_the_filter_as_it_stands() {
    // y = 1·x[j] + 10·x[j + 1] over channels (1, 2): no flip; filter rows are channels in, columns channels out.
    let x = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let w = [1.0, 0.1, 0.0, 0.0, 0.0, 0.0, 10.0, 1.0];
    let y = run_one(
        Kernel::Conv2d(convolution(1, [0; 4])),
        &[(&[1, 1, 3, 2], &x), (&[1, 2, 2, 2], &w)],
        &[1, 1, 2, 2],
    );
    assert_near(&y, &[1.0 + 40.0, 0.1 + 4.0, 3.0 + 60.0, 0.3 + 6.0]);
}

#[test]
fn stride_and_asymmetric_padding_place_the_windows() {
    // One row, padded 1 before and 0 after, stride 2: windows (0, 1) and (2, 3).
    let y = run_one(
        Kernel::Conv2d(convolution(2, [0, 0, 1, 0])),
        &[(&[1, 1, 3, 1], &[1.0, 2.0, 3.0]), (&[1, 2, 1, 1], &[10.0, 1.0])],
        &[1, 1, 2, 1],
    );
    assert_near(&y, &[1.0, 23.0]);
}

#[test]
fn a_transposed_convolution_spreads_each_pixel_over_its_window() {
    let x = run_one(
        Kernel::Conv2dTranspose(convolution(2, [0; 4])),
        &[(&[1, 1, 2, 1], &[1.0, 2.0]), (&[1, 3, 1, 1], &[1.0, 10.0, 100.0])],
        &[1, 1, 5, 1],
    );
    assert_near(&x, &[1.0, 10.0, 102.0, 20.0, 200.0]);
}

#[test]
fn the_weight_gradient_sums_what_each_tap_saw() {
    let w = run_one(
        Kernel::Conv2dWeightGrad(convolution(1, [0, 0, 1, 0])),
        &[(&[1, 1, 3, 1], &[1.0, 2.0, 3.0]), (&[1, 1, 3, 1], &[1.0, 10.0, 100.0])],
        &[1, 2, 1, 1],
    );
    assert_near(&w, &[10.0 + 200.0, 1.0 + 20.0 + 300.0]);
}

fn resample(up: usize, down: usize, taps: &[f64], padding: [isize; 4]) -> Kernel {
    Kernel::Upfirdn2d(Upfirdn2d { up, down, taps: taps.to_vec(), padding })
}

#[test]
fn a_blur_of_ones_loses_a_quarter_at_edges() {
    let blur = resample(1, 1, &[0.25, 0.5, 0.25], [1; 4]);
    let y = run_one(blur, &[(&[1, 3, 3, 1], &[1.0; 9])], &[1, 3, 3, 1]);
    assert_near(&y, &[0.5625, 0.75, 0.5625, 0.75, 1.0, 0.75, 0.5625, 0.75, 0.5625]);
}

#[test]
fn up_2_with_two_ones_is_nearest_upscaling() {
    let x: (&[usize], &[f64]) = (&[1, 1, 2, 2], &[1.0, 2.0, 3.0, 4.0]);
    let y = run_one(resample(2, 1, &[1.0, 1.0], [1, 0, 1, 0]), &[x], &[1, 2, 4, 2]);
    assert_near(&y, &[[1.0, 2.0, 1.0, 2.0, 3.0, 4.0, 3.0, 4.0]; 2].concat());
}

#[test]
fn down_2_with_two_halves_is_the_mean_of_four_pixels() {
    let y = run_one(resample(1, 2, &[0.5, 0.5], [0; 4]), &[(&[1, 2, 2, 1], &[1.0, 2.0, 3.0, 10.0])], &[1, 1, 1, 1]);
    assert_near(&y, &[4.0]);
}

#[test]
fn negative_padding_crops_and_taps_are_not_flipped() {
    // The first column is cropped; then 1·x[j] + 10·x[j + 1]. Rows see the same taps: one row, padded below.
    let y = run_one(
        resample(1, 1, &[1.0, 10.0], [0, 1, -1, 0]),
        &[(&[1, 1, 4, 1], &[7.0, 1.0, 2.0, 3.0])],
        &[1, 1, 2, 1],
    );
    assert_near(&y, &[21.0, 32.0]);
}

#[test]
fn matmul_multiplies_rows_by_columns_and_shares_a_single_batch() {
    let a: (&[usize], &[f64]) = (&[1, 2, 2], &[1.0, 2.0, 3.0, 4.0]);
    let b: (&[usize], &[f64]) = (&[2, 2, 1], &[5.0, 6.0, 7.0, 8.0]);
    let product = |transpose_a| Kernel::Matmul { transpose_a, transpose_b: false };
    assert_near(&run_one(product(false), &[a, b], &[2, 2, 1]), &[17.0, 39.0, 23.0, 53.0]);
    assert_near(&run_one(product(true), &[a, b], &[2, 2, 1]), &[23.0, 34.0, 31.0, 46.0]);
    let transposed = Kernel::Matmul { transpose_a: false, transpose_b: true };
    assert_near(&run_one(transposed, &[a, (&[1, 1, 2], &[5.0, 6.0])], &[1, 2, 1]), &[17.0, 39.0]);
}

#[test]
fn adain_gives_a_map_the_deviation_and_mean_of_its_style() {
    // Mean 3, variance 1 (the ε of 1e−8 is half a unit of 1e−8): x̂ = ±1; scale 1 + 1, bias 10.
    let stats_of = (1.0_f64 + 1e-8).sqrt().recip();
    let x: (&[usize], &[f64]) = (&[1, 2, 2, 1], &[2.0, 4.0, 4.0, 2.0]);
    let style: (&[usize], &[f64]) = (&[1, 2], &[1.0, 10.0]);
    let found = run(Kernel::Adain, &[x, style], &[&[1, 2, 2, 1], &[1, 2, 1]]).expect("the kernel runs");
    let (low, high) = (10.0 - 2.0 * stats_of, 10.0 + 2.0 * stats_of);
    assert_near(&found[0], &[low, high, high, low]);
    assert_near(&found[1], &[3.0, stats_of]);
}

#[test]
fn the_gradients_of_adain_match_central_differences() {
    let x = [0.3, -1.2, 0.8, 2.1, -0.4, 0.9, 1.5, -2.0];
    let style = [0.4, -0.7, 0.1, 0.2];
    let g = [1.0, -0.5, 0.25, 2.0, -1.5, 0.75, 0.5, -1.0];
    let (maps, styles): (&[usize], &[usize]) = (&[1, 2, 2, 2], &[1, 4]);
    let forward = |x: &[f64], style: &[f64]| {
        run(Kernel::Adain, &[(maps, x), (styles, style)], &[maps, &[1, 2, 2]]).expect("the kernel runs")
    };
    let loss = |x: &[f64], style: &[f64]| forward(x, style)[0].iter().zip(&g).map(|(y, g)| y * g).sum::<f64>();
    let stats = forward(&x, &style).remove(1);
    let stats: (&[usize], &[f64]) = (&[1, 2, 2], &stats);
    let dx = run_one(Kernel::AdainInputGrad, &[(maps, &g), (maps, &x), (styles, &style), stats], maps);
    let dstyle = run_one(Kernel::AdainStyleGrad, &[(maps, &g), (maps, &x), stats], styles);
    // With steps of 1e−5, the error of a central difference is about 1e−10.
    assert_central(&dx, &x, 1e-8, |x| loss(x, &style));
    assert_central(&dstyle, &style, 1e-8, |style| loss(&x, style));
}

fn assert_central(gradient: &[f64], at: &[f64], tolerance: f64, f: impl Fn(&[f64]) -> f64) {
    for i in 0..at.len() {
        let moved = |by: f64| {
            let mut at = at.to_vec();
            at[i] += by;
            f(&at)
        };
        let slope = (moved(1e-5) - moved(-1e-5)) / 2e-5;
        assert!((gradient[i] - slope).abs() < tolerance, "element {i}: {} is not {slope}", gradient[i]);
    }
}

#[test]
fn minibatch_stddev_groups_images_i_and_i_plus_m() {
    // Four images in groups of 2: (0, 2) differ by 6, (1, 3) by 2, in one pixel of two.
    let x: (&[usize], &[f64]) = (&[4, 1, 2, 1], &[0.0, 5.0, 1.0, 5.0, 6.0, 5.0, 3.0, 5.0]);
    let s = run_one(Kernel::MinibatchStddev { group: 2 }, &[x], &[2]);
    let deviation = |variance: f64| (variance + 1e-8).sqrt();
    assert_near(&s, &[(deviation(9.0) + 1e-4) / 2.0, (deviation(1.0) + 1e-4) / 2.0]);
}

#[test]
fn the_gradient_of_minibatch_stddev_matches_central_differences() {
    let x = [0.3, -1.2, 0.8, 2.1, -0.4, 0.9, 1.5, -2.0];
    let (shape, g): (&[usize], _) = (&[4, 1, 1, 2], [1.5, -0.5]);
    let kernel = Kernel::MinibatchStddev { group: 2 };
    let loss = |x: &[f64]| {
        let s = run_one(kernel.clone(), &[(shape, x)], &[2]);
        s[0] * g[0] + s[1] * g[1]
    };
    let dx = run_one(Kernel::MinibatchStddevGrad { group: 2 }, &[(&[2], &g), (shape, &x)], shape);
    assert_central(&dx, &x, 1e-8, loss);
}

fn adam(gradient: f64, state: [f64; 2]) -> Vec<f64> {
    let step = AdamStep { rate: 0.1, beta1: 0.5, beta2: 0.75, epsilon: 0.0, average_beta: 0.9 };
    let device = Reference::device(usize::MAX);
    let new = |values: &[f64]| upload(&device, values, vec![values.len()]).expect("there is memory");
    let outs = [new(&[1.0]), new(&[4.0]), new(&[8.0]), new(&state), new(&[2.0])];
    let views: Vec<&View> = outs.iter().collect();
    device.launch(Kernel::Adam(step), &[&new(&[gradient])], &views, false).expect("the kernel is launched");
    let read = |out: &View| read_f64(&device, &out.storage).expect("the kernel runs");
    outs.iter().flat_map(read).collect()
}

#[test]
fn adam_averages_first_then_steps_by_both_moments() {
    // t = 1: m = 4/2 + 2/2 = 3, v = 6 + 1 = 7, rate · √(1 − 3/4) / (1 − 1/2) = 0.1; average 1 + (2 − 1) · 0.9.
    let expected = [1.0 - 0.1 * 3.0 / 7.0_f64.sqrt(), 3.0, 7.0, 1.0, 0.0, 1.9];
    assert_near(&adam(2.0, [0.0, 0.0]), &expected);
}

#[test]
fn adam_skips_a_step_whose_gradient_is_not_finite_and_counts_it() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_near(&adam(bad, [5.0, 2.0]), &[1.0, 4.0, 8.0, 5.0, 3.0, 2.0]);
    }
}

#[test]
fn adam_refuses_to_accumulate() {
    let device = Reference::device(usize::MAX);
    let one = upload(&device, &[1.0, 0.0], [2]).expect("there is memory");
    let outs: Vec<View> = (0..4).map(|_| upload(&device, &[1.0, 0.0], [2]).expect("there is memory")).collect();
    let step = AdamStep { rate: 0.1, beta1: 0.0, beta2: 0.9, epsilon: 1e-8, average_beta: 0.0 };
    device.launch(Kernel::Adam(step), &[&one], &outs.iter().collect::<Vec<_>>(), true).expect("it is enqueued");
    let error = read_f64(&device, &outs[0].storage).expect_err("the step is refused");
    assert_eq!(error.code(), "ERR_DEVICE");
}

#[test]
fn elementwise_functions_have_their_textbook_values() {
    let value = |op, x| run_one(Kernel::Unary(op), &[(&[], &[x])], &[])[0];
    assert_near(&[value(Unary::Affine { scale: 3.0, shift: 1.0 }, 2.0)], &[7.0]);
    assert_near(&[value(Unary::Softplus, 0.0), value(Unary::Softplus, 800.0)], &[2.0_f64.ln(), 800.0]);
    assert_near(&[value(Unary::Sigmoid, 0.0), value(Unary::Sigmoid, -800.0)], &[0.5, 0.0]);
    assert_near(&[value(Unary::Rsqrt, 4.0), value(Unary::Square, -3.0)], &[0.5, 9.0]);
    assert_near(&[value(Unary::Acos, -1.0), value(Unary::Cos, 0.0)], &[std::f64::consts::PI, 1.0]);
    let clamp = Unary::Clamp { low: -1.0, high: 2.0 };
    assert_near(&[value(clamp, -5.0), value(clamp, 0.5), value(clamp, 5.0)], &[-1.0, 0.5, 2.0]);
}

#[test]
fn broadcasting_pairs_rows_with_columns() {
    let (column, row): (launch::Given, launch::Given) = ((&[2, 1], &[1.0, 2.0]), (&[3], &[2.0, 1.0, 0.0]));
    let pair = |op| run_one(Kernel::Binary(op), &[column, row], &[2, 3]);
    assert_near(&pair(Binary::Sub), &[-1.0, 0.0, 1.0, 0.0, 1.0, 2.0]);
    assert_near(&pair(Binary::Greater), &[0.0, 0.0, 1.0, 0.0, 1.0, 1.0]);
    assert_near(&pair(Binary::GreaterEqual), &[0.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    assert_near(&pair(Binary::Equal), &[0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
}

#[test]
fn reductions_run_over_the_named_axes() {
    let x: launch::Given = (&[2, 3], &[1.0, 5.0, 3.0, 4.0, 2.0, 6.0]);
    let reduce = |op, axis| Kernel::Reduce { op, axes: vec![axis] };
    assert_near(&run_one(reduce(Reduce::Sum, 0), &[x], &[3]), &[5.0, 7.0, 9.0]);
    assert_near(&run_one(reduce(Reduce::Mean, 1), &[x], &[2, 1]), &[3.0, 4.0]);
    assert_near(&run_one(reduce(Reduce::Max, 1), &[x], &[2]), &[5.0, 6.0]);
}

#[test]
fn bias_activation_and_noise_act_per_channel() {
    let x: launch::Given = (&[1, 1, 2, 2], &[1.0, -3.0, -1.0, 2.0]);
    let act = run_one(Kernel::BiasAct { alpha: 0.2 }, &[x, (&[2], &[-2.0, 3.0])], x.0);
    assert_near(&act, &[-0.2, 0.0, -0.6, 5.0]);
    let gradient = run_one(Kernel::BiasActGrad { alpha: 0.2 }, &[(x.0, &[1.0; 4]), (x.0, &act)], x.0);
    assert_near(&gradient, &[0.2, 1.0, 0.2, 1.0]);
    let noisy = run_one(Kernel::AddNoise, &[x, (&[1, 1, 2, 1], &[1.0, 2.0]), (&[2], &[10.0, 100.0])], x.0);
    assert_near(&noisy, &[11.0, 97.0, 19.0, 202.0]);
}

#[test]
fn casts_truncate_and_saturate() {
    let device = Reference::device(usize::MAX);
    let x = upload(&device, &[-1.5, 2.9, 300.0, f64::NAN], [4]).expect("there is memory");
    let cast = |dtype| {
        let storage = device.allocate("cast", 4, dtype).expect("there is memory");
        let y = View { storage, shape: vec![4] };
        device.launch(Kernel::Cast, &[&x], &[&y], false).expect("it is enqueued");
        read_f64(&device, &y.storage).expect("the kernel runs")
    };
    assert_eq!(cast(DType::U8), [0.0, 2.0, 255.0, 0.0]);
    assert_eq!(cast(DType::I32), [-1.0, 2.0, 300.0, 0.0]);
    assert_eq!(cast(DType::F32)[1], f64::from(2.9_f32));
}

#[test]
fn uniforms_and_normals_are_random_numbers_of_their_distributions() {
    let position = Position { seed: 1, stream: 2, offset: 4 };
    let uniform = run_one(Kernel::Uniform(position), &[], &[100_000]);
    let normal = run_one(Kernel::Normal(position), &[], &[100_000]);
    let moments = |x: &[f64]| {
        let mean = x.iter().sum::<f64>() / x.len() as f64;
        (mean, x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / x.len() as f64)
    };
    // Five standard errors of a sample of 1e5: of means 1/√12 and 1 over √1e5, of variances 0.0745 and √2 over it.
    let ((mean, variance), (normal_mean, normal_variance)) = (moments(&uniform), moments(&normal));
    assert!((mean - 0.5).abs() < 0.0046 && (variance - 1.0 / 12.0).abs() < 0.0012, "{mean} {variance}");
    assert!(normal_mean.abs() < 0.016 && (normal_variance - 1.0).abs() < 0.023, "{normal_mean} {normal_variance}");
    // Box–Muller of the first two uniforms.
    let radius = (-2.0 * uniform[0].ln()).sqrt();
    let angle = 2.0 * std::f64::consts::PI * uniform[1];
    assert_near(&normal[..2], &[radius * angle.cos(), radius * angle.sin()]);
}

#[test]
fn a_draw_continues_where_its_position_says() {
    let draw = |offset, len| run_one(Kernel::Uniform(Position { seed: 9, stream: 0, offset }), &[], &[len]);
    assert_eq!(draw(0, 12)[8..], draw(8, 4));
    assert_ne!(draw(0, 4), draw(4, 4));
}
