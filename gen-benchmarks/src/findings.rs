//! The few sentences about a whole report that its figures support best, and what follows from them.
//!
//! Silent where they support nothing: without at least two processes a case, nothing is known to be
//! faster. Groups with doubtful rows are left out.

use std::collections::{BTreeMap, HashMap, HashSet};

use bench_harness::stats::Estimate;

use crate::format::Unit;
use crate::markdown::{code, interval, text};
use crate::report::{Report, Table, ratio};
use crate::takeaway::{Crossover, compared, crossovers, doubts, exponent, ids, power};

/// Sentences in Markdown, each with the ids of its cases.
pub(crate) struct Findings {
    pub(crate) key: Vec<String>,
    pub(crate) advice: Vec<String>,
}

/// Groups whose winner is named.
const WINS: usize = 6;

/// Series whose losses are named.
const LOSSES: usize = 3;

/// Gains from which on a recommendation is worth following.
const WORTH: f64 = 1.05;

/// Recommendations that are given.
const ADVICE: usize = 8;

/// What a reader should know first.
pub(crate) fn findings(report: &Report) -> Findings {
    let cores = report.run.environment.cores_available.unwrap_or(u64::MAX);
    let trusted = |table: &&Table| !table.unrelated && doubts(table, cores).is_empty();
    let tables: Vec<&Table> = report.groups.iter().filter(trusted).collect();
    let mut key = wins(&tables);
    key.extend(growth(&tables));
    key.extend(losses(&tables));
    Findings {
        key,
        advice: advice(&tables),
    }
}

/// The `count` strongest, in the order in which they stand.
fn strongest<T>(mut all: Vec<(f64, T)>, count: usize) -> Vec<T> {
    let mut strengths: Vec<f64> = all.iter().map(|(strength, _)| *strength).collect();
    strengths.sort_by(|one, other| other.total_cmp(one));
    let least = strengths.get(count.saturating_sub(1)).copied();
    all.retain(|(strength, _)| least.is_none_or(|least| *strength >= least));
    all.truncate(count);
    all.into_iter().map(|(_, one)| one).collect()
}

/// Who is fastest, in the group of each section where the most is gained over what it is compared with.
fn wins(tables: &[&Table]) -> Vec<String> {
    let mut best: Vec<(f64, String)> = Vec::new();
    let mut place_of: HashMap<&str, usize> = HashMap::new();
    for table in tables {
        let Some((gain, sentence)) = win(table) else {
            continue;
        };
        let place = *place_of.entry(&table.info.section).or_insert(best.len());
        match best.get_mut(place) {
            Some(known) if gain > known.0 => *known = (gain, sentence),
            Some(_) => {}
            None => best.push((gain, sentence)),
        }
    }
    strongest(best, WINS)
}

/// The series that is measurably fastest at the last input, and the lower end of what that gains.
fn win(table: &Table) -> Option<(f64, String)> {
    let input = table.inputs.last()?;
    let fastest = table.fastest(input)?;
    let [winner] = fastest[..] else {
        return None;
    };
    let measured = table.measured(winner, input)?;
    let (other, factor) = compared(table, winner, input, measured)?;
    let place = match table.inputs.len() {
        1 => String::new(),
        _ => format!(" at {}", code(input)),
    };
    let mut cases = vec![table.case(winner, input), table.case(other, input)];
    let mut sentence = format!(
        "In {} {} is the fastest of {}{place}, with {} {}: {} takes {} as long",
        code(&table.info.group),
        code(winner),
        table.choices(input).len(),
        interval(Unit::Duration, &measured.time),
        table.of(),
        code(other),
        interval(Unit::Ratio, &factor)
    );
    let next = table.choices(input).nth(1);
    if let Some((next, slower)) = next.filter(|&(next, _)| next != other)
        && let Some(factor) = ratio(slower, measured)
    {
        sentence += &format!(", {} {}", code(next), interval(Unit::Ratio, &factor));
        cases.push(table.case(next, input));
    }
    Some((factor.low, format!("{sentence} ({}).", ids(&cases))))
}

/// Exponents from here on are told: time that grows as the input does is expected.
const STEEP: f64 = 1.05;

/// The group whose fastest series grows most steeply with its input.
fn growth(tables: &[&Table]) -> Option<String> {
    let mut steepest: Option<(Estimate, String)> = None;
    let mut fitted = 0;
    for table in tables.iter().filter(|table| !table.info.per_element) {
        let Some(input) = table.inputs.last() else {
            continue;
        };
        let fastest = table.fastest(input).unwrap_or_default();
        let Some(winner) = fastest.first() else {
            continue;
        };
        let Some((exponent, first)) = exponent(table, winner) else {
            continue;
        };
        fitted += 1;
        if exponent.low <= STEEP
            || steepest
                .as_ref()
                .is_some_and(|(known, _)| known.low >= exponent.low)
        {
            continue;
        }
        let sentence = format!(
            "Of the fastest series that of {} grows most steeply: the time of {} {} ({}).",
            code(&table.info.group),
            code(winner),
            power(&exponent),
            ids(&[first, table.case(winner, input)])
        );
        steepest = Some((exponent, sentence));
    }
    // One of one is nothing to tell: its takeaway says it.
    steepest
        .filter(|_| fitted > 1)
        .map(|(_, sentence)| sentence)
}

