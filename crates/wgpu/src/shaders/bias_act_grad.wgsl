// x = g where y ≥ 0, else alpha · g: the adjoint of bias_act in x. The result is called y here, bias_act's y is `output`.
struct Params { len: u32, alpha: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> g: array<V>;
@group(0) @binding(1) var<storage, read> output: array<V>;
@group(0) @binding(2) var<storage, read_write> y: array<V>;

fn value(i: u32) -> V {
    return select(p.alpha * g[i], g[i], output[i] >= V(0.0));
}
