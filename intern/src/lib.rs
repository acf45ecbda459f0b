//! Four-byte symbols for strings: one trait, several strategies.
//!
//! Interning a string gives it a small number, the same for equal strings, so that names can be
//! compared, hashed and stored as four bytes.
//!
//! | strategy | made for |
//! |---|---|
//! | [`Compact`] | one thread: the fastest to find and to fill, a memory budget, statistics |
//! | [`Concurrent`] | several threads: known strings and symbols are read without a lock |
//! | [`Frozen`] | reading only, by any number of threads: the fastest to resolve, and the smallest |
//! | [`Rodeo`], [`StringInterner`] | one thread, on lasso and on string-interner |
//! | [`ThreadedRodeo`] | several threads, on lasso |
//! | [`Sharded`] | several threads, on dashmap, without unsafe code |
//!
//! Own strategies hash with [`Folded`] and take another hasher, the others with Fx: all of them fast,
//! and not made for strings chosen by an attacker. Those want [`Compact::with_hasher`] or
//! [`Concurrent::with_hasher`] with a [`RandomState`](std::hash::RandomState).
//!
//! With the feature `serde`, `Compact` and `Frozen` are written and read as tables of strings, and
//! symbols as strings (`AsString`, `IntoSymbol`).
//!
//! # Examples
//!
//! ```
//! use intern::{Frozen, Interner, Compact};
//!
//! let mut names = Compact::default();
//! let fetch = names.intern("fetch");
//! assert_eq!(names.intern("fetch"), fetch);
//! assert_eq!(names.get("parse"), None);
//! assert_eq!(names.resolve(fetch), "fetch");
//!
//! let names = Frozen::from_interner(&names);
//! assert_eq!(names.resolve(fetch), "fetch");
//! ```

mod apart;
mod budget;
mod compact;
mod concurrent;
mod folded;
mod frozen;
mod growing;
mod length;
mod records;
mod rodeo;
mod segments;
#[cfg(feature = "serde")]
mod serde;
mod shard;
mod sharded;
mod statistics;
mod string_interner;
mod sync;
mod tags;
mod threaded_rodeo;

pub use compact::{Compact, Vacancy};
pub use concurrent::Concurrent;
pub use folded::{Folded, FoldedHasher};
pub use frozen::Frozen;
pub use rodeo::Rodeo;
#[cfg(feature = "serde")]
pub use serde::{AsString, IntoSymbol};
pub use sharded::Sharded;
pub use statistics::Statistics;
pub use string_interner::StringInterner;
pub use threaded_rodeo::ThreadedRodeo;

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::num::{NonZero, NonZeroU32};

use thiserror::Error;

/// The small integer an interner gives to a string.
///
/// Symbols of one interner are dense: the first new string gets index 0, the next 1, and so on. An
/// interner shared between threads gives the same indices in the order in which its threads arrive,
/// so that there is no gap below `len` once nobody is interning.
///
/// A symbol means something only together with the interner it came from. It takes four bytes, and
/// so does an `Option` of it. In builds with debug assertions it takes eight, to tell the interner,
/// and one that is asked to resolve another's symbol panics; symbols made
/// [from an index](Self::from_index) are everybody's.
///
/// # Examples
///
/// ```
/// use intern::Symbol;
///
/// assert_eq!(Symbol::from_index(7).index(), 7);
/// assert_eq!(size_of::<Option<Symbol>>(), size_of::<Symbol>());
/// ```
#[derive(Clone, Copy)]
pub struct Symbol {
    /// Index + 1, so that an `Option` needs no room of its own.
    number: NonZeroU32,
    #[cfg(debug_assertions)]
    owner: u32,
}

impl Symbol {
    /// The symbol with this index.
    ///
    /// # Panics
    ///
    /// Panics when `index` is `u32::MAX`, which no interner gives out.
    #[inline]
    pub const fn from_index(index: u32) -> Self {
        match Self::from_number(index.wrapping_add(1)) {
            Some(symbol) => symbol,
            None => panic!("the index of a symbol is below u32::MAX"),
        }
    }

    /// Position of the string in the interner, from 0.
    #[inline]
    pub const fn index(self) -> usize {
        (self.number.get() - 1) as usize
    }

    /// Index + 1.
    #[inline(always)]
    pub(crate) const fn number(self) -> u32 {
        self.number.get()
    }

    #[inline(always)]
    pub(crate) const fn from_number(number: u32) -> Option<Self> {
        match NonZero::new(number) {
            Some(number) => Some(Self {
                number,
                #[cfg(debug_assertions)]
                owner: Owner::ANY,
            }),
            None => None,
        }
    }
}

impl PartialEq for Symbol {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Symbol {}

impl PartialOrd for Symbol {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Symbol {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        self.number.cmp(&other.number)
    }
}

impl Hash for Symbol {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

impl fmt::Debug for Symbol {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("Symbol")
            .field(&self.index())
            .finish()
    }
}

/// A strategy for turning strings into symbols and back.
///
/// Something that can be shared between threads implements the trait for its reference.
///
/// # Examples
///
/// ```
/// use intern::{Interner, Rodeo, Sharded, Symbol};
///
/// fn first_twice(mut names: impl Interner) -> bool {
///     names.intern("a") == names.intern("a")
/// }
///
/// assert!(first_twice(Rodeo::default()));
/// assert!(first_twice(&Sharded::default()));
/// ```
pub trait Interner {
    /// The symbol of `string`; equal strings get equal symbols, different strings different ones.
    ///
    /// Takes O(`string.len()`) time.
    ///
    /// # Panics
    ///
    /// Panics when `string` is new and the interner already holds `u32::MAX` strings, or when no
    /// memory is left.
    fn intern(&mut self, string: &str) -> Symbol;

