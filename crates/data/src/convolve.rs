//! Resizing in two passes, columns before rows: weights of 16 bits, and 8 bits between the passes.
//!
//! The bits are those of `fast_image_resize`, which prepared data sets began with (tested). It computes the weights of
//! every image again, wants pixels of four channels, and makes a copy of each pass; this takes a third of its time.

use std::cell::RefCell;
use std::ops::Range;
use std::rc::Rc;

use crate::pillow::{boxed, lanczos};
use crate::weigh::{Sums, TILE, turned, weigh};

/// A kernel, and how far from its centre it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kernel {
    Box,
    Lanczos3,
}

/// Pixels of bytes in rows, of which a part is taken.
pub(crate) struct Source<'a> {
    /// From the part's first byte on.
    pub bytes: &'a [u8],
    /// Bytes from a row to the next one.
    pub stride: usize,
    pub width: usize,
    pub height: usize,
    pub channels: usize,
}

/// New rows that are made together: what lies between the passes stays in the processor's cache.
const BAND: usize = 64;
/// Columns that are weighed one below the other before the next ones.
const STRIP: usize = 256;

/// The part in `width` x `height` pixels.
pub(crate) fn resize(from: &Source, (width, height): (usize, usize), kernel: Kernel) -> Vec<u8> {
    let (old, new) = (from.width * from.channels, width * from.channels);
    let down = (from.height != height).then(|| Weights::cached(from.height, height, kernel));
    let across = (from.width != width).then(|| Weights::cached(from.width, width, kernel));
    let mut out = vec![0; height * new];
    let mut words = Vec::new();
    let mut strip = vec![0; BAND * old];
    let mut turned = vec![0; BAND * old];
    let mut narrow = vec![0; BAND * new];
    for (band, out) in out.chunks_mut(BAND * new).enumerate() {
        let (first, rows) = (band * BAND, out.len() / new);
        let strip = &mut strip[..rows * old];
        match &down {
            Some(weights) => vertical(from, weights, first, strip, &mut words),
            None => {
                for (row, to) in from.bytes.chunks(from.stride).skip(first).zip(strip.chunks_exact_mut(old)) {
                    to.copy_from_slice(&row[..old]);
                }
            }
        }
        let Some(weights) = &across else {
            out.copy_from_slice(strip);
            continue;
        };
        // Rows are weighed as columns are, once they are turned.
        let (turned, narrow) = (&mut turned[..rows * old], &mut narrow[..rows * new]);
        transpose(strip, old, turned);
        let stride = rows * from.channels;
        for channel in 0..from.channels {
            let bytes = &turned[channel * rows..];
            let sums = weights.sums(0..width, Rows { bytes, stride, rows: from.width, columns: rows });
            weigh(&sums, &mut narrow[channel * rows..], stride, &mut words);
        }
        transpose(narrow, rows, out);
    }
    out
}

/// New rows from number `first` on.
fn vertical(from: &Source, weights: &Weights, first: usize, strip: &mut [u8], words: &mut Vec<u8>) {
    let row = from.width * from.channels;
    let new = first..first + strip.len() / row;
    for left in (0..row).step_by(STRIP) {
        let columns = STRIP.min(row - left);
        let rows = Rows { bytes: &from.bytes[left..], stride: from.stride, rows: from.height, columns };
        weigh(&weights.sums(new.clone(), rows), &mut strip[left..], row, words);
    }
}

/// Rows of bytes.
struct Rows<'a> {
    bytes: &'a [u8],
    stride: usize,
    rows: usize,
    columns: usize,
}

/// What each new pixel takes of the old ones, in fixed point.
struct Weights {
    precision: u32,
    /// The first old pixel, an even one, and where its weights begin and end in `values`.
    parts: Vec<(usize, Range<usize>)>,
    values: Vec<[i16; 2]>,
}

/// Sizes whose weights a thread keeps.
const KEPT: usize = 4;
type Kept = Vec<((usize, usize, Kernel), Rc<Weights>)>;

thread_local! {
    static LAST: RefCell<Kept> = const { RefCell::new(Vec::new()) };
}

