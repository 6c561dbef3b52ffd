//! Decoding one image file to 8-bit pixels.

use std::error::Error as _;
use std::fs;
use std::io::Cursor;
use std::path::Path;

use image::metadata::Orientation;
use image::{DynamicImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits};

use crate::{Error, Result, check_channels};

/// The most pixels that [`decode`] accepts, against files whose header asks for all memory.
pub const MAX_PIXELS: u64 = 200_000_000;
/// The largest image in memory: [`MAX_PIXELS`] of 16-bit RGBA, and some room.
const MAX_DECODED_BYTES: u64 = 2 << 30;
const MAX_FILE_BYTES: u64 = 1 << 30;

/// An image in memory: 8-bit, rows from the top, channels together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    width: usize,
    height: usize,
    channels: usize,
    pixels: Vec<u8>,
}

impl Image {
    /// An image of `pixels` in the order `[height, width, channels]`.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] if a side is 0, `channels` is not 1, 3 or 4, or the number of bytes is another.
    pub fn new(width: usize, height: usize, channels: usize, pixels: Vec<u8>) -> Result<Image> {
        check_channels(channels)?;
        let expected = width.checked_mul(height).and_then(|n| n.checked_mul(channels));
        if width == 0 || height == 0 || expected != Some(pixels.len()) {
            return Err(Error::Argument(format!(
                "an image of {width}x{height} with {channels} channels does not have {} bytes",
                pixels.len()
            )));
        }
        Ok(Image { width, height, channels, pixels })
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.height
    }

    /// 1 (gray), 3 (RGB) or 4 (RGBA, alpha not multiplied in).
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// The pixels, `[height, width, channels]`.
    pub fn pixels(&self) -> &[u8] {
        &self.pixels
    }
}

/// Decodes a PNG, JPEG, WebP or GIF (first frame) file to `channels` 8-bit channels.
///
/// The format is told by the content, whatever the name. The EXIF orientation is applied; 16 bits become 8 by
/// rounding; for 1 and 3 channels, transparency is laid over white; gray is the luma of BT.601, as in PIL. Colour
/// profiles are not applied, as in the official tool.
///
/// # Errors
///
/// [`Error::Image`], naming the file and the cause, if it is empty, not an image, of another format, truncated,
/// damaged, or of more than [`MAX_PIXELS`]; [`Error::Io`] if it cannot be read; [`Error::Argument`] for a number of
/// channels other than 1, 3, 4.
pub fn decode(path: &Path, channels: usize) -> Result<Image> {
    check_channels(channels)?;
    let refuse = |reason| Error::Image { path: path.to_owned(), reason };
    let length = fs::metadata(path).map_err(Error::io(path))?.len();
    if length > MAX_FILE_BYTES {
        return Err(refuse(format!("a file of {length} bytes is too large, the limit is {MAX_FILE_BYTES}")));
    }
    let bytes = fs::read(path).map_err(Error::io(path))?;
    // One hostile file must not end the preparation of a whole dataset, so a decoder's panic counts as damage.
    std::panic::catch_unwind(|| decode_bytes(&bytes, channels))
        .unwrap_or_else(|_| Err("damaged: the decoder gave up".into()))
        .map_err(refuse)
}

