#![allow(dead_code, reason = "each test file uses a part of it")]

/// Values between −1 and 1 that depend on `seed` alone.
pub fn values(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(2).wrapping_add(1);
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1 << 23) as f32 - 1.0
    };
    (0..len).map(|_| next()).collect()
}

/// As `values`, with seeds that lie far apart.
pub fn numbers(len: usize, seed: u64) -> Vec<f32> {
    values(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 1, len)
}

/// Fails unless `run` gives the same bits on 1, 2 and 3 threads, several times each: which thread takes which block is chance.
pub fn assert_same_bits(what: &str, mut run: impl FnMut() -> Vec<f32> + Send) {
    let mut on = |threads: usize| -> Vec<u32> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool starts");
        pool.install(&mut run).iter().map(|y| y.to_bits()).collect()
    };
    let one = on(1);
    for threads in [2, 3, 2, 3] {
        assert!(on(threads) == one, "{what} differs on {threads} threads");
    }
}

/// Fails where `found` is further from `expected` than `tolerance` times the largest value expected.
pub fn assert_close(found: &[f32], expected: &[f64], tolerance: f64) {
    assert_eq!(found.len(), expected.len());
    let largest = expected.iter().fold(1e-30, |largest: f64, e| largest.max(e.abs()));
    for (i, (&f, &e)) in found.iter().zip(expected).enumerate() {
        let error = (f64::from(f) - e).abs() / largest;
        assert!(error <= tolerance, "element {i}: expected {e}, got {f}: {error:e} of the largest");
    }
}
