//! Precision, recall, density and coverage: sets of feature vectors as unions of balls.

use rayon::prelude::*;

use crate::Result;
use crate::error::{argument, room};
use crate::rows::{Columns, Rows, squared_distance};

/// Rows of one block of distances: memory is a block of each set and their distances, whatever the number of rows.
const BLOCK: usize = 1024;

/// How two sets of feature vectors cover each other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Neighbourhoods {
    /// The share of fakes inside of some real one's ball (Kynkäänniemi et al. 2019, Eq. 1).
    pub precision: f64,
    /// The share of reals inside of some fake one's ball.
    pub recall: f64,
    /// Balls of reals around a fake one, of `density_k` (Naeem et al. 2020, Eq. 4).
    pub density: f64,
    /// The share of reals with a fake one in their ball (Naeem et al. 2020, Eq. 5).
    pub coverage: f64,
}

/// Precision and recall with balls that reach to the `k`-th neighbour in the same set, borders included; density and
/// coverage with balls that reach to the `density_k`-th, borders excluded. Distances are Euclidean, and a distance that
/// equals a radius is seen to: products of matrices give all distances, and those that their rounding could place on either
/// side of a border are computed once more, exactly enough.
///
/// # Errors
///
/// Rows that are not finite or do not fit the width; sets that have no `k`-th neighbour.
pub fn neighbourhoods(real: &[f32], fake: &[f32], width: usize, k: usize, density_k: usize) -> Result<Neighbourhoods> {
    let (real, fake) = (Rows::new("the real features", real, width)?, Rows::new("the fake features", fake, width)?);
    let most = k.max(density_k);
    if k.min(density_k) == 0 || most >= real.count() || most >= fake.count() {
        let (m, n) = (real.count(), fake.count());
        return argument(format!(
            "neighbourhoods: k must be from 1 to less than the rows of either set, {m} and {n}, got {k} and {density_k}"
        ));
    }
    room("neighbourhoods", real.count().max(fake.count()).checked_mul(most))?;
    // Distances do not change, products lose fewer digits.
    let centre = real.mean();
    let radii = [nearest(real, &centre, most), nearest(fake, &centre, most)];
    Ok(cover(real, fake, &centre, &radii, [k, density_k]))
}

/// A block of rows, |x|² of each, and where it begins.
struct Block<'a> {
    set: Rows<'a>,
    first: usize,
    rows: Columns,
    squares: Vec<f64>,
}

fn blocks<'a>(set: Rows<'a>, centre: &'a [f64]) -> impl Iterator<Item = Block<'a>> + 'a {
    (0..set.count()).step_by(BLOCK).map(move |first| {
        let rows = set.columns(first..set.count().min(first + BLOCK), centre);
        let squares = rows.squares();
        Block { set, first, rows, squares }
    })
}

impl Block<'_> {
    /// Squared distances: for each row of `self` one to each row of `other`.
    fn distances(&self, other: &Self, out: &mut Vec<f64>) {
        other.rows.products(&self.rows, out);
        out.par_chunks_exact_mut(other.rows.count()).zip(&self.squares).for_each(|(column, square)| {
            for (product, other) in column.iter_mut().zip(&other.squares) {
                *product = (square + other - 2.0 * *product).max(0.0);
            }
        });
    }

    /// How far `distance` from row `i` to row `j` of `other` lies beyond a squared radius: below 0 inside, 0 on the border.
    fn beyond(&self, i: usize, other: &Self, j: usize, distance: f64, radius: f64) -> f64 {
        let beyond = distance - radius;
        // Sums of `width` products err by at most width · ε/2 of the sum of their sizes, which |x|² + |y|² bounds; four times
        // that covers both ways to compute a distance, and 8 the operations around the sums.
        let width = (self.set.width() + 8) as f64;
        if beyond.abs() > 2.0 * width * f64::EPSILON * (self.squares[i] + other.squares[j]) {
            return beyond;
        }
        squared_distance(self.set.row(self.first + i), other.set.row(other.first + j)) - radius
    }
}

