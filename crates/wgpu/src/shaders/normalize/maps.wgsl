// How x [N, pixels, channels] is shared among workgroups: channels in tiles of COLUMNS, pixels in runs of `chunk`. LANES
// invocations share a channel.
struct Params { pixels: u32, channels: u32, runs: u32, chunk: u32, tiles: u32 }
var<immediate> p: Params;

const COLUMNS: u32 = SIZE / LANES;

struct Share { image: u32, run: u32, c: u32, lane: u32 }

// What invocation `local` of workgroup `tile` looks at.
fn share(tile: u32, local: u32) -> Share {
    let c = (tile % p.tiles) * COLUMNS + local % COLUMNS;
    return Share(tile / (p.tiles * p.runs), (tile / p.tiles) % p.runs, c, local / COLUMNS);
}
