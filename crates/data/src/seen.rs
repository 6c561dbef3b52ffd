//! Which images are the same, or nearly.

use crc32c::crc32c;
use hashbrown::HashTable;

use crate::resample::thumbnail;
use crate::{Error, Image, Result};

/// Bits by which the hashes of nearly equal images may differ. Of two unrelated images as few differ once in 10^13; of
/// faces in one pose more often, so that their colours are compared too.
const NEAR_BITS: u32 = 4;
/// Levels by which their colours may differ: JPEG at a quality of 50 changes them by 2.
const NEAR_LEVELS: u8 = 10;
/// Sides of the image that is hashed, and of the colours that are kept of it.
const SIDE: usize = 32;
const BLOCKS: usize = 4;
/// Of hashes that differ in at most [`NEAR_BITS`] bits, one of so many parts is the same.
const BANDS: usize = NEAR_BITS as usize + 1;
/// Colours that are compared first, each from another part or of another kind, and the bits of them that make a cell.
const FIRST: [usize; 6] = [0, 3 * 3 + 1, 3 * 12 + 2, 3 * 15, 3 * 5 + 1, 3 * 10 + 2];
const CELL_BITS: u32 = 3;
const ROW_BYTES: usize = 20 + 3 * BLOCKS * BLOCKS;

/// What an image is known by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// CRC-32C of its file.
    checksum: u32,
    /// Bytes of its file.
    length: u32,
    /// Of the shapes that it shows: 64 bits, in bytes so that a row has no gaps.
    looks: [u8; 8],
    /// Means of 4x4 parts.
    colours: [u8; 3 * BLOCKS * BLOCKS],
}

impl Key {
    /// The key of an image whose file has these bytes.
    ///
    /// # Errors
    ///
    /// Those of resizing it.
    pub fn of(bytes: &[u8], image: &Image) -> Result<Key> {
        let small = thumbnail(image, SIDE)?;
        let (looks, colours) = (perceptual_hash(&small).to_le_bytes(), colours(&small));
        Ok(Key { checksum: crc32c(bytes), length: bytes.len() as u32, looks, colours })
    }

    /// What only the same file has.
    fn file(&self) -> (u32, u32, u64) {
        (self.checksum, self.length, self.looks())
    }

    fn looks(&self) -> u64 {
        u64::from_le_bytes(self.looks)
    }

    /// Where the table of checksums has it: the low bits and the topmost ones choose the place.
    fn checksum_hash(&self) -> u64 {
        u64::from(self.checksum).wrapping_mul(0x9e37_79b9_7f4a_7c15)
    }

    /// The cell of its first colours when each is changed by `by` of its place.
    fn cell(&self, by: impl Fn(usize) -> i16) -> usize {
        let bits = |place: usize| {
            (i16::from(self.colours[FIRST[place]]) + by(place)).clamp(0, 255) as usize >> (8 - CELL_BITS)
        };
        (0..FIRST.len()).fold(0, |cell, place| cell << CELL_BITS | bits(place))
    }

    /// The cells that near images may have.
    fn near_cells(&self) -> Vec<usize> {
        const NEAR: i16 = NEAR_LEVELS as i16;
        let changed = |mask: usize| self.cell(|place| if mask >> place & 1 == 1 { NEAR } else { -NEAR });
        let mut cells: Vec<usize> = (0..1 << FIRST.len()).map(changed).collect();
        cells.sort_unstable();
        cells.dedup();
        cells
    }

    fn is_near(&self, other: &Key) -> bool {
        let mut colours = self.colours.iter().zip(&other.colours);
        (self.looks() ^ other.looks()).count_ones() <= NEAR_BITS && colours.all(|(a, b)| a.abs_diff(*b) <= NEAR_LEVELS)
    }
}

/// The three colours of each pixel.
fn rgb(image: &Image) -> impl Iterator<Item = [u8; 3]> {
    image.pixels().chunks_exact(image.channels()).map(|pixel| match *pixel {
        [r, g, b, ..] => [r, g, b],
        _ => [pixel[0]; 3],
    })
}

