// y = a where c is not 0, else b, with broadcasting.
@group(0) @binding(0) var<storage, read> c: array<f32>;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

fn value(i: u32) -> f32 {
    let at = sources(i);
    // By bits: NaN is not 0, −0 is.
    if ((bitcast<u32>(c[at.x]) & 0x7fffffffu) != 0u) {
        return a[at.y];
    }
    return b[at.z];
}
