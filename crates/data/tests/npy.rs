//! Files of NumPy's format.

mod folder;

use std::fs;

use folder::Folder;
use stylegan_data::{Dataset, read_npy_f32, write_npy_f32};

/// A file as `numpy.save` writes it, in each version of the format.
fn numpy_file(version: u8, dictionary: &str, data: &[u8]) -> Vec<u8> {
    let prefix = if version == 1 { 10 } else { 12 };
    let length = (prefix + dictionary.len() + 1).next_multiple_of(64) - prefix;
    let mut bytes = [b"\x93NUMPY", &[version, 0][..], &(length as u32).to_le_bytes()[..prefix - 8]].concat();
    bytes.extend(format!("{dictionary:<0$}\n", length - 1).bytes());
    bytes.extend(data);
    bytes
}

#[test]
fn files_saved_by_numpy_are_read_in_every_version_of_the_format() {
    let folder = Folder::new();
    let data: Vec<u8> = (0..48).collect();
    for version in [1, 2, 3] {
        let dictionary = "{'descr': '|u1', 'fortran_order': False, 'shape': (1, 4, 4, 3), }";
        folder.write("r02.npy", &numpy_file(version, dictionary, &data));
        let out = Dataset::open(folder.root()).unwrap().batch(4, &[0], &[false]).unwrap();
        assert_eq!(out, data, "version {version}");
    }
    folder.write("r02.npy", &numpy_file(4, "{}", &data));
    let message = Dataset::open(folder.root()).unwrap_err().to_string();
    assert!(message.ends_with(".npy version 1, 2 or 3 is expected, got 4"));
}

#[test]
fn labels_survive_the_round_trip_and_the_header_is_numpys() {
    let folder = Folder::new();
    let path = folder.path("labels.npy");
    let values = [0.0, 1.0, -2.5, f32::MIN_POSITIVE, 1e30, 0.1];
    write_npy_f32(&path, &[2, 3], &values).unwrap();
    let read = read_npy_f32(&path).unwrap();
    assert_eq!((read.shape, read.values), (vec![2, 3], values.to_vec()));
    let dictionary = "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }";
    let bytes = fs::read(&path).unwrap();
    assert_eq!(&bytes[10..128], format!("{dictionary:<117}\n").as_bytes());
    write_npy_f32(&path, &[6], &values).unwrap();
    assert!(String::from_utf8_lossy(&fs::read(&path).unwrap()[..80]).contains("'shape': (6,), }"));
    assert_eq!(read_npy_f32(&path).unwrap().shape, [6]);
    let message = write_npy_f32(&path, &[2, 2], &values).unwrap_err().to_string();
    assert_eq!(message, "an array of shape [2, 2] does not hold 6 values");
}

#[test]
fn labels_of_other_types_become_floats() {
    let folder = Folder::new();
    let read = |descr: &str, data: &[u8]| {
        let dictionary = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': (2, 1), }}");
        read_npy_f32(&folder.write("labels.npy", &numpy_file(1, &dictionary, data))).map(|array| array.values)
    };
    assert_eq!(read("<f8", &[0.5f64, -3.0].map(f64::to_le_bytes).concat()).unwrap(), [0.5, -3.0]);
    assert_eq!(read("<i8", &[7i64, -1].map(i64::to_le_bytes).concat()).unwrap(), [7.0, -1.0]);
    assert_eq!(read("|u1", &[0, 255]).unwrap(), [0.0, 255.0]);
    let message = read("<f4", &[0; 7]).unwrap_err().to_string();
    assert!(message.ends_with("[2, 1] of '<f4' does not fit 7 bytes of data: the file is damaged, make it again"));
    let message = read(">f4", &[0; 8]).unwrap_err().to_string();
    assert!(message.ends_with("float32, float64, int64 or uint8 values are expected, got '>f4'"));
}
