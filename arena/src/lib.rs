//! Memory that is released all at once: one trait, several strategies.
//!
//! An arena hands out memory and takes all of it back in one [`reset`](Arena::reset) or when it
//! is dropped. It never runs destructors: the typed methods accept only `Copy` values, so nothing
//! that owns a resource can be forgotten in one.
//!
//! | strategy | an allocation is | `reset` keeps |
//! |---|---|---|
//! | [`Bump`] | a pointer moved through a chunk | the largest chunk |
//! | [`Slab`] | a pointer moved through a chunk of its size class | every chunk |
//! | [`Heap`] | a call of the global allocator | nothing |
//! | [`Pooled`] | one of the arena it guards, which a [`Pool`] keeps warm | what that arena keeps |
//!
//! All of them can be sent to another thread and none can be shared between threads: give each
//! thread its own, from a [`Pool`] when the threads are short-lived.
//!
//! # Examples
//!
//! ```
//! use arena::{Arena, Bump};
//!
//! fn squares(arena: &impl Arena, count: usize) -> &[u64] {
//!     arena.alloc_slice_fill_with(count, |index| (index * index) as u64)
//! }
//!
//! let mut arena = Bump::default();
//! assert_eq!(squares(&arena, 4), [0, 1, 4, 9]);
//! arena.reset();
//! ```

mod block;
mod bump;
mod heap;
mod pool;
mod slab;

pub use bump::Bump;
pub use heap::Heap;
pub use pool::{Pool, PoolStats, Pooled};
pub use slab::Slab;

use std::alloc::Layout;
use std::mem::MaybeUninit;
use std::ptr::NonNull;
use std::{slice, str};

/// No memory was left for an allocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("out of memory: {bytes} bytes aligned to {align} were asked for")]
#[non_exhaustive]
pub struct AllocError {
    /// Size of the allocation that failed; `usize::MAX` when it does not fit that type.
    pub bytes: usize,
    /// Its alignment.
    pub align: usize,
}

impl AllocError {
    fn of(layout: Layout) -> Self {
        Self {
            bytes: layout.size(),
            align: layout.align(),
        }
    }
}

/// A strategy for handing out memory that is released all at once.
///
/// Values live until the arena is reset or dropped, and the borrow checker holds callers to it:
///
/// ```compile_fail,E0502
/// use arena::{Arena, Bump};
///
/// let mut arena = Bump::default();
/// let value = arena.alloc(1);
/// arena.reset();
/// *value = 2;
/// ```
///
/// Values that need dropping are refused, because no arena would drop them:
///
/// ```compile_fail,E0277
/// use arena::{Arena, Bump};
///
/// Bump::default().alloc(String::from("leaked"));
/// ```
///
/// # Safety
///
/// An implementation promises, for every pointer returned by
/// [`try_alloc_layout`](Self::try_alloc_layout):
///
/// - it is valid for reads and writes of `layout.size()` bytes, which may be 0, and aligned to
///   `layout.align()`;
/// - its bytes overlap no other allocation of the same arena that is still live;
/// - it stays valid, and does not move when the arena is moved, until [`reset`](Self::reset) is
///   called or the arena is dropped.
pub unsafe trait Arena {
    /// Allocates memory for `layout`, uninitialised.
    ///
    /// # Errors
    ///
    /// Fails when no memory is left. The arena stays usable, and what it handed out stays valid.
    fn try_alloc_layout(&self, layout: Layout) -> Result<NonNull<u8>, AllocError>;

    /// Releases everything allocated so far; what the strategy keeps for reuse is documented on it.
    fn reset(&mut self);

    /// Bytes the arena holds from the global allocator, in use or kept for reuse, its bookkeeping
    /// included.
    ///
    /// For statistics and tests: may visit every chunk.
    fn held_bytes(&self) -> usize;

    /// Moves `value` into the arena.
    ///
    /// A zero-sized value takes no memory.
    ///
    /// # Panics
    ///
    /// Panics when no memory is left; see [`try_alloc`](Self::try_alloc).
    ///
    /// # Examples
    ///
    /// ```
    /// use arena::{Arena, Bump};
    ///
    /// let arena = Bump::default();
    /// let point = arena.alloc((1.0, 2.0));
    /// point.0 += 4.0;
    /// assert_eq!(*point, (5.0, 2.0));
    /// ```
    #[inline]
    fn alloc<T: Copy>(&self, value: T) -> &mut T {
        self.try_alloc(value)
            .unwrap_or_else(|error| exhausted(error))
    }

    /// Moves `value` into the arena; see [`alloc`](Self::alloc).
    ///
    /// # Errors
    ///
    /// Fails when no memory is left.
    #[inline]
    fn try_alloc<T: Copy>(&self, value: T) -> Result<&mut T, AllocError> {
        let place: &mut MaybeUninit<T> = try_alloc_uninit(self)?;
        Ok(place.write(value))
    }

    /// Copies `values` into the arena.
    ///
    /// An empty slice takes no memory. Takes O(`values.len()`) time.
    ///
    /// # Panics
    ///
    /// Panics when no memory is left; see [`try_alloc_slice_copy`](Self::try_alloc_slice_copy).
    ///
    /// # Examples
    ///
    /// ```
    /// use arena::{Arena, Slab};
    ///
    /// let arena = Slab::default();
    /// assert_eq!(arena.alloc_slice_copy(&[3, 1, 2]), [3, 1, 2]);
    /// ```
    #[inline]
    fn alloc_slice_copy<T: Copy>(&self, values: &[T]) -> &mut [T] {
        self.try_alloc_slice_copy(values)
            .unwrap_or_else(|error| exhausted(error))
    }

