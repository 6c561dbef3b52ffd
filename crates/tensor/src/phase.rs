//! The phases of a strided convolution's adjoint.

/// What makes every stride-th row (or column) of x in `conv2d_transpose`, from one on: a correlation of stride 1 with y whose
/// taps are some of the kernel's, in their reversed order. Row p of x is met by the taps r, r + s, r + 2s … with
/// `r = (p + padding) mod s`, the last of them at the first row of y.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Phase {
    /// How many taps.
    pub taps: usize,
    /// The last of them among the kernel's rows, which comes first; the others are a stride before one another.
    pub last: isize,
    /// Zeros before the first row of y; negative crops.
    pub before: isize,
}

impl Phase {
    /// The phase of the rows `first`, `first + stride` … of an image with `padding` rows of zeros above, for kernels of k rows.
    pub fn new(stride: usize, first: usize, padding: usize, k: usize) -> Self {
        let (tap, shift) = ((first + padding) % stride, (first + padding) / stride);
        let taps = k.saturating_sub(tap).div_ceil(stride);
        let behind = taps.cast_signed() - 1;
        Self { taps, last: tap.cast_signed() + behind * stride.cast_signed(), before: behind - shift.cast_signed() }
    }
}

#[cfg(test)]
mod tests {
    use super::Phase;

    #[test]
    fn the_phases_of_a_kernel_share_its_taps() {
        assert_eq!(Phase::new(1, 0, 1, 3), Phase { taps: 3, last: 2, before: 1 });
        assert_eq!(Phase::new(2, 0, 1, 4), Phase { taps: 2, last: 3, before: 1 });
        assert_eq!(Phase::new(2, 1, 1, 4), Phase { taps: 2, last: 2, before: 0 });
    }

    #[test]
    fn a_phase_may_have_no_tap() {
        assert_eq!(Phase::new(2, 1, 0, 1), Phase { taps: 0, last: -1, before: -1 });
    }
}
