//! Copies, rows, and the last bytes of an upload.

use stylegan_tensor::{Error, Kernel, Result, View};

use super::{Launch, bind, flat};
use crate::memory::Block;
use crate::recorder::Binding;
use crate::shader;

/// Axes that the kernels with index arithmetic take, after axes that lie together were made one.
pub(super) const MAX_AXES: usize = 6;

impl Launch<'_> {
    pub fn copy(&mut self, kernel: &Kernel, x: &View, y: &View) -> Result<()> {
        let Kernel::Copy {
            shape,
            src,
            src_strides,
            dst,
            dst_strides,
        } = kernel
        else {
            unreachable!("only a copy comes here");
        };
        let len: usize = shape.iter().product();
        if len == 0 {
            return Ok(());
        }
        let (sizes, steps) = merged(shape, vec![src_strides.clone(), dst_strides.clone()]);
        if sizes.len() > MAX_AXES {
            return Err(too_many_axes(self.op, shape));
        }
        let mut params = vec![0; 3 + 3 * MAX_AXES];
        params[..3].copy_from_slice(&[len as u32, *src as u32, *dst as u32]);
        for (axis, &size) in sizes.iter().enumerate() {
            params[3 + axis] = size as u32;
            params[3 + MAX_AXES + axis] = (steps[0][axis] as i32).cast_unsigned();
            params[3 + 2 * MAX_AXES + axis] = (steps[1][axis] as i32).cast_unsigned();
        }
        let bytes = x.storage.dtype().size() as u32;
        let constants = [bytes, self.add(), sizes.len() as u32];
        self.dispatch(
            &shader::COPY,
            &constants,
            &[&bind(x)],
            &[&bind(y)],
            &params,
            flat(len),
        )
    }

    pub fn gather_rows(&mut self, table: &View, rows: &View, y: &View) -> Result<()> {
        let (len, width) = (y.storage.len(), y.shape[1]);
        let params = [len as u32, width as u32, table.shape[0] as u32];
        let inputs = [&bind(table), &bind(rows)];
        let outs = [&bind(y), self.status];
        let constants = [self.add()];
        self.dispatch(
            &shader::GATHER_ROWS,
            &constants,
            &inputs,
            &outs,
            &params,
            flat(len),
        )
    }

    pub fn scatter_rows(&mut self, y: &View, rows: &View, table: &View) -> Result<()> {
        let (len, [count, width]) = (table.storage.len(), [table.shape[0], table.shape[1]]);
        let count_of_rows = rows.storage.len();
        let params = [len as u32, width as u32, count as u32, count_of_rows as u32];
        let inputs = [&bind(y), &bind(rows)];
        let outs = [&bind(table), self.status];
        let constants = [self.add()];
        self.dispatch(
            &shader::SCATTER_ROWS,
            &constants,
            &inputs,
            &outs,
            &params,
            flat(len),
        )
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
        self.dispatch(
            &shader::COPY,
            &[1, 0, 1],
            &[&from],
            &[&to],
            &params,
            flat(len),
        )
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
        let follows = |(old, new): (&Vec<isize>, &Vec<isize>)| {
            old.last()
                .is_some_and(|&old| old == new[axis] * size as isize)
        };
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
    Error::shape(
        op,
        format!(
            "a GPU takes {MAX_AXES} axes that do not lie together, got {shape:?}; reshape it first"
        ),
    )
}
