//! The closed list of what a device computes. A variant's comment is its exact meaning, and
//! `reference/` says the same in loops. `x → y` names inputs and outputs in their order.
//!
//! **Roles of floats.** A float operand is a feature map, or anything else: a weight, a style, statistics, a gradient of those. Feature
//! maps may lie in 16 bits ([`DType::is_half`]) on a device that stores them so; the last axis is then a multiple of 4. Everything
//! else is in the device's own float type. Kernels compute in that type and round when they store; but a GPU with units for matrices
//! multiplies in f16 where an operand is f16, and adds the products in f32.
//! [`Kernel::maps`] says which operands are feature maps, [`Kernel::output`] of which type a result is.
//!
//! **Nothing.** A size of 0 is a size like any other. A result without elements is nothing to compute. Where an input has no
//! elements but the result does, the result is what the mathematics of an empty sum says ([`Kernel::of_nothing`]): a sum is 0, a
//! mean is 0/0, NaN. There is no largest of no elements, no row of a table without rows, and no step without parameters: these are
//! refused. [`Backend::launch`](crate::Backend::launch) does all this, so that no device sees an empty input.

use crate::DType;

/// One computation on a device.
#[derive(Clone, Debug, PartialEq)]
pub enum Kernel {
    /// `() → y`: every element is `value`.
    Fill {
        /// The value.
        value: f64,
    },
    /// `x → y`: `y[dst + Σ i·dst_strides] = x[src + Σ i·src_strides]` for every index `i` in `shape`; offsets and
    /// strides count elements, and source strides may be 0 or negative. Permute, slice, flip, broadcast are one
    /// copy that covers y; pad and concat fill or copy first. The other elements of y keep their values.
    Copy {
        /// The index space.
        shape: Vec<usize>,
        /// First element read.
        src: usize,
        /// Steps in x along each axis.
        src_strides: Vec<isize>,
        /// First element written.
        dst: usize,
        /// Steps in y along each axis; no element is written twice.
        dst_strides: Vec<isize>,
    },
    /// `x → y`: the same values in y's dtype. To an integer type: truncated towards zero, then clamped to its
    /// range; NaN becomes 0.
    Cast,
    /// `x → y`, elementwise.
    Unary(Unary),
    /// `a, b → y`, elementwise with NumPy broadcasting to y's shape.
    Binary(Binary),
    /// `c, a, b → y`: a where c is not 0, else b, with broadcasting to y's shape.
    Select,
    /// `x → y`: `axes` of x reduced; y has them with size 1 or not at all. f32 sums accumulate in blocks of a fixed
    /// size that do not depend on the number of threads.
    Reduce {
        /// What is computed over the axes.
        op: Reduce,
        /// Different axes of x, ascending.
        axes: Vec<usize>,
    },
    /// `a [B, m, k], b [B, k, n] → y [B, m, n]`; a transposed operand is stored `[B, k, m]` or `[B, n, k]`. A batch of 1
    /// serves every B.
    Matmul {
        /// a is stored `[B, k, m]`.
        transpose_a: bool,
        /// b is stored `[B, n, k]`.
        transpose_b: bool,
    },
    /// `x [N, H, W, C], w [kh, kw, C, O] → y [N, H', W', O]`: correlation,
    /// `y[n,i,j,o] = Σ x[n, i·s + u − top, j·s + v − left, c] · w[u,v,c,o]`, zero outside of x.
    Conv2d(Conv2d),
    /// `y [N, H', W', O], w [kh, kw, C, O] → x [N, H, W, C]`: the adjoint of `Conv2d` in x.
    Conv2dTranspose(Conv2d),
    /// `x [N, H, W, C], y [N, H', W', O] → w [kh, kw, C, O]`: the adjoint of `Conv2d` in w.
    Conv2dWeightGrad(Conv2d),
    /// `x [N, H, W, C] → y [N, H', W', C]`: insert `up − 1` zeros after each pixel, pad (or crop, if negative), correlate
    /// with the taps along both axes, keep every `down`-th pixel.
    Upfirdn2d(Upfirdn2d),
    /// `x [N, H, W, C], m [N, 2, 3] → y [N, H', W', C]`: `y[n,i,j,c] = Σ X[n,p,q,c] · φ(r − p) · φ(s − q)` over rows p and
    /// columns q of X, with `r = m[n,0] · (i, j, 1)` and `s = m[n,1] · (i, j, 1)`. φ and X: see [`AffineResample`].
    AffineResample(AffineResample),
    /// `y [N, H', W', C], m [N, 2, 3] → x [N, H, W, C]`: the adjoint of `AffineResample` in x.
    AffineResampleTranspose(AffineResample),
    /// `table [R, C], rows i32 [K] → y [K, C]`.
    GatherRows,
    /// `y [K, C], rows i32 [K] → table [R, C]`: rows of y added up, in order, where `rows` says; 0 elsewhere.
    ScatterRows,
    /// `() → y`: uniform in (0, 1], Philox4x32-10 at a position (`philox.rs`).
    Uniform(crate::Position),
    /// `() → y`: standard normal, Box–Muller on the uniforms at a position: of uniforms (u, v) at elements 2i and
    /// 2i + 1, `√(−2 ln u) · (cos 2πv, sin 2πv)`.
    Normal(crate::Position),
    /// `x [.., C], b [C]? → y`: `v = x + b`, `y = v` where `v ≥ 0`, else `alpha · v`. alpha 1 is linear, 0 a ReLU, 0.2
    /// StyleGAN's leaky ReLU. The bias may be left out.
    BiasAct {
        /// Slope below 0, in [0, 1].
        alpha: f64,
    },
    /// `g, y → x`: `g` where `y ≥ 0`, else `alpha · g`: the adjoint of `BiasAct` in x.
    BiasActGrad {
        /// As in `BiasAct`.
        alpha: f64,
    },
    /// `x [N, H, W, C], noise [N or 1, H, W, 1], strength [C], b [C] → y`: `BiasAct` of `x + noise · strength` and b.
    NoiseBiasAct {
        /// As in `BiasAct`.
        alpha: f64,
    },
    /// `x [N, H, W, C], style [N, 2C] → y, stats [N, 2, C]`: with mean μ and biased variance σ² over H and W (two passes),
    /// `x̂ = (x − μ) / √(σ² + 1e−8)`, `y = x̂ · (style[n, c] + 1) + style[n, C + c]`; stats are μ and 1/√(σ² + 1e−8).
    Adain,
    /// `g, x, style, stats → dx`: the adjoint of `Adain` in x.
    AdainInputGrad,
    /// `g, x, stats → dstyle [N, 2C]`: `(Σ g·x̂, Σ g)` over H and W.
    AdainStyleGrad,
    /// `x, w, b [C], normal [N, 3, C']?, (noise [N or 1, H, W, 1], strength [C])?, style [N, 2C]? → y [N, H, W, C], normal [N, 3, C]?`:
    /// a convolution and all that follows it. Devices may leave it out. See [`Layer`].
    Layer(Layer),
    /// `x [N, H, W, C] → s [M]`, M = N / group; images m, m + M, m + 2M … are a group: the mean over H, W, C of
    /// `√(σ² + 1e−8)`, σ² the biased variance within the group.
    MinibatchStddev {
        /// Images in a group, a divisor of N.
        group: usize,
    },
    /// `g [M], x → dx`: the adjoint of `MinibatchStddev`.
    MinibatchStddevGrad {
        /// As in `MinibatchStddev`.
        group: usize,
    },
    /// `grad [P] → params [P], m [P], v [P], state [2], average [P]?`, all changed in place: one step of TensorFlow 1's Adam,
    /// the running average first. See [`AdamStep`].
    Adam(AdamStep),
}

