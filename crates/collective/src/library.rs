//! MPI as a library that is loaded at run time, through any of three ABIs: the standard one of MPI 5, Open MPI's, and MPICH's,
//! which Intel, Cray, MVAPICH and Microsoft share.

use std::ffi::{CStr, c_char, c_int, c_void};
use std::ptr::null_mut;

use libloading::Library;

use crate::error::{Error, Result};

/// A handle of MPI: an int in MPICH's ABI, a pointer in the others. Both are passed in one register.
type Handle = usize;
/// What MPI writes a request to; MPICH's is shorter.
pub type Request = Handle;

type InitThread = unsafe extern "C" fn(*mut c_int, *mut c_void, c_int, *mut c_int) -> c_int;
type OfComm = unsafe extern "C" fn(Handle, *mut c_int) -> c_int;
type SetHandler = unsafe extern "C" fn(Handle, Handle) -> c_int;
type Isend = unsafe extern "C" fn(*const c_void, c_int, Handle, c_int, c_int, Handle, *mut Request) -> c_int;
type Irecv = unsafe extern "C" fn(*mut c_void, c_int, Handle, c_int, c_int, Handle, *mut Request) -> c_int;
type Test = unsafe extern "C" fn(*mut Request, *mut c_int, *mut c_void) -> c_int;
type ErrorString = unsafe extern "C" fn(c_int, *mut c_char, *mut c_int) -> c_int;
type VersionString = unsafe extern "C" fn(*mut c_char, *mut c_int) -> c_int;
type TwoInts = unsafe extern "C" fn(*mut c_int, *mut c_int) -> c_int;

/// A loaded MPI, not yet initialised.
pub struct Mpi {
    init: InitThread,
    finalize: unsafe extern "C" fn() -> c_int,
    isend: Isend,
    irecv: Irecv,
    test: Test,
    error_string: ErrorString,
    rank: OfComm,
    size: OfComm,
    set_handler: SetHandler,
    constants: Constants,
    /// What the library says of itself, its first line.
    pub version: String,
    /// The functions above are in it.
    _library: Library,
}

/// Where ABIs differ.
#[derive(Clone, Copy)]
struct Constants {
    world: Handle,
    byte: Handle,
    errors_return: Handle,
    /// MPI_THREAD_FUNNELED.
    funneled: c_int,
}

/// The MPI Forum's ABI 1.0 (MPI 5.0, chapter 20).
const STANDARD: Constants = Constants { world: 0x101, byte: 0x247, errors_return: 0x143, funneled: 1024 };
/// MPICH's ABI initiative: libmpi.so.12.
const MPICH: Constants = Constants { world: 0x4400_0000, byte: 0x4c00_010d, errors_return: 0x5400_0001, funneled: 1 };

/// Room for a status of any ABI, which nobody reads.
const STATUS: usize = 256;
const TEXT: usize = 8192;

impl Mpi {
    /// Loads a library.
    ///
    /// # Errors
    ///
    /// [`Error::Library`] if it cannot be loaded, or lacks a function.
    pub fn load(name: &str) -> Result<Self> {
        let library = open(name).map_err(|error| Error::Library(format!("{name}: {error}")))?;
        // SAFETY: the types are those of the MPI standard, and the library stays loaded as long as the functions are used.
        unsafe {
            let abi = optional::<TwoInts>(&library, "MPI_Abi_get_version");
            let constants = match abi {
                Some(version) if is_standard(version) => STANDARD,
                _ => open_mpi(&library).unwrap_or(MPICH),
            };
            let describe: VersionString = function(&library, name, "MPI_Get_library_version")?;
            Ok(Self {
                init: function(&library, name, "MPI_Init_thread")?,
                finalize: function(&library, name, "MPI_Finalize")?,
                isend: function(&library, name, "MPI_Isend")?,
                irecv: function(&library, name, "MPI_Irecv")?,
                test: function(&library, name, "MPI_Test")?,
                error_string: function(&library, name, "MPI_Error_string")?,
                rank: function(&library, name, "MPI_Comm_rank")?,
                size: function(&library, name, "MPI_Comm_size")?,
                set_handler: function(&library, name, "MPI_Comm_set_errhandler")?,
                constants,
                version: text_of(|text, length| describe(text, length)),
                _library: library,
            })
        }
    }

    /// Joins the job. From now on this thread makes all calls.
    pub fn init(&self) -> Result<()> {
        let mut provided = 0;
        // SAFETY: MPI takes null for arguments that are not given.
        let code = unsafe { (self.init)(null_mut(), null_mut(), self.constants.funneled, &mut provided) };
        self.check("MPI_Init_thread", code)?;
        // SAFETY: both are handles of this ABI.
        let code = unsafe { (self.set_handler)(self.constants.world, self.constants.errors_return) };
        self.check("MPI_Comm_set_errhandler", code)?;
        if provided < self.constants.funneled {
            return Err(Error::Mpi("MPI: a library for programs with threads is expected, got one without".into()));
        }
        Ok(())
    }

