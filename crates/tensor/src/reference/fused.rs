use super::Array;
use crate::AdamStep;

/// Added to variances (official networks_stylegan.py: `epsilon=1e-8` of instance_norm and of
/// minibatch_stddev_layer).
const EPSILON: f64 = 1e-8;

pub(super) fn adain(x: &Array, style: &Array) -> (Vec<f64>, Vec<f64>) {
    let maps = Maps::of(x);
    let mut stats = vec![0.0; 2 * maps.images * maps.channels];
    let mut y = vec![0.0; x.values.len()];
    maps.each(|n, c| {
        let count = maps.pixels as f64;
        let mean = maps.elements(n, c).map(|i| x.values[i]).sum::<f64>() / count;
        let variance = maps.elements(n, c).map(|i| (x.values[i] - mean).powi(2)).sum::<f64>() / count;
        let rsqrt = 1.0 / (variance + EPSILON).sqrt();
        stats[maps.first(n, c)] = mean;
        stats[maps.second(n, c)] = rsqrt;
        let (scale, bias) = (style.values[maps.first(n, c)], style.values[maps.second(n, c)]);
        for i in maps.elements(n, c) {
            y[i] = (x.values[i] - mean) * rsqrt * (scale + 1.0) + bias;
        }
    });
    (y, stats)
}

/// What `adain` does, `[N, 3, C]`: by image μ, factors and summands.
pub(super) fn normal(x: &Array, style: &Array) -> Vec<f64> {
    let (images, channels) = (x.shape[0], x.shape[3]);
    let (_, stats) = adain(x, style);
    let numbers = (0..images * 3 * channels).map(|i| {
        let (n, k, c) = (i / channels / 3, i / channels % 3, i % channels);
        let at = 2 * n * channels + c;
        match k {
            0 => stats[at],
            1 => stats[at + channels] * (style.values[at] + 1.0),
            _ => style.values[at + channels],
        }
    });
    numbers.collect()
}

/// With r = 1/√(σ² + ε) and means over H and W: `dx = (style + 1) · r · (g − mean g − x̂ · mean(g·x̂))`.
pub(super) fn adain_input_grad(g: &Array, x: &Array, style: &Array, stats: &Array) -> Vec<f64> {
    let maps = Maps::of(x);
    let mut dx = vec![0.0; x.values.len()];
    maps.each(|n, c| {
        let (mean, rsqrt) = (stats.values[maps.first(n, c)], stats.values[maps.second(n, c)]);
        let normal = |i: usize| (x.values[i] - mean) * rsqrt;
        let count = maps.pixels as f64;
        let mean_g = maps.elements(n, c).map(|i| g.values[i]).sum::<f64>() / count;
        let mean_gx = maps.elements(n, c).map(|i| g.values[i] * normal(i)).sum::<f64>() / count;
        let scale = (style.values[maps.first(n, c)] + 1.0) * rsqrt;
        for i in maps.elements(n, c) {
            dx[i] = scale * (g.values[i] - mean_g - normal(i) * mean_gx);
        }
    });
    dx
}

pub(super) fn adain_style_grad(g: &Array, x: &Array, stats: &Array) -> Vec<f64> {
    let maps = Maps::of(x);
    let mut dstyle = vec![0.0; 2 * maps.images * maps.channels];
    maps.each(|n, c| {
        let (mean, rsqrt) = (stats.values[maps.first(n, c)], stats.values[maps.second(n, c)]);
        for i in maps.elements(n, c) {
            dstyle[maps.first(n, c)] += g.values[i] * (x.values[i] - mean) * rsqrt;
            dstyle[maps.second(n, c)] += g.values[i];
        }
    });
    dstyle
}

/// The feature maps of `[N, H, W, C]`, and their pairs of numbers in `[N, 2, C]`.
struct Maps {
    images: usize,
    pixels: usize,
    channels: usize,
}

