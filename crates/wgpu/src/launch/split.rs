//! Tensors larger than one kernel can see (128 MiB on many GPUs): the launch is taken apart along the batch, by elements,
//! pixels or rows.

use stylegan_tensor::{Error, Kernel, Position, Reduce, Result, Storage, View};

use super::Launch;

/// Which operands have the batch as their first axis; the others are seen whole by every part.
struct Parts {
    inputs: Vec<bool>,
    /// Whether the outputs have it, or the parts' results are added up.
    outs: bool,
    batch: usize,
}

impl Launch<'_> {
    pub fn is_too_large(&self, inputs: &[&View], outs: &[&View]) -> bool {
        let most = self.largest();
        inputs.iter().chain(outs).any(|view| bytes(view) > most)
    }

    pub fn largest(&self) -> usize {
        usize::try_from(self.limits.max_storage_buffer_binding_size).unwrap_or(usize::MAX)
    }

    pub fn run_in_parts(&mut self, kernel: &Kernel, inputs: &[&View], outs: &[&View]) -> Result<()> {
        match kernel {
            Kernel::GatherRows => return self.gather_in_parts(inputs[0], inputs[1], outs[0]),
            Kernel::ScatterRows => return self.scatter_in_parts(inputs[0], inputs[1], outs[0]),
            _ => {}
        }
        let (inputs, outs) = flattened(kernel, inputs, outs);
        let (inputs, outs): (Vec<_>, Vec<_>) = (inputs.iter().collect(), outs.iter().collect());
        let parts = Parts::of(kernel, &inputs, &outs);
        let chunk = parts.as_ref().and_then(|parts| self.chunk(parts, &inputs, &outs));
        let (Some(parts), Some(chunk)) = (parts, chunk) else {
            let operands: Vec<_> = inputs.into_iter().chain(outs).collect();
            return Err(self.too_large(&operands));
        };
        if let Kernel::Reduce { axes, .. } = kernel {
            let sizes = axes.iter().map(|&axis| inputs[0].shape[axis]);
            self.mean_over = Some(sizes.product());
        }
        let accumulate = self.accumulate;
        for first in (0..parts.batch).step_by(chunk) {
            let count = chunk.min(parts.batch - first);
            let part = |view: &View, is_split: bool| {
                if is_split { part(view, first, count) } else { Ok(view.clone()) }
            };
            let x = inputs.iter().zip(&parts.inputs).map(|(view, &is_split)| part(view, is_split));
            let x = x.collect::<Result<Vec<_>>>()?;
            let y = outs.iter().map(|view| part(view, parts.outs));
            let y = y.collect::<Result<Vec<_>>>()?;
            self.accumulate = accumulate || (!parts.outs && first > 0);
            self.first = first;
            self.run_whole(&moved(kernel, first), &x.iter().collect::<Vec<_>>(), &y.iter().collect::<Vec<_>>())?;
        }
        Ok(())
    }

    /// That none of `operands` may be larger than one kernel can see.
    pub fn too_large(&self, operands: &[&View]) -> Error {
        Error::Memory {
            op: self.op,
            bytes: operands.iter().map(|view| bytes(view)).max().unwrap_or(0),
            live: self.pool.memory().live,
            limit: self.largest(),
        }
    }

    /// Rows of `width` elements that one kernel sees, a number whose bytes are aligned whatever the width.
    fn chunk_of_rows(&self, width: usize, operands: &[&View]) -> Result<usize> {
        let rows = self.largest() / (4 * width.max(1)) / ROWS * ROWS;
        if rows == 0 {
            return Err(self.too_large(operands));
        }
        Ok(rows)
    }

    fn gather_in_parts(&mut self, table: &View, rows: &View, y: &View) -> Result<()> {
        let chunk = self.chunk_of_rows(y.shape[1], &[table, rows, y])?;
        let count = table.shape[0];
        for (k, n) in chunks(y.shape[0], chunk) {
            let (picked, y) = (part(rows, k, n)?, part(y, k, n)?);
            for (first, n) in chunks(count, chunk) {
                self.gather_rows(&part(table, first, n)?, &picked, &y, first, count)?;
            }
        }
        Ok(())
    }

    fn scatter_in_parts(&mut self, y: &View, rows: &View, table: &View) -> Result<()> {
        let chunk = self.chunk_of_rows(table.shape[1], &[table, rows, y])?;
        let (count, accumulate) = (table.shape[0], self.accumulate);
        for (k, n) in chunks(y.shape[0], chunk) {
            let (picked, y) = (part(rows, k, n)?, part(y, k, n)?);
            self.accumulate = accumulate || k > 0;
            for (first, n) in chunks(count, chunk) {
                self.scatter_rows(&y, &picked, &part(table, first, n)?, first, count)?;
            }
        }
        Ok(())
    }

    /// The most of the batch that one kernel sees, if that begins at multiples of 256 bytes.
    fn chunk(&self, parts: &Parts, inputs: &[&View], outs: &[&View]) -> Option<usize> {
        let most = self.largest();
        let inputs = inputs.iter().zip(parts.inputs.iter().copied());
        let operands: Vec<_> = inputs.chain(outs.iter().map(|out| (out, parts.outs))).collect();
        if operands.iter().any(|(view, is_split)| !is_split && bytes(view) > most) {
            return None;
        }
        let items = operands.iter().filter(|(_, is_split)| *is_split);
        let items: Vec<usize> = items.map(|(view, _)| bytes(view) / parts.batch).collect();
        let fits = items.iter().map(|item| most / (*item).max(1)).min()?;
        (1..=fits.min(parts.batch))
            .rev()
            .find(|chunk| items.iter().all(|item| (item * chunk).is_multiple_of(Storage::ALIGNMENT)))
    }
}

