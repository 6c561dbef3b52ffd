// Groups of images m, m + count, m + 2·count … of a minibatch; `image` elements each.
struct Params { len: u32, count: u32, group: u32, image: u32 }
var<immediate> p: Params;

// Mean, the rounding error of the mean, and √(σ² + 1e−8) of element i = m · image + j within group m. Where the images are
// close together, 1/√(σ² + 1e−8) would enlarge the error of the mean up to 1e4 times.
fn moments(i: u32) -> vec3<f32> {
    let step = p.count * p.image;
    var mean = 0.0;
    for (var k = 0u; k < p.group; k++) {
        mean += at_x(i + k * step);
    }
    mean /= f32(p.group);
    var error = 0.0;
    for (var k = 0u; k < p.group; k++) {
        error += at_x(i + k * step) - mean;
    }
    error /= f32(p.group);
    var squares = 0.0;
    for (var k = 0u; k < p.group; k++) {
        let d = at_x(i + k * step) - mean - error;
        squares = fma(d, d, squares);
    }
    return vec3<f32>(mean, error, sqrt(squares / f32(p.group) + 1e-8));
}

