// What a launch leaves for the next wait: which kernel met a row that is not there, the row, and how many there are.
@group(0) @binding(3) var<storage, read_write> status: array<atomic<u32>, 4>;

fn refuse(kernel: u32, row: i32, count: u32) {
    atomicStore(&status[1], u32(row));
    atomicStore(&status[2], count);
    atomicStore(&status[0], kernel);
}
