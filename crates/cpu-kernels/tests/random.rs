use std::f64::consts::TAU;

use stylegan_cpu_kernels::random::{normal, uniform};
use stylegan_tensor::Position;

const POSITION: Position = Position { seed: 0x299f_31d0_a409_3822, stream: 0x0370_7344_1319_8a2e, offset: 0 };

#[test]
fn uniforms_are_the_known_answer_of_random123() {
    let mut y = [0.0; 4];
    uniform(Position::default(), &mut y);
    let expected = [0x6627_e8d5_u32, 0xe169_c58d, 0xbc57_ac4c, 0x9b00_dbd8];
    assert_eq!(y, expected.map(|bits| ((bits >> 8) as f32 + 0.5) / (1 << 24) as f32));
}

#[test]
fn a_draw_continues_where_the_one_before_ended() {
    let mut whole = vec![0.0; 70_003];
    normal(POSITION, &mut whole);
    for first in [4, 256, 16_384, 65_540] {
        let mut rest = vec![0.0; whole.len() - first];
        normal(Position { offset: first as u64, ..POSITION }, &mut rest);
        assert_eq!(rest, whole[first..]);
    }
}

#[test]
fn normals_are_box_muller_of_the_uniforms_to_a_rounding() {
    let (mut u, mut z) = (vec![0.0; 400_000], vec![0.0; 400_000]);
    uniform(POSITION, &mut u);
    normal(POSITION, &mut z);
    for (u, z) in u.chunks(2).zip(z.chunks(2)) {
        let radius = (-2.0 * f64::from(u[0]).ln()).sqrt();
        let (sin, cos) = (TAU * f64::from(u[1])).sin_cos();
        // Half a unit in the last place of numbers below 8 is 2.4e-7.
        assert!((f64::from(z[0]) - radius * cos).abs() < 2.5e-7);
        assert!((f64::from(z[1]) - radius * sin).abs() < 2.5e-7);
    }
}

#[test]
fn normals_have_the_same_bits_on_every_machine() {
    let mut z = vec![0.0; 100_000];
    normal(POSITION, &mut z);
    // FNV-1a of the bits, as computed with AVX-512, AVX2 and SSE2.
    let hash = z
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash: u64, z| (hash ^ u64::from(z.to_bits())).wrapping_mul(0x0100_0000_01b3));
    assert_eq!(hash, 0x1d2e_2f8c_13b2_ac94, "{hash:#x}");
}
