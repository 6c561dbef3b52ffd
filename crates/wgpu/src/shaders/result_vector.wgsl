@group(0) @binding(BINDING) var<storage, read_write> NAME: array<vec4<f32>>;

// Writes (or adds) the first `left` elements of v from i on; i and `left` are multiples of 4.
fn write_NAME(i: u32, left: i32, v: vec4<f32>, add: bool) {
    if (left <= 0) {
        return;
    }
    if (add) {
        NAME[i / 4u] += v;
    } else {
        NAME[i / 4u] = v;
    }
}
