//! The mathematics of the metrics, in f64: feature statistics and the Fréchet distance, the kernel distance, neighbourhoods
//! of feature vectors, linear support vector machines, and the two that need no features: sliced Wasserstein distance and
//! MS-SSIM.
//!
//! Feature vectors are rows of f32, `[N, width]`. Everything here is synchronous: callers run it on worker threads.

#![deny(missing_docs)]

mod descriptors;
mod error;
mod frechet;
mod kernel_distance;
mod ms_ssim;
mod neighbourhoods;
mod pyramid;
mod random;
mod rows;
mod sliced_wasserstein;
mod statistics;
mod svm;

pub use descriptors::{Descriptors, SetOfImages};
pub use error::{Error, Result};
pub use frechet::{Gaussian, frechet_distance};
pub use kernel_distance::{KernelDistance, kernel_distance};
pub use ms_ssim::ms_ssim;
pub use neighbourhoods::{Neighbourhoods, neighbourhoods};
pub use pyramid::{laplacian_pyramid, pyramid_sides};
pub use random::Random;
pub use sliced_wasserstein::sliced_wasserstein;
pub use statistics::{CovarianceRule, FeatureStatistics};
pub use svm::{Feature, LinearSvm, SvmOptions, linear_svm};
