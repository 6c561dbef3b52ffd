//! The processes of an MPI job. A process joins one once: MPI knows no second time.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use napi::Env;
use napi::bindgen_prelude::{Object, ToNapiValue, Uint8Array};
use napi_derive::napi;
use stylegan_collective::{Done, Error, Group};
use stylegan_tensor::DType;

use crate::error::{Result, invalid, rejected};
use crate::table::{self, Handle};

static GROUP: OnceLock<Arc<Group>> = OnceLock::new();

/// This process among the others.
#[napi(object)]
pub struct NativeGroup {
    pub rank: u32,
    pub size: u32,
    pub version: String,
    pub names: Vec<String>,
}

fn reason(error: Error) -> napi::Error {
    let code = match error {
        Error::Library(_) => "ERR_MPI_LIBRARY",
        Error::Mpi(_) => "ERR_PROCESSES",
        Error::Lost(_) => "ERR_LOST",
    };
    napi::Error::from_reason(format!("{code}: {error}"))
}

/// A promise of what `ask` gets.
fn promise<T, U>(
    env: &Env,
    ask: impl FnOnce(Done<T>),
    convert: impl FnOnce(T) -> U + Send + 'static,
) -> Result<Object<'_>>
where
    T: Send + 'static,
    U: ToNapiValue + 'static,
{
    let (deferred, promise) = env.create_deferred().map_err(|error| invalid(error.to_string()))?;
    ask(Box::new(move |result| match result {
        Ok(value) => deferred.resolve(move |_| Ok(convert(value))),
        Err(error) => deferred.reject(reason(error)),
    }));
    Ok(promise)
}

fn group() -> Result<Arc<Group>> {
    GROUP.get().cloned().ok_or_else(|| invalid("this process has not joined others"))
}

/// Joins the job of an MPI library.
#[napi(ts_return_type = "Promise<NativeGroup>", catch_unwind)]
pub fn join_group(env: &Env, library: String, own_name: String, timeout_ms: f64) -> Result<Object<'_>> {
    let timeout = Duration::from_secs_f64(timeout_ms / 1000.0);
    promise(
        env,
        |done| {
            let kept: Done<Group> =
                Box::new(move |joined| done(joined.map(|group| Arc::clone(GROUP.get_or_init(|| Arc::new(group))))));
            Group::join(library, own_name, timeout, kept);
        },
        |group: Arc<Group>| NativeGroup {
            rank: group.rank as u32,
            size: group.size as u32,
            version: group.version.clone(),
            names: group.names.clone(),
        },
    )
}

/// Replaces the elements of a tensor by the sum over the processes, which have `counts[rank]` leaves of the tree.
#[napi(ts_return_type = "Promise<void>", catch_unwind)]
pub fn sum_over_group(env: &Env, handle: Handle, counts: Vec<u32>) -> Result<Object<'_>> {
    let tensor = table::get("sum", handle)?;
    if tensor.dtype() != DType::F32 {
        return Err(invalid(format!("sum: f32 is expected, got {}", tensor.dtype())));
    }
    let (deferred, promise) = env.create_deferred().map_err(|error| invalid(error.to_string()))?;
    let (group, storage) = (group()?, tensor.as_storage().clone());
    let backend = tensor.device().downgrade();
    let counts = counts.iter().map(|&count| count as usize).collect();
    storage.touch();
    let to = storage.clone();
    tensor.device().backend().read(
        &storage,
        Box::new(move |bytes| match bytes {
            Err(error) => deferred.reject(rejected(error)),
            Ok(bytes) => group.sum(
                bytes,
                counts,
                Box::new(move |sum| match sum {
                    Err(error) => deferred.reject(reason(error)),
                    Ok(sum) => {
                        if let Some(backend) = backend.upgrade() {
                            backend.write(&to, sum);
                        }
                        deferred.resolve(|_| Ok(()));
                    }
                }),
            ),
        }),
    );
    Ok(promise)
}

/// The bytes of every process, by rank.
#[napi(ts_return_type = "Promise<Array<Uint8Array>>", catch_unwind)]
pub fn gather_from_group(env: &Env, bytes: Uint8Array) -> Result<Object<'_>> {
    let group = group()?;
    let parts = |all: Vec<Vec<u8>>| all.into_iter().map(Uint8Array::from).collect::<Vec<_>>();
    promise(env, |done| group.gather(bytes.to_vec(), done), parts)
}

/// Rejected when a process is lost, resolved when all have parted.
#[napi(ts_return_type = "Promise<void>", catch_unwind)]
pub fn watch_group(env: &Env) -> Result<Object<'_>> {
    let group = group()?;
    promise(env, |done| group.watch(done), |()| ())
}

/// Tells the others why this process ends.
#[napi(ts_return_type = "Promise<void>", catch_unwind)]
pub fn fail_group(env: &Env, text: String) -> Result<Object<'_>> {
    let group = group()?;
    promise(env, |done| group.fail(text, done), |()| ())
}

/// Leaves the job when all others do.
#[napi(ts_return_type = "Promise<void>", catch_unwind)]
pub fn leave_group(env: &Env) -> Result<Object<'_>> {
    let group = group()?;
    promise(env, |done| group.end(done), |()| ())
}
