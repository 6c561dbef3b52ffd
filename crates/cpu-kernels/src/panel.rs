//! Products with one panel of columns, with AVX-512: its registers hold the sums of as many rows as hide the time that one takes.
//! `gemm` computes them as fast, but prepares each call for as long as a product of few factors takes.

use crate::isa::arch;
use crate::matrix::Matrix;
use pulp::{Arch, Simd, WithSimd};

/// Columns of b that a product takes at once: those of one register tile, here, of `gemm` with AVX-512 and of [`crate::bf16`].
pub(crate) const PANEL: usize = 64;
/// Lanes of a register.
const LANES: usize = 16;

/// Whether a product is one of these.
pub(crate) fn is_panel(n: usize, b: &Matrix) -> bool {
    #[cfg(target_arch = "x86_64")]
    let is_wide = matches!(arch(), Arch::V4(_));
    #[cfg(not(target_arch = "x86_64"))]
    let is_wide = false;
    is_wide && n <= PANEL && n.is_multiple_of(LANES) && b.step[1] == 1
}

/// `y = a [m, k] · b [k, n]`, added to y if `accumulate`; rows of y are `pitch` elements apart.
///
/// # Safety
///
/// [`is_panel`]; a and b hold every element, and `y[i · pitch + j]` is valid for reads and writes.
pub(crate) unsafe fn panel_product(
    [m, k, n]: [usize; 3],
    a: Matrix,
    b: Matrix,
    y: *mut f32,
    pitch: usize,
    accumulate: bool,
) {
    arch().dispatch(Product { size: [m, k, n], a, b, y, pitch, accumulate });
}

struct Product<'a> {
    size: [usize; 3],
    a: Matrix<'a>,
    b: Matrix<'a>,
    y: *mut f32,
    pitch: usize,
    accumulate: bool,
}

impl WithSimd for Product<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let [m, _, n] = self.size;
        // Tiles of these numbers of rows, the largest first, by so many registers of columns.
        macro_rules! tiles {
            ($columns:literal: $($rows:literal)*) => {{
                let mut row = 0;
                $(
                    while m - row >= $rows {
                        // SAFETY: the tile lies inside of y, by the promise of `panel_product`.
                        unsafe { self.tile::<S, $rows, $columns>(simd, row) };
                        row += $rows;
                    }
                )*
            }};
        }
        assert_eq!(S::F32_LANES, LANES, "`is_panel` has looked");
        match n / LANES {
            1 => tiles!(1: 24 12 6 3 2 1),
            2 => tiles!(2: 12 6 3 2 1),
            3 => tiles!(3: 8 4 2 1),
            _ => tiles!(4: 6 3 2 1),
        }
    }
}

impl Product<'_> {
    /// M rows from `row` on, and N registers of columns.
    ///
    /// # Safety
    ///
    /// They lie inside of the operands, and S has registers of 16 lanes.
    #[inline(always)]
    unsafe fn tile<S: Simd, const M: usize, const N: usize>(&self, simd: S, row: usize) {
        let Self { size: [_, k, _], a, b, y, pitch, accumulate } = self;
        let mut sums = [[simd.splat_f32s(0.0); N]; M];
        // SAFETY: by the caller's promise.
        unsafe {
            let (a_at, b_at) = (a.data.as_ptr().add(row * a.step[0]), b.data.as_ptr());
            for l in 0..*k {
                let columns: [S::f32s; N] =
                    std::array::from_fn(|j| b_at.add(l * b.step[0] + j * LANES).cast::<S::f32s>().read_unaligned());
                for (i, sums) in sums.iter_mut().enumerate() {
                    let factor = simd.splat_f32s(*a_at.add(i * a.step[0] + l * a.step[1]));
                    for (sum, column) in sums.iter_mut().zip(columns) {
                        *sum = simd.mul_add_f32s(factor, column, *sum);
                    }
                }
            }
            for (i, sums) in sums.iter().enumerate() {
                for (j, &sum) in sums.iter().enumerate() {
                    let at = y.add((row + i) * pitch + j * LANES).cast::<S::f32s>();
                    at.write_unaligned(if *accumulate { simd.add_f32s(at.read_unaligned(), sum) } else { sum });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn number(at: usize) -> f32 {
        ((at * 7919 + 3) % 1999) as f32 / 1000.0 - 1.0
    }

    #[test]
    fn products_agree_with_the_definition_at_the_edges_of_every_tile() {
        let is_wide = is_panel(LANES, &Matrix::rows(&[], LANES));
        if !is_wide {
            return eprintln!("skipped: this CPU has no AVX-512");
        }
        const PAD: usize = 3;
        let rows = (1..=13).chain([23, 24, 25, 48, 53]);
        for [m, k, n] in rows.flat_map(|m| [1, 2, 9].into_iter().flat_map(move |k| [16, 32, 48, 64].map(|n| [m, k, n])))
        {
            let a: Vec<f32> = (0..m * k).map(number).collect();
            let b: Vec<f32> = (0..k * (n + PAD)).map(|at| number(at + 500)).collect();
            let both = [Matrix::rows(&a, k), Matrix::rows(&a, m).transposed()];
            for (a, accumulate) in both.into_iter().flat_map(|a| [(a, false), (a, true)]) {
                let mut y = vec![0.5; m * (n + PAD)];
                // SAFETY: the operands and y have these sizes.
                unsafe {
                    panel_product([m, k, n], a, Matrix::rows(&b, n + PAD), y.as_mut_ptr(), n + PAD, accumulate);
                }
                for (at, found) in y.iter().enumerate() {
                    let (i, j) = (at / (n + PAD), at % (n + PAD));
                    let term = |l: usize| {
                        let x = number(i * a.step[0] + l * a.step[1]);
                        f64::from(x) * f64::from(number(l * (n + PAD) + j + 500))
                    };
                    let sum = (0..k).map(term).sum::<f64>();
                    let expected = if j >= n { 0.5 } else { sum + if accumulate { 0.5 } else { 0.0 } };
                    // The rounding of k + 1 additions to 24 bits.
                    let tolerance = (k as f64 + 1.0) * 10.0 / f64::from(1 << 24);
                    let case = format!("{m}x{k}x{n} {:?} {accumulate}, element {i}, {j}", a.step);
                    assert!(
                        (f64::from(*found) - expected).abs() <= tolerance,
                        "{case}: expected {expected}, found {found}"
                    );
                }
            }
        }
    }
}
