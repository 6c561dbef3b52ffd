//! Several processes that train one network: MPI carries their bytes, and sums are made here, in the order of a fixed binary
//! tree. The MPI library is loaded at run time, through whichever of three ABIs it has.
//!
//! All calls of MPI are made by one thread, which also tells the others that this process lives.

#![deny(missing_docs)]

mod error;
mod group;
mod library;
mod messages;
mod tree;

pub use error::{Error, Result};
pub use group::{Done, Group};
pub use tree::tree_sum;
