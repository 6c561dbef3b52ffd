//! Finding the images of a folder.

mod folder;

use std::path::Path;

use folder::Folder;
use stylegan_data::{Listing, Reason, encode_drawn_png, encode_png, list_images};

const GIF: &[u8] = b"GIF89a and more";

/// Paths below the folder, with slashes.
fn images(listing: &Listing) -> Vec<String> {
    let images = &listing.images;
    (0..images.len()).map(|i| images.name(i).replace(std::path::MAIN_SEPARATOR, "/")).collect()
}

/// What was left out, and why.
fn left_out(folder: &Folder, listing: &Listing) -> Vec<(String, String)> {
    let reason = |reason: &Reason| match reason {
        Reason::Bad(why) => format!("bad: {why}"),
        Reason::Kind(kind) => kind.clone(),
    };
    listing.left_out.iter().map(|file| (below(folder, &file.path), reason(&file.reason))).collect()
}

fn below(folder: &Folder, path: &Path) -> String {
    path.strip_prefix(folder.root()).unwrap().to_string_lossy().replace(std::path::MAIN_SEPARATOR, "/")
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|&(a, b)| (a.into(), b.into())).collect()
}

#[test]
fn listing_finds_images_in_folders_sorted_without_hidden_ones() {
    let folder = Folder::new();
    for name in ["b.PNG", "a/z.jpeg", "a/deep/er/1.webp", "c.gif", "a.JpG", ".hidden.png", ".git/x.png", "note.txt"] {
        folder.write(name, b"x");
    }
    let listing = list_images(folder.root(), false).unwrap();
    assert_eq!(images(&listing), ["a/deep/er/1.webp", "a/z.jpeg", "a.JpG", "b.PNG", "c.gif"]);
    assert_eq!(left_out(&folder, &listing), pairs(&[("note.txt", ".txt")]));
}

#[test]
fn the_content_says_what_a_file_is_and_other_files_are_told_by_kind() {
    let folder = Folder::new();
    for name in ["noname", "a.JFIF", "b.jpe", "c.apng", "d.dat", "e.tiff"] {
        folder.write(name, GIF);
    }
    let fixture = |name| Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    for name in ["rgb.bmp", "raw.tif", "a.avif", "a.heic"] {
        std::fs::copy(fixture(name), folder.path(&format!("of {name} as x"))).unwrap();
    }
    std::fs::copy(fixture("raw.tif"), folder.path("photo.nef")).unwrap();
    for name in ["BMW", "film.mp4", "text.\x1b[31m", "dataset.json", "a/dataset.json"] {
        folder.write(name, b"BMW and Audi");
    }
    let listing = list_images(folder.root(), false).unwrap();
    assert_eq!(
        images(&listing),
        ["a.JFIF", "b.jpe", "c.apng", "d.dat", "e.tiff", "noname", "of raw.tif as x", "of rgb.bmp as x"]
    );
    let expected = [
        ("BMW", "file without suffix"),
        ("a/dataset.json", ".json"),
        ("film.mp4", ".mp4"),
        ("of a.avif as x", "AVIF"),
        ("of a.heic as x", "HEIC"),
        ("photo.nef", "raw photograph"),
        ("text.\x1b[31m", "other file"),
    ];
    assert_eq!(left_out(&folder, &listing), pairs(&expected));
}

#[test]
fn sizes_and_times_are_those_of_the_files() {
    let folder = Folder::new();
    let path = folder.write("a.gif", GIF);
    let time = std::time::UNIX_EPOCH + std::time::Duration::new(1_700_000_000, 123_456_789);
    std::fs::File::options().write(true).open(&path).unwrap().set_modified(time).unwrap();
    let images = list_images(folder.root(), false).unwrap().images;
    assert_eq!((images.sizes[0], images.modified_ms[0]), (GIF.len() as f64, 1_700_000_000_123.456_8));
}