    /// Leaves the job; waits for the others.
    pub fn finalize(&self) -> Result<()> {
        // SAFETY: it takes nothing.
        self.check("MPI_Finalize", unsafe { (self.finalize)() })
    }

    /// Number of this process, and of all.
    pub fn rank_and_size(&self) -> Result<(usize, usize)> {
        let (mut rank, mut size) = (0, 0);
        // SAFETY: the world is a communicator of this ABI.
        let codes =
            unsafe { [(self.rank)(self.constants.world, &mut rank), (self.size)(self.constants.world, &mut size)] };
        self.check("MPI_Comm_rank", codes[0])?;
        self.check("MPI_Comm_size", codes[1])?;
        Ok((rank as usize, size as usize))
    }

    /// Begins to send.
    ///
    /// # Safety
    ///
    /// The bytes must stay where they are until [`test`](Self::test) says that the request is done.
    pub unsafe fn send(&self, bytes: &[u8], to: usize, tag: c_int) -> Result<Request> {
        let (mut request, Constants { world, byte, .. }) = (0, self.constants);
        let (at, length) = (bytes.as_ptr().cast(), bytes.len() as c_int);
        // SAFETY: the caller's.
        let code = unsafe { (self.isend)(at, length, byte, to as c_int, tag, world, &mut request) };
        self.check("MPI_Isend", code).map(|()| request)
    }

    /// Begins to receive exactly as many bytes.
    ///
    /// # Safety
    ///
    /// As for [`send`](Self::send); nobody may read or write them meanwhile.
    pub unsafe fn receive(&self, bytes: *mut u8, length: usize, from: usize, tag: c_int) -> Result<Request> {
        let (mut request, Constants { world, byte, .. }) = (0, self.constants);
        // SAFETY: the caller's.
        let code =
            unsafe { (self.irecv)(bytes.cast(), length as c_int, byte, from as c_int, tag, world, &mut request) };
        self.check("MPI_Irecv", code).map(|()| request)
    }

    /// Whether a request is done.
    pub fn test(&self, request: &mut Request) -> Result<bool> {
        let (mut done, mut status) = (0, [0_u64; STATUS / 8]);
        // SAFETY: the status has room for that of any ABI.
        let code = unsafe { (self.test)(request, &mut done, status.as_mut_ptr().cast()) };
        self.check("MPI_Test", code).map(|()| done != 0)
    }

    fn check(&self, call: &str, code: c_int) -> Result<()> {
        if code == 0 {
            return Ok(());
        }
        // SAFETY: the text has the length that MPI asks for.
        let text = unsafe { text_of(|text, length| (self.error_string)(code, text, length)) };
        Err(Error::Mpi(format!("{call}: {text}")))
    }
}

/// What MPI loads itself must see its symbols: Open MPI's manual asks for this.
#[cfg(unix)]
fn open(name: &str) -> std::result::Result<Library, libloading::Error> {
    use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
    // SAFETY: whoever names a library trusts what it does when it is loaded.
    unsafe { Library::open(Some(name), RTLD_NOW | RTLD_GLOBAL) }.map(Into::into)
}

#[cfg(not(unix))]
fn open(name: &str) -> std::result::Result<Library, libloading::Error> {
    // SAFETY: whoever names a library trusts what it does when it is loaded.
    unsafe { Library::new(name) }
}

unsafe fn optional<T: Copy>(library: &Library, name: &str) -> Option<T> {
    // SAFETY: the caller's.
    unsafe { library.get::<T>(name) }.ok().map(|symbol| *symbol)
}

unsafe fn function<T: Copy>(library: &Library, path: &str, name: &str) -> Result<T> {
    // SAFETY: the caller's.
    let found = unsafe { optional(library, name) };
    found.ok_or_else(|| Error::Library(format!("{path}: an MPI library is expected, it has no {name}")))
}

fn is_standard(version: TwoInts) -> bool {
    let (mut major, mut minor) = (-1, -1);
    // SAFETY: it may be called before MPI is initialised (MPI 5.0, 20.2).
    let code = unsafe { version(&mut major, &mut minor) };
    code == 0 && major >= 1
}

/// Open MPI's handles are addresses of its variables.
unsafe fn open_mpi(library: &Library) -> Option<Constants> {
    let address = |name: &str| {
        // SAFETY: the address of a variable, which is not read.
        unsafe { optional::<*const c_void>(library, name) }.map(|at| at as Handle)
    };
    Some(Constants {
        world: address("ompi_mpi_comm_world")?,
        byte: address("ompi_mpi_byte")?,
        errors_return: address("ompi_mpi_errors_return")?,
        funneled: 1,
    })
}

unsafe fn text_of(write: impl Fn(*mut c_char, *mut c_int) -> c_int) -> String {
    let (mut text, mut length) = ([0 as c_char; TEXT], 0);
    write(text.as_mut_ptr(), &mut length);
    text[TEXT - 1] = 0;
    // SAFETY: it ends with 0.
    let text = unsafe { CStr::from_ptr(text.as_ptr()) }.to_string_lossy().into_owned();
    // MPICH's version has its parts in columns.
    text.lines().next().unwrap_or("").split_whitespace().collect::<Vec<_>>().join(" ")
}
