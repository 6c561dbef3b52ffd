//! WGSL texts and how they are made special: a header of constants, then the texts one after another.

use std::fmt::Write;

use stylegan_tensor::{Binary, Unary};

/// A kernel's program.
pub(crate) struct Shader {
    /// As it stands in labels.
    pub name: &'static str,
    /// Texts, composed in this order.
    pub parts: &'static [&'static str],
    /// Constants that each launch sets. `WIDTH` also gives `alias V`, a vector of so many floats, and `U`, their bits. A name in lower case is an
    /// operand at the next binding, and its value one of the `form`s below: kernels read and write it by the functions of `operand_*.wgsl` and
    /// `result_*.wgsl`, and do not see how it is stored. `SIDE` is that of the matrices of cooperative.wgsl. `UNARY`
    /// and `BINARY` are a function's number, and also give every function's, such as `Unary_Exp`.
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

/// Bytes of parameters that a dispatch carries.
pub(crate) const IMMEDIATE_BYTES: u32 = 128;

/// Numbers of an enum's variants, which shaders know by their names: `Unary::Exp` is `Unary_Exp`.
macro_rules! numbered {
    ($type:ident, $number:ident, $names:ident, [$($variant:ident),* $(,)?]) => {
        /// The number of a variant.
        pub(crate) fn $number(value: $type) -> u32 {
            enum Number {
                $($variant),*
            }
            match value {
                $($type::$variant { .. } => Number::$variant as u32),*
            }
        }

        const $names: &[&str] = &[$(concat!(stringify!($type), "_", stringify!($variant))),*];
    };
}

numbered!(
    Unary,
    unary_number,
    UNARY_NAMES,
    [Affine, Exp, Log, Sqrt, Rsqrt, Square, Softplus, Sigmoid, Sin, Cos, Acos, Clamp]
);
numbered!(Binary, binary_number, BINARY_NAMES, [Add, Sub, Mul, Div, Greater, GreaterEqual, Equal, Maximum]);

/// The names of what a constant may be, in the order of their numbers.
fn variants(constant: &str) -> &'static [&'static str] {
    match constant {
        "UNARY" => UNARY_NAMES,
        "BINARY" => BINARY_NAMES,
        _ => &[],
    }
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
                    (true, form::SCALAR) => include_str!("shaders/shared/operand_scalar.wgsl"),
                    (true, form::VECTOR) => include_str!("shaders/shared/operand_vector.wgsl"),
                    (true, _) => include_str!("shaders/shared/operand_half.wgsl"),
                    (false, form::SCALAR) => include_str!("shaders/shared/result_scalar.wgsl"),
                    (false, form::VECTOR) => include_str!("shaders/shared/result_vector.wgsl"),
                    (false, _) => include_str!("shaders/shared/result_half.wgsl"),
                };
                // The operands of a launch have at most one type of 16 bits.
                half = match *value {
                    form::BF16 => include_str!("shaders/shared/bf16.wgsl"),
                    form::F16 => include_str!("shaders/shared/f16.wgsl"),
                    _ => half,
                };
                let text = template.replace("NAME", name);
                source += &text.replace("BINDING", &binding.to_string());
                binding += 1;
            } else {
                // Writing to a string cannot fail.
                let _ = writeln!(source, "const {name}: u32 = {value}u;");
                for (variant, number) in variants(name).iter().zip(0..) {
                    let _ = writeln!(source, "const {variant}: u32 = {number}u;");
                }
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
                let types = include_str!("shaders/product/cooperative.wgsl");
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
            ["shared/prelude", $($loader),*, "product/gemm"],
            ["a", "b", "y", "TM", "TN", "A_ALONG_K", "B_ALONG_K"],
            2
        );
        shader!(
            $cooperative,
            $name,
            ["shared/prelude", $($loader),*, "product/gemm_cooperative"],
            ["a", "b", "y", "SIDE", "INVOCATIONS", "A_ALONG_K", "B_ALONG_K"],
            2
        );
    };
}

