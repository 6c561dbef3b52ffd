// y = a op b with broadcasting.
alias V = f32;
alias U = u32;

fn value(i: u32) -> f32 {
    let at = sources(i);
    return apply(at_a(at.x), at_b(at.y));
}
