//! Images and prepared datasets: decoding, resizing, the folder of `.npy` files that training reads, PNG writing.
//!
//! A prepared dataset holds one file a resolution, `r02.npy` (4x4) to `rNN.npy` (2^NN x 2^NN), each uint8
//! `[N, H, W, C]` in C order, so NumPy reads the same files. Everything here is synchronous: callers run it on
//! worker threads.

#![deny(missing_docs)]

mod buffer;
mod checksum;
mod convolve;
mod dataset;
mod decode;
mod error;
mod format;
mod input;
mod inspect;
mod json;
mod list;
mod lock;
mod npy;
mod pillow;
mod png;
mod prepare;
mod profile;
mod recipe;
mod resample;
mod seen;
mod sums;
mod svg;
mod weigh;
mod writer;

pub use checksum::crc32c;
pub use dataset::Dataset;
pub use decode::{Image, MAX_MEGAPIXELS, decode};
pub use error::{Error, Result};
pub use input::Input;
pub use inspect::{Facts, inspect_chunk};
pub use json::json_fault;
pub use list::{ImageFiles, LeftOut, Listing, Reason, list_images};
pub use lock::{FileLock, Locking};
pub use npy::{FloatArray, read_npy_f32, write_npy_f32};
pub use png::{encode_drawn_png, encode_png};
pub use prepare::{Dedupe, NotWritten, Prepared, prepare_chunk, write_pixels};
pub use recipe::{Filter, Recipe, Transform};
pub use resample::{fit, pyramid};
pub use seen::{Key, Same, Seen};
pub use svg::draw_svg;
pub use writer::Writer;

/// The base-two logarithm of `resolution`, the number in the name of its file.
///
/// # Errors
///
/// [`Error::Argument`] unless `resolution` is a power of two from 4 to 16384.
pub(crate) fn log2_resolution(resolution: usize) -> Result<usize> {
    if !resolution.is_power_of_two() || !(4..=16384).contains(&resolution) {
        return Err(Error::Argument(format!("resolution must be a power of two from 4 to 16384, got {resolution}")));
    }
    Ok(resolution.trailing_zeros() as usize)
}

/// The name of a level's file: `r05.npy` for 32x32.
pub(crate) fn level_name(log2: usize) -> String {
    format!("r{log2:02}.npy")
}

/// # Errors
///
/// [`Error::Argument`] unless `channels` is 1 (gray), 3 (RGB) or 4 (RGBA).
pub(crate) fn check_channels(channels: usize) -> Result<()> {
    match channels {
        1 | 3 | 4 => Ok(()),
        _ => Err(Error::Argument(format!("channels must be 1 (gray), 3 (RGB) or 4 (RGBA), got {channels}"))),
    }
}
