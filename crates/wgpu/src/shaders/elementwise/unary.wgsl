// y = f(x): OP counts Unary's variants.
struct Params { len: u32, first: f32, second: f32 }
var<immediate> p: Params;

fn apply(x: f32) -> f32 {
    switch OP {
        case 0u: { return fma(p.first, x, p.second); }
        case 1u: { return exponential(x); }
        case 2u: { return logarithm(x); }
        case 3u: { return sqrt(x); }
        case 4u: { return inverseSqrt(x); }
        case 5u: { return x * x; }
        case 6u: { return select(0.0, x, x > 0.0) + logarithm_plus_one(exponential(-abs(x))); }
        case 7u: { return 1.0 / (1.0 + exponential(-x)); }
        case 8u: { return sine(x, 0); }
        case 9u: { return sine(x, 1); }
        case 10u: { return arc_cosine(x); }
        default: {
            if (is_nan(x)) {
                return x;
            }
            return select(select(x, p.first, x < p.first), p.second, x > p.second);
        }
    }
}
