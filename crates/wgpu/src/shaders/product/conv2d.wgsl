// y [N, H', W', O] = Σ x[n, i·s + u − top, j·s + v − left, c] · w[u, v, c, o]: a product of the matrix of x's windows (never
// stored) with w [kh·kw·C, O]. A step is TERMS channels at one tap. a is x, b is w.
// Row and column of a window's first tap in x, and its image's first row; a row that does not exist has image −1.
var<private> window0: vec3<i32>;
var<private> window1: vec3<i32>;
var<private> window2: vec3<i32>;
var<private> window3: vec3<i32>;
var<private> n0: u32;
// The step's row and column in the filter, and its first channel.
var<private> tap: vec2<u32>;
var<private> c0: u32;

fn window(m: u32) -> vec3<i32> {
    let j = m % p.W_out;
    let i = (m / p.W_out) % p.H_out;
    let image = m / (p.W_out * p.H_out);
    let first = vec2<i32>(i32(i * p.stride) - i32(p.top), i32(j * p.stride) - i32(p.left));
    return vec3<i32>(first, select(-1, i32(image * p.H), image < p.N));
}

fn open(z: u32, m: u32, n: u32) {
    window0 = window(m);
    window1 = window(m + 1u);
    window2 = window(m + 2u);
    window3 = window(m + 3u);
    n0 = n;
}

fn channel_steps() -> u32 {
    return (p.C + TERMS - 1u) / TERMS;
}

fn step_count(z: u32) -> u32 {
    return p.kh * p.kw * channel_steps();
}

fn seek(step: u32) {
    let index = step / channel_steps();
    tap = vec2<u32>(index / p.kw, index % p.kw);
    c0 = step % channel_steps() * TERMS;
}

fn advance() {
    c0 += TERMS;
    if (c0 >= p.C) {
        c0 = 0u;
        tap.y += 1u;
        if (tap.y == p.kw) {
            tap = vec2<u32>(tap.x + 1u, 0u);
        }
    }
}

fn pixel(at: vec3<i32>, c: u32) -> vec4<f32> {
    let i = at.x + i32(tap.x);
    let j = at.y + i32(tap.y);
    let inside = at.z >= 0 && i >= 0 && i < i32(p.H) && j >= 0 && j < i32(p.W);
    return read_a(u32((at.z + i) * i32(p.W) + j) * p.C + c, select(0, i32(p.C) - i32(c), inside));
}

fn block_a(term: u32) -> mat4x4<f32> {
    let c = c0 + term;
    return mat4x4<f32>(pixel(window0, c), pixel(window1, c), pixel(window2, c), pixel(window3, c));
}

fn weights(c: u32) -> vec4<f32> {
    return read_b(((tap.x * p.kw + tap.y) * p.C + c) * p.O + n0, select(0, i32(p.O) - i32(n0), c < p.C));
}

fn block_b(term: u32) -> mat4x4<f32> {
    let c = c0 + term;
    return mat4x4<f32>(weights(c), weights(c + 1u), weights(c + 2u), weights(c + 3u));
}

fn store(z: u32, run: u32, m: u32, n: u32, v: vec4<f32>) {
    let exists = m < p.N * p.H_out * p.W_out;
    write_y(run * p.out_len + m * p.O + n, select(0, i32(p.O) - i32(n), exists), v, p.add == 1u);
}
