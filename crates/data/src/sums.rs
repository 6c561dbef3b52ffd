//! The checksums of a prepared dataset: `crc32c.npy`, `<u4` `[N, levels]`, the CRC-32C of each image at each level from
//! 4x4 up. From them follows the checksum of a level's whole file without reading it.

use std::fs::File;
use std::path::Path;

use crc32c::{crc32c, crc32c_combine};
use memmap2::Mmap;

use crate::npy::{encode_header, read_header};
use crate::{Error, Result};

pub(crate) const SUMS_NAME: &str = "crc32c.npy";
pub(crate) const SUMS_DESCR: &str = "<u4";

/// The checksums of a finished dataset, mapped into memory.
#[derive(Debug)]
pub(crate) struct Sums {
    levels: usize,
    map: Mmap,
    offset: usize,
}

impl Sums {
    /// The checksums in `dir`, unless an older version prepared it.
    ///
    /// # Errors
    ///
    /// [`Error::Npy`] if the file does not hold those of `count` images with `levels` levels; [`Error::Io`].
    pub fn open(dir: &Path, count: usize, levels: usize) -> Result<Option<Sums>> {
        let path = dir.join(SUMS_NAME);
        let mut file = match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(Error::io(&path))?,
        };
        let header = read_header(&path, &mut file)?;
        let length = file.metadata().map_err(Error::io(&path))?.len();
        let expected = header.offset as u64 + 4 * count as u64 * levels as u64;
        if header.descr != SUMS_DESCR || header.shape != [count, levels] || length != expected {
            return Err(Error::damaged(
                &path,
                format!(
                    "uint32 [{count}, {levels}] in {expected} bytes is expected, got '{}' {:?} in {length}",
                    header.descr, header.shape
                ),
            ));
        }
        // SAFETY: as for the levels: read-only, of bytes, never written again.
        let map = unsafe { Mmap::map(&file) }.map_err(Error::io(&path))?;
        Ok(Some(Sums { levels, map, offset: header.offset }))
    }

    pub fn of(&self, image: usize, level: usize) -> u32 {
        let start = self.offset + 4 * (image * self.levels + level);
        u32::from_le_bytes(self.map[start..].first_chunk().copied().unwrap_or_default())
    }
}

/// The checksum of a level's whole file, from those of its images in order.
///
/// # Errors
///
/// Those of [`encode_header`].
pub(crate) fn file_sum(shape: [usize; 4], images: impl Iterator<Item = u32>) -> Result<u32> {
    let header = encode_header("|u1", &shape)?;
    let image_bytes = shape[1..].iter().product();
    let append = Append::new(image_bytes);
    Ok(images.fold(crc32c(&header), |before, image| append.apply(before) ^ image))
}

/// What so many further bytes do to a checksum: a linear map over bits, here by its 32 columns. The crate's
/// `crc32c_combine` makes it anew at each call.
struct Append([u32; 32]);

impl Append {
    fn new(bytes: usize) -> Append {
        Append(std::array::from_fn(|bit| crc32c_combine(1 << bit, 0, bytes)))
    }

    fn apply(&self, sum: u32) -> u32 {
        self.0.iter().enumerate().fold(0, |all, (bit, column)| all ^ if sum >> bit & 1 == 1 { *column } else { 0 })
    }
}

/// Checks one image against its checksum.
pub(crate) fn check_image(path: &Path, index: usize, image: &[u8], expected: u32) -> Result<()> {
    let found = crc32c(image);
    if found == expected {
        return Ok(());
    }
    Err(Error::damaged(path, format!("the checksum {expected:08x} of image {index} is expected, got {found:08x}")))
}
