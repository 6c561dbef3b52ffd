//! Which function computes which kernel.

use candle_core::Tensor;
use stylegan_kernels::adam::{self, Arenas};
use stylegan_kernels::conv::{self, Conv, Scratch};
use stylegan_kernels::normalize::{self, Image};
use stylegan_kernels::resample::{self, upfirdn2d};
use stylegan_kernels::stddev::{self, Groups};
use stylegan_kernels::{elementwise, matmul, movement, random, reduce};
use stylegan_tensor::{
    AdamStep, Algorithm, Binary, Conv2d, DType, Error, Executor, Kernel, Operand, Position, Reduce, Result, Unary,
    Upfirdn2d,
};

use crate::memory::{Slice, SliceMut, allocate, with_slices};

/// Runs kernels on this machine's cores. Workspace is kept from kernel to kernel.
#[derive(Default)]
pub struct Cpu {
    conv: Scratch,
    /// Results of kernels that cannot add to their output themselves, by output.
    results: Vec<Vec<f32>>,
}

impl Executor for Cpu {
    type Memory = Tensor;

    fn allocate(len: usize, dtype: DType) -> Option<Tensor> {
        allocate(len, dtype)
    }

    fn execute(
        &mut self,
        kernel: &Kernel,
        inputs: &[Operand<Tensor>],
        outs: &[Operand<Tensor>],
        accumulate: bool,
    ) -> Result<()> {
        with_slices(kernel.name(), inputs, outs, |x, y| {
            let launch = Launch { kernel, inputs, outs, x };
            if accumulate && !adds_itself(kernel) {
                launch.run_and_add(&mut self.conv, &mut self.results, y)
            } else {
                launch.run(&mut self.conv, y, accumulate)
            }
        })
    }

    fn write(&mut self, to: &Operand<Tensor>, bytes: &[u8]) {
        let written = with_slices("write", &[], std::slice::from_ref(to), |_, y| {
            let to: &mut [u8] = match &mut y[0] {
                SliceMut::F32(y) => bytemuck::cast_slice_mut(y),
                SliceMut::F64(y) => bytemuck::cast_slice_mut(y),
                SliceMut::I32(y) => bytemuck::cast_slice_mut(y),
                SliceMut::U8(y) => y,
            };
            to.copy_from_slice(bytes);
            Ok(())
        });
        // The stream turns a panic into the device's fault.
        written.expect("a storage lies inside of its block");
    }

    fn read(&mut self, from: &Operand<Tensor>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let read = with_slices("read", std::slice::from_ref(from), &[], |x, _| {
            let from: &[u8] = match x[0] {
                Slice::F32(x) => bytemuck::cast_slice(x),
                Slice::F64(x) => bytemuck::cast_slice(x),
                Slice::I32(x) => bytemuck::cast_slice(x),
                Slice::U8(x) => x,
            };
            bytes.extend_from_slice(from);
            Ok(())
        });
        read.expect("a storage lies inside of its block");
        bytes
    }
}

/// Whether the kernel's function takes `accumulate`.
fn adds_itself(kernel: &Kernel) -> bool {
    use Kernel::{
        Adam, AddNoise, BiasAct, BiasActGrad, Conv2d, Conv2dTranspose, Conv2dWeightGrad, Copy, Matmul, Select,
    };
    matches!(kernel, Kernel::Binary(_) | Kernel::Unary(_) | BiasAct { .. } | BiasActGrad { .. } | AddNoise | Select)
        || matches!(kernel, Conv2d(_) | Conv2dTranspose(_) | Conv2dWeightGrad(_) | Matmul { .. } | Copy { .. } | Adam(_))
}

/// A kernel and its operands.
struct Launch<'a> {
    kernel: &'a Kernel,
    inputs: &'a [Operand<Tensor>],
    outs: &'a [Operand<Tensor>],
    x: &'a [Slice<'a>],
}

