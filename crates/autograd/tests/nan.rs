//! What is not a number stays none, in values and in gradients, on every device.

use stylegan_autograd::{Device, Options, Tensor, grad, ops};
use stylegan_tensor::Reference;

fn devices() -> [Device; 3] {
    let gpu =
        stylegan_wgpu::open("wgpu", &stylegan_wgpu::Options::default()).expect("a GPU, or Mesa's software Vulkan");
    [Device::new(Reference::device(usize::MAX)), Device::new(stylegan_cpu::open(usize::MAX)), Device::new(gpu)]
}

fn tracked(device: &Device, shape: &[usize], values: &[f64]) -> Tensor {
    Tensor::from_f64(device, values, shape, device.backend().float()).unwrap().tracked()
}

/// Which elements of the value and of the gradients of both orders are NaN.
fn where_nan(y: &Tensor, inputs: &[&Tensor]) -> Vec<Vec<bool>> {
    let flags = |x: &Tensor| x.to_vec().unwrap().iter().map(|x| x.is_nan()).collect();
    let first = grad(&[y], inputs, Options { create_graph: true }).unwrap();
    let squares: Vec<Tensor> = first.iter().map(|g| ops::square(g).unwrap()).collect();
    let second = grad(&squares.iter().collect::<Vec<_>>(), inputs, Options { create_graph: false }).unwrap();
    std::iter::once(y).chain(&first).chain(&second).map(flags).collect()
}

const NAN: f64 = f64::NAN;

#[test]
fn clamp_keeps_nan_and_gives_it_to_its_gradient() {
    for device in devices() {
        let x = tracked(&device, &[5], &[NAN, -9.0, 0.1, 9.0, f64::INFINITY]);
        let y = ops::square(&ops::clamp(&x, -1.0, f64::INFINITY).unwrap()).unwrap();
        let [value, first, _] = &where_nan(&y, &[&x])[..] else { panic!("three are expected") };
        assert_eq!(value, &[true, false, false, false, false], "{}", device.backend().name());
        assert_eq!(first, &[true, false, false, false, false], "{}", device.backend().name());
    }
}

#[test]
fn the_maximum_of_nan_and_a_number_is_nan_whichever_comes_first() {
    for device in devices() {
        let (a, b) = (tracked(&device, &[4], &[NAN, 1.0, 1.0, NAN]), tracked(&device, &[4], &[1.0, NAN, 2.0, NAN]));
        let y = ops::maximum(&a, &b).unwrap();
        let found = where_nan(&y, &[&a, &b]);
        for flags in &found[..3] {
            assert_eq!(flags, &[true, true, false, true], "{}", device.backend().name());
        }
    }
}

#[test]
fn the_largest_of_numbers_and_nan_is_nan_as_are_the_gradients_of_its_row() {
    for device in devices() {
        let x = tracked(&device, &[3, 3], &[NAN, 1.0, 2.0, 1.0, 2.0, NAN, 1.0, 2.0, 3.0]);
        let y = ops::max(&x, &[1], false).unwrap();
        let [value, first, _] = &where_nan(&y, &[&x])[..] else { panic!("three are expected") };
        assert_eq!(value, &[true, true, false], "{}", device.backend().name());
        assert_eq!(first, &[true, true, true, true, true, true, false, false, false], "{}", device.backend().name());
    }
}
