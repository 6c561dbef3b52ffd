//! What a file is, told by its first bytes.

use image::ImageFormat;

/// Bytes from the start of a file that [`sniff`] and [`is_drawn`] need.
pub(crate) const HEAD_BYTES: usize = 128;

/// Names that say that a file is an image of a kind that is read.
const IMAGE_SUFFIXES: [&str; 13] =
    ["png", "apng", "jpg", "jpeg", "jpe", "jfif", "jif", "webp", "gif", "bmp", "dib", "tif", "tiff"];

/// Raw photographs whose first image is a small preview in a TIFF.
const RAW_SUFFIXES: [&str; 12] = ["3fr", "arw", "cr2", "dng", "erf", "iiq", "nef", "nrw", "orf", "pef", "rw2", "srw"];

/// A format of images.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// One that is read.
    Read(ImageFormat, &'static str),
    /// One that is only known by name.
    Foreign(&'static str),
}

/// The format of the file that begins with `head`, if it is an image.
pub(crate) fn sniff(head: &[u8]) -> Option<Format> {
    let starts = |magic: &[u8]| head.starts_with(magic);
    let at = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    Some(match () {
        () if starts(b"\x89PNG\r\n\x1a\n") => Format::Read(ImageFormat::Png, "PNG"),
        () if starts(b"\xff\xd8\xff") => Format::Read(ImageFormat::Jpeg, "JPEG"),
        () if starts(b"GIF87a") || starts(b"GIF89a") => Format::Read(ImageFormat::Gif, "GIF"),
        () if starts(b"RIFF") && at(8, b"WEBP") => Format::Read(ImageFormat::WebP, "WebP"),
        () if is_bmp(head) => Format::Read(ImageFormat::Bmp, "BMP"),
        // The last two are BigTIFF.
        () if [b"II\x2a\0", b"MM\0\x2a", b"II\x2b\0", b"MM\0\x2b"].iter().any(|magic| starts(*magic)) => {
            Format::Read(ImageFormat::Tiff, "TIFF")
        }
        () if at(4, b"ftyp") => Format::Foreign(brand_name(head)?),
        () if starts(b"\xff\x0a") || starts(b"\0\0\0\x0cJXL \r\n\x87\n") => Format::Foreign("JPEG XL"),
        () if starts(b"\0\0\0\x0cjP  \r\n\x87\n") => Format::Foreign("JPEG 2000"),
        () if starts(b"8BPS") => Format::Foreign("Photoshop document"),
        () => return None,
    })
}

/// "BM" alone begins many texts: the reserved bytes are 0, and the second header has one of its known lengths.
fn is_bmp(head: &[u8]) -> bool {
    let known = |length: &[u8]| matches!(length, [12 | 16 | 40 | 52 | 56 | 64 | 108 | 124, 0, 0, 0]);
    head.starts_with(b"BM") && head.get(6..10) == Some(&[0; 4]) && head.get(14..18).is_some_and(known)
}

/// AVIF and HEIC share a container with films; its first box lists what the file complies with (ISO 14496-12, 4.3).
fn brand_name(head: &[u8]) -> Option<&'static str> {
    let length = u32::from_be_bytes(*head.first_chunk()?) as usize;
    let brands = head[8..length.clamp(8, head.len())].as_chunks::<4>().0;
    let has = |names: &[&[u8; 4]]| brands.iter().any(|brand| names.contains(&brand));
    if has(&[b"avif", b"avis"]) {
        return Some("AVIF");
    }
    has(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"]).then_some("HEIC")
}

/// What to do with an image of a format that is not read.
pub(crate) const REMEDY: &str = "convert it to PNG or JPEG, for example with ImageMagick: magick input.heic output.png";

pub(crate) fn has_image_suffix(suffix: &str) -> bool {
    IMAGE_SUFFIXES.contains(&suffix)
}

pub(crate) fn has_raw_suffix(suffix: &str) -> bool {
    RAW_SUFFIXES.contains(&suffix)
}

/// The chunk that marks the pictures that this program draws: tEXt, with the keyword Software (PNG, third edition,
/// 11.3.3.2). It comes straight after the header.
pub(crate) const DRAWN_MARK: &[u8] = b"\0\0\0\x11tEXtSoftware\0stylegan\xf5\x23\xb4\x74";
/// Where it stands: after the signature and IHDR.
pub(crate) const DRAWN_MARK_AT: usize = 8 + 25;

/// Whether `head` is that of a PNG that this program drew.
pub(crate) fn is_drawn(head: &[u8]) -> bool {
    head.starts_with(b"\x89PNG") && head.get(DRAWN_MARK_AT..).is_some_and(|rest| rest.starts_with(DRAWN_MARK))
}
