// The lanes of an element are joined in halves; the order is the same on every device.
var<workgroup> parts: array<f32, 256>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let own = place(group.y * groups.x + group.x, local);
    let at = own.lane * COLUMNS + own.column;
    parts[at] = gathered(own);
    for (var half = LANES / 2u; half > 0u; half /= 2u) {
        workgroupBarrier();
        if (own.lane < half) {
            parts[at] = both(parts[at], parts[at + half * COLUMNS]);
        }
    }
    if (own.lane == 0u) {
        put(own, parts[at]);
    }
}
