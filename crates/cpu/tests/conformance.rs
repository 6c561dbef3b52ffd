//! The CPU device held against the reference, kernel by kernel.

use stylegan_tensor::conformance::{Options, check};

#[test]
fn every_kernel_agrees_with_the_reference() {
    let device = stylegan_cpu::open(stylegan_cpu::default_limit());
    let report = check(&device, &Options::default());
    println!("{} launches; errors as parts of those allowed: {:.2?}", report.launches, report.worst);
    report.assert();
}
