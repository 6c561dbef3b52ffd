//! Reading a prepared dataset.

use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use rayon::prelude::*;

use crate::npy::read_header;
use crate::sums::{Sums, check_image, file_sum};
use crate::{Error, Result, check_channels, level_name, log2_resolution};

/// A prepared dataset, memory-mapped: `r02.npy` … `rNN.npy`, uint8 `[N, H, W, C]`.
#[derive(Debug)]
pub struct Dataset {
    len: usize,
    channels: usize,
    /// `levels[i]` holds the images of side 2^(i + 2).
    levels: Vec<Level>,
    /// None in a dataset of a version before checksums.
    sums: Option<Sums>,
}

#[derive(Debug)]
struct Level {
    path: PathBuf,
    shape: [usize; 4],
    map: Mmap,
    /// Where the data begins in `map`.
    offset: usize,
}

impl Dataset {
    /// Opens the dataset in `dir`, up to the largest `rNN.npy` there.
    ///
    /// # Errors
    ///
    /// [`Error::Npy`] if there is none, if a level from `r02.npy` up is missing, if one is not uint8 `[N, H, W, C]` in
    /// C order with the sides that its name says, if N or C differ between levels, or if a file's size is not what
    /// its header says; [`Error::Io`].
    pub fn open(dir: &Path) -> Result<Dataset> {
        let largest = (2..=14).rfind(|&log2| dir.join(level_name(log2)).exists());
        let largest = largest.ok_or_else(|| {
            Error::npy(dir, "a prepared dataset (r02.npy, r03.npy, …) is expected, got none; prepare one first")
        })?;
        let levels: Vec<Level> = (2..=largest).map(|log2| Level::open(dir, log2)).collect::<Result<_>>()?;
        let [len, _, _, channels] = levels[0].shape;
        for level in &levels {
            if (level.shape[0], level.shape[3]) != (len, channels) {
                return Err(Error::damaged(
                    &level.path,
                    format!("{len} images with {channels} channels are expected, as in r02.npy, got {:?}", level.shape),
                ));
            }
        }
        let sums = Sums::open(dir, len, levels.len())?;
        Ok(Dataset { len, channels, levels, sums })
    }

    /// The number of images, at least 1.
    #[allow(clippy::len_without_is_empty, reason = "a dataset is never empty: open refuses it")]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Width and height of the largest level.
    pub fn resolution(&self) -> usize {
        2 << self.levels.len()
    }

    /// 1, 3 or 4.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Whether it has checksums, which [`Dataset::batch`] and [`Dataset::check`] compare.
    pub fn has_checksums(&self) -> bool {
        self.sums.is_some()
    }

    /// The CRC-32C that each level's file should have, by its name; none without checksums.
    ///
    /// # Errors
    ///
    /// None that a dataset which was opened could give.
    pub fn checksums(&self) -> Result<Vec<(String, u32)>> {
        let Some(sums) = &self.sums else { return Ok(Vec::new()) };
        let of = |(i, level): (usize, &Level)| {
            Ok((level_name(i + 2), file_sum(level.shape, (0..self.len).map(|image| sums.of(image, i)))?))
        };
        self.levels.iter().enumerate().map(of).collect()
    }

    /// Compares `count` images from `first` with their checksums at every level, in parallel.
    ///
    /// # Errors
    ///
    /// [`Error::Npy`] for the first image that differs; [`Error::Argument`] for images that the dataset does not have.
    pub fn check(&self, first: usize, count: usize) -> Result<()> {
        let last = first.checked_add(count).filter(|&last| last <= self.len).ok_or_else(|| {
            Error::Argument(format!(
                "images {first} to {} are out of range: the dataset has {}",
                first.saturating_add(count),
                self.len
            ))
        })?;
        let Some(sums) = &self.sums else { return Ok(()) };
        (first..last).into_par_iter().try_for_each(|image| {
            let mut levels = self.levels.iter().enumerate();
            levels.try_for_each(|(i, level)| check_image(&level.path, image, level.image(image), sums.of(image, i)))
        })
    }

