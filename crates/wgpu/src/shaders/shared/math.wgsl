// Functions of our own: WGSL leaves the accuracy of its own to the driver, and some are off in the fourth digit.

// x, which is above −4. Drivers may add up the constants of sums in a row, a·c + (a·d + x), and lose what splitting a constant
// gained (Mesa does); none looks through this.
fn held(x: f32) -> f32 {
    return max(x, -4.0);
}

// 2ⁿ · x for n from −252 to 254, in two steps so that each factor is a number.
fn scaled(x: f32, n: i32) -> f32 {
    let half = n / 2;
    return x * bitcast<f32>((half + 127) << 23u) * bitcast<f32>((n - half + 127) << 23u);
}

// e^x: x = n·ln 2 + r with |r| ≤ ln 2 / 2, and a polynomial for e^r (Cephes, expf).
fn exponential(x: f32) -> f32 {
    if (is_nan(x)) {
        return x;
    }
    if (x > 88.72284) {
        return infinity();
    }
    if (x < -103.98) {
        return 0.0;
    }
    let n = floor(fma(x, 1.44269504, 0.5));
    let r = fma(n, 2.12194440e-4, held(fma(n, -0.693359375, x)));
    var q = fma(1.9875691500e-4, r, 1.3981999507e-3);
    q = fma(q, r, 8.3334519073e-3);
    q = fma(q, r, 4.1665795894e-2);
    q = fma(q, r, 1.6666665459e-1);
    q = fma(q, r, 5.0000001201e-1);
    return scaled(fma(q, r * r, r) + 1.0, i32(n));
}

// e^x − 1 without cancellation near 0.
fn exponential_minus_one(x: f32) -> f32 {
    if (abs(x) > 0.5) {
        return exponential(x) - 1.0;
    }
    // Taylor's series: the next term is below 2⁻²⁴ of the sum at 0.5.
    var q = fma(x, 1.0 / 40320.0, 1.0 / 5040.0);
    q = fma(q, x, 1.0 / 720.0);
    q = fma(q, x, 1.0 / 120.0);
    q = fma(q, x, 1.0 / 24.0);
    q = fma(q, x, 1.0 / 6.0);
    q = fma(q, x, 0.5);
    return fma(q * x, x, x);
}

// 2·artanh(s) for |s| ≤ 1/3.
fn twice_artanh(s: f32) -> f32 {
    let t = s * s;
    var q = fma(t, 1.0 / 15.0, 1.0 / 13.0);
    q = fma(q, t, 1.0 / 11.0);
    q = fma(q, t, 1.0 / 9.0);
    q = fma(q, t, 1.0 / 7.0);
    q = fma(q, t, 0.2);
    q = fma(q, t, 1.0 / 3.0);
    return 2.0 * fma(q * t, s, s);
}

// ln x: x = 2ᵉ·m with m in [√½, √2), ln m = 2·artanh((m − 1) / (m + 1)).
fn logarithm(x: f32) -> f32 {
    if (is_nan(x) || x < 0.0) {
        return not_a_number();
    }
    if (x == 0.0) {
        return -infinity();
    }
    if (!is_finite(x)) {
        return x;
    }
    let bits = bitcast<i32>(x);
    let exponent = (bits - 0x3f3504f3) >> 23u;
    let m = bitcast<f32>(bits - (exponent << 23u));
    let e = f32(exponent);
    // ln 2 in two parts: the first has few bits, so that its multiples are exact.
    return fma(e, 0.693359375, held(fma(e, -2.12194440e-4, twice_artanh((m - 1.0) / (m + 1.0)))));
}

// ln(1 + y) for y in [0, 1], accurate also where y is tiny.
fn logarithm_plus_one(y: f32) -> f32 {
    return twice_artanh(y / (2.0 + y));
}

// (sin r, cos r) for |r| ≤ π/4 (Cephes, sinf and cosf).
fn small_sine(r: f32) -> f32 {
    let t = r * r;
    let q = fma(fma(-1.9515295891e-4, t, 8.3321608736e-3), t, -1.6666654611e-1);
    return fma(q * t, r, r);
}

fn small_cosine(r: f32) -> f32 {
    let t = r * r;
    let q = fma(fma(2.443315711809948e-5, t, -1.388731625493765e-3), t, 4.166664568298827e-2);
    return fma(q * t, t, fma(-0.5, t, 1.0));
}

// x = quarters·π/2 + rest, the rest within π/4 of 0; only the last two bits of `quarters` count.
struct Turned { quarters: i32, rest: f32 }

