// y = (x − μ) / √(σ² + 1e−8) · (style + 1) + bias. `channels` counts V.
struct Params { len: u32, pixels: u32, channels: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read> style: array<V>;
@group(0) @binding(2) var<storage, read> stats: array<V>;
@group(0) @binding(3) var<storage, read_write> y: array<V>;

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
    let first = i / (p.channels * p.pixels) * 2u * p.channels + i % p.channels;
    let second = first + p.channels;
    let normal = (x[i] - stats[first]) * stats[second];
    var v = normal * (style[first] + V(1.0)) + style[second];
    if (ADD == 1u) {
        v += y[i];
    }
    y[i] = v;
}
