// m ← β1·m + (1−β1)·g, v ← β2·v + (1−β2)·g², params ← params − rate · m/(√v + ε), if control says so.
struct Params { len: u32, beta1: f32, rest1: f32, beta2: f32, rest2: f32, epsilon: f32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> grad: array<f32>;
@group(0) @binding(1) var<storage, read> control: array<f32>;
@group(0) @binding(2) var<storage, read_write> params: array<f32>;
@group(0) @binding(3) var<storage, read_write> m: array<f32>;
@group(0) @binding(4) var<storage, read_write> v: array<f32>;

fn run(i: u32) {
    if (control[0] == 0.0) {
        return;
    }
    let g = grad[i];
    let first = fma(p.beta1, m[i], p.rest1 * g);
    let second = fma(p.beta2, v[i], p.rest2 * g * g);
    m[i] = first;
    v[i] = second;
    params[i] -= control[1] * first / (sqrt(second) + p.epsilon);
}
