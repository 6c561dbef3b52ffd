//! Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011): random bits as a
//! function of a key and a counter, so that every device draws the same ones in any order.

/// Where a sequence of random numbers stands: element `i` of a draw depends on the seed, the stream and
/// `offset + i` alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Position {
    /// The Philox key.
    pub seed: u64,
    /// Upper half of the counter: independent sequences of one seed.
    pub stream: u64,
    /// Elements drawn before, a multiple of 4.
    pub offset: u64,
}

impl Position {
    /// The four words of block `block` of a draw from here: elements `4·block …`.
    pub fn block(self, block: u64) -> [u32; 4] {
        let low = self.offset / 4 + block;
        let counter = [low as u32, (low >> 32) as u32, self.stream as u32, (self.stream >> 32) as u32];
        philox4x32(counter, [self.seed as u32, (self.seed >> 32) as u32])
    }
}

/// Four random words for a counter and a key.
pub fn philox4x32(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    for _ in 0..10 {
        let a = u64::from(counter[0]) * 0xD251_1F53;
        let b = u64::from(counter[2]) * 0xCD9E_8D57;
        counter = [(b >> 32) as u32 ^ counter[1] ^ key[0], b as u32, (a >> 32) as u32 ^ counter[3] ^ key[1], a as u32];
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    counter
}

/// A whole number below `count`, which is not 0, from all 128 bits: floor((1 − bits / 2¹²⁸) · count). For counts up to 2⁶⁴ no number
/// is favoured by more than 2⁻⁶⁴.
pub fn integer_below(words: [u32; 4], count: u64) -> u64 {
    let half = |high: u32, low: u32| (u128::from(!high) << 32) | u128::from(!low);
    let [a, b, c, d] = words;
    let count = u128::from(count);
    ((half(a, b) * count + ((half(c, d) * count) >> 64)) >> 64) as u64
}

/// A number in (0, 1] from 24 of the bits: `(bits >> 8 + ½) · 2⁻²⁴`, rounded to f32.
pub fn uniform_from_bits(bits: u32) -> f32 {
    ((bits >> 8) as f32 + 0.5) * (1.0 / (1 << 24) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answers_of_random123() {
        assert_eq!(philox4x32([0; 4], [0; 2]), [0x6627_e8d5, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8]);
        assert_eq!(philox4x32([u32::MAX; 4], [u32::MAX; 2]), [0x408f_276d, 0x41c8_3b0e, 0xa20b_c7c6, 0x6d54_51fd]);
        assert_eq!(
            philox4x32([0x243f_6a88, 0x85a3_08d3, 0x1319_8a2e, 0x0370_7344], [0xa409_3822, 0x299f_31d0]),
            [0xd16c_fe09, 0x94fd_cceb, 0x5001_e420, 0x2412_6ea1]
        );
    }

    #[test]
    fn integers_reach_both_ends_of_their_range_and_no_further() {
        for count in [1, 2, 1000, 1 << 24, (1 << 53) - 1, u64::MAX] {
            assert_eq!(integer_below([u32::MAX; 4], count), 0);
            assert_eq!(integer_below([0; 4], count), count - 1);
        }
        // All words count: the last one decides where a number begins.
        assert_eq!(integer_below([u32::MAX / 2, u32::MAX, u32::MAX, u32::MAX], 2), 1);
        assert_eq!(integer_below([u32::MAX / 2 + 1, 0, 0, 0], 2), 0);
    }

    #[test]
    fn integers_of_a_range_of_twenty_million_are_uniform_where_24_bits_leave_gaps() {
        // 2²⁴ values cannot reach 20,000,000 numbers; of 20 parts of the range within 1,000,000 numbers each is as likely.
        let (count, draws) = (20_000_000_u64, 400_000);
        let at = |i: u64| integer_below(Position { seed: 5, ..Position::default() }.block(i), count);
        let mut parts = [0_u32; 20];
        let mut places = std::collections::BTreeSet::new();
        for i in 0..draws {
            let drawn = at(i);
            parts[(drawn % 20) as usize] += 1;
            places.insert(drawn);
        }
        let mean = draws as f64 / 20.0;
        let chi: f64 = parts.iter().map(|&n| (f64::from(n) - mean).powi(2) / mean).sum();
        // 19 degrees of freedom: 50 is passed once in 7,000 seeds.
        assert!(chi < 50.0, "{parts:?}");
        // Of n numbers, n · (1 − e^(−draws/n)) are expected, 396,027, with a deviation of 63.
        assert!((places.len() as f64 - 396_027.0).abs() < 400.0, "{}", places.len());
    }

    #[test]
    fn uniforms_are_positive_and_at_most_one() {
        assert!(uniform_from_bits(0) > 0.0);
        assert!(uniform_from_bits(u32::MAX) <= 1.0);
    }
}
