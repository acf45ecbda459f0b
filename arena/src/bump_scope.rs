//! The bump arena of the [`bump_scope`] crate.

use std::alloc::Layout;
use std::ptr::NonNull;

use bump_scope::traits::BumpAllocatorTyped;

use crate::{AllocError, Arena};

/// A bump arena on [`bump_scope`], with its usual settings.
///
/// The only other one with scopes, and so compared with [`Bump`](crate::Bump). Reset keeps the
/// largest chunk and frees the others.
///
/// ```compile_fail,E0277
/// fn shared(_: impl Sync) {}
///
/// shared(arena::BumpScope::default());
/// ```
#[derive(Debug, Default)]
pub struct BumpScope(bump_scope::Bump);

impl BumpScope {
    /// An empty arena.
    pub fn new() -> Self {
        Self::default()
    }
}

// SAFETY: bump-scope returns memory of its own chunks, aligned as asked, never twice before a reset;
// chunks are heap blocks, so moving `BumpScope` moves no allocation.
unsafe impl Arena for BumpScope {
    #[inline]
    fn try_alloc_layout(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.0
            .try_allocate_layout(layout)
            .map_err(|_| AllocError::of(layout))
    }

    /// Keeps the largest chunk and frees the others.
    fn reset(&mut self) {
        self.0.reset();
    }

    fn held_bytes(&self) -> usize {
        self.0.stats().size()
    }
}
