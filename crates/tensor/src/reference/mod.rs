//! What every kernel means: plain loops in f64, one after another, without cleverness. Other backends are held
//! against it by [`conformance`](crate::conformance); autograd's tests train whole small networks on it.

mod affine;
pub(crate) mod bytes;
mod conv;
mod elementwise;
mod fused;
mod layer;
mod movement;

use std::sync::{Arc, Mutex, PoisonError};

use crate::{DType, Error, Executor, Kernel, Operand, Result, Shape, Stream};

/// The executor whose results are right by definition. Elements of every dtype are held as f64; results of
/// smaller types are rounded to them.
pub struct Reference;

type Memory = Arc<Mutex<Vec<f64>>>;

/// An operand's values and shape, copied out of memory.
struct Array {
    values: Vec<f64>,
    shape: Shape,
}

impl Reference {
    /// The device `reference`, computing in f64.
    pub fn device(limit: usize) -> Stream<Self> {
        Stream::new("reference", DType::F64, Self, limit)
    }

    /// The device `test`: as `reference`, but nothing runs until something waits for it, it can be held, and
    /// faults can be injected.
    pub fn test_device(limit: usize) -> Stream<Self> {
        Stream::lazy("test", DType::F64, Self, limit)
    }
}

impl Executor for Reference {
    type Memory = Memory;

    fn allocate(len: usize, _dtype: DType) -> Option<Memory> {
        let mut values = Vec::new();
        values.try_reserve_exact(len).ok()?;
        // NaN, so that a kernel that reads what nobody wrote is found out.
        values.resize(len, f64::NAN);
        Some(Arc::new(Mutex::new(values)))
    }

    fn execute(
        &mut self,
        kernel: &Kernel,
        inputs: &[Operand<Memory>],
        outs: &[Operand<Memory>],
        accumulate: bool,
    ) -> Result<()> {
        let x: Vec<Array> = inputs.iter().map(load).collect();
        let shape = outs[0].shape.as_slice();
        let y = match kernel {
            Kernel::Fill { value } => vec![*value; outs[0].len],
            Kernel::Copy { .. } => {
                // The elements that are not written keep their values, so nothing is added to the whole.
                let mut y = load(&outs[0]).values;
                movement::copy(kernel, &x[0].values, &mut y, accumulate);
                store(&outs[0], &y, false);
                return Ok(());
            }
            Kernel::Cast => x[0].values.clone(),
            Kernel::Unary(op) => elementwise::unary(*op, &x[0]),
            Kernel::Binary(op) => elementwise::binary(*op, &x[0], &x[1], shape),
            Kernel::Select => elementwise::select(&x[0], &x[1], &x[2], shape),
            Kernel::Reduce { op, axes } => movement::reduce(*op, &x[0], axes),
            Kernel::Matmul { transpose_a, transpose_b } => {
                conv::matmul(&x[0], &x[1], *transpose_a, *transpose_b, shape)
            }
            Kernel::Conv2d(p) => conv::conv2d(p, &x[0], &x[1], shape),
            Kernel::Conv2dTranspose(p) => conv::conv2d_transpose(p, &x[0], &x[1], shape),
            Kernel::Conv2dWeightGrad(p) => conv::conv2d_weight_grad(p, &x[0], &x[1], shape),
            Kernel::Upfirdn2d(p) => conv::upfirdn2d(p, &x[0], shape),
            Kernel::AffineResample(p) => affine::resample(p, &x[0], &x[1], shape),
            Kernel::AffineResampleTranspose(p) => affine::resample_transpose(p, &x[0], &x[1], shape),
            Kernel::GatherRows => movement::gather_rows(&x[0], &x[1], shape)?,
            Kernel::ScatterRows => movement::scatter_rows(&x[0], &x[1], shape)?,
            Kernel::Uniform(position) => elementwise::uniform(*position, outs[0].len),
            Kernel::Normal(position) => elementwise::normal(*position, outs[0].len),
            Kernel::BiasAct { alpha } => elementwise::bias_act(&x[0], x.get(1), *alpha),
            Kernel::BiasActGrad { alpha } => elementwise::bias_act_grad(&x[0], &x[1], *alpha),
            Kernel::NoiseBiasAct { alpha } => elementwise::noise_bias_act([&x[0], &x[1], &x[2], &x[3]], *alpha),
            Kernel::Adain => {
                let (y, stats) = fused::adain(&x[0], &x[1]);
                store(&outs[1], &stats, accumulate);
                y
            }
            Kernel::AdainInputGrad => fused::adain_input_grad(&x[0], &x[1], &x[2], &x[3]),
            Kernel::AdainStyleGrad => fused::adain_style_grad(&x[0], &x[1], &x[2]),
            Kernel::Layer(p) => {
                let (y, normal) = layer::layer(p, &x, shape);
                if let Some(out) = outs.get(1) {
                    store(out, &normal, accumulate);
                }
                y
            }
            Kernel::MinibatchStddev { group } => fused::minibatch_stddev(&x[0], *group),
            Kernel::MinibatchStddevGrad { group } => fused::minibatch_stddev_grad(&x[0], &x[1], *group),
            Kernel::Adam(step) => {
                if accumulate {
                    return Err(Error::device("adam", "a step is taken in place; it cannot be accumulated"));
                }
                let mut changed: Vec<Vec<f64>> = outs.iter().map(|out| load(out).values).collect();
                fused::adam(step, &x[0].values, &mut changed);
                for (out, values) in outs.iter().zip(&changed) {
                    store(out, values, false);
                }
                return Ok(());
            }
        };
        store(&outs[0], &y, accumulate);
        Ok(())
    }

    fn write(&mut self, to: &Operand<Memory>, bytes: &[u8]) {
        store(to, &bytes::decode(bytes, to.dtype), false);
    }

    fn read(&mut self, from: &Operand<Memory>) -> Vec<u8> {
        bytes::encode(&load(from).values, from.dtype)
    }
}

fn load(operand: &Operand<Memory>) -> Array {
    let block = operand.memory.lock().unwrap_or_else(PoisonError::into_inner);
    Array { values: block[operand.offset..operand.offset + operand.len].to_vec(), shape: operand.shape.clone() }
}

fn store(operand: &Operand<Memory>, values: &[f64], accumulate: bool) {
    assert_eq!(values.len(), operand.len, "the result has the size of its output");
    let mut block = operand.memory.lock().unwrap_or_else(PoisonError::into_inner);
    let out = &mut block[operand.offset..operand.offset + operand.len];
    for (y, value) in out.iter_mut().zip(values) {
        *y = bytes::round(if accumulate { *y + value } else { *value }, operand.dtype);
    }
}
