// Four numbers of 16 bits in two words, the first in the low bits: f16, rounded to even; what is too large becomes infinite.
fn widen(words: vec2<u32>) -> vec4<f32> {
    return vec4<f32>(unpack2x16float(words.x), unpack2x16float(words.y));
}

// The number in the low bits.
fn widen_one(word: u32) -> f32 {
    return unpack2x16float(word).x;
}

// Not pack2x16float: how that rounds, and what it makes of numbers that are too large, is left to the GPU.
fn narrow(v: vec4<f32>) -> vec2<u32> {
    let bits = bitcast<vec4<u32>>(v);
    let size = bits & vec4<u32>(0x7fffffffu);
    let odd = (size >> vec4<u32>(13u)) & vec4<u32>(1u);
    // The exponent's zero moves by 112.
    var halves = (size - 0x38000000u + 0xfffu + odd) >> vec4<u32>(13u);
    // Below 2^-14 f16 has steps of 2^-24, those of f32 at 1/2.
    let steps = bitcast<vec4<u32>>(bitcast<vec4<f32>>(size) + 0.5) - 0x3f000000u;
    halves = select(halves, steps, size < vec4<u32>(0x38800000u));
    // From 65520 on.
    halves = select(halves, vec4<u32>(0x7c00u), size >= vec4<u32>(0x477ff000u));
    halves = select(halves, vec4<u32>(0x7e00u), size > vec4<u32>(0x7f800000u));
    halves |= (bits >> vec4<u32>(16u)) & vec4<u32>(0x8000u);
    return halves.xz | (halves.yw << vec2<u32>(16u));
}
