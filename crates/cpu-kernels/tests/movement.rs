mod values;

use stylegan_cpu_kernels::movement::{NoSuchRow, Strided, cast, copy, gather_rows, scatter_rows};
use values::values;

/// The definition, element by element.
fn walk(p: &Strided, x: &[f32], y: &mut [f32]) {
    for i in 0..p.shape.iter().product() {
        let (mut rest, mut from, mut to) = (i, p.src as isize, p.dst as isize);
        for axis in (0..p.shape.len()).rev() {
            let index = (rest % p.shape[axis]) as isize;
            rest /= p.shape[axis];
            from += index * p.src_strides[axis];
            to += index * p.dst_strides[axis];
        }
        y[to as usize] = x[from as usize];
    }
}

#[test]
fn copies_follow_their_strides_and_leave_other_elements_alone() {
    let transposed =
        Strided { shape: &[3, 65, 99], src: 0, src_strides: &[6435, 1, 65], dst: 0, dst_strides: &[6435, 99, 1] };
    let flipped = Strided {
        shape: &[40, 30, 33],
        src: 39 * 990 + 957,
        src_strides: &[-990, -33, 1],
        dst: 5,
        dst_strides: &[1000, 33, 1],
    };
    let broadcast = Strided { shape: &[50, 60, 7], src: 3, src_strides: &[7, 0, 1], dst: 0, dst_strides: &[420, 7, 1] };
    let backwards = Strided { shape: &[40_000], src: 0, src_strides: &[1], dst: 39_999, dst_strides: &[-1] };
    let strided = Strided { shape: &[7, 300], src: 1, src_strides: &[1, 7], dst: 2, dst_strides: &[3, 40] };
    let axes_swapped_in_y =
        Strided { shape: &[60, 50, 9], src: 0, src_strides: &[450, 9, 1], dst: 0, dst_strides: &[9, 540, 1] };
    let whole = Strided { shape: &[50_000], src: 7, src_strides: &[1], dst: 9, dst_strides: &[1] };
    for p in [transposed, flipped, broadcast, backwards, strided, axes_swapped_in_y, whole] {
        let x = values(1, 51_000);
        let (mut y, mut expected) = (vec![7.0; 51_000], vec![7.0; 51_000]);
        copy(&p, &x, &mut y, |y, x| *y = x);
        walk(&p, &x, &mut expected);
        assert_eq!(y, expected, "{p:?}");
    }
}

#[test]
#[should_panic(expected = "copy reads beyond the 10 elements")]
fn a_copy_that_reads_outside_of_its_input_is_refused() {
    let p = Strided { shape: &[11], src: 0, src_strides: &[1], dst: 0, dst_strides: &[1] };
    copy(&p, &[0.0; 10], &mut [0.0; 11], |y, x| *y = x);
}

#[test]
#[should_panic(expected = "copy writes beyond the 10 elements")]
fn a_copy_that_writes_before_its_output_is_refused() {
    let p = Strided { shape: &[3], src: 0, src_strides: &[1], dst: 1, dst_strides: &[-1] };
    copy(&p, &[0.0; 10], &mut [0.0; 10], |y, x| *y = x);
}

#[test]
fn casts_to_bytes_truncate_and_clamp() {
    let mut y = [1; 6];
    cast(&[f32::NAN, -3.0, 0.99, 254.9, 255.9, 1e9], &mut y, |x| x as u8);
    assert_eq!(y, [0, 0, 0, 254, 255, 255]);
}

#[test]
fn scattered_rows_of_one_number_are_added_and_others_are_zero() {
    let mut table = [f32::NAN; 6];
    let done = scatter_rows(&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], &[2, 0, 2], 2, &mut table);
    assert_eq!((done, table), (Ok(()), [3.0, 4.0, 0.0, 0.0, 6.0, 8.0]));
}

#[test]
fn a_row_that_is_not_in_the_table_is_named() {
    let mut y = [0.0; 2];
    assert_eq!(gather_rows(&[0.0; 6], &[3], 2, &mut y), Err(NoSuchRow { row: 3, count: 3 }));
    assert_eq!(gather_rows(&[0.0; 6], &[-1], 2, &mut y), Err(NoSuchRow { row: -1, count: 3 }));
}
