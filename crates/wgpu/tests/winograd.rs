//! When convolutions are computed in Winograd's form, and that tiles may be taken in chunks. That its results are right is
//! the conformance suite's matter, which forces every algorithm.

use stylegan_tensor::conformance::read_f64;
use stylegan_tensor::{Algorithm, Backend, Conv2d, Kernel, View};
use stylegan_wgpu::Gpu;

mod gpu;
use gpu::{difference, gpu, limited, tensor};

type Member = (&'static str, fn(Conv2d) -> Kernel, [usize; 3]);

/// The members of the family, with the places of two inputs and a result among x, weights and y.
const MEMBERS: [Member; 3] = [
    ("forward", Kernel::Conv2d, [0, 1, 2]),
    ("transpose", Kernel::Conv2dTranspose, [2, 1, 0]),
    ("weights", Kernel::Conv2dWeightGrad, [0, 2, 1]),
];

/// A square image, the size of its filter, the channels in and out.
struct Shape {
    images: usize,
    side: usize,
    size: usize,
    channels: [usize; 2],
}

impl Shape {
    fn stride(&self) -> usize {
        if self.size == 4 { 2 } else { 1 }
    }

    /// Of x, weights and y.
    fn shapes(&self) -> [Vec<usize>; 3] {
        let (n, [c, o]) = (self.images, self.channels);
        let side = (self.side + 2 - self.size) / self.stride() + 1;
        [vec![n, self.side, self.side, c], vec![self.size, self.size, c, o], vec![n, side, side, o]]
    }
}

fn run(device: &Gpu, shape: &Shape, member: &Member, algorithm: Option<Algorithm>) -> Vec<f64> {
    let p = Conv2d { stride: shape.stride(), padding: [1; 4], algorithm };
    let operands: Vec<View> = shape.shapes().iter().map(|s| tensor(device, s)).collect();
    let [a, b, y] = member.2.map(|at| &operands[at]);
    device.launch((member.1)(p), &[a, b], &[y], false).expect("launched");
    read_f64(device, &y.storage).expect("no fault")
}

#[test]
fn wide_convolutions_are_winograds_and_narrow_or_small_ones_are_not() {
    let device = gpu();
    let shape = |images, side, size, channels| Shape { images, side, size, channels };
    let cases = [
        (shape(2, 32, 3, [128, 128]), true),
        (shape(2, 32, 3, [64, 64]), false),
        // The transformed weights are more than the tiles.
        (shape(2, 8, 3, [128, 128]), false),
        (shape(4, 64, 4, [256, 256]), true),
        (shape(2, 64, 4, [32, 64]), false),
    ];
    for (shape, expected) in &cases {
        for member in &MEMBERS {
            let [chosen, direct, winograd] = [None, Some(Algorithm::Direct), Some(Algorithm::Winograd)]
                .map(|algorithm| run(&device, shape, member, algorithm));
            // Sums of other numbers have other bits.
            let what = format!("{} {:?}", member.0, shape.shapes());
            assert!(direct != winograd, "{what}");
            assert_eq!(chosen == winograd && chosen != direct, *expected, "{what}");
        }
    }
}

#[test]
fn tiles_are_taken_in_chunks_where_a_kernel_sees_little_memory() {
    let (whole, limited) = (gpu(), limited());
    for size in [3, 4] {
        let shape = Shape { images: 3, side: 14, size, channels: [12, 8] };
        for member in &MEMBERS {
            let [expected, found] =
                [&whole, &limited].map(|device| run(device, &shape, member, Some(Algorithm::Winograd)));
            let error = difference(&expected, &found);
            // Sums over tiles have another order; 1.6e-6 was measured.
            let allowed = if member.0 == "weights" { 3e-6 } else { 0.0 };
            assert!(error <= allowed, "{} of {size}: {error}", member.0);
        }
    }
}
