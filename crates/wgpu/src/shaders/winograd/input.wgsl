// y [POINTS², count, phases² · C] = Bᵀ d B of the windows of x [N, H, W, C] that tiles of results look at. A phase is every
// phases-th row and column of x.
const FROM: u32 = POINTS;
const TO: u32 = POINTS;

fn fetch(i: u32, j: u32) -> V {
    let phase = channel / p.channels;
    let at = vec2<i32>(i32((row + i) * p.phases + phase / p.phases) - p.top, i32((column + j) * p.phases + phase % p.phases) - p.left);
    if (at.x < 0 || at.x >= i32(p.H) || at.y < 0 || at.y >= i32(p.W)) {
        return V();
    }
    return load_x(((image * p.H + u32(at.x)) * p.W + u32(at.y)) * p.channels + channel % p.channels);
}

fn along(d: Line) -> Line {
    return of_input(d);
}

fn put(i: u32, j: u32, v: V) {
    store_y(point(i, j), v, false);
}
