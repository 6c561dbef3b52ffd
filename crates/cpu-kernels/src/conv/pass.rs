//! A pass: a strided correlation whose results land on every `step`-th pixel of an image. A convolution is one pass
//! with step 1; its adjoint in x is one pass of stride 1 for each of stride × stride phases of x.

use crate::parallel::put;

/// `out[i·step + first₀, j·step + first₁, o] = Σ x[i·stride + u − top, j·stride + v − left, c] · w[u, v, c, o]`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pass {
    /// Height, width and channels of the image that is read.
    pub h: usize,
    pub w: usize,
    pub c: usize,
    pub kh: usize,
    pub kw: usize,
    pub o: usize,
    pub stride: usize,
    /// Zeros before the first row and column; negative crops.
    pub top: isize,
    pub left: isize,
    /// Columns that the pass computes.
    pub ow: usize,
    pub step: usize,
    pub first: [usize; 2],
    /// Width of the image that is written.
    pub pitch: usize,
    /// Whether the kernel is the sum of the four shifts of a 3×3 kernel.
    pub is_sum: bool,
}

/// Rows `row..row + rows` of `images` consecutive images, counted in the pass's own rows.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tile {
    pub image: usize,
    pub images: usize,
    pub row: usize,
    pub rows: usize,
}

/// Where results go: a part of each of the tile's images, `rows` rows of `Pass::pitch` pixels.
pub(super) struct Target<'a> {
    pub data: &'a mut [f32],
    pub rows: usize,
    pub accumulate: bool,
}

impl Pass {
    /// Multiplications of one pixel, a window's length.
    pub fn depth(&self) -> usize {
        self.kh * self.kw * self.c
    }

    /// Whether windows are pixels.
    pub fn is_pointwise(&self) -> bool {
        self.kh * self.kw * self.stride == 1 && self.top == 0 && self.left == 0 && self.ow == self.w
    }

    /// Elements of one image that is read.
    pub fn image(&self) -> usize {
        self.h * self.w * self.c
    }

    /// Padded columns of a row, divided by the stride: the first numbers after a row's end may be the zeros that begin
    /// the next one, so that up to `left` columns are padding for two rows at once.
    pub fn wide(&self) -> usize {
        let reach = (self.ow as isize - 1) * self.stride as isize + self.kw as isize;
        let needed = reach.min(self.left + self.w as isize).max(reach - self.left.max(0));
        self.ow.max(needed.max(0).unsigned_abs().div_ceil(self.stride))
    }

    /// Elements of one row phase of a tile's padded rows.
    fn plane(&self, rows: usize) -> usize {
        (rows + self.kh.saturating_sub(1) / self.stride) * self.wide() * self.stride * self.c
    }

    /// Elements that [`Pass::gather_rows`] fills: the planes, and zeros for windows that reach past the end.
    pub fn gathered(&self, rows: usize) -> usize {
        self.stride.min(self.kh) * self.plane(rows) + self.kw * self.c
    }

    /// Where the windows' kernel row u begins among gathered rows.
    pub fn term(&self, u: usize, rows: usize) -> usize {
        u % self.stride * self.plane(rows) + u / self.stride * self.wide() * self.stride * self.c
    }

    /// Copies an image's padded rows: `[row phase, row, column, c]`. A kernel row's taps are neighbours in memory for
    /// every stride, so they make one product.
    pub fn gather_rows(&self, x: &[f32], row: usize, rows: usize, out: &mut [f32]) {
        let columns = self.wide() * self.stride * self.c;
        let plane = self.plane(rows);
        let end = self.stride.min(self.kh) * plane;
        for phase in 0..self.stride.min(self.kh) {
            for (i, line) in out[phase * plane..][..plane].chunks_exact_mut(columns).enumerate() {
                let source = self.row(x, ((row + i) * self.stride + phase) as isize - self.top);
                self.copy_columns(source, -self.left, line);
            }
        }
        out[end..].fill(0.0);
    }

    /// Copies the windows of a tile: `[image, row, column, kh · kw · c]`.
    pub fn gather_windows(&self, x: &[f32], tile: Tile, out: &mut [f32]) {
        let length = self.kw * self.c;
        let mut windows = out.chunks_exact_mut(self.depth());
        for image in tile.image..tile.image + tile.images {
            let x = &x[image * self.image()..][..self.image()];
            for row in tile.row..tile.row + tile.rows {
                for (j, window) in windows.by_ref().take(self.ow).enumerate() {
                    let first = (j * self.stride) as isize - self.left;
                    for (u, taps) in window.chunks_exact_mut(length).enumerate() {
                        self.copy_columns(self.row(x, (row * self.stride + u) as isize - self.top), first, taps);
                    }
                }
            }
        }
    }

    /// A row of an image, if there is one.
    pub fn row<'a>(&self, x: &'a [f32], row: isize) -> Option<&'a [f32]> {
        let row = usize::try_from(row).ok().filter(|&row| row < self.h)?;
        Some(&x[row * self.w * self.c..][..self.w * self.c])
    }

    /// Fills `out` with the columns from `first` on, zero outside of the row.
    fn copy_columns(&self, row: Option<&[f32]>, first: isize, out: &mut [f32]) {
        let Some(row) = row else { return out.fill(0.0) };
        let columns = (out.len() / self.c) as isize;
        let begin = (-first).clamp(0, columns);
        let end = (self.w as isize - first).clamp(begin, columns);
        let [from, to] = [begin, end].map(|column| column.unsigned_abs() * self.c);
        out[..from].fill(0.0);
        if from < to {
            out[from..to].copy_from_slice(&row[(first + begin).unsigned_abs() * self.c..][..to - from]);
        }
        out[to..].fill(0.0);
    }

    /// Writes an image's results, `wide` pixels a row of which `ow` count, to their places.
    pub fn write(&self, results: &[f32], wide: usize, image: usize, rows: usize, to: &mut Target) {
        let o = self.o;
        for (i, line) in results.chunks_exact(wide * o).take(rows).enumerate() {
            let start = ((image * to.rows + i * self.step + self.first[0]) * self.pitch + self.first[1]) * o;
            if self.step == 1 {
                put(&mut to.data[start..start + self.ow * o], &line[..self.ow * o], to.accumulate);
            } else {
                for (place, pixel) in to.data[start..].chunks_mut(self.step * o).zip(line.chunks_exact(o)).take(self.ow)
                {
                    put(&mut place[..o], pixel, to.accumulate);
                }
            }
        }
    }
}
