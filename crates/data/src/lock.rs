//! Locks that the operating system releases when a process ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::error::{Error, Result};

/// A locked file. Dropping it releases the lock; the file stays, since removing it could take it from under another
/// process that has just locked it.
#[derive(Debug)]
pub struct FileLock(File);

/// What became of a try to lock a file.
#[derive(Debug)]
pub enum Locking {
    /// It is locked, and holds the given text.
    Locked(FileLock),
    /// Someone else holds it; the text that the holder wrote, empty where it cannot be read.
    Held(String),
    /// The file system has no locks; its reason.
    Unsupported(String),
}

impl FileLock {
    /// Locks the file at `path`, which is made where it is missing, and writes `holder` into it. Never waits.
    ///
    /// # Errors
    ///
    /// [`Error::Io`] if the file cannot be opened or written.
    pub fn acquire(path: &Path, holder: &str) -> Result<Locking> {
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(Error::io(path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(Locking::Held(text_of(&mut file))),
            Err(TryLockError::Error(error)) if is_unsupported(&error) => {
                return Ok(Locking::Unsupported(error.to_string()));
            }
            Err(TryLockError::Error(error)) => return Err(Error::io(path)(error)),
        }
        let mut write = || {
            file.set_len(0)?;
            file.rewind()?;
            file.write_all(holder.as_bytes())
        };
        write().map_err(Error::io(path))?;
        Ok(Locking::Locked(Self(file)))
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Only a note for people: whoever opens the file while nobody holds it reads no name.
        let _ = self.0.set_len(0);
    }
}

/// At most a few hundred bytes, whatever the file holds. Windows refuses to read what another process has locked.
fn text_of(file: &mut File) -> String {
    let mut bytes = Vec::new();
    match file.take(512).read_to_end(&mut bytes) {
        Ok(_) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(_) => String::new(),
    }
}

/// ENOLCK, ENOSYS and ENOTSUP or EOPNOTSUPP: the file system, not the file, is the reason.
fn is_unsupported(error: &std::io::Error) -> bool {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    const CODES: &[i32] = &[37, 38, 95];
    #[cfg(windows)]
    const CODES: &[i32] = &[1, 50]; // ERROR_INVALID_FUNCTION, ERROR_NOT_SUPPORTED
    #[cfg(not(any(target_os = "linux", target_os = "android", windows)))]
    const CODES: &[i32] = &[77, 78, 45, 102]; // macOS and the BSDs
    error.kind() == std::io::ErrorKind::Unsupported || error.raw_os_error().is_some_and(|code| CODES.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(name: &str) -> std::path::PathBuf {
        let path = std::env::temp_dir().join(format!("stylegan-lock-{}-{name}", std::process::id()));
        let _ = std::fs::remove_file(&path);
        path
    }

    #[test]
    fn the_second_is_told_who_holds_it() {
        let path = path("held");
        let first = FileLock::acquire(&path, "the first").unwrap();
        assert!(matches!(first, Locking::Locked(_)));
        assert!(matches!(FileLock::acquire(&path, "the second").unwrap(), Locking::Held(text) if text == "the first"));
    }

    #[test]
    fn a_released_lock_can_be_taken_and_names_nobody() {
        let path = path("released");
        drop(FileLock::acquire(&path, "the first").unwrap());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "");
        assert!(matches!(FileLock::acquire(&path, "the second").unwrap(), Locking::Locked(_)));
    }

    #[test]
    fn what_an_earlier_holder_left_is_replaced() {
        let path = path("left");
        std::fs::write(&path, "a process that was killed, with a long name").unwrap();
        let _lock = FileLock::acquire(&path, "me").unwrap();
        #[cfg(unix)]
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "me");
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_file_system_without_locks_is_told_from_a_failure() {
        let is = |code| is_unsupported(&std::io::Error::from_raw_os_error(code));
        assert!(is(37) && is(95) && is(38)); // ENOLCK, EOPNOTSUPP, ENOSYS
        assert!(!is(5) && !is(13)); // EIO, EACCES
    }

    #[test]
    fn a_folder_that_does_not_exist_is_named() {
        let error = FileLock::acquire(Path::new("/nowhere/at/all.lock"), "").unwrap_err();
        assert!(error.to_string().starts_with("/nowhere/at/all.lock: "), "{error}");
    }
}
