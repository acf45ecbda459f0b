//! An arena that drops values which own something.

use std::alloc::Layout;
use std::cell::Cell;
use std::ptr::NonNull;

use crate::{AllocError, Arena, exhausted, try_alloc_memory};

/// An arena that also takes values which need dropping, and drops them when it is reset or dropped:
/// the newest first.
///
/// Such a value costs three words more and a call when it is dropped; all others are allocated as
/// from the arena within. A value that panics when it is dropped does not keep the others from
/// being dropped.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
///
/// use arena::{Arena, Bump, Dropping};
///
/// let owned = Arc::new("resource");
/// let mut arena = Dropping::new(Bump::default());
/// let kept = arena.alloc_drop(Arc::clone(&owned));
/// assert_eq!(**kept, "resource");
/// arena.alloc(7);
/// assert_eq!(Arc::strong_count(&owned), 2);
/// arena.reset();
/// assert_eq!(Arc::strong_count(&owned), 1);
/// ```
///
/// Because a value might look at others in its destructor, it cannot borrow from the arena:
///
/// ```compile_fail,E0597
/// use arena::{Arena, Bump, Dropping};
///
/// let arena = Dropping::new(Bump::default());
/// let name = arena.alloc_str("name");
/// arena.alloc_drop(vec![&*name]);
/// ```
#[derive(Debug, Default)]
pub struct Dropping<A> {
    arena: A,
    /// The newest entry.
    ///
    /// Invariant: it and those linked from it lie in memory of `arena`, each the first field of a
    /// [`Droppable`] whose value has not been dropped.
    newest: Cell<Option<NonNull<Entry>>>,
}

struct Entry {
    older: Option<NonNull<Entry>>,
    /// Drops the value of the [`Droppable`] that this entry is the first field of.
    drop: unsafe fn(NonNull<Entry>),
}

#[repr(C)]
struct Droppable<T> {
    entry: Entry,
    value: T,
}

// SAFETY: values in the list are `Send`, so they may be dropped on another thread; nobody else has
// pointers to the entries.
unsafe impl<A: Send> Send for Dropping<A> {}

impl<A: Arena> Dropping<A> {
    /// Keeps values in `arena`.
    pub fn new(arena: A) -> Self {
        Self {
            arena,
            newest: Cell::new(None),
        }
    }

    /// Moves `value` into the arena, which will drop it.
    ///
    /// # Panics
    ///
    /// Panics when no memory is left; see [`try_alloc_drop`](Self::try_alloc_drop).
    #[inline]
    pub fn alloc_drop<T: Send + 'static>(&self, value: T) -> &mut T {
        self.try_alloc_drop(value)
            .unwrap_or_else(|error| exhausted(error))
    }

    /// Moves `value` into the arena, which will drop it; see [`alloc_drop`](Self::alloc_drop).
    ///
    /// # Errors
    ///
    /// Fails when no memory is left; `value` is dropped then.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "every call returns memory of its own")]
    pub fn try_alloc_drop<T: Send + 'static>(&self, value: T) -> Result<&mut T, AllocError> {
        let place =
            try_alloc_memory(&self.arena, Layout::new::<Droppable<T>>())?.cast::<Droppable<T>>();
        let entry = Entry {
            older: self.newest.get(),
            drop: drop_value::<T>,
        };
        // SAFETY: needs memory for a `Droppable<T>`, aligned and nobody else's: just allocated for
        // that layout.
        unsafe { place.write(Droppable { entry, value }) };
        self.newest.set(Some(place.cast()));
        // SAFETY: needs a pointer to a `Droppable<T>`: written above. No reference is made, which would
        // cover the entry as well, that the list reads.
        let value = unsafe { &raw mut (*place.as_ptr()).value };
        // SAFETY: needs an initialised value that nobody else borrows while `self` is borrowed:
        // written above; the list touches it only in `drop_all`, which borrows `self` mutably.
        Ok(unsafe { &mut *value })
    }
}

impl<A> Dropping<A> {
    /// Drops all values, the newest first, the others also when one panics.
    fn drop_all(&mut self) {
        /// Goes on when dropping one has panicked.
        struct Rest<'list>(&'list Cell<Option<NonNull<Entry>>>);

