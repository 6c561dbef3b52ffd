//! Numbers worked out by hand: the reference itself has no other reference.

mod launch;

use launch::{Given, assert_near, run, run_one};
use stylegan_tensor::conformance::{read_f64, upload};
use stylegan_tensor::{
    AffineResample, Backend, Binary, Conv2d, DType, Kernel, Reduce, Reference, Unary, Upfirdn2d, View,
};

fn convolution(stride: usize, padding: [usize; 4]) -> Conv2d {
    Conv2d { stride, padding, algorithm: None }
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
    let y = run_one(Kernel::Conv2d(convolution(1, [0; 4])), &[(&[1, 1, 3, 2], &x), (&[1, 2, 2, 2], &w)], &[1, 1, 2, 2]);
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

/// One row of pixels at the places `scale · j + shift`.
fn looked_up(x: &[f64], p: (usize, &[f64], bool), [scale, shift]: [f64; 2], count: usize) -> Vec<f64> {
    let (up, taps, reflect) = p;
    let kernel = Kernel::AffineResample(AffineResample { up, taps: taps.to_vec(), reflect });
    let m = [0.0, 0.0, 0.0, 0.0, scale, shift];
    run_one(kernel, &[(&[1, 1, x.len(), 1], x), (&[1, 2, 3], &m)], &[1, 1, count, 1])
}

#[test]
fn one_tap_is_bilinear_interpolation_with_zeros_outside() {
    let y = looked_up(&[1.0, 2.0, 4.0], (1, &[1.0], false), [0.5, -1.0], 9);
    assert_near(&y, &[0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 2.0, 0.0]);
}

#[test]
fn reflection_repeats_the_image_once_on_each_side_without_its_border() {
    let y = looked_up(&[1.0, 2.0, 4.0], (1, &[1.0], true), [1.0, -3.0], 9);
    assert_near(&y, &[0.0, 4.0, 2.0, 1.0, 2.0, 4.0, 2.0, 1.0, 0.0]);
}

#[test]
fn taps_are_samples_of_the_filter_around_its_centre() {
    // Between two pixels lies one sample: 0.25 · 1 + 0.75 · 2. The filter sees a pixel after its place by its first taps.
    let y = looked_up(&[1.0, 2.0], (2, &[0.75, 1.0, 0.25], false), [1.0, 0.5], 1);
    assert_near(&y, &[0.25 * 1.0 + 0.75 * 2.0]);
}

#[test]
fn negative_padding_crops_and_taps_are_not_flipped() {
    // The first column is cropped; then 1·x[j] + 10·x[j + 1]. Rows see the same taps: one row, padded below.
    let y =
        run_one(resample(1, 1, &[1.0, 10.0], [0, 1, -1, 0]), &[(&[1, 1, 4, 1], &[7.0, 1.0, 2.0, 3.0])], &[1, 1, 2, 1]);
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
    let (column, row): (Given, Given) = ((&[2, 1], &[1.0, 2.0]), (&[3], &[2.0, 1.0, 0.0]));
    let pair = |op| run_one(Kernel::Binary(op), &[column, row], &[2, 3]);
    assert_near(&pair(Binary::Sub), &[-1.0, 0.0, 1.0, 0.0, 1.0, 2.0]);
    assert_near(&pair(Binary::Greater), &[0.0, 0.0, 1.0, 0.0, 1.0, 1.0]);
    assert_near(&pair(Binary::GreaterEqual), &[0.0, 1.0, 1.0, 1.0, 1.0, 1.0]);
    assert_near(&pair(Binary::Equal), &[0.0, 1.0, 0.0, 1.0, 0.0, 0.0]);
    assert_near(&pair(Binary::Maximum), &[2.0, 1.0, 1.0, 2.0, 2.0, 2.0]);
}

#[test]
fn reductions_run_over_the_named_axes() {
    let x: Given = (&[2, 3], &[1.0, 5.0, 3.0, 4.0, 2.0, 6.0]);
    let reduce = |op, axis| Kernel::Reduce { op, axes: vec![axis] };
    assert_near(&run_one(reduce(Reduce::Sum, 0), &[x], &[3]), &[5.0, 7.0, 9.0]);
    assert_near(&run_one(reduce(Reduce::Mean, 1), &[x], &[2, 1]), &[3.0, 4.0]);
    assert_near(&run_one(reduce(Reduce::Max, 1), &[x], &[2]), &[5.0, 6.0]);
}

#[test]
fn bias_activation_and_noise_act_per_channel() {
    let x: Given = (&[1, 1, 2, 2], &[1.0, -3.0, -1.0, 2.0]);
    let act = run_one(Kernel::BiasAct { alpha: 0.2 }, &[x, (&[2], &[-2.0, 3.0])], x.0);
    assert_near(&act, &[-0.2, 0.0, -0.6, 5.0]);
    let gradient = run_one(Kernel::BiasActGrad { alpha: 0.2 }, &[(x.0, &[1.0; 4]), (x.0, &act)], x.0);
    assert_near(&gradient, &[0.2, 1.0, 0.2, 1.0]);
    let noisy = run_one(
        Kernel::NoiseBiasAct { alpha: 0.2 },
        &[x, (&[1, 1, 2, 1], &[1.0, 2.0]), (&[2], &[10.0, 100.0]), (&[2], &[-16.0, 1.0])],
        x.0,
    );
    assert_near(&noisy, &[-1.0, 98.0, 3.0, 203.0]);
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
fn nothing_has_a_sum_and_a_mean_but_no_largest_element() {
    let reduce = |op| run(Kernel::Reduce { op, axes: vec![0] }, &[(&[0, 2], &[])], &[&[2]]);
    assert_eq!(reduce(Reduce::Sum).unwrap()[0], [0.0, 0.0]);
    assert!(reduce(Reduce::Mean).unwrap()[0].iter().all(|mean| mean.is_nan()));
    let error = reduce(Reduce::Max).unwrap_err();
    assert_eq!(error.to_string(), "reduce: operands must have elements, got [[0, 2]]");
}
