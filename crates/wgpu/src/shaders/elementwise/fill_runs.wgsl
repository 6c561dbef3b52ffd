// y = value, where y is stored in 16 bits.
struct Params { len: u32, value: f32 }
var<immediate> p: Params;

fn value(i: u32) -> vec4<f32> {
    return vec4<f32>(p.value);
}
