use super::case::{Case, Data, EPSILON, Values, sum_of};
use crate::{DType, Kernel, Reduce, reduce_shape, strides};

pub(super) fn cases(data: &mut Data) -> Vec<Case> {
    let mut cases = Vec::new();
    copies(data, &mut cases);
    casts(data, &mut cases);
    reductions(data, &mut cases);
    rows(data, &mut cases);
    cases
}

/// A copy of `shape`: the first element and the steps on both sides.
pub(super) fn copy(shape: &[usize], from: (usize, &[isize]), to: (usize, &[isize])) -> Kernel {
    Kernel::Copy {
        shape: shape.to_vec(),
        src: from.0,
        src_strides: from.1.to_vec(),
        dst: to.0,
        dst_strides: to.1.to_vec(),
    }
}

fn copies(data: &mut Data, cases: &mut Vec<Case>) {
    let mut push = |x: &[usize], y: &[usize], shape: &[usize], from: (usize, &[isize]), to: (usize, &[isize])| {
        let kernel = copy(shape, from, to);
        cases.push(Case::new(kernel.clone(), vec![data.signed(x)], &[y]).within(0.0));
        for dtype in [DType::U8, DType::I32] {
            let x = data.between(x, 0.0, 255.0).map(f64::round).typed(dtype);
            let mut case = Case::new(kernel.clone(), vec![x], &[y]);
            case.outs[0] = data.between(y, 0.0, 255.0).map(f64::round).typed(dtype);
            cases.push(case);
        }
    };
    // Whole, a scalar, nothing.
    push(&[70_001], &[70_001], &[70_001], (0, &[1]), (0, &[1]));
    push(&[], &[], &[], (0, &[]), (0, &[]));
    push(&[5, 0], &[0, 5], &[0, 5], (0, &[1, 0]), (0, &[5, 1]));
    // Permutations: NHWC to NCHW and back, a matrix transposed, all axes reversed.
    permute(&mut push, &[2, 5, 7, 13], &[0, 3, 1, 2]);
    permute(&mut push, &[2, 13, 5, 7], &[0, 2, 3, 1]);
    permute(&mut push, &[2, 33, 17, 64], &[0, 3, 1, 2]);
    permute(&mut push, &[1, 1, 1, 3], &[0, 3, 1, 2]);
    permute(&mut push, &[67, 129], &[1, 0]);
    permute(&mut push, &[3, 67, 129], &[0, 2, 1]);
    permute(&mut push, &[2, 3, 4, 5, 6], &[4, 3, 2, 1, 0]);
    permute(&mut push, &[9, 7, 64], &[1, 0, 2]);
    // Flips: along the width, and along every axis.
    push(&[2, 5, 7, 13], &[2, 5, 7, 13], &[2, 5, 7, 13], (78, &[455, 91, -13, 1]), (0, &[455, 91, 13, 1]));
    push(&[5, 7, 3], &[5, 7, 3], &[5, 7, 3], (104, &[-21, -3, -1]), (0, &[21, 3, 1]));
    push(&[1000], &[1000], &[1000], (999, &[-1]), (0, &[1]));
    // Slices: a corner, every second pixel, the last channels.
    push(&[2, 5, 7, 13], &[2, 2, 3, 13], &[2, 2, 3, 13], (195, &[455, 91, 13, 1]), (0, &[78, 39, 13, 1]));
    push(&[8, 8, 64], &[4, 4, 64], &[4, 4, 64], (0, &[1024, 128, 1]), (0, &[256, 64, 1]));
    push(&[9, 65], &[9, 1], &[9, 1], (64, &[65, 1]), (0, &[1, 1]));
    push(&[100], &[25], &[25], (3, &[4]), (0, &[1]));
    // Broadcasts: a scalar, leading, in between and trailing axes.
    push(&[], &[7, 5], &[7, 5], (0, &[0, 0]), (0, &[5, 1]));
    push(&[64], &[33, 17, 64], &[33, 17, 64], (0, &[0, 0, 1]), (0, &[1088, 64, 1]));
    push(&[3, 5], &[3, 4, 5], &[3, 4, 5], (0, &[5, 0, 1]), (0, &[20, 5, 1]));
    push(&[3, 5], &[3, 5, 4], &[3, 5, 4], (0, &[5, 1, 0]), (0, &[20, 4, 1]));
    // Into a part of y: the interior (pad), some channels (concat), every second pixel, backwards.
    push(&[3, 4, 5], &[5, 7, 5], &[3, 4, 5], (0, &[20, 5, 1]), (45, &[35, 5, 1]));
    push(&[6, 64], &[6, 65], &[6, 64], (0, &[64, 1]), (0, &[65, 1]));
    push(&[6, 1], &[6, 65], &[6, 1], (0, &[1, 1]), (64, &[65, 1]));
    push(&[4, 4, 3], &[8, 8, 3], &[4, 4, 3], (0, &[12, 3, 1]), (27, &[48, 6, 1]));
    push(&[13], &[20], &[13], (0, &[1]), (15, &[-1]));
}

type Push<'a> = dyn FnMut(&[usize], &[usize], &[usize], (usize, &[isize]), (usize, &[isize])) + 'a;

fn permute(push: &mut Push, x: &[usize], axes: &[usize]) {
    let y = crate::permute(x, axes).expect("the axes are a permutation");
    let from: Vec<isize> = axes.iter().map(|&axis| strides(x)[axis] as isize).collect();
    let to: Vec<isize> = strides(&y).iter().map(|&step| step as isize).collect();
    push(x, &y, &y, (0, &from), (0, &to));
}

