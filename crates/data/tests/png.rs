//! Writing PNG.

mod folder;

use folder::Folder;
use stylegan_data::{Recipe, decode, encode_drawn_png, encode_png};

#[test]
fn a_png_decodes_to_the_pixels_it_was_made_of() {
    let folder = Folder::new();
    for channels in [1, 3, 4] {
        let data: Vec<u8> = (0..8 * 4 * channels).map(|i| i as u8 * 7).collect();
        let path = folder.write("a.png", &encode_png(&data, 8, 4, channels).unwrap());
        let image = decode(&path.as_path().into(), &Recipe::new(channels)).unwrap();
        assert_eq!((image.width(), image.height(), image.pixels()), (8, 4, &data[..]));
    }
    let message = encode_png(&[0; 10], 2, 2, 3).unwrap_err().to_string();
    assert_eq!(message, "a PNG of 2x2 with 3 channels needs 12 bytes (at least 1), got 10");
    assert!(encode_png(&[], 0, 4, 3).is_err());
}

#[test]
fn a_drawn_png_carries_its_mark_and_the_same_pixels() {
    let pixels: Vec<u8> = (0..96).collect();
    let (plain, drawn) = (encode_png(&pixels, 8, 4, 3).unwrap(), encode_drawn_png(&pixels, 8, 4, 3).unwrap());
    let mut reader = png::Decoder::new(std::io::Cursor::new(&drawn)).read_info().unwrap();
    let text = &reader.info().uncompressed_latin1_text[0];
    assert_eq!((text.keyword.as_str(), text.text.as_str()), ("Software", "stylegan"));
    let mut decoded = vec![0; 96];
    reader.next_frame(&mut decoded).unwrap();
    reader.finish().unwrap();
    assert_eq!(decoded, pixels);
    assert_eq!(drawn.len(), plain.len() + 29);
}
