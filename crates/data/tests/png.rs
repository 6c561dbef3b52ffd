//! Writing PNG.

mod folder;

use folder::Folder;
use stylegan_data::{decode, encode_png};

#[test]
fn a_png_decodes_to_the_pixels_it_was_made_of() {
    let folder = Folder::new();
    for channels in [1, 3, 4] {
        let data: Vec<u8> = (0..8 * 4 * channels).map(|i| i as u8 * 7).collect();
        let path = folder.write("a.png", &encode_png(&data, 8, 4, channels).unwrap());
        let image = decode(&path, channels).unwrap();
        assert_eq!((image.width(), image.height(), image.pixels()), (8, 4, &data[..]));
    }
    let message = encode_png(&[0; 10], 2, 2, 3).unwrap_err().to_string();
    assert_eq!(message, "a PNG of 2x2 with 3 channels needs 12 bytes (at least 1), got 10");
    assert!(encode_png(&[], 0, 4, 3).is_err());
}
