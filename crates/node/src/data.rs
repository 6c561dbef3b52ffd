//! Images and datasets, on worker threads.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use napi::bindgen_prelude::{AsyncTask, Float32Array, Float64Array, ToNapiValue, TypeName, Uint8Array, Uint32Array};
use napi_derive::napi;
use stylegan_data as data;

use crate::device::sizes;
use crate::error::Result;
use crate::task::Work;

fn background<T>(work: impl FnOnce() -> data::Result<T> + Send + 'static) -> AsyncTask<Work<T>>
where
    T: Send + ToNapiValue + TypeName + 'static,
{
    Work::start(|| work().map_err(|error| napi::Error::from_reason(format!("ERR_DATA: {error}"))))
}

pub fn refused(error: data::Error) -> napi::Error<&'static str> {
    napi::Error::new("ERR_DATA", error.to_string())
}

/// The files in a folder and the folders in it, sorted: images with their sizes and times, and what is left out.
#[napi(object)]
pub struct NativeListing {
    /// Paths below the folder, one after the other, in UTF-8, and where each ends.
    pub names: Uint8Array,
    pub ends: Uint32Array,
    pub sizes: Float64Array,
    pub modified_ms: Float64Array,
    pub left_out: Vec<NativeLeftOut>,
}

/// A file that is not decoded: `bad` if it should be an image, and why; else its kind.
#[napi(object)]
pub struct NativeLeftOut {
    pub path: String,
    pub bad: Option<String>,
    pub kind: Option<String>,
}

#[napi(ts_return_type = "Promise<NativeListing>", catch_unwind)]
pub fn list_images(dir: String, keep_drawn: bool) -> AsyncTask<Work<NativeListing>> {
    background(move || {
        let data::Listing { images, left_out } = data::list_images(Path::new(&dir), keep_drawn)?;
        let shown = |path: PathBuf| path.to_string_lossy().into_owned();
        let left_out = left_out.into_iter().map(|file| {
            let (bad, kind) = match file.reason {
                data::Reason::Bad(why) => (Some(why), None),
                data::Reason::Kind(kind) => (None, Some(kind)),
            };
            NativeLeftOut { path: shown(file.path), bad, kind }
        });
        Ok(NativeListing {
            names: Uint8Array::new(images.names),
            ends: Uint32Array::new(images.ends),
            sizes: Float64Array::new(images.sizes),
            modified_ms: Float64Array::new(images.modified_ms),
            left_out: left_out.collect(),
        })
    })
}

/// The RGB pixels of a square drawing.
#[napi(catch_unwind)]
pub fn draw_svg(svg: String, side: u32) -> Result<Uint8Array> {
    data::draw_svg(&svg, side as usize).map(Uint8Array::from).map_err(refused)
}

/// What is wrong with a text that should be JSON, with line and column.
#[napi(catch_unwind)]
pub fn json_fault(text: String) -> Option<String> {
    data::json_fault(&text)
}

/// An image that is not decoded yet: `path`, where `offset` and `length` may be given; `bytes` of an image file; `bytes`
/// as pixels with `width`, `height` and `channels`; or `bad`, why there is none.
#[napi(object)]
pub struct NativeInput {
    pub name: Option<String>,
    pub path: Option<String>,
    pub offset: Option<f64>,
    pub length: Option<f64>,
    pub bytes: Option<Uint8Array>,
    pub width: Option<u32>,
    pub height: Option<u32>,
    pub channels: Option<u32>,
    pub bad: Option<String>,
}

