//! Sentences computed from a group's figures. Silent where the figures support nothing.

use std::collections::HashSet;

use bench_harness::stats::Estimate;

use crate::format::Unit;
use crate::markdown::{code, interval};
use crate::report::{Measured, Row, Table, number, ratio};

/// What a reader should remember of a group, as Markdown, or nothing.
///
/// Ends with the ids of the cases that the figures come from.
pub(crate) fn takeaway(table: &Table) -> Option<String> {
    if table.unrelated {
        return range(table);
    }
    let segments = segments(table)?;
    let mut sentences = Vec::new();
    if table.has_choices() {
        sentences.push(winners(table, &segments));
    }
    let input = table.inputs.last()?;
    let winner = &segments.last()?.series;
    let measured = table.measured(winner, input)?;
    let mut cases = vec![table.case(winner, input)];
    for crossover in crossovers(table) {
        sentences.push(crossover.sentence());
        cases.extend(crossover.cases(table));
    }
    let compared = compared(table, winner, input, measured);
    cases.extend(compared.iter().map(|(other, _)| table.case(other, input)));
    sentences.push(price(table, winner, input, measured, compared));
    for (sentence, bound) in bounds(table, winner, input, measured) {
        sentences.push(sentence);
        cases.push(bound);
    }
    if let Some((sentence, other)) = memory(table, winner, input, measured) {
        sentences.push(sentence);
        cases.extend(other);
    }
    if let Some((sentence, first)) = growth(table, winner) {
        sentences.push(sentence);
        cases.push(first);
    }
    sentences.push(format!("From {}.", ids(&cases)));
    Some(sentences.join(" "))
}

/// From which function that takes least to which that takes most, where there are several.
fn range(table: &Table) -> Option<String> {
    let mut ranking = table.ranking(table.inputs.last()?);
    let (least, shortest) = ranking.next()?;
    let (most, longest) = ranking.last()?;
    // As in all other takeaways, one process supports no sentence.
    if shortest.processes.len() < 2 {
        return None;
    }
    let time = |measured: &Measured| interval(Unit::Duration, &measured.time);
    Some(format!(
        "{} takes least, {}, and {} most, {}. They are in no group together and may do different things, so none is called the fastest.",
        code(least),
        time(shortest),
        code(most),
        time(longest)
    ))
}

/// Ids as code, each once.
pub(crate) fn ids(cases: &[String]) -> String {
    let mut seen: Vec<&String> = Vec::new();
    for case in cases {
        if !seen.contains(&case) {
            seen.push(case);
        }
    }
    let ids: Vec<String> = seen.into_iter().map(|case| code(case)).collect();
    ids.join(", ")
}

/// Two neighbouring inputs at which different series are measurably the fastest.
pub(crate) struct Crossover<'a> {
    pub(crate) before: &'a str,
    pub(crate) last: &'a str,
    pub(crate) after: &'a str,
    pub(crate) first: &'a str,
    /// How much longer `after` takes at `last`.
    pub(crate) too_early: Estimate,
    /// How much longer `before` takes at `first`.
    pub(crate) too_late: Estimate,
}

/// Where the fastest series changes along inputs that grow.
///
/// Only series that were measured on both sides, and measurably change places, count; inputs at
/// which nobody can be told apart lie within the change.
pub(crate) fn crossovers(table: &Table) -> Vec<Crossover<'_>> {
    let mut found = Vec::new();
    if !grows(&table.inputs) {
        return found;
    }
    // Who may have been the fastest since the last change, and where.
    let mut before: Vec<&str> = Vec::new();
    let mut since: Vec<&str> = Vec::new();
    for input in &table.inputs {
        let fastest = table.fastest(input).unwrap_or_default();
        if fastest.is_empty() {
            continue;
        }
        let here: HashSet<&str> = fastest.iter().copied().collect();
        let both: Vec<&str> = before
            .iter()
            .copied()
            .filter(|one| here.contains(one))
            .collect();
        if !both.is_empty() || before.is_empty() {
            before = if both.is_empty() { fastest } else { both };
            since.push(input);
            continue;
        }
        let slower = |slow: &str, fast: &str, input: &str| {
            let (slow, fast) = (table.measured(slow, input)?, table.measured(fast, input)?);
            ratio(slow, fast).filter(|ratio| ratio.low > 1.0)
        };
        let pairs = before
            .iter()
            .flat_map(|&one| fastest.iter().map(move |&other| (one, other)));
        let changes = |(before, after): (&'_ str, &'_ str)| {
            let too_late = slower(before, after, input)?;
            let last = since.iter().rev().copied();
            let (last, too_early) = last
                .filter_map(|last| Some((last, slower(after, before, last)?)))
                .next()?;
            Some((last, too_early, too_late))
        };
        let change = pairs
            .filter_map(|(before, after)| Some((before, after, changes((before, after))?)))
            .next();
        if let Some((before, after, (last, too_early, too_late))) = change {
            found.push(Crossover {
                before,
                last,
                after,
                first: input,
                too_early,
                too_late,
            });
        }
        before = fastest;
        since = vec![input];
    }
    found
}

