//! Decoding one image file to 8-bit pixels.

use std::error::Error as _;
use std::io::Cursor;

use image::metadata::Orientation;
use image::{
    ColorType, DynamicImage, GrayImage, ImageDecoder, ImageError, ImageFormat, ImageReader, Limits, RgbImage, RgbaImage,
};
use memchr::memchr;

use crate::buffer;
use crate::format::{self, Format};
use crate::profile::to_srgb;
use crate::{Error, Input, Recipe, Result, check_channels};

/// The most megapixels of an image unless the user allows more, against files whose header asks for all memory.
pub const MAX_MEGAPIXELS: f64 = 100.0;
/// What a decoder may take beside four times the larger of file and image.
const SPARE_BYTES: u64 = 256 << 20;
/// Pixels that are converted at once.
const BAND_PIXELS: usize = 1 << 16;

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

    /// Its memory, for the next image of this thread.
    pub(crate) fn recycle(self) {
        buffer::give(self.pixels);
    }

    /// The same image with the recipe's number of channels.
    fn with_channels(&self, recipe: &Recipe) -> Result<Image, String> {
        if self.channels == recipe.channels {
            return Ok(self.clone());
        }
        let (width, height, raw) = (self.width as u32, self.height as u32, self.pixels.clone());
        let image = match self.channels {
            1 => GrayImage::from_raw(width, height, raw).map(DynamicImage::from),
            3 => RgbImage::from_raw(width, height, raw).map(DynamicImage::from),
            _ => RgbaImage::from_raw(width, height, raw).map(DynamicImage::from),
        };
        image_of(image.ok_or("its sides are too long")?, recipe)
    }
}

/// Decodes a PNG, JPEG, GIF, WebP, BMP or TIFF file (its first frame or page) to the recipe's 8-bit channels.
///
/// It takes at most 256 MiB and four times the larger of the file and its decoded image.
///
/// The format is told by the content, whatever the name. The EXIF orientation is applied; 16 bits become 8 by
/// rounding; for 1 and 3 channels, transparency is laid over the background; gray is the luma of BT.601, as in PIL.
///
/// # Errors
///
/// [`crate::Error::Image`], naming the file and the cause, if it is empty, not an image, of another format, truncated,
/// damaged, or of more than the recipe's megapixels; [`crate::Error::Io`] if it cannot be read;
/// [`crate::Error::Argument`] for a number of channels other than 1, 3, 4.
pub fn decode(input: &Input, recipe: &Recipe) -> Result<Image> {
    check_channels(recipe.channels)?;
    decode_read(input, &input.bytes()?, recipe)
}

/// [`decode`] of an input whose bytes are read already.
pub(crate) fn decode_read(input: &Input, bytes: &[u8], recipe: &Recipe) -> Result<Image> {
    // One hostile file must not end the preparation of a whole dataset, so a decoder's panic counts as damage.
    let decoded = std::panic::catch_unwind(|| match input {
        Input::Pixels { image, .. } => image.with_channels(recipe),
        _ => decode_bytes(bytes, recipe),
    });
    decoded.unwrap_or_else(|_| Err("damaged: the decoder gave up".into())).map_err(|reason| input.refuse(reason))
}

fn decode_bytes(bytes: &[u8], recipe: &Recipe) -> Result<Image, String> {
    let max_megapixels = recipe.max_megapixels;
    if bytes.is_empty() {
        return Err("the file is empty (0 bytes)".into());
    }
    let (format, name) = known_format(bytes)?;
    let explain = |error| explain(error, name);
    let mut limits = Limits::no_limits();
    limits.max_alloc = Some(SPARE_BYTES + 4 * bytes.len() as u64);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits.clone());
    let mut decoder = reader.into_decoder().map_err(explain)?;
    let (width, height) = decoder.dimensions();
    let megapixels = f64::from(width) * f64::from(height) / 1e6;
    if megapixels > max_megapixels {
        return Err(format!(
            "{width}x{height} is {megapixels:.0} megapixels, the limit is {max_megapixels}: make it smaller, or allow it with --max-megapixels {:.0}",
            megapixels.ceil()
        ));
    }
    if matches!(decoder.color_type(), ColorType::Rgb32F | ColorType::Rgba32F) {
        return Err(format!("a {name} of floating-point numbers, whose white is not known: save it with 8 or 16 bits"));
    }
    // The JPEG decoder fills what is missing with gray and reports nothing.
    if format == ImageFormat::Jpeg && !jpeg_is_complete(bytes) {
        return Err("truncated or damaged JPEG: the file stops before the end of the image".into());
    }
    limits.max_alloc = Some(SPARE_BYTES + 4 * decoder.total_bytes().max(bytes.len() as u64));
    decoder.set_limits(limits).map_err(explain)?;
    // Unreadable EXIF is no reason to lose an image: it is taken as it stands.
    let orientation = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    let profile = if recipe.convert_profiles { decoder.icc_profile().ok().flatten() } else { None };
    let mut decoded = read(decoder).map_err(explain)?;
    if let Some(profile) = profile {
        decoded = to_srgb(decoded, &profile)?;
    }
    decoded.apply_orientation(orientation);
    image_of(decoded, recipe)
}

