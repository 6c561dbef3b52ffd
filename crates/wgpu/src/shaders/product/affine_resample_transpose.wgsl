// Each pixel of x, and each of its reflections, is the sum of the pixels of y whose places are within reach of it: a gather, so that
// sums have one order.

// The reflections of a pixel along one axis, itself the first; how many there are is in w.
fn copies(at: i32, size: i32) -> vec4<i32> {
    var found = vec4<i32>(at, 0, 0, 1);
    if (REFLECT == 1u && at > 0) {
        found[found.w] = -at;
        found.w++;
    }
    if (REFLECT == 1u && at < size - 1) {
        found[found.w] = 2 * (size - 1) - at;
        found.w++;
    }
    return found;
}

// Whole numbers within `half` of `centre`, and one more on each side, from 0 to size − 1.
fn around(centre: f32, half: f32, size: i32) -> vec2<i32> {
    let last = f32(size - 1);
    return vec2<i32>(i32(clamp(floor(centre - half), 0.0, last + 1.0)), i32(clamp(ceil(centre + half), -1.0, last)));
}

// Where factor · k + rest is within reach of 0; everywhere if rounding could matter, since phi decides.
fn solved(factor: f32, rest: f32, size: i32) -> vec2<i32> {
    if (!(abs(factor) > 1e-3)) {
        return vec2<i32>(0, size - 1);
    }
    return around(-rest / factor, reach() / abs(factor) + 0.5, size);
}

fn gathered(image: u32, c: u32, row: f32, column: f32) -> V {
    let at = 6u * (image + p.first);
    let a = at_m(at);
    let b = at_m(at + 1u);
    let dr = row - at_m(at + 2u);
    let d = at_m(at + 3u);
    let e = at_m(at + 4u);
    let ds = column - at_m(at + 5u);
    let det = a * e - b * d;
    let half = reach() * (abs(b) + abs(e)) / abs(det);
    var rows = vec2<i32>(0, p.H_out - 1);
    if (half < 1000.0) {
        rows = around((e * dr - b * ds) / det, half + 0.5, p.H_out);
    }
    var sum = V(0.0);
    for (var i = rows.x; i <= rows.y; i++) {
        let by_row = solved(b, a * f32(i) - dr, p.W_out);
        let by_column = solved(e, d * f32(i) - ds, p.W_out);
        for (var j = max(by_row.x, by_column.x); j <= min(by_row.y, by_column.y); j++) {
            let weight = phi(position(image, 0u, i, j) - row) * phi(position(image, 1u, i, j) - column);
            if (weight != 0.0) {
                sum += weight * load_x(u32((i32(image) * p.H_out + i) * p.W_out + j) * p.channels + c);
            }
        }
    }
    return sum;
}

fn value(at: u32) -> V {
    let c = at % p.channels;
    let pixel = i32(at / p.channels);
    let image = u32(pixel / (p.W * p.H));
    let rows = copies(pixel / p.W % p.H, p.H);
    let columns = copies(pixel % p.W, p.W);
    var sum = V(0.0);
    for (var u = 0; u < rows.w; u++) {
        for (var v = 0; v < columns.w; v++) {
            sum += gathered(image, c, f32(rows[u]), f32(columns[v]));
        }
    }
    return sum;
}
