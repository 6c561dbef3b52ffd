#![allow(dead_code, reason = "each test file uses a part of it")]

use stylegan_tensor::conformance::{read_f64, upload};
use stylegan_tensor::{Backend, DType, Kernel, Reference, Result, View};

/// A tensor's shape and values.
pub type Given<'a> = (&'a [usize], &'a [f64]);

/// The outputs of a kernel on the reference device.
pub fn run(kernel: Kernel, inputs: &[Given], outs: &[&[usize]]) -> Result<Vec<Vec<f64>>> {
    let device = Reference::device(usize::MAX);
    let inputs = inputs.iter().map(|(shape, values)| upload(&device, values, *shape));
    let inputs = inputs.collect::<Result<Vec<_>>>()?;
    let allocate = |shape: &&[usize]| {
        let storage = device.allocate("run", shape.iter().product(), DType::F64)?;
        Ok(View { storage, shape: shape.to_vec() })
    };
    let outs = outs.iter().map(allocate).collect::<Result<Vec<_>>>()?;
    device.launch(kernel, &inputs.iter().collect::<Vec<_>>(), &outs.iter().collect::<Vec<_>>(), false)?;
    outs.iter().map(|out| read_f64(&device, &out.storage)).collect()
}

/// The only output.
pub fn run_one(kernel: Kernel, inputs: &[Given], out: &[usize]) -> Vec<f64> {
    run(kernel, inputs, &[out]).expect("the kernel runs").remove(0)
}

/// Equal but for the f64 roundings of a handful of operations.
pub fn assert_near(found: &[f64], expected: &[f64]) {
    let near = |(a, b): (&f64, &f64)| (a - b).abs() <= 1e-12 * b.abs().max(1.0);
    let same = found.len() == expected.len() && found.iter().zip(expected).all(near);
    assert!(same, "expected {expected:?}, found {found:?}");
}
