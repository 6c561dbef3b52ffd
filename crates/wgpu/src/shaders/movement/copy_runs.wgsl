// Kernel::Copy of elements of 16 bits, four at a time.
@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let index = element(group, groups, local);
    if (index >= p.len) {
        return;
    }
    let at = places(index);
    if (ADD == 1u) {
        store_y(at.y, load_x(at.x), true);
    } else {
        y[at.y] = x[at.x];
    }
}
