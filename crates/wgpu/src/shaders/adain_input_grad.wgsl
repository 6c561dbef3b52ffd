// dx = (style + 1) · r · (g − mean g − x̂ · mean(g·x̂)), r = 1/√(σ² + 1e−8); `sums` are Σ g·x̂ and Σ g. `channels` counts V.
struct Params { len: u32, pixels: u32, channels: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> g: array<V>;
@group(0) @binding(1) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read> style: array<V>;
@group(0) @binding(3) var<storage, read> stats: array<V>;
@group(0) @binding(4) var<storage, read> sums: array<V>;
@group(0) @binding(5) var<storage, read_write> y: array<V>;

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
    let part = 1.0 / f32(p.pixels);
    var v = (style[first] + V(1.0)) * stats[second] * (g[i] - sums[second] * part - normal * (sums[first] * part));
    if (ADD == 1u) {
        v += y[i];
    }
    y[i] = v;
}
