//! Adam: whether all gradients are finite, the step's learning rate, the average, the update.

use stylegan_tensor::{AdamStep, Error, Result, View};

use super::split::{ROWS, chunks, part};
use super::{Launch, SIZE, bind, flat, float};
use crate::recorder::Binding;
use crate::shader;

impl Launch<'_> {
    /// `grad → params, m, v, state, average?`.
    pub fn adam(&mut self, step: &AdamStep, grad: &View, outs: &[&View]) -> Result<()> {
        if self.accumulate {
            return Err(Error::shape(self.op, "a step is taken in place; it cannot be accumulated"));
        }
        let all = chunks(grad.storage.len(), self.largest() / 4 / ROWS * ROWS);
        let all: Vec<_> = all.collect();
        let checks = |len: usize| len.div_ceil(8 * SIZE).clamp(1, 1024 / all.len().min(1024));
        let count: usize = all.iter().map(|&(_, len)| checks(len)).sum();
        let (_flags, flags) = self.workspace(count)?;
        let (_control, control) = self.workspace(2)?;
        let mut first_flag = 0;
        for &(first, len) in &all {
            let params = [len, checks(len), first_flag].map(|value| value as u32);
            let groups = [checks(len) as u32, 1, 1];
            first_flag += checks(len);
            let grad = bind(&part(grad, first, len)?);
            self.dispatch(&shader::ADAM_CHECK, &[], &[&grad], &[&flags], &params, groups)?;
        }
        // The logarithm of β = 0 is a number so small that its exponential is 0.
        let log = |beta: f64| float(beta.ln().max(-1e4));
        let params = [count as u32, float(step.rate), log(step.beta1), log(step.beta2)];
        let outs_of_step = [&bind(outs[3]), &control];
        self.dispatch(&shader::ADAM_STEP, &[], &[&flags], &outs_of_step, &params, [1, 1, 1])?;
        for &(first, len) in &all {
            let part = |view: &View| part(view, first, len).map(|part| bind(&part));
            let average = outs.get(4).map(|average| part(average)).transpose()?;
            let changed = [part(outs[0])?, part(outs[1])?, part(outs[2])?];
            self.adam_part(step, len, &part(grad)?, &control, &changed, average)?;
        }
        Ok(())
    }

    /// The average and the update of `len` parameters; `changed` are they and their moments.
    fn adam_part(
        &mut self,
        step: &AdamStep,
        len: usize,
        grad: &Binding,
        control: &Binding,
        changed: &[Binding; 3],
        average: Option<Binding>,
    ) -> Result<()> {
        let [weights, m, v] = changed;
        if let Some(average) = average {
            let params = [len as u32, float(step.average_beta)];
            self.dispatch(&shader::ADAM_AVERAGE, &[], &[weights], &[&average], &params, flat(len))?;
        }
        let params = [
            len as u32,
            float(step.beta1),
            float(1.0 - step.beta1),
            float(step.beta2),
            float(1.0 - step.beta2),
            float(step.epsilon),
        ];
        self.dispatch(&shader::ADAM, &[], &[grad, control], &[weights, m, v], &params, flat(len))
    }
}
