//! GPU buffers, kept for the next tensor of about their size.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use stylegan_tensor::{Error, Memory, Result, Storage};

/// Free buffers by capacity. A block comes back when its last storage is dropped, maybe before the kernels that use
/// it have run: whoever takes it next only enqueues kernels behind those.
pub(crate) struct Pool {
    device: wgpu::Device,
    state: Mutex<State>,
    limit: usize,
    /// Bytes of the largest buffer that the device makes.
    largest: usize,
    /// Counts the times that free buffers were given up: whoever caches something about buffers must forget it then.
    generation: AtomicU64,
}

#[derive(Default)]
struct State {
    free: HashMap<usize, Vec<Slot>>,
    memory: Memory,
    next_id: u64,
}

/// A buffer and a number that no other buffer of the device ever has.
#[derive(Clone)]
pub(crate) struct Slot {
    pub buffer: wgpu::Buffer,
    pub id: u64,
}

/// A buffer in use.
pub(crate) struct Block {
    pub slot: Slot,
    /// Bytes that were asked for.
    pub used: usize,
    capacity: usize,
    pool: Arc<Pool>,
}

impl Pool {
    pub fn new(device: wgpu::Device, limit: usize) -> Arc<Self> {
        let largest = usize::try_from(device.limits().max_buffer_size).unwrap_or(usize::MAX);
        Arc::new(Self { largest, device, state: Mutex::default(), limit, generation: AtomicU64::new(0) })
    }

    pub fn generation(&self) -> u64 {
        self.generation.load(Ordering::Relaxed)
    }

    pub fn memory(&self) -> Memory {
        lock(&self.state).memory
    }

    /// A block of at least `bytes`.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`] if that exceeds the limit, the largest buffer of the device, or what it has left.
    pub fn take(self: &Arc<Self>, op: &'static str, bytes: usize) -> Result<Block> {
        let capacity = size_class(bytes.max(1));
        let mut state = lock(&self.state);
        let full = |memory: Memory, limit| Error::Memory { op, bytes: capacity, live: memory.live, limit };
        if capacity > self.largest {
            return Err(full(state.memory, self.largest));
        }
        if state.memory.live.saturating_add(capacity) > self.limit {
            return Err(full(state.memory, self.limit));
        }
        let slot = match state.free.get_mut(&capacity).and_then(Vec::pop) {
            Some(slot) => {
                state.memory.pooled -= capacity;
                slot
            }
            None => {
                if state.memory.live + state.memory.pooled + capacity > self.limit {
                    // Blocks of other sizes make room: the limit is on what is held, not only on what is used.
                    self.release(&mut state);
                }
                self.create(&mut state, capacity)
                    .or_else(|| {
                        self.release(&mut state);
                        self.create(&mut state, capacity)
                    })
                    .ok_or_else(|| full(state.memory, state.memory.live))?
            }
        };
        state.memory.live += capacity;
        state.memory.peak = state.memory.peak.max(state.memory.live);
        Ok(Block { slot, used: bytes, capacity, pool: Arc::clone(self) })
    }

    fn release(&self, state: &mut State) {
        state.free.clear();
        state.memory.pooled = 0;
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    /// A new buffer, or `None` if the device has no room for it.
    fn create(&self, state: &mut State, capacity: usize) -> Option<Slot> {
        let scope = self.device.push_error_scope(wgpu::ErrorFilter::OutOfMemory);
        let buffer = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("tensor"),
            size: capacity as u64,
            usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        if pollster::block_on(scope.pop()).is_some() {
            return None;
        }
        state.memory.allocations += 1;
        state.next_id += 1;
        Some(Slot { buffer, id: state.next_id })
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        let mut state = lock(&self.pool.state);
        state.memory.live -= self.capacity;
        state.memory.pooled += self.capacity;
        let free = state.free.entry(self.capacity).or_default();
        free.push(self.slot.clone());
    }
}

/// The block below a storage of this device.
pub(crate) fn block(storage: &Storage) -> &Block {
    storage.memory::<Block>().expect("the tensor layer keeps devices apart")
}

/// Capacities are rounded up to eight steps an octave, so that blocks of nearly one size serve each other.
fn size_class(bytes: usize) -> usize {
    let step = (bytes.next_power_of_two() / 16).max(256);
    bytes.next_multiple_of(step)
}

/// A panic inside a lock leaves counters and lists that are still right.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
