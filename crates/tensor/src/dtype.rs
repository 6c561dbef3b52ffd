use std::fmt;

/// The type of a tensor's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum DType {
    /// 32-bit float: what the CPU and GPUs compute in.
    F32,
    /// 16-bit float with f32's range and 8 significant bits: feature maps as a GPU may store them, never what it computes in.
    BF16,
    /// 16-bit float with 11 significant bits, up to 65504: as `BF16`.
    F16,
    /// 64-bit float: what [`Reference`](crate::Reference) computes in.
    F64,
    /// Unsigned byte: images as they are stored.
    U8,
    /// 32-bit signed integer: row numbers.
    I32,
}

impl DType {
    /// Bytes of one element.
    pub fn size(self) -> usize {
        match self {
            Self::F64 => 8,
            Self::F32 | Self::I32 => 4,
            Self::BF16 | Self::F16 => 2,
            Self::U8 => 1,
        }
    }

    /// Whether gradients can flow through tensors of this type.
    pub fn is_float(self) -> bool {
        matches!(self, Self::F32 | Self::F64) || self.is_half()
    }

    /// Whether elements have 16 bits.
    pub fn is_half(self) -> bool {
        matches!(self, Self::BF16 | Self::F16)
    }
}

impl fmt::Display for DType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::F32 => "f32",
            Self::BF16 => "bf16",
            Self::F16 => "f16",
            Self::F64 => "f64",
            Self::U8 => "u8",
            Self::I32 => "i32",
        })
    }
}
