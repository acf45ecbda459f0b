//! One block of memory of the global allocator.

use std::alloc::{self, Layout};
use std::ptr::NonNull;

use crate::AllocError;

/// A block of memory of the global allocator, freed when dropped.
///
/// Invariant: `start` was returned by the global allocator for `layout` and is freed by nobody
/// else.
#[derive(Debug)]
pub(crate) struct Block {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: a `Block` owns its memory and the global allocator frees memory on any thread.
unsafe impl Send for Block {}

impl Block {
    /// Allocates a block for `layout`, whose size is not 0.
    pub(crate) fn try_new(layout: Layout) -> Result<Self, AllocError> {
        assert_ne!(layout.size(), 0, "a block has at least one byte");
        // SAFETY: needs a size other than 0: asserted above.
        let start = unsafe { alloc::alloc(layout) };
        match NonNull::new(start) {
            Some(start) => Ok(Self { start, layout }),
            None => Err(AllocError::of(layout)),
        }
    }

    /// First byte. The block stays where it is when `self` is moved.
    #[inline]
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.start
    }

    pub(crate) fn bytes(&self) -> usize {
        self.layout.size()
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        // SAFETY: needs a block of the global allocator, its layout, and no second call: the
        // invariant of `Block`.
        unsafe { alloc::dealloc(self.start.as_ptr(), self.layout) }
    }
}
