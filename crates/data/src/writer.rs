//! Writing a prepared dataset, in any order and from many threads.

use std::fs::{self, File, OpenOptions};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use crc32c::crc32c;

use crate::npy::{HEADER_BYTES, encode_header, read_header};
use crate::sums::{SUMS_DESCR, SUMS_NAME};
use crate::{Error, Result, check_channels, level_name, log2_resolution};

/// The files of a dataset that is being prepared: `r02.npy` … `rNN.npy` and `crc32c.npy`, each as long as it will be
/// when full.
///
/// What has been written is not remembered here: the caller keeps the number of images done and, after an
/// interruption, goes on with [`Writer::open`].
#[derive(Debug)]
pub struct Writer {
    #[cfg(unix)]
    dir: PathBuf,
    resolution: usize,
    channels: usize,
    count: AtomicUsize,
    /// From the full resolution down to 4, as [`crate::pyramid`] gives them.
    levels: Vec<Table>,
    /// The checksum of each image at each level, from 4x4 up.
    sums: Table,
}

/// A file with a row for each image.
#[derive(Debug)]
struct Table {
    path: PathBuf,
    file: File,
    descr: &'static str,
    /// Of a row.
    shape: Vec<usize>,
    row_bytes: usize,
}

impl Table {
    fn open(path: PathBuf, options: &OpenOptions, descr: &'static str, shape: Vec<usize>) -> Result<Table> {
        let file = options.open(&path).map_err(Error::io(&path))?;
        let value_bytes = if descr == SUMS_DESCR { 4 } else { 1 };
        let row_bytes = value_bytes * shape.iter().product::<usize>();
        Ok(Table { path, file, descr, shape, row_bytes })
    }

    fn whole(&self, count: usize) -> Vec<usize> {
        [&[count], &self.shape[..]].concat()
    }

    fn length(&self, count: usize) -> u64 {
        HEADER_BYTES as u64 + count as u64 * self.row_bytes as u64
    }

    fn write_row(&self, index: usize, bytes: &[u8]) -> Result<()> {
        write_all_at(&self.file, bytes, self.length(index)).map_err(Error::io(&self.path))
    }

    fn copy_row(&self, from: usize, to: usize) -> Result<()> {
        let mut row = vec![0; self.row_bytes];
        read_exact_at(&self.file, &mut row, self.length(from)).map_err(Error::io(&self.path))?;
        self.write_row(to, &row)
    }

    /// Writes the header for `count` images and sets the file's length to match.
    fn resize(&self, count: usize) -> Result<()> {
        self.file.set_len(self.length(count)).map_err(Error::io(&self.path))?;
        let header = encode_header(self.descr, &self.whole(count))?;
        write_all_at(&self.file, &header, 0).map_err(Error::io(&self.path))
    }

    /// Checks that the file is what [`Table::resize`] leaves.
    fn verify(&self, count: usize) -> Result<()> {
        let header = read_header(&self.path, &mut &self.file)?;
        let whole = self.whole(count);
        let length = self.file.metadata().map_err(Error::io(&self.path))?.len();
        let expected = self.length(count);
        if header.descr == self.descr && header.shape == whole && header.offset == HEADER_BYTES && length == expected {
            return Ok(());
        }
        Err(Error::damaged(
            &self.path,
            format!(
                "the unfinished '{}' {whole:?} in {expected} bytes is expected, got '{}' {:?} in {length}",
                self.descr, header.descr, header.shape
            ),
        ))
    }
}

