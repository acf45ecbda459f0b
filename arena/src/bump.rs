//! A bump arena: one pointer moves through chunks that double in size.

use std::alloc::Layout;
use std::ptr::NonNull;

use crate::{AllocError, Arena};

/// A bump arena on [`bumpalo`], with every allocation aligned to at least 8 bytes.
#[derive(Debug, Default)]
pub struct Bump(bumpalo::Bump<8>);

// SAFETY: bumpalo returns memory of its own chunks, aligned as asked, never twice before a reset;
// chunks are heap blocks, so moving `Bump` moves no allocation.
unsafe impl Arena for Bump {
    #[inline]
    fn try_alloc_layout(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.0.try_alloc_layout(layout).map_err(|_| AllocError {
            bytes: layout.size(),
            align: layout.align(),
        })
    }

    fn reset(&mut self) {
        self.0.reset();
    }
}
