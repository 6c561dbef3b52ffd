//! Sums whose bits do not depend on how the parts are spread over processes.

/// Adds up parts that stand for `counts[i]` leaves of a binary tree each: whole subtrees, in order. Part and tree are split at
/// the middle of the leaves. The first part becomes the sum; the others lose their values.
pub fn tree_sum(parts: &mut [Vec<f32>], counts: &[usize]) {
    if parts.len() < 2 {
        return;
    }
    let half = counts.iter().sum::<usize>() / 2;
    let mut leaves = 0;
    let middle = counts.iter().take_while(|&&count| {
        leaves += count;
        leaves <= half
    });
    let at = middle.count().clamp(1, parts.len() - 1);
    let (left, right) = parts.split_at_mut(at);
    tree_sum(left, &counts[..at]);
    tree_sum(right, &counts[at..]);
    left[0].iter_mut().zip(&right[0]).for_each(|(sum, value)| *sum += value);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Numbers whose sum depends on the order.
    fn leaf(i: u32) -> Vec<f32> {
        (0..50_u32).map(|k| ((i * 7919 + k * 104_729) % 1000) as f32 * 10_f32.powi((k % 9) as i32 - 4)).collect()
    }

    #[test]
    fn the_bits_are_the_same_for_every_spread_of_whole_subtrees() {
        let leaves: Vec<_> = (0..8).map(leaf).collect();
        let subtree = |first: usize, count: usize| {
            let mut parts = leaves[first..first + count].to_vec();
            tree_sum(&mut parts, &vec![1; count]);
            parts.swap_remove(0)
        };
        let expected = subtree(0, 8);
        let spreads: [&[usize]; 5] = [&[4, 4], &[2, 2, 4], &[1, 1, 2, 4], &[2, 2, 2, 2], &[1, 1, 2, 2, 2]];
        for counts in spreads {
            let mut first = 0;
            let mut parts: Vec<_> = counts
                .iter()
                .map(|&count| {
                    first += count;
                    subtree(first - count, count)
                })
                .collect();
            tree_sum(&mut parts, counts);
            assert_eq!(parts[0], expected, "{counts:?}");
        }
        let mut in_order = leaves[0].clone();
        for leaf in &leaves[1..] {
            in_order.iter_mut().zip(leaf).for_each(|(sum, value)| *sum += value);
        }
        assert_ne!(in_order, expected, "the order must matter for this test to say anything");
    }
}
