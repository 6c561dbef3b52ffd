// v = x + b, y = v where v ≥ 0, else alpha · v. `channels` counts V.
struct Params { len: u32, channels: u32, alpha: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read> b: array<V>;
@group(0) @binding(2) var<storage, read_write> y: array<V>;

fn value(i: u32) -> V {
    let sum = x[i] + b[i % p.channels];
    return select(p.alpha * sum, sum, sum >= V(0.0));
}
