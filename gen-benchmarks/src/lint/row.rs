//! Rows of figures, wherever they stand, and what cannot be true of them.
//!
//! A rule says why what it finds is implausible. Where something merely happens too often, the
//! probability that measurements do it by chance is computed and has to be below [`CHANCE`]: a record
//! of a thousand cases is then silent in all but one of a hundred runs, whatever it holds.

use std::collections::BTreeMap;

use super::quantity::{Kind, Quantity};
use super::{Finding, Rule};
use crate::takeaway::WAKING_NS;

/// How improbable a coincidence within one group has to be.
pub(super) const CHANCE: f64 = 1e-5;

/// One figure: a value and what its digits or its interval leave open.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Figure {
    pub(super) point: f64,
    pub(super) low: f64,
    pub(super) high: f64,
    /// What a step of the last written digit is worth; 0 where all digits of a float are there.
    pub(super) place: f64,
    /// As it is written, or would be.
    pub(super) written: String,
}

impl Figure {
    /// What `text` says there.
    pub(super) fn of(quantity: &Quantity, text: &str) -> Self {
        // `50 (50..70)` is rounded to tens, and the ends of the interval are as its point is.
        let (low, high) = match quantity.interval {
            true => {
                let (low, high) = quantity.loosely();
                (low - quantity.place / 2.0, high + quantity.place / 2.0)
            }
            false => (quantity.low, quantity.high),
        };
        Self {
            point: quantity.value,
            low,
            high,
            place: quantity.place,
            written: text[quantity.at.clone()].trim().to_owned(),
        }
    }

    /// How far the value may be from the point because of its digits, as a part of it.
    fn rounding(&self) -> f64 {
        self.place / 2.0 / self.point.abs()
    }
}

/// One row of a table, one result line, or one case of a record.
#[derive(Clone, Debug, Default)]
pub(super) struct Row {
    pub(super) line: usize,
    /// The parts of its name: series, input, whatever tells it apart.
    pub(super) parts: Vec<String>,
    /// Whether it bounds the others and is no choice itself.
    pub(super) is_bound: bool,
    /// Its name with numbers replaced; rows that share it form a series over their inputs.
    pub(super) series: String,
    /// All numbers of the name.
    pub(super) numbers: Vec<f64>,
    /// The number of the name that varies within the series.
    pub(super) input: Option<f64>,
    /// Whether that number counts workers.
    pub(super) workers: bool,
    /// Nanoseconds of an iteration.
    pub(super) time: Option<Figure>,
    /// The time in each process, or each sample where there is one process.
    pub(super) repeated: Vec<Figure>,
    /// Mean, median, percentiles and extremes of the time, by their names.
    pub(super) statistics: Vec<(String, Figure)>,
    /// What one iteration handles, where that is known.
    pub(super) elements: Option<f64>,
    /// Per second.
    pub(super) rate: Option<Figure>,
    pub(super) allocations: Option<Figure>,
    pub(super) bytes: Option<Figure>,
    /// Further figures, which sentences may mean.
    pub(super) others: Vec<(Kind, Figure)>,
}

/// What stands behind the name of a series that bounds the others.
const BOUND: &str = " (bound)";

impl Row {
    pub(super) fn name(&self) -> String {
        self.parts.join(" ")
    }

    /// Every figure of a kind.
    pub(super) fn figures(&self, kind: Kind) -> Vec<&Figure> {
        let mut figures: Vec<&Figure> = Vec::new();
        match kind {
            Kind::Time => {
                figures.extend(&self.time);
                figures.extend(self.statistics.iter().map(|(_, figure)| figure));
            }
            Kind::Rate => figures.extend(&self.rate),
            Kind::Bytes => figures.extend(&self.bytes),
            Kind::Share | Kind::Factor | Kind::Bare => {}
        }
        let others = self.others.iter().filter(|(one, _)| *one == kind);
        figures.extend(others.map(|(_, figure)| figure));
        figures
    }

