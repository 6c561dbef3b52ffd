//! What holds for every device that is a host thread.

use std::sync::mpsc::channel;
use std::time::Duration;

use stylegan_tensor::conformance::{read_f64, synchronize, upload, write_f64};
use stylegan_tensor::{Backend, Binary, DType, Error, Executor, Kernel, Reference, Result, Stream, Unary, View};

const MEBIBYTE: usize = 1 << 20;

fn empty(device: &dyn Backend, len: usize) -> Result<View> {
    let storage = device.allocate("empty", len, DType::F64)?;
    Ok(View { storage, shape: vec![len] })
}

fn affine(scale: f64, shift: f64) -> Kernel {
    Kernel::Unary(Unary::Affine { scale, shift })
}

#[test]
fn kernels_run_in_the_order_of_their_launches() -> Result<()> {
    let device = Reference::device(MEBIBYTE);
    let (a, b) = (upload(&device, &[1.0], [1])?, empty(&device, 1)?);
    for _ in 0..10 {
        device.launch(affine(2.0, 0.0), &[&a], &[&b], false)?;
        device.launch(affine(1.0, 1.0), &[&b], &[&a], false)?;
    }
    // x ← 2x + 1 ten times; adding 1 before doubling would give 3070.
    assert_eq!(read_f64(&device, &a.storage)?, [2047.0]);
    write_f64(&device, &a.storage, &[5.0]);
    assert_eq!(read_f64(&device, &a.storage)?, [5.0], "writes wait their turn too");
    Ok(())
}

fn step(device: &dyn Backend, x: &View) -> Result<f64> {
    let mut y = empty(device, 1000)?;
    device.launch(affine(2.0, 1.0), &[x], &[&y], false)?;
    for _ in 0..5 {
        let next = empty(device, 1000)?;
        device.launch(Kernel::Binary(Binary::Add), &[&y, x], &[&next], false)?;
        y = next;
    }
    Ok(read_f64(device, &y.storage)?[0])
}

#[test]
fn a_second_identical_step_takes_nothing_from_the_system() -> Result<()> {
    let device = Reference::device(MEBIBYTE);
    let x = upload(&device, &[3.0; 1000], [1000])?;
    assert_eq!(step(&device, &x)?, 22.0);
    let after_one = device.memory();
    assert_eq!(step(&device, &x)?, 22.0, "a pooled block is as good as a new one");
    assert_eq!(device.memory(), after_one);
    assert_eq!(after_one.allocations, 3, "x, and two blocks that take turns");
    Ok(())
}

#[test]
fn live_bytes_count_storages_and_go_back_to_0() -> Result<()> {
    let device = Reference::device(MEBIBYTE);
    let x = empty(&device, 1024)?;
    let slice = x.storage.slice(32, 100)?;
    assert_eq!(device.memory().live, 8192);
    drop(x);
    assert_eq!(device.memory().live, 8192, "the slice keeps the buffer");
    drop(slice);
    let memory = device.memory();
    assert_eq!((memory.live, memory.pooled, memory.peak), (0, 8192, 8192));
    Ok(())
}

#[test]
fn memory_beyond_the_limit_is_refused_by_the_call_itself() -> Result<()> {
    let device = Reference::device(MEBIBYTE);
    let x = empty(&device, MEBIBYTE / 16)?;
    let expected = Error::Memory { op: "conv2d", bytes: MEBIBYTE, live: MEBIBYTE / 2, limit: MEBIBYTE };
    assert_eq!(device.allocate("conv2d", MEBIBYTE / 8, DType::F64).err(), Some(expected));
    drop(x);
    // Pooled blocks of another size make room.
    let whole = device.allocate("conv2d", MEBIBYTE / 8, DType::F64)?;
    assert_eq!((device.memory().live, device.memory().pooled, whole.len()), (MEBIBYTE, 0, MEBIBYTE / 8));
    Ok(())
}

#[test]
fn a_held_device_launches_but_does_not_run() -> Result<()> {
    let device = Reference::test_device(MEBIBYTE);
    let (x, y) = (upload(&device, &[1.0], [1])?, empty(&device, 1)?);
    device.hold(true)?;
    device.launch(affine(1.0, 1.0), &[&x], &[&y], false)?;
    let (done, result) = channel();
    device.read(&y.storage, Box::new(move |bytes| drop(done.send(bytes))));
    let _room = empty(&device, 10)?;
    assert!(result.recv_timeout(Duration::from_millis(50)).is_err(), "the read waits for the kernel");
    device.hold(false)?;
    let bytes = result.recv().expect("the device answers")?;
    assert_eq!(bytes, 2.0_f64.to_ne_bytes());
    Ok(())
}

#[test]
fn the_first_fault_is_what_every_later_wait_reports() -> Result<()> {
    let device = Reference::test_device(MEBIBYTE);
    let (x, y) = (upload(&device, &[1.0], [1])?, empty(&device, 1)?);
    device.inject_fault(1)?;
    device.launch(affine(1.0, 1.0), &[&x], &[&y], false)?;
    device.launch(Kernel::Binary(Binary::Add), &[&x, &x], &[&y], false)?;
    device.launch(Kernel::GatherRows, &[&x], &[&y], false)?;
    let expected = Error::device("binary", "injected fault");
    assert_eq!(read_f64(&device, &y.storage), Err(expected.clone()));
    assert_eq!(read_f64(&device, &x.storage), Err(expected.clone()));
    assert_eq!(synchronize(&device), Err(expected));
    assert!(empty(&device, 1).is_ok(), "memory is still given");
    Ok(())
}

