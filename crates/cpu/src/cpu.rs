//! The executor: locks operands, runs a kernel, adds its result where the kernel itself cannot.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use candle_core::Tensor;
use rayon::ThreadPoolBuilder;
use stylegan_cpu_kernels::conv::Scratch;
use stylegan_cpu_kernels::is_large;
use stylegan_cpu_kernels::places::{self, Places};
use stylegan_tensor::{DType, Executor, Kernel, Operand, Result};

use crate::launch::Launch;
use crate::memory::{Slice, SliceMut, allocate, with_slices};

/// How long a thread looks for work in vain before it rests. A thread that computes a part of a kernel and waits for another part
/// may begin to look for work then, and the kernel cannot end before it stops.
const PATIENCE: Duration = Duration::from_millis(2);

/// Runs kernels on this machine's cores. Workspace is kept from kernel to kernel.
#[derive(Default)]
pub struct Cpu {
    conv: Scratch,
    /// Results of kernels that cannot add to their output themselves, by output.
    results: Vec<Vec<f32>>,
    /// Set while the pool's threads look for work; each of them may end it.
    busy: Option<Arc<AtomicBool>>,
}

impl Cpu {
    /// Has the pool's other threads look for work until [`Executor::rest`], or until one finds none for a while: to wake one up takes
    /// longer than many kernels.
    fn stay_awake(&mut self) {
        let (threads, Some(own)) = (rayon::current_num_threads(), rayon::current_thread_index()) else { return };
        if threads == 1 {
            return;
        }
        if self.busy.as_ref().is_some_and(|busy| busy.load(Ordering::Relaxed)) {
            return places::look();
        }
        let places = Places::new(threads);
        places.join(own, own);
        let busy = Arc::new(AtomicBool::new(true));
        self.busy = Some(Arc::clone(&busy));
        rayon::spawn_broadcast(move |thread| {
            if thread.index() == own {
                return;
            }
            places.join(thread.index(), own);
            let mut worked = Instant::now();
            while busy.load(Ordering::Relaxed) {
                places::look();
                if rayon::yield_now() == Some(rayon::Yield::Executed) {
                    worked = Instant::now();
                } else if worked.elapsed() < PATIENCE {
                    std::thread::yield_now();
                } else {
                    busy.store(false, Ordering::Relaxed);
                }
            }
            places::rest();
        });
    }
}

impl Executor for Cpu {
    type Memory = Tensor;

    fn allocate(len: usize, dtype: DType) -> Option<Tensor> {
        allocate(len, dtype)
    }

    fn multiplies_bf16() -> bool {
        crate::multiplies_bf16()
    }

    /// The loop runs inside of a pool of its own: the thread that launches a kernel computes its share of it. From outside
    /// of the pool every kernel would wait for threads to wake up, a fifth of the time of a small network's step.
    fn spawn(name: String, run: impl FnOnce() + Send + 'static) {
        let pool = ThreadPoolBuilder::new().thread_name(move |i| format!("{name} {i}"));
        let pool = Arc::new(pool.build().expect("the system starts threads"));
        let kept = Arc::clone(&pool);
        pool.spawn(move || {
            run();
            // The other threads of the pool end with it.
            drop(kept);
        });
    }

    fn execute(
        &mut self,
        kernel: &Kernel,
        inputs: &[Operand<Tensor>],
        outs: &[Operand<Tensor>],
        accumulate: bool,
    ) -> Result<()> {
        if inputs.iter().chain(outs).any(|operand| is_large(operand.len)) {
            self.stay_awake();
        }
        with_slices(kernel.name(), inputs, outs, |x, y| {
            for y in y.iter() {
                self.conv.forget(y.floats());
            }
            // Convolutions have their weights second.
            let weights = match (inputs.get(1), x.get(1)) {
                (Some(Operand { frozen: true, .. }), Some(Slice::F32(weights))) => Some(*weights),
                _ => None,
            };
            self.conv.freeze(weights);
            let launch = Launch { kernel, inputs, outs, x };
            if accumulate && !adds_itself(kernel) {
                launch.run_and_add(&mut self.conv, &mut self.results, y)
            } else {
                launch.run(&mut self.conv, y, accumulate)
            }
        })
    }

    fn rest(&mut self) {
        if let Some(busy) = self.busy.take() {
            busy.store(false, Ordering::Relaxed);
            places::rest();
            // This thread's own part of the broadcast, which does nothing, may still be waiting.
            while rayon::yield_local() == Some(rayon::Yield::Executed) {}
        }
    }

    fn write(&mut self, to: &Operand<Tensor>, bytes: &[u8]) {
        let written = with_slices("write", &[], std::slice::from_ref(to), |_, y| {
            self.conv.forget(y[0].floats());
            let to: &mut [u8] = match &mut y[0] {
                SliceMut::F32(y) => bytemuck::cast_slice_mut(y),
                SliceMut::F64(y) => bytemuck::cast_slice_mut(y),
                SliceMut::I32(y) => bytemuck::cast_slice_mut(y),
                SliceMut::U8(y) => y,
            };
            to.copy_from_slice(bytes);
            Ok(())
        });
        // The stream turns a panic into the device's fault.
        written.expect("a storage lies inside of its block");
    }

    fn read(&mut self, from: &Operand<Tensor>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let read = with_slices("read", std::slice::from_ref(from), &[], |x, _| {
            let from: &[u8] = match x[0] {
                Slice::F32(x) => bytemuck::cast_slice(x),
                Slice::F64(x) => bytemuck::cast_slice(x),
                Slice::I32(x) => bytemuck::cast_slice(x),
                Slice::U8(x) => x,
            };
            bytes.extend_from_slice(from);
            Ok(())
        });
        read.expect("a storage lies inside of its block");
        bytes
    }
}

/// Whether the kernel's function takes `accumulate`.
fn adds_itself(kernel: &Kernel) -> bool {
    use Kernel::{Adam, BiasAct, BiasActGrad, Conv2d, Conv2dTranspose, Conv2dWeightGrad, Copy, Matmul, Select};
    matches!(kernel, Kernel::Binary(_) | Kernel::Unary(_) | BiasAct { .. } | BiasActGrad { .. } | Select)
        || matches!(
            kernel,
            Conv2d(_) | Conv2dTranspose(_) | Conv2dWeightGrad(_) | Matmul { .. } | Copy { .. } | Adam(_)
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_kernel_ends_though_its_thread_began_to_look_for_work() {
        let pool = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        pool.install(|| {
            let mut cpu = Cpu::default();
            let [begun, awake] = [const { AtomicBool::new(false) }; 2];
            let until = |flag: &AtomicBool| {
                while !flag.load(Ordering::Acquire) {
                    std::thread::yield_now();
                }
            };
            let first = || {
                until(&begun);
                cpu.stay_awake();
                awake.store(true, Ordering::Release);
            };
            // Stolen by the other thread, which takes what it is asked to do meanwhile, as one that waits for a part does.
            let second = || {
                begun.store(true, Ordering::Release);
                until(&awake);
                rayon::yield_local()
            };
            assert_eq!(rayon::join(first, second).1, Some(rayon::Yield::Executed));
            cpu.rest();
        });
    }
}
