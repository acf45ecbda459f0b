//! Comparing and copying strings by the class of their length, without loops inside a class.

use std::mem::MaybeUninit;

/// A class of lengths.
pub(crate) trait Length {
    /// Whether strings of this class may be so long that a byte does not tell.
    const LONG: bool;

    /// Whether two strings of equal length, which is of this class, are equal.
    fn equal(a: &[u8], b: &[u8]) -> bool;

    /// Copies a string, whose length is of this class, to the place of the same length.
    fn copy(from: &[u8], to: &mut [MaybeUninit<u8>]);
}

/// 4 to 7 bytes.
pub(crate) struct Four;
/// 8 to 16 bytes.
pub(crate) struct Eight;
/// 17 to 32 bytes.
pub(crate) struct Sixteen;
/// All the others.
pub(crate) struct Any;

macro_rules! both_equal {
    (u128, $($word:expr),*) => { both_equal_vectors($($word),*) };
    ($other:ty, $a:expr, $b:expr, $c:expr, $d:expr) => { ($a ^ $b) | ($c ^ $d) == 0 };
}

/// Whether `a` is `b` and `c` is `d`.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
fn both_equal_vectors(a: u128, b: u128, c: u128, d: u128) -> bool {
    use std::arch::x86_64::{__m128i, _mm_and_si128, _mm_cmpeq_epi8, _mm_movemask_epi8};

    #[target_feature(enable = "sse2")]
    #[inline]
    fn vectors([a, b, c, d]: [__m128i; 4]) -> bool {
        let both = _mm_and_si128(_mm_cmpeq_epi8(a, b), _mm_cmpeq_epi8(c, d));
        _mm_movemask_epi8(both) == 0xffff
    }

    // SAFETY: needs types of one size, of which all bytes are values: both are 128 bits.
    let words: [__m128i; 4] = unsafe { std::mem::transmute([a, b, c, d]) };
    // SAFETY: needs SSE2, which every processor of this architecture has.
    unsafe { vectors(words) }
}

#[cfg(not(target_arch = "x86_64"))]
#[inline(always)]
fn both_equal_vectors(a: u128, b: u128, c: u128, d: u128) -> bool {
    (a ^ b) | (c ^ d) == 0
}

macro_rules! overlapping {
    ($($class:ty: $word:tt,)*) => {$(
        /// As two words that may overlap.
        impl Length for $class {
            const LONG: bool = false;

            #[inline(always)]
            fn equal(a: &[u8], b: &[u8]) -> bool {
                let word = |chunk: Option<&[u8; size_of::<$word>()]>| {
                    <$word>::from_ne_bytes(*chunk.expect("a string of this class"))
                };
                // Both at once: a string of equal tag is nearly always the same one.
                both_equal!(
                    $word,
                    word(a.first_chunk()),
                    word(b.first_chunk()),
                    word(a.last_chunk()),
                    word(b.last_chunk())
                )
            }

            #[inline(always)]
            fn copy(from: &[u8], to: &mut [MaybeUninit<u8>]) {
                let start = from.first_chunk::<{ size_of::<$word>() }>().map(|word| word.map(MaybeUninit::new));
                let end = from.last_chunk::<{ size_of::<$word>() }>().map(|word| word.map(MaybeUninit::new));
                if let (Some(start), Some(to)) = (start, to.first_chunk_mut()) {
                    *to = start;
                }
                if let (Some(end), Some(to)) = (end, to.last_chunk_mut()) {
                    *to = end;
                }
            }
        }
    )*};
}

overlapping! {
    Four: u32,
    Eight: u64,
    Sixteen: u128,
}

impl Length for Any {
    const LONG: bool = true;

    #[inline(always)]
    fn equal(a: &[u8], b: &[u8]) -> bool {
        a == b
    }

    #[inline(always)]
    fn copy(from: &[u8], to: &mut [MaybeUninit<u8>]) {
        to.write_copy_of_slice(from);
    }
}

/// Calls with the class of a length as the last generic argument.
macro_rules! by_length {
    ($length:expr, $L:ident => $call:expr) => {
        match $length {
            8..=16 => {
                type $L = $crate::length::Eight;
                $call
            }
            17..=32 => {
                type $L = $crate::length::Sixteen;
                $call
            }
            4..=7 => {
                type $L = $crate::length::Four;
                $call
            }
            _ => {
                type $L = $crate::length::Any;
                $call
            }
        }
    };
}
pub(crate) use by_length;
