//! Matrix products. Crate `gemm` computes one block on one thread; blocks are a function of the shape alone and
//! each element of the result belongs to one block, so its bits do not depend on the number of threads.

use crate::matrix::Matrix;
use crate::panel::{PANEL, is_panel, panel_product};
use crate::parallel::{Shared, pieces};
use crate::thin::{FEW_ROWS, TALL, few_columns, few_rows, has_few_columns, has_few_rows};
use rayon::prelude::*;

/// `y = a [m, k] · b [k, n]`, added to y if `accumulate`; y is stored row by row, `pitch ≥ n` elements apart.
/// On the calling thread.
pub(crate) fn product([m, k, n]: [usize; 3], a: Matrix, b: Matrix, y: &mut [f32], pitch: usize, accumulate: bool) {
    if m == 0 || n == 0 {
        return;
    }
    assert!(
        pitch >= n && (m - 1) * pitch + n <= y.len(),
        "a {m}x{n} result with pitch {pitch} does not fit {} elements",
        y.len()
    );
    let y = y.as_mut_ptr();
    if k > 0 && is_panel(n, &b) {
        a.assert_holds(m, k);
        b.assert_holds(k, n);
        // SAFETY: as below, and the operands hold every element.
        return unsafe { panel_product([m, k, n], a, b, y, pitch, accumulate) };
    }
    // SAFETY: y holds the result (asserted), and is borrowed mutably.
    unsafe { product_at([m, k, n], a, b, y, pitch, accumulate) }
}

