//! The convolutions against plain f64 loops, for every algorithm and many geometries.

use stylegan_cpu_kernels::conv::{Conv, Kind, Scratch, choose, conv2d, conv2d_transpose};
use stylegan_tensor::Algorithm;

mod convolutions;
use convolutions::{KINDS, Operands, compute, conv, operands, reference};
mod values;
use values::{assert_same_bits, numbers};

const ALGORITHMS: [Algorithm; 4] = [Algorithm::Im2col, Algorithm::Shifted, Algorithm::Direct, Algorithm::Winograd];
fn check(kind: Kind, g: &Conv, scratch: &mut Scratch) {
    let with = operands(g);
    let expected = reference(kind, g, &with);
    let before = [&with.y, &with.x, &with.w][kind as usize];
    let terms = [g.kh * g.kw * g.c, g.kh * g.kw * g.o, g.n * g.oh * g.ow][kind as usize];
    // A running sum of k products below 1 in size is about √k, so k roundings to 24 bits add up to about √k · √k · 2⁻²⁴.
    let tolerance = 2.0 * (terms as f64 + 8.0) / f64::from(1 << 24);
    for algorithm in ALGORITHMS.map(Some).into_iter().chain([None]) {
        for accumulate in [false, true] {
            let found = compute(kind, g, &with, algorithm, accumulate, scratch);
            // Entries of the matrices of Winograd's form reach 8, and cancel: 2.1 was measured.
            let is_winograd = matches!(algorithm, None | Some(Algorithm::Winograd));
            let tolerance = tolerance * if is_winograd { 3.0 } else { 1.0 };
            for (i, (&found, &expected)) in found.iter().zip(&expected).enumerate() {
                let expected = if accumulate { expected + f64::from(before[i]) } else { expected };
                assert!(
                    (f64::from(found) - expected).abs() <= tolerance,
                    "{kind:?} {algorithm:?} accumulate {accumulate} element {i}: expected {expected}, found {found}; {g:?}"
                );
            }
        }
    }
}

#[test]
fn every_algorithm_agrees_with_the_definition_on_every_geometry() {
    let mut scratch = Scratch::new();
    let paddings = [[0; 4], [1; 4], [1, 0, 0, 2], [0, 3, 2, 1], [4, 4, 5, 5]];
    let mut geometries = 0;
    for [kh, kw] in [[1, 1], [2, 2], [3, 3], [4, 4], [1, 3], [3, 1], [5, 2]] {
        for stride in 1..=3 {
            for padding in paddings {
                for [h, w] in [[1, 1], [2, 3], [5, 4], [7, 9]] {
                    for [n, c, o] in [[1, 1, 1], [2, 3, 5], [3, 5, 2], [1, 0, 2], [2, 3, 0]] {
                        if let Some(g) = conv(n, [h, w, c], [kh, kw, o], stride, padding) {
                            KINDS.iter().for_each(|&kind| check(kind, &g, &mut scratch));
                            geometries += 1;
                        }
                    }
                }
            }
        }
    }
    assert!(geometries > 900, "only {geometries} geometries were tried");
}

/// Shapes with several tiles, chunks and blocks, and with channels on both sides of every lane count.
fn large() -> Vec<Conv> {
    [
        conv(3, [32, 32, 16], [3, 3, 24], 1, [1; 4]),
        conv(5, [8, 8, 65], [3, 3, 64], 1, [1; 4]),
        conv(7, [4, 4, 64], [3, 3, 65], 1, [1; 4]),
        conv(3, [32, 32, 17], [4, 4, 20], 2, [1; 4]),
        conv(2, [20, 33, 8], [3, 2, 7], 3, [2, 0, 1, 1]),
        conv(9, [16, 16, 3], [1, 1, 64], 1, [0; 4]),
        conv(9, [16, 16, 64], [1, 1, 3], 1, [0; 4]),
        conv(9, [16, 16, 19], [3, 3, 3], 1, [1; 4]),
        conv(5, [4, 4, 130], [4, 4, 70], 1, [0; 4]),
        conv(17, [8, 6, 40], [3, 1, 30], 1, [0; 4]),
        conv(1, [64, 300, 5], [3, 3, 6], 1, [1; 4]),
        // Few pixels and large weights.
        conv(1, [4, 3, 270], [3, 3, 440], 1, [1; 4]),
        // Few tiles and several panels of outputs, and many of both.
        conv(1, [16, 16, 70], [3, 3, 130], 1, [1; 4]),
        conv(2, [16, 16, 100], [4, 4, 70], 2, [1; 4]),
        conv(12, [24, 40, 20], [3, 3, 100], 1, [1; 4]),
    ]
    .into_iter()
    .flatten()
    .collect()
}

