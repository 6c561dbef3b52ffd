// y = (x − μ) / √(σ² + 1e−8) · (style + 1) + bias.

fn value(i: u32) -> V {
    let first = first_of(i);
    let second = first + p.channels;
    let normal = (load_x(i) - load_stats(first)) * load_stats(second);
    return normal * (load_style(first) + V(1.0)) + load_style(second);
}
