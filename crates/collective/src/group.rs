//! The processes of a job as others see them: questions to the thread that makes all calls of MPI.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::library::Mpi;
use crate::messages::Messages;

/// Gets an answer, on the thread of MPI.
pub type Done<T> = Box<dyn FnOnce(Result<T>) + Send>;

enum Job {
    Sum(Vec<u8>, Vec<usize>, Done<Vec<u8>>),
    Gather(Vec<u8>, Done<Vec<Vec<u8>>>),
    Watch(Done<()>),
    Fail(String, Done<()>),
    End(Done<()>),
}

/// How often a thread without work looks for signs of life.
const IDLE: Duration = Duration::from_millis(20);

/// The processes of an MPI job, seen from one of them. All must ask for the same things in the same order.
pub struct Group {
    jobs: Mutex<Sender<Job>>,
    /// Number of this process.
    pub rank: usize,
    /// Number of processes.
    pub size: usize,
    /// Name and version of the MPI library.
    pub version: String,
    /// All processes, by rank: "rank 2 (…)" with the name that each gave itself.
    pub names: Vec<String>,
}

impl Group {
    /// Loads an MPI library and joins the job that this process was started for; without one it is alone.
    ///
    /// @param `own_name` how errors of the others name this process
    /// @param timeout how long another process may give no sign of life
    pub fn join(library: String, own_name: String, timeout: Duration, done: Done<Self>) {
        thread::spawn(move || match Mpi::load(&library).and_then(|mpi| Messages::join(mpi, &own_name, timeout)) {
            Err(error) => done(Err(error)),
            Ok(messages) => {
                let (sender, jobs) = channel();
                let (rank, size) = (messages.rank, messages.size);
                let (version, names) = (messages.version().to_owned(), messages.names());
                done(Ok(Self { jobs: Mutex::new(sender), rank, size, version, names }));
                serve(messages, jobs);
            }
        });
    }

    fn ask(&self, job: Job) {
        if let Ok(jobs) = self.jobs.lock()
            && let Err(error) = jobs.send(job)
        {
            refuse(error.0, &Error::Mpi("the processes have parted".into()));
        }
    }

    /// The sum over all processes of elements of f32, added as [`tree_sum`](crate::tree_sum) does.
    pub fn sum(&self, bytes: Vec<u8>, counts: Vec<usize>, done: Done<Vec<u8>>) {
        self.ask(Job::Sum(bytes, counts, done));
    }

    /// The bytes of every process, by rank.
    pub fn gather(&self, bytes: Vec<u8>, done: Done<Vec<Vec<u8>>>) {
        self.ask(Job::Gather(bytes, done));
    }

    /// `done` gets the error when a process is lost, or nothing when all have parted well.
    pub fn watch(&self, done: Done<()>) {
        self.ask(Job::Watch(done));
    }

    /// Tells the others why this process ends.
    pub fn fail(&self, text: String, done: Done<()>) {
        self.ask(Job::Fail(text, done));
    }

    /// Waits until all processes want to end, and leaves the job.
    pub fn end(&self, done: Done<()>) {
        self.ask(Job::End(done));
    }
}

fn serve(mut messages: Messages, jobs: Receiver<Job>) {
    let mut watchers = Vec::new();
    let ended = loop {
        let failed = match jobs.recv_timeout(IDLE) {
            Ok(Job::Sum(bytes, counts, done)) => answer(messages.sum(bytes, &counts), done),
            Ok(Job::Gather(bytes, done)) => answer(messages.gather(bytes), done),
            Ok(Job::Watch(done)) => {
                watchers.push(done);
                Ok(())
            }
            Ok(Job::Fail(text, done)) => {
                messages.fail(&text);
                done(Ok(()));
                Err(Error::Lost("this process has failed".into()))
            }
            Ok(Job::End(done)) => break answer(messages.end(), done),
            Err(RecvTimeoutError::Timeout) => messages.look(),
            Err(RecvTimeoutError::Disconnected) => return,
        };
        if failed.is_err() {
            break failed;
        }
    };
    for done in watchers {
        done(ended.clone());
    }
    let error = ended.err().unwrap_or_else(|| Error::Mpi("the processes have parted".into()));
    for job in jobs {
        if let Job::Fail(text, _) = &job {
            messages.fail(text);
        }
        refuse(job, &error);
    }
}

fn answer<T>(result: Result<T>, done: Done<T>) -> Result<()> {
    let outcome = result.as_ref().map(|_| ()).map_err(Clone::clone);
    done(result);
    outcome
}

fn refuse(job: Job, error: &Error) {
    match job {
        Job::Sum(_, _, done) => done(Err(error.clone())),
        Job::Gather(_, done) => done(Err(error.clone())),
        Job::Watch(done) | Job::End(done) => done(Err(error.clone())),
        Job::Fail(_, done) => done(Ok(())),
    }
}
