//! The Fréchet distance of two normal distributions.

use faer::linalg::matmul::matmul;
use faer::{Accum, Mat, MatRef, Side};

use crate::error::argument;
use crate::{Error, Result};

/// A normal distribution: mean `[d]`, covariance `[d, d]`, symmetric.
#[derive(Clone, Copy)]
pub struct Gaussian<'a> {
    /// The mean.
    pub mean: &'a [f64],
    /// The covariance; its lower half is read.
    pub covariance: &'a [f64],
}

impl Gaussian<'_> {
    fn check(&self, which: &str) -> Result<()> {
        let (d, length) = (self.mean.len(), self.covariance.len());
        if d == 0 || length != d * d {
            let expected = "a mean of d and a covariance of d x d values, d at least 1".to_string();
            return argument(format!("frechetDistance: {which}: {expected}, are expected, got {d} and {length}"));
        }
        match self.mean.iter().chain(self.covariance).find(|value| !value.is_finite()) {
            Some(value) => argument(format!("frechetDistance: {which} holds {value}; all numbers must be finite")),
            None => Ok(()),
        }
    }

    /// F with F Fᵀ = Σ, from Σ = U Λ Uᵀ: F = U √Λ. Rounding makes zero eigenvalues negative; they are zero.
    fn root(&self, which: &str) -> Result<Mat<f64>> {
        let d = self.mean.len();
        let covariance = MatRef::from_row_major_slice(self.covariance, d, d);
        let eigen = covariance.self_adjoint_eigen(Side::Lower).map_err(|error| failed(which, &error))?;
        let mut root = eigen.U().to_owned();
        for (column, value) in root.col_iter_mut().zip(eigen.S().column_vector().iter()) {
            let scale = value.max(0.0).sqrt();
            column.iter_mut().for_each(|entry| *entry *= scale);
        }
        Ok(root)
    }
}

fn failed(which: &str, error: &impl std::fmt::Debug) -> Error {
    Error::Decomposition(format!("frechetDistance: the decomposition of {which} did not converge: {error:?}"))
}

/// |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½) (Dowson, Landau 1982; Heusel et al. 2017, Eq. 6).
///
/// With Σᵢ = FᵢFᵢᵀ, the trace of (Σ₁Σ₂)^½, that is of (√Σ₁ Σ₂ √Σ₁)^½, is the sum of the singular values of F₁ᵀF₂: real by
/// construction, also where covariances are singular, and without the square root's loss of half the digits near zero.
///
/// # Errors
///
/// Sizes that differ, numbers that are not finite, a decomposition that does not converge.
pub fn frechet_distance(a: Gaussian, b: Gaussian) -> Result<f64> {
    a.check("the first distribution")?;
    b.check("the second distribution")?;
    let d = a.mean.len();
    if b.mean.len() != d {
        return argument(format!("frechetDistance: features of one width are expected, got {d} and {}", b.mean.len()));
    }
    let (first, second) = (a.root("the first covariance")?, b.root("the second covariance")?);
    let mut product = Mat::zeros(d, d);
    let par = faer::get_global_parallelism();
    matmul(product.as_mut(), Accum::Replace, first.transpose(), second.as_ref(), 1.0, par);
    let values = product.singular_values().map_err(|error| failed("the product of the roots", &error))?;
    let between: f64 = a.mean.iter().zip(b.mean).map(|(x, y)| (x - y) * (x - y)).sum();
    let trace = |covariance: &[f64]| (0..d).map(|i| covariance[i * d + i]).sum::<f64>();
    Ok(between + trace(a.covariance) + trace(b.covariance) - 2.0 * values.iter().sum::<f64>())
}
