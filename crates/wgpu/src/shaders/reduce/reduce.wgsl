// One level of a reduction. Element o of y is over p.reduced elements of x; a workgroup has LANES invocations for each of
// 256 / LANES elements of y, and takes a run of p.chunk of what is reduced. Each run is an element of y
// [runs, kept] that the next level reduces. reduce_tree.wgsl or reduce_subgroups.wgsl join what the invocations found.
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

// A sum, or with MAX the largest.
fn both(a: f32, b: f32) -> f32 {
    if (MAX == 0u) {
        return a + b;
    }
    return select(a, b, !is_nan(a) && (b > a || is_nan(b)));
}

// Element o of y, run and lane of invocation `local` of workgroup `tile`.
struct Place { o: u32, run: u32, lane: u32, column: u32 }

const COLUMNS: u32 = SIZE / LANES;

fn place(tile: u32, local: u32) -> Place {
    // Neighbouring invocations read neighbouring elements: along what is reduced (INNER), else along what is kept.
    var lane = local / COLUMNS;
    var column = local % COLUMNS;
    if (INNER == 1u) {
        lane = local % LANES;
        column = local / LANES;
    }
    return Place((tile / p.runs) * COLUMNS + column, tile % p.runs, lane, column);
}

// What an invocation finds by itself.
fn gathered(at: Place) -> f32 {
    var v = 0.0;
    if (MAX == 1u) {
        v = -infinity();
    }
    if (at.o < p.kept) {
        let base = kept_at(at.o);
        let end = min(p.reduced, (at.run + 1u) * p.chunk);
        for (var r = at.run * p.chunk + at.lane; r < end; r += LANES) {
            v = both(v, at_x(base + reduced_at(r)));
        }
    }
    return v;
}

fn put(at: Place, v: f32) {
    if (at.o >= p.kept) {
        return;
    }
    let i = at.run * p.kept + at.o;
    store_y(i, v * p.scale, ADD == 1u);
}
