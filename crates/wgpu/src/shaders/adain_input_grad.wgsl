// dx = (style + 1) · r · (g − mean g − x̂ · mean(g·x̂)), r = 1/√(σ² + 1e−8); `sums` are Σ g·x̂ and Σ g.
@group(0) @binding(0) var<storage, read> g: array<V>;
@group(0) @binding(1) var<storage, read> x: array<V>;
@group(0) @binding(2) var<storage, read> style: array<V>;
@group(0) @binding(3) var<storage, read> stats: array<V>;
@group(0) @binding(4) var<storage, read> sums: array<V>;
@group(0) @binding(5) var<storage, read_write> y: array<V>;

fn value(i: u32) -> V {
    let first = first_of(i);
    let second = first + p.channels;
    let normal = (x[i] - stats[first]) * stats[second];
    let part = 1.0 / f32(p.pixels);
    return (style[first] + V(1.0)) * stats[second] * (g[i] - sums[second] * part - normal * (sums[first] * part));
}
