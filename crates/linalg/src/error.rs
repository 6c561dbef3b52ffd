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

/// Refuses arrays that the system has no memory for, which would end the process.
///
/// # Errors
///
/// [`Error::Argument`] if there is no room for so many f64, or if they cannot be counted.
pub(crate) fn room(what: &str, values: Option<usize>) -> Result<()> {
    let fits = |&values: &usize| Vec::<f64>::new().try_reserve_exact(values).is_ok();
    match values.filter(fits) {
        Some(_) => Ok(()),
        None => argument(format!("{what}: there is no memory for arrays of this size; take a smaller width, k or set")),
    }
}
