//! f64 values as the bytes of a dtype, and back.

use crate::DType;

/// The nearest value that `dtype` holds: as `Kernel::Cast` says, which is what Rust's `as` does.
pub(crate) fn round(value: f64, dtype: DType) -> f64 {
    match dtype {
        DType::F64 => value,
        DType::F32 => f64::from(value as f32),
        DType::BF16 | DType::F16 => half_value(half_bits(value as f32, dtype), dtype),
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
        DType::BF16 | DType::F16 => values
            .iter()
            .flat_map(|&v| half_bits(v as f32, dtype).to_ne_bytes())
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
        DType::BF16 => chunks(bytes, |b| half_value(u16::from_ne_bytes(b), DType::BF16)),
        DType::F16 => chunks(bytes, |b| half_value(u16::from_ne_bytes(b), DType::F16)),
        DType::U8 => chunks(bytes, |[b]| b.into()),
        DType::I32 => chunks(bytes, |b| i32::from_ne_bytes(b).into()),
    }
}

/// The nearest value of 16 bits, to even where two are equally near; what is too large is infinite.
fn half_bits(value: f32, dtype: DType) -> u16 {
    let bits = value.to_bits();
    let (sign, size) = ((bits >> 16) as u16 & 0x8000, bits & 0x7fff_ffff);
    let is_bf16 = dtype == DType::BF16;
    if value.is_nan() {
        return sign | if is_bf16 { 0x7fc0 } else { 0x7e00 };
    }
    // Bits dropped from the significand, and the exponents' zeros less one another.
    let (dropped, bias) = if is_bf16 { (16, 0) } else { (13, 112 << 23) };
    let rounded = |size: u32| (size + (1 << (dropped - 1)) - 1 + (size >> dropped & 1)) >> dropped;
    let magnitude = match size {
        _ if is_bf16 => rounded(size),
        // Below 2⁻¹⁴ f16 has steps of 2⁻²⁴, those of f32 at ½.
        _ if size < 113 << 23 => (f32::from_bits(size) + 0.5).to_bits() - 0.5_f32.to_bits(),
        // From 65520 on.
        _ if size >= 0x477f_f000 => 0x7c00,
        _ => rounded(size - bias),
    };
    sign | magnitude as u16
}

fn half_value(bits: u16, dtype: DType) -> f64 {
    if dtype == DType::BF16 {
        return f64::from(f32::from_bits(u32::from(bits) << 16));
    }
    let (exponent, significand) = (i32::from(bits >> 10 & 31), f64::from(bits & 1023));
    let magnitude = match exponent {
        0 => significand * 2_f64.powi(-24),
        31 if significand == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + significand) * 2_f64.powi(exponent - 25),
    };
    if bits & 0x8000 == 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_16_bit_number_is_itself_and_the_mean_of_two_becomes_the_even_one() {
        for dtype in [DType::BF16, DType::F16] {
            for bits in 0..u16::MAX {
                let value = half_value(bits, dtype);
                if value.is_nan() {
                    assert!(round(value, dtype).is_nan());
                    continue;
                }
                assert_eq!(half_bits(value as f32, dtype), bits);
                let next = half_value(bits + 1, dtype);
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
