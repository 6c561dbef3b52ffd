//! One line an op: handles in, handle out.

use napi_derive::napi;
use stylegan_autograd::{LayerForm, LayerOperands, Options, Tensor, ops};
use stylegan_autograd::{adam as adam_step, depends_on as has_path, grad as gradients};
use stylegan_tensor::{AdamStep, AffineResample, Algorithm, Conv2d, Upfirdn2d};

use crate::device::{dtype_of, sizes};
use crate::error::{Result, invalid, native};
use crate::table::{self, Handle, get, get_all};

fn one(op: &'static str, x: Handle, f: impl FnOnce(&Tensor) -> stylegan_tensor::Result<Tensor>) -> Result<Handle> {
    f(&get(op, x)?).map(table::insert).map_err(native)
}

fn two(
    op: &'static str,
    [a, b]: [Handle; 2],
    f: impl FnOnce(&Tensor, &Tensor) -> stylegan_tensor::Result<Tensor>,
) -> Result<Handle> {
    f(&get(op, a)?, &get(op, b)?).map(table::insert).map_err(native)
}

fn three(
    op: &'static str,
    [a, b, c]: [Handle; 3],
    f: impl FnOnce(&Tensor, &Tensor, &Tensor) -> stylegan_tensor::Result<Tensor>,
) -> Result<Handle> {
    f(&get(op, a)?, &get(op, b)?, &get(op, c)?).map(table::insert).map_err(native)
}

macro_rules! unary {
    ($($op:ident)*) => { $(
        #[napi(catch_unwind)]
        pub fn $op(x: Handle) -> Result<Handle> {
            one(stringify!($op), x, ops::$op)
        }
    )* };
}

macro_rules! binary {
    ($($op:ident)*) => { $(
        #[napi(catch_unwind)]
        pub fn $op(a: Handle, b: Handle) -> Result<Handle> {
            two(stringify!($op), [a, b], ops::$op)
        }
    )* };
}

macro_rules! reduction {
    ($($op:ident)*) => { $(
        #[napi(catch_unwind)]
        pub fn $op(x: Handle, axes: Vec<u32>, keep: bool) -> Result<Handle> {
            one(stringify!($op), x, |x| ops::$op(x, &sizes(&axes), keep))
        }
    )* };
}

unary! { neg exp log sqrt rsqrt square softplus sigmoid sin cos acos }
binary! { add sub mul div greater greater_equal equal maximum gather_rows }
reduction! { sum mean max }

#[napi(catch_unwind)]
pub fn tracked(x: Handle) -> Result<Handle> {
    one("tracked", x, |x| Ok(x.tracked()))
}

#[napi(catch_unwind)]
pub fn detach(x: Handle) -> Result<Handle> {
    one("detach", x, |x| Ok(x.detach()))
}

#[napi(catch_unwind)]
pub fn assign(to: Handle, source: Handle) -> Result<()> {
    get("assign", to)?.assign(&get("assign", source)?).map_err(native)
}

#[napi(catch_unwind)]
pub fn affine(x: Handle, scale: f64, shift: f64) -> Result<Handle> {
    one("affine", x, |x| ops::affine(x, scale, shift))
}

#[napi(catch_unwind)]
pub fn clamp(x: Handle, low: f64, high: f64) -> Result<Handle> {
    one("clamp", x, |x| ops::clamp(x, low, high))
}

#[napi(catch_unwind)]
pub fn leaky_relu(x: Handle, alpha: f64) -> Result<Handle> {
    one("leaky_relu", x, |x| ops::leaky_relu(x, alpha))
}

#[napi(catch_unwind)]
pub fn select(condition: Handle, a: Handle, b: Handle) -> Result<Handle> {
    three("select", [condition, a, b], ops::select)
}

#[napi(catch_unwind)]
pub fn reshape(x: Handle, shape: Vec<u32>) -> Result<Handle> {
    one("reshape", x, |x| ops::reshape(x, &sizes(&shape)))
}

