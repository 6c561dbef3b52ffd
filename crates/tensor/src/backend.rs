use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::{Cost, DType, Error, Kernel, Result, Shape};

/// A device: memory, and a stream of kernels that run in the order in which they were launched.
///
/// Shapes have been checked when a call arrives here. `allocate` and `launch` return at once; only the
/// callbacks of `read` and `synchronize` tell that work is done. Nothing assumes that the host can see a
/// buffer. After a fault, every later `read` and `synchronize` reports that first error.
pub trait Backend: Send + Sync + 'static {
    /// The device's name, as the user gave it.
    fn name(&self) -> &str;

    /// The floating-point type that this device computes in.
    fn float(&self) -> DType;

    /// Whether feature maps can be stored in 16 bits.
    fn stores_half(&self) -> bool {
        false
    }

    /// Whether convolutions can multiply bf16 by bf16: [`Algorithm::Bf16`](crate::Algorithm::Bf16).
    fn multiplies_bf16(&self) -> bool {
        false
    }

    /// Whether this device has [`Kernel::Layer`].
    fn has_layers(&self) -> bool {
        false
    }

    /// Memory for `len` elements, its content undefined. It returns to the device's pool, in stream order,
    /// when the last [`Storage`] on it is dropped.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`], at once, if the device has no room; `op` is the op whose output it is for.
    fn allocate(&self, op: &'static str, len: usize, dtype: DType) -> Result<Storage>;

    /// Enqueues `kernel`. It writes every element of `outs`, or adds to them if `accumulate`.
    /// An output shares no buffer with an input. Operands without elements are answered here, alike on all devices, by
    /// what [`Kernel::of_nothing`] says.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`] if there is no room for the kernel's workspace, [`Error::Shape`] if an input has no elements and
    /// the kernel no result then.
    fn launch(&self, kernel: Kernel, inputs: &[&View], outs: &[&View], accumulate: bool) -> Result<()> {
        let is_empty = |view: &&View| view.storage.is_empty();
        let copies_nothing = matches!(&kernel, Kernel::Copy { shape, .. } if shape.contains(&0));
        if copies_nothing || outs.iter().all(is_empty) {
            return Ok(());
        }
        if !inputs.iter().any(is_empty) {
            return self.enqueue(kernel, inputs, outs, accumulate);
        }
        let Some(value) = kernel.of_nothing() else {
            let shapes: Vec<_> = inputs.iter().map(|view| &view.shape).collect();
            let message = format!("operands must have elements, got {shapes:?}");
            return Err(Error::shape(kernel.name(), message));
        };
        for &out in outs.iter().filter(|out| !is_empty(out)) {
            self.enqueue(Kernel::Fill { value }, &[], &[out], accumulate)?;
        }
        Ok(())
    }

    /// [`launch`](Self::launch) of a kernel whose inputs have elements, as has at least one output.
    ///
    /// # Errors
    ///
    /// [`Error::Memory`] if there is no room for the kernel's workspace.
    fn enqueue(&self, kernel: Kernel, inputs: &[&View], outs: &[&View], accumulate: bool) -> Result<()>;

    /// Enqueues an upload: `bytes` are the elements of `to` in native byte order.
    fn write(&self, to: &Storage, bytes: Vec<u8>);

    /// Enqueues a download; `done` gets the elements in native byte order, on any thread.
    fn read(&self, from: &Storage, done: Done<Vec<u8>>);

    /// `done` is called when everything launched so far has run.
    fn synchronize(&self, done: Done<()>);

    /// Returns when nothing is under way, where a process must not end before: it takes a GPU's driver apart, which must not be in
    /// use then.
    fn settle(&self) {}

    /// The memory of this device at the moment of the call.
    fn memory(&self) -> Memory;

    /// Begins (`true`) or ends (`false`) to count what launches cost, from the next launch on.
    fn profile(&self, on: bool);

    /// `done` gets what the launches since the last call have cost, once they have run.
    fn costs(&self, done: Done<Vec<Cost>>);

    /// Holds the stream before its next kernel (`true`) or lets it run on (`false`): test devices only.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] on a device that cannot be held.
    fn hold(&self, _hold: bool) -> Result<()> {
        Err(Error::shape("hold", format!("device '{}' is no test device", self.name())))
    }

    /// Makes the kernel launched after `launches` further ones fail: test devices only.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] on a device without faults to inject.
    fn inject_fault(&self, _launches: usize) -> Result<()> {
        Err(Error::shape("injectFault", format!("device '{}' is no test device", self.name())))
    }
}

