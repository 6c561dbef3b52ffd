use super::case::{Case, Data, ELEMENTWISE, EPSILON, Values};
use crate::{AffineResample, Kernel};

/// Images looked up through affine maps of all kinds, and the adjoint.
pub(super) fn cases(data: &mut Data) -> Vec<Case> {
    // The last filter is not symmetric, with a factor that does not divide its length.
    let filters: [(usize, &[f64]); 3] =
        [(1, &[1.0]), (2, &[0.1, -0.2, 0.5, 1.0, 0.5, -0.1]), (3, &[0.5, 0.9, 0.6, 0.2, -0.3, 0.1, 0.05])];
    let shapes = [
        ([1, 1, 1, 1], [4, 3]),
        ([8, 7, 5, 3], [9, 8]),
        ([8, 16, 16, 1], [42, 42]),
        ([8, 8, 6, 13], [5, 7]),
        ([8, 3, 9, 4], [20, 1]),
        // Larger than a tile.
        ([2, 70, 90, 4], [110, 203]),
    ];
    let mut cases = Vec::new();
    for (up, taps) in filters {
        for (x, out) in shapes {
            for reflect in [false, true] {
                let p = AffineResample { up, taps: taps.to_vec(), reflect };
                cases.extend(looked_up(data, &p, x, out));
            }
        }
    }
    cases
}

fn looked_up(data: &mut Data, p: &AffineResample, x: [usize; 4], [height, width]: [usize; 2]) -> [Case; 2] {
    let y = [x[0], height, width, x[3]];
    let m = maps(x, [height, width]);
    // A place is a sum of products of at most this size; each is rounded, and the filter's slope, up · 1.5 on each axis, makes an error
    // of pixels of it.
    let place = 3.0 * (x[1] + x[2] + height + width) as f64;
    let tolerance = ELEMENTWISE + 3.0 * EPSILON * place * 3.0 * p.up as f64;
    let forward = Case::new(Kernel::AffineResample(p.clone()), vec![data.signed(&x), m.clone()], &[&y]);
    let back = Case::new(Kernel::AffineResampleTranspose(p.clone()), vec![data.signed(&y), m], &[&x]);
    // Where all places meet in one, the adjoint is a sum over the image.
    [forward.within(tolerance), back.within(tolerance * 4.0)]
}

/// Different maps, the first of which leave most of the image within sight.
fn maps(x: [usize; 4], [height, width]: [usize; 2]) -> Values {
    let [cy, cx] = [x[1], x[2]].map(|size| (size as f64 - 1.0) / 2.0);
    let [oy, ox] = [height, width].map(|size| (size as f64 - 1.0) / 2.0);
    // Around the centres.
    let about = |[a, b, d, e]: [f64; 4]| [a, b, cy - a * oy - b * ox, d, e, cx - d * oy - e * ox];
    let all = [
        about([0.5, 0.3, -0.3, 0.5]),
        [1.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        about([0.0, -1.0, 1.0, 0.0]),
        about([2.1, 0.4, -0.2, 1.7]),
        about([0.15, 0.02, 0.01, 0.1]),
        // One line of x, one place of it, and nothing of it.
        about([0.5, 0.25, 1.0, 0.5]),
        about([0.0; 4]),
        [1.0, 0.0, 1e9, 0.0, 1.0, -1e9],
    ];
    let numbers = all.iter().take(x[0]).flatten().copied();
    Values::of(&[x[0], 2, 3], numbers)
}
