//! ⟨A x, y⟩ = ⟨x, A′ y⟩ for every pair of kernels that are adjoints of each other.

mod launch;

use launch::run_one;
use stylegan_tensor::conformance::{read_f64, upload};
use stylegan_tensor::{AffineResample, Backend, Conv2d, DType, Kernel, Position, Reference, Upfirdn2d, View};

fn random(seed: u64, shape: &[usize]) -> Vec<f64> {
    run_one(Kernel::Normal(Position { seed, ..Position::default() }), &[], shape)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Both sides are sums of the same products in f64.
fn assert_adjoint(left: f64, right: f64) {
    assert!((left - right).abs() < 1e-10 * left.abs().max(1.0), "{left} is not {right}");
    assert_ne!(left, 0.0, "the test says something");
}

#[test]
fn the_three_convolutions_are_adjoints_of_each_other() {
    for (stride, padding, kernel) in [
        (1, [1; 4], [3, 3]),
        (2, [1; 4], [4, 4]),
        (2, [0, 1, 2, 0], [3, 2]),
        (3, [1, 0, 0, 2], [2, 2]),
        (1, [0; 4], [1, 1]),
        (1, [3; 4], [2, 1]),
    ] {
        let p = Conv2d { stride, padding, algorithm: None };
        let (x, w) = ([2, 7, 6, 3], [kernel[0], kernel[1], 3, 4]);
        let height = p.output_size(x[1], w[0], padding[0], padding[1]).expect("the filter fits");
        let width = p.output_size(x[2], w[1], padding[2], padding[3]).expect("the filter fits");
        let y = [2, height, width, 4];
        let (xs, ws, ys) = (random(1, &x), random(2, &w), random(3, &y));
        let forward = run_one(Kernel::Conv2d(p), &[(&x, &xs), (&w, &ws)], &y);
        let to_x = run_one(Kernel::Conv2dTranspose(p), &[(&y, &ys), (&w, &ws)], &x);
        let to_w = run_one(Kernel::Conv2dWeightGrad(p), &[(&x, &xs), (&y, &ys)], &w);
        assert_adjoint(dot(&forward, &ys), dot(&xs, &to_x));
        assert_adjoint(dot(&forward, &ys), dot(&ws, &to_w));
    }
}

/// Swap the factors and flip the taps. `x[j]` meets `y[i]` at tap `up·j − down·i + before`, which from the end is tap
/// `down·i − up·j + k − 1 − before`; what is added after makes the result as large as x.
fn adjoint(p: &Upfirdn2d, x: [usize; 2], y: [usize; 2]) -> Upfirdn2d {
    let last = p.taps.len() as isize - 1;
    let after = |x: usize, y: usize, before: isize| ((x - 1) * p.up) as isize + 1 + before - (y * p.down) as isize;
    let [top, _, left, _] = p.padding;
    Upfirdn2d {
        up: p.down,
        down: p.up,
        taps: p.taps.iter().rev().copied().collect(),
        padding: [last - top, after(x[0], y[0], top), last - left, after(x[1], y[1], left)],
    }
}

#[test]
fn resampling_is_its_own_adjoint_with_swapped_factors_and_flipped_taps() {
    let cases: [(usize, usize, &[f64], [isize; 4]); 8] = [
        (1, 1, &[0.25, 0.5, 0.25], [1; 4]),
        (2, 1, &[1.0, 1.0], [1, 0, 1, 0]),
        (1, 2, &[0.5, 0.5], [0; 4]),
        (1, 1, &[0.1, 0.2, 0.7], [2, 0, 0, 2]),
        (2, 1, &[0.25, 0.75, 0.75, 0.3], [2, 1, 2, 1]),
        (1, 2, &[0.1, 0.3, 0.4, 0.2], [1, 2, 0, 1]),
        (3, 2, &[0.1, 0.2, 0.3, 0.4, -0.5], [2, 3, 1, 4]),
        (1, 1, &[0.25, 0.5, 0.3], [-1, 2, 0, -1]),
    ];
    for (up, down, taps, padding) in cases {
        let p = Upfirdn2d { up, down, taps: taps.to_vec(), padding };
        let height = p.output_size(7, padding[0], padding[1]).expect("something is left");
        let width = p.output_size(6, padding[2], padding[3]).expect("something is left");
        let (x, y) = ([2, 7, 6, 3], [2, height, width, 3]);
        let back = adjoint(&p, [7, 6], [height, width]);
        let sizes = [
            back.output_size(height, back.padding[0], back.padding[1]),
            back.output_size(width, back.padding[2], back.padding[3]),
        ];
        assert_eq!(sizes, [Some(7), Some(6)], "{p:?}");
        let (xs, ys) = (random(1, &x), random(2, &y));
        let forward = run_one(Kernel::Upfirdn2d(p), &[(&x, &xs)], &y);
        let backward = run_one(Kernel::Upfirdn2d(back), &[(&y, &ys)], &x);
        assert_adjoint(dot(&forward, &ys), dot(&xs, &backward));
    }
}

#[test]
fn looking_up_through_affine_maps_and_its_transpose_are_adjoints() {
    let rotation = [0.4, 0.3, -1.0, -0.3, 0.4, 2.0];
    let singular = [0.5, 0.25, 0.0, 1.0, 0.5, 1.0];
    let m = [rotation, singular].concat();
    let (x, y) = ([2, 7, 6, 3], [2, 9, 11, 3]);
    for (up, taps) in [(1, vec![1.0]), (2, vec![0.1, -0.2, 0.5, 1.0, 0.5, -0.1]), (3, vec![0.5, 0.9, 0.6, 0.2])] {
        for reflect in [false, true] {
            let p = AffineResample { up, taps: taps.clone(), reflect };
            let (xs, ys) = (random(1, &x), random(2, &y));
            let forward = run_one(Kernel::AffineResample(p.clone()), &[(&x, &xs), (&[2, 2, 3], &m)], &y);
            let backward = run_one(Kernel::AffineResampleTranspose(p), &[(&y, &ys), (&[2, 2, 3], &m)], &x);
            assert_adjoint(dot(&forward, &ys), dot(&xs, &backward));
        }
    }
}

#[test]
fn scattering_rows_is_the_adjoint_of_gathering_them() {
    let device = Reference::device(usize::MAX);
    let rows = [2.0, 0.0, 2.0, 2.0, 4.0];
    let (table, y) = (random(1, &[5, 3]), random(2, &[5, 3]));
    let picks = device.allocate("rows", 5, DType::I32).expect("there is memory");
    stylegan_tensor::conformance::write_f64(&device, &picks, &rows);
    let picks = View { storage: picks, shape: vec![5] };
    let apply = |kernel, values: &[f64]| {
        let x = upload(&device, values, [5, 3]).expect("there is memory");
        let y = upload(&device, &[0.0; 15], [5, 3]).expect("there is memory");
        device.launch(kernel, &[&x, &picks], &[&y], false).expect("it is enqueued");
        read_f64(&device, &y.storage).expect("the kernel runs")
    };
    let (gathered, scattered) = (apply(Kernel::GatherRows, &table), apply(Kernel::ScatterRows, &y));
    assert_eq!(gathered[..3], table[6..9]);
    assert_adjoint(dot(&gathered, &y), dot(&table, &scattered));
}

#[test]
fn a_row_outside_of_the_table_is_named() {
    let given: [launch::Given; 2] = [(&[2, 1], &[1.0, 2.0]), (&[1], &[2.0])];
    let error = launch::run(Kernel::GatherRows, &given, &[&[1, 1]]).expect_err("there is no row 2");
    assert_eq!(error.to_string(), "gather_rows: the device failed: rows must be in 0..2, got 2");
}
