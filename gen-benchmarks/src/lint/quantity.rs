//! Figures as people write them: `~21,000 workflows per second`, `<10ms`, `12-15MB`, `1.2 µs (1.1..1.3)`.
//!
//! What is read is a range, never a point: the last digit that is written leaves half a step open to
//! both sides, and nothing is called a contradiction that such a range allows.

use std::ops::Range;

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nanoseconds.
    Time,
    /// Things a second.
    Rate,
    /// Bytes.
    Bytes,
    /// A fraction, written in percent.
    Share,
    /// How many times as much.
    Factor,
    /// A number without a unit that is known here.
    Bare,
}

/// What is said of the value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// It is the value.
    None,
    /// The value is at most this.
    Below,
    /// The value is at least this.
    Above,
}

/// One figure of a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quantity {
    pub(super) kind: Kind,
    /// The value; the middle of a range.
    pub(super) value: f64,
    /// What the digits, the range or the interval in brackets leave open.
    pub(super) low: f64,
    pub(super) high: f64,
    /// What a step of the last digit is worth.
    pub(super) place: f64,
    /// Digits that say something: zeros at the end of a whole number do not.
    pub(super) digits: u32,
    pub(super) bound: Bound,
    /// Whether an interval in brackets follows, to which it is rounded.
    pub(super) interval: bool,
    /// Whether `±` stands before it.
    pub(super) spread: bool,
    /// Where it stands in the text, with its unit.
    pub(super) at: Range<usize>,
}

impl Quantity {
    /// The same read as loosely as prose is written: zeros at the end of a whole number say nothing.
    pub(super) fn loosely(&self) -> (f64, f64) {
        let magnitude = self.value.abs().max(f64::MIN_POSITIVE).log10().floor();
        let last = 10_f64.powf(magnitude - f64::from(self.digits.max(1)) + 1.0);
        let half = last.max(self.place) / 2.0;
        (
            self.low.min(self.value - half),
            self.high.max(self.value + half),
        )
    }
}

/// All figures of a text, in order. Takes time in proportion to the text.
pub(super) fn quantities(text: &str) -> Vec<Quantity> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(step) = text[at..].find(|c: char| c.is_ascii_digit()) {
        let start = at + step;
        let before = text[..start].chars().next_back();
        let part_of_name =
            before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '.' | '^' | '#' | '/'));
        let next = match part_of_name {
            true => None,
            false => quantity(text, start),
        };
        at = match next {
            Some(quantity) => {
                let end = quantity.at.end;
                found.push(quantity);
                end
            }
            // Over all digits of it, and a fraction, which is no number of its own.
            None => {
                let rest = text[start..].find(|c: char| !c.is_ascii_digit() && c != '.');
                rest.map_or(text.len(), |length| start + length)
            }
        };
    }
    found
}

/// The only figure of a cell, with nothing but a name of what it counts around it.
pub(super) fn cell(text: &str) -> Option<Quantity> {
    quantities(text).into_iter().next()
}

/// Nanoseconds of the unit that a heading names: `time (ms)`, `ns/op`.
pub(super) fn unit_of_heading(heading: &str) -> Option<f64> {
    let mut words = heading.split(|c: char| !c.is_alphanumeric());
    words.find_map(|word| match word {
        "ns" | "us" | "µs" | "μs" | "ms" | "s" => nanoseconds(word),
        _ => None,
    })
}

/// Words as a comparison of names takes them: lower case, without endings, numbers without commas.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut word = String::new();
    let chars: Vec<char> = text.chars().collect();
    let kind = |c: char| match c {
        c if c.is_ascii_digit() => 1,
        c if c.is_alphabetic() => 2,
        _ => 0,
    };
    for (at, &c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).map(|at| chars[at]);
        let after = chars.get(at + 1).copied();
        let digits = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        if c == ',' && digits(before) && digits(after) {
            continue;
        }
        let camel = c.is_uppercase()
            && (before.is_some_and(char::is_lowercase)
                || before.is_some_and(char::is_uppercase) && after.is_some_and(char::is_lowercase));
        let turns = before.is_some_and(|before| before != ',' && kind(before) != kind(c));
        if (camel || turns || kind(c) == 0) && !word.is_empty() {
            words.push(stem(&std::mem::take(&mut word)));
        }
        if kind(c) != 0 {
            word.extend(c.to_lowercase());
        }
    }
    if !word.is_empty() {
        words.push(stem(&word));
    }
    words
}

