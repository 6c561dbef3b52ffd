//! Kernels whose operands take more than a line to prepare.

use stylegan_cpu_kernels::adam::{self, Arenas};
use stylegan_cpu_kernels::affine::{Affine, affine_resample, affine_resample_transpose};
use stylegan_cpu_kernels::conv::{Conv, Scratch};
use stylegan_cpu_kernels::layer::{self, Inputs};
use stylegan_cpu_kernels::normalize::{self, Image};
use stylegan_cpu_kernels::resample::{Resample, upfirdn2d};
use stylegan_cpu_kernels::stddev::{self, Groups};
use stylegan_cpu_kernels::{elementwise, movement};
use stylegan_tensor::{AdamStep, AffineResample, Conv2d, Kernel, Layer, Result, Upfirdn2d};

use crate::launch::Launch;
use crate::memory::{Slice, SliceMut};

impl Launch<'_> {
    pub(crate) fn copy(&self, strided: &movement::Strided, y: &mut [SliceMut], accumulate: bool) -> Result<()> {
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

    pub(crate) fn cast(&self, y: &mut [SliceMut]) -> Result<()> {
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
            Some(Slice::F32(x)) => match y {
                // As images become bytes: the same without f64, in a third of the time.
                SliceMut::U8(y) => movement::cast(x, y, |x| x as u8),
                y => to(x, y),
            },
            Some(Slice::F64(x)) => to(x, y),
            Some(Slice::U8(x)) => to(x, y),
            Some(Slice::I32(x)) => to(x, y),
            None => return Err(self.error("one input is expected, got none")),
        }
        Ok(())
    }

    pub(crate) fn rows(&self, y: &mut [SliceMut]) -> Result<()> {
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

    pub(crate) fn upfirdn2d(&self, p: &Upfirdn2d, y: &mut [SliceMut]) -> Result<()> {
        let ([x], [y]) = (self.floats()?, self.floats_mut(y)?);
        let [_, height, width, _] = self.sizes(&self.outs[0].shape)?;
        let taps: Vec<f32> = p.taps.iter().map(|&tap| tap as f32).collect();
        let p = Resample {
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

    pub(crate) fn affine_resample(&self, p: &AffineResample, y: &mut [SliceMut]) -> Result<()> {
        let ([from, m], [to]) = (self.floats()?, self.floats_mut(y)?);
        let taps: Vec<f32> = p.taps.iter().map(|&tap| tap as f32).collect();
        let is_forward = matches!(self.kernel, Kernel::AffineResample(_));
        let [x, out] = [self.shape(0), &self.outs[0].shape];
        let [x, out] = if is_forward { [x, out] } else { [out, x] };
        let [_, height, width, _] = self.sizes(out)?;
        let p = Affine { shape: self.sizes(x)?, out: [height, width], up: p.up, taps: &taps, reflect: p.reflect };
        if is_forward {
            affine_resample(&p, from, m, to);
        } else {
            affine_resample_transpose(&p, from, m, to);
        }
        Ok(())
    }

    pub(crate) fn activate(&self, y: &mut [SliceMut], accumulate: bool) -> Result<()> {
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
            Kernel::NoiseBiasAct { alpha } => {
                let [x, noise, strength, b] = self.floats()?;
                elementwise::noise_bias_act(x, noise, [strength, b], *alpha as f32, y);
            }
            _ => return Err(self.error("is no activation")),
        }
        Ok(())
    }

    pub(crate) fn normalize(&self, y: &mut [SliceMut]) -> Result<()> {
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

    pub(crate) fn layer(&self, p: &Layer, y: &mut [SliceMut], scratch: &mut Scratch) -> Result<()> {
        let mut next = 3..;
        let mut take = |is_given: bool| is_given.then(|| self.float(next.next().unwrap_or_default())).transpose();
        let [x, w, b] = [self.float(0)?, self.float(1)?, self.float(2)?];
        let normal = take(p.has_normal)?;
        let noise = take(p.has_noise)?.zip(take(p.has_noise)?).map(|(noise, strength)| [noise, strength]);
        let inputs = Inputs { x, w, b, normal, noise, style: take(p.has_style)? };
        let form = layer::Layer {
            conv: self.geometry(&p.conv, self.shape(0), self.shape(1), &self.outs[0].shape)?,
            is_upscaled: p.is_upscaled,
            gain: p.gain as f32,
            algorithm: p.conv.algorithm,
            blur: p.blur.map(|taps| taps.map(|tap| tap as f32)),
            alpha: p.alpha as f32,
        };
        if p.has_style {
            let [y, normal] = self.floats_mut(y)?;
            layer::layer(&form, inputs, y, normal, scratch);
        } else {
            let [y] = self.floats_mut(y)?;
            layer::layer(&form, inputs, y, &mut [], scratch);
        }
        Ok(())
    }

    pub(crate) fn deviate(&self, size: usize, y: &mut [SliceMut]) -> Result<()> {
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

    pub(crate) fn adam(&self, step: &AdamStep, y: &mut [SliceMut], accumulate: bool) -> Result<()> {
        if accumulate {
            return Err(self.error("a step is taken in place; it cannot be accumulated"));
        }
        let [grad] = self.floats()?;
        let arenas = if y.len() == 4 {
            let [params, m, v, state] = self.floats_mut(y)?;
            Arenas { params, m, v, state, average: None }
        } else {
            let [params, m, v, state, average] = self.floats_mut(y)?;
            Arenas { params, m, v, state, average: Some(average) }
        };
        adam::adam(step, grad, arenas);
        Ok(())
    }

    pub(crate) fn geometry(&self, p: &Conv2d, x: &[usize], w: &[usize], y: &[usize]) -> Result<Conv> {
        let ([n, h, width, c], [kh, kw, _, o]) = (self.sizes(x)?, self.sizes(w)?);
        let [_, oh, ow, _] = self.sizes(y)?;
        Ok(Conv { n, h, w: width, c, kh, kw, o, oh, ow, stride: p.stride, padding: p.padding })
    }
}
