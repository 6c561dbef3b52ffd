use napi::Error;
use napi_derive::napi;
use stylegan_autograd::ops;
use stylegan_tensor::{Position, integer_below, uniform_from_bits};

use crate::device::{NativeDevice, sizes};
use crate::error::{Result, native};
use crate::table::{self, Handle};

/// Where a sequence of random numbers stands.
#[napi(object)]
pub struct NativePosition {
    pub seed: f64,
    pub stream: f64,
    pub offset: f64,
}

impl From<NativePosition> for Position {
    fn from(at: NativePosition) -> Self {
        Self { seed: at.seed as u64, stream: at.stream as u64, offset: at.offset as u64 }
    }
}

#[napi(catch_unwind)]
pub fn uniform(device: &NativeDevice, shape: Vec<u32>, at: NativePosition) -> Result<Handle> {
    ops::uniform(&device.0, &sizes(&shape), at.into()).map(table::insert).map_err(native)
}

#[napi(catch_unwind)]
pub fn normal(device: &NativeDevice, shape: Vec<u32>, at: NativePosition) -> Result<Handle> {
    ops::normal(&device.0, &sizes(&shape), at.into()).map(table::insert).map_err(native)
}

/// The uniform that a device would draw first at a position.
#[napi(catch_unwind)]
pub fn uniform_at(at: NativePosition) -> f64 {
    f64::from(uniform_from_bits(Position::from(at).block(0)[0]))
}

/// A whole number below `count`, by all bits that a device has at a position.
#[napi(catch_unwind)]
pub fn integer_at(count: f64, at: NativePosition) -> f64 {
    integer_below(Position::from(at).block(0), count as u64) as f64
}

/// More numbers are longer than the arrays that V8 makes at once.
const LONGEST: u32 = 1 << 26;

/// 0 … n − 1 in an order drawn at a position (Fisher–Yates).
#[napi(catch_unwind)]
pub fn permutation(n: u32, at: NativePosition) -> Result<Vec<u32>> {
    let at = Position::from(at);
    let mut order = Vec::new();
    if n > LONGEST || order.try_reserve_exact(n as usize).is_err() {
        return Err(Error::new(
            "ERR_RANGE",
            format!("permutation: n must be at most {LONGEST} and fit into memory, got {n}"),
        ));
    }
    order.extend(0..n);
    for last in (1..order.len()).rev() {
        let words = at.block(last as u64);
        let bits = u64::from(words[0]) << 32 | u64::from(words[1]);
        // 64 bits for at most 2³² places: no place is favoured by more than 2⁻³².
        let other = (u128::from(bits) * (last as u128 + 1)) >> 64;
        order.swap(last, other as usize);
    }
    Ok(order)
}
