// y = a op b with broadcasting.
alias V = f32;
alias U = u32;

@group(0) @binding(0) var<storage, read> a: array<f32>;
@group(0) @binding(1) var<storage, read> b: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn value(i: u32) -> f32 {
    let at = sources(i);
    return apply(a[at.x], b[at.y]);
}
