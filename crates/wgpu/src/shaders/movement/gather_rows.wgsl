// y [K, C] = table[rows[k]]. A row that is not there leaves a word in `status` and gives NaN. Of `count` rows this table has
// those from `first` on, `here` of them: what is in the others is left to their launches.
struct Params { len: u32, width: u32, count: u32, first: u32, here: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> table: array<f32>;
@group(0) @binding(1) var<storage, read> rows: array<i32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

fn run(i: u32) {
    let row = rows[i / p.width];
    var v = not_a_number();
    if (row < 0 || row >= i32(p.count)) {
        if (p.first > 0u) {
            return;
        }
        refuse(1u, row, p.count);
    } else {
        let own = u32(row) - p.first;
        if (u32(row) < p.first || own >= p.here) {
            return;
        }
        v = table[own * p.width + i % p.width];
    }
    if (ADD == 1u) {
        v += y[i];
    }
    y[i] = v;
}