fn input(given: NativeInput) -> data::Result<data::Input> {
    let path = PathBuf::from(given.path.unwrap_or_default());
    let Some(name) = given.name.map(PathBuf::from) else { return Ok(data::Input::File(path)) };
    if let Some(reason) = given.bad {
        return Ok(data::Input::Bad { name, reason });
    }
    Ok(match (given.bytes, given.width, given.height, given.channels) {
        (Some(pixels), Some(width), Some(height), Some(channels)) => {
            let image = data::Image::new(width as usize, height as usize, channels as usize, pixels.to_vec())?;
            data::Input::Pixels { name, image }
        }
        (Some(bytes), ..) => data::Input::Bytes { name, bytes: bytes.to_vec() },
        _ => {
            let (offset, length) = (given.offset.unwrap_or(0.0) as u64, given.length.map(|length| length as u64));
            data::Input::Part { name, path, offset, length }
        }
    })
}

fn inputs(given: Vec<NativeInput>) -> Result<Vec<data::Input>> {
    given.into_iter().map(input).collect::<data::Result<_>>().map_err(refused)
}

/// How an image becomes one of a data set.
#[napi(object)]
pub struct NativeRecipe {
    pub max_megapixels: f64,
    /// Rows of center-crop-wide; without them the centre square.
    pub wide_height: Option<u32>,
    /// Pillow's filter; without one the default.
    pub filter: Option<String>,
    pub convert_profiles: bool,
    /// Three bytes.
    pub background: Vec<u8>,
}

fn recipe(given: NativeRecipe, channels: usize) -> Result<data::Recipe> {
    Ok(data::Recipe {
        channels,
        max_megapixels: given.max_megapixels,
        transform: given
            .wide_height
            .map_or(data::Transform::CenterCrop, |height| data::Transform::CenterCropWide { height: height as usize }),
        filter: given.filter.map_or(Ok(data::Filter::Default), |name| data::Filter::named(&name)).map_err(refused)?,
        convert_profiles: given.convert_profiles,
        background: given.background.first_chunk().copied().unwrap_or([255; 3]),
    })
}

/// An image of a chunk that was not written, and why.
#[napi(object)]
pub struct NativeNotWritten {
    /// Its place in the chunk.
    pub place: u32,
    pub message: String,
    /// It cannot be used at all, rather than left out by the recipe.
    pub is_bad: bool,
    /// The number of the image that it repeats.
    pub same_as: Option<u32>,
}

/// What became of a chunk of files.
#[napi(object)]
pub struct NativePrepared {
    pub written: u32,
    pub left_out: Vec<NativeNotWritten>,
}

/// Images that were met, to find those that repeat them.
#[napi]
pub struct NativeSeen(Arc<Mutex<data::Seen>>);

fn locked(seen: &Mutex<data::Seen>) -> MutexGuard<'_, data::Seen> {
    // Each image is remembered whole or not at all, whatever happened to another thread.
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

#[napi]
impl NativeSeen {
    /// What [`NativeSeen::rows`] gave; empty at the start.
    #[napi(factory, catch_unwind)]
    pub fn restore(rows: &[u8]) -> Result<Self> {
        data::Seen::restore(rows).map(|seen| Self(Arc::new(Mutex::new(seen)))).map_err(refused)
    }

    /// Bytes of an image in [`NativeSeen::rows`].
    #[napi]
    pub fn row_bytes() -> u32 {
        data::Seen::ROW_BYTES as u32
    }

    /// The images from the one that was remembered as number `first`.
    #[napi(catch_unwind)]
    pub fn rows(&self, first: u32) -> Uint8Array {
        Uint8Array::new(locked(&self.0).rows(first as usize))
    }
}

/// What is known of an image; with `bad`, why it cannot be used, alone.
#[napi(object)]
pub struct NativeFacts {
    pub bad: Option<String>,
    pub format: String,
    pub width: u32,
    pub height: u32,
    pub colours: String,
    pub has_profile: bool,
    /// The number of the image that it repeats, and whether their files are the same.
    pub same_as: Option<u32>,
    pub is_exact: bool,
}

