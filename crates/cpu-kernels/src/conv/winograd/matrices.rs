//! Winograd's minimal filtering (Winograd 1980; Lavin and Gray 2016, arXiv:1509.09308): r taps make four neighbouring
//! results from r + 3 products instead of 4r, `y = Aᵀ [(G g) ⊙ (Bᵀ d)]`, in two dimensions along each axis. The matrices
//! interpolate at r + 3 points (Toom and Cook).

use pulp::Simd;
use std::ops::{Add, Mul, Sub};

/// Results of one tile along an axis.
pub(in crate::conv) const SIDE: usize = 4;

/// A register of numbers, with the operators that the formulas need.
#[derive(Clone, Copy)]
pub(in crate::conv) struct Lanes<S: Simd>(pub S, pub S::f32s);

impl<S: Simd> Lanes<S> {
    /// Zeros.
    #[inline(always)]
    pub fn zero(simd: S) -> Self {
        Self(simd, simd.splat_f32s(0.0))
    }

    /// The first numbers of a slice, zeros if there are too few.
    #[inline(always)]
    pub fn load(simd: S, from: &[f32]) -> Self {
        if from.len() >= S::F32_LANES {
            // SAFETY: the slice holds as many numbers as a register; any bits are numbers.
            Self(simd, unsafe { from.as_ptr().cast::<S::f32s>().read_unaligned() })
        } else {
            Self(simd, simd.partial_load_f32s(from))
        }
    }

    /// `self + factor · x`, rounded once.
    #[inline(always)]
    pub fn plus(self, factor: f32, x: Self) -> Self {
        Self(self.0, self.0.mul_add_f32s(self.0.splat_f32s(factor), x.1, self.1))
    }

    /// `self + a · b`, rounded once.
    #[inline(always)]
    pub fn plus_product(self, a: Self, b: Self) -> Self {
        Self(self.0, self.0.mul_add_f32s(a.1, b.1, self.1))
    }

    /// Puts the numbers at the slice's beginning, as many as it holds.
    #[inline(always)]
    pub fn store(self, to: &mut [f32]) {
        if to.len() >= S::F32_LANES {
            // SAFETY: the slice holds as many numbers as a register.
            unsafe { to.as_mut_ptr().cast::<S::f32s>().write_unaligned(self.1) }
        } else {
            self.0.partial_store_f32s(to, self.1);
        }
    }
}

impl<S: Simd> Add for Lanes<S> {
    type Output = Self;
    #[inline(always)]
    fn add(self, other: Self) -> Self {
        Self(self.0, self.0.add_f32s(self.1, other.1))
    }
}

impl<S: Simd> Sub for Lanes<S> {
    type Output = Self;
    #[inline(always)]
    fn sub(self, other: Self) -> Self {
        Self(self.0, self.0.sub_f32s(self.1, other.1))
    }
}

impl<S: Simd> Mul<Lanes<S>> for f32 {
    type Output = Lanes<S>;
    #[inline(always)]
    fn mul(self, x: Lanes<S>) -> Lanes<S> {
        Lanes(x.0, x.0.mul_f32s(x.0.splat_f32s(self), x.1))
    }
}

/// The five matrices for r taps and P = r + 3 points.
pub(in crate::conv) trait Matrices<const R: usize, const P: usize> {
    /// `Bᵀ d`.
    fn input<S: Simd>(d: [Lanes<S>; P]) -> [Lanes<S>; P];
    /// `Aᵀ m`.
    fn output<S: Simd>(m: [Lanes<S>; P]) -> [Lanes<S>; SIDE];
    /// `G g`.
    fn weights<S: Simd>(g: [Lanes<S>; R]) -> [Lanes<S>; P];
    /// `A y`, the adjoint of `output`.
    fn output_grad<S: Simd>(y: [Lanes<S>; SIDE]) -> [Lanes<S>; P];
    /// `Gᵀ u`, the adjoint of `weights`.
    fn weights_grad<S: Simd>(u: [Lanes<S>; P]) -> [Lanes<S>; R];
}

