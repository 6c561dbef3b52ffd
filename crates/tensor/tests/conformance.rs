//! The suite passes devices that are right, and names each kernel that is not.

use stylegan_tensor::conformance::{Options, check};
use stylegan_tensor::{DType, Executor, Kernel, Operand, Reference, Result, Stream};

type Memory = <Reference as Executor>::Memory;

#[test]
fn the_test_device_conforms() {
    let report = check(&Reference::test_device(usize::MAX), &Options::default());
    report.assert();
    assert_eq!(report.worst.len(), Kernel::NAMES.len());
}

/// The least error that f32 can have: its tolerances must leave room for more.
#[test]
fn a_device_that_rounds_results_to_f32_conforms_with_room() {
    let report = check(&Stream::new("single", DType::F32, Reference, usize::MAX), &Options::default());
    report.assert();
    for (kernel, worst) in &report.worst {
        assert!(*worst <= 0.5, "{kernel}: one rounding takes {worst} of what is allowed");
    }
}

/// A device with one mistake in one kernel.
struct Mistaken {
    kernel: &'static str,
    mistake: Mistake,
}

#[derive(Clone, Copy)]
enum Mistake {
    /// The last element is off by 1e-3.
    Value,
    /// The element before the output is written.
    Neighbour,
    /// An input is changed.
    Input,
    /// The outputs are overwritten instead of added to.
    Accumulation,
}

impl Executor for Mistaken {
    type Memory = Memory;

    fn allocate(len: usize, dtype: DType) -> Option<Memory> {
        Reference::allocate(len, dtype)
    }

    fn execute(
        &mut self,
        kernel: &Kernel,
        inputs: &[Operand<Memory>],
        outs: &[Operand<Memory>],
        accumulate: bool,
    ) -> Result<()> {
        let mistaken = kernel.name() == self.kernel;
        let accumulate = accumulate && !(mistaken && matches!(self.mistake, Mistake::Accumulation));
        Reference.execute(kernel, inputs, outs, accumulate)?;
        let (out, input) = (&outs[0], inputs.first());
        let wrong = match (self.mistake, input) {
            (Mistake::Value, _) if out.len > 0 => Some((out, out.offset + out.len - 1)),
            (Mistake::Neighbour, _) => out.offset.checked_sub(1).map(|before| (out, before)),
            (Mistake::Input, Some(input)) if input.len > 0 => Some((input, input.offset)),
            _ => None,
        };
        if let (true, Some((operand, at))) = (mistaken, wrong) {
            let mut block = operand.memory.lock().expect("nothing panicked");
            block[at] += if operand.dtype.is_float() { 1e-3 * block[at].abs().max(1.0) } else { 1.0 };
        }
        Ok(())
    }

    fn write(&mut self, to: &Operand<Memory>, bytes: &[u8]) {
        Reference.write(to, bytes);
    }

    fn read(&mut self, from: &Operand<Memory>) -> Vec<u8> {
        Reference.read(from)
    }
}

fn failures(kernel: &'static str, mistake: Mistake) -> Vec<String> {
    let executor = Mistaken { kernel, mistake };
    let device = Stream::new("mistaken", DType::F32, executor, usize::MAX);
    check(&device, &Options { only: Some(kernel), ..Options::default() }).failures
}

#[test]
fn a_wrong_value_of_any_kernel_is_found() {
    for kernel in Kernel::NAMES {
        assert!(!failures(kernel, Mistake::Value).is_empty(), "{kernel}");
    }
}

#[test]
fn a_kernel_that_writes_beside_its_output_is_found() {
    for kernel in ["fill", "copy", "conv2d", "adain", "adam"] {
        let failures = failures(kernel, Mistake::Neighbour);
        let found = |line: &String| line.contains("beside an output");
        assert!(failures.iter().any(found), "{kernel}");
    }
}

#[test]
fn a_kernel_that_changes_an_input_is_found() {
    for kernel in ["copy", "gather_rows", "adain", "adam"] {
        let failures = failures(kernel, Mistake::Input);
        let found = |line: &String| line.contains("an input was changed");
        assert!(failures.iter().any(found), "{kernel}");
    }
}

#[test]
fn a_kernel_that_does_not_accumulate_is_found() {
    for kernel in Kernel::NAMES.into_iter().filter(|name| *name != "adam") {
        let failures = failures(kernel, Mistake::Accumulation);
        assert!(failures.iter().all(|line| line.contains("accumulated")), "{kernel}");
        assert!(!failures.is_empty(), "{kernel}");
    }
}

#[test]
fn the_convolutions_run_every_algorithm() {
    let failures = failures("conv2d_transpose", Mistake::Value);
    for algorithm in ["None", "Im2col", "Shifted", "Direct", "Winograd"] {
        assert!(failures.iter().any(|line| line.contains(algorithm)), "{algorithm}");
    }
}

#[test]
fn a_kernel_without_a_case_is_a_failure() {
    let report = check(&Reference::device(usize::MAX), &Options { only: Some("sobel"), ..Options::default() });
    assert_eq!(report.failures, ["kernel 'sobel' has no conformance case"]);
}