/// Elementwise functions of one operand.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Unary {
    /// `scale · x + shift`.
    Affine {
        /// Factor.
        scale: f64,
        /// Summand.
        shift: f64,
    },
    /// `eˣ`.
    Exp,
    /// Natural logarithm.
    Log,
    /// `√x`.
    Sqrt,
    /// `1/√x`.
    Rsqrt,
    /// `x²`.
    Square,
    /// `ln(1 + eˣ)`, without overflow.
    Softplus,
    /// `1 / (1 + e⁻ˣ)`.
    Sigmoid,
    /// Sine. In f32 right to 8 · 2⁻²⁴ for every x, the largest too, as is the cosine.
    Sin,
    /// Cosine.
    Cos,
    /// Arc cosine.
    Acos,
    /// `min(max(x, low), high)`; NaN if x is NaN.
    Clamp {
        /// Smallest result.
        low: f64,
        /// Largest result.
        high: f64,
    },
}

/// Elementwise functions of two operands; comparisons give 1 or 0 in the operands' dtype.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    /// `a + b`.
    Add,
    /// `a − b`.
    Sub,
    /// `a · b`.
    Mul,
    /// `a / b`.
    Div,
    /// `a > b`.
    Greater,
    /// `a ≥ b`.
    GreaterEqual,
    /// `a = b`.
    Equal,
    /// The larger of a and b; NaN if one of them is NaN.
    Maximum,
}

