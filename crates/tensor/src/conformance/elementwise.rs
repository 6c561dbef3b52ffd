use super::case::{Case, Data, ELEMENTWISE, EPSILON, Values};
use crate::{Binary, DType, Kernel, Position, Unary};

pub(super) fn cases(data: &mut Data) -> Vec<Case> {
    let mut cases = Vec::new();
    unary(data, &mut cases);
    binary(data, &mut cases);
    select(data, &mut cases);
    random(&mut cases);
    activation(data, &mut cases);
    noise(data, &mut cases);
    cases
}

/// Sizes around those of vectors and blocks.
const LENGTHS: [usize; 8] = [0, 1, 3, 13, 64, 561, 1000, 70_001];

fn unary(data: &mut Data, cases: &mut Vec<Case>) {
    let mut push = |op, x: Values| {
        let shape = x.shape.clone();
        cases.push(Case::new(Kernel::Unary(op), vec![x], &[&shape]).within(ELEMENTWISE));
    };
    for len in LENGTHS {
        push(Unary::Affine { scale: -1.5, shift: 0.3 }, data.signed(&[len]));
        push(Unary::Exp, data.between(&[len], -4.0, 4.0));
        push(Unary::Log, data.between(&[len], 0.0, 8.0));
        push(Unary::Sqrt, data.between(&[len], 0.0, 8.0));
        push(Unary::Rsqrt, data.between(&[len], 0.01, 8.0));
        push(Unary::Square, data.signed(&[len]));
        push(Unary::Softplus, data.between(&[len], -9.0, 9.0));
        push(Unary::Sigmoid, data.between(&[len], -9.0, 9.0));
        push(Unary::Sin, data.between(&[len], -9.0, 9.0));
        push(Unary::Cos, data.between(&[len], -9.0, 9.0));
        push(Unary::Acos, data.signed(&[len]));
        push(Unary::Clamp { low: -0.5, high: 0.25 }, data.signed(&[len]));
    }
    // All small: the naive ln(1 + eˣ) and 1 − 1/(1 + eˣ) cancel here.
    push(Unary::Softplus, data.between(&[100], -20.0, -12.0));
    push(Unary::Sigmoid, data.between(&[100], -20.0, -12.0));
    // The ends of the domains and beyond: infinities and NaN are results like others.
    let ends = [f64::NEG_INFINITY, -200.0, -90.0, -1.0, 0.0, 1.0, 90.0, 200.0, f64::INFINITY];
    push(Unary::Exp, Values::list(&ends));
    push(Unary::Softplus, Values::list(&ends));
    push(Unary::Sigmoid, Values::list(&ends));
    push(Unary::Log, Values::list(&[-1.0, 0.0, 1.0, f64::INFINITY, f64::NAN]));
    push(Unary::Sqrt, Values::list(&[-1.0, 0.0, 1.0, f64::INFINITY, f64::NAN]));
    push(Unary::Rsqrt, Values::list(&[-1.0, 0.0, 1.0, f64::INFINITY, f64::NAN]));
    push(Unary::Acos, Values::list(&[-1.5, -1.0, -0.999_999, 0.0, 0.999_999, 1.0, 1.5]));
    let (low, high) = (f64::NEG_INFINITY, f64::INFINITY);
    for (low, high) in [(-1.0, 1.0), (low, 0.5), (-0.5, high), (low, high)] {
        push(Unary::Clamp { low, high }, Values::list(&[&ends[..], &[f64::NAN, -f64::NAN]].concat()));
    }
    turns(cases);
}

