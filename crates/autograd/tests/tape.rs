//! What the tape promises: sums over uses, no needless work, no stale values, no deep recursion.

use stylegan_autograd::{Device, Options, Tensor, depends_on, grad, ops};
use stylegan_tensor::{Conv2d, DType, Error, Reference};

fn device() -> Device {
    Device::new(Reference::device(usize::MAX))
}

fn tensor(device: &Device, values: &[f64], shape: &[usize]) -> Tensor {
    Tensor::from_f64(device, values, shape, DType::F64).unwrap()
}

const GRAPH: Options = Options { create_graph: true };

#[test]
fn a_tensor_used_twice_receives_the_sum_of_both_gradients() {
    let x = tensor(&device(), &[1.0, -2.0], &[2]).tracked();
    let y = ops::add(&ops::square(&x).unwrap(), &ops::affine(&x, 3.0, 0.0).unwrap()).unwrap();
    let gradient = &grad(&[&y], &[&x], Options::default()).unwrap()[0];
    assert_eq!(gradient.to_vec().unwrap(), [5.0, -1.0]);
}

#[test]
fn an_input_that_no_path_reaches_has_zeros() {
    let device = device();
    let (x, z) = (tensor(&device, &[1.0], &[1]).tracked(), tensor(&device, &[4.0, 5.0], &[2]).tracked());
    let gradients = grad(&[&ops::square(&x).unwrap()], &[&x, &z], Options::default()).unwrap();
    assert_eq!(gradients[1].to_vec().unwrap(), [0.0, 0.0]);
}

#[test]
fn a_tensor_depends_on_what_it_was_computed_from() {
    let device = device();
    let (x, z) = (tensor(&device, &[1.0], &[1]).tracked(), tensor(&device, &[2.0], &[1]).tracked());
    let y = ops::square(&ops::add(&x, &tensor(&device, &[3.0], &[1])).unwrap()).unwrap();
    assert!(depends_on(&y, &[&x]) && depends_on(&y, &[&z, &x]) && depends_on(&x, &[&x]));
    assert!(!depends_on(&y, &[&z]) && !depends_on(&y.detach(), &[&x]) && !depends_on(&y, &[]));
}

#[test]
fn an_input_that_feeds_another_input_receives_what_flows_through_both() {
    let x = tensor(&device(), &[3.0], &[1]).tracked();
    let y = ops::square(&x).unwrap();
    let z = ops::mul(&y, &x).unwrap();
    let gradients = grad(&[&z], &[&x, &y], Options::default()).unwrap();
    assert_eq!(gradients[0].to_vec().unwrap(), [27.0]);
    assert_eq!(gradients[1].to_vec().unwrap(), [3.0]);
}

#[test]
fn a_third_derivative_exists() {
    let x = tensor(&device(), &[2.0], &[1]).tracked();
    let mut y = ops::square(&ops::square(&x).unwrap()).unwrap();
    for _ in 0..2 {
        y = grad(&[&y], &[&x], GRAPH).unwrap().remove(0);
    }
    let third = grad(&[&y], &[&x], Options::default()).unwrap();
    assert_eq!(third[0].to_vec().unwrap(), [48.0]);
}

#[test]
fn without_create_graph_a_gradient_has_no_history() {
    let x = tensor(&device(), &[2.0], &[1]).tracked();
    let y = ops::square(&x).unwrap();
    assert!(!grad(&[&y], &[&x], Options::default()).unwrap()[0].is_tracked());
    assert!(grad(&[&y], &[&x], GRAPH).unwrap()[0].is_tracked());
}

#[test]
fn what_is_not_tracked_records_nothing() {
    let x = tensor(&device(), &[2.0], &[1]);
    assert!(!ops::square(&x).unwrap().is_tracked());
    let error = grad(&[&x], &[&x], Options::default()).err().unwrap();
    assert_eq!(error.to_string(), "grad: input 0 must be tracked or come from tracked tensors");
}

