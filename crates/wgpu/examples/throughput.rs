//! How fast a GPU runs the kernels that training spends its time in:
//! `cargo run --release --example throughput [wgpu:0 [divisor]]`, the divisor making every size smaller for a slow device.

use std::time::{Duration, Instant};

use stylegan_tensor::conformance::{synchronize, upload, write_f64};
use stylegan_tensor::{Algorithm, Backend, Binary, Conv2d, DType, Kernel, Reduce, Result, Unary, Upfirdn2d, View};
use stylegan_wgpu::{Gpu, Options, adapters, open};

/// Each measurement takes about so long, after a first launch that compiles.
const ENOUGH: Duration = Duration::from_millis(150);

fn main() -> Result<()> {
    let name = std::env::args().nth(1).unwrap_or_else(|| "wgpu".to_owned());
    let divisor = std::env::args().nth(2).and_then(|number| number.parse().ok());
    let divisor = divisor.unwrap_or(1).max(1);
    for adapter in adapters() {
        println!("{adapter:?}");
    }
    let device = open(&name, &Options::default())?;
    dispatches(&device)?;
    matmuls(&device, divisor)?;
    convolutions(&device, divisor)?;
    bandwidth(&device, divisor)?;
    drop(device);
    halves(&name, divisor)
}

/// A tensor of zeros and ones.
fn tensor(device: &Gpu, shape: &[usize]) -> Result<View> {
    let values: Vec<f64> = (0..shape.iter().product()).map(|i: usize| (i % 2) as f64).collect();
    upload(device, &values, shape)
}

/// Seconds that one launch takes.
fn seconds(device: &Gpu, kernel: &Kernel, inputs: &[&View], outs: &[&View]) -> Result<f64> {
    device.launch(kernel.clone(), inputs, outs, false)?;
    synchronize(device)?;
    let mut count = 1;
    loop {
        let start = Instant::now();
        for _ in 0..count {
            device.launch(kernel.clone(), inputs, outs, false)?;
        }
        synchronize(device)?;
        let elapsed = start.elapsed();
        if elapsed >= ENOUGH {
            return Ok(elapsed.as_secs_f64() / f64::from(count));
        }
        count =
            (f64::from(count) * (ENOUGH.as_secs_f64() / elapsed.as_secs_f64() * 1.2).clamp(1.5, 20.0)).ceil() as i32;
    }
}

fn dispatches(device: &Gpu) -> Result<()> {
    let x = tensor(device, &[64])?;
    let y = tensor(device, &[64])?;
    let time = seconds(device, &Kernel::Unary(Unary::Square), &[&x], &[&y])?;
    println!("dispatch of 64 elements          {:9.2} us", time * 1e6);
    let count = 10_000;
    let start = Instant::now();
    for _ in 0..count {
        device.launch(Kernel::Unary(Unary::Square), &[&x], &[&y], false)?;
    }
    let host = start.elapsed().as_secs_f64() / f64::from(count);
    synchronize(device)?;
    println!("host time of a dispatch          {:9.2} us", host * 1e6);
    Ok(())
}

fn report(name: &str, work: f64, time: f64) {
    println!("{name:42} {:9.3} ms {:10.0} GFLOP/s", time * 1e3, work / time / 1e9);
}

fn matmuls(device: &Gpu, divisor: usize) -> Result<()> {
    for [m, k, n] in [[1024; 3], [2048; 3], [4096; 3], [16, 512, 512], [256, 4608, 512]] {
        let [m, k, n] = [m, k, n].map(|size: usize| size.div_ceil(divisor));
        for (transpose_a, transpose_b) in [(false, false), (false, true), (true, false)] {
            let a = tensor(device, &if transpose_a { [1, k, m] } else { [1, m, k] })?;
            let b = tensor(device, &if transpose_b { [1, n, k] } else { [1, k, n] })?;
            let y = tensor(device, &[1, m, n])?;
            let kernel = Kernel::Matmul { transpose_a, transpose_b };
            let time = seconds(device, &kernel, &[&a, &b], &[&y])?;
            let name = format!("matmul {m}x{k}x{n} {}{}", u8::from(transpose_a), u8::from(transpose_b));
            report(&name, 2.0 * (m * k * n) as f64, time);
        }
    }
    Ok(())
}

