//! What the CPU device promises beside the values of its kernels.

use stylegan_tensor::conformance::{read_f64, synchronize, upload};
use stylegan_tensor::{
    AdamStep, Algorithm, Backend, Binary, Conv2d, DType, Kernel, Position, Reduce, Result, Shape, Upfirdn2d, View,
};

fn allocate(device: &dyn Backend, shape: &[usize]) -> Result<View> {
    let storage = device.allocate("test", shape.iter().product(), device.float())?;
    Ok(View { storage, shape: Shape::from(shape) })
}

/// Launches `kernel` into a new tensor.
fn launch(device: &dyn Backend, kernel: Kernel, inputs: &[&View], shape: &[usize]) -> Result<View> {
    let y = allocate(device, shape)?;
    device.launch(kernel, inputs, &[&y], false)?;
    Ok(y)
}

/// One layer forwards and backwards, and an optimiser step.
fn step(device: &dyn Backend, w: &View, adam: &[View; 3], seed: u64) -> Result<()> {
    let image = [2, 16, 16, 32];
    let x = launch(device, Kernel::Normal(Position { seed, ..Position::default() }), &[], &image)?;
    let conv = Conv2d { stride: 1, padding: [1; 4], algorithm: None };
    let y = launch(device, Kernel::Conv2d(conv), &[&x, w], &image)?;
    let blur = Upfirdn2d { up: 1, down: 1, taps: vec![0.25, 0.5, 0.25], padding: [1; 4] };
    let y = launch(device, Kernel::Upfirdn2d(blur), &[&y], &image)?;
    let y = launch(device, Kernel::BiasAct { alpha: 0.2 }, &[&y], &image)?;
    let style = launch(device, Kernel::Fill { value: 0.5 }, &[], &[2, 64])?;
    let (z, stats) = (allocate(device, &image)?, allocate(device, &[2, 2, 32])?);
    device.launch(Kernel::Adain, &[&y, &style], &[&z, &stats], false)?;
    let sum = Kernel::Reduce { op: Reduce::Sum, axes: vec![0, 1, 2] };
    launch(device, sum, &[&z], &[32])?;
    let g = launch(device, Kernel::AdainInputGrad, &[&z, &y, &style, &stats], &image)?;
    // Into memory that is added to, by a kernel that does so itself and by one that does not.
    device.launch(Kernel::Conv2dTranspose(conv), &[&g, w], &[&z], true)?;
    device.launch(Kernel::AdainInputGrad, &[&g, &y, &style, &stats], &[&z], true)?;
    let dw = launch(device, Kernel::Conv2dWeightGrad(conv), &[&x, &z], &w.shape)?;
    let [m, v, state] = adam;
    let adam = AdamStep { rate: 1e-3, beta1: 0.0, beta2: 0.99, epsilon: 1e-8, average_beta: 0.99 };
    device.launch(Kernel::Adam(adam), &[&dw], &[w, m, v, state], false)
}

fn train(device: &dyn Backend, steps: u64) -> Result<(Vec<f64>, Vec<usize>)> {
    let shape = [3, 3, 32, 32];
    let w = launch(device, Kernel::Normal(Position { seed: 1, ..Position::default() }), &[], &shape)?;
    let zeros = |shape: &[usize]| launch(device, Kernel::Fill { value: 0.0 }, &[], shape);
    let adam = [zeros(&shape)?, zeros(&shape)?, zeros(&[2])?];
    let mut allocations = Vec::new();
    for seed in 0..steps {
        step(device, &w, &adam, seed)?;
        synchronize(device)?;
        allocations.push(device.memory().allocations);
    }
    Ok((read_f64(device, &w.storage)?, allocations))
}

#[test]
fn a_steady_step_takes_no_memory_from_the_system() {
    let device = stylegan_cpu::open(usize::MAX);
    let (_, allocations) = train(&device, 5).expect("the device works");
    assert!(allocations[0] > 0);
    assert_eq!(allocations[1..], [allocations[0]; 4]);
}

