//! What decoding takes of memory.

mod folder;

use std::alloc::{GlobalAlloc, Layout, System};
use std::sync::atomic::{AtomicUsize, Ordering};

use folder::Folder;
use stylegan_data::decode;

/// The system's allocator, which remembers the most that was held.
struct Counting;

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
    let image = decode(&path, 3, 100.0).unwrap();
    assert_eq!(image.pixels().len(), pixels * 3);
    let peak = PEAK.load(Ordering::Relaxed) - before;
    // Beside them the decoder's window and a band of rows.
    let most = pixels * (8 + 3) + (4 << 20);
    assert!(peak < most, "{peak} bytes were taken, {most} are allowed");
}