    /// Names the row by its text: parts, series and numbers.
    pub(super) fn named(mut self, mut parts: Vec<String>) -> Self {
        for part in &mut parts {
            if let Some(name) = part.strip_suffix(BOUND) {
                *part = name.to_owned();
                self.is_bound = true;
            }
        }
        (self.series, self.numbers) = pattern(&parts.join(" / "));
        self.parts = parts;
        self
    }
}

/// Rows that are compared with each other.
#[derive(Clone, Debug, Default)]
pub(super) struct Group {
    pub(super) rows: Vec<Row>,
    /// Cores that the rows had, where that is said.
    pub(super) cores: Option<f64>,
    /// Whether counts are exact, as they are in a record, rather than rounded.
    pub(super) exact_counts: bool,
}

impl Group {
    /// Finds out which number of the names is the input.
    pub(super) fn new(mut rows: Vec<Row>, cores: Option<f64>) -> Self {
        let mut numbers: BTreeMap<String, Vec<Vec<f64>>> = BTreeMap::new();
        for row in &rows {
            let series = numbers.entry(row.series.clone()).or_default();
            series.push(row.numbers.clone());
        }
        for row in &mut rows {
            let alike = &numbers[&row.series];
            let varies = |&at: &usize| {
                let first = alike[0].get(at);
                alike.iter().any(|numbers| numbers.get(at) != first)
            };
            if row.input.is_none() {
                let at = (0..row.numbers.len()).find(varies);
                row.input = at.and_then(|at| row.numbers.get(at).copied());
            }
        }
        Self {
            rows,
            cores,
            exact_counts: false,
        }
    }

    /// The timed rows of each series, by input.
    fn series(&self) -> Vec<Vec<&Row>> {
        let mut series: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
        for row in &self.rows {
            if row.input.is_some() && row.time.is_some() {
                series.entry(&row.series).or_default().push(row);
            }
        }
        let mut series: Vec<Vec<&Row>> = series.into_values().collect();
        for rows in &mut series {
            rows.sort_by(|one, other| {
                let input = |row: &Row| row.input.unwrap_or_default();
                input(one).total_cmp(&input(other))
            });
        }
        series
    }
}

/// A name with `#` for its numbers, and the numbers.
fn pattern(name: &str) -> (String, Vec<f64>) {
    let (mut pattern, mut numbers, mut digits) = (String::new(), Vec::new(), String::new());
    for c in name.chars().chain(['\0']) {
        match c {
            c if c.is_ascii_digit() => digits.push(c),
            ',' | '.' if !digits.is_empty() => digits.push(c),
            c => {
                if !digits.is_empty() {
                    let plain = digits.replace(',', "");
                    numbers.extend(plain.trim_end_matches('.').parse::<f64>());
                    pattern.push('#');
                    digits.clear();
                }
                if c != '\0' {
                    pattern.push(c);
                }
            }
        }
    }
    (pattern, numbers)
}

/// Everything that is implausible in a group.
pub(super) fn rules(group: &Group) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(exact_ratio(group));
    found.extend(speed_up(group));
    found.extend(sleep_bound(group));
    found.extend(round(group));
    found.extend(throughput(group));
    for row in &group.rows {
        found.extend(no_variance(row));
        found.extend(sub_cycle(row, group.cores));
        found.extend(bytes_and_allocations(row, group.exact_counts));
    }
    found
}

/// Ratios that are looked at: a larger one is near a whole number by chance.
const LARGEST_RATIO: f64 = 100.0;

/// How near to a whole number a ratio of times has to be, beside what their digits leave open.
const EXACT: f64 = 1e-5;

