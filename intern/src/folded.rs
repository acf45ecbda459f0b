//! A hash of short strings by folded multiplication, and their lengths in classes.
//!
//! Two factors of eight bytes are multiplied to sixteen, and the halves of the product folded
//! together, as wyhash does (<https://github.com/wangyi-fudan/wyhash>). A string of 4 to 16 bytes is
//! two overlapping factors; one of 17 to 32 is four; longer ones take their first bytes sixteen at a
//! time. So no string up to 32 bytes needs a loop, nor a branch on anything but the class of its
//! length.

use std::hash::{BuildHasher, Hasher};

/// Odd, with about as many ones as zeros.
const FIRST: u64 = 0x9e37_79b9_7f4a_7c15;
const SECOND: u64 = 0xd6e8_feb8_6659_fd93;

/// Hashes strings by folded multiplication: the hasher of [`Compact`](crate::Compact) and
/// [`Concurrent`](crate::Concurrent) unless another one is chosen.
///
/// It has no key: who chooses strings can choose them so that they collide. Interners of strings
/// from strangers should take a hasher with a secret, such as [`std::hash::RandomState`].
///
/// # Examples
///
/// ```
/// use std::hash::BuildHasher;
///
/// use intern::Folded;
///
/// assert_eq!(Folded.hash_one("fetch"), Folded.hash_one("fetch"));
/// assert_ne!(Folded.hash_one("fetch"), Folded.hash_one("parse"));
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Folded;

impl BuildHasher for Folded {
    type Hasher = FoldedHasher;

    #[inline]
    fn build_hasher(&self) -> FoldedHasher {
        FoldedHasher(0)
    }
}

/// The hasher that [`Folded`] builds.
#[derive(Clone, Debug)]
pub struct FoldedHasher(u64);

impl Hasher for FoldedHasher {
    #[inline(always)]
    fn write(&mut self, bytes: &[u8]) {
        // The first call leaves the hash of `bytes` as it is.
        self.0 = self.0.rotate_left(23).wrapping_mul(FIRST) ^ hash(bytes);
    }

    #[inline]
    fn finish(&self) -> u64 {
        self.0
    }
}

#[inline(always)]
fn hash(bytes: &[u8]) -> u64 {
    let length = bytes.len() as u64;
    match bytes.len() {
        8..=16 => fold(
            first(bytes).rotate_left(32) ^ SECOND,
            last(bytes).rotate_left(32) ^ length ^ FIRST,
        ),
        4..=7 => {
            let (first, last) = quads(bytes);
            // As `quads` of at least 8 bytes would be folded.
            fold(first ^ SECOND, last ^ length ^ FIRST)
        }
        17..=32 => {
            let (start, end) = (&bytes[..16], &bytes[bytes.len() - 16..]);
            tail(end, pair(start, length ^ FIRST))
        }
        33.. => {
            let mut seed = length ^ FIRST;
            // The last 16 are taken whole, so that a rest is not a case of its own.
            for start in bytes[..bytes.len() - 1].as_chunks::<16>().0 {
                seed = pair(start, seed);
            }
            tail(&bytes[bytes.len() - 16..], seed)
        }
        1..=3 => {
            let [begin, middle, end] = [bytes[0], bytes[bytes.len() / 2], bytes[bytes.len() - 1]];
            let few = u64::from(begin) << 16 | u64::from(middle) << 8 | u64::from(end);
            fold(few ^ SECOND, length ^ FIRST)
        }
        0 => fold(SECOND, FIRST),
    }
}

#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// Sixteen bytes and what came before them.
#[inline(always)]
fn pair(bytes: &[u8], seed: u64) -> u64 {
    fold(first(bytes) ^ SECOND, last(bytes) ^ seed)
}

#[inline(always)]
fn tail(bytes: &[u8], seed: u64) -> u64 {
    fold(first(bytes) ^ SECOND, last(bytes) ^ seed)
}

/// The first and the last eight bytes of a string of 4 to 16, each of two words of four bytes that
/// may overlap.
#[inline(always)]
fn quads(bytes: &[u8]) -> (u64, u64) {
    // 4 from 8 bytes up.
    let inner = (bytes.len() + 8) >> 4 << 2;
    let word = |at: usize| {
        let word = bytes[at..].first_chunk::<4>();
        u64::from(u32::from_le_bytes(*word.expect("four bytes from here")))
    };
    let end = bytes.len() - 4;
    (
        word(0) << 32 | word(inner),
        word(end - inner) << 32 | word(end),
    )
}

#[inline(always)]
fn first(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(*bytes.first_chunk().expect("eight bytes"))
}

#[inline(always)]
fn last(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(*bytes.last_chunk().expect("eight bytes"))
}
