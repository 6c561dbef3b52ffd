//! Devices that come, go, and are lost.

use std::time::{Duration, Instant};

use stylegan_tensor::conformance::{read_f64, synchronize};
use stylegan_tensor::{Backend, Kernel, Unary, View};
use stylegan_wgpu::{Gpu, Options, open};

mod gpu;
use gpu::{gpu, tensor};

/// Enqueues products that keep a device busy for a while.
fn busy(device: &Gpu) -> View {
    let a = tensor(device, &[1, 64, 64]);
    let y = tensor(device, &[1, 64, 64]);
    let kernel = Kernel::Matmul { transpose_a: false, transpose_b: false };
    for _ in 0..10 {
        device.launch(kernel.clone(), &[&a, &a], &[&y], false).expect("launched");
    }
    y
}

/// Memory of this process, in bytes.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    let pages = statm.split(' ').nth(1).and_then(|text| text.parse().ok());
    4096 * pages.unwrap_or(0_usize)
}

#[cfg(target_os = "linux")]
#[test]
fn devices_opened_and_closed_with_work_under_way_leave_nothing_behind() {
    let cycles = std::env::var("STYLEGAN_CYCLES").ok();
    let cycles = cycles.and_then(|text| text.parse().ok()).unwrap_or(150);
    let cycle = || {
        let device = gpu();
        let y = busy(&device);
        read_f64(&device, &y.storage).expect("no fault");
        busy(&device);
        device.synchronize(Box::new(drop));
    };
    // The driver, its compiler and the allocator take what they keep during the first ones.
    (0..20).for_each(|_| cycle());
    let began = (resident(), Instant::now());
    (0..cycles).for_each(|_| cycle());
    let grown = resident().saturating_sub(began.0);
    println!(
        "{cycles} cycles, {:.1} ms each; {grown} bytes more, {} a cycle",
        began.1.elapsed().as_secs_f64() * 1e3 / cycles as f64,
        grown / cycles
    );
    // A device that stayed would keep megabytes; what is allowed is the allocator's disorder.
    assert!(grown < (8 << 20) + cycles * 2048, "{grown} bytes more after {cycles} cycles");
}

#[test]
fn a_lost_device_is_told_of_by_every_later_wait_and_hangs_nobody() {
    let device = gpu();
    let x = tensor(&device, &[1000]);
    let y = tensor(&device, &[1000]);
    synchronize(&device).expect("no fault yet");
    device.inject_fault(3).expect("a hook");
    let mut refused = None;
    for i in 0..300 {
        // Of new memory too, which is no longer there.
        let z = tensor(&device, &[1000 + 64 * (i % 3)]);
        let to = if i % 2 == 0 { &y } else { &z };
        let x = if to.shape == x.shape { &x } else { to };
        let z = tensor(&device, &to.shape);
        let launched = device.launch(Kernel::Unary(Unary::Square), &[x], &[&z], false);
        refused = refused.or(launched.err());
    }
    assert_eq!(refused, None, "launches are not where a loss is told of");
    for _ in 0..2 {
        let error = read_f64(&device, &y.storage).expect_err("lost").to_string();
        assert!(error.contains("lost"), "{error}");
        assert!(error.contains("last snapshot"), "{error}");
        assert!(!error.contains('\n'), "one line: {error}");
        assert_eq!(synchronize(&device).expect_err("lost").to_string(), error);
    }
    // Another device is not touched by it.
    let other = gpu();
    busy(&other);
    synchronize(&other).expect("no fault");
}

#[test]
fn threads_have_devices_of_their_own() {
    let threads: Vec<_> = (0..4)
        .map(|_| {
            std::thread::spawn(|| {
                let device = gpu();
                let y = busy(&device);
                read_f64(&device, &y.storage).expect("no fault")
            })
        })
        .collect();
    let results: Vec<_> = threads.into_iter().map(|thread| thread.join().expect("no panic")).collect();
    assert!(results.iter().all(|result| result == &results[0]));
}

#[test]
fn compiled_kernels_are_kept_in_a_file_and_a_broken_file_is_replaced() {
    let folder = std::env::temp_dir().join(format!("stylegan-pipelines-{}", std::process::id()));
    let options = Options { cache: Some(folder.clone()), ..Options::default() };
    let file = || {
        let entries = std::fs::read_dir(&folder).map(|entries| entries.flatten().collect());
        let entries: Vec<_> = entries.unwrap_or_default();
        assert!(entries.len() <= 1, "{entries:?}");
        entries.first().map(std::fs::DirEntry::path)
    };
    let run = || {
        let device = open("wgpu", &options).expect("a GPU, or Mesa's software Vulkan");
        let y = busy(&device);
        read_f64(&device, &y.storage).expect("no fault")
    };
    let expected = run();
    // The device's thread writes it.
    let began = Instant::now();
    while file().is_none() {
        assert!(began.elapsed() < Duration::from_secs(20), "no file was written");
        std::thread::sleep(Duration::from_millis(10));
    }
    let path = file().expect("written");
    let whole = std::fs::read(&path).expect("readable");
    for broken in [&whole[..whole.len() - 1], b"nonsense", b""] {
        std::fs::write(&path, broken).expect("written");
        assert_eq!(run(), expected);
        while std::fs::read(&path).expect("readable") == broken {
            assert!(began.elapsed() < Duration::from_secs(60), "the broken file stayed");
            std::thread::sleep(Duration::from_millis(10));
        }
    }
    let _ = std::fs::remove_dir_all(&folder);
}
