//! The inner loops of resizing: weighted sums of rows of bytes, two rows at a time, and tiles that are turned.

use std::ops::Range;

/// Rows of bytes, and what each new row takes of them.
pub(crate) struct Sums<'a> {
    pub bytes: &'a [u8],
    /// Bytes from a row to the next one.
    pub stride: usize,
    /// How many rows there are.
    pub rows: usize,
    pub columns: usize,
    /// Of each new row: its first old row, an even one, and which `weights` begin there.
    pub parts: &'a [(usize, Range<usize>)],
    /// Two rows each; a row that is not there has none.
    pub weights: &'a [[i16; 2]],
    /// Bits of the weights after the point.
    pub precision: u32,
}

/// Writes the sums, rounded to bytes, `stride` bytes from one to the next. `words` is a buffer for many calls.
pub(crate) fn weigh(sums: &Sums, out: &mut [u8], stride: usize, words: &mut Vec<u8>) {
    let last = |rows: usize, stride: usize| rows.saturating_sub(1) * stride + sums.columns;
    assert!(sums.bytes.len() >= last(sums.rows, sums.stride) && out.len() >= last(sums.parts.len(), stride));
    assert!(sums.parts.iter().all(|(first, range)| range.len() <= sums.rows.saturating_sub(*first).div_ceil(2)));
    #[cfg(target_arch = "x86_64")]
    {
        let has_avx512 = is_x86_feature_detected!("avx512bw") && is_x86_feature_detected!("avx512vnni");
        if sums.columns >= avx512::COLUMNS && has_avx512 {
            // SAFETY: the processor has these instructions; rows and sums are within their slices.
            return unsafe { avx512::weigh(sums, out, stride, words) };
        }
        if sums.columns >= avx2::COLUMNS && is_x86_feature_detected!("avx2") {
            // SAFETY: as above.
            return unsafe { avx2::weigh(sums, out, stride, words) };
        }
    }
    let _ = words;
    portable(sums, out, stride);
}

fn portable(sums: &Sums, out: &mut [u8], stride: usize) {
    const COLUMNS: usize = 32;
    for ((first, range), out) in sums.parts.iter().zip(out.chunks_mut(stride)) {
        for left in (0..sums.columns).step_by(COLUMNS) {
            let columns = COLUMNS.min(sums.columns - left);
            let mut totals = [half(sums.precision); COLUMNS];
            let weights = sums.weights[range.clone()].as_flattened();
            for (row, &weight) in (*first..sums.rows).zip(weights) {
                let row = &sums.bytes[row * sums.stride + left..][..columns];
                for (total, &value) in totals.iter_mut().zip(row) {
                    *total += i32::from(value) * i32::from(weight);
                }
            }
            for (to, total) in out[left..][..columns].iter_mut().zip(totals) {
                *to = (total >> sums.precision).clamp(0, 255) as u8;
            }
        }
    }
}

/// What rounds a sum to the nearest.
fn half(precision: u32) -> i32 {
    (1 << precision) >> 1
}

