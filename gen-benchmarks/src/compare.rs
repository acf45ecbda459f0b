//! What two files of results show, and the ranking of the series of one.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt::Write;
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Result, bail, ensure};
use bench_harness::comparison::{self, Comparison, Sides};
use bench_harness::exchange::{Key, Measurement, Quantity};
use bench_harness::gate::{Conclusion, Metric, Verdict};
use bench_harness::record::CaseId;
use clap::Args;

use crate::exchange::{Loaded, load, plain, warn};
use crate::format::{Unit, ratio};
use crate::print;
use crate::revision;

pub(crate) const HELP: &str = "\
Each side is a record, a file of another tool (see `import --help`), a folder of criterion such as
target/criterion, or one of its baselines: criterion:main, or target/criterion:main. Two revisions of the
repository are built and measured as `gate` does, with all cases of the quick profile.

A process gives one number, the median of its samples. Sides are compared by Welch's t test over
processes, corrected for the number of comparisons of a metric; a side that ran in one process, or of which only
a summary is known, is inconclusive.

Exit code: 0 nothing speaks against the change, 1 something has regressed, 2 the comparison failed,
3 nothing could be decided, or with --must-decide not everything, 4 a benchmark of the old side is gone.

Examples:
  gen-benchmarks compare main.jsonl change.jsonl --limit 2
  gen-benchmarks compare criterion:main criterion:new
  gen-benchmarks compare old.txt new.txt
  gen-benchmarks compare v1.2.0 HEAD --filter parse
  gen-benchmarks compare nightly.jsonl --series parse/json";

#[derive(Args, Clone)]
pub(crate) struct Compare {
    /// The old side, or the one whose series are ranked.
    #[arg(value_name = "A")]
    base: String,
    /// The new side.
    #[arg(value_name = "B", required_unless_present = "series")]
    head: Option<String>,
    /// Rank the series of this group of A.
    #[arg(long, value_name = "GROUP", conflicts_with = "head")]
    series: Option<String>,
    /// The worsening from which on a benchmark has regressed, in percent.
    #[arg(long, value_name = "PERCENT", default_value = "1", value_parser = percent)]
    limit: f64,
    /// Only benchmarks whose id contains this text.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Compare although the records are of two machines.
    #[arg(long)]
    allow_machine_change: bool,
    /// An inconclusive comparison is not a pass.
    #[arg(long)]
    must_decide: bool,
    /// Print also what is equivalent, and all that is inconclusive.
    #[arg(long)]
    all: bool,
}

impl Compare {
    /// Both sides where they are revisions of the repository around the current folder and no files.
    pub(crate) fn revisions(&self) -> Option<(&str, &str)> {
        let is_revision = |name: &str| {
            let commit = format!("{name}^{{commit}}");
            let arguments = [
                "rev-parse",
                "--verify",
                "--quiet",
                "--end-of-options",
                &commit,
            ];
            !Path::new(name).exists() && revision::git(Path::new("."), arguments).is_ok()
        };
        let head = self.head.as_deref()?;
        (is_revision(&self.base) && is_revision(head)).then_some((self.base.as_str(), head))
    }

    /// Only cases whose id contains this text.
    pub(crate) fn filter(&self) -> Option<&str> {
        self.filter.as_deref()
    }
}

/// A fraction of what is given in percent.
pub(crate) fn percent(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|percent| (0.0..1e6).contains(percent))
        .map(|percent: f64| percent / 100.0)
        .ok_or_else(|| "give a number of percent, 0 or more, as in 1.5".to_owned())
}

/// Compares two files, or ranks the series of one.
pub(crate) fn compare(arguments: &Compare) -> Result<ExitCode> {
    match (&arguments.head, &arguments.series) {
        (Some(head), _) => files(&arguments.base, head, arguments),
        (None, Some(group)) => {
            let loaded = load(&arguments.base, None)?;
            warn(&loaded.warnings);
            print(&ranking(&loaded.measurements, group)?)?;
            Ok(ExitCode::SUCCESS)
        }
        (None, None) => bail!("give a second file, or --series GROUP"),
    }
}

