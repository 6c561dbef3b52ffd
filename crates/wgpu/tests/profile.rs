//! What a profile tells.

use std::sync::mpsc::channel;

use stylegan_tensor::conformance::synchronize;
use stylegan_tensor::{Backend, Cost, Kernel, Unary};
use stylegan_wgpu::{Gpu, adapters};

mod gpu;
use gpu::{gpu, tensor};

fn costs(device: &Gpu) -> Vec<Cost> {
    let (send, received) = channel();
    device.costs(Box::new(move |costs| {
        let _ = send.send(costs);
    }));
    received.recv().expect("an answer").expect("no fault")
}

#[test]
fn launches_are_counted_by_kernel_and_shapes_with_the_time_of_gpu_and_host() {
    let device = gpu();
    let (x, y) = (tensor(&device, &[64, 1000]), tensor(&device, &[64, 1000]));
    let (a, b) = (tensor(&device, &[10]), tensor(&device, &[10]));
    let square = || Kernel::Unary(Unary::Square);
    let launch = |count: usize| {
        for _ in 0..count {
            device.launch(square(), &[&x], &[&y], false).expect("launched");
        }
        device.launch(square(), &[&a], &[&b], false).expect("launched");
    };
    launch(5);
    assert_eq!(costs(&device), [], "nothing is counted unless it is asked for");
    device.profile(true);
    // More than one set of queries holds.
    launch(600);
    let found = costs(&device);
    let of = |shapes: &str| {
        let mut all = found.iter();
        all.find(|cost| cost.kernel == "unary" && cost.shapes == shapes).expect("counted")
    };
    let (large, small) = (of("64x1000 → 64x1000"), of("10 → 10"));
    assert_eq!((large.launches, small.launches), (600, 1));
    assert_eq!(large.bytes, 600 * 2 * 4 * 64_000);
    assert!(large.host_nanoseconds > 0);
    if adapters()[0].timestamps {
        assert!(large.nanoseconds > small.nanoseconds, "{found:?}");
    } else {
        assert_eq!(large.nanoseconds, 0);
    }
    let sent = |kernel: &str| found.iter().find(|cost| cost.kernel == kernel);
    assert_eq!(sent("dispatch").expect("counted").launches, 601);
    let submissions = sent("submit").expect("counted").launches;
    assert!((3..60).contains(&submissions), "{submissions}");
    device.profile(false);
    launch(5);
    assert_eq!(costs(&device), []);
    synchronize(&device).expect("no fault");
}
