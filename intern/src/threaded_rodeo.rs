//! An interner shared between threads, on lasso's `ThreadedRodeo` with a fast hasher.

use lasso::Spur;
use rustc_hash::FxBuildHasher;

use crate::rodeo::{capacity, key_of, refused, symbol_of};
use crate::{Interner, Owner, Symbol, unknown};

/// An interner shared between threads, on lasso's `ThreadedRodeo` with the Fx hash.
///
/// Symbols are dense: lasso numbers a string while it holds the lock under which the string was
/// found to be new. Every call takes a lock, `resolve` too. Strings longer than 8 KiB may get a
/// buffer each, and a new string takes time proportional to the number of buffers.
///
/// # Examples
///
/// ```
/// use intern::ThreadedRodeo;
///
/// let names = ThreadedRodeo::default();
/// let symbols = std::thread::scope(|scope| {
///     [(); 2]
///         .map(|()| scope.spawn(|| names.intern("fetch")))
///         .map(|thread| thread.join().unwrap())
/// });
/// assert_eq!(symbols[0], symbols[1]);
/// assert_eq!(names.resolve(symbols[0]), "fetch");
/// ```
pub struct ThreadedRodeo(lasso::ThreadedRodeo<Spur, FxBuildHasher>, Owner);

impl ThreadedRodeo {
    /// An empty interner.
    pub fn new() -> Self {
        Self(
            lasso::ThreadedRodeo::with_hasher(FxBuildHasher),
            Owner::new(),
        )
    }

    /// An interner with room for that many strings of that many bytes together.
    pub fn with_capacity(strings: usize, bytes: usize) -> Self {
        let capacity = capacity(strings, bytes);
        let interner = lasso::ThreadedRodeo::with_capacity_and_hasher(capacity, FxBuildHasher);
        Self(interner, Owner::new())
    }

    /// The symbol of `string`; see [`Interner::intern`].
    ///
    /// # Panics
    ///
    /// Panics when `string` is new and the interner already holds `u32::MAX` strings, or when no
    /// memory is left.
    #[inline]
    pub fn intern(&self, string: &str) -> Symbol {
        match self.0.try_get_or_intern(string) {
            Ok(key) => self.1.mark(symbol_of(key)),
            Err(error) => refused(error),
        }
    }

    /// The symbol of `string` if it was interned before.
    #[inline]
    pub fn get(&self, string: &str) -> Option<Symbol> {
        self.0.get(string).map(|key| self.1.mark(symbol_of(key)))
    }

    /// The string of `symbol`, for as long as the interner is borrowed.
    ///
    /// # Panics
    ///
    /// Panics when the interner has no string of that index.
    #[inline]
    pub fn resolve(&self, symbol: Symbol) -> &str {
        self.1.check(symbol);
        match self.0.try_resolve(&key_of(symbol)) {
            Some(string) => string,
            None => unknown(symbol),
        }
    }

    /// Number of strings, with those that other threads are adding. Takes every lock, one
    /// after the other.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing was interned yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Default for ThreadedRodeo {
    fn default() -> Self {
        Self::new()
    }
}

impl Interner for &ThreadedRodeo {
    #[inline]
    fn intern(&mut self, string: &str) -> Symbol {
        ThreadedRodeo::intern(self, string)
    }

    #[inline]
    fn get(&self, string: &str) -> Option<Symbol> {
        ThreadedRodeo::get(self, string)
    }

    #[inline]
    fn resolve(&self, symbol: Symbol) -> &str {
        ThreadedRodeo::resolve(self, symbol)
    }

    fn len(&self) -> usize {
        ThreadedRodeo::len(self)
    }
}