#[test]
fn training_twice_gives_the_same_bits() {
    let run = || train(&stylegan_cpu::open(usize::MAX), 3).expect("the device works").0;
    assert_eq!(run(), run());
}

#[test]
fn memory_beyond_the_limit_is_refused_at_once() {
    let device = stylegan_cpu::open(1 << 20);
    let error = device.allocate("conv2d", 1 << 20, DType::F32).err().expect("4 MiB do not fit 1 MiB");
    assert_eq!(error.code(), "ERR_MEMORY");
}

#[test]
fn a_row_outside_of_the_table_is_a_fault_that_names_the_kernel_and_stays() {
    let device = stylegan_cpu::open(usize::MAX);
    let table = upload(&device, &[0.0; 6], [3, 2]).expect("there is memory");
    let rows = device.allocate("test", 1, DType::I32).expect("there is memory");
    device.write(&rows, 3_i32.to_ne_bytes().to_vec());
    let rows = View { storage: rows, shape: vec![1] };
    let y = launch(&device, Kernel::GatherRows, &[&table, &rows], &[1, 2]).expect("the launch returns");
    for _ in 0..2 {
        let error = read_f64(&device, &y.storage).expect_err("row 3 of 3 does not exist");
        assert_eq!(error.to_string(), "gather_rows: the device failed: rows must be in 0..3, got 3");
    }
}

#[test]
fn an_output_within_an_inputs_buffer_is_a_fault_and_no_deadlock() {
    let device = stylegan_cpu::open(usize::MAX);
    let x = upload(&device, &[1.0; 128], [128]).expect("there is memory");
    let half = |first| View { storage: x.storage.slice(first, 64).expect("aligned"), shape: vec![64] };
    let (a, b) = (half(0), half(64));
    device.launch(Kernel::Binary(Binary::Add), &[&a, &a], &[&b], false).expect("the launch returns");
    let error = synchronize(&device).expect_err("the output shares a buffer with an input");
    assert!(error.to_string().contains("must have a buffer of its own"), "{error}");
}

#[test]
fn one_tensor_may_be_every_input() {
    let device = stylegan_cpu::open(usize::MAX);
    let x = upload(&device, &[1.0, 2.0, 3.0], [3]).expect("there is memory");
    let y = launch(&device, Kernel::Binary(Binary::Mul), &[&x, &x], &[3]).expect("the launch returns");
    assert_eq!(read_f64(&device, &y.storage), Ok(vec![1.0, 4.0, 9.0]));
}

#[test]
fn the_default_limit_is_a_plausible_amount_of_memory() {
    assert!(stylegan_cpu::default_limit() > 1 << 28);
    assert!(stylegan_cpu::threads() >= 1);
}

#[test]
fn a_block_that_held_frozen_weights_is_used_again_with_its_new_values() -> Result<()> {
    let device = stylegan_cpu::open(usize::MAX);
    let conv = Conv2d { stride: 1, padding: [1; 4], algorithm: Some(Algorithm::Winograd) };
    let x = launch(&device, Kernel::Fill { value: 1.0 }, &[], &[1, 8, 8, 16])?;
    let sums = |value: f64| -> Result<Vec<f64>> {
        let w = launch(&device, Kernel::Fill { value }, &[], &[3, 3, 16, 16])?;
        w.storage.freeze();
        let mut sums = Vec::new();
        for _ in 0..2 {
            let y = launch(&device, Kernel::Conv2d(conv), &[&x, &w], &[1, 8, 8, 16])?;
            sums.push(read_f64(&device, &y.storage)?[16 * 9].round());
        }
        Ok(sums)
    };
    // The second weights lie where the first ones lay.
    assert_eq!(sums(1.0)?, [144.0, 144.0]);
    assert_eq!(sums(2.0)?, [288.0, 288.0]);
    Ok(())
}
