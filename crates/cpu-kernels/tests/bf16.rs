//! Convolutions with products of bf16 against plain f64 loops. Passes without a look at them on a CPU without AVX512-BF16.

use stylegan_cpu_kernels::bf16::is_supported;
use stylegan_cpu_kernels::conv::{Conv, Scratch};
use stylegan_tensor::Algorithm;

mod convolutions;
use convolutions::{KINDS, compute, conv, operands, reference};
mod values;
use values::assert_same_bits;

/// Shapes whose fastest form is Winograd's: several tiles, chunks, blocks and panels, channels on both sides of lane counts.
fn shapes() -> Vec<Conv> {
    [
        conv(3, [32, 32, 16], [3, 3, 24], 1, [1; 4]),
        conv(5, [8, 8, 66], [3, 3, 64], 1, [1; 4]),
        conv(3, [32, 32, 18], [4, 4, 20], 2, [1; 4]),
        conv(2, [17, 33, 30], [3, 3, 130], 1, [1; 4]),
        conv(5, [16, 24, 100], [4, 4, 70], 2, [1; 4]),
        conv(12, [24, 40, 20], [3, 3, 100], 1, [1; 4]),
        conv(4, [16, 16, 256], [3, 3, 96], 1, [1; 4]),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn root_mean_square(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0.0), |(sum, count), value| (sum + value * value, count + 1.0));
    f64::sqrt(sum / count)
}

/// Both factors of every product are off by up to 2⁻⁹ of themselves, which makes 2.4e-3 of the results' size; Winograd's matrices enlarge
/// that. At most 1.2e-2 was measured for 3×3, 9.7e-3 for 4×4.
const TOLERANCE: f64 = 1.4e-2;

#[test]
fn convolutions_in_bf16_agree_with_the_definition() {
    if !is_supported() {
        return;
    }
    let mut scratch = Scratch::new();
    for g in shapes() {
        let with = operands(&g);
        for (kind, accumulate) in KINDS.iter().flat_map(|&kind| [(kind, false), (kind, true)]) {
            let found = compute(kind, &g, &with, Some(Algorithm::Bf16), accumulate, &mut scratch);
            let before = [&with.y, &with.x, &with.w][kind as usize];
            let expected = reference(kind, &g, &with);
            let added = |i: usize| if accumulate { f64::from(before[i]) } else { 0.0 };
            let errors = found.iter().enumerate().map(|(i, &found)| f64::from(found) - added(i) - expected[i]);
            let error = root_mean_square(errors) / root_mean_square(expected.iter().copied());
            assert!(error < TOLERANCE, "{kind:?} accumulate {accumulate}: {error:e} of the results' size; {g:?}");
            assert!(error > 1e-3, "{kind:?}: {error:e}, products were not of bf16; {g:?}");
        }
    }
}

#[test]
fn the_number_of_threads_does_not_change_a_bit_in_bf16() {
    if !is_supported() {
        return;
    }
    let mut scratch = Scratch::new();
    for g in shapes() {
        let with = operands(&g);
        for kind in KINDS {
            let algorithm = Some(Algorithm::Bf16);
            let run = || compute(kind, &g, &with, algorithm, false, &mut scratch);
            assert_same_bits(&format!("{kind:?} {g:?}"), run);
        }
    }
}

#[test]
fn shapes_that_do_not_gain_have_the_bits_of_f32() {
    if !is_supported() {
        return;
    }
    let mut scratch = Scratch::new();
    for g in [conv(2, [4, 4, 64], [3, 3, 64], 1, [1; 4]), conv(3, [32, 32, 17], [3, 3, 24], 1, [1; 4])] {
        let g = g.expect("the kernel fits");
        for kind in KINDS {
            let with = operands(&g);
            let [f32, bf16] =
                [None, Some(Algorithm::Bf16)].map(|algorithm| compute(kind, &g, &with, algorithm, false, &mut scratch));
            assert!(f32 == bf16, "{kind:?} {g:?}");
        }
    }
}
