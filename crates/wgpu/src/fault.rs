//! The first thing that went wrong, kept for whoever waits next.

use std::sync::{Arc, Mutex};

use stylegan_tensor::{Error, Result};

use crate::memory::lock;

/// The first fault of a device.
#[derive(Default)]
pub(crate) struct Faults(Mutex<State>);

#[derive(Default)]
struct State {
    op: Option<&'static str>,
    first: Option<Error>,
    /// Whether `first` is what wgpu says of a call, and nobody was told yet: it may only be a sign of the device's loss.
    is_sign: bool,
}

impl Faults {
    /// From now on faults are those of `op`.
    pub fn enter(&self, op: &'static str) {
        lock(&self.0).op = Some(op);
    }

    /// Notes a fault of the current op, unless there was one before.
    pub fn report(&self, message: impl Into<String>) {
        let mut state = lock(&self.0);
        let op = state.op.unwrap_or("open");
        state.first.get_or_insert_with(|| Error::device(op, message));
    }

    /// Notes what wgpu says of a call.
    pub fn report_call(&self, message: &str) {
        let is_first = lock(&self.0).first.is_none();
        self.report(one_line(message));
        lock(&self.0).is_sign |= is_first;
    }

    /// Whether the first fault may only be a sign of the device's loss.
    pub fn is_sign(&self) -> bool {
        lock(&self.0).is_sign
    }

    /// Notes that the device was lost, in the place of what that made of calls before it was known.
    fn report_loss(&self, why: &str) {
        let mut state = lock(&self.0);
        if std::mem::take(&mut state.is_sign) {
            state.first = None;
        }
        drop(state);
        self.report(format!("the GPU was lost ({why}); start again from the last snapshot"));
    }

    /// Notes `error`, unless there was one before.
    pub fn set(&self, error: Error) {
        lock(&self.0).first.get_or_insert(error);
    }

    /// The first fault, if there was one.
    pub fn check(&self) -> Result<()> {
        let mut state = lock(&self.0);
        state.is_sign = false;
        state.first.clone().map_or(Ok(()), Err)
    }

    /// Hears of everything that `device` reports.
    pub fn listen(self: &Arc<Self>, device: &wgpu::Device) {
        let faults = Arc::clone(self);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            faults.report_call(&error.to_string());
        }));
        let faults = Arc::clone(self);
        device.set_device_lost_callback(move |reason, message| {
            let why = match reason {
                wgpu::DeviceLostReason::Destroyed => "it was given up".to_owned(),
                wgpu::DeviceLostReason::Unknown => one_line(&message),
            };
            faults.report_loss(&why);
        });
    }
}

/// wgpu's messages have a line for each cause.
fn one_line(message: &str) -> String {
    let lines = message.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("; ")
}
