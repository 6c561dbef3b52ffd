// One invocation draws numbers(i), four elements of y: the kernel before this text defines it.
@group(0) @binding(0) var<storage, read_write> y: array<f32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    let i = element(group, groups, local);
    if (i * 4u >= p.len) {
        return;
    }
    let drawn = numbers(i);
    for (var k = 0u; k < 4u; k++) {
        let at = i * 4u + k;
        if (at < p.len) {
            var v = drawn[k];
            if (ADD == 1u) {
                v += y[at];
            }
            y[at] = v;
        }
    }
}