fn casts(data: &mut Data, cases: &mut Vec<Case>) {
    let mut push = |x: Values, to: Option<DType>| {
        let mut case = Case::new(Kernel::Cast, vec![x.clone()], &[&x.shape]).within(EPSILON);
        case.outs[0].dtype = to;
        cases.push(case);
    };
    let special = [
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
        -1e10,
        -1.0,
        -0.999,
        -0.0,
        0.5,
        1.5,
        254.999,
        255.0,
        255.5,
        256.0,
        3e9,
    ];
    let integers = [i32::MIN, -16_777_217, -1, 0, 1, 255, 256, 16_777_217, i32::MAX].map(f64::from);
    for to in [None, Some(DType::U8), Some(DType::I32)] {
        push(Values::list(&special), to);
        push(data.between(&[70_001], -300.0, 300.0), to);
        push(data.between(&[1], 0.0, 255.0), to);
        push(data.between(&[2, 5, 7, 3], 0.0, 255.0).map(f64::floor).typed(DType::U8), to);
        push(data.between(&[1000], -300.0, 300.0).map(f64::floor).typed(DType::I32), to);
        let exact = Values { shape: vec![integers.len()], dtype: Some(DType::I32), values: integers.to_vec() };
        push(exact, to);
        push(data.signed(&[0]), to);
    }
}

fn reductions(data: &mut Data, cases: &mut Vec<Case>) {
    let shapes: [(&[usize], &[usize]); 21] = [
        (&[], &[]),
        (&[1], &[0]),
        (&[7, 5], &[]),
        (&[7, 5], &[0]),
        (&[7, 5], &[1]),
        (&[7, 5], &[0, 1]),
        (&[2, 5, 7, 13], &[3]),
        (&[2, 5, 7, 13], &[1]),
        (&[2, 5, 7, 13], &[1, 2]),
        (&[2, 5, 7, 13], &[0, 1, 2]),
        (&[2, 5, 7, 13], &[0, 2]),
        (&[2, 5, 7, 13], &[0, 3]),
        (&[2, 5, 7, 13], &[1, 2, 3]),
        (&[2, 5, 7, 13], &[0, 1, 2, 3]),
        (&[1, 1, 1, 13], &[1, 2]),
        (&[2, 3, 2, 3, 2], &[1, 3]),
        (&[129, 64], &[0]),
        (&[33, 17, 64], &[0, 1]),
        (&[3, 33, 17, 64], &[1, 2]),
        (&[70_001], &[0]),
        (&[9001, 3], &[0]),
    ];
    for (x, axes) in shapes {
        let count = axes.iter().map(|&axis| x[axis]).product();
        for op in [Reduce::Sum, Reduce::Mean, Reduce::Max] {
            for keep in [false, true] {
                let y = reduce_shape("reduce", x, axes, keep).expect("the axes are different");
                let kernel = Kernel::Reduce { op, axes: axes.to_vec() };
                let tolerance = if op == Reduce::Max { 0.0 } else { sum_of(count) };
                cases.push(Case::new(kernel, vec![data.signed(x)], &[&y]).within(tolerance));
            }
        }
    }
    // Of one sign: summed one after another in f32, the error of such a sum is 1e-5 (measured).
    for (op, shape, axes, y) in [
        (Reduce::Sum, vec![300_000], vec![0], vec![]),
        (Reduce::Mean, vec![300_000, 3], vec![0], vec![3]),
        (Reduce::Mean, vec![1, 550, 550, 2], vec![1, 2], vec![1, 2]),
    ] {
        let x = data.between(&shape, 0.0, 1.0);
        cases.push(Case::new(Kernel::Reduce { op, axes }, vec![x], &[&y]).within(1e-6));
    }
    // The largest of negative numbers is negative.
    let max = Kernel::Reduce { op: Reduce::Max, axes: vec![0, 1] };
    cases.push(Case::new(max, vec![data.between(&[7, 100], -9.0, -1.0)], &[&[]]));
    // One NaN makes NaN of its row, wherever it stands.
    let mut data = Data::new(228);
    for (shape, axes, y) in [
        (vec![3, 5], vec![1], vec![3]),
        (vec![5, 3], vec![0], vec![3]),
        (vec![2, 70_001], vec![1], vec![2]),
        (vec![9001, 3], vec![0], vec![3]),
        (vec![2, 33, 17, 64], vec![1, 2], vec![2, 64]),
    ] {
        let len = shape.iter().product::<usize>();
        for at in [0, 1, len / 2, len - 1] {
            let mut x = data.signed(&shape);
            x.values[at] = f64::NAN;
            x.values[len - 1 - at] = f64::INFINITY;
            cases.push(Case::new(Kernel::Reduce { op: Reduce::Max, axes: axes.clone() }, vec![x], &[&y]));
        }
    }
}

fn rows(data: &mut Data, cases: &mut Vec<Case>) {
    for (count, width, len) in [(1, 1, 1), (7, 13, 20), (5, 512, 3), (10, 1, 33), (3, 64, 1000), (6, 5, 0)] {
        let rows = data.rows(len, count);
        let gather = vec![data.signed(&[count, width]), rows.clone()];
        cases.push(Case::new(Kernel::GatherRows, gather, &[&[len, width]]));
        let scatter = vec![data.signed(&[len, width]), rows];
        cases.push(Case::new(Kernel::ScatterRows, scatter, &[&[count, width]]).within(sum_of(len)));
    }
}
