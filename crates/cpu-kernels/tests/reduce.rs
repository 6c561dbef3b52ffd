mod values;

use stylegan_cpu_kernels::reduce::reduce;
use stylegan_tensor::Reduce;
use values::{assert_close, values};

#[test]
fn reductions_agree_with_loops_for_every_choice_of_axes() {
    for shape in [[3, 70, 5, 33], [40, 1, 900, 3], [2, 3, 4, 5000], [900, 2, 31, 1]] {
        let x = values(1, shape.iter().product());
        for which in 0..16 {
            let axes: Vec<usize> = (0..4).filter(|axis| which >> axis & 1 == 1).collect();
            let kept: Vec<usize> = (0..4).filter(|axis| !axes.contains(axis)).collect();
            let len = kept.iter().map(|&axis| shape[axis]).product();
            let (mut sums, mut largest) = (vec![0.0; len], vec![f64::NEG_INFINITY; len]);
            for (i, &x) in x.iter().enumerate() {
                let index = |axis: usize| i / shape[axis + 1..].iter().product::<usize>() % shape[axis];
                let at = kept.iter().fold(0, |at, &axis| at * shape[axis] + index(axis));
                sums[at] += f64::from(x);
                largest[at] = largest[at].max(f64::from(x));
            }
            let count = (x.len() / len) as f64;
            let mut y = vec![f32::NAN; len];
            reduce(Reduce::Sum, &x, &shape, &axes, &mut y);
            // Chains of some hundred additions, each to a random sum of about their square root.
            assert_close(&y, &sums, 3e-6);
            reduce(Reduce::Mean, &x, &shape, &axes, &mut y);
            assert_close(&y, &sums.iter().map(|sum| sum / count).collect::<Vec<_>>(), 3e-6);
            reduce(Reduce::Max, &x, &shape, &axes, &mut y);
            assert_close(&y, &largest, 0.0);
        }
    }
}

#[test]
fn long_sums_of_one_sign_keep_their_accuracy() {
    let mut y = [0.0];
    // One after another in f32, a million additions of 0.1 make 100958.3.
    reduce(Reduce::Sum, &vec![0.1; 1_000_000], &[1_000_000], &[0], &mut y);
    assert!((y[0] - 1e5).abs() < 0.1, "{}", y[0]);
}

#[test]
fn the_sum_of_nothing_is_zero() {
    let mut y = [f32::NAN; 3];
    reduce(Reduce::Sum, &[], &[0, 3], &[0], &mut y);
    assert_eq!(y, [0.0; 3]);
}