/// Whether inputs are sizes, each larger than the one before: numbers, or such with a unit.
fn grows(inputs: &[String]) -> bool {
    let sizes: Option<Vec<f64>> = inputs.iter().map(|input| size(input)).collect();
    sizes.is_some_and(|sizes| sizes.is_sorted_by(|one, other| one < other))
}

/// `1000`, `10 us`, `64 KiB`, `no-op`.
fn size(input: &str) -> Option<f64> {
    const UNITS: [(&str, f64); 9] = [
        ("ns", 1.0),
        ("us", 1e3),
        ("µs", 1e3),
        ("ms", 1e6),
        ("s", 1e9),
        ("B", 1.0),
        ("KiB", 1024.0),
        ("MiB", 1024.0 * 1024.0),
        ("GiB", 1024.0 * 1024.0 * 1024.0),
    ];
    if input == "no-op" {
        return Some(0.0);
    }
    number(input).or_else(|| {
        let (value, unit) = input.split_once(' ')?;
        let (_, factor) = UNITS.iter().find(|(name, _)| *name == unit)?;
        Some(number(value)? * factor)
    })
}

impl Crossover<'_> {
    fn sentence(&self) -> String {
        format!(
            "Between {} and {} the fastest changes from {} to {}: before, {} takes {} as long, and then {} {}.",
            code(self.last),
            code(self.first),
            code(self.before),
            code(self.after),
            code(self.after),
            interval(Unit::Ratio, &self.too_early),
            code(self.before),
            interval(Unit::Ratio, &self.too_late)
        )
    }

    /// The four cases that it is told from.
    pub(crate) fn cases(&self, table: &Table) -> Vec<String> {
        let inputs = [self.last, self.first].into_iter();
        inputs
            .flat_map(|input| [self.before, self.after].map(|series| table.case(series, input)))
            .collect()
    }

    /// How much the better choice gains at least, on the side where it gains less.
    pub(crate) fn gain(&self) -> f64 {
        self.too_early.low.min(self.too_late.low)
    }
}

/// Neighbouring inputs at which one series is the fastest, or not measurably slower.
struct Segment {
    series: String,
    inputs: Vec<String>,
    /// Whether it is measurably the fastest at each of them.
    alone: bool,
}

/// Divides the inputs among as few fastest series as possible.
///
/// `None` without at least two processes a case: one process cannot tell what is faster.
fn segments(table: &Table) -> Option<Vec<Segment>> {
    let mut segments: Vec<(Vec<&str>, Vec<String>, bool)> = Vec::new();
    for input in &table.inputs {
        let fastest = table.fastest(input)?;
        if fastest.is_empty() {
            continue;
        }
        if let Some((candidates, inputs, alone)) = segments.last_mut() {
            let here: HashSet<&str> = fastest.iter().copied().collect();
            let common: Vec<&str> = candidates
                .iter()
                .filter(|one| here.contains(*one))
                .copied()
                .collect();
            if !common.is_empty() {
                *candidates = common;
                inputs.push(input.clone());
                *alone &= fastest.len() == 1;
                continue;
            }
        }
        let alone = fastest.len() == 1;
        segments.push((fastest, vec![input.clone()], alone));
    }
    let segments = segments
        .into_iter()
        .map(|(candidates, inputs, alone)| Segment {
            series: candidates[0].to_owned(),
            inputs,
            alone,
        });
    Some(segments.collect())
}

