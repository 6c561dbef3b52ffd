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

// sin(x + turns·π/2): quarter turns are taken off in three parts.
fn sine(x: f32, turns: i32) -> f32 {
    if (!is_finite(x)) {
        return not_a_number();
    }
    let n = round(x * 0.636619772);
    let r = fma(n, -7.54978995489188e-8, held(fma(n, -4.837512969970703125e-4, held(fma(n, -1.5703125, x)))));
    let quadrant = (i32(n) + turns) & 3;
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
