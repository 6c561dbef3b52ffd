// One invocation computes value(i), one or four elements of y: the kernel defines it.
fn run(i: u32) {
    store_y(i, value(i), ADD == 1u);
}
