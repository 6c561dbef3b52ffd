//! What convolutions make of weights that do not change, cached for the next time.

use super::buffers::grow;
use super::geometry::Conv;
use crate::cache_line::before_line;
use std::collections::HashMap;
use std::ops::Range;
use stylegan_tensor::Algorithm;

/// What weights were made into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Made {
    /// In Winograd's form, for one of its algorithms.
    Winograd(Algorithm),
    /// In Winograd's form for sums of phases.
    MergedWinograd,
    /// In Winograd's form along one axis.
    Line,
    /// Arranged for the adjoint.
    Flipped,
    /// Both.
    FlippedWinograd(Algorithm),
    /// For the products of an upscale; nothing where the weights are not those of one.
    Doubled,
}

/// Weights by where they lie: whoever owns the memory says which do not change, and when they are gone.
#[derive(Default)]
pub(super) struct WeightCache {
    /// Weights that do not change: their first byte and the byte behind.
    frozen: Option<Range<usize>>,
    made: HashMap<(Range<usize>, Made, Conv), Vec<f32>>,
}

impl WeightCache {
    /// The weights of the next convolution, if they do not change.
    pub fn freeze(&mut self, weights: Option<&[f32]>) {
        self.frozen = weights.map(range);
    }

    /// Forgets everything that was made of weights in this memory.
    pub fn forget(&mut self, memory: &[f32]) {
        if !self.made.is_empty() {
            let gone = range(memory);
            self.made.retain(|(weights, ..), _| weights.end <= gone.start || gone.end <= weights.start);
        }
    }

    /// `len` elements that `make` fills from `weights`: in `scratch`, or once for all if the weights do not change.
    pub fn get_or<'a>(
        &'a mut self,
        weights: &[f32],
        what: Made,
        g: &Conv,
        scratch: &'a mut Vec<f32>,
        len: usize,
        make: impl FnOnce(&mut [f32]),
    ) -> &'a [f32] {
        self.get_or_if(weights, what, g, scratch, len, || true, make).unwrap_or(&[])
    }

    /// As [`get_or`](Self::get_or), or nothing if the weights are not `fit`, which is asked as often.
    #[allow(clippy::too_many_arguments, reason = "what is made of weights, and where")]
    pub fn get_or_if<'a>(
        &'a mut self,
        weights: &[f32],
        what: Made,
        g: &Conv,
        scratch: &'a mut Vec<f32>,
        len: usize,
        fit: impl FnOnce() -> bool,
        make: impl FnOnce(&mut [f32]),
    ) -> Option<&'a [f32]> {
        if self.frozen.as_ref() != Some(&range(weights)) {
            return fit().then(|| {
                let out = grow(scratch, len);
                make(out);
                &*out
            });
        }
        let made = self.made.entry((range(weights), what, form(g))).or_insert_with(|| {
            let mut out = Vec::new();
            if fit() {
                make(grow(&mut out, len));
            }
            out
        });
        (!made.is_empty()).then(|| &made[before_line(made)..][..len])
    }

    /// Elements held.
    pub fn len(&self) -> usize {
        self.made.values().map(Vec::len).sum()
    }
}

fn range(memory: &[f32]) -> Range<usize> {
    let bytes = memory.as_ptr_range();
    bytes.start as usize..bytes.end as usize
}

/// What images of every size share.
fn form(g: &Conv) -> Conv {
    Conv { n: 0, h: 0, w: 0, oh: 0, ow: 0, ..*g }
}
