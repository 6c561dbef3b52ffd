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
        state
            .first
            .get_or_insert_with(|| Error::device(op, message));
    }

    /// Notes `error`, unless there was one before.
    pub fn set(&self, error: Error) {
        lock(&self.0).first.get_or_insert(error);
    }

    /// The first fault, if there was one.
    pub fn check(&self) -> Result<()> {
        lock(&self.0).first.clone().map_or(Ok(()), Err)
    }

    /// Hears of everything that `device` reports.
    pub fn listen(self: &Arc<Self>, device: &wgpu::Device) {
        let faults = Arc::clone(self);
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| {
            faults.report(one_line(&error.to_string()));
        }));
        let faults = Arc::clone(self);
        device.set_device_lost_callback(move |reason, message| {
            let why = match reason {
                wgpu::DeviceLostReason::Destroyed => "it was given up".to_owned(),
                wgpu::DeviceLostReason::Unknown => one_line(&message),
            };
            faults.report(format!(
                "the GPU was lost ({why}); start again from the last snapshot"
            ));
        });
    }
}

/// wgpu's messages have a line for each cause.
fn one_line(message: &str) -> String {
    let lines = message
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("; ")
}
