//! Mean and covariance of feature vectors as they arrive.

use std::mem::size_of;

use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::{Accum, Mat, MatRef};

use crate::error::{argument, room};
use crate::rows::Rows;
use crate::{Error, Result};

/// Rows that are merged at a time: products of this many rows run at the speed of the machine, and the bits of the result
/// do not depend on how the rows were handed over.
const BLOCK: usize = 512;

const MAGIC: &[u8; 8] = b"sgstats1";

/// What the sum of products is divided by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CovarianceRule {
    /// N − 1: NumPy's `cov`, the official StyleGAN, pytorch-fid, clean-fid.
    NMinusOne,
    /// N: stylegan2-ada-pytorch, stylegan3.
    N,
}

/// Mean and covariance of rows, in f64 and in memory of O(width²), in one pass.
///
/// Blocks are centred on their own mean and merged (Chan, Golub, LeVeque, "Updating formulae and a pairwise algorithm for
/// computing sample variances", 1979), so that means that are large beside the deviations do not cancel.
pub struct FeatureStatistics {
    width: usize,
    /// Rows in `mean` and `scatter`, a multiple of `BLOCK`.
    merged: usize,
    mean: Vec<f64>,
    /// Σ (x − mean)(x − mean)ᵀ, lower half.
    scatter: Mat<f64>,
    /// Rows that do not fill a block yet.
    pending: Vec<f32>,
}

impl FeatureStatistics {
    /// # Errors
    ///
    /// A width of 0.
    pub fn new(width: usize) -> Result<Self> {
        if width == 0 {
            return argument("FeatureStatistics: the width must be at least 1");
        }
        room("FeatureStatistics", width.checked_mul(width))?;
        Ok(Self { width, merged: 0, mean: vec![0.0; width], scatter: Mat::zeros(width, width), pending: Vec::new() })
    }

    /// Rows so far.
    pub fn count(&self) -> usize {
        self.merged + self.pending.len() / self.width
    }

    /// Adds rows `[N, width]`.
    ///
    /// # Errors
    ///
    /// A length that is no multiple of the width, or a value that is not finite; nothing is added then.
    pub fn add(&mut self, rows: &[f32]) -> Result<()> {
        Rows::new("features", rows, self.width)?;
        let block = BLOCK * self.width;
        let mut rest = rows;
        while self.pending.len() + rest.len() >= block {
            let (now, later) = rest.split_at(block - self.pending.len());
            self.pending.extend_from_slice(now);
            rest = later;
            let full = std::mem::take(&mut self.pending);
            merge(&mut self.mean, &mut self.scatter, self.merged, &full);
            self.merged += BLOCK;
        }
        self.pending.extend_from_slice(rest);
        Ok(())
    }

    /// The mean of all rows, `[width]`.
    ///
    /// # Errors
    ///
    /// No rows.
    pub fn mean(&self) -> Result<Vec<f64>> {
        if self.count() == 0 {
            return argument("FeatureStatistics: the mean needs at least 1 row, got 0");
        }
        let mut mean = self.mean.clone();
        let (added, rows) = (self.pending.len() / self.width, &self.pending);
        if added > 0 {
            let block = Rows::new("features", rows, self.width)?.mean();
            let weight = added as f64 / self.count() as f64;
            mean.iter_mut().zip(block).for_each(|(mean, block)| *mean += (block - *mean) * weight);
        }
        Ok(mean)
    }

    /// The covariance of all rows, `[width, width]`.
    ///
    /// # Errors
    ///
    /// Fewer rows than the rule needs: 2, or 1.
    pub fn covariance(&self, rule: CovarianceRule) -> Result<Vec<f64>> {
        let (needed, less) = match rule {
            CovarianceRule::NMinusOne => (2, 1),
            CovarianceRule::N => (1, 0),
        };
        let count = self.count();
        if count < needed {
            return argument(format!("FeatureStatistics: the covariance needs at least {needed} rows, got {count}"));
        }
        let (mut mean, mut scatter) = (self.mean.clone(), self.scatter.clone());
        if !self.pending.is_empty() {
            merge(&mut mean, &mut scatter, self.merged, &self.pending);
        }
        let scale = 1.0 / (count - less) as f64;
        let mut covariance = vec![0.0; self.width * self.width];
        for column in 0..self.width {
            for row in column..self.width {
                let value = scatter[(row, column)] * scale;
                covariance[row * self.width + column] = value;
                covariance[column * self.width + row] = value;
            }
        }
        Ok(covariance)
    }

