//! Copies, rows, and the last bytes of an upload.

use stylegan_tensor::{Error, Kernel, Result, View};

use super::split::bytes;
use super::{Launch, bind, bind_range, flat, is_half};
use crate::memory::Block;
use crate::recorder::Binding;
use crate::shader;

/// Axes that the kernels with index arithmetic take, after axes that lie together were made one.
pub(super) const MAX_AXES: usize = 6;

impl Launch<'_> {
    pub fn copy(&mut self, kernel: &Kernel, x: &View, y: &View) -> Result<()> {
        let Kernel::Copy { shape, src, src_strides, dst, dst_strides } = kernel else {
            unreachable!("only a copy comes here");
        };
        let (sizes, mut steps) = merged(shape, vec![src_strides.clone(), dst_strides.clone()]);
        if sizes.len() > MAX_AXES {
            return Err(too_many_axes(self.op, shape));
        }
        let mut walk = Walk { sizes, at: [*src, *dst], unit: 1 };
        if is_half(x) {
            walk = walk.in_fours(&mut steps).ok_or_else(|| {
                let dtype = x.storage.dtype();
                let message = format!("a GPU moves {dtype} in runs of four elements only; cast it to f32 first");
                Error::shape(self.op, message)
            })?;
        }
        self.copy_walk(walk, &steps, [x, y])
    }

    /// Copies what a walk passes: in two halves, each maybe in halves again, if it passes more than one kernel can see.
    fn copy_walk(&mut self, walk: Walk, steps: &[Vec<isize>], operands: [&View; 2]) -> Result<()> {
        let most = self.largest();
        let seen = [0, 1].map(|k| {
            let view = operands[k];
            if bytes(view) <= most {
                return Some((bind(view), 0));
            }
            let (low, high) = walk.range(k, &steps[k]);
            let (binding, before) = bind_range(view, low * walk.unit, high * walk.unit);
            (binding.bytes() as usize <= most).then_some((binding, low - before / walk.unit))
        });
        let [Some((from, src)), Some((to, dst))] = seen else {
            let wide = usize::from(seen[0].is_some());
            let Some((one, other)) = walk.halves(wide, steps) else {
                return Err(self.too_large(&operands));
            };
            self.copy_walk(one, steps, operands)?;
            return self.copy_walk(other, steps, operands);
        };
        let len: usize = walk.sizes.iter().product();
        let mut params = vec![0; 3 + 3 * MAX_AXES];
        let at = [walk.at[0] - src, walk.at[1] - dst];
        params[..3].copy_from_slice(&[len as u32, at[0] as u32, at[1] as u32]);
        for (axis, &size) in walk.sizes.iter().enumerate() {
            params[3 + axis] = size as u32;
            params[3 + MAX_AXES + axis] = (steps[0][axis] as i32).cast_unsigned();
            params[3 + 2 * MAX_AXES + axis] = (steps[1][axis] as i32).cast_unsigned();
        }
        let (add, rank) = (self.add(), walk.sizes.len() as u32);
        let (inputs, outs, groups) = ([&from], [&to], flat(len));
        if walk.unit == 4 {
            let constants = [from.form(4), to.form(4), add, rank];
            return self.dispatch(&shader::COPY_RUNS, &constants, &inputs, &outs, &params, groups);
        }
        let size = operands[0].storage.dtype().size() as u32;
        self.dispatch(&shader::COPY, &[size, add, rank], &inputs, &outs, &params, groups)
    }

    /// `table` holds rows from `first` on of a table of `count` rows.
    pub fn gather_rows(&mut self, table: &View, rows: &View, y: &View, first: usize, count: usize) -> Result<()> {
        let (len, width) = (y.storage.len(), y.shape[1]);
        let params = [len, width, count, first, table.shape[0]].map(|value| value as u32);
        let inputs = [&bind(table), &bind(rows)];
        let outs = [&bind(y), self.status];
        let constants = [self.add()];
        self.dispatch(&shader::GATHER_ROWS, &constants, &inputs, &outs, &params, flat(len))
    }

    /// `table` holds rows from `first` on of a table of `count` rows.
    pub fn scatter_rows(&mut self, y: &View, rows: &View, table: &View, first: usize, count: usize) -> Result<()> {
        let (len, width) = (table.storage.len(), table.shape[1]);
        let params = [len, width, count, rows.storage.len(), first].map(|value| value as u32);
        let inputs = [&bind(y), &bind(rows)];
        let outs = [&bind(table), self.status];
        let constants = [self.add()];
        self.dispatch(&shader::SCATTER_ROWS, &constants, &inputs, &outs, &params, flat(len))
    }

    /// Writes the first `len` bytes of `word` at byte `at` of a block, a multiple of 4, by a kernel.
    pub fn put_bytes(
        &mut self,
        queue: &wgpu::Queue,
        block: &Block,
        at: usize,
        len: usize,
        word: [u8; 4],
    ) -> Result<()> {
        let (source, from) = self.workspace(1)?;
        queue.write_buffer(&source.slot.buffer, 0, &word);
        // A binding begins at a multiple of 256 bytes; the step to the word is the copy's.
        let (base, within) = (at / 256 * 256, at % 256);
        let to = Binding::new(&block.slot, base, within + 4);
        let mut params = vec![0; 3 + 3 * MAX_AXES];
        params[..4].copy_from_slice(&[len as u32, 0, within as u32, len as u32]);
        params[3 + MAX_AXES] = 1;
        params[3 + 2 * MAX_AXES] = 1;
        self.dispatch(&shader::COPY, &[1, 0, 1], &[&from], &[&to], &params, flat(len))
    }
}