/// A word without the endings that grammar puts there: `writers`, `sampling` and `sampled`.
fn stem(word: &str) -> String {
    for ending in ["ing", "ed", "es", "s"] {
        if let Some(stem) = word.strip_suffix(ending)
            && stem.chars().count() >= 4
            && !stem.ends_with('s')
        {
            return without_e(stem);
        }
    }
    without_e(word)
}

/// `cache` as `caching` leaves it; short words stay.
fn without_e(word: &str) -> String {
    match word.chars().count() > 4 {
        true => word.trim_end_matches('e').to_owned(),
        false => word.to_owned(),
    }
}

/// Longest run of digits that is read as a number.
const LONGEST: usize = 30;

/// A number as it is written.
struct Number {
    value: f64,
    place: f64,
    digits: u32,
    length: usize,
}

fn number(rest: &str) -> Option<Number> {
    let bytes = rest.as_bytes();
    let digit = |at: usize| bytes.get(at).is_some_and(u8::is_ascii_digit);
    if !digit(0) {
        return None;
    }
    let mut length = 0;
    let mut text = String::new();
    let mut decimals = None;
    while length < LONGEST + 1 {
        let three = (1..4).all(|step| digit(length + step)) && !digit(length + 4);
        match bytes.get(length) {
            Some(byte) if byte.is_ascii_digit() => text.push(char::from(*byte)),
            Some(b',') if decimals.is_none() && three => {}
            Some(b'.') if decimals.is_none() && digit(length + 1) => {
                text.push('.');
                decimals = Some(text.len());
            }
            _ => break,
        }
        length += 1;
    }
    if length > LONGEST {
        return None;
    }
    let value: f64 = text.parse().ok()?;
    let decimals = decimals.map_or(0, |point| text.len() - point);
    let plain: String = text.chars().filter(|&c| c != '.').collect();
    let significant = plain.trim_start_matches('0');
    let significant = match decimals {
        0 => significant.trim_end_matches('0'),
        _ => significant,
    };
    Some(Number {
        value,
        place: 10_f64.powi(-i32::try_from(decimals).ok()?),
        digits: significant.len() as u32,
        length,
    })
}

/// `k`, ` M` or ` million` behind a number, and its length.
fn magnitude(rest: &str) -> (f64, usize) {
    for (name, factor) in [
        (" thousand", 1e3),
        (" million", 1e6),
        (" billion", 1e9),
        (" k", 1e3),
        (" M", 1e6),
        (" G", 1e9),
        ("k", 1e3),
        ("K", 1e3),
        ("M", 1e6),
        ("G", 1e9),
    ] {
        if let Some(after) = rest.strip_prefix(name)
            && !after.starts_with(char::is_alphanumeric)
        {
            return (factor, name.len());
        }
    }
    (1.0, 0)
}

fn nanoseconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ns" | "nanosecond" | "nanoseconds" => 1.0,
        "us" | "µs" | "μs" | "microsecond" | "microseconds" => 1e3,
        "ms" | "millisecond" | "milliseconds" => 1e6,
        "s" | "sec" | "second" | "seconds" => 1e9,
        _ => return None,
    })
}

fn bytes(unit: &str) -> Option<f64> {
    Some(match unit {
        "B" | "byte" | "bytes" => 1.0,
        "KB" | "kB" | "KiB" => 1024.0,
        "MB" | "MiB" => 1024.0 * 1024.0,
        "GB" | "GiB" => 1024.0 * 1024.0 * 1024.0,
        "TB" | "TiB" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return None,
    })
}

/// The length of `/s`, ` per second` and the like at the start of a text.
fn per_second(rest: &str) -> Option<usize> {
    let names = ["/second", "/sec", "/s", " per second", " a second"];
    names.iter().find_map(|name| {
        let after = rest.strip_prefix(name)?;
        (!after.starts_with(char::is_alphanumeric)).then_some(name.len())
    })
}

/// What the text behind a number says that it counts: kind, factor, length.
fn unit(rest: &str) -> (Kind, f64, usize) {
    let space = usize::from(rest.starts_with(' '));
    let behind = &rest[space..];
    if behind.starts_with('%') {
        return (Kind::Share, 0.01, space + 1);
    }
    if let Some(after) = behind.strip_prefix('×')
        && !after.starts_with(|c: char| c.is_ascii_digit())
    {
        return (Kind::Factor, 1.0, space + '×'.len_utf8());
    }
    let letters = |text: &str| {
        text.find(|c: char| !c.is_alphabetic())
            .unwrap_or(text.len())
    };
    let (word, after) = behind.split_at(letters(behind));
    let length = space + word.len();
    if !after.starts_with(|c: char| c.is_ascii_digit() || c == '_') {
        if matches!(word, "x" | "times") {
            return (Kind::Factor, 1.0, length);
        }
        if word == "percent" {
            return (Kind::Share, 0.01, length);
        }
        if let Some(factor) = nanoseconds(word) {
            return (Kind::Time, factor, length);
        }
        if let Some(factor) = bytes(word) {
            return match per_second(after) {
                Some(more) => (Kind::Bare, factor, length + more),
                None => (Kind::Bytes, factor, length),
            };
        }
    }
    // `20.1k wf/sec`, `1 million task dispatches per second`.
    let mut length = 0;
    for _ in 0..4 {
        let rest = &rest[length..];
        if let Some(more) = per_second(rest) {
            return (Kind::Rate, 1.0, length + more);
        }
        let space = usize::from(rest.starts_with(' '));
        let word = letters(&rest[space..]);
        if word == 0 {
            break;
        }
        length += space + word;
    }
    (Kind::Bare, 1.0, 0)
}

