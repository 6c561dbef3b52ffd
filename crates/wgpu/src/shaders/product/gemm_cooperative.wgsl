// The product of gemm.wgsl, with the same loaders, on the GPU's units for small matrices. Each multiplies SIDE by SIDE factors
// of f16 and adds up in f32; all invocations of a subgroup call it together.
//
// A workgroup computes 8·SIDE rows and 4·SIDE columns of y. Four of its subgroups have a strip of 2 by 4 matrices each, below one
// another: 6 loads feed 8 multiplications, whose sums stay in registers (64 of an NVIDIA GPU's 255). INVOCATIONS is four times the
// largest subgroup, so there are four at least; more only help to load. Factors lie in workgroup memory as they come, 32 terms at
// a time, while the next ones are on their way: two barriers for every 16 multiplications of 16 by 16.
const TERMS: u32 = 32u;
const STRIPS: u32 = 4u;
const ROWS: u32 = 8u * SIDE;
const COLUMNS: u32 = 4u * SIDE;
const QUADS_A: u32 = ROWS / 4u;
const QUADS_B: u32 = COLUMNS / 4u;
// Invocations that share four rows or columns; each takes every so many blocks of four terms.
const LANES_A: u32 = INVOCATIONS / QUADS_A;
const LANES_B: u32 = INVOCATIONS / QUADS_B;
// 16 bytes more than needed: rows start in different banks, and as aligned as cooperative loads demand.
const PAD: u32 = 8u;
const PITCH_A: u32 = PAD + A_ALONG_K * TERMS + (1u - A_ALONG_K) * ROWS;
const PITCH_B: u32 = PAD + B_ALONG_K * TERMS + (1u - B_ALONG_K) * COLUMNS;
const LINES_A: u32 = A_ALONG_K * ROWS + (1u - A_ALONG_K) * TERMS;
const LINES_B: u32 = B_ALONG_K * COLUMNS + (1u - B_ALONG_K) * TERMS;
// A part of the results on its way to `store`: SIDE rows and two matrices' columns of every strip.
const QUADS_Y: u32 = SIDE / 2u;

// The factors of a, then those of b.
const FIRST_B: u32 = PITCH_A * LINES_A;
var<workgroup> factors: array<f16, FIRST_B + PITCH_B * LINES_B>;
var<workgroup> tile_y: array<f32, 4u * QUADS_Y * SIDE * STRIPS>;

fn stage_line(at: u32, v: vec4<f32>) {
    factors[at] = f16(v.x);
    factors[at + 1u] = f16(v.y);
    factors[at + 2u] = f16(v.z);
    factors[at + 3u] = f16(v.w);
}

// A block as the loader gives it: four rows of terms, or four terms of rows.
fn stage(first: u32, pitch: u32, along_k: u32, quad: u32, term: u32, v: mat4x4<f32>) {
    let at = first + select(term * pitch + quad * 4u, quad * 4u * pitch + term, along_k == 1u);
    stage_line(at, v[0]);
    stage_line(at + pitch, v[1]);
    stage_line(at + 2u * pitch, v[2]);
    stage_line(at + 3u * pitch, v[3]);
}

// The matrix of a whose first element is at row m and term k of the tile.
fn matrix_a(m: u32, k: u32) -> MatrixA {
    if (A_ALONG_K == 1u) {
        return coopLoadT<MatrixA>(&factors[m * PITCH_A + k], PITCH_A);
    }
    return coopLoad<MatrixA>(&factors[k * PITCH_A + m], PITCH_A);
}

// The matrix of b whose first element is at term k and column n of the tile.
fn matrix_b(k: u32, n: u32) -> MatrixB {
    if (B_ALONG_K == 1u) {
        return coopLoad<MatrixB>(&factors[FIRST_B + n * PITCH_B + k], PITCH_B);
    }
    return coopLoadT<MatrixB>(&factors[FIRST_B + k * PITCH_B + n], PITCH_B);
}

// Two matrices side by side into the strip's part of tile_y. `idle` is 1 for a subgroup without a strip: naga does not see that
// a subgroup agrees on a condition, so that what cooperates stands in loops, which run once or not at all, instead of behind `if`.
fn give(idle: u32, strip: u32, left: MatrixY, right: MatrixY) {
    for (var once = idle; once < 1u; once++) {
        let at = strip * SIDE * 4u * QUADS_Y;
        coopStoreT(left, &tile_y[at], 4u * QUADS_Y);
        coopStoreT(right, &tile_y[at + SIDE], 4u * QUADS_Y);
    }
}

