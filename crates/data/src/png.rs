//! Writing PNG.

use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};

use crate::format::{DRAWN_MARK, DRAWN_MARK_AT};
use crate::{Error, Result, check_channels};

/// A PNG file of `pixels`, `[height, width, channels]`.
///
/// # Errors
///
/// [`Error::Argument`] if `channels` is not 1 (gray), 3 (RGB) or 4 (RGBA), if a side is 0, or if the number of bytes
/// is another.
pub fn encode_png(pixels: &[u8], width: u32, height: u32, channels: usize) -> Result<Vec<u8>> {
    check_channels(channels)?;
    let expected = u64::from(width) * u64::from(height) * channels as u64;
    if expected == 0 || pixels.len() as u64 != expected {
        return Err(Error::Argument(format!(
            "a PNG of {width}x{height} with {channels} channels needs {expected} bytes (at least 1), got {}",
            pixels.len()
        )));
    }
    let color = match channels {
        1 => ExtendedColorType::L8,
        3 => ExtendedColorType::Rgb8,
        _ => ExtendedColorType::Rgba8,
    };
    let mut png = Vec::new();
    PngEncoder::new(&mut png)
        .write_image(pixels, width, height, color)
        .map_err(|error| Error::Argument(format!("cannot write a PNG of {width}x{height}: {error}")))?;
    Ok(png)
}

/// [`encode_png`] of a picture that this program drew: it is marked, so that it is never taken for data.
///
/// # Errors
///
/// Those of [`encode_png`].
pub fn encode_drawn_png(pixels: &[u8], width: u32, height: u32, channels: usize) -> Result<Vec<u8>> {
    let mut png = encode_png(pixels, width, height, channels)?;
    png.splice(DRAWN_MARK_AT..DRAWN_MARK_AT, DRAWN_MARK.iter().copied());
    Ok(png)
}