impl Launch<'_> {
    /// Computes beside the outputs, then adds.
    fn run_and_add(&self, conv: &mut Scratch, results: &mut Vec<Vec<f32>>, y: &mut [SliceMut]) -> Result<()> {
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
            let one = elementwise::Unary::Affine { scale: 1.0, shift: 0.0 };
            elementwise::unary(one, &result[..y.len()], y, true);
        }
        Ok(())
    }

    fn run(&self, conv: &mut Scratch, y: &mut [SliceMut], accumulate: bool) -> Result<()> {
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
                elementwise::unary(unary(*op), x, y, accumulate);
            }
            Kernel::Binary(op) => {
                let ([a, b], [y]) = (self.floats()?, self.floats_mut(y)?);
                let (a, b) = ((a, self.shape(0)), (b, self.shape(1)));
                elementwise::binary(binary(*op), a, b, y, &self.outs[0].shape, accumulate);
            }
            Kernel::Select => {
                let ([c, a, b], [y]) = (self.floats()?, self.floats_mut(y)?);
                let (c, a, b) = ((c, self.shape(0)), (a, self.shape(1)), (b, self.shape(2)));
                elementwise::select(c, a, b, y, &self.outs[0].shape, accumulate);
            }
            Kernel::Reduce { op, axes } => {
                let ([x], [y]) = (self.floats()?, self.floats_mut(y)?);
                let op = match op {
                    Reduce::Sum => reduce::Reduce::Sum,
                    Reduce::Mean => reduce::Reduce::Mean,
                    Reduce::Max => reduce::Reduce::Max,
                };
                reduce::reduce(op, x, self.shape(0), axes, y);
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
                conv::conv2d(&g, x, w, y, algorithm(p), accumulate, conv);
            }
            Kernel::Conv2dTranspose(p) => {
                let ([y, w], [x]) = (self.floats()?, self.floats_mut(y)?);
                let g = self.geometry(p, &self.outs[0].shape, self.shape(1), self.shape(0))?;
                conv::conv2d_transpose(&g, y, w, x, algorithm(p), accumulate, conv);
            }
            Kernel::Conv2dWeightGrad(p) => {
                let ([x, y], [w]) = (self.floats()?, self.floats_mut(y)?);
                let g = self.geometry(p, self.shape(0), &self.outs[0].shape, self.shape(1))?;
                conv::conv2d_weight_grad(&g, x, y, w, algorithm(p), accumulate, conv);
            }
            Kernel::Upfirdn2d(p) => self.upfirdn2d(p, y)?,
            Kernel::GatherRows | Kernel::ScatterRows => self.rows(y)?,
            Kernel::Uniform(at) => {
                let [y] = self.floats_mut(y)?;
                random::uniform(position(*at), y);
            }
            Kernel::Normal(at) => {
                let [y] = self.floats_mut(y)?;
                random::normal(position(*at), y);
            }
            Kernel::BiasAct { .. } | Kernel::BiasActGrad { .. } | Kernel::AddNoise => self.activate(y, accumulate)?,
            Kernel::Adain | Kernel::AdainInputGrad | Kernel::AdainStyleGrad => self.normalize(y)?,
            Kernel::MinibatchStddev { group } | Kernel::MinibatchStddevGrad { group } => self.deviate(*group, y)?,
            Kernel::Adam(step) => self.adam(step, y, accumulate)?,
        }
        Ok(())
    }

    fn copy(&self, strided: &movement::Strided, y: &mut [SliceMut], accumulate: bool) -> Result<()> {
        match (self.x.first(), self.first(y)?) {
            (Some(Slice::F32(x)), SliceMut::F32(y)) if accumulate => movement::copy(strided, x, y, |y, x| *y += x),
            _ if accumulate => return Err(self.error("results are added to f32 outputs only")),
            (Some(Slice::F32(x)), SliceMut::F32(y)) => movement::copy(strided, x, y, |y, x| *y = x),
            (Some(Slice::F64(x)), SliceMut::F64(y)) => movement::copy(strided, x, y, |y, x| *y = x),
            (Some(Slice::U8(x)), SliceMut::U8(y)) => movement::copy(strided, x, y, |y, x| *y = x),
            (Some(Slice::I32(x)), SliceMut::I32(y)) => movement::copy(strided, x, y, |y, x| *y = x),
            _ => return Err(self.error("expected an input of the output's type")),
        }
        Ok(())
    }

    fn cast(&self, y: &mut [SliceMut]) -> Result<()> {
        fn to<S: Copy + Sync + Into<f64>>(x: &[S], y: &mut SliceMut) {
            // f64 holds every value of the other types; `as` truncates and clamps.
            match y {
                SliceMut::F32(y) => movement::cast(x, y, |x| x.into() as f32),
                SliceMut::F64(y) => movement::cast(x, y, |x| x.into()),
                SliceMut::U8(y) => movement::cast(x, y, |x| x.into() as u8),
                SliceMut::I32(y) => movement::cast(x, y, |x| x.into() as i32),
            }
        }
        let y = self.first(y)?;
        match self.x.first() {
            Some(Slice::F32(x)) => to(x, y),
            Some(Slice::F64(x)) => to(x, y),
            Some(Slice::U8(x)) => to(x, y),
            Some(Slice::I32(x)) => to(x, y),
            None => return Err(self.error("expected one input, got none")),
        }
        Ok(())
    }

    fn rows(&self, y: &mut [SliceMut]) -> Result<()> {
        let [Slice::F32(x), Slice::I32(rows)] = self.x else {
            return Err(self.error("expected an f32 and an i32 input"));
        };
        let [y] = self.floats_mut(y)?;
        let [_, width] = self.sizes(self.shape(0))?;
        let done = match self.kernel {
            Kernel::GatherRows => movement::gather_rows(x, rows, width, y),
            _ => movement::scatter_rows(x, rows, width, y),
        };
        done.map_err(|e| self.error(&format!("rows must be in 0..{}, got {}", e.count, e.row)))
    }

    fn upfirdn2d(&self, p: &Upfirdn2d, y: &mut [SliceMut]) -> Result<()> {
        let ([x], [y]) = (self.floats()?, self.floats_mut(y)?);
        let [_, height, width, _] = self.sizes(&self.outs[0].shape)?;
        let taps: Vec<f32> = p.taps.iter().map(|&tap| tap as f32).collect();
        let p = resample::Upfirdn2d {
            shape: self.sizes(self.shape(0))?,
            out: [height, width],
            up: p.up,
            down: p.down,
            taps: &taps,
            before: [p.padding[0], p.padding[2]],
        };
        upfirdn2d(&p, x, y);
        Ok(())
    }

    fn activate(&self, y: &mut [SliceMut], accumulate: bool) -> Result<()> {
        let [y] = self.floats_mut(y)?;
        match self.kernel {
            Kernel::BiasActGrad { alpha } => {
                let [g, saved] = self.floats()?;
                elementwise::bias_act_grad(g, saved, *alpha as f32, y, accumulate);
            }
            Kernel::BiasAct { alpha } if self.x.len() == 1 => {
                let [x] = self.floats()?;
                elementwise::bias_act(x, None, *alpha as f32, y, accumulate);
            }
            Kernel::BiasAct { alpha } => {
                let [x, b] = self.floats()?;
                elementwise::bias_act(x, Some(b), *alpha as f32, y, accumulate);
            }
            _ => {
                let [x, noise, strength] = self.floats()?;
                let (x, noise) = ((x, self.shape(0)), (noise, self.shape(1)));
                elementwise::add_noise(x, noise, strength, y, accumulate);
            }
        }
        Ok(())
    }

    fn normalize(&self, y: &mut [SliceMut]) -> Result<()> {
        let at = usize::from(!matches!(self.kernel, Kernel::Adain));
        let [_, height, width, channels] = self.sizes(self.shape(at))?;
        let image = Image { pixels: height * width, channels };
        match self.kernel {
            Kernel::Adain => {
                let ([x, style], [y, stats]) = (self.floats()?, self.floats_mut(y)?);
                normalize::adain(image, x, style, y, stats);
            }
            Kernel::AdainInputGrad => {
                let ([g, x, style, stats], [dx]) = (self.floats()?, self.floats_mut(y)?);
                normalize::adain_input_grad(image, g, x, style, stats, dx);
            }
            _ => {
                let ([g, x, stats], [dstyle]) = (self.floats()?, self.floats_mut(y)?);
                normalize::adain_style_grad(image, g, x, stats, dstyle);
            }
        }
        Ok(())
    }

    fn deviate(&self, size: usize, y: &mut [SliceMut]) -> Result<()> {
        let [y] = self.floats_mut(y)?;
        let groups = |x: usize| {
            let (images, elements) = (self.shape(x)[0], self.inputs[x].len);
            Groups { count: images / size, size, image: elements / images.max(1) }
        };
        if let Kernel::MinibatchStddev { .. } = self.kernel {
            let [x] = self.floats()?;
            stddev::minibatch_stddev(groups(0), x, y);
        } else {
            let [g, x] = self.floats()?;
            stddev::minibatch_stddev_grad(groups(1), g, x, y);
        }
        Ok(())
    }

    fn adam(&self, step: &AdamStep, y: &mut [SliceMut], accumulate: bool) -> Result<()> {
        if accumulate {
            return Err(self.error("a step is taken in place; it cannot be accumulated"));
        }
        let &AdamStep { rate, beta1, beta2, epsilon, average_beta } = step;
        let step = adam::AdamStep { rate, beta1, beta2, epsilon, average_beta };
        let [grad] = self.floats()?;
        let arenas = if y.len() == 4 {
            let [params, m, v, state] = self.floats_mut(y)?;
            Arenas { params, m, v, state, average: None }
        } else {
            let [params, m, v, state, average] = self.floats_mut(y)?;
            Arenas { params, m, v, state, average: Some(average) }
        };
        adam::adam(&step, grad, arenas);
        Ok(())
    }

    fn geometry(&self, p: &Conv2d, x: &[usize], w: &[usize], y: &[usize]) -> Result<Conv> {
        let ([n, h, width, c], [kh, kw, _, o]) = (self.sizes(x)?, self.sizes(w)?);
        let [_, oh, ow, _] = self.sizes(y)?;
        Ok(Conv { n, h, w: width, c, kh, kw, o, oh, ow, stride: p.stride, padding: p.padding })
    }

    fn shape(&self, input: usize) -> &[usize] {
        self.inputs.get(input).map_or(&[], |input| &input.shape)
    }

    fn sizes<const K: usize>(&self, shape: &[usize]) -> Result<[usize; K]> {
        shape.try_into().map_err(|_| self.error(&format!("expected {K} axes, got {shape:?}")))
    }

    /// The inputs, which must be K of f32.
    fn floats<const K: usize>(&self) -> Result<[&[f32]; K]> {
        let floats = self.x.iter().filter_map(|x| if let Slice::F32(x) = x { Some(*x) } else { None });
        let floats: Vec<&[f32]> = floats.collect();
        let found = format_args!("expected {K} f32 inputs, got {} of {}", floats.len(), self.x.len()).to_string();
        if self.x.len() != K {
            return Err(self.error(&found));
        }
        floats.try_into().map_err(|_| self.error(&found))
    }

    /// The outputs, which must be K of f32.
    fn floats_mut<'y, const K: usize>(&self, y: &'y mut [SliceMut]) -> Result<[&'y mut [f32]; K]> {
        let floats = y.iter_mut().filter_map(|y| if let SliceMut::F32(y) = y { Some(&mut **y) } else { None });
        let floats: Vec<&mut [f32]> = floats.collect();
        let found = floats.len();
        floats.try_into().map_err(|_| self.error(&format!("expected {K} f32 outputs, got {found}")))
    }

    fn first<'y, 'a>(&self, y: &'y mut [SliceMut<'a>]) -> Result<&'y mut SliceMut<'a>> {
        y.first_mut().ok_or_else(|| self.error("expected one output, got none"))
    }

    fn error(&self, message: &str) -> Error {
        Error::device(self.kernel.name(), message)
    }
}

