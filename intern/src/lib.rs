//! Four-byte symbols for strings: one trait, several strategies.
//!
//! Interning a string gives it a small number, the same for equal strings, so that names can be
//! compared, hashed and stored as four bytes.
//!
//! | strategy | made for |
//! |---|---|
//! | [`Local`] | one thread |
//! | [`Compact`] | the same, faster to fill: one text, and hashes beside the symbols |
//! | [`Striped`] | several threads, strings resolved without a lock while others are added |
//! | [`Sharded`] | the same on dashmap, without unsafe code |
//! | [`Threaded`] | the same on lasso's `ThreadedRodeo` |
//! | [`Frozen`] | reading only, by any number of threads |
//!
//! All of them hash with Fx, which is fast and not made for strings chosen by an attacker.
//!
//! # Examples
//!
//! ```
//! use intern::{Frozen, Interner, Local};
//!
//! let mut names = Local::default();
//! let fetch = names.intern("fetch");
//! assert_eq!(names.intern("fetch"), fetch);
//! assert_eq!(names.get("parse"), None);
//! assert_eq!(names.resolve(fetch), "fetch");
//!
//! let names = Frozen::from_interner(&names);
//! assert_eq!(names.resolve(fetch), "fetch");
//! ```

mod compact;
mod frozen;
mod local;
mod segments;
mod sharded;
mod striped;
mod threaded;

pub use compact::{Compact, Vacancy};
pub use frozen::Frozen;
pub use local::Local;
pub use sharded::Sharded;
pub use striped::Striped;
pub use threaded::Threaded;

use std::fmt;
use std::num::{NonZero, NonZeroU32};

/// The small integer an interner gives to a string.
///
/// Symbols of one interner are dense: the first new string gets index 0, the next 1, and so on. An
/// interner shared between threads gives the same indices in the order in which its threads arrive,
/// so that there is no gap below `len` once nobody is interning.
///
/// A symbol means something only together with the interner it came from. It takes four bytes, and
/// so does an `Option` of it.
///
/// # Examples
///
/// ```
/// use intern::Symbol;
///
/// assert_eq!(Symbol::from_index(7).index(), 7);
/// assert_eq!(size_of::<Option<Symbol>>(), 4);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
// Index + 1, so that an `Option` needs no room of its own.
pub struct Symbol(NonZeroU32);

impl Symbol {
    /// The symbol with this index.
    ///
    /// # Panics
    ///
    /// Panics when `index` is `u32::MAX`, which no interner gives out.
    #[inline]
    pub const fn from_index(index: u32) -> Self {
        match NonZero::new(index.wrapping_add(1)) {
            Some(number) => Self(number),
            None => panic!("the index of a symbol is below u32::MAX"),
        }
    }

    /// Position of the string in the interner, from 0.
    #[inline]
    pub const fn index(self) -> usize {
        (self.0.get() - 1) as usize
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
/// use intern::{Interner, Local, Sharded, Symbol};
///
/// fn first_twice(mut names: impl Interner) -> bool {
///     names.intern("a") == names.intern("a")
/// }
///
/// assert!(first_twice(Local::default()));
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
    /// resolve to another string.
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
    /// use intern::{Interner, Local};
    ///
    /// let mut symbols = Vec::new();
    /// Local::default().intern_batch(&["a", "b", "a"], &mut symbols);
    /// assert_eq!(symbols[0], symbols[2]);
    /// assert_ne!(symbols[0], symbols[1]);
    /// ```
    fn intern_batch(&mut self, strings: &[&str], symbols: &mut Vec<Symbol>) {
        symbols.extend(strings.iter().map(|string| self.intern(string)));
    }
}

#[cold]
#[inline(never)]
fn unknown(symbol: Symbol) -> ! {
    panic!("{symbol:?} is not of this interner")
}

#[cold]
#[inline(never)]
fn full() -> ! {
    panic!("an interner holds at most {} strings", u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_symbol_and_an_option_of_it_take_four_bytes() {
        assert_eq!(size_of::<Symbol>(), 4);
        assert_eq!(size_of::<Option<Symbol>>(), 4);
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
