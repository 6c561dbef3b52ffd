use stylegan_tensor::{Result, Storage, View, elements};

use crate::tensor::{Device, Tensor};

/// Many tensors in one buffer, so that an optimiser step or a finite check is one kernel over all of them.
pub struct Arena {
    /// The whole buffer, `[P]`; between the tensors lie gaps of zeros.
    pub flat: Tensor,
    /// The tensors, slices of `flat`.
    pub tensors: Vec<Tensor>,
}

impl Arena {
    /// Tensors of the given shapes, all zeros, in the device's floating-point type.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`](stylegan_tensor::Error::Memory) if there is no room.
    pub fn zeros(device: &Device, shapes: &[Vec<usize>]) -> Result<Self> {
        let align = Storage::ALIGNMENT / device.backend().float().size();
        let lengths = shapes.iter().map(|shape| elements("arena", shape)).collect::<Result<Vec<_>>>()?;
        let total = lengths.iter().fold(0_usize, |total, len| total.saturating_add(len.next_multiple_of(align)));
        let flat = Tensor::full(device, &[total], 0.0)?;
        let mut offset = 0;
        let mut tensors = Vec::with_capacity(shapes.len());
        for (shape, len) in shapes.iter().zip(lengths) {
            let view = View { storage: flat.storage().slice(offset, len)?, shape: shape.clone() };
            tensors.push(Tensor::new(device, view));
            offset += len.next_multiple_of(align);
        }
        Ok(Self { flat, tensors })
    }
}