fn read(decoder: impl ImageDecoder) -> image::ImageResult<DynamicImage> {
    let (width, height) = decoder.dimensions();
    match decoder.color_type() {
        ColorType::Rgb8 => {
            let mut raw = buffer::take(decoder.total_bytes() as usize);
            decoder.read_image(&mut raw)?;
            Ok(DynamicImage::from(RgbImage::from_raw(width, height, raw).unwrap_or_default()))
        }
        _ => DynamicImage::from_decoder(decoder),
    }
}

pub(crate) fn known_format(bytes: &[u8]) -> Result<(ImageFormat, &'static str), String> {
    match format::sniff(bytes) {
        Some(Format::Read(format, name)) => Ok((format, name)),
        Some(Format::Foreign(name)) => {
            Err(format!("PNG, JPEG, GIF, WebP, BMP or TIFF is expected, got {name}: {}", format::REMEDY))
        }
        None => {
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
    // The PNG decoder names a part by its debug text.
    let cause = match cause.split_once("ChunkType {") {
        Some((before, _)) if before.contains("CRC") => "a part of it is damaged (CRC)".into(),
        Some(_) => "a part of it is missing or damaged".into(),
        None => cause,
    };
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
    while let Some(step) = bytes.get(at..).and_then(|rest| memchr(0xff, rest)) {
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

fn image_of(decoded: DynamicImage, recipe: &Recipe) -> Result<Image, String> {
    let (width, height) = (decoded.width() as usize, decoded.height() as usize);
    Image::new(width, height, recipe.channels, to_channels(decoded, recipe)).map_err(|error| error.to_string())
}

/// Band by band, so that no second copy of a large image is made on the way.
fn to_channels(decoded: DynamicImage, recipe: &Recipe) -> Vec<u8> {
    match (decoded, recipe.channels) {
        (DynamicImage::ImageLuma8(gray), 1) => gray.into_raw(),
        (DynamicImage::ImageRgb8(rgb), 3) => rgb.into_raw(),
        (DynamicImage::ImageRgba8(rgba), 4) => rgba.into_raw(),
        (decoded, channels) => {
            let (width, height) = (decoded.width(), decoded.height());
            let rows = (BAND_PIXELS / width as usize).max(1);
            let mut pixels = Vec::with_capacity(width as usize * height as usize * channels);
            for y in (0..height).step_by(rows) {
                let band = decoded.crop_imm(0, y, width, (rows as u32).min(height - y));
                pixels.extend(band_to_channels(band, recipe));
            }
            pixels
        }
    }
}

fn band_to_channels(decoded: DynamicImage, recipe: &Recipe) -> Vec<u8> {
    if recipe.channels == 4 {
        return decoded.into_rgba8().into_raw();
    }
    let rgb = match decoded.color().has_alpha() {
        true => over(recipe.background, &decoded.into_rgba8()),
        false => decoded.into_rgb8().into_raw(),
    };
    if recipe.channels == 3 {
        return rgb;
    }
    // BT.601 luma in 16-bit fixed point; the weights sum to 65536, so a gray pixel keeps its value.
    let luma = |[r, g, b]: &[u8; 3]| {
        ((u32::from(*r) * 19595 + u32::from(*g) * 38470 + u32::from(*b) * 7471 + 32768) >> 16) as u8
    };
    rgb.as_chunks::<3>().0.iter().map(luma).collect()
}

fn over(background: [u8; 3], rgba: &[u8]) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(rgba.len() / 4 * 3);
    for &[r, g, b, a] in rgba.as_chunks::<4>().0 {
        let (a, rest) = (u32::from(a), u32::from(255 - a));
        let laid = |colour: u8, under: u8| ((u32::from(colour) * a + u32::from(under) * rest + 127) / 255) as u8;
        rgb.extend([laid(r, background[0]), laid(g, background[1]), laid(b, background[2])]);
    }
    rgb
}
