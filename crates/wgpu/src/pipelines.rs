//! Compiled kernels, kept between processes where the driver gives them out: Vulkan's pipeline cache in a file for each
//! adapter and driver.

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use crate::memory::lock;

/// The cache of a device, and the file that it was read from and is written to.
pub(crate) struct Pipelines {
    cache: wgpu::PipelineCache,
    file: PathBuf,
    /// Checksum of what is in the file.
    kept: Mutex<Option<[u8; 8]>>,
}

/// What a file begins with; then 8 bytes of checksum, then the driver's data.
const MAGIC: &[u8; 16] = b"stylegan-wgpu 1\n";

impl Pipelines {
    /// The cache for `adapter` in `folder`; `None` where the driver keeps no cache.
    pub fn open(device: &wgpu::Device, adapter: &wgpu::AdapterInfo, folder: &Path) -> Option<Self> {
        if !device.features().contains(wgpu::Features::PIPELINE_CACHE) {
            return None;
        }
        let key = wgpu::util::pipeline_cache_key(adapter)?;
        let driver = format!("{} {}", adapter.driver, adapter.driver_info);
        let driver = u64::from_le_bytes(checksum(driver.as_bytes()));
        let file = folder.join(format!("{key}_{driver:016x}"));
        let data = std::fs::read(&file).ok();
        let data = data.as_deref().and_then(checked);
        // SAFETY: the data is what `get_data` gave, by its checksum; what belongs to another driver falls back to an
        // empty cache.
        let cache = unsafe {
            device.create_pipeline_cache(&wgpu::PipelineCacheDescriptor {
                label: Some("stylegan"),
                data,
                fallback: true,
            })
        };
        let kept = Mutex::new(data.map(checksum));
        Some(Self { cache, file, kept })
    }

    pub fn cache(&self) -> &wgpu::PipelineCache {
        &self.cache
    }

    /// Writes what was compiled. A cache that cannot be written is none: the next process compiles again.
    pub fn save(&self) {
        let Some(data) = self.cache.get_data() else {
            return;
        };
        let sum = checksum(&data);
        if lock(&self.kept).replace(sum) == Some(sum) {
            return;
        }
        let bytes = [MAGIC.as_slice(), &sum, &data].concat();
        // Of its own name for each process, then renamed: another process never reads half a file.
        let part = self.file.with_extension(std::process::id().to_string());
        let folder = self.file.parent().map_or(Ok(()), std::fs::create_dir_all);
        let written =
            folder.and_then(|()| std::fs::write(&part, bytes)).and_then(|()| std::fs::rename(&part, &self.file));
        if written.is_err() {
            let _ = std::fs::remove_file(&part);
        }
    }
}

/// The driver's data in the bytes of a file, if they are whole.
fn checked(bytes: &[u8]) -> Option<&[u8]> {
    let (sum, data) = bytes.strip_prefix(MAGIC.as_slice())?.split_at_checked(8)?;
    (sum == checksum(data)).then_some(data)
}

/// FNV-1a of 64 bits, which is the same in every build.
fn checksum(data: &[u8]) -> [u8; 8] {
    let step = |hash: u64, &byte: &u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    data.iter().fold(0xcbf2_9ce4_8422_2325, step).to_le_bytes()
}

/// `stylegan` in the user's folder for caches.
pub(crate) fn default_folder() -> Option<PathBuf> {
    let home = |path: &str| std::env::home_dir().map(|home| home.join(path));
    let folder = if cfg!(windows) {
        std::env::var_os("LOCALAPPDATA").map(PathBuf::from)
    } else if cfg!(target_os = "macos") {
        home("Library/Caches")
    } else {
        let given = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        given.filter(|path| path.is_absolute()).or_else(|| home(".cache"))
    };
    Some(folder?.join("stylegan"))
}
