//! Memory traffic of the kernels beside a plain copy: `cargo run --release -p stylegan-cpu-kernels --example bandwidth`.

use std::hint::black_box;
use std::time::Instant;

use stylegan_cpu_kernels::adam::{Arenas, adam};
use stylegan_cpu_kernels::elementwise::{bias_act, bias_act_grad, binary, noise_bias_act, unary};
use stylegan_cpu_kernels::movement::{Strided, copy};
use stylegan_cpu_kernels::normalize::{Image, adain, adain_input_grad, adain_style_grad};
use stylegan_cpu_kernels::random::{normal, uniform};
use stylegan_cpu_kernels::reduce::reduce;
use stylegan_cpu_kernels::resample::{Resample, upfirdn2d};
use stylegan_tensor::{AdamStep, Binary, Position, Reduce, Unary};

fn main() {
    for shape in [[16, 32, 32, 64], [8, 64, 64, 128], [8, 128, 128, 3]] {
        measure(shape);
    }
}

/// The best of 30 runs, in GB/s of what is read and written once.
fn report(name: &str, floats: usize, mut run: impl FnMut()) {
    let mut best = f64::INFINITY;
    for _ in 0..30 {
        let start = Instant::now();
        run();
        best = best.min(start.elapsed().as_secs_f64());
    }
    println!("  {name:20} {:7.1} GB/s {:9.1} us", 4e-9 * floats as f64 / best, best * 1e6);
}

fn measure([n, h, w, c]: [usize; 4]) {
    let shape = [n, h, w, c];
    let len = n * h * w * c;
    println!("{shape:?}");
    let (mut x, mut g, mut y) = (vec![0.0; len], vec![0.0; len], vec![0.0; len]);
    normal(Position::default(), &mut x);
    normal(Position { seed: 1, ..Position::default() }, &mut g);
    let b = vec![0.5; c];
    let noise = vec![0.5; n * h * w];
    let style = vec![0.5; 2 * n * c];
    let mut stats = vec![0.0; 2 * n * c];
    let image = Image { pixels: h * w, channels: c };

    report("memcpy, one thread", 2 * len, || black_box(&mut y).copy_from_slice(&x));
    report("copy", 2 * len, || {
        let strided = Strided { shape: &[len], src: 0, src_strides: &[1], dst: 0, dst_strides: &[1] };
        copy(&strided, &x, &mut y, |y, x| *y = x);
    });
    report("affine", 2 * len, || unary(Unary::Affine { scale: 2.0, shift: 1.0 }, &x, &mut y, false));
    report("exp", 2 * len, || unary(Unary::Exp, &x, &mut y, false));
    report("softplus", 2 * len, || unary(Unary::Softplus, &x, &mut y, false));
    report("add", 3 * len, || binary(Binary::Add, (&x, &shape), (&g, &shape), &mut y, &shape, false));
    report("mul [N,1,1,C]", 2 * len, || {
        binary(Binary::Mul, (&x, &shape), (&style[..n * c], &[n, 1, 1, c]), &mut y, &shape, false);
    });
    report("bias_act", 2 * len, || bias_act(&x, Some(&b), 0.2, &mut y, false));
    report("bias_act_grad", 3 * len, || bias_act_grad(&g, &x, 0.2, &mut y, false));
    report("noise_bias_act", 2 * len, || noise_bias_act(&x, &noise, [&b, &b], 0.2, &mut y));
    for (name, up, down, out, taps, before) in [
        ("blur", 1, 1, [h, w], &[0.25, 0.5, 0.25][..], [1, 1]),
        ("down", 1, 2, [h / 2, w / 2], &[0.5, 0.5][..], [0, 0]),
        ("up", 2, 1, [2 * h, 2 * w], &[1.0, 1.0][..], [1, 1]),
    ] {
        let p = Resample { shape, out, up, down, taps, before };
        let mut y = vec![0.0; n * out[0] * out[1] * c];
        report(name, len + y.len(), || upfirdn2d(&p, &x, &mut y));
    }
    report("adain", 2 * len, || adain(image, &x, &style, &mut y, &mut stats));
    report("adain_input_grad", 3 * len, || adain_input_grad(image, &g, &x, &style, &stats, &mut y));
    let mut dstyle = vec![0.0; 2 * n * c];
    report("adain_style_grad", 2 * len, || adain_style_grad(image, &g, &x, &stats, &mut dstyle));
    let mut sum = vec![0.0; len / c];
    report("sum, bias gradient", len, || reduce(Reduce::Sum, &x, &shape, &[0, 1, 2], &mut sum[..c]));
    report("sum, all", len, || reduce(Reduce::Sum, &x, &shape, &[0, 1, 2, 3], &mut sum[..1]));
    report("sum, channels", len, || reduce(Reduce::Sum, &x, &shape, &[3], &mut sum));
    report("NHWC to NCHW", 2 * len, || {
        let src = [h * w * c, 1, w * c, c].map(|step| step as isize);
        let dst = [h * w * c, h * w, w, 1].map(|step| step as isize);
        let strided = Strided { shape: &[n, c, h, w], src: 0, src_strides: &src, dst: 0, dst_strides: &dst };
        copy(&strided, &x, &mut y, |y, x| *y = x);
    });
    report("mirror", 2 * len, || {
        let dst = [h * w * c, w * c, c, 1].map(|step| step as isize);
        let src = [dst[0], dst[1], -dst[2], 1];
        let strided = Strided { shape: &shape, src: (w - 1) * c, src_strides: &src, dst: 0, dst_strides: &dst };
        copy(&strided, &x, &mut y, |y, x| *y = x);
    });
    report("uniform", len, || uniform(Position::default(), &mut y));
    report("normal", len, || normal(Position::default(), &mut y));
    let (mut m, mut v) = (vec![0.0; len], vec![0.0; len]);
    let mut state = [0.0; 2];
    let step = AdamStep { rate: 0.001, beta1: 0.0, beta2: 0.99, epsilon: 1e-8, average_beta: 0.99 };
    report("adam", 8 * len, || {
        let arenas = Arenas { params: &mut y, m: &mut m, v: &mut v, state: &mut state, average: None };
        adam(&step, &g, arenas);
    });
}
