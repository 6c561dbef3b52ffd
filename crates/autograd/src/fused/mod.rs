//! Fused ops: one kernel where the composition would be several. Each file holds the op and the ordinary ops that
//! define it; where the vjp is no differentiable op, a gradient of the gradient goes through the composition.

mod adain;
mod add_noise;
mod minibatch_stddev;

pub use adain::adain;
pub use add_noise::add_noise;
pub use minibatch_stddev::minibatch_stddev;
