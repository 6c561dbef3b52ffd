//! Elements on the move: strided copies, casts, rows gathered and scattered.

use rayon::prelude::*;

use crate::parallel::{BLOCK, Shared, is_large, pieces, simd};

/// Every element of y is `value`.
pub fn fill<T: Copy + Send + Sync>(y: &mut [T], value: T) {
    let cost = y.len();
    pieces(y, BLOCK, cost, |_, y| y.fill(value));
}

/// `y[i] = f(x[i])`.
pub fn cast<S: Copy + Sync, T: Send>(x: &[S], y: &mut [T], f: impl Fn(S) -> T + Sync) {
    assert_eq!(x.len(), y.len(), "cast keeps the number of elements");
    let cost = y.len();
    pieces(y, BLOCK, cost, |start, y| {
        simd!(|| y.iter_mut().zip(&x[start..]).for_each(|(y, &x)| *y = f(x)));
    });
}

/// A strided copy: `y[dst + Σ i·dst_strides] = x[src + Σ i·src_strides]` for every index `i` in `shape`.
#[derive(Clone, Copy, Debug)]
pub struct Strided<'a> {
    /// The index space.
    pub shape: &'a [usize],
    /// First element read.
    pub src: usize,
    /// Steps in x along each axis; 0 and negative ones too.
    pub src_strides: &'a [isize],
    /// First element written.
    pub dst: usize,
    /// Steps in y along each axis; no element is written twice.
    pub dst_strides: &'a [isize],
}

#[derive(Clone, Copy)]
struct Axis {
    size: usize,
    src: isize,
    dst: isize,
}

/// Copies as `copy` says; `write` stores one element.
///
/// # Panics
///
/// If the copy reaches beyond x or y.
pub fn copy<T: Copy + Send + Sync>(copy: &Strided, x: &[T], y: &mut [T], write: impl Fn(&mut T, T) + Sync) {
    if copy.shape.contains(&0) {
        return;
    }
    let (mut axes, src, dst) = plan(copy);
    assert_reach(&axes, src, dst, x.len(), y.len());
    let inner = axes.pop().unwrap_or(Axis { size: 1, src: 1, dst: 1 });
    // A transposition: the axis along which x is contiguous is the other side of square tiles, so that whole cache
    // lines are read and written. Else runs lie side by side along the next axis; a long one is cut.
    let transposed = axes.iter().rposition(|axis| axis.src.abs() == 1 && inner.src.abs() > 1);
    let across = match transposed {
        Some(axis) => axes.remove(axis),
        None => axes.pop().unwrap_or(Axis { size: 1, src: 0, dst: 0 }),
    };
    let tile = match transposed {
        Some(_) => [TILE, TILE],
        None => [(BLOCK / inner.size).max(1), BLOCK],
    };
    let tiles = [across.size.div_ceil(tile[0]), inner.size.div_ceil(tile[1])];
    let count = axes.iter().map(|axis| axis.size).product::<usize>() * tiles[0] * tiles[1];
    let elements = tile[0].min(across.size) * tile[1].min(inner.size);
    let share = if is_large(count * elements) { BLOCK.div_ceil(elements) } else { count };
    let target = Shared(y.as_mut_ptr());
    (0..count.div_ceil(share)).into_par_iter().with_min_len(if share == count { count } else { 1 }).for_each(|task| {
        let target = &target;
        simd!(|| {
            for unit in task * share..((task + 1) * share).min(count) {
                let (mut rest, first) = (unit / tiles[1], unit % tiles[1] * tile[1]);
                let top = rest % tiles[0] * tile[0];
                rest /= tiles[0];
                let mut from = src + first as isize * inner.src + top as isize * across.src;
                let mut to = dst + first as isize * inner.dst + top as isize * across.dst;
                for axis in axes.iter().rev() {
                    let i = (rest % axis.size) as isize;
                    rest /= axis.size;
                    from += i * axis.src;
                    to += i * axis.dst;
                }
                let inner = Axis { size: tile[1].min(inner.size - first), ..inner };
                for row in 0..tile[0].min(across.size - top) as isize {
                    let (from, to) = (from + row * across.src, to + row * across.dst);
                    // SAFETY: every element of the copy lies inside of x and y (asserted), and none is written twice,
                    // so this run is no other task's.
                    unsafe { run(inner, x.as_ptr().offset(from), target.0.offset(to), &write) }
                }
            }
        });
    });
}

/// Sides of the tiles of a transposition: 32 lines of 64 bytes in each direction stay in the first-level cache.
const TILE: usize = 32;