/// Times of a series that are whole multiples of their neighbours, to the last digit.
///
/// Measured times scatter by parts of a percent, so that one is 2.0000 times the next now and
/// then, but a whole series never is. The probability follows from the digits: a ratio near `n`
/// is within a part `t` of it with a probability of `2tn`. Below a tenth of [`CHANCE`] it is a
/// finding, because there are several series in a group.
fn exact_ratio(group: &Group) -> Vec<Finding> {
    let mut found = Vec::new();
    for rows in group.series() {
        let times: Vec<&Figure> = rows.iter().filter_map(|row| row.time.as_ref()).collect();
        let (mut tried, mut likeliest, mut exact) = (0, 0.0_f64, Vec::new());
        for pair in times.windows(2) {
            let (small, large) = match pair[0].point < pair[1].point {
                true => (pair[0], pair[1]),
                false => (pair[1], pair[0]),
            };
            let ratio = large.point / small.point;
            let whole = ratio.round();
            let tolerance = small.rounding() + large.rounding() + EXACT;
            if !(small.point > 0.0 && (2.0..=LARGEST_RATIO).contains(&whole) && tolerance < 0.01) {
                continue;
            }
            tried += 1;
            if (ratio / whole - 1.0).abs() <= tolerance {
                likeliest = likeliest.max((2.0 * tolerance * whole).min(1.0));
                exact.push((pair, whole));
            }
        }
        if exact.is_empty() || at_least(exact.len(), tried, likeliest) >= CHANCE / 10.0 {
            continue;
        }
        let factors: Vec<String> = exact.iter().map(|(_, whole)| format!("{whole}")).collect();
        let mut figures: Vec<&Figure> = exact
            .iter()
            .flat_map(|(pair, _)| pair.iter().copied())
            .collect();
        figures.dedup();
        found.push(
            Finding::new(
                rows[0].line,
                Rule::ExactRatio,
                format!(
                    "{} of {tried} neighbouring times of `{}` are whole multiples of each other ({}) to the last digit; measured times scatter",
                    exact.len(),
                    rows[0].series,
                    factors.join(", ")
                ),
            )
            .figures(figures.iter().map(|figure| &figure.written)),
        );
    }
    found
}

/// The probability that what has a probability of `chance` happens at least `times` of `tried` times.
fn at_least(times: usize, tried: usize, chance: f64) -> f64 {
    if chance >= 1.0 {
        return 1.0;
    }
    let (log, log_not) = (chance.ln(), (-chance).ln_1p());
    let mut log_ways = 0.0_f64;
    let mut sum = 0.0;
    for count in 0..=tried {
        if count >= times {
            sum += (log_ways + count as f64 * log + (tried - count) as f64 * log_not).exp();
        }
        log_ways += ((tried - count) as f64 / (count + 1) as f64).ln();
    }
    sum
}

/// More than this over the cores or the workers is more than caches explain.
const SUPERLINEAR: f64 = 1.1;

/// A series over workers that becomes more times as fast as there are workers, or cores.
///
/// `n` workers do at most `n` times the work of one, and workers beyond the cores do none; only more
/// cache can add a little, which [`SUPERLINEAR`] allows. A series that begins with several workers says
/// nothing of one, and below [`WAKING_NS`] a row is about waking threads, which is no work to share.
fn speed_up(group: &Group) -> Vec<Finding> {
    let mut found = Vec::new();
    for rows in group.series() {
        let [first, rest @ ..] = &rows[..] else {
            continue;
        };
        let alone = first.input == Some(1.0);
        let work = first
            .time
            .as_ref()
            .is_some_and(|time| time.point >= WAKING_NS);
        if !(first.workers && alone && work) {
            continue;
        }
        let cost = |row: &Row| -> Option<(f64, f64)> {
            let time = row.time.as_ref()?;
            let elements = row.elements.unwrap_or(1.0);
            Some((time.low / elements, time.high / elements))
        };
        for row in rest {
            let (Some(one), Some(many)) = (cost(first), cost(row)) else {
                continue;
            };
            let workers = row.input.unwrap_or(1.0);
            let cores = group.cores.unwrap_or(f64::INFINITY);
            if one.0 / many.1 <= workers.min(cores) * SUPERLINEAR {
                continue;
            }
            let what = match workers > cores {
                true => format!("{cores} cores"),
                false => format!("{workers} workers"),
            };
            let times = [&first.time, &row.time].into_iter().flatten();
            found.push(
                Finding::new(
                    row.line,
                    Rule::SpeedUp,
                    format!(
                        "`{}` is at least {:.1} times as fast with {workers} workers as with 1, more than {what} can do",
                        row.name(),
                        one.0 / many.1,
                    ),
                )
                .figures(times.map(|time| &time.written)),
            );
        }
    }
    found
}

