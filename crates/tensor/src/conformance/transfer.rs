use std::sync::mpsc::channel;

use crate::reference::bytes;
use crate::{Backend, Error, Result, Shape, Storage, View};

/// Enqueues an upload of `values`, rounded to the storage's dtype.
///
/// # Panics
///
/// If there are not as many values as elements.
pub fn write_f64(device: &dyn Backend, to: &Storage, values: &[f64]) {
    assert_eq!(values.len(), to.len(), "write_f64: as many values as elements");
    device.write(to, bytes::encode(values, to.dtype()));
}

/// The elements of a storage, waited for. A device that is held blocks this call.
///
/// # Errors
///
/// The device's first fault, if it had one.
pub fn read_f64(device: &dyn Backend, from: &Storage) -> Result<Vec<f64>> {
    let (done, result) = channel();
    device.read(from, Box::new(move |bytes| drop(done.send(bytes))));
    let lost = || Err(Error::device("read", "the device stopped before it answered"));
    let bytes = result.recv().unwrap_or_else(|_| lost())?;
    Ok(bytes::decode(&bytes, from.dtype()))
}

/// Waits until everything launched so far has run.
///
/// # Errors
///
/// The device's first fault, if it had one.
pub fn synchronize(device: &dyn Backend) -> Result<()> {
    let (done, result) = channel();
    device.synchronize(Box::new(move |answer| drop(done.send(answer))));
    let lost = || Err(Error::device("synchronize", "the device stopped before it answered"));
    result.recv().unwrap_or_else(|_| lost())
}

/// A new tensor of the device's own float type.
///
/// # Errors
///
/// [`Error::Memory`] if the device has no room.
pub fn upload(device: &dyn Backend, values: &[f64], shape: impl Into<Shape>) -> Result<View> {
    let shape = shape.into();
    let storage = device.allocate("upload", shape.iter().product(), device.float())?;
    write_f64(device, &storage, values);
    Ok(View { storage, shape })
}
