@group(0) @binding(BINDING) var<storage, read_write> NAME: array<vec2<u32>>;

// Writes (or adds) run i, of four elements; the sum is rounded once.
fn store_NAME(i: u32, v: vec4<f32>, add: bool) {
    if (add) {
        NAME[i] = narrow(widen(NAME[i]) + v);
    } else {
        NAME[i] = narrow(v);
    }
}

// Writes (or adds) the first `left` elements of v from i on; i and `left` are multiples of 4.
fn write_NAME(i: u32, left: i32, v: vec4<f32>, add: bool) {
    if (left <= 0) {
        return;
    }
    store_NAME(i / 4u, v, add);
}
