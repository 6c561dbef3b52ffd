// The deviation of each element within its group, whose mean over an image is the result.

fn value(i: u32) -> f32 {
    return moments(i).z;
}