/// Sines and cosines over all of f32: every power of two and what lies between, the numbers that are nearest to a quarter turn, none.
fn turns(cases: &mut Vec<Case>) {
    let data = &mut Data::new(227);
    let powers = (1..255_u32).flat_map(|exponent| [0, 0x1, 0x49_0FDB, 0x7F_FFFF].map(|m| exponent << 23 | m));
    let mut x: Vec<f64> =
        powers.flat_map(|bits| [bits, bits | 1 << 31]).map(|bits| f32::from_bits(bits).into()).collect();
    let turn = |bits: f64| f64::from(f32::from_bits((bits * f64::from(0x7F7F_FFFF_u32)) as u32));
    x.extend(data.between(&[20_000], 0.0, 1.0).values.iter().map(|&bits| turn(bits)));
    x.extend(data.between(&[20_000], -2e4, 2e4).values);
    // 16367173 · 2⁷² lies 1.6e-9 from a quarter turn, no f32 is nearer; at 10,467 the sum of three parts of π/2 ended.
    x.extend([16_367_173.0 * 2_f64.powi(72), -10_467.0, -10_468.0, -1e6, 1e6, 8192.0, -8192.0, 0.0, -0.0]);
    x.extend([f64::INFINITY, f64::NEG_INFINITY, f64::NAN]);
    for op in [Unary::Sin, Unary::Cos] {
        let x = Values::list(&x);
        let shape = x.shape.clone();
        cases.push(Case::new(Kernel::Unary(op), vec![x], &[&shape]).within_absolute(ELEMENTWISE));
    }
}

fn binary(data: &mut Data, cases: &mut Vec<Case>) {
    use Binary::{Add, Div, Equal, Greater, GreaterEqual, Maximum, Mul, Sub};
    let shapes: [(&[usize], &[usize]); 20] = [
        (&[7, 5], &[7, 5]),
        (&[], &[]),
        (&[1], &[1]),
        (&[], &[13]),
        (&[13], &[]),
        (&[0, 5], &[5]),
        (&[2, 5, 7, 13], &[13]),
        (&[13], &[2, 5, 7, 13]),
        (&[2, 5, 7, 13], &[2, 1, 1, 13]),
        (&[2, 1, 1, 13], &[2, 5, 7, 13]),
        (&[2, 5, 7, 13], &[2, 5, 7, 1]),
        (&[2, 5, 7, 13], &[2, 1, 1, 1]),
        (&[5, 1], &[1, 7]),
        (&[3, 1, 5], &[4, 1]),
        (&[2, 1, 7, 1, 3], &[5, 1, 4, 1]),
        (&[33, 17, 64], &[64]),
        (&[3, 11, 11, 64], &[3, 1, 1, 64]),
        (&[4, 33, 33, 3], &[1, 33, 33, 1]),
        (&[70_001], &[1]),
        (&[70_001], &[70_001]),
    ];
    for (a, b) in shapes {
        let y = crate::broadcast("binary", a, b).expect("the shapes agree");
        for op in [Add, Sub, Mul, Div, Greater, GreaterEqual, Equal, Maximum] {
            // In steps of 1/4, so that some are equal.
            let quarters = |x: Values| x.map(|x| (x * 4.0).round() / 4.0);
            let b = if op == Div { data.between(b, 0.5, 2.0) } else { quarters(data.signed(b)) };
            let inputs = vec![quarters(data.signed(a)), b];
            cases.push(Case::new(Kernel::Binary(op), inputs, &[&y]).within(ELEMENTWISE));
        }
    }
    let (a, b) = ([1.0, -1.0, 0.0, f64::NAN, f64::NAN, 1.0], [0.0, 0.0, 0.0, f64::NAN, 1.0, f64::NAN]);
    for op in [Add, Div, Greater, GreaterEqual, Equal, Maximum] {
        let inputs = vec![Values::list(&a), Values::list(&b)];
        cases.push(Case::new(Kernel::Binary(op), inputs, &[&[6]]));
    }
}