/// Images, height and width, channels in and out, size of the filter, stride.
const CONVOLUTIONS: [[usize; 6]; 8] = [
    [16, 32, 64, 64, 3, 1],
    [8, 64, 128, 128, 3, 1],
    [8, 64, 256, 256, 3, 1],
    [4, 128, 128, 128, 3, 1],
    [16, 4, 512, 512, 3, 1],
    [16, 16, 512, 512, 3, 1],
    [8, 64, 128, 256, 4, 2],
    [8, 128, 3, 64, 1, 1],
];

fn convolutions(device: &Gpu, divisor: usize) -> Result<()> {
    for [n, size, c, o, k, stride] in CONVOLUTIONS {
        let [size, c, o] = [size, c, o].map(|size: usize| size.div_ceil(divisor));
        let padding = [(k - 1) / 2; 4];
        let p = |algorithm| Conv2d { stride, padding, algorithm };
        let out = (size + 2 * padding[0] - k) / stride + 1;
        let x = tensor(device, &[n, size, size, c])?;
        let w = tensor(device, &[k, k, c, o])?;
        let y = tensor(device, &[n, out, out, o])?;
        let work = 2.0 * (n * out * out * o * k * k * c) as f64;
        let time = |name: &str, kernel: fn(Conv2d) -> Kernel, inputs: [&View; 2], y: &View| {
            let auto = seconds(device, &kernel(p(None)), &inputs, &[y])?;
            let large = seconds(device, &kernel(p(Some(Algorithm::Im2col))), &inputs, &[y])?;
            let small = seconds(device, &kernel(p(Some(Algorithm::Direct))), &inputs, &[y])?;
            let winograd = seconds(device, &kernel(p(Some(Algorithm::Winograd))), &inputs, &[y])?;
            let shape = format!("[{n},{size},{size},{c}]x{k}x{k}x{o}/{stride}");
            report(&format!("{name} {shape}"), work, auto);
            println!(
                "{:42} large tile {:.3} ms, small tile {:.3} ms, Winograd {:.3} ms",
                "",
                large * 1e3,
                small * 1e3,
                winograd * 1e3
            );
            Ok::<_, stylegan_tensor::Error>(())
        };
        time("forward", Kernel::Conv2d, [&x, &w], &y)?;
        time("transpose", Kernel::Conv2dTranspose, [&y, &w], &x)?;
        time("weight grad", Kernel::Conv2dWeightGrad, [&x, &y], &w)?;
    }
    Ok(())
}

/// Convolutions of feature maps in f16, by cooperative matrices and without.
fn halves(name: &str, divisor: usize) -> Result<()> {
    for matrices in [true, false] {
        let options = Options { matrices, ..Options::default() };
        let device = open(name, &options)?;
        println!("feature maps in f16, {} cooperative matrices", if matrices { "with" } else { "without" });
        for [n, size, c, o, k, stride] in CONVOLUTIONS {
            let [size, c, o] = [size, c, o].map(|size: usize| size.div_ceil(divisor));
            let [c, o] = [c, o].map(|channels| channels.next_multiple_of(4));
            let padding = [(k - 1) / 2; 4];
            let p = Conv2d { stride, padding, algorithm: None };
            let out = (size + 2 * padding[0] - k) / stride + 1;
            let map = |shape: [usize; 4]| {
                let len: usize = shape.iter().product();
                let storage = device.allocate("upload", len, DType::F16)?;
                let values: Vec<f64> = (0..len).map(|i| (i % 2) as f64).collect();
                write_f64(&device, &storage, &values);
                Ok::<_, stylegan_tensor::Error>(View { storage, shape: shape.to_vec() })
            };
            let (x, y) = (map([n, size, size, c])?, map([n, out, out, o])?);
            let w = tensor(&device, &[k, k, c, o])?;
            let work = 2.0 * (n * out * out * o * k * k * c) as f64;
            for (name, kernel, inputs, to) in [
                ("forward", Kernel::Conv2d(p), [&x, &w], &y),
                ("transpose", Kernel::Conv2dTranspose(p), [&y, &w], &x),
                ("weight grad", Kernel::Conv2dWeightGrad(p), [&x, &y], &w),
            ] {
                let time = seconds(&device, &kernel, &inputs, &[to])?;
                let shape = format!("[{n},{size},{size},{c}]x{k}x{k}x{o}/{stride}");
                report(&format!("{name} {shape}"), work, time);
            }
        }
    }
    Ok(())
}

