use super::case::{Case, Data, ELEMENTWISE, sum_of};
use crate::{Algorithm, Conv2d, Kernel, Upfirdn2d};

pub(super) fn cases(data: &mut Data) -> Vec<Case> {
    let mut cases = Vec::new();
    products(data, &mut cases);
    small(data, &mut cases);
    large(data, &mut cases);
    resampling(data, &mut cases);
    cases
}

fn products(data: &mut Data, cases: &mut Vec<Case>) {
    let sizes = [
        [1, 1, 1],
        [7, 13, 5],
        [1, 129, 13],
        [1, 700, 300],
        [13, 70, 1],
        [64, 64, 64],
        [33, 129, 17],
        [130, 1, 70],
        [2, 1000, 3],
        [5, 0, 3],
        [0, 5, 3],
    ];
    for [m, k, n] in sizes {
        for (transpose_a, transpose_b) in [(false, false), (false, true), (true, false), (true, true)] {
            for [batch_a, batch_b] in [[1, 1], [3, 3], [1, 3], [3, 1]] {
                let a = if transpose_a { [batch_a, k, m] } else { [batch_a, m, k] };
                let b = if transpose_b { [batch_b, n, k] } else { [batch_b, k, n] };
                let inputs = vec![data.signed(&a), data.signed(&b)];
                let kernel = Kernel::Matmul { transpose_a, transpose_b };
                let y = [batch_a.max(batch_b), m, n];
                cases.push(Case::new(kernel, inputs, &[&y]).within(sum_of(k)));
            }
        }
    }
}

/// Shape of an input and of a filter: `[N, H, W, C]`, `[kh, kw, C, O]`.
type Shapes = ([usize; 4], [usize; 4]);

/// The three convolutions of one geometry, each by every algorithm; nothing if the filter does not fit.
pub(super) fn geometry(data: &mut Data, cases: &mut Vec<Case>, (x, w): Shapes, stride: usize, padding: [usize; 4]) {
    let [top, bottom, left, right] = padding;
    let form = |algorithm| Conv2d { stride, padding, algorithm };
    let p = form(None);
    let height = p.output_size(x[1], w[0], top, bottom);
    let (Some(height), Some(width)) = (height, p.output_size(x[2], w[1], left, right)) else {
        return;
    };
    let y = [x[0], height, width, w[3]];
    let mut push = |kernel: fn(Conv2d) -> Kernel, a: &[usize], b: &[usize], out: &[usize], terms| {
        let inputs = vec![data.signed(a), data.signed(b)];
        let mut case = Case::new(kernel(p), inputs, &[out]).within(sum_of(terms));
        let others = [Algorithm::Im2col, Algorithm::Shifted, Algorithm::Direct, Algorithm::Winograd];
        case.kernels.extend(others.map(|algorithm| kernel(form(Some(algorithm)))));
        // Left out where the device does not multiply bf16.
        case.kernels.push(kernel(form(Some(Algorithm::Bf16))));
        cases.push(case);
    };
    push(Kernel::Conv2d, &x, &w, &y, w[0] * w[1] * w[2]);
    push(Kernel::Conv2dTranspose, &y, &w, &x, w[0] * w[1] * w[3]);
    push(Kernel::Conv2dWeightGrad, &x, &y, &w, y[0] * y[1] * y[2]);
}

fn small(data: &mut Data, cases: &mut Vec<Case>) {
    let paddings = [[0; 4], [1; 4], [1, 2, 0, 1], [0, 1, 3, 2]];
    let shapes = [([1, 1, 1, 1], [1, 1]), ([2, 7, 5, 13], [13, 3]), ([1, 5, 8, 3], [3, 16]), ([3, 2, 3, 1], [1, 5])];
    for k in 1..=4 {
        for stride in 1..=2 {
            for padding in paddings {
                for (x, [c, o]) in shapes {
                    geometry(data, cases, (x, [k, k, c, o]), stride, padding);
                }
            }
        }
    }
    // Filters that are not square, a stride larger than the filter, one filter over the whole image.
    geometry(data, cases, ([2, 6, 7, 5], [1, 3, 5, 4]), 1, [0, 0, 1, 1]);
    geometry(data, cases, ([2, 6, 7, 5], [3, 2, 5, 4]), 2, [1, 1, 0, 1]);
    geometry(data, cases, ([2, 7, 8, 5], [2, 2, 5, 4]), 3, [1, 0, 0, 2]);
    geometry(data, cases, ([3, 4, 4, 13], [4, 4, 13, 8]), 1, [0; 4]);
}

