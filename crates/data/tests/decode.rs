//! Every kind of image file, made here, and what becomes of it.

mod folder;

use std::path::{Path, PathBuf};

use folder::Folder;
use image::codecs::gif::GifEncoder;
use image::codecs::jpeg::JpegEncoder;
use image::{
    DynamicImage, Frame, GrayAlphaImage, GrayImage, ImageBuffer, ImageFormat, Luma, LumaA, Rgb, RgbImage, Rgba,
    RgbaImage,
};
use stylegan_data::{Error, Image, Recipe};

fn decode(path: &Path, channels: usize) -> Result<Image, Error> {
    stylegan_data::decode(&path.into(), &Recipe::new(channels))
}

/// A file that `fixtures/make.py` made.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// 6x4, with four quadrants of one colour each, none like another.
fn quadrants() -> RgbImage {
    RgbImage::from_fn(6, 4, |x, y| {
        Rgb([[[200, 30, 40], [20, 180, 60]], [[10, 50, 220], [240, 230, 20]]][usize::from(y >= 2)][usize::from(x >= 3)])
    })
}

fn save(folder: &Folder, name: &str, image: impl Into<DynamicImage>, format: ImageFormat) -> PathBuf {
    let path = folder.path(name);
    image.into().save_with_format(&path, format).unwrap();
    path
}

fn refusal(path: &Path) -> String {
    let message = decode(path, 3).unwrap_err().to_string();
    assert!(!message.contains('\n'), "{message}");
    let shown = format!("{}: ", path.display());
    message.strip_prefix(&shown).unwrap_or_else(|| panic!("{message} does not begin with {shown}")).to_owned()
}

fn jpeg(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 95).encode_image(image).unwrap();
    bytes
}

/// `jpeg` with an APP1 segment after its first marker: a big-endian TIFF directory whose one entry, 0x0112, is
/// `orientation`.
fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    exif.extend([orientation, 0, 0, 0, 0, 0, 0]);
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xff, 0xe1], &length, &exif, &jpeg[2..]].concat()
}

#[test]
fn png_and_lossless_webp_give_the_pixels_that_were_written() {
    let folder = Folder::new();
    for (name, format) in [("a.png", ImageFormat::Png), ("a.webp", ImageFormat::WebP)] {
        let image = decode(&save(&folder, name, quadrants(), format), 3).unwrap();
        assert_eq!((image.width(), image.height(), image.channels()), (6, 4, 3));
        assert_eq!(image.pixels(), quadrants().as_raw().as_slice(), "{name}");
    }
}

#[test]
fn gray_becomes_three_equal_channels_and_stays_exact_as_one() {
    let folder = Folder::new();
    let gray = GrayImage::from_fn(16, 16, |x, y| Luma([(y * 16 + x) as u8]));
    let path = save(&folder, "g.png", gray.clone(), ImageFormat::Png);
    assert_eq!(decode(&path, 1).unwrap().pixels(), gray.as_raw().as_slice());
    let tripled: Vec<u8> = gray.as_raw().iter().flat_map(|&v| [v; 3]).collect();
    assert_eq!(decode(&path, 3).unwrap().pixels(), tripled);
}

#[test]
fn colours_become_the_gray_of_pil() {
    let folder = Folder::new();
    let image = RgbImage::from_raw(3, 1, vec![255, 0, 0, 0, 255, 0, 0, 0, 255]).unwrap();
    // PIL's convert("L"): 76, 150, 29
    let path = save(&folder, "c.png", image, ImageFormat::Png);
    assert_eq!(decode(&path, 1).unwrap().pixels(), [76, 150, 29]);
}