impl Weights {
    /// Images of a data set often have one size, and sines take as long as weighing.
    fn cached(from: usize, to: usize, kernel: Kernel) -> Rc<Weights> {
        let size = (from, to, kernel);
        LAST.with_borrow_mut(|last| {
            if let Some((_, weights)) = last.iter().find(|(known, _)| *known == size) {
                return Rc::clone(weights);
            }
            let weights = Rc::new(Weights::new(from, to, kernel));
            last.truncate(KEPT - 1);
            last.insert(0, (size, Rc::clone(&weights)));
            weights
        })
    }

    fn new(from: usize, to: usize, kernel: Kernel) -> Weights {
        let (kernel, support): (fn(f64) -> f64, f64) = match kernel {
            Kernel::Box => (boxed, 0.5),
            Kernel::Lanczos3 => (lanczos, 3.0),
        };
        let scale = from as f64 / to as f64;
        // Smaller images take a wider filter.
        let stretch = scale.max(1.0);
        let (support, shrink) = (support * stretch, 1.0 / stretch);
        let rows: Vec<(usize, Vec<f64>)> = (0..to)
            .map(|place| {
                let middle = (place as f64 + 0.5) * scale;
                let first = (middle - support).floor().max(0.0) as usize;
                let last = (middle + support).ceil().min(from as f64) as usize;
                let center = middle - 0.5;
                let values = (first..last).map(|x| kernel((x as f64 - center) * shrink));
                let zeros = values.clone().take_while(|&value| value == 0.0).count();
                let mut values: Vec<f64> = values.skip(zeros).collect();
                let sum: f64 = values.iter().sum();
                values.truncate(values.iter().rposition(|&value| value != 0.0).map_or(0, |last| last + 1));
                if sum != 0.0 {
                    values.iter_mut().for_each(|value| *value /= sum);
                }
                (first + zeros, values)
            })
            .collect();
        // As many bits as the largest weight leaves in 16.
        let largest = rows.iter().flat_map(|(_, values)| values).fold(0.0, |a: f64, &b| a.max(b));
        let too_large = |bits: &u32| (largest * f64::from(1 << (bits + 1))).round() >= f64::from(1 << 15);
        let precision = (0..22).find(too_large).unwrap_or(21);
        let mut weights = Weights { precision, parts: Vec::with_capacity(to), values: Vec::new() };
        for (first, values) in rows {
            let begin = weights.values.len();
            let fixed = values.iter().map(|value| (value * f64::from(1 << precision)).round() as i16);
            let padded: Vec<i16> = std::iter::repeat_n(0, first % 2).chain(fixed).collect();
            weights.values.extend(padded.chunks(2).map(|pair| [pair[0], pair.get(1).copied().unwrap_or(0)]));
            weights.parts.push((first & !1, begin..weights.values.len()));
        }
        weights
    }

    /// What makes the new rows `new` of old ones.
    fn sums<'a>(&'a self, new: Range<usize>, Rows { bytes, stride, rows, columns }: Rows<'a>) -> Sums<'a> {
        let (parts, weights, precision) = (&self.parts[new], &self.values, self.precision);
        Sums { bytes, stride, rows, columns, parts, weights, precision }
    }
}

/// Rows of `columns` bytes as columns.
fn transpose(from: &[u8], columns: usize, to: &mut [u8]) {
    let rows = from.len() / columns;
    for top in (0..rows).step_by(TILE) {
        for left in (0..columns).step_by(TILE) {
            if top + TILE <= rows && left + TILE <= columns {
                let mut tile = [[0; TILE]; TILE];
                for (y, row) in tile.iter_mut().enumerate() {
                    row.copy_from_slice(&from[(top + y) * columns + left..][..TILE]);
                }
                for (x, row) in turned(tile).iter().enumerate() {
                    to[(left + x) * rows + top..][..TILE].copy_from_slice(row);
                }
                continue;
            }
            for y in top..rows.min(top + TILE) {
                for x in left..columns.min(left + TILE) {
                    to[x * rows + y] = from[y * columns + x];
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_become_columns() {
        for (rows, columns) in [(1, 1), (16, 16), (17, 33), (64, 48), (5, 40)] {
            let from: Vec<u8> = (0..rows * columns).map(|i| (i * 7 % 251) as u8).collect();
            let mut to = vec![0; from.len()];
            transpose(&from, columns, &mut to);
            for (i, &byte) in from.iter().enumerate() {
                assert_eq!(to[i % columns * rows + i / columns], byte, "{rows}x{columns} at {i}");
            }
        }
    }
}
