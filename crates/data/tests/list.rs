//! Finding the images of a folder.

mod folder;

use std::path::Path;

use folder::Folder;
use stylegan_data::{decode, list_images};

#[test]
fn listing_finds_images_in_folders_sorted_without_hidden_ones() {
    let folder = Folder::new();
    for name in ["b.PNG", "a/z.jpeg", "a/deep/er/1.webp", "c.gif", "a.JpG", ".hidden.png", ".git/x.png", "note.txt"] {
        folder.write(name, b"x");
    }
    let found = list_images(folder.root()).unwrap();
    let names: Vec<_> = found.iter().map(|p| p.strip_prefix(folder.root()).unwrap().to_str().unwrap()).collect();
    assert_eq!(
        names,
        ["a/deep/er/1.webp", "a/z.jpeg", "a.JpG", "b.PNG", "c.gif"]
            .map(|n| n.replace('/', std::path::MAIN_SEPARATOR_STR))
    );
}

#[cfg(unix)]
#[test]
fn links_in_a_circle_end_and_a_broken_link_is_named_when_decoded() {
    let folder = Folder::new();
    folder.write("a/1.png", b"x");
    std::os::unix::fs::symlink(folder.root(), folder.path("a/up")).unwrap();
    std::os::unix::fs::symlink(folder.path("a"), folder.path("a/self")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.path("lost.png")).unwrap();
    let found = list_images(folder.root()).unwrap();
    assert_eq!(found, [folder.path("a/1.png"), folder.path("lost.png")]);
    assert!(decode(&found[1], 3).unwrap_err().to_string().contains("No such file"));
}

#[test]
fn listing_says_what_is_wrong_with_a_folder() {
    let folder = Folder::new();
    let file = folder.write("file.txt", b"x");
    let message = |path: &Path| {
        let message = list_images(path).unwrap_err().to_string();
        message.strip_prefix(&format!("{}: ", path.display())).unwrap().to_owned()
    };
    assert_eq!(message(&folder.path("none")), "expected a folder of images, found nothing there");
    assert_eq!(message(&file), "expected a folder of images, found a file");
    assert_eq!(
        message(folder.root()),
        "no image found: looked for .png, .jpg, .jpeg, .webp, .gif in it and its folders (hidden ones are skipped)"
    );
}