/// A kernel of one width of registers. The bytes of each two rows are interleaved once, as words; then products are
/// added in pairs, and the sums narrowed, which undoes the order that interleaving left.
#[cfg(target_arch = "x86_64")]
macro_rules! kernel {
    (
        $name:ident, $features:literal, $columns:literal,
        $load:ident, $store:ident, $zero:ident, $set:ident, $low:ident, $high:ident, $shift:ident, $narrow:ident,
        $bytes:ident, |$sum:ident, $words:ident, $pair:ident| $add:expr
    ) => {
        mod $name {
            use std::arch::x86_64::*;

            use super::{Sums, half};

            pub(super) const COLUMNS: usize = $columns;
            /// Words of two rows in a register.
            const WORDS: usize = COLUMNS / 2;
            /// Rows between the one that is read and the one that is fetched: the processor sees no order in strips.
            const AHEAD: usize = 16;

            /// # Safety
            ///
            /// The processor must have the features, and `sums` at least [`COLUMNS`] columns. All rows and sums must
            /// be within their slices.
            #[target_feature(enable = $features)]
            pub(super) unsafe fn weigh(sums: &Sums, out: &mut [u8], stride: usize, words: &mut Vec<u8>) {
                let begin = sums.parts.iter().map(|(first, _)| *first).min().unwrap_or(0);
                let ends = sums.parts.iter().map(|(first, range)| first + 2 * range.len());
                let end = ends.max().unwrap_or(0).min(sums.rows);
                let groups = sums.columns.div_ceil(COLUMNS);
                // The last columns overlap those before.
                let left = |group: usize| (group * COLUMNS).min(sums.columns - COLUMNS);
                let zero = $zero();
                let bytes = (end - begin).div_ceil(2) * groups * 4 * COLUMNS;
                words.resize(words.len().max(bytes + COLUMNS), 0);
                let shift = words.as_ptr().align_offset(COLUMNS);
                // A register that lies in two lines of the cache takes twice as long.
                let at: *mut i16 = words[shift..][..bytes].as_mut_ptr().cast();
                for (k, row) in (begin..end).step_by(2).enumerate() {
                    for ahead in [AHEAD, AHEAD + 1] {
                        for line in (0..sums.columns).step_by(64) {
                            // Never read, so it may lie beyond the end.
                            let place = sums.bytes.as_ptr().wrapping_add((row + ahead) * sums.stride + line);
                            _mm_prefetch::<_MM_HINT_T0>(place.cast());
                        }
                    }
                    // Beyond the last row its own bytes stand, without weight.
                    let [upper, lower] = [row, (row + 1).min(end - 1)].map(|row| row * sums.stride);
                    for group in 0..groups {
                        // SAFETY: both rows are below `end`, and each has `COLUMNS` from `left` on.
                        let (upper, lower) = unsafe {
                            let first = sums.bytes.as_ptr().add(left(group));
                            ($load(first.add(upper).cast()), $load(first.add(lower).cast()))
                        };
                        let (low, high) = ($low(upper, lower), $high(upper, lower));
                        let four = [$low(low, zero), $high(low, zero), $low(high, zero), $high(high, zero)];
                        for (i, value) in four.into_iter().enumerate() {
                            // SAFETY: `words` has four registers for each group of each two rows.
                            unsafe { $store(at.add(((k * groups + group) * 4 + i) * WORDS).cast(), value) };
                        }
                    }
                }
                let shift = _mm_cvtsi32_si128(sums.precision as i32);
                for (y, (first, range)) in sums.parts.iter().enumerate() {
                    let weights = &sums.weights[range.clone()];
                    for group in 0..groups {
                        let mut four = [$set(half(sums.precision)); 4];
                        let start = (first - begin) / 2 * groups + group;
                        for (k, &[a, b]) in weights.iter().enumerate() {
                            let $pair = $set(i32::from(b) << 16 | i32::from(a) & 0xffff);
                            for (i, to) in four.iter_mut().enumerate() {
                                // SAFETY: as above: these rows are between `begin` and `end`.
                                let $words = unsafe { $load(at.add(((start + k * groups) * 4 + i) * WORDS).cast()) };
                                let $sum = *to;
                                *to = $add;
                            }
                        }
                        let [a, b, c, d] = four.map(|sum| $shift(sum, shift));
                        let bytes = $bytes($narrow(a, b), $narrow(c, d));
                        // SAFETY: row `y` of `out` has `COLUMNS` from `left` on.
                        unsafe { $store(out.as_mut_ptr().add(y * stride + left(group)).cast(), bytes) };
                    }
                }
            }
        }
    };
}

