use super::case::{Case, Data, ELEMENTWISE, Values, sum_of};
use crate::{Algorithm, Conv2d, Kernel, Layer};

pub(super) fn cases(data: &mut Data) -> Vec<Case> {
    let mut cases = Vec::new();
    let blur = Some([0.25, 0.5, 0.25]);
    // Images, side, channels of x and y, side of the kernel, or 0 for an upscale. Small and odd sizes, every form of a
    // convolution, weights that are too many for the caches, rows that are more than a task takes.
    for (n, [h, w], [c, o], k) in [
        (1, [1, 1], [1, 1], 1),
        (3, [4, 3], [5, 4], 3),
        (2, [7, 5], [13, 6], 3),
        (2, [33, 17], [64, 32], 3),
        (1, [9, 8], [512, 65], 3),
        (1, [64, 64], [16, 16], 3),
        (1, [3, 1100], [4, 16], 1),
        (2, [33, 40], [20, 3], 1),
        (2, [3, 4], [5, 4], 0),
        (2, [16, 13], [20, 16], 0),
        (1, [8, 8], [64, 64], 0),
        (1, [32, 33], [16, 17], 0),
    ] {
        for (noises, has_style, alpha) in [(0, false, 0.0), (n, true, 0.2), (1, true, 1.0)] {
            for has_normal in [false, true] {
                for blur in [None, blur.filter(|_| noises == n), Some([0.5, -1.0, 2.0]).filter(|_| noises == 1)] {
                    let form = Form { n, size: [h, w], channels: [c, o], kernel: k, noises };
                    cases.push(layer(data, &form, [has_normal, has_style], blur, alpha));
                }
            }
        }
    }
    // The layer to RGB.
    for (n, size, channels) in [(1, [32, 32], [16, 3]), (2, [40, 33], [13, 3])] {
        let form = Form { n, size, channels, kernel: 1, noises: 0 };
        cases.push(layer(data, &form, [true, false], None, 1.0));
    }
    cases
}

pub(super) struct Form {
    pub n: usize,
    pub size: [usize; 2],
    pub channels: [usize; 2],
    pub kernel: usize,
    pub noises: usize,
}

pub(super) fn layer(
    data: &mut Data,
    &Form { n, size: [h, w], channels: [c, o], kernel, noises }: &Form,
    [has_normal, has_style]: [bool; 2],
    blur: Option<[f64; 3]>,
    alpha: f64,
) -> Case {
    let (is_upscaled, kernel) = if kernel == 0 { (true, 3) } else { (false, kernel) };
    let [oh, ow] = if is_upscaled { [2 * h, 2 * w] } else { [h, w] };
    let (x, shape) = ([n, h, w, c], [n, oh, ow, o]);
    let mut inputs =
        vec![data.signed(&x).map(|x| 3.0 * x + 0.5), data.signed(&[kernel, kernel, c, o]), data.signed(&[o])];
    if has_normal {
        // Of maps of mean 0.5 and deviation √3.
        let normal = data.signed(&[n, 3, c]);
        let numbers = normal.values.iter().enumerate().map(|(i, x)| match i / c % 3 {
            0 => 0.5 + 0.1 * x,
            1 => 0.6 + 0.3 * x,
            _ => *x,
        });
        inputs.push(Values::of(&[n, 3, c], numbers));
    }
    if noises > 0 {
        inputs.extend([data.signed(&[noises, oh, ow, 1]), data.signed(&[o])]);
    }
    let mut outs: Vec<&[usize]> = vec![&shape];
    let normal = [n, 3, o];
    if has_style {
        inputs.push(data.signed(&[n, 2 * o]));
        outs.push(&normal);
    }
    // What is convolved has been rounded three times; then come the sums, the taps, the noise and the bias. Statistics are sums
    // over a map of those values.
    let tolerance = sum_of(kernel * kernel * c) + sum_of(9) + sum_of(oh * ow) + 3.0 * ELEMENTWISE;
    let of = |algorithm| {
        let conv = Conv2d { stride: 1, padding: [kernel / 2; 4], algorithm };
        let has_noise = noises > 0;
        Kernel::Layer(Layer { conv, is_upscaled, gain: 0.75, blur, alpha, has_normal, has_noise, has_style })
    };
    let mut case = Case::new(of(None), inputs, &outs).within(tolerance);
    let others = [Algorithm::Im2col, Algorithm::Shifted, Algorithm::Direct, Algorithm::Winograd];
    case.kernels.extend(others.map(|algorithm| of(Some(algorithm))));
    case
}
