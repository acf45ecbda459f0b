//! An interner shared between threads, on a `DashMap`, without unsafe code of its own.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dashmap::{DashMap, Entry};
use rustc_hash::FxBuildHasher;

use crate::segments::Segments;
use crate::{Interner, Owner, Symbol, full, unknown};

/// An interner shared between threads, on a [`DashMap`] with the Fx hash.
///
/// Each string is one allocation, shared by the map and the list that resolves symbols without a
/// lock. Symbols are dense once no thread is interning.
///
/// # Examples
///
/// ```
/// use intern::Sharded;
///
/// let names = Sharded::default();
/// let symbols = std::thread::scope(|scope| {
///     [(); 2]
///         .map(|()| scope.spawn(|| names.intern("fetch")))
///         .map(|thread| thread.join().unwrap())
/// });
/// assert_eq!(symbols[0], symbols[1]);
/// assert_eq!(names.resolve(symbols[0]), "fetch");
/// ```
#[derive(Default)]
pub struct Sharded {
    symbols: DashMap<Arc<str>, Symbol, FxBuildHasher>,
    strings: Segments<Arc<str>>,
    /// The next index.
    next: AtomicUsize,
    owner: Owner,
}

impl Sharded {
    /// An empty interner.
    pub fn new() -> Self {
        Self::default()
    }

    /// An interner with room for that many strings; their bytes are allocated one by one.
    pub fn with_capacity(strings: usize, _bytes: usize) -> Self {
        Self {
            symbols: DashMap::with_capacity_and_hasher(strings, FxBuildHasher),
            ..Self::default()
        }
    }

    /// The symbol of `string`; see [`Interner::intern`].
    ///
    /// # Panics
    ///
    /// Panics when `string` is new and the interner already holds `u32::MAX` strings.
    #[inline]
    pub fn intern(&self, string: &str) -> Symbol {
        match self.get(string) {
            Some(symbol) => symbol,
            None => self.add(string),
        }
    }

    /// The symbol of `string` if it was interned before.
    #[inline]
    pub fn get(&self, string: &str) -> Option<Symbol> {
        self.symbols.get(string).map(|symbol| *symbol)
    }

    /// The string of `symbol`, for as long as the interner is borrowed.
    ///
    /// # Panics
    ///
    /// Panics when the interner has no string of that index.
    #[inline]
    pub fn resolve(&self, symbol: Symbol) -> &str {
        self.owner.check(symbol);
        match self.strings.get(symbol.index()) {
            Some(string) => string,
            None => unknown(symbol),
        }
    }

    /// Number of strings, with those that other threads are adding.
    pub fn len(&self) -> usize {
        // Calls that found the interner full have counted on.
        self.next.load(Ordering::Relaxed).min(u32::MAX as usize)
    }

    /// Whether nothing was interned yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    #[inline(never)]
    fn add(&self, string: &str) -> Symbol {
        let vacant = match self.symbols.entry(Arc::from(string)) {
            // Another thread added it between our two looks.
            Entry::Occupied(known) => return *known.get(),
            Entry::Vacant(vacant) => vacant,
        };
        // `Relaxed`: only the number matters; the shard's lock and the slot of `strings` publish
        // the string.
        let index = self.next.fetch_add(1, Ordering::Relaxed);
        let symbol = match u32::try_from(index) {
            Ok(index) if index != u32::MAX => self.owner.mark(Symbol::from_index(index)),
            _ => full(),
        };
        self.strings.set(index, Arc::clone(vacant.key()));
        *vacant.insert(symbol)
    }
}

impl Interner for &Sharded {
    #[inline]
    fn intern(&mut self, string: &str) -> Symbol {
        Sharded::intern(self, string)
    }

    #[inline]
    fn get(&self, string: &str) -> Option<Symbol> {
        Sharded::get(self, string)
    }

    #[inline]
    fn resolve(&self, symbol: Symbol) -> &str {
        Sharded::resolve(self, symbol)
    }

    fn len(&self) -> usize {
        Sharded::len(self)
    }
}
