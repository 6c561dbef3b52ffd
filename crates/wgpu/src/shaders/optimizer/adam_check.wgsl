// For each workgroup: 1 if one of its gradients is not finite, else 0, from flag `first` on.
struct Params { len: u32, count: u32, first: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> grad: array<f32>;
@group(0) @binding(1) var<storage, read_write> flags: array<u32>;

var<workgroup> bad: atomic<u32>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    if (local == 0u) {
        atomicStore(&bad, 0u);
    }
    workgroupBarrier();
    for (var i = group.x * SIZE + local; i < p.len; i += p.count * SIZE) {
        if (!is_finite(grad[i])) {
            atomicStore(&bad, 1u);
        }
    }
    workgroupBarrier();
    if (local == 0u) {
        flags[p.first + group.x] = atomicLoad(&bad);
    }
}