shader!(FILL, "fill", ["shared/prelude", "shared/bytes", "elementwise/fill", "shared/main"], ["BYTES", "ADD"], 0);
shader!(
    COPY,
    "copy",
    ["shared/prelude", "shared/bytes", "movement/walk", "movement/copy", "shared/main"],
    ["BYTES", "ADD", "RANK"],
    1
);
shader!(CAST, "cast", ["shared/prelude", "shared/bytes", "elementwise/cast", "shared/main"], ["FROM", "TO", "ADD"], 1);
shader!(
    UNARY,
    "unary",
    ["shared/prelude", "shared/math", "elementwise/unary", "elementwise/unary_one", "shared/each", "shared/main"],
    ["x", "y", "UNARY", "ADD"],
    1
);
shader!(
    BINARY,
    "binary",
    ["shared/prelude", "elementwise/operators", "elementwise/binary", "shared/each", "shared/main"],
    ["a", "b", "y", "BINARY", "WIDTH", "ADD"],
    2
);
shader!(
    BROADCAST,
    "binary",
    [
        "shared/prelude",
        "elementwise/broadcast",
        "elementwise/operators",
        "elementwise/binary_broadcast",
        "shared/each",
        "shared/main"
    ],
    ["a", "b", "y", "BINARY", "RANK", "ADD"],
    2
);
shader!(
    SELECT,
    "select",
    ["shared/prelude", "elementwise/broadcast", "elementwise/select", "shared/each", "shared/main"],
    ["c", "a", "b", "y", "RANK", "ADD"],
    3
);
shader!(
    REDUCE,
    "reduce",
    ["shared/prelude", "reduce/reduce", "reduce/reduce_tree"],
    ["x", "y", "MAX", "INNER", "LANES", "ADD", "PLAIN"],
    1
);
shader!(
    REDUCE_SUBGROUPS,
    "reduce",
    ["shared/prelude", "reduce/reduce", "reduce/reduce_subgroups"],
    ["x", "y", "MAX", "INNER", "LANES", "ADD", "PLAIN"],
    1
);
product!(MATMUL, MATMUL_COOPERATIVE, "matmul", ["product/matmul"]);
product!(CONV2D, CONV2D_COOPERATIVE, "conv2d", ["product/geometry", "product/conv2d"]);
product!(
    CONV2D_TRANSPOSE,
    CONV2D_TRANSPOSE_COOPERATIVE,
    "conv2d_transpose",
    ["product/geometry", "product/conv2d_transpose"]
);
product!(
    CONV2D_WEIGHT_GRAD,
    CONV2D_WEIGHT_GRAD_COOPERATIVE,
    "conv2d_weight_grad",
    ["product/geometry", "product/conv2d_weight_grad"]
);
shader!(
    WINOGRAD_INPUT,
    "winograd_input",
    ["winograd/matrices", "winograd/tiles", "winograd/input", "winograd/both_axes"],
    ["x", "y", "WIDTH", "TAPS", "LANES"],
    1
);
shader!(
    WINOGRAD_OUTPUT,
    "winograd_output",
    ["winograd/matrices", "winograd/tiles", "winograd/output", "winograd/both_axes"],
    ["x", "y", "WIDTH", "TAPS", "LANES"],
    1
);
shader!(
    WINOGRAD_OUTPUT_GRAD,
    "winograd_output_grad",
    ["winograd/matrices", "winograd/tiles", "winograd/output_grad", "winograd/both_axes"],
    ["x", "y", "WIDTH", "TAPS", "LANES"],
    1
);
shader!(
    WINOGRAD_WEIGHTS,
    "winograd_weights",
    ["winograd/matrices", "winograd/taps", "winograd/weights", "winograd/both_axes"],
    ["x", "y", "WIDTH", "TAPS", "LANES"],
    1
);
shader!(
    WINOGRAD_WEIGHTS_GRAD,
    "winograd_weights_grad",
    ["winograd/matrices", "winograd/taps", "winograd/weights_grad", "winograd/both_axes"],
    ["x", "y", "WIDTH", "TAPS", "LANES"],
    1
);
shader!(
    UPFIRDN2D,
    "upfirdn2d",
    ["shared/prelude", "product/upfirdn2d", "shared/each", "shared/main"],
    ["x", "y", "WIDTH", "ADD", "COUNT", "UP"],
    1
);
shader!(
    AFFINE_RESAMPLE,
    "affine_resample",
    ["shared/prelude", "product/affine", "product/affine_resample", "shared/each", "shared/main"],
    ["x", "m", "y", "WIDTH", "ADD", "COUNT", "REFLECT"],
    2
);
shader!(
    AFFINE_RESAMPLE_TRANSPOSE,
    "affine_resample_transpose",
    ["shared/prelude", "product/affine", "product/affine_resample_transpose", "shared/each", "shared/main"],
    ["x", "m", "y", "WIDTH", "ADD", "COUNT", "REFLECT"],
    2
);
shader!(
    GATHER_ROWS,
    "gather_rows",
    ["shared/prelude", "movement/status", "movement/gather_rows", "shared/main"],
    ["ADD"],
    2
);
shader!(
    SCATTER_ROWS,
    "scatter_rows",
    ["shared/prelude", "movement/status", "movement/scatter_rows", "shared/main"],
    ["ADD"],
    2
);
shader!(
    UNIFORM,
    "uniform",
    ["shared/prelude", "elementwise/philox", "elementwise/uniform", "elementwise/draw", "shared/main"],
    ["ADD"],
    0
);
shader!(
    NORMAL,
    "normal",
    ["shared/prelude", "elementwise/philox", "elementwise/normal", "elementwise/draw", "shared/main"],
    ["ADD"],
    0
);
shader!(
    BIAS_ACT,
    "bias_act",
    ["shared/prelude", "elementwise/bias_act", "shared/each", "shared/main"],
    ["x", "b", "y", "WIDTH", "ADD"],
    2
);
shader!(
    ACT,
    "bias_act",
    ["shared/prelude", "elementwise/act", "shared/each", "shared/main"],
    ["x", "y", "WIDTH", "ADD"],
    1
);
shader!(
    BIAS_ACT_GRAD,
    "bias_act_grad",
    ["shared/prelude", "elementwise/bias_act_grad", "shared/each", "shared/main"],
    ["g", "output", "y", "WIDTH", "ADD"],
    2
);
shader!(
    NOISE_BIAS_ACT,
    "noise_bias_act",
    ["shared/prelude", "elementwise/noise_bias_act", "shared/each", "shared/main"],
    ["x", "noise", "strength", "b", "y", "WIDTH", "ADD"],
    4
);
shader!(
    ADAIN_MOMENTS,
    "adain",
    ["shared/prelude", "normalize/maps", "normalize/adain_moments"],
    ["x", "y", "LANES"],
    1
);
shader!(ADAIN_STATS, "adain", ["shared/prelude", "normalize/adain_stats", "shared/main"], [], 1);
shader!(
    ADAIN,
    "adain",
    ["shared/prelude", "normalize/map_of", "normalize/adain", "shared/each", "shared/main"],
    ["x", "style", "stats", "y", "WIDTH", "ADD"],
    3
);
shader!(
    ADAIN_SUMS,
    "adain_style_grad",
    ["shared/prelude", "normalize/maps", "normalize/adain_sums"],
    ["g", "x", "stats", "y", "LANES", "ADD"],
    3
);
shader!(
    ADAIN_INPUT_GRAD,
    "adain_input_grad",
    ["shared/prelude", "normalize/map_of", "normalize/adain_input_grad", "shared/each", "shared/main"],
    ["g", "x", "style", "stats", "sums", "y", "WIDTH", "ADD"],
    5
);
shader!(
    MINIBATCH_STDDEV,
    "minibatch_stddev",
    ["shared/prelude", "normalize/minibatch", "normalize/minibatch_stddev", "shared/each", "shared/main"],
    ["x", "y", "ADD"],
    1
);
shader!(
    MINIBATCH_STDDEV_GRAD,
    "minibatch_stddev_grad",
    ["shared/prelude", "normalize/minibatch", "normalize/minibatch_stddev_grad", "shared/main"],
    ["g", "x", "y", "ADD"],
    2
);
shader!(ADAM_CHECK, "adam", ["shared/prelude", "optimizer/adam_check"], [], 1);
shader!(ADAM_STEP, "adam", ["shared/prelude", "shared/math", "optimizer/adam_step"], [], 1);
shader!(ADAM, "adam", ["shared/prelude", "optimizer/adam", "shared/main"], [], 2);
shader!(ADAM_AVERAGE, "adam", ["shared/prelude", "optimizer/adam_average", "shared/main"], [], 1);
shader!(
    COPY_RUNS,
    "copy",
    ["shared/prelude", "movement/walk", "movement/copy_runs", "shared/main"],
    ["x", "y", "ADD", "RANK"],
    1
);
shader!(FILL_RUNS, "fill", ["shared/prelude", "elementwise/fill_runs", "shared/each", "shared/main"], ["y", "ADD"], 0);
shader!(CONVERT, "cast", ["shared/prelude", "elementwise/convert", "shared/each", "shared/main"], ["x", "y", "ADD"], 1);
shader!(
    UNARY_FOUR,
    "unary",
    ["shared/prelude", "shared/math", "elementwise/unary", "elementwise/unary_four", "shared/each", "shared/main"],
    ["x", "y", "UNARY", "ADD"],
    1
);
shader!(
    BROADCAST_FOUR,
    "binary",
    [
        "shared/prelude",
        "elementwise/broadcast",
        "elementwise/operators",
        "elementwise/binary_broadcast_four",
        "shared/each",
        "shared/main"
    ],
    ["a", "b", "y", "BINARY", "RANK", "ADD"],
    2
);
shader!(SUM_RUNS, "reduce", ["shared/prelude", "product/sum_runs", "shared/each", "shared/main"], ["x", "y", "ADD"], 1);
