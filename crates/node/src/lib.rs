//! The Node.js surface of the Rust crates: each export checks its arguments and makes one call.

mod data;
mod device;
mod error;
mod files;
mod linalg;
mod ops;
mod random;
mod table;
mod task;
