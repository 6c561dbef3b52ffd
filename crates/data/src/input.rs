//! Where an image comes from: a file of its own, a part of a larger file, or memory.

use std::borrow::Cow;
use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use crate::{Error, Image, Result};

/// The largest file of one image that is read.
const MAX_FILE_BYTES: u64 = 1 << 30;

/// An image that is not decoded yet. Messages call it by its name.
#[derive(Debug)]
pub enum Input {
    /// An image file, named by its path.
    File(PathBuf),
    /// An image file inside a larger file, such as a stored member of a zip archive; or one with another name.
    Part {
        /// What messages call it.
        name: PathBuf,
        /// The larger file.
        path: PathBuf,
        /// Where it begins there.
        offset: u64,
        /// How many bytes it has; none is all that are there.
        length: Option<u64>,
    },
    /// The bytes of an image file.
    Bytes {
        /// What messages call it.
        name: PathBuf,
        /// PNG, JPEG, …
        bytes: Vec<u8>,
    },
    /// Pixels that need no decoding.
    Pixels {
        /// What messages call it.
        name: PathBuf,
        /// The pixels.
        image: Image,
    },
    /// Nothing: whoever read its container knows why it cannot be decoded.
    Bad {
        /// What messages call it.
        name: PathBuf,
        /// Why.
        reason: String,
    },
}

impl Input {
    /// What messages call it.
    pub fn name(&self) -> &Path {
        match self {
            Input::File(name)
            | Input::Part { name, .. }
            | Input::Bytes { name, .. }
            | Input::Pixels { name, .. }
            | Input::Bad { name, .. } => name,
        }
    }

    /// The bytes of its file.
    ///
    /// # Errors
    ///
    /// [`Error::Image`] if there are more than a gigabyte, or fewer than a part should have; [`Error::Io`].
    pub(crate) fn bytes(&self) -> Result<Cow<'_, [u8]>> {
        let bounded = |length: u64| match length {
            0..=MAX_FILE_BYTES => Ok(()),
            _ => Err(self.refuse(format!("a file of {length} bytes is too large, the limit is {MAX_FILE_BYTES}"))),
        };
        match self {
            Input::File(path) => {
                bounded(fs::metadata(path).map_err(Error::io(path))?.len())?;
                Ok(Cow::Owned(fs::read(path).map_err(Error::io(path))?))
            }
            Input::Part { path, offset, length, .. } => {
                let mut file = File::open(path).map_err(Error::io(path))?;
                let held = file.metadata().map_err(Error::io(path))?.len();
                let length = length.unwrap_or(held.saturating_sub(*offset));
                bounded(length)?;
                file.seek(SeekFrom::Start(*offset)).map_err(Error::io(path))?;
                let mut bytes = Vec::new();
                file.take(length).read_to_end(&mut bytes).map_err(Error::io(path))?;
                if bytes.len() as u64 != length {
                    let (found, end) = (bytes.len(), path.display());
                    return Err(self.refuse(format!("{length} bytes are expected, {end} ends after {found}")));
                }
                Ok(Cow::Owned(bytes))
            }
            Input::Bytes { bytes, .. } => {
                bounded(bytes.len() as u64)?;
                Ok(Cow::Borrowed(bytes))
            }
            Input::Pixels { image, .. } => Ok(Cow::Borrowed(image.pixels())),
            Input::Bad { reason, .. } => Err(self.refuse(reason.clone())),
        }
    }

    pub(crate) fn refuse(&self, reason: String) -> Error {
        Error::Image { path: self.name().to_owned(), reason }
    }
}

impl<P: AsRef<Path>> From<P> for Input {
    fn from(path: P) -> Input {
        Input::File(path.as_ref().to_owned())
    }
}
