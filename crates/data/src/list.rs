//! Finding the images of a folder.

use std::collections::HashSet;
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
    pub images: Vec<ImageFile>,
    /// What is left out, sorted by path.
    pub left_out: Vec<LeftOut>,
}

/// A file that is an image, by its content or by its name.
#[derive(Debug, PartialEq)]
pub struct ImageFile {
    /// Where it is.
    pub path: PathBuf,
    /// Bytes.
    pub size: u64,
    /// When it was changed, in milliseconds since 1970.
    pub modified_ms: f64,
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
    let Walk { candidates, mut left_out } = walk(dir, keep_drawn)?;
    let found: Vec<_> = candidates.into_par_iter().map(|candidate| candidate.examine(keep_drawn)).collect();
    let mut images = Vec::new();
    for entry in found {
        match entry {
            Ok(image) => images.push(image),
            Err(other) => left_out.push(other),
        }
    }
    images.sort_by(|a, b| a.path.cmp(&b.path));
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
    let list: Vec<_> = kinds.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
    let remedy = if foreign { format!("; {}", format::REMEDY) } else { String::new() };
    format!(", found {}{remedy}", list.join(", "))
}

/// Whether a kind is one of images that other programs can convert.
fn is_foreign(kind: &str) -> bool {
    matches!(kind, "AVIF" | "HEIC" | "JPEG XL" | "JPEG 2000" | "Photoshop document" | "raw photograph")
}

/// A file of which the name alone is known.
struct Candidate {
    path: PathBuf,
    metadata: io::Result<Metadata>,
}

#[derive(Default)]
struct Walk {
    candidates: Vec<Candidate>,
    left_out: Vec<LeftOut>,
}

fn walk(dir: &Path, keep_drawn: bool) -> Result<Walk> {
    let mut found = Walk::default();
    let mut seen = HashSet::new();
    // A list of folders still to read instead of recursion: depth is the user's, the stack is not.
    let mut folders = vec![(dir.to_owned(), false)];
    while let Some((folder, in_run)) = folders.pop() {
        let entries = match read_folder(&folder) {
            Ok((canonical, _)) if !seen.insert(canonical.clone()) => continue,
            Ok((_, entries)) => entries,
            Err(error) if folder == dir => return Err(Error::io(dir)(error)),
            Err(error) => {
                found.left_out.push(LeftOut { path: folder, reason: Reason::Bad(error.to_string()) });
                continue;
            }
        };
        let in_run = in_run || !keep_drawn && is_own(&entries);
        let mut inside = Vec::new();
        for path in entries {
            let metadata = fs::metadata(&path);
            if metadata.as_ref().is_ok_and(Metadata::is_dir) {
                inside.push((path, in_run));
            } else if !in_run {
                // Labels are no file that was passed over.
                if path.parent() != Some(dir) || path.file_name() != Some("dataset.json".as_ref()) {
                    found.candidates.push(Candidate { path, metadata });
                }
            } else if format::has_image_suffix(&suffix(&path)) {
                found.left_out.push(LeftOut { path, reason: Reason::Kind(IN_RUN.into()) });
            }
        }
        // Reversed because the last one pushed is read first; sorted so that which of two links wins is fixed.
        inside.sort_by(|a, b| b.cmp(a));
        folders.append(&mut inside);
    }
    Ok(found)
}

/// A folder's real path, and what is in it but for what is hidden.
fn read_folder(folder: &Path) -> io::Result<(PathBuf, Vec<PathBuf>)> {
    let canonical = fs::canonicalize(folder)?;
    let mut entries = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            entries.push(entry.path());
        }
    }
    Ok((canonical, entries))
}

/// Whether a folder is a run directory or a prepared dataset, finished or not.
fn is_own(entries: &[PathBuf]) -> bool {
    let has = |name: &str| entries.iter().any(|path| path.file_name() == Some(name.as_ref()));
    has("training_options.json") || has("preparing.json") || has("dataset.json") && has("r02.npy")
}

impl Candidate {
    fn examine(self, keep_drawn: bool) -> std::result::Result<ImageFile, LeftOut> {
        let Candidate { path, metadata } = self;
        let suffix = suffix(&path);
        let is_named = format::has_image_suffix(&suffix);
        let other = |kind: &str| Reason::Kind(kind.into());
        let reason = match metadata {
            Err(error) if is_named => Reason::Bad(broken_link(&path, &error)),
            Err(_) => other("broken link"),
            Ok(found) if !found.is_file() => other("special file"),
            Ok(found) => match read_head(&path) {
                Err(_) if !is_named => other("unreadable file"),
                Err(error) => Reason::Bad(error.to_string()),
                Ok(head) => {
                    let format = format::sniff(&head);
                    let is_image =
                        is_named || matches!(format, Some(Format::Read(..))) && !format::has_raw_suffix(&suffix);
                    match (is_image, format) {
                        (true, _) if path.to_str().is_none() => {
                            Reason::Bad("the name is not UTF-8; give the file and its folders another name".into())
                        }
                        (true, _) if !keep_drawn && format::is_drawn(&head) => other(DRAWN),
                        (true, _) => {
                            return Ok(ImageFile { size: found.len(), modified_ms: modified_ms(&found), path });
                        }
                        (false, Some(Format::Foreign(name))) => other(name),
                        (false, _) => Reason::Kind(kind_of_suffix(&suffix)),
                    }
                }
            },
        };
        Err(LeftOut { path, reason })
    }
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
