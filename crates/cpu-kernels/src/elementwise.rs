//! Functions of single elements, with NumPy's broadcasting. Every operand is handed to one loop in tiles: an operand as
//! large as the result directly, a broadcast one through a buffer in the first-level cache.

use stylegan_tensor::{Binary, Unary};

use crate::parallel::{BLOCK, by_channels, pieces, simd, some};

/// A float array and the sizes of its axes.
pub type Array<'a> = (&'a [f32], &'a [usize]);

/// `y = op(x)`, added to y if `accumulate`.
pub fn unary(op: Unary, x: &[f32], y: &mut [f32], accumulate: bool) {
    let shape = [y.len()];
    let x = [(x, shape.as_slice())];
    match op {
        Unary::Affine { scale, shift } => {
            let (scale, shift) = (scale as f32, shift as f32);
            map(&shape, x, y, accumulate, move |[x]| scale * x + shift);
        }
        Unary::Exp => map(&shape, x, y, accumulate, move |[x]| x.exp()),
        Unary::Log => map(&shape, x, y, accumulate, move |[x]| x.ln()),
        Unary::Sqrt => map(&shape, x, y, accumulate, move |[x]| x.sqrt()),
        Unary::Rsqrt => map(&shape, x, y, accumulate, move |[x]| 1.0 / x.sqrt()),
        Unary::Square => map(&shape, x, y, accumulate, move |[x]| x * x),
        Unary::Softplus => map(&shape, x, y, accumulate, move |[x]| x.max(0.0) + (-x.abs()).exp().ln_1p()),
        Unary::Sigmoid => map(&shape, x, y, accumulate, move |[x]| 1.0 / (1.0 + (-x).exp())),
        Unary::Sin => map(&shape, x, y, accumulate, move |[x]| x.sin()),
        Unary::Cos => map(&shape, x, y, accumulate, move |[x]| x.cos()),
        Unary::Acos => map(&shape, x, y, accumulate, move |[x]| x.acos()),
        Unary::Clamp { low, high } => {
            let (low, high) = (low as f32, high as f32);
            // NaN is on neither side.
            let below = move |x| if x < low { low } else { x };
            map(&shape, x, y, accumulate, move |[x]| if x > high { high } else { below(x) });
        }
    }
}

/// `y = op(a, b)` with broadcasting to y's `shape`, added to y if `accumulate`.
pub fn binary(op: Binary, a: Array, b: Array, y: &mut [f32], shape: &[usize], accumulate: bool) {
    let truth = |is: bool| if is { 1.0 } else { 0.0 };
    match op {
        Binary::Add => map(shape, [a, b], y, accumulate, move |[a, b]| a + b),
        Binary::Sub => map(shape, [a, b], y, accumulate, move |[a, b]| a - b),
        Binary::Mul => map(shape, [a, b], y, accumulate, move |[a, b]| a * b),
        Binary::Div => map(shape, [a, b], y, accumulate, move |[a, b]| a / b),
        Binary::Greater => map(shape, [a, b], y, accumulate, move |[a, b]| truth(a > b)),
        Binary::GreaterEqual => map(shape, [a, b], y, accumulate, move |[a, b]| truth(a >= b)),
        Binary::Equal => map(shape, [a, b], y, accumulate, move |[a, b]| truth(a == b)),
        Binary::Maximum => map(shape, [a, b], y, accumulate, move |[a, b]| if a > b || a.is_nan() { a } else { b }),
    }
}

/// `y = a` where c is not 0, else `b`, with broadcasting to y's `shape`; added to y if `accumulate`.
pub fn select(c: Array, a: Array, b: Array, y: &mut [f32], shape: &[usize], accumulate: bool) {
    map(shape, [c, a, b], y, accumulate, move |[c, a, b]| if c != 0.0 { a } else { b });
}

