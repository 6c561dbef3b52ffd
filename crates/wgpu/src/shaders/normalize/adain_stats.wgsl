// Mean and 1/√(σ² + 1e−8) of each map, [N, 2, C], from the moments of its runs.
struct Params { len: u32, pixels: u32, channels: u32, runs: u32, chunk: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> moments: array<f32>;
@group(0) @binding(1) var<storage, read_write> stats: array<f32>;

fn run(i: u32) {
    let image = i / p.channels;
    let c = i % p.channels;
    var count = 0.0;
    var mean = 0.0;
    var squares = 0.0;
    for (var run = 0u; run < p.runs; run++) {
        let at = (image * p.runs + run) * 2u * p.channels + c;
        let more = f32(min(p.pixels, (run + 1u) * p.chunk) - run * p.chunk);
        let step = moments[at] - mean;
        let part = more / (count + more);
        squares += moments[at + p.channels] + step * step * count * part;
        mean += step * part;
        count += more;
    }
    let at = image * 2u * p.channels + c;
    stats[at] = mean;
    stats[at + p.channels] = 1.0 / sqrt(squares / count + 1e-8);
}
