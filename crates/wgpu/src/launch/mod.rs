//! From a kernel and its operands to dispatches: sizes, parameters, workspace.

mod cooperative;
mod elementwise;
mod movement;
mod normalize;
mod optimizer;
mod product;
mod reduce;
mod resample;
mod split;
mod winograd;

use std::sync::Arc;

use stylegan_tensor::{DType, Error, Kernel, Result, Storage, View};

use crate::memory::{Block, Pool, block};
use crate::recorder::{Binding, Dispatch, Recorder};
use crate::shader::Shader;

/// One launch of a kernel.
pub(crate) struct Launch<'a> {
    pub op: &'static str,
    pub recorder: &'a mut Recorder,
    pub pool: &'a Arc<Pool>,
    pub status: &'a Binding,
    pub limits: &'a wgpu::Limits,
    /// Whether kernels may use subgroups.
    pub subgroups: bool,
    /// The side of the cooperative matrices that products may use.
    pub matrices: Option<u32>,
    /// The most invocations in a subgroup.
    pub lanes: u32,
    pub accumulate: bool,
    /// Elements that a mean is over, where this launch sees only some of them.
    pub mean_over: Option<usize>,
    /// The image that this launch begins with, where it sees only some of a minibatch.
    pub first: usize,
}

/// Invocations of a workgroup of the kernels without a shape of their own (`SIZE` in prelude.wgsl).
const SIZE: usize = 256;

/// Workgroups along the first axis of a grid; the second takes what is more.
const ROW: usize = 65_535;

impl Launch<'_> {
    pub fn run(mut self, kernel: &Kernel, inputs: &[&View], outs: &[&View]) -> Result<()> {
        self.check_types(kernel, inputs, outs)?;
        // Copies and Adam are their own masters in this.
        let takes_any_size = matches!(kernel, Kernel::Copy { .. } | Kernel::Adam(_));
        if !takes_any_size && self.is_too_large(inputs, outs) {
            return self.run_in_parts(kernel, inputs, outs);
        }
        self.run_whole(kernel, inputs, outs)
    }

    fn run_whole(&mut self, kernel: &Kernel, x: &[&View], y: &[&View]) -> Result<()> {
        match kernel {
            Kernel::Fill { value } => self.fill(*value, y[0]),
            Kernel::Copy { .. } => self.copy(kernel, x[0], y[0]),
            Kernel::Cast => self.cast(x[0], y[0]),
            Kernel::Unary(op) => self.unary(*op, x[0], y[0]),
            Kernel::Binary(op) => self.binary(*op, x[0], x[1], y[0]),
            Kernel::Select => self.select(x, y[0]),
            Kernel::Reduce { op, axes } => self.reduce(*op, x[0], axes, y[0]),
            Kernel::Matmul { transpose_a, transpose_b } => self.matmul(x[0], x[1], [*transpose_a, *transpose_b], y[0]),
            Kernel::Conv2d(p) => self.conv2d(p, x[0], x[1], y[0]),
            Kernel::Conv2dTranspose(p) => self.conv2d_transpose(p, x[0], x[1], y[0]),
            Kernel::Conv2dWeightGrad(p) => self.conv2d_weight_grad(p, x[0], x[1], y[0]),
            Kernel::Upfirdn2d(p) => self.upfirdn2d(p, x[0], y[0]),
            Kernel::AffineResample(p) | Kernel::AffineResampleTranspose(p) => self.affine_resample(kernel, p, x, y[0]),
            Kernel::GatherRows => self.gather_rows(x[0], x[1], y[0], 0, x[0].shape[0]),
            Kernel::ScatterRows => self.scatter_rows(x[0], x[1], y[0], 0, y[0].shape[0]),
            Kernel::Uniform(position) => self.uniform(*position, y[0]),
            Kernel::Normal(position) => self.normal(*position, y[0]),
            Kernel::BiasAct { alpha } => self.bias_act(x[0], x.get(1).copied(), *alpha, y[0]),
            Kernel::BiasActGrad { alpha } => self.bias_act_grad(x[0], x[1], *alpha, y[0]),
            Kernel::NoiseBiasAct { alpha } => self.noise_bias_act(x, *alpha, y[0]),
            Kernel::Adain => self.adain(x[0], x[1], y[0], y[1]),
            Kernel::AdainInputGrad => self.adain_input_grad(x, y[0]),
            Kernel::AdainStyleGrad => self.adain_style_grad(x[0], x[1], x[2], y[0]),
            Kernel::Layer(_) => unreachable!("this device does not say that it has layers"),
            Kernel::MinibatchStddev { group } => self.minibatch_stddev(x[0], *group, y[0]),
            Kernel::MinibatchStddevGrad { group } => self.minibatch_stddev_grad(x[0], x[1], *group, y[0]),
            Kernel::Adam(step) => self.adam(step, x[0], y),
        }
    }

    fn check_types(&self, kernel: &Kernel, inputs: &[&View], outs: &[&View]) -> Result<()> {
        let expected = |input: Option<usize>| match kernel {
            Kernel::Fill { .. } | Kernel::Copy { .. } | Kernel::Cast => None,
            Kernel::GatherRows | Kernel::ScatterRows if input == Some(1) => Some(DType::I32),
            _ => Some(DType::F32),
        };
        let (maps, gives_map) = kernel.maps();
        let inputs = inputs.iter().enumerate().map(|(at, view)| {
            let may_be_half = maps.get(at).is_some_and(|&is_map| is_map);
            (expected(Some(at)), may_be_half, view)
        });
        let outs = outs.iter().enumerate();
        let outs = outs.map(|(at, view)| (expected(None), gives_map && at == 0, view));
        let mut half = None;
        for (expected, may_be_half, view) in inputs.chain(outs) {
            let found = view.storage.dtype();
            if found.is_half() && may_be_half {
                let refuse = |message: String| Err(Error::shape(self.op, message));
                let channels = view.shape.last().copied().unwrap_or(1);
                if channels % 4 != 0 {
                    let shape = &view.shape;
                    return refuse(format!(
                        "the last axis of {found} must be a multiple of 4, got {shape:?}; cast it to f32 first"
                    ));
                }
                let other = half.replace(found).unwrap_or(found);
                if other != found {
                    return refuse(format!(
                        "feature maps must be of one type, got {other} and {found}; cast one first"
                    ));
                }
            } else if let Some(expected) = expected.filter(|&expected| expected != found) {
                return Err(Error::shape(
                    self.op,
                    format!("a GPU takes operands of {expected} here, got {found}; cast it first"),
                ));
            }
        }
        Ok(())
    }

    /// Enqueues a run of a shader.
    fn dispatch(
        &mut self,
        shader: &'static Shader,
        constants: &[u32],
        inputs: &[&Binding],
        outs: &[&Binding],
        params: &[u32],
        groups: [u32; 3],
    ) -> Result<()> {
        let job = Dispatch { shader, constants, inputs, outs, params, groups };
        self.recorder.dispatch(self.op, &job)
    }

    /// Whether results are added, as the constant of the shaders.
    fn add(&self) -> u32 {
        u32::from(self.accumulate)
    }

    /// Memory until the end of this launch.
    fn workspace(&self, elements: usize) -> Result<(Block, Binding)> {
        let block = self.pool.take(self.op, elements * 4)?;
        let binding = Binding::new(&block.slot, 0, elements * 4);
        Ok((block, binding))
    }
}