/// The figure that begins with the digit at `start`.
fn quantity(text: &str, start: usize) -> Option<Quantity> {
    let first = number(&text[start..])?;
    let mut end = start + first.length;
    let (mut first_factor, length) = magnitude(&text[end..]);
    end += length;
    // `2-4ms`, `1.8-3ms total`, `0.5..0.7 ns`.
    let last = ["..", "-", "–"].into_iter().find_map(|dash| {
        let rest = text[end..].strip_prefix(dash)?;
        let number = number(rest)?;
        let (factor, length) = magnitude(&rest[number.length..]);
        Some((dash.len() + number.length + length, factor, number))
    });
    let mut last_factor = first_factor;
    if let Some((length, factor, _)) = &last {
        end += length;
        last_factor = *factor;
        if first_factor == 1.0 {
            first_factor = *factor;
        }
    }
    let (kind, scale, length) = unit(&text[end..]);
    end += length;
    let place = first.place * first_factor * scale;
    let mut value = first.value * first_factor * scale;
    let (mut low, mut high) = (value - place / 2.0, value + place / 2.0);
    let mut digits = first.digits;
    if let Some((.., last)) = &last {
        let end = last.value * last_factor * scale;
        value = f64::midpoint(value, end);
        high = end + last.place * last_factor * scale / 2.0;
        digits = digits.max(last.digits);
    }
    let mut bound = bound(&text[..start]);
    if text[end..].starts_with('+') {
        bound = Bound::Above;
        end += 1;
    }
    let interval = interval(&text[end..], kind, scale * last_factor);
    if let Some((ends, length)) = interval {
        (low, high) = (low.min(ends.0), high.max(ends.1));
        end += length;
    }
    let before = &text[..start];
    let unsigned = before.trim_end_matches(['-', '−']);
    if unsigned.len() < before.len() && !unsigned.ends_with(char::is_alphanumeric) {
        (value, low, high) = (-value, -high, -low);
    }
    let before = before.trim_end_matches(['~', '≈', ' ']);
    Some(Quantity {
        kind,
        value,
        low,
        high,
        place,
        digits,
        bound,
        interval: interval.is_some(),
        spread: ["±", "+-", "+/-"].iter().any(|sign| before.ends_with(sign)),
        at: start..end,
    })
}

/// ` (1.1..1.3)` behind a figure, where both ends may have units of their own.
fn interval(rest: &str, kind: Kind, scale: f64) -> Option<((f64, f64), usize)> {
    let inside = rest.strip_prefix(" (")?;
    let end = |text: &str| -> Option<(f64, usize)> {
        let negative = usize::from(text.starts_with('-'));
        let number = number(&text[negative..])?;
        let length = negative + number.length;
        let sign = if negative == 1 { -1.0 } else { 1.0 };
        Some(match unit(&text[length..]) {
            (own, factor, more) if own == kind && more > 0 => {
                (sign * number.value * factor, length + more)
            }
            _ => (sign * number.value * scale, length),
        })
    };
    let (low, length) = end(inside)?;
    let after = inside[length..].strip_prefix("..")?;
    let (high, more) = end(after)?;
    after[more..].strip_prefix(')')?;
    Some((
        (low, high),
        " (".len() + length + "..".len() + more + ")".len(),
    ))
}

