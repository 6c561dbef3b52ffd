@group(0) @binding(BINDING) var<storage, read> NAME: array<vec4<f32>>;

// Element i.
fn at_NAME(i: u32) -> f32 {
    return NAME[i / 4u][i % 4u];
}

// Run i, of four elements.
fn load_NAME(i: u32) -> vec4<f32> {
    return NAME[i];
}

// Elements i to i + 3, of which the first `left` count; i and `left` are multiples of 4.
fn read_NAME(i: u32, left: i32) -> vec4<f32> {
    if (left <= 0) {
        return vec4<f32>();
    }
    return NAME[i / 4u];
}
