//! Four-byte symbols for strings: one trait, several strategies.

mod local;

pub use local::Local;

/// The small integer an interner gives to a string.
///
/// Symbols of one interner are dense: the first new string gets index 0, the next 1, and so on
/// (concurrent interners may hand them out in another order, still without gaps).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Symbol(u32);

impl Symbol {
    /// The symbol with this index.
    #[inline]
    pub const fn from_index(index: u32) -> Self {
        Self(index)
    }

    /// Position of the string in the interner, from 0.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

/// A strategy for turning strings into symbols and back.
///
/// Something that can be shared between threads implements the trait for its reference.
pub trait Interner {
    /// The symbol of `string`; equal strings get equal symbols, different strings different ones.
    fn intern(&mut self, string: &str) -> Symbol;

    /// The symbol of `string` if it was interned before.
    fn get(&self, string: &str) -> Option<Symbol>;

    /// The string of `symbol`.
    fn resolve(&self, symbol: Symbol) -> &str;

    /// Number of strings.
    fn len(&self) -> usize;

    /// Whether nothing was interned yet.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
