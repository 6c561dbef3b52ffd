//! From images to a prepared dataset and back.

mod folder;

use std::fs;

use folder::Folder;
use stylegan_data::{
    Dataset, Image, Input, NotWritten, Recipe, Writer, crc32c, encode_png, prepare_chunk, pyramid, write_pixels,
};

/// A pattern in which every byte depends on image, row, column and channel.
fn pixels(image: usize, side: usize, channels: usize) -> Vec<u8> {
    (0..side * side * channels).map(|i| (i * 7 + i / 13 + image * 31) as u8).collect()
}

/// A dataset of `count` images of the pattern.
fn prepared(folder: &Folder, count: usize, side: usize, channels: usize) -> Dataset {
    let writer = Writer::create(folder.root(), count, side, channels).unwrap();
    let all: Vec<u8> = (0..count).flat_map(|i| pixels(i, side, channels)).collect();
    write_pixels(&writer, 0, &all, count, side).unwrap();
    writer.finish(count).unwrap();
    Dataset::open(folder.root()).unwrap()
}

fn open_error(folder: &Folder) -> String {
    Dataset::open(folder.root()).unwrap_err().to_string()
}

#[test]
fn written_files_are_what_numpy_writes() {
    let folder = Folder::new();
    let writer = Writer::create(folder.root(), 3, 8, 3).unwrap();
    let image = Image::new(8, 8, 3, pixels(2, 8, 3)).unwrap();
    writer.write(2, &pyramid(&image).unwrap()).unwrap();
    writer.finish(3).unwrap();
    let bytes = fs::read(folder.path("r03.npy")).unwrap();
    // Version 1.0; 118 bytes of dictionary, so that the data begins at 128.
    assert_eq!(&bytes[..10], b"\x93NUMPY\x01\x00\x76\x00");
    let dictionary = "{'descr': '|u1', 'fortran_order': False, 'shape': (3, 8, 8, 3), }";
    assert_eq!(&bytes[10..128], format!("{dictionary:<117}\n").as_bytes());
    assert_eq!(bytes.len(), 128 + 3 * 192);
    assert_eq!(&bytes[128..128 + 384], [0; 384]);
    assert_eq!(&bytes[128 + 384..], image.pixels());
    assert_eq!(fs::metadata(folder.path("r02.npy")).unwrap().len(), 128 + 3 * 48);
}

#[test]
fn images_come_back_at_every_resolution_mirrored_where_asked() {
    for channels in [1, 3, 4] {
        let folder = Folder::new();
        let dataset = prepared(&folder, 5, 16, channels);
        assert_eq!((dataset.len(), dataset.resolution(), dataset.channels()), (5, 16, channels));
        for (level, side) in [16, 8, 4].into_iter().enumerate() {
            let expected =
                |i| pyramid(&Image::new(16, 16, channels, pixels(i, 16, channels)).unwrap()).unwrap()[level].clone();
            let out = dataset.batch(side, &[4, 0, 4], &[false, false, true]).unwrap();
            let [a, b, c] = [0, 1, 2].map(|i| &out[i * side * side * channels..][..side * side * channels]);
            assert_eq!((a, b), (&expected(4)[..], &expected(0)[..]));
            for y in 0..side {
                for x in 0..side {
                    let at = |x| (y * side + x) * channels..(y * side + x + 1) * channels;
                    assert_eq!(c[at(x)], a[at(side - 1 - x)], "{channels} channels, side {side}, {x}, {y}");
                }
            }
        }
    }
}