/// How a series does at the last input of a group.
struct Standing<'a> {
    table: &'a Table,
    input: &'a str,
    /// Whether nothing is measurably faster.
    among_fastest: bool,
    /// The fastest, and how much longer the series takes.
    beaten: Option<(&'a str, Estimate)>,
}

/// Groups with others from which on a series has standings worth telling.
const ENTRIES: usize = 3;

/// What a series loses at least where that is worth telling, and how far apart the ends of the
/// interval may be: with the digits of `1× (1..4)` a reader learns nothing.
const LOSS: f64 = 1.05;
const LOSS_SPAN: f64 = 2.0;

/// Of the series that are most often among the fastest: how often they are, and where they lose most.
fn losses(tables: &[&Table]) -> Vec<String> {
    let mut by_series: BTreeMap<&str, Vec<Standing<'_>>> = BTreeMap::new();
    for table in tables {
        for (series, standing) in standings(table).unwrap_or_default() {
            by_series.entry(series).or_default().push(standing);
        }
    }
    let mut told: Vec<(usize, String)> = Vec::new();
    for (series, standings) in by_series {
        let wins = standings.iter().filter(|one| one.among_fastest).count();
        let worst = standings
            .iter()
            .filter_map(|one| Some((one, one.beaten.as_ref()?)))
            .max_by(|(_, (_, one)), (_, (_, other))| one.low.total_cmp(&other.low));
        let Some((standing, (fastest, factor))) = worst else {
            continue;
        };
        if standings.len() < ENTRIES || wins == 0 {
            continue;
        }
        if factor.low < LOSS || factor.high > LOSS_SPAN * factor.low {
            continue;
        }
        let cases = [series, *fastest].map(|series| standing.table.case(series, standing.input));
        let of = match standings.iter().all(|one| one.input.is_empty()) {
            true => "in",
            false => "at the last input of",
        };
        let place = match standing.input {
            "" => String::new(),
            input => format!(" at {}", code(input)),
        };
        let sentence = format!(
            "{} is among the fastest {of} {wins} of its {} groups. It loses most in {}{place}: {} as long as {} ({}).",
            code(series),
            standings.len(),
            code(&standing.table.info.group),
            interval(Unit::Ratio, factor),
            code(fastest),
            ids(&cases)
        );
        told.push((wins, sentence));
    }
    told.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| one.1.cmp(&other.1)));
    told.truncate(LOSSES);
    told.into_iter().map(|(_, sentence)| sentence).collect()
}

/// How each series does that was measured at the last input; `None` where one was alone, or nothing is
/// known to be faster.
fn standings(table: &Table) -> Option<Vec<(&str, Standing<'_>)>> {
    let input = table.inputs.last()?;
    let fastest: HashSet<&str> = table.fastest(input)?.into_iter().collect();
    let ranking = table.choices(input);
    if ranking.len() < 2 {
        return None;
    }
    let (first, best) = ranking.clone().next()?;
    let standing = |(series, measured)| {
        let beaten = ratio(measured, best).filter(|ratio| first != series && ratio.low > 1.0);
        let standing = Standing {
            table,
            input,
            among_fastest: fastest.contains(series),
            beaten: beaten.map(|factor| (first, factor)),
        };
        (series, standing)
    };
    Some(ranking.map(standing).collect())
}

/// Which series to use up to and from which input, where the fastest changes.
fn advice(tables: &[&Table]) -> Vec<String> {
    let mut all = Vec::new();
    for table in tables {
        for crossover in crossovers(table) {
            if crossover.gain() < WORTH {
                continue;
            }
            all.push((crossover.gain(), recommend(table, &crossover)));
        }
    }
    strongest(all, ADVICE)
}

