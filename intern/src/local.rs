//! An interner for one thread, on lasso's `Rodeo` with a fast hasher.

use lasso::{Key, Rodeo, Spur};
use rustc_hash::FxBuildHasher;

use crate::{Interner, Symbol};

/// An interner for one thread, on lasso's `Rodeo` with the Fx hash.
pub struct Local(Rodeo<Spur, FxBuildHasher>);

impl Default for Local {
    fn default() -> Self {
        Self(Rodeo::with_hasher(FxBuildHasher))
    }
}

impl Interner for Local {
    #[inline]
    fn intern(&mut self, string: &str) -> Symbol {
        Symbol(self.0.get_or_intern(string).into_usize() as u32)
    }

    #[inline]
    fn get(&self, string: &str) -> Option<Symbol> {
        self.0.get(string).map(|key| Symbol(key.into_usize() as u32))
    }

    #[inline]
    fn resolve(&self, symbol: Symbol) -> &str {
        self.0.resolve(&Spur::try_from_usize(symbol.index()).expect("a symbol of this interner"))
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}
