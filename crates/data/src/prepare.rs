//! Preparing many images at once.

use std::path::PathBuf;

use rayon::prelude::*;

use crate::{Error, Image, Result, Writer, decode, fit, pyramid};

/// What became of a chunk of files.
#[derive(Debug, Default)]
pub struct Prepared {
    /// Images written, one after the other from the chunk's first index.
    pub written: usize,
    /// The files that could not be used, each with its error's message, in the order given.
    pub bad: Vec<(PathBuf, String)>,
}

/// Decodes, fits and writes `paths` in parallel, none of more than `max_megapixels`; the good ones take consecutive places from `first_index`, in order.
///
/// The chunk is held in memory between the two steps: 4 bytes a pixel and image for RGB.
///
/// # Errors
///
/// A bad image is reported in [`Prepared::bad`]; an error is returned only if `writer` cannot write.
pub fn prepare_chunk(writer: &Writer, first_index: usize, paths: &[PathBuf], max_megapixels: f64) -> Result<Prepared> {
    let levels = |path: &PathBuf| {
        let image = decode(path, writer.channels(), max_megapixels)?;
        pyramid(&fit(&image, writer.resolution())?)
    };
    let decoded: Vec<Result<Vec<Vec<u8>>>> = paths.par_iter().map(levels).collect();
    let mut good = Vec::with_capacity(decoded.len());
    let mut bad = Vec::new();
    for (path, result) in paths.iter().zip(decoded) {
        match result {
            Ok(levels) => good.push(levels),
            Err(error) => bad.push((path.clone(), error.to_string())),
        }
    }
    good.par_iter().enumerate().try_for_each(|(offset, levels)| writer.write(first_index + offset, levels))?;
    Ok(Prepared { written: good.len(), bad })
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
    pixels.par_chunks_exact(image_bytes).enumerate().try_for_each(|(offset, bytes)| {
        let image = Image::new(width, width, channels, bytes.to_vec())?;
        writer.write(first_index + offset, &pyramid(&fit(&image, writer.resolution())?)?)
    })
}
