// y = x in another type: 0 is f32, 1 is u8, 2 is i32. To an integer: truncated, then clamped; NaN becomes 0.
struct Params { len: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> x: array<u32>;
@group(0) @binding(1) var<storage, read_write> y: array<atomic<u32>>;

fn clamped(v: f32, low: f32, high: f32) -> i32 {
    if (is_nan(v)) {
        return 0;
    }
    if (v <= low) {
        return select(0, -2147483647 - 1, TO == 2u);
    }
    if (v >= high) {
        return select(255, 2147483647, TO == 2u);
    }
    return i32(v);
}

fn integer(i: u32) -> i32 {
    if (FROM == 0u) {
        let v = bitcast<f32>(x[i]);
        if (TO == 2u) {
            return clamped(v, -2147483648.0, 2147483648.0);
        }
        return clamped(v, 0.0, 255.0);
    }
    var v = 0;
    if (FROM == 1u) {
        v = i32(byte(x[i / 4u], i));
    } else {
        v = bitcast<i32>(x[i]);
    }
    if (TO == 1u) {
        return clamp(v, 0, 255);
    }
    return v;
}

fn run(i: u32) {
    if (TO == 0u) {
        var v = 0.0;
        if (FROM == 0u) {
            v = bitcast<f32>(x[i]);
        } else {
            v = f32(integer(i));
        }
        if (ADD == 1u) {
            v += bitcast<f32>(atomicLoad(&y[i]));
        }
        atomicStore(&y[i], bitcast<u32>(v));
    } else if (TO == 1u) {
        // The word may hold bytes of other invocations and other tensors.
        atomicAnd(&y[i / 4u], ~(0xffu << shift(i)));
        atomicOr(&y[i / 4u], u32(integer(i)) << shift(i));
    } else {
        atomicStore(&y[i], bitcast<u32>(integer(i)));
    }
}
