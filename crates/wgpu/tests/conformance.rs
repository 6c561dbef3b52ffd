//! The GPU held against the reference, kernel by kernel. Without an adapter these tests fail: a software one is enough.

use stylegan_tensor::DType;
use stylegan_tensor::conformance::{Options, check};
use stylegan_wgpu::{adapters, open};

#[test]
fn every_kernel_agrees_with_the_reference() {
    let device = open("wgpu", &stylegan_wgpu::Options::default()).expect("a GPU, or Mesa's software Vulkan");
    let only = std::env::var("STYLEGAN_KERNEL").ok();
    let options = Options { only: only.map(|name| &*name.leak()), ..Options::default() };
    let report = check(&device, &options);
    println!("{} launches; errors as parts of those allowed: {:.2?}", report.launches, report.worst);
    report.assert();
}

#[test]
fn reductions_agree_with_the_reference_without_subgroups_too() {
    let without = stylegan_wgpu::Options { subgroups: false, ..stylegan_wgpu::Options::default() };
    let device = open("wgpu", &without).expect("a GPU, or Mesa's software Vulkan");
    let report = check(&device, &Options { only: Some("reduce"), ..Options::default() });
    assert!(report.launches > 0);
    report.assert();
}

/// Every kernel that takes feature maps, on such of 16 bits: the suite fails if one has no case.
fn stored_in(half: DType) {
    let device = open("wgpu", &stylegan_wgpu::Options::default()).expect("a GPU, or Mesa's software Vulkan");
    let only = std::env::var("STYLEGAN_KERNEL").ok();
    let options = Options {
        only: only.map(|name| &*name.leak()),
        half: Some(half),
        rounds_factors: half == DType::F16 && adapters()[0].matrices.is_some(),
    };
    let report = check(&device, &options);
    println!("{half}: {} launches; errors as parts of those allowed: {:.2?}", report.launches, report.worst);
    report.assert();
    assert!(report.launches > 0);
}

#[test]
fn every_kernel_agrees_with_the_reference_on_feature_maps_in_bf16() {
    stored_in(DType::BF16);
}

#[test]
fn every_kernel_agrees_with_the_reference_on_feature_maps_in_f16() {
    stored_in(DType::F16);
}

#[test]
fn a_kernel_without_a_case_of_16_bits_is_a_failure() {
    let device = open("wgpu", &stylegan_wgpu::Options::default()).expect("a GPU, or Mesa's software Vulkan");
    let options = Options { only: Some("select"), half: Some(DType::BF16), ..Options::default() };
    let report = check(&device, &options);
    assert_eq!(report.failures, ["kernel 'select' has no conformance case"]);
}
