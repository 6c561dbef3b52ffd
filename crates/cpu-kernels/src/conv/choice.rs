//! Which algorithm is the fastest. GFLOP/s of `cargo run --release --example conv 1` on one core of an AVX-512 EPYC whose
//! `gemm` reaches 110, counting the operations of the direct form (images are square, batches 1 to 16; a second core doubles
//! every number):
//!
//! | size, channels, kernel, stride | forward: im2col, shifted, Winograd | transpose | weight gradient (direct) |
//! |---|---|---|---|
//! | 128, 64 → 64, 3, 1 | 92 96 219 | 88 96 255 | 86 92 187 |
//! | 64, 256 → 128, 3, 1 | 100 110 335 | 102 110 320 | 99 104 267 |
//! | 64, 128 → 256, 4, 2 | 106 108 215 | 99 105 190 | 94 94 159 |
//! | 32, 64 → 64, 3, 1 | 97 102 264 | 95 101 252 | 93 94 200 |
//! | 32, 64 → 64, 4, 2 | 84 94 191 | 89 90 157 | 93 89 128 |
//! | 16, 64 → 64, 3, 1 | 98 104 287 | 100 101 278 | 100 95 257 |
//! | 16, 512 → 512, 3, 1 | 83 81 203 | 81 80 211 | 86 84 155 |
//! | 8, 64 → 64, 3, 1 | 106 98 246 | 97 91 208 | 91 85 151 |
//! | 8, 512 → 512, 3, 1 | 95 89 136 | 80 76 111 | 81 73 118 |
//! | 4, 512 → 512, 3, 1 | 104 80 56 | 51 46 37 | 101 85 42 |
//! | 256, 32 → 32, 3, 1 | 79 90 191 | 83 91 202 | 85 91 178 |
//! | 512, 16 → 16, 3, 1 | 64 72 114 | 67 73 116 | 64 87 126 |
//! | 256, 8 → 8, 3, 1 | 27 24 27 | 26 25 27 | 25 33 35 (9) |
//! | 128, 3 → 64, 3, 1 | 66 60 54 | 13 14 25 | 66 85 52 (20) |
//! | 128, 64 → 3, 3, 1 | 13 14 25 | 62 54 49 | 14 16 26 (24) |
//! | 128, 128 → 3, 1, 1 | 8 | 35 | 10 (20) |
//! | 32, 3 → 64, 1, 1 | 54 | 17 | 71 (14) |
//!
//! Nested loops never lead elsewhere. 1 × 1 kernels are one product, 16 GFLOP/s being 11 GB/s there.

use super::doubled;
use super::geometry::{Conv, Kind};
use super::winograd::Line;
use stylegan_tensor::Algorithm;

/// Channels below which an operand does not fill the lanes of a product.
const FEW: usize = 8;

/// Weights of a tap whose transforms do not fit a core's caches.
const MANY: usize = 1 << 15;

/// The fastest algorithm by the table above: a function of the shape alone.
pub fn choose(kind: Kind, g: &Conv) -> Algorithm {
    if is_winograd(kind, g) {
        return Algorithm::Winograd;
    }
    // A shifted product computes padding columns too, a small part of wide rows only; im2col costs a copy of x for each
    // tap, a small part of deep products only.
    let im2col = |width: usize, channels: usize| width <= 8 || channels < FEW || (width <= 16 && channels >= 512);
    let gather = match kind {
        Kind::Forward => im2col(g.ow, g.c),
        Kind::Transpose => im2col(g.w.div_ceil(g.stride), g.o),
        Kind::WeightGrad if g.o < FEW => return Algorithm::Direct,
        Kind::WeightGrad => g.ow <= 16 || g.as_product().is_some(),
    };
    if gather { Algorithm::Im2col } else { Algorithm::Shifted }
}

impl Conv {
    /// The algorithm asked for, if the kernel allows it, else the fastest. bf16 pays where products are most of the work, which
    /// Winograd's form has the fewest of; its factors come in pairs of channels.
    pub(super) fn algorithm(&self, kind: Kind, asked: Option<Algorithm>) -> Algorithm {
        let chosen = choose(kind, self);
        let is_line = kind == Kind::Forward && Line::new(self).is_some();
        let is_paired = self.fits_winograd() && (self.c | self.o).is_multiple_of(2);
        match asked {
            Some(Algorithm::Bf16) if chosen == Algorithm::Winograd && is_paired => Algorithm::Bf16,
            None | Some(Algorithm::Bf16) => chosen,
            Some(Algorithm::Winograd) if !self.fits_winograd() && !is_line => chosen,
            Some(algorithm) => algorithm,
        }
    }

    /// Whether this convolution normalises what it reads.
    pub(crate) fn normalises(&self, kind: Kind, asked: Option<Algorithm>) -> bool {
        let is_winograd = matches!(self.algorithm(kind, asked), Algorithm::Winograd | Algorithm::Bf16);
        let is_doubled = kind == Kind::Transpose && asked.is_none() && doubled::fits(self);
        is_winograd && self.fits_winograd() && !is_doubled
    }
}

/// Whether Winograd's form is the fastest. Its transforms cost as much as a few channels' products, and those of the
/// weights, which all tiles share, as much as the products of some tiles.
fn is_winograd(kind: Kind, g: &Conv) -> bool {
    if kind == Kind::Forward && Line::new(g).is_some() {
        return g.c.min(g.o) >= 32 && g.oh.min(g.ow) >= 8;
    }
    let side = match kind {
        Kind::Transpose => g.h.min(g.w) / g.stride,
        _ => g.oh.min(g.ow),
    };
    let tiles = g.n * side.div_ceil(4).pow(2);
    // Many weights for few tiles: four times as many take longer to prepare and to hold than they spare, most of all for one image.
    let least = match (g.c * g.o >= MANY, g.n) {
        (true, 1) => 64,
        (true, _) => 32,
        (false, _) => 16,
    };
    g.fits_winograd() && g.c.min(g.o) >= 16 && side >= 8 && tiles >= least
}
