//! Every op: check, compute, gradient, in that order, in one place. One name in Rust and TypeScript, up to case.

mod affine_resample;
mod bias_act;
mod conv;
mod elementwise;
mod matmul;
mod movement;
mod random;
mod reduce;
mod rows;
mod upfirdn2d;

pub use crate::fused::{adain, layer, minibatch_stddev, noise_bias_act};
pub use affine_resample::{affine_resample, affine_resample_transpose};
pub use bias_act::{bias_act, bias_act_grad, leaky_relu};
pub use conv::{conv2d, conv2d_in, conv2d_transpose, conv2d_weight_grad};
pub use elementwise::{
    acos, add, affine, clamp, cos, div, equal, exp, greater, greater_equal, log, maximum, mul, neg, rsqrt, select,
    sigmoid, sin, softplus, sqrt, square, sub,
};
pub use matmul::matmul;
pub use movement::{broadcast_to, cast, concat, flip, pad, permute, reshape, slice};
pub use random::{normal, uniform};
pub use reduce::{max, mean, sum};
pub use rows::{gather_rows, scatter_rows};
pub use upfirdn2d::upfirdn2d;

pub(crate) use bias_act::{activated, check_slope};
pub(crate) use conv::{is_known, output_shape};
pub(crate) use elementwise::add_into;
pub(crate) use movement::copy_all;
pub(crate) use reduce::sum_to;
