//! Finding the images of a folder.

use std::collections::HashSet;
use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rayon::prelude::*;

use crate::format::{self, Format, HEAD_BYTES};
use crate::{Error, Result};

/// The files of a folder.
#[derive(Debug, Default)]
pub struct Listing {
    /// What is to be decoded, sorted by path.
    pub images: ImageFiles,
    /// What is left out, sorted by path.
    pub left_out: Vec<LeftOut>,
}

/// Files that are images, by their content or by their names: 20 bytes each and a name, of which there may be millions.
#[derive(Debug, Default)]
pub struct ImageFiles {
    /// Paths below the folder, one after the other, in UTF-8.
    pub names: Vec<u8>,
    /// Where each name ends.
    pub ends: Vec<u32>,
    /// Bytes of each file.
    pub sizes: Vec<f64>,
    /// When each file was changed, in milliseconds since 1970.
    pub modified_ms: Vec<f64>,
}

impl ImageFiles {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// The path of an image below the folder.
    pub fn name(&self, index: usize) -> &str {
        let first = if index == 0 { 0 } else { self.ends[index - 1] as usize };
        std::str::from_utf8(&self.names[first..self.ends[index] as usize]).unwrap_or_default()
    }

    fn push(&mut self, name: &str, found: &Metadata) -> std::result::Result<(), Reason> {
        let end = u32::try_from(self.names.len() + name.len());
        let end =
            end.map_err(|_| Reason::Bad("names of 4 GiB are expected at most; take a part of the folder".into()))?;
        self.names.extend(name.as_bytes());
        self.ends.push(end);
        self.sizes.push(found.len() as f64);
        self.modified_ms.push(modified_ms(found));
        Ok(())
    }
}

/// A file that is not to be decoded.
#[derive(Debug, PartialEq, Eq)]
pub struct LeftOut {
    /// Where it is.
    pub path: PathBuf,
    /// Which of them it is.
    pub reason: Reason,
}

/// Why a file is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {
    /// It should be an image, and cannot be read; why.
    Bad(String),
    /// It is not an image that can be read: what it is.
    Kind(String),
}

const DRAWN: &str = "picture that stylegan drew";
const IN_RUN: &str = "picture in a run directory or prepared data set of stylegan";

/// Every image file in `dir` and its folders.
///
/// A file is an image by its content, whatever its name; a file with an image's name is taken for one too, so that
/// decoding says what is wrong with it. Hidden files and folders are skipped. Links are followed, each folder being
/// read once however many links lead to it. What this program made is left out unless `keep_drawn` is set: pictures
/// that carry its mark, run directories, prepared datasets.
///
/// # Errors
///
/// [`Error::Folder`] if `dir` does not exist, is not a folder, is a run directory, or holds no image; [`Error::Io`]
/// if it cannot be read.
pub fn list_images(dir: &Path, keep_drawn: bool) -> Result<Listing> {
    let refuse = |reason: String| Error::Folder { path: dir.to_owned(), reason };
    match fs::metadata(dir) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(refuse("a folder of images is expected, got a file".into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(refuse("a folder of images is expected, got nothing".into()));
        }
        Err(error) => return Err(Error::io(dir)(error)),
    }
    if !keep_drawn && dir.join("training_options.json").exists() {
        return Err(refuse("this is a run directory of stylegan, and its pictures are no data; name a folder of photographs, or open one with \"metrics --images\"".into()));
    }
    let Walk { mut candidates, mut left_out } = walk(dir, keep_drawn)?;
    candidates.sort_unstable();
    let mut images = ImageFiles::default();
    // In parts: what is known of a file while it is examined takes more than what is kept of it.
    for part in candidates.chunks(EXAMINED_AT_ONCE) {
        let found: Vec<_> = part.par_iter().map(|name| examine(dir.join(name), keep_drawn)).collect();
        for (name, found) in part.iter().zip(found) {
            let kept = found.and_then(|found| images.push(name.to_str().unwrap_or_default(), &found));
            if let Err(reason) = kept {
                left_out.push(LeftOut { path: dir.join(name), reason });
            }
        }
    }
    left_out.sort_by(|a, b| a.path.cmp(&b.path));
    if images.is_empty() && !left_out.iter().any(|file| matches!(file.reason, Reason::Bad(_))) {
        return Err(refuse(format!(
            "no image found: looked for PNG, JPEG, GIF, WebP, BMP and TIFF in it and its folders (hidden ones are skipped){}",
            summary(&left_out)
        )));
    }
    Ok(Listing { images, left_out })
}

/// How many files of each kind were found instead.
fn summary(left_out: &[LeftOut]) -> String {
    let mut kinds: Vec<(&str, usize)> = Vec::new();
    for file in left_out {
        let Reason::Kind(kind) = &file.reason else { continue };
        match kinds.iter_mut().find(|(known, _)| known == kind) {
            Some((_, count)) => *count += 1,
            None => kinds.push((kind, 1)),
        }
    }
    if kinds.is_empty() {
        return String::new();
    }
    let foreign = kinds.iter().any(|(kind, _)| is_foreign(kind));
    let counted = |(kind, count): &(&str, usize)| match count {
        1 => format!("1 {kind}"),
        _ => format!("{count} {}", kind.replacen("picture", "pictures", 1)),
    };
    let list: Vec<_> = kinds.iter().map(counted).collect();
    let remedy = if foreign { format!("; {}", format::REMEDY) } else { String::new() };
    format!(", found {}{remedy}", list.join(", "))
}

/// Whether a kind is one of images that other programs can convert.
fn is_foreign(kind: &str) -> bool {
    matches!(kind, "AVIF" | "HEIC" | "JPEG XL" | "JPEG 2000" | "Photoshop document" | "raw photograph")
}

