//! The inner loops of resizing: weighted sums of rows of bytes, two rows at a time, and tiles that are turned.

/// Rows of bytes, from the first one that has a weight on.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    pub bytes: &'a [u8],
    /// Bytes from a row to the next one.
    pub stride: usize,
}

/// The sum of `rows` times `weights` with `precision` bits after the point, rounded to bytes, for each column of `out`.
pub(crate) fn weigh(rows: Rows, weights: &[i16], precision: u32, out: &mut [u8]) {
    let last = weights.len().saturating_sub(1) * rows.stride + out.len();
    assert!(rows.bytes.len() >= last, "{last} bytes are expected, got {}", rows.bytes.len());
    #[cfg(target_arch = "x86_64")]
    {
        if out.len() >= avx512::COLUMNS
            && is_x86_feature_detected!("avx512bw")
            && is_x86_feature_detected!("avx512vnni")
        {
            // SAFETY: the processor has these instructions, `rows` has a byte for each weight and column.
            return unsafe { avx512::weigh(rows, weights, precision, out) };
        }
        if out.len() >= avx2::COLUMNS && is_x86_feature_detected!("avx2") {
            // SAFETY: as above.
            return unsafe { avx2::weigh(rows, weights, precision, out) };
        }
    }
    portable(rows, weights, precision, out);
}

fn portable(rows: Rows, weights: &[i16], precision: u32, out: &mut [u8]) {
    const COLUMNS: usize = 32;
    for (part, out) in out.chunks_mut(COLUMNS).enumerate() {
        let mut sums = [half(precision); COLUMNS];
        for (y, &weight) in weights.iter().enumerate() {
            let row = &rows.bytes[y * rows.stride + part * COLUMNS..][..out.len()];
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += i32::from(value) * i32::from(weight);
            }
        }
        for (to, sum) in out.iter_mut().zip(sums) {
            *to = (sum >> precision).clamp(0, 255) as u8;
        }
    }
}

/// What rounds a sum to the nearest.
fn half(precision: u32) -> i32 {
    (1 << precision) >> 1
}

/// Where the bytes of two rows and their weights are; an odd row is its own neighbour, without weight.
#[cfg(target_arch = "x86_64")]
fn pairs(weights: &[i16], stride: usize) -> impl Iterator<Item = (usize, usize, i32)> {
    weights.chunks(2).enumerate().map(move |(k, pair)| {
        let upper = 2 * k * stride;
        match *pair {
            [a, b] => (upper, upper + stride, i32::from(b) << 16 | i32::from(a) & 0xffff),
            [a] => (upper, upper, i32::from(a) & 0xffff),
            _ => (upper, upper, 0),
        }
    })
}

/// A kernel of one width of registers: loads, interleaves the bytes of two rows with zeros between, multiplies and adds
/// them in pairs, and narrows the sums.
#[cfg(target_arch = "x86_64")]
macro_rules! kernel {
    (
        $name:ident, $features:literal, $columns:literal,
        $load:ident, $store:ident, $zero:ident, $set:ident, $low:ident, $high:ident, $shift:ident, $words:ident,
        $narrow:ident, |$sum:ident, $bytes:ident, $pair:ident| $add:expr
    ) => {
        mod $name {
            use std::arch::x86_64::*;

            use super::{Rows, half, pairs};

            pub(super) const COLUMNS: usize = $columns;

            /// # Safety
            ///
            /// The processor must have the features, `rows` a byte for each weight and column of `out`, and `out` at
            /// least [`COLUMNS`] bytes.
            #[target_feature(enable = $features)]
            pub(super) unsafe fn weigh(rows: Rows, weights: &[i16], precision: u32, out: &mut [u8]) {
                let (zero, shift) = ($zero(), _mm_cvtsi32_si128(precision as i32));
                for left in (0..out.len()).step_by(COLUMNS) {
                    // The last columns overlap those before.
                    let left = left.min(out.len() - COLUMNS);
                    let mut sums = [$set(half(precision)); 4];
                    for (upper, lower, pair) in pairs(weights, rows.stride) {
                        // SAFETY: rows and columns end within `rows`, as the caller promises.
                        let (upper, lower) = unsafe {
                            let first = rows.bytes.as_ptr().add(left);
                            ($load(first.add(upper).cast()), $load(first.add(lower).cast()))
                        };
                        let $pair = $set(pair);
                        let (low, high) = ($low(upper, lower), $high(upper, lower));
                        let bytes = [$low(low, zero), $high(low, zero), $low(high, zero), $high(high, zero)];
                        for (to, $bytes) in sums.iter_mut().zip(bytes) {
                            let $sum = *to;
                            *to = $add;
                        }
                    }
                    let [a, b, c, d] = sums.map(|sum| $shift(sum, shift));
                    let bytes = $narrow($words(a, b), $words(c, d));
                    // SAFETY: `left` is at least `COLUMNS` before the end of `out`.
                    unsafe { $store(out.as_mut_ptr().add(left).cast(), bytes) };
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
    |sum, bytes, pair| _mm256_add_epi32(sum, _mm256_madd_epi16(bytes, pair))
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
    |sum, bytes, pair| _mm512_dpwssd_epi32(sum, bytes, pair)
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
            for count in [0, 1, 2, 3, 24, 25] {
                let stride = columns + 5;
                let bytes: Vec<u8> = (0..stride * count.max(1)).map(|_| random() as u8).collect();
                let weights: Vec<i16> = (0..count).map(|_| (random() as i16) / 8).collect();
                let rows = Rows { bytes: &bytes, stride };
                let mut expected = vec![0; columns];
                portable(rows, &weights, 14, &mut expected);
                let mut found = vec![0; columns];
                weigh(rows, &weights, 14, &mut found);
                assert_eq!(found, expected, "{columns} columns, {count} rows");
                #[cfg(target_arch = "x86_64")]
                if columns >= avx2::COLUMNS && is_x86_feature_detected!("avx2") {
                    found.fill(0);
                    // SAFETY: the processor has AVX2, and `rows` are those of `weigh`.
                    unsafe { avx2::weigh(rows, &weights, 14, &mut found) };
                    assert_eq!(found, expected, "AVX2: {columns} columns, {count} rows");
                }
            }
        }
    }
}
