//! Adam: whether all gradients are finite, the step's learning rate, the average, the update.

use stylegan_tensor::{AdamStep, Error, Result, View};

use super::{Launch, SIZE, bind, flat, float};
use crate::shader;

impl Launch<'_> {
    /// `grad → params, m, v, state, average?`.
    pub fn adam(&mut self, step: &AdamStep, grad: &View, outs: &[&View]) -> Result<()> {
        if self.accumulate {
            return Err(Error::shape(
                self.op,
                "a step is taken in place; it cannot be accumulated",
            ));
        }
        let len = grad.storage.len();
        let checks = len.div_ceil(8 * SIZE).clamp(1, 1024);
        let (_flags, flags) = self.workspace(checks)?;
        let (_control, control) = self.workspace(2)?;
        let grad = bind(grad);
        let groups = [checks as u32, 1, 1];
        let params = [len as u32, checks as u32];
        self.dispatch(
            &shader::ADAM_CHECK,
            &[],
            &[&grad],
            &[&flags],
            &params,
            groups,
        )?;

        // The logarithm of β = 0 is a number so small that its exponential is 0.
        let log = |beta: f64| float(beta.ln().max(-1e4));
        let params = [
            checks as u32,
            float(step.rate),
            log(step.beta1),
            log(step.beta2),
        ];
        let outs_of_step = [&bind(outs[3]), &control];
        self.dispatch(
            &shader::ADAM_STEP,
            &[],
            &[&flags],
            &outs_of_step,
            &params,
            [1, 1, 1],
        )?;

        let weights = bind(outs[0]);
        if let Some(average) = outs.get(4) {
            let params = [len as u32, float(step.average_beta)];
            let inputs = [&weights, &control];
            self.dispatch(
                &shader::ADAM_AVERAGE,
                &[],
                &inputs,
                &[&bind(average)],
                &params,
                flat(len),
            )?;
        }
        let params = [
            len as u32,
            float(step.beta1),
            float(1.0 - step.beta1),
            float(step.beta2),
            float(1.0 - step.beta2),
            float(step.epsilon),
        ];
        let changed = [&weights, &bind(outs[1]), &bind(outs[2])];
        self.dispatch(
            &shader::ADAM,
            &[],
            &[&grad, &control],
            &changed,
            &params,
            flat(len),
        )
    }
}
