@group(0) @binding(BINDING) var<storage, read> NAME: array<vec2<u32>>;

// Element i.
fn at_NAME(i: u32) -> f32 {
    return widen_one(NAME[i / 4u][i / 2u % 2u] >> (i % 2u * 16u));
}

// Run i, of four elements.
fn load_NAME(i: u32) -> vec4<f32> {
    return widen(NAME[i]);
}

// Elements i to i + 3, of which the first `left` count; i and `left` are multiples of 4.
fn read_NAME(i: u32, left: i32) -> vec4<f32> {
    if (left <= 0) {
        return vec4<f32>();
    }
    return widen(NAME[i / 4u]);
}
