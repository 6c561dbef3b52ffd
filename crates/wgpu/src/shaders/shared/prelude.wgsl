// What all kernels share. Workgroups of one-dimensional kernels have 256 invocations and lie in a grid of two axes,
// since one axis holds only 65535 of them.
const SIZE: u32 = 256u;

fn element(group: vec3<u32>, groups: vec3<u32>, local: u32) -> u32 {
    return (group.y * groups.x + group.x) * SIZE + local;
}

// WGSL has no literals for these, and refuses constants that become them.
var<private> INFINITY_BITS: u32 = 0x7f800000u;
var<private> NAN_BITS: u32 = 0x7fc00000u;

fn infinity() -> f32 {
    return bitcast<f32>(INFINITY_BITS);
}

fn not_a_number() -> f32 {
    return bitcast<f32>(NAN_BITS);
}

// By bits, since a compiler may assume that no number is NaN.
fn is_nan(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7fffffffu) > 0x7f800000u;
}

fn is_finite(x: f32) -> bool {
    return (bitcast<u32>(x) & 0x7f800000u) != 0x7f800000u;
}