#[test]
fn transparency_is_laid_over_white_unless_four_channels_are_asked_for() {
    let folder = Folder::new();
    let raw = vec![10, 20, 30, 0, 10, 20, 30, 255, 100, 0, 255, 51, 10, 10, 10, 100];
    let image = RgbaImage::from_raw(4, 1, raw.clone()).unwrap();
    let path = save(&folder, "t.png", image, ImageFormat::Png);
    assert_eq!(decode(&path, 4).unwrap().pixels(), raw);
    // 51/255 is one fifth: 100/5 + 204 = 224, 0 + 204, 51 + 204; (10·100 + 255·155) / 255 = 158.9
    assert_eq!(decode(&path, 3).unwrap().pixels(), [255, 255, 255, 10, 20, 30, 224, 204, 255, 159, 159, 159]);
    let gray = GrayAlphaImage::from_raw(2, 1, vec![7, 0, 100, 51]).unwrap();
    let path = save(&folder, "ga.png", gray, ImageFormat::Png);
    assert_eq!(decode(&path, 1).unwrap().pixels(), [255, 224]);
}

#[test]
fn sixteen_bits_become_eight_by_rounding() {
    let folder = Folder::new();
    // 257 v is exactly v; half of 257 is 128.5
    let values = vec![0u16, 128, 129, 257 * 9, 257 * 9 + 128, 257 * 9 + 129, 65535 - 129, 65535];
    let rounded = [0, 0, 1, 9, 9, 10, 254, 255];
    let gray: ImageBuffer<Luma<u16>, _> = ImageBuffer::from_raw(8, 1, values.clone()).unwrap();
    assert_eq!(decode(&save(&folder, "16.png", gray, ImageFormat::Png), 1).unwrap().pixels(), rounded);
    let rgba: ImageBuffer<Rgba<u16>, _> = ImageBuffer::from_raw(2, 1, values).unwrap();
    assert_eq!(decode(&save(&folder, "16a.png", rgba, ImageFormat::Png), 4).unwrap().pixels(), rounded);
    let ga: ImageBuffer<LumaA<u16>, _> = ImageBuffer::from_raw(1, 1, vec![257 * 9 + 129, 65535]).unwrap();
    assert_eq!(decode(&save(&folder, "16g.png", ga, ImageFormat::Png), 3).unwrap().pixels(), [10; 3]);
}

#[test]
fn a_gif_gives_its_first_frame_with_its_palette() {
    let folder = Folder::new();
    let mut bytes = Vec::new();
    let first = RgbaImage::from_fn(5, 3, |x, _| if x == 0 { Rgba([0; 4]) } else { Rgba([255, 0, 0, 255]) });
    let second = RgbaImage::from_pixel(5, 3, Rgba([0, 0, 255, 255]));
    GifEncoder::new(&mut bytes).encode_frames([Frame::new(first), Frame::new(second)]).unwrap();
    let image = decode(&folder.write("f.gif", &bytes), 3).unwrap();
    assert_eq!((image.width(), image.height()), (5, 3));
    assert_eq!(&image.pixels()[..6], [255, 255, 255, 255, 0, 0]);
}

#[test]
fn a_palette_png_gives_the_colours_of_its_palette() {
    let folder = Folder::new();
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, 2, 2);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_palette(vec![1, 2, 3, 200, 100, 50]);
    encoder.write_header().unwrap().write_image_data(&[0, 1, 1, 0]).unwrap();
    let image = decode(&folder.write("p.png", &bytes), 3).unwrap();
    assert_eq!(image.pixels(), [1, 2, 3, 200, 100, 50, 200, 100, 50, 1, 2, 3]);
}