fn algorithm(p: &Conv2d) -> Option<conv::Algorithm> {
    match p.algorithm {
        Algorithm::Auto => None,
        Algorithm::Im2col => Some(conv::Algorithm::Im2col),
        Algorithm::Shifted => Some(conv::Algorithm::Shifted),
        Algorithm::Direct => Some(conv::Algorithm::Direct),
    }
}

fn position(at: Position) -> random::Position {
    random::Position { seed: at.seed, stream: at.stream, offset: at.offset }
}

fn unary(op: Unary) -> elementwise::Unary {
    match op {
        Unary::Affine { scale, shift } => elementwise::Unary::Affine { scale: scale as f32, shift: shift as f32 },
        Unary::Exp => elementwise::Unary::Exp,
        Unary::Log => elementwise::Unary::Log,
        Unary::Sqrt => elementwise::Unary::Sqrt,
        Unary::Rsqrt => elementwise::Unary::Rsqrt,
        Unary::Square => elementwise::Unary::Square,
        Unary::Softplus => elementwise::Unary::Softplus,
        Unary::Sigmoid => elementwise::Unary::Sigmoid,
        Unary::Sin => elementwise::Unary::Sin,
        Unary::Cos => elementwise::Unary::Cos,
        Unary::Acos => elementwise::Unary::Acos,
        Unary::Clamp { low, high } => elementwise::Unary::Clamp { low: low as f32, high: high as f32 },
    }
}

fn binary(op: Binary) -> elementwise::Binary {
    match op {
        Binary::Add => elementwise::Binary::Add,
        Binary::Sub => elementwise::Binary::Sub,
        Binary::Mul => elementwise::Binary::Mul,
        Binary::Div => elementwise::Binary::Div,
        Binary::Greater => elementwise::Binary::Greater,
        Binary::GreaterEqual => elementwise::Binary::GreaterEqual,
        Binary::Equal => elementwise::Binary::Equal,
    }
}
