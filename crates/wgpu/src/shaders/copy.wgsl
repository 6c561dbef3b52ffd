// y[dst + Σ i·dst_strides] = x[src + Σ i·src_strides]: Kernel::Copy. BYTES is the size of an element.
struct Params {
    len: u32,
    src: i32,
    dst: i32,
    size: array<u32, 6>,
    src_stride: array<i32, 6>,
    dst_stride: array<i32, 6>,
}
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<atomic<u32>>;

@compute @workgroup_size(256)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) local: u32,
) {
    var rest = element(group, groups, local);
    if (rest >= p.len) {
        return;
    }
    var src = p.src;
    var dst = p.dst;
    for (var axis = i32(RANK) - 1; axis >= 0; axis--) {
        let index = i32(rest % p.size[axis]);
        rest /= p.size[axis];
        src += index * p.src_stride[axis];
        dst += index * p.dst_stride[axis];
    }
    let i = u32(src);
    let j = u32(dst);
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