fn recommend(table: &Table, crossover: &Crossover<'_>) -> String {
    let axis = text(&table.info.axis);
    format!(
        "{} Up to {} {axis} use {}, from {} on {}: the other takes at least {} as long ({}).",
        text(&table.info.question),
        code(crossover.last),
        code(crossover.before),
        code(crossover.first),
        code(crossover.after),
        crate::format::ratio(crossover.gain()),
        ids(&crossover.cases(table))
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{entries, report};
    use bench_harness::record::Entry;

    type Cases<'a> = &'a [(&'a str, &'a str, &'a [u64])];

    const CROSSING: Cases<'static> = &[
        ("slow", "10", &[100, 101]),
        ("fast", "10", &[200, 210]),
        ("slow", "100", &[4_000, 4_100]),
        ("fast", "100", &[1_000, 1_020]),
    ];

    /// A report of as many groups with these cases, each in a section of its own.
    fn copies(cases: Cases<'_>, count: usize) -> Report {
        let one = entries(cases);
        let mut all = vec![one[0].clone()];
        for copy in 0..count {
            let renamed = one[1..].iter().cloned().map(|mut entry| {
                let name = format!("walk/{copy}");
                match &mut entry {
                    Entry::Group(group) => {
                        group.info.section.clone_from(&name);
                        group.info.group = name;
                    }
                    Entry::Case(record) => record.case.group = name,
                    _ => {}
                }
                entry
            });
            all.extend(renamed);
        }
        Report::new(&all).unwrap()
    }

    #[test]
    fn winner_is_told_with_its_factor_and_its_cases() {
        let findings = findings(&report(CROSSING));
        let expected = "In `walk/chain` `fast` is the fastest of 2 at `100`, with 1.01 µs (1.00..1.02) an iteration: `slow` takes 4.010× (4.000..4.020) as long (`walk/chain/fast/100`, `walk/chain/slow/100`).";
        assert_eq!(findings.key, [expected]);
    }

    #[test]
    fn recommendation_names_both_sides_of_a_crossover_and_what_a_wrong_choice_costs() {
        let findings = findings(&report(CROSSING));
        let expected = "How long is a walk? Up to `10` nodes use `slow`, from `100` on `fast`: the other takes at least 2.0× as long (`walk/chain/slow/10`, `walk/chain/fast/10`, `walk/chain/slow/100`, `walk/chain/fast/100`).";
        assert_eq!(findings.advice, [expected]);
    }

    #[track_caller]
    fn check_silent(report: &Report) {
        let findings = findings(report);
        assert_eq!(findings.key, [""; 0]);
        assert_eq!(findings.advice, [""; 0]);
    }

    #[test]
    fn nothing_is_said_where_nothing_is_known() {
        check_silent(&report(&[("slow", "1", &[200]), ("fast", "1", &[100])]));
        check_silent(&report(&[
            ("slow", "1", &[100, 110]),
            ("fast", "1", &[110, 100]),
        ]));
        check_silent(&report(&[("slow", "1", &[100, 110])]));
        check_silent(&report(&[("slow", "1", &[])]));
    }

    #[test]
    fn same_winner_everywhere_needs_no_recommendation() {
        let cases: Cases<'_> = &[
            ("slow", "10", &[200, 210]),
            ("fast", "10", &[100, 101]),
            ("slow", "100", &[4_000, 4_100]),
            ("fast", "100", &[1_000, 1_020]),
        ];
        assert_eq!(findings(&report(cases)).advice, [""; 0]);
    }

    #[test]
    fn key_findings_stay_few_however_many_groups_there_are() {
        let findings = findings(&copies(CROSSING, 20));
        let wins = findings.key.iter().filter(|one| one.starts_with("In "));
        assert_eq!(wins.count(), WINS);
        assert_eq!(findings.advice.len(), ADVICE);
    }

    #[test]
    fn series_that_wins_elsewhere_is_told_where_it_loses() {
        let mut report = copies(CROSSING, 3);
        let lost: Cases<'_> = &[("slow", "7", &[100, 101]), ("fast", "7", &[300, 303])];
        report.groups.push(self::report(lost).groups.remove(0));
        let said = findings(&report).key;
        let expected = "`fast` is among the fastest at the last input of 3 of its 4 groups. It loses most in `walk/chain` at `7`: 3× (3..3) as long as `slow` (`walk/chain/fast/7`, `walk/chain/slow/7`).";
        let losses: Vec<&String> = said.iter().filter(|one| one.contains("loses")).collect();
        assert_eq!(losses.len(), 2, "{said:?}");
        assert_eq!(losses[0], expected);
        // In two groups a series has no standing to speak of.
        let few = findings(&copies(CROSSING, 2)).key;
        assert!(few.iter().all(|one| !one.contains("loses")), "{few:?}");
    }

    #[test]
    fn steepest_growth_is_told_from_four_inputs_on_and_where_it_is_steep() {
        let growing = |factor: u64, count: usize| {
            let times: Vec<[u64; 2]> = (0..4).map(|step| [100 * factor.pow(step); 2]).collect();
            let inputs = ["10", "100", "1000", "10000"];
            let cases: Vec<(&str, &str, &[u64])> = inputs
                .iter()
                .zip(&times)
                .map(|(input, times)| ("slow", *input, &times[..]))
                .collect();
            findings(&copies(&cases, count)).key
        };
        let expected = "Of the fastest series that of `walk/0` grows most steeply: the time of `slow` grows as n^2.00 (2.00..2.00) (`walk/0/slow/10`, `walk/0/slow/10000`).";
        assert_eq!(growing(100, 2), [expected]);
        assert_eq!(growing(10, 2), [""; 0]);
        // One of one is not the most.
        assert_eq!(growing(100, 1), [""; 0]);
    }
}
