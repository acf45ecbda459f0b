//! One arena per thread behind one owner.

use std::alloc::Layout;
use std::ptr::NonNull;

use thread_local::ThreadLocal;

use crate::{AllocError, Arena};

/// An arena that threads share, of which each allocates from an arena of its own.
///
/// What a thread allocates lives until all of it is reset or dropped, so it outlives the thread;
/// with a [`Pool`](crate::Pool) it would not. [`get`](Self::get) looks up the thread's arena once
/// for many allocations; allocating directly looks it up each time, which takes longer than the
/// allocation. Threads that start after others have ended may go on in their arenas. The first use by
/// a thread makes a place for its arena, and ends the program when there is no memory for that.
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
#[derive(Debug, Default)]
pub struct PerThread<A: Send>(ThreadLocal<Apart<A>>);

/// Aligned to two cache lines, which the processor fetches together, so that threads do not slow
/// each other down.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Apart<A>(A);

impl<A: Send + Default> PerThread<A> {
    /// Arenas that each thread makes when it first needs one.
    pub fn new() -> Self {
        Self(ThreadLocal::new())
    }

    /// The arena of this thread.
    #[inline]
    pub fn get(&self) -> &A {
        &self.0.get_or_default().0
    }

    /// The arenas of all threads so far, for statistics. Takes O(threads) time.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut A> {
        self.0.iter_mut().map(|apart| &mut apart.0)
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

    /// Resets the arenas of all threads.
    fn reset(&mut self) {
        self.iter_mut().for_each(A::reset);
    }

    /// Bytes held by the arena of this thread.
    fn held_bytes(&self) -> usize {
        self.get().held_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Bump;

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
        assert!(arenas.iter_mut().count() <= 8 + 1, "arenas are used again");
    }
}
