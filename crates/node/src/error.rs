//! Errors cross to JavaScript with a stable `code`.

/// A result whose error carries a code.
pub type Result<T> = napi::Result<T, &'static str>;

/// The error of an argument that TypeScript should have refused.
pub fn invalid(message: impl Into<String>) -> napi::Error<&'static str> {
    napi::Error::new("ERR_ARGUMENT", message.into())
}

/// A device error as a JavaScript one.
pub fn native(error: stylegan_tensor::Error) -> napi::Error<&'static str> {
    napi::Error::new(error.code(), error.to_string())
}

/// The same for promises, which are rejected with napi's own status type: the code travels in front of the message.
pub fn rejected(error: stylegan_tensor::Error) -> napi::Error {
    napi::Error::from_reason(format!("{}: {error}", error.code()))
}
