// y = a op b with broadcasting: OP counts Binary's variants.
@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn larger(a: f32, b: f32) -> f32 {
    return select(b, a, a > b || is_nan(a));
}

fn value(a: f32, b: f32) -> f32 {
    switch OP {
        case 0u: { return a + b; }
        case 1u: { return a - b; }
        case 2u: { return a * b; }
        case 3u: { return a / b; }
        case 4u: { return select(0.0, 1.0, a > b); }
        case 5u: { return select(0.0, 1.0, a >= b); }
        case 6u: { return select(0.0, 1.0, a == b); }
        default: { return larger(a, b); }
    }
}

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
    let at = sources(i);
    var v = value(a[at.x], b[at.y]);
    if (ADD == 1u) {
        v += y[i];
    }
    y[i] = v;
}
