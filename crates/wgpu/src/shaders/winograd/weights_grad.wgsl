// The gradient y of the weights (+)= Gᵀ u G of the sums x [POINTS², phases² · C, O]: the adjoint of weights.wgsl.
const FROM: u32 = POINTS;
const TO: u32 = TAPS;

fn fetch(i: u32, j: u32) -> V {
    return load_x(point(i, j));
}

fn along(u: Line) -> Line {
    return of_weights_grad(u);
}

fn put(i: u32, j: u32, v: V) {
    store_y(tap(i, j), v, p.add == 1u);
}
