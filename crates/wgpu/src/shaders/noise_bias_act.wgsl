// v = x + noise · strength + b, y = v where v ≥ 0, else alpha · v: one noise a pixel, one strength and bias a channel.
// `channels` counts V; `noises` are the noise's pixels.
struct Params { len: u32, channels: u32, noises: u32, alpha: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<V>;
@group(0) @binding(1) var<storage, read> noise: array<f32>;
@group(0) @binding(2) var<storage, read> strength: array<V>;
@group(0) @binding(3) var<storage, read> b: array<V>;
@group(0) @binding(4) var<storage, read_write> y: array<V>;

fn value(i: u32) -> V {
    let channel = i % p.channels;
    let sum = x[i] + noise[i / p.channels % p.noises] * strength[channel] + b[channel];
    return select(p.alpha * sum, sum, sum >= V(0.0));
}
