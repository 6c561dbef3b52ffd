// What a lookup through affine maps and its adjoint share: x [N, H, W, C], y [N, H_out, W_out, C]; V is one channel or four, and
// `channels` counts V. `first` is the image of the minibatch that this launch begins with.
struct Params {
    len: u32, channels: u32, H: i32, W: i32, H_out: i32, W_out: i32, first: u32, up: f32,
    taps: array<f32, COUNT>,
}
var<immediate> p: Params;

// Half the width of phi.
fn reach() -> f32 {
    return (f32(COUNT) + 1.0) * 0.5 / p.up;
}

// The filter, linear between its taps.
fn phi(distance: f32) -> f32 {
    let at = distance * p.up + (f32(COUNT) - 1.0) * 0.5;
    if (!(at > -1.0 && at < f32(COUNT))) {
        return 0.0;
    }
    let t = i32(floor(at));
    let part = at - floor(at);
    var value = 0.0;
    if (t >= 0) {
        value = p.taps[t] * (1.0 - part);
    }
    if (t + 1 < i32(COUNT)) {
        value += p.taps[t + 1] * part;
    }
    return value;
}

// The row (axis 0) or column (axis 1) of x at pixel (i, j) of y.
fn position(image: u32, axis: u32, i: i32, j: i32) -> f32 {
    let at = 6u * (image + p.first) + 3u * axis;
    return at_m(at) * f32(i) + at_m(at + 1u) * f32(j) + at_m(at + 2u);
}
