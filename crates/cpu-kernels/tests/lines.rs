//! Kernels of one row or column in Winograd's form, against plain f64 loops.

use stylegan_cpu_kernels::conv::{Conv, Kind, Scratch, choose, conv2d};
use stylegan_tensor::Algorithm;

mod values;
use values::numbers;

fn reference(g: &Conv, x: &[f32], w: &[f32]) -> Vec<f64> {
    let mut y = vec![0.0; g.n * g.oh * g.ow * g.o];
    for (place, y) in y.chunks_exact_mut(g.o).enumerate() {
        let (n, i, j) = (place / (g.oh * g.ow), place / g.ow % g.oh, place % g.ow);
        for tap in 0..g.kh * g.kw {
            let (p, q) = ((i + tap / g.kw).wrapping_sub(g.padding[0]), (j + tap % g.kw).wrapping_sub(g.padding[2]));
            if p >= g.h || q >= g.w {
                continue;
            }
            for c in 0..g.c {
                let x = f64::from(x[((n * g.h + p) * g.w + q) * g.c + c]);
                let w = &w[(tap * g.c + c) * g.o..];
                y.iter_mut().zip(w).for_each(|(y, w)| *y += x * f64::from(*w));
            }
        }
    }
    y
}

#[test]
fn rows_and_columns_of_taps_agree_with_the_definition_on_every_number_of_threads() {
    // Images, height, width, channels in and out, rows and columns of the kernel, padding.
    let cases = [
        ([2, 17, 17, 32, 48], [1, 7], [0, 0, 3, 3]),
        ([2, 17, 17, 48, 32], [7, 1], [3, 3, 0, 0]),
        ([1, 8, 8, 40, 70], [1, 3], [0, 0, 1, 1]),
        ([3, 8, 9, 33, 65], [3, 1], [1, 1, 0, 0]),
        ([1, 9, 61, 3, 5], [1, 7], [0, 0, 0, 2]),
        ([1, 61, 50, 5, 3], [7, 1], [4, 0, 0, 0]),
        ([1, 1, 1, 1, 1], [3, 1], [1, 1, 0, 0]),
    ];
    for ([n, h, w, c, o], [kh, kw], padding) in cases {
        let [top, bottom, left, right] = padding;
        let (oh, ow) = (h + top + bottom + 1 - kh, w + left + right + 1 - kw);
        let g = Conv { n, h, w, c, kh, kw, o, oh, ow, stride: 1, padding };
        let (x, weights) = (numbers(n * h * w * c, 1), numbers(kh * kw * c * o, 2));
        let expected = reference(&g, &x, &weights);
        let largest = expected.iter().fold(0.0f64, |most, y| most.max(y.abs()));
        let mut bits = Vec::new();
        for (threads, accumulate) in [(1, false), (2, false), (3, true)] {
            let before = if accumulate { 0.5 } else { f32::NAN };
            let mut y = vec![before; expected.len()];
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool starts");
            let winograd = Some(Algorithm::Winograd);
            pool.install(|| conv2d(&g, &x, &weights, &mut y, winograd, accumulate, &mut Scratch::new()));
            if accumulate {
                y.iter_mut().for_each(|y| *y -= before);
            } else {
                bits.push(y.iter().map(|y| y.to_bits()).collect::<Vec<_>>());
            }
            let apart = y.iter().zip(&expected).map(|(y, e)| (f64::from(*y) - e).abs()).fold(0.0, f64::max);
            assert!(apart < 1e-5 * largest, "{g:?} with {threads} threads is {} off", apart / largest);
        }
        assert!(bits[0] == bits[1], "{g:?} has other bits on two threads");
    }
}

#[test]
fn they_are_chosen_where_products_are_most_of_the_work() {
    let g = |c: usize, size: usize| {
        let [kh, kw, o] = [1, 7, 64];
        Conv { n: 8, h: size, w: size, c, kh, kw, o, oh: size, ow: size, stride: 1, padding: [0, 0, 3, 3] }
    };
    assert_eq!(choose(Kind::Forward, &g(128, 17)), Algorithm::Winograd);
    assert_ne!(choose(Kind::Forward, &g(8, 17)), Algorithm::Winograd);
    assert_ne!(choose(Kind::WeightGrad, &g(128, 17)), Algorithm::Winograd);
}