/// Where repeated times differ less than this they were not repeated.
const STILL: f64 = 1e-4;

/// Percentiles of a quiet benchmark differ by more than this.
const STILL_PERCENTILES: f64 = 2e-3;

/// Processes, or mean, median and percentiles, that are all the same.
///
/// Processes differ by half a percent and more, so three times that agree in all of at least four
/// digits are one that was copied, or a clock that stands still. Shorter times may agree because of
/// their rounding and are left alone.
fn no_variance(row: &Row) -> Option<Finding> {
    let same = |figures: &[&Figure], digits: f64| {
        let first = figures.first()?;
        let same = figures.iter().all(|one| one.point == first.point);
        (figures.len() >= 3 && same && first.point > 0.0 && first.rounding() < digits).then_some(())
    };
    let repeated: Vec<&Figure> = row.repeated.iter().collect();
    let statistics: Vec<&Figure> = row.statistics.iter().map(|(_, figure)| figure).collect();
    let (sentence, figures) = if same(&repeated, STILL).is_some() {
        let count = repeated.len();
        (
            format!(
                "all {count} repetitions of `{}` took the same time, which measurements never do",
                row.name()
            ),
            repeated,
        )
    } else if same(&statistics, STILL_PERCENTILES).is_some() {
        let names: Vec<&str> = row
            .statistics
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        (
            format!(
                "{} of `{}` are the same, so nothing varied",
                names.join(", "),
                row.name()
            ),
            statistics,
        )
    } else {
        return None;
    };
    let figures = figures.into_iter().take(3).map(|figure| &figure.written);
    Some(Finding::new(row.line, Rule::NoVariance, sentence).figures(figures))
}

/// A cycle at 6 GHz, above the clock of processors one can buy.
const CYCLE_NS: f64 = 1.0 / 6.0;

/// A time that is over before a clock cycle is.
///
/// Nothing happens in less, so either the compiler removed the work or the time was divided by too
/// much. An element on one of several cores may take its share of a cycle, and one instruction may
/// handle several, so that is only doubtful.
fn sub_cycle(row: &Row, cores: Option<f64>) -> Option<Finding> {
    let time = row.time.as_ref()?;
    let elements = row.elements.unwrap_or(1.0).max(1.0);
    let (rule, what) = match () {
        () if time.high < CYCLE_NS => (Rule::SubCycle, "an iteration"),
        () if time.high / elements < CYCLE_NS / cores.unwrap_or(1.0).max(1.0) => {
            (Rule::SubCycleElement, "an element")
        }
        () => return None,
    };
    let sentence = format!(
        "{what} of `{}` takes less than a clock cycle; its work was optimised away, or its time divided by too much",
        row.name()
    );
    Some(Finding::new(row.line, rule, sentence).figures([&time.written]))
}

/// Bytes that nobody allocated, or allocations of nothing.
///
/// Both are counted by the same calls. Where counts are rounded, a few allocations in many
/// iterations read 0: then the row hides what it costs, and one cannot tell.
fn bytes_and_allocations(row: &Row, exact: bool) -> Option<Finding> {
    let (bytes, count) = (row.bytes.as_ref()?, row.allocations.as_ref()?);
    let sentence = match (bytes.point > 0.0, count.point > 0.0) {
        (true, false) if exact => {
            "has bytes without an allocation, though the same calls count both"
        }
        (true, false) => {
            "has bytes without an allocation; the count is rounded to 0, or the memory is taken where nobody counts"
        }
        (false, true) => "has allocations of no bytes",
        _ => return None,
    };
    let rule = match exact {
        true => Rule::BytesWithoutAllocations,
        false => Rule::RoundedAllocations,
    };
    let sentence = format!("`{}` {sentence}", row.name());
    Some(Finding::new(row.line, rule, sentence).figures([&bytes.written, &count.written]))
}