/// Compares two files of results and prints what they show.
pub(crate) fn files(base: &str, head: &str, arguments: &Compare) -> Result<ExitCode> {
    let filter = arguments.filter.as_deref().unwrap_or("");
    let (old, new) = sides(base, head, filter, arguments.allow_machine_change)?;
    let outcome = Outcome::new(&old, &new, arguments.limit);
    let conclusion = outcome.conclusion(arguments.must_decide);
    print(&outcome.text(arguments.all, conclusion))?;
    Ok(ExitCode::from(conclusion.exit_code()))
}

/// What two files hold of benchmarks whose id contains `filter`, if they may be compared.
pub(crate) fn sides(
    base: &str,
    head: &str,
    filter: &str,
    allow_machine_change: bool,
) -> Result<(Vec<Measurement>, Vec<Measurement>)> {
    let (old, new) = (load(base, None)?, load(head, None)?);
    warn(&old.warnings);
    warn(&new.warnings);
    match machines(&old, &new) {
        Ok(true) => {}
        Ok(false) => warn(&[
            "not both files say on which machine they were measured; times of two machines say nothing of a change"
                .to_owned(),
        ]),
        Err(difference) if allow_machine_change => warn(&[difference]),
        Err(difference) => {
            bail!("{head}: {difference}; pass --allow-machine-change to compare anyway")
        }
    }
    let chosen = |name: &str, loaded: Loaded| {
        let (mut kept, commits) = newest(loaded.measurements);
        if commits > 1 {
            warn(&[format!(
                "{name} holds {commits} commits; the newest of each benchmark is compared"
            )]);
        }
        kept.retain(|measurement| measurement.id.contains(filter));
        kept
    };
    let (old, new) = (chosen(base, old), chosen(head, new));
    ensure!(
        !old.is_empty(),
        "{base} holds no benchmark whose id contains `{filter}`"
    );
    Ok((old, new))
}

/// Whether both sides were measured on one machine, as far as both say; an error names what differs.
fn machines(old: &Loaded, new: &Loaded) -> Result<bool, String> {
    match (&old.environment, &new.environment) {
        (Some(old), Some(new)) => old.same_machine(new).map(|()| true),
        _ => Ok(false),
    }
}

/// The newest measurement of each metric of each benchmark, and of how many commits there are any.
fn newest(measurements: Vec<Measurement>) -> (Vec<Measurement>, usize) {
    let mut commits = HashSet::new();
    let mut places: HashMap<(Key, Option<CaseId>), usize> = HashMap::new();
    let mut kept: Vec<Measurement> = Vec::new();
    for measurement in measurements {
        commits.insert(measurement.commit.clone());
        let key = Key {
            commit: None,
            ..measurement.key()
        };
        // Cases of two groups may have one id: `a/b` of `c` and `a` of `b/c`.
        let key = (key, measurement.case.clone());
        let time = |one: &Measurement| one.commit.as_ref().map(|commit| commit.measured_ms);
        match places.get(&key) {
            Some(&place) if time(&kept[place]) > time(&measurement) => {}
            Some(&place) => kept[place] = measurement,
            None => {
                places.insert(key, kept.len());
                kept.push(measurement);
            }
        }
    }
    (kept, commits.len())
}

/// What two sides show.
pub(crate) struct Outcome<'a> {
    limit: f64,
    /// What both sides have, as the old one has it.
    pub(crate) compared: Vec<(&'a Measurement, Comparison)>,
    /// Benchmarks of the old side that the new one lacks.
    pub(crate) missing: Vec<&'a str>,
    /// Benchmarks that only the new side has.
    pub(crate) new: Vec<&'a str>,
    /// Metrics that one side lacks of benchmarks that both have.
    one_sided: usize,
}

