//! Preparing many images at once.

use rayon::prelude::*;

use crate::buffer;
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

/// Decodes, fits and writes `inputs` in parallel; the good ones take consecutive places from `first_index`, in order.
///
/// Each is written at its own place as soon as it is decoded; those after one that is left out are then moved up. So
/// the memory that is taken does not grow with the chunk.
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
    buffer::settle();
    let needs_key = dedupe.is_some();
    let levels = |input: &Input| {
        let bytes = input.bytes()?;
        let image = decode_read(input, &bytes, recipe)?;
        let key = if needs_key { Some(Key::of(&bytes, &image)?) } else { None };
        let fitted = fit(&image, writer.resolution(), recipe)?;
        image.recycle();
        Ok((key, pyramid(&fitted)?))
    };
    // What tells an image from others, where that is asked for; or why it cannot be used.
    let write = |(place, input): (usize, &Input)| -> Result<Result<Option<Key>>> {
        match levels(input) {
            Ok((key, levels)) => writer.write(first_index + place, &levels).map(|()| Ok(key)),
            Err(error) => Ok(Err(error)),
        }
    };
    // One by one: a thread that is done must find what another has not begun.
    let tried = inputs.par_iter().enumerate().with_max_len(1).map(write).collect::<Result<Vec<_>>>()?;
    let mut written = 0;
    let mut left_out = Vec::new();
    for (place, result) in tried.into_iter().enumerate() {
        let key = match result {
            Ok(key) => key,
            Err(error) => {
                left_out.push(refused(place, &inputs[place], error));
                continue;
            }
        };
        if let (Some(key), Some(Dedupe { seen, first, near })) = (key, &mut dedupe)
            && let Some(Same { number, is_exact }) = seen.meet(key, (*first + place) as u32, *near)
        {
            let message = named(&inputs[place], if is_exact { "the same file as" } else { "looks the same as" });
            left_out.push(NotWritten { place, message, is_bad: false, same_as: Some(number) });
            continue;
        }
        if place != written {
            writer.copy(first_index + place, first_index + written)?;
        }
        written += 1;
    }
    Ok(Prepared { written, left_out })
}

fn named(input: &Input, reason: &str) -> String {
    format!("{}: {reason}", input.name().display())
}

fn refused(place: usize, input: &Input, error: Error) -> NotWritten {
    let (message, is_bad) = match error {
        Error::TooSmall(reason) => (named(input, &reason), false),
        error => (error.to_string(), true),
    };
    NotWritten { place, message, is_bad, same_as: None }
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
