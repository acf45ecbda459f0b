//! The synchronisation that lock-free code is built on, under one name: a model checker's test
//! compiles the same source with its own.

use std::alloc::{Layout, alloc_zeroed};

pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
pub(crate) use std::sync::{Mutex, MutexGuard, PoisonError};

/// A type of which memory can be a value before anybody has written it.
pub(crate) trait Blank: Sized {
    /// So many of them, of which pages are not touched; or none when no memory is left.
    fn blank(count: usize) -> Option<Box<[Self]>>;
}

impl Blank for AtomicU32 {
    /// All are 0.
    fn blank(count: usize) -> Option<Box<[Self]>> {
        let layout = Layout::array::<Self>(count).ok()?;
        assert!(layout.size() > 0, "a slice that is allocated has a size");
        // SAFETY: needs a layout of a size that is not 0.
        let memory = unsafe { alloc_zeroed(layout) }.cast::<Self>();
        if memory.is_null() {
            return None;
        }
        let slice = std::ptr::slice_from_raw_parts_mut(memory, count);
        // SAFETY: needs memory of the global allocator with the layout of the slice, that holds so
        // many values: an atomic of bytes 0 is 0.
        Some(unsafe { Box::from_raw(slice) })
    }
}
