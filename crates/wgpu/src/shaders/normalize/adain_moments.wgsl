// Mean and squared deviations of runs of pixels of x [N, pixels, C], as [N, runs, 2, C]. An invocation sums differences from
// its first pixel, which do not cancel; sums are joined as Chan, Golub and LeVeque ("Updating formulae", 1979) do.

// Count, mean, squared deviations.
var<workgroup> parts: array<vec3<f32>, 256>;

fn joined(a: vec3<f32>, b: vec3<f32>) -> vec3<f32> {
    if (b.x == 0.0) {
        return a;
    }
    let count = a.x + b.x;
    let step = b.y - a.y;
    let part = b.x / count;
    return vec3<f32>(count, a.y + step * part, a.z + b.z + step * step * a.x * part);
}

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let own = share(group.y * groups.x + group.x, local);
    let lane = own.lane;
    let c = own.c;
    let run = own.run;
    let image = own.image;
    var moments = vec3<f32>();
    let first = run * p.chunk + lane;
    let end = min(p.pixels, (run + 1u) * p.chunk);
    if (c < p.channels && first < end) {
        let base = image * p.pixels * p.channels + c;
        let origin = at_x(base + first * p.channels);
        var count = 0.0;
        var sum = 0.0;
        var squares = 0.0;
        for (var i = first; i < end; i += LANES) {
            let d = at_x(base + i * p.channels) - origin;
            count += 1.0;
            sum += d;
            squares = fma(d, d, squares);
        }
        moments = vec3<f32>(count, origin + sum / count, max(squares - sum * sum / count, 0.0));
    }
    parts[local] = moments;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (lane < half) {
            parts[local] = joined(parts[local], parts[local + half * COLUMNS]);
        }
    }
    if (lane == 0u && c < p.channels) {
        let at = (image * p.runs + run) * 2u * p.channels + c;
        y[at] = parts[local].y;
        y[at + p.channels] = parts[local].z;
    }
}