#[test]
fn every_algorithm_agrees_with_the_definition_where_work_is_split() {
    let mut scratch = Scratch::new();
    for g in large() {
        KINDS.iter().for_each(|&kind| check(kind, &g, &mut scratch));
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit() {
    let mut scratch = Scratch::new();
    for g in large() {
        let with = operands(&g);
        for (kind, algorithm) in KINDS.iter().flat_map(|&kind| ALGORITHMS.map(|algorithm| (kind, algorithm))) {
            let run = || compute(kind, &g, &with, Some(algorithm), true, &mut scratch);
            assert_same_bits(&format!("{kind:?} {algorithm:?} {g:?}"), run);
        }
    }
}

#[test]
fn forward_and_transpose_are_adjoint() {
    let mut scratch = Scratch::new();
    for g in large() {
        let with = operands(&g);
        let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(&a, &b)| f64::from(a) * f64::from(b)).sum::<f64>();
        let forward = dot(&compute(Kind::Forward, &g, &with, None, false, &mut scratch), &with.y);
        let transpose = dot(&compute(Kind::Transpose, &g, &with, None, false, &mut scratch), &with.x);
        let weights = dot(&compute(Kind::WeightGrad, &g, &with, None, false, &mut scratch), &with.w);
        // Three sums of the same products x · w · y; f32 rounding of each, measured below 1e-6 of their count's root.
        let scale = ((with.y.len() * g.kh * g.kw * g.c) as f64).sqrt();
        assert!((forward - transpose).abs() < 1e-5 * scale, "{forward} and {transpose}; {g:?}");
        assert!((forward - weights).abs() < 1e-5 * scale, "{forward} and {weights}; {g:?}");
    }
}

#[test]
fn a_second_step_takes_no_workspace() {
    let mut scratch = Scratch::new();
    let step = |scratch: &mut Scratch| {
        for g in large() {
            for kind in KINDS {
                compute(kind, &g, &operands(&g), None, false, scratch);
            }
        }
        scratch.bytes()
    };
    let first = step(&mut scratch);
    assert!(first > 0);
    assert_eq!(step(&mut scratch), first);
}

#[test]
#[should_panic(expected = "conv2d: [16, 4, 9] elements of x, y and w are expected, got [15, 4, 9]")]
fn a_slice_of_the_wrong_length_is_named() {
    let g = conv(1, [4, 4, 1], [3, 3, 1], 1, [0; 4]).unwrap();
    conv2d(&g, &[0.0; 15], &[0.0; 9], &mut [0.0; 4], None, false, &mut Scratch::new());
}

#[test]
fn what_is_kept_of_frozen_weights_gives_the_same_bits_until_they_are_forgotten() {
    let shapes = [([3, 3], 1, Algorithm::Winograd), ([4, 4], 2, Algorithm::Winograd), ([4, 4], 2, Algorithm::Im2col)];
    for (size, stride, algorithm) in shapes {
        let g = conv(2, [16, 16, 8], [size[0], size[1], 12], stride, [1; 4]).expect("the kernel fits");
        let (mut with, mut scratch) = (operands(&g), Scratch::new());
        let run = |with: &mut Operands, scratch: &mut Scratch, frozen: bool| {
            let Operands { x, y, w } = with;
            let (mut to_y, mut to_x) = (y.clone(), x.clone());
            scratch.freeze(frozen.then_some(&w[..]));
            conv2d(&g, x, w, &mut to_y, Some(algorithm), false, scratch);
            conv2d_transpose(&g, y, w, &mut to_x, Some(algorithm), false, scratch);
            (to_y, to_x)
        };
        let expected = run(&mut with, &mut scratch, false);
        let before = scratch.bytes();
        for _ in 0..2 {
            assert_eq!(run(&mut with, &mut scratch, true), expected);
        }
        assert!(scratch.bytes() > before, "{size:?} {algorithm:?}: nothing was kept");
        scratch.forget(&with.w[1..2]);
        with.w.iter_mut().for_each(|w| *w = -*w);
        let negated = run(&mut with, &mut scratch, true);
        assert!(negated.0.iter().zip(&expected.0).all(|(a, b)| *a == -b), "{size:?} {algorithm:?}");
        assert!(negated.1.iter().zip(&expected.1).all(|(a, b)| *a == -b), "{size:?} {algorithm:?}");
    }
}

#[test]
fn winograds_convolution_rounds_to_a_hundred_thousandth_of_the_largest_result() {
    for (size, stride) in [(3, 1), (4, 2)] {
        let g = conv(2, [16, 16, 256], [size, size, 64], stride, [1; 4]).expect("the kernel fits");
        let (with, mut scratch) = (operands(&g), Scratch::new());
        for kind in KINDS {
            let expected = reference(kind, &g, &with);
            let largest = expected.iter().fold(0.0, |largest: f64, value| largest.max(value.abs()));
            let mut error = |algorithm| {
                let found = compute(kind, &g, &with, Some(algorithm), false, &mut scratch);
                found.iter().zip(&expected).map(|(&f, e)| (f64::from(f) - e).abs()).fold(0.0, f64::max) / largest
            };
            let [plain, winograd] = [error(Algorithm::Im2col), error(Algorithm::Winograd)];
            assert!(winograd <= 1e-5, "{kind:?} {size}x{size}: {winograd:e}, im2col {plain:e}");
        }
    }
}

/// Operands whose kernel is the sum of the four shifts of a 3×3 kernel.
fn operands_of_sum(g: &Conv) -> Operands {
    let size = g.c * g.o;
    let (mut with, thirds) = (operands(g), numbers(9 * size, 4));
    with.w.fill(0.0);
    for (tap, shift) in (0..9).flat_map(|tap| (0..4).map(move |shift| (tap, shift))) {
        let to = (tap / 3 + shift / 2) * 4 + tap % 3 + shift % 2;
        with.w[to * size..][..size].iter_mut().zip(&thirds[tap * size..]).for_each(|(w, term)| *w += term);
    }
    with
}

#[test]
fn a_kernel_that_upscales_agrees_with_the_definition_frozen_or_not() {
    for (n, [h, w, c], o) in [(1, [2, 4, 130], 65), (2, [8, 6, 70], 67), (1, [64, 64, 64], 64), (3, [16, 16, 130], 64)]
    {
        let g = conv(n, [h, w, c], [4, 4, o], 2, [1; 4]).unwrap();
        let mut with = operands_of_sum(&g);
        let expected = reference(Kind::Transpose, &g, &with);
        let largest = expected.iter().fold(0f64, |largest, x| largest.max(x.abs()));
        let mut scratch = Scratch::new();
        let mut run = |threads: usize, frozen: bool| {
            let Operands { x, y, w } = &mut with;
            x.fill(f32::NAN);
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            scratch.freeze(frozen.then_some(&w[..]));
            pool.install(|| conv2d_transpose(&g, y, w, x, None, false, &mut scratch));
            x.clone()
        };
        let found = run(1, true);
        for (found, expected) in found.iter().zip(&expected) {
            assert!((f64::from(*found) - expected).abs() < 1e-5 * largest, "{g:?}: {found} {expected}");
        }
        assert_eq!(run(3, true), found);
        for threads in [1, 3] {
            assert_eq!(run(threads, false), found);
        }
        // Of the weights only the nine products' are kept, here twice: not the sixteen taps of the passes.
        assert!(
            scratch.bytes() < 4 * (2 * 9 * (c * o + 16) + 4 * 9 * (48 * (o + 64) + 2 * 16) + 100),
            "{}",
            scratch.bytes()
        );
    }
}

#[test]
fn a_kernel_on_sums_of_pixels_agrees_with_the_definition_on_every_number_of_threads_frozen_or_not() {
    // Several images in a task; parts of a tile at the ends; channels that do not fill a register; weights that tasks share.
    let cases = [
        (16, [32, 32, 32], 32),
        (1, [72, 80, 20], 48),
        (2, [44, 36, 70], 37),
        (4, [34, 30, 130], 33),
        (2, [32, 32, 200], 210),
    ];
    for (n, image, o) in cases {
        let g = conv(n, image, [4, 4, o], 2, [1; 4]).unwrap();
        assert_eq!(choose(Kind::Forward, &g), Algorithm::Winograd, "{g:?}");
        let with = operands_of_sum(&g);
        let expected = reference(Kind::Forward, &g, &with);
        let largest = expected.iter().fold(0f64, |largest, x| largest.max(x.abs()));
        let mut scratch = Scratch::new();
        let mut run = |threads: usize, frozen: bool, accumulate: bool| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            scratch.freeze(frozen.then_some(&with.w[..]));
            pool.install(|| compute(Kind::Forward, &g, &with, None, accumulate, &mut scratch))
        };
        let [found, added] = [false, true].map(|accumulate| run(1, true, accumulate));
        for (at, expected) in expected.iter().enumerate() {
            // 5.4e-6 was measured, as where phases are not added.
            for found in [found[at], added[at] - with.y[at]] {
                let apart = (f64::from(found) - expected).abs();
                assert!(
                    apart <= 6e-6 * largest,
                    "{:e} {g:?}, element {at}: expected {expected}, found {found}",
                    apart / largest
                );
            }
        }
        for (threads, frozen) in [(3, true), (1, false), (2, false), (3, false)] {
            assert_eq!(run(threads, frozen, false), found, "{g:?} on {threads} threads");
            assert_eq!(run(threads, frozen, true), added, "{g:?} on {threads} threads");
        }
    }
}
