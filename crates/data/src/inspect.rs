//! What images are, before they are prepared.

use std::io::Cursor;

use image::{ExtendedColorType, ImageDecoder, ImageReader};
use rayon::prelude::*;

use crate::buffer;
use crate::decode::{decode_read, known_format};
use crate::profile::changes_colours;
use crate::{Input, Key, Recipe, Result, Same, Seen};

/// What is known of an image.
#[derive(Clone, Debug, PartialEq)]
pub struct Facts {
    /// PNG, JPEG, …; "pixels" of one that has no file.
    pub format: &'static str,
    /// Columns, as it is shown.
    pub width: usize,
    /// Rows, as it is shown.
    pub height: usize,
    /// What a pixel is: "RGB", "16-bit gray", …
    pub colours: &'static str,
    /// Whether it has a colour profile that changes what is seen.
    pub has_profile: bool,
    /// The image that it repeats.
    pub same: Option<Same>,
}

/// Decodes `inputs` in parallel; those that cannot be used give why. `first` is the number of the first one in `seen`.
///
/// # Errors
///
/// [`crate::Error::Argument`] for a recipe that nothing could make right.
pub fn inspect_chunk(
    inputs: &[Input],
    first: usize,
    recipe: &Recipe,
    seen: &mut Seen,
) -> Result<Vec<Result<Facts, String>>> {
    buffer::settle();
    let examined: Vec<Result<(Facts, Key)>> =
        inputs.par_iter().with_max_len(1).map(|input| examine(input, recipe)).collect();
    let mut facts = Vec::with_capacity(inputs.len());
    for (place, found) in examined.into_iter().enumerate() {
        facts.push(match found {
            Ok((facts, key)) => Ok(Facts { same: seen.meet(key, (first + place) as u32, true), ..facts }),
            Err(error) => Err(error.to_string()),
        });
    }
    Ok(facts)
}

fn examine(input: &Input, recipe: &Recipe) -> Result<(Facts, Key)> {
    let bytes = input.bytes()?;
    let image = decode_read(input, &bytes, recipe)?;
    let (width, height) = (image.width(), image.height());
    let key = Key::of(&bytes, &image)?;
    image.recycle();
    let (format, colours, has_profile) = match input {
        Input::Pixels { image, .. } => ("pixels", ["gray", "RGB", "RGBA"][image.channels() / 2], false),
        _ => head_of(&bytes).map_err(|reason| input.refuse(reason))?,
    };
    Ok((Facts { format, width, height, colours, has_profile, same: None }, key))
}

/// Format, colours, and whether there is a colour profile that matters.
fn head_of(bytes: &[u8]) -> Result<(&'static str, &'static str, bool), String> {
    let (format, name) = known_format(bytes)?;
    let reader = ImageReader::with_format(Cursor::new(bytes), format);
    let mut decoder = reader.into_decoder().map_err(|error| error.to_string())?;
    let profile = decoder.icc_profile().ok().flatten();
    let has_profile = profile.is_some_and(|profile| changes_colours(&profile));
    Ok((name, colours_of(decoder.original_color_type()), has_profile))
}

fn colours_of(kind: ExtendedColorType) -> &'static str {
    use ExtendedColorType as Kind;
    match kind {
        Kind::L1 | Kind::L2 | Kind::L4 | Kind::L8 => "gray",
        Kind::La1 | Kind::La2 | Kind::La4 | Kind::La8 => "gray with alpha",
        Kind::Rgb1 | Kind::Rgb2 | Kind::Rgb4 | Kind::Rgb8 | Kind::Bgr8 => "RGB",
        Kind::Rgba1 | Kind::Rgba2 | Kind::Rgba4 | Kind::Rgba8 | Kind::Bgra8 => "RGBA",
        Kind::L16 => "16-bit gray",
        Kind::La16 => "16-bit gray with alpha",
        Kind::Rgb16 => "16-bit RGB",
        Kind::Rgba16 => "16-bit RGBA",
        Kind::Cmyk8 | Kind::Cmyk16 => "CMYK",
        _ => "other",
    }
}
