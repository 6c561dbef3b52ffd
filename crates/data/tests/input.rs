//! Images that are no files of their own.

mod folder;

use std::path::PathBuf;

use folder::Folder;
use stylegan_data::{Image, Input, Recipe, decode, encode_png};

const PIXELS: [u8; 12] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12];

fn png() -> Vec<u8> {
    encode_png(&PIXELS, 2, 2, 3).unwrap()
}

fn name() -> PathBuf {
    PathBuf::from("cats.zip: a.png")
}

#[test]
fn a_part_of_a_larger_file_decodes_as_a_file_of_its_own() {
    let folder = Folder::new();
    let path = folder.write("cats.zip", &[b"before", &png()[..], b"after"].concat());
    let part = |offset, length| Input::Part { name: name(), path: path.clone(), offset, length };
    let length = png().len() as u64;
    assert_eq!(decode(&part(6, Some(length)), &Recipe::new(3)).unwrap().pixels(), PIXELS);
    // Decoders stop at the end of the image.
    assert_eq!(decode(&part(6, None), &Recipe::new(3)).unwrap().pixels(), PIXELS);
    let message = decode(&part(6, Some(length + 6)), &Recipe::new(3)).unwrap_err().to_string();
    let (needed, held) = (length + 6, length + 5);
    assert_eq!(message, format!("cats.zip: a.png: {needed} bytes are expected, {} ends after {held}", path.display()));
}

#[test]
fn bytes_and_pixels_in_memory_need_no_file() {
    let bytes = Input::Bytes { name: name(), bytes: png() };
    assert_eq!(decode(&bytes, &Recipe::new(3)).unwrap().pixels(), PIXELS);
    let image = Image::new(2, 2, 3, PIXELS.to_vec()).unwrap();
    let pixels = Input::Pixels { name: name(), image: image.clone() };
    assert_eq!(decode(&pixels, &Recipe::new(3)).unwrap(), image);
    assert_eq!(decode(&pixels, &Recipe::new(1)).unwrap(), decode(&bytes, &Recipe::new(1)).unwrap());
    assert_eq!(decode(&pixels, &Recipe::new(4)).unwrap().pixels()[..4], [1, 2, 3, 255]);
}

#[test]
fn what_is_wrong_is_said_after_the_name() {
    let text = Input::Bytes { name: name(), bytes: b"text".to_vec() };
    let message = |input| decode(&input, &Recipe::new(3)).unwrap_err().to_string();
    assert_eq!(message(text), "cats.zip: a.png: not an image (starts with \"text\")");
    let bad = Input::Bad { name: name(), reason: "its CRC is another".into() };
    assert_eq!(message(bad), "cats.zip: a.png: its CRC is another");
}
