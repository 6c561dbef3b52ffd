//! The device: what the contract asks for, in terms of the pool, the recorder and a thread that waits.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Instant;

use stylegan_tensor::{Backend, Cost, DType, Done, Error, Kernel, Memory, Result, Storage, View};

use crate::fault::Faults;
use crate::launch::Launch;
use crate::memory::{Pool, Slot, block, lock};
use crate::pipelines::{self, Pipelines};
use crate::reader::{Reader, ReaderThread, Reply, Request, STATUS_BYTES};
use crate::recorder::{Binding, Recorder};

/// How a GPU is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Most bytes of tensors.
    pub memory_limit: usize,
    /// Kernels see at most so many bytes of a tensor at once, as on a smaller GPU: for tests of what is taken apart there.
    pub tensor_limit: u64,
    /// Whether reductions use subgroups where the GPU has them.
    pub subgroups: bool,
    /// Whether products use cooperative matrices where the GPU has them; they need subgroups.
    pub matrices: bool,
    /// Folder for compiled kernels, where the driver gives them out; it is made when needed. `None` keeps none.
    pub cache: Option<PathBuf>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            memory_limit: usize::MAX,
            tensor_limit: u64::MAX,
            subgroups: true,
            matrices: true,
            cache: pipelines::default_folder(),
        }
    }
}

/// An open GPU.
pub struct Gpu {
    name: String,
    device: wgpu::Device,
    limits: wgpu::Limits,
    queue: wgpu::Queue,
    pool: Arc<Pool>,
    faults: Arc<Faults>,
    recorder: Mutex<Recorder>,
    /// Where kernels leave a word about operands that they cannot take.
    status: Slot,
    /// Whether kernels may use subgroups.
    subgroups: bool,
    matrices: Option<u32>,
    /// The most invocations in a subgroup.
    lanes: u32,
    /// Launches until the device is lost on purpose.
    fault_in: AtomicUsize,
    // Declared last: when its thread ends, all else has let go of the device.
    reader: Reader,
}

const NO_FAULT: usize = usize::MAX;

impl Gpu {
    pub(crate) fn new(
        name: &str,
        adapter: &wgpu::AdapterInfo,
        matrices: Option<u32>,
        device: wgpu::Device,
        queue: wgpu::Queue,
        options: &Options,
    ) -> Result<Self> {
        let faults = Arc::new(Faults::default());
        faults.listen(&device);
        let pool = Pool::new(device.clone(), options.memory_limit);
        // Zero at first, as every buffer of WebGPU.
        let status = Slot {
            buffer: device.create_buffer(&wgpu::BufferDescriptor {
                label: Some("status"),
                size: STATUS_BYTES as u64,
                usage: wgpu::BufferUsages::STORAGE | wgpu::BufferUsages::COPY_SRC,
                mapped_at_creation: false,
            }),
            id: 0,
        };
        let kept = options.cache.as_deref();
        let kept = kept.and_then(|folder| Pipelines::open(&device, adapter, folder));
        let (kept, compiled) = (kept.map(Arc::new), Arc::default());
        let thread = ReaderThread::new(&device, &faults, kept.clone(), &compiled);
        let reader = thread.start(format!("device {name}"))?;
        Ok(Self {
            name: name.to_owned(),
            recorder: Mutex::new(Recorder::new(device.clone(), queue.clone(), Arc::clone(&pool), kept, compiled)),
            status,
            subgroups: device.features().contains(wgpu::Features::SUBGROUP),
            matrices,
            lanes: adapter.subgroup_max_size,
            fault_in: AtomicUsize::new(NO_FAULT),
            limits: device.limits(),
            device,
            queue,
            pool,
            faults,
            reader,
        })
    }

    /// Sends everything and has `reply` called when it has run, with the bytes of `from`.
    fn request(&self, op: &'static str, from: Option<&Storage>, reply: Reply) {
        let mut recorder = lock(&self.recorder);
        self.faults.enter(op);
        let bytes = from.map_or(0, |from| from.len() * from.dtype().size());
        let padded = bytes.next_multiple_of(16);
        let staging = self.device.create_buffer(&wgpu::BufferDescriptor {
            label: Some("read"),
            size: (padded + STATUS_BYTES) as u64,
            usage: wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        let submission = recorder.send(|encoder| {
            if let Some(from) = from.filter(|from| !from.is_empty()) {
                let block = block(from);
                let offset = (from.offset() * from.dtype().size()) as u64;
                let size = bytes.next_multiple_of(4) as u64;
                encoder.copy_buffer_to_buffer(&block.slot.buffer, offset, &staging, 0, size);
            }
            let (status, size) = (&self.status.buffer, STATUS_BYTES as u64);
            encoder.copy_buffer_to_buffer(status, 0, &staging, padded as u64, size);
        });
        self.reader.send(Request { staging, submission, bytes, reply });
    }

    fn launching<'a>(
        &'a self,
        op: &'static str,
        recorder: &'a mut MutexGuard<'_, Recorder>,
        status: &'a Binding,
        accumulate: bool,
    ) -> Launch<'a> {
        Launch {
            op,
            recorder,
            pool: &self.pool,
            status,
            limits: &self.limits,
            subgroups: self.subgroups,
            matrices: self.matrices,
            lanes: self.lanes,
            accumulate,
            mean_over: None,
            first: 0,
        }
    }

