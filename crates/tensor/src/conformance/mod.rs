//! One suite that every backend runs against [`Reference`](crate::Reference): each kernel by name, with odd sizes,
//! sizes that fill vectors and blocks, operands within larger buffers, and results added to what is there. A device that stores
//! feature maps in 16 bits runs it once more for each such type, on values that the type holds.

mod affine;
mod case;
mod convolutions;
mod elementwise;
mod fused;
mod halves;
mod layers;
mod movement;
mod nothing;
mod run;
mod transfer;

pub use transfer::{read_f64, synchronize, upload, write_f64};

use std::collections::{BTreeMap, BTreeSet};

use case::Data;

use crate::{Backend, DType, Kernel, Reference};

/// Which part of the suite runs.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Only the cases of this kernel.
    pub only: Option<&'static str>,
    /// Feature maps are stored in this type of 16 bits: cases without any are left out.
    pub half: Option<DType>,
    /// The device multiplies matrices of f16: it rounds a factor in f32 to f16 where the other is stored so.
    pub rounds_factors: bool,
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
        let shown = self.failures.iter().take(20).map(String::as_str).collect::<Vec<_>>();
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
    let mut families =
        vec![elementwise::cases, movement::cases, convolutions::cases, affine::cases, fused::cases, nothing::cases];
    let mut names: BTreeSet<_> = Kernel::NAMES.into();
    if device.has_layers() {
        families.push(layers::cases);
    } else {
        names.remove("layer");
    }
    if options.half.is_some() {
        families.push(halves::cases);
        names.clear();
    }
    for family in families {
        for case in family(&mut data) {
            if halves::takes_maps(&case.kernels[0]) {
                names.insert(case.name());
            }
            if options.only.is_some_and(|only| case.name() != only) {
                continue;
            }
            let case = match options.half {
                None => Some(case),
                Some(half) => halves::stored_in(case, half),
            };
            if let Some(mut case) = case {
                if options.rounds_factors {
                    halves::allow_rounded_factor(&mut case);
                }
                run::compare(&case, device, &reference, &mut report);
            }
        }
    }
    if let Some(only) = options.only {
        names = [only].into();
    }
    for name in names.into_iter().filter(|name| !report.worst.contains_key(name)).collect::<Vec<_>>() {
        report.failures.push(format!("kernel '{name}' has no conformance case"));
    }
    report
}