/// A callback for a value that the device will have later.
pub type Done<T> = Box<dyn FnOnce(Result<T>) + Send>;

/// Bytes of a device's memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Held by storages.
    pub live: usize,
    /// Free, kept for the next allocation.
    pub pooled: usize,
    /// The largest `live` so far.
    pub peak: usize,
    /// Blocks ever taken from the system: flat once a training step is steady.
    pub allocations: usize,
}

/// A range of a device buffer. Clones share the buffer; the last one gone returns it to the pool.
#[derive(Clone)]
pub struct Storage {
    buffer: Arc<Buffer>,
    offset: usize,
    len: usize,
    dtype: DType,
}

struct Buffer {
    memory: Box<dyn Any + Send + Sync>,
    version: AtomicU64,
    frozen: AtomicBool,
}

impl Storage {
    /// Offsets of storages within a buffer are multiples of this many bytes.
    pub const ALIGNMENT: usize = 256;

    /// A whole buffer of `len` elements. `memory` is the backend's own; dropping it frees or pools it.
    pub fn new(memory: impl Any + Send + Sync, len: usize, dtype: DType) -> Self {
        let buffer = Buffer { memory: Box::new(memory), version: AtomicU64::new(0), frozen: AtomicBool::new(false) };
        Self { buffer: Arc::new(buffer), offset: 0, len, dtype }
    }

    /// `len` elements of this storage from element `offset` on.
    ///
    /// # Errors
    ///
    /// [`Error::Shape`] if they reach beyond the end or are not aligned.
    pub fn slice(&self, offset: usize, len: usize) -> Result<Self> {
        let aligned = (offset * self.dtype.size()).is_multiple_of(Self::ALIGNMENT);
        if offset + len > self.len || !aligned {
            return Err(Error::shape(
                "slice",
                format!("elements {offset}..{} of {} are no aligned range", offset + len, self.len),
            ));
        }
        Ok(Self { offset: self.offset + offset, len, ..self.clone() })
    }

    /// The backend's memory, if it is of type `M`.
    pub fn memory<M: Any>(&self) -> Option<&M> {
        self.buffer.memory.downcast_ref()
    }

    /// Elements before this storage in its buffer.
    pub fn offset(&self) -> usize {
        self.offset
    }

    /// Number of elements.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is no element.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Type of the elements.
    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// How often the buffer was changed in place.
    pub fn version(&self) -> u64 {
        self.buffer.version.load(Ordering::Relaxed)
    }

    /// Records a change in place: whoever saved the old values will find out.
    pub fn touch(&self) {
        self.buffer.version.fetch_add(1, Ordering::Relaxed);
    }

    /// Promises that the buffer's values will not change again: a device may keep what it makes of them.
    pub fn freeze(&self) {
        self.buffer.frozen.store(true, Ordering::Relaxed);
    }

    /// Whether the values will not change again.
    pub fn is_frozen(&self) -> bool {
        self.buffer.frozen.load(Ordering::Relaxed)
    }

    /// Whether this is the only storage on its buffer.
    pub fn is_unique(&self) -> bool {
        Arc::strong_count(&self.buffer) == 1
    }

    /// Whether both lie in one buffer.
    pub fn shares_buffer(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.buffer, &other.buffer)
    }
}

/// A storage seen as a contiguous tensor.
#[derive(Clone)]
pub struct View {
    /// Where the elements are; as many as the shape has.
    pub storage: Storage,
    /// Sizes of the axes.
    pub shape: Shape,
}
