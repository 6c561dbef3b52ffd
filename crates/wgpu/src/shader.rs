//! WGSL texts and how they are made special: a header of constants, then the texts one after another.

use std::fmt::Write;

/// A kernel's program.
pub(crate) struct Shader {
    /// As it stands in labels.
    pub name: &'static str,
    /// Texts, composed in this order.
    pub parts: &'static [&'static str],
    /// Constants that each launch sets. `WIDTH` also gives `alias V`, a vector of so many floats, and `U`, their bits. A name in lower case is an
    /// operand at the next binding, and its value one of the `form`s below: kernels read and write it by the functions of `operand_*.wgsl` and
    /// `result_*.wgsl`, and do not see how it is stored. `SIDE` is that of the matrices of cooperative.wgsl.
    pub constants: &'static [&'static str],
    /// How many operands are only read.
    pub inputs: usize,
}

/// How an operand is stored.
pub(crate) mod form {
    /// f32, one at a time.
    pub const SCALAR: u32 = 1;
    /// f32, four at a time.
    pub const VECTOR: u32 = 4;
    /// bf16, four at a time.
    pub const BF16: u32 = 5;
    /// f16, four at a time.
    pub const F16: u32 = 6;
}

/// At most so many constants, so that a pipeline's key is a plain array.
pub(crate) const MAX_CONSTANTS: usize = 8;

impl Shader {
    /// The whole program for these values of its constants.
    pub fn source(&self, values: &[u32]) -> String {
        let mut source = String::new();
        let (mut binding, mut half) = (0, "");
        for (name, value) in self.constants.iter().zip(values) {
            if name.starts_with(|first: char| first.is_lowercase()) {
                let template = match (binding < self.inputs, *value) {
                    (true, form::SCALAR) => include_str!("shaders/operand_scalar.wgsl"),
                    (true, form::VECTOR) => include_str!("shaders/operand_vector.wgsl"),
                    (true, _) => include_str!("shaders/operand_half.wgsl"),
                    (false, form::SCALAR) => include_str!("shaders/result_scalar.wgsl"),
                    (false, form::VECTOR) => include_str!("shaders/result_vector.wgsl"),
                    (false, _) => include_str!("shaders/result_half.wgsl"),
                };
                // The operands of a launch have at most one type of 16 bits.
                half = match *value {
                    form::BF16 => include_str!("shaders/bf16.wgsl"),
                    form::F16 => include_str!("shaders/f16.wgsl"),
                    _ => half,
                };
                let text = template.replace("NAME", name);
                source += &text.replace("BINDING", &binding.to_string());
                binding += 1;
            } else {
                // Writing to a string cannot fail.
                let _ = writeln!(source, "const {name}: u32 = {value}u;");
                if *name == "WIDTH" {
                    let (vector, bits) = if *value == 4 { ("vec4<f32>", "vec4<u32>") } else { ("f32", "u32") };
                    let _ = writeln!(source, "alias V = {vector};\nalias U = {bits};");
                }
            }
        }
        source += half;
        source.extend(self.parts.iter().copied());
        match self.constants.iter().position(|name| *name == "SIDE") {
            // WGSL wants first what allows the types.
            Some(at) => {
                let types = include_str!("shaders/cooperative.wgsl");
                types.replace("SIDE", &values[at].to_string()) + &source
            }
            None => source,
        }
    }
}

macro_rules! shader {
    ($id:ident, $name:literal, [$($part:literal),*], [$($constant:literal),*], $inputs:literal) => {
        pub(crate) static $id: Shader = Shader {
            name: $name,
            parts: &[$(include_str!(concat!("shaders/", $part, ".wgsl"))),*],
            constants: &[$($constant),*],
            inputs: $inputs,
        };
    };
}

/// A product of matrices, by gemm.wgsl and by gemm_cooperative.wgsl.
macro_rules! product {
    ($id:ident, $cooperative:ident, $name:literal, [$($loader:literal),*]) => {
        shader!(
            $id,
            $name,
            ["prelude", $($loader),*, "gemm"],
            ["a", "b", "y", "TM", "TN", "A_ALONG_K", "B_ALONG_K"],
            2
        );
        shader!(
            $cooperative,
            $name,
            ["prelude", $($loader),*, "gemm_cooperative"],
            ["a", "b", "y", "SIDE", "INVOCATIONS", "A_ALONG_K", "B_ALONG_K"],
            2
        );
    };
}