#[test]
fn what_this_program_made_is_left_out_unless_asked_for() {
    let folder = Folder::new();
    let (plain, drawn) = (encode_png(&[0; 12], 2, 2, 3).unwrap(), encode_drawn_png(&[0; 12], 2, 2, 3).unwrap());
    folder.write("photo.png", &plain);
    folder.write("results/grid.png", &drawn);
    folder.write("results/00000-run/training_options.json", b"{}");
    folder.write("results/00000-run/reals.png", &plain);
    folder.write("results/00000-run/more/fakes.png", &plain);
    for (name, bytes) in [("dataset.json", &b"{}"[..]), ("r02.npy", b"\x93NUMPY"), ("stray.png", &plain)] {
        folder.write(&format!("results/datasets/prepared/{name}"), bytes);
    }
    folder.write("results/datasets/unfinished/preparing.json", b"{}");
    folder.write("results/datasets/unfinished/stray.png", &plain);
    let listing = list_images(folder.root(), false).unwrap();
    assert_eq!(images(&listing), ["photo.png"]);
    let in_run = "picture in a run directory or prepared data set of stylegan";
    let expected = [
        ("results/00000-run/more/fakes.png", in_run),
        ("results/00000-run/reals.png", in_run),
        ("results/datasets/prepared/stray.png", in_run),
        ("results/datasets/unfinished/stray.png", in_run),
        ("results/grid.png", "picture that stylegan drew"),
    ];
    assert_eq!(left_out(&folder, &listing), pairs(&expected));
    assert_eq!(list_images(folder.root(), true).unwrap().images.len(), 6);

    let run = folder.path("results/00000-run");
    let message = list_images(&run, false).unwrap_err().to_string();
    assert!(
        message.contains("00000-run: this is a run directory of stylegan, and its pictures are no data"),
        "{message}"
    );
    assert_eq!(list_images(&run, true).unwrap().images.len(), 2);
}

#[cfg(unix)]
#[test]
fn links_in_a_circle_end_and_links_to_nothing_are_bad_images() {
    use std::os::unix::fs::symlink;
    let folder = Folder::new();
    folder.write("a/1.png", b"x");
    symlink(folder.root(), folder.path("a/up")).unwrap();
    symlink(folder.path("a"), folder.path("a/self")).unwrap();
    symlink("nowhere", folder.path("lost.png")).unwrap();
    symlink("nowhere", folder.path("lost")).unwrap();
    symlink("round.png", folder.path("round.png")).unwrap();
    let listing = list_images(folder.root(), false).unwrap();
    assert_eq!(images(&listing), ["a/1.png"]);
    let left_out = left_out(&folder, &listing);
    assert_eq!(
        left_out[..2],
        pairs(&[("lost", "broken link"), ("lost.png", "bad: a link to nowhere, where nothing is")])
    );
    assert!(left_out[2].1.starts_with("bad: a link that cannot be followed: "), "{left_out:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn an_image_whose_name_is_not_utf8_is_bad_and_other_such_files_are_not() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let folder = Folder::new();
    folder.write("a.gif", GIF);
    for name in [&b"b\xff.png"[..], b"c\xff.txt"] {
        std::fs::write(folder.root().join(OsStr::from_bytes(name)), GIF).unwrap();
    }
    std::fs::write(folder.root().join(OsStr::from_bytes(b"d\xff.md")), "text").unwrap();
    let listing = list_images(folder.root(), false).unwrap();
    assert_eq!(images(&listing), ["a.gif"]);
    let bad = "bad: the name is not UTF-8; give the file and its folders another name";
    let expected = [("b\u{fffd}.png", bad), ("c\u{fffd}.txt", bad), ("d\u{fffd}.md", ".md")];
    assert_eq!(left_out(&folder, &listing), pairs(&expected));
}

#[test]
fn listing_says_what_is_wrong_with_a_folder() {
    let folder = Folder::new();
    let file = folder.write("file.txt", b"x");
    let message = |path: &Path| {
        let message = list_images(path, false).unwrap_err().to_string();
        message.strip_prefix(&format!("{}: ", path.display())).unwrap().to_owned()
    };
    assert_eq!(message(&folder.path("none")), "a folder of images is expected, got nothing");
    assert_eq!(message(&file), "a folder of images is expected, got a file");
    folder.write("a.heic", b"\0\0\0\x18ftypmif1\0\0\0\0heic");
    folder.write("b.heic", b"\0\0\0\x18ftypheic\0\0\0\0mif1");
    assert_eq!(
        message(folder.root()),
        "no image found: looked for PNG, JPEG, GIF, WebP, BMP and TIFF in it and its folders (hidden ones are skipped), \
         found 2 HEIC, 1 .txt; convert it to PNG or JPEG, for example with ImageMagick: magick input.heic output.png"
    );
}
