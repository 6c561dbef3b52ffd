//! Laplacian pyramids of images.

use crate::Result;
use crate::error::argument;

/// Channels interleaved, values 0..255 and differences of them: `[side, side, channels]`.
type Image = Vec<f32>;

/// Sides of the levels: `side`, its half, … down to 16.
///
/// # Errors
///
/// A side that is not 16 · 2ⁿ.
pub fn pyramid_sides(side: usize) -> Result<Vec<usize>> {
    if !side.is_power_of_two() || side < 16 {
        return argument(format!(
            "sliced Wasserstein distance: square images of side 16, 32, 64, … are expected, got side {side}; \
             smaller ones have no level of 16 x 16"
        ));
    }
    Ok((4..=side.trailing_zeros()).rev().map(|log2| 1 << log2).collect())
}

/// The Laplacian pyramid (Burt, Adelson 1983) of `[side, side, channels]` bytes down to 16 x 16: each level is what the next
/// smaller one, scaled up, lacks; the last one is itself.
///
/// # Errors
///
/// A side that is not 16 · 2ⁿ, or pixels of another size.
pub fn laplacian_pyramid(pixels: &[u8], side: usize, channels: usize) -> Result<Vec<Image>> {
    let sides = pyramid_sides(side)?;
    if channels == 0 || pixels.len() != side * side * channels {
        let length = pixels.len();
        return argument(format!("sliced Wasserstein distance: {side} x {side} x {channels} bytes, got {length}"));
    }
    let mut levels = Vec::with_capacity(sides.len());
    let mut image: Image = pixels.iter().map(|&value| f32::from(value)).collect();
    for &side in &sides[..sides.len() - 1] {
        let half = down(&image, side, channels);
        let blurred = up(&half, side / 2, channels);
        image.iter_mut().zip(blurred).for_each(|(value, blurred)| *value -= blurred);
        levels.push(std::mem::replace(&mut image, half));
    }
    levels.push(image);
    Ok(levels)
}

/// Every second pixel of the image under the filter [1, 4, 6, 4, 1] / 16 in both directions, borders mirrored around the
/// outermost pixel.
fn down(image: &[f32], side: usize, channels: usize) -> Image {
    let mirrored = |i: isize| {
        if i < 0 {
            -i as usize
        } else if i < side as isize {
            i as usize
        } else {
            2 * side - 2 - i as usize
        }
    };
    let taps = |i: usize| [-2, -1, 0, 1, 2].map(|tap| mirrored(2 * i as isize + tap));
    let blur = |v: [f32; 5]| (v[0] + v[4] + 4.0 * (v[1] + v[3]) + 6.0 * v[2]) * (1.0 / 16.0);
    let (half, row) = (side / 2, side * channels);
    let mut rows = vec![0.0; half * row];
    for (i, out) in rows.chunks_exact_mut(row).enumerate() {
        let from = taps(i).map(|tap| &image[tap * row..][..row]);
        out.iter_mut().enumerate().for_each(|(x, out)| *out = blur(from.map(|from| from[x])));
    }
    let mut out = Vec::with_capacity(half * half * channels);
    for from in rows.chunks_exact(row) {
        for i in 0..half {
            let taps = taps(i);
            out.extend((0..channels).map(|c| blur(taps.map(|tap| from[tap * channels + c]))));
        }
    }
    out
}

/// Twice the size: zeros between the pixels, then the same filter times 4, borders mirrored likewise.
fn up(image: &[f32], side: usize, channels: usize) -> Image {
    // Around zeros, the mirror of pixel 1 stands before pixel 0, and the last pixel is followed by itself.
    let before = |i: usize| if i == 0 { 1 } else { i - 1 };
    let after = |i: usize| (i + 1).min(side - 1);
    let even = |a: f32, b: f32, c: f32| (a + 6.0 * b + c) * 0.125;
    let odd = |b: f32, c: f32| (b + c) * 0.5;
    let (row, wide) = (side * channels, 2 * side * channels);
    let mut rows = vec![0.0; side * wide];
    for (from, out) in image.chunks_exact(row).zip(rows.chunks_exact_mut(wide)) {
        for i in 0..side {
            for c in 0..channels {
                let [a, b, d] = [before(i), i, after(i)].map(|i| from[i * channels + c]);
                out[2 * i * channels + c] = even(a, b, d);
                out[(2 * i + 1) * channels + c] = odd(b, d);
            }
        }
    }
    let mut out = vec![0.0; 2 * side * wide];
    for (i, pair) in out.chunks_exact_mut(2 * wide).enumerate() {
        let [a, b, d] = [before(i), i, after(i)].map(|i| &rows[i * wide..][..wide]);
        let (first, second) = pair.split_at_mut(wide);
        for x in 0..wide {
            first[x] = even(a[x], b[x], d[x]);
            second[x] = odd(b[x], d[x]);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn image(side: usize, channels: usize) -> Vec<u8> {
        (0..side * side * channels).map(|i| (i * i % 251) as u8).collect()
    }

    #[test]
    fn the_levels_of_a_pyramid_add_up_to_the_image() {
        let (side, channels) = (64, 3);
        let pixels = image(side, channels);
        let levels = laplacian_pyramid(&pixels, side, channels).unwrap();
        let mut levels = levels.into_iter().rev();
        let mut sum = levels.next().unwrap();
        for (level, side) in levels.zip([16, 32]) {
            let larger = up(&sum, side, channels);
            sum = level.iter().zip(larger).map(|(a, b)| a + b).collect();
        }
        // Two roundings of f32 at values up to 255.
        assert!(sum.iter().zip(pixels).all(|(sum, pixel)| (sum - f32::from(pixel)).abs() < 1e-4));
    }

    #[test]
    fn a_constant_image_is_its_last_level() {
        let levels = laplacian_pyramid(&[77; 64 * 64], 64, 1).unwrap();
        assert_eq!(levels.iter().map(Vec::len).collect::<Vec<_>>(), [64 * 64, 32 * 32, 16 * 16]);
        assert!(levels[0].iter().chain(&levels[1]).all(|&value| value == 0.0));
        assert!(levels[2].iter().all(|&value| value == 77.0));
    }

    #[test]
    fn sides_go_down_to_sixteen_and_others_are_refused() {
        assert_eq!(pyramid_sides(128).unwrap(), [128, 64, 32, 16]);
        assert_eq!(pyramid_sides(16).unwrap(), [16]);
        for side in [0, 8, 24, 48] {
            assert!(pyramid_sides(side).unwrap_err().to_string().contains("16, 32, 64"), "{side}");
        }
    }
}
