//! JSON as readers need it: every value knows where it stands, a key that stands twice is an
//! error, and a field that nobody asked for is reported.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::reader::{Place, ReadError, Reader};

/// A JSON value, in the order of its text.
#[derive(Debug, PartialEq)]
pub(super) enum Json {
    Null,
    Bool,
    Number(f64),
    Text(String),
    List(Vec<Json>),
    Object(Vec<(String, Json)>),
}

impl Json {
    /// The field of an object, where it is not null.
    pub(super) fn field(&self, name: &str) -> Option<&Json> {
        let Self::Object(fields) = self else {
            return None;
        };
        let (_, value) = fields.iter().find(|(key, _)| key == name)?;
        (*value != Self::Null).then_some(value)
    }

    /// The value as an error names it.
    fn shown(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Bool => "a truth value".to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) if text.chars().count() > 40 => "a long text".to_owned(),
            Self::Text(text) => format!("{text:?}"),
            Self::List(_) => "a list".to_owned(),
            Self::Object(_) => "an object".to_owned(),
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Values)
    }
}

struct Values;

impl<'de> Visitor<'de> for Values {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Json, E> {
        Ok(Json::Bool)
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(Json::Number(number))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Json, A::Error> {
        let mut fields: Vec<(String, Json)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        while let Some((key, value)) = entries.next_entry::<String, Json>()? {
            if !seen.insert(key.clone()) {
                return Err(de::Error::custom(format!("key `{key}` stands twice")));
            }
            fields.push((key, value));
        }
        Ok(Json::Object(fields))
    }
}

/// A value and where it stands.
#[derive(Clone)]
pub(super) struct At<'a> {
    json: &'a Json,
    pointer: String,
    line: Option<usize>,
    reader: &'a Reader<'a>,
}

impl<'a> At<'a> {
    pub(super) fn new(
        json: &'a Json,
        pointer: String,
        line: Option<usize>,
        reader: &'a Reader<'a>,
    ) -> Self {
        Self {
            json,
            pointer,
            line,
            reader,
        }
    }

    fn below(&self, step: &str, json: &'a Json) -> At<'a> {
        let step = step.replace('~', "~0").replace('/', "~1");
        let pointer = format!("{}/{step}", self.pointer);
        Self::new(json, pointer, self.line, self.reader)
    }

    pub(super) fn place(&self) -> Place {
        match self.line {
            Some(line) => Place::Line(line),
            None if self.pointer.is_empty() => Place::File,
            None => Place::Pointer(self.pointer.clone()),
        }
    }

    pub(super) fn fault(&self, reason: &str) -> ReadError {
        let below = match self.line {
            Some(_) if !self.pointer.is_empty() => format!("{}: ", self.pointer),
            _ => String::new(),
        };
        self.reader
            .fault_at(&self.place(), &format!("{below}{reason}"))
    }

    pub(super) fn warn(&self, sentence: &str) {
        self.reader.warn(&self.place(), sentence);
    }

    /// Reports the fields of an object that are not among `known`.
    pub(super) fn known(&self, known: &[&str]) -> Result<(), ReadError> {
        for (name, value) in self.entries()? {
            if !known.contains(&name) {
                self.reader.unknown(value.place(), name);
            }
        }
        Ok(())
    }

    /// A field that may be missing or null.
    pub(super) fn get(&self, name: &str) -> Option<At<'a>> {
        Some(self.below(name, self.json.field(name)?))
    }

    pub(super) fn need(&self, name: &str) -> Result<At<'a>, ReadError> {
        match (self.json, self.get(name)) {
            (_, Some(value)) => Ok(value),
            (Json::Object(_), None) => Err(self.fault(&format!("has no `{name}`"))),
            (other, None) => Err(self.not("an object", other)),
        }
    }

    pub(super) fn text(&self) -> Result<&'a str, ReadError> {
        match self.json {
            Json::Text(text) => Ok(text),
            other => Err(self.not("a text", other)),
        }
    }

    pub(super) fn number(&self) -> Result<f64, ReadError> {
        match self.json {
            Json::Number(number) => Ok(*number),
            other => Err(self.not("a number", other)),
        }
    }

    /// A number that counts.
    pub(super) fn count(&self) -> Result<u64, ReadError> {
        let number = self.number()?;
        match number >= 0.0 && number.fract() == 0.0 && number < 2_f64.powi(53) {
            true => Ok(number as u64),
            false => Err(self.not("a count", self.json)),
        }
    }

    pub(super) fn list(&self) -> Result<Vec<At<'a>>, ReadError> {
        match self.json {
            Json::List(list) => Ok(list
                .iter()
                .enumerate()
                .map(|(index, item)| self.below(&index.to_string(), item))
                .collect()),
            other => Err(self.not("a list", other)),
        }
    }

    pub(super) fn numbers(&self) -> Result<Vec<f64>, ReadError> {
        self.list()?.iter().map(At::number).collect()
    }

    pub(super) fn entries(&self) -> Result<Vec<(&'a str, At<'a>)>, ReadError> {
        match self.json {
            Json::Object(fields) => Ok(fields
                .iter()
                .map(|(name, value)| (name.as_str(), self.below(name, value)))
                .collect()),
            other => Err(self.not("an object", other)),
        }
    }

    /// A number that may be missing, null, or what stands for not a number.
    pub(super) fn optional(&self, name: &str) -> Result<Option<f64>, ReadError> {
        match self.get(name) {
            Some(value) if *value.json == Json::Text("NaN".to_owned()) => Ok(None),
            Some(value) => value.number().map(Some),
            None => Ok(None),
        }
    }

    pub(super) fn is_number(&self) -> bool {
        matches!(self.json, Json::Number(_))
    }

    pub(super) fn is_text(&self) -> bool {
        matches!(self.json, Json::Text(_))
    }

    /// Adds a measurement that stands here.
    pub(super) fn push(&self, measurement: super::Measurement) -> Result<(), ReadError> {
        self.reader.push(&self.place(), measurement)
    }

    fn not(&self, expected: &str, found: &Json) -> ReadError {
        self.fault(&format!("is {}, not {expected}", found.shown()))
    }
}
