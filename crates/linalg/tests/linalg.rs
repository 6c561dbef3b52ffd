//! What the numbers must be whatever the data; against NumPy, SciPy and scikit-learn they are compared in `__test__`.

use rayon::ThreadPoolBuilder;
use stylegan_linalg::{
    CovarianceRule, Descriptors, FeatureStatistics, Gaussian, Neighbourhoods, Random, SetOfImages, SvmOptions,
    frechet_distance, kernel_distance, linear_svm, neighbourhoods, sliced_wasserstein,
};
use stylegan_tensor::{Position, uniform_from_bits};

fn philox(stream: u64, block: u64) -> [u32; 4] {
    Position { seed: 3, stream, offset: 0 }.block(block)
}

/// Sums of four uniforms, of deviation about 0.58.
fn features(rows: usize, width: usize, stream: u64) -> Vec<f32> {
    let value = |i| philox(stream, i).map(uniform_from_bits).iter().sum::<f32>() - 2.0;
    (0..(rows * width) as u64).map(value).collect()
}

fn statistics(rows: &[f32], width: usize) -> FeatureStatistics {
    let mut statistics = FeatureStatistics::new(width).unwrap();
    statistics.add(rows).unwrap();
    statistics
}

fn on_threads<T: Send>(count: usize, work: impl FnOnce() -> T + Send) -> T {
    ThreadPoolBuilder::new().num_threads(count).build().unwrap().install(work)
}

#[test]
fn a_covariance_of_ten_thousand_rows_with_large_means_equals_that_of_the_rows_less_the_mean() {
    let (count, width) = (10_000, 3);
    // Eighths are exact beside 2¹⁷ in f32: the rows differ by the shift and by nothing else.
    let centred: Vec<f32> = features(count, width, 0).iter().map(|value| (value * 8.0).round() / 8.0).collect();
    let shifted: Vec<f32> = centred.iter().map(|value| value + 131_072.0).collect();
    let [a, b] =
        [&centred, &shifted].map(|rows| statistics(rows, width).covariance(CovarianceRule::NMinusOne).unwrap());
    // f64 has 1e-16 · 2¹⁷ for a row; the covariance averages it.
    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-11), "{a:?} {b:?}");
}

#[test]
fn statistics_of_any_number_of_threads_have_the_same_bits() {
    let rows = features(1500, 70, 0);
    let of = |threads| on_threads(threads, || statistics(&rows, 70).save());
    assert!(of(1) == of(2));
    assert!(of(1) == of(3));
}

#[test]
fn the_frechet_distance_of_a_scaled_distribution_is_the_trace_times_the_squared_difference() {
    let width = 40;
    for rows in [15, 400] {
        let covariance = statistics(&features(rows, width, 0), width).covariance(CovarianceRule::N).unwrap();
        let larger: Vec<f64> = covariance.iter().map(|value| value * 9.0).collect();
        let mean = vec![0.0; width];
        let distance = frechet_distance(
            Gaussian { mean: &mean, covariance: &covariance },
            Gaussian { mean: &mean, covariance: &larger },
        );
        let trace: f64 = (0..width).map(|i| covariance[i * (width + 1)]).sum();
        // Σ (3√λ − √λ)²; zero eigenvalues of 15 rows come out as 1e-16, their roots as 1e-8.
        assert!((distance.unwrap() / trace - 4.0).abs() < 1e-7, "{rows} rows");
    }
}

#[test]
fn the_unbiased_kernel_distance_of_one_distribution_is_zero_within_its_deviation() {
    let (x, y) = (features(2000, 8, 0), features(2000, 8, 1));
    let found = kernel_distance(&x, &y, 8, 50, 200, Random::new(&philox)).unwrap();
    assert!(found.mean.abs() < 4.0 * found.deviation / 50f64.sqrt(), "{found:?}");
    let moved: Vec<f32> = y.iter().map(|value| value + 0.3).collect();
    let found = kernel_distance(&x, &moved, 8, 50, 200, Random::new(&philox)).unwrap();
    assert!(found.mean > 10.0 * found.deviation / 50f64.sqrt(), "{found:?}");
}

/// By the definition, over all pairs.
fn neighbourhoods_of_all_pairs(real: &[f32], fake: &[f32], width: usize, k: usize) -> Neighbourhoods {
    let distance =
        |a: &[f32], b: &[f32]| -> f64 { a.iter().zip(b).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2)).sum() };
    let radii = |rows: &[f32]| -> Vec<f64> {
        let radius = |a: &[f32]| {
            let mut all: Vec<f64> = rows.chunks_exact(width).map(|b| distance(a, b)).collect();
            all.sort_by(f64::total_cmp);
            all[k]
        };
        rows.chunks_exact(width).map(radius).collect()
    };
    let (of_real, of_fake) = (radii(real), radii(fake));
    let (m, n) = (of_real.len(), of_fake.len());
    let (mut precise, mut recalled, mut balls, mut covered) = (vec![false; n], vec![false; m], 0, vec![false; m]);
    for (i, a) in real.chunks_exact(width).enumerate() {
        for (j, b) in fake.chunks_exact(width).enumerate() {
            let distance = distance(a, b);
            precise[j] |= distance <= of_real[i];
            recalled[i] |= distance <= of_fake[j];
            balls += usize::from(distance < of_real[i]);
            covered[i] |= distance < of_real[i];
        }
    }
    let share = |rows: &[bool]| rows.iter().filter(|&&row| row).count() as f64 / rows.len() as f64;
    Neighbourhoods {
        precision: share(&precise),
        recall: share(&recalled),
        density: balls as f64 / (k * n) as f64,
        coverage: share(&covered),
    }
}

