// y = a op b. An operand of one element, whose step is 0, serves all.
struct Params { len: u32, a_step: u32, b_step: u32 }
var<immediate> p: Params;

fn value(i: u32) -> V {
    return apply(load_a(i * p.a_step), load_b(i * p.b_step));
}