#[napi(catch_unwind)]
pub fn permute(x: Handle, axes: Vec<u32>) -> Result<Handle> {
    one("permute", x, |x| ops::permute(x, &sizes(&axes)))
}

#[napi(catch_unwind)]
pub fn slice(x: Handle, starts: Vec<u32>, lengths: Vec<u32>) -> Result<Handle> {
    one("slice", x, |x| ops::slice(x, &sizes(&starts), &sizes(&lengths)))
}

/// `padding`: before and after the first axis, before and after the second, and so on.
#[napi(catch_unwind)]
pub fn pad(x: Handle, padding: Vec<u32>) -> Result<Handle> {
    let pairs: Vec<_> = sizes(&padding).chunks(2).map(|pair| (pair[0], pair[pair.len() - 1])).collect();
    one("pad", x, |x| ops::pad(x, &pairs))
}

#[napi(catch_unwind)]
pub fn concat(tensors: Vec<Handle>, axis: u32) -> Result<Handle> {
    let tensors = get_all("concat", &tensors)?;
    let tensors: Vec<&Tensor> = tensors.iter().collect();
    ops::concat(&tensors, axis as usize).map(table::insert).map_err(native)
}

#[napi(catch_unwind)]
pub fn flip(x: Handle, axes: Vec<u32>) -> Result<Handle> {
    one("flip", x, |x| ops::flip(x, &sizes(&axes)))
}

#[napi(catch_unwind)]
pub fn broadcast_to(x: Handle, shape: Vec<u32>) -> Result<Handle> {
    one("broadcast_to", x, |x| ops::broadcast_to(x, &sizes(&shape)))
}

#[napi(catch_unwind)]
pub fn cast(x: Handle, dtype: String) -> Result<Handle> {
    let dtype = dtype_of(&dtype)?;
    one("cast", x, |x| ops::cast(x, dtype))
}

#[napi(catch_unwind)]
pub fn matmul(a: Handle, b: Handle, transpose_a: bool, transpose_b: bool) -> Result<Handle> {
    two("matmul", [a, b], |a, b| ops::matmul(a, b, transpose_a, transpose_b))
}

#[napi(catch_unwind)]
pub fn scatter_rows(y: Handle, rows: Handle, table_rows: u32) -> Result<Handle> {
    two("scatter_rows", [y, rows], |y, rows| ops::scatter_rows(y, rows, table_rows as usize))
}

/// `padding`: top, bottom, left, right.
fn geometry(stride: u32, padding: &[u32], algorithm: &str) -> Result<Conv2d> {
    let &[top, bottom, left, right] = sizes(padding).as_slice() else {
        return Err(invalid(format!("padding must be [top, bottom, left, right], got {padding:?}")));
    };
    let algorithm = match algorithm {
        "auto" => None,
        "im2col" => Some(Algorithm::Im2col),
        "shifted" => Some(Algorithm::Shifted),
        "direct" => Some(Algorithm::Direct),
        "winograd" => Some(Algorithm::Winograd),
        "bf16" => Some(Algorithm::Bf16),
        other => {
            let known = "auto, im2col, shifted, direct, winograd or bf16";
            return Err(invalid(format!("algorithm must be {known}, got '{other}'")));
        }
    };
    Ok(Conv2d { stride: stride as usize, padding: [top, bottom, left, right], algorithm })
}

fn pair(sizes: &[u32]) -> Result<[usize; 2]> {
    match sizes {
        &[a, b] => Ok([a as usize, b as usize]),
        _ => Err(invalid(format!("a size must be [height, width], got {sizes:?}"))),
    }
}