fn bandwidth(device: &Gpu, divisor: usize) -> Result<()> {
    let side = 128_usize.div_ceil(divisor).next_multiple_of(4);
    let shape = [16, side, side, side];
    let [n, h, w, c] = shape;
    let (x, g, y) = (tensor(device, &shape)?, tensor(device, &shape)?, tensor(device, &shape)?);
    let (bias, style) = (tensor(device, &[c])?, tensor(device, &[n, 2 * c])?);
    let (stats, sums) = (tensor(device, &[n, 2, c])?, tensor(device, &[n, c])?);
    let (noise, scale) = (tensor(device, &[n, h, w, 1])?, tensor(device, &[n, 1, 1, c])?);
    let flat = View { shape: vec![n * h * w * c], ..x.clone() };
    let half = tensor(device, &[n, h / 2, w / 2, c])?;
    let total = tensor(device, &[1])?;
    let up = Upfirdn2d { up: 2, down: 1, taps: vec![1.0, 1.0], padding: [1, 0, 1, 0] };
    let blur = Upfirdn2d { up: 1, down: 1, taps: vec![0.25, 0.5, 0.25], padding: [1; 4] };
    let sum = |axes: &[usize]| Kernel::Reduce { op: Reduce::Sum, axes: axes.to_vec() };
    let bytes = (4 * n * h * w * c) as f64;
    let position = stylegan_tensor::Position::default();
    let (xs, out) = ([&x], [&y]);
    type Row<'a> = (&'a str, Kernel, Vec<&'a View>, Vec<&'a View>, f64);
    let rows: Vec<Row> = vec![
        ("fill", Kernel::Fill { value: 1.0 }, vec![], out.to_vec(), 1.0),
        ("square", Kernel::Unary(Unary::Square), xs.to_vec(), out.to_vec(), 2.0),
        ("softplus", Kernel::Unary(Unary::Softplus), xs.to_vec(), out.to_vec(), 2.0),
        ("add", Kernel::Binary(Binary::Add), vec![&x, &g], out.to_vec(), 3.0),
        ("mul [N,1,1,C]", Kernel::Binary(Binary::Mul), vec![&x, &scale], out.to_vec(), 2.0),
        ("bias_act", Kernel::BiasAct { alpha: 0.2 }, vec![&x, &bias], out.to_vec(), 2.0),
        ("bias_act_grad", Kernel::BiasActGrad { alpha: 0.2 }, vec![&g, &x], out.to_vec(), 3.0),
        ("noise_bias_act", Kernel::NoiseBiasAct { alpha: 0.2 }, vec![&x, &noise, &bias, &bias], out.to_vec(), 2.0),
        ("blur", Kernel::Upfirdn2d(blur), xs.to_vec(), out.to_vec(), 2.0),
        ("upscale", Kernel::Upfirdn2d(up), vec![&half], out.to_vec(), 1.25),
        ("adain", Kernel::Adain, vec![&x, &style], vec![&y, &stats], 3.0),
        ("adain_input_grad", Kernel::AdainInputGrad, vec![&g, &x, &style, &stats], out.to_vec(), 5.0),
        ("adain_style_grad", Kernel::AdainStyleGrad, vec![&g, &x, &stats], vec![&style], 2.0),
        ("sum over H, W", sum(&[1, 2]), xs.to_vec(), vec![&sums], 1.0),
        ("sum over N, H, W", sum(&[0, 1, 2]), xs.to_vec(), vec![&bias], 1.0),
        ("sum of all", sum(&[0]), vec![&flat], vec![&total], 1.0),
        ("normal", Kernel::Normal(position), vec![], out.to_vec(), 1.0),
    ];
    for (name, kernel, inputs, outs, passes) in rows {
        let time = seconds(device, &kernel, &inputs, &outs)?;
        println!("{name:42} {:9.3} ms {:10.0} GB/s", time * 1e3, passes * bytes / time / 1e9);
    }
    Ok(())
}
