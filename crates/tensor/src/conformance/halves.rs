//! Feature maps in 16 bits: what becomes of the other cases, and cases of few channels, one pixel and images larger than a workgroup.

use super::case::{Case, Data, ELEMENTWISE, Values, sum_of};
use super::convolutions::{filtered, geometry};
use super::fused::normalised;
use super::movement::copy;
use crate::reference::bytes;
use crate::{Binary, DType, Kernel, Reduce, Unary, Upfirdn2d, broadcast, reduce_shape};

/// Whether any of the kernel's operands may be a feature map.
pub(super) fn takes_maps(kernel: &Kernel) -> bool {
    let (inputs, out) = kernel.maps();
    out || inputs.contains(&true)
}

/// The case with its feature maps rounded to `half` and stored in it, where their last axis is a multiple of 4; `None` if there are
/// none.
pub(super) fn stored_in(mut case: Case, half: DType) -> Option<Case> {
    let (inputs, out) = case.kernels[0].maps();
    let store = |operand: &mut Values| {
        let fits = operand.shape.last().is_some_and(|size| size % 4 == 0);
        if fits && operand.dtype.is_none() {
            operand.dtype = Some(half);
            operand.values.iter_mut().for_each(|v| *v = bytes::round(*v, half));
        }
    };
    case.inputs.iter_mut().zip(inputs).filter(|(_, is_map)| **is_map).for_each(|(input, _)| store(input));
    case.outs.iter_mut().take(usize::from(out)).for_each(store);
    let is_half = |operand: &Values| operand.dtype == Some(half);
    if let Kernel::Copy { shape, src, src_strides, dst, dst_strides } = &case.kernels[0] {
        let in_fours = |first: usize, steps: &[isize]| {
            let outer = steps.iter().rev().skip(1).all(|step| step % 4 == 0);
            first.is_multiple_of(4) && outer && steps.last() == Some(&1)
        };
        let fits = shape.last().is_some_and(|size| size % 4 == 0);
        let both = is_half(&case.inputs[0]) && is_half(&case.outs[0]);
        if !(both && fits && in_fours(*src, src_strides) && in_fours(*dst, dst_strides)) {
            return None;
        }
    }
    // Images of bytes become f32 first.
    let is_integer = |operand: &Values| operand.dtype.is_some_and(|dtype| !dtype.is_float());
    let mut operands = case.inputs.iter().chain(&case.outs);
    let any_integer = operands.clone().any(is_integer);
    (operands.any(is_half) && !any_integer).then_some(case)
}

/// Allows for one factor of a product being rounded from f32 to f16. Each term is off by up to 2⁻¹¹ of itself, evenly spread: by
/// 2⁻¹¹/√3 in the mean square. So is the sum of terms of either sign, and none of the suite's results by more than 5 times that; the
/// largest of them, to which errors are relative, is above 1.5 times the mean.
pub(super) fn allow_rounded_factor(case: &mut Case) {
    let kernel = &case.kernels[0];
    let is_product = matches!(
        kernel,
        Kernel::Matmul { .. } | Kernel::Conv2d(_) | Kernel::Conv2dTranspose(_) | Kernel::Conv2dWeightGrad(_)
    );
    let halves = case.inputs.iter().filter(|input| input.dtype == Some(DType::F16)).count();
    if is_product && halves == 1 {
        case.rounded = 5.0 / 3_f64.sqrt() / 1.5 * 2_f64.powi(-11);
    }
}

const SHAPES: [[usize; 4]; 4] = [[2, 7, 5, 4], [3, 1, 1, 12], [1, 20, 19, 12], [2, 33, 4, 8]];

pub(super) fn cases(data: &mut Data) -> Vec<Case> {
    let mut cases = Vec::new();
    casts(data, &mut cases);
    elementwise(data, &mut cases);
    copies(data, &mut cases);
    sums(data, &mut cases);
    images(data, &mut cases);
    cases
}