/// A tensor's bytes as a kernel sees them.
fn bind(view: &View) -> Binding {
    let storage = &view.storage;
    let size = storage.dtype().size();
    Binding::new(&block(storage).slot, storage.offset() * size, storage.len() * size).of(storage.dtype())
}

/// Whether a tensor is stored in 16 bits.
fn is_half(view: &View) -> bool {
    view.storage.dtype().is_half()
}

/// Elements `low..high` of a tensor as a kernel sees them, and how many of the kernel's come before: bindings begin at
/// multiples of 256 bytes.
fn bind_range(view: &View, low: usize, high: usize) -> (Binding, usize) {
    let storage = &view.storage;
    let size = storage.dtype().size();
    let first = low * size / Storage::ALIGNMENT * Storage::ALIGNMENT;
    let offset = storage.offset() * size + first;
    let binding = Binding::new(&block(storage).slot, offset, high * size - first);
    let binding = binding.of(storage.dtype());
    (binding, low - first / size)
}

/// Workgroups for one invocation an element.
fn flat(elements: usize) -> [u32; 3] {
    spread(elements.div_ceil(SIZE))
}

/// A grid of at least so many workgroups; the kernels count them along the first axis, then the second.
fn spread(groups: usize) -> [u32; 3] {
    if groups <= ROW { [groups as u32, 1, 1] } else { [ROW as u32, groups.div_ceil(ROW) as u32, 1] }
}

/// A parameter of type f32.
fn float(value: f64) -> u32 {
    (value as f32).to_bits()
}

/// 4 if vectors of so many elements divide all of `sizes`, else 1.
fn width(sizes: &[usize]) -> usize {
    if sizes.iter().all(|size| size.is_multiple_of(4)) { 4 } else { 1 }
}
