//! Linear support vector machines.

use crate::Result;
use crate::error::argument;
use crate::random::Random;

/// What scikit-learn's `LinearSVC(dual=True)` takes; the defaults are its.
#[derive(Clone, Copy, Debug)]
pub struct SvmOptions {
    /// The weight of the loss against the norm of the weights, above 0.
    pub c: f64,
    /// Stops when the projected gradients of the dual lie within an interval of this length.
    pub tolerance: f64,
    /// Passes over the active samples at most.
    pub max_iterations: usize,
}

impl Default for SvmOptions {
    fn default() -> Self {
        Self { c: 1.0, tolerance: 1e-4, max_iterations: 1000 }
    }
}

/// A plane: a sample x is of class 1 where weights·x + bias > 0.
#[derive(Clone, Debug, PartialEq)]
pub struct LinearSvm {
    /// `[width]`.
    pub weights: Vec<f64>,
    /// The plane's offset.
    pub bias: f64,
    /// Passes over the active samples.
    pub iterations: usize,
    /// Whether the tolerance was met.
    pub converged: bool,
}

/// f32 or f64 features.
pub trait Feature: Copy + Sync {
    /// The value in f64.
    fn wide(self) -> f64;
}

impl Feature for f32 {
    fn wide(self) -> f64 {
        f64::from(self)
    }
}

impl Feature for f64 {
    fn wide(self) -> f64 {
        self
    }
}

/// min over (w, b) of ½(|w|² + b²) + C Σ max(0, 1 − yᵢ(w·xᵢ + b))², yᵢ = ±1: the L2-regularised squared hinge of LIBLINEAR
/// and `LinearSVC`, the bias being the weight of a constant feature of 1 (`intercept_scaling` 1).
///
/// Solved by dual coordinate descent in random order with shrinking (Hsieh et al. 2008, "A dual coordinate descent method for
/// large-scale linear SVM", Algorithms 1 and 3), as LIBLINEAR does.
///
/// # Errors
///
/// Samples that do not fit the width or are not finite, labels other than 0 and 1 or all of one class, options below 0.
pub fn linear_svm<T: Feature>(
    samples: &[T],
    labels: &[u8],
    width: usize,
    options: SvmOptions,
    random: Random,
) -> Result<LinearSvm> {
    check(samples, labels, width, options)?;
    let mut descent = Descent::new(samples, labels, width, options.c);
    let mut active: Vec<usize> = (0..labels.len()).collect();
    let mut highest = f64::INFINITY;
    let (mut iterations, mut converged) = (0, false);
    while iterations < options.max_iterations && !converged {
        let count = active.len();
        random.shuffle(iterations as u64, &mut active, count);
        let (high, low) = descent.pass(&mut active, highest);
        iterations += 1;
        if high - low <= options.tolerance {
            converged = active.len() == labels.len();
            // The active samples are solved: look at all of them again.
            active = (0..labels.len()).collect();
            highest = f64::INFINITY;
        } else {
            highest = if high > 0.0 { high } else { f64::INFINITY };
        }
    }
    let bias = descent.weights.pop().expect("the constant feature's weight");
    Ok(LinearSvm { weights: descent.weights, bias, iterations, converged })
}

fn check<T: Feature>(samples: &[T], labels: &[u8], width: usize, options: SvmOptions) -> Result<()> {
    let SvmOptions { c, tolerance, max_iterations } = options;
    if !(c > 0.0 && c.is_finite() && tolerance > 0.0 && max_iterations > 0) {
        return argument(format!(
            "linearSvm: C, tolerance and maxIterations must be above 0, got {c}, {tolerance} and {max_iterations}"
        ));
    }
    if width == 0 || Some(samples.len()) != labels.len().checked_mul(width) {
        let (values, rows) = (samples.len(), labels.len());
        return argument(format!("linearSvm: {rows} labels need {rows} rows of {width} values, got {values} values"));
    }
    if let Some(at) = samples.iter().position(|value| !value.wide().is_finite()) {
        let value = samples[at].wide();
        return argument(format!("linearSvm: feature {} of row {} is {value}", at % width, at / width));
    }
    if let Some(label) = labels.iter().find(|&&label| label > 1) {
        return argument(format!("linearSvm: labels must be 0 or 1, got {label}"));
    }
    let ones = labels.iter().filter(|&&label| label == 1).count();
    if ones == 0 || ones == labels.len() {
        return argument(format!("linearSvm: both classes are needed, got {ones} ones of {} labels", labels.len()));
    }
    Ok(())
}

