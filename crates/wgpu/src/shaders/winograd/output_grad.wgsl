// y [POINTS², count, C] = A g Aᵀ of tiles of a gradient x [N, H, W, C]: the adjoint of output.wgsl.
const FROM: u32 = 4u;
const TO: u32 = POINTS;

fn fetch(i: u32, j: u32) -> V {
    if (is_result(i, j)) {
        return load_x(pixel(i, j));
    }
    return V();
}

fn along(g: Line) -> Line {
    return of_output_grad(g);
}

fn put(i: u32, j: u32, v: V) {
    store_y(point(i, j), v, false);
}
