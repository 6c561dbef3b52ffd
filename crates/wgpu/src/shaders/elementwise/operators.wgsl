// NaN by its bits, as in `is_nan`.
fn larger(a: V, b: V) -> V {
    let nan = (bitcast<U>(a) & U(0x7fffffffu)) > U(0x7f800000u);
    return select(b, a, (a > b) | nan);
}

// a op b: OP counts Binary's variants.
fn apply(a: V, b: V) -> V {
    switch OP {
        case 0u: { return a + b; }
        case 1u: { return a - b; }
        case 2u: { return a * b; }
        case 3u: { return a / b; }
        case 4u: { return select(V(0.0), V(1.0), a > b); }
        case 5u: { return select(V(0.0), V(1.0), a >= b); }
        case 6u: { return select(V(0.0), V(1.0), a == b); }
        default: { return larger(a, b); }
    }
}
