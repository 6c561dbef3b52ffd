//! Finding the images of a folder.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

const EXTENSIONS: [&str; 5] = ["png", "jpg", "jpeg", "webp", "gif"];

/// Every image file in `dir` and its folders, sorted by relative path.
///
/// A file counts by its extension (png, jpg, jpeg, webp, gif, in any case). Hidden files and folders are skipped.
/// Links are followed, each folder being read once however many links lead to it.
///
/// # Errors
///
/// [`Error::Folder`] if `dir` does not exist, is not a folder, or holds no image; [`Error::Io`] if a folder cannot
/// be read.
pub fn list_images(dir: &Path) -> Result<Vec<PathBuf>> {
    let refuse = |reason: String| Error::Folder { path: dir.to_owned(), reason };
    match fs::metadata(dir) {
        Ok(found) if found.is_dir() => {}
        Ok(_) => return Err(refuse("expected a folder of images, found a file".into())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(refuse("expected a folder of images, found nothing there".into()));
        }
        Err(error) => return Err(Error::io(dir)(error)),
    }
    let mut images = Vec::new();
    let mut seen = HashSet::new();
    // A list of folders still to read instead of recursion: depth is the user's, the stack is not.
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        let canonical = fs::canonicalize(&folder).map_err(Error::io(&folder))?;
        if !seen.insert(canonical) {
            continue;
        }
        let mut inside = Vec::new();
        for entry in fs::read_dir(&folder).map_err(Error::io(&folder))? {
            let entry = entry.map_err(Error::io(&folder))?;
            if entry.file_name().as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let path = entry.path();
            match fs::metadata(&path) {
                Ok(found) if found.is_dir() => inside.push(path),
                Ok(found) if !found.is_file() => {}
                // A broken link with an image's name stays in the list, so that decoding names it.
                _ if is_image_name(&path) => images.push(path),
                _ => {}
            }
        }
        // Reversed because the last one pushed is read first; sorted so that which of two links wins is fixed.
        inside.sort_by(|a, b| b.cmp(a));
        folders.append(&mut inside);
    }
    if images.is_empty() {
        return Err(refuse(format!(
            "no image found: looked for {} in it and its folders (hidden ones are skipped)",
            EXTENSIONS.map(|e| format!(".{e}")).join(", ")
        )));
    }
    images.sort();
    Ok(images)
}

fn is_image_name(path: &Path) -> bool {
    path.extension()
        .and_then(|extension| extension.to_str())
        .is_some_and(|extension| EXTENSIONS.iter().any(|e| extension.eq_ignore_ascii_case(e)))
}
