//! Whether cases reach the figures that `benchmarks.toml` asks of them: a report in, statuses and
//! Markdown out.

use std::fmt::Write;

use bench_harness::gate::Metric;
use bench_harness::policy::{Bound, Policy, Target};
use bench_harness::record::CaseId;
use bench_harness::stats::Estimate;

use crate::format::Unit;
use crate::markdown::{cell, code, interval, text};
use crate::report::{Counted, Measured, Report, Row, Table, ratio};

/// The heading of the section.
pub(crate) const TITLE: &str = "Targets";

/// Most cases that are named of a target that is not met.
const NAMED: usize = 5;

/// What became of a target.
pub(crate) struct Judged {
    pub(crate) name: String,
    pub(crate) metric: Metric,
    pub(crate) bound: Bound,
    /// Its cases, the worst first.
    pub(crate) figures: Vec<Figure>,
}

/// What became of a target in one case.
pub(crate) struct Figure {
    pub(crate) case: CaseId,
    /// What the time is that of: `a node`.
    pub(crate) of: String,
    /// In the unit of the bound; `None` where it was not measured.
    pub(crate) measured: Option<Estimate>,
    pub(crate) status: Status,
}

/// From the worst to the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Status {
    /// The whole interval is beyond the bound.
    Missed,
    /// The bound is inside the interval, or there is no interval.
    Undecided,
    /// There is no figure.
    Unmeasured,
    /// The whole interval is within the bound.
    Met,
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Missed => "missed",
            Self::Undecided => "not decided",
            Self::Unmeasured => "unmeasured",
            Self::Met => "met",
        })
    }
}

impl Judged {
    /// The worst of its cases; a target without cases is not measured.
    pub(crate) fn status(&self) -> Status {
        self.figures
            .first()
            .map_or(Status::Unmeasured, |worst| worst.status)
    }

    fn met(&self) -> usize {
        let met = |figure: &&Figure| figure.status == Status::Met;
        self.figures.iter().filter(met).count()
    }
}

/// What became of the targets of a policy, in its order.
pub(crate) fn judge(policy: &Policy, report: &Report) -> Vec<Judged> {
    policy
        .targets()
        .iter()
        .map(|target| {
            let rows = report
                .groups
                .iter()
                .flat_map(|table| table.rows.iter().map(move |row| (table, row)));
            let mut figures: Vec<Figure> = rows
                .filter(|(_, row)| target.is_about(&row.case))
                .map(|(table, row)| figure(target, table, row))
                .collect();
            let excess = |figure: &Figure| excess(&target.bound, figure.measured);
            // Stable: of equals the one that is defined first.
            figures.sort_by(|one, other| {
                let status = one.status.cmp(&other.status);
                status.then(excess(other).total_cmp(&excess(one)))
            });
            Judged {
                name: target.name.clone(),
                metric: target.metric,
                bound: target.bound.clone(),
                figures,
            }
        })
        .collect()
}

fn figure(target: &Target, table: &Table, row: &Row) -> Figure {
    let measured = row.measured().and_then(|measured| match &target.bound.of {
        None => absolute(target.metric, measured),
        Some(of) => relative(target.metric, measured, table.measured(of, &row.input)?),
    });
    Figure {
        case: row.case.clone(),
        of: table.of(),
        status: measured.map_or(Status::Unmeasured, |measured| {
            status(&target.bound, &measured)
        }),
        measured,
    }
}

/// The figure of a case with its interval. Counts have none: they are medians over the processes.
fn absolute(metric: Metric, measured: &Measured) -> Option<Estimate> {
    let counted = |value: fn(&Counted) -> f64| measured.allocations.as_ref().map(value);
    match metric {
        Metric::Time => Some(measured.time),
        Metric::Throughput => {
            let rate = |time: f64| measured.elements as f64 / time * 1e9;
            Some(Estimate {
                point: rate(measured.time.point),
                low: rate(measured.time.high),
                high: rate(measured.time.low),
                ..measured.time
            })
        }
        Metric::Instructions => measured.instructions.map(exact),
        Metric::Allocations => counted(|counted| counted.count).map(exact),
        Metric::Bytes => counted(|counted| counted.bytes).map(exact),
        Metric::Peak => counted(|counted| counted.peak_bytes).map(exact),
        // No report has it, and no policy asks for it.
        Metric::Parallel => None,
    }
}

