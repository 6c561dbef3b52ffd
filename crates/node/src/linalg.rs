//! The mathematics of the metrics, on worker threads. Arrays are not copied: they must not change until the promise is kept.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use napi::bindgen_prelude::{AsyncTask, Float32Array, Float64Array, ToNapiValue, TypeName, Uint8Array};
use napi_derive::napi;
use stylegan_linalg as linalg;
use stylegan_tensor::Position;

use crate::error::{Result, invalid};
use crate::task::Work;

fn background<T>(work: impl FnOnce() -> linalg::Result<T> + Send + 'static) -> AsyncTask<Work<T>>
where
    T: Send + ToNapiValue + TypeName + 'static,
{
    Work::start(|| work().map_err(|error| napi::Error::from_reason(format!("ERR_RANGE: {error}"))))
}

fn refused(error: linalg::Error) -> napi::Error<&'static str> {
    napi::Error::new("ERR_RANGE", error.to_string())
}

fn lock<T>(shared: &Mutex<T>) -> MutexGuard<'_, T> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Philox at (stream, block) of a seed.
fn philox(seed: f64) -> impl Fn(u64, u64) -> [u32; 4] + Send + Sync {
    move |stream, block| Position { seed: seed as u64, stream, offset: 0 }.block(block)
}

/// Mean and covariance of features as they arrive.
#[napi]
pub struct NativeFeatureStatistics(Arc<Mutex<linalg::FeatureStatistics>>);

#[napi]
impl NativeFeatureStatistics {
    #[napi(factory, catch_unwind)]
    pub fn create(width: u32) -> Result<Self> {
        let statistics = linalg::FeatureStatistics::new(width as usize);
        statistics.map(|statistics| Self(Arc::new(Mutex::new(statistics)))).map_err(refused)
    }

    #[napi(factory, catch_unwind)]
    pub fn restore(bytes: &[u8]) -> Result<Self> {
        let statistics = linalg::FeatureStatistics::restore(bytes);
        statistics.map(|statistics| Self(Arc::new(Mutex::new(statistics)))).map_err(refused)
    }

    #[napi(getter, catch_unwind)]
    pub fn count(&self) -> f64 {
        lock(&self.0).count() as f64
    }

    #[napi(ts_return_type = "Promise<void>", catch_unwind)]
    pub fn add(&self, rows: Float32Array) -> AsyncTask<Work<()>> {
        let statistics = Arc::clone(&self.0);
        background(move || lock(&statistics).add(&rows))
    }

    #[napi(catch_unwind)]
    pub fn mean(&self) -> Result<Float64Array> {
        lock(&self.0).mean().map(Float64Array::new).map_err(refused)
    }

    #[napi(catch_unwind)]
    pub fn covariance(&self, rule: String) -> Result<Float64Array> {
        let rule = match rule.as_str() {
            "N-1" => linalg::CovarianceRule::NMinusOne,
            "N" => linalg::CovarianceRule::N,
            _ => {
                return Err(invalid(format!("covariance: the rule must be N-1 or N, got '{rule}'")));
            }
        };
        lock(&self.0).covariance(rule).map(Float64Array::new).map_err(refused)
    }

    #[napi(catch_unwind)]
    pub fn save(&self) -> Uint8Array {
        Uint8Array::new(lock(&self.0).save())
    }
}

#[napi(ts_return_type = "Promise<number>", catch_unwind)]
pub fn frechet_distance(
    mean: Float64Array,
    covariance: Float64Array,
    other_mean: Float64Array,
    other_covariance: Float64Array,
) -> AsyncTask<Work<f64>> {
    background(move || {
        let a = linalg::Gaussian { mean: &mean, covariance: &covariance };
        linalg::frechet_distance(a, linalg::Gaussian { mean: &other_mean, covariance: &other_covariance })
    })
}

/// KID and its deviation over the subsets.
#[napi(object)]
pub struct NativeKernelDistance {
    pub mean: f64,
    pub deviation: f64,
}

#[napi(ts_return_type = "Promise<NativeKernelDistance>", catch_unwind)]
pub fn kernel_distance(
    x: Float32Array,
    y: Float32Array,
    width: u32,
    subsets: u32,
    size: u32,
    seed: f64,
) -> AsyncTask<Work<NativeKernelDistance>> {
    background(move || {
        let words = philox(seed);
        let random = linalg::Random::new(&words);
        let found = linalg::kernel_distance(&x, &y, width as usize, subsets as usize, size as usize, random)?;
        Ok(NativeKernelDistance { mean: found.mean, deviation: found.deviation })
    })
}

/// How two sets of features cover each other.
#[napi(object)]
pub struct NativeNeighbourhoods {
    pub precision: f64,
    pub recall: f64,
    pub density: f64,
    pub coverage: f64,
}

