//! What all readers share: where a value stands, what was not understood, what was found.

use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet};
use std::fmt;

use super::json::{At, Json};
use super::{Found, Key, Measurement};

/// Why a file could not be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}{place}: {reason}")]
pub struct ReadError {
    file: String,
    place: Place,
    reason: String,
}

/// Where in a file something stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Anywhere.
    File,
    /// A line, from 1.
    Line(usize),
    /// A value of a JSON text.
    Pointer(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File => Ok(()),
            Self::Line(line) => write!(f, ":{line}"),
            Self::Pointer(pointer) => write!(f, " at {pointer}"),
        }
    }
}

/// Most warnings that one file gives.
const WARNINGS: usize = 20;

/// Collects what one file holds.
pub(super) struct Reader<'a> {
    pub(super) file: &'a str,
    found: RefCell<Found>,
    seen: RefCell<HashSet<Key>>,
    /// Fields that are not known: where the first stands, and how many there are.
    unknown: RefCell<BTreeMap<String, (Place, usize)>>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(file: &'a str) -> Self {
        Self {
            file,
            found: RefCell::default(),
            seen: RefCell::default(),
            unknown: RefCell::default(),
        }
    }

    /// An error without a place.
    pub(super) fn fault(&self, reason: &str) -> ReadError {
        self.fault_at(&Place::File, reason)
    }

    pub(super) fn fault_at(&self, place: &Place, reason: &str) -> ReadError {
        ReadError {
            file: self.file.to_owned(),
            place: place.clone(),
            reason: reason.to_owned(),
        }
    }

    /// Parses a whole file.
    pub(super) fn json(&self, text: &str) -> Result<Json, ReadError> {
        serde_json::from_str(text).map_err(|error| self.not_json(error.line(), &error))
    }

    /// Parses a line of a file.
    pub(super) fn json_line(&self, line: usize, text: &str) -> Result<Json, ReadError> {
        serde_json::from_str(text).map_err(|error| self.not_json(line, &error))
    }

    fn not_json(&self, line: usize, error: &serde_json::Error) -> ReadError {
        self.fault_at(
            &Place::Line(line),
            &format!("not the JSON that is expected: {error}"),
        )
    }

    /// The whole of a JSON text.
    pub(super) fn root<'b>(&'b self, json: &'b Json) -> At<'b> {
        At::new(json, String::new(), None, self)
    }

    /// A line of JSON, which errors name beside the pointer.
    pub(super) fn root_of_line<'b>(&'b self, line: usize, json: &'b Json) -> At<'b> {
        At::new(json, String::new(), Some(line), self)
    }

    pub(super) fn warn(&self, place: &Place, sentence: &str) {
        let warning = format!("{}{place}: {sentence}", self.file);
        self.found.borrow_mut().warnings.push(warning);
    }

    pub(super) fn unknown(&self, place: Place, field: &str) {
        let mut unknown = self.unknown.borrow_mut();
        let (_, count) = unknown.entry(field.to_owned()).or_insert((place, 0));
        *count += 1;
    }

    /// Keeps a measurement that stands at `place`.
    pub(super) fn push(&self, place: &Place, measurement: Measurement) -> Result<(), ReadError> {
        measurement
            .check()
            .map_err(|reason| self.fault_at(place, &reason))?;
        if !self.seen.borrow_mut().insert(measurement.key()) {
            let reason = format!(
                "{} of benchmark `{}` stands twice; names must be unique",
                measurement.metric, measurement.id
            );
            return Err(self.fault_at(place, &reason));
        }
        self.found.borrow_mut().measurements.push(measurement);
        Ok(())
    }

    /// What was found, or an error where that is nothing.
    pub(super) fn finish(self) -> Result<Found, ReadError> {
        let mut found = self.found.take();
        if found.measurements.is_empty() {
            let why = found.warnings.first().map_or(String::new(), |warning| {
                format!(" that can be used: {warning}")
            });
            return Err(self.fault(&format!("holds no benchmark results{why}")));
        }
        let unknown = self.unknown.take();
        let unknown = unknown.into_iter().map(|(field, (place, count))| {
            let times = match count {
                1 => String::new(),
                _ => format!(", {count} times"),
            };
            format!(
                "unknown field `{field}` in file {} (first{place}{times})",
                self.file
            )
        });
        found.warnings.extend(unknown);
        let more = found.warnings.len().saturating_sub(WARNINGS);
        if more > 0 {
            found.warnings.truncate(WARNINGS);
            found
                .warnings
                .push(format!("{}: {more} more warnings", self.file));
        }
        Ok(found)
    }
}