/// How many times as much as that of another series; times are divided process by process.
fn relative(metric: Metric, one: &Measured, other: &Measured) -> Option<Estimate> {
    match metric {
        Metric::Time => ratio(one, other),
        Metric::Throughput => {
            let handled = one.elements as f64 / other.elements as f64;
            let times = ratio(other, one)?;
            Some(Estimate {
                point: times.point * handled,
                low: times.low * handled,
                high: times.high * handled,
                ..times
            })
        }
        _ => {
            let (one, other) = (absolute(metric, one)?.point, absolute(metric, other)?.point);
            Some(exact(match one == other {
                // Also of nothing.
                true => 1.0,
                false => one / other,
            }))
        }
    }
}

fn exact(point: f64) -> Estimate {
    Estimate {
        point,
        low: point,
        high: point,
        confidence: 1.0,
    }
}

fn status(bound: &Bound, measured: &Estimate) -> Status {
    let within = |value: f64| match bound.is_least {
        true => value >= bound.value,
        false => value <= bound.value,
    };
    match (within(measured.low), within(measured.high)) {
        // One process says nothing about the next.
        _ if measured.confidence <= 0.0 => Status::Undecided,
        (true, true) => Status::Met,
        (false, false) => Status::Missed,
        _ => Status::Undecided,
    }
}

/// How far a figure is beyond the bound, as a fraction of it; negative within it.
fn excess(bound: &Bound, measured: Option<Estimate>) -> f64 {
    let beyond = measured.map_or(f64::NEG_INFINITY, |measured| match bound.value {
        0.0 => measured.point,
        value => measured.point / value - 1.0,
    });
    match bound.is_least {
        true => -beyond,
        false => beyond,
    }
}

/// The section of the page; nothing without targets.
pub(crate) fn section(targets: &[Judged]) -> String {
    let mut page = String::new();
    if targets.is_empty() {
        return page;
    }
    let count = |status| targets.iter().filter(|one| one.status() == status).count();
    let counts = [
        Status::Met,
        Status::Missed,
        Status::Undecided,
        Status::Unmeasured,
    ];
    let counts = counts.map(|status| (count(status), status));
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts
        .map(|(count, status)| format!("{count} {status}"))
        .collect();
    let of = targets.len();
    write_line(&mut page, &format!("## {TITLE}\n"));
    write_line(
        &mut page,
        &format!(
            "What `benchmarks.toml` asks of the figures below; of {of} targets: {}. A target is met where the whole interval of each of its cases is within the bound, missed where that of a case is beyond it, and not decided where a bound lies inside an interval. Counts have no interval. The case that is furthest from its bound, or least within it, is shown.\n",
            counts.join(", ")
        ),
    );
    write_line(
        &mut page,
        "| Target | Metric | Bound | Measured | Margin | Case | Cases met | Status |\n|---|---|---:|---:|---:|---|---:|---|",
    );
    for target in targets {
        write_line(&mut page, &row(target));
    }
    page.push('\n');
    let others: String = targets.iter().filter_map(others).collect();
    if !others.is_empty() {
        write_line(&mut page, &others);
    }
    page
}

