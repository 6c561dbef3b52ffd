use std::path::Path;
use std::{env, fs};

/// The paths of files that the addon is built from, relative to the workspace: as in `scripts/sources.mjs`.
fn sources(root: &Path, path: &str, found: &mut Vec<String>) {
    let full = root.join(path);
    if !full.is_dir() {
        return found.push(path.into());
    }
    for entry in fs::read_dir(full).expect("a folder that can be read") {
        let name = entry.expect("a folder that can be read").file_name().into_string().expect("a name in UTF-8");
        if !["benches", "examples", "tests"].contains(&name.as_str()) {
            sources(root, &format!("{path}/{name}"), found);
        }
    }
}

fn main() {
    napi_build::setup();
    if env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        // Names of functions are a fifth of the file.
        println!("cargo::rustc-cdylib-link-arg=-Wl,--strip-all");
    }
    // An older C library than the machine's own (`.ci/sysroot`), so that the addon runs where that one is.
    println!("cargo::rerun-if-env-changed=STYLEGAN_SYSROOT");
    if let Ok(sysroot) = env::var("STYLEGAN_SYSROOT") {
        for [flag, folder] in [["--sysroot=", ""], ["-B", "/usr/lib64"], ["-L", "/usr/lib64"], ["-L", "/lib64"]] {
            println!("cargo::rustc-cdylib-link-arg={flag}{sysroot}{folder}");
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = vec!["Cargo.lock".into(), "Cargo.toml".into()];
    sources(&root, "crates", &mut found);
    found.sort();
    let mut hash = sha1_smol::Sha1::new();
    for path in found {
        let full = root.join(&path);
        println!("cargo::rerun-if-changed={}", full.display());
        let bytes = fs::read(full).expect("a file that can be read");
        hash.update(format!("{path}\0{}\0", bytes.len()).as_bytes());
        hash.update(&bytes);
    }
    println!("cargo::rustc-env=STYLEGAN_SOURCES={}", hash.digest());
}