#[test]
fn a_batch_that_the_dataset_does_not_have_is_refused() {
    let folder = Folder::new();
    let dataset = prepared(&folder, 2, 8, 3);
    let error = |side, indices: &[u32], mirror: &[bool]| dataset.batch(side, indices, mirror).unwrap_err().to_string();
    assert_eq!(error(16, &[0], &[false]), "the dataset has powers of two from 4 to 8, not 16");
    assert_eq!(error(2, &[0], &[false]), "the dataset has powers of two from 4 to 8, not 2");
    assert_eq!(error(8, &[0, 2], &[false; 2]), "image 2 is out of range: the dataset has 2");
    // Before any memory is asked for: 2³² − 1 squared bytes would end the process.
    let message = "the dataset has powers of two from 4 to 8, not 4294967295";
    assert_eq!(error(u32::MAX as usize, &[0], &[false]), message);
    let message = "a batch of 1 images needs as many mirror flags, got 2";
    assert_eq!(error(8, &[0], &[false; 2]), message);
}

#[test]
fn bad_files_are_reported_and_the_good_ones_stay_together_in_order() {
    let folder = Folder::new();
    let png = |name: &str, image| folder.write(name, &encode_png(&pixels(image, 8, 3), 8, 8, 3).unwrap());
    let paths = [
        png("in/0.png", 0),
        folder.write("in/1.png", b""),
        png("in/2.png", 1),
        folder.write("in/3.png", b"text"),
        png("in/4.png", 2),
    ];
    let dir = folder.path("out");
    let writer = Writer::create(&dir, 6, 8, 3).unwrap();
    let inputs: Vec<Input> = paths.iter().map(Input::from).collect();
    let first = prepare_chunk(&writer, 0, &inputs[..2], &Recipe::new(3), None).unwrap();
    assert_eq!(first.written, 1);
    drop(writer); // an interruption
    let writer = Writer::open(&dir, 6, 8, 3).unwrap();
    let second = prepare_chunk(&writer, first.written, &inputs[2..], &Recipe::new(3), None).unwrap();
    assert_eq!(second.written, 2);
    let message = format!("{}: not an image (starts with \"text\")", paths[3].display());
    assert_eq!(second.left_out, [NotWritten { place: 1, message, is_bad: true, same_as: None }]);
    writer.finish(3).unwrap();
    let dataset = Dataset::open(&dir).unwrap();
    assert_eq!(dataset.len(), 3);
    let out = dataset.batch(8, &[0, 1, 2], &[false; 3]).unwrap();
    assert_eq!(out, [pixels(0, 8, 3), pixels(1, 8, 3), pixels(2, 8, 3)].concat());
}

#[test]
fn many_threads_may_write_at_once() {
    let folder = Folder::new();
    let writer = Writer::create(folder.root(), 64, 16, 1).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let writer = &writer;
            scope.spawn(move || {
                for i in (thread..64).step_by(4).rev() {
                    let image = Image::new(16, 16, 1, pixels(i, 16, 1)).unwrap();
                    writer.write(i, &pyramid(&image).unwrap()).unwrap();
                }
            });
        }
    });
    writer.finish(64).unwrap();
    let indices: Vec<u32> = (0..64).collect();
    let out = Dataset::open(folder.root()).unwrap().batch(16, &indices, &[false; 64]).unwrap();
    assert_eq!(out, (0..64).flat_map(|i| pixels(i, 16, 1)).collect::<Vec<_>>());
}

#[test]
fn images_in_memory_of_another_size_are_resized() {
    let folder = Folder::new();
    let writer = Writer::create(folder.root(), 2, 8, 3).unwrap();
    let large = [10, 20, 30].repeat(2 * 32 * 32);
    write_pixels(&writer, 0, &large, 2, 32).unwrap();
    writer.finish(2).unwrap();
    let out = Dataset::open(folder.root()).unwrap().batch(8, &[1], &[false]).unwrap();
    assert_eq!(out, [10, 20, 30].repeat(64));
    let message = write_pixels(&writer, 0, &large, 3, 32).unwrap_err().to_string();
    assert_eq!(message, "3 images of 32x32 with 3 channels do not have 6144 bytes");
}