/// Which series is fastest where.
fn winners(table: &Table, segments: &[Segment]) -> String {
    let name = |segment: &Segment| {
        let tied = if segment.alone {
            ""
        } else {
            " (or not measurably slower)"
        };
        format!("{} is the fastest{tied}", code(&segment.series))
    };
    let place = |segment: &Segment| match &segment.inputs[..] {
        [one] => format!("at {}", code(one)),
        [first, .., last] if table.numeric() => {
            format!("from {} to {}", code(first), code(last))
        }
        inputs => {
            let inputs: Vec<String> = inputs.iter().map(|input| code(input)).collect();
            format!("at {}", inputs.join(", "))
        }
    };
    match segments {
        [] => String::new(),
        [only] if table.inputs.len() == 1 => format!("{}.", name(only)),
        [only] if only.inputs.len() == table.inputs.len() => {
            format!("{} at every input.", name(only))
        }
        several => {
            let parts: Vec<String> = several
                .iter()
                .map(|segment| format!("{} {}", name(segment), place(segment)))
                .collect();
            format!("{}.", parts.join("; "))
        }
    }
}

/// The baseline, or the next where the winner is the baseline, if it measurably takes longer.
pub(crate) fn compared<'a>(
    table: &'a Table,
    winner: &str,
    input: &str,
    measured: &Measured,
) -> Option<(&'a str, Estimate)> {
    let (other, slower) = match table.info.baseline.as_deref() {
        Some(baseline) if baseline != winner && !table.is_bound(baseline) => {
            (baseline, table.measured(baseline, input)?)
        }
        _ => table.choices(input).find(|&(series, _)| series != winner)?,
    };
    let factor = ratio(slower, measured)?;
    (factor.low > 1.0).then_some((other, factor))
}

/// What the fastest series costs at the last input, and how another compares.
fn price(
    table: &Table,
    winner: &str,
    input: &str,
    measured: &Measured,
    compared: Option<(&str, Estimate)>,
) -> String {
    let place = match table.inputs.len() {
        1 => String::new(),
        _ => format!("At {} ", code(input)),
    };
    let time = interval(Unit::Duration, &measured.time);
    let mut sentence = format!("{place}{} takes {time}", code(winner));
    if table.info.per_element {
        sentence += &format!(" {}", table.element());
    }
    if measured.elements > 1 {
        let each = measured.time.point / measured.elements as f64;
        let half_width = (measured.time.high - measured.time.low) / 2.0 / measured.elements as f64;
        sentence += &format!(
            ", {} {}",
            Unit::Duration.format(each, half_width),
            table.element()
        );
    }
    if let Some(counted) = measured.allocations {
        sentence += &match counted.count {
            0.0 => ", and allocates nothing".to_owned(),
            // Amortised.
            count if count < 0.5 => {
                let times = Unit::Count.format((1.0 / count).round(), 0.0);
                format!(", and allocates once in {times} times")
            }
            count => {
                let count = Unit::Count.format(count, 0.0);
                let plural = if count == "1" { "" } else { "s" };
                let bytes = Unit::Bytes.format(counted.bytes, 0.0);
                format!(", in {count} allocation{plural} of {bytes}")
            }
        };
    }
    if let Some((other, factor)) = compared {
        sentence += &format!(
            "; {} takes {} as long",
            code(other),
            interval(Unit::Ratio, &factor)
        );
    }
    sentence + "."
}

/// How near the fastest comes to what bounds it, and the case of the bound.
fn bounds(table: &Table, winner: &str, input: &str, measured: &Measured) -> Vec<(String, String)> {
    let told = |bound: &String| {
        let ratio = ratio(measured, table.measured(bound, input)?)?;
        let sentence = format!(
            "{} takes {} as long as the bound {}.",
            code(winner),
            interval(Unit::Ratio, &ratio),
            code(bound)
        );
        Some((sentence, table.case(bound, input)))
    };
    table.info.bounds.iter().filter_map(told).collect()
}

