// One invocation computes value(i), a run of y: one element or four: the kernel before this text defines it.
@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = element(group, groups, local);
    if (i >= p.len) {
        return;
    }
    store_y(i, value(i), ADD == 1u);
}
