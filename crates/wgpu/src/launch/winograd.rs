//! Winograd's convolutions (`shaders/winograd/`; Winograd 1980, Lavin and Gray 2016, arXiv:1509.09308): transformed
//! tiles of the image, one matrix product over channels for each point, results transformed back. A stride of 2 with a 4×4
//! kernel is a sum over the four phases of the image, each with a 2×2 kernel; its adjoint is one such pass for each phase
//! of the result.

use stylegan_tensor::{Algorithm, Conv2d, Phase, Result, View};

use super::product::room;
use super::split::chunks;
use super::{Launch, bind, spread};
use crate::memory::Block;
use crate::recorder::Binding;
use crate::shader::{self, Shader};

/// Results of a tile along an axis.
const SIDE: usize = 4;

/// Operations that Winograd's form saves must be worth so many for each byte that its transforms move, about the quotient of what
/// kernels reach of a GPU's arithmetic and of its memory's speed: 12 on the largest, 30 on many small ones. With as many
/// channels in as out, that is 3×3 kernels from 86 channels on.
const WORTH: usize = 32;

/// A correlation `out[i·step + first] = Σ x[i·phases + u − before] · w[u]` with `taps · phases` taps along each axis.
struct Pass {
    images: usize,
    /// Rows, columns and channels of the image that is read.
    read: [usize; 3],
    /// Rows and columns of results, and their channels.
    results: [usize; 3],
    /// Rows and columns of the image that is written.
    written: [usize; 2],
    taps: usize,
    phases: usize,
    before: [isize; 2],
    step: usize,
    first: [usize; 2],
    /// The first of the taps among the weights' rows and columns, and how far it is to the next.
    tap: [isize; 2],
    tap_step: isize,
}

impl Pass {
    /// The pass that a convolution is, if Winograd's form can do it.
    fn forward(p: &Conv2d, x: &View, w: &View, y: &View) -> Option<Self> {
        let taps = taps(p, w)?;
        let [top, _, left, _] = p.padding;
        Some(Self {
            images: x.shape[0],
            read: [x.shape[1], x.shape[2], x.shape[3]],
            results: [y.shape[1], y.shape[2], y.shape[3]],
            written: [y.shape[1], y.shape[2]],
            taps,
            phases: p.stride,
            before: [top.cast_signed(), left.cast_signed()],
            step: 1,
            first: [0; 2],
            tap: [0; 2],
            tap_step: p.stride.cast_signed(),
        })
    }

    /// The pass of the adjoint in x that computes every stride-th row and column of x from `first` on, if Winograd's form
    /// can do it.
    fn transposed(p: &Conv2d, first: [usize; 2], y: &View, w: &View, x: &View) -> Option<Self> {
        let taps = taps(p, w)?;
        let s = p.stride;
        let axis = |axis: usize| Phase::new(s, first[axis], p.padding[2 * axis], w.shape[axis]);
        let [rows, columns] = [axis(0), axis(1)];
        let count = |size: usize, first: usize| size.saturating_sub(first).div_ceil(s);
        Some(Self {
            images: y.shape[0],
            read: [y.shape[1], y.shape[2], y.shape[3]],
            results: [count(x.shape[1], first[0]), count(x.shape[2], first[1]), x.shape[3]],
            written: [x.shape[1], x.shape[2]],
            taps,
            phases: 1,
            before: [rows.before, columns.before],
            step: s,
            first,
            tap: [rows.last, columns.last],
            tap_step: -s.cast_signed(),
        })
    }

    /// Rows, columns, channels and phases of the image that is read.
    fn image(&self) -> [usize; 4] {
        let [rows, columns, channels] = self.read;
        [rows, columns, channels, self.phases]
    }

    /// Those of the image that is written.
    fn written(&self) -> [usize; 4] {
        [self.written[0], self.written[1], self.results[2], 1]
    }

    fn points(&self) -> usize {
        (self.taps + SIDE - 1).pow(2)
    }

    fn tiles(&self) -> [usize; 2] {
        [self.results[0].div_ceil(SIDE), self.results[1].div_ceil(SIDE)]
    }

    fn tile_count(&self) -> usize {
        self.images * self.tiles().iter().product::<usize>()
    }

    /// Length of a product: channels of all phases.
    fn depth(&self) -> usize {
        self.phases.pow(2) * self.read[2]
    }

