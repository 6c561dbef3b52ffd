//! The one error of this crate.

/// `Result` with this crate's [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What was expected, what was found, in one line.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Arguments that do not fit together, or numbers that are not finite.
    #[error("{0}")]
    Argument(String),
    /// A decomposition that did not converge.
    #[error("{0}")]
    Decomposition(String),
}

pub(crate) fn argument<T>(message: impl Into<String>) -> Result<T> {
    Err(Error::Argument(message.into()))
}
