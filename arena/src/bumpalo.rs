//! The bump arena of the [`bumpalo`] crate.

use std::alloc::Layout;
use std::ptr::NonNull;

use crate::{AllocError, Arena};

/// A bump arena on [`bumpalo`], with every allocation aligned to at least 8 bytes.
///
/// The arena most programs use, and so what [`Bump`](crate::Bump) is compared with. Reset keeps the
/// chunk that was allocated last, which is the largest, and frees the others.
///
/// ```compile_fail,E0277
/// fn shared(_: impl Sync) {}
///
/// shared(arena::Bumpalo::default());
/// ```
#[derive(Debug, Default)]
pub struct Bumpalo(bumpalo::Bump<8>);

impl Bumpalo {
    /// An empty arena, which holds no memory.
    pub fn new() -> Self {
        Self::default()
    }
}

// SAFETY: bumpalo returns memory of its own chunks, aligned as asked, never twice before a reset;
// chunks are heap blocks, so moving `Bumpalo` moves no allocation.
unsafe impl Arena for Bumpalo {
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
