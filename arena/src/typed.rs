//! Values of one type, side by side, which are dropped.

use std::alloc::Layout;
use std::cell::RefCell;

use crate::{AllocError, exhausted};

/// Bytes of the first chunk, if a value is not larger.
const FIRST_CHUNK: usize = 1024;

/// An arena for values of one type, which it drops, counts and visits in the order they came.
///
/// They lie side by side in chunks that double in size. Other than an [`Arena`](crate::Arena) it
/// knows what it holds, so nothing needs to be noted to drop a value. Reset drops them and keeps the
/// largest chunk.
///
/// # Examples
///
/// ```
/// use arena::Typed;
///
/// let mut names = Typed::new();
/// let first = names.alloc(String::from("fetch"));
/// let second = names.alloc(String::from("parse"));
/// first.push_str(second);
/// assert_eq!(names.len(), 2);
/// assert!(names.iter_mut().map(|name| &**name).eq(["fetchparse", "parse"]));
/// names.reset();
/// assert!(names.is_empty());
/// ```
///
/// It is used by one thread at a time:
///
/// ```compile_fail,E0277
/// fn shared(_: impl Sync) {}
///
/// shared(arena::Typed::<u64>::new());
/// ```
#[derive(Debug)]
pub struct Typed<T> {
    /// Never grown beyond their capacity, so that values stay where they are. All but the last are
    /// full or were too small to be allocated from.
    chunks: RefCell<Vec<Vec<T>>>,
}

impl<T> Typed<T> {
    /// An empty arena, which holds no memory.
    pub fn new() -> Self {
        Self {
            chunks: RefCell::default(),
        }
    }

    /// Moves `value` into the arena. Takes amortised constant time.
    ///
    /// # Panics
    ///
    /// Panics when no memory is left; see [`try_alloc`](Self::try_alloc).
    #[inline]
    pub fn alloc(&self, value: T) -> &mut T {
        self.try_alloc(value)
            .unwrap_or_else(|error| exhausted(error))
    }

    /// Moves `value` into the arena; see [`alloc`](Self::alloc).
    ///
    /// # Errors
    ///
    /// Fails when no memory is left; `value` is dropped then.
    #[inline]
    #[expect(clippy::mut_from_ref, reason = "every call returns memory of its own")]
    pub fn try_alloc(&self, value: T) -> Result<&mut T, AllocError> {
        let mut chunks = self.chunks.borrow_mut();
        let chunk = match chunks.last_mut() {
            Some(chunk) if chunk.len() < chunk.capacity() => chunk,
            _ => try_open(&mut chunks)?,
        };
        let len = chunk.len();
        // There is room, so nothing moves.
        chunk.push(value);
        // SAFETY: needs an index inside the allocation: the value was just put there.
        let place = unsafe { chunk.as_mut_ptr().add(len) };
        // SAFETY: needs a value that is initialised, nobody else's and stays there as long as `self`
        // is borrowed: written above; only `iter_mut` and `reset` come back to it, which borrow
        // `self` mutably; pushing to a vector that has room touches no other element.
        Ok(unsafe { &mut *place })
    }

    /// Values held. Takes O(chunks) time.
    pub fn len(&self) -> usize {
        self.chunks.borrow().iter().map(Vec::len).sum()
    }

    /// Whether no value is held.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The values in the order they were allocated.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.chunks.get_mut().iter_mut().flatten()
    }

    /// Drops all values, the oldest first, and keeps the largest chunk.
    pub fn reset(&mut self) {
        let chunks = self.chunks.get_mut();
        chunks.iter_mut().for_each(Vec::clear);
        // The last is the largest.
        chunks.drain(..chunks.len().saturating_sub(1));
    }

    /// Bytes held from the global allocator.
    pub fn held_bytes(&self) -> usize {
        let chunks = self.chunks.borrow();
        let list_bytes = chunks.capacity() * size_of::<Vec<T>>();
        let values_bytes = |chunk: &Vec<T>| match size_of::<T>() {
            0 => 0,
            bytes => chunk.capacity() * bytes,
        };
        list_bytes + chunks.iter().map(values_bytes).sum::<usize>()
    }
}

/// Adds a chunk twice as large as the last.
#[cold]
#[inline(never)]
fn try_open<T>(chunks: &mut Vec<Vec<T>>) -> Result<&mut Vec<T>, AllocError> {
    let last = chunks.last().map_or(0, Vec::capacity);
    let len = (2 * last).max(FIRST_CHUNK / size_of::<T>().max(1)).max(1);
    let mut chunk = Vec::new();
    chunks
        .try_reserve(1)
        .and_then(|()| chunk.try_reserve_exact(len))
        .map_err(|_| AllocError::of(Layout::new::<T>()))?;
    chunks.push(chunk);
    Ok(chunks.last_mut().expect("just pushed"))
}

impl<T> Default for Typed<T> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    #[test]
    fn values_stay_in_place_and_in_order() {
        let mut arena = Typed::new();
        for _ in 0..3 {
            let values: Vec<&mut usize> = (0..10_000).map(|value| arena.alloc(value)).collect();
            assert!(values.iter().map(|value| **value).eq(0..10_000));
            assert!(arena.iter_mut().map(|value| *value).eq(0..10_000));
            arena.reset();
        }
    }

    #[test]
    fn values_are_dropped_once_by_a_reset_or_with_the_arena() {
        let owned = Rc::new(());
        let mut arena = Typed::new();
        for _ in 0..1000 {
            arena.alloc(Rc::clone(&owned));
        }
        assert_eq!(Rc::strong_count(&owned), 1001);
        arena.reset();
        assert_eq!(Rc::strong_count(&owned), 1);
        arena.alloc(Rc::clone(&owned));
        drop(arena);
        assert_eq!(Rc::strong_count(&owned), 1);
    }

    #[test]
    fn held_memory_does_not_grow_over_cycles() {
        let mut arena = Typed::new();
        let held_bytes = [(); 10].map(|()| {
            for value in 0..5_000 {
                arena.alloc([value; 10]);
            }
            arena.reset();
            arena.held_bytes()
        });
        assert!(held_bytes[2..].iter().all(|held| *held == held_bytes[2]));
    }

    #[test]
    fn values_without_size_take_no_memory() {
        let arena = Typed::new();
        for _ in 0..5_000 {
            arena.alloc(());
        }
        assert_eq!(arena.len(), 5_000);
        assert!(arena.held_bytes() < 200);
    }
}