/// One run along an axis.
///
/// # Safety
///
/// `x` and `y` are valid along the whole axis, and nothing else uses the elements of y meanwhile.
#[inline(always)]
unsafe fn run<T: Copy>(axis: Axis, x: *const T, y: *mut T, write: &impl Fn(&mut T, T)) {
    // SAFETY: by the caller's promise.
    unsafe {
        if axis.src == 1 && axis.dst == 1 {
            let x = std::slice::from_raw_parts(x, axis.size);
            let y = std::slice::from_raw_parts_mut(y, axis.size);
            y.iter_mut().zip(x).for_each(|(y, &x)| write(y, x));
        } else if axis.src == 0 && axis.dst == 1 {
            let y = std::slice::from_raw_parts_mut(y, axis.size);
            y.iter_mut().for_each(|y| write(y, *x));
        } else {
            for i in 0..axis.size as isize {
                write(&mut *y.offset(i * axis.dst), *x.offset(i * axis.src));
            }
        }
    }
}

/// The axes in the order in which y lies in memory, forwards, with neighbours that make one run merged; and the first
/// elements of x and y.
fn plan(copy: &Strided) -> (Vec<Axis>, isize, isize) {
    let (mut src, mut dst) = (copy.src as isize, copy.dst as isize);
    let mut axes: Vec<Axis> = Vec::with_capacity(copy.shape.len());
    for (i, &size) in copy.shape.iter().enumerate().filter(|(_, size)| **size > 1) {
        let mut axis = Axis { size, src: copy.src_strides[i], dst: copy.dst_strides[i] };
        if axis.dst < 0 {
            let last = size as isize - 1;
            src += last * axis.src;
            dst += last * axis.dst;
            (axis.src, axis.dst) = (-axis.src, -axis.dst);
        }
        axes.push(axis);
    }
    axes.sort_by_key(|axis| -axis.dst);
    let mut merged: Vec<Axis> = Vec::with_capacity(axes.len());
    for axis in axes {
        let size = axis.size as isize;
        match merged.last_mut() {
            Some(last) if last.src == axis.src * size && last.dst == axis.dst * size => {
                *last = Axis { size: last.size * axis.size, ..axis };
            }
            _ => merged.push(axis),
        }
    }
    (merged, src, dst)
}

fn assert_reach(axes: &[Axis], src: isize, dst: isize, x: usize, y: usize) {
    let reach = |step: fn(&Axis) -> isize, first: isize, len: usize| {
        let last = |sign: isize| -> isize {
            axes.iter().map(|axis| (step(axis) * sign).max(0) * sign * (axis.size as isize - 1)).sum()
        };
        first + last(-1) >= 0 && first + last(1) < len as isize
    };
    assert!(reach(|axis| axis.src, src, x), "copy reads beyond the {x} elements of its input");
    assert!(reach(|axis| axis.dst, dst, y), "copy writes beyond the {y} elements of its output");
}

/// A row number that is not in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoSuchRow {
    /// The number.
    pub row: i32,
    /// Rows of the table.
    pub count: usize,
}

fn check_rows(rows: &[i32], count: usize) -> Result<(), NoSuchRow> {
    let is_row = |row: i32| usize::try_from(row).is_ok_and(|row| row < count);
    match rows.iter().find(|row| !is_row(**row)) {
        Some(&row) => Err(NoSuchRow { row, count }),
        None => Ok(()),
    }
}

/// `table [R, C], rows [K] → y [K, C]`.
///
/// # Errors
///
/// [`NoSuchRow`] if a row is not in 0..R; y is as it was.
pub fn gather_rows(table: &[f32], rows: &[i32], width: usize, y: &mut [f32]) -> Result<(), NoSuchRow> {
    check_rows(rows, table.len() / width.max(1))?;
    let share = BLOCK.div_ceil(width.max(1));
    let cost = y.len();
    pieces(y, share * width, cost, |start, y| {
        for (y, &row) in y.chunks_mut(width).zip(&rows[start / width..]) {
            y.copy_from_slice(&table[row as usize * width..][..width]);
        }
    });
    Ok(())
}

/// `y [K, C], rows [K] → table [R, C]`: rows of y added up, in order, where `rows` says; 0 elsewhere.
///
/// # Errors
///
/// [`NoSuchRow`] if a row is not in 0..R; the table is as it was.
pub fn scatter_rows(y: &[f32], rows: &[i32], width: usize, table: &mut [f32]) -> Result<(), NoSuchRow> {
    check_rows(rows, table.len() / width.max(1))?;
    let share = BLOCK.div_ceil(width.max(1));
    let cost = table.len();
    // A task owns some rows of the table and looks through all of y: the order of additions is y's.
    pieces(table, share * width, cost, |start, table| {
        table.fill(0.0);
        let owned = start / width..(start + table.len()) / width;
        for (y, &row) in y.chunks(width).zip(rows) {
            if owned.contains(&(row as usize)) {
                let sum = &mut table[row as usize * width - start..][..width];
                sum.iter_mut().zip(y).for_each(|(sum, y)| *sum += y);
            }
        }
    });
    Ok(())
}
