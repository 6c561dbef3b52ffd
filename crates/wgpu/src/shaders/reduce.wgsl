// One level of a reduction. Element o of y is over p.reduced elements of x; a workgroup has LANES invocations for each of
// 256 / LANES elements of y, and takes a run of p.chunk of what is reduced. Each run is an element of y
// [runs, kept] that the next level reduces. The order is the same on every device.
struct Params {
    kept: u32,
    reduced: u32,
    chunk: u32,
    runs: u32,
    scale: f32,
    kept_size: array<u32, 3>,
    kept_step: array<u32, 3>,
    reduced_size: array<u32, 3>,
    reduced_step: array<u32, 3>,
}
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

var<workgroup> parts: array<f32, 256>;

fn kept_at(i: u32) -> u32 {
    let inner = i / p.kept_size[2];
    return (i % p.kept_size[2]) * p.kept_step[2] + (inner % p.kept_size[1]) * p.kept_step[1]
        + (inner / p.kept_size[1]) * p.kept_step[0];
}

// PLAIN: what is reduced is one axis.
fn reduced_at(i: u32) -> u32 {
    if (PLAIN == 1u) {
        return i * p.reduced_step[2];
    }
    let inner = i / p.reduced_size[2];
    return (i % p.reduced_size[2]) * p.reduced_step[2] + (inner % p.reduced_size[1]) * p.reduced_step[1]
        + (inner / p.reduced_size[1]) * p.reduced_step[0];
}

// OP 0 is a sum, 1 the largest.
fn both(a: f32, b: f32) -> f32 {
    if (OP == 0u) {
        return a + b;
    }
    return select(a, b, b > a);
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    // Neighbouring invocations read neighbouring elements: along what is reduced (INNER), else along what is kept.
    const COLUMNS: u32 = SIZE / LANES;
    var lane = local / COLUMNS;
    var column = local % COLUMNS;
    if (INNER == 1u) {
        lane = local % LANES;
        column = local / LANES;
    }
    let tile = group.y * groups.x + group.x;
    let run = tile % p.runs;
    let o = (tile / p.runs) * COLUMNS + column;
    var v = 0.0;
    if (OP == 1u) {
        v = -infinity();
    }
    if (o < p.kept) {
        let base = kept_at(o);
        let end = min(p.reduced, (run + 1u) * p.chunk);
        for (var r = run * p.chunk + lane; r < end; r += LANES) {
            v = both(v, x[base + reduced_at(r)]);
        }
    }
    parts[lane * COLUMNS + column] = v;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (lane < half) {
            let at = lane * COLUMNS + column;
            parts[at] = both(parts[at], parts[at + half * COLUMNS]);
        }
    }
    if (lane == 0u && o < p.kept) {
        let result = parts[column] * p.scale;
        let at = run * p.kept + o;
        if (ADD == 1u) {
            y[at] += result;
        } else {
            y[at] = result;
        }
    }
}
