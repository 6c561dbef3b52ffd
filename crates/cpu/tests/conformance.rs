//! The CPU device held against the reference, kernel by kernel.

use stylegan_tensor::conformance::{Options, check};

#[test]
fn every_kernel_agrees_with_the_reference() {
    let device = stylegan_cpu::open(stylegan_cpu::default_limit());
    let report = check(&device, &Options::default());
    println!("{} launches; errors as parts of those allowed: {:.2?}", report.launches, report.worst);
    report.assert();
}

/// What a machine without AVX-512 computes, on one that has it.
#[test]
#[cfg(target_arch = "x86_64")]
fn every_kernel_agrees_with_the_reference_when_confined_to_avx2() {
    let own = std::env::current_exe().expect("a test is a program");
    let arguments = ["--exact", "every_kernel_agrees_with_the_reference", "--nocapture"];
    let ended = std::process::Command::new(own).args(arguments).env("STYLEGAN_ISA", "avx2").output();
    let output = ended.expect("it starts once more");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success() && said.contains("1 passed"), "{said}{}", String::from_utf8_lossy(&output.stderr));
}
