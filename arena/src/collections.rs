//! Collections whose memory is in an arena.

use std::alloc::Layout;
use std::ptr::NonNull;

use allocator_api2::alloc::{AllocError, Allocator};

use crate::{Arena, try_alloc_memory};

/// An arena as the allocator of a collection: of `allocator_api2`'s `Vec` and `Box`, or of
/// `hashbrown`'s `HashMap`.
///
/// A collection that is the newest thing in a [`Bump`](crate::Bump) grows in place. Otherwise
/// growing copies, and the memory from before stays unused until the next reset, as does what is
/// freed: the arena holds up to twice what such a collection needs.
///
/// # Examples
///
/// ```
/// use allocator_api2::vec::Vec;
/// use arena::{Arena, Bump, In};
/// use hashbrown::HashMap;
///
/// let arena = Bump::with_capacity(10_000);
/// let mut squares = Vec::new_in(In(&arena));
/// squares.extend(0..1000_u64);
/// assert_eq!(arena.stats().used_bytes, 8 * squares.capacity(), "it has grown in place");
///
/// let mut places = HashMap::new_in(In(&arena));
/// for (place, name) in ["fetch", "parse"].into_iter().enumerate() {
///     places.insert(arena.alloc_str(name), place);
/// }
/// assert_eq!(places["parse"], 1);
/// ```
#[derive(Debug)]
pub struct In<'arena, A: ?Sized>(pub &'arena A);

impl<A: ?Sized> Clone for In<'_, A> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A: ?Sized> Copy for In<'_, A> {}

// SAFETY: memory of an arena stays valid, wherever `In` is moved, until the arena is reset or
// dropped, which needs the borrow in all copies of `In` to be over. All of them are the same arena,
// so what one returned another may resize.
unsafe impl<A: Arena + ?Sized> Allocator for In<'_, A> {
    #[inline]
    fn allocate(&self, layout: Layout) -> Result<NonNull<[u8]>, AllocError> {
        let start = try_alloc_memory(self.0, layout).map_err(|_| AllocError)?;
        Ok(NonNull::slice_from_raw_parts(start, layout.size()))
    }

    #[inline]
    unsafe fn deallocate(&self, start: NonNull<u8>, layout: Layout) {
        if layout.size() > 0 {
            // SAFETY: needs a valid allocation of this arena for `layout`: the caller's contract;
            // of 0 bytes it would be none of the arena.
            unsafe { self.0.resize_in_place(start, layout, 0) };
        }
    }

    #[inline]
    unsafe fn grow(
        &self,
        start: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: the contract is the same, and implies that of `shrink` but for the sizes.
        unsafe { self.resize(start, old, new) }
    }

    #[inline]
    unsafe fn shrink(
        &self,
        start: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        // SAFETY: the contract is the same, and implies that of `grow` but for the sizes.
        unsafe { self.resize(start, old, new) }
    }
}

impl<A: Arena + ?Sized> In<'_, A> {
    /// Resizes in place, or moves to a new allocation.
    ///
    /// # Safety
    ///
    /// `start` is a valid allocation of this arena for `old`, or of 0 bytes.
    #[inline]
    unsafe fn resize(
        &self,
        start: NonNull<u8>,
        old: Layout,
        new: Layout,
    ) -> Result<NonNull<[u8]>, AllocError> {
        if new.size() == 0 {
            // SAFETY: the contract is the same.
            unsafe { self.deallocate(start, old) };
            return self.allocate(new);
        }
        let same_place = old.size() > 0
            && start.addr().get().is_multiple_of(new.align())
            // SAFETY: needs a valid allocation of this arena for `old`: the caller's contract.
            && (unsafe { self.0.resize_in_place(start, old, new.size()) }
                // What is too much stays where it is, unused.
                || new.size() <= old.size());
        if same_place {
            return Ok(NonNull::slice_from_raw_parts(start, new.size()));
        }
        let moved = self.allocate(new)?;
        let bytes = old.size().min(new.size());
        // SAFETY: needs `bytes` bytes valid to read at `start` and to write at `moved`, which do not
        // overlap: both allocations have at least as many, and the old one is still valid.
        unsafe { start.copy_to_nonoverlapping(moved.cast(), bytes) };
        Ok(moved)
    }
}