/// Reductions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reduce {
    /// Sum.
    Sum,
    /// Arithmetic mean.
    Mean,
    /// Largest value; NaN if one of them is NaN.
    Max,
}

/// Geometry of the three convolution kernels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Conv2d {
    /// Step between windows.
    pub stride: usize,
    /// Zero rows and columns around x: top, bottom, left, right.
    pub padding: [usize; 4],
    /// How it is computed, with the same value up to rounding; `None` leaves the choice to the backend, by shape and instruction set alone.
    pub algorithm: Option<Algorithm>,
}

/// Ways to compute a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// Windows gathered into a matrix, one matrix product a tile.
    Im2col,
    /// One matrix product a tap on shifted rows of a padded copy; strides by splitting x into phases.
    Shifted,
    /// Nested loops, vectorised over output channels.
    Direct,
    /// Winograd's minimal filtering, for 3×3 kernels of stride 1 and 4×4 kernels of stride 2; others as the backend chooses. Sums of differences
    /// take the place of single products: one infinity in x, which other algorithms give to the pixels that see it, becomes NaN in all
    /// pixels of its tiles. The same holds where `Auto` chooses it. Finite numbers and NaN are not affected.
    Winograd,
    /// As the backend chooses, with products of bf16 by bf16 and sums in f32 where that is faster; numbers below 2⁻¹²⁶ count as zeros there.
    /// Only for devices that have [`multiplies_bf16`](crate::Backend::multiplies_bf16).
    Bf16,
}

/// Geometry of `Upfirdn2d`.
#[derive(Clone, Debug, PartialEq)]
pub struct Upfirdn2d {
    /// Zeros inserted, plus one.
    pub up: usize,
    /// Pixels skipped, plus one.
    pub down: usize,
    /// The separable filter, used as is (no flip) along both axes.
    pub taps: Vec<f64>,
    /// Rows and columns added (or cropped, if negative) after upsampling: top, bottom, left, right.
    pub padding: [isize; 4],
}

/// How `AffineResample` looks pixels up.
///
/// φ is linear between the points `φ((t − (L − 1)/2) / up) = taps[t]`, t from −1 to L, with zeros at both ends: the image is
/// upsampled by the L taps, and looked up bilinearly there. One tap of 1 and `up` 1 is bilinear interpolation of x itself. φ of
/// what is not finite is 0.
#[derive(Clone, Debug, PartialEq)]
pub struct AffineResample {
    /// Taps between two pixels.
    pub up: usize,
    /// The separable filter, used along both axes.
    pub taps: Vec<f64>,
    /// X is x, reflected at each border by up to its size less 1 (the border itself is not repeated), and zero beyond; else x
    /// and zero beyond.
    pub reflect: bool,
}

