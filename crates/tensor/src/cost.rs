//! What launches cost: how much work a kernel has to do, and how long it took.

use std::collections::HashMap;

use crate::{DType, Kernel, Shape};

/// Launches of one kernel on operands of the same shapes.
#[derive(Clone, Debug, PartialEq)]
pub struct Cost {
    /// The kernel's name.
    pub kernel: &'static str,
    /// Shapes of inputs and outputs, as in `16x8x8x64 3x3x64x64 → 16x8x8x64`.
    pub shapes: String,
    /// How often it was launched.
    pub launches: u64,
    /// Time on the device, in nanoseconds; 0 where the device cannot tell.
    pub nanoseconds: u64,
    /// Time that the host took to hand the launches over, in nanoseconds.
    pub host_nanoseconds: u64,
    /// Floating-point operations of the direct form, for convolutions and matrix products; 0 for others.
    pub flop: u64,
    /// Bytes that must at least be read and written.
    pub bytes: u64,
}

/// Costs summed up by kernel and shapes.
#[derive(Default)]
pub struct Costs {
    sums: Vec<Cost>,
    places: HashMap<(&'static str, String), usize>,
}

impl Costs {
    /// Adds one launch.
    pub fn add(
        &mut self,
        kernel: &Kernel,
        inputs: &[(&Shape, DType)],
        outs: &[(&Shape, DType)],
        nanoseconds: u64,
        host_nanoseconds: u64,
    ) {
        let shapes = format!("{} → {}", join(inputs), join(outs));
        let bytes = inputs.iter().chain(outs).map(|(shape, dtype)| size(shape) * dtype.size() as u64);
        let name = kernel.name();
        let place = *self.places.entry((name, shapes.clone())).or_insert_with(|| {
            self.sums.push(Cost {
                kernel: name,
                shapes,
                launches: 0,
                nanoseconds: 0,
                host_nanoseconds: 0,
                flop: 0,
                bytes: 0,
            });
            self.sums.len() - 1
        });
        let sum = &mut self.sums[place];
        sum.launches += 1;
        sum.nanoseconds += nanoseconds;
        sum.host_nanoseconds += host_nanoseconds;
        sum.flop += flop(kernel, inputs, outs);
        sum.bytes += bytes.sum::<u64>();
    }

    /// The sums so far; counting begins anew.
    pub fn take(&mut self) -> Vec<Cost> {
        self.places.clear();
        std::mem::take(&mut self.sums)
    }
}

fn size(shape: &[usize]) -> u64 {
    shape.iter().product::<usize>() as u64
}

fn join(operands: &[(&Shape, DType)]) -> String {
    let shape = |shape: &Shape| shape.iter().map(usize::to_string).collect::<Vec<_>>().join("x");
    operands.iter().map(|(s, _)| shape(s)).collect::<Vec<_>>().join(" ")
}

/// `2 · outputs · kh · kw · C` of a convolution in its direct form, `2 · B · m · k · n` of a product.
fn flop(kernel: &Kernel, inputs: &[(&Shape, DType)], outs: &[(&Shape, DType)]) -> u64 {
    let (Some(first), Some(second), Some(out)) = (inputs.first(), inputs.get(1), outs.first()) else { return 0 };
    // The image with O channels has a product with every weight at each of its pixels.
    let convolution = |y: &[usize], w: &[usize]| 2 * size(&y[..3]) * size(w);
    match kernel {
        Kernel::Conv2d(_) | Kernel::Layer(_) => convolution(out.0, second.0),
        Kernel::Conv2dTranspose(_) => convolution(first.0, second.0),
        Kernel::Conv2dWeightGrad(_) => convolution(second.0, out.0),
        Kernel::Matmul { transpose_a, .. } => 2 * size(out.0) * first.0[if *transpose_a { 1 } else { 2 }] as u64,
        _ => 0,
    }
}