fn row(target: &Judged) -> String {
    let worst = target.figures.first();
    let metric = match worst {
        Some(worst) if target.metric == Metric::Time => format!("time {}", worst.of),
        _ => target.metric.to_string(),
    };
    let status = match target.status() {
        Status::Met => "met".to_owned(),
        other => format!("**{other}**"),
    };
    let cells = [
        text(&target.name),
        text(&metric),
        bound(target),
        worst.map_or_else(String::new, |worst| measured(target, worst)),
        worst.map_or_else(String::new, |worst| margin(&target.bound, worst)),
        worst.map_or_else(String::new, |worst| cell(&worst.case.to_string())),
        format!("{} of {}", target.met(), target.figures.len()),
        status,
    ];
    format!("| {} |", cells.join(" | "))
}

/// A line with the cases of a target that do not meet it, but for the one of its row.
fn others(target: &Judged) -> Option<String> {
    let others: Vec<&Figure> = target
        .figures
        .iter()
        .skip(1)
        .filter(|figure| figure.status != Status::Met)
        .collect();
    if others.is_empty() {
        return None;
    }
    let mut named: Vec<String> = others
        .iter()
        .take(NAMED)
        .map(|figure| {
            let case = code(&figure.case.to_string());
            match figure.measured {
                Some(_) => format!("{case} {} ({})", measured(target, figure), figure.status),
                None => format!("{case} ({})", figure.status),
            }
        })
        .collect();
    if others.len() > named.len() {
        named.push(format!("{} more", others.len() - named.len()));
    }
    Some(format!(
        "- {}: nor do these meet it: {}.\n",
        text(&target.name),
        named.join(", ")
    ))
}

fn bound(target: &Judged) -> String {
    let bound = &target.bound;
    let side = if bound.is_least {
        "at least"
    } else {
        "at most"
    };
    match &bound.of {
        Some(of) => format!(
            "{side} {} {}",
            Unit::Ratio.format(bound.value, 0.0),
            cell(of)
        ),
        None => format!("{side} {}", figure_text(target, &exact(bound.value))),
    }
}

fn measured(target: &Judged, figure: &Figure) -> String {
    match &figure.measured {
        Some(measured) => figure_text(target, measured),
        None => String::new(),
    }
}

fn figure_text(target: &Judged, figure: &Estimate) -> String {
    let (unit, suffix) = match target.metric {
        _ if target.bound.of.is_some() => (Unit::Ratio, ""),
        Metric::Time | Metric::Parallel => (Unit::Duration, ""),
        Metric::Bytes | Metric::Peak => (Unit::Bytes, ""),
        Metric::Throughput => (Unit::Count, "/s"),
        Metric::Instructions | Metric::Allocations => (Unit::Count, ""),
    };
    match figure.low < figure.high {
        true => format!("{}{suffix}", interval(unit, figure)),
        false => format!("{}{suffix}", unit.format(figure.point, 0.0)),
    }
}

/// How far a figure is from the bound, in percent of it.
fn margin(bound: &Bound, figure: &Figure) -> String {
    let Some(measured) = figure.measured.filter(|_| bound.value > 0.0) else {
        return String::new();
    };
    let beyond = measured.point / bound.value - 1.0;
    let half_width = (measured.high - measured.low) / 2.0 / bound.value;
    let percent = Unit::Percent.format(beyond.abs(), half_width);
    match beyond {
        beyond if beyond > 0.0 => format!("{percent} over"),
        beyond if beyond < 0.0 => format!("{percent} under"),
        _ => "none".to_owned(),
    }
}

