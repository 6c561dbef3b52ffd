// Which map element i of x [N, pixels, channels] belongs to; `channels` counts V.
struct Params { len: u32, pixels: u32, channels: u32 }
var<immediate> p: Params;

// The map's place in the first row of [N, 2, channels]; the second row is `channels` further.
fn first_of(i: u32) -> u32 {
    return i / (p.channels * p.pixels) * 2u * p.channels + i % p.channels;
}
