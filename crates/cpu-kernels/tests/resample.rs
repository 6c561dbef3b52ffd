mod values;

use stylegan_cpu_kernels::resample::{Resample, upfirdn2d};
use values::{assert_close, values};

fn naive(p: &Resample, x: &[f32]) -> Vec<f64> {
    let [n, h, w, c] = p.shape;
    let source = |at: isize, size: usize| {
        let inside = at >= 0 && (at as usize).is_multiple_of(p.up) && at as usize / p.up < size;
        inside.then(|| at as usize / p.up)
    };
    let mut y = Vec::new();
    for image in 0..n {
        for i in 0..p.out[0] {
            for pixel in 0..p.out[1] * c {
                let (j, channel) = (pixel / c, pixel % c);
                let mut sum = 0.0;
                for (u, &a) in p.taps.iter().enumerate() {
                    for (v, &b) in p.taps.iter().enumerate() {
                        let row = source((i * p.down + u) as isize - p.before[0], h);
                        let column = source((j * p.down + v) as isize - p.before[1], w);
                        if let (Some(row), Some(column)) = (row, column) {
                            let x = x[((image * h + row) * w + column) * c + channel];
                            sum += f64::from(a) * f64::from(b) * f64::from(x);
                        }
                    }
                }
                y.push(sum);
            }
        }
    }
    y
}

#[test]
fn every_scale_filter_and_padding_agrees_with_the_definition() {
    let taps = [0.3, -0.2, 0.5, 0.7, 0.1];
    for (h, w, c) in [(5, 7, 3), (1, 1, 1), (40, 30, 17), (3, 2, 5000)] {
        let x = values(1, 2 * h * w * c);
        for (up, down) in [(1, 1), (2, 1), (1, 2), (3, 2)] {
            for length in 1..=5 {
                for before in [[0, 0], [2, 1], [-1, 3], [1, -1]] {
                    let out = [h, w].map(|size| (size * up + 3) / down);
                    let p = Resample { shape: [2, h, w, c], out, up, down, taps: &taps[..length], before };
                    let mut y = vec![f32::NAN; 2 * out[0] * out[1] * c];
                    upfirdn2d(&p, &x, &mut y);
                    // Ten products and sums.
                    assert_close(&y, &naive(&p, &x), 1e-6);
                }
            }
        }
    }
}
