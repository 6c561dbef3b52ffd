//! The thread that waits for the GPU, so that no other has to.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Once};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use stylegan_tensor::{Cost, Done, Error, Result};

use crate::fault::Faults;
use crate::pipelines::Pipelines;
use crate::profile::Report;

/// How long memory that has been written may take to be handed over.
const PATIENCE: Duration = Duration::from_secs(10);

/// Words of a status: which complaint, and its two numbers.
pub(crate) const STATUS_BYTES: usize = 16;

/// To be told when a submission has run, and what it read.
pub(crate) struct Request {
    /// Where the submission puts what is read, and behind it the status.
    pub staging: wgpu::Buffer,
    pub submission: wgpu::SubmissionIndex,
    /// Bytes that are read.
    pub bytes: usize,
    pub reply: Reply,
}

/// What is called when the submission has run.
pub(crate) enum Reply {
    Read(Done<Vec<u8>>),
    Synchronize(Done<()>),
    Costs(Report, Done<Vec<Cost>>),
}

/// The thread that waits, for as long as this is there. Dropping it takes until the thread has ended: a process that ends takes
/// the driver apart, which must not find a device in use.
pub(crate) struct Reader {
    requests: Option<Sender<Request>>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    pub fn send(&self, request: Request) {
        // The thread ends only when the sender is dropped.
        let _ = self.requests.as_ref().map(|requests| requests.send(request));
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.requests = None;
        // What the thread itself calls may have held the device last.
        let others = self.thread.take().filter(|thread| thread.thread().id() != thread::current().id());
        // A panic there has been reported.
        let _ = others.map(JoinHandle::join);
    }
}

/// What the thread works with: it waits for the GPU, and replies in order.
pub(crate) struct ReaderThread {
    device: wgpu::Device,
    faults: Arc<Faults>,
    pipelines: Option<Arc<Pipelines>>,
    /// Pipelines that were compiled so far; at the last wait; when they were last saved.
    compiled: Arc<AtomicUsize>,
    seen: usize,
    saved: usize,
}

impl ReaderThread {
    pub fn new(
        device: &wgpu::Device,
        faults: &Arc<Faults>,
        pipelines: Option<Arc<Pipelines>>,
        compiled: &Arc<AtomicUsize>,
    ) -> Self {
        Self {
            device: device.clone(),
            faults: Arc::clone(faults),
            pipelines,
            compiled: Arc::clone(compiled),
            seen: 0,
            saved: 0,
        }
    }

    /// The thread that waits, by this name.
    pub fn start(self, name: String) -> Result<Reader> {
        let (requests, received) = channel();
        let thread = thread::Builder::new().name(name).spawn(move || self.run(&received));
        let thread = thread.map_err(|error| Error::device("open", format!("no thread for the device: {error}")))?;
        Ok(Reader { requests: Some(requests), thread: Some(thread) })
    }

    /// Until nobody can ask any more.
    fn run(mut self, received: &Receiver<Request>) {
        for request in received {
            let bytes = self.fetch(&request);
            // Before the reply: after it, nothing may be under way.
            self.save_when_steady();
            let result = self.faults.check().map(|()| bytes);
            match request.reply {
                Reply::Read(done) => done(result),
                Reply::Synchronize(done) => done(result.map(drop)),
                Reply::Costs(report, done) => {
                    let sums = result.map(|_| report.sums(|times| self.map(times)));
                    done(self.faults.check().and(sums));
                }
            }
        }
        self.save();
    }

    /// Saves what was compiled once nothing new was for a while: while kernels are still met for the first time, there will
    /// soon be more.
    fn save_when_steady(&mut self) {
        let compiled = self.compiled.load(Ordering::Relaxed);
        if compiled == self.seen {
            self.save();
        }
        self.seen = compiled;
    }

    fn save(&mut self) {
        let compiled = self.compiled.load(Ordering::Relaxed);
        if compiled == self.saved {
            return;
        }
        self.saved = compiled;
        if let Some(pipelines) = &self.pipelines {
            pipelines.save();
        }
    }

    /// The bytes that were read; nothing if there was a fault, which is noted.
    fn fetch(&self, request: &Request) -> Vec<u8> {
        let waited =
            self.poll(wgpu::PollType::Wait { submission_index: Some(request.submission.clone()), timeout: None });
        if waited.is_err() || self.faults.is_sign() {
            // A lost device does not know the submission.
            self.hear_of_loss();
        }
        if let Err(error) = waited {
            self.faults.report(error);
        }
        if self.faults.check().is_err() {
            return Vec::new();
        }
        let bytes = self.map(&request.staging);
        if bytes.is_empty() {
            return bytes;
        }
        let (result, status) = bytes.split_at(request.bytes.next_multiple_of(16));
        self.complaint(bytemuck::pod_read_unaligned(&status[..STATUS_BYTES]));
        result[..request.bytes].to_vec()
    }

    /// A lost device tells of its loss when it is asked for all submissions.
    fn hear_of_loss(&self) {
        let _ = self.poll(wgpu::PollType::wait_indefinitely());
    }

    /// The bytes of a buffer that has been written; nothing if there was a fault, which is noted.
    fn map(&self, buffer: &wgpu::Buffer) -> Vec<u8> {
        self.mapped(buffer).unwrap_or_else(|message| {
            // The device may have been lost since the submission ran.
            self.faults.report_call(&message);
            self.hear_of_loss();
            Vec::new()
        })
    }

    fn mapped(&self, buffer: &wgpu::Buffer) -> std::result::Result<Vec<u8>, String> {
        let (mapped, is_mapped) = channel();
        buffer.map_async(wgpu::MapMode::Read, .., move |result| {
            // Nobody hears it if the wait below has failed.
            let _ = mapped.send(result);
        });
        let began = Instant::now();
        let result = loop {
            self.poll(wgpu::PollType::Poll)?;
            // A submission by another thread may have found the buffer ready first, and is about to say so.
            match is_mapped.recv_timeout(Duration::from_millis(1)) {
                Ok(result) => break result,
                Err(RecvTimeoutError::Timeout) if began.elapsed() < PATIENCE => {}
                Err(_) => return Err("the GPU finished without handing over its memory".to_owned()),
            }
        };
        result.map_err(|error| error.to_string())?;
        let range = buffer.get_mapped_range(..);
        Ok(range.map_err(|error| error.to_string())?.to_vec())
    }

    fn poll(&self, poll: wgpu::PollType) -> std::result::Result<(), String> {
        match caught(|| self.device.poll(poll)) {
            Some(Ok(_)) => Ok(()),
            Some(Err(error)) => Err(error.to_string()),
            // wgpu panics where a wait finds the device lost.
            None => Err("the GPU was lost; start again from the last snapshot".to_owned()),
        }
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

thread_local! {
    static IS_QUIET: Cell<bool> = const { Cell::new(false) };
}

/// The result of `work`, or `None` if it panicked. The panic is reported as a fault, and needs no trace on the terminal.
fn caught<T>(work: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |panic| {
            if !IS_QUIET.get() {
                others(panic);
            }
        }));
    });
    IS_QUIET.set(true);
    let result = catch_unwind(AssertUnwindSafe(work));
    IS_QUIET.set(false);
    result.ok()
}

#[cfg(test)]
mod tests {
    use super::caught;

    #[test]
    fn a_panic_while_waiting_is_nothing_and_the_thread_goes_on() {
        assert_eq!(caught(|| -> u32 { panic!("lost") }), None);
        assert_eq!(caught(|| 3), Some(3));
    }
}
