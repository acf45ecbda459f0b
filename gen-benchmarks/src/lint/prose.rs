//! Sentences beside the rows that they speak of.
//!
//! A sentence speaks of a row when it has every word that tells the row apart from the others of
//! its table. Only such sentences are judged, and only where no reading of the digits makes them
//! true, so what is found is a contradiction and what is not understood is left alone.

use std::collections::BTreeSet;

use super::quantity::{self, Bound, Kind, Quantity};
use super::row::{Figure, Row};
use super::{Finding, Rule};

/// Rows of a table that are looked at, so that long documents take no more than their length.
const ROWS: usize = 500;

/// What `about` is worth, as a part of the figure, beside what its digits leave open.
const ABOUT: f64 = 0.01;

/// The same for bytes, because a KB may have 1000 or 1024 of them.
const ABOUT_BYTES: f64 = 0.05;

type Words = BTreeSet<String>;

/// What a paragraph says wrongly of the rows above it.
pub(super) fn check(line: usize, text: &str, rows: &[Row]) -> Vec<Finding> {
    let rows = &rows[..rows.len().min(ROWS)];
    let names = names(rows);
    let mut found = Vec::new();
    for sentence in sentences(text) {
        let spoken = Sentence::new(sentence, rows, &names);
        found.extend(spoken.absolute(line));
        found.extend(spoken.ratio(line));
        found.extend(spoken.direction(line, rows, &names));
        for clause in sentence.split("; ") {
            found.extend(winner(line, clause, rows, &names));
        }
    }
    found
}

/// Divides a text where a sentence ends: before a capital, a code span or a digit.
fn sentences(text: &str) -> Vec<&str> {
    let mut sentences = Vec::new();
    let mut start = 0;
    for (at, _) in text.match_indices(". ") {
        let next = text[at + 2..].chars().next();
        if next.is_some_and(|c| c.is_uppercase() || c == '`' || c.is_ascii_digit()) {
            sentences.push(&text[start..=at]);
            start = at + 2;
        }
    }
    sentences.push(&text[start..]);
    sentences
}

/// The words of each row's name that not all rows have.
fn names(rows: &[Row]) -> Vec<Words> {
    let all: Vec<Words> = rows
        .iter()
        .map(|row| quantity::words(&row.name()).into_iter().collect())
        .collect();
    let Some(first) = all.first() else {
        return Vec::new();
    };
    let shared: Words = first
        .iter()
        .filter(|word| all.iter().all(|words| words.contains(*word)))
        .cloned()
        .collect();
    all.iter().map(|words| words - &shared).collect()
}

/// The rows that words name, without those whose name is a part of another's.
fn named<'a>(words: &Words, rows: &'a [Row], names: &[Words]) -> Vec<(usize, &'a Row)> {
    let all: Vec<usize> = (0..rows.len())
        .filter(|&at| !names[at].is_empty() && names[at].is_subset(words))
        .collect();
    let within = |at: usize| {
        let mut others = all.iter().filter(|&&other| other != at);
        others.any(|&other| names[at].is_subset(&names[other]) && names[at] != names[other])
    };
    let longest = all.iter().copied().filter(|&at| !within(at));
    longest.map(|at| (at, &rows[at])).collect()
}

/// The words of a text but for those of its figures.
fn words_of(text: &str, quantities: &[Quantity]) -> Words {
    let mut plain = String::new();
    let mut from = 0;
    for quantity in quantities.iter().filter(|one| one.kind != Kind::Bare) {
        plain.push_str(&text[from..quantity.at.start]);
        plain.push(' ');
        from = quantity.at.end;
    }
    plain.push_str(&text[from..]);
    quantity::words(&plain).into_iter().collect()
}

/// A sentence and the rows that it names.
struct Sentence<'a> {
    text: &'a str,
    quantities: Vec<Quantity>,
    words: Words,
    rows: Vec<(usize, &'a Row)>,
}

