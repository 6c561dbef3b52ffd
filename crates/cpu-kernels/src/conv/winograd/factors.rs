//! What the factors of the products are: f32, or bf16 in pairs of neighbours in a sum, of which a word holds two.

use super::matrices::{Lanes, Matrices, RoughThree, RoughTwo, Three, Two};
use crate::bf16;
use pulp::Simd;

/// How a transform stores the factors that it makes.
pub(in crate::conv) trait Factors {
    /// Whether a word holds two.
    const PAIRED: bool;

    /// The matrices for 3 taps that fit their roundings.
    type Three: Matrices<3, 6>;

    /// The same for 2 taps.
    type Two: Matrices<2, 5>;

    /// Puts numbers that belong to one sum into its words, the first of them as its factor `first`.
    ///
    /// # Safety
    ///
    /// `words` is valid for writes of as many factors; rounding happens inside of [`bf16::vectorize`].
    unsafe fn along<S: Simd>(numbers: Lanes<S>, count: usize, words: *mut f32, first: usize);

    /// Puts numbers that belong to neighbouring sums into a word each; `odd` if it is the second factor of a pair.
    ///
    /// # Safety
    ///
    /// `words` is valid for reads and writes of as many words; rounding happens inside of [`bf16::vectorize`].
    unsafe fn across<S: Simd>(numbers: Lanes<S>, count: usize, words: *mut f32, odd: bool);
}

/// Of 32 bits.
pub(super) struct Whole;

impl Factors for Whole {
    const PAIRED: bool = false;
    type Three = Three;
    type Two = Two;

    #[inline(always)]
    unsafe fn along<S: Simd>(numbers: Lanes<S>, count: usize, words: *mut f32, first: usize) {
        // SAFETY: by the caller's promise.
        numbers.store(unsafe { std::slice::from_raw_parts_mut(words.add(first), count) });
    }

    #[inline(always)]
    unsafe fn across<S: Simd>(numbers: Lanes<S>, count: usize, words: *mut f32, _: bool) {
        // SAFETY: by the caller's promise.
        numbers.store(unsafe { std::slice::from_raw_parts_mut(words, count) });
    }
}

/// Of 16 bits.
pub(super) struct Pairs;

impl Factors for Pairs {
    const PAIRED: bool = true;
    type Three = RoughThree;
    type Two = RoughTwo;

    #[inline(always)]
    unsafe fn along<S: Simd>(numbers: Lanes<S>, count: usize, words: *mut f32, first: usize) {
        // SAFETY: by the caller's promise.
        unsafe { bf16::put_row::<S>(numbers.1, count, words.cast::<u16>().add(first)) };
    }

    #[inline(always)]
    unsafe fn across<S: Simd>(numbers: Lanes<S>, count: usize, words: *mut f32, odd: bool) {
        // SAFETY: by the caller's promise.
        unsafe { bf16::put_half::<S>(numbers.1, count, words, odd) };
    }
}
