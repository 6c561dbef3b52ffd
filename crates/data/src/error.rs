//! The one error of this crate.

use std::path::{Path, PathBuf};

/// `Result` with this crate's [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong; printed as one line that names the file and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The operating system refused to read or write.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or folder.
        path: PathBuf,
        /// The system's reason.
        source: std::io::Error,
    },
    /// A folder that should hold images does not.
    #[error("{}: {reason}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// What was looked for and what was found.
        reason: String,
    },
    /// A file that should be an image is not, or is damaged: a dataset can be prepared without it.
    #[error("{}: {reason}", path.display())]
    Image {
        /// The file.
        path: PathBuf,
        /// Why it cannot be decoded.
        reason: String,
    },
    /// A `.npy` file, or the folder of them, is not what was expected.
    #[error("{}: {reason}", path.display())]
    Npy {
        /// The file or folder.
        path: PathBuf,
        /// What was expected and what was found.
        reason: String,
    },
    /// An image that a transformation leaves out.
    #[error("{0}")]
    TooSmall(String),
    /// An argument that no file could make right.
    #[error("{0}")]
    Argument(String),
}

impl Error {
    /// For `map_err`: an [`Error::Io`] about `path`.
    pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
        move |source| Error::Io { path: path.to_owned(), source }
    }

    pub(crate) fn npy(path: &Path, reason: impl Into<String>) -> Error {
        Error::Npy { path: path.to_owned(), reason: reason.into() }
    }

    /// A file of a prepared dataset that cannot be mended.
    pub(crate) fn damaged(path: &Path, reason: impl std::fmt::Display) -> Error {
        let folder = path.parent().unwrap_or(path).display();
        Error::npy(path, format!("{reason}: delete the folder {folder} and prepare its images again"))
    }
}
