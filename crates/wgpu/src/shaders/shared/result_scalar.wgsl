@group(0) @binding(BINDING) var<storage, read_write> NAME: array<f32>;

// Writes (or adds) run i, of one element.
fn store_NAME(i: u32, v: f32, add: bool) {
    if (add) {
        NAME[i] += v;
    } else {
        NAME[i] = v;
    }
}

// Writes (or adds) the first `left` elements of v from i on.
fn write_NAME(i: u32, left: i32, v: vec4<f32>, add: bool) {
    if (left > 0) { store_NAME(i, v.x, add); }
    if (left > 1) { store_NAME(i + 1u, v.y, add); }
    if (left > 2) { store_NAME(i + 2u, v.z, add); }
    if (left > 3) { store_NAME(i + 3u, v.w, add); }
}
