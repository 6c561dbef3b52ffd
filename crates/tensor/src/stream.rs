//! A host thread as a device: the stream behind every backend whose kernels run on the CPU.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use crate::pool::{Pool, Pooled, lock};
use crate::{Backend, Cost, Costs, DType, Done, Error, Kernel, Memory, Result, Shape, Storage, View};

/// Runs kernels one at a time, on the stream's thread.
pub trait Executor: Send + 'static {
    /// A block of memory; clones are the same block.
    type Memory: Clone + Send + Sync + 'static;

    /// A new block for `len` elements. `None` if the system has no memory.
    fn allocate(len: usize, dtype: DType) -> Option<Self::Memory>;

    /// Whether this machine has what [`Algorithm::Bf16`](crate::Algorithm::Bf16) needs.
    fn multiplies_bf16() -> bool {
        false
    }

    /// Runs the stream's loop, which ends when the stream is dropped, on a thread of its own.
    fn spawn(name: String, run: impl FnOnce() + Send + 'static) {
        let thread = std::thread::Builder::new().name(name).spawn(run);
        thread.expect("the system starts a thread");
    }

    /// Computes `kernel` into `outs`, or adds the result to them if `accumulate`.
    ///
    /// # Errors
    ///
    /// [`Error::Device`] if the kernel fails.
    fn execute(
        &mut self,
        kernel: &Kernel,
        inputs: &[Operand<Self::Memory>],
        outs: &[Operand<Self::Memory>],
        accumulate: bool,
    ) -> Result<()>;

    /// Nothing is waiting for execution.
    fn rest(&mut self) {}

    /// Copies native-order bytes into elements.
    fn write(&mut self, to: &Operand<Self::Memory>, bytes: &[u8]);

    /// The elements as native-order bytes.
    fn read(&mut self, from: &Operand<Self::Memory>) -> Vec<u8>;
}

/// An operand of a kernel as an executor sees it.
#[derive(Clone)]
pub struct Operand<M> {
    /// The block.
    pub memory: M,
    /// First element in the block.
    pub offset: usize,
    /// Number of elements.
    pub len: usize,
    /// Their type.
    pub dtype: DType,
    /// Sizes of the axes.
    pub shape: Shape,
    /// Whether the elements will not change as long as the block is not written to.
    pub frozen: bool,
}

/// A [`Backend`] that runs an [`Executor`] on a thread of its own.
pub struct Stream<E: Executor> {
    name: String,
    float: DType,
    pool: Arc<Pool<E::Memory>>,
    commands: Sender<Command<E::Memory>>,
    gate: Arc<Gate>,
    fault_in: AtomicUsize,
    is_test: bool,
}

enum Command<M> {
    Launch { kernel: Kernel, inputs: Vec<Operand<M>>, outs: Vec<Operand<M>>, accumulate: bool, fault: bool },
    Write(Operand<M>, Vec<u8>),
    Read(Operand<M>, Done<Vec<u8>>),
    Synchronize(Done<()>),
    Profile(bool),
    Costs(Done<Vec<Cost>>),
}

const NO_FAULT: usize = usize::MAX;

impl<E: Executor> Stream<E> {
    /// Starts the device's thread. Live memory never exceeds `limit` bytes.
    pub fn new(name: &str, float: DType, executor: E, limit: usize) -> Self {
        Self::start(name, float, executor, limit, false)
    }

    /// A test device: nothing runs until something waits for it, it can be held, and faults can be injected.
    pub fn lazy(name: &str, float: DType, executor: E, limit: usize) -> Self {
        Self::start(name, float, executor, limit, true)
    }

    fn start(name: &str, float: DType, executor: E, limit: usize, is_test: bool) -> Self {
        let (commands, received) = channel();
        let gate = Arc::new(Gate::default());
        let worker =
            Worker { executor, fault: None, gate: Arc::clone(&gate), costs: Costs::default(), profiles: false };
        E::spawn(format!("device {name}"), move || worker.run(&received, is_test));
        Self {
            name: name.to_owned(),
            float,
            pool: Arc::new(Pool::new(limit)),
            commands,
            gate,
            fault_in: AtomicUsize::new(NO_FAULT),
            is_test,
        }
    }

    fn send(&self, command: Command<E::Memory>) {
        // The thread ends only when this sender is dropped.
        let _ = self.commands.send(command);
    }

    fn test_only(&self, op: &'static str) -> Result<()> {
        if self.is_test {
            return Ok(());
        }
        Err(Error::shape(op, format!("device '{}' is no test device", self.name)))
    }
}

impl<E: Executor> Backend for Stream<E> {
    fn name(&self) -> &str {
        &self.name
    }

    fn float(&self) -> DType {
        self.float
    }

    fn multiplies_bf16(&self) -> bool {
        E::multiplies_bf16()
    }

    fn has_layers(&self) -> bool {
        true
    }

    fn allocate(&self, op: &'static str, len: usize, dtype: DType) -> Result<Storage> {
        if dtype.is_half() {
            let Self { name, float, .. } = self;
            return Err(Error::shape(op, format!("device '{name}' stores feature maps in {float}, got {dtype}")));
        }
        let block = self.pool.take(op, len, dtype, |capacity| E::allocate(capacity, dtype))?;
        Ok(Storage::new(block, len, dtype))
    }

