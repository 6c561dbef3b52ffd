@group(0) @binding(BINDING) var<storage, read> NAME: array<f32>;

// Element i.
fn at_NAME(i: u32) -> f32 {
    return NAME[i];
}

// Run i, of one element.
fn load_NAME(i: u32) -> f32 {
    return NAME[i];
}

// Elements i to i + 3, of which the first `left` count; the others are 0.
fn read_NAME(i: u32, left: i32) -> vec4<f32> {
    var v = vec4<f32>();
    if (left > 0) { v.x = NAME[i]; }
    if (left > 1) { v.y = NAME[i + 1u]; }
    if (left > 2) { v.z = NAME[i + 2u]; }
    if (left > 3) { v.w = NAME[i + 3u]; }
    return v;
}
