//! Cropping, resizing and the levels of a dataset.

use stylegan_data::{Error, Image, Recipe, pyramid};

fn fit(image: &Image, resolution: usize) -> Result<Image, Error> {
    stylegan_data::fit(image, resolution, &Recipe::new(image.channels()))
}

#[test]
fn levels_average_the_unrounded_level_before_and_round_half_to_even() {
    // One 16x16 channel, zero but for the first 4x4 pixels.
    let mut pixels = vec![0u8; 256];
    for (y, row) in [[1, 1, 3, 3], [0, 0, 2, 2], [255, 255, 0, 1], [255, 255, 0, 1]].iter().enumerate() {
        pixels[y * 16..y * 16 + 4].copy_from_slice(row);
    }
    let levels = pyramid(&Image::new(16, 16, 1, pixels.clone()).unwrap()).unwrap();
    assert_eq!(levels.iter().map(Vec::len).collect::<Vec<_>>(), [256, 64, 16]);
    assert_eq!(levels[0], pixels);
    // 0.5 -> 0, 2.5 -> 2, 255, 0.5 -> 0
    assert_eq!([levels[1][0], levels[1][1], levels[1][8], levels[1][9]], [0, 2, 255, 0]);
    // (0.5 + 2.5 + 255 + 0.5) / 4 = 64.625 -> 65; from the rounded level it would be 64.25 -> 64.
    assert_eq!(levels[2][0], 65);
}

#[test]
fn channels_are_averaged_apart() {
    let pixels: Vec<u8> = (0..64).flat_map(|_| [10, 20, 30]).collect();
    let levels = pyramid(&Image::new(8, 8, 3, pixels).unwrap()).unwrap();
    assert_eq!(levels[1], [10, 20, 30].repeat(16));
}

#[test]
fn a_pyramid_needs_a_square_power_of_two() {
    let message = |w, h| pyramid(&Image::new(w, h, 1, vec![0; w * h]).unwrap()).unwrap_err().to_string();
    assert_eq!(message(8, 16), "a pyramid needs a square image, got 8x16");
    assert_eq!(message(12, 12), "resolution must be a power of two from 4 to 16384, got 12");
}

#[test]
fn fit_crops_the_centre_and_copies_a_fitting_square() {
    // 12x4, three squares: 10, 200, 90; the middle one remains.
    let wide: Vec<u8> = (0..48).map(|i| [10, 200, 90][i % 12 / 4]).collect();
    let image = fit(&Image::new(12, 4, 1, wide.clone()).unwrap(), 4).unwrap();
    assert_eq!(image.pixels(), [200; 16]);
    // The filter does not reach over the border of the square.
    let tall: Vec<u8> = (0..48).map(|i| [10, 200, 90][i / 16]).collect();
    let image = fit(&Image::new(4, 12, 1, tall).unwrap(), 8).unwrap();
    assert_eq!((image.width(), image.height(), image.pixels()), (8, 8, &[200u8; 64][..]));
    let square = Image::new(8, 8, 3, (0..192).collect()).unwrap();
    assert_eq!(fit(&square, 8).unwrap(), square);
}

#[test]
fn shrinking_is_antialiased() {
    // Columns of 0 and 255, far above the small image's frequencies: gray is what remains.
    let stripes: Vec<u8> = (0..256 * 256 * 3).map(|i| if i / 3 % 2 == 0 { 0 } else { 255 }).collect();
    let small = fit(&Image::new(256, 256, 3, stripes).unwrap(), 16).unwrap();
    // 6: ripple of Lanczos-3 over 8 periods, and its edges.
    let worst = small.pixels().iter().map(|&v| v.abs_diff(128)).max().unwrap();
    assert!(worst <= 6, "{worst} from gray");
}
