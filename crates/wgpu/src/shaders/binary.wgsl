// y = a op b: OP counts Binary's variants. An operand of one element, whose step is 0, serves all.
struct Params { len: u32, a_step: u32, b_step: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> a: array<V>;
@group(0) @binding(1) var<storage, read> b: array<V>;
@group(0) @binding(2) var<storage, read_write> y: array<V>;

// NaN by its bits, as in `is_nan`.
fn larger(a: V, b: V) -> V {
    let nan = (bitcast<U>(a) & U(0x7fffffffu)) > U(0x7f800000u);
    return select(b, a, (a > b) | nan);
}

fn value(a: V, b: V) -> V {
    switch OP {
        case 0u: { return a + b; }
        case 1u: { return a - b; }
        case 2u: { return a * b; }
        case 3u: { return a / b; }
        case 4u: { return select(V(0.0), V(1.0), a > b); }
        case 5u: { return select(V(0.0), V(1.0), a >= b); }
        case 6u: { return select(V(0.0), V(1.0), a == b); }
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
    var v = value(a[i * p.a_step], b[i * p.b_step]);
    if (ADD == 1u) {
        v += y[i];
    }
    y[i] = v;
}
