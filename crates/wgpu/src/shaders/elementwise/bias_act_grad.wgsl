// x = g where y ≥ 0, else alpha · g: the adjoint of bias_act in x. The result is called y here, bias_act's y is `output`.
struct Params { len: u32, alpha: f32 }
var<immediate> p: Params;

fn value(i: u32) -> V {
    let v = load_g(i);
    return select(p.alpha * v, v, load_output(i) >= V(0.0));
}
