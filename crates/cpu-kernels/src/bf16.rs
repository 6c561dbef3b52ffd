//! Products of bf16 by bf16 with sums in f32, on CPUs with AVX512-BF16 (`vdpbf16ps`: two products a lane, added to an f32). A word, which
//! the type of buffers makes an `f32`, holds two neighbouring factors of a sum.

use crate::matrix::Matrix;
#[cfg(not(target_arch = "x86_64"))]
use none as machine;
#[cfg(target_arch = "x86_64")]
use x86 as machine;

pub(crate) use machine::{put_half, put_row, vectorize};

/// Whether this CPU multiplies bf16 by bf16.
pub fn is_supported() -> bool {
    #[cfg(target_arch = "x86_64")]
    return matches!(crate::isa::arch(), pulp::Arch::V4(_)) && is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// Whether it would, but for `STYLEGAN_ISA`.
pub fn is_hidden() -> bool {
    #[cfg(target_arch = "x86_64")]
    return crate::isa::is_confined() && is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// `y = a · b`, added to y if `accumulate`: `m` rows, `n` columns, and sums of `k` words; b's columns are neighbours in memory, y's
/// rows lie `pitch ≥ n` elements apart. On the calling thread.
pub(crate) fn product([m, k, n]: [usize; 3], a: Matrix, b: Matrix, y: &mut [f32], pitch: usize, accumulate: bool) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(is_supported() && b.step[1] == 1 && pitch >= n && (m - 1) * pitch + n <= y.len());
    if k > 0 {
        a.assert_holds(m, k);
        b.assert_holds(k, n);
    }
    // SAFETY: the CPU has the instructions, and the slices hold every element (asserted above).
    unsafe { machine::product_at([m, k, n], a, b, y.as_mut_ptr(), pitch, accumulate) }
}

#[cfg(target_arch = "x86_64")]
mod x86 {
    use crate::matrix::Matrix;
    use crate::panel::PANEL;
    use pulp::x86::V4;
    use pulp::{Simd, WithSimd};
    use std::arch::x86_64::*;
    use std::mem::transmute;

    /// Rows of a register tile: with 4 registers of columns, 24 sums, 4 of b and 1 of a of the 32 registers.
    const ROWS: usize = 6;

    /// [`Simd::vectorize`] with [`round`] as one instruction.
    pub(crate) fn vectorize(op: impl WithSimd<Output = ()>) {
        #[target_feature(
            enable = "avx2,fma,bmi1,bmi2,lzcnt,popcnt,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512bf16"
        )]
        fn run(simd: V4, op: impl WithSimd<Output = ()>) {
            op.with_simd(simd);
        }
        let simd =
            V4::try_new().filter(|_| super::is_supported()).expect("whoever multiplies bf16 has asked `is_supported`");
        // SAFETY: the CPU has the instructions (asserted above).
        unsafe { run(simd, op) }
    }

    /// The nearest bf16, of two equally near ones the even one; numbers below 2⁻¹²⁶ become zeros.
    #[inline(always)]
    unsafe fn round<S: Simd>(value: S::f32s) -> __m256i {
        assert!(size_of::<S::f32s>() == 64);
        // SAFETY: both are registers of 16 numbers; the CPU has the instruction by the caller's promise.
        unsafe { transmute(_mm512_cvtneps_pbh(std::mem::transmute_copy(&value))) }
    }

    /// Rounds the first `count` numbers to bf16, one after another.
    ///
    /// # Safety
    ///
    /// Inside of [`vectorize`]; `to` is valid for writes of as many.
    #[inline(always)]
    pub(crate) unsafe fn put_row<S: Simd>(value: S::f32s, count: usize, to: *mut u16) {
        // SAFETY: by the caller's promise.
        unsafe {
            let value = round::<S>(value);
            if count == 16 {
                to.cast::<__m256i>().write_unaligned(value);
            } else {
                _mm256_mask_storeu_epi16(to.cast(), (1 << count) - 1, value);
            }
        }
    }

    /// Rounds the first `count` numbers to bf16, each into a word of its own: its second factor, or its first and 0.
    ///
    /// # Safety
    ///
    /// Inside of [`vectorize`]; `to` is valid for reads and writes of as many words.
    #[inline(always)]
    pub(crate) unsafe fn put_half<S: Simd>(value: S::f32s, count: usize, to: *mut f32, second: bool) {
        // SAFETY: by the caller's promise.
        unsafe {
            let (mask, to) = (u16::MAX >> (16 - count), to.cast::<i32>());
            let mut words = _mm512_cvtepu16_epi32(round::<S>(value));
            if second {
                words = _mm512_or_si512(_mm512_slli_epi32(words, 16), _mm512_maskz_loadu_epi32(mask, to));
            }
            _mm512_mask_storeu_epi32(to, mask, words);
        }
    }

    /// [`super::product`] into a raw place.
    ///
    /// # Safety
    ///
    /// The CPU is supported, a and b hold every element, and `y[i · pitch + j]` is valid for reads and writes.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    pub(super) unsafe fn product_at(
        [m, k, n]: [usize; 3],
        a: Matrix,
        b: Matrix,
        y: *mut f32,
        pitch: usize,
        accumulate: bool,
    ) {
        for j in (0..n).step_by(PANEL) {
            let width = PANEL.min(n - j);
            let mask = u16::MAX >> (15 - (width - 1) % 16);
            for i in (0..m).step_by(ROWS) {
                // SAFETY: the tile's elements lie inside of the matrices, by the caller's promise.
                unsafe {
                    let (a_at, b_at) = (a.data.as_ptr().add(i * a.step[0]), b.data.as_ptr().add(j));
                    let y = y.add(i * pitch + j);
                    macro_rules! tiles {
                        ($($rows:literal)*) => {
                            match (ROWS.min(m - i), width.div_ceil(16)) {
                                $(
                                    ($rows, 1) => tile::<$rows, 1>(k, a_at, a.step, b_at, b.step[0], y, pitch, mask, accumulate),
                                    ($rows, 2) => tile::<$rows, 2>(k, a_at, a.step, b_at, b.step[0], y, pitch, mask, accumulate),
                                    ($rows, 3) => tile::<$rows, 3>(k, a_at, a.step, b_at, b.step[0], y, pitch, mask, accumulate),
                                    ($rows, 4) => tile::<$rows, 4>(k, a_at, a.step, b_at, b.step[0], y, pitch, mask, accumulate),
                                )*
                                _ => unreachable!("a tile has at most 6 rows and 4 registers of columns"),
                            }
                        };
                    }
                    tiles!(1 2 3 4 5 6);
                }
            }
        }
    }

    /// M rows and N registers of columns, of which `mask` tells the last one's.
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512bf16")]
    #[allow(clippy::too_many_arguments, reason = "the operands of one tile")]
    unsafe fn tile<const M: usize, const N: usize>(
        k: usize,
        a: *const f32,
        a_step: [usize; 2],
        b: *const f32,
        b_step: usize,
        y: *mut f32,
        pitch: usize,
        mask: u16,
        accumulate: bool,
    ) {
        let mut sums = [[_mm512_setzero_ps(); N]; M];
        // SAFETY: by the caller's promise.
        unsafe {
            for l in 0..k {
                let mut columns = [_mm512_setzero_si512(); N];
                for (j, column) in columns.iter_mut().enumerate() {
                    let at = b.add(l * b_step + 16 * j).cast::<i32>();
                    *column = if j == N - 1 { _mm512_maskz_loadu_epi32(mask, at) } else { _mm512_loadu_epi32(at) };
                }
                for (i, sums) in sums.iter_mut().enumerate() {
                    let row = _mm512_set1_epi32(a.add(i * a_step[0] + l * a_step[1]).cast::<i32>().read());
                    let row = transmute::<__m512i, __m512bh>(row);
                    for (sum, column) in sums.iter_mut().zip(columns) {
                        *sum = _mm512_dpbf16_ps(*sum, row, transmute::<__m512i, __m512bh>(column));
                    }
                }
            }
            for (i, sums) in sums.iter().enumerate() {
                for (j, &sum) in sums.iter().enumerate() {
                    let at = y.add(i * pitch + 16 * j);
                    let mask = if j == N - 1 { mask } else { u16::MAX };
                    let before = if accumulate { _mm512_maskz_loadu_ps(mask, at) } else { _mm512_setzero_ps() };
                    _mm512_mask_storeu_ps(at, mask, _mm512_add_ps(before, sum));
                }
            }
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
mod none {
    use super::Matrix;
    use pulp::{Simd, WithSimd};

    const REFUSED: &str = "whoever multiplies bf16 has asked `is_supported`";

    pub(crate) fn vectorize(_: impl WithSimd<Output = ()>) {
        unreachable!("{REFUSED}")
    }

    pub(crate) unsafe fn put_row<S: Simd>(_: S::f32s, _: usize, _: *mut u16) {
        unreachable!("{REFUSED}")
    }

    pub(crate) unsafe fn put_half<S: Simd>(_: S::f32s, _: usize, _: *mut f32, _: bool) {
        unreachable!("{REFUSED}")
    }

    pub(super) unsafe fn product_at(_: [usize; 3], _: Matrix, _: Matrix, _: *mut f32, _: usize, _: bool) {
        unreachable!("{REFUSED}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rayon::prelude::*;

    /// The nearest bf16 of a number that depends on `at` alone, between −1 and 1.
    fn factor(at: usize) -> f32 {
        let bits = (((at * 7919 + 3) % 1999) as f32 / 1000.0 - 1.0).to_bits();
        f32::from_bits((bits + 0x7fff + (bits >> 16 & 1)) & 0xffff_0000)
    }

    /// A word of factors `2 · at` and `2 · at + 1`.
    fn word(at: usize) -> f32 {
        f32::from_bits(factor(2 * at).to_bits() >> 16 | factor(2 * at + 1).to_bits())
    }

    /// Rows and columns on both sides of every tile's edges, and lengths of sums.
    fn sizes() -> impl Iterator<Item = [usize; 3]> {
        let rows = (1..=7).chain([12, 13]);
        rows.flat_map(|m| [0, 1, 2, 9].into_iter().map(move |k| (m, k))).flat_map(|(m, k)| {
            [1, 15, 16, 17, 31, 32, 33, 47, 48, 49, 63, 64, 65, 80, 129].into_iter().map(move |n| [m, k, n])
        })
    }

    fn operands([m, k, n]: [usize; 3]) -> [Vec<f32>; 2] {
        [(0..m * k).map(word).collect(), (0..k * n).map(|at| word(at + 500)).collect()]
    }

    #[test]
    fn products_of_rounded_factors_agree_with_the_definition_at_the_edges_of_every_tile() {
        if !is_supported() {
            return eprintln!("skipped: this CPU does not multiply bf16 by bf16");
        }
        const PAD: usize = 3;
        for [m, k, n] in sizes() {
            let [a, b] = operands([m, k, n]);
            // Factor l of row i, of the operand as it lies or of its transpose.
            let both = [Matrix::rows(&a, k), Matrix::rows(&a, m).transposed()];
            for (a, accumulate) in both.into_iter().flat_map(|a| [(a, false), (a, true)]) {
                let mut y = vec![0.5; m * (n + PAD)];
                product([m, k, n], a, Matrix::rows(&b, n), &mut y, n + PAD, accumulate);
                for (i, j) in (0..m).flat_map(|i| (0..n + PAD).map(move |j| (i, j))) {
                    let pair = |l: usize, half: usize| {
                        let x = factor(2 * (i * a.step[0] + l * a.step[1]) + half);
                        f64::from(x) * f64::from(factor(2 * (l * n + j + 500) + half))
                    };
                    let sum = (0..k).map(|l| pair(l, 0) + pair(l, 1)).sum::<f64>();
                    let found = f64::from(y[i * (n + PAD) + j]);
                    let expected = if j >= n {
                        0.5
                    } else if accumulate {
                        sum + 0.5
                    } else {
                        sum
                    };
                    // Factors are exact: what remains is the rounding of each of 2k additions to 24 bits.
                    let tolerance = 2.0 * (2.0 * k as f64 + 2.0) / f64::from(1 << 24);
                    let case = format!("{m}x{k}x{n} {:?} {accumulate}, element {i}, {j}", a.step);
                    assert!((found - expected).abs() <= tolerance, "{case}: expected {expected}, found {found}");
                }
            }
        }
    }

    #[test]
    fn a_row_has_the_same_bits_in_every_band_on_every_number_of_threads() {
        if !is_supported() {
            return eprintln!("skipped: this CPU does not multiply bf16 by bf16");
        }
        let [m, k, n] = [53, 40, 150];
        let [a, b] = operands([m, k, n]);
        let bits = |threads: usize, band: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool starts");
            let mut y = vec![f32::NAN; m * n];
            pool.install(|| {
                y.par_chunks_mut(band * n).enumerate().for_each(|(index, y)| {
                    let a = Matrix::rows(&a[index * band * k..], k);
                    product([y.len() / n, k, n], a, Matrix::rows(&b, n), y, n, false);
                });
            });
            y.iter().map(|y| y.to_bits()).collect::<Vec<_>>()
        };
        let whole = bits(1, m);
        for (threads, band) in [(1, 1), (2, 4), (3, 7), (2, 13), (3, 5)] {
            assert!(bits(threads, band) == whole, "bands of {band} rows differ on {threads} threads");
        }
    }
}