impl Maps {
    fn of(x: &Array) -> Self {
        Self { images: x.shape[0], pixels: x.shape[1] * x.shape[2], channels: x.shape[3] }
    }

    fn each(&self, mut f: impl FnMut(usize, usize)) {
        for n in 0..self.images {
            for c in 0..self.channels {
                f(n, c);
            }
        }
    }

    fn elements(&self, n: usize, c: usize) -> impl Iterator<Item = usize> + use<> {
        let (pixels, channels) = (self.pixels, self.channels);
        (0..pixels).map(move |i| (n * pixels + i) * channels + c)
    }

    fn first(&self, n: usize, c: usize) -> usize {
        2 * n * self.channels + c
    }

    fn second(&self, n: usize, c: usize) -> usize {
        (2 * n + 1) * self.channels + c
    }
}

pub(super) fn minibatch_stddev(x: &Array, group: usize) -> Vec<f64> {
    let groups = Groups::of(x, group);
    let mut s = vec![0.0; groups.count];
    for (m, s) in s.iter_mut().enumerate() {
        for i in 0..groups.image {
            *s += groups.moments(x, m, i).1;
        }
        *s /= groups.image as f64;
    }
    s
}

/// `ds/dx = (x − μ) / (group · √(σ² + ε))`, divided by the H·W·C deviations that s is the mean of.
pub(super) fn minibatch_stddev_grad(g: &Array, x: &Array, group: usize) -> Vec<f64> {
    let groups = Groups::of(x, group);
    let mut dx = vec![0.0; x.values.len()];
    for m in 0..groups.count {
        for i in 0..groups.image {
            let (mean, deviation) = groups.moments(x, m, i);
            for at in groups.elements(m, i) {
                dx[at] = g.values[m] * (x.values[at] - mean) / (deviation * (group * groups.image) as f64);
            }
        }
    }
    dx
}

/// The groups of images m, m + M, m + 2M … of a minibatch.
struct Groups {
    count: usize,
    size: usize,
    image: usize,
}

impl Groups {
    fn of(x: &Array, size: usize) -> Self {
        Self { count: x.shape[0] / size, size, image: x.shape[1..].iter().product() }
    }

    /// Where element `i` of each image of group `m` is.
    fn elements(&self, m: usize, i: usize) -> impl Iterator<Item = usize> + use<> {
        let (count, image) = (self.count, self.image);
        (0..self.size).map(move |k| (m + k * count) * image + i)
    }

    /// Mean and √(σ² + ε) of element `i` within group `m`.
    fn moments(&self, x: &Array, m: usize, i: usize) -> (f64, f64) {
        let size = self.size as f64;
        let mean = self.elements(m, i).map(|at| x.values[at]).sum::<f64>() / size;
        let squares = self.elements(m, i).map(|at| (x.values[at] - mean).powi(2));
        (mean, (squares.sum::<f64>() / size + EPSILON).sqrt())
    }
}

/// One step of Adam on `[params, m, v, state, average?]`: see [`AdamStep`].
pub(super) fn adam(step: &AdamStep, grad: &[f64], changed: &mut [Vec<f64>]) {
    let [params, m, v, state, average @ ..] = changed else {
        panic!("adam has 4 or 5 outputs, got {}", changed.len());
    };
    for average in average {
        for (average, params) in average.iter_mut().zip(params.iter()) {
            *average = params + (*average - params) * step.average_beta;
        }
    }
    if grad.iter().any(|g| !g.is_finite()) {
        state[1] += 1.0;
        return;
    }
    state[0] += 1.0;
    let rate = step.rate * (1.0 - step.beta2.powf(state[0])).sqrt() / (1.0 - step.beta1.powf(state[0]));
    for (i, g) in grad.iter().enumerate() {
        m[i] = step.beta1 * m[i] + (1.0 - step.beta1) * g;
        v[i] = step.beta2 * v[i] + (1.0 - step.beta2) * g * g;
        params[i] -= rate * m[i] / (v[i].sqrt() + step.epsilon);
    }
}
