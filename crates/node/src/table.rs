//! Tensors as numbers. A handle is a slot and the slot's generation, so a stale one is noticed; the table belongs to the
//! thread, and every Node environment has a thread of its own.

use std::cell::RefCell;

use napi_derive::napi;
use stylegan_autograd::Tensor;
use stylegan_tensor::Error;

use crate::error::{Result, native};

/// `generation · 2²⁴ + slot`, exact in a double.
#[napi]
pub type Handle = f64;

const SLOTS: u64 = 1 << 24;

#[derive(Default)]
struct Table {
    slots: Vec<(u64, Option<Tensor>)>,
    free: Vec<usize>,
    /// Handles made since each open scope began.
    scopes: Vec<Vec<Handle>>,
}

thread_local! {
    static TABLE: RefCell<Table> = RefCell::default();
}

impl Table {
    fn insert(&mut self, tensor: Tensor) -> Handle {
        let handle = self.place(tensor);
        if let Some(scope) = self.scopes.last_mut() {
            scope.push(handle);
        }
        handle
    }

    fn place(&mut self, tensor: Tensor) -> Handle {
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push((0, None));
            self.slots.len() - 1
        });
        let (generation, place) = &mut self.slots[slot];
        *place = Some(tensor);
        (*generation * SLOTS + slot as u64) as f64
    }

    fn slot(&self, handle: Handle) -> Option<usize> {
        let (generation, slot) = ((handle as u64) / SLOTS, (handle as u64 % SLOTS) as usize);
        let (current, tensor) = self.slots.get(slot)?;
        (*current == generation && tensor.is_some()).then_some(slot)
    }

    fn remove(&mut self, handle: Handle) -> Option<Tensor> {
        let slot = self.slot(handle)?;
        self.slots[slot].0 += 1;
        self.free.push(slot);
        self.slots[slot].1.take()
    }
}

/// A handle for `tensor`, owned by the innermost scope.
pub fn insert(tensor: Tensor) -> Handle {
    TABLE.with_borrow_mut(|table| table.insert(tensor))
}

/// The tensor behind a handle.
pub fn get(op: &'static str, handle: Handle) -> Result<Tensor> {
    let found = TABLE.with_borrow(|table| table.slot(handle).and_then(|slot| table.slots[slot].1.clone()));
    found.ok_or_else(|| {
        native(Error::Disposed {
            op,
            message: "the tensor was disposed; return it from its scope or detach it to keep it".into(),
        })
    })
}

/// The tensors behind handles.
pub fn get_all(op: &'static str, handles: &[Handle]) -> Result<Vec<Tensor>> {
    handles.iter().map(|&handle| get(op, handle)).collect()
}

/// A handle outside of all scopes for a tensor whose values will not change.
#[napi(catch_unwind)]
pub fn freeze(handle: Handle) -> Result<Handle> {
    let tensor = get("freeze", handle)?;
    tensor.freeze();
    Ok(TABLE.with_borrow_mut(|table| table.place(tensor)))
}

/// Forgets a tensor; false if it was forgotten before.
#[napi(catch_unwind)]
pub fn dispose(handle: Handle) -> bool {
    // Dropped outside of the borrow: a long history takes its time.
    let tensor = TABLE.with_borrow_mut(|table| table.remove(handle));
    tensor.is_some()
}

/// Whether a handle still has its tensor.
#[napi(catch_unwind)]
pub fn is_live(handle: Handle) -> bool {
    TABLE.with_borrow(|table| table.slot(handle).is_some())
}

/// Tensors in the table.
#[napi(catch_unwind)]
pub fn live_handles() -> u32 {
    TABLE.with_borrow(|table| (table.slots.len() - table.free.len()) as u32)
}

/// Opens a scope.
#[napi(catch_unwind)]
pub fn scope_begin() {
    TABLE.with_borrow_mut(|table| table.scopes.push(Vec::new()));
}

/// Closes the innermost scope: its tensors are forgotten, but for those to keep, which go to the scope around it.
#[napi(catch_unwind)]
pub fn scope_end(keep: Vec<Handle>) {
    let dropped: Vec<Option<Tensor>> = TABLE.with_borrow_mut(|table| {
        let made = table.scopes.pop().unwrap_or_default();
        let (kept, rest): (Vec<_>, Vec<_>) = made.into_iter().partition(|handle| keep.contains(handle));
        if let Some(outer) = table.scopes.last_mut() {
            outer.extend(kept);
        }
        rest.into_iter().map(|handle| table.remove(handle)).collect()
    });
    drop(dropped);
}
