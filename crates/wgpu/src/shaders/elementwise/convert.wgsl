// y = x, where one of them is stored in 16 bits.
struct Params { len: u32 }
var<immediate> p: Params;

fn value(i: u32) -> vec4<f32> {
    return load_x(i);
}
