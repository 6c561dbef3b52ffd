use stylegan_tensor::{Error, Kernel, Result, Upfirdn2d};

use crate::node::Edge;
use crate::tensor::{Tensor, features, images};

/// Upsample with zeros, pad, filter, downsample: `x [N, H, W, C]` → `[N, H', W', C]` with
/// `H' = (H · up + top + bottom − taps) / down + 1`, rounded down. Nearest upscale, box downscale and blur are such ops;
/// the adjoint is one with the factors swapped and the filter flipped.
///
/// # Errors
///
/// [`Error::Shape`] if x is not `[N, H, W, C]`, a factor is 0, there are no taps, or nothing is left.
pub fn upfirdn2d(x: &Tensor, p: &Upfirdn2d) -> Result<Tensor> {
    features("upfirdn2d", &[x], &[])?;
    let [n, height, width, c] = images("upfirdn2d", x.shape())?;
    if p.up == 0 || p.down == 0 || p.taps.is_empty() {
        let (up, down, taps) = (p.up, p.down, p.taps.len());
        return Err(Error::shape(
            "upfirdn2d",
            format!("up, down and taps must be at least 1, got {up}, {down} and {taps}"),
        ));
    }
    let [top, bottom, left, right] = p.padding;
    let (Some(h), Some(w)) = (p.output_size(height, top, bottom), p.output_size(width, left, right)) else {
        return Err(Error::shape(
            "upfirdn2d",
            format!("{} taps must fit into the padded image of {:?}", p.taps.len(), x.shape()),
        ));
    };
    let adjoint = adjoint(p, [height, width], [h, w]);
    let edge = Edge::to(x).vjp(move |g, _| {
        if height == 0 || width == 0 {
            // A correlation has at least one pixel.
            return Tensor::full_in(g.device(), &[n, height, width, c], 0.0, g.dtype());
        }
        upfirdn2d(g, &adjoint)
    });
    Tensor::from_op("upfirdn2d", Kernel::Upfirdn2d(p.clone()), &[x], &[n, h, w, c], [edge])
}

/// The adjoint of `p` from images of size `from` to images of size `to`. An output row `i` reads upsampled rows
/// `i·down + u − before`; seen from the input row `j` at `j·up`, tap `u` comes from output row `(j·up + before − u) / down`: a
/// correlation with the flipped taps, padded by `taps − 1 − before`, and by what makes the size come out behind.
fn adjoint(p: &Upfirdn2d, from: [usize; 2], to: [usize; 2]) -> Upfirdn2d {
    let taps = p.taps.len() as isize;
    let pads = |before: isize, size: usize, out: usize| {
        let before = taps - 1 - before;
        let needed = (size.saturating_sub(1) * p.up) as isize + taps;
        (before, needed - (out * p.down) as isize - before)
    };
    let (top, bottom) = pads(p.padding[0], from[0], to[0]);
    let (left, right) = pads(p.padding[2], from[1], to[1]);
    Upfirdn2d {
        up: p.down,
        down: p.up,
        taps: p.taps.iter().rev().copied().collect(),
        padding: [top, bottom, left, right],
    }
}
