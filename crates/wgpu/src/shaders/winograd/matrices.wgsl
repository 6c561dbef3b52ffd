// Winograd's convolution (Winograd 1980; Lavin and Gray 2016, arXiv:1509.09308): TAPS taps make four neighbouring results from
// POINTS products, y = Aᵀ [(G g) ⊙ (Bᵀ d)], along each of two axes. F(4, 3) interpolates at 0, ±½, ±2, ∞, F(4, 2) at
// 0, −1, ½, 2, ∞: of the points whose matrices f32 holds exactly these round best.
const POINTS: u32 = TAPS + 3u;

// What a matrix is multiplied with along one axis, and the result; the rest is 0.
struct Line { v0: V, v1: V, v2: V, v3: V, v4: V, v5: V }

fn times(factor: f32, v: V) -> V {
    return V(factor) * v;
}

fn plus(sum: V, factor: f32, v: V) -> V {
    return fma(V(factor), v, sum);
}

// Bᵀ d.
fn of_input(d: Line) -> Line {
    if (TAPS == 3u) {
        let a = plus(d.v4, -4.0, d.v2);
        let b = plus(times(0.5, d.v3), -2.0, d.v1);
        let e = plus(d.v4, -0.25, d.v2);
        let f = plus(times(2.0, d.v3), -0.5, d.v1);
        return Line(plus(d.v0 + d.v4, -4.25, d.v2), a + b, a - b, e + f, e - f, plus(d.v1 + d.v5, -4.25, d.v3));
    }
    return Line(
        plus(d.v0 + d.v3, -1.5, d.v1 + d.v2),
        plus(d.v1 + d.v3, -2.5, d.v2),
        plus(d.v3 - d.v2, -2.0, d.v1),
        plus(d.v3, 0.5, d.v2 - d.v1),
        plus(d.v1 + d.v4, -1.5, d.v2 + d.v3),
        V(),
    );
}

// Aᵀ m.
fn of_output(m: Line) -> Line {
    if (TAPS == 3u) {
        let a = m.v1 + m.v2;
        let b = m.v1 - m.v2;
        let e = m.v3 + m.v4;
        let f = m.v3 - m.v4;
        return Line(m.v0 + a + e, plus(times(0.5, b), 2.0, f), plus(times(0.25, a), 4.0, e),
            plus(plus(m.v5, 0.125, b), 8.0, f), V(), V());
    }
    return Line(
        m.v0 + m.v1 + (m.v2 + m.v3),
        plus(times(2.0, m.v3) - m.v1, 0.5, m.v2),
        plus(plus(m.v1, 0.25, m.v2), 4.0, m.v3),
        plus(plus(m.v4 - m.v1, 0.125, m.v2), 8.0, m.v3),
        V(),
        V(),
    );
}

// G g.
fn of_weights(g: Line) -> Line {
    if (TAPS == 3u) {
        let a = plus(times(-8.0 / 15.0, g.v0), -2.0 / 15.0, g.v2);
        let b = times(4.0 / 15.0, g.v1);
        let e = plus(times(1.0 / 30.0, g.v0), 2.0 / 15.0, g.v2);
        let f = times(1.0 / 15.0, g.v1);
        return Line(g.v0, a - b, a + b, e + f, e - f, g.v2);
    }
    let a = plus(times(-8.0 / 9.0, g.v0), -4.0 / 9.0, g.v1);
    let b = plus(times(1.0 / 9.0, g.v0), 2.0 / 9.0, g.v1);
    return Line(g.v0, times(2.0 / 9.0, g.v1 - g.v0), a, b, g.v1, V());
}

// A y, the adjoint of of_output.
fn of_output_grad(y: Line) -> Line {
    if (TAPS == 3u) {
        let a = plus(y.v0, 0.25, y.v2);
        let b = plus(times(0.5, y.v1), 0.125, y.v3);
        let e = plus(y.v0, 4.0, y.v2);
        let f = plus(times(2.0, y.v1), 8.0, y.v3);
        return Line(y.v0, a + b, a - b, e + f, e - f, y.v3);
    }
    let near = plus(plus(plus(y.v0, 0.5, y.v1), 0.25, y.v2), 0.125, y.v3);
    let far = plus(plus(plus(y.v0, 2.0, y.v1), 4.0, y.v2), 8.0, y.v3);
    return Line(y.v0, (y.v0 + y.v2) - (y.v1 + y.v3), near, far, y.v3, V());
}

// Gᵀ u, the adjoint of of_weights.
fn of_weights_grad(u: Line) -> Line {
    if (TAPS == 3u) {
        let a = u.v1 + u.v2;
        let e = u.v3 + u.v4;
        let middle = plus(times(4.0 / 15.0, u.v2 - u.v1), 1.0 / 15.0, u.v3 - u.v4);
        return Line(plus(plus(u.v0, -8.0 / 15.0, a), 1.0 / 30.0, e), middle, plus(u.v5, 2.0 / 15.0, e - a), V(), V(), V());
    }
    let first = plus(plus(plus(u.v0, -2.0 / 9.0, u.v1), -8.0 / 9.0, u.v2), 1.0 / 9.0, u.v3);
    return Line(first, plus(plus(u.v4, 2.0 / 9.0, u.v1 + u.v3), -4.0 / 9.0, u.v2), V(), V(), V(), V());
}
