//! The strings of an interner, packed for reading.

use crate::{Interner, Symbol, unknown};

/// The strings of an interner, end to end in one buffer, for reading by any number of threads.
///
/// Takes 4 bytes per string besides the text, and has no way from a string to its symbol.
///
/// # Examples
///
/// ```
/// use intern::{Frozen, Interner, Rodeo};
///
/// let mut names = Rodeo::default();
/// names.intern("fetch");
/// let parse = names.intern("parse");
/// let frozen = Frozen::from_interner(&names);
/// drop(names);
/// assert_eq!(frozen.resolve(parse), "parse");
/// let names: Vec<_> = frozen.iter().map(|(_, name)| name).collect();
/// assert_eq!(names, ["fetch", "parse"]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frozen {
    /// Where each string begins, and the end of the last.
    ///
    /// Invariant: ascending from 0 to `text.len()`, each at a character boundary; never empty.
    offsets: Box<[u32]>,
    text: Box<str>,
}

impl Frozen {
    /// Copies the strings of `interner`, which keep their symbols.
    ///
    /// # Panics
    ///
    /// Panics when the strings together have more than 4 GiB, or when other threads add strings
    /// meanwhile.
    pub fn from_interner(interner: &impl Interner) -> Self {
        let count = interner.len();
        let strings = || (0..count as u32).map(|index| interner.resolve(Symbol::from_index(index)));
        let bytes: usize = strings().map(str::len).sum();
        assert!(
            bytes <= u32::MAX as usize,
            "frozen strings have at most {} bytes together; got {bytes}",
            u32::MAX
        );
        let mut offsets = Vec::with_capacity(count + 1);
        let mut text = String::with_capacity(bytes);
        offsets.push(0);
        for string in strings() {
            text.push_str(string);
            // Checked again, because nothing makes an interner give the same strings twice.
            offsets.push(u32::try_from(text.len()).expect("the strings did not grow meanwhile"));
        }
        Self {
            offsets: offsets.into(),
            text: text.into(),
        }
    }

    /// The string of `symbol`.
    ///
    /// # Panics
    ///
    /// Panics when there is no string of that index.
    #[inline]
    pub fn resolve(&self, symbol: Symbol) -> &str {
        let index = symbol.index();
        match self.offsets.get(index..index + 2) {
            Some(&[start, end]) => {
                let range = start as usize..end as usize;
                debug_assert!(self.text.is_char_boundary(range.start), "{range:?}");
                debug_assert!(self.text.is_char_boundary(range.end), "{range:?}");
                // Unchecked, because the check reads the text: 1.5 instead of 0.7 ns for 1000
                // strings, 22 instead of 2 for a million (2026-11-21, 2-core x86-64 VM).
                //
                // SAFETY: needs an ascending range within `text`, at character boundaries: the
                // invariant of `offsets`.
                unsafe { self.text.get_unchecked(range) }
            }
            _ => unknown(symbol),
        }
    }

    /// Number of strings.
    pub fn len(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Whether there is no string.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Symbols and strings, in the order of the symbols.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (Symbol, &str)> {
        // `len` fits: no interner gives out the index `u32::MAX`.
        (0..self.len() as u32).map(|index| {
            let symbol = Symbol::from_index(index);
            (symbol, self.resolve(symbol))
        })
    }

    /// Bytes held from the global allocator.
    pub fn held_bytes(&self) -> usize {
        size_of_val(&*self.offsets) + self.text.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `count` times the same string; no interner that fits into memory has as much text.
    struct Same<'a> {
        string: &'a str,
        count: usize,
    }

    impl Interner for Same<'_> {
        fn intern(&mut self, _: &str) -> Symbol {
            unreachable!("only read")
        }

        fn get(&self, _: &str) -> Option<Symbol> {
            None
        }

        fn resolve(&self, _: Symbol) -> &str {
            self.string
        }

        fn len(&self) -> usize {
            self.count
        }
    }

    #[test]
    #[should_panic = "frozen strings have at most 4294967295 bytes together; got 4294967296"]
    fn more_text_than_offsets_reach_is_refused() {
        let string = "x".repeat(1 << 16);
        Frozen::from_interner(&Same {
            string: &string,
            count: 1 << 16,
        });
    }

    #[test]
    fn held_bytes_are_text_and_four_per_string() {
        let frozen = Frozen::from_interner(&Same {
            string: "four",
            count: 10,
        });
        assert_eq!(frozen.held_bytes(), 10 * 4 + 11 * 4);
    }

    #[test]
    #[should_panic = "Symbol(0) is not of this interner"]
    fn an_empty_resolver_has_no_first_string() {
        let empty = Frozen::from_interner(&Same {
            string: "",
            count: 0,
        });
        assert!(empty.is_empty());
        empty.resolve(Symbol::from_index(0));
    }
}