    fn enqueue(&self, kernel: Kernel, inputs: &[&View], outs: &[&View], accumulate: bool) -> Result<()> {
        let left = self.fault_in.load(Ordering::Relaxed);
        if left != NO_FAULT {
            self.fault_in.store(left.wrapping_sub(1), Ordering::Relaxed);
        }
        let operands = |views: &[&View]| views.iter().map(|v| operand(&v.storage, v.shape.clone())).collect();
        self.send(Command::Launch {
            kernel,
            inputs: operands(inputs),
            outs: operands(outs),
            accumulate,
            fault: left == 0,
        });
        Ok(())
    }

    fn write(&self, to: &Storage, bytes: Vec<u8>) {
        self.send(Command::Write(operand(to, vec![to.len()]), bytes));
    }

    fn read(&self, from: &Storage, done: Done<Vec<u8>>) {
        self.send(Command::Read(operand(from, vec![from.len()]), done));
    }

    fn synchronize(&self, done: Done<()>) {
        self.send(Command::Synchronize(done));
    }

    fn memory(&self) -> Memory {
        self.pool.memory()
    }

    fn profile(&self, on: bool) {
        self.send(Command::Profile(on));
    }

    fn costs(&self, done: Done<Vec<Cost>>) {
        self.send(Command::Costs(done));
    }

    fn hold(&self, hold: bool) -> Result<()> {
        self.test_only("hold")?;
        self.gate.set(hold);
        Ok(())
    }

    fn inject_fault(&self, launches: usize) -> Result<()> {
        self.test_only("injectFault")?;
        self.fault_in.store(launches, Ordering::Relaxed);
        Ok(())
    }
}

impl<E: Executor> Drop for Stream<E> {
    fn drop(&mut self) {
        self.gate.set(false);
    }
}

fn operand<M: Clone + Send + Sync + 'static>(storage: &Storage, shape: Shape) -> Operand<M> {
    let block = storage.memory::<Pooled<M>>().expect("the tensor layer keeps devices apart");
    Operand {
        memory: block.memory.clone(),
        offset: storage.offset(),
        len: storage.len(),
        dtype: storage.dtype(),
        shape,
        frozen: storage.is_frozen(),
    }
}

struct Worker<E: Executor> {
    executor: E,
    fault: Option<Error>,
    gate: Arc<Gate>,
    costs: Costs,
    profiles: bool,
}

impl<E: Executor> Worker<E> {
    fn run(mut self, received: &Receiver<Command<E::Memory>>, lazy: bool) {
        let mut waiting = Vec::new();
        loop {
            let next = received.try_recv().or_else(|_| {
                self.executor.rest();
                received.recv()
            });
            let Ok(command) = next else { return };
            let waits = matches!(command, Command::Read(..) | Command::Synchronize(_) | Command::Costs(_));
            waiting.push(command);
            if waits || !lazy {
                waiting.drain(..).for_each(|command| self.step(command));
            }
        }
    }

    fn step(&mut self, command: Command<E::Memory>) {
        match command {
            Command::Launch { kernel, inputs, outs, accumulate, fault } => {
                self.gate.pass();
                if self.fault.is_none() {
                    let result = if fault {
                        Err(Error::device(kernel.name(), "injected fault"))
                    } else {
                        self.execute(&kernel, &inputs, &outs, accumulate)
                    };
                    self.fault = result.err();
                }
            }
            Command::Write(to, bytes) => {
                if self.fault.is_none() {
                    self.fault = self
                        .guard("write", |e| {
                            e.write(&to, &bytes);
                            Ok(())
                        })
                        .err();
                }
            }
            Command::Read(from, done) => done(match &self.fault {
                Some(error) => Err(error.clone()),
                None => self.guard("read", |e| Ok(e.read(&from))),
            }),
            Command::Synchronize(done) => done(self.fault.clone().map_or(Ok(()), Err)),
            Command::Profile(on) => self.profiles = on,
            Command::Costs(done) => done(self.fault.clone().map_or_else(|| Ok(self.costs.take()), Err)),
        }
    }

    fn execute(
        &mut self,
        kernel: &Kernel,
        inputs: &[Operand<E::Memory>],
        outs: &[Operand<E::Memory>],
        accumulate: bool,
    ) -> Result<()> {
        let began = self.profiles.then(Instant::now);
        let result = self.guard(kernel.name(), |e| e.execute(kernel, inputs, outs, accumulate));
        if let Some(began) = began {
            let spent = began.elapsed().as_nanos() as u64;
            let [inputs, outs] = [inputs, outs].map(|all| all.iter().map(|x| (&x.shape, x.dtype)).collect::<Vec<_>>());
            // The host's part is the queue alone.
            self.costs.add(kernel, &inputs, &outs, spent, 0);
        }
        result
    }

    /// A kernel that panics has failed like any other.
    fn guard<T>(&mut self, op: &'static str, work: impl FnOnce(&mut E) -> Result<T>) -> Result<T> {
        catch_unwind(AssertUnwindSafe(|| work(&mut self.executor))).unwrap_or_else(|panic| {
            let message = panic.downcast_ref::<String>().map(String::as_str);
            let message = message.or_else(|| panic.downcast_ref::<&str>().copied());
            Err(Error::device(op, message.unwrap_or("the kernel panicked")))
        })
    }
}

/// A door before every kernel, open unless a test closes it.
#[derive(Default)]
struct Gate {
    closed: Mutex<bool>,
    changed: Condvar,
}

impl Gate {
    fn set(&self, closed: bool) {
        *lock(&self.closed) = closed;
        self.changed.notify_all();
    }

    fn pass(&self) {
        let closed = lock(&self.closed);
        drop(self.changed.wait_while(closed, |closed| *closed));
    }
}
