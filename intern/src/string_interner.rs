//! An interner for one thread, on string-interner with a fast hasher.

use rustc_hash::FxBuildHasher;
use string_interner::backend::StringBackend;
use string_interner::{DefaultSymbol, Symbol as _};

use crate::{Interner, Owner, Symbol, full, unknown};

/// An interner for one thread, on string-interner's `StringInterner` with the Fx hash.
///
/// Of its backends the one that keeps all strings in one text, since that resolves a symbol by its
/// index.
pub struct StringInterner(
    string_interner::StringInterner<StringBackend<DefaultSymbol>, FxBuildHasher>,
    Owner,
);

impl StringInterner {
    /// An empty interner.
    pub fn new() -> Self {
        Self::with_capacity(0, 0)
    }

    /// An interner with room for that many strings; the text grows as they are added.
    pub fn with_capacity(strings: usize, _bytes: usize) -> Self {
        let interner =
            string_interner::StringInterner::with_capacity_and_hasher(strings, FxBuildHasher);
        Self(interner, Owner::new())
    }
}

impl Default for StringInterner {
    fn default() -> Self {
        Self::new()
    }
}

impl Interner for StringInterner {
    #[inline]
    fn intern(&mut self, string: &str) -> Symbol {
        self.1.mark(symbol_of(self.0.get_or_intern(string)))
    }

    #[inline]
    fn get(&self, string: &str) -> Option<Symbol> {
        self.0.get(string).map(|key| self.1.mark(symbol_of(key)))
    }

    #[inline]
    fn resolve(&self, symbol: Symbol) -> &str {
        self.1.check(symbol);
        let key = DefaultSymbol::try_from_usize(symbol.index());
        match key.and_then(|key| self.0.resolve(key)) {
            Some(string) => string,
            None => unknown(symbol),
        }
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

#[inline]
fn symbol_of(key: DefaultSymbol) -> Symbol {
    match u32::try_from(key.to_usize()) {
        Ok(index) if index != u32::MAX => Symbol::from_index(index),
        _ => full(),
    }
}
