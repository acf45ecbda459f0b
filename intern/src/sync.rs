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

impl<T> Blank for AtomicPtr<T> {
    /// All are null.
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
        // many values: a pointer of bytes 0 is null.
        Some(unsafe { Box::from_raw(slice) })
    }
}

#[cfg(test)]
mod tests {
    use crate::budget::Budget;
    use crate::growing::Growing;

    use super::*;

    #[test]
    fn elements_are_zero_and_stay_where_they_are() {
        let list = Growing::<AtomicPtr<u8>>::new();
        assert!(list.get(0).is_none());
        assert!(list.get(u32::MAX).is_none());
        let budget = Budget::new(8 * (1024 + 2048 + 4096));
        list.need(3000, &budget).unwrap();
        list.need(1024, &budget).unwrap();
        assert_eq!(budget.held(), 8 * 2048, "both are in the same segment");
        let first = list.get(1024).unwrap();
        assert!(list.get(1023).is_none());
        assert!((1024..3072).all(|index| {
            let element = list.get(index).unwrap();
            element.load(Ordering::Relaxed).is_null()
        }));
        let mut byte = 7;
        first.store(&raw mut byte, Ordering::Relaxed);
        list.need(0, &budget).unwrap();
        list.need(5000, &budget).unwrap();
        list.need(8000, &budget).unwrap_err();
        assert!(list.get(8000).is_none());
        assert!(std::ptr::eq(
            list.get(1024).unwrap().load(Ordering::Relaxed),
            &raw const byte
        ));
        assert!(std::ptr::eq(list.pointer(1024), first));
    }
}
