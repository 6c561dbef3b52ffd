//! When products are by cooperative matrices, and what gemm_cooperative.wgsl needs for that.

use stylegan_tensor::View;

use super::product::Tile;
use super::{Launch, bind};
use crate::recorder::Binding;
use crate::shader::form;

/// Cooperative matrices as gemm_cooperative.wgsl uses them.
#[derive(Clone, Copy)]
pub struct Cooperative {
    pub side: usize,
    /// Whether factors are in f16.
    pub half: bool,
    pub invocations: usize,
}

impl Cooperative {
    /// Terms that a step takes.
    pub const TERMS: usize = 32;

    /// What a workgroup computes, in the units of gemm.wgsl: 8·side rows and 4·side columns.
    pub fn tile(self) -> Tile {
        [self.side, self.side / 2]
    }

    /// Bytes of workgroup memory; operands that lie along the terms take the most.
    fn bytes(self) -> usize {
        let (size, pad) = if self.half { (2, 8) } else { (4, 4) };
        size * 12 * self.side * (Self::TERMS + pad) + 32 * self.side * self.side
    }
}

impl Launch<'_> {
    /// Cooperative matrices for products of two factors, if the GPU has them. A factor in f16 has the other rounded to f16 as well, as
    /// mixed precision does everywhere (Micikevicius et al. 2018, §3.3: products of f16 added up in f32); factors in f32 stay what
    /// they are. WGSL has no matrices of bf16.
    pub fn cooperative(&self, factors: [&Binding; 2]) -> Option<Cooperative> {
        let forms = factors.map(|factor| factor.form(1));
        let (half, side) = match forms {
            [form::SCALAR, form::SCALAR] => (false, self.matrices.f32?),
            _ if forms.contains(&form::BF16) => return None,
            _ => (true, self.matrices.f16?),
        };
        let cooperative = Cooperative {
            side: side as usize,
            half,
            // Four subgroups of any size that the driver may choose; fewer invocations would load for too long.
            invocations: 4 * self.lanes.max(32) as usize,
        };
        let [bytes, most] =
            [self.limits.max_compute_workgroup_storage_size, self.limits.max_compute_invocations_per_workgroup];
        let fits = cooperative.bytes() <= bytes as usize && cooperative.invocations <= most as usize;
        fits.then_some(cooperative)
    }

    /// Whether products of these are by cooperative matrices of f16.
    pub fn multiplies_halves(&self, factors: [&View; 2]) -> bool {
        let [a, b] = factors.map(bind);
        self.cooperative([&a, &b]).is_some_and(|by| by.half)
    }
}

#[cfg(test)]
mod tests {
    use wgpu::naga::front::wgsl;
    use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};

    use crate::shader::{self, form};

    /// No software driver has matrices of f32, nor of 16 by 16.
    #[test]
    fn products_by_cooperative_matrices_of_every_type_and_side_are_valid() {
        let shaders = [
            &shader::MATMUL_COOPERATIVE,
            &shader::CONV2D_COOPERATIVE,
            &shader::CONV2D_TRANSPOSE_COOPERATIVE,
            &shader::CONV2D_WEIGHT_GRAD_COOPERATIVE,
        ];
        for form in 0..32 {
            let bit = |at: u32| form >> at & 1;
            let (half, side, invocations) = (bit(0), 8 << bit(1), 128 << bit(2));
            let (a, y) = ([form::VECTOR, form::F16][half as usize], form::VECTOR);
            let values = [a, form::VECTOR, y, side, half, invocations, bit(3), bit(4)];
            for shader in shaders {
                let source = shader.source(&values);
                let options = wgsl::Options { parse_doc_comments: false, capabilities: Capabilities::all() };
                let module = wgsl::Frontend::new_with_options(options).parse(&source);
                let module = module.unwrap_or_else(|error| panic!("{}", error.emit_to_string(&source)));
                let valid = Validator::new(ValidationFlags::all(), Capabilities::all()).validate(&module);
                valid.unwrap_or_else(|error| panic!("{}", error.emit_to_string(&source)));
            }
        }
    }
}