fn casts(data: &mut Data, cases: &mut Vec<Case>) {
    // Both ends of the ranges, numbers in the middle of two, and those below the smallest normal one.
    let special = [
        0.0,
        -0.0,
        1.0,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        65504.0,
        65519.0,
        65521.0,
        -1e30,
        3.4e38,
        6.1e-5,
        -5.9e-5,
        6e-8,
        2.9e-8,
        3.1e-8,
        1.0 + 1.0 / 256.0,
        1.0 + 3.0 / 256.0,
        1.0 + 1.0 / 2048.0,
        1.0 + 3.0 / 2048.0,
    ];
    for x in [Values::list(&special), data.between(&[3, 20, 12], -300.0, 300.0)] {
        let shape = x.shape.clone();
        let mut to = Case::new(Kernel::Cast, vec![x.clone().typed(DType::F32)], &[&shape]);
        to.outs[0].values.iter_mut().for_each(|v| *v = v.signum());
        let mut from = Case::new(Kernel::Cast, vec![x], &[&shape]);
        from.outs[0].dtype = Some(DType::F32);
        cases.extend([to.within(ELEMENTWISE), from.within(ELEMENTWISE)]);
    }
}

fn elementwise(data: &mut Data, cases: &mut Vec<Case>) {
    let ends = [f64::NEG_INFINITY, -200.0, -1.0, -0.0, 0.0, 1.0, 200.0, f64::INFINITY, f64::NAN, 0.3, -0.3, 7.0];
    for op in [
        Unary::Affine { scale: -1.5, shift: 0.3 },
        Unary::Square,
        Unary::Softplus,
        Unary::Clamp { low: -1.0, high: 1.0 },
    ] {
        cases.push(Case::new(Kernel::Unary(op), vec![Values::list(&ends)], &[&[12]]).within(ELEMENTWISE));
    }
    let shapes: [(&[usize], &[usize]); 7] = [
        (&[2, 5, 7, 12], &[2, 5, 7, 12]),
        (&[2, 5, 7, 12], &[2, 5, 7, 1]),
        (&[2, 5, 7, 1], &[2, 5, 7, 12]),
        (&[2, 5, 7, 12], &[2, 1, 1, 12]),
        (&[12], &[2, 5, 7, 12]),
        (&[2, 5, 7, 12], &[]),
        (&[1, 1, 1, 4], &[1]),
    ];
    for (a, b) in shapes {
        let y = broadcast("binary", a, b).expect("the shapes agree");
        for op in [Binary::Add, Binary::Sub, Binary::Mul, Binary::Greater] {
            // Of two feature maps, and of one and a factor that is none.
            let (a, b) = (data.signed(a), data.signed(b));
            let mixed = vec![a.clone(), b.clone().typed(DType::F32)];
            for inputs in [vec![a, b], mixed] {
                cases.push(Case::new(Kernel::Binary(op), inputs, &[&y]).within(ELEMENTWISE));
            }
        }
    }
    for shape in SHAPES {
        let [images, height, width, channels] = shape;
        let (x, g, b) = (data.signed(&shape), data.signed(&shape), data.signed(&[channels]));
        let mut push = |kernel, inputs| cases.push(Case::new(kernel, inputs, &[&shape]).within(ELEMENTWISE));
        for alpha in [0.2, 0.0] {
            push(Kernel::BiasAct { alpha }, vec![x.clone(), b.clone()]);
            push(Kernel::BiasAct { alpha }, vec![x.clone()]);
            push(Kernel::BiasActGrad { alpha }, vec![g.clone(), x.clone()]);
            // The gradient of what was cast.
            push(Kernel::BiasActGrad { alpha }, vec![g.clone().typed(DType::F32), x.clone()]);
        }
        for noises in [1, images] {
            let (noise, strength) = (data.signed(&[noises, height, width, 1]), data.signed(&[channels]));
            push(Kernel::NoiseBiasAct { alpha: 0.2 }, vec![x.clone(), noise, strength, b.clone()]);
        }
        push(Kernel::Fill { value: 0.3 }, vec![]);
    }
}

