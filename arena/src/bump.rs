//! A bump arena: one pointer moves through chunks that double in size.

use std::alloc::Layout;
use std::ptr::NonNull;

use crate::{AllocError, Arena};

/// A bump arena on [`bumpalo`], with every allocation aligned to at least 8 bytes.
///
/// The first choice: an allocation is a subtraction and a comparison. Reset keeps the chunk that
/// was allocated last, which is the largest, and frees the others; so an arena that is filled alike
/// again and again soon has one chunk that fits all.
///
/// ```compile_fail,E0277
/// fn shared(_: impl Sync) {}
///
/// shared(arena::Bump::default());
/// ```
#[derive(Debug, Default)]
pub struct Bump(bumpalo::Bump<8>);

impl Bump {
    /// An empty arena, which holds no memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// An arena whose first chunk has room for `bytes`.
    ///
    /// # Panics
    ///
    /// Panics when no memory is left.
    pub fn with_capacity(bytes: usize) -> Self {
        Self(bumpalo::Bump::with_min_align_and_capacity(bytes))
    }
}

// SAFETY: bumpalo returns memory of its own chunks, aligned as asked, never twice before a reset;
// chunks are heap blocks, so moving `Bump` moves no allocation.
unsafe impl Arena for Bump {
    #[inline]
    fn try_alloc_layout(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.0
            .try_alloc_layout(layout)
            .map_err(|_| AllocError::of(layout))
    }

    /// Keeps the chunk allocated last and frees the others.
    fn reset(&mut self) {
        self.0.reset();
    }

    fn held_bytes(&self) -> usize {
        self.0.allocated_bytes_including_metadata()
    }
}
