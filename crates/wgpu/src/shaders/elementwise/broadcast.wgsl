// Where element i of y finds its operands: sizes of the axes, and each operand's steps along them.
struct Params {
    len: u32,
    size: array<u32, 6>,
    steps: array<u32, 18>,
}
var<immediate> p: Params;

fn sources(i: u32) -> vec3<u32> {
    var rest = i;
    var at = vec3<u32>();
    for (var axis = i32(RANK) - 1; axis >= 0; axis--) {
        let index = rest % p.size[axis];
        rest /= p.size[axis];
        at += index * vec3<u32>(p.steps[axis], p.steps[axis + 6], p.steps[axis + 12]);
    }
    return at;
}