fn write_line(page: &mut String, line: &str) {
    writeln!(page, "{line}").expect("writing to a string does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    fn judged(target: &str, cases: &[(&str, &str, &[u64])]) -> Judged {
        let text = format!("[[target]]\nname = 'a | b'\n{target}");
        let policy = Policy::parse("benchmarks.toml", &text).unwrap();
        let mut judged = judge(&policy, &report(cases));
        assert_eq!(judged.len(), 1);
        judged.remove(0)
    }

    /// Times of six processes, so that there is an interval.
    const SIX: [u64; 6] = [100, 101, 102, 103, 104, 110];
    const TWICE: [u64; 6] = [200, 202, 204, 206, 208, 220];

    #[track_caller]
    fn check(target: &str, expected: Status) {
        let cases: &[(&str, &str, &[u64])] = &[("slow", "1", &TWICE), ("fast", "1", &SIX)];
        assert_eq!(judged(target, cases).status(), expected, "{target}");
    }

    #[test]
    fn target_is_met_missed_or_not_decided_by_its_interval() {
        let fast = "cases = '**/fast/*'\nmetric = 'time'\n";
        let with = |rest: &str| format!("{fast}{rest}");
        check(&with("at_most = '110 ns'"), Status::Met);
        check(&with("at_most = '109 ns'"), Status::Undecided);
        check(&with("at_most = '100 ns'"), Status::Undecided);
        check(&with("at_most = '99 ns'"), Status::Missed);
        check(&with("at_least = '100 ns'"), Status::Met);
        check(&with("at_least = '111 ns'"), Status::Missed);
        check(&with("at_most = 0.5\nof = 'slow'"), Status::Met);
        check(&with("at_most = 0.49\nof = 'slow'"), Status::Missed);
        check(&with("at_most = 1\nof = 'gone'"), Status::Unmeasured);
        check(
            "cases = 'no/such/case'\nmetric = 'time'\nat_most = '1 s'",
            Status::Unmeasured,
        );
    }

    #[test]
    fn other_metrics_are_judged_by_what_the_table_tells() {
        let fast = "cases = '**/fast/*'\n";
        let with = |rest: &str| format!("{fast}{rest}");
        // 10 elements in 100 to 110 ns.
        check(
            &with("metric = 'throughput'\nat_least = 90_000_000"),
            Status::Met,
        );
        check(
            &with("metric = 'throughput'\nat_least = 99_000_000"),
            Status::Undecided,
        );
        check(
            &with("metric = 'throughput'\nat_least = 2\nof = 'slow'"),
            Status::Met,
        );
        check(&with("metric = 'allocations'\nat_most = 2.5"), Status::Met);
        check(&with("metric = 'allocations'\nat_most = 0"), Status::Missed);
        check(&with("metric = 'peak'\nat_most = '1 KiB'"), Status::Met);
        check(
            &with("metric = 'bytes'\nat_most = 1\nof = 'slow'"),
            Status::Met,
        );
        check(
            &with("metric = 'instructions'\nat_most = 5"),
            Status::Unmeasured,
        );
    }

    #[test]
    fn one_process_decides_nothing_and_a_failed_case_is_not_measured() {
        let target = "cases = '**'\nmetric = 'time'\nat_most = '1 s'";
        let one = judged(target, &[("fast", "1", &[100])]);
        assert_eq!(one.status(), Status::Undecided);
        let failed = judged(target, &[("fast", "1", &SIX), ("slow", "1", &[])]);
        assert_eq!(failed.status(), Status::Unmeasured);
        assert_eq!((failed.met(), failed.figures.len()), (1, 2));
    }

    #[test]
    fn worst_case_stands_in_the_row_and_the_others_that_miss_are_named() {
        let target = "cases = '**'\nmetric = 'time'\nat_most = '150 ns'";
        let cases: &[(&str, &str, &[u64])] = &[
            ("slow", "1", &TWICE),
            ("fast", "1", &SIX),
            ("slow", "2", &TWICE),
        ];
        let judged = judged(target, cases);
        let page = section(&[judged]);
        let row = "| a \\| b | time an iteration | at most 150 ns | 210 ns (200..220) | 37 % over | `walk/chain/slow/1` | 1 of 3 | **missed** |";
        assert!(page.contains(row), "{page}");
        assert!(page.contains("of 1 targets: 1 missed."), "{page}");
        let others =
            "- a \\| b: nor do these meet it: `walk/chain/slow/2` 210 ns (200..220) (missed).";
        assert!(page.contains(others), "{page}");
        assert_eq!(section(&[]), "");
    }
}
