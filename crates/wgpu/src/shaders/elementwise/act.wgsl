// y = x where x ≥ 0, else alpha · x: bias_act without a bias.
struct Params { len: u32, alpha: f32 }
var<immediate> p: Params;

fn value(i: u32) -> V {
    let v = load_x(i);
    return select(p.alpha * v, v, v >= V(0.0));
}
