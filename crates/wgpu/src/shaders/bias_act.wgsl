// v = x + b, y = v where v ≥ 0, else alpha · v. `channels` counts V.
struct Params { len: u32, channels: u32, alpha: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read> b: array<V>;
@group(0) @binding(2) var<storage, read_write> y: array<V>;

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
    let sum = x[i] + b[i % p.channels];
    var v = select(p.alpha * sum, sum, sum >= V(0.0));
    if (ADD == 1u) {
        v += y[i];
    }
    y[i] = v;
}
