use stylegan_tensor::{AdamStep, Error, Kernel, Result};

use crate::tensor::{Tensor, floats};

/// One Adam step on flat tensors, in place: `grad` is read; `params`, `m`, `v`, `state` (steps taken, steps skipped)
/// and the running `average` change. Meaning and source: [`AdamStep`].
///
/// # Errors
///
/// [`Error::Shape`] if the tensors do not fit together.
pub fn adam(
    grad: &Tensor,
    params: &Tensor,
    m: &Tensor,
    v: &Tensor,
    state: &Tensor,
    average: Option<&Tensor>,
    step: AdamStep,
) -> Result<()> {
    let mut changed = vec![params, m, v, state];
    changed.extend(average);
    let all: Vec<&Tensor> = changed.iter().copied().chain([grad]).collect();
    floats("adam", &all)?;
    for x in [params, m, v].into_iter().chain(average) {
        if x.shape() != grad.shape() || grad.shape().len() != 1 {
            return Err(Error::shape(
                "adam",
                format!("params, moments and average must be [{}] like grad, got {:?}", grad.len(), x.shape()),
            ));
        }
    }
    if grad.is_empty() {
        return Err(Error::shape("adam", "a step must have parameters, got none"));
    }
    if state.shape() != [2] {
        return Err(Error::shape("adam", format!("state must be [2], got {:?}", state.shape())));
    }
    changed.iter().for_each(|x| x.storage().touch());
    let outs: Vec<_> = changed.iter().map(|x| x.view()).collect();
    grad.device().backend().launch(Kernel::Adam(step), &[grad.view()], &outs, false)
}
