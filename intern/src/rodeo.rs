//! An interner for one thread, on lasso's `Rodeo` with a fast hasher.

use std::num::NonZero;

use lasso::{Capacity, Key, LassoError, Spur};
use rustc_hash::FxBuildHasher;

use crate::{Interner, Owner, Symbol, unknown};

/// An interner for one thread, on lasso's `Rodeo` with the Fx hash.
pub struct Rodeo(lasso::Rodeo<Spur, FxBuildHasher>, Owner);

impl Rodeo {
    /// An empty interner.
    pub fn new() -> Self {
        Self(lasso::Rodeo::with_hasher(FxBuildHasher), Owner::new())
    }

    /// An interner with room for that many strings of that many bytes together.
    pub fn with_capacity(strings: usize, bytes: usize) -> Self {
        let capacity = capacity(strings, bytes);
        let interner = lasso::Rodeo::with_capacity_and_hasher(capacity, FxBuildHasher);
        Self(interner, Owner::new())
    }
}

impl Default for Rodeo {
    fn default() -> Self {
        Self::new()
    }
}

impl Interner for Rodeo {
    #[inline]
    fn intern(&mut self, string: &str) -> Symbol {
        match self.0.try_get_or_intern(string) {
            Ok(key) => self.1.mark(symbol_of(key)),
            Err(error) => refused(error),
        }
    }

    #[inline]
    fn get(&self, string: &str) -> Option<Symbol> {
        self.0.get(string).map(|key| self.1.mark(symbol_of(key)))
    }

    #[inline]
    fn resolve(&self, symbol: Symbol) -> &str {
        self.1.check(symbol);
        match self.0.try_resolve(&key_of(symbol)) {
            Some(string) => string,
            None => unknown(symbol),
        }
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

/// A `Spur` is an index plus 1 in 32 bits, like a `Symbol`, so this compiles to nothing.
#[inline]
pub(crate) fn symbol_of(key: Spur) -> Symbol {
    Symbol::from_number(key.into_inner().get()).expect("no key is 0")
}

#[inline]
pub(crate) fn key_of(symbol: Symbol) -> Spur {
    Spur::try_from_usize(symbol.index()).expect("every index of a symbol is one of a key")
}

/// Capacity in lasso's terms.
///
/// Never with lasso's memory limits: with one, lasso 0.7.3 writes behind the end of a buffer.
/// Not fewer bytes than lasso's default either: strings that do not fit twice that number get a
/// buffer each, and the threaded version searches all of them for every new string.
pub(crate) fn capacity(strings: usize, bytes: usize) -> Capacity {
    let least = NonZero::new(4096).expect("4096 is not 0");
    Capacity::new(
        strings,
        NonZero::new(bytes).map_or(least, |bytes| bytes.max(least)),
    )
}

#[cold]
#[inline(never)]
pub(crate) fn refused(error: LassoError) -> ! {
    panic!(
        "cannot intern another string: {error} (an interner holds at most {} strings)",
        u32::MAX
    )
}
