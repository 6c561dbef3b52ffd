// NaN by its bits, as in `is_nan`.
fn larger(a: V, b: V) -> V {
    let nan = (bitcast<U>(a) & U(0x7fffffffu)) > U(0x7f800000u);
    return select(b, a, (a > b) | nan);
}

// a op b: BINARY is the function.
fn apply(a: V, b: V) -> V {
    switch BINARY {
        case Binary_Add: { return a + b; }
        case Binary_Sub: { return a - b; }
        case Binary_Mul: { return a * b; }
        case Binary_Div: { return a / b; }
        case Binary_Greater: { return select(V(0.0), V(1.0), a > b); }
        case Binary_GreaterEqual: { return select(V(0.0), V(1.0), a >= b); }
        case Binary_Equal: { return select(V(0.0), V(1.0), a == b); }
        case Binary_Maximum, default: { return larger(a, b); }
    }
}