    /// Copies `values` into the arena; see [`alloc_slice_copy`](Self::alloc_slice_copy).
    ///
    /// # Errors
    ///
    /// Fails when no memory is left.
    #[inline]
    fn try_alloc_slice_copy<T: Copy>(&self, values: &[T]) -> Result<&mut [T], AllocError> {
        let places = try_alloc_uninit_slice(self, values.len())?;
        Ok(places.write_copy_of_slice(values))
    }

    /// Allocates a slice of `len` values, the one at `index` being `fill(index)`.
    ///
    /// An empty slice takes no memory. When `fill` panics, the memory reserved for the slice stays
    /// unused until the next reset; nothing else is lost, since `Copy` values need no dropping.
    ///
    /// # Panics
    ///
    /// Panics when no memory is left; see
    /// [`try_alloc_slice_fill_with`](Self::try_alloc_slice_fill_with).
    ///
    /// # Examples
    ///
    /// ```
    /// use arena::{Arena, Bump};
    ///
    /// let arena = Bump::default();
    /// assert_eq!(arena.alloc_slice_fill_with(3, |index| 10 * index), [0, 10, 20]);
    /// ```
    #[inline]
    fn alloc_slice_fill_with<T: Copy>(&self, len: usize, fill: impl FnMut(usize) -> T) -> &mut [T] {
        self.try_alloc_slice_fill_with(len, fill)
            .unwrap_or_else(|error| exhausted(error))
    }

    /// Allocates a slice filled by index; see
    /// [`alloc_slice_fill_with`](Self::alloc_slice_fill_with).
    ///
    /// # Errors
    ///
    /// Fails when no memory is left, without calling `fill`.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "every call returns memory of its own")]
    fn try_alloc_slice_fill_with<T: Copy>(
        &self,
        len: usize,
        mut fill: impl FnMut(usize) -> T,
    ) -> Result<&mut [T], AllocError> {
        let places = try_alloc_uninit_slice(self, len)?;
        for (index, place) in places.iter_mut().enumerate() {
            place.write(fill(index));
        }
        // SAFETY: needs every value initialised: the loop above wrote all of them.
        Ok(unsafe { places.assume_init_mut() })
    }

    /// Copies `string` into the arena.
    ///
    /// An empty string takes no memory. Takes O(`string.len()`) time.
    ///
    /// # Panics
    ///
    /// Panics when no memory is left; see [`try_alloc_str`](Self::try_alloc_str).
    ///
    /// # Examples
    ///
    /// ```
    /// use arena::{Arena, Bump};
    ///
    /// let arena = Bump::default();
    /// let name = String::from("fetch");
    /// let kept = arena.alloc_str(&name);
    /// drop(name);
    /// assert_eq!(kept, "fetch");
    /// ```
    #[inline]
    fn alloc_str(&self, string: &str) -> &mut str {
        self.try_alloc_str(string)
            .unwrap_or_else(|error| exhausted(error))
    }

    /// Copies `string` into the arena; see [`alloc_str`](Self::alloc_str).
    ///
    /// # Errors
    ///
    /// Fails when no memory is left.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "every call returns memory of its own")]
    fn try_alloc_str(&self, string: &str) -> Result<&mut str, AllocError> {
        let bytes = self.try_alloc_slice_copy(string.as_bytes())?;
        // SAFETY: needs UTF-8: the bytes are a copy of a `str`.
        Ok(unsafe { str::from_utf8_unchecked_mut(bytes) })
    }
}

/// Memory for `layout`, or a dangling pointer aligned to it when it is of size 0.
///
/// Inlined everywhere, so that a layout known where a typed method is called is still known where
/// the strategy computes with it.
#[inline(always)]
fn try_alloc_memory<A: Arena + ?Sized>(
    arena: &A,
    layout: Layout,
) -> Result<NonNull<u8>, AllocError> {
    if layout.size() == 0 {
        return Ok(layout.dangling_ptr());
    }
    arena.try_alloc_layout(layout)
}

#[inline(always)]
#[expect(clippy::mut_from_ref, reason = "every call returns memory of its own")]
fn try_alloc_uninit<A: Arena + ?Sized, T: Copy>(
    arena: &A,
) -> Result<&mut MaybeUninit<T>, AllocError> {
    let mut start = try_alloc_memory(arena, Layout::new::<T>())?.cast();
    // SAFETY: needs memory for a `MaybeUninit<T>`, aligned, not shared and valid as long as `arena`
    // is borrowed: promised by `Arena` for a layout of that type, and any bytes are a valid
    // `MaybeUninit`. `reset` needs `&mut` of the arena and so ends the borrow.
    Ok(unsafe { start.as_mut() })
}

#[inline(always)]
#[expect(clippy::mut_from_ref, reason = "every call returns memory of its own")]
fn try_alloc_uninit_slice<A: Arena + ?Sized, T: Copy>(
    arena: &A,
    len: usize,
) -> Result<&mut [MaybeUninit<T>], AllocError> {
    let Ok(layout) = Layout::array::<T>(len) else {
        return Err(too_large::<T>(len));
    };
    let start = try_alloc_memory(arena, layout)?.cast();
    // SAFETY: as in `try_alloc_uninit`, for `len` values; `Layout::array` checked that their size
    // fits an `isize`.
    Ok(unsafe { slice::from_raw_parts_mut(start.as_ptr(), len) })
}

#[cold]
#[inline(never)]
fn too_large<T>(len: usize) -> AllocError {
    AllocError {
        bytes: size_of::<T>().saturating_mul(len),
        align: align_of::<T>(),
    }
}

#[cold]
#[inline(never)]
fn exhausted(error: AllocError) -> ! {
    panic!("{error}")
}
