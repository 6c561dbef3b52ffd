//! A layer against the kernels that it is made of.

mod values;

use stylegan_cpu_kernels::conv::{Conv, Scratch, conv2d};
use stylegan_cpu_kernels::elementwise::{bias_act, noise_bias_act};
use stylegan_cpu_kernels::layer::{Inputs, Layer, layer};
use stylegan_cpu_kernels::normalize::{Image, adain};
use stylegan_cpu_kernels::resample::{Resample, upfirdn2d};
use stylegan_tensor::Algorithm;
use values::{assert_close, assert_same_bits, numbers};

const BLUR: [f32; 3] = [0.25, 0.5, 0.25];

/// A convolution of `[n, h, w, c]` to o channels with a kernel of k, or an upscale if k is 0.
fn form([n, h, w, c, o, k]: [usize; 6], blur: Option<[f32; 3]>) -> Layer {
    let (is_upscaled, k, twice) = if k == 0 { (true, 3, 2) } else { (false, k, 1) };
    let conv = Conv { n, h, w, c, kh: k, kw: k, o, oh: twice * h, ow: twice * w, stride: 1, padding: [k / 2; 4] };
    Layer { conv, is_upscaled, gain: 1.0, algorithm: None, blur, alpha: 0.2 }
}

/// Shapes of its operand and of its result.
fn shapes(p: &Layer) -> [[usize; 4]; 2] {
    let Conv { n, h, w, c, o, oh, ow, .. } = p.conv;
    [[n, h, w, c], [n, oh, ow, o]]
}

/// Everything that a layer takes, of a seed.
struct Given {
    x: Vec<f32>,
    w: Vec<f32>,
    b: Vec<f32>,
    normal: Vec<f32>,
    noise: Vec<f32>,
    strength: Vec<f32>,
    style: Vec<f32>,
}

impl Given {
    fn new(p: &Layer) -> Self {
        let [from, to] = shapes(p);
        let numbers = |seed: u64, len: usize| numbers(len, seed);
        Self {
            x: numbers(1, from.iter().product()),
            w: numbers(2, p.conv.kh * p.conv.kw * from[3] * to[3]),
            b: numbers(3, to[3]),
            normal: numbers(4, 3 * from[0] * from[3]),
            noise: numbers(5, to[1] * to[2]),
            strength: numbers(6, to[3]),
            style: numbers(7, 2 * to[0] * to[3]),
        }
    }

    fn inputs(&self) -> Inputs<'_> {
        let Self { x, w, b, normal, noise, strength, style } = self;
        Inputs { x, w, b, normal: Some(normal), noise: Some([noise, strength]), style: Some(style) }
    }
}

/// The result, and what normalises it.
fn drawn(p: &Layer, inputs: Inputs) -> [Vec<f32>; 2] {
    let [n, h, w, c] = shapes(p)[1];
    let mut y = vec![f32::NAN; n * h * w * c];
    let mut normal = vec![f32::NAN; if inputs.style.is_some() { 3 * n * c } else { 0 }];
    layer(p, inputs, &mut y, &mut normal, &mut Scratch::new());
    [y, normal]
}

/// The convolution, the blur, noise or none, bias and activation, each by its own kernel.
fn by_kernels(p: &Layer, x: &[f32], inputs: Inputs) -> Vec<f32> {
    let shape = shapes(p)[1];
    let mut y = vec![f32::NAN; shape.iter().product()];
    let mut conv = p.conv;
    let upscaled = &mut Vec::new();
    let mut x = x;
    if p.is_upscaled {
        (conv.h, conv.w) = (conv.oh, conv.ow);
        upscaled.resize(conv.n * conv.h * conv.w * conv.c, f32::NAN);
        let twice =
            Resample { shape: shapes(p)[0], out: [conv.h, conv.w], up: 2, down: 1, taps: &[1.0; 2], before: [1; 2] };
        upfirdn2d(&twice, x, upscaled);
        x = upscaled;
    }
    let algorithm = p.is_upscaled.then_some(Algorithm::Direct);
    conv2d(&conv, x, inputs.w, &mut y, algorithm, false, &mut Scratch::new());
    y.iter_mut().for_each(|y| *y *= p.gain);
    if let Some(taps) = &p.blur {
        let blurred = &mut vec![f32::NAN; y.len()];
        let out = [shape[1], shape[2]];
        upfirdn2d(&Resample { shape, out, up: 1, down: 1, taps, before: [1; 2] }, &y, blurred);
        y.copy_from_slice(blurred);
    }
    let before = y.clone();
    match inputs.noise {
        Some([noise, strength]) => noise_bias_act(&before, noise, [strength, inputs.b], p.alpha, &mut y),
        None => bias_act(&before, Some(inputs.b), p.alpha, &mut y, false),
    }
    y
}

