//! Preparing many images at once.

use rayon::prelude::*;

use crate::decode::decode_read;
use crate::{Error, Image, Input, Key, Recipe, Result, Same, Seen, Writer, fit, pyramid};

/// What became of a chunk of images.
#[derive(Debug, Default)]
pub struct Prepared {
    /// Images written, one after the other from the chunk's first index.
    pub written: usize,
    /// Those that were not, in order.
    pub left_out: Vec<NotWritten>,
}

/// An image of a chunk that was not written.
#[derive(Debug, PartialEq, Eq)]
pub struct NotWritten {
    /// Its place in the chunk.
    pub place: usize,
    /// Why, after its name.
    pub message: String,
    /// Whether it cannot be used at all, rather than left out by the recipe.
    pub is_bad: bool,
    /// The number of the image that it repeats.
    pub same_as: Option<u32>,
}

/// How images that repeat others are left out.
#[derive(Debug)]
pub struct Dedupe<'a> {
    /// Those that were met.
    pub seen: &'a mut Seen,
    /// The number of the chunk's first image.
    pub first: usize,
    /// Whether images that only look the same are left out too.
    pub near: bool,
}

/// What tells an image from others, where that is asked for, and its levels.
type Decoded = (Option<Key>, Vec<Vec<u8>>);

/// Decodes, fits and writes `inputs` in parallel; the good ones take consecutive places from `first_index`, in order.
///
/// The chunk is held in memory between the two steps: 4 bytes a pixel and image for RGB.
///
/// # Errors
///
/// A bad image is reported in [`Prepared::left_out`]; an error is returned if `writer` cannot write, or if the recipe
/// has other channels.
pub fn prepare_chunk(
    writer: &Writer,
    first_index: usize,
    inputs: &[Input],
    recipe: &Recipe,
    mut dedupe: Option<Dedupe>,
) -> Result<Prepared> {
    if recipe.channels != writer.channels() {
        let (expected, found) = (writer.channels(), recipe.channels);
        return Err(Error::Argument(format!("images of {expected} channels are expected, got {found}")));
    }
    let needs_key = dedupe.is_some();
    let levels = |input: &Input| {
        let bytes = input.bytes()?;
        let image = decode_read(input, &bytes, recipe)?;
        let key = if needs_key { Some(Key::of(&bytes, &image)?) } else { None };
        let fitted = fit(&image, writer.resolution(), recipe)?;
        image.recycle();
        Ok((key, pyramid(&fitted)?))
    };
    let decoded: Vec<Result<Decoded>> = inputs.par_iter().map(levels).collect();
    let mut good = Vec::with_capacity(decoded.len());
    let mut left_out = Vec::new();
    for (place, result) in decoded.into_iter().enumerate() {
        let named = |reason: &str| format!("{}: {reason}", inputs[place].name().display());
        match result {
            Ok((key, levels)) => match (key, &mut dedupe) {
                (Some(key), Some(Dedupe { seen, first, near })) => match seen.meet(key, (*first + place) as u32, *near)
                {
                    None => good.push(levels),
                    Some(Same { number, is_exact }) => {
                        let message = named(if is_exact { "the same file as" } else { "looks the same as" });
                        left_out.push(NotWritten { place, message, is_bad: false, same_as: Some(number) });
                    }
                },
                _ => good.push(levels),
            },
            Err(Error::TooSmall(reason)) => {
                left_out.push(NotWritten { place, message: named(&reason), is_bad: false, same_as: None });
            }
            Err(error) => left_out.push(NotWritten { place, message: error.to_string(), is_bad: true, same_as: None }),
        }
    }
    good.par_iter().enumerate().try_for_each(|(offset, levels)| writer.write(first_index + offset, levels))?;
    Ok(Prepared { written: good.len(), left_out })
}

/// Fits and writes `count` square images that are already in memory, `[count, width, width, C]` with the writer's
/// number of channels.
///
/// # Errors
///
/// [`Error::Argument`] if `pixels` has another size; errors of [`Writer::write`].
pub fn write_pixels(writer: &Writer, first_index: usize, pixels: &[u8], count: usize, width: usize) -> Result<()> {
    let channels = writer.channels();
    let image_bytes = width.checked_mul(width).and_then(|n| n.checked_mul(channels));
    let image_bytes = image_bytes.filter(|&n| n > 0 && n.checked_mul(count) == Some(pixels.len()));
    let Some(image_bytes) = image_bytes else {
        return Err(Error::Argument(format!(
            "{count} images of {width}x{width} with {channels} channels do not have {} bytes",
            pixels.len()
        )));
    };
    let recipe = Recipe::new(channels);
    pixels.par_chunks_exact(image_bytes).enumerate().try_for_each(|(offset, bytes)| {
        let image = Image::new(width, width, channels, bytes.to_vec())?;
        writer.write(first_index + offset, &pyramid(&fit(&image, writer.resolution(), &recipe)?)?)
    })
}
