// y = a op b. An operand of one element, whose step is 0, serves all.
struct Params { len: u32, a_step: u32, b_step: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> a: array<V>;
@group(0) @binding(1) var<storage, read> b: array<V>;
@group(0) @binding(2) var<storage, read_write> y: array<V>;

fn value(i: u32) -> V {
    return apply(a[i * p.a_step], b[i * p.b_step]);
}
