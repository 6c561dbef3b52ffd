// w [kh, kw, C, O] from x [N, H, W, C] and y [N, H', W', O]: the adjoint of conv2d in w. Rows are taps and channels of x, terms are
// y's pixels, TERMS a step. a is x, b is y; gemm.wgsl's y is w.
// Row, column and channel in x of this invocation's four rows at y's first pixel.
var<private> tap0: vec3<i32>;
var<private> tap1: vec3<i32>;
var<private> tap2: vec3<i32>;
var<private> tap3: vec3<i32>;
var<private> m0: u32;
var<private> n0: u32;
// The step's first pixel.
var<private> k0: u32;

fn tap(m: u32) -> vec3<i32> {
    let index = m / p.C;
    return vec3<i32>(i32(index / p.kw) - i32(p.top), i32(index % p.kw) - i32(p.left), i32(m % p.C));
}

fn open(z: u32, m: u32, n: u32) {
    tap0 = tap(m);
    tap1 = tap(m + 1u);
    tap2 = tap(m + 2u);
    tap3 = tap(m + 3u);
    m0 = m;
    n0 = n;
}

fn pixels() -> u32 {
    return p.N * p.H_out * p.W_out;
}

fn step_count(z: u32) -> u32 {
    return (pixels() + TERMS - 1u) / TERMS;
}

fn seek(step: u32) {
    k0 = step * TERMS;
}

fn advance() {
    k0 += TERMS;
}

// `count` channels of the pixel that `tap` meets at window `at` (row and column in x, image).
fn sample(at: vec3<u32>, tap: vec3<i32>, exists: bool, count: i32) -> vec4<f32> {
    let i = i32(at.x * p.stride) + tap.x;
    let j = i32(at.y * p.stride) + tap.y;
    let inside = exists && i >= 0 && i < i32(p.H) && j >= 0 && j < i32(p.W);
    let index = ((i32(at.z * p.H) + i) * i32(p.W) + j) * i32(p.C) + tap.z;
    return read_a(u32(index), select(0, count, inside));
}

fn line(at: vec3<u32>, exists: bool) -> vec4<f32> {
    let rows = i32(p.kh * p.kw * p.C) - i32(m0);
    if (p.C % 4u == 0u) {
        return sample(at, tap0, exists && rows > 0, 4);
    }
    return vec4<f32>(
        sample(at, tap0, exists && rows > 0, 1).x, sample(at, tap1, exists && rows > 1, 1).x,
        sample(at, tap2, exists && rows > 2, 1).x, sample(at, tap3, exists && rows > 3, 1).x,
    );
}

// The pixel after `at`: row, column, image.
fn after(at: vec3<u32>) -> vec3<u32> {
    if (at.y + 1u < p.W_out) {
        return vec3<u32>(at.x, at.y + 1u, at.z);
    }
    if (at.x + 1u < p.H_out) {
        return vec3<u32>(at.x + 1u, 0u, at.z);
    }
    return vec3<u32>(0u, 0u, at.z + 1u);
}

fn block_a(term: u32) -> mat4x4<f32> {
    let k = k0 + term;
    let at0 = vec3<u32>((k / p.W_out) % p.H_out, k % p.W_out, k / (p.W_out * p.H_out));
    let at1 = after(at0);
    let at2 = after(at1);
    let at3 = after(at2);
    let left = i32(pixels()) - i32(k);
    return mat4x4<f32>(line(at0, left > 0), line(at1, left > 1), line(at2, left > 2), line(at3, left > 3));
}

fn gradient(k: u32) -> vec4<f32> {
    return read_b(k * p.O + n0, select(0, i32(p.O) - i32(n0), k < pixels()));
}

fn block_b(term: u32) -> mat4x4<f32> {
    let k = k0 + term;
    return mat4x4<f32>(gradient(k), gradient(k + 1u), gradient(k + 2u), gradient(k + 3u));
}

fn store(z: u32, run: u32, m: u32, n: u32, v: vec4<f32>) {
    let exists = m < p.kh * p.kw * p.C;
    write_y(run * p.out_len + m * p.O + n, select(0, i32(p.O) - i32(n), exists), v, p.add == 1u);
}
