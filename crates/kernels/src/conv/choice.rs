//! Which algorithm is the fastest. GFLOP/s of `cargo run --release --example conv 1` on one core of an AVX-512 EPYC whose
//! `gemm` reaches 110 (images are square, batches 1 to 16; a second core doubles every number):
//!
//! | size, channels, kernel, stride | forward: im2col, shifted | transpose | weight gradient (direct) |
//! |---|---|---|---|
//! | 128, 64 → 64, 3, 1 | 97 105 | 98 106 | 97 101 |
//! | 64, 256 → 128, 3, 1 | 99 109 | 102 110 | 98 104 |
//! | 32, 64 → 64, 3, 1 | 97 103 | 98 103 | 95 98 |
//! | 32, 64 → 64, 4, 2 | 94 97 | 89 93 | 89 90 |
//! | 16, 64 → 64, 3, 1 | 100 103 | 101 103 | 100 98 |
//! | 16, 64 → 64, 4, 2 | 103 97 | 94 89 | 87 82 |
//! | 16, 512 → 512, 3, 1 | 104 98 | 101 97 | 100 99 |
//! | 8, 64 → 64, 3, 1 | 105 96 | 97 91 | 89 84 |
//! | 4, 64 → 64, 3, 1 | 96 81 | 78 69 | 88 72 |
//! | 256, 32 → 32, 3, 1 | 85 96 | 86 94 | 83 91 |
//! | 256, 8 → 8, 3, 1 | 27 26 | 26 26 | 26 33 (9) |
//! | 128, 3 → 64, 3, 1 | 66 64 | 14 14 | 70 90 (20) |
//! | 128, 64 → 3, 3, 1 | 14 15 | 66 63 | 15 18 (20) |
//! | 128, 128 → 3, 1, 1 | 17 | 46 | 10 (19) |
//! | 32, 3 → 64, 1, 1 | 49 | 16 | 71 (17) |
//!
//! Nested loops never lead elsewhere. 1 × 1 kernels are one product, 16 GFLOP/s being 11 GB/s there.

use super::{Algorithm, Conv, Kind};

/// Channels below which an operand does not fill the lanes of a product.
const FEW: usize = 8;

/// The fastest algorithm by the table above: a function of the shape alone.
pub fn choose(kind: Kind, g: &Conv) -> Algorithm {
    if filters(kind, g) {
        return Algorithm::Winograd;
    }
    // A shifted product computes padding columns too, a small part of wide rows only; windows cost a copy of x for each
    // tap, a small part of deep products only.
    let windows = |width: usize, channels: usize| {
        width <= 8 || channels < FEW || (width <= 16 && channels >= 512)
    };
    let gather = match kind {
        Kind::Forward => windows(g.ow, g.c),
        Kind::Transpose => windows(g.w.div_ceil(g.stride), g.o),
        Kind::WeightGrad if g.o < FEW => return Algorithm::Direct,
        Kind::WeightGrad => g.ow <= 16 || g.as_product().is_some(),
    };
    if gather {
        Algorithm::Im2col
    } else {
        Algorithm::Shifted
    }
}

/// Whether minimal filtering is the fastest. Its transforms cost as much as a few channels' products, and those of the
/// weights, which all tiles share, as much as the products of some tiles.
fn filters(kind: Kind, g: &Conv) -> bool {
    let side = match kind {
        Kind::Transpose => g.h.min(g.w) / g.stride,
        _ => g.oh.min(g.ow),
    };
    let tiles = g.n * side.div_ceil(4).pow(2);
    let enough = if g.stride == 2 && kind != Kind::WeightGrad { 32 } else { 16 };
    g.filters() && g.c.min(g.o) >= 16 && side >= 8 && tiles >= enough
}