impl<'a> Outcome<'a> {
    pub(crate) fn new(old: &'a [Measurement], new: &'a [Measurement], limit: f64) -> Self {
        let key = |one: &'a Measurement| (one.id.as_str(), &one.metric, one.unit.as_str());
        let mut heads: HashMap<_, Vec<&Measurement>> = HashMap::new();
        for head in new {
            heads.entry(key(head)).or_default().push(head);
        }
        let head_of = |base: &'a Measurement| {
            let heads = heads.get(&key(base))?;
            let same = heads.iter().find(|head| head.case == base.case);
            same.or(heads.last()).copied()
        };
        let ids = |side: &'a [Measurement]| {
            side.iter()
                .map(|one| one.id.as_str())
                .collect::<HashSet<_>>()
        };
        let (old_ids, new_ids) = (ids(old), ids(new));
        let lacking = |side: &'a [Measurement], others: &HashSet<&str>| {
            let mut lacking: Vec<&str> = Vec::new();
            for one in side {
                if !others.contains(one.id.as_str()) && lacking.last() != Some(&one.id.as_str()) {
                    lacking.push(&one.id);
                }
            }
            lacking
        };
        let pairs: Vec<(&Measurement, &Measurement)> = old
            .iter()
            .filter_map(|base| Some((base, head_of(base)?)))
            .collect();
        let sides: Vec<Sides> = pairs
            .iter()
            .map(|(base, head)| Sides {
                base: base.by_process(),
                head: head.by_process(),
                more_is_better: base.more_is_better.or(head.more_is_better),
                exact: base.exact && head.exact,
            })
            .collect();
        let both = |one: &&Measurement| new_ids.contains(one.id.as_str());
        let mut compared: Vec<(&Measurement, Comparison)> = pairs
            .iter()
            .map(|(base, _)| *base)
            .zip(by_metric(&pairs, &sides, limit))
            .collect();
        for ((base, comparison), (_, head)) in compared.iter_mut().zip(&pairs) {
            // Of a summary there are no processes, but a figure to show.
            let centre = |one: &Measurement| one.centre().map_or(f64::NAN, |centre| centre.point);
            comparison.base = centre(base);
            comparison.head = centre(head);
        }
        Self {
            limit,
            one_sided: old.iter().filter(both).count() - compared.len(),
            compared,
            missing: lacking(old, &new_ids),
            new: lacking(new, &old_ids),
        }
    }

    pub(crate) fn count(&self, verdict: Verdict) -> usize {
        let compared = self.compared.iter();
        compared.filter(|(_, one)| one.verdict == verdict).count()
    }

    fn conclusion(&self, must_decide: bool) -> Conclusion {
        let inconclusive = self.count(Verdict::Inconclusive);
        if self.count(Verdict::Regressed) > 0 {
            Conclusion::Regression
        } else if !self.missing.is_empty() {
            Conclusion::Missing
        } else if inconclusive == self.compared.len() || must_decide && inconclusive > 0 {
            Conclusion::Inconclusive
        } else {
            Conclusion::Pass
        }
    }

    /// What was compared, what matters most first.
    pub(crate) fn ordered(&self) -> Vec<&(&'a Measurement, Comparison)> {
        let mut compared: Vec<&(&Measurement, Comparison)> = self.compared.iter().collect();
        let size = |one: &Comparison| (one.head / one.base - 1.0).abs();
        let untested = |one: &Comparison| one.reason.is_some() && one.change.is_none();
        compared.sort_by(|(_, one), (_, other)| {
            let by_size = || size(other).total_cmp(&size(one));
            let by_test = untested(one).cmp(&untested(other));
            let order = one.verdict.cmp(&other.verdict);
            order.then(by_test).then_with(by_size)
        });
        compared
    }

    /// What a reader of the figures should know.
    pub(crate) fn remarks(&self) -> Vec<String> {
        let one_sided = (self.one_sided > 0).then(|| {
            format!(
                "{} metrics of the old side are not measured on the new one",
                self.one_sided
            )
        });
        let reading = format!(
            "limit {}; in brackets intervals of 95 %; visible is the worsening that would have been found 95 times in 100",
            shown_percent(self.limit)
        );
        one_sided.into_iter().chain([reading]).collect()
    }

    fn text(&self, all: bool, conclusion: Conclusion) -> String {
        let mut rows = vec![
            [
                "verdict",
                "benchmark",
                "metric",
                "change",
                "old",
                "new",
                "visible",
                "",
            ]
            .map(str::to_owned),
        ];
        let mut hidden = BTreeMap::new();
        let mut shown = 0;
        for (measurement, comparison) in self.ordered() {
            let inconclusive = comparison.verdict == Verdict::Inconclusive;
            if !all && (comparison.verdict == Verdict::Equivalent || inconclusive && shown >= SHOWN)
            {
                let reason = comparison.reason.clone().unwrap_or_default();
                *hidden.entry((comparison.verdict, reason)).or_insert(0) += 1;
                continue;
            }
            shown += usize::from(inconclusive);
            rows.push(row(measurement, comparison));
        }
        let mut text = String::new();
        if rows.len() > 1 {
            table(&mut text, &rows, &[4, 5, 6]);
        }
        for ((verdict, reason), count) in hidden {
            let which = if rows.len() > 1 { " more" } else { "" };
            let bound = match verdict {
                Verdict::Equivalent => format!(" (none worse by {})", shown_percent(self.limit)),
                _ => format!(" (--all prints them): {reason}"),
            };
            line(&mut text, &format!("{verdict}: {count}{which}{bound}"));
        }
        list(&mut text, "gone, only on the old side", &self.missing);
        list(&mut text, "new, only on the new side", &self.new);
        for remark in self.remarks() {
            line(&mut text, &remark);
        }
        let why = match conclusion {
            Conclusion::Pass => "nothing speaks against the change".to_owned(),
            Conclusion::Regression => counted(self.count(Verdict::Regressed), "regression"),
            Conclusion::Inconclusive => {
                counted(self.count(Verdict::Inconclusive), "inconclusive comparison")
            }
            Conclusion::Missing => format!("{} gone", counted(self.missing.len(), "benchmark")),
        };
        line(
            &mut text,
            &format!("exit {}: {why}", conclusion.exit_code()),
        );
        text
    }
}

