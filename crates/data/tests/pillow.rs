//! Filters and colours agree with Pillow. `pillow/make.py` made the files.

use std::path::{Path, PathBuf};

use stylegan_data::{Error, Filter, Image, Input, Recipe, Transform, decode, fit};

fn path(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pillow").join(name)
}

fn open(name: &str, channels: usize) -> Image {
    decode(&Input::from(path(name)), &Recipe::new(channels)).unwrap()
}

/// The largest difference of two images.
fn difference(a: &Image, b: &Image) -> u8 {
    assert_eq!((a.width(), a.height(), a.channels()), (b.width(), b.height(), b.channels()));
    a.pixels().iter().zip(b.pixels()).map(|(&a, &b)| a.abs_diff(b)).max().unwrap()
}

#[test]
fn filters_make_pillows_pixels() {
    for (name, filter) in [("box", Filter::Box), ("lanczos", Filter::Lanczos), ("bicubic", Filter::Bicubic)] {
        for side in [16, 64] {
            let recipe = Recipe { filter, ..Recipe::new(3) };
            let ours = fit(&open("rgb.png", 3), side, &recipe).unwrap();
            assert_eq!(ours, open(&format!("rgb-{name}-{side}.png"), 3), "{name} to {side}");
        }
    }
}

#[test]
fn alpha_weighs_colours_as_in_pillow() {
    let recipe = Recipe { filter: Filter::Lanczos, ..Recipe::new(4) };
    assert_eq!(fit(&open("rgba.png", 4), 16, &recipe).unwrap(), open("rgba-lanczos-16.png", 4));
}

#[test]
fn center_crop_wide_follows_the_official_tool() {
    let wide = Transform::CenterCropWide { height: 24 };
    let recipe = Recipe { transform: wide, filter: Filter::Lanczos, ..Recipe::new(3) };
    assert_eq!(fit(&open("wide.png", 3), 32, &recipe).unwrap(), open("wide-32x24.png", 3));
    let flat = fit(&Image::new(50, 20, 3, vec![0; 3000]).unwrap(), 32, &recipe).unwrap_err();
    assert!(matches!(&flat, Error::TooSmall(_)), "{flat}");
    assert_eq!(flat.to_string(), "50x20 is too small or too flat for center-crop-wide to 32x24");
}

#[test]
fn colour_profiles_are_converted_as_little_cms_does() {
    let recipe = Recipe { convert_profiles: true, ..Recipe::new(3) };
    // JPEG at quality 100 changes colours by a few levels; the conversion makes more of them.
    for (name, expected, allowed) in
        [("adobe.png", "adobe-srgb.png", 2), ("adobe.jpg", "adobe-srgb.png", 8), ("gray.png", "gray-srgb.png", 2)]
    {
        let ours = decode(&Input::from(path(name)), &recipe).unwrap();
        let most = difference(&ours, &open(expected, 3));
        assert!(most <= allowed, "{name}: {most}");
    }
    let most = difference(&open("adobe.png", 3), &open("adobe-srgb.png", 3));
    assert!(most > 20, "by default profiles are not applied, as in the official tool");
}