    fn status(&self) -> Binding {
        Binding::new(&self.status, 0, STATUS_BYTES)
    }

    /// Loses the device on purpose when it is time to, as if the driver had.
    fn count_down(&self) {
        let next = |left: usize| (left != NO_FAULT).then(|| left.checked_sub(1).unwrap_or(NO_FAULT));
        let left = self.fault_in.fetch_update(Ordering::Relaxed, Ordering::Relaxed, next);
        if left == Ok(0) {
            self.device.destroy();
        }
    }
}

impl Backend for Gpu {
    fn name(&self) -> &str {
        &self.name
    }

    fn float(&self) -> DType {
        DType::F32
    }

    fn stores_half(&self) -> bool {
        true
    }

    fn allocate(&self, op: &'static str, len: usize, dtype: DType) -> Result<Storage> {
        if dtype == DType::F64 {
            let message = format!("device '{}' computes in f32, got f64; cast to f32 first", self.name);
            return Err(Error::shape(op, message));
        }
        let block = self.pool.take(op, len * dtype.size())?;
        Ok(Storage::new(block, len, dtype))
    }

    fn enqueue(&self, kernel: Kernel, inputs: &[&View], outs: &[&View], accumulate: bool) -> Result<()> {
        self.count_down();
        let mut recorder = lock(&self.recorder);
        self.faults.enter(kernel.name());
        let began = recorder.profile.is_on().then(|| {
            recorder.begin_timed();
            Instant::now()
        });
        let status = self.status();
        let launch = self.launching(kernel.name(), &mut recorder, &status, accumulate);
        let result = launch.run(&kernel, inputs, outs);
        if let Some(began) = began {
            recorder.end_timed();
            recorder.profile.launched(kernel, inputs, outs, began);
        }
        recorder.flush_batch();
        result
    }

    fn write(&self, to: &Storage, bytes: Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let mut recorder = lock(&self.recorder);
        self.faults.enter("write");
        // The queue writes ahead of everything that is sent later, so what comes before must be sent now.
        recorder.flush();
        let block = block(to);
        let offset = to.offset() * to.dtype().size();
        let whole = bytes.len() / 4 * 4;
        self.queue.write_buffer(&block.slot.buffer, offset as u64, &bytes[..whole]);
        let rest = &bytes[whole..];
        if rest.is_empty() {
            return;
        }
        let mut word = [0; 4];
        word[..rest.len()].copy_from_slice(rest);
        if offset + bytes.len() >= block.used {
            let at = (offset + whole) as u64;
            self.queue.write_buffer(&block.slot.buffer, at, &word);
            return;
        }
        // Other elements share the last word with these: a kernel leaves them alone, which a write cannot.
        let status = self.status();
        let written = self.launching("write", &mut recorder, &status, false).put_bytes(
            &self.queue,
            block,
            offset + whole,
            rest.len(),
            word,
        );
        if let Err(error) = written {
            self.faults.set(error);
        }
    }

    fn read(&self, from: &Storage, done: Done<Vec<u8>>) {
        self.request("read", Some(from), Reply::Read(done));
    }

    fn synchronize(&self, done: Done<()>) {
        self.request("synchronize", None, Reply::Synchronize(done));
    }

    fn settle(&self) {
        let (done, is_done) = channel();
        self.synchronize(Box::new(move |_| {
            // Somebody listens until this is called.
            let _ = done.send(());
        }));
        // No reply comes if the thread has ended, which then waits for nothing.
        let _ = is_done.recv();
    }

    fn memory(&self) -> Memory {
        self.pool.memory()
    }

    fn profile(&self, on: bool) {
        let mut recorder = lock(&self.recorder);
        recorder.flush();
        recorder.profile.turn(on);
    }

    fn costs(&self, done: Done<Vec<Cost>>) {
        let report = {
            let mut recorder = lock(&self.recorder);
            recorder.flush();
            recorder.profile.take()
        };
        self.request("costs", None, Reply::Costs(report, done));
    }

    /// The device is lost, as when a driver resets it.
    fn inject_fault(&self, launches: usize) -> Result<()> {
        self.fault_in.store(launches, Ordering::Relaxed);
        Ok(())
    }
}
