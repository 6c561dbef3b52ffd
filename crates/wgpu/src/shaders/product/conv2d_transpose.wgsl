// x [N, H, W, C] from y [N, H', W', O] and w [kh, kw, C, O]: the adjoint of conv2d in x. Rows i of x with the same i mod s meet the
// same taps, u ≡ i + top mod s, so each of the s·s phases z is a dense product: no multiplication by inserted zeros. A step
// is TERMS of y's channels at one tap of the phase. a is y, b is w; gemm.wgsl's y is x.
// Row and column of y that the phase's first tap meets, and its image's first row; −1 if there is no such row.
var<private> window0: vec3<i32>;
var<private> window1: vec3<i32>;
var<private> window2: vec3<i32>;
var<private> window3: vec3<i32>;
var<private> n0: u32;
// The phase's first tap, and how many taps it has, along both axes.
var<private> first: vec2<u32>;
var<private> taps: vec2<u32>;
// The step's tap among those, and its first channel of y.
var<private> tap: vec2<u32>;
var<private> o0: u32;

fn phase(z: u32) -> vec2<u32> {
    return vec2<u32>(z / p.stride, z % p.stride);
}

// Rows and columns of x in a phase.
fn extent(z: u32) -> vec2<u32> {
    return (vec2<u32>(p.H, p.W) + p.stride - 1u - phase(z)) / p.stride;
}

// Image, row and column of x at row m of the phase; the image is p.N or more if there is none.
fn target_pixel(z: u32, m: u32) -> vec3<u32> {
    let size = extent(z);
    if (size.x == 0u || size.y == 0u) {
        return vec3<u32>(p.N, 0u, 0u);
    }
    let at = vec2<u32>((m / size.y) % size.x, m % size.y) * p.stride + phase(z);
    return vec3<u32>(m / (size.x * size.y), at);
}

fn window(z: u32, m: u32) -> vec3<i32> {
    let at = target_pixel(z, m);
    let shifted = vec2<i32>(at.yz + vec2<u32>(p.top, p.left)) - vec2<i32>(first);
    // Exact where the phase has taps; elsewhere it is not used.
    return vec3<i32>(shifted / i32(p.stride), select(-1, i32(at.x * p.H_out), at.x < p.N));
}

fn open_phase(z: u32) {
    first = (phase(z) + vec2<u32>(p.top, p.left)) % p.stride;
    taps = (vec2<u32>(p.kh, p.kw) + p.stride - 1u - first) / p.stride;
}

fn open(z: u32, m: u32, n: u32) {
    open_phase(z);
    window0 = window(z, m);
    window1 = window(z, m + 1u);
    window2 = window(z, m + 2u);
    window3 = window(z, m + 3u);
    n0 = n;
}

fn channel_steps() -> u32 {
    return (p.O + TERMS - 1u) / TERMS;
}

fn step_count(z: u32) -> u32 {
    open_phase(z);
    return taps.x * taps.y * channel_steps();
}

fn seek(step: u32) {
    let index = step / channel_steps();
    tap = vec2<u32>(index / taps.y, index % taps.y);
    o0 = step % channel_steps() * TERMS;
}

fn advance() {
    o0 += TERMS;
    if (o0 >= p.O) {
        o0 = 0u;
        tap.y += 1u;
        if (tap.y == taps.y) {
            tap = vec2<u32>(tap.x + 1u, 0u);
        }
    }
}

fn pixel(at: vec3<i32>, o: u32) -> vec4<f32> {
    let i = at.x - i32(tap.x);
    let j = at.y - i32(tap.y);
    let inside = at.z >= 0 && i >= 0 && i < i32(p.H_out) && j >= 0 && j < i32(p.W_out);
    return read_a(u32((at.z + i) * i32(p.W_out) + j) * p.O + o, select(0, i32(p.O) - i32(o), inside));
}

fn block_a(term: u32) -> mat4x4<f32> {
    let o = o0 + term;
    return mat4x4<f32>(pixel(window0, o), pixel(window1, o), pixel(window2, o), pixel(window3, o));
}

fn weights(c: u32, o: u32) -> vec4<f32> {
    let at = first + tap * p.stride;
    return read_b(((at.x * p.kw + at.y) * p.C + c) * p.O + o, select(0, i32(p.O) - i32(o), c < p.C));
}

fn block_b(term: u32) -> mat4x4<f32> {
    let o = o0 + term;
    return mat4x4<f32>(weights(n0, o), weights(n0 + 1u, o), weights(n0 + 2u, o), weights(n0 + 3u, o));
}

fn store(z: u32, run: u32, m: u32, n: u32, v: vec4<f32>) {
    let at = target_pixel(z, m);
    let i = ((at.x * p.H + at.y) * p.W + at.z) * p.C + n;
    write_y(run * p.out_len + i, select(0, i32(p.C) - i32(n), at.x < p.N), v, p.add == 1u);
}
