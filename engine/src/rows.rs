//! Growing arrays of what is known of each node.
//!
//! Room that is asked for at first is in a block of the graph's arena, where the arrays then stay
//! when the graph is frozen. Who asks for none, or for too little, gets arrays of the global
//! allocator, which move when they grow and are copied in the end.
//!
//! One block instead of many is what makes large graphs cheap. The C library gives memory back to
//! the system when more of it is free at the end of its heap than twice the largest block it ever
//! mapped, and a page that has to be fetched again costs about a microsecond. With more than half of
//! all bytes in one block that does not happen from the second graph on: 100 000 nodes of a chain took
//! 1533 page faults and 32 ns a node with a vector for each array, and 6 and 12 this way (2026-11,
//! 2-core x86-64 VM, glibc 2.36, medians of processes in turn).

use std::ptr::NonNull;
use std::slice;

use arena::Arena;

use crate::dag::{Join, Target};
use crate::slice::{ArenaSlice, Block};
use crate::work::Work;

/// Arrays of equal length, with one look at the room that is left for all of them.
///
/// Invariant: each pointer is valid for reads and writes of `capacity` values, of which the first
/// `len` are initialised, and nothing else uses them. While there is a block, works and counts are
/// in memory that was cut from it, counts with room for half as many again; all others are in
/// `_memory`.
pub(crate) struct Rows {
    works: NonNull<Work>,
    counts: NonNull<u32>,
    progress: NonNull<Progress>,
    len: usize,
    capacity: usize,
    /// A vector of no values, for its memory.
    _memory: Vec<u64>,
    /// What is left of that of works and counts.
    block: Option<Block>,
}

// SAFETY: `Rows` is used like vectors: nothing else has pointers to these values, all of which can
// be sent, so moving it to another thread moves them.
unsafe impl Send for Rows {}
// SAFETY: a `&Rows` hands out `&[T]` only, and all values can be shared.
unsafe impl Sync for Rows {}

/// What is known of a node until the graph is frozen.
#[derive(Clone, Copy)]
pub(crate) struct Progress {
    /// 1 for a root; 1 more than the greatest of its dependencies for any other node.
    pub(crate) level: u32,
    /// The last node that depends on it: how a dependency named twice is found.
    pub(crate) last_dependent: u32,
}

impl Default for Rows {
    fn default() -> Self {
        Self::with_capacity(0)
    }
}

impl Rows {
    /// With room for so many nodes, of the global allocator.
    pub(crate) fn with_capacity(nodes: usize) -> Self {
        let mut rows = Self {
            works: NonNull::dangling(),
            counts: NonNull::dangling(),
            progress: NonNull::dangling(),
            len: 0,
            capacity: 0,
            _memory: Vec::new(),
            block: None,
        };
        rows.own(nodes);
        rows
    }

    /// With room for so many nodes in the arena, and behind them for their offsets, for so many
    /// targets, for joins, since one has the room of the two targets it saves, and for so many bytes
    /// more. When the arena has no memory left, with room of the global allocator.
    ///
    /// # Safety
    ///
    /// The rows, and slices they become, must not be used after `arena` was reset or dropped.
    pub(crate) unsafe fn in_arena(
        arena: &impl Arena,
        nodes: usize,
        edges: usize,
        more_bytes: usize,
    ) -> Self {
        let bytes = Block::bytes::<Work>(nodes)
            + Block::bytes::<u32>(nodes + nodes / 2)
            + Block::bytes::<u32>(nodes + 1)
            + Block::bytes::<Target>(edges)
            + more_bytes;
        // SAFETY: the contract of this function.
        let Ok(mut block) = (unsafe { Block::new(arena, bytes) }) else {
            return Self::with_capacity(nodes);
        };
        let mut memory = Vec::with_capacity(words::<Progress>(nodes));
        Self {
            works: block.cut(nodes),
            counts: block.cut(nodes + nodes / 2),
            progress: start(&mut memory).cast(),
            len: 0,
            capacity: nodes,
            _memory: memory,
            block: Some(block),
        }
    }

