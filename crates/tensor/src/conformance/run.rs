use super::case::{Case, EPSILON, Values};
use super::{Report, read_f64, write_f64};
use crate::reference::bytes;
use crate::{Algorithm, Backend, Conv2d, DType, Kernel, Reference, Result, Storage, Stream, View};

/// Runs every form of `case` on both devices and notes where they differ.
pub(super) fn compare(case: &Case, device: &dyn Backend, reference: &Stream<Reference>, report: &mut Report) {
    for accumulate in [false, true] {
        if accumulate && !case.accumulates() {
            continue;
        }
        let expected = run(case, &case.kernels[0], reference, accumulate, false).expect("the reference computes");
        let is_known = |kernel: &&Kernel| device.multiplies_bf16() || !is_bf16(kernel);
        for kernel in case.kernels.iter().filter(is_known) {
            for sliced in [false, true] {
                report.launches += 1;
                let worst = report.worst.entry(kernel.name()).or_insert(0.0);
                let difference = match run(case, kernel, device, accumulate, sliced) {
                    Ok(found) => differ(case, kernel, device.float(), accumulate, &expected, &found, worst),
                    Err(error) => Some(error.to_string()),
                };
                if let Some(difference) = difference {
                    report.failures.push(describe(case, kernel, accumulate, sliced, &difference));
                }
            }
        }
    }
}

fn describe(case: &Case, kernel: &Kernel, accumulate: bool, sliced: bool, difference: &str) -> String {
    let shapes = |values: &[Values]| values.iter().map(|v| format!("{:?}", v.shape)).collect::<Vec<_>>().join(" ");
    format!(
        "{kernel:?} {} -> {}{}{}: {difference}",
        shapes(&case.inputs),
        shapes(&case.outs),
        if accumulate { ", accumulated" } else { "" },
        if sliced { ", in slices" } else { "" },
    )
}

/// What the outputs hold after the launch, by output.
fn run(
    case: &Case,
    kernel: &Kernel,
    device: &dyn Backend,
    accumulate: bool,
    sliced: bool,
) -> std::result::Result<Vec<Vec<f64>>, String> {
    let say = |error: crate::Error| error.to_string();
    let mut outs = case.outs.clone();
    if !accumulate && !case.is_in_place() {
        // What is overwritten must not matter, not even as 0 · NaN.
        outs.iter_mut().for_each(|out| out.values.fill(f64::NAN));
    }
    let one_type = case.inputs.iter().all(|input| input.dtype == case.inputs[0].dtype);
    let groups = case.inputs.chunks(if sliced && one_type { case.inputs.len().max(1) } else { 1 });
    let inputs = groups.map(|group| Arena::new(device, group, sliced)).collect::<Result<Vec<_>>>().map_err(say)?;
    let outs = outs.chunks(1).map(|out| Arena::new(device, out, sliced)).collect::<Result<Vec<_>>>().map_err(say)?;

    let views = |arenas: &'_ [Arena]| arenas.iter().flat_map(|arena| arena.views.clone()).collect::<Vec<View>>();
    let (input_views, out_views) = (views(&inputs), views(&outs));
    let (x, y): (Vec<&View>, Vec<&View>) = (input_views.iter().collect(), out_views.iter().collect());
    device.launch(kernel.clone(), &x, &y, accumulate).map_err(say)?;

    for arena in &inputs {
        if !same(&read_f64(device, &arena.storage).map_err(say)?, &arena.before) {
            return Err("an input was changed".to_owned());
        }
    }
    outs.iter().map(|arena| arena.result(device)).collect()
}

/// Operands side by side in one buffer, with elements around them that no kernel may touch.
struct Arena {
    storage: Storage,
    before: Vec<f64>,
    views: Vec<View>,
}

impl Arena {
    /// `sliced`: with a guard before and after.
    fn new(device: &dyn Backend, operands: &[Values], sliced: bool) -> Result<Self> {
        // The reference computes the same with the values that 16 bits hold.
        let held = |dtype: &DType| device.stores_half() || !dtype.is_half();
        let dtype = operands[0].dtype.filter(held).unwrap_or(device.float());
        let guard = Storage::ALIGNMENT / dtype.size();
        let mut before = vec![GUARD; if sliced { guard } else { 0 }];
        let mut offsets = Vec::new();
        for operand in operands {
            before.resize(before.len().next_multiple_of(guard), GUARD);
            offsets.push(before.len());
            before.extend(operand.values.iter().map(|&value| bytes::round(value, dtype)));
        }
        before.resize(before.len() + if sliced { guard } else { 0 }, GUARD);
        let storage = device.allocate("conformance", before.len(), dtype)?;
        write_f64(device, &storage, &before);
        let slice = |(operand, &offset): (&Values, &usize)| {
            let storage = storage.slice(offset, operand.values.len())?;
            Ok(View { storage, shape: operand.shape.clone() })
        };
        let views = operands.iter().zip(&offsets).map(slice).collect::<Result<_>>()?;
        Ok(Self { storage, before, views })
    }