/// What the text before a figure says of it.
fn bound(before: &str) -> Bound {
    let before = before.trim_end_matches(['~', '≈', ' ']);
    if before.ends_with("->") {
        return Bound::None;
    }
    if before.ends_with(['<', '≤']) || before.ends_with("<=") {
        return Bound::Below;
    }
    if before.ends_with(['>', '≥']) || before.ends_with(">=") {
        return Bound::Above;
    }
    let tail: Vec<char> = before.chars().rev().take(12).collect();
    let tail = tail.into_iter().rev().collect::<String>().to_lowercase();
    let ends = |words: &[&str]| {
        words.iter().any(|word| {
            let rest = tail.strip_suffix(word);
            rest.is_some_and(|rest| !rest.ends_with(char::is_alphabetic))
        })
    };
    if ends(&[
        "under",
        "below",
        "less than",
        "up to",
        "at most",
        "fewer than",
    ]) {
        return Bound::Below;
    }
    match ends(&["over", "above", "more than", "at least"]) {
        true => Bound::Above,
        false => Bound::None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, kind: Kind, value: f64, bound: Bound) {
        let found = cell(text).unwrap_or_else(|| panic!("no figure in `{text}`"));
        assert_eq!((found.kind, found.bound), (kind, bound), "{text}");
        let close = (found.value - value).abs() <= value.abs() * 1e-9;
        assert!(close, "{text}: {} is not {value}", found.value);
    }

    #[test]
    fn figures_are_read_as_people_write_them() {
        check("49.8µs", Kind::Time, 49_800.0, Bound::None);
        check("2.07μs/item", Kind::Time, 2_070.0, Bound::None);
        check("in under 50 ms", Kind::Time, 50e6, Bound::Below);
        check("<10ms", Kind::Time, 10e6, Bound::Below);
        check("~20.1k wf/sec", Kind::Rate, 20_100.0, Bound::None);
        check(
            "~21,000 workflows per second",
            Kind::Rate,
            21_000.0,
            Bound::None,
        );
        check(
            "over 1 million task dispatches per second",
            Kind::Rate,
            1e6,
            Bound::Above,
        );
        check("90K/sec", Kind::Rate, 90_000.0, Bound::None);
        check("12-15MB", Kind::Bytes, 13.5 * 1_048_576.0, Bound::None);
        check("100KB/sec sustained", Kind::Bare, 102_400.0, Bound::None);
        check("80%+", Kind::Share, 0.8, Bound::Above);
        check("-2.5%", Kind::Share, -0.025, Bound::None);
        check("27× (23..34) as long", Kind::Factor, 27.0, Bound::None);
        check("~1.8x slower", Kind::Factor, 1.8, Bound::None);
        check("1,000 events", Kind::Bare, 1_000.0, Bound::None);
        check("10×1,000", Kind::Bare, 10.0, Bound::None);
        check("649 M", Kind::Bare, 649e6, Bound::None);
        check("10 steps", Kind::Bare, 10.0, Bound::None);
    }

    #[test]
    fn last_digit_leaves_half_a_step_and_an_interval_what_it_says() {
        #[track_caller]
        fn check(text: &str, low: f64, high: f64) {
            let found = cell(text).unwrap();
            assert_eq!((found.low, found.high), (low, high), "{text}");
        }
        check("842ns", 841.5, 842.5);
        check("2-4ms", 1.5e6, 4.5e6);
        check("5.8 ns (4.6..6.4)", 4.6, 6.4);
        check("970 ns (965..1 µs)", 965.0, 1_000.0);
        let thousands = cell("~21,000 a day").unwrap();
        assert_eq!(thousands.loosely(), (20_500.0, 21_500.0));
        assert_eq!((thousands.low, thousands.high), (20_999.5, 21_000.5));
    }

    #[test]
    fn digits_of_names_and_versions_are_no_figures() {
        for text in [
            "v0.6.0", "lz4", "SHA256", "n^1.02", "#12", "x86_64", "none", "",
        ] {
            assert_eq!(quantities(text), [], "{text}");
        }
    }

    #[test]
    fn hostile_texts_are_read_without_panic() {
        let long = "9".repeat(1_000);
        let texts = [
            &*long,
            "1,",
            "1..",
            "1 (2..",
            "1 (2..3",
            "1-",
            "1µ",
            "1 ",
            "٣",
            "1e999",
            "1\u{301}",
            "-1..-2 ms (-1..-",
            "1.1.1.1",
            "1–",
            "±",
            "5×",
            "5 ×2",
        ];
        for text in texts {
            quantities(text);
            words(text);
        }
        assert_eq!(quantities(&long), []);
    }

    #[test]
    fn words_are_compared_without_case_endings_and_commas() {
        #[track_caller]
        fn check(text: &str, expected: &[&str]) {
            assert_eq!(words(text), expected);
        }
        check(
            "MetricsSampled, 1,000 writers",
            &["metric", "sampl", "1000", "writer"],
        );
        check("Disabling LinearDAG_10", &["disabl", "linear", "dag", "10"]);
        check("DAGTopology", &["dag", "topology"]);
    }
}
