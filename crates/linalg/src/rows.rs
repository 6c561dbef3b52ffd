//! Feature vectors as the callers hold them: one row each.

use faer::linalg::matmul::matmul;
use faer::{Accum, MatMut, MatRef};

use crate::Result;
use crate::error::argument;

/// f32 rows `[count, width]`, all finite.
#[derive(Clone, Copy)]
pub(crate) struct Rows<'a> {
    values: &'a [f32],
    width: usize,
}

impl<'a> Rows<'a> {
    /// # Errors
    ///
    /// `what` names the rows in the error: a length that is no multiple of `width`, or a value that is not finite.
    pub(crate) fn new(what: &str, values: &'a [f32], width: usize) -> Result<Self> {
        if width == 0 || !values.len().is_multiple_of(width) {
            let length = values.len();
            return argument(format!("{what}: rows of {width} values are expected, got {length} values"));
        }
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            let (row, column) = (at / width, at % width);
            return argument(format!("{what}: feature {column} of row {row} is {}; all must be finite", values[at]));
        }
        Ok(Self { values, width })
    }

    pub(crate) fn count(self) -> usize {
        self.values.len() / self.width
    }

    pub(crate) fn row(self, i: usize) -> &'a [f32] {
        &self.values[i * self.width..][..self.width]
    }

    /// The mean of all rows.
    pub(crate) fn mean(self) -> Vec<f64> {
        let mut mean = vec![0.0; self.width];
        for row in self.values.chunks_exact(self.width) {
            mean.iter_mut().zip(row).for_each(|(sum, &value)| *sum += f64::from(value));
        }
        let count = self.count() as f64;
        mean.iter_mut().for_each(|sum| *sum /= count);
        mean
    }

    /// Some rows in f64 less `shift`, one a **column** of the result: `[width, rows]`.
    pub(crate) fn columns(self, rows: impl ExactSizeIterator<Item = usize>, shift: &[f64]) -> Columns {
        let count = rows.len();
        let mut values = Vec::with_capacity(count * self.width);
        for i in rows {
            values.extend(self.row(i).iter().zip(shift).map(|(&value, &shift)| f64::from(value) - shift));
        }
        Columns { values, width: self.width, count }
    }
}

/// Feature vectors in f64, one a column.
pub(crate) struct Columns {
    values: Vec<f64>,
    width: usize,
    count: usize,
}

impl Columns {
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    fn matrix(&self) -> MatRef<'_, f64> {
        MatRef::from_column_major_slice(&self.values, self.width, self.count)
    }

    /// |x|² of each.
    pub(crate) fn squares(&self) -> Vec<f64> {
        self.values.chunks_exact(self.width).map(|x| x.iter().map(|v| v * v).sum()).collect()
    }

    /// x·y of each pair: for each row of `other` one with each row of `self`.
    pub(crate) fn products(&self, other: &Self, out: &mut Vec<f64>) {
        out.resize(self.count * other.count, 0.0);
        matmul(
            MatMut::from_column_major_slice_mut(out, self.count, other.count),
            Accum::Replace,
            self.matrix().transpose(),
            other.matrix(),
            1.0,
            faer::get_global_parallelism(),
        );
    }
}
