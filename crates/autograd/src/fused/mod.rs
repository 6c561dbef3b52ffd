//! Fused ops: one kernel where the composition would be several. Each file holds the op and the ordinary ops that
//! define it; where the vjp is no differentiable op, a gradient of the gradient goes through the composition.

mod adain;
mod layer;
mod minibatch_stddev;
mod noise_bias_act;

pub use adain::adain;
pub use layer::{LayerForm, LayerOperands, layer};
pub use minibatch_stddev::minibatch_stddev;
pub use noise_bias_act::noise_bias_act;
