//! Operands of products.

/// A matrix inside a slice: element (i, j) is `data[i · step[0] + j · step[1]]`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub data: &'a [f32],
    pub step: [usize; 2],
}

impl<'a> Matrix<'a> {
    /// A matrix stored row by row, `pitch` elements apart.
    pub fn rows(data: &'a [f32], pitch: usize) -> Self {
        Self { data, step: [pitch, 1] }
    }

    /// The same elements with rows and columns exchanged.
    pub fn transposed(self) -> Self {
        Self { data: self.data, step: [self.step[1], self.step[0]] }
    }

    /// The matrix that begins at element (i, j).
    pub fn from(self, i: usize, j: usize) -> Self {
        Self { data: &self.data[i * self.step[0] + j * self.step[1]..], step: self.step }
    }

    pub(crate) fn assert_holds(&self, rows: usize, columns: usize) {
        let last = (rows - 1) * self.step[0] + (columns - 1) * self.step[1];
        assert!(
            last < self.data.len(),
            "a {rows}x{columns} matrix with steps {:?} needs {} elements, the slice has {}",
            self.step,
            last + 1,
            self.data.len()
        );
    }
}