    /// Images `[indices.len(), resolution, resolution, C]`, left and right swapped where `mirror` is true.
    ///
    /// # Errors
    ///
    /// [`Error::Npy`] if an image is not what its checksum says; [`Error::Argument`] if there is no such level, an index is
    /// not below [`Dataset::len`], `mirror` has another length, or there is no memory for the images.
    pub fn batch(&self, resolution: usize, indices: &[u32], mirror: &[bool]) -> Result<Vec<u8>> {
        let number = log2_resolution(resolution).ok().map(|log2| log2 - 2);
        let (number, level) = number.and_then(|i| Some((i, self.levels.get(i)?))).ok_or_else(|| {
            Error::Argument(format!("the dataset has powers of two from 4 to {}, not {resolution}", self.resolution()))
        })?;
        if let Some(index) = indices.iter().find(|&&index| index as usize >= self.len) {
            return Err(Error::Argument(format!("image {index} is out of range: the dataset has {}", self.len)));
        }
        let image_bytes = resolution * resolution * self.channels;
        if mirror.len() != indices.len() {
            let (images, flags) = (indices.len(), mirror.len());
            return Err(Error::Argument(format!("a batch of {images} images needs as many mirror flags, got {flags}")));
        }
        let mut out = Vec::new();
        let bytes = indices.len().checked_mul(image_bytes);
        if bytes.is_none_or(|bytes| out.try_reserve_exact(bytes).is_err()) {
            let images = indices.len();
            return Err(Error::Argument(format!(
                "there is no memory for {images} images of {resolution}x{resolution} at once; ask for fewer"
            )));
        }
        out.resize(indices.len() * image_bytes, 0);
        // Parallel for the disk's sake: each thread waits for the pages of its own image.
        out.par_chunks_exact_mut(image_bytes).zip(indices.par_iter().zip(mirror)).try_for_each(
            |(out, (&index, &mirror))| {
                let image = level.image(index as usize);
                // Each time, not only the first: the system may drop mapped pages and read them again. It is fast.
                if let Some(sums) = &self.sums {
                    check_image(&level.path, index as usize, image, sums.of(index as usize, number))?;
                }
                match (mirror, self.channels) {
                    (false, _) => out.copy_from_slice(image),
                    (true, 1) => flip::<1>(image, out, resolution),
                    (true, 3) => flip::<3>(image, out, resolution),
                    (true, _) => flip::<4>(image, out, resolution),
                }
                Ok(())
            },
        )?;
        Ok(out)
    }
}

/// `out[y][x] = image[y][width − 1 − x]`
fn flip<const C: usize>(image: &[u8], out: &mut [u8], width: usize) {
    let rows = image.chunks_exact(width * C);
    for (row, out) in rows.zip(out.chunks_exact_mut(width * C)) {
        let reversed = row.as_chunks::<C>().0.iter().rev();
        for (out, pixel) in out.as_chunks_mut::<C>().0.iter_mut().zip(reversed) {
            *out = *pixel;
        }
    }
}

impl Level {
    fn open(dir: &Path, log2: usize) -> Result<Level> {
        let path = dir.join(level_name(log2));
        let side = 1usize << log2;
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(Error::damaged(
                    &path,
                    format!("the level of {side}x{side} is missing, and every level down to 4x4 is needed"),
                ));
            }
            opened => opened.map_err(Error::io(&path))?,
        };
        let header = read_header(&path, &mut file)?;
        let shape = match header.shape[..] {
            [n, h, w, c] if header.descr == "|u1" && n > 0 && (h, w) == (side, side) && check_channels(c).is_ok() => {
                [n, h, w, c]
            }
            _ => {
                return Err(Error::npy(
                    &path,
                    format!(
                        "uint8 ('|u1') [N, {side}, {side}, 1, 3 or 4], N at least 1, is expected, got '{}' {:?}",
                        header.descr, header.shape
                    ),
                ));
            }
        };
        let length = file.metadata().map_err(Error::io(&path))?.len();
        let expected = header.len().and_then(|n| n.checked_add(header.offset));
        if expected.map(|n| n as u64) != Some(length) {
            return Err(Error::damaged(
                &path,
                format!(
                    "{} bytes are expected for {shape:?}, got {length}; the file was cut or damaged",
                    expected.map_or("more".into(), |n| n.to_string())
                ),
            ));
        }
        // SAFETY: the map is read-only and of bytes, for which every value is valid. A finished dataset is never
        // written again; if another program cuts the file meanwhile, the system ends this process (SIGBUS).
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io(&path))?;
        Ok(Level { path, shape, map, offset: header.offset })
    }

    fn image(&self, index: usize) -> &[u8] {
        let bytes = self.shape[1..].iter().product::<usize>();
        &self.map[self.offset + index * bytes..][..bytes]
    }
}
