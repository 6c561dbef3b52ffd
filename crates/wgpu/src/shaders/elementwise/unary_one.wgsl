fn value(i: u32) -> f32 {
    return apply(load_x(i));
}