/// Rates that their own times refute.
///
/// A rate times the time of an iteration is what the iteration handles: 1, what is known to be
/// handled, a number of the row's name, or the same in several rows. A batch that counts as one
/// thing is the commonest fault: a row named `10×1,000` with a product of 1.
fn throughput(group: &Group) -> Vec<Finding> {
    let products: Vec<(&Row, f64, f64)> = group
        .rows
        .iter()
        .filter_map(|row| {
            let (time, rate) = (row.time.as_ref()?, row.rate.as_ref()?);
            let known = time.low > 0.0 && rate.low > 0.0;
            known.then_some((row, time.low * rate.low / 1e9, time.high * rate.high / 1e9))
        })
        .collect();
    let near = |(low, high): (f64, f64), value: f64| low * 0.99 <= value && value <= high * 1.01;
    let mut found = Vec::new();
    let mut odd = Vec::new();
    for &(row, low, high) in &products {
        let time_and_rate = [&row.time, &row.rate].into_iter().flatten();
        let figures: Vec<&String> = time_and_rate.map(|figure| &figure.written).collect();
        let batch = row.series.contains("#×#") || row.series.contains("# x #");
        let handled = row.numbers.last().copied().unwrap_or(1.0);
        if near((low, high), 1.0) {
            let elements = match row.elements {
                Some(elements) => elements,
                None if batch => handled,
                None => 1.0,
            };
            if elements > 1.0 {
                found.push(
                    Finding::new(
                        row.line,
                        Rule::Throughput,
                        format!("`{}` counts a batch of {elements} as one: its rate is one over its time", row.name()),
                    )
                    .figures(figures),
                );
            }
            continue;
        }
        let told = row.elements.into_iter().chain(row.numbers.iter().copied());
        if !told.into_iter().any(|value| near((low, high), value)) {
            odd.push((row, low, high, figures));
        }
    }
    for (row, low, high, figures) in &odd {
        let alike = |other: &&(&Row, f64, f64, Vec<&String>)| {
            !std::ptr::eq(other.0, *row) && other.1 <= high * 1.01 && low * 0.99 <= other.2
        };
        let whole = (high * 1.01).floor() >= (low * 0.99).ceil().max(1.0);
        // Several rows may handle something that the table does not name.
        let unnamed = row.elements.is_none()
            && whole
            && (odd.iter().any(|one| alike(&one)) || odd.len() * 4 > products.len());
        if !unnamed {
            let product = f64::midpoint(*low, *high);
            found.push(
                Finding::new(
                    row.line,
                    Rule::Throughput,
                    format!("rate and time of `{}` give {product:.3} for an iteration, which is nothing that it handles", row.name()),
                )
                .figures(figures.iter().copied()),
            );
        }
    }
    found
}

/// Shortest time that is looked at for sleeps, in nanoseconds.
const SHORTEST_SLEEP_NS: f64 = 50e3;

/// Times that are those of a sleep, whatever ran.
///
/// A sleep ends a little after a round time: within half a percent above a time of one digit, or
/// within a tenth of a millisecond above whole milliseconds. Of other times 2 % and 10 % lie there. Rows of one
/// input that agree within 2 % count once, because the same work may take the same time.
fn sleep_bound(group: &Group) -> Option<Finding> {
    let mut times: Vec<(f64, &Row, &Figure)> = group
        .rows
        .iter()
        .filter_map(|row| {
            let time = row.time.as_ref()?;
            let fine = time.point >= SHORTEST_SLEEP_NS && time.rounding() < 5e-4;
            fine.then_some((row.input.unwrap_or_default(), row, time))
        })
        .collect();
    times.sort_by(|one, other| {
        (one.0.total_cmp(&other.0)).then(one.2.point.total_cmp(&other.2.point))
    });
    times.dedup_by(|one, kept| one.0 == kept.0 && one.2.point <= kept.2.point * 1.02);
    let digit: fn(f64) -> bool = |time| {
        let unit = 10_f64.powf(time.log10().floor());
        let excess = time / ((time / unit + 1e-9).floor() * unit) - 1.0;
        excess.abs() <= 5e-3
    };
    let milliseconds: fn(f64) -> bool = |time| time >= 1e6 && time % 1e6 <= 1e5;
    for (lies, chance, shortest) in [(digit, 0.02, 0.0), (milliseconds, 0.1, 1e6)] {
        let tried = times.iter().filter(|(.., time)| time.point >= shortest);
        let tried: Vec<_> = tried.collect();
        let hits: Vec<_> = tried.iter().filter(|(.., time)| lies(time.point)).collect();
        if hits.len() >= 3 && at_least(hits.len(), tried.len(), chance) < CHANCE {
            let figures = hits.iter().take(6).map(|(.., time)| &time.written);
            let finding = Finding::new(
                hits[0].1.line,
                Rule::SleepBound,
                format!(
                    "{} of {} different times lie just above a round one, as the end of a sleep does; what runs besides cannot be seen in them",
                    hits.len(),
                    tried.len()
                ),
            );
            return Some(finding.figures(figures));
        }
    }
    None
}

