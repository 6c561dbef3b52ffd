//! The contract's parameters as the kernels' own.

use stylegan_cpu_kernels::{conv, elementwise, random};
use stylegan_tensor::{Algorithm, Binary, Conv2d, Position, Unary};

pub(crate) fn algorithm(p: &Conv2d) -> Option<conv::Algorithm> {
    match p.algorithm {
        Algorithm::Auto => None,
        Algorithm::Im2col => Some(conv::Algorithm::Im2col),
        Algorithm::Shifted => Some(conv::Algorithm::Shifted),
        Algorithm::Direct => Some(conv::Algorithm::Direct),
        Algorithm::Winograd => Some(conv::Algorithm::Winograd),
    }
}

pub(crate) fn position(at: Position) -> random::Position {
    random::Position { seed: at.seed, stream: at.stream, offset: at.offset }
}

pub(crate) fn unary(op: Unary) -> elementwise::Unary {
    match op {
        Unary::Affine { scale, shift } => elementwise::Unary::Affine { scale: scale as f32, shift: shift as f32 },
        Unary::Exp => elementwise::Unary::Exp,
        Unary::Log => elementwise::Unary::Log,
        Unary::Sqrt => elementwise::Unary::Sqrt,
        Unary::Rsqrt => elementwise::Unary::Rsqrt,
        Unary::Square => elementwise::Unary::Square,
        Unary::Softplus => elementwise::Unary::Softplus,
        Unary::Sigmoid => elementwise::Unary::Sigmoid,
        Unary::Sin => elementwise::Unary::Sin,
        Unary::Cos => elementwise::Unary::Cos,
        Unary::Acos => elementwise::Unary::Acos,
        Unary::Clamp { low, high } => elementwise::Unary::Clamp { low: low as f32, high: high as f32 },
    }
}

pub(crate) fn binary(op: Binary) -> elementwise::Binary {
    match op {
        Binary::Add => elementwise::Binary::Add,
        Binary::Sub => elementwise::Binary::Sub,
        Binary::Mul => elementwise::Binary::Mul,
        Binary::Div => elementwise::Binary::Div,
        Binary::Greater => elementwise::Binary::Greater,
        Binary::GreaterEqual => elementwise::Binary::GreaterEqual,
        Binary::Equal => elementwise::Binary::Equal,
        Binary::Maximum => elementwise::Binary::Maximum,
    }
}
