// state [steps, skipped] grows by one step; control is whether the step is taken, and its learning rate
// rate · √(1 − β2ᵗ) / (1 − β1ᵗ). The βs come as their logarithms, since 1 − βᵗ of a rounded β cancels.
struct Params { count: u32, rate: f32, log_beta1: f32, log_beta2: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> flags: array<u32>;
@group(0) @binding(1) var<storage, read_write> state: array<f32>;
@group(0) @binding(2) var<storage, read_write> control: array<f32>;

var<workgroup> bad: atomic<u32>;

@compute @workgroup_size(256)
fn main(@builtin(local_invocation_index) local: u32) {
    if (local == 0u) {
        atomicStore(&bad, 0u);
    }
    workgroupBarrier();
    for (var i = local; i < p.count; i += SIZE) {
        if (flags[i] != 0u) {
            atomicStore(&bad, 1u);
        }
    }
    workgroupBarrier();
    if (local != 0u) {
        return;
    }
    if (atomicLoad(&bad) != 0u) {
        state[1] += 1.0;
        control[0] = 0.0;
        return;
    }
    let t = state[0] + 1.0;
    state[0] = t;
    control[0] = 1.0;
    control[1] = p.rate * sqrt(-exponential_minus_one(t * p.log_beta2)) / -exponential_minus_one(t * p.log_beta1);
}
