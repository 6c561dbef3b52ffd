//! Numbers worked out by hand for normalisation, optimiser and random numbers, and their gradients by differences.

mod launch;

use launch::{assert_near, run, run_one};
use stylegan_tensor::conformance::{read_f64, upload};
use stylegan_tensor::{AdamStep, Backend, Kernel, Position, Reference, View};

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
fn adam_averages_but_takes_no_step_if_a_gradient_is_not_finite_and_counts_it() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_near(&adam(bad, [5.0, 2.0]), &[1.0, 4.0, 8.0, 5.0, 3.0, 1.9]);
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
