use stylegan_tensor::{DType, Error, Kernel, Result};

use crate::node::Edge;
use crate::tensor::{Tensor, floats, same_device};

/// Rows of a table: `table [R, C]`, `rows` i32 `[K]`, each in 0..R → `[K, C]`. A row out of range fails on the device.
///
/// # Errors
///
/// [`Error::Shape`] if an operand has another form or dtype.
pub fn gather_rows(table: &Tensor, rows: &Tensor) -> Result<Tensor> {
    let count = check("gather_rows", table, rows)?;
    let &[table_rows, columns] = table.shape() else {
        return Err(Error::shape("gather_rows", format!("table must be [R, C], got {:?}", table.shape())));
    };
    if table_rows == 0 && count > 0 {
        return Err(Error::shape(
            "gather_rows",
            format!("table must have rows to gather {count} from, got {:?}", table.shape()),
        ));
    }
    let edge = Edge::to(table).saving([rows]).vjp(move |g, saved| scatter_rows(g, &saved[0], table_rows));
    let kernel = Kernel::GatherRows;
    Tensor::from_op("gather_rows", kernel, &[table, rows], &[count, columns], [edge])
}

/// The adjoint of [`gather_rows`]: `y [K, C]` → `[table_rows, C]`, rows that meet added up in order.
///
/// # Errors
///
/// [`Error::Shape`] if an operand has another form or dtype.
pub fn scatter_rows(y: &Tensor, rows: &Tensor, table_rows: usize) -> Result<Tensor> {
    let count = check("scatter_rows", y, rows)?;
    let columns = match *y.shape() {
        [k, columns] if k == count => columns,
        _ => return Err(Error::shape("scatter_rows", format!("y must be [{count}, C], got {:?}", y.shape()))),
    };
    let edge = Edge::to(y).saving([rows]).vjp(move |g, saved| gather_rows(g, &saved[0]));
    let kernel = Kernel::ScatterRows;
    Tensor::from_op("scatter_rows", kernel, &[y, rows], &[table_rows, columns], [edge])
}

fn check(op: &'static str, values: &Tensor, rows: &Tensor) -> Result<usize> {
    same_device(op, &[values, rows])?;
    floats(op, &[values])?;
    match (rows.shape(), rows.dtype()) {
        (&[count], DType::I32) => Ok(count),
        (shape, dtype) => Err(Error::shape(op, format!("rows must be i32 [K], got {dtype} {shape:?}"))),
    }
}
