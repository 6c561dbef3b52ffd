//! Products of a matrix with few columns, or few rows, for which `gemm` is not made. Tasks are a function of the shape alone.

use crate::isa::arch;
use crate::parallel::{BLOCK, pieces, put};
use pulp::{Simd, WithSimd};

/// Rows of a matrix that is much taller than wide.
pub(crate) const TALL: usize = 1024;
/// Rows at a time of [`few_columns`]: as many sums as hide the time that one takes.
const ROWS: usize = 8;

/// Whether a product is one of [`few_columns`]. `gemm` has another order for one column.
pub(crate) fn has_few_columns([m, n]: [usize; 2]) -> bool {
    m >= TALL && (2..=4).contains(&n)
}

/// `y [m, n] = a [m, k] · b`, added to y if `accumulate`, with 2 to 4 columns, of which `gemm` fills no register. Every
/// sum has `gemm`'s order. `b(i, j)` is an element.
pub(crate) fn few_columns(
    [k, n]: [usize; 2],
    a: &[f32],
    b: impl Fn(usize, usize) -> f32,
    y: &mut [f32],
    accumulate: bool,
) {
    few_columns_around([k, n], a, None, b, [0.0; 4], y, accumulate);
}

/// [`few_columns`] of `a − mean`, a number for each column of a; sums begin with `first`.
pub(crate) fn few_columns_around(
    [k, n]: [usize; 2],
    a: &[f32],
    mean: Option<&[f32]>,
    b: impl Fn(usize, usize) -> f32,
    first: [f32; 4],
    y: &mut [f32],
    accumulate: bool,
) {
    let b: Vec<[f32; 4]> = (0..k).map(|i| std::array::from_fn(|j| if j < n { b(i, j) } else { 0.0 })).collect();
    let rows = (BLOCK / k).max(1).next_multiple_of(ROWS);
    pieces(y, rows * n, a.len(), |start, y| {
        let a = &a[start / n * k..][..y.len() / n * k];
        let mut around = vec![0.0; if mean.is_some() { ROWS * k } else { 0 }];
        arch().dispatch(FewColumns { n, a, mean, around: &mut around, b: &b, first, y, accumulate });
    });
}

// A structure and not a closure: the compiler does not inline a closure's shim into the function that may use SIMD.
struct FewColumns<'a> {
    n: usize,
    a: &'a [f32],
    mean: Option<&'a [f32]>,
    /// Room for some rows of a less the means.
    around: &'a mut [f32],
    b: &'a [[f32; 4]],
    first: [f32; 4],
    y: &'a mut [f32],
    accumulate: bool,
}

impl WithSimd for FewColumns<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { n, a, mean, around, b, first: start, y, accumulate } = self;
        let k = b.len();
        let whole = a.len() / (ROWS * k) * ROWS;
        let (first, rest) = y.split_at_mut(whole * n);
        for (a, y) in a.chunks_exact(ROWS * k).zip(first.chunks_exact_mut(ROWS * n)) {
            let a = less(a, mean, around);
            put_rows(&row_sums::<ROWS>(a, b, start), y, n, accumulate);
        }
        for (a, y) in a[whole * k..].chunks_exact(k).zip(rest.chunks_exact_mut(n)) {
            let a = less(a, mean, around);
            put_rows(&row_sums::<1>(a, b, start), y, n, accumulate);
        }
    }
}

/// Rows less the means, if there are any.
#[inline(always)]
fn less<'a>(a: &'a [f32], mean: Option<&[f32]>, around: &'a mut [f32]) -> &'a [f32] {
    let Some(mean) = mean else { return a };
    for (a, to) in a.chunks_exact(mean.len()).zip(around.chunks_exact_mut(mean.len())) {
        for i in 0..mean.len() {
            to[i] = a[i] - mean[i];
        }
    }
    &around[..a.len()]
}

/// R rows times a matrix.
#[inline(always)]
fn row_sums<const R: usize>(a: &[f32], b: &[[f32; 4]], first: [f32; 4]) -> [[f32; 4]; R] {
    let rows: [&[f32]; R] = std::array::from_fn(|row| &a[row * b.len()..][..b.len()]);
    let mut sums = [first; R];
    for (i, b) in b.iter().enumerate() {
        for row in 0..R {
            for lane in 0..4 {
                sums[row][lane] = rows[row][i].mul_add(b[lane], sums[row][lane]);
            }
        }
    }
    sums
}

