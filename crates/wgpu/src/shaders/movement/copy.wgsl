// y[dst + Σ i·dst_strides] = x[src + Σ i·src_strides]: Kernel::Copy. BYTES is the size of an element.
@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<atomic<u32>>;

fn run(index: u32) {
    let at = places(index);
    let i = at.x;
    let j = at.y;
    if (BYTES == 1u) {
        // The word may hold bytes of other invocations and other tensors.
        atomicAnd(&y[j / 4u], ~(0xffu << shift(j)));
        atomicOr(&y[j / 4u], byte(x[i / 4u], i) << shift(j));
    } else if (ADD == 1u) {
        atomicStore(&y[j], bitcast<u32>(bitcast<f32>(atomicLoad(&y[j])) + bitcast<f32>(x[i])));
    } else {
        atomicStore(&y[j], x[i]);
    }
}
