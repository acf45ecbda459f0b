//! Memory that is released all at once: one trait, several strategies.
//!
//! An arena hands out memory and takes all of it back in one [`reset`](Arena::reset) or when it
//! is dropped. It never runs destructors: the typed methods refuse values that need one when the
//! program is compiled, so nothing that owns a resource can be forgotten in one.
//!
//! | strategy | an allocation is | `reset` keeps |
//! |---|---|---|
//! | [`Bump`] | a pointer moved through a chunk | the largest chunk |
//! | [`Bumpalo`], [`BumpScope`] | the same, by well-known crates | the largest chunk |
//! | [`Slab`] | a pointer moved through a chunk of its size class | every chunk |
//! | [`Heap`] | a call of the global allocator | nothing |
//! | [`Pooled`] | one of the arena it guards, which a [`Pool`] keeps warm | what that arena keeps |
//! | [`Metered`] | one of the arena it wraps, counted and within a budget | what that arena keeps |
//! | [`Dropping`] | one of the arena it wraps, which drops values that need it | what that arena keeps |
//! | [`PerThread`] | one of this thread's arena | what those arenas keep |
//!
//! [`Typed`] holds values of one type instead, which it drops and can visit.
//!
//! All of them can be sent to another thread, and none but [`PerThread`] can be shared between
//! threads: it gives each thread an arena of its own. When values need not outlive the threads, take
//! an arena from a [`Pool`] in each.
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
mod bump_scope;
mod bumpalo;
mod chunk;
mod collections;
mod dropping;
mod heap;
mod huge;
mod metered;
mod per_thread;
mod pool;
mod slab;
mod typed;

