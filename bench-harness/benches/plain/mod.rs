//! What one writes without an interner.

use std::collections::HashMap;

use intern::{Interner, Symbol};

/// The plain way: a map from owned strings, and a list of them to resolve.
#[derive(Default)]
pub(crate) struct Plain {
    symbols: HashMap<String, Symbol>,
    strings: Vec<String>,
}

impl Interner for Plain {
    fn intern(&mut self, string: &str) -> Symbol {
        if let Some(&symbol) = self.symbols.get(string) {
            return symbol;
        }
        let symbol = Symbol::from_index(self.strings.len() as u32);
        self.symbols.insert(string.to_owned(), symbol);
        self.strings.push(string.to_owned());
        symbol
    }

    fn get(&self, string: &str) -> Option<Symbol> {
        self.symbols.get(string).copied()
    }

    fn resolve(&self, symbol: Symbol) -> &str {
        &self.strings[symbol.index()]
    }

    fn len(&self) -> usize {
        self.strings.len()
    }
}
