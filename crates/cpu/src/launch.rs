//! Which function computes which kernel.

use candle_core::Tensor;
use stylegan_cpu_kernels::conv::{self, Scratch};
use stylegan_cpu_kernels::{elementwise, matmul, movement, random, reduce};
use stylegan_tensor::{Error, Kernel, Operand, Result, Unary};

use crate::memory::{Slice, SliceMut};

/// A kernel and its operands.
pub(crate) struct Launch<'a> {
    pub kernel: &'a Kernel,
    pub inputs: &'a [Operand<Tensor>],
    pub outs: &'a [Operand<Tensor>],
    /// The elements of the inputs.
    pub x: &'a [Slice<'a>],
}

impl Launch<'_> {
    /// Computes beside the outputs, then adds.
    pub(crate) fn run_and_add(
        &self,
        conv: &mut Scratch,
        results: &mut Vec<Vec<f32>>,
        y: &mut [SliceMut],
    ) -> Result<()> {
        results.resize_with(results.len().max(y.len()), Vec::new);
        for (result, out) in results.iter_mut().zip(self.outs) {
            result.resize(result.len().max(out.len), 0.0);
        }
        let parts = results.iter_mut().zip(self.outs);
        let mut parts: Vec<SliceMut> = parts.map(|(result, out)| SliceMut::F32(&mut result[..out.len])).collect();
        self.run(conv, &mut parts, false)?;
        for (result, y) in results.iter().zip(y) {
            let SliceMut::F32(y) = y else {
                return Err(self.error("results are added to f32 outputs only"));
            };
            let one = Unary::Affine { scale: 1.0, shift: 0.0 };
            elementwise::unary(one, &result[..y.len()], y, true);
        }
        Ok(())
    }

    pub(crate) fn run(&self, conv: &mut Scratch, y: &mut [SliceMut], accumulate: bool) -> Result<()> {
        match self.kernel {
            Kernel::Fill { value } => match self.first(y)? {
                SliceMut::F32(y) => movement::fill(y, *value as f32),
                SliceMut::F64(y) => movement::fill(y, *value),
                SliceMut::U8(y) => movement::fill(y, *value as u8),
                SliceMut::I32(y) => movement::fill(y, *value as i32),
            },
            Kernel::Copy { shape, src, src_strides, dst, dst_strides } => {
                let strided = movement::Strided { shape, src: *src, src_strides, dst: *dst, dst_strides };
                self.copy(&strided, y, accumulate)?;
            }
            Kernel::Cast => self.cast(y)?,
            Kernel::Unary(op) => {
                let ([x], [y]) = (self.floats()?, self.floats_mut(y)?);
                elementwise::unary(*op, x, y, accumulate);
            }
            Kernel::Binary(op) => {
                let ([a, b], [y]) = (self.floats()?, self.floats_mut(y)?);
                let (a, b) = ((a, self.shape(0)), (b, self.shape(1)));
                elementwise::binary(*op, a, b, y, &self.outs[0].shape, accumulate);
            }
            Kernel::Select => {
                let ([c, a, b], [y]) = (self.floats()?, self.floats_mut(y)?);
                let (c, a, b) = ((c, self.shape(0)), (a, self.shape(1)), (b, self.shape(2)));
                elementwise::select(c, a, b, y, &self.outs[0].shape, accumulate);
            }
            Kernel::Reduce { op, axes } => {
                let ([x], [y]) = (self.floats()?, self.floats_mut(y)?);
                reduce::reduce(*op, x, self.shape(0), axes, y);
            }
            Kernel::Matmul { transpose_a, transpose_b } => {
                let ([a, b], [y]) = (self.floats()?, self.floats_mut(y)?);
                let [batch, m, n] = self.sizes(&self.outs[0].shape)?;
                let ([in_a, rows, columns], [in_b, ..]) = (self.sizes(self.shape(0))?, self.sizes::<3>(self.shape(1))?);
                let k = if *transpose_a { rows } else { columns };
                matmul::matmul(batch, m, k, n, a, in_a, *transpose_a, b, in_b, *transpose_b, y, accumulate);
            }
            Kernel::Conv2d(p) => {
                let ([x, w], [y]) = (self.floats()?, self.floats_mut(y)?);
                let g = self.geometry(p, self.shape(0), self.shape(1), &self.outs[0].shape)?;
                conv::conv2d(&g, x, w, y, p.algorithm, accumulate, conv);
            }
            Kernel::Conv2dTranspose(p) => {
                let ([y, w], [x]) = (self.floats()?, self.floats_mut(y)?);
                let g = self.geometry(p, &self.outs[0].shape, self.shape(1), self.shape(0))?;
                conv::conv2d_transpose(&g, y, w, x, p.algorithm, accumulate, conv);
            }
            Kernel::Conv2dWeightGrad(p) => {
                let ([x, y], [w]) = (self.floats()?, self.floats_mut(y)?);
                let g = self.geometry(p, self.shape(0), &self.outs[0].shape, self.shape(1))?;
                conv::conv2d_weight_grad(&g, x, y, w, p.algorithm, accumulate, conv);
            }
            Kernel::Upfirdn2d(p) => self.upfirdn2d(p, y)?,
            Kernel::AffineResample(p) | Kernel::AffineResampleTranspose(p) => self.affine_resample(p, y)?,
            Kernel::GatherRows | Kernel::ScatterRows => self.rows(y)?,
            Kernel::Uniform(at) => {
                let [y] = self.floats_mut(y)?;
                random::uniform(*at, y);
            }
            Kernel::Normal(at) => {
                let [y] = self.floats_mut(y)?;
                random::normal(*at, y);
            }
            Kernel::BiasAct { .. } | Kernel::BiasActGrad { .. } | Kernel::NoiseBiasAct { .. } => {
                self.activate(y, accumulate)?
            }
            Kernel::Adain | Kernel::AdainInputGrad | Kernel::AdainStyleGrad => self.normalize(y)?,
            Kernel::Layer(p) => self.layer(p, y, conv)?,
            Kernel::MinibatchStddev { group } | Kernel::MinibatchStddevGrad { group } => self.deviate(*group, y)?,
            Kernel::Adam(step) => self.adam(step, y, accumulate)?,
        }
        Ok(())
    }

    pub(crate) fn shape(&self, input: usize) -> &[usize] {
        self.inputs.get(input).map_or(&[], |input| &input.shape)
    }

    pub(crate) fn sizes<const K: usize>(&self, shape: &[usize]) -> Result<[usize; K]> {
        shape.try_into().map_err(|_| self.error(&format!("{K} axes are expected, got {shape:?}")))
    }

    /// An input, which must be of f32.
    pub(crate) fn float(&self, input: usize) -> Result<&[f32]> {
        match self.x.get(input) {
            Some(Slice::F32(x)) => Ok(x),
            _ => Err(self.error(&format!("input {input} must be of f32"))),
        }
    }

    /// The inputs, which must be K of f32.
    pub(crate) fn floats<const K: usize>(&self) -> Result<[&[f32]; K]> {
        let floats = self.x.iter().filter_map(|x| if let Slice::F32(x) = x { Some(*x) } else { None });
        let floats: Vec<&[f32]> = floats.collect();
        let found = format_args!("{K} f32 inputs are expected, got {} of {}", floats.len(), self.x.len()).to_string();
        if self.x.len() != K {
            return Err(self.error(&found));
        }
        floats.try_into().map_err(|_| self.error(&found))
    }

    /// The outputs, which must be K of f32.
    pub(crate) fn floats_mut<'y, const K: usize>(&self, y: &'y mut [SliceMut]) -> Result<[&'y mut [f32]; K]> {
        let floats = y.iter_mut().filter_map(|y| if let SliceMut::F32(y) = y { Some(&mut **y) } else { None });
        let floats: Vec<&mut [f32]> = floats.collect();
        let found = floats.len();
        floats.try_into().map_err(|_| self.error(&format!("{K} f32 outputs are expected, got {found}")))
    }

    pub(crate) fn first<'y, 'a>(&self, y: &'y mut [SliceMut<'a>]) -> Result<&'y mut SliceMut<'a>> {
        y.first_mut().ok_or_else(|| self.error("one output is expected, got none"))
    }

    pub(crate) fn error(&self, message: &str) -> Error {
        Error::device(self.kernel.name(), message)
    }
}
