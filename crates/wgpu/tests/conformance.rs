//! The GPU held against the reference, kernel by kernel. Without an adapter these tests fail: a software one is enough.

use stylegan_tensor::conformance::{Options, check};

#[test]
fn every_kernel_agrees_with_the_reference() {
    let device = stylegan_wgpu::open("wgpu", usize::MAX).expect("a GPU, or Mesa's software Vulkan");
    let only = std::env::var("STYLEGAN_KERNEL").ok();
    let options = Options {
        only: only.map(|name| &*name.leak()),
    };
    let report = check(&device, &options);
    println!(
        "{} launches; errors as parts of those allowed: {:.2?}",
        report.launches, report.worst
    );
    report.assert();
}
