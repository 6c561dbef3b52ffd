use super::case::{Case, Data, Values};
use super::movement::copy;
use crate::{AffineResample, Algorithm, Binary, Conv2d, DType, Kernel, Position, Reduce, Unary, Upfirdn2d};

/// Sizes of 0: for each kernel a result without elements, and the result of no elements where there is one.
pub(super) fn cases(data: &mut Data) -> Vec<Case> {
    let mut cases = Vec::new();
    let mut push = |kernel: Kernel, inputs: &[&[usize]], outs: &[&[usize]]| {
        let inputs = inputs.iter().map(|shape| data.signed(shape)).collect();
        cases.push(Case::new(kernel, inputs, outs));
    };
    elementwise(&mut push);
    sums(&mut push);
    images(&mut push);
    let none = || Values::of(&[0], []).typed(DType::I32);
    let rows = Data::new(1).rows(3, 2);
    let table = |shape: &[usize]| Data::new(1).signed(shape);
    for (kernel, values, rows, y) in [
        (Kernel::GatherRows, [2, 5], none(), [0, 5]),
        (Kernel::GatherRows, [2, 0], rows.clone(), [3, 0]),
        (Kernel::GatherRows, [0, 5], none(), [0, 5]),
        (Kernel::ScatterRows, [0, 5], none(), [2, 5]),
        (Kernel::ScatterRows, [3, 0], rows, [2, 0]),
        (Kernel::ScatterRows, [0, 5], none(), [0, 5]),
    ] {
        cases.push(Case::new(kernel, vec![table(&values), rows], &[&y]));
    }
    cases
}

type Push<'a> = &'a mut dyn FnMut(Kernel, &[&[usize]], &[&[usize]]);

fn elementwise(push: Push) {
    push(Kernel::Fill { value: 1.0 }, &[], &[&[0, 5]]);
    push(Kernel::Uniform(Position::default()), &[], &[&[5, 0]]);
    push(Kernel::Normal(Position::default()), &[], &[&[0]]);
    push(Kernel::Cast, &[&[0]], &[&[0]]);
    push(Kernel::Unary(Unary::Exp), &[&[2, 0, 3]], &[&[2, 0, 3]]);
    push(Kernel::Binary(Binary::Add), &[&[0], &[]], &[&[0]]);
    push(Kernel::Binary(Binary::Maximum), &[&[3, 1], &[1, 0]], &[&[3, 0]]);
    push(Kernel::Select, &[&[], &[0, 3], &[1, 3]], &[&[0, 3]]);
    // The part of a result that a pad of nothing fills.
    push(copy(&[0, 3], (0, &[3, 1]), (2, &[3, 1])), &[&[0, 3]], &[&[4, 3]]);
    push(copy(&[0, 3], (0, &[0, 1]), (0, &[3, 1])), &[&[1, 3]], &[&[0, 3]]);
    for alpha in [1.0, 0.2] {
        push(Kernel::BiasAct { alpha }, &[&[0, 4], &[4]], &[&[0, 4]]);
        push(Kernel::BiasAct { alpha }, &[&[4, 0], &[0]], &[&[4, 0]]);
        push(Kernel::BiasActGrad { alpha }, &[&[0, 4], &[0, 4]], &[&[0, 4]]);
        let [x, noise, c] = [&[0, 2, 2, 3][..], &[1, 2, 2, 1], &[3]];
        push(Kernel::NoiseBiasAct { alpha }, &[x, noise, c, c], &[x]);
    }
}

fn sums(push: Push) {
    for op in [Reduce::Sum, Reduce::Mean] {
        push(Kernel::Reduce { op, axes: vec![0] }, &[&[0, 5]], &[&[5]]);
        push(Kernel::Reduce { op, axes: vec![0, 1] }, &[&[3, 0]], &[&[]]);
        push(Kernel::Reduce { op, axes: vec![1] }, &[&[0, 5]], &[&[0]]);
    }
    push(Kernel::Reduce { op: Reduce::Max, axes: vec![1] }, &[&[0, 5]], &[&[0]]);
    for (transpose_a, transpose_b) in [(false, false), (false, true), (true, false), (true, true)] {
        let kernel = Kernel::Matmul { transpose_a, transpose_b };
        for ([a, b], m, k, n) in
            [([0, 0], 2, 3, 4), ([0, 1], 2, 3, 4), ([1, 0], 2, 3, 4), ([3, 1], 2, 0, 4), ([1, 1], 0, 0, 0)]
        {
            let y = if a == 1 { b } else { a };
            let (a, b) =
                (if transpose_a { [a, k, m] } else { [a, m, k] }, if transpose_b { [b, n, k] } else { [b, k, n] });
            push(kernel.clone(), &[&a, &b], &[&[y, m, n]]);
        }
    }
}

fn images(push: Push) {
    let algorithms = [Algorithm::Im2col, Algorithm::Shifted, Algorithm::Direct, Algorithm::Winograd];
    for algorithm in [None].into_iter().chain(algorithms.map(Some)) {
        let p = Conv2d { stride: 1, padding: [1; 4], algorithm };
        // No images, no pixels but padding, no channels on either side.
        for ([n, h, c, o], out) in [([0, 4, 2, 3], 4), ([2, 1, 0, 3], 1), ([2, 4, 2, 0], 4), ([2, 4, 0, 3], 4)] {
            let (x, w, y) = ([n, h, h, c], [3, 3, c, o], [n, out, out, o]);
            push(Kernel::Conv2d(p), &[&x, &w], &[&y]);
            push(Kernel::Conv2dTranspose(p), &[&y, &w], &[&x]);
            push(Kernel::Conv2dWeightGrad(p), &[&x, &y], &[&w]);
        }
    }
    let p = Upfirdn2d { up: 1, down: 1, taps: vec![0.25, 0.5, 0.25], padding: [2; 4] };
    push(Kernel::Upfirdn2d(p.clone()), &[&[0, 4, 4, 3]], &[&[0, 6, 6, 3]]);
    push(Kernel::Upfirdn2d(p), &[&[2, 0, 0, 3]], &[&[2, 2, 2, 3]]);
    let p = AffineResample { up: 2, taps: vec![0.5, 1.0, 0.5], reflect: true };
    // No images, no pixels on either side, no channels.
    for [n, h, out, c] in [[0, 4, 5, 3], [2, 0, 5, 3], [2, 4, 0, 3], [2, 4, 5, 0]] {
        let (x, m, y) = ([n, h, h, c], [n, 2, 3], [n, out, out, c]);
        push(Kernel::AffineResample(p.clone()), &[&x, &m], &[&y]);
        push(Kernel::AffineResampleTranspose(p.clone()), &[&y, &m], &[&x]);
    }
    for [n, h, c] in [[0, 4, 3], [2, 0, 3], [2, 4, 0]] {
        let (x, style, stats) = ([n, h, h, c], [n, 2 * c], [n, 2, c]);
        push(Kernel::Adain, &[&x, &style], &[&x, &stats]);
        push(Kernel::AdainInputGrad, &[&x, &x, &style, &stats], &[&x]);
        push(Kernel::AdainStyleGrad, &[&x, &x, &stats], &[&style]);
    }
    for [n, h, groups] in [[0, 4, 0], [4, 0, 2]] {
        let x = [n, h, h, 3];
        push(Kernel::MinibatchStddev { group: 2 }, &[&x], &[&[groups]]);
        push(Kernel::MinibatchStddevGrad { group: 2 }, &[&[groups], &x], &[&x]);
    }
}
