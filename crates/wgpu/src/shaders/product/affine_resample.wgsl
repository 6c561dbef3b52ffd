// Each pixel of y is the sum of the pixels of x within reach of its place, weighted by the filter along both axes.

// The first and last pixel within reach, of an axis with its reflections.
fn within(at: f32, size: i32) -> vec2<i32> {
    let beyond = i32(REFLECT) * (size - 1);
    let low = f32(-beyond);
    let high = f32(size - 1 + beyond);
    return vec2<i32>(i32(clamp(ceil(at - reach()), low, high + 1.0)), i32(clamp(floor(at + reach()), low - 1.0, high)));
}

// The pixel of x at a place of the reflected image.
fn folded(at: i32, size: i32) -> i32 {
    return size - 1 - abs(size - 1 - abs(at));
}

fn value(at: u32) -> V {
    let c = at % p.channels;
    let pixel = i32(at / p.channels);
    let image = u32(pixel / (p.W_out * p.H_out));
    let i = pixel / p.W_out % p.H_out;
    let j = pixel % p.W_out;
    let r = position(image, 0u, i, j);
    let s = position(image, 1u, i, j);
    var sum = V(0.0);
    if (!is_finite(r) || !is_finite(s)) {
        return sum;
    }
    let rows = within(r, p.H);
    let columns = within(s, p.W);
    var weights: array<f32, COUNT + 2u>;
    for (var column = columns.x; column <= columns.y; column++) {
        weights[column - columns.x] = phi(s - f32(column));
    }
    for (var row = rows.x; row <= rows.y; row++) {
        let begin = (i32(image) * p.H + folded(row, p.H)) * p.W;
        var line = V(0.0);
        for (var column = columns.x; column <= columns.y; column++) {
            line += weights[column - columns.x] * load_x(u32(begin + folded(column, p.W)) * p.channels + c);
        }
        sum += phi(r - f32(row)) * line;
    }
    return sum;
}