        impl Drop for Rest<'_> {
            fn drop(&mut self) {
                while let Some(newest) = self.0.get() {
                    // SAFETY: needs an initialised entry that is not mutated: the invariant, and an
                    // entry never changes.
                    let &Entry { older, drop } = unsafe { newest.as_ref() };
                    self.0.set(older);
                    let rest = Rest(self.0);
                    // SAFETY: needs the entry of a value not dropped before: it has just left the
                    // list, where the invariant has such entries only.
                    unsafe { drop(newest) };
                    std::mem::forget(rest);
                }
            }
        }

        drop(Rest(&self.newest));
    }
}

impl<A> Drop for Dropping<A> {
    fn drop(&mut self) {
        // The arena goes afterwards, as a field.
        self.drop_all();
    }
}

/// Drops the value behind `entry`.
///
/// # Safety
///
/// `entry` is the first field of a `Droppable<T>` whose value is initialised, is not dropped again,
/// and is not borrowed.
unsafe fn drop_value<T>(entry: NonNull<Entry>) {
    let droppable = entry.cast::<Droppable<T>>().as_ptr();
    // SAFETY: needs a pointer to a `Droppable<T>`: `repr(C)` puts its first field at its start.
    let value = unsafe { &raw mut (*droppable).value };
    // SAFETY: needs an initialised value that is not dropped again and not borrowed: the contract.
    unsafe { value.drop_in_place() };
}

// SAFETY: every allocation is one of the arena within, which is borrowed only together with `self`,
// mutably only by `reset`.
unsafe impl<A: Arena> Arena for Dropping<A> {
    #[inline]
    fn try_alloc_layout(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.arena.try_alloc_layout(layout)
    }

    /// Drops the values that need it, the newest first, and resets the arena within.
    fn reset(&mut self) {
        self.drop_all();
        self.arena.reset();
    }

    fn held_bytes(&self) -> usize {
        self.arena.held_bytes()
    }

    #[inline]
    unsafe fn resize_in_place(&self, start: NonNull<u8>, old: Layout, new_bytes: usize) -> bool {
        // SAFETY: the contract is the same, for the same allocation.
        unsafe { self.arena.resize_in_place(start, old, new_bytes) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};
    use std::sync::{Arc, Mutex};

    use crate::{Bump, Heap};

    type Log = Arc<Mutex<Vec<u32>>>;

    /// Notes its number when it is dropped.
    struct Noted(u32, Log);

    impl Drop for Noted {
        fn drop(&mut self) {
            self.1.lock().unwrap().push(self.0);
        }
    }

    struct Panics(#[expect(dead_code, reason = "dropped")] Noted);

    impl Drop for Panics {
        fn drop(&mut self) {
            panic!("cannot be dropped");
        }
    }

    #[test]
    fn values_are_dropped_once_the_newest_first() {
        let log = Log::default();
        let mut arena = Dropping::new(Bump::default());
        for number in 0..3 {
            arena.alloc([number; 7]);
            arena.alloc_drop(Noted(number, Arc::clone(&log)));
        }
        arena.reset();
        assert_eq!(*log.lock().unwrap(), [2, 1, 0]);
        arena.alloc_drop(Noted(3, Arc::clone(&log)));
        std::thread::scope(|scope| scope.spawn(|| drop(arena)).join().unwrap());
        assert_eq!(*log.lock().unwrap(), [2, 1, 0, 3]);
    }

    #[test]
    fn a_value_that_panics_when_dropped_does_not_keep_the_others() {
        let log = Log::default();
        let mut arena = Dropping::new(Heap::default());
        arena.alloc_drop(Noted(0, Arc::clone(&log)));
        arena.alloc_drop(Panics(Noted(1, Arc::clone(&log))));
        arena.alloc_drop(Noted(2, Arc::clone(&log)));
        assert!(catch_unwind(AssertUnwindSafe(|| arena.reset())).is_err());
        assert_eq!(*log.lock().unwrap(), [2, 1, 0]);
        drop(arena);
        assert_eq!(log.lock().unwrap().len(), 3);
    }

    #[test]
    fn values_without_size_are_dropped() {
        static DROPS: Mutex<u32> = Mutex::new(0);
        struct Empty;
        impl Drop for Empty {
            fn drop(&mut self) {
                *DROPS.lock().unwrap() += 1;
            }
        }
        let arena = Dropping::new(Bump::default());
        arena.alloc_drop(Empty);
        arena.alloc_drop(Empty);
        drop(arena);
        assert_eq!(*DROPS.lock().unwrap(), 2);
    }
}