impl<'a> Sentence<'a> {
    fn new(text: &'a str, rows: &'a [Row], names: &[Words]) -> Self {
        let mut quantities = quantity::quantities(text);
        let words = words_of(text, &quantities);
        // A code span is a name, also `1 us`.
        quantities.retain(|one| text[..one.at.start].matches('`').count().is_multiple_of(2));
        // Where names stand in code spans, other words and numbers are no names.
        let spans: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
        let is_part = |span: &&str| {
            rows.iter()
                .any(|row| row.parts.iter().any(|part| part == *span))
        };
        let rows = match spans.iter().any(is_part) {
            true => {
                let spans = quantity::words(&spans.join(" ")).into_iter().collect();
                named(&spans, rows, names)
            }
            false => named(&words, rows, names),
        };
        Self {
            rows,
            text,
            quantities,
            words,
        }
    }

    fn has(&self, words: &[&str]) -> bool {
        words.iter().any(|word| self.words.contains(*word))
    }

    fn written(&self, quantity: &Quantity) -> &'a str {
        self.text[quantity.at.clone()].trim()
    }

    /// Times, rates and bytes that none of the one or two rows has.
    fn absolute(&self, line: usize) -> Option<Finding> {
        if self.rows.is_empty() || self.rows.len() > 2 {
            return None;
        }
        for quantity in &self.quantities {
            let after = &self.text[quantity.at.end..];
            let each = [" a ", " an ", " per ", " each", "/"];
            let shared = each.iter().any(|word| after.starts_with(word));
            let compared = [" faster", " slower", " more", " less", " better", " worse"];
            let compared = compared.iter().any(|word| after.starts_with(word));
            let per_element = quantity.kind == Kind::Bytes
                && (self.text.contains(" for a") || self.text.contains(" per "));
            if quantity.spread || shared || compared || per_element {
                continue;
            }
            let figures: Vec<(&Row, &Figure)> = self
                .rows
                .iter()
                .flat_map(|&(_, row)| {
                    row.figures(quantity.kind)
                        .into_iter()
                        .map(move |one| (row, one))
                })
                .collect();
            if figures.is_empty()
                || figures
                    .iter()
                    .any(|(_, one)| allows(quantity, one.low, one.high))
            {
                continue;
            }
            let (row, figure) = figures[0];
            let finding = Finding::new(
                line,
                Rule::Prose,
                format!(
                    "the sentence says {} of `{}`, where line {} has {}",
                    self.written(quantity),
                    row.name(),
                    row.line,
                    figure.written
                ),
            );
            let written = figures.iter().map(|(_, figure)| figure.written.clone());
            return Some(
                finding
                    .figures([self.written(quantity).to_owned()])
                    .figures(written),
            );
        }
        None
    }

    /// A factor or a percentage between the two named rows that neither their times nor their
    /// rates have, in neither direction.
    fn ratio(&self, line: usize) -> Option<Finding> {
        let [(_, one), (_, other)] = self.rows[..] else {
            return None;
        };
        let compares = [
            "faster",
            "slower",
            "quicker",
            "more",
            "less",
            "fewer",
            "better",
            "worse",
            "overhead",
            "drop",
            "long",
            "lower",
            "higher",
            "smaller",
            "larger",
            "increas",
            "reduc",
            "reduction",
            "improvement",
            "gain",
            "speedup",
            "longer",
            "loss",
            "lose",
        ];
        let ratios: Vec<&Quantity> = self
            .quantities
            .iter()
            .filter(|one| matches!(one.kind, Kind::Share | Kind::Factor) && !one.spread)
            .collect();
        let [ratio] = ratios[..] else {
            return None;
        };
        if !self.has(&compares) {
            return None;
        }
        let after: String = self.text[ratio.at.end..].chars().take(24).collect();
        let kinds: &[Kind] = match ["memory", "byte", "alloc"]
            .iter()
            .any(|word| after.contains(word))
        {
            true => &[Kind::Bytes],
            false => &[Kind::Time, Kind::Rate],
        };
        let mut known = Vec::new();
        for &kind in kinds {
            for one in one.figures(kind) {
                for other in other.figures(kind) {
                    if one.low > 0.0 && other.low > 0.0 {
                        known.push((one, other));
                    }
                }
            }
        }
        let fits = |(one, other): &(&Figure, &Figure)| {
            let (low, high) = (one.low / other.high, one.high / other.low);
            let readings = [(low, high), (1.0 / high, 1.0 / low)];
            readings.iter().any(|&(low, high)| match ratio.kind {
                Kind::Share if after.starts_with(" of") => allows(ratio, low, high),
                Kind::Share => {
                    let changes = [(low - 1.0, high - 1.0), (1.0 - high, 1.0 - low)];
                    changes.iter().any(|&(low, high)| allows(ratio, low, high))
                }
                _ => allows(ratio, low, high),
            })
        };
        if known.is_empty() || known.iter().any(fits) {
            return None;
        }
        let (first, second) = known[0];
        let finding = Finding::new(
            line,
            Rule::Prose,
            format!(
                "the sentence says {} of `{}` and `{}`, which have {} and {}",
                self.written(ratio),
                one.name(),
                other.name(),
                first.written,
                second.written
            ),
        );
        let written = known.iter().take(2).flat_map(|(one, other)| [one, other]);
        let written = written.map(|figure| figure.written.clone());
        Some(
            finding
                .figures([self.written(ratio).to_owned()])
                .figures(written),
        )
    }

    /// `A is faster than B` where A took longer; with `for all`, also where a row with A's word has
    /// a twin with B's, or without.
    fn direction(&self, line: usize, rows: &[Row], names: &[Words]) -> Vec<Finding> {
        let ([(first, _), (second, _)], Some((before, after))) =
            (&self.rows[..], self.text.split_once(" than "))
        else {
            return Vec::new();
        };
        let before = words_of(before, &quantity::quantities(before));
        let after = words_of(after, &quantity::quantities(after));
        let is = |words: &[&str]| words.iter().any(|word| before.contains(*word));
        let faster = is(&["faster", "quicker", "efficient"]);
        if faster == is(&["slower"]) || is(&["not", "no", "never", "less"]) {
            return Vec::new();
        }
        let own = |one: usize, other: usize| &names[one] - &names[other];
        let sides = |one: usize, other: usize| {
            let (own, others) = (own(one, other), own(other, one));
            (!own.is_empty() && own.is_subset(&before) && !own.is_subset(&after))
                && (!others.is_empty() && others.is_subset(&after) && !others.is_subset(&before))
        };
        let (one, other) = match () {
            () if sides(*first, *second) => (*first, *second),
            () if sides(*second, *first) => (*second, *first),
            () => return Vec::new(),
        };
        let mut pairs = vec![(one, other)];
        if after.contains("all") || after.contains("every") {
            let (own, others) = (own(one, other), own(other, one));
            for at in (0..rows.len()).filter(|&at| at != one && own.is_subset(&names[at])) {
                let without = &names[at] - &own;
                let twins = [without.clone(), &without | &others];
                let twin = (0..rows.len()).find(|&twin| twin != at && twins.contains(&names[twin]));
                pairs.extend(twin.map(|twin| (at, twin)));
            }
        }
        let refuted = pairs.iter().filter_map(|&(one, other)| {
            let (quick, slow) = match faster {
                true => (&rows[one], &rows[other]),
                false => (&rows[other], &rows[one]),
            };
            let times = (quick.time.as_ref()?, slow.time.as_ref()?);
            (times.0.low > times.1.high).then(|| {
                let sentence = format!(
                    "the sentence says that `{}` is faster than `{}`, which is faster in line {}",
                    quick.name(),
                    slow.name(),
                    slow.line
                );
                let finding = Finding::new(line, Rule::Winner, sentence);
                finding.figures([&times.0.written, &times.1.written])
            })
        });
        refuted.collect()
    }
}