#[napi(js_name = "conv2d", catch_unwind)]
pub fn conv2d(
    x: Handle,
    w: Handle,
    stride: u32,
    padding: Vec<u32>,
    algorithm: String,
    dtype: Option<String>,
) -> Result<Handle> {
    let (p, dtype) = (geometry(stride, &padding, &algorithm)?, dtype.as_deref().map(dtype_of).transpose()?);
    two("conv2d", [x, w], |x, w| ops::conv2d_in(x, w, p, dtype.unwrap_or(x.dtype())))
}

#[napi(js_name = "conv2dTranspose", catch_unwind)]
pub fn conv2d_transpose(
    y: Handle,
    w: Handle,
    size: Vec<u32>,
    stride: u32,
    padding: Vec<u32>,
    algorithm: String,
) -> Result<Handle> {
    let (p, size) = (geometry(stride, &padding, &algorithm)?, pair(&size)?);
    two("conv2d_transpose", [y, w], |y, w| ops::conv2d_transpose(y, w, size, p))
}

#[napi(js_name = "conv2dWeightGrad", catch_unwind)]
pub fn conv2d_weight_grad(
    x: Handle,
    y: Handle,
    kernel: Vec<u32>,
    stride: u32,
    padding: Vec<u32>,
    algorithm: String,
) -> Result<Handle> {
    let (p, kernel) = (geometry(stride, &padding, &algorithm)?, pair(&kernel)?);
    two("conv2d_weight_grad", [x, y], |x, y| ops::conv2d_weight_grad(x, y, kernel, p))
}

#[napi(js_name = "upfirdn2d", catch_unwind)]
pub fn upfirdn2d(x: Handle, up: u32, down: u32, taps: Vec<f64>, padding: Vec<i32>) -> Result<Handle> {
    let &[top, bottom, left, right] = padding.as_slice() else {
        return Err(invalid(format!("padding must be [top, bottom, left, right], got {padding:?}")));
    };
    let p = Upfirdn2d {
        up: up as usize,
        down: down as usize,
        taps,
        padding: [top, bottom, left, right].map(|size| size as isize),
    };
    one("upfirdn2d", x, |x| ops::upfirdn2d(x, &p))
}

#[napi(catch_unwind)]
pub fn affine_resample(x: Handle, m: Handle, size: Vec<u32>, up: u32, taps: Vec<f64>, reflect: bool) -> Result<Handle> {
    let (p, size) = (AffineResample { up: up as usize, taps, reflect }, pair(&size)?);
    two("affine_resample", [x, m], |x, m| ops::affine_resample(x, m, size, &p))
}

#[napi(catch_unwind)]
pub fn affine_resample_transpose(
    y: Handle,
    m: Handle,
    size: Vec<u32>,
    up: u32,
    taps: Vec<f64>,
    reflect: bool,
) -> Result<Handle> {
    let (p, size) = (AffineResample { up: up as usize, taps, reflect }, pair(&size)?);
    two("affine_resample_transpose", [y, m], |y, m| ops::affine_resample_transpose(y, m, size, &p))
}

#[napi(catch_unwind)]
pub fn bias_act(x: Handle, b: Handle, alpha: f64) -> Result<Handle> {
    two("bias_act", [x, b], |x, b| ops::bias_act(x, b, alpha))
}

#[napi(catch_unwind)]
pub fn noise_bias_act(x: Handle, noise: Handle, strength: Handle, b: Handle, alpha: f64) -> Result<Handle> {
    let op = "noise_bias_act";
    let x = get(op, x)?;
    three(op, [noise, strength, b], |noise, strength, b| ops::noise_bias_act(&x, noise, strength, b, alpha))
}

#[napi(catch_unwind)]
pub fn adain(x: Handle, style: Handle) -> Result<Handle> {
    two("adain", [x, style], ops::adain)
}

/// What a layer has beside its convolution.
#[napi(object)]
pub struct NativeLayer {
    pub b: Handle,
    pub upscale: bool,
    /// What normalises x.
    pub normal: Option<Handle>,
    /// Noise and its strength, or nothing.
    pub noise: Vec<Handle>,
    pub style: Option<Handle>,
    /// None or three.
    pub blur: Vec<f64>,
    pub alpha: f64,
    pub gain: f64,
}

