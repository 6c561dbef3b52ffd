//! One optimiser step over whole arenas.

use rayon::prelude::*;
use stylegan_tensor::AdamStep;

use crate::parallel::{BLOCK, is_large, simd};

/// What a step changes.
pub struct Arenas<'a> {
    /// Parameters.
    pub params: &'a mut [f32],
    /// First moments.
    pub m: &'a mut [f32],
    /// Second moments.
    pub v: &'a mut [f32],
    /// Steps taken, and steps skipped because a gradient was not finite.
    pub state: &'a mut [f32],
    /// Running average of the parameters.
    pub average: Option<&'a mut [f32]>,
}

/// `average ← params + (average − params)·average_beta`, then `m ← β1·m + (1−β1)·g`, `v ← β2·v + (1−β2)·g²`,
/// `params ← params − rate·√(1−β2ᵗ)/(1−β1ᵗ) · m/(√v + ε)` with the step t counted in `state[0]`; if any gradient is not
/// finite, only the average changes and `state[1]` grows by 1.
pub fn adam(step: &AdamStep, grad: &[f32], arenas: Arenas) {
    let Arenas { params, m, v, state, average } = arenas;
    let len = grad.len();
    assert!(params.len() == len && m.len() == len && v.len() == len, "adam's arenas have one length");
    if let Some(average) = average {
        let beta = step.average_beta as f32;
        assert_eq!(average.len(), len, "adam's arenas have one length");
        let blocks = (average.par_chunks_mut(BLOCK), params.par_chunks(BLOCK));
        blocks.into_par_iter().with_min_len(share(len)).for_each(|(average, params)| {
            simd!(|| {
                for (average, &params) in average.iter_mut().zip(params) {
                    *average = params + (*average - params) * beta;
                }
            });
        });
    }
    if !is_finite(grad) {
        state[1] += 1.0;
        return;
    }
    state[0] += 1.0;
    let t = f64::from(state[0]);
    let rate = step.rate * (1.0 - step.beta2.powf(t)).sqrt() / (1.0 - step.beta1.powf(t));
    let coefficients = Coefficients {
        rate: rate as f32,
        beta1: step.beta1 as f32,
        gain1: (1.0 - step.beta1) as f32,
        beta2: step.beta2 as f32,
        gain2: (1.0 - step.beta2) as f32,
        epsilon: step.epsilon as f32,
    };
    let blocks =
        (params.par_chunks_mut(BLOCK), m.par_chunks_mut(BLOCK), v.par_chunks_mut(BLOCK), grad.par_chunks(BLOCK));
    let blocks = blocks.into_par_iter().with_min_len(share(len));
    blocks.for_each(|(params, m, v, g)| simd!(|| coefficients.update(params, m, v, g)));
}

/// Blocks that a task takes: all of them if there are few elements.
fn share(len: usize) -> usize {
    if is_large(len) { 1 } else { usize::MAX }
}

#[derive(Clone, Copy)]
struct Coefficients {
    rate: f32,
    beta1: f32,
    gain1: f32,
    beta2: f32,
    gain2: f32,
    epsilon: f32,
}

impl Coefficients {
    #[inline(always)]
    fn update(self, params: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32]) {
        let len = g.len();
        let (params, m, v) = (&mut params[..len], &mut m[..len], &mut v[..len]);
        for i in 0..len {
            m[i] = self.beta1 * m[i] + self.gain1 * g[i];
            v[i] = self.beta2 * v[i] + self.gain2 * g[i] * g[i];
            params[i] -= self.rate * m[i] / (v[i].sqrt() + self.epsilon);
        }
    }
}

fn is_finite(x: &[f32]) -> bool {
    // The bits of infinities and of NaN are the largest once the sign is gone.
    let block_is_finite = |x: &[f32]| {
        simd!(|| { x.iter().fold(0, |largest: u32, x| largest.max(x.to_bits() & 0x7FFF_FFFF)) })
            < f32::INFINITY.to_bits()
    };
    x.par_chunks(BLOCK).with_min_len(share(x.len())).all(block_is_finite)
}