fn large(data: &mut Data, cases: &mut Vec<Case>) {
    let wide = vec![data.signed(&[1, 1, 3]), data.signed(&[1, 3, 66_000])];
    let product = Kernel::Matmul { transpose_a: false, transpose_b: false };
    cases.push(Case::new(product, wide, &[&[1, 1, 66_000]]).within(sum_of(3)));
    geometry(data, cases, ([1, 33, 17, 64], [3, 3, 64, 64]), 1, [1; 4]);
    geometry(data, cases, ([2, 16, 16, 64], [4, 4, 64, 64]), 2, [1; 4]);
    geometry(data, cases, ([2, 16, 16, 48], [3, 3, 48, 32]), 2, [0, 1, 0, 1]);
    geometry(data, cases, ([4, 4, 4, 65], [3, 3, 65, 64]), 1, [1; 4]);
    geometry(data, cases, ([2, 33, 17, 3], [1, 1, 3, 64]), 1, [0; 4]);
    geometry(data, cases, ([2, 33, 17, 64], [1, 1, 64, 3]), 1, [0; 4]);
    geometry(data, cases, ([1, 40, 40, 16], [3, 3, 16, 16]), 1, [1; 4]);
}

fn resampling(data: &mut Data, cases: &mut Vec<Case>) {
    let filters: [(usize, usize, &[f64], [isize; 4]); 13] = [
        // Blur, nearest upscale and box downscale, as the networks use them.
        (1, 1, &[0.25, 0.5, 0.25], [1; 4]),
        (2, 1, &[1.0, 1.0], [1, 0, 1, 0]),
        (1, 2, &[0.5, 0.5], [0; 4]),
        // Their adjoints.
        (1, 2, &[1.0, 1.0], [0; 4]),
        (2, 1, &[0.5, 0.5], [1, 0, 1, 0]),
        // Longer filters, one that is not symmetric, factors that differ, cropping, a single tap.
        (2, 1, &[0.25, 0.75, 0.75, 0.25], [2, 1, 2, 1]),
        (1, 2, &[0.125, 0.375, 0.375, 0.125], [1; 4]),
        (1, 1, &[0.1, 0.2, 0.7], [2, 0, 0, 2]),
        (3, 2, &[0.1, 0.2, 0.3, 0.4, -0.5], [2, 3, 1, 4]),
        (2, 3, &[0.1, -0.2, 0.7], [1, 2, 3, 0]),
        (2, 1, &[1.0, 0.5], [-1, -1, 0, -2]),
        (1, 1, &[0.25, 0.5, 0.25], [-1, 2, 0, -1]),
        (1, 1, &[2.0], [0; 4]),
    ];
    let shapes = [[1, 1, 1, 1], [2, 7, 5, 13], [1, 8, 6, 3], [3, 4, 9, 1], [2, 33, 17, 64], [1, 40, 40, 16]];
    for (up, down, taps, padding) in filters {
        let p = Upfirdn2d { up, down, taps: taps.to_vec(), padding };
        shapes.iter().for_each(|x| cases.extend(filtered(data, &p, *x)));
    }
}

/// Images of a shape through a filter; nothing if the filter does not fit.
pub(super) fn filtered(data: &mut Data, p: &Upfirdn2d, x: [usize; 4]) -> Option<Case> {
    let [top, bottom, left, right] = p.padding;
    let (height, width) = (p.output_size(x[1], top, bottom)?, p.output_size(x[2], left, right)?);
    let y = [x[0], height, width, x[3]];
    let case = Case::new(Kernel::Upfirdn2d(p.clone()), vec![data.signed(&x)], &[&y]);
    // A few taps along each axis: each result is a short sum.
    Some(case.within(ELEMENTWISE))
}
