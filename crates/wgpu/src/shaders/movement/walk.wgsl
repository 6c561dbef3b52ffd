// Where each element of a copy (or each run of four) lies in both operands: Kernel::Copy.
struct Params {
    len: u32,
    src: i32,
    dst: i32,
    size: array<u32, 6>,
    src_stride: array<i32, 6>,
    dst_stride: array<i32, 6>,
}
var<immediate> p: Params;

fn places(index: u32) -> vec2<u32> {
    var rest = index;
    var src = p.src;
    var dst = p.dst;
    for (var axis = i32(RANK) - 1; axis >= 0; axis--) {
        let step = i32(rest % p.size[axis]);
        rest /= p.size[axis];
        src += step * p.src_stride[axis];
        dst += step * p.dst_stride[axis];
    }
    return vec2<u32>(u32(src), u32(dst));
}