#[napi(ts_return_type = "Promise<NativeNeighbourhoods>", catch_unwind)]
pub fn neighbourhoods(
    real: Float32Array,
    fake: Float32Array,
    width: u32,
    k: u32,
    density_k: u32,
) -> AsyncTask<Work<NativeNeighbourhoods>> {
    background(move || {
        let found = linalg::neighbourhoods(&real, &fake, width as usize, k as usize, density_k as usize)?;
        let linalg::Neighbourhoods { precision, recall, density, coverage } = found;
        Ok(NativeNeighbourhoods { precision, recall, density, coverage })
    })
}

/// What a support vector machine is trained with.
#[napi(object)]
pub struct NativeSvmOptions {
    pub c: f64,
    pub tolerance: f64,
    pub max_iterations: u32,
    pub seed: f64,
}

/// A plane between two classes.
#[napi(object)]
pub struct NativeLinearSvm {
    pub weights: Float64Array,
    pub bias: f64,
    pub iterations: u32,
    pub converged: bool,
}

fn svm<T: linalg::Feature>(
    samples: &[T],
    labels: &[u8],
    width: u32,
    options: &NativeSvmOptions,
) -> linalg::Result<NativeLinearSvm> {
    let words = philox(options.seed);
    let given = linalg::SvmOptions {
        c: options.c,
        tolerance: options.tolerance,
        max_iterations: options.max_iterations as usize,
    };
    let found = linalg::linear_svm(samples, labels, width as usize, given, linalg::Random::new(&words))?;
    Ok(NativeLinearSvm {
        weights: Float64Array::new(found.weights),
        bias: found.bias,
        iterations: found.iterations as u32,
        converged: found.converged,
    })
}

#[napi(ts_return_type = "Promise<NativeLinearSvm>", catch_unwind)]
pub fn linear_svm_f32(
    samples: Float32Array,
    labels: Uint8Array,
    width: u32,
    options: NativeSvmOptions,
) -> AsyncTask<Work<NativeLinearSvm>> {
    background(move || svm(&samples, &labels, width, &options))
}

#[napi(ts_return_type = "Promise<NativeLinearSvm>", catch_unwind)]
pub fn linear_svm_f64(
    samples: Float64Array,
    labels: Uint8Array,
    width: u32,
    options: NativeSvmOptions,
) -> AsyncTask<Work<NativeLinearSvm>> {
    background(move || svm(&samples, &labels, width, &options))
}

/// Descriptors of a set of images for the sliced Wasserstein distance.
#[napi]
pub struct NativeDescriptors(Arc<Mutex<linalg::Descriptors>>);

#[napi]
impl NativeDescriptors {
    #[napi(factory, catch_unwind)]
    pub fn create(set: String, side: u32, channels: u32, seed: f64) -> Result<Self> {
        let set = match set.as_str() {
            "reals" => linalg::SetOfImages::Reals,
            "fakes" => linalg::SetOfImages::Fakes,
            _ => {
                return Err(invalid(format!("SwdDescriptors: the set must be reals or fakes, got '{set}'")));
            }
        };
        let descriptors = linalg::Descriptors::new(set, side as usize, channels as usize, Box::new(philox(seed)));
        descriptors.map(|descriptors| Self(Arc::new(Mutex::new(descriptors)))).map_err(refused)
    }

    #[napi(getter, catch_unwind)]
    pub fn sides(&self) -> Vec<u32> {
        lock(&self.0).sides().iter().map(|&side| side as u32).collect()
    }

    #[napi(ts_return_type = "Promise<void>", catch_unwind)]
    pub fn add(&self, images: Uint8Array) -> AsyncTask<Work<()>> {
        let descriptors = Arc::clone(&self.0);
        background(move || lock(&descriptors).add(&images))
    }
}

/// One distance a level.
#[napi(ts_return_type = "Promise<Float64Array>", catch_unwind)]
pub fn sliced_wasserstein(
    reals: &NativeDescriptors,
    fakes: &NativeDescriptors,
    seed: f64,
) -> Result<AsyncTask<Work<Float64Array>>> {
    if Arc::ptr_eq(&reals.0, &fakes.0) {
        return Err(invalid("swd: two sets of descriptors are expected, got the same one twice"));
    }
    let (reals, fakes) = (Arc::clone(&reals.0), Arc::clone(&fakes.0));
    Ok(background(move || {
        let words = philox(seed);
        let levels = linalg::sliced_wasserstein(&lock(&reals), &lock(&fakes), linalg::Random::new(&words))?;
        Ok(Float64Array::new(levels))
    }))
}

#[napi(ts_return_type = "Promise<Float64Array>", catch_unwind)]
pub fn ms_ssim(a: Uint8Array, b: Uint8Array, height: u32, width: u32, channels: u32) -> AsyncTask<Work<Float64Array>> {
    background(move || {
        let found = linalg::ms_ssim(&a, &b, height as usize, width as usize, channels as usize)?;
        Ok(Float64Array::new(found))
    })
}