fn decode_bytes(bytes: &[u8], channels: usize) -> Result<Image, String> {
    if bytes.is_empty() {
        return Err("the file is empty (0 bytes)".into());
    }
    let (format, name) = known_format(bytes)?;
    let explain = |error| explain(error, name);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(MAX_DECODED_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(explain)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > MAX_PIXELS {
        return Err(format!(
            "{width}x{height} is {} megapixels, the limit is {}: make it smaller",
            pixels / 1_000_000,
            MAX_PIXELS / 1_000_000
        ));
    }
    // The JPEG decoder fills what is missing with gray and reports nothing.
    if format == ImageFormat::Jpeg && !jpeg_is_complete(bytes) {
        return Err("truncated or damaged JPEG: the file stops before the end of the image".into());
    }
    // Unreadable EXIF is no reason to lose an image: it is taken as it stands.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let mut decoded = DynamicImage::from_decoder(decoder).map_err(explain)?;
    decoded.apply_orientation(orientation);
    let (width, height) = (decoded.width() as usize, decoded.height() as usize);
    Image::new(width, height, channels, to_channels(decoded, channels)).map_err(|error| error.to_string())
}

fn known_format(bytes: &[u8]) -> Result<(ImageFormat, &'static str), String> {
    match image::guess_format(bytes) {
        Ok(format @ ImageFormat::Png) => Ok((format, "PNG")),
        Ok(format @ ImageFormat::Jpeg) => Ok((format, "JPEG")),
        Ok(format @ ImageFormat::WebP) => Ok((format, "WebP")),
        Ok(format @ ImageFormat::Gif) => Ok((format, "GIF")),
        Ok(other) => Err(format!("expected PNG, JPEG, WebP or GIF, found {other:?}: convert it first")),
        Err(_) => {
            let start = &bytes[..bytes.len().min(12)];
            let more = if bytes.len() > start.len() { "..." } else { "" };
            Err(format!("not an image (starts with \"{}{more}\")", start.escape_ascii()))
        }
    }
}

fn explain(error: ImageError, name: &str) -> String {
    let cause = error.source().map_or_else(|| error.to_string(), ToString::to_string);
    // Some decoders' messages have several lines.
    let cause = cause.split_whitespace().collect::<Vec<_>>().join(" ");
    match error {
        ImageError::Unsupported(_) => format!("a kind of {name} that is not supported: {cause}"),
        ImageError::Limits(_) => format!("the {name} needs too much memory: {cause}"),
        _ => format!("truncated or damaged {name}: {cause}"),
    }
}

/// Whether the end-of-image marker comes after the segments and scans (ITU T.81, B.1.1), not counting the thumbnail
/// that may lie inside a segment.
fn jpeg_is_complete(bytes: &[u8]) -> bool {
    let mut at = 2;
    while let Some(step) = bytes.get(at..).and_then(|rest| rest.iter().position(|&b| b == 0xff)) {
        at += step;
        match bytes.get(at + 1) {
            None => return false,
            Some(0xd9) => return true,
            Some(0xff) => at += 1, // fill byte
            // A stuffed 255 inside a scan, a restart marker, another marker without a segment.
            Some(0x00 | 0x01 | 0xd0..=0xd8) => at += 2,
            Some(_) => match bytes.get(at + 2..at + 4) {
                Some(&[high, low]) => at += 2 + usize::from(u16::from_be_bytes([high, low])).max(2),
                _ => return false,
            },
        }
    }
    false
}

fn to_channels(decoded: DynamicImage, channels: usize) -> Vec<u8> {
    if channels == 4 {
        return decoded.into_rgba8().into_raw();
    }
    let rgb =
        if decoded.color().has_alpha() { over_white(&decoded.into_rgba8()) } else { decoded.into_rgb8().into_raw() };
    if channels == 3 {
        return rgb;
    }
    // BT.601 luma in 16-bit fixed point; the weights sum to 65536, so a gray pixel keeps its value.
    let luma = |[r, g, b]: &[u8; 3]| {
        ((u32::from(*r) * 19595 + u32::from(*g) * 38470 + u32::from(*b) * 7471 + 32768) >> 16) as u8
    };
    rgb.as_chunks::<3>().0.iter().map(luma).collect()
}

fn over_white(rgba: &[u8]) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(rgba.len() / 4 * 3);
    for &[r, g, b, a] in rgba.as_chunks::<4>().0 {
        let (a, white) = (u32::from(a), 255 * (255 - u32::from(a)));
        rgb.extend([r, g, b].map(|c| ((u32::from(c) * a + white + 127) / 255) as u8));
    }
    rgb
}