/// Bytes of each element, of the winner and of the series whose peak is lowest, and its case.
///
/// Silent where an iteration handles one element, allocates nothing or frees most at once.
fn memory(
    table: &Table,
    winner: &str,
    input: &str,
    measured: &Measured,
) -> Option<(String, Option<String>)> {
    let elements = measured.held_elements;
    let counted = measured.allocations?;
    let divisor = match table.info.per_element {
        true => 1.0,
        false => elements as f64,
    };
    let peak = |measured: &Measured| {
        let peak = measured.allocations?.peak_bytes / measured.held_elements as f64;
        peak.is_finite().then_some(peak)
    };
    let own = peak(measured)?;
    // What is freed at once has a peak that says nothing of an element.
    let kept = |own: f64, bytes: f64| own >= bytes / 2.0;
    if elements < 2 || counted.bytes <= 0.0 || !kept(own, counted.bytes / divisor) {
        return None;
    }
    let mut sentence = format!(
        "{} asks for {} {} and has {} {} at its peak",
        code(winner),
        Unit::Bytes.format(counted.bytes / divisor, 0.0),
        table.element(),
        Unit::Bytes.format(own, 0.0),
        table.element()
    );
    let lowest = table
        .choices(input)
        .filter_map(|(series, measured)| Some((series, peak(measured)?)))
        .min_by(|(_, one), (_, other)| one.total_cmp(other))
        .filter(|&(_, lowest)| lowest < own);
    if let Some((series, lowest)) = lowest {
        sentence += &format!(
            "; {} has the lowest, {} {}",
            code(series),
            Unit::Bytes.format(lowest, 0.0),
            table.element()
        );
    }
    Some((
        sentence + ".",
        lowest.map(|(series, _)| table.case(series, input)),
    ))
}

/// Inputs over which a growth is told: with three, a bend looks like a power.
const GROWTH_INPUTS: usize = 4;

/// The exponent with which the time of a series grows, and the case that it begins with.
pub(crate) fn exponent(table: &Table, series: &str) -> Option<(Estimate, String)> {
    let rows = table.rows_of(series);
    let measured: Vec<&Row> = rows.filter(|row| row.measured().is_some()).collect();
    if measured.len() < GROWTH_INPUTS {
        return None;
    }
    let first = table.case(series, &measured[0].input);
    Some((table.growth(series)?, first))
}

/// How the time of a series grows, and the case that it begins with.
fn growth(table: &Table, series: &str) -> Option<(String, String)> {
    let (exponent, first) = exponent(table, series)?;
    let time = match table.info.per_element {
        true => format!("Its time {}", table.element()),
        false => "Its time".to_owned(),
    };
    let sentence = match () {
        () if exponent.low <= 0.0 && exponent.high >= 0.0 => {
            format!("{time} does not measurably depend on the input.")
        }
        () => format!("{time} {}.", power(&exponent)),
    };
    Some((sentence, first))
}

/// `grows as n^1.02 (0.99..1.05)`.
pub(crate) fn power(exponent: &Estimate) -> String {
    let verb = match exponent.point < 0.0 {
        true => "falls",
        false => "grows",
    };
    format!(
        "{verb} as n^{:.2} ({:.2}..{:.2})",
        exponent.point, exponent.low, exponent.high
    )
}

/// Shortest time of one worker whose speed-up is one of its work, in nanoseconds: below it, waking
/// threads takes the longer part, which is no work to share.
pub(crate) const WAKING_NS: f64 = 100e3;

