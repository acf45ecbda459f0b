//! A hash of short strings by folded multiplication, and their lengths in classes.
//!
//! Two factors of eight bytes are multiplied to sixteen, and the halves of the product folded
//! together, as wyhash does (<https://github.com/wangyi-fudan/wyhash>). A string of 4 to 16 bytes is
//! two overlapping factors; one of 17 to 32 is four; longer ones take their first bytes sixteen at a
//! time. So no string up to 32 bytes needs a loop.

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
    // Not the length itself: bytes that overlap could make up for it, and 111111222 and 1111112222
    // would have the same hash.
    let length = FIRST.rotate_left(bytes.len() as u32);
    match bytes.len() {
        // One way for all of them, without a branch on the length: names of different lengths would
        // mispredict it. Up to 16 bytes, the first fold is not used, and not computed where the
        // length is known to be such.
        8..=32 => {
            let count = bytes.len();
            let long = pair(word(bytes, 0), word(bytes, 8.min(count - 8)), length);
            let seed = if count > 16 { long } else { length };
            let end = word(bytes, count.saturating_sub(16));
            pair(end, word(bytes, count - 8), seed)
        }
        4..=7 => {
            let (first, last) = (bytes.first_chunk(), bytes.last_chunk());
            let quad = |chunk: Option<&[u8; 4]>| {
                u64::from(u32::from_le_bytes(*chunk.expect("four bytes")))
            };
            pair(quad(first), quad(last), length)
        }
        33.. => {
            let mut seed = length;
            // The last 16 are taken whole, so that a rest is not a case of its own.
            for start in bytes[..bytes.len() - 1].as_chunks::<16>().0 {
                seed = pair(word(start, 0), word(start, 8), seed);
            }
            let count = bytes.len();
            pair(word(bytes, count - 16), word(bytes, count - 8), seed)
        }
        1..=3 => {
            let [begin, middle, end] = [bytes[0], bytes[bytes.len() / 2], bytes[bytes.len() - 1]];
            let few = u64::from(begin) << 16 | u64::from(middle) << 8 | u64::from(end);
            pair(few, 0, length)
        }
        0 => pair(0, 0, length),
    }
}

#[inline(always)]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    product as u64 ^ (product >> 64) as u64
}

/// Two words and what came before them.
#[inline(always)]
fn pair(a: u64, b: u64, seed: u64) -> u64 {
    fold(a ^ SECOND, b ^ seed)
}

/// The eight bytes from there on.
#[inline(always)]
fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(*bytes[at..].first_chunk().expect("eight bytes"))
}
