//! A list that grows while it is read.

use std::sync::OnceLock;

/// Length of the first segment, as a power of two; each of the others is twice as long as the one
/// before it.
const FIRST_BITS: u32 = 6;
/// Enough for every index below `u32::MAX`.
const SEGMENTS: usize = (u32::BITS - FIRST_BITS) as usize + 1;

/// A list of values that are set once, by index, and never move.
///
/// Readers take no lock. Values may be set in any order by any thread.
#[derive(Debug)]
pub(crate) struct Segments<T> {
    segments: [OnceLock<Box<[OnceLock<T>]>>; SEGMENTS],
}

impl<T> Default for Segments<T> {
    fn default() -> Self {
        Self {
            segments: [const { OnceLock::new() }; SEGMENTS],
        }
    }
}

impl<T> Segments<T> {
    #[inline]
    pub(crate) fn get(&self, index: usize) -> Option<&T> {
        let (segment, offset) = position(index);
        self.segments.get(segment)?.get()?.get(offset)?.get()
    }

    /// Sets the value at `index`, which has none yet. Takes time proportional to `index` when it is
    /// the first of its segment, constant time otherwise.
    pub(crate) fn set(&self, index: usize, value: T) {
        let (segment, offset) = position(index);
        let slots = self.segments[segment].get_or_init(|| {
            let len = 1_usize << (FIRST_BITS as usize + segment);
            (0..len).map(|_| OnceLock::new()).collect()
        });
        if slots[offset].set(value).is_err() {
            panic!("the value at {index} is set only once");
        }
    }
}

/// Segment of `index`, and the place in it.
#[inline]
fn position(index: usize) -> (usize, usize) {
    // Shifted by the length of the first segment, an index has its highest bit set for its segment.
    let shifted = index + (1 << FIRST_BITS);
    let high_bit = shifted.ilog2();
    ((high_bit - FIRST_BITS) as usize, shifted - (1 << high_bit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(index: usize, segment: usize, offset: usize) {
        assert_eq!(position(index), (segment, offset));
        assert!(segment < SEGMENTS);
    }

    #[test]
    fn segments_double() {
        check(0, 0, 0);
        check(63, 0, 63);
        check(64, 1, 0);
        check(191, 1, 127);
        check(192, 2, 0);
        check(u32::MAX as usize - 1, 26, 62);
    }

    #[test]
    fn values_are_where_they_were_set() {
        let list = Segments::default();
        for index in (0..1000).rev() {
            assert_eq!(list.get(index), None);
            list.set(index, index);
        }
        assert!((0..1000).all(|index| list.get(index) == Some(&index)));
        assert_eq!(list.get(1000), None);
        assert_eq!(list.get(u32::MAX as usize), None);
    }

    #[test]
    #[should_panic = "the value at 5 is set only once"]
    fn a_value_cannot_be_set_again() {
        let list = Segments::default();
        list.set(5, 1);
        list.set(5, 1);
    }
}
