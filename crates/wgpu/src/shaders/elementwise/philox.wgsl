// Philox4x32-10 (Salmon et al., 2011), four words for a counter and a key; see crates/tensor/src/philox.rs.
struct Params {
    len: u32,
    key: array<u32, 2>,
    stream: array<u32, 2>,
    block: array<u32, 2>,
}
var<immediate> p: Params;

// The upper and the lower word of a · b, by halves: WGSL has no product of 64 bits.
fn product(a: u32, b: u32) -> vec2<u32> {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
    return vec2<u32>((a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u), a * b);
}

// The words of the block that holds elements 4i to 4i + 3 of the draw.
fn words(i: u32) -> vec4<u32> {
    let low = p.block[0] + i;
    let high = p.block[1] + select(0u, 1u, low < i);
    var counter = vec4<u32>(low, high, p.stream[0], p.stream[1]);
    var key = vec2<u32>(p.key[0], p.key[1]);
    for (var round = 0u; round < 10u; round++) {
        let a = product(counter.x, 0xd2511f53u);
        let b = product(counter.z, 0xcd9e8d57u);
        counter = vec4<u32>(b.x ^ counter.y ^ key.x, b.y, a.x ^ counter.w ^ key.y, a.y);
        key += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
    }
    return counter;
}

// (bits >> 8 + ½) · 2⁻²⁴, rounded to f32.
fn uniforms(i: u32) -> vec4<f32> {
    return (vec4<f32>(words(i) >> vec4<u32>(8u)) + 0.5) * (1.0 / 16777216.0);
}