#[test]
fn a_writer_refuses_what_does_not_fit() {
    let folder = Folder::new();
    let error = |n, side, c| Writer::create(folder.root(), n, side, c).unwrap_err().to_string();
    assert_eq!(error(0, 8, 3), "a dataset needs at least one image, got 0");
    assert_eq!(error(1, 10, 3), "resolution must be a power of two from 4 to 16384, got 10");
    assert_eq!(error(1, 8, 2), "channels must be 1 (gray), 3 (RGB) or 4 (RGBA), got 2");
    let writer = Writer::create(folder.root(), 2, 8, 1).unwrap();
    let levels = [vec![0; 64], vec![0; 16]];
    let message = |index, levels: &[Vec<u8>]| writer.write(index, levels).unwrap_err().to_string();
    assert_eq!(message(2, &levels), "image 2 is out of range: the dataset has room for 2");
    assert_eq!(message(0, &levels[..1]), "image 0 is not a pyramid of 8x8 with 1 channels");
    assert_eq!(writer.finish(3).unwrap_err().to_string(), "a dataset planned for 2 images cannot be finished with 3");
    assert!(writer.finish(0).is_err());
}

#[test]
fn going_on_needs_the_files_as_they_were_left() {
    let folder = Folder::new();
    drop(Writer::create(folder.root(), 4, 8, 3).unwrap());
    assert!(Writer::open(folder.root(), 4, 8, 3).is_ok());
    let message = Writer::open(folder.root(), 5, 8, 3).unwrap_err().to_string();
    assert!(message.contains("r03.npy: the unfinished '|u1' [5, 8, 8, 3]"), "{message}");
    assert!(Writer::open(folder.root(), 4, 8, 1).is_err());
    assert!(Writer::open(folder.root(), 4, 16, 3).is_err());
    let cut = fs::File::options().write(true).open(folder.path("r02.npy")).unwrap();
    cut.set_len(200).unwrap();
    let message = Writer::open(folder.root(), 4, 8, 3).unwrap_err().to_string();
    assert!(message.contains("r02.npy") && message.contains("delete the folder"), "{message}");
}

#[test]
fn preparing_again_at_a_lower_resolution_leaves_no_larger_level() {
    let folder = Folder::new();
    drop(prepared(&folder, 3, 16, 3));
    assert_eq!(prepared(&folder, 2, 8, 3).resolution(), 8);
}

#[test]
fn a_damaged_dataset_is_refused_with_the_file_and_the_reason() {
    let folder = Folder::new();
    let message = open_error(&folder);
    assert!(message.ends_with("a prepared dataset (r02.npy, r03.npy, …) is expected, got none; prepare one first"));
    drop(prepared(&folder, 3, 16, 3));
    let r03 = folder.path("r03.npy");
    let whole = fs::read(&r03).unwrap();

    folder.write("r03.npy", &whole[..whole.len() - 1]);
    let message = open_error(&folder);
    let expected = format!(
        "{}: 704 bytes are expected for [3, 8, 8, 3], got 703; the file was cut or damaged: delete the folder {} and \
         prepare its images again",
        r03.display(),
        folder.root().display()
    );
    assert_eq!(message, expected);

    folder.write("r03.npy", &[&whole[..], &[0]].concat());
    assert!(open_error(&folder).contains("704 bytes are expected for [3, 8, 8, 3], got 705"));

    let replaced = |from: &str, to: &str| {
        let header = String::from_utf8_lossy(&whole[10..128]).replace(from, to);
        folder.write("r03.npy", &[&whole[..10], header.as_bytes(), &whole[128..]].concat());
        open_error(&folder)
    };
    assert!(
        replaced("|u1", "<f4")
            .ends_with("uint8 ('|u1') [N, 8, 8, 1, 3 or 4], N at least 1, is expected, got '<f4' [3, 8, 8, 3]")
    );
    assert!(replaced("(3, 8, 8, 3)", "(3, 4, 16, 3)").contains("got '|u1' [3, 4, 16, 3]"));
    assert!(replaced("False,", "True, ").contains("an array in C order is expected, got Fortran order"));
    assert!(replaced("shape", "shade").ends_with("the .npy header has no 'shape'"));

    folder.write("r03.npy", b"PK\x03\x04 something");
    assert!(open_error(&folder).contains("a .npy file is expected, got one that starts with \"PK\\x03\\x04"));
    folder.write("r03.npy", &whole[..50]);
    assert!(open_error(&folder).ends_with("a .npy file is expected, got one that ends inside the header"));

    fs::remove_file(&r03).unwrap();
    let message = open_error(&folder);
    assert!(message.contains("r03.npy: the level of 8x8 is missing"), "{message}");

    drop(prepared(&folder, 3, 16, 3));
    let other = Folder::new();
    drop(prepared(&other, 2, 16, 3));
    fs::copy(other.path("r04.npy"), folder.path("r04.npy")).unwrap();
    let message = open_error(&folder);
    assert!(
        message.contains("r04.npy: 3 images with 3 channels are expected, as in r02.npy, got [2, 16, 16, 3]"),
        "{message}"
    );
}