#[test]
fn a_gradient_towards_the_images_computes_no_weight_gradient() {
    let device = device();
    let p = Conv2d { stride: 1, padding: [1; 4], algorithm: None };
    let x = tensor(&device, &[0.5; 16], &[1, 4, 4, 1]).tracked();
    let w = tensor(&device, &[0.1; 9 * 50], &[3, 3, 1, 50]).tracked();
    let y = ops::conv2d(&x, &w, p).unwrap();
    let before = device.backend().memory().peak;
    drop(grad(&[&y], &[&x], Options::default()).unwrap());
    // Ones like y, and the gradient of 16 pixels: a weight gradient of 450 elements would need more.
    let room = 8 * (1024 + 256);
    assert!(device.backend().memory().peak - before <= room, "{:?}", device.backend().memory());
}

#[test]
fn a_saved_tensor_changed_in_place_is_an_error() {
    let device = device();
    let x = tensor(&device, &[2.0], &[1]);
    let y = ops::square(&x.tracked()).unwrap();
    let tracked = x.tracked();
    let z = ops::square(&tracked).unwrap();
    x.assign(&tensor(&device, &[3.0], &[1])).unwrap();
    let error = grad(&[&z], &[&tracked], Options::default()).err().unwrap();
    assert!(matches!(error, Error::Disposed { op: "square", .. }), "{error}");
    drop(y);
}

#[test]
fn a_history_of_a_hundred_thousand_ops_is_walked_and_dropped_without_recursion() {
    let x = tensor(&device(), &[1.0], &[1]).tracked();
    let mut y = x.clone();
    for _ in 0..100_000 {
        y = ops::affine(&y, 1.0, 0.0).unwrap();
    }
    let gradient = grad(&[&y], &[&x], GRAPH).unwrap().remove(0);
    assert_eq!(gradient.to_vec().unwrap(), [1.0]);
    drop(gradient);
    drop(y);
}

#[test]
fn dropping_a_result_frees_everything_it_saved() {
    let device = device();
    let x = tensor(&device, &[1.0; 64], &[64]);
    let before = device.backend().memory().live;
    let tracked = x.tracked();
    let y = ops::sigmoid(&ops::exp(&ops::square(&tracked).unwrap()).unwrap()).unwrap();
    let second = grad(&[&grad(&[&y], &[&tracked], GRAPH).unwrap()[0]], &[&tracked], GRAPH).unwrap();
    assert!(device.backend().memory().live > before);
    drop((y, second, tracked));
    assert_eq!(device.backend().memory().live, before);
}

#[test]
fn shape_errors_name_the_op_and_what_was_given() {
    let device = device();
    let zeros = |shape: &[usize]| Tensor::full(&device, shape, 0.0).unwrap();
    let p = Conv2d { stride: 1, padding: [1; 4], algorithm: None };
    let message = |result: stylegan_tensor::Result<Tensor>| result.err().unwrap().to_string();
    assert_eq!(
        message(ops::conv2d(&zeros(&[1, 4, 4, 8]), &zeros(&[3, 3, 7, 32]), p)),
        "conv2d: w must be [3, 3, 8, O], got [3, 3, 7, 32]"
    );
    assert_eq!(message(ops::add(&zeros(&[2, 3]), &zeros(&[2]))), "add: [2, 3] and [2] cannot be broadcast together");
    assert_eq!(
        message(ops::matmul(&zeros(&[2, 3]), &zeros(&[2, 3]), false, false)),
        "matmul: a must be [.., m, k] and b [.., k, n], got [2, 3] and [2, 3]"
    );
    assert_eq!(message(ops::reshape(&zeros(&[6]), &[4])), "reshape: [6] has 6 elements, [4] another number");
    let bytes = Tensor::from_f64(&device, &[1.0], &[1], DType::U8).unwrap();
    assert_eq!(message(ops::exp(&bytes)), "exp: operands must be f64, got u8; cast first");
}

#[test]
fn operands_on_two_devices_are_refused() {
    let (a, b) = (Tensor::scalar(&device(), 1.0).unwrap(), Tensor::scalar(&device(), 1.0).unwrap());
    assert!(ops::add(&a, &b).is_err());
}