#[test]
fn every_exif_orientation_shows_the_picture_upright() {
    let folder = Folder::new();
    // Blocks of 8x8 in gray, so that JPEG keeps them: a b over c d.
    let level = [[40u8, 100], [160, 220]];
    let image = RgbImage::from_fn(16, 16, |x, y| Rgb([level[y as usize / 8][x as usize / 8]; 3]));
    let wide = RgbImage::from_fn(24, 16, |x, y| *image.get_pixel(x.min(15), y));
    let plain = jpeg(&wide);
    // EXIF 2.3, 4.6.4: what the stored row 0 and column 0 are in the picture.
    let upright = [
        (1, [40, 100, 160, 220]),
        (2, [100, 40, 220, 160]),
        (3, [220, 160, 100, 40]),
        (4, [160, 220, 40, 100]),
        (5, [40, 160, 100, 220]),
        (6, [160, 40, 220, 100]),
        (7, [220, 100, 160, 40]),
        (8, [100, 220, 40, 160]),
    ];
    for (orientation, corners) in upright {
        let path = folder.write("o.jpg", &with_orientation(&plain, orientation));
        let image = decode(&path, 1).unwrap();
        let (w, h) = (image.width(), image.height());
        assert_eq!((w, h), if orientation < 5 { (24, 16) } else { (16, 24) }, "orientation {orientation}");
        let at = |x: usize, y: usize| image.pixels()[y * w + x];
        let found = [at(0, 0), at(w - 1, 0), at(0, h - 1), at(w - 1, h - 1)];
        // 3 levels: what quality 95 may change in a flat block.
        let near = found.iter().zip(corners).all(|(&a, b): (&u8, u8)| a.abs_diff(b) <= 3);
        assert!(near, "orientation {orientation}: {found:?}, expected {corners:?}");
    }
    let path = folder.write("bad-exif.jpg", &with_orientation(&plain, 77));
    assert_eq!(decode(&path, 1).unwrap().width(), 24, "a senseless orientation is none");
}

#[test]
fn the_content_tells_the_format_whatever_the_name() {
    let folder = Folder::new();
    let path = save(&folder, "really-png.jpg", quadrants(), ImageFormat::Png);
    assert_eq!(decode(&path, 3).unwrap().pixels(), quadrants().as_raw().as_slice());
}

#[test]
fn files_that_are_not_images_say_what_they_are() {
    let folder = Folder::new();
    assert_eq!(refusal(&folder.write("empty.png", b"")), "the file is empty (0 bytes)");
    let text = folder.write("text.png", b"hello, I am a text");
    assert_eq!(refusal(&text), "not an image (starts with \"hello, I am ...\")");
    let binary = folder.write("binary.png", b"\x00\xffab");
    assert_eq!(refusal(&binary), "not an image (starts with \"\\x00\\xffab\")");
    let text = folder.write("a.png", b"BM and so on");
    assert_eq!(refusal(&text), "not an image (starts with \"BM and so on\")");
    let missing = refusal(&folder.path("missing.png"));
    assert!(missing.contains("No such file") || missing.contains("cannot find"), "{missing}");
}

#[test]
fn truncated_files_are_errors_wherever_they_are_cut() {
    let folder = Folder::new();
    let noise = RgbImage::from_fn(64, 64, |x, y| Rgb([((x * 37) ^ (y * 91)) as u8, (x * y) as u8, (x ^ y) as u8]));
    let mut files = vec![("JPEG", jpeg(&noise))];
    for (name, format) in [
        ("PNG", ImageFormat::Png),
        ("WebP", ImageFormat::WebP),
        ("GIF", ImageFormat::Gif),
        ("BMP", ImageFormat::Bmp),
        ("TIFF", ImageFormat::Tiff),
    ] {
        let mut bytes = std::io::Cursor::new(Vec::new());
        DynamicImage::from(noise.clone()).write_to(&mut bytes, format).unwrap();
        files.push((name, bytes.into_inner()));
    }
    for (name, bytes) in files {
        let path = folder.write("whole", &bytes);
        assert!(decode(&path, 3).is_ok(), "{name}");
        for percent in [3, 10, 30, 50, 70, 90, 98] {
            let path = folder.write("cut", &bytes[..bytes.len() * percent / 100]);
            let message = refusal(&path);
            let expected = format!("truncated or damaged {name}: ");
            assert!(message.starts_with(&expected), "{name} cut at {percent} %: {message}");
        }
    }
}