/// Compares all pairs, each metric as a suite of its own: counts that repeat exactly are beyond doubt
/// by the thousand, and would lend their certainty to times.
fn by_metric(
    pairs: &[(&Measurement, &Measurement)],
    sides: &[Sides],
    limit: f64,
) -> Vec<Comparison> {
    let mut suites: BTreeMap<&Quantity, Vec<usize>> = BTreeMap::new();
    for (index, (base, _)) in pairs.iter().enumerate() {
        suites.entry(&base.metric).or_default().push(index);
    }
    let mut compared: Vec<(usize, Comparison)> = Vec::new();
    for suite in suites.into_values() {
        let chosen: Vec<Sides> = suite.iter().map(|&index| sides[index].clone()).collect();
        compared.extend(suite.into_iter().zip(comparison::compare(&chosen, limit)));
    }
    compared.sort_by_key(|(index, _)| *index);
    compared.into_iter().map(|(_, one)| one).collect()
}

/// Inconclusive comparisons that are printed unasked.
const SHOWN: usize = 20;

fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The cells of a comparison: verdict, benchmark, metric, change, old, new, visible and why.
pub(crate) fn row(measurement: &Measurement, comparison: &Comparison) -> [String; 8] {
    let verdict = match comparison.verdict {
        Verdict::Regressed => "REGRESSED".to_owned(),
        other => other.to_string(),
    };
    let signed = |fraction: f64| format!("{:+.1}", fraction * 100.0);
    let difference = comparison.head / comparison.base - 1.0;
    let change = match comparison.change {
        Some(change) => format!(
            "{} % ({}..{})",
            signed(change.point),
            signed(change.low),
            signed(change.high)
        ),
        None if difference.is_finite() => format!("{} %", signed(difference)),
        None => "?".to_owned(),
    };
    [
        verdict,
        short(&measurement.id),
        short(&measurement.metric.to_string()),
        change,
        value(measurement, comparison.base),
        value(measurement, comparison.head),
        comparison.visible.map_or("?".to_owned(), shown_percent),
        comparison.reason.clone().unwrap_or_default(),
    ]
}

fn shown_percent(fraction: f64) -> String {
    let percent = format!("{:.2}", fraction * 100.0);
    format!("{} %", percent.trim_end_matches('0').trim_end_matches('.'))
}

