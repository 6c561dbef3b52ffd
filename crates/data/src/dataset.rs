//! Reading a prepared dataset.

use std::fs::File;
use std::path::{Path, PathBuf};

use memmap2::Mmap;
use rayon::prelude::*;

use crate::npy::read_header;
use crate::{Error, Result, check_channels, level_name, log2_resolution};

/// A prepared dataset, memory-mapped: `r02.npy` … `rNN.npy`, uint8 `[N, H, W, C]`.
#[derive(Debug)]
pub struct Dataset {
    len: usize,
    channels: usize,
    /// `levels[i]` holds the images of side 2^(i + 2).
    levels: Vec<Level>,
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
            Error::npy(dir, "expected a prepared dataset (r02.npy, r03.npy, ...), found none: prepare one first")
        })?;
        let levels: Vec<Level> = (2..=largest).map(|log2| Level::open(dir, log2)).collect::<Result<_>>()?;
        let [len, _, _, channels] = levels[0].shape;
        for level in &levels {
            if (level.shape[0], level.shape[3]) != (len, channels) {
                return Err(Error::npy(
                    &level.path,
                    format!(
                        "expected {len} images with {channels} channels as in r02.npy, found {:?}: prepare it again",
                        level.shape
                    ),
                ));
            }
        }
        Ok(Dataset { len, channels, levels })
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

    /// Copies images to `out`, `[indices.len(), resolution, resolution, C]`, left and right swapped where `mirror` is
    /// true.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] if there is no such level, an index is not below [`Dataset::len`], or `mirror` or `out`
    /// have another length.
    pub fn batch(&self, resolution: usize, indices: &[u32], mirror: &[bool], out: &mut [u8]) -> Result<()> {
        let level = log2_resolution(resolution).ok().and_then(|log2| self.levels.get(log2 - 2)).ok_or_else(|| {
            Error::Argument(format!("the dataset has powers of two from 4 to {}, not {resolution}", self.resolution()))
        })?;
        if let Some(index) = indices.iter().find(|&&index| index as usize >= self.len) {
            return Err(Error::Argument(format!("image {index} is out of range: the dataset has {}", self.len)));
        }
        let image_bytes = resolution * resolution * self.channels;
        if mirror.len() != indices.len() || out.len() != indices.len() * image_bytes {
            return Err(Error::Argument(format!(
                "a batch of {} at {resolution}x{resolution} needs as many mirror flags and {} bytes, got {} and {}",
                indices.len(),
                indices.len() * image_bytes,
                mirror.len(),
                out.len()
            )));
        }
        // Parallel for the disk's sake: each thread waits for the pages of its own image.
        out.par_chunks_exact_mut(image_bytes).zip(indices.par_iter().zip(mirror)).for_each(
            |(out, (&index, &mirror))| {
                let start = level.offset + index as usize * image_bytes;
                let image = &level.map[start..start + image_bytes];
                match (mirror, self.channels) {
                    (false, _) => out.copy_from_slice(image),
                    (true, 1) => flip::<1>(image, out, resolution),
                    (true, 3) => flip::<3>(image, out, resolution),
                    (true, _) => flip::<4>(image, out, resolution),
                }
            },
        );
        Ok(())
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
                return Err(Error::npy(
                    &path,
                    format!(
                        "the level of {side}x{side} is missing: every level down to 4x4 is needed, prepare it again"
                    ),
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
                        "expected uint8 ('|u1') [N, {side}, {side}, 1, 3 or 4], N at least 1, found '{}' {:?}",
                        header.descr, header.shape
                    ),
                ));
            }
        };
        let length = file.metadata().map_err(Error::io(&path))?.len();
        let expected = header.len().and_then(|n| n.checked_add(header.offset));
        if expected.map(|n| n as u64) != Some(length) {
            return Err(Error::npy(
                &path,
                format!(
                    "expected {} bytes for {shape:?}, found {length}: the file was cut or damaged, prepare it again",
                    expected.map_or("more".into(), |n| n.to_string())
                ),
            ));
        }
        // SAFETY: the map is read-only and of bytes, for which every value is valid. A finished dataset is never
        // written again; if another program cuts the file meanwhile, the system ends this process (SIGBUS).
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io(&path))?;
        Ok(Level { path, shape, map, offset: header.offset })
    }
}
