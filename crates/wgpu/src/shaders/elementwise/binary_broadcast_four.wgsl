// y = a op b with broadcasting, four elements of y at a time: the last of its axes is a multiple of 4.
alias V = vec4<f32>;
alias U = vec4<u32>;

fn value(i: u32) -> V {
    let at = sources(i * 4u);
    let a_step = p.steps[RANK - 1u];
    let b_step = p.steps[RANK + 5u];
    let a = V(at_a(at.x), at_a(at.x + a_step), at_a(at.x + 2u * a_step), at_a(at.x + 3u * a_step));
    let b = V(at_b(at.y), at_b(at.y + b_step), at_b(at.y + 2u * b_step), at_b(at.y + 3u * b_step));
    return apply(a, b);
}