#[test]
fn work_before_the_fault_is_readable() -> Result<()> {
    let device = Reference::test_device(MEBIBYTE);
    let (x, y) = (upload(&device, &[1.0], [1])?, empty(&device, 1)?);
    device.inject_fault(1)?;
    device.launch(affine(1.0, 1.0), &[&x], &[&y], false)?;
    assert_eq!(read_f64(&device, &y.storage)?, [2.0]);
    device.launch(affine(1.0, 1.0), &[&x], &[&y], false)?;
    assert!(synchronize(&device).is_err());
    Ok(())
}

#[test]
fn a_kernel_that_panics_is_a_fault_with_its_name() -> Result<()> {
    let device = Reference::device(MEBIBYTE);
    let x = upload(&device, &[1.0], [1])?;
    let y = empty(&device, 1)?;
    device.launch(Kernel::NoiseBiasAct { alpha: 0.2 }, &[&x], &[&y], false)?;
    let error = synchronize(&device).expect_err("noise_bias_act takes four inputs");
    assert!(matches!(error, Error::Device { op: "noise_bias_act", .. }), "{error}");
    Ok(())
}

#[test]
fn only_a_test_device_is_held_or_made_to_fail() {
    let device = Reference::device(MEBIBYTE);
    let message = "hold: device 'reference' is no test device";
    assert_eq!(device.hold(true).expect_err("it is no test device").to_string(), message);
    assert!(device.inject_fault(0).is_err());
}

#[test]
fn a_device_dropped_with_work_in_flight_finishes_and_goes() -> Result<()> {
    let (done, result) = channel();
    let device = Reference::test_device(MEBIBYTE);
    let (x, y) = (upload(&device, &[1.0], [1])?, empty(&device, 1)?);
    device.hold(true)?;
    device.launch(affine(1.0, 1.0), &[&x], &[&y], false)?;
    device.read(&y.storage, Box::new(move |bytes| drop(done.send(bytes))));
    drop((device, x, y));
    let bytes = result.recv_timeout(Duration::from_secs(20)).expect("the hold ends with the device")?;
    assert_eq!(bytes, 2.0_f64.to_ne_bytes());
    Ok(())
}

#[test]
fn an_unanswered_wait_ends_when_the_device_is_gone() -> Result<()> {
    let device = Reference::device(MEBIBYTE);
    let x = upload(&device, &[1.0], [1])?;
    let (done, result) = channel();
    device.read(&x.storage, Box::new(move |bytes| drop(done.send(bytes))));
    drop(device);
    assert!(result.recv_timeout(Duration::from_secs(20)).is_ok());
    Ok(())
}

#[test]
fn values_of_every_type_come_back_as_they_were_written() -> Result<()> {
    let device = Reference::device(MEBIBYTE);
    for (dtype, values) in [
        (DType::F64, [0.1, -1e300]),
        (DType::F32, [0.5, -3.25]),
        (DType::U8, [0.0, 255.0]),
        (DType::I32, [-2_147_483_648.0, 7.0]),
    ] {
        let storage = device.allocate("values", 2, dtype)?;
        write_f64(&device, &storage, &values);
        assert_eq!(read_f64(&device, &storage)?, values, "{dtype}");
    }
    let single = device.allocate("values", 1, DType::F32)?;
    write_f64(&device, &single, &[0.1]);
    assert_eq!(read_f64(&device, &single)?, [f64::from(0.1_f32)]);
    Ok(())
}

#[test]
fn slices_are_aligned_and_within_their_storage() -> Result<()> {
    let device = Reference::device(MEBIBYTE);
    let whole = upload(&device, &(0..100).map(f64::from).collect::<Vec<_>>(), [100])?.storage;
    assert_eq!(read_f64(&device, &whole.slice(32, 3)?)?, [32.0, 33.0, 34.0]);
    assert_eq!(read_f64(&device, &whole.slice(32, 68)?.slice(32, 1)?)?, [64.0]);
    assert!(whole.slice(1, 3).is_err(), "8 bytes are no alignment");
    assert!(whole.slice(64, 37).is_err(), "beyond the end");
    Ok(())
}

#[test]
fn a_stream_takes_any_executor_and_float_type() -> Result<()> {
    fn one<E: Executor>(executor: E) -> Result<f64> {
        let device = Stream::new("single", DType::F32, executor, MEBIBYTE);
        let x = upload(&device, &[1.0], [1])?;
        let y = View { storage: device.allocate("y", 1, device.float())?, shape: vec![1] };
        device.launch(affine(1.0, 1e-9), &[&x], &[&y], false)?;
        Ok(read_f64(&device, &y.storage)?[0])
    }
    assert_eq!(one(Reference)?, 1.0, "results are rounded to the type of their output");
    Ok(())
}