/// The dual problem: min over α ≥ 0 of ½ αᵀ(Q + I/2C)α − Σα, Qᵢⱼ = yᵢyⱼ x̃ᵢ·x̃ⱼ, x̃ = (x, 1); the weights are Σ yᵢαᵢx̃ᵢ.
struct Descent<'a, T> {
    samples: &'a [T],
    labels: &'a [u8],
    width: usize,
    /// 1 / 2C, the squared hinge's part of the diagonal.
    diagonal: f64,
    /// x̃ᵢ·x̃ᵢ + 1 / 2C.
    curvature: Vec<f64>,
    alpha: Vec<f64>,
    /// `[width + 1]`: the last one is the bias.
    weights: Vec<f64>,
}

impl<'a, T: Feature> Descent<'a, T> {
    fn new(samples: &'a [T], labels: &'a [u8], width: usize, c: f64) -> Self {
        let diagonal = 0.5 / c;
        let square = |row: &[T]| row.iter().map(|value| value.wide() * value.wide()).sum::<f64>();
        let curvature = samples.chunks_exact(width).map(|row| square(row) + 1.0 + diagonal).collect();
        let (alpha, weights) = (vec![0.0; labels.len()], vec![0.0; width + 1]);
        Self { samples, labels, width, diagonal, curvature, alpha, weights }
    }

    /// One pass over the active samples: the largest and the smallest projected gradient that it met. A sample whose α is 0
    /// and whose gradient is above `highest` is no longer active.
    fn pass(&mut self, active: &mut Vec<usize>, highest: f64) -> (f64, f64) {
        let (mut high, mut low) = (f64::NEG_INFINITY, f64::INFINITY);
        active.retain(|&i| {
            let row = &self.samples[i * self.width..][..self.width];
            let y = if self.labels[i] == 1 { 1.0 } else { -1.0 };
            let gradient = y * self.score(row) - 1.0 + self.diagonal * self.alpha[i];
            if self.alpha[i] == 0.0 && gradient > highest {
                return false;
            }
            // α cannot fall below 0.
            let projected = if self.alpha[i] == 0.0 { gradient.min(0.0) } else { gradient };
            high = high.max(projected);
            low = low.min(projected);
            // LIBLINEAR moves no α for less.
            if projected.abs() > 1e-12 {
                let before = self.alpha[i];
                self.alpha[i] = (before - gradient / self.curvature[i]).max(0.0);
                self.step(row, (self.alpha[i] - before) * y);
            }
            true
        });
        (high, low)
    }

    /// w·x + b.
    fn score(&self, row: &[T]) -> f64 {
        // Eight sums, so that additions need not wait for each other.
        let mut sums = [0.0; 8];
        let (weights, bias) = (&self.weights[..self.width], self.weights[self.width]);
        let (rows, left) = (row.chunks_exact(8), row.chunks_exact(8).remainder());
        let tail = &weights[self.width - left.len()..];
        for (weights, values) in weights.chunks_exact(8).zip(rows) {
            for lane in 0..8 {
                sums[lane] += weights[lane] * values[lane].wide();
            }
        }
        let rest: f64 = tail.iter().zip(left).map(|(weight, value)| weight * value.wide()).sum();
        sums.iter().sum::<f64>() + rest + bias
    }

    fn step(&mut self, row: &[T], step: f64) {
        self.weights.iter_mut().zip(row).for_each(|(weight, value)| *weight += step * value.wide());
        self.weights[self.width] += step;
    }
}