/// [`product`] into a raw place.
///
/// # Safety
///
/// `y[i · pitch + j]` is valid for reads and writes for every i < m, j < n, and nothing else uses it meanwhile.
unsafe fn product_at([m, k, n]: [usize; 3], a: Matrix, b: Matrix, y: *mut f32, pitch: usize, accumulate: bool) {
    if k > 0 {
        a.assert_holds(m, k);
        b.assert_holds(k, n);
    }
    let [a_step, b_step] = [a.step, b.step].map(|step| step.map(|s| s as isize));
    #[cfg(target_arch = "x86_64")]
    if crate::isa::is_confined() {
        // SAFETY: as below.
        return unsafe { avx2_product([m, k, n], a, b, y, pitch, accumulate) };
    }
    // SAFETY: the operands hold every element that is read (asserted above); y by the caller's promise.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            y,
            1,
            pitch as isize,
            accumulate,
            a.data.as_ptr(),
            a_step[1],
            a_step[0],
            b.data.as_ptr(),
            b_step[1],
            b_step[0],
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// What `gemm` does on a machine that has AVX2 and no AVX-512: it asks the machine alone, and takes no switch.
///
/// # Safety
///
/// That of [`product_at`], and the operands hold every element.
#[cfg(target_arch = "x86_64")]
unsafe fn avx2_product([m, k, n]: [usize; 3], a: Matrix, b: Matrix, y: *mut f32, pitch: usize, accumulate: bool) {
    use gemm_common::Parallelism;
    use gemm_common::gemm::gemm_basic_generic;
    use gemm_common::simd::{MixedSimd, V3};
    use gemm_f32::microkernel::fma::f32::{H_M, H_N, H_UKR, MR_DIV_N, NR, UKR};
    const LANES: usize = 8;
    let simd = <V3 as MixedSimd<f32, f32, f32, f32>>::try_new().expect("`is_confined` has looked for AVX2");
    let [a_step, b_step] = [a.step, b.step].map(|step| step.map(|s| s as isize));
    // Its kernels write columns: the transposed product, yᵀ = bᵀ · aᵀ.
    // SAFETY: by the caller's promise.
    unsafe {
        gemm_basic_generic::<V3, f32, LANES, { MR_DIV_N * LANES }, NR, MR_DIV_N, H_M, H_N>(
            simd,
            n,
            m,
            k,
            y,
            pitch as isize,
            1,
            accumulate,
            b.data.as_ptr(),
            b_step[0],
            b_step[1],
            a.data.as_ptr(),
            a_step[0],
            a_step[1],
            1.0,
            1.0,
            false,
            false,
            false,
            |a, b, c| a * b + c,
            &UKR,
            &H_UKR,
            false,
            Parallelism::None,
        );
    }
}

/// Rows of a whose product with 64 columns of b needs no packing: `gemm` copies b into panels above 8 · 6 rows.
pub(crate) const BAND: usize = 48;

/// [`product`] in bands and panels so small that `gemm` packs neither operand. Faster where a's columns and b's rows
/// are contiguous and the product is cut into cache-sized tiles anyway.
pub(crate) fn unpacked_product(
    [m, k, n]: [usize; 3],
    a: Matrix,
    b: Matrix,
    y: &mut [f32],
    pitch: usize,
    accumulate: bool,
) {
    for j in (0..n).step_by(PANEL) {
        for i in (0..m).step_by(BAND) {
            let size = [BAND.min(m - i), k, PANEL.min(n - j)];
            product(size, a.from(i, 0), b.from(0, j), &mut y[i * pitch + j..], pitch, accumulate);
        }
    }
}

/// `a [B, m, k] · b [B, k, n] → y [B, m, n]`, added to y if `accumulate`. A transposed operand is stored `[B, k, m]` or
/// `[B, n, k]`. `batch_a` and `batch_b` are B, or 1 for an operand that serves every element of the batch.
///
/// # Panics
///
/// If a slice is shorter than its shape.
#[allow(clippy::too_many_arguments, reason = "the operands of one product")]
pub fn matmul(
    batch: usize,
    m: usize,
    k: usize,
    n: usize,
    a: &[f32],
    batch_a: usize,
    transpose_a: bool,
    b: &[f32],
    batch_b: usize,
    transpose_b: bool,
    y: &mut [f32],
    accumulate: bool,
) {
    assert_eq!(y.len(), batch * m * n, "matmul writes [{batch}, {m}, {n}]");
    if batch == 1 && !transpose_a && m * k * n > 0 {
        if has_few_rows([m, k, n]) && !transpose_b {
            return few_rows([m, k, n], &a[..m * k], &b[..k * n], y, accumulate);
        }
        if has_few_rows_transposed([m, k, n]) && transpose_b {
            return few_rows_transposed([m, k, n], &a[..m * k], &b[..k * n], y, accumulate);
        }
        if has_few_columns([m, n]) {
            let [down, right] = if transpose_b { [1, k] } else { [n, 1] };
            return few_columns([k, n], &a[..m * k], |i, j| b[i * down + j * right], y, accumulate);
        }
    }
    let element = |x: usize, size: usize, count: usize| if count == 1 { 0 } else { x * size };
    let [rows, columns] = block(m, k, n);
    let [down, across] = [m.div_ceil(rows), n.div_ceil(columns)];
    // Small products share a task, so that handing it out costs little beside it.
    let share = (1 << 17) / (rows * columns * k.max(1)).max(1);
    let shared = Shared(y.as_mut_ptr());
    (0..batch * down * across).into_par_iter().with_min_len(share.max(1)).with_max_len(share.max(1)).for_each(|task| {
        let shared = &shared;
        let (x, i, j) = (task / (down * across), task / across % down * rows, task % across * columns);
        let a = Matrix::rows(&a[element(x, m * k, batch_a)..], if transpose_a { m } else { k });
        let a = if transpose_a { a.transposed() } else { a };
        let b = Matrix::rows(&b[element(x, k * n, batch_b)..], if transpose_b { k } else { n });
        let b = if transpose_b { b.transposed() } else { b };
        let size = [rows.min(m - i), k, columns.min(n - j)];
        let (a, b) = if k == 0 { (a, b) } else { (a.from(i, 0), b.from(0, j)) };
        // SAFETY: the block lies inside of y, whose length was asserted, and belongs to this task alone.
        unsafe { product_at(size, a, b, shared.0.add((x * m + i) * n + j), n, accumulate) }
    });
}

/// Elements of b from which on [`few_rows_transposed`] is worth its copies.
const COPIES: usize = 1 << 16;
/// Rows of b in a task.
const TASK_ROWS: usize = 48;

/// Whether a product with a transposed matrix is one of [`few_rows_transposed`].
fn has_few_rows_transposed([m, k, n]: [usize; 3]) -> bool {
    (2..=FEW_ROWS).contains(&m) && k * n >= COPIES
}

/// `y [m, n] = a [m, k] · bᵀ`, added to y if `accumulate`, with few rows; b is `[n, k]`. It is the product b · aᵀ, whose few columns
/// fill a register, so that b is read where it lies: `gemm` would copy all of it.
fn few_rows_transposed([m, k, n]: [usize; 3], a: &[f32], b: &[f32], y: &mut [f32], accumulate: bool) {
    let mut columns = vec![0.0; k * FEW_ROWS];
    for (i, row) in a.chunks_exact(k).enumerate() {
        columns[i..].iter_mut().step_by(FEW_ROWS).zip(row).for_each(|(to, x)| *to = *x);
    }
    let mut results = vec![0.0; n * FEW_ROWS];
    pieces(&mut results, TASK_ROWS * FEW_ROWS, m * k * n, |start, results| {
        let b = Matrix::rows(&b[start / FEW_ROWS * k..], k);
        let size = [results.len() / FEW_ROWS, k, FEW_ROWS];
        product(size, b, Matrix::rows(&columns, FEW_ROWS), results, FEW_ROWS, false);
    });
    for (i, row) in y.chunks_exact_mut(n).enumerate().take(m) {
        for (y, result) in row.iter_mut().zip(results[i..].iter().step_by(FEW_ROWS)) {
            *y = if accumulate { *y + result } else { *result };
        }
    }
}

/// Rows and columns of a task's block of `[m, n]`: large enough that packing is shared, small enough for 16 cores.
fn block(m: usize, k: usize, n: usize) -> [usize; 2] {
    let tall = m >= TALL;
    let columns = if tall { 512 } else { 2 * PANEL };
    let rows = if tall && n * k < 1 << 12 { 1024 } else { 256 };
    [rows.min(m.max(1)), columns.min(n.max(1))]
}
