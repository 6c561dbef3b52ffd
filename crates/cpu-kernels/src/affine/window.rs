//! The upsampled image: what its samples are sums of, and the part that a tile looks up.

/// Channels that are computed together.
pub(super) const LANES: usize = 4;

pub(super) type Pixel = [f32; LANES];

/// The samples of one axis of the upsampled image: sample t is the sum of the pixels `t / up − k` with the taps of its phase, `t % up`.
pub(super) struct Axis {
    pub up: isize,
    /// Pixels that a sample is a sum of.
    pub count: usize,
    /// Of each phase, those of k from `count` − 1 down to 0.
    pub phases: Vec<Vec<f32>>,
    pub size: isize,
    pub reflect: bool,
}

impl Axis {
    /// First and last pixel of the image with its reflections.
    pub fn ends(&self) -> (isize, isize) {
        let reach = if self.reflect { self.size - 1 } else { 0 };
        (-reach, self.size - 1 + reach)
    }

    /// The pixel of x at a place of the reflected image.
    #[inline(always)]
    pub fn pixel(&self, at: isize) -> Option<usize> {
        let (first, last) = self.ends();
        if at < first || at > last {
            return None;
        }
        let from_first = at.abs();
        let folded = if from_first < self.size { from_first } else { 2 * (self.size - 1) - from_first };
        Some(folded as usize)
    }
}

/// The samples that a tile looks up, all phases of some pixels; beyond each end of the image there is at least one zero.
pub(super) struct Window {
    pub first: [isize; 2],
    pub size: [usize; 2],
}

impl Window {
    pub fn len(&self) -> usize {
        self.size[0] * self.size[1]
    }

    /// The first pixel that samples of an axis are sums of, and how many there are.
    pub fn pixels(&self, at: usize, axis: &Axis) -> (isize, usize) {
        let count = self.size[at] / axis.up as usize + axis.count - 1;
        (self.first[at] / axis.up - (axis.count as isize - 1), count)
    }

    /// The upper left of the four samples around a place, and the weights of the lower and the right ones.
    #[inline(always)]
    pub fn corner(&self, [r, s]: [f32; 2]) -> Option<(usize, f32, f32)> {
        let [rows, columns] = self.size;
        let is_inside = r >= 0.0 && s >= 0.0 && r < (rows - 1) as f32 && s < (columns - 1) as f32;
        if !is_inside {
            return None;
        }
        // SAFETY: both are at least 0 and less than a number of samples.
        let (row, column) = unsafe { (r.to_int_unchecked::<i32>(), s.to_int_unchecked::<i32>()) };
        Some((row as usize * columns + column as usize, r - row as f32, s - column as f32))
    }
}