/// The rows of a group over numbers of workers that are faster than `cores` cores can be.
pub(crate) fn doubts(table: &Table, cores: u64) -> Vec<String> {
    if table.info.axis != "workers" {
        return Vec::new();
    }
    let doubt = |row: &Row| {
        let baseline = table.measured(table.info.baseline.as_deref()?, &row.input)?;
        let ratio = table
            .ratio(row)
            .filter(|ratio| ratio.high * (cores as f64) < 1.0)
            .filter(|_| baseline.time.point >= WAKING_NS)?;
        Some(format!(
            "{} at {} takes {} of the time of the baseline, less than {cores} cores can explain: do not trust it.",
            code(&row.series),
            code(&row.input),
            interval(Unit::Ratio, &ratio)
        ))
    };
    table.rows.iter().filter_map(doubt).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;
    use crate::report::tests::{entries, report};
    use bench_harness::record::Entry;

    #[track_caller]
    fn check(cases: &[(&str, &str, &[u64])], parts: &[&str]) {
        let sentence = takeaway(&report(cases).groups[0]).expect("a takeaway");
        for part in parts {
            assert!(sentence.contains(part), "`{part}` is not in: {sentence}");
        }
    }

    #[test]
    fn one_winner_is_named_once_with_its_factor_over_the_baseline() {
        check(
            &[
                ("slow", "10", &[400, 410]),
                ("fast", "10", &[100, 101]),
                ("slow", "100", &[4_000, 4_100]),
                ("fast", "100", &[1_000, 1_020]),
            ],
            &[
                "`fast` is the fastest at every input.",
                "At `100` `fast` takes 1.01 µs",
                "`slow` takes 4",
            ],
        );
    }

    #[test]
    fn change_of_the_winner_is_told_with_its_inputs() {
        check(
            &[
                ("slow", "10", &[100, 101]),
                ("fast", "10", &[200, 210]),
                ("slow", "100", &[4_000, 4_100]),
                ("fast", "100", &[1_000, 1_020]),
                ("slow", "1000", &[40_000, 41_000]),
                ("fast", "1000", &[10_000, 10_200]),
            ],
            &["`slow` is the fastest at `10`; `fast` is the fastest from `100` to `1000`."],
        );
    }

    #[test]
    fn tie_is_not_called_a_win() {
        check(
            &[("slow", "10", &[100, 110]), ("fast", "10", &[110, 100])],
            &["(or not measurably slower)"],
        );
    }

    /// A takeaway has none of these.
    #[track_caller]
    fn check_silent(cases: &[(&str, &str, &[u64])], parts: &[&str]) {
        let sentence = takeaway(&report(cases).groups[0]).expect("a takeaway");
        for part in parts {
            assert!(!sentence.contains(part), "`{part}` is in: {sentence}");
        }
    }

    #[test]
    fn growth_is_fitted_over_four_inputs_and_named_with_its_first_case() {
        let cases: [(&str, &str, &[u64]); 4] = [
            ("slow", "10", &[100, 100]),
            ("slow", "100", &[10_000, 10_000]),
            ("slow", "1000", &[1_000_000, 1_000_000]),
            ("slow", "10000", &[100_000_000, 100_000_000]),
        ];
        let said = [
            "Its time grows as n^2.00 (2.00..2.00).",
            "From `walk/chain/slow/10000`, `walk/chain/slow/10`.",
        ];
        check(&cases, &said);
        check_silent(&cases[..3], &["grows", "slow/10`"]);
    }

    #[test]
    fn crossover_is_told_where_both_sides_are_measurable() {
        let cases: [(&str, &str, &[u64]); 4] = [
            ("slow", "10", &[100, 101]),
            ("fast", "10", &[200, 210]),
            ("slow", "100", &[4_000, 4_100]),
            ("fast", "100", &[1_000, 1_020]),
        ];
        let said = [
            "Between `10` and `100` the fastest changes from `slow` to `fast`: before, `fast` takes 2.04× (2.00..2.08) as long, and then `slow` 4.010× (4.000..4.020).",
            "`walk/chain/slow/10`, `walk/chain/fast/10`, `walk/chain/slow/100`",
        ];
        check(&cases, &said);
        let tied: &[(&str, &str, &[u64])] = &[
            ("slow", "10", &[100, 201]),
            ("fast", "10", &[200, 110]),
            cases[2],
            cases[3],
        ];
        check_silent(tied, &["Between"]);
        let named = cases.map(|(series, input, times)| match input {
            "10" => (series, "ten", times),
            _ => (series, input, times),
        });
        check_silent(&named, &["Between"]);
    }

    #[test]
    fn inputs_where_nobody_wins_lie_within_a_crossover() {
        check(
            &[
                ("slow", "10", &[100, 101]),
                ("fast", "10", &[200, 210]),
                ("slow", "50", &[600, 640]),
                ("fast", "50", &[640, 600]),
                ("slow", "100", &[4_000, 4_100]),
                ("fast", "100", &[1_000, 1_020]),
            ],
            &["Between `10` and `100` the fastest changes"],
        );
    }

    #[test]
    fn memory_is_told_of_an_element_where_it_was_counted() {
        // An iteration of these records handles 10 elements, asks for 2048 B and peaks at 1 KiB.
        let cases: &[(&str, &str, &[u64])] =
            &[("slow", "1", &[400, 410]), ("fast", "1", &[100, 101])];
        check(
            cases,
            &["`fast` asks for 205 B a node and has 102 B a node at its peak."],
        );
        let mut entries = crate::report::tests::entries(cases);
        let mut told = |change: fn(&mut bench_harness::record::Record)| {
            for entry in &mut entries {
                if let bench_harness::record::Entry::Case(record) = entry {
                    change(record);
                }
            }
            let report = crate::report::Report::new(&entries).unwrap();
            takeaway(&report.groups[0]).unwrap()
        };
        let lower = told(|record| {
            if let ("slow", Some(counted)) = (&*record.case.series, &mut record.allocations) {
                counted.peak_bytes = 512;
            }
        });
        let part = "102 B a node at its peak; `slow` has the lowest, 51.2 B a node.";
        assert!(lower.contains(part), "{lower}");
        let single = told(|record| record.elements = 1);
        assert!(!single.contains("at its peak"), "{single}");
        let uncounted = told(|record| {
            record.elements = 10;
            record.allocations = None;
        });
        assert!(!uncounted.contains("at its peak"), "{uncounted}");
    }

    #[test]
    fn bound_is_no_choice_and_the_fastest_is_compared_with_it() {
        let cases: &[(&str, &str, &[u64])] = &[
            ("ideal", "1", &[50, 50]),
            ("slow", "1", &[200, 200]),
            ("fast", "1", &[100, 100]),
        ];
        let told = |edit: fn(&mut bench_harness::record::GroupInfo)| {
            let mut entries = entries(cases);
            for entry in &mut entries {
                if let Entry::Group(group) = entry {
                    edit(&mut group.info);
                }
            }
            takeaway(&Report::new(&entries).unwrap().groups[0]).unwrap()
        };
        let chosen = told(|_| ());
        assert!(chosen.starts_with("`ideal` is the fastest."), "{chosen}");
        let bound = told(|info| info.bounds = vec!["ideal".to_owned()]);
        assert!(bound.starts_with("`fast` is the fastest."), "{bound}");
        let near =
            "`slow` takes 2× (2..2) as long. `fast` takes 2× (2..2) as long as the bound `ideal`.";
        assert!(bound.contains(near), "{bound}");
        assert!(bound.ends_with("`walk/chain/ideal/1`."), "{bound}");
        let alone = told(|info| info.bounds = vec!["ideal".to_owned(), "slow".to_owned()]);
        assert!(alone.starts_with("`fast` takes 100 ns"), "{alone}");
    }

    #[test]
    fn change_of_the_fastest_is_found_through_ties_and_along_sizes_with_units() {
        let told = |cases: &[(&str, &str, &[u64])]| -> Vec<String> {
            let report = report(cases);
            let all = crossovers(&report.groups[0]);
            all.iter()
                .map(|one| format!("{} {} {} {}", one.before, one.last, one.after, one.first))
                .collect()
        };
        let through: &[(&str, &str, &[u64])] = &[
            ("one", "no-op", &[10, 11]),
            ("two", "no-op", &[20, 21]),
            ("one", "1 us", &[100, 120]),
            ("two", "1 us", &[120, 100]),
            ("one", "1 ms", &[2_000, 2_100]),
            ("two", "1 ms", &[1_000, 1_010]),
            ("tied", "1 ms", &[1_010, 1_000]),
        ];
        assert_eq!(told(through), ["one no-op two 1 ms"]);
        let unordered: &[(&str, &str, &[u64])] = &[
            ("one", "mixed", &[10, 11]),
            ("two", "mixed", &[20, 21]),
            ("one", "graph", &[2_000, 2_100]),
            ("two", "graph", &[1_000, 1_010]),
        ];
        assert_eq!(told(unordered), [""; 0]);
    }

    #[test]
    fn more_speed_than_cores_is_doubted() {
        let cases: &[(&str, &str, &[u64])] = &[
            ("slow", "2", &[900_000, 910_000]),
            ("twice", "2", &[460_000, 465_000]),
            ("thrice", "2", &[300_000, 301_000]),
            ("slow", "4", &[900, 910]),
            ("thrice", "4", &[300, 301]),
        ];
        let mut table = report(cases).groups.remove(0);
        assert_eq!(doubts(&table, 2), Vec::<String>::new());
        table.info.axis = "workers".to_owned();
        let doubts = doubts(&table, 2);
        assert_eq!(doubts.len(), 1, "{doubts:?}");
        assert!(doubts[0].starts_with("`thrice` at `2`"), "{doubts:?}");
    }

    #[test]
    fn one_process_supports_no_sentence() {
        assert_eq!(
            takeaway(&report(&[("slow", "1", &[1]), ("fast", "1", &[2])]).groups[0]),
            None
        );
    }

    #[test]
    fn group_without_a_measured_case_supports_no_sentence() {
        assert_eq!(takeaway(&report(&[("slow", "1", &[])]).groups[0]), None);
    }
}
