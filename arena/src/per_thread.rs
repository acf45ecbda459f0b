//! One arena per thread behind one owner.

use std::alloc::Layout;
use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::ptr::{self, NonNull};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{AllocError, Arena};

/// An arena that threads share, of which each allocates from an arena of its own.
///
/// What a thread allocates lives until all of it is reset or dropped, so it outlives the thread;
/// with a [`Pool`](crate::Pool) it would not. [`get`](Self::get) looks up the thread's arena once
/// for many allocations; allocating directly looks it up each time. After a reset the arenas, with
/// what they keep, go to the threads that ask first. The first use by a thread makes a place for its
/// arena, and ends the program when there is no memory for that.
///
/// # Examples
///
/// ```
/// use arena::{Arena, Bump, PerThread};
///
/// let mut arenas = PerThread::<Bump>::default();
/// let squares: Vec<&[usize]> = std::thread::scope(|scope| {
///     let square = |thread| {
///         let arena = arenas.get();
///         &*arena.alloc_slice_fill_with(3, |index| thread * index)
///     };
///     let threads: Vec<_> = (0..4).map(|thread| scope.spawn(move || square(thread))).collect();
///     threads.into_iter().map(|thread| thread.join().unwrap()).collect()
/// });
/// assert_eq!(squares[3], [0, 3, 6]);
/// arenas.reset();
/// ```
///
/// The arena of a thread stays on it:
///
/// ```compile_fail,E0277
/// use arena::{Bump, PerThread};
///
/// let arenas = PerThread::<Bump>::default();
/// let arena = arenas.get();
/// std::thread::scope(|scope| {
///     scope.spawn(|| arena);
/// });
/// ```
pub struct PerThread<A> {
    /// Never that of another `PerThread`, nor of this one before its last reset.
    number: u64,
    arenas: Mutex<Arenas<A>>,
}

/// Invariant: no arena leaves the map while the [`PerThread`] is shared. In an `Arc` each, because
/// that may be moved while what is in it is borrowed, which a `Box` may not.
struct Arenas<A> {
    by_thread: HashMap<u64, Arc<Apart<A>>>,
    /// Those from before the last reset that no thread has asked for since.
    idle: Vec<Arc<Apart<A>>>,
}

/// Aligned to two cache lines, which the processor fetches together, so that threads do not slow
/// each other down.
#[repr(align(128))]
struct Apart<A>(A);

thread_local! {
    // Neither has a destructor, so both can be used until the thread is gone.
    /// The number of this thread, or 0. No other thread ever has it, so an arena that somebody still
    /// uses while the thread ends, as a destructor of its other variables may, is not another's.
    static THREAD: Cell<u64> = const { Cell::new(0) };
    /// The number of the [`PerThread`] this thread used last, and its arena there.
    static LAST: Cell<(u64, *const ())> = const { Cell::new((0, ptr::null())) };
}

/// A number that nobody had before.
fn new_number() -> u64 {
    // `Relaxed`: only the number matters.
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

// SAFETY: an arena that is `Send` may be used by a thread other than the one that drops it, and is
// used by one thread until `self` is borrowed mutably or dropped.
unsafe impl<A: Send> Send for PerThread<A> {}

// SAFETY: as above; each thread that shares `self` gets at an arena of its own only, and the map is
// behind a lock.
unsafe impl<A: Send> Sync for PerThread<A> {}

impl<A: Send + Default> PerThread<A> {
    /// Arenas that each thread makes when it first needs one.
    pub fn new() -> Self {
        Self {
            number: new_number(),
            arenas: Mutex::new(Arenas {
                by_thread: HashMap::new(),
                idle: Vec::new(),
            }),
        }
    }

    /// The arena of this thread. Takes a comparison when this thread's last call was for the same
    /// `PerThread`, else a lock.
    #[inline]
    pub fn get(&self) -> &A {
        let (number, last) = LAST.get();
        let arena = if number == self.number {
            last.cast::<Apart<A>>()
        } else {
            self.look_up()
        };
        // SAFETY: needs an arena that stays there while `self` is borrowed and that no other thread
        // uses: `look_up` found or made it for this thread, and the invariant keeps it. It is of
        // this type, because the number that was noted with it is this `PerThread`'s alone.
        let Apart(arena) = unsafe { &*arena };
        arena
    }

    #[cold]
    #[inline(never)]
    fn look_up(&self) -> *const Apart<A> {
        if THREAD.get() == 0 {
            THREAD.set(new_number());
        }
        let thread = THREAD.get();
        let mut arenas = self.lock();
        let found = arenas.by_thread.get(&thread).map(Arc::as_ptr);
        let arena = found.unwrap_or_else(|| {
            let idle = arenas.idle.pop();
            // Making one runs code of others, which may come back here.
            drop(arenas);
            let arena = idle.unwrap_or_else(|| Arc::new(Apart(A::default())));
            let mut arenas = self.lock();
            Arc::as_ptr(arenas.by_thread.entry(thread).or_insert(arena))
        });
        LAST.set((self.number, arena.cast()));
        arena
    }

    fn lock(&self) -> MutexGuard<'_, Arenas<A>> {
        // A panic leaves the map whole, so a poisoned lock is as good.
        self.arenas.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The arenas of all threads so far, for statistics. Takes O(threads) time.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut A> {
        let arenas = self.arenas.get_mut();
        let Arenas { by_thread, idle } = arenas.unwrap_or_else(PoisonError::into_inner);
        by_thread.values_mut().chain(idle).map(only)
    }
}

/// The arena in an `Arc`, of which there is one, because only this file has it.
fn only<A>(arena: &mut Arc<Apart<A>>) -> &mut A {
    let Apart(arena) = Arc::get_mut(arena).expect("nobody else has the `Arc`");
    arena
}

impl<A: Send + Default> Default for PerThread<A> {
    fn default() -> Self {
        Self::new()
    }
}

impl<A> fmt::Debug for PerThread<A> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The arenas are other threads'.
        formatter.debug_struct("PerThread").finish_non_exhaustive()
    }
}

