// One invocation draws numbers(i), four elements of y: the kernel defines it. Those behind the last element write nothing.
@group(0) @binding(0) var<storage, read_write> y: array<f32>;

fn run(i: u32) {
    let drawn = numbers(i);
    for (var k = 0u; k < 4u; k++) {
        let at = i * 4u + k;
        if (at < p.len) {
            var v = drawn[k];
            if (ADD == 1u) {
                v += y[at];
            }
            y[at] = v;
        }
    }
}
