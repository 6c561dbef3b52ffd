//! The matrix product against plain f64 loops.

use stylegan_cpu_kernels::matmul::matmul;

mod values;
use values::{assert_same_bits, numbers};

#[derive(Clone, Copy, Debug)]
struct Case {
    batch: usize,
    size: [usize; 3],
    batches: [usize; 2],
    transposed: [bool; 2],
}

impl Case {
    fn operands(&self) -> [Vec<f32>; 3] {
        let [m, k, n] = self.size;
        [numbers(self.batches[0] * m * k, 1), numbers(self.batches[1] * k * n, 2), numbers(self.batch * m * n, 3)]
    }

    fn compute(&self, accumulate: bool) -> Vec<f32> {
        let ([m, k, n], [a, b, mut y]) = (self.size, self.operands());
        let ([batch_a, batch_b], [transpose_a, transpose_b]) = (self.batches, self.transposed);
        matmul(self.batch, m, k, n, &a, batch_a, transpose_a, &b, batch_b, transpose_b, &mut y, accumulate);
        y
    }

    fn reference(&self, accumulate: bool) -> Vec<f64> {
        let ([m, k, n], [a, b, y]) = (self.size, self.operands());
        let mut out = Vec::new();
        for (at, before) in y.iter().enumerate() {
            let (x, i, j) = (at / (m * n), at / n % m, at % n);
            let (a, b) = (&a[x % self.batches[0] * m * k..], &b[x % self.batches[1] * k * n..]);
            let product = |p: usize| {
                let a = a[if self.transposed[0] { p * m + i } else { i * k + p }];
                let b = b[if self.transposed[1] { j * k + p } else { p * n + j }];
                f64::from(a) * f64::from(b)
            };
            let sum = (0..k).map(product).sum::<f64>();
            out.push(if accumulate { sum + f64::from(*before) } else { sum });
        }
        out
    }
}

fn cases() -> Vec<Case> {
    let sizes = [
        [1, 1, 1],
        [1, 5, 7],
        [7, 0, 3],
        [0, 3, 3],
        [3, 3, 0],
        [5, 300, 1],
        [17, 33, 65],
        [300, 20, 140],
        [2500, 3, 64],
        [1100, 64, 3],
        [1030, 40, 2],
        [7, 2051, 515],
        [16, 512, 600],
        [2, 300, 260],
    ];
    let mut cases = Vec::new();
    for size in sizes {
        for [batch, batch_a, batch_b] in [[1, 1, 1], [3, 3, 3], [3, 1, 3], [3, 3, 1], [2, 1, 1]] {
            for transposed in [[false, false], [true, false], [false, true], [true, true]] {
                cases.push(Case { batch, size, batches: [batch_a, batch_b], transposed });
            }
        }
    }
    cases
}

#[test]
fn products_agree_with_the_definition() {
    for case in cases() {
        for accumulate in [false, true] {
            let found = case.compute(accumulate);
            // A running sum of k products below 1 in size is about √k, so k roundings to 24 bits add up to about
            // √k · √k · 2⁻²⁴.
            let tolerance = 2.0 * (case.size[1] as f64 + 8.0) / f64::from(1 << 24);
            for (i, (&found, expected)) in found.iter().zip(case.reference(accumulate)).enumerate() {
                assert!(
                    (f64::from(found) - expected).abs() <= tolerance,
                    "element {i}: expected {expected}, found {found}; {case:?}"
                );
            }
        }
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    for case in cases() {
        assert_same_bits(&format!("{case:?}"), || case.compute(true));
    }
}

#[test]
#[should_panic(expected = "matmul writes [1, 2, 2]")]
fn a_result_of_the_wrong_length_is_named() {
    matmul(1, 2, 2, 2, &[0.0; 4], 1, false, &[0.0; 4], 1, false, &mut [0.0; 3], false);
}
