//! Interners as tables of strings, and symbols as the strings they stand for.

use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, SeqAccess, Visitor};
use serde::ser::{Serialize, Serializer};

use crate::{Compact, Frozen, Interner, Symbol};

/// A symbol with its interner, written as the string it stands for.
///
/// # Examples
///
/// ```
/// use intern::{AsString, Compact, Interner, IntoSymbol};
/// use serde::de::DeserializeSeed;
///
/// let mut names = Compact::default();
/// let fetch = names.intern("fetch");
/// let json = serde_json::to_string(&AsString(&names, fetch))?;
/// assert_eq!(json, r#""fetch""#);
///
/// let mut others = Compact::default();
/// let symbol = IntoSymbol(&mut others).deserialize(&mut serde_json::Deserializer::from_str(&json))?;
/// assert_eq!(others.resolve(symbol), "fetch");
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Copy, Debug)]
pub struct AsString<'a, I>(pub &'a I, pub Symbol);

/// Reads a string and interns it: what [`AsString`] wrote, in an interner that may be another one.
#[derive(Debug)]
pub struct IntoSymbol<'a, I>(pub &'a mut I);

impl<I: Interner> Serialize for AsString<'_, I> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let &Self(interner, symbol) = self;
        serializer.serialize_str(interner.resolve(symbol))
    }
}

impl<'de, I: Interner> DeserializeSeed<'de> for IntoSymbol<'_, I> {
    type Value = Symbol;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Symbol, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<I: Interner> Visitor<'_> for IntoSymbol<'_, I> {
    type Value = Symbol;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_str<E: Error>(self, string: &str) -> Result<Symbol, E> {
        Ok(self.0.intern(string))
    }
}

/// As the sequence of its strings, which give the symbols back in this order.
impl<S> Serialize for Compact<S>
where
    Self: Interner,
{
    fn serialize<W: Serializer>(&self, serializer: W) -> Result<W::Ok, W::Error> {
        let symbols = (0..self.len() as u32).map(Symbol::from_index);
        serializer.collect_seq(symbols.map(|symbol| self.resolve(symbol)))
    }
}

/// From a sequence of strings of which no two are equal.
impl<'de> Deserialize<'de> for Compact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Table)
    }
}

/// As the sequence of its strings.
impl Serialize for Frozen {
    fn serialize<W: Serializer>(&self, serializer: W) -> Result<W::Ok, W::Error> {
        serializer.collect_seq(self.iter().map(|(_, string)| string))
    }
}

/// From a sequence of strings of which no two are equal.
impl<'de> Deserialize<'de> for Frozen {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::from_interner(&Compact::deserialize(deserializer)?))
    }
}

struct Table;

impl<'de> Visitor<'de> for Table {
    type Value = Compact;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a sequence of different strings")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut strings: A) -> Result<Compact, A::Error> {
        let mut table = Compact::default();
        while strings.next_element_seed(Next(&mut table))?.is_some() {}
        Ok(table)
    }
}

/// Adds the next string of a table.
struct Next<'a>(&'a mut Compact);

impl<'de> DeserializeSeed<'de> for Next<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Next<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a string")
    }

    fn visit_str<E: Error>(self, string: &str) -> Result<(), E> {
        let Self(table) = self;
        let index = table.len();
        // A hostile table must not abort the process.
        let symbol = table.try_intern(string).map_err(E::custom)?;
        if symbol.index() != index {
            return Err(E::custom(format_args!(
                "the strings {} and {index} of the table are both {string:?}; symbols need different ones",
                symbol.index()
            )));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_keep_symbols() {
        let mut names = Compact::default();
        for name in ["fetch", "", "pärse", "\"quoted\"\n"] {
            names.intern(name);
        }
        names.try_intern_static("static").unwrap();
        let json = serde_json::to_string(&names).unwrap();
        let read: Compact = serde_json::from_str(&json).unwrap();
        assert_eq!(Frozen::from_interner(&read), Frozen::from_interner(&names));
        let frozen: Frozen = serde_json::from_str(&json).unwrap();
        assert_eq!(frozen, Frozen::from_interner(&names));
        assert_eq!(serde_json::to_string(&frozen).unwrap(), json);
    }

    #[test]
    fn a_string_that_stands_twice_is_refused() {
        let refused = serde_json::from_str::<Compact>(r#"["a", "b", "a"]"#).unwrap_err();
        assert!(
            refused.to_string().starts_with(
                "the strings 0 and 2 of the table are both \"a\"; symbols need different ones"
            ),
            "{refused}"
        );
    }
}