    /// Everything that [`Self::restore`] needs to go on to the same bits.
    pub fn save(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        for size in [self.width, self.merged, self.pending.len()] {
            bytes.extend((size as u64).to_le_bytes());
        }
        bytes.extend(self.mean.iter().flat_map(|value| value.to_le_bytes()));
        for column in 0..self.width {
            let lower = &self.scatter.col_as_slice(column)[column..];
            bytes.extend(lower.iter().flat_map(|value| value.to_le_bytes()));
        }
        bytes.extend(self.pending.iter().flat_map(|value| value.to_le_bytes()));
        bytes
    }

    /// # Errors
    ///
    /// Bytes that [`Self::save`] did not write.
    pub fn restore(bytes: &[u8]) -> Result<Self> {
        let wrong = || Error::Argument("FeatureStatistics: these are not the bytes of saved statistics".into());
        let rest = bytes.strip_prefix(MAGIC).ok_or_else(wrong)?;
        let (head, rest) = rest.split_at_checked(24).ok_or_else(wrong)?;
        let sizes: Vec<usize> = words(head, |word| u64::from_le_bytes(word) as usize);
        let [width, merged, pending] = sizes[..] else {
            return Err(wrong());
        };
        let lower = width.checked_add(1).and_then(|next| width.checked_mul(next)).ok_or_else(wrong)? / 2;
        let doubles =
            lower.checked_add(width).and_then(|count| count.checked_mul(size_of::<f64>())).ok_or_else(wrong)?;
        let singles = pending.checked_mul(size_of::<f32>()).ok_or_else(wrong)?;
        let sound = width > 0 && merged % BLOCK == 0 && pending % width == 0 && pending / width < BLOCK;
        if !sound || doubles.checked_add(singles) != Some(rest.len()) {
            return Err(wrong());
        }
        let (doubles, singles) = rest.split_at(doubles);
        let values: Vec<f64> = words(doubles, f64::from_le_bytes);
        let (mean, mut lower) = (values[..width].to_vec(), values[width..].iter());
        let mut scatter = Mat::zeros(width, width);
        for column in 0..width {
            let targets = &mut scatter.col_as_slice_mut(column)[column..];
            targets.iter_mut().zip(&mut lower).for_each(|(target, &value)| *target = value);
        }
        Ok(Self { width, merged, mean, scatter, pending: words(singles, f32::from_le_bytes) })
    }
}

fn words<T, const N: usize>(bytes: &[u8], read: fn([u8; N]) -> T) -> Vec<T> {
    bytes.chunks_exact(N).map(|word| read(word.try_into().expect("chunks of N"))).collect()
}

/// Adds a block of rows to statistics of `count` rows.
fn merge(mean: &mut [f64], scatter: &mut Mat<f64>, count: usize, rows: &[f32]) {
    let width = mean.len();
    let added = rows.len() / width;
    let mut block_mean = vec![0.0; width];
    for row in rows.chunks_exact(width) {
        block_mean.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
    }
    block_mean.iter_mut().for_each(|sum| *sum /= added as f64);
    // One column a row, less the block's mean, and one for what lies between the two means.
    let mut columns = Vec::with_capacity((added + 1) * width);
    for row in rows.chunks_exact(width) {
        columns.extend(row.iter().zip(&block_mean).map(|(&value, mean)| f64::from(value) - mean));
    }
    let total = (count + added) as f64;
    let weight = (count as f64 * added as f64 / total).sqrt();
    columns.extend(mean.iter().zip(&block_mean).map(|(mean, block)| weight * (block - mean)));
    let columns = MatRef::from_column_major_slice(&columns, width, added + 1);
    triangular::matmul(
        scatter.as_mut(),
        BlockStructure::TriangularLower,
        Accum::Add,
        columns,
        BlockStructure::Rectangular,
        columns.transpose(),
        BlockStructure::Rectangular,
        1.0,
        faer::get_global_parallelism(),
    );
    mean.iter_mut().zip(&block_mean).for_each(|(mean, block)| *mean += (block - *mean) * (added as f64 / total));
}
