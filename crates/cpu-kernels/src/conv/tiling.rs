//! How a convolution is cut into tasks.

use super::pass::{Pass, Tile};
use super::winograd::{BAND, SIDE};
use stylegan_tensor::Algorithm;

/// Tiles of some rows of one image, or of several whole images.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tiling {
    n: usize,
    pub height: usize,
    pub images: usize,
    pub rows: usize,
}

impl Tiling {
    /// Tiles for a pass over n images of `height` rows each.
    pub fn new(pass: &Pass, algorithm: Algorithm, [n, height]: [usize; 2]) -> Self {
        let width = pass.ow.max(1);
        if matches!(algorithm, Algorithm::Winograd | Algorithm::Bf16) {
            let side = |size: usize| size.div_ceil(SIDE);
            // Four tasks at least, but not so small that each reads the weights for a few tiles.
            let most = (n * side(height) * side(width) / 4).clamp(BAND / 4, BAND);
            let tiles = Self::with_pixels(most, side(width), [n, side(height)]);
            return Self { height, rows: (tiles.rows * SIDE).min(height), ..tiles };
        }
        // A tile's operands should stay in a core's level 2 cache (1 MiB), its rows be many enough for a product to
        // reach full speed, and tiles be many enough for 16 cores.
        let room = match algorithm {
            Algorithm::Im2col => (1 << 17) / (pass.depth() + pass.o).max(1),
            Algorithm::Shifted => (1 << 16) / (pass.c + pass.o).max(1),
            Algorithm::Direct | Algorithm::Winograd | Algorithm::Bf16 => (1 << 19) / (pass.depth() * pass.o).max(1),
        };
        let pixels = room.min(n * height * width / 32).clamp(48, 512);
        Self::with_pixels(pixels, width, [n, height])
    }

    /// Tiles of about `pixels` pixels of rows of `width`.
    pub fn with_pixels(pixels: usize, width: usize, [n, height]: [usize; 2]) -> Self {
        let even = |size: usize, part: usize| {
            let least = size.div_ceil(part.clamp(1, size));
            let parts = (least..2 * least).find(|parts| size.is_multiple_of(*parts));
            size.div_ceil(parts.unwrap_or(least))
        };
        if width * height >= pixels {
            Self { n, height, images: 1, rows: even(height, pixels / width) }
        } else {
            Self { n, height, images: even(n, pixels / (width * height)), rows: height }
        }
    }

    /// Number of tiles.
    pub fn count(&self) -> usize {
        self.n.div_ceil(self.images) * self.height.div_ceil(self.rows)
    }

    /// One of them.
    pub fn tile(&self, index: usize) -> Tile {
        let bands = self.height.div_ceil(self.rows);
        let (image, row) = (index / bands * self.images, index % bands * self.rows);
        Tile { image, images: self.images.min(self.n - image), row, rows: self.rows.min(self.height - row) }
    }
}