/// The bytes of a level with one bit of an image turned.
fn flip_bit(folder: &Folder, name: &str, at: usize) {
    let mut bytes = fs::read(folder.path(name)).unwrap();
    bytes[at] ^= 4;
    folder.write(name, &bytes);
}

#[test]
fn an_image_that_changed_on_the_disk_is_named_when_it_is_read_or_checked() {
    let folder = Folder::new();
    assert!(prepared(&folder, 5, 16, 3).has_checksums());
    flip_bit(&folder, "r03.npy", 128 + 2 * 192 + 7);
    let dataset = Dataset::open(folder.root()).unwrap();
    let read = |side: usize, image| dataset.batch(side, &[image], &[true]);
    for (side, image) in [(8, 1), (8, 3), (4, 2), (16, 2)] {
        read(side, image).unwrap();
    }
    let message = read(8, 2).unwrap_err().to_string();
    assert!(message.contains(" of image 2 is expected, got "), "{message}");
    assert!(message.ends_with(&format!("delete the folder {} and prepare its images again", folder.root().display())));
    assert_eq!(dataset.check(0, 5).unwrap_err().to_string(), message);
    dataset.check(3, 2).unwrap();
    let message = dataset.check(3, 3).unwrap_err().to_string();
    assert_eq!(message, "images 3 to 6 are out of range: the dataset has 5");
}

#[test]
fn the_checksum_of_a_level_is_that_of_its_file_also_after_an_interruption() {
    let folder = Folder::new();
    let writer = Writer::create(folder.root(), 9, 16, 3).unwrap();
    write_pixels(&writer, 0, &pixels(0, 16, 3), 1, 16).unwrap();
    drop(writer);
    let writer = Writer::open(folder.root(), 9, 16, 3).unwrap();
    for i in 1..7 {
        write_pixels(&writer, i, &pixels(i, 16, 3), 1, 16).unwrap();
    }
    writer.finish(7).unwrap();
    let sums = Dataset::open(folder.root()).unwrap().checksums().unwrap();
    assert_eq!(sums.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["r02.npy", "r03.npy", "r04.npy"]);
    for (name, sum) in sums {
        assert_eq!(sum, crc32c(&fs::read(folder.path(&name)).unwrap(), 0), "{name}");
    }
}

#[test]
fn a_dataset_of_a_version_before_checksums_is_read_and_damaged_checksums_are_not() {
    let folder = Folder::new();
    drop(prepared(&folder, 3, 8, 1));
    let sums = fs::read(folder.path("crc32c.npy")).unwrap();
    folder.write("crc32c.npy", &sums[..sums.len() - 1]);
    assert!(
        open_error(&folder).contains("crc32c.npy: uint32 [3, 2] in 152 bytes is expected, got '<u4' [3, 2] in 151")
    );
    fs::remove_file(folder.path("crc32c.npy")).unwrap();
    let dataset = Dataset::open(folder.root()).unwrap();
    assert!(!dataset.has_checksums() && dataset.checksums().unwrap().is_empty());
    dataset.batch(8, &[2], &[false]).unwrap();
}
