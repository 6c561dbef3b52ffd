mod values;

use stylegan_cpu_kernels::normalize::{Image, adain, adain_input_grad, adain_style_grad};
use stylegan_cpu_kernels::stddev::{Groups, minibatch_stddev, minibatch_stddev_grad};
use values::{assert_close, values};

#[test]
fn a_constant_map_becomes_its_bias_exactly() {
    // 0.1 is no f32, and neither are its sums over 9999 pixels: a mean with an error would be blown up by 1/√ε.
    let image = Image { pixels: 9999, channels: 3 };
    let (mut y, mut stats) = (vec![f32::NAN; 9999 * 3], vec![f32::NAN; 6]);
    adain(image, &vec![0.1; 9999 * 3], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &mut y, &mut stats);
    assert_eq!(stats, [0.1, 0.1, 0.1, 1e4, 1e4, 1e4]);
    assert!(y.chunks(3).all(|pixel| pixel == [4.0, 5.0, 6.0]));
}

#[test]
fn normalised_maps_have_the_styles_deviation_and_mean() {
    let image = Image { pixels: 3000, channels: 19 };
    let x: Vec<f32> = values(1, 2 * 3000 * 19).iter().map(|x| 100.0 + x).collect();
    let style = values(2, 2 * 2 * 19);
    let (mut y, mut stats) = (vec![f32::NAN; x.len()], vec![f32::NAN; 4 * 19]);
    adain(image, &x, &style, &mut y, &mut stats);
    for n in 0..2 {
        for c in 0..19 {
            let map: Vec<f64> = (0..3000).map(|i| f64::from(y[(n * 3000 + i) * 19 + c])).collect();
            let mean = map.iter().sum::<f64>() / 3000.0;
            let deviation = (map.iter().map(|y| (y - mean).powi(2)).sum::<f64>() / 3000.0).sqrt();
            let (scale, bias) = (style[n * 38 + c], style[n * 38 + 19 + c]);
            // x − μ has an error of half a unit in the last place of 100, 4e-6, for a deviation of 0.58.
            assert!((mean - f64::from(bias)).abs() < 2e-5, "{mean} {bias}");
            assert!((deviation - f64::from(scale + 1.0).abs()).abs() < 2e-5);
        }
    }
}

#[test]
fn statistics_do_not_depend_on_where_a_map_is_cut() {
    // Blocks are 963 pixels of 17 channels: their own means lie far from the map's, up to 90 deviations of a block.
    let image = Image { pixels: 5000, channels: 17 };
    let x: Vec<f32> = values(1, 5000 * 17).iter().enumerate().map(|(i, x)| x + (i / 17 / 963) as f32 * 20.0).collect();
    let (mut y, mut stats) = (vec![f32::NAN; x.len()], vec![f32::NAN; 34]);
    adain(image, &x, &[0.0; 34], &mut y, &mut stats);
    for c in 0..17 {
        let map = || (0..5000).map(|i| f64::from(x[i * 17 + c]));
        let mean = map().sum::<f64>() / 5000.0;
        let rsqrt = 1.0 / (map().map(|x| (x - mean).powi(2)).sum::<f64>() / 5000.0 + 1e-8).sqrt();
        // One rounding to f32 each, and those of the squares, which are summed in f64.
        assert!((f64::from(stats[c]) / mean - 1.0).abs() < 6e-8);
        assert!((f64::from(stats[17 + c]) / rsqrt - 1.0).abs() < 1.2e-7, "{} {rsqrt}", stats[17 + c]);
    }
}

/// The sum of `a · b` in f64.
fn dot(a: &[f32], b: &[f32]) -> f64 {
    a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum()
}

#[test]
fn the_adjoints_match_differences_of_the_forward_kernel() {
    let image = Image { pixels: 400, channels: 17 };
    let len = 3 * 400 * 17;
    let (x, style, g) = (values(1, len), values(2, 3 * 34), values(3, len));
    let forward = |x: &[f32], style: &[f32]| {
        let (mut y, mut stats) = (vec![0.0; len], vec![0.0; 3 * 34]);
        adain(image, x, style, &mut y, &mut stats);
        (y, stats)
    };
    let stats = forward(&x, &style).1;
    let moved =
        |x: &[f32], by: &[f32], step: f32| -> Vec<f32> { x.iter().zip(by).map(|(x, by)| x + step * by).collect() };
    let step = 1e-2;
    let (mut dx, mut dstyle) = (vec![f32::NAN; len], vec![f32::NAN; 3 * 34]);
    adain_input_grad(image, &g, &x, &style, &stats, &mut dx);
    adain_style_grad(image, &g, &x, &stats, &mut dstyle);
    // A direction along the gradient itself makes the derivative large beside the noise of f32.
    let along = |y: &[f32], z: &[f32]| (dot(&g, y) - dot(&g, z)) / (2.0 * f64::from(step));
    let by_x = along(&forward(&moved(&x, &dx, step), &style).0, &forward(&moved(&x, &dx, -step), &style).0);
    let by_style = along(&forward(&x, &moved(&style, &dstyle, step)).0, &forward(&x, &moved(&style, &dstyle, -step)).0);
    // The error of a central difference is step² times the third derivative, here about 1e-4 of the first.
    assert!((by_x / dot(&dx, &dx) - 1.0).abs() < 1e-3, "{by_x} {}", dot(&dx, &dx));
    assert!((by_style / dot(&dstyle, &dstyle) - 1.0).abs() < 1e-4, "the style enters linearly");
}

#[test]
fn deviations_are_taken_over_the_images_of_a_group() {
    // Two groups of three: images 0, 2, 4 and 1, 3, 5.
    let groups = Groups { count: 2, size: 3, image: 5000 };
    let x = values(1, 6 * 5000);
    let moments = |m: usize, i: usize| {
        let element = |k: usize| f64::from(x[(m + 2 * k) * 5000 + i]);
        let mean = (element(0) + element(1) + element(2)) / 3.0;
        let variance = (0..3).map(|k| (element(k) - mean).powi(2)).sum::<f64>() / 3.0;
        (mean, (variance + 1e-8).sqrt())
    };
    let expected = [0, 1].map(|m| (0..5000).map(|i| moments(m, i).1).sum::<f64>() / 5000.0);
    let mut s = [f32::NAN; 2];
    minibatch_stddev(groups, &x, &mut s);
    // Each deviation has an error of a few roundings; their mean has less.
    assert_close(&s, &expected, 3e-7);

    let mut dx = vec![f32::NAN; x.len()];
    minibatch_stddev_grad(groups, &[2.0, -1.0], &x, &mut dx);
    let expected: Vec<f64> = (0..x.len())
        .map(|at| {
            let (m, i) = (at / 5000 % 2, at % 5000);
            let (mean, deviation) = moments(m, i);
            [2.0, -1.0][m] * (f64::from(x[at]) - mean) / (deviation * 15_000.0)
        })
        .collect();
    // Where three values lie close together, the rounding of their mean is a larger part of x − μ.
    assert_close(&dx, &expected, 1e-5);
}
