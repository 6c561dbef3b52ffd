// Uniform numbers in (0, 1].
fn numbers(i: u32) -> vec4<f32> {
    return uniforms(i);
}
