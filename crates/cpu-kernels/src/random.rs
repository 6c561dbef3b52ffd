//! Random numbers as a function of a position: Philox4x32-10 (Salmon et al., "Parallel random numbers: as easy as 1, 2,
//! 3", 2011), many counters at a time, and Box–Muller with polynomials of our own, so that no mathematics library decides
//! about bits.

use std::f64::consts::{LN_2, TAU};

use stylegan_tensor::Position;

use crate::parallel::{BLOCK, pieces, simd};

/// Counters computed at a time. So many that the compiler keeps loops over them, which become vector code; shorter ones
/// would be unrolled into scalars.
const LANES: usize = 64;

/// One word of each counter, or one number.
type Lanes<T> = [T; LANES];

/// `y[i]` is uniform in (0, 1], from element `offset + i` of the sequence.
pub fn uniform(position: Position, y: &mut [f32]) {
    draw(
        position,
        y,
        #[inline(always)]
        |[a, b, c, d]| [uniforms(a), uniforms(b), uniforms(c), uniforms(d)],
    );
}

/// `y[2i], y[2i + 1] = √(−2 ln u) · (cos 2πv, sin 2πv)` with (u, v) the uniforms of the same elements (Box–Muller).
/// Computed in f64 and rounded once.
pub fn normal(position: Position, y: &mut [f32]) {
    draw(
        position,
        y,
        #[inline(always)]
        |[a, b, c, d]| {
            let [x, y] = box_muller(uniforms(a), uniforms(b));
            let [z, w] = box_muller(uniforms(c), uniforms(d));
            [x, y, z, w]
        },
    );
}

fn draw(position: Position, y: &mut [f32], f: impl Fn([Lanes<u32>; 4]) -> [Lanes<f32>; 4] + Sync) {
    let cost = y.len();
    pieces(y, BLOCK, cost, |start, piece| {
        simd!(|| {
            for (i, y) in piece.chunks_mut(4 * LANES).enumerate() {
                let element = start + i * 4 * LANES;
                let numbers = f(philox(position, position.offset / 4 + element as u64 / 4));
                for (lane, y) in y.chunks_mut(4).enumerate() {
                    for (y, numbers) in y.iter_mut().zip(&numbers) {
                        *y = numbers[lane];
                    }
                }
            }
        });
    });
}

/// The four words of counters `block, block + 1, …`.
#[inline(always)]
fn philox(position: Position, block: u64) -> [Lanes<u32>; 4] {
    let stream = [position.stream as u32, (position.stream >> 32) as u32];
    let mut words = [[0; LANES], [0; LANES], [stream[0]; LANES], [stream[1]; LANES]];
    let [low, high, ..] = &mut words;
    for (lane, (low, high)) in low.iter_mut().zip(high).enumerate() {
        let counter = block.wrapping_add(lane as u64);
        (*low, *high) = (counter as u32, (counter >> 32) as u32);
    }
    let mut key = [position.seed as u32, (position.seed >> 32) as u32];
    for _ in 0..10 {
        let [w0, w1, w2, w3] = &mut words;
        for lane in 0..LANES {
            let a = u64::from(w0[lane]) * 0xD251_1F53;
            let b = u64::from(w2[lane]) * 0xCD9E_8D57;
            w0[lane] = (b >> 32) as u32 ^ w1[lane] ^ key[0];
            w1[lane] = b as u32;
            w2[lane] = (a >> 32) as u32 ^ w3[lane] ^ key[1];
            w3[lane] = a as u32;
        }
        key = [key[0].wrapping_add(0x9E37_79B9), key[1].wrapping_add(0xBB67_AE85)];
    }
    words
}

/// `(bits >> 8 + ½) · 2⁻²⁴`, rounded to f32.
#[inline(always)]
fn uniforms(bits: Lanes<u32>) -> Lanes<f32> {
    let mut u = [0.0; LANES];
    for lane in 0..LANES {
        // 24 bits fit an i32, whose conversion every instruction set has.
        u[lane] = ((bits[lane] >> 8) as i32 as f32 + 0.5) * (1.0 / (1 << 24) as f32);
    }
    u
}

#[inline(always)]
fn box_muller(u: Lanes<f32>, v: Lanes<f32>) -> [Lanes<f32>; 2] {
    let (mut x, mut y) = ([0.0; LANES], [0.0; LANES]);
    for lane in 0..LANES {
        let radius = (-2.0 * ln(u[lane])).sqrt();
        let (sin, cos) = sin_cos_turns(v[lane]);
        x[lane] = (radius * cos) as f32;
        y[lane] = (radius * sin) as f32;
    }
    [x, y]
}

/// ln u for u in (0, 1]: `u = 2ᵉ·m` with m in [√½, √2), `ln m = 2·artanh s` with `s = (m − 1) / (m + 1)`, |s| ≤ 0.172. The
/// series after s¹³ is below 1e-12 of it.
#[inline(always)]
fn ln(u: f32) -> f64 {
    const SQRT_HALF: i32 = 0x3F35_04F3;
    let bits = u.to_bits() as i32;
    let exponent = (bits - SQRT_HALF) >> 23;
    let m = f64::from(f32::from_bits((bits - (exponent << 23)) as u32));
    let s = (m - 1.0) / (m + 1.0);
    let series = [1.0 / 13.0, 1.0 / 11.0, 1.0 / 9.0, 1.0 / 7.0, 1.0 / 5.0, 1.0 / 3.0, 1.0];
    f64::from(exponent) * LN_2 + 2.0 * s * horner(s * s, series)
}

/// (sin 2πv, cos 2πv) for v in [0, 1]: Taylor series about the nearest quarter turn, |θ| ≤ π/4. The terms left out are
/// below 1e-11.
#[inline(always)]
fn sin_cos_turns(v: f32) -> (f64, f64) {
    let quarter = (v * 4.0 + 0.5) as i32;
    let theta = (f64::from(v) - f64::from(quarter) * 0.25) * TAU;
    let square = theta * theta;
    let sin =
        theta * horner(square, [-1.0 / 39_916_800.0, 1.0 / 362_880.0, -1.0 / 5040.0, 1.0 / 120.0, -1.0 / 6.0, 1.0]);
    let cos =
        horner(square, [1.0 / 479_001_600.0, -1.0 / 3_628_800.0, 1.0 / 40_320.0, -1.0 / 720.0, 1.0 / 24.0, -0.5, 1.0]);
    let (a, b) = if quarter & 1 == 0 { (sin, cos) } else { (cos, sin) };
    let sin_sign = if quarter & 2 == 0 { 1.0 } else { -1.0 };
    let cos_sign = if (quarter + 1) & 2 == 0 { 1.0 } else { -1.0 };
    (a * sin_sign, b * cos_sign)
}

/// A polynomial, highest coefficient first.
#[inline(always)]
fn horner<const K: usize>(x: f64, coefficients: [f64; K]) -> f64 {
    coefficients.into_iter().fold(0.0, |sum, coefficient| sum * x + coefficient)
}
