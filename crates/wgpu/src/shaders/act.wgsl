// y = x where x ≥ 0, else alpha · x: bias_act without a bias.
struct Params { len: u32, alpha: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read_write> y: array<V>;

fn value(i: u32) -> V {
    return select(p.alpha * x[i], x[i], x[i] >= V(0.0));
}
