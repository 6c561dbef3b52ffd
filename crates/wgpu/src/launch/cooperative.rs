//! When products are by cooperative matrices, and what gemm_cooperative.wgsl needs for that.

use stylegan_tensor::View;

use super::{Launch, bind};
use crate::recorder::Binding;
use crate::shader::form;

/// Invocations of a workgroup of gemm.wgsl along rows and columns; each computes 8 by 8 elements.
pub(super) type Tile = [usize; 2];

/// Cooperative matrices as gemm_cooperative.wgsl uses them.
#[derive(Clone, Copy)]
pub struct Cooperative {
    pub side: usize,
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
        2 * 12 * self.side * (Self::TERMS + 8) + 32 * self.side * self.side
    }
}

impl Launch<'_> {
    /// Cooperative matrices for products of two factors of which one at least is in f16, if the GPU has them. The other is rounded
    /// to f16 as well, as mixed precision does everywhere (Micikevicius et al. 2018, §3.3: products of f16 added up in f32).
    pub fn cooperative(&self, factors: [&Binding; 2]) -> Option<Cooperative> {
        let side = self.matrices?;
        if factors.iter().all(|factor| factor.form(1) != form::F16) {
            return None;
        }
        let cooperative = Cooperative {
            side: side as usize,
            // Four subgroups of any size that the driver may choose; fewer invocations would load for too long.
            invocations: 4 * self.lanes.max(32) as usize,
        };
        let [bytes, most] =
            [self.limits.max_compute_workgroup_storage_size, self.limits.max_compute_invocations_per_workgroup];
        let fits = cooperative.bytes() <= bytes as usize && cooperative.invocations <= most as usize;
        fits.then_some(cooperative)
    }

    /// Whether products of these are by cooperative matrices.
    pub fn cooperates(&self, factors: [&View; 2]) -> bool {
        let [a, b] = factors.map(bind);
        self.cooperative([&a, &b]).is_some()
    }
}

#[cfg(test)]
mod tests {
    use wgpu::naga::front::wgsl;
    use wgpu::naga::valid::{Capabilities, ValidationFlags, Validator};

    use crate::shader::{self, form};

    /// No software driver has matrices of 16 by 16.
    #[test]
    fn products_by_cooperative_matrices_of_every_side_are_valid() {
        let shaders = [
            &shader::MATMUL_COOPERATIVE,
            &shader::CONV2D_COOPERATIVE,
            &shader::CONV2D_TRANSPOSE_COOPERATIVE,
            &shader::CONV2D_WEIGHT_GRAD_COOPERATIVE,
        ];
        for form in 0..16 {
            let bit = |at: u32| form >> at & 1;
            let operands = [form::F16, form::VECTOR, form::VECTOR];
            let (sizes, along) = ([8 << bit(0), 128 << bit(1)], [bit(2), bit(3)]);
            let values = [&operands[..], &sizes, &along].concat();
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
