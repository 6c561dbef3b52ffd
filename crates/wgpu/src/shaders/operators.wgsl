// a op b: OP counts Binary's variants.
fn apply(a: V, b: V) -> V {
    switch OP {
        case 0u: { return a + b; }
        case 1u: { return a - b; }
        case 2u: { return a * b; }
        case 3u: { return a / b; }
        case 4u: { return select(V(0.0), V(1.0), a > b); }
        case 5u: { return select(V(0.0), V(1.0), a >= b); }
        default: { return select(V(0.0), V(1.0), a == b); }
    }
}
