// Tiles of 4 × 4 results of a correlation, `count` of them from tile `first` on, and the images that they lie in:
// `channels` counts V, and results land on every step-th pixel from (row0, column0) on.
struct Params {
    items: u32, add: u32, channels: u32, first: u32, count: u32,
    tiles_high: u32, tiles_wide: u32, high: u32, wide: u32,
    H: u32, W: u32, phases: u32, top: i32, left: i32, step: u32, row0: u32, column0: u32,
}
var<immediate> p: Params;

// The tile's number among those of this launch, its image, the row and the column of its first result, and the place among
// the channels.
var<private> tile: u32;
var<private> image: u32;
var<private> row: u32;
var<private> column: u32;
var<private> channel: u32;

fn open(item: u32) {
    let depth = p.phases * p.phases * p.channels;
    channel = item % depth;
    tile = item / depth;
    let index = p.first + tile;
    column = index % p.tiles_wide * 4u;
    row = index / p.tiles_wide % p.tiles_high * 4u;
    image = index / (p.tiles_wide * p.tiles_high);
}

// Where point (i, j) of the tile lies among [POINTS², count, depth].
fn point(i: u32, j: u32) -> u32 {
    return ((i * POINTS + j) * p.count + tile) * p.phases * p.phases * p.channels + channel;
}

// Where result (i, j) of the tile lies in an image, if it is one of high × wide.
fn is_result(i: u32, j: u32) -> bool {
    return row + i < p.high && column + j < p.wide;
}

fn pixel(i: u32, j: u32) -> u32 {
    let line = image * p.H + (row + i) * p.step + p.row0;
    return (line * p.W + (column + j) * p.step + p.column0) * p.channels + channel;
}
