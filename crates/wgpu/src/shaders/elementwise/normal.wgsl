// Standard normal numbers by Box–Muller, √(−2 ln u) · (cos 2πv, sin 2πv), with polynomials of our own: see
// crates/cpu-kernels/src/random.rs, which computes the same in f64.
// −2 ln u for u in (0, 1]: u = 2ᵉ·m, ln m = 2·artanh((m − 1) / (m + 1)).
fn minus_twice_log(u: f32) -> f32 {
    let bits = bitcast<i32>(u);
    let exponent = (bits - 0x3f3504f3) >> 23u;
    let m = bitcast<f32>(bits - (exponent << 23u));
    let s = (m - 1.0) / (m + 1.0);
    let t = s * s;
    var q = fma(t, 1.0 / 11.0, 1.0 / 9.0);
    q = fma(q, t, 1.0 / 7.0);
    q = fma(q, t, 0.2);
    q = fma(q, t, 1.0 / 3.0);
    let e = f32(exponent);
    // ln 2 in two parts: the first has few bits, so that its multiples are exact.
    return fma(e, -2.0 * 0.693359375, fma(e, 2.0 * 2.12194440e-4, -4.0 * fma(q * t, s, s)));
}

// The square root, corrected once: a driver's may be off by two roundings.
fn root(x: f32) -> f32 {
    if (x <= 0.0) {
        return 0.0;
    }
    let r = sqrt(x);
    return fma(fma(-r, r, x), 0.5 / r, r);
}

// (cos 2πv, sin 2πv) for v in [0, 1], by Taylor's series about the nearest quarter turn.
fn turn(v: f32) -> vec2<f32> {
    let quarter = i32(v * 4.0 + 0.5);
    // Exact: a multiple of 2⁻²⁵ below 1/8.
    let rest = v - f32(quarter) * 0.25;
    let theta = rest * 6.28318531;
    // What is lost of 2π and in the product.
    let low = fma(rest, -1.74845553e-7, fma(rest, 6.28318531, -theta));
    let t = theta * theta;
    var s = fma(t, 1.0 / 362880.0, -1.0 / 5040.0);
    s = fma(s, t, 1.0 / 120.0);
    s = fma(s, t, -1.0 / 6.0);
    var c = fma(t, 1.0 / 40320.0, -1.0 / 720.0);
    c = fma(c, t, 1.0 / 24.0);
    c = fma(c, t, -0.5);
    let sine = theta + fma(s * t, theta, low);
    let cosine = 1.0 + fma(c, t, -theta * low);
    var a = vec2<f32>(cosine, sine);
    if ((quarter & 1) == 1) {
        a = a.yx;
    }
    return vec2<f32>(
        select(-a.x, a.x, ((quarter + 1) & 2) == 0),
        select(-a.y, a.y, (quarter & 2) == 0),
    );
}

fn numbers(i: u32) -> vec4<f32> {
    let u = uniforms(i);
    return vec4<f32>(root(minus_twice_log(u.x)) * turn(u.y), root(minus_twice_log(u.z)) * turn(u.w));
}
