//! Sums whose bits do not depend on how the parts are spread over processes.

/// The sum of parts that stand for `counts[i]` leaves of a binary tree each: whole subtrees, in order. Part and tree are split at
/// the middle of the leaves.
pub fn tree_sum(parts: &[&[f32]], counts: &[usize]) -> Vec<f32> {
    if let [part] = parts {
        return part.to_vec();
    }
    let half = counts.iter().sum::<usize>() / 2;
    let mut leaves = 0;
    let middle = counts.iter().take_while(|&&count| {
        leaves += count;
        leaves <= half
    });
    let at = middle.count().clamp(1, parts.len() - 1);
    let mut sum = tree_sum(&parts[..at], &counts[..at]);
    let right = tree_sum(&parts[at..], &counts[at..]);
    sum.iter_mut().zip(right).for_each(|(sum, value)| *sum += value);
    sum
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
            let parts: Vec<&[f32]> = leaves[first..first + count].iter().map(Vec::as_slice).collect();
            tree_sum(&parts, &vec![1; count])
        };
        let expected = subtree(0, 8);
        let spreads: [&[usize]; 5] = [&[4, 4], &[2, 2, 4], &[1, 1, 2, 4], &[2, 2, 2, 2], &[1, 1, 2, 2, 2]];
        for counts in spreads {
            let mut first = 0;
            let parts: Vec<_> = counts
                .iter()
                .map(|&count| {
                    first += count;
                    subtree(first - count, count)
                })
                .collect();
            let parts: Vec<&[f32]> = parts.iter().map(Vec::as_slice).collect();
            assert_eq!(tree_sum(&parts, counts), expected, "{counts:?}");
        }
        let mut in_order = leaves[0].clone();
        for leaf in &leaves[1..] {
            in_order.iter_mut().zip(leaf).for_each(|(sum, value)| *sum += value);
        }
        assert_ne!(in_order, expected, "the order must matter for this test to say anything");
    }
}