/// A number with its unit.
fn value(measurement: &Measurement, value: f64) -> String {
    match (&measurement.metric, measurement.unit.as_str()) {
        (_, "ns") => Unit::Duration.format(value, 0.0),
        (_, "B") => Unit::Bytes.format(value, 0.0),
        (_, unit) if unit.starts_with('/') || unit == "B/s" => {
            format!("{} {unit}", Unit::Count.format(value, 0.0))
        }
        _ => Unit::Count.format(value, 0.0),
    }
}

/// Longest id that a table shows, in characters.
const WIDTH: usize = 70;

/// An id as a table shows it.
fn short(id: &str) -> String {
    let id = plain(id);
    match id.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", &id[..end]),
        None => id,
    }
}

/// Columns of one width; those in `right` end where they end.
fn table<const N: usize>(text: &mut String, rows: &[[String; N]], right: &[usize]) {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..N).map(width).collect();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate();
        let cells: Vec<String> = cells
            .map(|(column, (cell, &width))| match right.contains(&column) {
                true => format!("{cell:>width$}"),
                false => format!("{cell:<width$}"),
            })
            .collect();
        line(text, cells.join("  ").trim_end());
    }
}

/// A few names, and how many more there are.
fn list(text: &mut String, what: &str, names: &[&str]) {
    const FEW: usize = 5;
    if names.is_empty() {
        return;
    }
    let few: Vec<String> = names.iter().take(FEW).map(|name| short(name)).collect();
    let more = match names.len().saturating_sub(FEW) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    line(text, &format!("{what}: {}{more}", few.join(", ")));
}

fn line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a string does not fail");
}

/// The series of a group by their time, for each input.
fn ranking(measurements: &[Measurement], group: &str) -> Result<String> {
    let timed = measurements
        .iter()
        .filter(|one| one.metric == Quantity::Known(Metric::Time))
        .filter_map(|one| Some((one.case.as_ref()?, one)));
    let mut groups: Vec<&str> = Vec::new();
    let mut inputs: Vec<(&str, Vec<(&str, &Measurement)>)> = Vec::new();
    for (case, measurement) in timed {
        if !groups.contains(&case.group.as_str()) {
            groups.push(&case.group);
        }
        if case.group != group {
            continue;
        }
        let series = (case.series.as_str(), measurement);
        match inputs.iter_mut().find(|(input, _)| *input == case.input) {
            Some((_, list)) => list.push(series),
            None => inputs.push((&case.input, vec![series])),
        }
    }
    if inputs.is_empty() {
        let known = match groups.is_empty() {
            true => "none of its benchmarks says what its group is".to_owned(),
            false => format!("it has {}", groups.join(", ")),
        };
        bail!("no times of a group `{group}` are in the file; {known}");
    }
    let mut text = String::new();
    for (input, series) in inputs {
        line(&mut text, &format!("{} / {}", short(group), short(input)));
        rank(&mut text, &series);
        text.push('\n');
    }
    Ok(text)
}