/// Whether what is said allows a value between `low` and `high`.
fn allows(said: &Quantity, low: f64, high: f64) -> bool {
    let about = match said.kind {
        Kind::Bytes => ABOUT_BYTES,
        _ => ABOUT,
    };
    let (from, to) = said.loosely();
    let slack = said.value.abs() * about;
    match said.bound {
        Bound::None => from - slack <= high && low <= to + slack,
        // A limit is meant as it is written.
        Bound::Below => low <= said.high - said.place / 2.0 + slack,
        Bound::Above => said.low + said.place / 2.0 - slack <= high,
    }
}

/// `A is the fastest` where another of the same input is faster beyond its digits or interval.
fn winner(line: usize, clause: &str, rows: &[Row], names: &[Words]) -> Option<Finding> {
    let is = [" is the fastest", " is fastest", " is the quickest"];
    let (before, after) = is.iter().find_map(|is| clause.split_once(is))?;
    let spans = |text: &str| -> Vec<String> {
        let spans = text.split('`').skip(1).step_by(2);
        spans.map(str::to_owned).collect()
    };
    let plain = |text: &str| text.replace(',', "");
    let part = |row: &Row, name: &str| row.parts.iter().position(|part| plain(part) == plain(name));
    let subject = spans(before).pop();
    let winners: Vec<(usize, &Row)> = match &subject {
        Some(name) => {
            let all = rows.iter().enumerate();
            let places: Vec<String> = spans(after);
            let named = |row: &Row| places.iter().any(|place| part(row, place).is_some());
            let some = rows.iter().any(named);
            all.filter(|(_, row)| part(row, name).is_some() && (!some || named(row)))
                .collect()
        }
        None => {
            let words = words_of(before, &quantity::quantities(before));
            match named(&words, rows, names) {
                one if one.len() == 1 => one,
                _ => return None,
            }
        }
    };
    for (at, row) in winners {
        let Some(time) = &row.time else { continue };
        let rival = |(other, rival): &(usize, &Row)| {
            let same_place = match subject.as_ref().and_then(|name| part(row, name)) {
                Some(place) if row.parts.len() > 1 => {
                    rival.parts.len() == row.parts.len()
                        && (0..row.parts.len())
                            .all(|at| at == place || rival.parts[at] == row.parts[at])
                }
                _ => rival.numbers == row.numbers,
            };
            *other != at && same_place && !rival.is_bound
        };
        let mut rivals = rows.iter().enumerate().filter(rival);
        let quicker = rivals.find_map(|(_, rival)| {
            let quicker = rival.time.as_ref().filter(|rival| rival.high < time.low)?;
            Some((rival, quicker))
        });
        if let Some((rival, quicker)) = quicker {
            let sentence = format!(
                "the sentence calls `{}` the fastest, but `{}` is faster in line {}",
                row.name(),
                rival.name(),
                rival.line
            );
            let finding = Finding::new(line, Rule::Winner, sentence);
            return Some(finding.figures([&time.written, &quicker.written]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::markdown;

    const TABLE: &str = "\
# Report

| Benchmark | ns/op | B/op | Throughput |
|---|--:|--:|--:|
| Append (sequential) | 61.7µs | 1.8KB | ~16.2k events/sec |
| Append (10 writers) | 67.3µs | 2.0KB | ~14.9k events/sec |
| Append (100 writers) | 71.3µs | 3.6KB | ~14.0k events/sec |

";

    const SERIES: &str = "\
# Report

| nodes | series | time an iteration ↓ | bytes ↓ |
|--:|---|--:|--:|
| 10 | `heap` | 500 ns (480..520) | 1 KiB |
| 10 | `bump` | 120 ns (110..130) | 1 KiB |
| 1,000 | `heap` | 50.1 µs (49..51) | 99 KiB |
| 1,000 | `bump` | 50.9 µs (48..52) | 99 KiB |

";

    /// The rules that a sentence below a table breaks.
    #[track_caller]
    fn check(table: &str, sentence: &str, expected: &[&str]) {
        let found = markdown::lint(&format!("{table}{sentence}\n"));
        let rules: Vec<&str> = found.iter().map(|one| one.rule.name()).collect();
        assert_eq!(rules, expected, "{sentence} {found:?}");
    }

    #[test]
    fn figure_of_a_named_row_is_held_against_it() {
        check(
            TABLE,
            "The sequential mode sustains ~15k appends/sec.",
            &["prose"],
        );
        check(TABLE, "The sequential mode sustains ~16k appends/sec.", &[]);
        check(
            TABLE,
            "In sequential mode an append takes under 60µs.",
            &["prose"],
        );
        check(TABLE, "In sequential mode an append takes under 62µs.", &[]);
        check(
            TABLE,
            "In sequential mode over 17k events per second are kept.",
            &["prose"],
        );
        // Nothing says which row is meant, or the figure is one for each of something.
        check(TABLE, "An append takes 3 ms at worst.", &[]);
        check(TABLE, "A sequential append costs 3 ms per workflow.", &[]);
    }

    #[test]
    fn percentage_between_two_named_rows_is_held_against_times_and_rates() {
        let drop = |percent: &str| {
            format!("Sequential appends only drop {percent} with 100 concurrent writers.")
        };
        check(TABLE, &drop("~12%"), &["prose"]);
        check(TABLE, &drop("~14%"), &[]);
        check(TABLE, &drop("up to 20%"), &[]);
        check(TABLE, &drop("more than 20%"), &["prose"]);
        check(
            TABLE,
            "With 100 writers an append takes 2.0x more memory than a sequential one.",
            &[],
        );
        check(
            TABLE,
            "With 100 writers an append takes 3.0x more memory than a sequential one.",
            &["prose"],
        );
    }

    #[test]
    fn factor_with_an_interval_is_held_against_intervals() {
        check(
            SERIES,
            "At `10` `bump` takes 120 ns (110..130); `heap` takes 4.2× (3.9..4.5) as long.",
            &[],
        );
        check(
            SERIES,
            "At `10` `bump` takes 120 ns (110..130); `heap` takes 6.2× (5.9..6.5) as long.",
            &["prose"],
        );
        check(
            SERIES,
            "At `10` `bump` takes 220 ns (210..230).",
            &["prose"],
        );
        // The second number is none of the table's.
        check(
            SERIES,
            "`bump` at `10` takes 0.24× (0.2..0.3) of the time of the baseline, as 1000 do.",
            &[],
        );
    }

    #[test]
    fn winner_is_held_against_every_input_it_is_said_of() {
        check(SERIES, "`bump` is the fastest at every input.", &[]);
        check(SERIES, "`heap` is the fastest at every input.", &["winner"]);
        let bounded = SERIES.replace("| `bump` |", "| `bump` (bound) |");
        check(&bounded, "`heap` is the fastest at every input.", &[]);
        check(
            &bounded,
            "At `10` `heap` takes 9.0× as long as the bound `bump`.",
            &["prose"],
        );
        check(
            SERIES,
            "`bump` is the fastest at `10`; `heap` is the fastest at `1000`.",
            &[],
        );
        check(
            SERIES,
            "`heap` is the fastest at `10`; `bump` is the fastest at `1000`.",
            &["winner"],
        );
        check(TABLE, "Append with 10 writers is the fastest.", &[]);
    }

    const METHODS: &str = "\
# Report

```
BenchmarkIntern/Single-10        \t  278716\t      4006 ns/op
BenchmarkIntern/Batch-10         \t  319123\t      3537 ns/op
BenchmarkIntern/GlobalSingle-10  \t  342747\t      3425 ns/op
BenchmarkIntern/GlobalBatch-10   \t  347761\t      3476 ns/op
```

";

    #[test]
    fn what_is_faster_is_held_against_the_times_and_for_all_against_all_pairs() {
        check(METHODS, "Batch is more efficient than single.", &[]);
        check(
            METHODS,
            "Batch is more efficient than single for all methods.",
            &["winner"],
        );
        check(METHODS, "Single is faster than batch.", &["winner"]);
        check(METHODS, "Single is slower than batch.", &[]);
        check(METHODS, "Single is not faster than batch.", &[]);
        check(METHODS, "Batch is ~12% faster than single.", &[]);
        check(METHODS, "Batch is ~22% faster than single.", &["prose"]);
        check(METHODS, "GlobalSingle is the fastest.", &[]);
        check(METHODS, "GlobalBatch is the fastest.", &["winner"]);
    }

    #[test]
    fn sentence_of_another_section_is_not_held_against_the_table() {
        check(
            TABLE,
            "## Other\n\nThe sequential mode sustains ~15k appends/sec.",
            &[],
        );
    }
}