/// Decodes images; `first` is the number of the first one in `seen`.
#[napi(ts_return_type = "Promise<Array<NativeFacts>>", catch_unwind)]
pub fn inspect_images(
    images: Vec<NativeInput>,
    first: u32,
    how: NativeRecipe,
    seen: &NativeSeen,
) -> Result<AsyncTask<Work<Vec<NativeFacts>>>> {
    let (inputs, recipe, seen) = (inputs(images)?, recipe(how, 3)?, Arc::clone(&seen.0));
    Ok(background(move || {
        let facts = data::inspect_chunk(&inputs, first as usize, &recipe, &mut locked(&seen))?;
        let of = |found: data::Result<data::Facts, String>| match found {
            Ok(facts) => NativeFacts {
                bad: None,
                format: facts.format.into(),
                width: facts.width as u32,
                height: facts.height as u32,
                colours: facts.colours.into(),
                has_profile: facts.has_profile,
                same_as: facts.same.map(|same| same.number),
                is_exact: facts.same.is_some_and(|same| same.is_exact),
            },
            Err(bad) => NativeFacts {
                bad: Some(bad),
                format: String::new(),
                width: 0,
                height: 0,
                colours: String::new(),
                has_profile: false,
                same_as: None,
                is_exact: false,
            },
        };
        Ok(facts.into_iter().map(of).collect())
    }))
}

/// Writes a prepared dataset.
#[napi]
pub struct NativeWriter(Arc<data::Writer>);

#[napi]
impl NativeWriter {
    #[napi(factory, catch_unwind)]
    pub fn create(dir: String, count: u32, resolution: u32, channels: u32) -> Result<Self> {
        let writer = data::Writer::create(Path::new(&dir), count as usize, resolution as usize, channels as usize);
        writer.map(|writer| Self(Arc::new(writer))).map_err(refused)
    }

    #[napi(factory, catch_unwind)]
    pub fn open(dir: String, count: u32, resolution: u32, channels: u32) -> Result<Self> {
        let writer = data::Writer::open(Path::new(&dir), count as usize, resolution as usize, channels as usize);
        writer.map(|writer| Self(Arc::new(writer))).map_err(refused)
    }

    #[napi(ts_return_type = "Promise<NativePrepared>", catch_unwind)]
    pub fn prepare_chunk(
        &self,
        first: u32,
        images: Vec<NativeInput>,
        how: NativeRecipe,
        dedupe: Option<&NativeSeen>,
        number: u32,
        near: bool,
    ) -> Result<AsyncTask<Work<NativePrepared>>> {
        let (writer, seen) = (Arc::clone(&self.0), dedupe.map(|seen| Arc::clone(&seen.0)));
        let (inputs, recipe) = (inputs(images)?, recipe(how, writer.channels())?);
        Ok(background(move || {
            let mut seen = seen.as_ref().map(|seen| locked(seen));
            let dedupe = seen.as_mut().map(|seen| data::Dedupe { seen, first: number as usize, near });
            let prepared = data::prepare_chunk(&writer, first as usize, &inputs, &recipe, dedupe)?;
            let left_out = prepared.left_out.into_iter().map(|image| NativeNotWritten {
                place: image.place as u32,
                message: image.message,
                is_bad: image.is_bad,
                same_as: image.same_as,
            });
            Ok(NativePrepared { written: prepared.written as u32, left_out: left_out.collect() })
        }))
    }

    #[napi(ts_return_type = "Promise<void>", catch_unwind)]
    pub fn write_pixels(&self, first: u32, pixels: &[u8], count: u32, width: u32) -> AsyncTask<Work<()>> {
        let (writer, pixels) = (Arc::clone(&self.0), pixels.to_vec());
        background(move || data::write_pixels(&writer, first as usize, &pixels, count as usize, width as usize))
    }

    #[napi(ts_return_type = "Promise<void>", catch_unwind)]
    pub fn sync(&self) -> AsyncTask<Work<()>> {
        let writer = Arc::clone(&self.0);
        background(move || writer.sync())
    }