// For |x| up to 8192: quarter turns are taken off in three parts.
fn turned_little(x: f32) -> Turned {
    let n = round(x * 0.636619772);
    let r = fma(n, -7.54978995489188e-8, held(fma(n, -4.837512969970703125e-4, held(fma(n, -1.5703125, x)))));
    return Turned(i32(n), r);
}

// a·b as its low and its high word.
fn wide_product(a: u32, b: u32) -> vec2<u32> {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let left = (a >> 16u) * (b & 0xffffu);
    let right = (a & 0xffffu) * (b >> 16u);
    let middle = (low >> 16u) + (left & 0xffffu) + (right & 0xffffu);
    let high = (a >> 16u) * (b >> 16u) + (left >> 16u) + (right >> 16u) + (middle >> 16u);
    return vec2<u32>((low & 0xffffu) | (middle << 16u), high);
}

// The upper word of (high, low) << count, for a count from 0 to 32.
fn shifted(high: u32, low: u32, count: u32) -> u32 {
    if (count == 0u) {
        return high;
    }
    if (count == 32u) {
        return low;
    }
    return (high << count) | (low >> (32u - count));
}

// For |x| from 2¹³ on: x·2/π in integers, of which only two bits before the point and those behind it matter (Payne and Hanek,
// "Radian reduction for trigonometric functions", 1983).
fn turned_much(x: f32) -> Turned {
    // 2/π in words of 32 bits behind the point, after two words before it.
    var words = array<u32, 9>(
        0u, 0u, 0xa2f9836eu, 0x4e441529u, 0xfc2757d1u, 0xf534ddc0u, 0xdb629599u, 0x3c439041u, 0xfe5163abu,
    );
    // |x| = mantissa · 2^(32·(skipped − 1) + count)
    let bits = bitcast<u32>(x);
    let mantissa = (bits << 8u) | 0x80000000u;
    let exponent = ((bits >> 23u) & 255u) - 126u;
    let skipped = exponent >> 5u;
    let count = exponent & 31u;
    // Words before `skipped` give multiples of 4 quarters, those after five more less than 2⁻⁶⁴.
    var product = array<u32, 6>();
    var carry = 0u;
    for (var j = 5u; j > 0u; j--) {
        let part = wide_product(mantissa, words[skipped + j - 1u]);
        let sum = part.x + carry;
        carry = part.y + select(0u, 1u, sum < carry);
        product[j] = sum;
    }
    var quarters = shifted(product[1], product[2], count);
    var high = shifted(product[2], product[3], count);
    var low = shifted(product[3], product[4], count);
    let is_past_half = high >= 0x80000000u;
    if (is_past_half) {
        quarters += 1u;
        low = ~low + 1u;
        high = ~high + select(0u, 1u, low == 0u);
    }
    // The first bits that are set: as many as f32 holds, and as many again that it rounds.
    let zeros = countLeadingZeros(high);
    let fraction = f32(shifted(high, low, zeros)) * bitcast<f32>((95u - zeros) << 23u);
    let rest = fraction * 1.57079633;
    let is_negative = x < 0.0;
    return Turned(
        select(i32(quarters), -i32(quarters), is_negative),
        select(rest, -rest, is_past_half != is_negative),
    );
}

// sin(x + turns·π/2).
fn sine(x: f32, turns: i32) -> f32 {
    if (!is_finite(x)) {
        return not_a_number();
    }
    var turned = turned_little(x);
    if (abs(x) > 8192.0) {
        turned = turned_much(x);
    }
    let r = turned.rest;
    let quadrant = (turned.quarters + turns) & 3;
    var v = 0.0;
    if ((quadrant & 1) == 0) {
        v = small_sine(r);
    } else {
        v = small_cosine(r);
    }
    return select(v, -v, quadrant >= 2);
}

// arcsin s for 0 ≤ s ≤ ½ (Cephes, asinf).
fn small_arc_sine(s: f32) -> f32 {
    let t = s * s;
    var q = fma(4.2163199048e-2, t, 2.4181311049e-2);
    q = fma(q, t, 4.5470025998e-2);
    q = fma(q, t, 7.4953002686e-2);
    q = fma(q, t, 1.6666752422e-1);
    return fma(q * t, s, s);
}

fn arc_cosine(x: f32) -> f32 {
    if (is_nan(x) || abs(x) > 1.0) {
        return not_a_number();
    }
    if (abs(x) <= 0.5) {
        let s = small_arc_sine(abs(x));
        return 1.57079633 - select(s, -s, x < 0.0);
    }
    let s = 2.0 * small_arc_sine(sqrt(0.5 * (1.0 - abs(x))));
    return select(s, 3.14159265 - s, x < 0.0);
}