/// F(4, 3) at 0, ±½, ±2, ∞: 36 products instead of 144 for a tile. Of the points whose matrices f32 holds exactly these
/// round best: with 64 channels 2e-6 of the largest result, 5e-6 at the usual 0, ±1, ±2, ∞.
pub(super) struct Three;

impl Matrices<3, 6> for Three {
    #[inline(always)]
    fn input<S: Simd>([d0, d1, d2, d3, d4, d5]: [Lanes<S>; 6]) -> [Lanes<S>; 6] {
        let (p, q) = (d4.plus(-4.0, d2), (0.5 * d3).plus(-2.0, d1));
        let (r, s) = (d4.plus(-0.25, d2), (2.0 * d3).plus(-0.5, d1));
        [(d0 + d4).plus(-4.25, d2), p + q, p - q, r + s, r - s, (d1 + d5).plus(-4.25, d3)]
    }

    #[inline(always)]
    fn output<S: Simd>([m0, m1, m2, m3, m4, m5]: [Lanes<S>; 6]) -> [Lanes<S>; 4] {
        let (p, q, r, s) = (m1 + m2, m1 - m2, m3 + m4, m3 - m4);
        [m0 + p + r, (0.5 * q).plus(2.0, s), (0.25 * p).plus(4.0, r), m5.plus(0.125, q).plus(8.0, s)]
    }

    #[inline(always)]
    fn weights<S: Simd>([g0, g1, g2]: [Lanes<S>; 3]) -> [Lanes<S>; 6] {
        let (p, q) = ((-8.0 / 15.0 * g0).plus(-2.0 / 15.0, g2), 4.0 / 15.0 * g1);
        let (r, s) = ((1.0 / 30.0 * g0).plus(2.0 / 15.0, g2), 1.0 / 15.0 * g1);
        [g0, p - q, p + q, r + s, r - s, g2]
    }

    #[inline(always)]
    fn output_grad<S: Simd>([y0, y1, y2, y3]: [Lanes<S>; 4]) -> [Lanes<S>; 6] {
        let (p, q) = (y0.plus(0.25, y2), (0.5 * y1).plus(0.125, y3));
        let (r, s) = (y0.plus(4.0, y2), (2.0 * y1).plus(8.0, y3));
        [y0, p + q, p - q, r + s, r - s, y3]
    }

    #[inline(always)]
    fn weights_grad<S: Simd>([u0, u1, u2, u3, u4, u5]: [Lanes<S>; 6]) -> [Lanes<S>; 3] {
        let (p, q, r, s) = (u1 + u2, u2 - u1, u3 + u4, u3 - u4);
        let middle = (4.0 / 15.0 * q).plus(1.0 / 15.0, s);
        [u0.plus(-8.0 / 15.0, p).plus(1.0 / 30.0, r), middle, u5.plus(2.0 / 15.0, r - p)]
    }
}

/// F(4, 3) at 0, ±⅝, ±3/2, ∞, where products are of bf16: rounding them costs 1.0e-2 of the results' size instead of 1.5e-2 at the points
/// of [`Three`], and 2.4e-3 without Winograd's form. No better points were found.
pub(super) struct RoughThree;

impl RoughThree {
    const A: f32 = 0.625;
    const B: f32 = 1.5;
    const A2: f32 = Self::A * Self::A;
    const B2: f32 = Self::B * Self::B;
    /// `(x² − a²)(x² − b²) = x⁴ − SUM x² + PRODUCT`.
    const SUM: f32 = Self::A2 + Self::B2;
    const PRODUCT: f32 = Self::A2 * Self::B2;
    /// Over the products of a point's differences to the others.
    const AT_A: f32 = 1.0 / (2.0 * Self::A2 * (Self::A2 - Self::B2));
    const AT_B: f32 = 1.0 / (2.0 * Self::B2 * (Self::B2 - Self::A2));
}

