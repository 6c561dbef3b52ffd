//! Neighbourhoods of pixels out of the Laplacian pyramids of a set of images.

use rayon::prelude::*;

use crate::Result;
use crate::error::argument;
use crate::pyramid::{laplacian_pyramid, pyramid_sides};
use crate::random::Random;

/// A neighbourhood is 7 x 7 pixels (Progressive GAN, Section 5).
const SIDE: usize = 7;
/// Neighbourhoods of each level of each image (Progressive GAN, Section 5).
const PER_IMAGE: usize = 128;

/// Random words of the places.
type Words = dyn Fn(u64, u64) -> [u32; 4] + Send + Sync;

/// Which of the two compared sets: its neighbourhoods lie at places of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SetOfImages {
    /// Images of the data set.
    Reals,
    /// Images of the generator.
    Fakes,
}

/// The descriptors of a set of images, level by level: 128 neighbourhoods of 7 x 7 pixels an image at random places.
///
/// A level keeps its images or its descriptors, whichever are smaller: at most 25,088 · C bytes an image and level, 12 kB · C
/// at 32 x 32 with the level below.
pub struct Descriptors {
    words: Box<Words>,
    set: SetOfImages,
    channels: usize,
    sides: Vec<usize>,
    /// For each level, for each image: its pixels, or its descriptors.
    levels: Vec<Vec<Box<[f32]>>>,
}

impl Descriptors {
    /// An empty set; `words` give the places, as [`Random`] takes them.
    ///
    /// # Errors
    ///
    /// A side that is not 16 · 2ⁿ, no channels.
    pub fn new(set: SetOfImages, side: usize, channels: usize, words: Box<Words>) -> Result<Self> {
        let sides = pyramid_sides(side)?;
        let size = side.checked_mul(side).and_then(|pixels| pixels.checked_mul(channels));
        if size.is_none_or(|size| size == 0) {
            return argument(format!(
                "sliced Wasserstein distance: images need at least 1 channel and fit into memory, got {side} x {side} x {channels}"
            ));
        }
        let levels = vec![Vec::new(); sides.len()];
        Ok(Self { words, set, channels, sides, levels })
    }

    /// Adds images `[N, side, side, channels]`.
    ///
    /// # Errors
    ///
    /// A length that is no whole number of images.
    pub fn add(&mut self, images: &[u8]) -> Result<()> {
        let (side, channels) = (self.sides[0], self.channels);
        let size = side * side * channels;
        if !images.len().is_multiple_of(size) {
            let length = images.len();
            return argument(format!(
                "sliced Wasserstein distance: images of {side} x {side} x {channels} bytes are expected, got {length} bytes"
            ));
        }
        let first = self.count();
        let kept = images.par_chunks_exact(size).enumerate().map(|(i, image)| {
            let pyramid = laplacian_pyramid(image, side, channels)?;
            Ok(pyramid.into_iter().enumerate().map(|(level, pixels)| self.keep(level, first + i, pixels)).collect())
        });
        let kept: Vec<Vec<Box<[f32]>>> = kept.collect::<Result<_>>()?;
        for image in kept {
            self.levels.iter_mut().zip(image).for_each(|(level, kept)| level.push(kept));
        }
        Ok(())
    }

    /// Images so far.
    pub fn count(&self) -> usize {
        self.levels[0].len()
    }

    /// Sides of the levels, largest first.
    pub fn sides(&self) -> &[usize] {
        &self.sides
    }

    /// Descriptors of a level.
    pub(crate) fn count_of_descriptors(&self) -> usize {
        self.count() * PER_IMAGE
    }

    /// Values of a descriptor.
    pub(crate) fn width(&self) -> usize {
        SIDE * SIDE * self.channels
    }

    fn keeps_images(&self, level: usize) -> bool {
        self.sides[level].pow(2) <= PER_IMAGE * SIDE * SIDE
    }

    fn keep(&self, level: usize, image: usize, pixels: Vec<f32>) -> Box<[f32]> {
        if self.keeps_images(level) {
            return pixels.into();
        }
        let mut kept = Vec::with_capacity(PER_IMAGE * self.width());
        for i in 0..PER_IMAGE {
            let corner = self.corner(level, image * PER_IMAGE + i);
            cut(&pixels, self.sides[level], self.channels, corner, &mut kept);
        }
        kept.into()
    }

    /// Upper left pixel of a descriptor: uniform among all neighbourhoods inside of the level.
    fn corner(&self, level: usize, descriptor: usize) -> (usize, usize) {
        let stream = (self.set as u64) << 32 | level as u64;
        let places = (self.sides[level] - SIDE + 1) as u64;
        Random::new(&*self.words).pair_below(stream, descriptor as u64, places, places)
    }

    /// Appends descriptor `i` of a level as it is, `[7, 7, channels]`.
    pub(crate) fn read(&self, level: usize, i: usize, out: &mut Vec<f32>) {
        let (image, width) = (&self.levels[level][i / PER_IMAGE], self.width());
        if self.keeps_images(level) {
            cut(image, self.sides[level], self.channels, self.corner(level, i), out);
        } else {
            out.extend_from_slice(&image[i % PER_IMAGE * width..][..width]);
        }
    }

    /// Mean and standard deviation of each channel over all descriptors of a level.
    pub(crate) fn moments(&self, level: usize) -> Vec<(f64, f64)> {
        let channels = self.channels;
        let sums = |of: &(dyn Fn(usize, f64) -> f64 + Sync)| -> Vec<f64> {
            // One sum an image, added in order: the same bits on any number of threads.
            let images: Vec<Vec<f64>> = (0..self.count())
                .into_par_iter()
                .map(|image| {
                    let mut values = Vec::with_capacity(PER_IMAGE * self.width());
                    (0..PER_IMAGE).for_each(|i| self.read(level, image * PER_IMAGE + i, &mut values));
                    let mut sums = vec![0.0; channels];
                    for pixel in values.chunks_exact(channels) {
                        (0..channels).for_each(|c| sums[c] += of(c, f64::from(pixel[c])));
                    }
                    sums
                })
                .collect();
            let mut total = vec![0.0; channels];
            images.iter().for_each(|image| (0..channels).for_each(|c| total[c] += image[c]));
            let count = (self.count_of_descriptors() * SIDE * SIDE) as f64;
            total.iter().map(|sum| sum / count).collect()
        };
        let means = sums(&|_, value| value);
        let variances = sums(&|c, value| (value - means[c]).powi(2));
        means.iter().zip(variances).map(|(&mean, variance)| (mean, variance.sqrt())).collect()
    }
}

/// Appends the 7 x 7 pixels at `corner`.
fn cut(pixels: &[f32], side: usize, channels: usize, corner: (usize, usize), out: &mut Vec<f32>) {
    let (top, left) = corner;
    for y in top..top + SIDE {
        out.extend_from_slice(&pixels[(y * side + left) * channels..][..SIDE * channels]);
    }
}
