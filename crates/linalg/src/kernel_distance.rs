//! The kernel distance.

use crate::Result;
use crate::error::argument;
use crate::random::Random;
use crate::rows::{Columns, Rows};

/// Squared maximum mean discrepancy over subsets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct KernelDistance {
    /// The mean over the subsets: KID.
    pub mean: f64,
    /// Their standard deviation (divided by their number).
    pub deviation: f64,
}

/// More subsets take days and tell nothing more.
const MOST_SUBSETS: usize = 1_000_000;

/// KID (Bińkowski et al. 2018): the unbiased squared maximum mean discrepancy with the kernel (x·y / width + 1)³, averaged
/// over `subsets` random subsets of `size` rows of each set, without replacement, or of all rows of the smaller set.
///
/// # Errors
///
/// Rows that are not finite or do not fit the width; fewer than 2 rows in a subset; no subsets.
pub fn kernel_distance(
    x: &[f32],
    y: &[f32],
    width: usize,
    subsets: usize,
    size: usize,
    random: Random,
) -> Result<KernelDistance> {
    let (x, y) = (Rows::new("the first features", x, width)?, Rows::new("the second features", y, width)?);
    let size = size.min(x.count()).min(y.count());
    if size < 2 || !(1..=MOST_SUBSETS).contains(&subsets) {
        let (m, n) = (x.count(), y.count());
        return argument(format!(
            "kernelDistance: from 1 to {MOST_SUBSETS} subsets of at least 2 rows are expected, got {subsets} of {size}, from {m} and {n} rows"
        ));
    }
    let zero = vec![0.0; width];
    let mut products = Vec::new();
    let distances: Vec<f64> = (0..subsets as u64)
        .map(|subset| {
            let a = x.columns(random.choose(2 * subset, x.count(), size).into_iter(), &zero);
            let b = y.columns(random.choose(2 * subset + 1, y.count(), size).into_iter(), &zero);
            let mut sum = |a: &Columns, b: &Columns, diagonal: bool| {
                a.products(b, &mut products);
                kernel_sum(&products, size, width, diagonal)
            };
            let n = size as f64;
            (sum(&a, &a, false) + sum(&b, &b, false)) / (n * (n - 1.0)) - 2.0 * sum(&a, &b, true) / (n * n)
        })
        .collect();
    let mean = distances.iter().sum::<f64>() / subsets as f64;
    let variance = distances.iter().map(|value| (value - mean) * (value - mean)).sum::<f64>() / subsets as f64;
    Ok(KernelDistance { mean, deviation: variance.sqrt() })
}

/// Σ (x·y / width + 1)³ over `[size, size]` pairs, those of a row with itself only if `diagonal`.
fn kernel_sum(products: &[f64], size: usize, width: usize, diagonal: bool) -> f64 {
    let kernel = |product: &f64| (product / width as f64 + 1.0).powi(3);
    let sum = |(j, column): (usize, &[f64])| {
        let all: f64 = column.iter().map(kernel).sum();
        if diagonal { all } else { all - kernel(&column[j]) }
    };
    products.chunks_exact(size).enumerate().map(sum).sum()
}