// What all strips gave, from row m and column n of the first strip on.
fn take(local: u32, z: u32, run: u32, m: u32, n: u32) {
    workgroupBarrier();
    for (var i = local; i < QUADS_Y * SIDE * STRIPS; i += INVOCATIONS) {
        let row = i / QUADS_Y % SIDE + i / (QUADS_Y * SIDE) * 2u * SIDE;
        let v = vec4<f32>(tile_y[4u * i], tile_y[4u * i + 1u], tile_y[4u * i + 2u], tile_y[4u * i + 3u]);
        store(z, run, m + row, n + i % QUADS_Y * 4u, v);
    }
    workgroupBarrier();
}

@compute @workgroup_size(INVOCATIONS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
    @builtin(subgroup_id) strip: u32,
) {
    let tile = group.y * groups.x + group.x;
    let run = group.z % p.runs;
    let z = group.z / p.runs;
    let row = (tile / p.tiles_n) * ROWS;
    let column = (tile % p.tiles_n) * COLUMNS;
    let steps = step_count(z);
    let chunk = (steps + p.runs - 1u) / p.runs;
    let begin = run * chunk;
    let end = min(steps, begin + chunk);

    var quad_a = local % QUADS_A;
    var term_a = local / QUADS_A * 4u;
    if (A_ALONG_K == 1u) {
        quad_a = local / LANES_A;
        term_a = local % LANES_A * 4u;
    }
    var quad_b = local % QUADS_B;
    var term_b = local / QUADS_B * 4u;
    if (B_ALONG_K == 1u) {
        quad_b = local / LANES_B;
        term_b = local % LANES_B * 4u;
    }
    // Of a there are up to two blocks for each invocation, of b one.
    let more_a = term_a + 4u * LANES_A;
    let loads_a = term_a < TERMS;
    let loads_more_a = more_a < TERMS;
    let loads_b = term_b < TERMS;
    open(z, row + quad_a * 4u, column + quad_b * 4u);

    var next_a = mat4x4<f32>();
    var next_more_a = mat4x4<f32>();
    var next_b = mat4x4<f32>();
    if (begin < end) {
        seek(begin);
        if (loads_a) { next_a = block_a(term_a); }
        if (loads_more_a) { next_more_a = block_a(more_a); }
        if (loads_b) { next_b = block_b(term_b); }
    }
    let idle = select(0u, 1u, strip >= STRIPS);
    let m = strip * 2u * SIDE;
    var c00 = MatrixY(); var c01 = MatrixY(); var c02 = MatrixY(); var c03 = MatrixY();
    var c10 = MatrixY(); var c11 = MatrixY(); var c12 = MatrixY(); var c13 = MatrixY();
    for (var step = begin; step < end; step++) {
        if (loads_a) { stage(0u, PITCH_A, A_ALONG_K, quad_a, term_a, next_a); }
        if (loads_more_a) { stage(0u, PITCH_A, A_ALONG_K, quad_a, more_a, next_more_a); }
        if (loads_b) { stage(FIRST_B, PITCH_B, B_ALONG_K, quad_b, term_b, next_b); }
        workgroupBarrier();
        if (step + 1u < end) {
            advance();
            if (loads_a) { next_a = block_a(term_a); }
            if (loads_more_a) { next_more_a = block_a(more_a); }
            if (loads_b) { next_b = block_b(term_b); }
        }
        for (var k = idle * TERMS; k < TERMS; k += SIDE) {
            let a0 = matrix_a(m, k);
            let a1 = matrix_a(m + SIDE, k);
            let b0 = matrix_b(k, 0u);
            let b1 = matrix_b(k, SIDE);
            let b2 = matrix_b(k, 2u * SIDE);
            let b3 = matrix_b(k, 3u * SIDE);
            c00 = coopMultiplyAdd(a0, b0, c00); c01 = coopMultiplyAdd(a0, b1, c01);
            c02 = coopMultiplyAdd(a0, b2, c02); c03 = coopMultiplyAdd(a0, b3, c03);
            c10 = coopMultiplyAdd(a1, b0, c10); c11 = coopMultiplyAdd(a1, b1, c11);
            c12 = coopMultiplyAdd(a1, b2, c12); c13 = coopMultiplyAdd(a1, b3, c13);
        }
        workgroupBarrier();
    }

    give(idle, strip, c00, c01);
    take(local, z, run, row, column);
    give(idle, strip, c02, c03);
    take(local, z, run, row, column + 2u * SIDE);
    give(idle, strip, c10, c11);
    take(local, z, run, row + SIDE, column);
    give(idle, strip, c12, c13);
    take(local, z, run, row + SIDE, column + 2u * SIDE);
}