    /// Number of nodes.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// Room for nodes.
    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Adds a node.
    #[inline]
    pub(crate) fn push(&mut self, work: Work, count: u32, progress: Progress) {
        if self.len == self.capacity {
            self.grow();
        }
        let len = self.len;
        debug_assert!(len < self.capacity, "{len} rows");
        // SAFETY: there is room at `len`, which is less than `capacity`: looked at above, and `grow`
        // makes room.
        unsafe { put(self.works, len, work) };
        // SAFETY: as above.
        unsafe { put(self.counts, len, count) };
        // SAFETY: as above.
        unsafe { put(self.progress, len, progress) };
        self.len = len + 1;
    }

    /// Removes all nodes.
    pub(crate) fn clear(&mut self) {
        self.len = 0;
    }

    pub(crate) fn works(&self) -> &[Work] {
        // SAFETY: the invariant; `&self` excludes writes.
        unsafe { slice::from_raw_parts(self.works.as_ptr(), self.len) }
    }

    /// By node, how many nodes it depends on.
    #[inline]
    pub(crate) fn counts(&self) -> &[u32] {
        // SAFETY: as in `works`.
        unsafe { slice::from_raw_parts(self.counts.as_ptr(), self.len) }
    }

    #[inline]
    pub(crate) fn progress(&self) -> &[Progress] {
        // SAFETY: as in `works`.
        unsafe { slice::from_raw_parts(self.progress.as_ptr(), self.len) }
    }

    #[inline]
    pub(crate) fn progress_mut(&mut self) -> &mut [Progress] {
        // SAFETY: the invariant; `&mut self` excludes all else.
        unsafe { slice::from_raw_parts_mut(self.progress.as_ptr(), self.len) }
    }

    /// Takes the works, the counts with those of the joins behind them, and what of their block is
    /// left; nothing when they are not in the arena.
    ///
    /// # Panics
    ///
    /// Panics when there are more joins than half of the nodes.
    pub(crate) fn take_slices(
        &mut self,
        joins: &[Join],
    ) -> Option<(ArenaSlice<Work>, ArenaSlice<u32>, Block)> {
        assert!(joins.len() <= self.len / 2, "{} joins", joins.len());
        let block = self.block.take()?;
        for (join, index) in joins.iter().zip(self.len..) {
            let count = self.counts()[join.first as usize];
            // SAFETY: as long as there was a block, `counts` has room for half as many again as
            // `capacity`, which is not less than `len`.
            unsafe { put(self.counts, index, count) };
        }
        let len = std::mem::take(&mut self.len);
        // The invariant, now without works and counts.
        self.capacity = 0;
        // SAFETY: in memory of the block and initialised, by the invariant; nothing else uses it,
        // now that there is no row.
        let works = unsafe { ArenaSlice::new(self.works, len) };
        // SAFETY: as above, and initialised behind the nodes by the loop.
        let counts = unsafe { ArenaSlice::new(self.counts, len + joins.len()) };
        Some((works, counts, block))
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) {
        // Room that is not used is never touched.
        self.own((4 * self.capacity).max(4));
    }

    /// Moves everything to new memory of the global allocator, with room for `capacity` nodes, no
    /// less than there are.
    fn own(&mut self, capacity: usize) {
        let (works_words, progress_words) = (words::<Work>(capacity), words::<Progress>(capacity));
        let mut memory = Vec::with_capacity(works_words + progress_words + words::<u32>(capacity));
        let works = start(&mut memory);
        // SAFETY: in the memory of the vector or at its end: it has room for both and counts.
        let progress = unsafe { works.add(works_words) };
        // SAFETY: as above.
        let counts = unsafe { progress.add(progress_words) };
        let (works, progress, counts) = (works.cast(), progress.cast(), counts.cast());
        // SAFETY: `len` values are read from where they are, by the invariant, and written to new
        // memory with room for `capacity` of each, which is aligned for words and so for all three.
        unsafe { works.copy_from_nonoverlapping(self.works, self.len) };
        // SAFETY: as above.
        unsafe { progress.copy_from_nonoverlapping(self.progress, self.len) };
        // SAFETY: as above.
        unsafe { counts.copy_from_nonoverlapping(self.counts, self.len) };
        *self = Self {
            works,
            counts,
            progress,
            len: self.len,
            capacity,
            _memory: memory,
            block: None,
        };
    }
}

/// Words that `len` values take.
const fn words<T>(len: usize) -> usize {
    const { assert!(align_of::<T>() <= align_of::<u64>()) };
    Block::bytes::<T>(len) / size_of::<u64>()
}

