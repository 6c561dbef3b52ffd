// dx = (style + 1) · r · (g − mean g − x̂ · mean(g·x̂)), r = 1/√(σ² + 1e−8); `sums` are Σ g·x̂ and Σ g.

fn value(i: u32) -> V {
    let first = first_of(i);
    let second = first + p.channels;
    let normal = (load_x(i) - load_stats(first)) * load_stats(second);
    let part = 1.0 / f32(p.pixels);
    return (load_style(first) + V(1.0)) * load_stats(second) * (load_g(i) - load_sums(second) * part - normal * (load_sums(first) * part));
}