fn colours(small: &Image) -> [u8; 3 * BLOCKS * BLOCKS] {
    const PART: usize = SIDE / BLOCKS;
    let mut sums = [0u32; 3 * BLOCKS * BLOCKS];
    for (i, pixel) in rgb(small).enumerate() {
        let block = i / SIDE / PART * BLOCKS + i % SIDE / PART;
        for (c, value) in pixel.into_iter().enumerate() {
            sums[3 * block + c] += u32::from(value);
        }
    }
    sums.map(|sum| (sum / (PART * PART) as u32) as u8)
}

/// 64 bits that stay nearly the same when an image is resized or compressed again: the signs of the low frequencies of
/// its luma in 32x32 pixels, around their median (pHash: C. Zauner, "Implementation and benchmarking of perceptual
/// image hash functions", 2010).
fn perceptual_hash(small: &Image) -> u64 {
    const LOW: usize = 8;
    let weighted = |[r, g, b]: [u8; 3]| 0.299 * f64::from(r) + 0.587 * f64::from(g) + 0.114 * f64::from(b);
    let luma: Vec<f64> = rgb(small).map(weighted).collect();
    let cosine = |k: usize, x: usize| ((2 * x + 1) as f64 * k as f64 * std::f64::consts::PI / (2 * SIDE) as f64).cos();
    // Frequencies 1 to 8 along each axis: 0 is the mean, which light and shade change.
    let basis: [[f64; SIDE]; LOW] = std::array::from_fn(|k| std::array::from_fn(|x| cosine(k + 1, x)));
    let rows: Vec<[f64; LOW]> = luma
        .chunks_exact(SIDE)
        .map(|row| basis.map(|wave| wave.iter().zip(row).map(|(wave, value)| wave * value).sum()))
        .collect();
    let mut frequencies = [0.0; LOW * LOW];
    for (v, wave) in basis.iter().enumerate() {
        for u in 0..LOW {
            frequencies[v * LOW + u] = wave.iter().zip(&rows).map(|(wave, row)| wave * row[u]).sum();
        }
    }
    let mut sorted = frequencies;
    sorted.sort_by(f64::total_cmp);
    let median = (sorted[LOW * LOW / 2 - 1] + sorted[LOW * LOW / 2]) / 2.0;
    frequencies.iter().enumerate().fold(0, |bits, (i, &value)| bits | u64::from(value > median) << i)
}

/// Images that were met, each with a number. An image takes some 105 bytes, and there may be a million: no list has a
/// buffer of its own, and no row moves when there are more, which would leave holes.
#[derive(Debug)]
pub struct Seen {
    rows: Rows,
    /// Every row, by its checksum.
    exact: HashTable<u32>,
    /// The rows with each value of each part of a hash.
    looks: Vec<[Chain; BANDS]>,
    /// The rows with each cell of colours. Images of one colour or of few pixels all have the same hash.
    colours: Vec<Chain>,
}

#[derive(Debug)]
struct Row {
    key: Key,
    number: u32,
    /// The row before it in each of its chains, that of its colours last.
    before: [u32; BANDS + 1],
}

/// A list that grows by blocks.
#[derive(Debug, Default)]
struct Rows(Vec<Vec<Row>>);

impl Rows {
    const BLOCK: usize = 4096;

    fn len(&self) -> usize {
        self.0.last().map_or(0, |last| (self.0.len() - 1) * Rows::BLOCK + last.len())
    }

    fn push(&mut self, row: Row) {
        match self.0.last_mut() {
            Some(last) if last.len() < Rows::BLOCK => last.push(row),
            _ => {
                let mut block = Vec::with_capacity(Rows::BLOCK);
                block.push(row);
                self.0.push(block);
            }
        }
    }
}

impl std::ops::Index<u32> for Rows {
    type Output = Row;

    fn index(&self, row: u32) -> &Row {
        &self.0[row as usize / Rows::BLOCK][row as usize % Rows::BLOCK]
    }
}

/// Rows that share a property, from the last one back.
#[derive(Clone, Copy, Debug)]
struct Chain {
    last: u32,
    length: u32,
}

impl Chain {
    const EMPTY: Chain = Chain { last: NONE, length: 0 };

    /// Adds a row; the one before it is returned.
    fn push(&mut self, row: u32) -> u32 {
        self.length += 1;
        std::mem::replace(&mut self.last, row)
    }
}