/// `x [.., C], b [C]? → y`: `v = x + b`, `y = v` where `v ≥ 0`, else `alpha · v`; added to y if `accumulate`.
pub fn bias_act(x: &[f32], b: Option<&[f32]>, alpha: f32, y: &mut [f32], accumulate: bool) {
    let act = move |v| leaky_relu(v, alpha);
    let Some(b) = b else {
        let shape = [y.len()];
        return map(&shape, [(x, &shape)], y, accumulate, move |[x]| act(x));
    };
    let shape = [y.len() / b.len().max(1), b.len()];
    if b.len() < MANY || accumulate {
        let operands = [(x, shape.as_slice()), (b, &shape[1..])];
        return map(&shape, operands, y, accumulate, move |[x, b]| act(x + b));
    }
    per_pixel::<false>(x, &[0.0], [b, b], alpha, y);
}

/// `g, y → x`: `g` where `y ≥ 0`, else `alpha · g`; added to x if `accumulate`.
pub fn bias_act_grad(g: &[f32], y: &[f32], alpha: f32, x: &mut [f32], accumulate: bool) {
    let shape = [x.len()];
    let operands = [(g, shape.as_slice()), (y, shape.as_slice())];
    map(&shape, operands, x, accumulate, move |[g, y]| if y >= 0.0 { g } else { alpha * g });
}

/// `x [N, H, W, C], noise [N or 1, H, W, 1], strength [C], b [C] → y`: [`bias_act`] of `x + noise · strength`.
pub fn noise_bias_act(x: &[f32], noise: &[f32], [strength, b]: [&[f32]; 2], alpha: f32, y: &mut [f32]) {
    per_pixel::<true>(x, noise, [strength, b], alpha, y);
}

#[inline(always)]
pub(crate) fn leaky_relu(v: f32, alpha: f32) -> f32 {
    if v >= 0.0 { v } else { alpha * v }
}

/// Channels from which on a loop over them is long enough to be the inner one.
const MANY: usize = 16;

/// [`noise_bias_act`], or [`bias_act`] if not `NOISY`.
fn per_pixel<const NOISY: bool>(x: &[f32], noise: &[f32], [strength, b]: [&[f32]; 2], alpha: f32, y: &mut [f32]) {
    let channels = b.len();
    let share = (BLOCK / channels.max(1)).max(1) * channels;
    pieces(y, share, x.len(), |start, y| {
        let first = start / channels % noise.len();
        simd!(move || pixels::<NOISY>(&x[start..], noise, first, [strength, b], alpha, y));
    });
}

/// Pixels from one on whose noise is number `pixel`.
#[inline(always)]
fn pixels<const NOISY: bool>(
    x: &[f32],
    noise: &[f32],
    pixel: usize,
    [strength, b]: [&[f32]; 2],
    alpha: f32,
    y: &mut [f32],
) {
    by_channels!(b.len(), c, W => some_channels::<NOISY, W>(x, noise, pixel, [strength, b], alpha, c, y));
}

/// Channels `c..c + W` of [`pixels`].
#[inline(always)]
fn some_channels<const NOISY: bool, const W: usize>(
    x: &[f32],
    noise: &[f32],
    mut pixel: usize,
    [strength, b]: [&[f32]; 2],
    alpha: f32,
    c: usize,
    y: &mut [f32],
) {
    let channels = b.len();
    let (strength, b) = (some::<W>(strength, c), some::<W>(b, c));
    for (y, x) in y.chunks_exact_mut(channels).zip(x.chunks_exact(channels)) {
        let noise_here = noise[pixel];
        let mut values = some::<W>(x, c);
        for i in 0..W {
            let v = if NOISY { values[i] + noise_here * strength[i] + b[i] } else { values[i] + b[i] };
            values[i] = leaky_relu(v, alpha);
        }
        y[c..c + W].copy_from_slice(&values);
        pixel = if pixel + 1 == noise.len() { 0 } else { pixel + 1 };
    }
}

/// Elements that the loop takes at a time: the buffers of three operands fit the first-level cache.
const TILE: usize = 512;

