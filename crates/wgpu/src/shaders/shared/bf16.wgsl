// Four numbers of 16 bits in two words, the first in the low bits: the upper halves of f32, rounded to even.
fn widen(words: vec2<u32>) -> vec4<f32> {
    let low = words << vec2<u32>(16u);
    let high = words & vec2<u32>(0xffff0000u);
    return bitcast<vec4<f32>>(vec4<u32>(low.x, high.x, low.y, high.y));
}

// The number in the low bits.
fn widen_one(word: u32) -> f32 {
    return bitcast<f32>(word << 16u);
}

fn narrow(v: vec4<f32>) -> vec2<u32> {
    let bits = bitcast<vec4<u32>>(v);
    let rounded = bits + 0x7fffu + ((bits >> vec4<u32>(16u)) & vec4<u32>(1u));
    // Rounding would carry NaN on to a number.
    let nan = (bits & vec4<u32>(0x7fffffffu)) > vec4<u32>(0x7f800000u);
    let halves = select(rounded, bits | vec4<u32>(0x400000u), nan) >> vec4<u32>(16u);
    return halves.xz | (halves.yw << vec2<u32>(16u));
}
