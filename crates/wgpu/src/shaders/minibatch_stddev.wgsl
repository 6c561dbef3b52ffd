// The deviation of each element within its group, whose mean over an image is the result.
@group(0) @binding(0) var<storage, read> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;

fn value(i: u32) -> f32 {
    return moments(i).z;
}