/// The index space of a copy, and where it begins in both operands.
struct Walk {
    sizes: Vec<usize>,
    at: [usize; 2],
    /// Elements that move together, which all sizes and steps count as one.
    unit: usize,
}

impl Walk {
    /// The same walk in runs of four elements; `None` if four that follow one another do not stay together.
    fn in_fours(self, steps: &mut [Vec<isize>]) -> Option<Self> {
        let mut sizes = self.sizes;
        let last = sizes.pop()?;
        let mut whole = last.is_multiple_of(4) && self.at.iter().all(|at| at.is_multiple_of(4));
        for steps in steps {
            whole &= steps.pop()? == 1 && steps.iter().all(|step| step % 4 == 0);
            steps.iter_mut().for_each(|step| *step /= 4);
            steps.push(1);
        }
        sizes.push(last / 4);
        let at = self.at.map(|at| at / 4);
        whole.then_some(Self { sizes, at, unit: 4 })
    }

    /// First element of operand `k` that is passed, and the one after the last.
    fn range(&self, k: usize, steps: &[isize]) -> (usize, usize) {
        let (mut low, mut high) = (self.at[k] as isize, self.at[k] as isize + 1);
        for (&size, &step) in self.sizes.iter().zip(steps) {
            let reach = (size as isize - 1) * step;
            low += reach.min(0);
            high += reach.max(0);
        }
        (low as usize, high as usize)
    }

    /// Both halves of the axis along which operand `k` reaches furthest; `None` if it stays where it is.
    fn halves(&self, k: usize, steps: &[Vec<isize>]) -> Option<(Self, Self)> {
        let reach = |axis: usize| (self.sizes[axis] - 1) * steps[k][axis].unsigned_abs();
        let axis = (0..self.sizes.len()).max_by_key(|&axis| reach(axis))?;
        if reach(axis) == 0 {
            return None;
        }
        let first = self.sizes[axis] / 2;
        let part = |size: usize, from: usize| {
            let mut sizes = self.sizes.clone();
            sizes[axis] = size;
            let at = [0, 1].map(|k| {
                let moved = self.at[k] as isize + from as isize * steps[k][axis];
                moved as usize
            });
            Self { sizes, at, unit: self.unit }
        };
        Some((part(first, 0), part(self.sizes[axis] - first, first)))
    }
}

/// The same walk over fewer axes: those of size 1 are left out, and neighbours become one where every operand goes on from
/// one to the next in equal steps.
pub(super) fn merged(shape: &[usize], steps: Vec<Vec<isize>>) -> (Vec<usize>, Vec<Vec<isize>>) {
    let mut sizes: Vec<usize> = Vec::new();
    let mut merged: Vec<Vec<isize>> = vec![Vec::new(); steps.len()];
    for (axis, &size) in shape.iter().enumerate() {
        if size == 1 {
            continue;
        }
        let follows =
            |(old, new): (&Vec<isize>, &Vec<isize>)| old.last().is_some_and(|&old| old == new[axis] * size as isize);
        let joins = merged.iter().zip(&steps).all(follows);
        match sizes.last_mut().filter(|_| joins) {
            Some(last) => {
                *last *= size;
                for (old, new) in merged.iter_mut().zip(&steps) {
                    old.pop();
                    old.push(new[axis]);
                }
            }
            None => {
                sizes.push(size);
                for (old, new) in merged.iter_mut().zip(&steps) {
                    old.push(new[axis]);
                }
            }
        }
    }
    (sizes, merged)
}

pub(super) fn too_many_axes(op: &'static str, shape: &[usize]) -> Error {
    Error::shape(op, format!("a GPU takes {MAX_AXES} axes that do not lie together, got {shape:?}; reshape it first"))
}
