/// What can go wrong between a caller and a device.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum Error {
    /// A shape, axis, dtype or parameter that an op does not take; found before any work is enqueued.
    #[error("{op}: {message}")]
    Shape {
        /// The op, as it is called.
        op: &'static str,
        /// What was expected and what was given.
        message: String,
    },
    /// A handle whose tensor was disposed, or a tensor changed in place after it was recorded.
    #[error("{op}: {message}")]
    Disposed {
        /// The op that was asked for.
        op: &'static str,
        /// What happened to the tensor.
        message: String,
    },
    /// No memory for an output, found before any work is enqueued.
    #[error(
        "{op}: out of memory: {bytes} bytes asked for, {live} live of at most {limit}; a smaller minibatch or network needs less"
    )]
    Memory {
        /// The op whose output did not fit.
        op: &'static str,
        /// Bytes asked for.
        bytes: usize,
        /// Bytes in use.
        live: usize,
        /// The device's limit in bytes.
        limit: usize,
    },
    /// Work that failed on the device, reported by the next wait and by every later one.
    #[error("{op}: the device failed: {message}")]
    Device {
        /// The op that failed first.
        op: &'static str,
        /// The device's own words.
        message: String,
    },
}

impl Error {
    /// A shape error of `op`.
    pub fn shape(op: &'static str, message: impl Into<String>) -> Self {
        Self::Shape { op, message: message.into() }
    }

    /// A device error of `op`.
    pub fn device(op: &'static str, message: impl Into<String>) -> Self {
        Self::Device { op, message: message.into() }
    }

    /// The stable code by which callers in other languages tell errors apart.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Shape { .. } => "ERR_SHAPE",
            Self::Disposed { .. } => "ERR_DISPOSED",
            Self::Memory { .. } => "ERR_MEMORY",
            Self::Device { .. } => "ERR_DEVICE",
        }
    }
}

/// A result whose error is [`Error`].
pub type Result<T> = std::result::Result<T, Error>;
