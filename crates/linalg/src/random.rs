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
        let below = |word: u32, n: u64| (u64::from(word) * n >> 32) as usize;
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