// SAFETY: every call is one of an arena that only this thread uses until `self` is borrowed mutably,
// and that stays where it is, and is dropped with `self`. `resize_in_place` is not passed on: the
// allocation may be another thread's.
unsafe impl<A: Arena + Send + Default> Arena for PerThread<A> {
    #[inline]
    fn try_alloc_layout(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.get().try_alloc_layout(layout)
    }

    /// Resets the arenas of all threads, and leaves them to the threads that come next.
    fn reset(&mut self) {
        self.iter_mut().for_each(A::reset);
        let arenas = self.arenas.get_mut();
        let Arenas { by_thread, idle } = arenas.unwrap_or_else(PoisonError::into_inner);
        idle.extend(by_thread.drain().map(|(_, arena)| arena));
        // Nobody's last arena is one that another thread may get now.
        self.number = new_number();
    }

    /// Bytes held by the arena of this thread.
    fn held_bytes(&self) -> usize {
        self.get().held_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::LazyLock;

    use crate::{Bump, Heap};

    #[test]
    fn values_outlive_their_threads_and_never_overlap() {
        let mut arenas = PerThread::<Bump>::new();
        for _ in 0..3 {
            let values: Vec<&mut u64> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..8_u64)
                    .map(|thread| {
                        let arenas = &arenas;
                        scope.spawn(move || {
                            let values = (0..100).map(|value| arenas.alloc(thread * 100 + value));
                            values.collect::<Vec<_>>()
                        })
                    })
                    .collect();
                threads
                    .into_iter()
                    .flat_map(|thread| thread.join().unwrap())
                    .collect()
            });
            assert!(values.into_iter().map(|value| *value).eq(0..800));
            arenas.reset();
        }
        assert_eq!(arenas.iter_mut().count(), 8, "arenas are used again");
    }

    #[test]
    fn threads_take_turns_with_several_owners() {
        let (mut bytes, mut words) = (PerThread::<Bump>::new(), PerThread::<Heap>::new());
        for round in 0..3_u64 {
            let kept: Vec<_> = (0..50)
                .map(|value| (bytes.alloc(value as u8), words.alloc(round + value)))
                .collect();
            for (value, (byte, word)) in (0..).zip(kept) {
                assert_eq!((u64::from(*byte), *word), (value, round + value));
            }
            bytes.reset();
            words.reset();
        }
        let held_bytes = bytes.held_bytes();
        assert!(held_bytes > 0, "the arena from before the reset is warm");
        assert_eq!(bytes.iter_mut().count(), 1);
        let other = std::thread::scope(|scope| {
            let new = || bytes.held_bytes();
            scope.spawn(new).join().unwrap()
        });
        assert_eq!(other, 0, "the warm one is this thread's");
    }

    #[test]
    fn an_arena_of_a_thread_that_ends_is_not_anothers_yet() {
        static ARENAS: LazyLock<PerThread<Bump>> = LazyLock::new(PerThread::new);

        /// Uses the thread's arena when the thread ends.
        struct Late(Cell<Option<&'static Bump>>);

        impl Drop for Late {
            fn drop(&mut self) {
                let arena = self.0.get().expect("was set");
                let here = ptr::from_ref(arena).addr();
                let other = std::thread::spawn(|| ptr::from_ref(ARENAS.get()).addr());
                assert_ne!(other.join().unwrap(), here);
                arena.alloc(1);
            }
        }

        thread_local! {
            static LATE: Late = const { Late(Cell::new(None)) };
        }
        // The destructors of a thread run in an order that is not promised, so in both.
        let first = || LATE.with(|late| late.0.set(Some(ARENAS.get())));
        let last = move || {
            ARENAS.get();
            first();
        };
        std::thread::spawn(first).join().unwrap();
        std::thread::spawn(last).join().unwrap();
    }

    #[test]
    fn making_an_arena_may_use_the_others() {
        static OUTER: LazyLock<PerThread<Curious>> = LazyLock::new(PerThread::new);

        struct Curious(u32);

        impl Default for Curious {
            fn default() -> Self {
                thread_local! {
                    static DEPTH: Cell<u32> = const { Cell::new(0) };
                }
                DEPTH.set(DEPTH.get() + 1);
                Curious(if DEPTH.get() < 3 { OUTER.get().0 } else { 7 })
            }
        }

        assert_eq!(OUTER.get().0, 7);
        assert_eq!(ptr::from_ref(OUTER.get()), ptr::from_ref(OUTER.get()));
    }
}
