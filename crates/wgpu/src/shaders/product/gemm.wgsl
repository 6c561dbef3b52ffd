// The matrix product below every convolution. A workgroup of TM·TN invocations computes 8·TM rows and 8·TN columns of y, each
// invocation 8 by 8 of them; operands pass through workgroup memory TERMS terms at a time, while the next ones are on their
// way. Tiles of few columns are long, and take fewer terms at a time, so that no invocation loads more than a block of each
// operand. The kernel before this text says what a step's terms are:
//   open(z, m, n): the loaders' rows m … m + 3 of a and columns n … n + 3 of b;
//   step_count(z); seek(step), and advance() to the one after it, without divisions;
//   block_a(k), block_b(k): 4 terms from k (0, 4, …) on of the step, as four columns that each hold one term of 4 rows, or,
//   if the operand lies along k (A_ALONG_K, B_ALONG_K), its transpose;
//   store(z, run, m, n, v): 4 columns of a row of y. Runs are parts of the terms, summed up afterwards.
const TERMS: u32 = min(16u, 2u * TN);
const QUADS_A: u32 = 2u * TM;
const QUADS_B: u32 = 2u * TN;
// One more than needed, so that the rows start in different banks.
const PITCH_A: u32 = QUADS_A + 1u;
const PITCH_B: u32 = QUADS_B + 1u;
const BLOCKS_A: u32 = QUADS_A * TERMS / 4u;
const BLOCKS_B: u32 = QUADS_B * TERMS / 4u;

var<workgroup> tile_a: array<vec4<f32>, PITCH_A * TERMS>;
var<workgroup> tile_b: array<vec4<f32>, PITCH_B * TERMS>;

@compute @workgroup_size(TM * TN)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let tile = group.y * groups.x + group.x;
    let run = group.z % p.runs;
    let z = group.z / p.runs;
    let row = (tile / p.tiles_n) * 8u * TM;
    let column = (tile % p.tiles_n) * 8u * TN;
    let steps = step_count(z);
    let chunk = (steps + p.runs - 1u) / p.runs;
    let begin = run * chunk;
    let end = min(steps, begin + chunk);

    // Other invocations load of b than of a, if there are so many.
    let first_b = select(0u, BLOCKS_A, BLOCKS_A + BLOCKS_B <= TM * TN);
    let loads_a = local < BLOCKS_A;
    let loads_b = local >= first_b && local < first_b + BLOCKS_B;
    var quad_a = local % QUADS_A;
    var term_a = local / QUADS_A * 4u;
    if (A_ALONG_K == 1u) {
        quad_a = local / (TERMS / 4u);
        term_a = local % (TERMS / 4u) * 4u;
    }
    let slot = select(0u, local - first_b, loads_b);
    var quad_b = slot % QUADS_B;
    var term_b = slot / QUADS_B * 4u;
    if (B_ALONG_K == 1u) {
        quad_b = slot / (TERMS / 4u);
        term_b = slot % (TERMS / 4u) * 4u;
    }
    if (!loads_a) {
        quad_a = 0u;
        term_a = 0u;
    }
    open(z, row + quad_a * 4u, column + quad_b * 4u);

    var next_a = mat4x4<f32>();
    var next_b = mat4x4<f32>();
    if (begin < end) {
        seek(begin);
        if (loads_a) { next_a = block_a(term_a); }
        if (loads_b) { next_b = block_b(term_b); }
    }
    let ty = local / TN;
    let tx = local % TN;
    var c00 = vec4<f32>(); var c01 = vec4<f32>();
    var c10 = vec4<f32>(); var c11 = vec4<f32>();
    var c20 = vec4<f32>(); var c21 = vec4<f32>();
    var c30 = vec4<f32>(); var c31 = vec4<f32>();
    var c40 = vec4<f32>(); var c41 = vec4<f32>();
    var c50 = vec4<f32>(); var c51 = vec4<f32>();
    var c60 = vec4<f32>(); var c61 = vec4<f32>();
    var c70 = vec4<f32>(); var c71 = vec4<f32>();
    for (var step = begin; step < end; step++) {
        if (loads_a) {
            if (A_ALONG_K == 1u) { next_a = transpose(next_a); }
            let at = term_a * PITCH_A + quad_a;
            tile_a[at] = next_a[0];
            tile_a[at + PITCH_A] = next_a[1];
            tile_a[at + 2u * PITCH_A] = next_a[2];
            tile_a[at + 3u * PITCH_A] = next_a[3];
        }
        if (loads_b) {
            if (B_ALONG_K == 1u) { next_b = transpose(next_b); }
            let at = term_b * PITCH_B + quad_b;
            tile_b[at] = next_b[0];
            tile_b[at + PITCH_B] = next_b[1];
            tile_b[at + 2u * PITCH_B] = next_b[2];
            tile_b[at + 3u * PITCH_B] = next_b[3];
        }
        workgroupBarrier();
        if (step + 1u < end) {
            advance();
            if (loads_a) { next_a = block_a(term_a); }
            if (loads_b) { next_b = block_b(term_b); }
        }
        for (var k = 0u; k < TERMS; k++) {
            let a0 = tile_a[k * PITCH_A + ty];
            let a1 = tile_a[k * PITCH_A + TM + ty];
            let b0 = tile_b[k * PITCH_B + tx];
            let b1 = tile_b[k * PITCH_B + TN + tx];
            c00 = fma(vec4<f32>(a0.x), b0, c00); c01 = fma(vec4<f32>(a0.x), b1, c01);
            c10 = fma(vec4<f32>(a0.y), b0, c10); c11 = fma(vec4<f32>(a0.y), b1, c11);
            c20 = fma(vec4<f32>(a0.z), b0, c20); c21 = fma(vec4<f32>(a0.z), b1, c21);
            c30 = fma(vec4<f32>(a0.w), b0, c30); c31 = fma(vec4<f32>(a0.w), b1, c31);
            c40 = fma(vec4<f32>(a1.x), b0, c40); c41 = fma(vec4<f32>(a1.x), b1, c41);
            c50 = fma(vec4<f32>(a1.y), b0, c50); c51 = fma(vec4<f32>(a1.y), b1, c51);
            c60 = fma(vec4<f32>(a1.z), b0, c60); c61 = fma(vec4<f32>(a1.z), b1, c61);
            c70 = fma(vec4<f32>(a1.w), b0, c70); c71 = fma(vec4<f32>(a1.w), b1, c71);
        }
        workgroupBarrier();
    }

    let m0 = row + ty * 4u;
    let m1 = m0 + 4u * TM;
    let n0 = column + tx * 4u;
    let n1 = n0 + 4u * TN;
    store(z, run, m0, n0, c00); store(z, run, m0, n1, c01);
    store(z, run, m0 + 1u, n0, c10); store(z, run, m0 + 1u, n1, c11);
    store(z, run, m0 + 2u, n0, c20); store(z, run, m0 + 2u, n1, c21);
    store(z, run, m0 + 3u, n0, c30); store(z, run, m0 + 3u, n1, c31);
    store(z, run, m1, n0, c40); store(z, run, m1, n1, c41);
    store(z, run, m1 + 1u, n0, c50); store(z, run, m1 + 1u, n1, c51);
    store(z, run, m1 + 2u, n0, c60); store(z, run, m1 + 2u, n1, c61);
    store(z, run, m1 + 3u, n0, c70); store(z, run, m1 + 3u, n1, c71);
}
