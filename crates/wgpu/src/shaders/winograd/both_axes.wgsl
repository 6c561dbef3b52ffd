// Multiplies a matrix with the columns, then with the rows of a FROM × FROM square of V, which becomes one of TO × TO. A
// workgroup takes LANES squares; an invocation one column, then one row. The kernel before this text says which:
//   open(item): square `item` of p.items;
//   fetch(i, j): what it holds in row i, column j;
//   along(line): the matrix;
//   put(i, j, v): what it becomes.
var<workgroup> half: array<V, FROM * TO * LANES>;

fn fetched(i: u32, j: u32) -> V {
    if (i >= FROM) {
        return V();
    }
    return fetch(i, j);
}

fn halfway(i: u32, j: u32, lane: u32) -> V {
    if (j >= FROM) {
        return V();
    }
    return half[(i * FROM + j) * LANES + lane];
}

fn keep(i: u32, j: u32, lane: u32, v: V) {
    if (i < TO) {
        half[(i * FROM + j) * LANES + lane] = v;
    }
}

fn result(i: u32, j: u32, v: V) {
    if (j < TO) {
        put(i, j, v);
    }
}

@compute @workgroup_size(LANES, POINTS)
fn main(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_id) local: vec3<u32>,
) {
    let lane = local.x;
    let at = local.y;
    let item = (group.y * groups.x + group.x) * LANES + lane;
    let exists = item < p.items;
    if (exists) {
        open(item);
    }
    if (exists && at < FROM) {
        let column = along(Line(fetched(0u, at), fetched(1u, at), fetched(2u, at), fetched(3u, at), fetched(4u, at),
            fetched(5u, at)));
        keep(0u, at, lane, column.v0);
        keep(1u, at, lane, column.v1);
        keep(2u, at, lane, column.v2);
        keep(3u, at, lane, column.v3);
        keep(4u, at, lane, column.v4);
        keep(5u, at, lane, column.v5);
    }
    workgroupBarrier();
    if (exists && at < TO) {
        let row = along(Line(halfway(at, 0u, lane), halfway(at, 1u, lane), halfway(at, 2u, lane), halfway(at, 3u, lane),
            halfway(at, 4u, lane), halfway(at, 5u, lane)));
        result(at, 0u, row.v0);
        result(at, 1u, row.v1);
        result(at, 2u, row.v2);
        result(at, 3u, row.v3);
        result(at, 4u, row.v4);
        result(at, 5u, row.v5);
    }
}
