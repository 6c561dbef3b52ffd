// y = a where c is not 0, else b, with broadcasting.

fn value(i: u32) -> f32 {
    let at = sources(i);
    // By bits: NaN is not 0, −0 is.
    if ((bitcast<u32>(at_c(at.x)) & 0x7fffffffu) != 0u) {
        return at_a(at.y);
    }
    return at_b(at.z);
}