#[test]
fn a_flipped_bit_in_a_png_is_found_by_its_checksum() {
    let folder = Folder::new();
    let path = save(&folder, "ok.png", quadrants(), ImageFormat::Png);
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() - 24; // inside IDAT
    bytes[middle] ^= 0x10;
    let message = refusal(&folder.write("flipped.png", &bytes));
    assert_eq!(message, "truncated or damaged PNG: a part of it is damaged (CRC)");
}

#[test]
fn a_header_that_asks_for_all_memory_is_refused_before_any_is_taken() {
    let folder = Folder::new();
    let mut bytes = jpeg(&quadrants());
    let frame = bytes.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    bytes[frame + 5..frame + 9].copy_from_slice(&[0xea, 0x60, 0xea, 0x60]); // 60000 x 60000
    let message = refusal(&folder.write("huge.jpg", &bytes));
    let expected =
        "60000x60000 is 3600 megapixels, the limit is 100: make it smaller, or allow it with --max-megapixels 3600";
    assert_eq!(message, expected);
}

#[test]
fn an_image_above_the_limit_is_decoded_where_the_limit_is_raised() {
    let folder = Folder::new();
    let path = save(&folder, "a.png", quadrants(), ImageFormat::Png);
    let decode = |max_megapixels| {
        let recipe = Recipe { max_megapixels, ..Recipe::new(3) };
        stylegan_data::decode(&path.as_path().into(), &recipe)
    };
    let message = decode(20e-6).unwrap_err().to_string();
    assert!(message.contains("6x4 is 0 megapixels, the limit is 0.00002: "), "{message}");
    assert!(decode(24e-6).is_ok());
}

#[test]
fn bmp_tiff_and_apng_of_other_programs_are_read() {
    let expected = quadrants();
    for name in [
        "rgb.bmp",
        "palette.bmp",
        "rgba.bmp",
        "raw.tif",
        "tiff_lzw.tif",
        "tiff_adobe_deflate.tif",
        "packbits.tif",
        "cmyk.tif",
        "first-of-two.png",
    ] {
        let image = decode(&fixture(name), 3).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((image.width(), image.height()), (6, 4), "{name}");
        assert_eq!(image.pixels(), expected.as_raw().as_slice(), "{name}");
    }
    // Steps of 2570 of 16 bits are steps of 10 of 8 bits.
    let gray = decode(&fixture("gray16.tif"), 1).unwrap();
    assert_eq!(gray.pixels(), (0..24).map(|i| i * 10).collect::<Vec<u8>>());
}

#[test]
fn kinds_of_tiff_that_are_not_read_are_named() {
    let message = refusal(&fixture("palette.tif"));
    assert!(message.starts_with("a kind of TIFF that is not supported: "), "{message}");
    let folder = Folder::new();
    let image = image::Rgb32FImage::from_pixel(4, 4, Rgb([0.5; 3]));
    let path = save(&folder, "float.tif", image, ImageFormat::Tiff);
    let expected = "a TIFF of floating-point numbers, whose white is not known: save it with 8 or 16 bits";
    assert_eq!(refusal(&path), expected);
}

#[test]
fn avif_and_heic_are_named_with_the_remedy() {
    for (name, kind) in [("a.avif", "AVIF"), ("a.heic", "HEIC")] {
        let expected = format!(
            "PNG, JPEG, GIF, WebP, BMP or TIFF is expected, got {kind}: convert it to PNG or JPEG, for example with \
             ImageMagick: magick input.heic output.png"
        );
        assert_eq!(refusal(&fixture(name)), expected);
    }
}

#[test]
fn other_numbers_of_channels_are_refused() {
    let message = decode(Path::new("x.png"), 2).unwrap_err().to_string();
    assert_eq!(message, "channels must be 1 (gray), 3 (RGB) or 4 (RGBA), got 2");
}
