// y = a where c is not 0, else b, with broadcasting.
@group(0) @binding(0) var<storage, read> c: array<f32>;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = element(group, groups, local);
    if (i >= p.len) {
        return;
    }
    let at = sources(i);
    // By bits: NaN is not 0, −0 is.
    var v = 0.0;
    if ((bitcast<u32>(c[at.x]) & 0x7fffffffu) != 0u) {
        v = a[at.y];
    } else {
        v = b[at.z];
    }
    if (ADD == 1u) {
        v += y[i];
    }
    y[i] = v;
}
