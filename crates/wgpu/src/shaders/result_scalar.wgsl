@group(0) @binding(BINDING) var<storage, read_write> NAME: array<f32>;

fn put_NAME(i: u32, v: f32, add: bool) {
    if (add) {
        NAME[i] += v;
    } else {
        NAME[i] = v;
    }
}

// Writes (or adds) the first `left` elements of v from i on.
fn write_NAME(i: u32, left: i32, v: vec4<f32>, add: bool) {
    if (left > 0) { put_NAME(i, v.x, add); }
    if (left > 1) { put_NAME(i + 1u, v.y, add); }
    if (left > 2) { put_NAME(i + 2u, v.z, add); }
    if (left > 3) { put_NAME(i + 3u, v.w, add); }
}
