// The parameters of the three convolutions: those of gemm.wgsl, then x [N, H, W, C], y [N, H_out, W_out, O], w [kh, kw, C, O].
struct Params {
    runs: u32, tiles_n: u32, add: u32, out_len: u32,
    N: u32, H: u32, W: u32, C: u32, H_out: u32, W_out: u32, O: u32,
    kh: u32, kw: u32, stride: u32, top: u32, left: u32,
}
var<immediate> p: Params;
