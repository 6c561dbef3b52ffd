//! What this addon was built from.

use napi_derive::napi;

/// The package compares both with its own before it uses an addon.
#[napi(object)]
pub struct NativeBuilt {
    pub version: String,
    /// The hash of all sources: `scripts/sources.mjs` computes the same.
    pub sources: String,
}

#[napi(catch_unwind)]
pub fn built() -> NativeBuilt {
    NativeBuilt { version: env!("CARGO_PKG_VERSION").into(), sources: env!("STYLEGAN_SOURCES").into() }
}