#[cfg(target_arch = "x86_64")]
kernel!(
    avx2,
    "avx2",
    32,
    _mm256_loadu_si256,
    _mm256_storeu_si256,
    _mm256_setzero_si256,
    _mm256_set1_epi32,
    _mm256_unpacklo_epi8,
    _mm256_unpackhi_epi8,
    _mm256_sra_epi32,
    _mm256_packs_epi32,
    _mm256_packus_epi16,
    |sum, words, pair| _mm256_add_epi32(sum, _mm256_madd_epi16(words, pair))
);

#[cfg(target_arch = "x86_64")]
kernel!(
    avx512,
    "avx512bw,avx512vnni",
    64,
    _mm512_loadu_si512,
    _mm512_storeu_si512,
    _mm512_setzero_si512,
    _mm512_set1_epi32,
    _mm512_unpacklo_epi8,
    _mm512_unpackhi_epi8,
    _mm512_sra_epi32,
    _mm512_packs_epi32,
    _mm512_packus_epi16,
    |sum, words, pair| _mm512_dpwssd_epi32(sum, words, pair)
);

/// Rows and columns of bytes that are turned at once.
pub(crate) const TILE: usize = 16;
pub(crate) type Tile = [[u8; TILE]; TILE];

/// A tile whose rows are the columns of another. Each round of interleaving moves one bit of a byte's row into its
/// column, and one back.
pub(crate) fn turned(tile: Tile) -> Tile {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{__m128i, _mm_unpackhi_epi8, _mm_unpacklo_epi8};
        // SAFETY: both are 256 bytes that may have any value.
        let mut rows: [__m128i; TILE] = unsafe { std::mem::transmute(tile) };
        for _ in 0..TILE.ilog2() {
            let before = rows;
            for y in 0..TILE / 2 {
                let (a, b) = (before[y], before[y + TILE / 2]);
                // SAFETY: SSE2 is part of x86-64.
                (rows[2 * y], rows[2 * y + 1]) = unsafe { (_mm_unpacklo_epi8(a, b), _mm_unpackhi_epi8(a, b)) };
            }
        }
        // SAFETY: as above.
        unsafe { std::mem::transmute::<[__m128i; TILE], Tile>(rows) }
    }
    #[cfg(not(target_arch = "x86_64"))]
    std::array::from_fn(|y| std::array::from_fn(|x| tile[x][y]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kernel_gives_the_same_bytes() {
        let mut state = 1u32;
        let mut random = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 16
        };
        for columns in [1, 31, 32, 33, 63, 64, 100, 128, 200] {
            for rows in [1, 2, 3, 24, 25] {
                let stride = columns + 5;
                let bytes: Vec<u8> = (0..stride * rows).map(|_| random() as u8).collect();
                let mut weights: Vec<[i16; 2]> = (0..40).map(|_| [random(), random()].map(|w| w as i16 / 8)).collect();
                let pairs = |first: usize| (rows - first).div_ceil(2);
                let last = (rows - 1) & !1;
                let parts = [(0, 0..pairs(0)), (last, 20..20 + pairs(last)), (0, 5..5), (0, 30..31)];
                if rows % 2 == 1 {
                    [weights[pairs(0) - 1][1], weights[20][1], weights[30][1]] = [0; 3];
                }
                let sums =
                    Sums { bytes: &bytes, stride, rows, columns, parts: &parts, weights: &weights, precision: 14 };
                let mut expected = vec![0; columns * parts.len()];
                portable(&sums, &mut expected, columns);
                let mut found = vec![0; expected.len()];
                weigh(&sums, &mut found, columns, &mut Vec::new());
                assert_eq!(found, expected, "{columns} columns, {rows} rows");
                #[cfg(target_arch = "x86_64")]
                if columns >= avx2::COLUMNS && is_x86_feature_detected!("avx2") {
                    let mut again = vec![0; expected.len()];
                    // SAFETY: the processor has AVX2, and rows and sums are those of `weigh`.
                    unsafe { avx2::weigh(&sums, &mut again, columns, &mut Vec::new()) };
                    assert_eq!(again, found, "AVX2: {columns} columns, {rows} rows");
                }
            }
        }
    }
}