/// The convolution of maps x times a gain, the blur, if there is one, then `NoiseBiasAct` or `BiasAct`. Of the normalisation
/// that follows in the synthesis network it computes the numbers; the next layer applies them, so that maps are not read and
/// written for it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Layer {
    /// The convolution; `w` has the form that it takes.
    pub conv: Conv2d,
    /// Whether each pixel of x is first repeated twice along both axes: then the kernel is 3×3, with a stride and a padding of 1.
    pub is_upscaled: bool,
    /// What the convolution is multiplied with.
    pub gain: f64,
    /// The separable filter of the blur, with zeros around the image.
    pub blur: Option<[f64; 3]>,
    /// As in `BiasAct`.
    pub alpha: f64,
    /// Whether x is to be normalised: by μ, factor and summand, `(x − μ) · factor + summand`.
    pub has_normal: bool,
    /// Whether there is noise.
    pub has_noise: bool,
    /// Whether there is a style, and so a second result: what `Adain` of y does, as `normal` of the next layer.
    pub has_style: bool,
}

/// One Adam step as TensorFlow 1 has it (official optimizer.py): ε in the "epsilon hat" position.
///
/// `average ← params + (average − params)·average_beta` if there is an average (before the update: the official loop
/// averages first, whatever the gradients are). If any gradient is not finite, then only `state[1]` (skipped steps) grows
/// by 1. Else `state[0]` (steps t) grows by 1, `m ← β1·m + (1−β1)·g`, `v ← β2·v + (1−β2)·g²`,
/// `params ← params − rate·√(1−β2ᵗ)/(1−β1ᵗ) · m/(√v + ε)`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AdamStep {
    /// Learning rate.
    pub rate: f64,
    /// Decay of the first moment, in [0, 1).
    pub beta1: f64,
    /// Decay of the second moment, in [0, 1).
    pub beta2: f64,
    /// Added to √v.
    pub epsilon: f64,
    /// Weight of the old average.
    pub average_beta: f64,
}

impl Kernel {
    /// Every kernel's name; the conformance suite must have a case for each.
    pub const NAMES: [&str; 28] = [
        "fill",
        "copy",
        "cast",
        "unary",
        "binary",
        "select",
        "reduce",
        "matmul",
        "conv2d",
        "conv2d_transpose",
        "conv2d_weight_grad",
        "upfirdn2d",
        "affine_resample",
        "affine_resample_transpose",
        "gather_rows",
        "scatter_rows",
        "uniform",
        "normal",
        "bias_act",
        "bias_act_grad",
        "noise_bias_act",
        "adain",
        "adain_input_grad",
        "adain_style_grad",
        "layer",
        "minibatch_stddev",
        "minibatch_stddev_grad",
        "adam",
    ];

    /// Which inputs, and whether the first output, may be feature maps. A reduction or a product of feature maps is none.
    pub fn maps(&self) -> (&'static [bool], bool) {
        match self {
            Self::Fill { .. } => (&[], true),
            Self::Copy { .. } | Self::Cast | Self::Unary(_) | Self::Upfirdn2d(_) => (&[true], true),
            Self::Binary(_) | Self::BiasActGrad { .. } => (&[true, true], true),
            Self::Reduce { op: Reduce::Sum | Reduce::Mean, .. } => (&[true], false),
            Self::Matmul { .. } | Self::Conv2dWeightGrad(_) => (&[true, true], false),
            Self::Conv2d(_) | Self::Conv2dTranspose(_) | Self::BiasAct { .. } | Self::Adain => (&[true, false], true),
            Self::NoiseBiasAct { .. } => (&[true, false, false, false], true),
            Self::AdainInputGrad => (&[true, true, false, false], true),
            Self::AdainStyleGrad => (&[true, true, false], false),
            Self::Select
            | Self::Reduce { op: Reduce::Max, .. }
            | Self::AffineResample(_)
            | Self::AffineResampleTranspose(_)
            | Self::GatherRows
            | Self::ScatterRows
            | Self::Uniform(_)
            | Self::Normal(_)
            | Self::MinibatchStddev { .. }
            | Self::MinibatchStddevGrad { .. }
            | Self::Layer(_)
            | Self::Adam(_) => (&[], false),
        }
    }