/// Gives y and, if there is a style, what normalises it.
#[napi(catch_unwind)]
pub fn layer(
    x: Handle,
    w: Handle,
    of: NativeLayer,
    stride: u32,
    padding: Vec<u32>,
    algorithm: String,
) -> Result<Vec<Handle>> {
    let op = "layer";
    let [x, w, b] = [get(op, x)?, get(op, w)?, get(op, of.b)?];
    let [normal, style] = [of.normal, of.style].map(|handle| handle.map(|handle| get(op, handle)).transpose());
    let (normal, style, noise) = (normal?, style?, get_all(op, &of.noise)?);
    let noise = match noise.as_slice() {
        [] => None,
        [noise, strength] => Some([noise, strength]),
        _ => return Err(invalid(format!("noise must be [noise, strength], got {} tensors", noise.len()))),
    };
    let blur = match *of.blur.as_slice() {
        [] => None,
        [a, b, c] => Some([a, b, c]),
        _ => return Err(invalid(format!("a blur must have 3 taps, got {}", of.blur.len()))),
    };
    let conv = geometry(stride, &padding, &algorithm)?;
    let form = LayerForm { conv, is_upscaled: of.upscale, gain: of.gain, blur, alpha: of.alpha };
    let operands = LayerOperands { normal: normal.as_ref(), noise, style: style.as_ref() };
    let (y, normal) = ops::layer(&x, &w, &b, operands, form).map_err(native)?;
    Ok([Some(y), normal].into_iter().flatten().map(table::insert).collect())
}

#[napi(catch_unwind)]
pub fn minibatch_stddev(x: Handle, group: u32) -> Result<Handle> {
    one("minibatch_stddev", x, |x| ops::minibatch_stddev(x, group as usize))
}

#[napi(catch_unwind)]
pub fn grad(outputs: Vec<Handle>, inputs: Vec<Handle>, create_graph: bool) -> Result<Vec<Handle>> {
    let (outputs, inputs) = (get_all("grad", &outputs)?, get_all("grad", &inputs)?);
    let (outputs, inputs): (Vec<_>, Vec<_>) = (outputs.iter().collect(), inputs.iter().collect());
    let found = gradients(&outputs, &inputs, Options { create_graph }).map_err(native)?;
    Ok(found.into_iter().map(table::insert).collect())
}

#[napi(catch_unwind)]
pub fn is_tracked(x: Handle) -> Result<bool> {
    Ok(get("is_tracked", x)?.is_tracked())
}

#[napi(catch_unwind)]
pub fn depends_on(output: Handle, inputs: Vec<Handle>) -> Result<bool> {
    let (output, inputs) = (get("depends_on", output)?, get_all("depends_on", &inputs)?);
    Ok(has_path(&output, &inputs.iter().collect::<Vec<_>>()))
}

/// Numbers of an Adam step.
#[napi(object)]
pub struct NativeAdamStep {
    pub rate: f64,
    pub beta1: f64,
    pub beta2: f64,
    pub epsilon: f64,
    pub average_beta: f64,
}

/// `tensors`: grad, params, m, v, state and, if there is one, the running average.
#[napi(catch_unwind)]
pub fn adam(tensors: Vec<Handle>, step: NativeAdamStep) -> Result<()> {
    let tensors = get_all("adam", &tensors)?;
    let [grad, params, m, v, state, average @ ..] = tensors.as_slice() else {
        return Err(invalid("adam takes grad, params, m, v, state and maybe an average"));
    };
    let step = AdamStep {
        rate: step.rate,
        beta1: step.beta1,
        beta2: step.beta2,
        epsilon: step.epsilon,
        average_beta: step.average_beta,
    };
    adam_step(grad, params, m, v, state, average.first(), step).map_err(native)
}
