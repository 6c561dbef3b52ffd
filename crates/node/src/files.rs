//! Checksums and locks of files.

use std::path::Path;

use napi_derive::napi;
use stylegan_data as data;

use crate::data::refused;
use crate::error::Result;

/// CRC-32C of bytes that follow those with the checksum `before`.
#[napi(js_name = "crc32c", catch_unwind)]
pub fn crc32c(bytes: &[u8], before: u32) -> u32 {
    data::crc32c(bytes, before)
}

/// What became of a try to lock a file: `state` is locked, held or unsupported; `text` is the holder's, or the reason.
#[napi]
pub struct NativeLock {
    lock: Option<data::FileLock>,
    state: &'static str,
    text: String,
}

#[napi]
impl NativeLock {
    #[napi(factory, catch_unwind)]
    pub fn acquire(path: String, holder: String) -> Result<Self> {
        let locking = data::FileLock::acquire(Path::new(&path), &holder).map_err(refused)?;
        Ok(match locking {
            data::Locking::Locked(lock) => Self { lock: Some(lock), state: "locked", text: holder },
            data::Locking::Held(text) => Self { lock: None, state: "held", text },
            data::Locking::Unsupported(text) => Self { lock: None, state: "unsupported", text },
        })
    }

    #[napi(getter, ts_return_type = "'locked' | 'held' | 'unsupported'", catch_unwind)]
    pub fn state(&self) -> &'static str {
        self.state
    }

    #[napi(getter, catch_unwind)]
    pub fn text(&self) -> String {
        self.text.clone()
    }

    #[napi(catch_unwind)]
    pub fn release(&mut self) {
        self.lock = None;
    }
}
