//! Reductions: levels of workgroup trees, in an order that depends on the shape alone.

use stylegan_tensor::{Error, Reduce, Result, View};

use super::{Launch, SIZE, bind, float, spread};
use crate::recorder::Binding;
use crate::shader::{self, form::SCALAR};

/// Workgroups that keep a large GPU busy; with fewer, what is reduced is cut into runs.
pub(super) const BUSY: usize = 512;

/// Elements that an invocation takes at least before there are more runs: also what keeps f32 sums of one sign right.
const DEPTH: usize = 16;

/// Axes of x of one sort, as sizes and steps.
#[derive(Default)]
struct Axes {
    sizes: Vec<usize>,
    steps: Vec<usize>,
}

impl Axes {
    fn push(&mut self, size: usize, step: usize, joins: bool) {
        match self.sizes.last_mut().filter(|_| joins) {
            Some(last) => {
                *last *= size;
                self.steps.pop();
            }
            None => self.sizes.push(size),
        }
        self.steps.push(step);
    }

    fn count(&self) -> usize {
        self.sizes.iter().product()
    }

    /// Three sizes and three steps, as reduce.wgsl takes them.
    fn params(&self) -> Option<[u32; 6]> {
        let missing = 3_usize.checked_sub(self.sizes.len())?;
        let mut params = [1, 1, 1, 0, 0, 0];
        for (axis, (&size, &step)) in self.sizes.iter().zip(&self.steps).enumerate() {
            params[missing + axis] = size as u32;
            params[3 + missing + axis] = step as u32;
        }
        Some(params)
    }
}

impl Launch<'_> {
    pub fn reduce(&mut self, op: Reduce, x: &View, axes: &[usize], y: &View) -> Result<()> {
        let count = axes.iter().map(|&axis| x.shape[axis]).product();
        let count = self.mean_over.unwrap_or(count);
        let (is_max, scale) = match op {
            Reduce::Sum => (false, 1.0),
            Reduce::Mean => (false, 1.0 / count as f64),
            Reduce::Max => (true, 1.0),
        };
        self.reduce_axes(is_max, scale, &bind(x), &x.shape, axes, &bind(y), self.accumulate)
    }

    /// y (+)= scale · Σ x over `axes` of its `shape`.
    #[allow(clippy::too_many_arguments, reason = "one level of a reduction is all of these")]
    pub fn reduce_axes(
        &mut self,
        is_max: bool,
        scale: f64,
        x: &Binding,
        shape: &[usize],
        axes: &[usize],
        y: &Binding,
        add: bool,
    ) -> Result<()> {
        let (kept, reduced, is_inner) = split_axes(shape, axes);
        let (Some(kept_params), Some(reduced_params)) = (kept.params(), reduced.params()) else {
            let message = format!("a GPU reduces at most 3 groups of axes, got {axes:?} of {shape:?}");
            return Err(Error::shape(self.op, message));
        };
        let is_plain = reduced.sizes.len() <= 1;
        let (kept, reduced) = (kept.count(), reduced.count());
        let lanes = lanes(kept, reduced, is_inner);
        let tiles = kept.div_ceil(SIZE / lanes);
        let runs = (BUSY / tiles.max(1)).min(reduced.div_ceil(lanes * DEPTH)).max(1);
        let chunk = reduced.div_ceil(runs);
        let is_last = runs == 1;
        let in_subgroups = self.subgroups && lanes == SIZE && !is_max;
        let shader = if in_subgroups { &shader::REDUCE_SUBGROUPS } else { &shader::REDUCE };
        let constants = |add: bool| {
            let flags = [is_max, is_inner, add, is_plain].map(u32::from);
            let [is_max, is_inner, add, is_plain] = flags;
            [x.form(1), SCALAR, is_max, is_inner, lanes as u32, add, is_plain]
        };
        let mut params = vec![kept as u32, reduced as u32, chunk as u32, runs as u32];
        params.push(float(if is_last { scale } else { 1.0 }));
        params.extend(kept_params);
        params.extend(reduced_params);
        let groups = spread(tiles * runs);
        if is_last {
            return self.dispatch(shader, &constants(add), &[x], &[y], &params, groups);
        }
        let (_block, parts) = self.workspace(runs * kept)?;
        self.dispatch(shader, &constants(false), &[x], &[&parts], &params, groups)?;
        self.reduce_axes(is_max, scale, &parts, &[runs, kept], &[0], y, add)
    }
}

/// The axes kept, the axes reduced, and whether the innermost is one of the latter.
fn split_axes(shape: &[usize], axes: &[usize]) -> (Axes, Axes, bool) {
    let (mut kept, mut reduced) = (Axes::default(), Axes::default());
    let mut last = None;
    for (axis, &size) in shape.iter().enumerate() {
        if size == 1 {
            continue;
        }
        let step = shape[axis + 1..].iter().product();
        let is_reduced = axes.contains(&axis);
        let sort = if is_reduced { &mut reduced } else { &mut kept };
        sort.push(size, step, last == Some(is_reduced));
        last = Some(is_reduced);
    }
    (kept, reduced, last != Some(false))
}

/// Invocations of a workgroup that share an element of the result.
fn lanes(kept: usize, reduced: usize, is_inner: bool) -> usize {
    if is_inner {
        return (reduced / 4).next_power_of_two().clamp(1, SIZE);
    }
    let columns = kept.next_power_of_two().clamp(1, 64);
    (SIZE / columns).min(reduced.next_power_of_two())
}
