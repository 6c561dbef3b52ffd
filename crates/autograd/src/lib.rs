//! Tensors that remember how they were made, and gradients of any order.
//!
//! Only descendants of a [tracked](Tensor::tracked) tensor record history. A node holds one vector-Jacobian
//! product for each input that has history, written with the same differentiable ops, so the gradient of a
//! gradient needs no second list of rules. There is no global tape: a tensor owns its history.
//!
//! ```
//! use stylegan_autograd::{Device, Options, Tensor, grad, ops};
//! use stylegan_tensor::Reference;
//!
//! let device = Device::new(Reference::device(usize::MAX));
//! let x = Tensor::scalar(&device, 3.0)?.tracked();
//! let y = ops::mul(&ops::square(&x)?, &x)?; // x³
//! let first = grad(&[&y], &[&x], Options { create_graph: true })?; // 3x²
//! let second = grad(&[&first[0]], &[&x], Options::default())?; // 6x
//! assert_eq!(second[0].to_vec()?, [18.0]);
//! # Ok::<(), stylegan_tensor::Error>(())
//! ```
#![deny(missing_docs)]

mod arena;
mod fused;
mod grad;
mod node;
pub mod ops;
mod optimizer;
mod tensor;

pub use arena::Arena;
pub use fused::{LayerForm, LayerOperands};
pub use grad::{Options, depends_on, grad};
pub use node::Edge;
pub use optimizer::adam;
pub use tensor::{Device, Tensor};
