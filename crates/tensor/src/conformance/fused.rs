use super::case::{Case, Data, ELEMENTWISE, EPSILON, Values, sum_of};
use crate::{AdamStep, Kernel};

pub(super) fn cases(data: &mut Data) -> Vec<Case> {
    let mut cases = Vec::new();
    normalisation(data, &mut cases);
    nearly_constant_maps(data, &mut cases);
    deviation(data, &mut cases);
    optimiser(data, &mut cases);
    cases
}

fn normalisation(data: &mut Data, cases: &mut Vec<Case>) {
    for shape in
        [[1, 1, 1, 1], [3, 1, 1, 5], [1, 4, 4, 1], [2, 7, 5, 13], [3, 4, 4, 64], [2, 33, 17, 64], [1, 64, 64, 16]]
    {
        normalised(data, cases, shape);
    }
}

/// The normalisation of maps of a shape and both its gradients.
pub(super) fn normalised(data: &mut Data, cases: &mut Vec<Case>, shape: [usize; 4]) {
    let [images, height, width, channels] = shape;
    let (x, style) = (data.signed(&shape).map(|x| 3.0 * x + 0.5), data.signed(&[images, 2 * channels]));
    let (g, stats) = (data.signed(&shape), statistics(&x));
    let outs: [&[usize]; 2] = [&shape, &[images, 2, channels]];
    // Statistics are sums over a map; x̂ and the result take a few roundings more.
    let tolerance = sum_of(height * width) + ELEMENTWISE;
    let mut push = |kernel, inputs, outs| cases.push(Case::new(kernel, inputs, outs).within(tolerance));
    push(Kernel::Adain, vec![x.clone(), style.clone()], &outs);
    push(Kernel::AdainInputGrad, vec![g.clone(), x.clone(), style, stats.clone()], &outs[..1]);
    push(Kernel::AdainStyleGrad, vec![g, x, stats], &[&[images, 2 * channels]]);
}

/// Mean and 1/√(variance + 1e−8) of each map: `[N, 2, C]`.
fn statistics(x: &Values) -> Values {
    let [images, pixels, channels] = [x.shape[0], x.shape[1] * x.shape[2], x.shape[3]];
    let mut stats = vec![0.0; 2 * images * channels];
    for n in 0..images {
        for c in 0..channels {
            let map = (0..pixels).map(|i| x.values[(n * pixels + i) * channels + c]);
            let mean = map.clone().sum::<f64>() / pixels as f64;
            let variance = map.map(|x| (x - mean).powi(2)).sum::<f64>() / pixels as f64;
            stats[2 * n * channels + c] = mean;
            stats[(2 * n + 1) * channels + c] = 1.0 / (variance + 1e-8).sqrt();
        }
    }
    Values::of(&[images, 2, channels], stats)
}

/// Statistics in one pass (the mean of squares less the square of the mean) cancel to noise here.
fn nearly_constant_maps(data: &mut Data, cases: &mut Vec<Case>) {
    // The first layer's input: each map is a constant, x̂ is 0. The mean of n equal f32 may be one rounding of 1 off,
    // which 1/√1e−8 makes 1e4 · ε of x̂, and 2e4 · ε with a scale of up to 2.
    let shape = [2, 4, 4, 13];
    let constants = data.signed(&[13]).values;
    let x = Values::of(&shape, (0..2 * 16).flat_map(|_| constants.iter().copied()));
    let style = data.signed(&[2, 26]);
    let outs: [&[usize]; 2] = [&shape, &[2, 2, 13]];
    cases.push(Case::new(Kernel::Adain, vec![x, style.clone()], &outs).within(2e4 * EPSILON));
    // Around 5, with a deviation of 6e−4: a mean that is one rounding of 5 off, 2.4e−7, is 4e−4 of the deviation.
    let x = data.signed(&shape).map(|x| 5.0 + 1e-3 * x);
    cases.push(Case::new(Kernel::Adain, vec![x, style], &outs).within(1e-3));
}

fn deviation(data: &mut Data, cases: &mut Vec<Case>) {
    for (shape, group) in [
        ([1, 1, 1, 1], 1),
        ([4, 4, 4, 13], 4),
        ([4, 5, 7, 3], 2),
        ([6, 4, 4, 5], 3),
        ([3, 4, 4, 5], 1),
        ([8, 4, 4, 64], 4),
        ([16, 1, 1, 7], 4),
        ([4, 33, 17, 16], 4),
    ] {
        // In steps of group/64, so that the mean of a group is exact: where its images are close together, 1/√(σ² + ε)
        // would enlarge its rounding up to 1e4 times.
        let step = group as f64 / 64.0;
        let x = data.signed(&shape).map(|x| (x / step).round() * step);
        let groups = shape[0] / group;
        let tolerance = sum_of(shape[1..].iter().product()) + ELEMENTWISE;
        let value = Case::new(Kernel::MinibatchStddev { group }, vec![x.clone()], &[&[groups]]);
        cases.push(value.within(tolerance));
        let inputs = vec![data.signed(&[groups]), x];
        let gradient = Case::new(Kernel::MinibatchStddevGrad { group }, inputs, &[&shape]);
        cases.push(gradient.within(2.0 * ELEMENTWISE));
    }
}

fn optimiser(data: &mut Data, cases: &mut Vec<Case>) {
    let official = AdamStep { rate: 1e-3, beta1: 0.0, beta2: 0.99, epsilon: 1e-8, average_beta: 0.999 };
    let usual = AdamStep { rate: 2e-3, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, average_beta: 0.5 };
    for (step, steps) in [(official, 0.0), (official, 7.0), (usual, 0.0), (usual, 1000.0)] {
        for averaged in [false, true] {
            for bad in [None, Some(f64::NAN), Some(f64::INFINITY), Some(f64::NEG_INFINITY)] {
                cases.extend([1, 13, 64, 1000].map(|len| adam(data, step, steps, len, averaged, bad)));
            }
        }
    }
    for bad in [None, Some(f64::NAN)] {
        cases.push(adam(data, usual, 3.0, 70_001, true, bad));
    }
}

/// `bad` stands in the last gradient: the step is left out, the average is not.
fn adam(data: &mut Data, step: AdamStep, steps: f64, len: usize, averaged: bool, bad: Option<f64>) -> Case {
    let mut gradient = data.signed(&[len]);
    if let Some(bad) = bad {
        gradient.values[len - 1] = bad;
    }
    // Before the first step the moments are 0.
    let moment = |x: Values| if steps == 0.0 { x.map(|_| 0.0) } else { x };
    let mut outs = vec![
        data.signed(&[len]),
        moment(data.signed(&[len])),
        moment(data.between(&[len], 0.0, 1.0)),
        Values::list(&[steps, 3.0]),
    ];
    if averaged {
        outs.push(data.signed(&[len]));
    }
    let mut case = Case::new(Kernel::Adam(step), vec![gradient], &[]).within(ELEMENTWISE);
    case.outs = outs;
    case
}
