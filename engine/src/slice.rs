//! Slices of plain values in memory of an arena.
//!
//! This is where the arrays of a graph lose the lifetime of their arena. The graph keeps the arena
//! beside the slices, which is the one thing [`Block::new`] asks for.

use std::alloc::Layout;
use std::ops::{Deref, DerefMut};
use std::ptr::NonNull;

use arena::{AllocError, Arena};

/// Memory of an arena, taken at once and cut into slices.
pub(crate) struct Block {
    next: NonNull<u8>,
    bytes_left: usize,
}

/// Every slice begins at a multiple of this.
const ALIGN: usize = 8;

impl Block {
    /// Memory for slices that need `bytes` together, as [`bytes`](Self::bytes) tells for each.
    ///
    /// # Panics
    ///
    /// Panics when so many bytes fit no address space.
    ///
    /// # Safety
    ///
    /// Slices of the block must not be used after `arena` was reset or dropped.
    pub(crate) unsafe fn new(arena: &impl Arena, bytes: usize) -> Result<Self, AllocError> {
        let layout = Layout::from_size_align(bytes, ALIGN).expect("a graph fits an address space");
        Ok(Self {
            next: arena.try_alloc_layout(layout)?,
            bytes_left: bytes,
        })
    }

    /// What a slice of `len` values takes; the sum of 16 of these fits `usize`.
    ///
    /// # Panics
    ///
    /// Panics when so many bytes fit no address space.
    pub(crate) const fn bytes<T>(len: usize) -> usize {
        match len.checked_mul(size_of::<T>()) {
            Some(bytes) if bytes < usize::MAX / 16 - ALIGN => bytes.next_multiple_of(ALIGN),
            _ => panic!("a graph fits an address space"),
        }
    }

    /// What is left for slices.
    pub(crate) fn bytes_left(&self) -> usize {
        self.bytes_left
    }

    /// Cuts off a slice that is a copy of `values`.
    ///
    /// # Panics
    ///
    /// Panics when the block was made too small.
    pub(crate) fn copy<T: Copy>(&mut self, values: &[T]) -> ArenaSlice<T> {
        let start = self.cut::<T>(values.len());
        // SAFETY: `cut` took memory of its own for as many values, valid for writes and aligned.
        unsafe { start.copy_from_nonoverlapping(NonNull::from(values).cast(), values.len()) };
        ArenaSlice {
            start,
            len: values.len(),
        }
    }

    /// Cuts off a slice of `len` values, each made by `value` from its index.
    ///
    /// # Panics
    ///
    /// Panics when the block was made too small.
    pub(crate) fn slice<T: Copy>(
        &mut self,
        len: usize,
        mut value: impl FnMut(usize) -> T,
    ) -> ArenaSlice<T> {
        let start = self.cut::<T>(len);
        for index in 0..len {
            // SAFETY: `cut` took memory for `len` values.
            let slot = unsafe { start.add(index) };
            let value = value(index);
            // SAFETY: the slot is valid for writes and aligned, as `cut` promises.
            unsafe { slot.write(value) };
        }
        ArenaSlice { start, len }
    }

    /// Takes memory for `len` values, which is valid for writes, aligned, and nobody else's.
    ///
    /// # Panics
    ///
    /// Panics when the block was made too small.
    pub(crate) fn cut<T>(&mut self, len: usize) -> NonNull<T> {
        const { assert!(align_of::<T>() <= ALIGN) };
        let bytes = Self::bytes::<T>(len);
        assert!(
            bytes <= self.bytes_left,
            "a slice of {bytes} bytes in a block with {} left",
            self.bytes_left
        );
        // Valid for writes by the contract of `Arena`, and aligned: `next` is always a multiple of
        // `ALIGN`, which `T` needs no more than.
        let start = self.next.cast::<T>();
        // SAFETY: no more than the bytes left, which was checked, so this stays in the block or at
        // its end.
        self.next = unsafe { self.next.add(bytes) };
        self.bytes_left -= bytes;
        start
    }
}

/// A slice in an arena, without the lifetime of that arena.
pub(crate) struct ArenaSlice<T> {
    start: NonNull<T>,
    len: usize,
}

// SAFETY: an `ArenaSlice` is used like a `Box<[T]>`: it is the only pointer to its elements, so
// moving it to another thread moves them.
unsafe impl<T: Send> Send for ArenaSlice<T> {}
// SAFETY: a shared `ArenaSlice` only hands out `&[T]`.
unsafe impl<T: Sync> Sync for ArenaSlice<T> {}

impl<T> ArenaSlice<T> {
    /// The slice of `len` values that begins at `start`.
    ///
    /// # Safety
    ///
    /// The values are initialised and in memory that [`Block::cut`] has taken, and nothing else
    /// uses them.
    pub(crate) unsafe fn new(start: NonNull<T>, len: usize) -> Self {
        Self { start, len }
    }
}

impl<T> Deref for ArenaSlice<T> {
    type Target = [T];

    #[inline]
    fn deref(&self) -> &[T] {
        // SAFETY: `len` values from `start` on are initialised, by `Block` or who called `new`, and belong to this
        // slice alone; they live as long as the arena, which the caller of `Block::new` keeps;
        // `&self` excludes a mutable borrow.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.len) }
    }
}

impl<T> DerefMut for ArenaSlice<T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as in `deref`; `&mut self` is the only way to these values.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.len) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arena::Bump;

    #[test]
    fn slices_hold_what_was_written_to_them() {
        let arena = Bump::default();
        let bytes = Block::bytes::<u32>(3) + Block::bytes::<u64>(2) + Block::bytes::<u8>(0);
        // SAFETY: `arena` is dropped after the slices.
        let block = unsafe { Block::new(&arena, bytes) };
        let mut block = block.unwrap();
        let (mut first, second) = (
            block.slice(3, |_| 7_u32),
            block.slice(2, |index| index as u64),
        );
        let empty = block.slice(0, |_| 1_u8);
        first[1] = 8;
        assert_eq!(*first, [7, 8, 7]);
        assert_eq!(*second, [0, 1]);
        assert!(empty.is_empty());
    }

    #[test]
    #[should_panic(expected = "a graph fits an address space")]
    fn sizes_do_not_wrap_around() {
        // Times 16 this is 0.
        crate::IdBuilder::with_capacity(1 << (usize::BITS - 4), 0);
    }

    #[test]
    #[should_panic(expected = "a slice of 8 bytes in a block with 0 left")]
    fn block_that_is_too_small_is_noticed() {
        let arena = Bump::default();
        // SAFETY: `arena` is dropped after the block.
        let block = unsafe { Block::new(&arena, 0) };
        block.unwrap().slice(1, |_| 1_u8);
    }
}