fn select(data: &mut Data, cases: &mut Vec<Case>) {
    let shapes: [[&[usize]; 4]; 6] = [
        [&[7, 5], &[7, 5], &[7, 5], &[7, 5]],
        [&[], &[], &[], &[]],
        [&[3, 1, 1, 1], &[3, 5, 7, 13], &[3, 5, 7, 13], &[3, 5, 7, 13]],
        [&[2, 5, 7, 13], &[], &[13], &[2, 5, 7, 13]],
        [&[5, 1], &[1, 7], &[], &[5, 7]],
        [&[33, 17, 64], &[33, 17, 64], &[], &[33, 17, 64]],
    ];
    for [c, a, b, y] in shapes {
        let condition = data.signed(c).map(|c| f64::from(c > 0.0) * c.signum());
        let inputs = vec![condition, data.signed(a), data.signed(b)];
        cases.push(Case::new(Kernel::Select, inputs, &[y]));
    }
    // What is not chosen may be anything.
    let condition = Values::list(&[0.0, -0.0, 1.0, -2.0, f64::NAN]);
    let a = Values::list(&[f64::NAN, f64::INFINITY, 1.0, 2.0, 3.0]);
    let b = Values::list(&[4.0, 5.0, f64::NAN, f64::NEG_INFINITY, f64::NAN]);
    cases.push(Case::new(Kernel::Select, vec![condition, a, b], &[&[5]]));
}

fn random(cases: &mut Vec<Case>) {
    let positions = [
        Position { seed: 0, stream: 0, offset: 0 },
        Position { seed: 0x0123_4567_89AB_CDEF, stream: 3, offset: 8 },
        // The counter's low word overflows within the draw.
        Position { seed: 7, stream: 1 << 40, offset: (1 << 34) - 16 },
    ];
    for position in positions {
        for len in LENGTHS {
            // The same bits on every device.
            cases.push(Case::new(Kernel::Uniform(position), vec![], &[&[len]]));
            // Each device has its own logarithm and sine.
            cases.push(Case::new(Kernel::Normal(position), vec![], &[&[len]]).within_absolute(1e-6));
        }
    }
    for value in [0.0, 0.3, -1e30] {
        cases.extend(LENGTHS.map(|len| Case::new(Kernel::Fill { value }, vec![], &[&[len]]).within(EPSILON)));
    }
    for (value, dtype) in [(200.0, DType::U8), (-70_000.0, DType::I32)] {
        let mut case = Case::new(Kernel::Fill { value }, vec![], &[&[1000]]);
        case.outs[0].dtype = Some(dtype);
        cases.push(case);
    }
}

fn activation(data: &mut Data, cases: &mut Vec<Case>) {
    let shapes: [&[usize]; 9] = [
        &[1, 1],
        &[13],
        &[7, 13],
        &[1, 1, 1, 3],
        &[2, 5, 7, 13],
        &[3, 5, 7, 1],
        &[33, 17, 64],
        &[4, 33, 33, 16],
        &[0, 64],
    ];
    for shape in shapes {
        for alpha in [1.0, 0.2, 0.0] {
            // Zeros too: their slope is 1.
            let zeros = |x: Values| x.map(|x| if x.abs() < 0.1 { 0.0 } else { x });
            let (x, b) = (zeros(data.signed(shape)), zeros(data.signed(&shape[shape.len() - 1..])));
            let inputs = vec![data.signed(shape), x.clone()];
            let act = Kernel::BiasAct { alpha };
            cases.push(Case::new(act.clone(), vec![x.clone()], &[shape]).within(ELEMENTWISE));
            cases.push(Case::new(act, vec![x, b], &[shape]).within(ELEMENTWISE));
            cases.push(Case::new(Kernel::BiasActGrad { alpha }, inputs, &[shape]).within(ELEMENTWISE));
        }
    }
}

fn noise(data: &mut Data, cases: &mut Vec<Case>) {
    for shape in [[1, 1, 1, 1], [3, 1, 1, 5], [2, 5, 7, 13], [3, 7, 5, 1], [2, 33, 17, 64], [4, 33, 33, 16]] {
        let [images, height, width, channels] = shape;
        for noises in [1, images] {
            let noise = data.signed(&[noises, height, width, 1]);
            for alpha in [1.0, 0.2] {
                let (x, strength, b) = (data.signed(&shape), data.signed(&[channels]), data.signed(&[channels]));
                let inputs = vec![x, noise.clone(), strength, b];
                let act = Kernel::NoiseBiasAct { alpha };
                cases.push(Case::new(act, inputs, &[&shape]).within(ELEMENTWISE));
            }
        }
    }
}
