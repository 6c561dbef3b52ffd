// v = x + b, y = v where v ≥ 0, else alpha · v. `channels` counts V.
struct Params { len: u32, channels: u32, alpha: f32 }
var<immediate> p: Params;

fn value(i: u32) -> V {
    let sum = load_x(i) + load_b(i % p.channels);
    return select(p.alpha * sum, sum, sum >= V(0.0));
}
