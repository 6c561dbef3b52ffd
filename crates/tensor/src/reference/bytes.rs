//! f64 values as the bytes of a dtype, and back.

use crate::DType;

/// The nearest value that `dtype` holds: as `Kernel::Cast` says, which is what Rust's `as` does.
pub(crate) fn round(value: f64, dtype: DType) -> f64 {
    match dtype {
        DType::F64 => value,
        DType::F32 => f64::from(value as f32),
        DType::U8 => f64::from(value as u8),
        DType::I32 => f64::from(value as i32),
    }
}

/// The values, rounded to `dtype`, in native byte order.
pub(crate) fn encode(values: &[f64], dtype: DType) -> Vec<u8> {
    match dtype {
        DType::F64 => values.iter().flat_map(|v| v.to_ne_bytes()).collect(),
        DType::F32 => values
            .iter()
            .flat_map(|&v| (v as f32).to_ne_bytes())
            .collect(),
        DType::U8 => values.iter().map(|&v| v as u8).collect(),
        DType::I32 => values
            .iter()
            .flat_map(|&v| (v as i32).to_ne_bytes())
            .collect(),
    }
}

/// The elements that [`encode`] wrote.
pub(crate) fn decode(bytes: &[u8], dtype: DType) -> Vec<f64> {
    fn chunks<const K: usize>(bytes: &[u8], value: fn([u8; K]) -> f64) -> Vec<f64> {
        bytes
            .as_chunks::<K>()
            .0
            .iter()
            .map(|chunk| value(*chunk))
            .collect()
    }
    match dtype {
        DType::F64 => chunks(bytes, f64::from_ne_bytes),
        DType::F32 => chunks(bytes, |b| f32::from_ne_bytes(b).into()),
        DType::U8 => chunks(bytes, |[b]| b.into()),
        DType::I32 => chunks(bytes, |b| i32::from_ne_bytes(b).into()),
    }
}
