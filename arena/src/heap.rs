//! No arena at all: the global allocator, called once per value.

use std::alloc::Layout;
use std::cell::RefCell;
use std::ptr::NonNull;

use crate::block::Block;
use crate::{AllocError, Arena};

/// One call of the global allocator per value, and one to free it on reset: what a program without
/// an arena does, and so the baseline of the others.
///
/// To free the values it keeps a list of 24 bytes for each, which a program that owns its values
/// would not need; the list is not shrunk by a reset. Freeing takes time proportional to the number
/// of values.
///
/// ```compile_fail,E0277
/// fn shared(_: impl Sync) {}
///
/// shared(arena::Heap::default());
/// ```
#[derive(Debug, Default)]
pub struct Heap {
    blocks: RefCell<Vec<Block>>,
}

impl Heap {
    /// An empty arena, which holds no memory.
    pub fn new() -> Self {
        Self::default()
    }
}

// SAFETY: every pointer is the start of a block of its own for that layout, or dangling when the
// size is 0. The block is dropped only by `reset` and with the arena, and does not move with it.
unsafe impl Arena for Heap {
    #[inline]
    fn try_alloc_layout(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        if layout.size() == 0 {
            return Ok(layout.dangling_ptr());
        }
        let mut blocks = self.blocks.borrow_mut();
        // Before the block is allocated, so that it cannot be lost when the list cannot grow.
        if blocks.try_reserve(1).is_err() {
            return Err(AllocError::of(layout));
        }
        let block = Block::try_new(layout)?;
        let start = block.start();
        blocks.push(block);
        Ok(start)
    }

    /// Frees every value and keeps the list of them.
    fn reset(&mut self) {
        self.blocks.get_mut().clear();
    }

    fn held_bytes(&self) -> usize {
        let blocks = self.blocks.borrow();
        let list_bytes = blocks.capacity() * size_of::<Block>();
        list_bytes + blocks.iter().map(Block::bytes).sum::<usize>()
    }
}