/// Times without the digits that a measurement has.
///
/// Where every digit of nanoseconds is given, one time in a thousand has only two that are not 0.
/// Where all times of a table have a single digit, they are not told finely enough to compare.
fn round(group: &Group) -> Option<Finding> {
    let mut rows: Vec<(&Row, &Figure)> = group
        .rows
        .iter()
        .filter_map(|row| Some((row, row.time.as_ref()?)))
        .collect();
    rows.retain(|(_, time)| time.point > 0.0);
    let single = |time: &Figure| time.place > 0.0 && time.point / time.place < 9.5;
    if rows.len() >= 4 && rows.iter().all(|(_, time)| single(time)) {
        let figures = rows.iter().take(6).map(|(_, time)| &time.written);
        let sentence = format!(
            "all {} times have one digit; measured ones have more",
            rows.len()
        );
        return Some(Finding::new(rows[0].0.line, Rule::RoundNumbers, sentence).figures(figures));
    }
    rows.retain(|(_, time)| time.point >= 1e4 && time.place <= 1.0);
    let two = |time: &Figure| {
        let step = 10_f64.powf(time.point.log10().floor() - 1.0);
        (time.point / step - (time.point / step).round()).abs() * step < 0.5
    };
    let hits: Vec<_> = rows.iter().filter(|(_, time)| two(time)).collect();
    if hits.len() >= 2 && at_least(hits.len(), rows.len(), 1e-3) < CHANCE {
        let figures = hits.iter().take(6).map(|(_, time)| &time.written);
        let sentence = format!(
            "{} of {} times have two digits and then zeros down to the nanosecond; measured ones do not",
            hits.len(),
            rows.len()
        );
        return Some(Finding::new(hits[0].0.line, Rule::RoundNumbers, sentence).figures(figures));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::quantity;
    use super::*;

    /// Rows from text: `name time`, where the time has its unit.
    fn rows(text: &str) -> Vec<Row> {
        let row = |(line, text): (usize, &str)| {
            let (name, time) = text.trim().split_once(' ')?;
            let mut row = Row {
                line,
                ..Row::default()
            }
            .named(vec![name.to_owned()]);
            row.workers = name.contains("workers");
            row.time = Some(Figure::of(&quantity::cell(time)?, time));
            Some(row)
        };
        (1..).zip(text.split(';')).filter_map(row).collect()
    }

    /// The rules that find something in rows, and their lines.
    #[track_caller]
    fn check(group: &Group, expected: &[(usize, &str)]) {
        let found = rules(group);
        let shown: Vec<(usize, &str)> = found
            .iter()
            .map(|one| (one.line, one.rule.name()))
            .collect();
        assert_eq!(shown, expected, "{found:?}");
    }

    #[track_caller]
    fn check_text(text: &str, cores: Option<f64>, expected: &[(usize, &str)]) {
        check(&Group::new(rows(text), cores), expected);
    }

    #[test]
    fn exact_multiples_are_found_and_near_ones_are_not() {
        let halves = "w=1 8243700 ns;w=2 4121850 ns;w=4 2060925 ns";
        check_text(halves, None, &[(1, "exact-ratio")]);
        check_text("w=1 8243700 ns;w=2 4128850 ns;w=4 2061925 ns", None, &[]);
        // A single exact ratio is chance, and so are three of two digits.
        check_text("w=1 8243700 ns;w=2 4121850 ns;w=4 2091925 ns", None, &[]);
        check_text("w=1 8.4 ms;w=2 4.2 ms;w=4 2.1 ms", None, &[]);
    }

    #[test]
    fn probability_of_many_coincidences_is_that_of_the_binomial() {
        assert!((at_least(1, 1, 0.25) - 0.25).abs() < 1e-12);
        assert!((at_least(2, 3, 0.5) - 0.5).abs() < 1e-12);
        assert!((at_least(0, 9, 0.1) - 1.0).abs() < 1e-12);
        assert!((at_least(3, 3, 0.1) - 1e-3).abs() < 1e-12);
        assert_eq!(at_least(1, 2, 1.0), 1.0);
    }

    #[test]
    fn speed_up_is_bounded_by_workers_and_by_cores() {
        let fast = "workers=1 10.13 ms;workers=2 5.12 ms;workers=8 1.31 ms";
        check_text(fast, Some(8.0), &[]);
        check_text(fast, None, &[]);
        check_text(fast, Some(4.0), &[(3, "speed-up")]);
        check_text(
            "workers=1 10.13 ms;workers=2 3.12 ms",
            Some(8.0),
            &[(2, "speed-up")],
        );
        // A little more may come from more cache, and any amount from more of something else.
        check_text("workers=1 10.13 ms;workers=2 4.82 ms", Some(8.0), &[]);
        check_text("nodes=1 10.13 ms;nodes=2 3.12 ms", Some(8.0), &[]);
        // Waking threads is no work, and nobody knows what one worker would have done.
        check_text("workers=1 10.13 us;workers=2 3.12 us", Some(8.0), &[]);
        check_text("workers=10 10.13 ms;workers=50 3.12 ms", Some(2.0), &[]);
    }

    #[test]
    fn repetitions_without_any_variance_are_found_where_digits_would_show_it() {
        let group = |times: &[&str]| {
            let mut rows = rows("a 12.345 us");
            let figures = times
                .iter()
                .map(|time| Figure::of(&quantity::cell(time).unwrap(), time));
            rows[0].repeated = figures.collect();
            Group::new(rows, None)
        };
        check(&group(&["12345.6 ns"; 3]), &[(1, "no-variance")]);
        check(&group(&["12345.6 ns", "12345.6 ns", "12345.7 ns"]), &[]);
        check(&group(&["12345.6 ns"; 2]), &[]);
        check(&group(&["12 ns"; 5]), &[]);
    }

    #[test]
    fn mean_median_and_percentiles_that_are_equal_are_found() {
        let group = |times: [&str; 3]| {
            let mut rows = rows("a 12.345 us");
            let names = ["mean", "median", "p95"].into_iter().zip(times);
            let figures = names.map(|(name, time)| {
                (
                    name.to_owned(),
                    Figure::of(&quantity::cell(time).unwrap(), time),
                )
            });
            rows[0].statistics = figures.collect();
            Group::new(rows, None)
        };
        check(&group(["4.112 ms"; 3]), &[(1, "no-variance")]);
        check(&group(["4.112 ms", "4.112 ms", "4.2 ms"]), &[]);
        check(&group(["4 ms"; 3]), &[]);
    }

    #[test]
    fn less_than_a_cycle_is_found_where_all_digits_are_below_it() {
        check_text(
            "a 0.03 ns;b -4 ns;c 0.25 ns;d 0 ms",
            None,
            &[(1, "sub-cycle"), (2, "sub-cycle")],
        );
        let elements = |elements: f64| {
            let mut rows = rows("a 120 ns");
            rows[0].elements = Some(elements);
            Group::new(rows, Some(2.0))
        };
        check(&elements(10_000.0), &[(1, "sub-cycle-each")]);
        check(&elements(1_000.0), &[]);
    }

    fn counts(allocations: f64, bytes: f64, exact: bool) -> Group {
        let mut rows = rows("a 120 ns");
        let figure = |value: f64| {
            Some(Figure {
                point: value,
                low: value,
                high: value,
                place: 1.0,
                written: value.to_string(),
            })
        };
        (rows[0].allocations, rows[0].bytes) = (figure(allocations), figure(bytes));
        Group {
            exact_counts: exact,
            ..Group::new(rows, None)
        }
    }

    #[test]
    fn bytes_and_allocations_come_together() {
        check(&counts(0.0, 64.0, true), &[(1, "bytes-allocs")]);
        check(&counts(2.0, 0.0, true), &[(1, "bytes-allocs")]);
        check(&counts(0.0, 64.0, false), &[(1, "rounded-allocs")]);
        check(&counts(0.0, 0.0, true), &[]);
        check(&counts(2.0, 64.0, false), &[]);
    }

    /// Rows of name, time and rate, and what they handle.
    fn rates(list: &[(&str, &str, &str)], elements: Option<f64>) -> Group {
        let row = |(line, (name, time, rate)): (usize, &(&str, &str, &str))| {
            let mut row = Row {
                line,
                ..Row::default()
            }
            .named(vec![(*name).to_owned()]);
            let figure = |text: &str| Some(Figure::of(&quantity::cell(text).unwrap(), text));
            (row.time, row.rate, row.elements) = (figure(time), figure(rate), elements);
            row
        };
        Group::new((1..).zip(list).map(row).collect(), None)
    }

    #[test]
    fn rate_times_time_is_what_an_iteration_handles() {
        let right = [
            ("10 steps", "49.8 us", "20.1k wf/s"),
            ("50 steps", "243.6 us", "205.3k steps/s"),
        ];
        check(&rates(&right, None), &[]);
        let wrong = [
            right[0],
            right[1],
            ("70 steps", "300 us", "4.21k wf/s"),
            ("90 steps", "400 us", "2.5k wf/s"),
        ];
        check(&rates(&wrong, None), &[(3, "throughput")]);
        check(
            &rates(&[("a", "817.2 us", "1.224k tasks/s")], Some(1_000.0)),
            &[(1, "throughput")],
        );
        check(
            &rates(&[("a", "817.2 us", "1.224M tasks/s")], Some(1_000.0)),
            &[],
        );
    }

    #[test]
    fn batch_that_counts_as_one_is_found() {
        let batch = [("Backpressure (10×1,000)", "817.2 us", "1.2k tasks/s")];
        check(&rates(&batch, None), &[(1, "throughput")]);
        check(
            &rates(
                &[("Backpressure (10×1,000)", "817.2 us", "1.22M tasks/s")],
                None,
            ),
            &[],
        );
    }

    #[test]
    fn what_a_table_does_not_name_may_be_handled_by_several_rows() {
        let unnamed = [
            ("a", "10.0 us", "22.4M nodes/s"),
            ("b", "20.0 us", "11.2M nodes/s"),
        ];
        check(&rates(&unnamed, None), &[]);
    }

    #[test]
    fn times_just_above_round_ones_are_sleeps() {
        check_text(
            "n=1 100.31 us;n=2 2.0042 ms;n=3 30.071 ms",
            None,
            &[(1, "sleep-bound")],
        );
        check_text("n=1 117.31 us;n=2 2.6042 ms;n=3 34.071 ms", None, &[]);
        let whole =
            "n=1 1.0712 ms;n=2 2.0612 ms;n=3 5.0812 ms;n=4 17.061 ms;n=5 41.043 ms;n=6 123.07 ms";
        check_text(whole, None, &[(1, "sleep-bound")]);
        check_text(
            &whole.replace("5.08", "5.48").replace("17.0", "17.3"),
            None,
            &[],
        );
        // Several strategies of one input that take the same time say no more than one does.
        check_text("n=1/a 2.0041 ms;n=1/b 2.0052 ms;n=1/c 2.0063 ms", None, &[]);
    }

    #[test]
    fn times_without_digits_are_found() {
        check_text("a 2 ms;b 3 ms;c 7 ms;d 9 ms", None, &[(1, "round-numbers")]);
        check_text("a 2 ms;b 3.1 ms;c 7 ms;d 9 ms", None, &[]);
        check_text(
            "a 120000 ns;b 3500000 ns;c 71234 ns",
            None,
            &[(1, "round-numbers")],
        );
        check_text("a 120000 ns;b 3512000 ns;c 71234 ns", None, &[]);
    }
}
