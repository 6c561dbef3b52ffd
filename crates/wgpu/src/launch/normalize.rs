//! Adaptive instance normalisation and the minibatch's deviation.

use stylegan_tensor::{Result, View};

use super::reduce::BUSY;
use super::{Launch, SIZE, bind, flat, width};
use crate::recorder::Binding;
use crate::shader::{self, form::SCALAR};

/// How the maps of `[N, H, W, C]` are shared among workgroups: an image's channels in tiles, its pixels in runs.
struct Maps {
    images: usize,
    pixels: usize,
    channels: usize,
    /// Invocations of a workgroup that share a channel.
    lanes: usize,
    tiles: usize,
    runs: usize,
    chunk: usize,
}

impl Maps {
    fn of(x: &View) -> Self {
        let [images, pixels, channels] = [x.shape[0], x.shape[1] * x.shape[2], x.shape[3]];
        let columns = channels.next_power_of_two().clamp(1, 64);
        let lanes = SIZE / columns;
        let tiles = channels.div_ceil(columns);
        let runs = (BUSY / (tiles * images)).min(pixels.div_ceil(lanes * 8)).max(1);
        let chunk = pixels.div_ceil(runs);
        Self {
            images,
            pixels,
            channels,
            lanes,
            tiles,
            // Chunks are rounded up, so there may be fewer.
            runs: pixels.div_ceil(chunk),
            chunk,
        }
    }

    fn params(&self) -> [u32; 5] {
        [self.pixels, self.channels, self.runs, self.chunk, self.tiles].map(|value| value as u32)
    }

    /// A workgroup for each run of each tile. There is no second axis: the kernels do not look for images that are not there.
    fn groups(&self) -> [u32; 3] {
        [(self.images * self.tiles * self.runs) as u32, 1, 1]
    }

    /// Numbers in `[N, 2, C]`.
    fn pairs(&self) -> usize {
        2 * self.images * self.channels
    }

    /// Vector width, number of vectors of x, and the parameters of the kernels with one invocation a vector.
    fn vectors(&self) -> (usize, usize, [u32; 3]) {
        let width = width(&[self.channels]);
        let len = self.images * self.pixels * self.channels / width;
        let params = [len, self.pixels, self.channels / width];
        (width, len, params.map(|value| value as u32))
    }
}

impl Launch<'_> {
    pub fn adain(&mut self, x: &View, style: &View, y: &View, stats: &View) -> Result<()> {
        let maps = Maps::of(x);
        let (_moments, moments) = self.workspace(maps.pairs() * maps.runs)?;
        let (x, y) = (bind(x), bind(y));
        // Maps are read one element at a time, since each channel is summed up by itself.
        let constants = [x.form(1), SCALAR, maps.lanes as u32];
        self.dispatch(&shader::ADAIN_MOMENTS, &constants, &[&x], &[&moments], &maps.params(), maps.groups())?;
        // Where stats are added to, the ones of this launch need a place of their own.
        let (_own, own) = self.workspace(maps.pairs())?;
        let out = bind(stats);
        let fresh = if self.accumulate { &own } else { &out };
        let count = maps.images * maps.channels;
        let params = [count, maps.pixels, maps.channels, maps.runs, maps.chunk].map(|value| value as u32);
        self.dispatch(&shader::ADAIN_STATS, &[], &[&moments], &[fresh], &params, flat(count))?;
        let (width, len, params) = maps.vectors();
        let inputs = [&x, &bind(style), fresh];
        let [x_form, style_form, stats_form] = inputs.map(|operand| operand.form(width));
        let y_form = y.form(width);
        let constants = [x_form, style_form, stats_form, y_form, width as u32, self.add()];
        self.dispatch(&shader::ADAIN, &constants, &inputs, &[&y], &params, flat(len))?;
        if self.accumulate {
            let axes = [maps.pairs()];
            self.reduce_axes(false, 1.0, &own, &axes, &[], &out, true)?;
        }
        Ok(())
    }

    pub fn adain_style_grad(&mut self, g: &View, x: &View, stats: &View, dstyle: &View) -> Result<()> {
        let add = self.accumulate;
        self.adain_sums(&Maps::of(x), [&bind(g), &bind(x), &bind(stats)], &bind(dstyle), add)
    }

    /// (Σ g·x̂, Σ g) of each map into `[N, 2, C]`.
    fn adain_sums(&mut self, maps: &Maps, inputs: [&Binding; 3], sums: &Binding, add: bool) -> Result<()> {
        let [g, x, _] = inputs.map(|operand| operand.form(1));
        let constants = |add: bool| [g, x, SCALAR, SCALAR, maps.lanes as u32, u32::from(add)];
        if maps.runs == 1 {
            let constants = constants(add);
            return self.dispatch(&shader::ADAIN_SUMS, &constants, &inputs, &[sums], &maps.params(), maps.groups());
        }
        let (_parts, parts) = self.workspace(maps.pairs() * maps.runs)?;
        self.dispatch(&shader::ADAIN_SUMS, &constants(false), &inputs, &[&parts], &maps.params(), maps.groups())?;
        let shape = [maps.images, maps.runs, 2 * maps.channels];
        self.reduce_axes(false, 1.0, &parts, &shape, &[1], sums, add)
    }

    /// `g, x, style, stats → dx`.
    pub fn adain_input_grad(&mut self, inputs: &[&View], dx: &View) -> Result<()> {
        let maps = Maps::of(inputs[1]);
        let [g, x, style, stats] = [bind(inputs[0]), bind(inputs[1]), bind(inputs[2]), bind(inputs[3])];
        let (_sums, sums) = self.workspace(maps.pairs())?;
        self.adain_sums(&maps, [&g, &x, &stats], &sums, false)?;
        let (width, len, params) = maps.vectors();
        let dx = bind(dx);
        let inputs = [&g, &x, &style, &stats, &sums];
        let operands = inputs.into_iter().chain([&dx]);
        let mut constants: Vec<u32> = operands.map(|operand| operand.form(width)).collect();
        constants.extend([width as u32, self.add()]);
        self.dispatch(&shader::ADAIN_INPUT_GRAD, &constants, &inputs, &[&dx], &params, flat(len))
    }

    pub fn minibatch_stddev(&mut self, x: &View, group: usize, s: &View) -> Result<()> {
        let (count, image, params) = groups_of(x, group);
        let (_deviations, deviations) = self.workspace(count * image)?;
        let groups = flat(count * image);
        self.dispatch(&shader::MINIBATCH_STDDEV, &[SCALAR, SCALAR, 0], &[&bind(x)], &[&deviations], &params, groups)?;
        let (shape, scale) = ([count, image], 1.0 / image as f64);
        self.reduce_axes(false, scale, &deviations, &shape, &[1], &bind(s), self.accumulate)
    }

    pub fn minibatch_stddev_grad(&mut self, g: &View, x: &View, group: usize, dx: &View) -> Result<()> {
        let (count, image, params) = groups_of(x, group);
        let constants = [SCALAR, SCALAR, SCALAR, self.add()];
        let inputs = [&bind(g), &bind(x)];
        let groups = flat(count * image);
        self.dispatch(&shader::MINIBATCH_STDDEV_GRAD, &constants, &inputs, &[&bind(dx)], &params, groups)
    }
}

/// Number of groups, elements of an image, and the parameters of minibatch.wgsl.
fn groups_of(x: &View, group: usize) -> (usize, usize, [u32; 4]) {
    let (count, image) = (x.shape[0] / group, x.shape[1..].iter().product::<usize>());
    let params = [count * image, count, group, image].map(|value| value as u32);
    (count, image, params)
}
