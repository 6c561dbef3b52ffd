// Bytes within words: WGSL has no type of one byte. Byte i of an array is bits 8·(i mod 4) and up of word i / 4.
fn shift(i: u32) -> u32 {
    return (i % 4u) * 8u;
}

fn byte(word: u32, i: u32) -> u32 {
    return (word >> shift(i)) & 0xffu;
}
