// Where the taps of one phase lie among weights [size, size, C, O]: `columns` counts V of O. A phase's first tap is
// (first_u, first_v) for the first of them, the next ones are `step` apart; phases are one tap apart.
struct Params { items: u32, add: u32, C: u32, columns: u32, size: i32, phases: u32, first_u: i32, first_v: i32, step: i32 }
var<immediate> p: Params;

// Phase and channel, and the place among the outputs.
var<private> depth: u32;
var<private> output: u32;

fn open(item: u32) {
    output = item % p.columns;
    depth = item / p.columns;
}

fn tap(i: u32, j: u32) -> u32 {
    let phase = depth / p.C;
    let u = p.first_u + i32(phase / p.phases) + i32(i) * p.step;
    let v = p.first_v + i32(phase % p.phases) + i32(j) * p.step;
    return (u32(u * p.size + v) * p.C + depth % p.C) * p.columns + output;
}

// Where point (i, j) lies among [POINTS², phases² · C, O].
fn point(i: u32, j: u32) -> u32 {
    return ((i * POINTS + j) * p.phases * p.phases * p.C + depth) * p.columns + output;
}