/// Files that are examined before the next ones are looked at.
const EXAMINED_AT_ONCE: usize = 8192;

#[derive(Default)]
struct Walk {
    /// Paths below the folder.
    candidates: Vec<PathBuf>,
    left_out: Vec<LeftOut>,
}

fn walk(dir: &Path, keep_drawn: bool) -> Result<Walk> {
    let mut found = Walk::default();
    let mut seen = HashSet::new();
    // A list of folders still to read instead of recursion: depth is the user's, the stack is not.
    let mut folders = vec![(PathBuf::new(), false)];
    while let Some((below, in_run)) = folders.pop() {
        let folder = dir.join(&below);
        let entries = match read_folder(&folder) {
            Ok((canonical, _)) if !seen.insert(canonical.clone()) => continue,
            Ok((_, entries)) => entries,
            Err(error) if below.as_os_str().is_empty() => return Err(Error::io(dir)(error)),
            Err(error) => {
                found.left_out.push(LeftOut { path: folder, reason: Reason::Bad(error.to_string()) });
                continue;
            }
        };
        let in_run = in_run || !keep_drawn && is_own(&entries);
        let mut inside = Vec::new();
        for Entry { name, is_dir } in entries {
            let path = below.join(&name);
            if is_dir {
                inside.push((path, in_run));
            } else if !in_run {
                // Labels are no file that was passed over.
                if !below.as_os_str().is_empty() || name != "dataset.json" {
                    found.candidates.push(path);
                }
            } else if format::has_image_suffix(&suffix(&path)) {
                found.left_out.push(LeftOut { path: dir.join(path), reason: Reason::Kind(IN_RUN.into()) });
            }
        }
        // Reversed because the last one pushed is read first; sorted so that which of two links wins is fixed.
        inside.sort_by(|a, b| b.cmp(a));
        folders.append(&mut inside);
    }
    Ok(found)
}

struct Entry {
    name: OsString,
    is_dir: bool,
}

/// A folder's real path, and what is in it but for what is hidden.
fn read_folder(folder: &Path) -> io::Result<(PathBuf, Vec<Entry>)> {
    let canonical = fs::canonicalize(folder)?;
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let is_dir = match entry.file_type() {
            Ok(kind) if kind.is_dir() => true,
            Ok(kind) if kind.is_file() => false,
            // What a link leads to.
            _ => fs::metadata(entry.path()).is_ok_and(|found| found.is_dir()),
        };
        entries.push(Entry { name, is_dir });
    }
    Ok((canonical, entries))
}

/// Whether a folder is a run directory or a prepared dataset, finished or not.
fn is_own(entries: &[Entry]) -> bool {
    let has = |name: &str| entries.iter().any(|entry| entry.name == name);
    has("training_options.json") || has("preparing.json") || has("dataset.json") && has("r02.npy")
}

/// What the system knows of a file that is an image.
fn examine(path: PathBuf, keep_drawn: bool) -> std::result::Result<Metadata, Reason> {
    let suffix = suffix(&path);
    let is_named = format::has_image_suffix(&suffix);
    let other = |kind: &str| Reason::Kind(kind.into());
    Err(match fs::metadata(&path) {
        Err(error) if is_named => Reason::Bad(broken_link(&path, &error)),
        Err(_) => other("broken link"),
        Ok(found) if !found.is_file() => other("special file"),
        Ok(found) => match read_head(&path) {
            Err(_) if !is_named => other("unreadable file"),
            Err(error) => Reason::Bad(error.to_string()),
            Ok(head) => {
                let format = format::sniff(&head);
                let is_image = is_named || matches!(format, Some(Format::Read(..))) && !format::has_raw_suffix(&suffix);
                match (is_image, format) {
                    (true, _) if path.to_str().is_none() => {
                        Reason::Bad("the name is not UTF-8; give the file and its folders another name".into())
                    }
                    (true, _) if !keep_drawn && format::is_drawn(&head) => other(DRAWN),
                    (true, _) => return Ok(found),
                    (false, Some(Format::Foreign(name))) => other(name),
                    (false, _) => Reason::Kind(kind_of_suffix(&suffix)),
                }
            }
        },
    })
}

fn suffix(path: &Path) -> String {
    path.extension().map(|suffix| suffix.to_string_lossy().to_lowercase()).unwrap_or_default()
}

fn kind_of_suffix(suffix: &str) -> String {
    match suffix {
        "" => "file without suffix".into(),
        raw if format::has_raw_suffix(raw) => "raw photograph".into(),
        // A sentence is no suffix, and what comes from outside is printed without control characters.
        long if long.len() > 12 || !long.bytes().all(|byte| byte.is_ascii_alphanumeric()) => "other file".into(),
        short => format!(".{short}"),
    }
}

fn broken_link(path: &Path, error: &io::Error) -> String {
    match (error.kind(), fs::read_link(path)) {
        (io::ErrorKind::NotFound, Ok(target)) => format!("a link to {}, where nothing is", target.display()),
        (_, Ok(_)) => format!("a link that cannot be followed: {error}"),
        (_, Err(_)) => error.to_string(),
    }
}

fn read_head(path: &Path) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(HEAD_BYTES);
    File::open(path)?.take(HEAD_BYTES as u64).read_to_end(&mut head)?;
    Ok(head)
}

/// Node's mtimeMs.
fn modified_ms(metadata: &Metadata) -> f64 {
    let Ok(time) = metadata.modified() else { return 0.0 };
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => after.as_secs() as f64 * 1000.0 + f64::from(after.subsec_nanos()) / 1e6,
        Err(before) => -(before.duration().as_secs_f64() * 1000.0),
    }
}
