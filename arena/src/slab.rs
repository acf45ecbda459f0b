//! Size classes: values of similar size side by side, in chunks that outlive a reset.

use std::alloc::Layout;
use std::cell::{Cell, RefCell};
use std::ptr::NonNull;

use crate::block::Block;
use crate::{AllocError, Arena, Heap};

/// Bytes of a slot of the smallest class.
const SMALLEST_SLOT: usize = 8;
/// Bytes of a slot of the largest class; larger values go to the global allocator.
const LARGEST_SLOT: usize = 4096;
/// One class per power of two.
const CLASS_COUNT: usize = class_of(LARGEST_SLOT) + 1;
/// The first chunk of a class has the larger of this size and `MIN_SLOTS` slots; the following
/// double what the class has, up to `LARGEST_CHUNK`.
const SMALLEST_CHUNK: usize = 4096;
const MIN_SLOTS: usize = 8;
const LARGEST_CHUNK: usize = 1 << 20;

/// An arena of size classes, one per power of two from 8 to 4096 bytes, each with chunks of its
/// own.
///
/// Values of one class lie side by side, so a walk over values of one type touches no others; the
/// price is that a size is rounded up to a power of two. Larger values go to the global allocator
/// one by one. Reset keeps every chunk and frees only those larger values: an arena that is filled
/// alike again and again asks for no more memory after the first time.
///
/// ```compile_fail,E0277
/// fn shared(_: impl Sync) {}
///
/// shared(arena::Slab::default());
/// ```
///
/// # Examples
///
/// ```
/// use arena::{Arena, Slab};
///
/// let arena = Slab::new();
/// let first = arena.alloc(1_u64) as *const u64;
/// arena.alloc_str("of another class");
/// let second = arena.alloc(2_u64) as *const u64;
/// assert_eq!(second, first.wrapping_add(1));
/// ```
#[derive(Debug, Default)]
pub struct Slab {
    classes: [Class; CLASS_COUNT],
    large: Heap,
}

/// The chunks of one size class.
///
/// Invariant: `next..end` are free bytes of the chunk before `chunks[next_chunk]`, a multiple of the
/// slot size and aligned to it; `next == end` when there is no current chunk. The chunks from
/// `next_chunk` on are free.
#[derive(Debug)]
struct Class {
    next: Cell<NonNull<u8>>,
    end: Cell<NonNull<u8>>,
    chunks: RefCell<Vec<Block>>,
    next_chunk: Cell<usize>,
}

// SAFETY: the pointers lead into chunks that the class owns and that move to the other thread with
// it; nobody else has them, since the borrows of an arena end before it is moved.
unsafe impl Send for Class {}

impl Default for Class {
    fn default() -> Self {
        Self {
            next: Cell::new(NonNull::dangling()),
            end: Cell::new(NonNull::dangling()),
            chunks: RefCell::default(),
            next_chunk: Cell::new(0),
        }
    }
}

impl Slab {
    /// An empty arena, which holds no memory.
    pub fn new() -> Self {
        Self::default()
    }
}

// SAFETY: a slot is at least as large as the size and the alignment and aligned to its own size;
// `Class` hands out each once before a reset. Chunks are blocks, freed with the arena and not moved
// with it. Larger values are those of `Heap`.
unsafe impl Arena for Slab {
    #[inline]
    fn try_alloc_layout(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        let bytes = layout.size().max(layout.align()).max(SMALLEST_SLOT);
        if bytes > LARGEST_SLOT {
            return self.large.try_alloc_layout(layout);
        }
        self.classes[class_of(bytes)]
            .try_take(bytes.next_power_of_two())
            .ok_or(AllocError::of(layout))
    }

    /// Keeps every chunk; frees the values that were too large for one.
    fn reset(&mut self) {
        self.large.reset();
        for class in &mut self.classes {
            class.reset();
        }
    }

    fn held_bytes(&self) -> usize {
        self.large.held_bytes() + self.classes.iter().map(Class::held_bytes).sum::<usize>()
    }
}

