//! Keeps the threads of a pool on cores of their own. Linux may start two of them on one core while another one is idle, and takes 10 to
//! 20 milliseconds to notice: longer than many pictures take.

use std::sync::atomic::{AtomicUsize, Ordering};

/// Not a core.
const NOWHERE: usize = usize::MAX;

/// The core on which each thread of a pool was last.
pub(crate) struct Places(Box<[AtomicUsize]>);

impl Places {
    /// Of so many threads.
    pub fn new(threads: usize) -> Self {
        Self((0..threads).map(|_| AtomicUsize::new(NOWHERE)).collect())
    }

    /// Tells where the calling thread is. It stays there: the others give way.
    pub fn stay(&self, thread: usize) {
        self.put(thread, system::core());
    }

    /// Tells where the calling thread is, after it has left a core on which `first`, or one with a smaller number, is.
    pub fn give_way(&self, thread: usize, first: usize) {
        let here = system::core();
        self.put(thread, here);
        let others = (0..self.0.len()).filter(|&other| other == first || (other < thread && thread != first));
        let taken: Vec<_> = others.map(|other| self.0[other].load(Ordering::Relaxed)).collect();
        if here != NOWHERE && taken.contains(&here) {
            system::leave(&taken);
            self.put(thread, system::core());
        }
    }

    /// Tells that the thread rests.
    pub fn rest(&self, thread: usize) {
        self.put(thread, NOWHERE);
    }

    fn put(&self, thread: usize, core: usize) {
        self.0[thread].store(core, Ordering::Relaxed);
    }
}

#[cfg(target_os = "linux")]
mod system {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_getcpu, sched_setaffinity};

    /// Where the calling thread is.
    pub fn core() -> usize {
        sched_getcpu()
    }

    /// Moves the calling thread to another core that it may use, if there is one; then it may use all of them again.
    pub fn leave(taken: &[usize]) {
        let Ok(allowed) = sched_getaffinity(None) else { return };
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
    use std::sync::Barrier;

    #[test]
    fn a_thread_leaves_the_core_of_another_and_may_use_all_of_them_afterwards() {
        let allowed = sched_getaffinity(None).unwrap();
        if allowed.count() < 2 {
            return eprintln!("skipped: there is one core");
        }
        let here = system::core();
        let places = Places::new(2);
        places.put(0, here);
        places.give_way(1, 0);
        assert_ne!(places.0[1].load(Ordering::Relaxed), here);
        assert_eq!(sched_getaffinity(None).unwrap(), allowed);
    }

    #[test]
    fn threads_of_different_pools_and_one_that_rests_are_in_nobodys_way() {
        let places = Places::new(3);
        let barrier = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                places.stay(0);
                places.rest(0);
                barrier.wait();
            });
            barrier.wait();
            assert_eq!(places.0[0].load(Ordering::Relaxed), NOWHERE);
            places.give_way(2, 0);
            assert_ne!(places.0[2].load(Ordering::Relaxed), NOWHERE);
        });
    }
}
