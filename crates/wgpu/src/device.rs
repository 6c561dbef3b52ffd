//! The device: what the contract asks for, in terms of the pool, the recorder and a thread that waits.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use stylegan_tensor::{Backend, DType, Done, Error, Kernel, Memory, Result, Storage, View};

use crate::fault::Faults;
use crate::launch::Launch;
use crate::memory::{Block, Pool, Slot, lock};
use crate::recorder::{Binding, Recorder};

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
    waits: Sender<Wait>,
}

/// Words of a status: which complaint, and its two numbers.
pub(crate) const STATUS_BYTES: usize = 16;

struct Wait {
    staging: wgpu::Buffer,
    submission: wgpu::SubmissionIndex,
    bytes: usize,
    done: Answer,
}

enum Answer {
    Read(Done<Vec<u8>>),
    Synchronize(Done<()>),
}

impl Gpu {
    pub(crate) fn new(
        name: &str,
        device: wgpu::Device,
        queue: wgpu::Queue,
        limit: usize,
    ) -> Result<Self> {
        let faults = Arc::new(Faults::default());
        faults.listen(&device);
        let pool = Pool::new(device.clone(), limit);
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
        let (waits, received) = channel();
        let waiter = Waiter {
            device: device.clone(),
            faults: Arc::clone(&faults),
        };
        std::thread::Builder::new()
            .name(format!("device {name}"))
            .spawn(move || waiter.run(&received))
            .map_err(|error| Error::device("open", format!("no thread for the device: {error}")))?;
        Ok(Self {
            name: name.to_owned(),
            recorder: Mutex::new(Recorder::new(
                device.clone(),
                queue.clone(),
                Arc::clone(&pool),
            )),
            status,
            limits: device.limits(),
            device,
            queue,
            pool,
            faults,
            waits,
        })
    }

    /// Sends everything and has `done` called when it has run, with the bytes of `from`.
    fn wait(&self, op: &'static str, from: Option<&Storage>, done: Answer) {
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
        let wait = Wait {
            staging,
            submission,
            bytes,
            done,
        };
        // The thread ends only when this sender is dropped.
        let _ = self.waits.send(wait);
    }
}

impl Backend for Gpu {
    fn name(&self) -> &str {
        &self.name
    }

    fn float(&self) -> DType {
        DType::F32
    }

    fn allocate(&self, op: &'static str, len: usize, dtype: DType) -> Result<Storage> {
        if dtype == DType::F64 {
            let message = format!(
                "device '{}' computes in f32, got f64; cast to f32 first",
                self.name
            );
            return Err(Error::shape(op, message));
        }
        let block = self.pool.take(op, len * dtype.size())?;
        Ok(Storage::new(block, len, dtype))
    }

    fn launch(
        &self,
        kernel: Kernel,
        inputs: &[&View],
        outs: &[&View],
        accumulate: bool,
    ) -> Result<()> {
        let mut recorder = lock(&self.recorder);
        self.faults.enter(kernel.name());
        Launch {
            op: kernel.name(),
            recorder: &mut recorder,
            pool: &self.pool,
            status: &Binding::new(&self.status, 0, STATUS_BYTES),
            limits: &self.limits,
            accumulate,
        }
        .run(&kernel, inputs, outs)
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
        self.queue
            .write_buffer(&block.slot.buffer, offset as u64, &bytes[..whole]);
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
        let written = Launch {
            op: "write",
            recorder: &mut recorder,
            pool: &self.pool,
            status: &Binding::new(&self.status, 0, STATUS_BYTES),
            limits: &self.limits,
            accumulate: false,
        }
        .put_bytes(&self.queue, block, offset + whole, rest.len(), word);
        if let Err(error) = written {
            self.faults.set(error);
        }
    }

    fn read(&self, from: &Storage, done: Done<Vec<u8>>) {
        self.wait("read", Some(from), Answer::Read(done));
    }

    fn synchronize(&self, done: Done<()>) {
        self.wait("synchronize", None, Answer::Synchronize(done));
    }

    fn memory(&self) -> Memory {
        self.pool.memory()
    }
}

/// The block below a storage of this device.
pub(crate) fn block(storage: &Storage) -> &Block {
    storage
        .memory::<Block>()
        .expect("the tensor layer keeps devices apart")
}

/// Waits for the GPU in a thread of its own, and answers in order.
struct Waiter {
    device: wgpu::Device,
    faults: Arc<Faults>,
}

impl Waiter {
    fn run(self, received: &Receiver<Wait>) {
        for wait in received {
            let bytes = self.fetch(&wait);
            let answer = self.faults.check().map(|()| bytes);
            match wait.done {
                Answer::Read(done) => done(answer),
                Answer::Synchronize(done) => done(answer.map(drop)),
            }
        }
    }

    /// The bytes that were read; nothing if there was a fault, which is noted.
    fn fetch(&self, wait: &Wait) -> Vec<u8> {
        let (mapped, is_mapped) = channel();
        wait.staging
            .map_async(wgpu::MapMode::Read, .., move |result| {
                // Nobody hears it if the wait below has failed.
                let _ = mapped.send(result);
            });
        let waited = self.device.poll(wgpu::PollType::Wait {
            submission_index: Some(wait.submission.clone()),
            timeout: None,
        });
        if let Err(error) = waited {
            self.faults.report(error.to_string());
            return Vec::new();
        }
        match is_mapped.try_recv() {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                self.faults.report(error.to_string());
                return Vec::new();
            }
            Err(_) => {
                self.faults
                    .report("the GPU finished without handing over its memory");
                return Vec::new();
            }
        }
        let bytes = match wait.staging.get_mapped_range(..) {
            Ok(range) => range.to_vec(),
            Err(error) => {
                self.faults.report(error.to_string());
                return Vec::new();
            }
        };
        let (result, status) = bytes.split_at(wait.bytes.next_multiple_of(16));
        self.complaint(bytemuck::pod_read_unaligned(status));
        result[..wait.bytes].to_vec()
    }

    fn complaint(&self, [kind, row, count, _]: [u32; 4]) {
        let op = match kind {
            0 => return,
            1 => "gather_rows",
            _ => "scatter_rows",
        };
        let message = format!("rows must be in 0..{count}, got {}", row as i32);
        self.faults.set(Error::device(op, message));
    }
}
