// Kernel::Copy of elements of 16 bits, four at a time.
fn run(index: u32) {
    let at = places(index);
    if (ADD == 1u) {
        store_y(at.y, load_x(at.x), true);
    } else {
        y[at.y] = x[at.x];
    }
}
