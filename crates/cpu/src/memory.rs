//! Operands as slices: candle tensors locked for reading, and for writing one within the other.

use std::cell::Cell;
use std::ops::Range;

use bytemuck::{Zeroable, try_zeroed_vec};
use candle_core::{CpuStorage, Device, InplaceOp1, Layout, Storage, Tensor};
use stylegan_cpu_kernels::cache_line::{before_line, padded};
use stylegan_tensor::{DType, Error, Operand, Result};

/// The elements of an input.
#[derive(Clone, Copy)]
pub(crate) enum Slice<'a> {
    F32(&'a [f32]),
    F64(&'a [f64]),
    U8(&'a [u8]),
    I32(&'a [i32]),
}

/// The elements of an output.
pub(crate) enum SliceMut<'a> {
    F32(&'a mut [f32]),
    F64(&'a mut [f64]),
    U8(&'a mut [u8]),
    I32(&'a mut [i32]),
}

impl SliceMut<'_> {
    /// The elements, if they are f32.
    pub(crate) fn floats(&self) -> &[f32] {
        if let Self::F32(y) = self { y } else { &[] }
    }
}

/// A block of `len` zeros and padding as the system gives them, not touched before a kernel writes to it; `None` if there is no memory
/// for it. Operands are counted from its first cache line on.
pub(crate) fn allocate(len: usize, dtype: DType) -> Option<Tensor> {
    fn block<T: candle_core::WithDType + Zeroable>(len: usize) -> Option<Tensor> {
        let padded = padded::<T>(len);
        Tensor::from_vec(try_zeroed_vec::<T>(padded).ok()?, padded, &Device::Cpu).ok()
    }
    match dtype {
        DType::F32 => block::<f32>(len),
        DType::F64 => block::<f64>(len),
        DType::U8 => block::<u8>(len),
        DType::I32 => block::<i32>(len),
        // Refused before by `stores_half`.
        DType::BF16 | DType::F16 => None,
    }
}

/// Calls `work` with the elements of all operands of `op`.
pub(crate) fn with_slices(
    op: &'static str,
    inputs: &[Operand<Tensor>],
    outs: &[Operand<Tensor>],
    work: impl FnOnce(&[Slice], &mut [SliceMut]) -> Result<()>,
) -> Result<()> {
    for (i, out) in outs.iter().enumerate() {
        let mut others = inputs.iter().chain(&outs[..i]);
        if others.any(|other| other.memory.id() == out.memory.id()) {
            // Both locks would be waited for forever.
            let message = format!("output {i} must have a buffer of its own, it shares another operand's");
            return Err(Error::device(op, message));
        }
    }
    let guards: Vec<_> = inputs.iter().map(|x| x.memory.storage_and_layout().0).collect();
    let slices = guards.iter().zip(inputs).map(|(storage, x)| match &**storage {
        Storage::Cpu(storage) => slice(op, storage, x),
        _ => Err(Error::device(op, "the operand's memory is not the CPU's")),
    });
    let slices: Vec<Slice> = slices.collect::<Result<_>>()?;
    let mut work = Some(work);
    with_outs(op, outs, Vec::with_capacity(outs.len()), &mut |outs| {
        work.take().map_or(Ok(()), |work| work(&slices, outs))
    })
}

/// Takes the write locks one after another, then calls `work`.
fn with_outs(
    op: &'static str,
    outs: &[Operand<Tensor>],
    taken: Vec<SliceMut>,
    work: &mut dyn FnMut(&mut [SliceMut]) -> Result<()>,
) -> Result<()> {
    let mut taken = taken;
    let Some((first, rest)) = outs.split_first() else {
        return work(&mut taken);
    };
    in_place(op, first, |slice| {
        let mut taken = taken;
        taken.push(slice);
        with_outs(op, rest, taken, work)
    })
}

/// `work` as a candle op that runs once.
struct InPlace<'a, F> {
    op: &'static str,
    operand: &'a Operand<Tensor>,
    work: Cell<Option<F>>,
    result: Cell<Result<()>>,
}

impl<F: FnOnce(SliceMut) -> Result<()>> InplaceOp1 for InPlace<'_, F> {
    fn name(&self) -> &'static str {
        self.op
    }

    fn cpu_fwd(&self, storage: &mut CpuStorage, _: &Layout) -> candle_core::Result<()> {
        if let Some(work) = self.work.take() {
            self.result.set(slice_mut(self.op, storage, self.operand).and_then(work));
        }
        Ok(())
    }
}

fn in_place(op: &'static str, operand: &Operand<Tensor>, work: impl FnOnce(SliceMut) -> Result<()>) -> Result<()> {
    let in_place = InPlace { op, operand, work: Cell::new(Some(work)), result: Cell::new(Ok(())) };
    let done = operand.memory.inplace_op1(&in_place);
    done.map_err(|error| Error::device(op, error.to_string()))?;
    in_place.result.into_inner()
}

fn slice<'a>(op: &'static str, storage: &'a CpuStorage, x: &Operand<Tensor>) -> Result<Slice<'a>> {
    match (storage, x.dtype) {
        (CpuStorage::F32(v), DType::F32) => Ok(Slice::F32(&v[place(v, x)])),
        (CpuStorage::F64(v), DType::F64) => Ok(Slice::F64(&v[place(v, x)])),
        (CpuStorage::U8(v), DType::U8) => Ok(Slice::U8(&v[place(v, x)])),
        (CpuStorage::I32(v), DType::I32) => Ok(Slice::I32(&v[place(v, x)])),
        _ => Err(other_type(op, x.dtype, storage)),
    }
}

fn slice_mut<'a>(op: &'static str, storage: &'a mut CpuStorage, y: &Operand<Tensor>) -> Result<SliceMut<'a>> {
    match (storage, y.dtype) {
        (CpuStorage::F32(v), DType::F32) => Ok(SliceMut::F32(placed(v, y))),
        (CpuStorage::F64(v), DType::F64) => Ok(SliceMut::F64(placed(v, y))),
        (CpuStorage::U8(v), DType::U8) => Ok(SliceMut::U8(placed(v, y))),
        (CpuStorage::I32(v), DType::I32) => Ok(SliceMut::I32(placed(v, y))),
        (storage, dtype) => Err(other_type(op, dtype, storage)),
    }
}

/// Where an operand lies in its block.
fn place<T>(block: &[T], operand: &Operand<Tensor>) -> Range<usize> {
    let first = before_line(block) + operand.offset;
    first..first + operand.len
}

fn placed<'a, T>(block: &'a mut [T], operand: &Operand<Tensor>) -> &'a mut [T] {
    let place = place(block, operand);
    &mut block[place]
}

fn other_type(op: &'static str, dtype: DType, storage: &CpuStorage) -> Error {
    use candle_core::backend::BackendStorage;
    Error::device(op, format!("expected {dtype} in a block of {:?}", storage.dtype()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_and_large_blocks_are_zeros() {
        for len in [0, 1, 1 << 21] {
            let block = allocate(len, DType::F32).unwrap().to_vec1::<f32>().unwrap();
            assert!(block.len() - before_line(&block) >= len);
            assert!(block.iter().all(|x| *x == 0.0));
        }
    }

    #[test]
    fn more_than_there_is_gives_none() {
        assert!(allocate(usize::MAX / 2, DType::F32).is_none());
        assert!(allocate(usize::MAX / 16, DType::F32).is_none());
    }
}
