// y [N, H, W, C] (+)= Aᵀ m A of the products x [POINTS², count, C] of tiles of results.
const FROM: u32 = POINTS;
const TO: u32 = 4u;

fn fetch(i: u32, j: u32) -> V {
    return load_x(point(i, j));
}

fn along(m: Line) -> Line {
    return of_output(m);
}

fn put(i: u32, j: u32, v: V) {
    if (is_result(i, j)) {
        store_y(pixel(i, j), v, p.add == 1u);
    }
}
