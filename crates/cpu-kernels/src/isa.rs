//! The instruction set that kernels use: the best of the machine, or less if `STYLEGAN_ISA` asks for less.

use pulp::Arch;
use std::sync::LazyLock;

const VARIABLE: &str = "STYLEGAN_ISA";

static ARCH: LazyLock<Arch> = LazyLock::new(|| {
    #[cfg(target_arch = "x86_64")]
    if let (true, Some(simd)) = (asked().as_deref() == Some("avx2"), pulp::x86::V3::try_new()) {
        return Arch::V3(simd);
    }
    Arch::new()
});

fn asked() -> Option<String> {
    std::env::var_os(VARIABLE).map(|value| value.to_string_lossy().into_owned()).filter(|value| !value.is_empty())
}

/// The set for every kernel of this process.
pub(crate) fn arch() -> Arch {
    *ARCH
}

/// Whether AVX-512 is there and was left out.
#[cfg(target_arch = "x86_64")]
pub(crate) fn is_confined() -> bool {
    matches!(arch(), Arch::V3(_)) && asked().is_some()
}

/// The widest vectors of the set, as people call them.
pub fn simd() -> &'static str {
    match arch() {
        #[cfg(target_arch = "x86_64")]
        Arch::V4(_) => "AVX-512",
        #[cfg(target_arch = "x86_64")]
        Arch::V3(_) => "AVX2",
        #[cfg(target_arch = "x86_64")]
        _ => "SSE2",
        #[cfg(target_arch = "aarch64")]
        _ => "NEON",
        #[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
        _ => "none",
    }
}

/// Refuses a value of `STYLEGAN_ISA` that means nothing.
///
/// # Errors
///
/// One sentence that says what is expected.
pub fn check() -> Result<(), String> {
    match asked() {
        Some(value) if value != "avx2" => Err(format!(
            "{VARIABLE} must be avx2, which leaves AVX-512 unused, or not be set, got '{}'",
            value.escape_debug()
        )),
        _ => Ok(()),
    }
}
