//! Matrix products and convolutions on gemm.wgsl or gemm_cooperative.wgsl.

use stylegan_tensor::{Algorithm, Conv2d, Result, View};

use super::cooperative::{Cooperative, Tile};
use super::reduce::BUSY;
use super::{Launch, bind, flat, spread, width};
use crate::recorder::Binding;
use crate::shader::{self, Shader, form};

const LARGE: Tile = [16, 16];
const MEDIUM: Tile = [8, 8];
/// For results of few columns, as the channels of large images are: the others would compute columns that do not exist.
const NARROW: Tile = [16, 4];
const NARROWEST: Tile = [32, 2];

/// Bytes of workgroup memory that the largest tile takes.
const LARGE_TILE_BYTES: u32 = 2 * 33 * 16 * 16;

/// Terms that a step takes at a tile: see gemm.wgsl.
fn terms_of([_, n]: Tile) -> usize {
    (2 * n).min(16)
}

/// Elements that a kernel's workspace may have: a quarter of what it sees at once, and no more than 128 MiB.
pub(super) fn room(limits: &wgpu::Limits) -> usize {
    (limits.max_storage_buffer_binding_size / 16).min(1 << 25) as usize
}

/// How a product is computed.
struct Plan {
    tile: Tile,
    /// Parts of the terms.
    runs: usize,
    /// If by cooperative matrices.
    cooperative: Option<Cooperative>,
}

/// A product of matrices as gemm.wgsl sees it.
struct Product<'a> {
    shader: &'static Shader,
    /// The same loaders with gemm_cooperative.wgsl.
    cooperative: &'static Shader,
    a: &'a Binding,
    b: &'a Binding,
    y: &'a Binding,
    /// Vector widths of a, b and y.
    widths: [usize; 3],
    /// Whether a and b lie along the terms.
    along: [bool; 2],
    /// Rows and columns of each result.
    size: [usize; 2],
    /// Independent results: matrices of a batch, or phases of a transposed convolution.
    count: usize,
    terms: usize,
    out_len: usize,
    /// Parameters behind the common ones.
    params: Vec<u32>,
    algorithm: Option<Algorithm>,
    /// Whether y is added to.
    add: bool,
}

impl Product<'_> {
    /// A function of the adapter, the types and the shape alone. The algorithms of the contract are ways to force one tile or
    /// another.
    fn plan(&self, launch: &Launch) -> Plan {
        let limits = launch.limits;
        let cooperative = self.cooperative_matrices(launch);
        let tile = cooperative.map_or_else(|| self.tile(limits), Cooperative::tile);
        let terms = cooperative.map_or(terms_of(tile), |_| Cooperative::TERMS);
        let steps = self.terms.div_ceil(terms).max(1);
        let runs = match self.algorithm {
            Some(Algorithm::Im2col | Algorithm::Direct) => 1,
            Some(Algorithm::Shifted) => steps.min(4),
            None | Some(Algorithm::Winograd | Algorithm::Bf16) => {
                let most = room(limits) / self.out_len.max(1);
                // A run is worth 64 terms at least.
                let least = 64 / terms;
                (BUSY / self.tiles(tile)).min(steps / least).min(most).max(1)
            }
        };
        Plan { tile, runs, cooperative }
    }

    fn tiles(&self, [m, n]: Tile) -> usize {
        let [rows, columns] = self.size;
        rows.div_ceil(8 * m) * columns.div_ceil(8 * n) * self.count
    }

    /// The tile of gemm.wgsl.
    fn tile(&self, limits: &wgpu::Limits) -> Tile {
        let [rows, columns] = self.size;
        let fits = limits.max_compute_workgroup_storage_size >= LARGE_TILE_BYTES;
        match self.algorithm {
            Some(Algorithm::Im2col) if fits => LARGE,
            Some(Algorithm::Im2col | Algorithm::Shifted | Algorithm::Direct) => MEDIUM,
            _ if columns <= 8 * NARROWEST[1] => NARROWEST,
            _ if columns <= 8 * NARROW[1] => NARROW,
            // The larger tile reads less, and needs many tiles to keep the GPU busy.
            _ if rows > 64 && columns > 64 && self.tiles(LARGE) >= 120 && fits => LARGE,
            _ => MEDIUM,
        }
    }

    /// Cooperative matrices for this product, if it fills two along each axis.
    fn cooperative_matrices(&self, launch: &Launch) -> Option<Cooperative> {
        if !matches!(self.algorithm, None | Some(Algorithm::Winograd)) {
            return None;
        }
        let cooperative = launch.cooperative([self.a, self.b])?;
        let least = self.size[0].min(self.size[1]).min(self.terms);
        (least >= 2 * cooperative.side).then_some(cooperative)
    }
}

