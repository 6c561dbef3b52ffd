//! Tensors larger than one kernel can see (128 MiB on many GPUs): the launch is taken apart along the batch.

use stylegan_tensor::{Error, Kernel, Reduce, Result, View};

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

    fn largest(&self) -> usize {
        usize::try_from(self.limits.max_storage_buffer_binding_size).unwrap_or(usize::MAX)
    }

    pub fn run_in_parts(
        &mut self,
        kernel: &Kernel,
        inputs: &[&View],
        outs: &[&View],
    ) -> Result<()> {
        let parts = Parts::of(kernel, inputs, outs);
        let chunk = parts
            .as_ref()
            .and_then(|parts| self.chunk(parts, inputs, outs));
        let (Some(parts), Some(chunk)) = (parts, chunk) else {
            let largest = inputs.iter().chain(outs).map(|view| bytes(view)).max();
            return Err(Error::Memory {
                op: self.op,
                bytes: largest.unwrap_or(0),
                live: self.pool.memory().live,
                limit: self.largest(),
            });
        };
        let accumulate = self.accumulate;
        for first in (0..parts.batch).step_by(chunk) {
            let count = chunk.min(parts.batch - first);
            let part = |view: &View, is_split: bool| {
                if is_split {
                    rows(view, first, count)
                } else {
                    Ok(view.clone())
                }
            };
            let x = inputs
                .iter()
                .zip(&parts.inputs)
                .map(|(view, &is_split)| part(view, is_split));
            let x = x.collect::<Result<Vec<_>>>()?;
            let y = outs.iter().map(|view| part(view, parts.outs));
            let y = y.collect::<Result<Vec<_>>>()?;
            self.accumulate = accumulate || (!parts.outs && first > 0);
            self.run_whole(
                kernel,
                &x.iter().collect::<Vec<_>>(),
                &y.iter().collect::<Vec<_>>(),
            )?;
        }
        Ok(())
    }

    /// The most of the batch that one kernel sees, if that begins at multiples of 256 bytes.
    fn chunk(&self, parts: &Parts, inputs: &[&View], outs: &[&View]) -> Option<usize> {
        let most = self.largest();
        let inputs = inputs.iter().zip(parts.inputs.iter().copied());
        let operands: Vec<_> = inputs
            .chain(outs.iter().map(|out| (out, parts.outs)))
            .collect();
        if operands
            .iter()
            .any(|(view, is_split)| !is_split && bytes(view) > most)
        {
            return None;
        }
        let items = operands.iter().filter(|(_, is_split)| *is_split);
        let items: Vec<usize> = items.map(|(view, _)| bytes(view) / parts.batch).collect();
        let fits = items.iter().map(|item| most / (*item).max(1)).min()?;
        (1..=fits.min(parts.batch)).rev().find(|chunk| {
            items
                .iter()
                .all(|item| (item * chunk).is_multiple_of(stylegan_tensor::Storage::ALIGNMENT))
        })
    }
}

impl Parts {
    /// `None` where the kernel does not do the same for every part of a batch.
    fn of(kernel: &Kernel, inputs: &[&View], outs: &[&View]) -> Option<Self> {
        let y = outs[0];
        let batch = *y.shape.first()?;
        let with = |inputs: &[bool]| {
            Some(Self {
                inputs: inputs.to_vec(),
                outs: true,
                batch,
            })
        };
        let has_batch =
            |x: &View| x.shape.len() == y.shape.len() && x.shape[0] == batch && batch > 1;
        match kernel {
            Kernel::Fill { .. } => with(&[]),
            Kernel::Cast | Kernel::Unary(_) | Kernel::Upfirdn2d(_) => with(&[true]),
            Kernel::BiasAct { .. } if inputs.len() == 1 => with(&[true]),
            // A vector is all channels.
            Kernel::BiasAct { .. } if y.shape.len() > 1 => with(&[true, false]),
            Kernel::Conv2d(_) | Kernel::Conv2dTranspose(_) => with(&[true, false]),
            Kernel::BiasActGrad { .. } | Kernel::Adain => with(&[true, true]),
            Kernel::AdainStyleGrad => with(&[true, true, true]),
            Kernel::AdainInputGrad => with(&[true, true, true, true]),
            Kernel::AddNoise => with(&[true, has_batch(inputs[1]), false]),
            Kernel::Binary(_) | Kernel::Select | Kernel::Matmul { .. } => {
                with(&inputs.iter().map(|x| has_batch(x)).collect::<Vec<_>>())
            }
            Kernel::Conv2dWeightGrad(_) => Some(Self {
                inputs: vec![true, true],
                outs: false,
                batch: inputs[0].shape[0],
            }),
            Kernel::Reduce { op, axes } => {
                let is_summed = axes.first() == Some(&0);
                let adds_up = is_summed && *op == Reduce::Sum;
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

fn bytes(view: &View) -> usize {
    view.storage.len() * view.storage.dtype().size()
}

/// `count` items of the first axis from `first` on.
fn rows(view: &View, first: usize, count: usize) -> Result<View> {
    let item = view.storage.len() / view.shape[0];
    let mut shape = view.shape.clone();
    shape[0] = count;
    Ok(View {
        storage: view.storage.slice(first * item, count * item)?,
        shape,
    })
}
