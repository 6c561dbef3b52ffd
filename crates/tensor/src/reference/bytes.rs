//! f64 values as the bytes of a dtype, and back.

use half::{bf16, f16};

use crate::DType;

/// The nearest value that `dtype` holds: as `Kernel::Cast` says, which is what Rust's `as` does.
pub(crate) fn round(value: f64, dtype: DType) -> f64 {
    match dtype {
        DType::F64 => value,
        DType::F32 => f64::from(value as f32),
        DType::BF16 => bf16::from_f32(value as f32).to_f64(),
        DType::F16 => f16::from_f32(value as f32).to_f64(),
        DType::U8 => f64::from(value as u8),
        DType::I32 => f64::from(value as i32),
    }
}

/// The values, rounded to `dtype`, in native byte order.
pub(crate) fn encode(values: &[f64], dtype: DType) -> Vec<u8> {
    match dtype {
        DType::F64 => values.iter().flat_map(|v| v.to_ne_bytes()).collect(),
        DType::F32 => values.iter().flat_map(|&v| (v as f32).to_ne_bytes()).collect(),
        DType::BF16 => values.iter().flat_map(|&v| bf16::from_f32(v as f32).to_ne_bytes()).collect(),
        DType::F16 => values.iter().flat_map(|&v| f16::from_f32(v as f32).to_ne_bytes()).collect(),
        DType::U8 => values.iter().map(|&v| v as u8).collect(),
        DType::I32 => values.iter().flat_map(|&v| (v as i32).to_ne_bytes()).collect(),
    }
}

/// The elements that [`encode`] wrote.
pub(crate) fn decode(bytes: &[u8], dtype: DType) -> Vec<f64> {
    fn chunks<const K: usize>(bytes: &[u8], value: fn([u8; K]) -> f64) -> Vec<f64> {
        bytes.as_chunks::<K>().0.iter().map(|chunk| value(*chunk)).collect()
    }
    match dtype {
        DType::F64 => chunks(bytes, f64::from_ne_bytes),
        DType::F32 => chunks(bytes, |b| f32::from_ne_bytes(b).into()),
        DType::BF16 => chunks(bytes, |b| bf16::from_ne_bytes(b).to_f64()),
        DType::F16 => chunks(bytes, |b| f16::from_ne_bytes(b).to_f64()),
        DType::U8 => chunks(bytes, |[b]| b.into()),
        DType::I32 => chunks(bytes, |b| i32::from_ne_bytes(b).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn held(bits: u16, dtype: DType) -> f64 {
        decode(&bits.to_ne_bytes(), dtype)[0]
    }

    #[test]
    fn every_16_bit_number_is_itself_and_the_mean_of_two_becomes_the_even_one() {
        for dtype in [DType::BF16, DType::F16] {
            for bits in 0..u16::MAX {
                let value = held(bits, dtype);
                if value.is_nan() {
                    assert!(round(value, dtype).is_nan());
                    continue;
                }
                assert_eq!(encode(&[value], dtype), bits.to_ne_bytes());
                let next = held(bits + 1, dtype);
                if next.is_finite() {
                    let even = if bits % 2 == 0 { value } else { next };
                    assert_eq!(round(value.midpoint(next), dtype), even, "{dtype} {bits:#x}");
                }
            }
        }
        assert_eq!(round(65519.9, DType::F16), 65504.0);
        assert_eq!(round(65520.0, DType::F16), f64::INFINITY);
        assert_eq!(round(-1e30, DType::F16), f64::NEG_INFINITY);
    }
}
