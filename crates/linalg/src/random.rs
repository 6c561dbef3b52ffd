//! Random draws as a function of where they stand.

/// Random words at (stream, block), given by the caller: the same four for the same place.
#[derive(Clone, Copy)]
pub struct Random<'a>(&'a (dyn Fn(u64, u64) -> [u32; 4] + Sync));

impl<'a> Random<'a> {
    /// `words` gives independent, uniform bits for each (stream, block).
    pub fn new(words: &'a (dyn Fn(u64, u64) -> [u32; 4] + Sync)) -> Self {
        Self(words)
    }

    /// Two whole numbers from 0, the first below `n`, the second below `m`, both at most 2³².
    pub(crate) fn pair_below(self, stream: u64, block: u64, n: u64, m: u64) -> (usize, usize) {
        let words = (self.0)(stream, block);
        let below = |word: u32, n: u64| ((u64::from(word) * n) >> 32) as usize;
        (below(words[0], n), below(words[1], m))
    }

    /// A standard normal (Box–Muller).
    pub(crate) fn normal(self, stream: u64, block: u64) -> f64 {
        let [a, b, c, d] = (self.0)(stream, block);
        // 53 bits in (0, 1].
        let uniform = |high: u32, low: u32| {
            let bits = (u64::from(high) << 32 | u64::from(low)) >> 11;
            (bits + 1) as f64 / (1u64 << 53) as f64
        };
        (-2.0 * uniform(a, b).ln()).sqrt() * (std::f64::consts::TAU * uniform(c, d)).cos()
    }

    /// `count` different places of `n` in random order (the first steps of Fisher–Yates).
    pub(crate) fn choose(self, stream: u64, n: usize, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        self.shuffle(stream, &mut order, count);
        order.truncate(count);
        order
    }

    /// Puts random elements first, `count` of them.
    pub(crate) fn shuffle<T>(self, stream: u64, values: &mut [T], count: usize) {
        let n = values.len();
        for i in 0..count.min(n) {
            let words = (self.0)(stream, i as u64);
            let bits = u64::from(words[0]) << 32 | u64::from(words[1]);
            // 64 bits for at most 2³² places: no place is favoured by more than 2⁻³².
            let other = i + ((u128::from(bits) * (n - i) as u128) >> 64) as usize;
            values.swap(i, other);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use stylegan_tensor::Position;

    fn philox(stream: u64, block: u64) -> [u32; 4] {
        Position { seed: 1, stream, offset: 0 }.block(block)
    }

    #[test]
    fn chosen_places_are_different_and_each_is_as_likely() {
        let random = Random::new(&philox);
        let mut counts = [0; 10];
        for stream in 0..4000 {
            let mut chosen = random.choose(stream, 10, 4);
            chosen.iter().for_each(|&place| counts[place] += 1);
            chosen.sort_unstable();
            chosen.dedup();
            assert_eq!(chosen.len(), 4);
        }
        // 1600 of each; the deviation is √(4000 · 0.4 · 0.6) = 31.
        assert!(counts.iter().all(|count| (1450..1750).contains(count)), "{counts:?}");
    }

    #[test]
    fn normals_have_the_moments_of_the_normal_distribution() {
        let random = Random::new(&philox);
        let values: Vec<f64> = (0..40_000).map(|block| random.normal(0, block)).collect();
        let moment = |power| values.iter().map(|value| value.powi(power)).sum::<f64>() / values.len() as f64;
        // Deviations of the estimates: 0.005, 0.007, 0.02, 0.05.
        let found = [1, 2, 3, 4].map(moment);
        let near = found.iter().zip([0.0, 1.0, 0.0, 3.0]).zip([0.02, 0.03, 0.08, 0.2]);
        assert!(near.clone().all(|((found, wanted), by)| (found - wanted).abs() < by), "{found:?}");
    }
}
