//! The Node.js surface of the Rust crates: each export checks its arguments and makes one call.
#![cfg_attr(test, allow(dead_code, reason = "test builds leave out napi's exports"))]

mod built;
mod data;
mod device;
mod error;
mod files;
mod linalg;
mod ops;
mod processes;
mod random;
mod table;
mod task;
