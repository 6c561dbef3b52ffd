// average ← params + (average − params) · beta, before the step and whether it is taken or not.
struct Params { len: u32, beta: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> params: array<f32>;
@group(0) @binding(1) var<storage, read_write> average: array<f32>;

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
    average[i] = fma(average[i] - params[i], p.beta, params[i]);
}
