//! Preparing many images at once.

use rayon::prelude::*;

use crate::{Error, Image, Input, Recipe, Result, Writer, decode, fit, pyramid};

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
}

/// Decodes, fits and writes `inputs` in parallel; the good ones take consecutive places from `first_index`, in order.
///
/// The chunk is held in memory between the two steps: 4 bytes a pixel and image for RGB.
///
/// # Errors
///
/// A bad image is reported in [`Prepared::left_out`]; an error is returned if `writer` cannot write, or if the recipe
/// has other channels.
pub fn prepare_chunk(writer: &Writer, first_index: usize, inputs: &[Input], recipe: &Recipe) -> Result<Prepared> {
    if recipe.channels != writer.channels() {
        let (expected, found) = (writer.channels(), recipe.channels);
        return Err(Error::Argument(format!("images of {expected} channels are expected, got {found}")));
    }
    let levels = |input: &Input| pyramid(&fitted(input, writer.resolution(), recipe)?);
    let decoded: Vec<Result<Vec<Vec<u8>>>> = inputs.par_iter().map(levels).collect();
    let mut good = Vec::with_capacity(decoded.len());
    let mut left_out = Vec::new();
    for (place, result) in decoded.into_iter().enumerate() {
        match result {
            Ok(levels) => good.push(levels),
            Err(Error::TooSmall(reason)) => {
                let message = format!("{}: {reason}", inputs[place].name().display());
                left_out.push(NotWritten { place, message, is_bad: false });
            }
            Err(error) => left_out.push(NotWritten { place, message: error.to_string(), is_bad: true }),
        }
    }
    good.par_iter().enumerate().try_for_each(|(offset, levels)| writer.write(first_index + offset, levels))?;
    Ok(Prepared { written: good.len(), left_out })
}

/// An image as a data set of `resolution` x `resolution` pixels has it.
fn fitted(input: &Input, resolution: usize, recipe: &Recipe) -> Result<Image> {
    fit(&decode(input, recipe)?, resolution, recipe)
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