impl Class {
    /// The next free slot, of `slot_bytes`: the same in every call for one class.
    #[inline]
    fn try_take(&self, slot_bytes: usize) -> Option<NonNull<u8>> {
        if self.next.get() == self.end.get() {
            self.try_advance(slot_bytes)?;
        }
        let slot = self.next.get();
        // SAFETY: needs `slot_bytes` bytes of the chunk after `slot`: `next..end` is not empty here
        // and a whole number of slots.
        self.next.set(unsafe { slot.add(slot_bytes) });
        Some(slot)
    }

    /// Makes the next chunk the current one, allocating it if there is none.
    #[cold]
    #[inline(never)]
    fn try_advance(&self, slot_bytes: usize) -> Option<()> {
        let mut chunks = self.chunks.borrow_mut();
        let next_chunk = self.next_chunk.get();
        if next_chunk == chunks.len() {
            let held_bytes = chunks.iter().map(Block::bytes).sum();
            let chunk_bytes = SMALLEST_CHUNK
                .max(slot_bytes * MIN_SLOTS)
                .max(held_bytes)
                .min(LARGEST_CHUNK);
            chunks.try_reserve(1).ok()?;
            let layout = Layout::from_size_align(chunk_bytes, slot_bytes).ok()?;
            chunks.push(Block::try_new(layout).ok()?);
        }
        let chunk = &chunks[next_chunk];
        debug_assert_eq!(
            chunk.bytes() % slot_bytes,
            0,
            "a chunk is a whole number of slots of {slot_bytes} bytes"
        );
        self.next.set(chunk.start());
        // SAFETY: needs a block of `chunk.bytes()` bytes: that is the size of the chunk.
        self.end.set(unsafe { chunk.start().add(chunk.bytes()) });
        self.next_chunk.set(next_chunk + 1);
        Some(())
    }

    fn reset(&mut self) {
        // No current chunk: the next allocation begins with the first one again.
        self.next.set(self.end.get());
        self.next_chunk.set(0);
    }

    fn held_bytes(&self) -> usize {
        let chunks = self.chunks.borrow();
        let list_bytes = chunks.capacity() * size_of::<Block>();
        list_bytes + chunks.iter().map(Block::bytes).sum::<usize>()
    }
}

/// Index of the class for values of `bytes`, from 8 to 4096.
const fn class_of(bytes: usize) -> usize {
    (bytes.next_power_of_two() / SMALLEST_SLOT).ilog2() as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: usize, slot_bytes: usize) {
        assert_eq!(
            SMALLEST_SLOT << class_of(bytes),
            slot_bytes,
            "{bytes} bytes"
        );
    }

    #[test]
    fn classes_are_the_powers_of_two() {
        check(8, 8);
        check(9, 16);
        check(16, 16);
        check(17, 32);
        check(2049, 4096);
        check(4096, 4096);
    }

    #[test]
    fn values_of_a_class_lie_side_by_side_across_a_reset() {
        let mut arena = Slab::new();
        let addresses = |arena: &Slab| -> Vec<usize> {
            (0..2000_u32)
                .map(|value| {
                    arena.alloc_str("between");
                    (&raw const *arena.alloc([value; 6])).addr()
                })
                .collect()
        };
        let before = addresses(&arena);
        // 24 bytes take a slot of 32; there are breaks only where a chunk ends.
        let breaks = before.windows(2).filter(|pair| pair[1] != pair[0] + 32);
        assert_eq!(breaks.count(), 4, "4, 4, 8, 16 and 32 KiB");
        let held_bytes = arena.held_bytes();
        arena.reset();
        assert_eq!(addresses(&arena), before);
        assert_eq!(arena.held_bytes(), held_bytes);
    }

    #[test]
    fn a_value_above_the_largest_class_is_freed_by_a_reset() {
        let mut arena = Slab::new();
        arena.alloc([0_u8; LARGEST_SLOT + 1]);
        let held_bytes = arena.held_bytes();
        assert!(held_bytes > LARGEST_SLOT);
        arena.reset();
        assert_eq!(arena.held_bytes(), held_bytes - LARGEST_SLOT - 1);
    }
}
