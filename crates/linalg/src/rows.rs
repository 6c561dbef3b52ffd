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

    pub(crate) fn width(self) -> usize {
        self.width
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

/// Partial sums that [`squared_distance`] keeps side by side, so that the compiler makes vectors of them.
const LANES: usize = 8;

/// |x − y|², as if it were summed in twice f64's digits and then rounded: distances that are equal stay equal whatever the
/// order of their summands, which those of [`Columns::products`] do not.
pub(crate) fn squared_distance(x: &[f32], y: &[f32]) -> f64 {
    let mut sums = [0.0; LANES];
    let mut lost = [0.0; LANES];
    let mut add = |lane: usize, x: f32, y: f32| {
        let square = (f64::from(x) - f64::from(y)).powi(2);
        (sums[lane], lost[lane]) = two_sum(sums[lane], lost[lane], square);
    };
    let (heads, tails) = (x.chunks_exact(LANES), y.chunks_exact(LANES));
    for (lane, (&x, &y)) in heads.remainder().iter().zip(tails.remainder()).enumerate() {
        add(lane, x, y);
    }
    for (x, y) in heads.zip(tails) {
        for lane in 0..LANES {
            add(lane, x[lane], y[lane]);
        }
    }
    let (sum, rest) = sums.iter().fold((0.0, lost.iter().sum()), |(sum, lost), &term| two_sum(sum, lost, term));
    sum + rest
}

/// `sum + term` rounded, and `lost` with what the rounding lost (Knuth).
#[inline(always)]
fn two_sum(sum: f64, lost: f64, term: f64) -> (f64, f64) {
    let next = sum + term;
    let seen = next - sum;
    (next, lost + ((sum - (next - seen)) + (term - seen)))
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
