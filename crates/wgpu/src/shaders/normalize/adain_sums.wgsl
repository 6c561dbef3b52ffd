// Σ g·x̂ and Σ g over runs of pixels, as [N, runs, 2, C].

var<workgroup> parts: array<vec2<f32>, 256>;

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
    var sums = vec2<f32>();
    if (c < p.channels) {
        let base = image * p.pixels * p.channels + c;
        let mean = at_stats(image * 2u * p.channels + c);
        let rsqrt = at_stats((image * 2u + 1u) * p.channels + c);
        let end = min(p.pixels, (run + 1u) * p.chunk);
        for (var i = run * p.chunk + lane; i < end; i += LANES) {
            let at = base + i * p.channels;
            sums += at_g(at) * vec2<f32>((at_x(at) - mean) * rsqrt, 1.0);
        }
    }
    parts[local] = sums;
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (lane < half) {
            parts[local] += parts[local + half * COLUMNS];
        }
    }
    if (lane == 0u && c < p.channels) {
        let at = (image * p.runs + run) * 2u * p.channels + c;
        var v = parts[local];
        if (ADD == 1u) {
            v += vec2<f32>(y[at], y[at + p.channels]);
        }
        y[at] = v.x;
        y[at + p.channels] = v.y;
    }
}
