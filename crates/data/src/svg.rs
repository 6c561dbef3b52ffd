//! Drawings as pixels.

use resvg::usvg::TreeParsing;
use resvg::{tiny_skia, usvg};

use crate::{Error, Result};

/// The RGB pixels `[side, side, 3]` of a square drawing that covers all of it. No font and no file is read.
///
/// # Errors
///
/// [`Error::Argument`] if `svg` is not a square SVG drawing, or if `side` is not from 1 to 16384.
pub fn draw_svg(svg: &str, side: usize) -> Result<Vec<u8>> {
    if !(1..=16384).contains(&side) {
        return Err(Error::Argument(format!("the side of a drawing must be from 1 to 16384 pixels, got {side}")));
    }
    let drawing = usvg::Tree::from_str(svg, &usvg::Options::default())
        .map_err(|error| Error::Argument(format!("an SVG drawing is expected: {error}")))?;
    let drawing = resvg::Tree::from_usvg(&drawing);
    let (width, height) = (drawing.size.width(), drawing.size.height());
    if width != height {
        return Err(Error::Argument(format!("a square drawing is expected, got {width} x {height}")));
    }
    let mut pixels = tiny_skia::Pixmap::new(side as u32, side as u32).expect("a side of 1 to 16384");
    let scale = side as f32 / width;
    drawing.render(tiny_skia::Transform::from_scale(scale, scale), &mut pixels.as_mut());
    Ok(pixels.data().chunks_exact(4).flat_map(|rgba| [rgba[0], rgba[1], rgba[2]]).collect())
}