    /// The symbol of `string` if it was interned before.
    fn get(&self, string: &str) -> Option<Symbol>;

    /// The string of `symbol`.
    ///
    /// # Panics
    ///
    /// Panics when the interner has no string of that index. A symbol of another interner may
    /// resolve to another string; in builds with debug assertions it panics.
    fn resolve(&self, symbol: Symbol) -> &str;

    /// Number of strings. While other threads are interning, it counts those they are adding.
    fn len(&self) -> usize;

    /// Whether nothing was interned yet.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Interns `strings` in their order and appends their symbols to `symbols`.
    ///
    /// Gives the same symbols as one [`intern`](Self::intern) after the other.
    ///
    /// # Panics
    ///
    /// Panics as `intern` does.
    ///
    /// # Examples
    ///
    /// ```
    /// use intern::{Interner, Rodeo};
    ///
    /// let mut symbols = Vec::new();
    /// Rodeo::default().intern_batch(&["a", "b", "a"], &mut symbols);
    /// assert_eq!(symbols[0], symbols[2]);
    /// assert_ne!(symbols[0], symbols[1]);
    /// ```
    fn intern_batch(&mut self, strings: &[&str], symbols: &mut Vec<Symbol>) {
        symbols.extend(strings.iter().map(|string| self.intern(string)));
    }
}

/// Why a string was not interned.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum InternError {
    /// There is no index left.
    #[error("an interner holds at most {} strings", u32::MAX)]
    TooManyStrings,
    /// Positions of the text have 32 bits.
    #[error("an interner holds at most {} bytes of text", u32::MAX)]
    TooMuchText,
    /// The interner would hold more than it may.
    #[error("the interner may hold {budget_bytes} bytes; this string needs {needed_bytes}")]
    OverBudget {
        /// Bytes that the interner may hold.
        budget_bytes: usize,
        /// Bytes that it would hold, with a table that is being replaced.
        needed_bytes: usize,
    },
    /// The allocator has no memory left.
    #[error("no memory is left for the interner")]
    OutOfMemory,
}

/// Tells the symbols of one interner from those of others, where that is checked.
#[cfg(debug_assertions)]
#[derive(Clone, Copy, Debug)]
struct Owner(u32);

#[cfg(debug_assertions)]
impl Owner {
    const ANY: u32 = 0;

    fn new() -> Self {
        use std::sync::atomic::{AtomicU32, Ordering};

        static NEXT: AtomicU32 = AtomicU32::new(1);
        Self(NEXT.fetch_add(1, Ordering::Relaxed))
    }

    fn mark(self, symbol: Symbol) -> Symbol {
        let Self(owner) = self;
        Symbol { owner, ..symbol }
    }

    #[track_caller]
    fn check(self, symbol: Symbol) {
        let Self(owner) = self;
        assert!(
            [owner, Self::ANY].contains(&symbol.owner),
            "{symbol:?} is of another interner"
        );
    }
}

#[cfg(not(debug_assertions))]
#[derive(Clone, Copy, Debug)]
struct Owner;

impl Default for Owner {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(not(debug_assertions))]
impl Owner {
    fn new() -> Self {
        Self
    }

    #[inline(always)]
    fn mark(self, symbol: Symbol) -> Symbol {
        symbol
    }

    #[inline(always)]
    fn check(self, _: Symbol) {}
}

/// Has the processor fetch the cache line of an element, which may lie outside of the slice.
#[inline(always)]
fn prefetch<T>(slice: &[T], index: usize) {
    prefetch_at(slice.as_ptr().wrapping_add(index));
}

/// The same for any address.
#[inline(always)]
fn prefetch_at<T>(place: *const T) {
    #[cfg(target_arch = "x86_64")]
    {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

        // SAFETY: needs SSE, which every processor of this architecture has; an address that cannot
        // be read is let be.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(place.cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = place;
}

#[cold]
#[inline(never)]
fn unknown(symbol: Symbol) -> ! {
    panic!("{symbol:?} is not of this interner")
}

#[cold]
#[inline(never)]
fn full() -> ! {
    panic!("{}", InternError::TooManyStrings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_and_an_option_of_it_take_four_bytes_and_an_owner_in_debug_builds() {
        let bytes = if cfg!(debug_assertions) { 8 } else { 4 };
        assert_eq!(size_of::<Symbol>(), bytes);
        assert_eq!(size_of::<Option<Symbol>>(), bytes);
    }

    #[test]
    fn a_symbol_keeps_its_index() {
        for index in [0, 1, u32::MAX - 1] {
            assert_eq!(Symbol::from_index(index).index(), index as usize);
        }
        assert_eq!(format!("{:?}", Symbol::from_index(3)), "Symbol(3)");
    }

    #[test]
    #[should_panic = "below u32::MAX"]
    fn the_index_no_interner_gives_out_is_refused() {
        Symbol::from_index(u32::MAX);
    }
}