    /// Whether it is worth its transforms.
    fn is_worth(&self) -> bool {
        let [rows, columns, out] = self.results;
        let (tiles, points, depth) = (self.tile_count(), self.points(), self.depth());
        let direct = 2 * self.images * rows * columns * self.taps.pow(2) * depth * out;
        let winograd = 2 * tiles * points * depth * out;
        // Tiles, their products and the weights are written and read.
        let moved = 8 * points * (tiles * (depth + out) + depth * out);
        direct.saturating_sub(winograd) >= WORTH * moved
    }

    /// Tiles that are computed at once, so many that each of their planes is small enough.
    fn chunks(&self, limits: &wgpu::Limits) -> impl Iterator<Item = Chunk> + use<> {
        let widest = self.depth().max(self.results[2]);
        chunks(self.tile_count(), (room(limits) / (self.points() * widest)).max(1))
    }
}

/// Taps along an axis of one phase, if Winograd's form can do a convolution.
fn taps(p: &Conv2d, w: &View) -> Option<usize> {
    let size = if p.stride == 2 { 4 } else { 3 };
    (p.stride <= 2 && w.shape[..2] == [size, size]).then_some(size / p.stride)
}

/// A range of tiles: the first, and how many.
type Chunk = (usize, usize);

impl Launch<'_> {
    /// `conv2d` in Winograd's form, if that is how it is computed.
    pub fn winograd(&mut self, p: &Conv2d, x: &View, w: &View, y: &View) -> Result<bool> {
        match self.winograd_pass(p, [x, w], Pass::forward(p, x, w, y)) {
            Some(pass) => self.correlate(&pass, x, w, false, y).map(|()| true),
            None => Ok(false),
        }
    }

    /// `conv2d_transpose` in Winograd's form, if that is how it is computed.
    pub fn winograd_transpose(&mut self, p: &Conv2d, y: &View, w: &View, x: &View) -> Result<bool> {
        let pass = |i, j| Pass::transposed(p, [i, j], y, w, x);
        // The first phase has the most rows and columns.
        if self.winograd_pass(p, [y, w], pass(0, 0)).is_none() {
            return Ok(false);
        }
        let phases = (0..p.stride).flat_map(|i| (0..p.stride).filter_map(move |j| pass(i, j)));
        for pass in phases {
            self.correlate(&pass, y, w, true, x)?;
        }
        Ok(true)
    }

    /// `conv2d_weight_grad` in Winograd's form, if that is how it is computed: the adjoints of its three steps in their
    /// reversed order.
    pub fn winograd_weight_grad(&mut self, p: &Conv2d, x: &View, y: &View, w: &View) -> Result<bool> {
        let Some(pass) = self.winograd_pass(p, [x, y], Pass::forward(p, x, w, y)) else {
            return Ok(false);
        };
        let (points, depth, out) = (pass.points(), pass.depth(), pass.results[2]);
        let (_sums, sums) = self.workspace(points * depth * out)?;
        for chunk in pass.chunks(self.limits) {
            let count = chunk.1;
            let (_inputs, inputs) = self.transformed_input(&pass, x, chunk)?;
            let (_grads, grads) = self.workspace(points * count * out)?;
            let shader = &shader::WINOGRAD_OUTPUT_GRAD;
            self.tiles(shader, &pass, pass.written(), chunk, [&bind(y), &grads])?;
            let (size, steps) = ([depth, out, count], [count * depth, count * out]);
            self.products([&inputs, &grads, &sums], [true, false], size, points, steps, chunk.0 > 0)?;
        }
        self.taps(&shader::WINOGRAD_WEIGHTS_GRAD, &pass, w, [&sums, &bind(w)])?;
        Ok(true)
    }

    /// A pass, if it is computed in Winograd's form: a function of its shape, its factors' types and the adapter. Units for matrices
    /// of f16 are 2 (GeForce RTX 4090) to 15 times (H100) as fast as f32, by NVIDIA's data sheets, in which Winograd's form has its 2.25 to
    /// 4 times fewer products; they need no transforms.
    fn winograd_pass(&self, p: &Conv2d, factors: [&View; 2], pass: Option<Pass>) -> Option<Pass> {
        pass.filter(|pass| {
            let weights = 4 * pass.points() * pass.depth() * pass.results[2];
            let fits = pass.tile_count() * weights > 0 && weights <= self.largest();
            match p.algorithm {
                None => fits && pass.is_worth() && !self.cooperates(factors),
                Some(Algorithm::Winograd) => fits,
                Some(_) => false,
            }
        })
    }

    /// `y (+)=` the pass over x; with `turned` weights a product is over their columns.
    fn correlate(&mut self, pass: &Pass, x: &View, w: &View, turned: bool, y: &View) -> Result<()> {
        let (points, depth, out) = (pass.points(), pass.depth(), pass.results[2]);
        let (_weights, weights) = self.workspace(points * depth * out)?;
        self.taps(&shader::WINOGRAD_WEIGHTS, pass, w, [&bind(w), &weights])?;
        for chunk in pass.chunks(self.limits) {
            let count = chunk.1;
            let (_inputs, inputs) = self.transformed_input(pass, x, chunk)?;
            let (_sums, sums) = self.workspace(points * count * out)?;
            let steps = [count * depth, depth * out];
            let size = [count, out, depth];
            self.products([&inputs, &weights, &sums], [false, turned], size, points, steps, false)?;
            self.tiles(&shader::WINOGRAD_OUTPUT, pass, pass.written(), chunk, [&sums, &bind(y)])?;
        }
        Ok(())
    }

    /// The transformed tiles of a chunk, `[points, count, depth]`.
    fn transformed_input(&mut self, pass: &Pass, x: &View, chunk: Chunk) -> Result<(Block, Binding)> {
        let tiles = self.workspace(pass.points() * chunk.1 * pass.depth())?;
        self.tiles(&shader::WINOGRAD_INPUT, pass, pass.image(), chunk, [&bind(x), &tiles.1])?;
        Ok(tiles)
    }

    /// Runs a transform over the tiles (`tiles.wgsl`) of an image.
    fn tiles(
        &mut self,
        shader: &'static Shader,
        pass: &Pass,
        [rows, columns, channels, phases]: [usize; 4],
        (first, count): Chunk,
        operands: [&Binding; 2],
    ) -> Result<()> {
        let width = vector(operands);
        let [high, wide] = pass.tiles();
        let sizes =
            [channels / width, first, count, high, wide, pass.results[0], pass.results[1], rows, columns, phases];
        let mut params = sizes.map(|size| size as u32).to_vec();
        params.extend(pass.before.map(|zeros| (zeros as i32).cast_unsigned()));
        params.extend([pass.step, pass.first[0], pass.first[1]].map(|place| place as u32));
        let items = count * phases.pow(2) * channels / width;
        self.transform(shader, pass, operands, items, &params)
    }

    /// Runs a transform over the taps of weights `w` (`taps.wgsl`).
    fn taps(&mut self, shader: &'static Shader, pass: &Pass, w: &View, operands: [&Binding; 2]) -> Result<()> {
        let [size, rows, columns] = [w.shape[0], w.shape[2], w.shape[3]];
        let mut params = [rows, columns, size, pass.phases].map(|size| size as u32).to_vec();
        let [u, v] = pass.tap;
        params.extend([u, v, pass.tap_step].map(|place| (place as i32).cast_unsigned()));
        self.transform(shader, pass, operands, pass.phases.pow(2) * rows * columns, &params)
    }

    /// Runs a transform of `items` squares of vectors; only those that make a convolution's results add to what is there.
    fn transform(
        &mut self,
        shader: &'static Shader,
        pass: &Pass,
        [x, y]: [&Binding; 2],
        items: usize,
        params: &[u32],
    ) -> Result<()> {
        let width = vector([x, y]);
        // Squares of a workgroup: with wide vectors fewer of them fit into its memory.
        let lanes = if width == 4 { 16 } else { 32 };
        let (forms, taps) = ([x.form(width), y.form(width)], pass.taps as u32);
        let constants = [forms[0], forms[1], width as u32, taps, lanes as u32];
        let params: Vec<u32> = [items as u32, self.add()].into_iter().chain(params.iter().copied()).collect();
        self.dispatch(shader, &constants, &[x], &[y], &params, spread(items.div_ceil(lanes)))
    }
}

/// Elements that an invocation takes at once: words of 16 bits are read and written by four.
fn vector(operands: [&Binding; 2]) -> usize {
    if operands.iter().any(|operand| operand.is_half()) { 4 } else { 1 }
}