/// `y[i] = f(operands[i])` with every operand broadcast to `shape`, added to y if `accumulate`.
fn map<const K: usize>(
    shape: &[usize],
    operands: [Array; K],
    y: &mut [f32],
    accumulate: bool,
    f: impl Fn([f32; K]) -> f32 + Copy + Sync,
) {
    let operands = operands.map(|(data, from)| Broadcast::new(data, from, shape));
    let (operands, cost) = (&operands, y.len());
    pieces(y, BLOCK, cost, |start, piece| {
        // `move`: behind a reference, the constants of f might be elements of y.
        simd!(move || {
            let mut buffers = [[0.0; TILE]; K];
            for (i, y) in piece.chunks_mut(TILE).enumerate() {
                let mut buffers = buffers.each_mut().into_iter();
                let tiles: [&[f32]; K] = std::array::from_fn(|k| {
                    let buffer = buffers.next().expect("as many buffers as operands");
                    operands[k].tile(start + i * TILE, y.len(), buffer)
                });
                if accumulate {
                    apply(tiles, y, move |y, x| y + f(x));
                } else {
                    apply(tiles, y, move |_, x| f(x));
                }
            }
        });
    });
}

/// `y[i] = f(y[i], tiles[i])`.
#[inline(always)]
fn apply<const K: usize>(tiles: [&[f32]; K], y: &mut [f32], f: impl Fn(f32, [f32; K]) -> f32) {
    // One length for all: the loop needs no checks and becomes vector code.
    let tiles = tiles.map(|tile| &tile[..y.len()]);
    for i in 0..y.len() {
        let mut x = [0.0; K];
        for k in 0..K {
            x[k] = tiles[k][i];
        }
        y[i] = f(y[i], x);
    }
}

/// An operand seen in the shape of the result.
struct Broadcast<'a> {
    data: &'a [f32],
    /// Size and step of each axis, outermost first; neighbours that make one run are one axis.
    axes: Vec<(usize, usize)>,
}

impl<'a> Broadcast<'a> {
    fn new(data: &'a [f32], from: &[usize], to: &[usize]) -> Self {
        let mut axes: Vec<(usize, usize)> = Vec::with_capacity(to.len().max(1));
        let mut step = data.len();
        let missing = to.len() - from.len();
        for (axis, &size) in to.iter().enumerate() {
            let own = axis.checked_sub(missing).map_or(1, |axis| from[axis]);
            assert!(own == size || own == 1, "{from:?} cannot be broadcast to {to:?}");
            step /= own.max(1);
            let here = (size, if own == 1 { 0 } else { step });
            match axes.last_mut() {
                _ if size == 1 => {}
                Some(last) if last.1 == here.0 * here.1 => *last = (last.0 * size, here.1),
                _ => axes.push(here),
            }
        }
        if axes.is_empty() {
            axes.push((1, 1));
        }
        Self { data, axes }
    }

    /// Elements `start..start + len` of the broadcast operand, in `buffer` if they do not lie side by side.
    #[inline(always)]
    fn tile<'b>(&'b self, start: usize, len: usize, buffer: &'b mut [f32]) -> &'b [f32] {
        if let [(_, 1)] = self.axes[..] {
            return &self.data[start..start + len];
        }
        let tile = &mut buffer[..len];
        match self.axes[..] {
            [(_, 0)] => tile.fill(self.data[0]),
            [(_, 0), (size, 1)] => self.repeat(start % size, size, tile),
            _ => self.gather(start, tile),
        }
        tile
    }

    /// The first `size` elements over and over, from element `first` on.
    fn repeat(&self, first: usize, size: usize, tile: &mut [f32]) {
        let once = size.min(tile.len());
        let head = once.min(size - first);
        tile[..head].copy_from_slice(&self.data[first..first + head]);
        tile[head..once].copy_from_slice(&self.data[..once - head]);
        let mut done = once;
        while done < tile.len() {
            let more = done.min(tile.len() - done);
            tile.copy_within(..more, done);
            done += more;
        }
    }

    /// Row by row of the last axis.
    fn gather(&self, start: usize, tile: &mut [f32]) {
        let (&(size, step), outer) = self.axes.split_last().expect("there is an axis");
        let (mut row, mut column, mut done) = (start / size, start % size, 0);
        while done < tile.len() {
            let mut rest = row;
            let mut at = column * step;
            for &(size, step) in outer.iter().rev() {
                at += rest % size * step;
                rest /= size;
            }
            let run = (size - column).min(tile.len() - done);
            let tile = &mut tile[done..done + run];
            if step == 1 {
                tile.copy_from_slice(&self.data[at..at + run]);
            } else {
                tile.fill(self.data[at]);
            }
            (row, column, done) = (row + 1, 0, done + run);
        }
    }
}