/// Writes a value behind `index` others.
///
/// # Safety
///
/// `start` is valid for writes of more than `index` values.
#[inline]
unsafe fn put<T: Copy>(start: NonNull<T>, index: usize, value: T) {
    // SAFETY: the contract of this function: the place is in the same memory.
    let place = unsafe { start.add(index) };
    // SAFETY: the contract of this function; a `NonNull` of values of a `Vec` or a `Block` is
    // aligned.
    unsafe { place.write(value) };
}

/// Where the memory of a vector begins.
fn start(vector: &mut Vec<u64>) -> NonNull<u64> {
    NonNull::new(vector.as_mut_ptr()).expect("no vector begins at null")
}

#[cfg(test)]
mod tests {
    use super::*;
    use arena::Bump;

    /// Adds `count` nodes, the one at `index` with `index` dependencies, at level `index + 1`.
    fn fill(rows: &mut Rows, count: usize) {
        for index in rows.len()..count {
            let index = index as u32;
            let progress = Progress {
                level: index + 1,
                last_dependent: index,
            };
            rows.push(Work::nothing(), index, progress);
        }
    }

    #[track_caller]
    fn check(rows: &mut Rows, count: usize) {
        assert_eq!(rows.len(), count);
        assert_eq!(rows.works().len(), count);
        assert!(rows.counts().iter().copied().eq(0..count as u32));
        for progress in rows.progress_mut() {
            progress.last_dependent = progress.level;
        }
        let progress = rows.progress().iter();
        assert!(
            progress
                .clone()
                .map(|progress| progress.level)
                .eq(1..=count as u32)
        );
        assert!(
            progress
                .map(|progress| progress.last_dependent)
                .eq(1..=count as u32)
        );
    }

    #[test]
    fn rows_that_fit_stay_in_the_arena() {
        let arena = Bump::default();
        // SAFETY: `arena` is dropped after the rows.
        let mut rows = unsafe { Rows::in_arena(&arena, 5, 3, 0) };
        fill(&mut rows, 5);
        check(&mut rows, 5);
        let joins = [
            Join {
                first: 1,
                members: 2,
            },
            Join {
                first: 3,
                members: 2,
            },
        ];
        let (works, counts, block) = rows.take_slices(&joins).unwrap();
        assert!(rows.take_slices(&[]).is_none());
        fill(&mut rows, 2);
        check(&mut rows, 2);
        assert_eq!(works.len(), 5);
        assert_eq!(*counts, [0, 1, 2, 3, 4, 1, 3]);
        assert_eq!(block.bytes_left(), 6 * 4 + 16);
    }

    #[test]
    fn rows_that_do_not_fit_move_with_all_they_hold() {
        let arena = Bump::default();
        for room in [0, 1, 3] {
            // SAFETY: `arena` is dropped after the rows.
            let mut rows = unsafe { Rows::in_arena(&arena, room, 0, 0) };
            for count in [room, room + 1, 100] {
                fill(&mut rows, count);
                check(&mut rows, count);
            }
            assert!(rows.take_slices(&[]).is_none());
        }
    }

    #[test]
    fn rows_without_an_arena_grow_and_can_be_filled_again() {
        let mut rows = Rows::default();
        for count in [9, 0, 20] {
            rows.clear();
            fill(&mut rows, count);
            check(&mut rows, count);
        }
        let mut moved = std::thread::spawn(|| rows).join().unwrap();
        check(&mut moved, 20);
    }

    #[test]
    fn arena_that_has_no_memory_is_done_without() {
        struct Full;

        // SAFETY: never returns a pointer.
        unsafe impl Arena for Full {
            fn try_alloc_layout(
                &self,
                layout: std::alloc::Layout,
            ) -> Result<NonNull<u8>, arena::AllocError> {
                // The error of one that has none left for so much.
                Bump::default().try_alloc_layout(
                    std::alloc::Layout::from_size_align(isize::MAX as usize - 7, layout.align())
                        .expect("a layout"),
                )
            }

            fn reset(&mut self) {}

            fn held_bytes(&self) -> usize {
                0
            }
        }

        // SAFETY: nothing of the arena is used.
        let mut rows = unsafe { Rows::in_arena(&Full, 3, 3, 0) };
        fill(&mut rows, 4);
        check(&mut rows, 4);
    }
}
