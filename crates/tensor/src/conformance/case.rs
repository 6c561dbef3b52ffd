use crate::{DType, Kernel, Position, Shape, uniform_from_bits};

/// Half the distance from 1 to the next f32: the relative error of one rounding.
pub(super) const EPSILON: f64 = 1.0 / (1 << 24) as f64;

/// A few operations, each within about one rounding of the right result.
pub(super) const ELEMENTWISE: f64 = 8.0 * EPSILON;

/// Allowed for a sum of `n` terms of either sign in f32, relative to the largest such sum: partial sums grow as √k, so
/// that their n roundings add up to about ε·n/2, and the largest sums to 3√n. The 4 allows for other orders.
pub(super) fn sum_of(n: usize) -> f64 {
    4.0 * EPSILON * ((n as f64).sqrt() + 4.0)
}

/// Values of an operand, which f32 holds exactly.
#[derive(Clone)]
pub(super) struct Values {
    pub shape: Shape,
    /// `None` is the device's float type.
    pub dtype: Option<DType>,
    pub values: Vec<f64>,
}

impl Values {
    /// Given values, rounded to f32.
    pub fn of(shape: &[usize], values: impl IntoIterator<Item = f64>) -> Self {
        let values: Vec<f64> = values.into_iter().map(|v| f64::from(v as f32)).collect();
        assert_eq!(values.len(), shape.iter().product::<usize>(), "as many values as elements");
        Self { shape: shape.to_vec(), dtype: None, values }
    }

    pub fn list(values: &[f64]) -> Self {
        Self::of(&[values.len()], values.iter().copied())
    }

    pub fn typed(mut self, dtype: DType) -> Self {
        self.dtype = Some(dtype);
        self
    }

    pub fn map(mut self, f: impl Fn(f64) -> f64) -> Self {
        self.values.iter_mut().for_each(|v| *v = f64::from(f(*v) as f32));
        self
    }
}

/// A source of values: the same ones in every run.
pub(super) struct Data(Position);

impl Data {
    pub fn new(seed: u64) -> Self {
        Self(Position { seed, ..Position::default() })
    }

    /// Uniform between −1 and 1.
    pub fn signed(&mut self, shape: &[usize]) -> Values {
        self.between(shape, -1.0, 1.0)
    }

    /// Uniform between `low` and `high`.
    pub fn between(&mut self, shape: &[usize], low: f64, high: f64) -> Values {
        let len: usize = shape.iter().product();
        let bits = (0..len.div_ceil(4) as u64).flat_map(|block| self.0.block(block));
        let uniforms = bits.take(len).map(|bits| f64::from(uniform_from_bits(bits)));
        let values = Values::of(shape, uniforms.map(|u| low + u * (high - low)));
        self.0.offset += len.next_multiple_of(4) as u64;
        values
    }

    /// Whole numbers from 0 to `count` − 1.
    pub fn rows(&mut self, len: usize, count: usize) -> Values {
        let uniforms = self.between(&[len], 0.0, 1.0);
        uniforms.map(|u| (u * count as f64).ceil() - 1.0).typed(DType::I32)
    }
}

/// One computation, and how well it must agree.
pub(super) struct Case {
    /// Ways to say the same, each of which runs.
    pub kernels: Vec<Kernel>,
    pub inputs: Vec<Values>,
    /// What the outputs hold before.
    pub outs: Vec<Values>,
    /// Largest error allowed in f32, relative to the largest value expected.
    pub tolerance: f64,
    /// Allowed on top of that for operands that a device rounds.
    pub rounded: f64,
    /// Used in place of the largest value expected, if given.
    pub scale: Option<f64>,
}

impl Case {
    /// A case whose result must be exact.
    pub fn new(kernel: Kernel, inputs: Vec<Values>, outs: &[&[usize]]) -> Self {
        let mut data = Data::new(inputs.len() as u64);
        Self {
            kernels: vec![kernel],
            inputs,
            outs: outs.iter().map(|shape| data.signed(shape)).collect(),
            tolerance: 0.0,
            rounded: 0.0,
            scale: None,
        }
    }

    /// Relative to the largest value expected.
    pub fn within(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// As it is.
    pub fn within_absolute(mut self, tolerance: f64) -> Self {
        self.scale = Some(1.0);
        self.within(tolerance)
    }

    /// The kernel's name.
    pub fn name(&self) -> &'static str {
        self.kernels[0].name()
    }

    /// Whether the kernel reads what its outputs hold, even if it does not add to it.
    pub fn is_in_place(&self) -> bool {
        matches!(self.kernels[0], Kernel::Copy { .. } | Kernel::Adam(_))
    }

    /// Whether results may be added to the outputs.
    pub fn accumulates(&self) -> bool {
        !matches!(self.kernels[0], Kernel::Adam(_)) && self.outs.iter().all(|out| out.dtype.is_none_or(DType::is_float))
    }
}
