// Insert up − 1 zeros after each pixel, pad or crop, correlate with COUNT taps along both axes, keep every down-th pixel. Taps
// that meet inserted zeros are stepped over. V is one channel or four; `channels` counts V.
struct Params {
    len: u32, channels: u32, H: i32, W: i32, H_out: u32, W_out: u32,
    down: i32, top: i32, left: i32,
    taps: array<f32, COUNT>,
}
var<immediate> p: Params;

fn value(at: u32) -> V {
    let c = at % p.channels;
    let pixel = at / p.channels;
    let image = i32(pixel / (p.W_out * p.H_out));
    // Where the first tap lies in the upsampled image.
    let i = i32(pixel / p.W_out % p.H_out) * p.down - p.top;
    let j = i32(pixel % p.W_out) * p.down - p.left;
    // The first tap that lies on a pixel: −i mod up, for i of either sign.
    let first_u = ((-i) % i32(UP) + i32(UP)) % i32(UP);
    let first_v = ((-j) % i32(UP) + i32(UP)) % i32(UP);
    var sum = V(0.0);
    for (var u = first_u; u < i32(COUNT); u += i32(UP)) {
        let row = (i + u) / i32(UP);
        if (i + u < 0 || row >= p.H) {
            continue;
        }
        var line = V(0.0);
        for (var v = first_v; v < i32(COUNT); v += i32(UP)) {
            let column = (j + v) / i32(UP);
            if (j + v >= 0 && column < p.W) {
                line += p.taps[v] * load_x(u32((image * p.H + row) * p.W + column) * p.channels + c);
            }
        }
        sum += p.taps[u] * line;
    }
    return sum;
}
