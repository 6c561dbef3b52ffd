//! Keeps the threads of a pool on cores of their own. Linux may put two of them on one core while another one is idle, and takes 10 to
//! 20 milliseconds to notice: longer than many pictures take. Where other programs are busy too, threads stay where Linux puts them: one
//! that shares a core with a stranger would hold up all others.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Not a core.
const NOWHERE: usize = usize::MAX;

/// How long a thread that shares a core waits before it looks for an idle one again, which takes about 10 microseconds.
const PAUSE: Duration = Duration::from_micros(200);

/// The core on which each thread of a pool was last.
pub struct Places(Box<[AtomicUsize]>);

/// What a thread of a pool knows.
struct Own {
    places: Arc<Places>,
    thread: usize,
    first: usize,
    /// When it last looked for an idle core.
    looked: Cell<Option<Instant>>,
}

thread_local! {
    static OWN: RefCell<Option<Own>> = const { RefCell::new(None) };
}

impl Places {
    /// Of so many threads, which are nowhere yet.
    pub fn new(threads: usize) -> Arc<Self> {
        Arc::new(Self((0..threads).map(|_| AtomicUsize::new(NOWHERE)).collect()))
    }

    /// The calling thread is one of them from now on. All others give way to `first`.
    pub fn join(self: &Arc<Self>, thread: usize, first: usize) {
        OWN.set(Some(Own { places: Arc::clone(self), thread, first, looked: Cell::new(None) }));
        look();
    }
}

/// If another core is idle, the calling thread leaves one on which a thread is that it gives way to: the first, or one with a smaller
/// number. Threads that have not joined stay.
pub fn look() {
    OWN.with_borrow(|own| {
        let Some(Own { places, thread, first, looked }) = own else { return };
        let own = &places.0[*thread];
        let here = system::core();
        own.store(here, Ordering::Relaxed);
        if thread == first || here == NOWHERE {
            return;
        }
        let others = (0..places.0.len()).filter(|other| other == first || other < thread);
        let taken: Vec<_> = others.map(|other| places.0[other].load(Ordering::Relaxed)).collect();
        if taken.contains(&here) && looked.get().is_none_or(|at| at.elapsed() >= PAUSE) {
            looked.set(Some(Instant::now()));
            system::leave(&taken);
            own.store(system::core(), Ordering::Relaxed);
        }
    });
}

/// The calling thread rests: nobody gives way to it until it joins again.
pub fn rest() {
    if let Some(Own { places, thread, .. }) = OWN.take() {
        places.0[thread].store(NOWHERE, Ordering::Relaxed);
    }
}

#[cfg(target_os = "linux")]
mod system {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

    /// Where the calling thread is.
    pub fn core() -> usize {
        sched_getcpu()
    }

    /// Threads of all programs that run or wait for a core (proc_loadavg(5)).
    pub fn runnable() -> Option<usize> {
        let load = std::fs::read_to_string("/proc/loadavg").ok()?;
        load.split(' ').nth(3)?.split('/').next()?.parse().ok()
    }

    /// Moves the calling thread to another core that it may use, if one is idle; then it may use all of them again.
    pub fn leave(taken: &[usize]) {
        let Ok(allowed) = sched_getaffinity(None) else { return };
        // Two threads are on one core: if no more run than there are cores, another one is idle.
        if runnable().is_none_or(|count| count > allowed.count() as usize) {
            return;
        }
        let mut free = allowed;
        taken.iter().filter(|&&core| core < CpuSet::MAX_CPU).for_each(|&core| free.unset(core));
        if free.count() > 0 && sched_setaffinity(None, &free).is_ok() {
            // What was allowed before is still.
            let _ = sched_setaffinity(None, &allowed);
        }
    }
}

/// Other systems keep threads apart, or do not let them choose.
#[cfg(not(target_os = "linux"))]
mod system {
    pub fn core() -> usize {
        super::NOWHERE
    }

    pub fn leave(_: &[usize]) {}
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use rustix::thread::sched_getaffinity;

    #[test]
    fn a_thread_leaves_the_core_of_another_where_one_is_idle_and_may_use_all_of_them_afterwards() {
        let allowed = sched_getaffinity(None).unwrap();
        if allowed.count() < 2 {
            return eprintln!("skipped: there is one core");
        }
        let places = Places::new(3);
        let core = |thread: usize| places.0[thread].load(Ordering::Relaxed);
        // Other tests and programs are busy at times, too.
        let mut idle = 0;
        let has_left = (0..2000).any(|_| {
            places.join(0, 0);
            let here = core(0);
            assert_ne!(here, NOWHERE);
            // As if they were two threads: the other one is where this one is.
            idle += usize::from(system::runnable().unwrap() <= allowed.count() as usize);
            places.join(2, 0);
            assert_eq!(sched_getaffinity(None).unwrap(), allowed);
            std::thread::sleep(PAUSE);
            core(2) != here
        });
        assert!(has_left || idle < 100, "it did not leave, though a core was idle {idle} times");
        rest();
        assert_eq!(core(2), NOWHERE);
        // Nobody: it stays where it is, and says nothing.
        look();
        assert_eq!(core(2), NOWHERE);
    }
}