pub use bump::{Bump, BumpStats, Scope};
pub use bump_scope::BumpScope;
pub use bumpalo::Bumpalo;
pub use collections::In;
pub use dropping::Dropping;
pub use heap::Heap;
pub use metered::{Counts, Metered, MeteredScope};
pub use per_thread::PerThread;
pub use pool::{Pool, PoolStats, Pooled};
pub use slab::Slab;
pub use typed::Typed;

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
/// Values that need dropping are refused when the program is compiled, because no arena would drop
/// them:
///
/// ```compile_fail,E0080
/// use arena::{Arena, Bump};
///
/// Bump::default().alloc(String::from("leaked"));
/// ```
///
/// Others need not be `Copy`:
///
/// ```
/// use arena::{Arena, Bump};
/// use std::cell::Cell;
///
/// struct Node<'a> {
///     next: Cell<Option<&'a Node<'a>>>,
/// }
///
/// let arena = Bump::default();
/// let last = &*arena.alloc(Node { next: Cell::new(None) });
/// let first = arena.alloc(Node { next: Cell::new(Some(last)) });
/// last.next.set(Some(first));
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

    /// Resizes an allocation without moving it, if the strategy can: to `new_bytes`, aligned as
    /// before. 0 bytes release it. Returns whether it did; if not, nothing has changed.
    ///
    /// [`Bump`] can when it is the newest allocation and there is room in its chunk.
    ///
    /// # Safety
    ///
    /// `start` was returned by this arena and is still valid; `old` is the layout it was returned for
    /// or resized to, or has fewer bytes than that. When this returns `true`, only the first `new_bytes`
    /// bytes stay valid.
    #[inline]
    unsafe fn resize_in_place(&self, start: NonNull<u8>, old: Layout, new_bytes: usize) -> bool {
        let _ = (start, old, new_bytes);
        false
    }

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
    fn alloc<T>(&self, value: T) -> &mut T {
        self.try_alloc(value)
            .unwrap_or_else(|error| exhausted(error))
    }

    /// Moves `value` into the arena; see [`alloc`](Self::alloc).
    ///
    /// # Errors
    ///
    /// Fails when no memory is left.
    #[inline]
    fn try_alloc<T>(&self, value: T) -> Result<&mut T, AllocError> {
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
    /// unused until the next reset; nothing else is lost, since the values need no dropping.
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
    fn alloc_slice_fill_with<T>(&self, len: usize, fill: impl FnMut(usize) -> T) -> &mut [T] {
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
    fn try_alloc_slice_fill_with<T>(
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

/// An arena that can release a part of what it holds: everything allocated in a scope.
///
/// The candidate that is rejected leaves no trace, the one that is accepted stays:
///
/// ```
/// use arena::{Arena, Bump, Scoped};
///
/// let arena = Bump::with_capacity(1000);
/// let words = ["fetch", "pa rse", "build"].map(|word| {
///     arena.attempt(|scope| {
///         let copy = scope.alloc_str(word);
///         if copy.contains(' ') { Err(()) } else { Ok(copy) }
///     })
/// });
/// let words: Vec<_> = words.into_iter().flatten().collect();
/// assert_eq!(words, ["fetch", "build"]);
/// assert_eq!(arena.stats().used_bytes, 8 + 8, "only these two");
/// ```
///
/// # Safety
///
/// What a scope allocated stays valid after [`keep`](Self::keep), until the arena that the scope was
/// opened from is reset or dropped. What others allocate meanwhile is not released with a scope.
pub unsafe trait Scoped: Arena {
    /// An arena that releases what it holds when it is dropped.
    type Scope<'a>: Scoped
    where
        Self: 'a;

    /// Opens a scope. When it is dropped, its memory is free again for this arena.
    ///
    /// A scope that is forgotten instead, as by [`std::mem::forget`], may leak what it added.
    fn scope(&self) -> Self::Scope<'_>;

    /// Closes `scope` without releasing anything: its memory is left to the arena it was opened from.
    ///
    /// Of use with raw pointers only, because the borrows of the scope end here; see
    /// [`attempt`](Self::attempt) for a value.
    fn keep<'a>(scope: Self::Scope<'a>)
    where
        Self: 'a;

    /// Runs `attempt` in a scope. Keeps everything that it allocated when it returns a value, and
    /// releases all of it when it returns an error or panics.
    ///
    /// The value may be a slice or a string but cannot borrow from the scope in turn: parts of it
    /// refer to each other by index.
    ///
    /// # Errors
    ///
    /// Fails when `attempt` does.
    ///
    /// # Examples
    ///
    /// ```
    /// use arena::{Arena, Bump, Scoped};
    ///
    /// let arena = Bump::default();
    /// let parse = |input: &str| {
    ///     arena.attempt(|scope| {
    ///         let digits = scope.alloc_str(input);
    ///         let number = digits.parse::<u32>().map_err(|_| digits.len())?;
    ///         Ok(scope.alloc(number))
    ///     })
    /// };
    /// assert_eq!(parse("12").copied(), Ok(12));
    /// assert_eq!(parse("twelve"), Err(6));
    /// ```
    ///
    /// Nothing borrowed from the scope leaves it in another way:
    ///
    /// ```compile_fail
    /// use arena::{Arena, Bump, Scoped};
    ///
    /// let arena = Bump::default();
    /// let mut smuggled = None;
    /// let _: Result<&mut u32, ()> = arena.attempt(|scope| {
    ///     smuggled = Some(scope.alloc(1));
    ///     Err(())
    /// });
    /// *smuggled.unwrap() = 2;
    /// ```
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "every call returns memory of its own")]
    fn attempt<T: ?Sized, E>(
        &self,
        attempt: impl for<'s> FnOnce(&'s Self::Scope<'_>) -> Result<&'s mut T, E>,
    ) -> Result<&mut T, E> {
        let scope = self.scope();
        let mut kept = NonNull::from(attempt(&scope)?);
        Self::keep(scope);
        // SAFETY: needs a value that is valid and borrowed by nobody else as long as `self` is
        // borrowed. `attempt` cannot choose the lifetime of its result, so what it returned is
        // either valid for every lifetime that the scope can be borrowed for, or memory of the
        // scope. The first outlives `self`'s borrow, because a scope may be borrowed as long as
        // that; the second stays valid by the contract of this trait. A scope lends nothing else
        // mutably, being shared itself. The value was an exclusive borrow and is lent once.
        Ok(unsafe { kept.as_mut() })
    }
}

/// Stops the compilation for types that need dropping.
const fn refuse_drop<T>() {
    assert!(
        !std::mem::needs_drop::<T>(),
        "this type needs dropping, which an arena never does"
    );
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
fn try_alloc_uninit<A: Arena + ?Sized, T>(arena: &A) -> Result<&mut MaybeUninit<T>, AllocError> {
    const { refuse_drop::<T>() };
    let mut start = try_alloc_memory(arena, Layout::new::<T>())?.cast();
    // SAFETY: needs memory for a `MaybeUninit<T>`, aligned, not shared and valid as long as `arena`
    // is borrowed: promised by `Arena` for a layout of that type, and any bytes are a valid
    // `MaybeUninit`. `reset` needs `&mut` of the arena and so ends the borrow.
    Ok(unsafe { start.as_mut() })
}

#[inline(always)]
#[expect(clippy::mut_from_ref, reason = "every call returns memory of its own")]
fn try_alloc_uninit_slice<A: Arena + ?Sized, T>(
    arena: &A,
    len: usize,
) -> Result<&mut [MaybeUninit<T>], AllocError> {
    const { refuse_drop::<T>() };
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
