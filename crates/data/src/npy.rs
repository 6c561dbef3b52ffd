//! The `.npy` format: headers, and small arrays of floats.
//!
//! Layout (numpy.lib.format): `\x93NUMPY`, a version, the header's length, a Python dictionary padded with spaces so
//! that the data begins at a multiple of 64, the data.

use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use crate::{Error, Result};

const MAGIC: &[u8; 6] = b"\x93NUMPY";
/// Bytes before the data in files written here. Fixed, so that a header can be rewritten with another N.
pub(crate) const HEADER_BYTES: usize = 128;
/// No header of a plain array comes near: against a damaged length.
const MAX_HEADER_BYTES: usize = 1 << 20;

/// What a `.npy` file says of its data.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// NumPy's name of the type, as `|u1`.
    pub descr: String,
    pub shape: Vec<usize>,
    /// Where the data begins.
    pub offset: usize,
}

impl Header {
    /// The number of values, if it can be counted.
    pub fn len(&self) -> Option<usize> {
        self.shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d))
    }
}

/// The header of a C-order array: version 1.0, [`HEADER_BYTES`] long.
pub(crate) fn encode_header(descr: &str, shape: &[usize]) -> Result<Vec<u8>> {
    let mut dims = shape.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    if shape.len() == 1 {
        dims.push(','); // Python's tuple of one
    }
    let dictionary = format!("{{'descr': '{descr}', 'fortran_order': False, 'shape': ({dims}), }}");
    let room = HEADER_BYTES - 10;
    if dictionary.len() >= room {
        return Err(Error::Argument(format!("the shape ({dims}) is too long for a .npy header")));
    }
    let mut header = Vec::with_capacity(HEADER_BYTES);
    header.extend(MAGIC);
    header.extend([1, 0]);
    header.extend((room as u16).to_le_bytes());
    header.extend(dictionary.bytes());
    header.resize(HEADER_BYTES - 1, b' ');
    header.push(b'\n');
    Ok(header)
}

/// Reads the header of versions 1, 2 and 3, leaving `file` at the data.
pub(crate) fn read_header(path: &Path, file: &mut impl Read) -> Result<Header> {
    let mut read = |count: usize| {
        let mut bytes = vec![0; count];
        match file.read_exact(&mut bytes) {
            Ok(()) => Ok(bytes),
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                Err(Error::npy(path, "a .npy file is expected, got one that ends inside the header"))
            }
            Err(error) => Err(Error::io(path)(error)),
        }
    };
    let start = read(8)?;
    if &start[..6] != MAGIC {
        return Err(Error::npy(
            path,
            format!("a .npy file is expected, got one that starts with \"{}\"", start.escape_ascii()),
        ));
    }
    let prefix = match start[6] {
        1 => 2,
        2 | 3 => 4,
        version => {
            return Err(Error::npy(path, format!(".npy version 1, 2 or 3 is expected, got {version}")));
        }
    };
    let length = read(prefix)?.iter().rev().fold(0, |n, &byte| n << 8 | usize::from(byte));
    if length > MAX_HEADER_BYTES {
        return Err(Error::npy(path, "the .npy header's length is damaged"));
    }
    let text = read(length)?;
    let text = String::from_utf8_lossy(&text);
    let parsed = parse_dictionary(&text).map_err(|reason| Error::npy(path, reason))?;
    Ok(Header { offset: 8 + prefix + length, ..parsed })
}

fn parse_dictionary(text: &str) -> Result<Header, String> {
    let value = |key: &str| {
        let found = text.split_once(&format!("'{key}':")).or_else(|| text.split_once(&format!("\"{key}\":")));
        found.map(|(_, rest)| rest.trim_start()).ok_or_else(|| format!("the .npy header has no '{key}'"))
    };
    let descr = value("descr")?;
    let descr = descr
        .strip_prefix('\'')
        .and_then(|rest| rest.split_once('\''))
        .map(|(descr, _)| descr.to_owned())
        .ok_or("a plain array is expected, got a structured .npy type")?;
    if !value("fortran_order")?.starts_with("False") {
        return Err("an array in C order is expected, got Fortran order; save numpy.ascontiguousarray(it)".into());
    }
    let shape = value("shape")?;
    let shape = shape
        .strip_prefix('(')
        .and_then(|rest| rest.split_once(')'))
        .and_then(|(dims, _)| {
            // Python 2 wrote long integers as 3L.
            let dims = dims.split(',').map(|d| d.trim().trim_end_matches('L'));
            dims.filter(|d| !d.is_empty()).map(|d| d.parse().ok()).collect()
        })
        .ok_or("the .npy header's 'shape' is damaged")?;
    Ok(Header { descr, shape, offset: 0 })
}

/// An array of floats and its shape.
#[derive(Clone, Debug, PartialEq)]
pub struct FloatArray {
    /// The dimensions, slowest first.
    pub shape: Vec<usize>,
    /// The values in C order.
    pub values: Vec<f32>,
}

/// Reads a `.npy` file of `<f4`, `<f8`, `<i8` or `|u1`, as `labels.npy` is, to f32.
///
/// # Errors
///
/// [`Error::Npy`] if it is not such a file, or its size is not what its header says; [`Error::Io`].
pub fn read_npy_f32(path: &Path) -> Result<FloatArray> {
    let mut file = File::open(path).map_err(Error::io(path))?;
    let header = read_header(path, &mut file)?;
    let mut data = Vec::new();
    file.read_to_end(&mut data).map_err(Error::io(path))?;
    let (size, values) = match header.descr.as_str() {
        "<f4" => (4, from_le(&data, f32::from_le_bytes)),
        "<f8" => (8, from_le(&data, |b| f64::from_le_bytes(b) as f32)),
        "<i8" => (8, from_le(&data, |b| i64::from_le_bytes(b) as f32)),
        "|u1" => (1, from_le(&data, |[b]| f32::from(b))),
        other => {
            return Err(Error::npy(
                path,
                format!("float32, float64, int64 or uint8 values are expected, got '{other}'"),
            ));
        }
    };
    let expected = header.len().and_then(|n| n.checked_mul(size));
    if expected != Some(data.len()) {
        return Err(Error::npy(
            path,
            format!(
                "{:?} of '{}' does not fit {} bytes of data: the file is damaged, make it again",
                header.shape,
                header.descr,
                data.len()
            ),
        ));
    }
    Ok(FloatArray { values, shape: header.shape })
}

fn from_le<const SIZE: usize>(data: &[u8], convert: impl Fn([u8; SIZE]) -> f32) -> Vec<f32> {
    let (values, _) = data.as_chunks();
    values.iter().map(|&bytes| convert(bytes)).collect()
}

/// Writes a `.npy` file of `<f4`.
///
/// # Errors
///
/// [`Error::Argument`] if `values` are not as many as `shape` says; [`Error::Io`].
pub fn write_npy_f32(path: &Path, shape: &[usize], values: &[f32]) -> Result<()> {
    let expected = shape.iter().try_fold(1usize, |n, &d| n.checked_mul(d));
    if expected != Some(values.len()) {
        return Err(Error::Argument(format!("an array of shape {shape:?} does not hold {} values", values.len())));
    }
    let mut bytes = encode_header("<f4", shape)?;
    bytes.extend(values.iter().flat_map(|value| value.to_le_bytes()));
    fs::write(path, bytes).map_err(Error::io(path))
}