#[inline(always)]
fn put_rows(sums: &[[f32; 4]], y: &mut [f32], n: usize, accumulate: bool) {
    for (y, sums) in y.chunks_exact_mut(n).zip(sums) {
        for (y, sum) in y.iter_mut().zip(sums) {
            *y = if accumulate { *y + sum } else { *sum };
        }
    }
}

/// Rows up to which a product is one of [`few_rows`], and elements of b from which on: those that do not stay in a cache.
pub(crate) const FEW_ROWS: usize = 16;
const LARGE: usize = 1 << 20;
/// Rows of b that meet the result at a time.
const STREAMS: usize = 8;
/// Elements of b in a task, at least.
const SHARE: usize = 1 << 16;
/// Most tasks, each of which has a result of its own.
const TASKS: usize = 16;

/// `y [m, n] = a [m, k] · b [k, n]`, added to y if `accumulate`, with few rows. b is read once in the order of memory, which is
/// most of what this takes time for; tasks take blocks of its rows, and their results are added in order.
pub(crate) fn few_rows([m, k, n]: [usize; 3], a: &[f32], b: &[f32], y: &mut [f32], accumulate: bool) {
    let depth = (SHARE / n).max(k.div_ceil(TASKS)).max(1).next_multiple_of(STREAMS);
    let mut results = vec![0.0; k.div_ceil(depth) * m * n];
    pieces(&mut results, m * n, m * k * n, |start, y| {
        let first = start / (m * n) * depth;
        let b = &b[first * n..k.min(first + depth) * n];
        arch().dispatch(FewRows { k, n, a: &a[first..], b, y });
    });
    for (index, result) in results.chunks_exact(m * n).enumerate() {
        put(y, result, accumulate || index > 0);
    }
}

/// Whether a product is one of [`few_rows`].
pub(crate) fn has_few_rows([m, k, n]: [usize; 3]) -> bool {
    m == 1 || (m <= FEW_ROWS && k * n >= LARGE)
}

/// Some rows of b; row i of a begins at `i · k`.
struct FewRows<'a> {
    k: usize,
    n: usize,
    a: &'a [f32],
    b: &'a [f32],
    y: &'a mut [f32],
}

impl WithSimd for FewRows<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _: S) {
        let Self { k, n, a, b, y } = self;
        for (block, rows) in b.chunks(STREAMS * n).enumerate() {
            let factors = |row: usize| &a[row * k + block * STREAMS..][..rows.len() / n];
            for (pair, y) in y.chunks_mut(2 * n).enumerate() {
                let (first, second) = y.split_at_mut(n);
                if second.is_empty() {
                    add_rows(factors(2 * pair), rows, first);
                } else {
                    add_pair([factors(2 * pair), factors(2 * pair + 1)], rows, first, second);
                }
            }
        }
    }
}

/// `y += a · rows`.
#[inline(always)]
fn add_rows(a: &[f32], rows: &[f32], y: &mut [f32]) {
    let n = y.len();
    if let Some(a) = a.first_chunk::<STREAMS>() {
        let rows: [&[f32]; STREAMS] = std::array::from_fn(|i| &rows[i * n..][..n]);
        for j in 0..n {
            let mut sum = y[j];
            for i in 0..STREAMS {
                sum = a[i].mul_add(rows[i][j], sum);
            }
            y[j] = sum;
        }
    } else {
        for (a, row) in a.iter().zip(rows.chunks_exact(n)) {
            y.iter_mut().zip(row).for_each(|(y, b)| *y = a.mul_add(*b, *y));
        }
    }
}

/// [`add_rows`] for two rows of y at a time, which read those of b once.
#[inline(always)]
fn add_pair([a, b]: [&[f32]; 2], rows: &[f32], y: &mut [f32], z: &mut [f32]) {
    let n = y.len();
    let (Some(a), Some(b)) = (a.first_chunk::<STREAMS>(), b.first_chunk::<STREAMS>()) else {
        add_rows(a, rows, y);
        return add_rows(b, rows, z);
    };
    let z = &mut z[..n];
    let rows: [&[f32]; STREAMS] = std::array::from_fn(|i| &rows[i * n..][..n]);
    for j in 0..n {
        let (mut sum, mut other) = (y[j], z[j]);
        for i in 0..STREAMS {
            sum = a[i].mul_add(rows[i][j], sum);
            other = b[i].mul_add(rows[i][j], other);
        }
        (y[j], z[j]) = (sum, other);
    }
}