fn copies(data: &mut Data, cases: &mut Vec<Case>) {
    let mut push = |x: &[usize], y: &[usize], shape: &[usize], from: (usize, &[isize]), to: (usize, &[isize])| {
        cases.push(Case::new(copy(shape, from, to), vec![data.signed(x)], &[y]));
    };
    // All, a broadcast, a transposition of pixels, the interior of a larger image, some channels.
    push(&[48], &[48], &[48], (0, &[1]), (0, &[1]));
    push(&[4, 12], &[3, 4, 12], &[3, 4, 12], (0, &[0, 12, 1]), (0, &[48, 12, 1]));
    push(&[5, 7, 4], &[7, 5, 4], &[7, 5, 4], (0, &[4, 28, 1]), (0, &[20, 4, 1]));
    push(&[3, 4, 12], &[5, 7, 12], &[3, 4, 12], (0, &[48, 12, 1]), (108, &[84, 12, 1]));
    push(&[6, 12], &[6, 8], &[6, 8], (4, &[12, 1]), (0, &[8, 1]));
}

fn sums(data: &mut Data, cases: &mut Vec<Case>) {
    for (shape, axes) in
        SHAPES.iter().flat_map(|shape| [&[1, 2][..], &[3], &[0, 1, 2], &[0, 1, 2, 3]].map(|axes| (shape, axes)))
    {
        let y = reduce_shape("reduce", shape, axes, false).expect("the axes are different");
        let count = axes.iter().map(|&axis| shape[axis]).product();
        for op in [Reduce::Sum, Reduce::Mean] {
            let kernel = Kernel::Reduce { op, axes: axes.to_vec() };
            cases.push(Case::new(kernel, vec![data.signed(shape)], &[&y]).within(sum_of(count)));
        }
    }
    // A noise's gradient: one row times a feature map.
    let kernel = Kernel::Matmul { transpose_a: false, transpose_b: false };
    let inputs = vec![data.signed(&[1, 1, 35]), data.signed(&[2, 35, 12])];
    cases.push(Case::new(kernel, inputs, &[&[2, 1, 12]]).within(sum_of(35)));
}

fn images(data: &mut Data, cases: &mut Vec<Case>) {
    for k in [1, 3, 4] {
        for stride in [1, 2] {
            geometry(data, cases, ([2, 7, 5, 4], [k, k, 4, 12]), stride, [1; 4]);
            geometry(data, cases, ([1, 20, 19, 12], [k, k, 12, 8]), stride, [1, 2, 0, 1]);
        }
    }
    // One pixel; from an image and to one.
    geometry(data, cases, ([3, 1, 1, 12], [3, 3, 12, 4]), 1, [1; 4]);
    geometry(data, cases, ([2, 9, 8, 3], [1, 1, 3, 12]), 1, [0; 4]);
    geometry(data, cases, ([2, 9, 8, 12], [1, 1, 12, 3]), 1, [0; 4]);
    let filters: [(usize, usize, &[f64], [isize; 4]); 4] = [
        (1, 1, &[0.25, 0.5, 0.25], [1; 4]),
        (2, 1, &[1.0, 1.0], [1, 0, 1, 0]),
        (1, 2, &[0.5, 0.5], [0, 1, 0, 1]),
        (2, 1, &[1.0, 0.5], [1, 1, 0, 2]),
    ];
    for (up, down, taps, padding) in filters {
        let p = Upfirdn2d { up, down, taps: taps.to_vec(), padding };
        SHAPES.iter().for_each(|x| cases.extend(filtered(data, &p, *x)));
    }
    SHAPES.iter().for_each(|shape| normalised(data, cases, *shape));
}