    /// The type of the first output where nothing else is asked for: of 16 bits if it may be a feature map and an input is one of
    /// 16 bits, else the first input's, or `float`, the device's, in place of 16 bits.
    pub fn output(&self, inputs: &[DType], float: DType) -> DType {
        match inputs.iter().find(|dtype| dtype.is_half()) {
            Some(&half) if self.maps().1 => half,
            Some(_) => float,
            None => inputs[0],
        }
    }

    /// Every element of the result where an input has no elements and the result does; `None` if that is refused.
    pub fn of_nothing(&self) -> Option<f64> {
        match self {
            Self::Reduce { op: Reduce::Sum, .. }
            | Self::Matmul { .. }
            | Self::Conv2d(_)
            | Self::Conv2dTranspose(_)
            | Self::Conv2dWeightGrad(_)
            | Self::Upfirdn2d(_)
            | Self::AffineResample(_)
            | Self::AffineResampleTranspose(_)
            | Self::ScatterRows
            | Self::AdainStyleGrad => Some(0.0),
            // Means over no pixels: the statistics of `Adain`, the deviation of `MinibatchStddev`.
            Self::Reduce { op: Reduce::Mean, .. } | Self::Adain | Self::MinibatchStddev { .. } => Some(f64::NAN),
            // Elementwise: there are no elements on either side.
            _ => None,
        }
    }

    /// The kernel's name, as it stands in errors and profiles.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Fill { .. } => "fill",
            Self::Copy { .. } => "copy",
            Self::Cast => "cast",
            Self::Unary(_) => "unary",
            Self::Binary(_) => "binary",
            Self::Select => "select",
            Self::Reduce { .. } => "reduce",
            Self::Matmul { .. } => "matmul",
            Self::Conv2d(_) => "conv2d",
            Self::Conv2dTranspose(_) => "conv2d_transpose",
            Self::Conv2dWeightGrad(_) => "conv2d_weight_grad",
            Self::Upfirdn2d(_) => "upfirdn2d",
            Self::AffineResample(_) => "affine_resample",
            Self::AffineResampleTranspose(_) => "affine_resample_transpose",
            Self::GatherRows => "gather_rows",
            Self::ScatterRows => "scatter_rows",
            Self::Uniform(_) => "uniform",
            Self::Normal(_) => "normal",
            Self::BiasAct { .. } => "bias_act",
            Self::BiasActGrad { .. } => "bias_act_grad",
            Self::NoiseBiasAct { .. } => "noise_bias_act",
            Self::Adain => "adain",
            Self::AdainInputGrad => "adain_input_grad",
            Self::AdainStyleGrad => "adain_style_grad",
            Self::Layer(_) => "layer",
            Self::MinibatchStddev { .. } => "minibatch_stddev",
            Self::MinibatchStddevGrad { .. } => "minibatch_stddev_grad",
            Self::Adam(_) => "adam",
        }
    }
}

impl Conv2d {
    /// Size of y along one axis: `(size + before + after − k) / stride + 1`, rounded down, or `None` if the kernel is
    /// larger than the padded image.
    pub fn output_size(&self, size: usize, k: usize, before: usize, after: usize) -> Option<usize> {
        (size + before + after).checked_sub(k).map(|room| room / self.stride + 1)
    }
}

impl Layer {
    /// What repeats the pixels, if they are.
    pub fn upscale(&self) -> Option<Upfirdn2d> {
        self.is_upscaled.then(|| Upfirdn2d { up: 2, down: 1, taps: vec![1.0; 2], padding: [1, 0, 1, 0] })
    }

    /// The blur, which keeps the size of an image.
    pub fn blur(&self) -> Option<Upfirdn2d> {
        self.blur.map(|taps| Upfirdn2d { up: 1, down: 1, taps: taps.to_vec(), padding: [1; 4] })
    }
}

impl Upfirdn2d {
    /// Size of y along one axis, or `None` if nothing is left.
    pub fn output_size(&self, size: usize, before: isize, after: isize) -> Option<usize> {
        let grown = isize::try_from(size.checked_mul(self.up)?).ok()?;
        let padded = grown.checked_add(before)?.checked_add(after)?;
        let room = padded.checked_sub_unsigned(self.taps.len())?;
        (room >= 0).then(|| room as usize / self.down + 1)
    }
}
