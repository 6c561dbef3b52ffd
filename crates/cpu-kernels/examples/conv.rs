//! Speed of every algorithm on the layers of the networks: `cargo run --release --example conv [threads]`.
//! Nested loops are left out where they are hopeless.
//! GFLOP/s, the best of several runs, counting two operations for each product of the definition.

use std::time::{Duration, Instant};
use stylegan_cpu_kernels::bf16::is_supported;
use stylegan_cpu_kernels::conv::{Conv, Kind, Scratch, choose, conv2d, conv2d_transpose, conv2d_weight_grad};
use stylegan_cpu_kernels::matmul::matmul;
use stylegan_tensor::Algorithm;

const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::Im2col, Algorithm::Shifted, Algorithm::Direct, Algorithm::Winograd, Algorithm::Bf16];

/// Images, size, channels in and out, kernel, stride, padding.
const LAYERS: [[usize; 7]; 27] = [
    [16, 32, 64, 64, 3, 1, 1],
    [16, 16, 64, 64, 3, 1, 1],
    [16, 8, 64, 64, 3, 1, 1],
    [16, 4, 64, 64, 3, 1, 1],
    [16, 4, 65, 64, 3, 1, 1],
    [16, 32, 64, 64, 4, 2, 1],
    [16, 16, 64, 64, 4, 2, 1],
    [16, 8, 64, 64, 4, 2, 1],
    [16, 32, 3, 64, 1, 1, 0],
    [16, 32, 64, 3, 1, 1, 0],
    [16, 8, 3, 64, 1, 1, 0],
    [4, 64, 256, 128, 3, 1, 1],
    [4, 64, 128, 256, 4, 2, 1],
    [4, 128, 64, 64, 3, 1, 1],
    [4, 128, 32, 64, 4, 2, 1],
    [8, 32, 256, 256, 3, 1, 1],
    [8, 16, 512, 512, 3, 1, 1],
    [8, 8, 512, 512, 3, 1, 1],
    [8, 4, 512, 512, 3, 1, 1],
    [8, 4, 513, 512, 3, 1, 1],
    [2, 256, 32, 32, 3, 1, 1],
    [1, 512, 16, 16, 3, 1, 1],
    [2, 256, 8, 8, 3, 1, 1],
    [2, 128, 3, 64, 3, 1, 1],
    [2, 128, 64, 3, 3, 1, 1],
    [2, 128, 128, 3, 1, 1, 0],
    [2, 128, 3, 128, 1, 1, 0],
];

fn best(mut work: impl FnMut()) -> f64 {
    work();
    let (start, mut best, mut runs) = (Instant::now(), f64::MAX, 0);
    while runs < 3 || start.elapsed() < Duration::from_millis(150) {
        let start = Instant::now();
        work();
        best = best.min(start.elapsed().as_secs_f64());
        runs += 1;
    }
    best
}

fn numbers(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i * 7919 % 2003) as f32 / 1001.5 - 1.0).collect()
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    if let Some(threads) = std::env::args().nth(1) {
        rayon::ThreadPoolBuilder::new().num_threads(threads.parse()?).build_global()?;
    }
    println!("products of [m, k] and [k, n]");
    for [m, k, n] in
        [[1024, 1024, 1024], [2304, 576, 64], [16, 512, 512], [128, 512, 512], [16384, 3, 64], [16384, 64, 3]]
    {
        let (a, b, mut y) = (numbers(m * k), numbers(k * n), numbers(m * n));
        let seconds = best(|| matmul(1, m, k, n, &a, 1, false, &b, 1, false, &mut y, false));
        println!("{m:6} {k:5} {n:5} {:7.1}", 2e-9 * (m * k * n) as f64 / seconds);
    }
    println!(
        "  N    H    C    O  k s |  forward: im2col shifted direct winograd bf16 | transpose: same | weight gradient: same (* chosen)"
    );
    let mut scratch = Scratch::new();
    for [n, h, c, o, k, stride, p] in LAYERS {
        let oh = (h + 2 * p - k) / stride + 1;
        let g = Conv { n, h, w: h, c, kh: k, kw: k, o, oh, ow: oh, stride, padding: [p; 4] };
        let (mut x, mut y, mut w) = (numbers(n * h * h * c), numbers(n * oh * oh * o), numbers(k * k * c * o));
        let work = 2e-9 * (y.len() * k * k * c) as f64;
        print!("{n:3} {h:4} {c:4} {o:4} {k:2} {stride}");
        for kind in [Kind::Forward, Kind::Transpose, Kind::WeightGrad] {
            print!(" |");
            for algorithm in ALGORITHMS {
                if algorithm == Algorithm::Bf16 && !is_supported() {
                    continue;
                }
                if algorithm == Algorithm::Direct && w.len() > 1 << 15 {
                    print!("      - ");
                    continue;
                }
                let force = Some(algorithm);
                let seconds = best(|| match kind {
                    Kind::Forward => conv2d(&g, &x, &w, &mut y, force, false, &mut scratch),
                    Kind::Transpose => conv2d_transpose(&g, &y, &w, &mut x, force, false, &mut scratch),
                    Kind::WeightGrad => conv2d_weight_grad(&g, &x, &y, &mut w, force, false, &mut scratch),
                });
                print!(" {:6.1}{}", work / seconds, if choose(kind, &g) == algorithm { '*' } else { ' ' });
            }
        }
        println!(" | {:.2} GFLOP", work);
    }
    Ok(())
}