impl Launch<'_> {
    fn product(&mut self, product: &Product) -> Result<()> {
        let plan = product.plan(self);
        let ([tm, tn], runs) = (plan.tile, plan.runs);
        let [rows, columns] = product.size;
        let tiles_n = columns.div_ceil(8 * tn);
        let mut groups = spread(rows.div_ceil(8 * tm) * tiles_n);
        groups[2] = (product.count * runs) as u32;
        let along = product.along.map(u32::from);
        let params = |add: bool| {
            let sizes = [runs, tiles_n, usize::from(add), product.out_len];
            let sizes = sizes.map(|value| value as u32);
            sizes.into_iter().chain(product.params.iter().copied()).collect::<Vec<_>>()
        };
        let (shader, shape) = match plan.cooperative {
            None => (product.shader, [tm, tn]),
            Some(by) => (product.cooperative, [by.side, by.invocations]),
        };
        let constants = |y: &Binding| {
            let operands = [(product.a, 0), (product.b, 1), (y, 2)];
            let [a, b, y] = operands.map(|(operand, which)| operand.form(product.widths[which]));
            let [rows, columns] = shape.map(|size| size as u32);
            [a, b, y, rows, columns, along[0], along[1]]
        };
        let (inputs, y) = ([product.a, product.b], product.y);
        if runs == 1 {
            return self.dispatch(shader, &constants(y), &inputs, &[y], &params(product.add), groups);
        }
        let (_parts, parts) = self.workspace(runs * product.out_len)?;
        self.dispatch(shader, &constants(&parts), &inputs, &[&parts], &params(false), groups)?;
        if y.form(1) != form::SCALAR {
            return self.sum_runs(runs, &parts, y, product.out_len / 4, product.add);
        }
        let shape = [runs, product.out_len];
        self.reduce_axes(false, 1.0, &parts, &shape, &[0], y, product.add)
    }

    /// y (+)= the sum of `runs` parts of `len` times four elements, where y is stored in 16 bits.
    fn sum_runs(&mut self, runs: usize, parts: &Binding, y: &Binding, len: usize, add: bool) -> Result<()> {
        let constants = [parts.form(4), y.form(4), u32::from(add)];
        let params = [len as u32, runs as u32];
        self.dispatch(&shader::SUM_RUNS, &constants, &[parts], &[y], &params, flat(len))
    }

    pub fn matmul(&mut self, a: &View, b: &View, transpose: [bool; 2], y: &View) -> Result<()> {
        let [batch, m, n] = [y.shape[0], y.shape[1], y.shape[2]];
        let k = if transpose[0] { a.shape[1] } else { a.shape[2] };
        let steps = [a, b].map(|x| if x.shape[0] == 1 { 0 } else { x.shape[1] * x.shape[2] });
        self.products([&bind(a), &bind(b), &bind(y)], transpose, [m, n, k], batch, steps, self.accumulate)
    }

    /// `count` products y (+)= of m rows and n columns, each a sum of k terms; a and b begin so many elements after another.
    pub(super) fn products(
        &mut self,
        [a, b, y]: [&Binding; 3],
        transpose: [bool; 2],
        [m, n, k]: [usize; 3],
        count: usize,
        steps: [usize; 2],
        add: bool,
    ) -> Result<()> {
        let columns_a = if transpose[0] { m } else { k };
        let columns_b = if transpose[1] { k } else { n };
        self.product(&Product {
            shader: &shader::MATMUL,
            cooperative: &shader::MATMUL_COOPERATIVE,
            a,
            b,
            y,
            widths: [width(&[columns_a]), width(&[columns_b]), width(&[n])],
            along: [!transpose[0], transpose[1]],
            size: [m, n],
            count,
            terms: k,
            out_len: count * m * n,
            params: [m, n, k, steps[0], steps[1]].map(|value| value as u32).to_vec(),
            algorithm: None,
            add,
        })
    }

    pub fn conv2d(&mut self, p: &Conv2d, x: &View, w: &View, y: &View) -> Result<()> {
        if self.winograd(p, x, w, y)? {
            return Ok(());
        }
        let (c, o) = (w.shape[2], w.shape[3]);
        self.product(&Product {
            shader: &shader::CONV2D,
            cooperative: &shader::CONV2D_COOPERATIVE,
            a: &bind(x),
            b: &bind(w),
            y: &bind(y),
            widths: [width(&[c]), width(&[o]), width(&[o])],
            along: [true, false],
            size: [y.shape[0] * y.shape[1] * y.shape[2], o],
            count: 1,
            terms: w.shape[0] * w.shape[1] * c,
            out_len: y.storage.len(),
            params: geometry(p, x, w, y),
            algorithm: p.algorithm,
            add: self.accumulate,
        })
    }

    pub fn conv2d_transpose(&mut self, p: &Conv2d, y: &View, w: &View, x: &View) -> Result<()> {
        if self.winograd_transpose(p, y, w, x)? {
            return Ok(());
        }
        let (c, o) = (w.shape[2], w.shape[3]);
        let taps = w.shape[0].div_ceil(p.stride) * w.shape[1].div_ceil(p.stride);
        // The first phase has the most rows.
        let rows = x.shape[1].div_ceil(p.stride) * x.shape[2].div_ceil(p.stride);
        self.product(&Product {
            shader: &shader::CONV2D_TRANSPOSE,
            cooperative: &shader::CONV2D_TRANSPOSE_COOPERATIVE,
            a: &bind(y),
            b: &bind(w),
            y: &bind(x),
            widths: [width(&[o]), width(&[o]), width(&[c])],
            along: [true, true],
            size: [x.shape[0] * rows, c],
            count: p.stride * p.stride,
            terms: taps * o,
            out_len: x.storage.len(),
            params: geometry(p, x, w, y),
            algorithm: p.algorithm,
            add: self.accumulate,
        })
    }

    pub fn conv2d_weight_grad(&mut self, p: &Conv2d, x: &View, y: &View, w: &View) -> Result<()> {
        if self.winograd_weight_grad(p, x, y, w)? {
            return Ok(());
        }
        let (c, o) = (w.shape[2], w.shape[3]);
        self.product(&Product {
            shader: &shader::CONV2D_WEIGHT_GRAD,
            cooperative: &shader::CONV2D_WEIGHT_GRAD_COOPERATIVE,
            a: &bind(x),
            b: &bind(y),
            y: &bind(w),
            widths: [width(&[c]), width(&[o]), width(&[o])],
            along: [false, false],
            size: [w.shape[0] * w.shape[1] * c, o],
            count: 1,
            terms: y.shape[0] * y.shape[1] * y.shape[2],
            out_len: w.storage.len(),
            params: geometry(p, x, w, y),
            algorithm: p.algorithm,
            add: self.accumulate,
        })
    }
}

/// The parameters that the three convolutions share: `x [N, H, W, C]`, `w [kh, kw, C, O]`, `y [N, H', W', O]`.
fn geometry(p: &Conv2d, x: &View, w: &View, y: &View) -> Vec<u32> {
    let [top, _, left, _] = p.padding;
    let sizes = x.shape.iter().chain(&y.shape[1..]).chain(&w.shape[..2]);
    let more = [p.stride, top, left];
    sizes.chain(&more).map(|&value| value as u32).collect()
}