const PART_BITS: usize = 13;
/// No row.
const NONE: u32 = u32::MAX;

impl Default for Seen {
    fn default() -> Seen {
        let looks = vec![[Chain::EMPTY; BANDS]; 1 << PART_BITS];
        let colours = vec![Chain::EMPTY; 1 << (CELL_BITS as usize * FIRST.len())];
        Seen { rows: Rows::default(), exact: HashTable::new(), looks, colours }
    }
}

/// An image that was met before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Same {
    /// The first one's number.
    pub number: u32,
    /// Whether the files are the same, rather than what they show.
    pub is_exact: bool,
}

impl Seen {
    /// Bytes of an image in [`Seen::rows`].
    pub const ROW_BYTES: usize = ROW_BYTES;

    /// The image that `key` repeats; `near` if one that looks the same counts. A new one is remembered.
    pub fn meet(&mut self, key: Key, number: u32, near: bool) -> Option<Same> {
        let same = self.exactly(key).map(|number| Same { number, is_exact: true });
        let same = same.or_else(|| if near { self.near(key) } else { None });
        if same.is_none() {
            self.add(key, number);
        }
        same
    }

    fn exactly(&self, key: Key) -> Option<u32> {
        let row = self.exact.find(key.checksum_hash(), |&row| self.rows[row].key.file() == key.file())?;
        Some(self.rows[*row].number)
    }

    fn near(&self, key: Key) -> Option<Same> {
        let near = self.candidates(key).filter(|&row| self.rows[row].key.is_near(&key));
        near.min().map(|row| Same { number: self.rows[row].number, is_exact: false })
    }

    /// Rows among which all near ones are; some may come more than once.
    fn candidates(&self, key: Key) -> impl Iterator<Item = u32> {
        let looks: Vec<_> = (0..BANDS).map(|band| (self.looks[part(key.looks(), band)][band], band)).collect();
        let colours: Vec<_> = key.near_cells().into_iter().map(|cell| (self.colours[cell], BANDS)).collect();
        let length = |chains: &[(Chain, usize)]| chains.iter().map(|(chain, _)| u64::from(chain.length)).sum::<u64>();
        let chains = if length(&looks) <= length(&colours) { looks } else { colours };
        let some = |row: u32| Some(row).filter(|&row| row != NONE);
        chains.into_iter().flat_map(move |(chain, link)| {
            std::iter::successors(some(chain.last), move |&row| some(self.rows[row].before[link]))
        })
    }

    fn add(&mut self, key: Key, number: u32) {
        let row = self.rows.len() as u32;
        let cell = key.cell(|_| 0);
        let before = std::array::from_fn(|link| match link {
            BANDS => self.colours[cell].push(row),
            band => self.looks[part(key.looks(), band)][band].push(row),
        });
        self.rows.push(Row { key, number, before });
        self.exact.insert_unique(key.checksum_hash(), row, |&row| self.rows[row].key.checksum_hash());
    }

    /// The images from the one that was remembered as number `first`, as bytes for [`Seen::restore`].
    #[must_use]
    pub fn rows(&self, first: usize) -> Vec<u8> {
        let bytes = |row: u32| {
            let Row { key: Key { checksum, length, looks, colours }, number, .. } = &self.rows[row];
            let numbers = [checksum, length, number].map(|number| number.to_le_bytes()).concat();
            [&numbers, &looks[..], colours].concat()
        };
        (first as u32..self.rows.len() as u32).flat_map(bytes).collect()
    }

    /// What [`Seen::rows`] gave.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] if it is no whole number of images.
    pub fn restore(bytes: &[u8]) -> Result<Seen> {
        let (rows, rest) = bytes.as_chunks::<ROW_BYTES>();
        if !rest.is_empty() {
            return Err(Error::Argument(format!("rows of {ROW_BYTES} bytes are expected, got {}", bytes.len())));
        }
        let mut seen = Seen::default();
        let word =
            |row: &[u8; ROW_BYTES], at: usize| u32::from_le_bytes([row[at], row[at + 1], row[at + 2], row[at + 3]]);
        for row in rows {
            let looks = std::array::from_fn(|i| row[12 + i]);
            let colours = std::array::from_fn(|i| row[20 + i]);
            seen.add(Key { checksum: word(row, 0), length: word(row, 4), looks, colours }, word(row, 8));
        }
        Ok(seen)
    }
}

