//! The one error of this crate.

/// `Result` with this crate's [`enum@Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What was expected, what was found, in one line.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Error {
    /// A library that cannot be loaded or is no MPI.
    #[error("{0}")]
    Library(String),
    /// MPI refused a call, or another process sent what was not expected.
    #[error("{0}")]
    Mpi(String),
    /// Another process that ended, failed or stalled.
    #[error("{0}")]
    Lost(String),
}
