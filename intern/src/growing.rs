//! A list that grows while it is read, and whose elements never move.

use std::ptr;

use crate::InternError;
use crate::budget::Budget;
use crate::sync::{AtomicPtr, Blank, Mutex, Ordering, PoisonError};

/// Length of the first segment, as a power of two; each of the others is twice as long as the one
/// before it.
const FIRST_BITS: u32 = 10;

/// Bits of an index plus the length of the first segment.
const BITS: u32 = u32::BITS + 1;

/// Elements by index, in segments that are allocated when they are needed.
///
/// Every element is blank at first.
#[derive(Debug)]
pub(crate) struct Growing<T> {
    /// By the highest bit of index + first length: null, or where index 0 would be, were it in this
    /// segment.
    origins: [AtomicPtr<T>; BITS as usize],
    /// Who adds a segment. Two threads that added the same one would need the budget of both, and one
    /// of them would fail for what it was about to give back.
    adding: Mutex<()>,
}

impl<T: Blank> Growing<T> {
    pub(crate) fn new() -> Self {
        Self {
            origins: std::array::from_fn(|_| AtomicPtr::new(ptr::null_mut())),
            adding: Mutex::new(()),
        }
    }

    /// The element of that index, or nothing when its segment was never needed.
    #[inline(always)]
    pub(crate) fn get(&self, index: u32) -> Option<&T> {
        // `Acquire`: pairs with `add_segment`, for the segment.
        let origin = self.origin(index).load(Ordering::Acquire);
        if origin.is_null() {
            return None;
        }
        let element = origin.wrapping_add(index as usize);
        // SAFETY: needs an element that lives as long as `self` and is not changed but by its own
        // means: it lies in its segment, since the origin is this segment's; segments are freed when
        // `self` is dropped, and no other reference is ever made to one.
        Some(unsafe { &*element })
    }

    /// Where the element of that index is, with those after it in its segment, if
    /// [`need`](Self::need) for it happened before; no valid address otherwise.
    #[inline(always)]
    pub(crate) fn pointer(&self, index: u32) -> *const T {
        // `Relaxed`: what happened before is seen.
        let origin = self.origin(index).load(Ordering::Relaxed);
        origin.wrapping_add(index as usize)
    }

    #[inline(always)]
    fn origin(&self, index: u32) -> &AtomicPtr<T> {
        // SAFETY: needs an index below the length: 33 bits have 33 highest ones.
        unsafe { self.origins.get_unchecked(segment(index) as usize) }
    }

    /// Allocates the segment of that index, unless it is there.
    ///
    /// # Errors
    ///
    /// Fails when `budget` does not suffice or no memory is left.
    pub(crate) fn need(&self, index: u32, budget: &Budget) -> Result<(), InternError> {
        // `Acquire`: pairs with the store below, for the segment.
        match self.origin(index).load(Ordering::Acquire).is_null() {
            true => self.add_segment(segment(index), budget),
            false => Ok(()),
        }
    }

    #[cold]
    #[inline(never)]
    fn add_segment(&self, bits: u32, budget: &Budget) -> Result<(), InternError> {
        let origin = &self.origins[bits as usize];
        let _adding = self.adding.lock().unwrap_or_else(PoisonError::into_inner);
        // `Relaxed`: who stored it had locked too.
        if !origin.load(Ordering::Relaxed).is_null() {
            return Ok(());
        }
        let taken = budget.take(size_of::<T>() << bits)?;
        let new = T::blank(1 << bits).ok_or(InternError::OutOfMemory)?;
        taken.keep();
        let first = Box::into_raw(new).cast::<T>();
        // `Release`: publishes the segment.
        origin.store(first.wrapping_sub(first_index(bits)), Ordering::Release);
        Ok(())
    }
}

impl<T> Drop for Growing<T> {
    fn drop(&mut self) {
        for (bits, origin) in self.origins.iter().enumerate() {
            let origin = origin.load(Ordering::Relaxed);
            if !origin.is_null() {
                let first = origin.wrapping_add(first_index(bits as u32));
                let slice = ptr::slice_from_raw_parts_mut(first, 1 << bits);
                // SAFETY: needs what `into_raw` gave, once: the pointer is put back to where it was, and
                // nobody else has it.
                drop(unsafe { Box::from_raw(slice) });
            }
        }
    }
}

/// The segment of an index, by the length's power of two.
#[inline(always)]
fn segment(index: u32) -> u32 {
    // Shifted by the length of the first segment, an index has its highest bit set for its segment.
    (u64::from(index) + (1 << FIRST_BITS)).ilog2()
}

/// The index after the last one of the segment of `index`.
pub(crate) fn segment_end(index: u32) -> u64 {
    (2 << segment(index)) - (1 << FIRST_BITS)
}

/// The index of the first element of a segment.
fn first_index(bits: u32) -> usize {
    (1_usize << bits).wrapping_sub(1 << FIRST_BITS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_double() {
        for (index, bits, end) in [
            (0, 10, 1024),
            (1023, 10, 1024),
            (1024, 11, 3072),
            (3071, 11, 3072),
            (3072, 12, 7168),
            (u32::MAX, 32, (1 << 33) - 1024),
        ] {
            assert_eq!(segment(index), bits);
            assert_eq!(segment_end(index), end);
            assert!(first_index(bits) <= index as usize);
            assert!(bits < BITS);
        }
    }
}