    /// The elements of the only operand, if nothing beside it has changed.
    fn result(&self, device: &dyn Backend) -> std::result::Result<Vec<f64>, String> {
        let after = read_f64(device, &self.storage).map_err(|error| error.to_string())?;
        let slice = &self.views[0].storage;
        let range = slice.offset()..slice.offset() + slice.len();
        let untouched = same(&after[..range.start], &self.before[..range.start])
            && same(&after[range.end..], &self.before[range.end..]);
        if untouched { Ok(after[range].to_vec()) } else { Err("elements beside an output were changed".to_owned()) }
    }
}

const GUARD: f64 = 77.0;

fn same(a: &[f64], b: &[f64]) -> bool {
    a.len() == b.len() && a.iter().zip(b).all(|(a, b)| a == b || (a.is_nan() && b.is_nan()))
}

fn is_bf16(kernel: &Kernel) -> bool {
    convolution(kernel).is_some_and(|p| p.algorithm == Some(Algorithm::Bf16))
}

fn convolution(kernel: &Kernel) -> Option<Conv2d> {
    match kernel {
        Kernel::Conv2d(p) | Kernel::Conv2dTranspose(p) | Kernel::Conv2dWeightGrad(p) => Some(*p),
        Kernel::Layer(p) => Some(p.conv),
        _ => None,
    }
}

/// Winograd's F(4×4, 3×3) multiplies the roundings of sums: entries of its matrices reach 8, and cancel. A device
/// may choose it by itself.
fn amplification(kernel: &Kernel) -> f64 {
    match convolution(kernel).map(|p| p.algorithm) {
        Some(None | Some(Algorithm::Winograd)) => WINOGRAD,
        _ => 1.0,
    }
}

/// The smallest whole number that holds; 1.2 was measured.
const WINOGRAD: f64 = 2.0;

/// Allowed for products of bf16, relative to the largest result: both factors are rounded to 8 bits, in Winograd's form, which enlarges
/// that; 0.021 was measured.
const BF16: f64 = 0.025;

fn largest(values: &[f64]) -> f64 {
    let finite = values.iter().filter(|value| value.is_finite());
    finite.fold(0.0, |largest: f64, value| largest.max(value.abs()))
}

/// The largest difference, in words, if it is too large; `worst` is raised to its part of what is allowed.
fn differ(
    case: &Case,
    kernel: &Kernel,
    float: DType,
    accumulate: bool,
    expected: &[Vec<f64>],
    found: &[Vec<f64>],
    worst: &mut f64,
) -> Option<String> {
    // Sums of a result and what was there are rounded once more.
    let tolerance = match float {
        DType::F64 => 1e-12,
        _ if is_bf16(kernel) => BF16,
        _ => case.tolerance * amplification(kernel) + case.rounded + if accumulate { 2.0 * EPSILON } else { 0.0 },
    };
    for (which, (expected, found)) in expected.iter().zip(found).enumerate() {
        let dtype = case.outs[which].dtype.unwrap_or(float);
        let expected: Vec<f64> = expected.iter().map(|&value| represented(value, dtype)).collect();
        // A result may cancel what was there: the sum is rounded at the size of both.
        let reads = accumulate || case.is_in_place();
        let before: &[f64] = if reads { &case.outs[which].values } else { &[] };
        let scale = case.scale.unwrap_or_else(|| largest(&expected));
        let allowed = tolerance * scale.max(largest(before));
        let error = |i: usize| match (expected[i], found[i]) {
            (e, f) if e == f || (e.is_nan() && f.is_nan()) => 0.0,
            (e, f) if e.is_finite() && f.is_finite() => (e - f).abs() / (allowed + rounding(e, dtype)),
            _ => f64::INFINITY,
        };
        let Some(at) = (0..expected.len()).max_by(|&i, &j| error(i).total_cmp(&error(j))) else {
            continue;
        };
        *worst = worst.max(error(at));
        if error(at) > 1.0 {
            let (e, f) = (expected[at], found[at]);
            return Some(format!(
                "output {which}, element {at}: expected {e}, got {f}, {:.1} times the error allowed ({allowed:e})",
                error(at)
            ));
        }
    }
    None
}

/// What a result of `dtype` must be near to. One rounding to 16 bits is what [`rounding`] allows; only where it leaves the range
/// of the type must it be that result.
fn represented(value: f64, dtype: DType) -> f64 {
    let rounded = bytes::round(value, dtype);
    if dtype.is_half() && rounded.is_finite() { value } else { rounded }
}

/// The error of one rounding to 16 bits, half a step: of 8 significant bits, or of 11 and below 2⁻¹⁴ in steps of 2⁻²⁴.
fn rounding(value: f64, dtype: DType) -> f64 {
    match dtype {
        DType::BF16 => value.abs() / 256.0,
        DType::F16 => (value.abs() / 2048.0).max(2_f64.powi(-25)),
        _ => 0.0,
    }
}
