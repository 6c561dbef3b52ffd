//! WGSL texts and how they are made special: a header of constants, then the texts one after another.

use std::fmt::Write;

/// A kernel's program.
pub(crate) struct Shader {
    /// As it stands in labels.
    pub name: &'static str,
    /// Texts, composed in this order.
    pub parts: &'static [&'static str],
    /// Constants that each launch sets. `WIDTH` also gives `alias V`, a vector of so many floats, and `U`, their bits. A name in lower case is an
    /// operand at the next binding, read (the last one: written) in runs of four, by vectors if its value is 4.
    pub constants: &'static [&'static str],
    /// How many operands are only read.
    pub inputs: usize,
}

/// At most so many constants, so that a pipeline's key is a plain array.
pub(crate) const MAX_CONSTANTS: usize = 7;

impl Shader {
    /// The whole program for these values of its constants.
    pub fn source(&self, values: &[u32]) -> String {
        let mut source = String::new();
        let mut binding = 0;
        for (name, value) in self.constants.iter().zip(values) {
            if name.starts_with(|first: char| first.is_lowercase()) {
                let template = match (binding < self.inputs, value) {
                    (true, 4) => include_str!("shaders/operand_vector.wgsl"),
                    (true, _) => include_str!("shaders/operand_scalar.wgsl"),
                    (false, 4) => include_str!("shaders/result_vector.wgsl"),
                    (false, _) => include_str!("shaders/result_scalar.wgsl"),
                };
                let text = template.replace("NAME", name);
                source += &text.replace("BINDING", &binding.to_string());
                binding += 1;
            } else {
                // Writing to a string cannot fail.
                let _ = writeln!(source, "const {name}: u32 = {value}u;");
                if *name == "WIDTH" {
                    let (vector, bits) = if *value == 4 {
                        ("vec4<f32>", "vec4<u32>")
                    } else {
                        ("f32", "u32")
                    };
                    let _ = writeln!(source, "alias V = {vector};\nalias U = {bits};");
                }
            }
        }
        source.extend(self.parts.iter().copied());
        source
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

shader!(
    FILL,
    "fill",
    ["prelude", "bytes", "fill"],
    ["BYTES", "ADD"],
    0
);
shader!(
    COPY,
    "copy",
    ["prelude", "bytes", "copy"],
    ["BYTES", "ADD", "RANK"],
    1
);
shader!(
    CAST,
    "cast",
    ["prelude", "bytes", "cast"],
    ["FROM", "TO", "ADD"],
    1
);
shader!(
    UNARY,
    "unary",
    ["prelude", "math", "unary", "each"],
    ["OP", "ADD"],
    1
);
shader!(
    BINARY,
    "binary",
    ["prelude", "operators", "binary", "each"],
    ["OP", "WIDTH", "ADD"],
    2
);
shader!(
    BROADCAST,
    "binary",
    [
        "prelude",
        "broadcast",
        "operators",
        "binary_broadcast",
        "each"
    ],
    ["OP", "RANK", "ADD"],
    2
);
shader!(
    SELECT,
    "select",
    ["prelude", "broadcast", "select", "each"],
    ["RANK", "ADD"],
    3
);
shader!(
    REDUCE,
    "reduce",
    ["prelude", "reduce", "reduce_tree"],
    ["OP", "INNER", "LANES", "ADD", "PLAIN"],
    1
);
shader!(
    REDUCE_SUBGROUPS,
    "reduce",
    ["prelude", "reduce", "reduce_subgroups"],
    ["OP", "INNER", "LANES", "ADD", "PLAIN"],
    1
);
shader!(
    MATMUL,
    "matmul",
    ["prelude", "matmul", "gemm"],
    ["a", "b", "y", "TM", "TN", "A_ALONG_K", "B_ALONG_K"],
    2
);
shader!(
    CONV2D,
    "conv2d",
    ["prelude", "geometry", "conv2d", "gemm"],
    ["a", "b", "y", "TM", "TN", "A_ALONG_K", "B_ALONG_K"],
    2
);
shader!(
    CONV2D_TRANSPOSE,
    "conv2d_transpose",
    ["prelude", "geometry", "conv2d_transpose", "gemm"],
    ["a", "b", "y", "TM", "TN", "A_ALONG_K", "B_ALONG_K"],
    2
);
shader!(
    CONV2D_WEIGHT_GRAD,
    "conv2d_weight_grad",
    ["prelude", "geometry", "conv2d_weight_grad", "gemm"],
    ["a", "b", "y", "TM", "TN", "A_ALONG_K", "B_ALONG_K"],
    2
);
shader!(
    UPFIRDN2D,
    "upfirdn2d",
    ["prelude", "upfirdn2d", "each"],
    ["WIDTH", "ADD", "COUNT", "UP"],
    1
);
shader!(
    GATHER_ROWS,
    "gather_rows",
    ["prelude", "status", "gather_rows"],
    ["ADD"],
    2
);
shader!(
    SCATTER_ROWS,
    "scatter_rows",
    ["prelude", "status", "scatter_rows"],
    ["ADD"],
    2
);
shader!(
    UNIFORM,
    "uniform",
    ["prelude", "philox", "uniform", "draw"],
    ["ADD"],
    0
);
shader!(
    NORMAL,
    "normal",
    ["prelude", "philox", "normal", "draw"],
    ["ADD"],
    0
);
shader!(
    BIAS_ACT,
    "bias_act",
    ["prelude", "bias_act", "each"],
    ["WIDTH", "ADD"],
    2
);
shader!(
    ACT,
    "bias_act",
    ["prelude", "act", "each"],
    ["WIDTH", "ADD"],
    1
);
shader!(
    BIAS_ACT_GRAD,
    "bias_act_grad",
    ["prelude", "bias_act_grad", "each"],
    ["WIDTH", "ADD"],
    2
);
shader!(
    NOISE_BIAS_ACT,
    "noise_bias_act",
    ["prelude", "noise_bias_act", "each"],
    ["WIDTH", "ADD"],
    4
);
shader!(
    ADAIN_MOMENTS,
    "adain",
    ["prelude", "maps", "adain_moments"],
    ["LANES"],
    1
);
shader!(ADAIN_STATS, "adain", ["prelude", "adain_stats"], [], 1);
shader!(
    ADAIN,
    "adain",
    ["prelude", "map_of", "adain", "each"],
    ["WIDTH", "ADD"],
    3
);
shader!(
    ADAIN_SUMS,
    "adain_style_grad",
    ["prelude", "maps", "adain_sums"],
    ["LANES", "ADD"],
    3
);
shader!(
    ADAIN_INPUT_GRAD,
    "adain_input_grad",
    ["prelude", "map_of", "adain_input_grad", "each"],
    ["WIDTH", "ADD"],
    5
);
shader!(
    MINIBATCH_STDDEV,
    "minibatch_stddev",
    ["prelude", "minibatch", "minibatch_stddev", "each"],
    ["ADD"],
    1
);
shader!(
    MINIBATCH_STDDEV_GRAD,
    "minibatch_stddev_grad",
    ["prelude", "minibatch", "minibatch_stddev_grad"],
    ["ADD"],
    2
);
shader!(ADAM_CHECK, "adam", ["prelude", "adam_check"], [], 1);
shader!(ADAM_STEP, "adam", ["prelude", "math", "adam_step"], [], 1);
shader!(ADAM, "adam", ["prelude", "adam"], [], 2);
shader!(ADAM_AVERAGE, "adam", ["prelude", "adam_average"], [], 2);