impl Matrices<3, 6> for RoughThree {
    #[inline(always)]
    fn input<S: Simd>([d0, d1, d2, d3, d4, d5]: [Lanes<S>; 6]) -> [Lanes<S>; 6] {
        let (p, q) = (d4.plus(-Self::B2, d2), Self::A * d3.plus(-Self::B2, d1));
        let (r, s) = (d4.plus(-Self::A2, d2), Self::B * d3.plus(-Self::A2, d1));
        let first = d4.plus(Self::PRODUCT, d0).plus(-Self::SUM, d2);
        [first, p + q, p - q, r + s, r - s, d5.plus(Self::PRODUCT, d1).plus(-Self::SUM, d3)]
    }

    #[inline(always)]
    fn output<S: Simd>([m0, m1, m2, m3, m4, m5]: [Lanes<S>; 6]) -> [Lanes<S>; 4] {
        let (p, q, r, s) = (m1 + m2, Self::A * (m1 - m2), m3 + m4, Self::B * (m3 - m4));
        [m0 + p + r, q + s, (Self::A2 * p).plus(Self::B2, r), m5.plus(Self::A2, q).plus(Self::B2, s)]
    }

    #[inline(always)]
    fn weights<S: Simd>([g0, g1, g2]: [Lanes<S>; 3]) -> [Lanes<S>; 6] {
        let (p, q) = (Self::AT_A * g0.plus(Self::A2, g2), Self::AT_A * Self::A * g1);
        let (r, s) = (Self::AT_B * g0.plus(Self::B2, g2), Self::AT_B * Self::B * g1);
        [1.0 / Self::PRODUCT * g0, p + q, p - q, r + s, r - s, g2]
    }

    #[inline(always)]
    fn output_grad<S: Simd>([y0, y1, y2, y3]: [Lanes<S>; 4]) -> [Lanes<S>; 6] {
        let (p, q) = (y0.plus(Self::A2, y2), Self::A * y1.plus(Self::A2, y3));
        let (r, s) = (y0.plus(Self::B2, y2), Self::B * y1.plus(Self::B2, y3));
        [y0, p + q, p - q, r + s, r - s, y3]
    }

    #[inline(always)]
    fn weights_grad<S: Simd>([u0, u1, u2, u3, u4, u5]: [Lanes<S>; 6]) -> [Lanes<S>; 3] {
        let (p, q) = (Self::AT_A * (u1 + u2), Self::AT_A * Self::A * (u1 - u2));
        let (r, s) = (Self::AT_B * (u3 + u4), Self::AT_B * Self::B * (u3 - u4));
        [(p + r).plus(1.0 / Self::PRODUCT, u0), q + s, u5.plus(Self::A2, p).plus(Self::B2, r)]
    }
}

/// F(4, 2) at 0, 1, −½, −2, ∞: 25 products instead of 64 for a tile, rounded to 1e-6 of the largest result.
pub(super) struct Two;

/// Which of the points of [`Two`] is 1, where a kernel's polynomial is the sum of its taps.
pub(super) const ONE: usize = 1;

impl Matrices<2, 5> for Two {
    #[inline(always)]
    fn input<S: Simd>([d0, d1, d2, d3, d4]: [Lanes<S>; 5]) -> [Lanes<S>; 5] {
        [
            (d0 - d3).plus(1.5, d1 - d2),
            (d1 + d3).plus(2.5, d2),
            (2.0 * d1) - (d2 + d3),
            (0.5 * (d1 + d2)) - d3,
            (d4 - d1).plus(1.5, d3 - d2),
        ]
    }

    #[inline(always)]
    fn output<S: Simd>([m0, m1, m2, m3, m4]: [Lanes<S>; 5]) -> [Lanes<S>; 4] {
        [
            m0 + m1 + (m2 + m3),
            m1.plus(-0.5, m2).plus(-2.0, m3),
            m1.plus(0.25, m2).plus(4.0, m3),
            (m4 + m1).plus(-0.125, m2).plus(-8.0, m3),
        ]
    }

