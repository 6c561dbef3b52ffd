// y [POINTS², phases² · C, O] = G g Gᵀ of the weights x.
const FROM: u32 = TAPS;
const TO: u32 = POINTS;

fn fetch(i: u32, j: u32) -> V {
    return load_x(tap(i, j));
}

fn along(g: Line) -> Line {
    return of_weights(g);
}

fn put(i: u32, j: u32, v: V) {
    store_y(point(i, j), v, false);
}