impl Writer {
    /// Starts a dataset of `count` images in `dir`, which is made if it does not exist. Levels that are already there
    /// are replaced, larger ones removed.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] if `count` is 0, `resolution` not a power of two from 4 to 16384, or `channels` not 1, 3
    /// or 4; [`Error::Io`].
    pub fn create(dir: &Path, count: usize, resolution: usize, channels: usize) -> Result<Writer> {
        let log2 = check_size(count, resolution, channels)?;
        fs::create_dir_all(dir).map_err(Error::io(dir))?;
        // A larger level of an earlier preparation would be taken for a part of this one.
        for larger in log2 + 1..=14 {
            let path = dir.join(level_name(larger));
            match fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io(&path)(error));
                }
                _ => {}
            }
        }
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true);
        let writer = Writer::with_files(dir, count, resolution, channels, &options)?;
        writer.tables().try_for_each(|table| table.resize(count))?;
        Ok(writer)
    }

    /// Goes on with a dataset that [`Writer::create`] started with the same numbers and that was not finished.
    ///
    /// # Errors
    ///
    /// [`Error::Npy`] if a file is not as it was left; the others as for [`Writer::create`].
    pub fn open(dir: &Path, count: usize, resolution: usize, channels: usize) -> Result<Writer> {
        check_size(count, resolution, channels)?;
        let mut options = OpenOptions::new();
        options.read(true).write(true);
        let writer = Writer::with_files(dir, count, resolution, channels, &options)?;
        writer.tables().try_for_each(|table| table.verify(count))?;
        Ok(writer)
    }

    fn with_files(
        dir: &Path,
        count: usize,
        resolution: usize,
        channels: usize,
        options: &OpenOptions,
    ) -> Result<Writer> {
        let open =
            |log2: usize| Table::open(dir.join(level_name(log2)), options, "|u1", vec![1 << log2, 1 << log2, channels]);
        let largest = log2_resolution(resolution)?;
        Ok(Writer {
            #[cfg(unix)]
            dir: dir.to_owned(),
            resolution,
            channels,
            count: AtomicUsize::new(count),
            levels: (2..=largest).rev().map(open).collect::<Result<_>>()?,
            sums: Table::open(dir.join(SUMS_NAME), options, SUMS_DESCR, vec![largest - 1])?,
        })
    }

    fn tables(&self) -> impl Iterator<Item = &Table> {
        self.levels.iter().chain([&self.sums])
    }

    /// Width and height of the largest level.
    pub fn resolution(&self) -> usize {
        self.resolution
    }

    /// 1, 3 or 4.
    pub fn channels(&self) -> usize {
        self.channels
    }

    /// Writes one image; threads may write different images at the same time.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] if `index` is not below the dataset's count, or `levels` is not a [`crate::pyramid`] of
    /// this resolution and channels; [`Error::Io`], as when the disk is full.
    pub fn write(&self, index: usize, levels: &[Vec<u8>]) -> Result<()> {
        let count = self.count.load(Ordering::Relaxed);
        if index >= count {
            return Err(Error::Argument(format!("image {index} is out of range: the dataset has room for {count}")));
        }
        let fits = levels.len() == self.levels.len()
            && levels.iter().zip(&self.levels).all(|(bytes, level)| bytes.len() == level.row_bytes);
        if !fits {
            return Err(Error::Argument(format!(
                "image {index} is not a pyramid of {0}x{0} with {1} channels",
                self.resolution, self.channels
            )));
        }
        for (bytes, level) in levels.iter().zip(&self.levels) {
            level.write_row(index, bytes)?;
        }
        let sums: Vec<u8> = levels.iter().rev().flat_map(|bytes| crc32c(bytes).to_le_bytes()).collect();
        self.sums.write_row(index, &sums)
    }

    /// Writes the image at `from` at `to` as well.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub(crate) fn copy(&self, from: usize, to: usize) -> Result<()> {
        self.tables().try_for_each(|table| table.copy_row(from, to))
    }

    /// Waits until what was written is on the disk: before the caller records it as done.
    ///
    /// # Errors
    ///
    /// [`Error::Io`].
    pub fn sync(&self) -> Result<()> {
        for table in self.tables() {
            table.file.sync_all().map_err(Error::io(&table.path))?;
        }
        // The names, too, must survive a loss of power; Windows has no such call.
        #[cfg(unix)]
        File::open(&self.dir).and_then(|dir| dir.sync_all()).map_err(Error::io(&self.dir))?;
        Ok(())
    }

    /// Ends the dataset after its first `count` images, fewer than planned if some files could not be used, and
    /// syncs it.
    ///
    /// # Errors
    ///
    /// [`Error::Argument`] if `count` is 0 or more than planned; [`Error::Io`].
    pub fn finish(&self, count: usize) -> Result<()> {
        let planned = self.count.load(Ordering::Relaxed);
        if count == 0 || count > planned {
            return Err(Error::Argument(format!(
                "a dataset planned for {planned} images cannot be finished with {count}"
            )));
        }
        self.count.store(count, Ordering::Relaxed);
        self.tables().try_for_each(|table| table.resize(count))?;
        self.sync()
    }
}

fn check_size(count: usize, resolution: usize, channels: usize) -> Result<usize> {
    check_channels(channels)?;
    if count == 0 {
        return Err(Error::Argument("a dataset needs at least one image, got 0".into()));
    }
    log2_resolution(resolution)
}

#[cfg(unix)]
fn write_all_at(file: &File, bytes: &[u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, bytes, offset)
}

#[cfg(unix)]
fn read_exact_at(file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
    std::os::unix::fs::FileExt::read_exact_at(file, bytes, offset)
}

#[cfg(windows)]
fn read_exact_at(mut file: &File, bytes: &mut [u8], offset: u64) -> std::io::Result<()> {
    use std::io::{Read, Seek, SeekFrom};
    file.seek(SeekFrom::Start(offset))?;
    file.read_exact(bytes)
}

#[cfg(windows)]
fn write_all_at(file: &File, mut bytes: &[u8], mut offset: u64) -> std::io::Result<()> {
    use std::os::windows::fs::FileExt;
    while !bytes.is_empty() {
        match file.seek_write(bytes, offset) {
            Ok(0) => return Err(std::io::ErrorKind::WriteZero.into()),
            Ok(written) => {
                bytes = &bytes[written..];
                offset += written as u64;
            }
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