    #[inline(always)]
    fn weights<S: Simd>([g0, g1]: [Lanes<S>; 2]) -> [Lanes<S>; 5] {
        let (a, b) = ((-8.0 / 9.0 * g0).plus(4.0 / 9.0, g1), (1.0 / 9.0 * g0).plus(-2.0 / 9.0, g1));
        [g0, 2.0 / 9.0 * (g0 + g1), a, b, g1]
    }

    #[inline(always)]
    fn output_grad<S: Simd>([y0, y1, y2, y3]: [Lanes<S>; 4]) -> [Lanes<S>; 5] {
        let near = y0.plus(-0.5, y1).plus(0.25, y2).plus(-0.125, y3);
        [y0, (y0 + y2) + (y1 + y3), near, y0.plus(-2.0, y1).plus(4.0, y2).plus(-8.0, y3), y3]
    }

    #[inline(always)]
    fn weights_grad<S: Simd>([u0, u1, u2, u3, u4]: [Lanes<S>; 5]) -> [Lanes<S>; 2] {
        let first = u0.plus(2.0 / 9.0, u1).plus(-8.0 / 9.0, u2).plus(1.0 / 9.0, u3);
        [first, u4.plus(2.0 / 9.0, u1 - u3).plus(4.0 / 9.0, u2)]
    }
}

/// F(4, 2) at 0, −1, ½, 2, ∞, where products are of bf16 and phases are not added.
pub(super) struct RoughTwo;

impl Matrices<2, 5> for RoughTwo {
    #[inline(always)]
    fn input<S: Simd>([d0, d1, d2, d3, d4]: [Lanes<S>; 5]) -> [Lanes<S>; 5] {
        [
            (d0 + d3).plus(-1.5, d1 + d2),
            (d1 + d3).plus(-2.5, d2),
            (d3 - d2).plus(-2.0, d1),
            d3.plus(0.5, d2 - d1),
            (d1 + d4).plus(-1.5, d2 + d3),
        ]
    }

    #[inline(always)]
    fn output<S: Simd>([m0, m1, m2, m3, m4]: [Lanes<S>; 5]) -> [Lanes<S>; 4] {
        [
            m0 + m1 + (m2 + m3),
            (2.0 * m3 - m1).plus(0.5, m2),
            m1.plus(0.25, m2).plus(4.0, m3),
            (m4 - m1).plus(0.125, m2).plus(8.0, m3),
        ]
    }

    #[inline(always)]
    fn weights<S: Simd>([g0, g1]: [Lanes<S>; 2]) -> [Lanes<S>; 5] {
        let (a, b) = ((-8.0 / 9.0 * g0).plus(-4.0 / 9.0, g1), (1.0 / 9.0 * g0).plus(2.0 / 9.0, g1));
        [g0, 2.0 / 9.0 * (g1 - g0), a, b, g1]
    }

    #[inline(always)]
    fn output_grad<S: Simd>([y0, y1, y2, y3]: [Lanes<S>; 4]) -> [Lanes<S>; 5] {
        let near = y0.plus(0.5, y1).plus(0.25, y2).plus(0.125, y3);
        [y0, (y0 + y2) - (y1 + y3), near, y0.plus(2.0, y1).plus(4.0, y2).plus(8.0, y3), y3]
    }

    #[inline(always)]
    fn weights_grad<S: Simd>([u0, u1, u2, u3, u4]: [Lanes<S>; 5]) -> [Lanes<S>; 2] {
        let first = u0.plus(-2.0 / 9.0, u1).plus(-8.0 / 9.0, u2).plus(1.0 / 9.0, u3);
        [first, u4.plus(2.0 / 9.0, u1 + u3).plus(-4.0 / 9.0, u2)]
    }
}
