// average ← params + (average − params) · beta, before the step and whether it is taken or not.
struct Params { len: u32, beta: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> params: array<f32>;
@group(0) @binding(1) var<storage, read_write> average: array<f32>;

fn run(i: u32) {
    average[i] = fma(average[i] - params[i], p.beta, params[i]);
}
