//! In a process of its own, since it counts threads.
#![cfg(target_os = "linux")]

use stylegan_tensor::{Backend, Kernel};

mod gpu;
use gpu::{gpu, tensor};

/// Threads of this process that wait for a GPU.
fn waiting() -> usize {
    let threads = std::fs::read_dir("/proc/self/task").expect("proc");
    let names = threads.flatten().filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok());
    names.filter(|name| name.starts_with("device wgpu")).count()
}

#[test]
fn a_closed_device_is_let_go_of_by_its_thread_with_work_under_way_too() {
    for _ in 0..20 {
        let device = gpu();
        let [x, y] = [(); 2].map(|()| tensor(&device, &[1, 128, 128]));
        let product = Kernel::Matmul { transpose_a: false, transpose_b: false };
        for _ in 0..10 {
            device.launch(product.clone(), &[&x, &x], &[&y], false).expect("launched");
        }
        device.synchronize(Box::new(|_| {}));
        assert_eq!(waiting(), 1);
        drop((x, y, device));
        assert_eq!(waiting(), 0);
    }
}
