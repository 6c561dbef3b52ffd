use stylegan_tensor::{Kernel, LayerEpilogue, Result};

use super::adain::{adain, check_style};
use super::noise_bias_act::{check_noise, noise_bias_act};
use crate::ops::{check_slope, upfirdn2d};
use crate::tensor::{Tensor, features};

/// All that follows a convolution of the synthesis network: the blur, if there is one, [`noise_bias_act`], [`adain`] (StyleGAN, Fig.
/// 1b; official layer_epilogue). One kernel where nothing is recorded, since gradients need what lies between: then these ops.
///
/// # Errors
///
/// [`Error::Shape`](stylegan_tensor::Error::Shape) if an operand has another form than those ops take.
pub fn layer_epilogue(
    x: &Tensor,
    [noise, strength, b]: [&Tensor; 3],
    style: &Tensor,
    p: LayerEpilogue,
) -> Result<Tensor> {
    let op = "layer_epilogue";
    features(op, &[x], &[noise, strength, b, style])?;
    check_noise(op, x, [noise, strength, b])?;
    check_style(op, x, style)?;
    check_slope(op, p.alpha)?;
    let inputs = [x, noise, strength, b, style];
    if !inputs.iter().any(|input| input.is_tracked()) {
        return Tensor::from_op(op, Kernel::LayerEpilogue(p), &inputs, x.shape(), []);
    }
    // An image without pixels is smaller than the filter.
    let blur = p.blur().filter(|_| !x.is_empty());
    let blurred = blur.map(|blur| upfirdn2d(x, &blur)).transpose()?;
    adain(&noise_bias_act(blurred.as_ref().unwrap_or(x), noise, strength, b, p.alpha)?, style)
}
