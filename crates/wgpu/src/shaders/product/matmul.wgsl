// y [B, M, N] = a · b, with the loaders that gemm.wgsl asks for. a is stored [M, K] (A_ALONG_K) or [K, M], b [N, K] (B_ALONG_K)
// or [K, N]; a_batch and b_batch are the elements from one matrix of the batch to the next.
struct Params {
    runs: u32, tiles_n: u32, add: u32, out_len: u32,
    M: u32, N: u32, K: u32, a_batch: u32, b_batch: u32,
}
var<immediate> p: Params;

var<private> m0: u32;
var<private> n0: u32;
var<private> a0: u32;
var<private> b0: u32;
var<private> k0: u32;

fn open(z: u32, m: u32, n: u32) {
    m0 = m;
    n0 = n;
    a0 = z * p.a_batch;
    b0 = z * p.b_batch;
}

fn step_count(z: u32) -> u32 {
    return (p.K + TERMS - 1u) / TERMS;
}

fn seek(step: u32) {
    k0 = step * TERMS;
}

fn advance() {
    k0 += TERMS;
}

// Elements of row i of [rows, columns] from column j on that exist.
fn left(i: u32, rows: u32, j: u32, columns: u32) -> i32 {
    return select(0, i32(columns) - i32(j), i < rows);
}

fn a_line(i: u32, rows: u32, j: u32, columns: u32) -> vec4<f32> {
    return read_a(a0 + i * columns + j, left(i, rows, j, columns));
}

fn b_line(i: u32, rows: u32, j: u32, columns: u32) -> vec4<f32> {
    return read_b(b0 + i * columns + j, left(i, rows, j, columns));
}

fn block_a(term: u32) -> mat4x4<f32> {
    let k = k0 + term;
    if (A_ALONG_K == 1u) {
        return mat4x4<f32>(a_line(m0, p.M, k, p.K), a_line(m0 + 1u, p.M, k, p.K),
            a_line(m0 + 2u, p.M, k, p.K), a_line(m0 + 3u, p.M, k, p.K));
    }
    return mat4x4<f32>(a_line(k, p.K, m0, p.M), a_line(k + 1u, p.K, m0, p.M),
        a_line(k + 2u, p.K, m0, p.M), a_line(k + 3u, p.K, m0, p.M));
}

fn block_b(term: u32) -> mat4x4<f32> {
    let k = k0 + term;
    if (B_ALONG_K == 1u) {
        return mat4x4<f32>(b_line(n0, p.N, k, p.K), b_line(n0 + 1u, p.N, k, p.K),
            b_line(n0 + 2u, p.N, k, p.K), b_line(n0 + 3u, p.N, k, p.K));
    }
    return mat4x4<f32>(b_line(k, p.K, n0, p.N), b_line(k + 1u, p.K, n0, p.N),
        b_line(k + 2u, p.K, n0, p.N), b_line(k + 3u, p.K, n0, p.N));
}

fn store(z: u32, run: u32, m: u32, n: u32, v: vec4<f32>) {
    write_y(run * p.out_len + (z * p.M + m) * p.N + n, left(m, p.M, n, p.N), v, p.add == 1u);
}
