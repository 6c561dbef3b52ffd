use stylegan_tensor::{Error, Kernel, Position, Result};

use crate::tensor::{Device, Tensor};

/// Uniform numbers in (0, 1] from the position on: the same bits on every device.
///
/// # Errors
///
/// [`Error::Shape`] if the position's offset is no multiple of 4.
pub fn uniform(device: &Device, shape: &[usize], at: Position) -> Result<Tensor> {
    draw("uniform", device, shape, at, Kernel::Uniform(at))
}

/// Standard normal numbers from the position on: equal to 1e-6 on every device, in every bit on one.
///
/// # Errors
///
/// [`Error::Shape`] if the position's offset is no multiple of 4.
pub fn normal(device: &Device, shape: &[usize], at: Position) -> Result<Tensor> {
    draw("normal", device, shape, at, Kernel::Normal(at))
}

fn draw(op: &'static str, device: &Device, shape: &[usize], at: Position, kernel: Kernel) -> Result<Tensor> {
    if !at.offset.is_multiple_of(4) {
        return Err(Error::shape(op, format!("offset must be a multiple of 4, got {}", at.offset)));
    }
    let view = device.run(op, kernel, &[], shape, device.backend().float())?;
    Ok(Tensor::new(device, view))
}
