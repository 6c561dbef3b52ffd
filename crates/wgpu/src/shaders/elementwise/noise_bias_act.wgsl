// v = x + noise · strength + b, y = v where v ≥ 0, else alpha · v: one noise a pixel, one strength and bias a channel.
// `channels` counts V; `noises` are the noise's pixels.
struct Params { len: u32, channels: u32, noises: u32, alpha: f32 }
var<immediate> p: Params;

fn value(i: u32) -> V {
    let channel = i % p.channels;
    let sum = load_x(i) + load_noise(i / p.channels % p.noises) * load_strength(channel) + load_b(channel);
    return select(p.alpha * sum, sum, sum >= V(0.0));
}