impl Parts {
    /// `None` where the kernel does not do the same for every part of a batch.
    fn of(kernel: &Kernel, inputs: &[&View], outs: &[&View]) -> Option<Self> {
        let y = outs[0];
        // A reduction's result may be one number, without axes.
        let batch = y.shape.first().copied().unwrap_or(1);
        let with = |inputs: &[bool]| Some(Self { inputs: inputs.to_vec(), outs: true, batch });
        let has_batch = |x: &View| x.shape.len() == y.shape.len() && x.shape[0] == batch && batch > 1;
        match kernel {
            Kernel::Fill { .. } | Kernel::Uniform(_) | Kernel::Normal(_) => with(&[]),
            Kernel::Cast | Kernel::Unary(_) | Kernel::Upfirdn2d(_) => with(&[true]),
            Kernel::BiasAct { .. } if inputs.len() == 1 => with(&[true]),
            // A vector is all channels.
            Kernel::BiasAct { .. } if y.shape.len() > 1 => with(&[true, false]),
            Kernel::Conv2d(_) | Kernel::Conv2dTranspose(_) => with(&[true, false]),
            // The matrices of a few images are too small to be a part: the kernel finds them by `first`.
            Kernel::AffineResample(_) | Kernel::AffineResampleTranspose(_) => with(&[true, false]),
            Kernel::BiasActGrad { .. } | Kernel::Adain => with(&[true, true]),
            Kernel::AdainStyleGrad => with(&[true, true, true]),
            Kernel::AdainInputGrad => with(&[true, true, true, true]),
            Kernel::NoiseBiasAct { .. } => with(&[true, has_batch(inputs[1]), false, false]),
            Kernel::Binary(_) | Kernel::Select | Kernel::Matmul { .. } => {
                with(&inputs.iter().map(|x| has_batch(x)).collect::<Vec<_>>())
            }
            Kernel::Conv2dWeightGrad(_) => {
                Some(Self { inputs: vec![true, true], outs: false, batch: inputs[0].shape[0] })
            }
            Kernel::Reduce { op, axes } => {
                let is_summed = axes.first() == Some(&0);
                let adds_up = is_summed && *op != Reduce::Max;
                (adds_up || !is_summed).then(|| Self {
                    inputs: vec![true],
                    outs: !is_summed,
                    batch: inputs[0].shape[0],
                })
            }
            _ => None,
        }
    }
}

/// Rows that begin at multiples of 256 bytes, whatever their width: elements have four bytes there.
pub(super) const ROWS: usize = Storage::ALIGNMENT / 4;

/// `(first, count)` of parts of `len`, all but the last of `chunk`.
pub(super) fn chunks(len: usize, chunk: usize) -> impl Iterator<Item = (usize, usize)> {
    let firsts = (0..len).step_by(chunk);
    firsts.map(move |first| (first, chunk.min(len - first)))
}

/// Operands of a kernel that looks at each element (or pixel) by itself, without axes that are nothing to it.
fn flattened(kernel: &Kernel, inputs: &[&View], outs: &[&View]) -> (Vec<View>, Vec<View>) {
    let len = outs[0].storage.len();
    let all_of = |views: &[&View], shape: &dyn Fn(&View) -> Vec<usize>| {
        let view = |view: &&View| View { storage: view.storage.clone(), shape: shape(view) };
        views.iter().map(view).collect::<Vec<_>>()
    };
    let as_they_are = |view: &View| view.shape.clone();
    let is_flat = match kernel {
        Kernel::Fill { .. }
        | Kernel::Cast
        | Kernel::Unary(_)
        | Kernel::Uniform(_)
        | Kernel::Normal(_)
        | Kernel::BiasActGrad { .. } => true,
        Kernel::BiasAct { .. } => inputs.len() == 1,
        Kernel::Binary(_) => inputs.iter().all(|x| [1, len].contains(&x.storage.len())),
        _ => false,
    };
    if is_flat {
        let shape = |view: &View| vec![view.storage.len()];
        return (all_of(inputs, &shape), all_of(outs, &shape));
    }
    let channels = outs[0].shape.last().copied().unwrap_or(1).max(1);
    let pixels = len / channels;
    let by_pixel = match kernel {
        Kernel::BiasAct { .. } => true,
        Kernel::NoiseBiasAct { .. } => inputs[1].storage.len() == pixels,
        _ => false,
    };
    if !by_pixel {
        return (all_of(inputs, &as_they_are), all_of(outs, &as_they_are));
    }
    let shape = |view: &View| match view.storage.len() {
        n if n == len => vec![pixels, 1, 1, channels],
        n if n == pixels => vec![pixels, 1, 1, 1],
        _ => as_they_are(view),
    };
    (all_of(inputs, &shape), all_of(outs, &shape))
}

/// The kernel for a part whose first element is `first`.
fn moved(kernel: &Kernel, first: usize) -> Kernel {
    let on = |position: &Position| Position { offset: position.offset + first as u64, ..*position };
    match kernel {
        Kernel::Uniform(position) => Kernel::Uniform(on(position)),
        Kernel::Normal(position) => Kernel::Normal(on(position)),
        other => other.clone(),
    }
}

pub(super) fn bytes(view: &View) -> usize {
    view.storage.len() * view.storage.dtype().size()
}

/// `count` items of the first axis from `first` on.
pub(super) fn part(view: &View, first: usize, count: usize) -> Result<View> {
    let item = view.storage.len() / view.shape[0];
    let mut shape = view.shape.clone();
    shape[0] = count;
    Ok(View { storage: view.storage.slice(first * item, count * item)?, shape })
}
