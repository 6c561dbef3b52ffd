// y = value. BYTES is the size of an element; words are written as they are.
struct Params { len: u32, value: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read_write> y: array<atomic<u32>>;

fn run(i: u32) {
    if (BYTES == 1u) {
        // The word may hold bytes of other invocations and other tensors.
        atomicAnd(&y[i / 4u], ~(0xffu << shift(i)));
        atomicOr(&y[i / 4u], p.value << shift(i));
    } else if (ADD == 1u) {
        atomicStore(&y[i], bitcast<u32>(bitcast<f32>(atomicLoad(&y[i])) + bitcast<f32>(p.value)));
    } else {
        atomicStore(&y[i], p.value);
    }
}
