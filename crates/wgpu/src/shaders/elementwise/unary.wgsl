// y = f(x): UNARY is the function.
struct Params { len: u32, first: f32, second: f32 }
var<immediate> p: Params;

fn apply(x: f32) -> f32 {
    switch UNARY {
        case Unary_Affine: { return fma(p.first, x, p.second); }
        case Unary_Exp: { return exponential(x); }
        case Unary_Log: { return logarithm(x); }
        case Unary_Sqrt: { return sqrt(x); }
        case Unary_Rsqrt: { return inverseSqrt(x); }
        case Unary_Square: { return x * x; }
        case Unary_Softplus: { return select(0.0, x, x > 0.0) + logarithm_plus_one(exponential(-abs(x))); }
        case Unary_Sigmoid: { return 1.0 / (1.0 + exponential(-x)); }
        case Unary_Sin: { return sine(x, 0); }
        case Unary_Cos: { return sine(x, 1); }
        case Unary_Acos: { return arc_cosine(x); }
        case Unary_Clamp, default: {
            if (is_nan(x)) {
                return x;
            }
            return select(select(x, p.first, x < p.first), p.second, x > p.second);
        }
    }
}
