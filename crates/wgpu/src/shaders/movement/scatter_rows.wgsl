// table [R, C] = the sum of the rows k of y with rows[k] = r, in order. A row that is not there leaves a word in `status`. Of
// `count` rows this table has those from `first` on.
struct Params { len: u32, width: u32, count: u32, rows: u32, first: u32 }
var<immediate> p: Params;

@group(0) @binding(0) var<storage, read> y: array<f32>;
@group(0) @binding(1) var<storage, read> rows: array<i32>;
@group(0) @binding(2) var<storage, read_write> table: array<f32>;

fn run(i: u32) {
    let own = i32(p.first + i / p.width);
    let column = i % p.width;
    var v = 0.0;
    for (var k = 0u; k < p.rows; k++) {
        let row = rows[k];
        if (row == own) {
            v += y[k * p.width + column];
        }
        if (row < 0 || row >= i32(p.count)) {
            refuse(2u, row, p.count);
        }
    }
    if (ADD == 1u) {
        v += table[i];
    }
    table[i] = v;
}