/// The part of a hash that belongs to a band: 13 bits, the last 12.
fn part(hash: u64, band: usize) -> usize {
    (hash >> (PART_BITS * band)) as usize & ((1 << PART_BITS) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(checksum: u32, looks: u64) -> Key {
        Key { checksum, length: 1, looks: looks.to_le_bytes(), colours: [9; 48] }
    }

    #[test]
    fn hashes_of_at_most_four_other_bits_are_near_wherever_they_differ() {
        for start in 0..60 {
            let mut seen = Seen::default();
            assert_eq!(seen.meet(key(1, 0), 7, true), None);
            let four = 0b1111 << start;
            assert_eq!(seen.meet(key(2, four), 8, true), Some(Same { number: 7, is_exact: false }), "{start}");
            let apart = [0, 13, 26, 39].iter().fold(0, |bits, by| bits | 1 << ((start + by) % 64));
            assert_eq!(seen.meet(key(3, apart), 9, true), Some(Same { number: 7, is_exact: false }), "{start}");
            assert_eq!(seen.meet(key(4, apart | 0b11111 << start), 10, true), None, "{start}");
        }
    }

    #[test]
    fn what_has_other_colours_does_not_look_the_same() {
        let mut seen = Seen::default();
        seen.meet(key(1, 5), 0, true);
        assert_eq!(seen.meet(Key { colours: [20; 48], ..key(2, 5) }, 1, true), None);
        assert!(seen.meet(Key { colours: [19; 48], ..key(3, 5) }, 2, true).is_some());
    }

    #[test]
    fn images_of_one_hash_are_told_apart_by_their_colours_wherever_they_differ() {
        let mut seen = Seen::default();
        // Enough others that colours are the shorter way.
        for number in 0..200u8 {
            let colours = std::array::from_fn(|i| if i % 2 == 0 { number } else { 255 - number });
            seen.add(Key { colours, ..key(u32::from(number), 5) }, u32::from(number));
        }
        for place in 0..48 {
            let mut colours = [230; 48];
            let number = 1000 + 2 * place as u32;
            colours[place] = 95;
            seen.add(Key { colours, ..key(number, 5) }, number);
            for by in [-10i16, 0, 10] {
                let near = Key { colours: colours.map(|value| (i16::from(value) + by) as u8), ..key(number + 1, 5) };
                assert_eq!(seen.near(near), Some(Same { number, is_exact: false }), "{place} by {by}");
            }
            let far = Key { colours: colours.map(|value| value + 11), ..key(number + 1, 5) };
            assert_eq!(seen.near(far), None, "{place}");
        }
        let compared = seen.candidates(key(0, 5)).count();
        assert!(compared < 50, "{compared} of 248");
    }

    #[test]
    fn files_are_the_same_only_if_their_bytes_are() {
        let mut seen = Seen::default();
        seen.meet(key(1, 5), 0, false);
        assert_eq!(seen.meet(key(2, 5), 1, false), None);
        assert_eq!(seen.meet(key(1, 5), 2, false), Some(Same { number: 0, is_exact: true }));
        // Another file of the same checksum.
        assert_eq!(seen.meet(key(1, 6), 3, false), None);
        assert_eq!(seen.meet(key(1, 6), 4, false), Some(Same { number: 3, is_exact: true }));
        assert_eq!(seen.meet(key(1, 5), 5, false), Some(Same { number: 0, is_exact: true }));
    }

    #[test]
    fn what_was_seen_is_restored_from_its_rows() {
        let mut seen = Seen::default();
        seen.meet(key(1, u64::MAX), 3, true);
        seen.meet(key(2, 5), 900, true);
        let mut again = Seen::restore(&[seen.rows(0)[..ROW_BYTES].to_vec(), seen.rows(1)].concat()).unwrap();
        assert_eq!(again.meet(key(2, 5), 1000, true), Some(Same { number: 900, is_exact: true }));
        assert_eq!(again.meet(key(9, u64::MAX - 2), 1000, true), Some(Same { number: 3, is_exact: false }));
    }
}
