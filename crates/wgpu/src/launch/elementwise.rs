//! Kernels with one invocation for each element (or four).

use stylegan_tensor::{Binary, DType, Error, Position, Result, Unary, View, strides};

use super::movement::{MAX_AXES, merged, too_many_axes};
use super::{Launch, bind, flat, float, is_half, width};
use crate::shader::{self, binary_number, form::SCALAR, unary_number};

impl Launch<'_> {
    pub fn fill(&mut self, value: f64, y: &View) -> Result<()> {
        let dtype = y.storage.dtype();
        if dtype.is_half() {
            let runs = y.storage.len() / 4;
            let (out, params) = (bind(y), [runs as u32, float(value)]);
            let constants = [out.form(4), self.add()];
            return self.dispatch(&shader::FILL_RUNS, &constants, &[], &[&out], &params, flat(runs));
        }
        let bits = match dtype {
            DType::U8 => u32::from(value as u8),
            DType::I32 => (value as i32).cast_unsigned(),
            _ => float(value),
        };
        let len = y.storage.len();
        let constants = [dtype.size() as u32, self.add()];
        let params = [len as u32, bits];
        self.dispatch(&shader::FILL, &constants, &[], &[&bind(y)], &params, flat(len))
    }

    pub fn cast(&mut self, x: &View, y: &View) -> Result<()> {
        let len = y.storage.len();
        if is_half(x) || is_half(y) {
            return self.convert(x, y);
        }
        let code = |view: &View| match view.storage.dtype() {
            DType::U8 => 1,
            DType::I32 => 2,
            _ => 0,
        };
        let constants = [code(x), code(y), self.add()];
        let params = [len as u32];
        self.dispatch(&shader::CAST, &constants, &[&bind(x)], &[&bind(y)], &params, flat(len))
    }

    /// From or to 16 bits.
    fn convert(&mut self, x: &View, y: &View) -> Result<()> {
        let types = [x, y].map(|view| view.storage.dtype());
        if types.iter().any(|dtype| !dtype.is_float()) {
            let message = format!("{} does not become {}; cast it to f32 first", types[0], types[1]);
            return Err(Error::shape(self.op, message));
        }
        let runs = y.storage.len() / 4;
        let (x, y) = (bind(x), bind(y));
        let constants = [x.form(4), y.form(4), self.add()];
        let params = [runs as u32];
        self.dispatch(&shader::CONVERT, &constants, &[&x], &[&y], &params, flat(runs))
    }

    pub fn unary(&mut self, op: Unary, x: &View, y: &View) -> Result<()> {
        let (first, second) = match op {
            Unary::Affine { scale, shift } => (scale, shift),
            Unary::Clamp { low, high } => (low, high),
            _ => (0.0, 0.0),
        };
        let len = y.storage.len();
        let (shader, width) = if is_half(x) || is_half(y) { (&shader::UNARY_FOUR, 4) } else { (&shader::UNARY, 1) };
        let (x, y, runs) = (bind(x), bind(y), len / width);
        let constants = [x.form(width), y.form(width), unary_number(op), self.add()];
        let params = [runs as u32, float(first), float(second)];
        self.dispatch(shader, &constants, &[&x], &[&y], &params, flat(runs))
    }

    pub fn binary(&mut self, op: Binary, a: &View, b: &View, y: &View) -> Result<()> {
        let (inputs, out) = ([bind(a), bind(b)], bind(y));
        let inputs = [&inputs[0], &inputs[1]];
        let len = y.storage.len();
        let lens = [a.storage.len(), b.storage.len()];
        let any_half = [a, b, y].into_iter().any(is_half);
        let served_by_one = |l: usize| l == 1 && !any_half;
        if lens.iter().all(|&l| l == len || served_by_one(l)) {
            let width = width(&[len, lens[0], lens[1]]);
            let count = len / width;
            let step = |l: usize| u32::from(l == len);
            let params = [count as u32, step(lens[0]), step(lens[1])];
            let [a, b, y] = [inputs[0], inputs[1], &out].map(|x| x.form(width));
            let constants = [a, b, y, binary_number(op), width as u32, self.add()];
            return self.dispatch(&shader::BINARY, &constants, &inputs, &[&out], &params, flat(count));
        }
        let (rank, mut params) = self.broadcast(&[a, b], y)?;
        let (shader, width) = if any_half { (&shader::BROADCAST_FOUR, 4) } else { (&shader::BROADCAST, 1) };
        let len = len / width;
        params[0] = len as u32;
        // Operands are read one by one.
        let [a, b] = inputs.map(|x| x.form(1));
        let constants = [a, b, out.form(width), binary_number(op), rank, self.add()];
        self.dispatch(shader, &constants, &inputs, &[&out], &params, flat(len))
    }

    pub fn select(&mut self, x: &[&View], y: &View) -> Result<()> {
        let (rank, params) = self.broadcast(x, y)?;
        let inputs = [bind(x[0]), bind(x[1]), bind(x[2])];
        let constants = [SCALAR, SCALAR, SCALAR, SCALAR, rank, self.add()];
        self.dispatch(
            &shader::SELECT,
            &constants,
            &[&inputs[0], &inputs[1], &inputs[2]],
            &[&bind(y)],
            &params,
            flat(y.storage.len()),
        )
    }

    /// Number of axes and the parameters of broadcast.wgsl.
    fn broadcast(&self, operands: &[&View], y: &View) -> Result<(u32, Vec<u32>)> {
        let steps = operands.iter().map(|x| broadcast_steps(&x.shape, &y.shape));
        let (sizes, steps) = merged(&y.shape, steps.collect());
        if sizes.len() > MAX_AXES {
            return Err(too_many_axes(self.op, &y.shape));
        }
        let mut params = vec![0; 1 + 4 * MAX_AXES];
        params[0] = y.storage.len() as u32;
        for (axis, &size) in sizes.iter().enumerate() {
            params[1 + axis] = size as u32;
            for (operand, steps) in steps.iter().enumerate() {
                params[1 + MAX_AXES * (operand + 1) + axis] = steps[axis] as u32;
            }
        }
        Ok((sizes.len() as u32, params))
    }

    pub fn uniform(&mut self, position: Position, y: &View) -> Result<()> {
        let params = philox(position, y);
        let groups = flat(y.storage.len().div_ceil(4));
        self.dispatch(&shader::UNIFORM, &[self.add()], &[], &[&bind(y)], &params, groups)
    }

    pub fn normal(&mut self, position: Position, y: &View) -> Result<()> {
        let params = philox(position, y);
        let groups = flat(y.storage.len().div_ceil(4));
        self.dispatch(&shader::NORMAL, &[self.add()], &[], &[&bind(y)], &params, groups)
    }

    pub fn bias_act(&mut self, x: &View, b: Option<&View>, alpha: f64, y: &View) -> Result<()> {
        let len = y.storage.len();
        let Some(b) = b else {
            let width = width(&[len]);
            let params = [(len / width) as u32, float(alpha)];
            let (x, y, groups) = (bind(x), bind(y), flat(len / width));
            let constants = [x.form(width), y.form(width), width as u32, self.add()];
            return self.dispatch(&shader::ACT, &constants, &[&x], &[&y], &params, groups);
        };
        let channels = b.storage.len();
        let width = width(&[channels]);
        let params = [(len / width) as u32, (channels / width) as u32, float(alpha)];
        let (x, b, y, groups) = (bind(x), bind(b), bind(y), flat(len / width));
        let forms = [&x, &b, &y].map(|operand| operand.form(width));
        let constants = [forms[0], forms[1], forms[2], width as u32, self.add()];
        self.dispatch(&shader::BIAS_ACT, &constants, &[&x, &b], &[&y], &params, groups)
    }

    pub fn bias_act_grad(&mut self, g: &View, of: &View, alpha: f64, y: &View) -> Result<()> {
        let len = y.storage.len();
        let width = width(&[len]);
        let params = [(len / width) as u32, float(alpha)];
        let (g, of, y, groups) = (bind(g), bind(of), bind(y), flat(len / width));
        let forms = [&g, &of, &y].map(|operand| operand.form(width));
        let constants = [forms[0], forms[1], forms[2], width as u32, self.add()];
        self.dispatch(&shader::BIAS_ACT_GRAD, &constants, &[&g, &of], &[&y], &params, groups)
    }

    pub fn noise_bias_act(&mut self, x: &[&View], alpha: f64, y: &View) -> Result<()> {
        let (x, noise, strength, b) = (x[0], x[1], x[2], x[3]);
        let channels = strength.storage.len();
        let width = width(&[channels]);
        let len = y.storage.len() / width;
        let params = [len as u32, (channels / width) as u32, noise.storage.len() as u32, float(alpha)];
        let (x, noise, strength, b, y) = (bind(x), bind(noise), bind(strength), bind(b), bind(y));
        let forms = [&x, &strength, &b, &y].map(|operand| operand.form(width));
        let constants = [forms[0], SCALAR, forms[1], forms[2], forms[3], width as u32, self.add()];
        let inputs = [&x, &noise, &strength, &b];
        self.dispatch(&shader::NOISE_BIAS_ACT, &constants, &inputs, &[&y], &params, flat(len))
    }
}

/// The parameters of philox.wgsl.
fn philox(position: Position, y: &View) -> [u32; 7] {
    let halves = |word: u64| [word as u32, (word >> 32) as u32];
    let (key, stream) = (halves(position.seed), halves(position.stream));
    let block = halves(position.offset / 4);
    let len = y.storage.len() as u32;
    [len, key[0], key[1], stream[0], stream[1], block[0], block[1]]
}

/// Steps through an operand of shape `from` along each axis of `to`: 0 where it is broadcast.
fn broadcast_steps(from: &[usize], to: &[usize]) -> Vec<isize> {
    let missing = to.len() - from.len();
    let steps = strides(from);
    let step = |axis: usize| match axis.checked_sub(missing) {
        Some(i) if from[i] != 1 => steps[i] as isize,
        _ => 0,
    };
    (0..to.len()).map(step).collect()
}
