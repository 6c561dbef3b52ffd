// y = (x − μ) / √(σ² + 1e−8) · (style + 1) + bias.
@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read> style: array<V>;
@group(0) @binding(2) var<storage, read> stats: array<V>;
@group(0) @binding(3) var<storage, read_write> y: array<V>;

fn value(i: u32) -> V {
    let first = first_of(i);
    let second = first + p.channels;
    let normal = (x[i] - stats[first]) * stats[second];
    return normal * (style[first] + V(1.0)) + style[second];
}