#[test]
fn neighbourhoods_over_blocks_are_those_of_all_pairs() {
    let (m, n, width, k) = (1100, 1300, 3, 3);
    let real = features(m, width, 0);
    let fake: Vec<f32> = features(n, width, 1).iter().map(|value| value * 1.5 + 0.4).collect();
    let found = neighbourhoods(&real, &fake, width, k, k).unwrap();
    assert_eq!(found, neighbourhoods_of_all_pairs(&real, &fake, width, k));
}

#[test]
fn distances_that_are_equal_lie_on_the_border_of_a_ball() {
    let real = [0., 8., 8., 0., 6., 4., 5., 9., 5., 4., 6., 0.];
    let fake = [0., 8., 0., 2., 1., 10., 3., 6., 6., 3., 10., 1.];
    let found = neighbourhoods(&real, &fake, 2, 1, 1).unwrap();
    assert_eq!((found.density, found.coverage), (5.0 / 6.0, 2.0 / 6.0));
    // Distances of points of a grid are exact in f64, and many are equal.
    for round in 0..200 {
        let (rows, width, k) = (6 + round % 30, 1 + round % 5, 1 + round % 4);
        let grid = |stream| -> Vec<f32> {
            features(rows, width, 2 * round as u64 + stream).iter().map(|v| (v * 3.0).round() / 4.0).collect()
        };
        let (real, fake) = (grid(0), grid(1));
        let found = neighbourhoods(&real, &fake, width, k, k).unwrap();
        assert_eq!(found, neighbourhoods_of_all_pairs(&real, &fake, width, k), "round {round}");
    }
}

#[test]
fn the_order_of_coordinates_moves_no_distance() {
    let width = 600;
    let point: Vec<f32> = features(1, width, 9);
    for by in 1..50 {
        // Both reals are equally far from the fake one at 0; the ball around it reaches to the fake that equals the first.
        let turned = [&point[by..], &point[..by]].concat();
        let far = vec![100.0; width];
        let real = [turned, far].concat();
        let fake = [vec![0.0; width], point.clone()].concat();
        let found = neighbourhoods(&real, &fake, width, 1, 1).unwrap();
        assert_eq!(found.recall, 0.5, "turned by {by}");
    }
}

#[test]
fn the_gradient_of_the_support_vector_machine_is_zero_at_its_solution() {
    let (rows, width) = (500, 11);
    let samples = features(rows, width, 0);
    let labels: Vec<u8> = samples.chunks_exact(width).map(|x| u8::from(x[0] + 2.0 * x[1] * x[2] > 0.2)).collect();
    for c in [0.1, 1.0] {
        let options = SvmOptions { c, tolerance: 1e-10, max_iterations: 1_000_000 };
        let found = linear_svm(&samples, &labels, width, options, Random::new(&philox)).unwrap();
        assert!(found.converged);
        let mut gradient = [&found.weights[..], &[found.bias]].concat();
        for (x, label) in samples.chunks_exact(width).zip(&labels) {
            let y = f64::from(*label) * 2.0 - 1.0;
            let score = x.iter().zip(&found.weights).map(|(x, w)| f64::from(*x) * w).sum::<f64>() + found.bias;
            let slope = 2.0 * c * (1.0 - y * score).max(0.0) * y;
            x.iter().enumerate().for_each(|(j, x)| gradient[j] -= slope * f64::from(*x));
            gradient[width] -= slope;
        }
        // Each of 500 samples is within 1e-10 of its condition.
        assert!(gradient.iter().all(|value| value.abs() < 1e-6), "{gradient:?}");
    }
}

#[test]
fn descriptors_of_any_number_of_threads_give_the_same_distance() {
    let pixels = |stream, bytes: u64| -> Vec<u8> { (0..bytes).map(|i| philox(stream, i)[0] as u8).collect() };
    // 128 x 128 keeps descriptors, the levels below keep images.
    let of = |threads| {
        on_threads(threads, || {
            let sets = [(SetOfImages::Reals, 0), (SetOfImages::Fakes, 1)].map(|(set, stream)| {
                let mut descriptors = Descriptors::new(set, 128, 1, Box::new(philox)).unwrap();
                descriptors.add(&pixels(stream, 3 * 128 * 128)).unwrap();
                descriptors
            });
            sliced_wasserstein(&sets[0], &sets[1], Random::new(&philox)).unwrap()
        })
    };
    assert_eq!(of(1), of(2));
}