/// Squared distances to the nearest `k` other rows of the same set, in order, for each row: `[count, k]`.
fn nearest(rows: Rows, centre: &[f64], k: usize) -> Vec<f64> {
    let mut nearest = vec![f64::INFINITY; rows.count() * k];
    let mut distances = Vec::new();
    for from in blocks(rows, centre) {
        let places = &mut nearest[from.first * k..][..from.rows.count() * k];
        for to in blocks(rows, centre) {
            from.distances(&to, &mut distances);
            let columns = distances.par_chunks_exact(to.rows.count());
            places.par_chunks_exact_mut(k).zip(columns).enumerate().for_each(|(i, (nearest, column))| {
                for (j, &distance) in column.iter().enumerate() {
                    let (row, other) = (from.first + i, to.first + j);
                    if row != other && from.beyond(i, &to, j, distance, nearest[k - 1]) < 0.0 {
                        insert(nearest, squared_distance(rows.row(row), rows.row(other)));
                    }
                }
            });
        }
    }
    nearest
}

/// Puts a distance into its place in the sorted `nearest`; the largest falls out.
fn insert(nearest: &mut [f64], distance: f64) {
    let place = nearest.partition_point(|&other| other <= distance);
    nearest[place..].rotate_right(1);
    nearest[place] = distance;
}

/// The share of rows that hold.
fn share(rows: &[bool]) -> f64 {
    rows.iter().filter(|&&row| row).count() as f64 / rows.len() as f64
}

/// `nearest` holds squared distances to the neighbours of each real and of each fake row; `k` that of precision and recall,
/// then that of density and coverage.
fn cover(real: Rows, fake: Rows, centre: &[f64], nearest: &[Vec<f64>; 2], k: [usize; 2]) -> Neighbourhoods {
    let most = k[0].max(k[1]);
    let radii = |set: usize, k: usize| -> Vec<f64> { nearest[set].chunks_exact(most).map(|row| row[k - 1]).collect() };
    let (real_radii, fake_radii, density_radii) = (radii(0, k[0]), radii(1, k[0]), radii(0, k[1]));
    let mut recalled = vec![false; real.count()];
    let mut covered = vec![false; real.count()];
    let mut precise = vec![false; fake.count()];
    let mut balls = vec![0u32; fake.count()];
    let mut distances = Vec::new();
    for from in blocks(real, centre) {
        let here = from.first..from.first + from.rows.count();
        for to in blocks(fake, centre) {
            let there = to.first..to.first + to.rows.count();
            from.distances(&to, &mut distances);
            let beyond =
                |i: usize, j: usize, radius: f64| from.beyond(i, &to, j, distances[i * to.rows.count() + j], radius);
            let flags = recalled[here.clone()].par_iter_mut().zip(&mut covered[here.clone()]);
            flags.zip(&density_radii[here.clone()]).enumerate().for_each(|(i, ((recalled, covered), &radius))| {
                *recalled |=
                    fake_radii[there.clone()].iter().enumerate().any(|(j, &radius)| beyond(i, j, radius) <= 0.0);
                *covered |= (0..to.rows.count()).any(|j| beyond(i, j, radius) < 0.0);
            });
            let counts = precise[there.clone()].par_iter_mut().zip(&mut balls[there]);
            counts.enumerate().for_each(|(j, (precise, balls))| {
                let radii = real_radii[here.clone()].iter().zip(&density_radii[here.clone()]);
                for (i, (&radius, &density_radius)) in radii.enumerate() {
                    *precise |= beyond(i, j, radius) <= 0.0;
                    *balls += u32::from(beyond(i, j, density_radius) < 0.0);
                }
            });
        }
    }
    let balls: f64 = balls.iter().map(|&balls| f64::from(balls)).sum();
    Neighbourhoods {
        precision: share(&precise),
        recall: share(&recalled),
        density: balls / (k[1] * fake.count()) as f64,
        coverage: share(&covered),
    }
}
