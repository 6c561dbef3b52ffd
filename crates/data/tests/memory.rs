//! What decoding takes of memory.

mod folder;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use folder::Folder;
use stylegan_data::{Recipe, Seen, decode};

/// The system's allocator, which remembers the most that was held.
struct Counting;

/// What the other test takes would be counted too.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
static HELD: AtomicUsize = AtomicUsize::new(0);
static PEAK: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call is handed on as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let held = HELD.fetch_add(layout.size(), Ordering::Relaxed) + layout.size();
        PEAK.fetch_max(held, Ordering::Relaxed);
        // SAFETY: the caller's promises are the system's needs.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are the system's needs.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

#[test]
fn an_image_of_16_bits_takes_its_size_and_that_of_the_result() {
    let _alone = ONE_AT_A_TIME.lock().unwrap();
    let folder = Folder::new();
    let side = 1500;
    let mut bytes = Vec::new();
    let mut encoder = png::Encoder::new(&mut bytes, side, side);
    encoder.set_color(png::ColorType::Rgba);
    encoder.set_depth(png::BitDepth::Sixteen);
    let pixels = side as usize * side as usize;
    encoder.write_header().unwrap().write_image_data(&vec![0; pixels * 8]).unwrap();
    let path = folder.write("bomb.png", &bytes);
    drop(bytes);
    let before = HELD.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    let image = decode(&path.into(), &Recipe::new(3)).unwrap();
    assert_eq!(image.pixels().len(), pixels * 3);
    let peak = PEAK.load(Ordering::Relaxed) - before;
    // Beside them the decoder's window and a band of rows.
    let most = pixels * (8 + 3) + (4 << 20);
    assert!(peak < most, "{peak} bytes were taken, {most} are allowed");
}

/// Small steps of a generator of numbers (SplitMix64).
fn next(state: &mut u64) -> usize {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (z ^ (z >> 31)) as usize
}

#[test]
fn damaged_files_of_every_format_end_no_process_and_take_a_bounded_amount() {
    let _alone = ONE_AT_A_TIME.lock().unwrap();
    let folder = Folder::new();
    let fixtures = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut names: Vec<_> = std::fs::read_dir(fixtures).unwrap().map(|entry| entry.unwrap().path()).collect();
    names.sort();
    let mut state = 1;
    for path in names {
        let whole = std::fs::read(&path).unwrap();
        for _ in 0..60 {
            let mut bytes = whole.clone();
            for _ in 0..1 + next(&mut state) % 4 {
                let at = next(&mut state) % bytes.len();
                bytes[at] = next(&mut state) as u8;
            }
            let before = HELD.load(Ordering::Relaxed);
            PEAK.store(before, Ordering::Relaxed);
            // Any result will do. One megapixel is at most 16 MB: 4 values of 32 bits.
            let recipe = Recipe { max_megapixels: 1.0, ..Recipe::new(3) };
            let _ = decode(&folder.write("damaged", &bytes).into(), &recipe);
            let peak = PEAK.load(Ordering::Relaxed) - before;
            assert!(peak < (256 << 20) + 4 * (16 << 20), "{}: {peak} bytes for {bytes:?}", path.display());
        }
    }
}

#[test]
fn an_image_that_is_remembered_takes_at_most_115_bytes_while_others_are_added() {
    let _alone = ONE_AT_A_TIME.lock().unwrap();
    // Just above a power of two, where a list that doubles has most of its memory for nothing.
    let count = (1 << 17) + 1;
    let mut state = 7;
    let rows: Vec<u8> =
        (0..count * Seen::ROW_BYTES / 4).flat_map(|_| (next(&mut state) as u32).to_le_bytes()).collect();
    let before = HELD.load(Ordering::Relaxed);
    PEAK.store(before, Ordering::Relaxed);
    drop(Seen::restore(&[]).unwrap());
    let none = PEAK.load(Ordering::Relaxed) - before;
    let seen = Seen::restore(&rows).unwrap();
    let each = (PEAK.load(Ordering::Relaxed) - before - none) as f64 / count as f64;
    assert!(each < 115.0, "{each} bytes an image");
    assert!(seen.rows(0) == rows);
}
