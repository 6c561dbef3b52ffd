// A whole workgroup sums up one element: subgroups first, then their sums in order. Nothing is assumed about how large a
// subgroup is, nor about which invocations are in one.
var<workgroup> parts: array<f32, 256>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
    @builtin(subgroup_id) subgroup: u32,
    @builtin(num_subgroups) subgroups: u32,
    @builtin(subgroup_invocation_id) lane: u32,
) {
    let own = place(group.y * groups.x + group.x, local);
    let part = subgroupAdd(gathered(own));
    if (lane == 0u) {
        parts[subgroup] = part;
    }
    workgroupBarrier();
    if (local == 0u) {
        var sum = parts[0];
        for (var i = 1u; i < subgroups; i++) {
            sum += parts[i];
        }
        put(own, sum);
    }
}
