//! Times of the layers of the synthesis network with 8192/512 maps, in milliseconds: `cargo run --release --example layer [threads]`.
use std::time::Instant;
use stylegan_cpu_kernels::conv::{Conv, Scratch, conv2d, conv2d_transpose};
use stylegan_cpu_kernels::layer::{Inputs, Layer, layer};

fn numbers(len: usize) -> Vec<f32> {
    (0..len).map(|i| (i * 7919 % 2003) as f32 / 1001.5 - 1.0).collect()
}

fn best(mut f: impl FnMut()) -> f64 {
    let mut best = f64::MAX;
    for _ in 0..12 {
        let t = Instant::now();
        f();
        best = best.min(t.elapsed().as_secs_f64() * 1e3);
    }
    best
}

fn main() {
    let threads = std::env::args().nth(1).map_or(2, |t| t.parse().unwrap());
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
    pool.install(|| {
        for (side, i, o) in [(16, 512, 512), (32, 512, 512), (64, 512, 256), (128, 256, 128), (256, 128, 64), (512, 64, 32), (1024, 32, 16)] {
            for up in [true, false] {
                let g = if up {
                    // w is the sum of four shifts only by chance: these numbers are not.
                    Conv { n: 1, h: side, w: side, c: o, kh: 4, kw: 4, o: i, oh: side / 2, ow: side / 2, stride: 2, padding: [1; 4] }
                } else {
                    Conv { n: 1, h: side, w: side, c: o, kh: 3, kw: 3, o, oh: side, ow: side, stride: 1, padding: [1; 4] }
                };
                let x = numbers(if up { side * side / 4 * i } else { side * side * o });
                let mut w = numbers(g.kh * g.kw * g.c * g.o);
                if up {
                    w.iter_mut().for_each(|w| *w = 0.5);
                }
                let mut y = vec![0.0; side * side * o];
                let mut scratch = Scratch::new();
                let frozen = w.clone();
                scratch.freeze(Some(&frozen));
                let conv = best(|| if up { conv2d_transpose(&g, &x, &frozen, &mut y, None, false, &mut scratch) } else { conv2d(&g, &x, &frozen, &mut y, None, false, &mut scratch) });
                let (noise, b, style) = (numbers(side * side), numbers(o), numbers(2 * o));
                let by = numbers(3 * if up { i } else { o });
                let mut out = vec![0.0; 3 * o];
                let p = Layer { conv: g, is_transposed: up, algorithm: None, blur: up.then_some([0.25, 0.5, 0.25]), alpha: 0.2, gain: 1.0 };
                let mut of = |normal: bool, style: Option<&[f32]>| {
                    best(|| {
                        let normal = normal.then_some(&by[..]);
                        layer(&p, Inputs { x: &x, w: &frozen, b: &b, normal, noise: Some([&noise, &b]), style }, &mut y, &mut out, &mut scratch)
                    })
                };
                let (plain, styled, normal) = (of(false, None), of(false, Some(&style)), of(true, Some(&style)));
                println!("{side:5} {i:4} -> {o:4} {}: conv {conv:7.2}, activated {plain:7.2}, measured {styled:7.2}, of normalised {normal:7.2}", if up { "up  " } else { "conv" });
            }
        }
    });
}
