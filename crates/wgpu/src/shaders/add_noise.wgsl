// y = x + noise · strength: one noise a pixel, one strength a channel. `channels` counts V; `noises` are the noise's pixels.
struct Params { len: u32, channels: u32, noises: u32 }
var<immediate> p: Params;

fn value(i: u32) -> V {
    return load_x(i) + load_noise(i / p.channels % p.noises) * load_strength(i % p.channels);
}
