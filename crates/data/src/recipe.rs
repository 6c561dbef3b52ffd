//! How an image becomes one of a data set.

use crate::{Error, MAX_MEGAPIXELS, Result};

/// How an image becomes one of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// 1 (gray), 3 (RGB) or 4 (RGBA).
    pub channels: usize,
    /// Larger images are refused.
    pub max_megapixels: f64,
    /// Which part of it is shown.
    pub transform: Transform,
    /// How it is made larger or smaller.
    pub filter: Filter,
    /// Whether colours are converted to sRGB from the image's own profile; the official tool takes them as they are.
    pub convert_profiles: bool,
    /// What is laid under transparency if there is no fourth channel.
    pub background: [u8; 3],
}

impl Recipe {
    /// The recipe without options: centre square, Lanczos, white background.
    pub fn new(channels: usize) -> Recipe {
        Recipe {
            channels,
            max_megapixels: MAX_MEGAPIXELS,
            transform: Transform::CenterCrop,
            filter: Filter::Default,
            convert_profiles: false,
            background: [255; 3],
        }
    }
}

/// Which part of an image is shown, as `--transform` of StyleGAN3's dataset_tool names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transform {
    /// The centre square.
    CenterCrop,
    /// The centre rows, in so many rows of a square that is black above and below. Smaller images are left out.
    CenterCropWide {
        /// Rows of the result that show the image.
        height: usize,
    },
}

/// What an image is resized with: filters that are widened where an image becomes smaller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// Windowed sinc of 3 lobes, computed the fast way that training always had: where colours are extreme, other values
    /// than Pillow's.
    Default,
    /// Pillow's BOX, bit for bit: means of the pixels that a new one covers.
    Box,
    /// Pillow's LANCZOS, bit for bit.
    Lanczos,
    /// Pillow's BICUBIC, bit for bit.
    Bicubic,
}

impl Filter {
    /// The filter with the name that `--resize-filter` takes.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] for other names.
    pub fn named(name: &str) -> Result<Filter> {
        match name {
            "box" => Ok(Filter::Box),
            "lanczos" => Ok(Filter::Lanczos),
            "bicubic" => Ok(Filter::Bicubic),
            _ => Err(Error::Argument(format!("a filter box, lanczos or bicubic is expected, got '{name}'"))),
        }
    }
}