    #[napi(ts_return_type = "Promise<void>", catch_unwind)]
    pub fn finish(&self, count: u32) -> AsyncTask<Work<()>> {
        let writer = Arc::clone(&self.0);
        background(move || writer.finish(count as usize))
    }
}

/// A prepared dataset, mapped into memory.
#[napi]
pub struct NativeDataset(Arc<data::Dataset>);

#[napi]
impl NativeDataset {
    #[napi(factory, catch_unwind)]
    pub fn open(dir: String) -> Result<Self> {
        let dataset = data::Dataset::open(Path::new(&dir));
        dataset.map(|dataset| Self(Arc::new(dataset))).map_err(refused)
    }

    #[napi(getter, catch_unwind)]
    pub fn count(&self) -> u32 {
        self.0.len() as u32
    }

    #[napi(getter, catch_unwind)]
    pub fn resolution(&self) -> u32 {
        self.0.resolution() as u32
    }

    #[napi(getter, catch_unwind)]
    pub fn channels(&self) -> u32 {
        self.0.channels() as u32
    }

    #[napi(getter, catch_unwind)]
    pub fn has_checksums(&self) -> bool {
        self.0.has_checksums()
    }

    /// The CRC-32C that each level's file should have, in hexadecimal, by its name.
    #[napi(ts_return_type = "Promise<Record<string, string>>", catch_unwind)]
    pub fn checksums(&self) -> AsyncTask<Work<HashMap<String, String>>> {
        let dataset = Arc::clone(&self.0);
        background(move || {
            let sums = dataset.checksums()?.into_iter();
            Ok(sums.map(|(name, sum)| (name, format!("{sum:08x}"))).collect())
        })
    }

    /// Compares images with their checksums at every level.
    #[napi(ts_return_type = "Promise<void>", catch_unwind)]
    pub fn check(&self, first: u32, count: u32) -> AsyncTask<Work<()>> {
        let dataset = Arc::clone(&self.0);
        background(move || dataset.check(first as usize, count as usize))
    }

    /// Images `[indices.length, resolution, resolution, C]`, left and right swapped where `mirror` says.
    #[napi(ts_return_type = "Promise<Uint8Array>", catch_unwind)]
    pub fn batch(&self, resolution: u32, indices: Vec<u32>, mirror: Vec<bool>) -> AsyncTask<Work<Uint8Array>> {
        let dataset = Arc::clone(&self.0);
        background(move || dataset.batch(resolution as usize, &indices, &mirror).map(Uint8Array::new))
    }
}

/// An array of floats and its shape.
#[napi(object)]
pub struct NativeArray {
    pub shape: Vec<u32>,
    pub values: Float32Array,
}

#[napi(ts_return_type = "Promise<NativeArray>", catch_unwind)]
pub fn read_npy(path: String) -> AsyncTask<Work<NativeArray>> {
    background(move || {
        let array = data::read_npy_f32(Path::new(&path))?;
        Ok(NativeArray {
            shape: array.shape.iter().map(|&size| size as u32).collect(),
            values: Float32Array::new(array.values),
        })
    })
}

#[napi(ts_return_type = "Promise<void>", catch_unwind)]
pub fn write_npy(path: String, shape: Vec<u32>, values: &[f32]) -> AsyncTask<Work<()>> {
    let values = values.to_vec();
    background(move || data::write_npy_f32(Path::new(&path), &sizes(&shape), &values))
}

/// A PNG file; `drawn` if this program drew the picture, which its file then says.
#[napi(ts_return_type = "Promise<Uint8Array>", catch_unwind)]
pub fn encode_png(pixels: &[u8], width: u32, height: u32, channels: u32, drawn: bool) -> AsyncTask<Work<Uint8Array>> {
    let pixels = pixels.to_vec();
    let encode = if drawn { data::encode_drawn_png } else { data::encode_png };
    background(move || encode(&pixels, width, height, channels as usize).map(Uint8Array::new))
}