fn rank(text: &mut String, series: &[(&str, &Measurement)]) {
    let numbers: Vec<Vec<f64>> = series.iter().map(|(_, one)| one.by_process()).collect();
    let centre = |index: usize| {
        let (_, measurement) = series[index];
        measurement.centre().map_or(f64::NAN, |centre| centre.point)
    };
    let decided = numbers.iter().all(|numbers| numbers.len() > 1);
    let places: Vec<(usize, Option<usize>)> = if decided {
        let ranking = comparison::ranking(&numbers).into_iter();
        ranking.map(|(index, place)| (index, Some(place))).collect()
    } else {
        let mut order: Vec<usize> = (0..series.len()).collect();
        order.sort_by(|&one, &other| centre(one).total_cmp(&centre(other)));
        order.into_iter().map(|index| (index, None)).collect()
    };
    let mut rows = vec![["rank", "series", "time", "× the best"].map(str::to_owned)];
    for &(index, place) in &places {
        let (name, measurement) = series[index];
        let best = centre(places[0].0);
        rows.push([
            place.map_or("?".to_owned(), |place| place.to_string()),
            short(name),
            value(measurement, centre(index)),
            ratio(centre(index) / best),
        ]);
    }
    table(text, &rows, &[0, 2, 3]);
    if !decided {
        line(
            text,
            "One process, or a summary, cannot tell what is faster; measure in several.",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bench_harness::exchange::{Batch, Commit, Process, Summary, Values};
    use bench_harness::record::CaseId;

    /// A time of these processes, named `group/series/1`.
    fn time(series: &str, processes: &[f64]) -> Measurement {
        let processes = (1..).zip(processes).map(|(process, &value)| Process {
            process,
            samples: vec![Batch {
                value,
                iterations: Some(1),
            }],
        });
        let values = Values::Processes(processes.collect());
        let mut time = Measurement::new(format!("group/{series}/1"), Metric::Time, values);
        time.case = Some(CaseId {
            group: "group".to_owned(),
            series: series.to_owned(),
            input: "1".to_owned(),
        });
        time
    }

    const SAME: [f64; 4] = [1000.0, 1001.0, 999.0, 1000.0];
    const SLOWER: [f64; 4] = [1100.0, 1101.0, 1099.0, 1100.0];

    #[track_caller]
    fn check(old: &[Measurement], new: &[Measurement], must_decide: bool, code: u8) -> String {
        let outcome = Outcome::new(old, new, 0.01);
        let conclusion = outcome.conclusion(must_decide);
        let text = outcome.text(false, conclusion);
        assert_eq!(conclusion.exit_code(), code, "{text}");
        assert!(text.contains(&format!("exit {code}: ")), "{text}");
        text
    }

    #[test]
    fn regression_comes_first_and_decides_the_exit_code() {
        let old = [time("a", &SAME), time("b", &SAME), time("c", &SLOWER)];
        let new = [time("a", &SAME), time("b", &SLOWER), time("c", &SAME)];
        let text = check(&old, &new, true, 1);
        let verdicts: Vec<&str> = text
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .take(4)
            .collect();
        assert_eq!(
            verdicts,
            ["verdict", "REGRESSED", "improved", "equivalent:"]
        );
        assert!(
            text.contains("group/b/1  time    +10.0 % (+9.9..+10.1)    1 µs  1.1 µs"),
            "{text}"
        );
        assert!(
            text.contains("equivalent: 1 more (none worse by 1 %)"),
            "{text}"
        );
    }

    #[test]
    fn what_is_gone_or_new_is_listed() {
        let old = [time("a", &SAME), time("gone", &SAME)];
        let text = check(&old, &[time("a", &SAME), time("new", &SAME)], false, 4);
        assert!(
            text.contains("gone, only on the old side: group/gone/1\n"),
            "{text}"
        );
        assert!(
            text.contains("new, only on the new side: group/new/1\n"),
            "{text}"
        );
        check(&old[..1], &old, true, 0);
    }

    #[test]
    fn nothing_decided_is_not_a_pass() {
        let one = [time("a", &SAME[..1])];
        let text = check(&one, &one, false, 3);
        assert!(text.contains("one process cannot tell"), "{text}");
        let mut summary = time("a", &SAME);
        let figures = [(
            bench_harness::exchange::Statistic::Mean,
            bench_harness::exchange::Figure::point(5.0),
        )];
        summary.values = Values::Summary(Summary {
            figures: figures.into(),
            samples: None,
        });
        let text = check(&[summary], &[time("a", &SAME)], false, 3);
        assert!(text.contains("only a summary is known"), "{text}");
        assert!(text.contains("5 ns"), "{text}");

        let old = [time("a", &SAME), time("b", &SAME[..1])];
        check(&old, &old, false, 0);
        check(&old, &old, true, 3);
    }

    #[test]
    fn many_without_a_verdict_are_counted_by_their_reason() {
        let series: Vec<String> = (0..50).map(|number| format!("s{number}")).collect();
        let mut all: Vec<Measurement> = series.iter().map(|name| time(name, &SAME[..1])).collect();
        all.push(time("decided", &SAME));
        let text = check(&all, &all, false, 0);
        let rows = text
            .lines()
            .filter(|line| line.starts_with("inconclusive  "));
        assert_eq!(rows.count(), SHOWN);
        let rest = "inconclusive: 30 more (--all prints them): one process cannot tell";
        assert!(text.contains(rest), "{text}");
        let outcome = Outcome::new(&all, &all, 0.01);
        let text = outcome.text(true, Conclusion::Pass);
        assert_eq!(
            text.lines().filter(|line| line.contains("group/")).count(),
            51
        );
    }

    #[test]
    fn undecided_comparisons_come_before_those_that_cannot_be_decided() {
        let old = [
            time("one", &SAME[..1]),
            time("noisy", &[1000.0, 1300.0, 900.0]),
        ];
        let new = [
            time("one", &SLOWER[..1]),
            time("noisy", &[1000.0, 1200.0, 900.0]),
        ];
        let text = check(&old, &new, false, 3);
        assert!(
            text.find("group/noisy").unwrap() < text.find("group/one").unwrap(),
            "{text}"
        );
        assert!(text.contains("group/one/1    time    +10.0 % "), "{text}");
    }

    #[test]
    fn certain_counts_do_not_lend_their_certainty_to_times() {
        // Alone among many times, it may be chance.
        let mut old = vec![time("a", &[1000.0, 1010.0, 1020.0, 1010.0])];
        let mut new = vec![time("a", &[1040.0, 1050.0, 1060.0, 1050.0])];
        for number in 0..200 {
            let name = format!("s{number}");
            old.push(time(&name, &[1000.0, 1010.0, 990.0]));
            new.push(time(&name, &[1000.0, 990.0, 1010.0]));
            let count = |value| {
                let mut count = time(&name, &[value; 3]);
                count.metric = Quantity::Known(Metric::Allocations);
                count.unit = "allocs".to_owned();
                count
            };
            old.push(count(100.0));
            new.push(count(200.0));
        }
        let outcome = Outcome::new(&old, &new, 0.01);
        assert_eq!(outcome.count(Verdict::Regressed), 200);
        let (_, time) = &outcome.compared[0];
        assert!(
            time.reason
                .as_ref()
                .unwrap()
                .contains("one of 201 comparisons"),
            "{time:?}"
        );
    }

    #[test]
    fn hostile_ids_stay_on_their_line() {
        let id = format!("a\u{1b}[31m\nb{}", "x".repeat(300));
        let mut old = time("a", &SAME);
        old.id = id;
        let mut new = time("a", &SLOWER);
        new.id.clone_from(&old.id);
        let text = check(&[old], &[new], false, 1);
        assert!(!text.contains('\u{1b}'), "{text}");
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(
            text.lines().all(|line| line.chars().count() < 200),
            "{text}"
        );
    }

    #[test]
    fn newest_commit_of_each_benchmark_is_compared() {
        let at = |id: &str, measured_ms, value| {
            let mut one = time("a", &[value]);
            one.commit = Some(Commit {
                id: id.to_owned(),
                measured_ms,
            });
            one
        };
        let (kept, commits) = newest(vec![at("1", 5, 1.0), at("3", 9, 3.0), at("2", 7, 2.0)]);
        assert_eq!(commits, 3);
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].by_process(), [3.0]);
    }

    #[test]
    fn series_are_ranked_and_those_that_tie_share_a_rank() {
        let all = [
            time("slow", &SLOWER),
            time("fast", &SAME),
            time("level", &[1000.5, 1001.5, 999.5, 1000.5]),
        ];
        let text = ranking(&all, "group").unwrap();
        let ranks: Vec<(&str, &str)> = text
            .lines()
            .skip(2)
            .filter_map(|line| {
                let mut words = line.split_whitespace();
                Some((words.next()?, words.next()?))
            })
            .collect();
        assert_eq!(
            ranks,
            [("1", "fast"), ("1", "level"), ("3", "slow")],
            "{text}"
        );
        let error = ranking(&all, "grup").unwrap_err().to_string();
        assert!(error.contains("it has group"), "{error}");
        let text = ranking(&[time("a", &SAME[..1]), time("b", &SAME)], "group").unwrap();
        assert!(text.contains("cannot tell what is faster"), "{text}");
    }

    #[test]
    fn limits_are_percent() {
        assert_eq!(percent("1.5"), Ok(0.015));
        assert_eq!(percent("0"), Ok(0.0));
        for wrong in ["-1", "x", "NaN", "inf", "1 %"] {
            assert!(percent(wrong).is_err(), "{wrong}");
        }
    }
}
