fn value(i: u32) -> vec4<f32> {
    let v = load_x(i);
    return vec4<f32>(apply(v.x), apply(v.y), apply(v.z), apply(v.w));
}
