//! The synchronisation that lock-free code is built on, under one name: a model checker's test
//! compiles the same source with its own.

use std::alloc::{Layout, alloc_zeroed};

pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
pub(crate) use std::sync::{Mutex, MutexGuard, PoisonError};

/// A type of which all bytes 0 are a value.
///
/// # Safety
///
/// They must be one.
pub(crate) unsafe trait Zeroed {}

// SAFETY: it is the atomic 0.
unsafe impl Zeroed for AtomicU32 {}

/// So many values of all bytes 0, of which pages are not touched; or none when no memory is left.
pub(crate) fn zeroed<T: Zeroed>(count: usize) -> Option<Box<[T]>> {
    let layout = Layout::array::<T>(count).ok()?;
    assert!(layout.size() > 0, "a slice that is allocated has a size");
    // SAFETY: needs a layout of a size that is not 0.
    let memory = unsafe { alloc_zeroed(layout) }.cast::<T>();
    if memory.is_null() {
        return None;
    }
    let slice = std::ptr::slice_from_raw_parts_mut(memory, count);
    // SAFETY: needs memory of the global allocator with the layout of the slice, that holds `count`
    // values: `Zeroed` says that zeroed memory does.
    Some(unsafe { Box::from_raw(slice) })
}
