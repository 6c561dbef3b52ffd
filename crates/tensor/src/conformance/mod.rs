//! One suite that every backend runs against [`Reference`](crate::Reference): each kernel by name, with odd sizes,
//! sizes that fill vectors and blocks, operands within larger buffers, and results added to what is there.

mod case;
mod convolutions;
mod elementwise;
mod fused;
mod movement;
mod run;
mod transfer;

pub use transfer::{read_f64, synchronize, upload, write_f64};

use std::collections::BTreeMap;

use case::Data;

use crate::{Backend, Kernel, Reference};

/// Which part of the suite runs.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only the cases of this kernel.
    pub only: Option<&'static str>,
}

/// What the suite found.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Launches compared.
    pub launches: usize,
    /// One line for each result that was wrong, and for each kernel without a case.
    pub failures: Vec<String>,
    /// By kernel: the largest error that was seen, as a part of the error allowed.
    pub worst: BTreeMap<&'static str, f64>,
}

impl Report {
    /// Passes if nothing failed.
    ///
    /// # Panics
    ///
    /// If something failed, with the first failures.
    pub fn assert(&self) {
        let shown = self
            .failures
            .iter()
            .take(20)
            .map(String::as_str)
            .collect::<Vec<_>>();
        assert!(
            self.failures.is_empty(),
            "{} of {} launches failed:\n{}",
            self.failures.len(),
            self.launches,
            shown.join("\n")
        );
    }
}

/// Runs the suite on `device`.
pub fn check(device: &dyn Backend, options: &Options) -> Report {
    let mut report = Report::default();
    let reference = Reference::device(usize::MAX);
    let mut data = Data::new(2018);
    for family in [
        elementwise::cases,
        movement::cases,
        convolutions::cases,
        fused::cases,
    ] {
        for case in family(&mut data) {
            if options.only.is_none_or(|only| case.name() == only) {
                run::compare(&case, device, &reference, &mut report);
            }
        }
    }
    let names = options
        .only
        .map_or(Kernel::NAMES.to_vec(), |only| vec![only]);
    for name in names
        .into_iter()
        .filter(|name| !report.worst.contains_key(name))
        .collect::<Vec<_>>()
    {
        report
            .failures
            .push(format!("kernel '{name}' has no conformance case"));
    }
    report
}
