//! Resampling: by filters, and through affine maps.

use stylegan_tensor::{AffineResample, Error, Kernel, Result, Upfirdn2d, View};

use super::{Launch, bind, flat, float, width};
use crate::shader::{self, form};

/// Taps that fit into the parameters of upfirdn2d.wgsl and affine.wgsl.
const MAX_TAPS: usize = 23;

impl Launch<'_> {
    fn check_taps(&self, taps: &[f64]) -> Result<()> {
        if taps.len() <= MAX_TAPS {
            return Ok(());
        }
        Err(Error::shape(self.op, format!("a GPU takes at most {MAX_TAPS} taps, got {}", taps.len())))
    }

    pub fn upfirdn2d(&mut self, p: &Upfirdn2d, x: &View, y: &View) -> Result<()> {
        self.check_taps(&p.taps)?;
        let channels = x.shape[3];
        let width = width(&[channels]);
        let len = y.storage.len() / width;
        let [height, wide] = [x.shape[1], x.shape[2]];
        let sizes = [len, channels / width, height, wide, y.shape[1], y.shape[2], p.down];
        let mut params = sizes.map(|value| value as u32).to_vec();
        params.extend([p.padding[0], p.padding[2]].map(|value| (value as i32).cast_unsigned()));
        params.extend(p.taps.iter().map(|&tap| float(tap)));
        let (x, y, add) = (bind(x), bind(y), self.add());
        let [from, to] = [&x, &y].map(|operand| operand.form(width));
        let constants = [from, to, width as u32, add, p.taps.len() as u32, p.up as u32];
        self.dispatch(&shader::UPFIRDN2D, &constants, &[&x], &[&y], &params, flat(len))
    }

    /// `x [N, H, W, C], m [N, 2, 3] → y [N, H', W', C]`, or its adjoint.
    pub fn affine_resample(&mut self, kernel: &Kernel, p: &AffineResample, inputs: &[&View], out: &View) -> Result<()> {
        self.check_taps(&p.taps)?;
        let (shader, x, y) = match kernel {
            Kernel::AffineResample(_) => (&shader::AFFINE_RESAMPLE, inputs[0], out),
            _ => (&shader::AFFINE_RESAMPLE_TRANSPOSE, out, inputs[0]),
        };
        let channels = x.shape[3];
        let width = width(&[channels]);
        let len = out.storage.len() / width;
        let sizes = [len, channels / width, x.shape[1], x.shape[2], y.shape[1], y.shape[2], self.first];
        let mut params = sizes.map(|value| value as u32).to_vec();
        params.push(float(p.up as f64));
        params.extend(p.taps.iter().map(|&tap| float(tap)));
        let (from, m, to) = (bind(inputs[0]), bind(inputs[1]), bind(out));
        let forms = [from.form(width), form::SCALAR, to.form(width)];
        let options = [width as u32, self.add(), p.taps.len() as u32, u32::from(p.reflect)];
        let constants = [&forms[..], &options].concat();
        self.dispatch(shader, &constants, &[&from, &m], &[&to], &params, flat(len))
    }
}