/// Winograd's form by bands and by panels, products, windows; one image and several; rows longer than a task's block.
const FORMS: [[usize; 6]; 10] = [
    [1, 40, 33, 16, 32, 3],
    [3, 7, 5, 4, 6, 3],
    [4, 8, 8, 16, 16, 3],
    [1, 16, 16, 256, 192, 3],
    [2, 9, 8, 5, 7, 1],
    [1, 5, 1100, 3, 16, 1],
    [1, 40, 33, 32, 16, 0],
    [2, 5, 4, 3, 5, 0],
    [1, 3, 600, 4, 16, 0],
    [2, 8, 7, 96, 80, 0],
];

#[test]
fn a_layer_has_the_bits_of_its_kernels() {
    for size in FORMS {
        for blur in [None, Some(BLUR)] {
            let p = form(size, blur);
            let given = Given::new(&p);
            for inputs in
                [Inputs { normal: None, ..given.inputs() }, Inputs { normal: None, noise: None, ..given.inputs() }]
            {
                let expected = by_kernels(&p, inputs.x, inputs);
                let [y, normal] = drawn(&p, inputs);
                if p.is_upscaled {
                    // Four shifts of a kernel in place of repeated pixels, in Winograd's form.
                    assert_close(&y, &expected.iter().map(|&y| f64::from(y)).collect::<Vec<_>>(), 3e-6);
                } else {
                    assert!(y.iter().zip(&expected).all(|(a, b)| a.to_bits() == b.to_bits()), "{size:?} {blur:?}");
                }
                // Statistics are of other parts of the maps, which a mean and a deviation in f64 feel little.
                let [n, h, w, c] = shapes(&p)[1];
                let (mut out, mut stats) = (vec![0.0; y.len()], vec![0.0; 2 * n * c]);
                adain(Image { pixels: h * w, channels: c }, &y, &given.style, &mut out, &mut stats);
                let number = |i: usize| {
                    let (image, k, channel) = (i / c / 3, i / c % 3, i % c);
                    let [mean, rsqrt] = [0, 1].map(|k| f64::from(stats[(2 * image + k) * c + channel]));
                    let [scale, bias] = [0, 1].map(|k| f64::from(given.style[(2 * image + k) * c + channel]));
                    [mean, rsqrt * (scale + 1.0), bias][k]
                };
                assert_close(&normal, &(0..3 * n * c).map(number).collect::<Vec<_>>(), 2.5e-7);
            }
        }
    }
}

#[test]
fn a_layer_normalises_what_it_reads() {
    for size in FORMS {
        let p = Layer { gain: 0.75, ..form(size, None) };
        let given = Given::new(&p);
        let [_, h, w, c] = shapes(&p)[0];
        let number = |i: usize, k: usize| given.normal[(i / (h * w * c) * 3 + k) * c + i % c];
        let value = |(i, x): (usize, &f32)| (x - number(i, 0)) * number(i, 1) + number(i, 2);
        let normalised: Vec<f32> = given.x.iter().enumerate().map(value).collect();
        let expected = by_kernels(&p, &normalised, given.inputs());
        let expected: Vec<f64> = expected.iter().map(|&y| f64::from(y)).collect();
        // Factors that are rounded once less, in sums of up to 2304 terms, of Winograd's form; for an upscale after the sums of a kernel's shifts.
        let tolerance = if p.is_upscaled { 3e-6 } else { 2e-6 };
        assert_close(&drawn(&p, given.inputs())[0], &expected, tolerance);
    }
}

#[test]
fn a_layer_to_rgb_does_not_cancel() {
    let p = Layer { alpha: 1.0, gain: 0.75, ..form([2, 40, 33, 16, 3, 1], None) };
    let given = Given::new(&p);
    // Nearly constant maps, whose means are up to 20,000 deviations.
    let x: Vec<f32> = given.x.iter().map(|x| 2.0 + x / 8192.0).collect();
    for mean in [0.1, 2.0] {
        let normal: Vec<f32> =
            (0..6 * 16).map(|i| [mean, if mean > 1.0 { 1e4 } else { 1.0 }, 0.5][i / 16 % 3]).collect();
        let inputs = Inputs { x: &x, noise: None, style: None, normal: Some(&normal), ..given.inputs() };
        let sum = |i: usize| {
            let (pixel, o) = (i / 3, i % 3);
            let value = |c: usize| (f64::from(x[pixel * 16 + c]) - f64::from(normal[0])) * f64::from(normal[16]) + 0.5;
            0.75 * (0..16).map(|c| value(c) * f64::from(given.w[c * 3 + o])).sum::<f64>() + f64::from(given.b[o])
        };
        let expected: Vec<f64> = (0..2 * 40 * 33 * 3).map(sum).collect();
        assert_close(&drawn(&p, inputs)[0], &expected, 4e-7);
    }
}

#[test]
fn layers_have_the_same_bits_on_every_number_of_threads() {
    for size in FORMS {
        for blur in [None, Some(BLUR)] {
            let p = form(size, blur);
            let given = Given::new(&p);
            assert_same_bits("layer", || drawn(&p, given.inputs()).concat());
        }
    }
    let p = Layer { alpha: 1.0, ..form([2, 40, 33, 16, 3, 1], None) };
    let given = Given::new(&p);
    assert_same_bits("layer to RGB", || drawn(&p, Inputs { noise: None, style: None, ..given.inputs() })[0].clone());
}
