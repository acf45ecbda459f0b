//! A byte of each hash, sixteen together, to compare with one at once.

/// Strings that a group of a table holds at most.
pub(crate) const SLOTS: usize = 12;

/// Strings that groups hold on average before the table grows.
///
/// In groups of 12, 9 on average are so few that one group in eight passes a string on to the next.
pub(crate) const STRINGS_PER_GROUP: usize = 9;

/// The tags of a group, of which the last four are not used. A slot without a string has tag 0.
pub(crate) type Tags = [u64; 2];

/// The tag of a string: the lowest byte of its hash, which is not part of a group's number.
#[inline(always)]
pub(crate) fn tag(hash: u64) -> u8 {
    let tag = hash as u8;
    // 0 is no tag; 1 stands for both.
    tag + u8::from(tag == 0)
}

/// The slots of a group, as bits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Slots(u32);

impl Slots {
    /// The slots with this tag.
    #[inline(always)]
    pub(crate) fn with(tags: Tags, tag: u8) -> Self {
        // No need to leave the unused tags out: theirs is 0.
        Self(equal(tags, tag))
    }

    /// The slots that are free.
    #[inline(always)]
    pub(crate) fn free(tags: Tags) -> Self {
        Self(equal(tags, 0) & ((1 << SLOTS) - 1))
    }

    /// The first one.
    #[inline(always)]
    pub(crate) fn first(self) -> Option<usize> {
        match self.0 {
            0 => None,
            // Below `SLOTS`, so that an index into an array of so many is not checked.
            slots => Some(slots.trailing_zeros() as usize),
        }
    }
}

impl Iterator for Slots {
    type Item = usize;

    #[inline(always)]
    fn next(&mut self) -> Option<usize> {
        let first = self.first()?;
        self.0 &= self.0 - 1;
        Some(first)
    }
}

/// The tags of a group whose `slot`, which is free, gets a tag.
#[inline(always)]
pub(crate) fn word_with(word: u64, slot: usize, tag: u8) -> u64 {
    word | u64::from(tag) << (slot % 8 * 8)
}

/// One bit a byte: whether it is `byte`.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn equal(tags: Tags, byte: u8) -> u32 {
    // SAFETY: needs SSE2, which every processor of this architecture has.
    unsafe { vector(tags, byte) }
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "sse2")]
#[inline]
fn vector(tags: Tags, byte: u8) -> u32 {
    use std::arch::x86_64::{_mm_cmpeq_epi8, _mm_movemask_epi8, _mm_set_epi64x, _mm_set1_epi8};

    let tags = _mm_set_epi64x(tags[1] as i64, tags[0] as i64);
    _mm_movemask_epi8(_mm_cmpeq_epi8(tags, _mm_set1_epi8(byte as i8))) as u32
}

#[cfg(not(target_arch = "x86_64"))]
use portable as equal;

/// The same without vectors.
#[cfg(any(test, not(target_arch = "x86_64")))]
fn portable(tags: Tags, byte: u8) -> u32 {
    const LOW: u64 = u64::MAX / 255;
    let bits = |word: u64| {
        let different = word ^ (LOW * u64::from(byte));
        // The highest bit of each byte that is 0, and no other. The shorter test by a borrow would
        // also report a 1 above a 0.
        let rest = (different & !(LOW << 7)).wrapping_add(!(LOW << 7)) | different;
        let equal = (!rest & (LOW << 7)) >> 7;
        // Gathers the bits of eight bytes in the highest one.
        (equal.wrapping_mul(0x0102_0408_1020_4080) >> 56) as u32
    };
    bits(tags[0]) | bits(tags[1]) << 8
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn both_ways_to_compare_say_the_same(tags in prop::array::uniform16(0_u8..4), byte in 0_u8..4) {
            let words = [0, 8].map(|at| u64::from_le_bytes(tags[at..at + 8].try_into().unwrap()));
            let expected = (0..16).filter(|&at| tags[at] == byte).fold(0, |bits, at| bits | 1 << at);
            prop_assert_eq!(equal(words, byte), expected);
            prop_assert_eq!(portable(words, byte), expected);
        }
    }

    #[test]
    fn slots_are_taken_in_turn_and_found_again() {
        let mut tags = [0, 0];
        for slot in 0..SLOTS {
            assert_eq!(Slots::free(tags).first(), Some(slot));
            let tag = tag(slot as u64 % 3);
            tags[slot / 8] = word_with(tags[slot / 8], slot, tag);
        }
        assert_eq!(Slots::free(tags).first(), None);
        // The tags of hashes 0 and 1 are the same.
        assert!(Slots::with(tags, 1).eq([0, 1, 3, 4, 6, 7, 9, 10]));
        assert!(Slots::with(tags, 2).eq([2, 5, 8, 11]));
        assert_eq!(Slots::with(tags, 3).first(), None);
    }
}
