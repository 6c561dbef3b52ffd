//! Images and datasets, on worker threads.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use napi::bindgen_prelude::{AsyncTask, Float32Array, ToNapiValue, TypeName, Uint8Array};
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

/// The image files in a folder and the folders in it, sorted.
#[napi(ts_return_type = "Promise<string[]>")]
pub fn list_images(dir: String) -> AsyncTask<Work<Vec<String>>> {
    background(move || {
        let paths = data::list_images(Path::new(&dir))?;
        Ok(paths.into_iter().map(|path| path.to_string_lossy().into_owned()).collect())
    })
}

/// A file that could not be used, and why.
#[napi(object)]
pub struct NativeBadImage {
    pub path: String,
    pub message: String,
}

/// What became of a chunk of files.
#[napi(object)]
pub struct NativePrepared {
    pub written: u32,
    pub bad: Vec<NativeBadImage>,
}

/// Writes a prepared dataset.
#[napi]
pub struct NativeWriter(Arc<data::Writer>);

#[napi]
impl NativeWriter {
    #[napi(factory)]
    pub fn create(dir: String, count: u32, resolution: u32, channels: u32) -> Result<Self> {
        let writer = data::Writer::create(Path::new(&dir), count as usize, resolution as usize, channels as usize);
        writer.map(|writer| Self(Arc::new(writer))).map_err(refused)
    }

    #[napi(factory)]
    pub fn open(dir: String, count: u32, resolution: u32, channels: u32) -> Result<Self> {
        let writer = data::Writer::open(Path::new(&dir), count as usize, resolution as usize, channels as usize);
        writer.map(|writer| Self(Arc::new(writer))).map_err(refused)
    }

    #[napi(ts_return_type = "Promise<NativePrepared>")]
    pub fn prepare_chunk(&self, first: u32, paths: Vec<String>) -> AsyncTask<Work<NativePrepared>> {
        let writer = Arc::clone(&self.0);
        background(move || {
            let paths: Vec<PathBuf> = paths.into_iter().map(PathBuf::from).collect();
            let prepared = data::prepare_chunk(&writer, first as usize, &paths)?;
            let bad = prepared
                .bad
                .into_iter()
                .map(|(path, message)| NativeBadImage { path: path.to_string_lossy().into_owned(), message });
            Ok(NativePrepared { written: prepared.written as u32, bad: bad.collect() })
        })
    }

    #[napi(ts_return_type = "Promise<void>")]
    pub fn write_pixels(&self, first: u32, pixels: &[u8], count: u32, width: u32) -> AsyncTask<Work<()>> {
        let (writer, pixels) = (Arc::clone(&self.0), pixels.to_vec());
        background(move || data::write_pixels(&writer, first as usize, &pixels, count as usize, width as usize))
    }

    #[napi(ts_return_type = "Promise<void>")]
    pub fn sync(&self) -> AsyncTask<Work<()>> {
        let writer = Arc::clone(&self.0);
        background(move || writer.sync())
    }

    #[napi(ts_return_type = "Promise<void>")]
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
    #[napi(factory)]
    pub fn open(dir: String) -> Result<Self> {
        let dataset = data::Dataset::open(Path::new(&dir));
        dataset.map(|dataset| Self(Arc::new(dataset))).map_err(refused)
    }

    #[napi(getter)]
    pub fn count(&self) -> u32 {
        self.0.len() as u32
    }

    #[napi(getter)]
    pub fn resolution(&self) -> u32 {
        self.0.resolution() as u32
    }

    #[napi(getter)]
    pub fn channels(&self) -> u32 {
        self.0.channels() as u32
    }

    /// Images `[indices.length, resolution, resolution, C]`, left and right swapped where `mirror` says.
    #[napi(ts_return_type = "Promise<Uint8Array>")]
    pub fn batch(&self, resolution: u32, indices: Vec<u32>, mirror: Vec<bool>) -> AsyncTask<Work<Uint8Array>> {
        let dataset = Arc::clone(&self.0);
        background(move || {
            let resolution = resolution as usize;
            let mut pixels = vec![0; indices.len() * resolution * resolution * dataset.channels()];
            dataset.batch(resolution, &indices, &mirror, &mut pixels)?;
            Ok(Uint8Array::new(pixels))
        })
    }
}

/// An array of floats and its shape.
#[napi(object)]
pub struct NativeArray {
    pub shape: Vec<u32>,
    pub values: Float32Array,
}

#[napi(ts_return_type = "Promise<NativeArray>")]
pub fn read_npy(path: String) -> AsyncTask<Work<NativeArray>> {
    background(move || {
        let array = data::read_npy_f32(Path::new(&path))?;
        Ok(NativeArray {
            shape: array.shape.iter().map(|&size| size as u32).collect(),
            values: Float32Array::new(array.values),
        })
    })
}

#[napi(ts_return_type = "Promise<void>")]
pub fn write_npy(path: String, shape: Vec<u32>, values: &[f32]) -> AsyncTask<Work<()>> {
    let values = values.to_vec();
    background(move || data::write_npy_f32(Path::new(&path), &sizes(&shape), &values))
}

#[napi(ts_return_type = "Promise<Uint8Array>")]
pub fn encode_png(pixels: &[u8], width: u32, height: u32, channels: u32) -> AsyncTask<Work<Uint8Array>> {
    let pixels = pixels.to_vec();
    background(move || data::encode_png(&pixels, width, height, channels as usize).map(Uint8Array::new))
}