shader!(FILL, "fill", ["prelude", "bytes", "fill"], ["BYTES", "ADD"], 0);
shader!(COPY, "copy", ["prelude", "bytes", "walk", "copy"], ["BYTES", "ADD", "RANK"], 1);
shader!(CAST, "cast", ["prelude", "bytes", "cast"], ["FROM", "TO", "ADD"], 1);
shader!(UNARY, "unary", ["prelude", "math", "unary", "unary_one", "each"], ["x", "y", "OP", "ADD"], 1);
shader!(BINARY, "binary", ["prelude", "operators", "binary", "each"], ["a", "b", "y", "OP", "WIDTH", "ADD"], 2);
shader!(
    BROADCAST,
    "binary",
    ["prelude", "broadcast", "operators", "binary_broadcast", "each"],
    ["a", "b", "y", "OP", "RANK", "ADD"],
    2
);
shader!(SELECT, "select", ["prelude", "broadcast", "select", "each"], ["c", "a", "b", "y", "RANK", "ADD"], 3);
shader!(REDUCE, "reduce", ["prelude", "reduce", "reduce_tree"], ["x", "y", "OP", "INNER", "LANES", "ADD", "PLAIN"], 1);
shader!(
    REDUCE_SUBGROUPS,
    "reduce",
    ["prelude", "reduce", "reduce_subgroups"],
    ["x", "y", "OP", "INNER", "LANES", "ADD", "PLAIN"],
    1
);
product!(MATMUL, MATMUL_COOPERATIVE, "matmul", ["matmul"]);
product!(CONV2D, CONV2D_COOPERATIVE, "conv2d", ["geometry", "conv2d"]);
product!(CONV2D_TRANSPOSE, CONV2D_TRANSPOSE_COOPERATIVE, "conv2d_transpose", ["geometry", "conv2d_transpose"]);
product!(CONV2D_WEIGHT_GRAD, CONV2D_WEIGHT_GRAD_COOPERATIVE, "conv2d_weight_grad", ["geometry", "conv2d_weight_grad"]);
shader!(
    FILTERING_INPUT,
    "filtering_input",
    ["filtering", "tiles", "filtering_input", "both_axes"],
    ["x", "y", "WIDTH", "TAPS", "LANES"],
    1
);
shader!(
    FILTERING_OUTPUT,
    "filtering_output",
    ["filtering", "tiles", "filtering_output", "both_axes"],
    ["x", "y", "WIDTH", "TAPS", "LANES"],
    1
);
shader!(
    FILTERING_OUTPUT_GRAD,
    "filtering_output_grad",
    ["filtering", "tiles", "filtering_output_grad", "both_axes"],
    ["x", "y", "WIDTH", "TAPS", "LANES"],
    1
);
shader!(
    FILTERING_WEIGHTS,
    "filtering_weights",
    ["filtering", "filters", "filtering_weights", "both_axes"],
    ["x", "y", "WIDTH", "TAPS", "LANES"],
    1
);
shader!(
    FILTERING_WEIGHTS_GRAD,
    "filtering_weights_grad",
    ["filtering", "filters", "filtering_weights_grad", "both_axes"],
    ["x", "y", "WIDTH", "TAPS", "LANES"],
    1
);
shader!(UPFIRDN2D, "upfirdn2d", ["prelude", "upfirdn2d", "each"], ["x", "y", "WIDTH", "ADD", "COUNT", "UP"], 1);
shader!(GATHER_ROWS, "gather_rows", ["prelude", "status", "gather_rows"], ["ADD"], 2);
shader!(SCATTER_ROWS, "scatter_rows", ["prelude", "status", "scatter_rows"], ["ADD"], 2);
shader!(UNIFORM, "uniform", ["prelude", "philox", "uniform", "draw"], ["ADD"], 0);
shader!(NORMAL, "normal", ["prelude", "philox", "normal", "draw"], ["ADD"], 0);
shader!(BIAS_ACT, "bias_act", ["prelude", "bias_act", "each"], ["x", "b", "y", "WIDTH", "ADD"], 2);
shader!(ACT, "bias_act", ["prelude", "act", "each"], ["x", "y", "WIDTH", "ADD"], 1);
shader!(BIAS_ACT_GRAD, "bias_act_grad", ["prelude", "bias_act_grad", "each"], ["g", "output", "y", "WIDTH", "ADD"], 2);
shader!(
    NOISE_BIAS_ACT,
    "noise_bias_act",
    ["prelude", "noise_bias_act", "each"],
    ["x", "noise", "strength", "b", "y", "WIDTH", "ADD"],
    4
);
shader!(ADAIN_MOMENTS, "adain", ["prelude", "maps", "adain_moments"], ["x", "y", "LANES"], 1);
shader!(ADAIN_STATS, "adain", ["prelude", "adain_stats"], [], 1);
shader!(ADAIN, "adain", ["prelude", "map_of", "adain", "each"], ["x", "style", "stats", "y", "WIDTH", "ADD"], 3);
shader!(ADAIN_SUMS, "adain_style_grad", ["prelude", "maps", "adain_sums"], ["g", "x", "stats", "y", "LANES", "ADD"], 3);
shader!(
    ADAIN_INPUT_GRAD,
    "adain_input_grad",
    ["prelude", "map_of", "adain_input_grad", "each"],
    ["g", "x", "style", "stats", "sums", "y", "WIDTH", "ADD"],
    5
);
shader!(
    MINIBATCH_STDDEV,
    "minibatch_stddev",
    ["prelude", "minibatch", "minibatch_stddev", "each"],
    ["x", "y", "ADD"],
    1
);
shader!(
    MINIBATCH_STDDEV_GRAD,
    "minibatch_stddev_grad",
    ["prelude", "minibatch", "minibatch_stddev_grad"],
    ["g", "x", "y", "ADD"],
    2
);
shader!(ADAM_CHECK, "adam", ["prelude", "adam_check"], [], 1);
shader!(ADAM_STEP, "adam", ["prelude", "math", "adam_step"], [], 1);
shader!(ADAM, "adam", ["prelude", "adam"], [], 2);
shader!(ADAM_AVERAGE, "adam", ["prelude", "adam_average"], [], 2);
shader!(COPY_RUNS, "copy", ["prelude", "walk", "copy_runs"], ["x", "y", "ADD", "RANK"], 1);
shader!(FILL_RUNS, "fill", ["prelude", "fill_runs", "each"], ["y", "ADD"], 0);
shader!(CONVERT, "cast", ["prelude", "convert", "each"], ["x", "y", "ADD"], 1);
shader!(UNARY_FOUR, "unary", ["prelude", "math", "unary", "unary_four", "each"], ["x", "y", "OP", "ADD"], 1);
shader!(
    BROADCAST_FOUR,
    "binary",
    ["prelude", "broadcast", "operators", "binary_broadcast_four", "each"],
    ["a", "b", "y", "OP", "RANK", "ADD"],
    2
);
shader!(SUM_RUNS, "reduce", ["prelude", "sum_runs", "each"], ["x", "y", "ADD"], 1);
