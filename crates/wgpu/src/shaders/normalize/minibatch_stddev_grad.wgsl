// dx = g · (x − μ) / (group · √(σ² + 1e−8) · image): an invocation for each element of a group.

fn run(i: u32) {
    let stats = moments(i);
    let scale = at_g(i / p.image) / (stats.z * f32(p.group * p.image));
    for (var k = 0u; k < p.group; k++) {
        let at = i + k * p.count * p.image;
        store_y(at, scale * (at_x(at) - stats.x - stats.y), ADD == 1u);
    }
}
