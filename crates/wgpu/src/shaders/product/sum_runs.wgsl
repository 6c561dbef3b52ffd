// y [len] = Σ x [runs, len], where y is stored in 16 bits; `len` counts runs of four.
struct Params { len: u32, runs: u32 }
var<immediate> p: Params;

fn value(i: u32) -> vec4<f32> {
    var sum = load_x(i);
    for (var run = 1u; run < p.runs; run++) {
        sum += load_x(run * p.len + i);
    }
    return sum;
}
