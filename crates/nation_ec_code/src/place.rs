//! Where this very library lies on the disk: the settings lie beside it.

#![expect(unsafe_code, reason = "the system is asked through its C interface")]

use std::path::PathBuf;

/// The folder of the library; none where the system does not say.
#[cfg(unix)]
pub(crate) fn own_folder() -> Option<PathBuf> {
    use std::ffi::{CStr, OsStr};
    use std::os::unix::ffi::OsStrExt as _;

    let mut found = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    let own: *const () = own_folder as *const ();
    // SAFETY: `own` is an address within this library, and `found` is a place to write to.
    let known = unsafe { libc::dladdr(own.cast(), found.as_mut_ptr()) };
    // SAFETY: all zeros is a valid `Dl_info`, and `dladdr` wrote no other.
    let found = unsafe { found.assume_init() };
    if known == 0 || found.dli_fname.is_null() {
        return None;
    }
    // SAFETY: the loader's own name of a loaded library, which ends in NUL and stays while it is loaded.
    let name = unsafe { CStr::from_ptr(found.dli_fname) };
    let path = PathBuf::from(OsStr::from_bytes(name.to_bytes()));
    // The loader keeps the name as it was asked for it, which may be relative.
    let path = std::fs::canonicalize(&path).unwrap_or(path);
    path.parent().map(PathBuf::from)
}

/// The folder of the library; none where the system does not say.
#[cfg(windows)]
pub(crate) fn own_folder() -> Option<PathBuf> {
    use std::ffi::OsString;
    use std::os::windows::ffi::OsStringExt as _;

    use windows_sys::Win32::System::LibraryLoader::{
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS, GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT,
        GetModuleFileNameW, GetModuleHandleExW,
    };

    /// The longest path that Windows knows.
    const MOST: usize = 32_768;
    let mut module = 0;
    let flags =
        GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    let own: *const () = own_folder as *const ();
    // SAFETY: with this flag the name is an address within a module, which this function's is.
    let known = unsafe { GetModuleHandleExW(flags, own.cast(), &mut module) };
    if known == 0 {
        return None;
    }
    let mut path = vec![0_u16; MOST];
    // SAFETY: the buffer has as many places as are told.
    let length = unsafe { GetModuleFileNameW(module, path.as_mut_ptr(), MOST as u32) };
    let path = path
        .get(..length as usize)
        .filter(|path| !path.is_empty())?;
    let path = PathBuf::from(OsString::from_wide(path));
    path.parent().map(PathBuf::from)
}

/// Keeps the system's sockets loaded when the library goes.
///
/// Rust's standard library starts Winsock and never says that it is done with it. Where nobody else in
/// the program uses it, it would go with us in the middle of that, and the next one to load it would
/// get sockets that are none (error 10038; seen under wine).
#[cfg(windows)]
pub(crate) fn keep_sockets() {
    use windows_sys::Win32::System::LibraryLoader::{
        GET_MODULE_HANDLE_EX_FLAG_PIN, GetModuleHandleExW,
    };

    let name: Vec<u16> = "ws2_32.dll\0".encode_utf16().collect();
    let mut module = 0;
    // SAFETY: the name ends in NUL, and the handle is written to a place of ours.
    let kept =
        unsafe { GetModuleHandleExW(GET_MODULE_HANDLE_EX_FLAG_PIN, name.as_ptr(), &mut module) };
    // It is loaded, since we import it; were it not, there would be nothing to keep.
    let _ = kept;
}

/// Other systems' sockets go nowhere.
#[cfg(not(windows))]
pub(crate) const fn keep_sockets() {}

/// Lets this run when the library is unloaded, or the program ends.
///
/// On Linux and in MinGW's DLLs `atexit` belongs to the library that calls it, so what it is told
/// runs before the library's code goes.
pub(crate) fn at_unload(last: extern "C" fn()) {
    // SAFETY: a function that takes nothing and, being `extern "C"`, never unwinds out of itself.
    let refused = unsafe { libc::atexit(last) };
    // Where it is refused, connections that are kept open stay so until the program ends.
    let _ = refused;
}
