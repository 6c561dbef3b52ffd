pub mod conv;
pub mod matmul;
