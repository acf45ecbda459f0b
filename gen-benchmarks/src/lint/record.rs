//! Records of ours and files of other tools, as rows.

use std::collections::HashMap;

use bench_harness::exchange::{Measurement, Quantity, Statistic, Values};
use bench_harness::gate::Metric;
use bench_harness::record::{CaseId, Entry, GroupInfo, Record, Status};
use bench_harness::stats;

use super::Finding;
use super::row::{self, Figure, Group, Row};
use crate::format::Unit;

/// Everything that is implausible in the entries of a record; an entry is a line.
pub(crate) fn lint(entries: &[Entry]) -> Vec<Finding> {
    let cores = entries.iter().find_map(|entry| match entry {
        Entry::Run(run) => run.environment.cores_available,
        _ => None,
    });
    let mut found: Vec<Finding> = groups(entries, cores.map(|cores| cores as f64))
        .iter()
        .flat_map(row::rules)
        .collect();
    let foreign = (1..).zip(entries).filter_map(|(line, entry)| match entry {
        Entry::Imported(measurement) => Some((line, &**measurement)),
        _ => None,
    });
    found.extend(measurements(foreign));
    found
}

/// Ids that are looked for in vain, as those that a file writes otherwise, before lines are given up.
const MISSED: usize = 100;

/// What is implausible in a file of another tool, whose text tells where its benchmarks stand.
pub(super) fn imported(all: &[Measurement], text: &str) -> Vec<Finding> {
    let mut lines: HashMap<&str, usize> = HashMap::new();
    let mut from = 0;
    let mut line = 1;
    let mut missed = 0;
    for measurement in all {
        // Benchmarks come in the order of the file, so most searches are short.
        let id = measurement.id.as_str();
        if lines.contains_key(id) {
            continue;
        }
        let found = match missed < MISSED {
            true => text[from..].find(id),
            false => None,
        };
        match found {
            Some(at) => {
                line += text[from..from + at].matches('\n').count();
                from += at;
            }
            None => missed += 1,
        }
        lines.insert(id, line);
    }
    measurements(all.iter().map(|one| (lines[one.id.as_str()], one)))
}

/// The cases of each group of a record that did not fail.
fn groups(entries: &[Entry], cores: Option<f64>) -> Vec<Group> {
    let mut infos: HashMap<&str, &GroupInfo> = HashMap::new();
    let mut places: HashMap<&CaseId, usize> = HashMap::new();
    let mut cases: Vec<(usize, &CaseId, Vec<&Record>)> = Vec::new();
    for (line, entry) in (1..).zip(entries) {
        match entry {
            Entry::Group(group) => {
                infos.insert(&group.info.group, &group.info);
            }
            Entry::Case(record) => {
                let place = *places.entry(&record.case).or_insert(cases.len());
                match cases.get_mut(place) {
                    Some((.., records)) => records.push(record),
                    None => cases.push((line, &record.case, vec![record])),
                }
            }
            _ => {}
        }
    }
    let mut rows: Vec<(&str, Vec<Row>)> = Vec::new();
    let mut groups: HashMap<&str, usize> = HashMap::new();
    for (line, case, records) in cases {
        let Some(row) = of_case(
            line,
            case,
            &records,
            infos.get(case.group.as_str()).copied(),
        ) else {
            continue;
        };
        let place = *groups.entry(&case.group).or_insert(rows.len());
        match rows.get_mut(place) {
            Some((_, rows)) => rows.push(row),
            None => rows.push((&case.group, vec![row])),
        }
    }
    let group = |(_, rows)| Group {
        exact_counts: true,
        ..Group::new(rows, cores)
    };
    rows.into_iter().map(group).collect()
}

fn of_case(
    line: usize,
    case: &CaseId,
    records: &[&Record],
    info: Option<&GroupInfo>,
) -> Option<Row> {
    if records.iter().any(|record| record.status != Status::Ok) {
        return None;
    }
    let times: Vec<f64> = records
        .iter()
        .filter_map(|record| crate::report::time(record))
        .collect();
    let estimate = stats::estimate(&times)?;
    let count = |value: fn(&Record) -> Option<f64>| {
        let values: Vec<f64> = records.iter().filter_map(|record| value(record)).collect();
        Some(figure(stats::median(&values)?, Unit::Count))
    };
    let axis = info.map_or("", |info| info.axis.as_str());
    let input = crate::report::number(&case.input);
    Some(Row {
        line,
        parts: vec![case.to_string()],
        series: format!("{}/{}", case.group, case.series),
        numbers: Vec::new(),
        input,
        workers: axis.contains("worker") || axis.contains("thread"),
        time: Some(Figure {
            low: estimate.low,
            high: estimate.high,
            ..figure(estimate.point, Unit::Duration)
        }),
        repeated: times
            .iter()
            .map(|&time| figure(time, Unit::Duration))
            .collect(),
        elements: Some(records[0].elements as f64),
        allocations: count(|record| {
            let counted = record.allocations?;
            // One that shrinks memory asks for no bytes.
            let fresh = counted.count.saturating_sub(counted.reallocations);
            Some(fresh as f64 / counted.iterations as f64)
        }),
        bytes: count(|record| {
            let counted = record.allocations?;
            // Without an allocation, bytes are those that a reallocation adds.
            let grown = counted.count > 0 && counted.count == counted.reallocations;
            let bytes = if grown { 0 } else { counted.bytes };
            Some(bytes as f64 / counted.iterations as f64)
        }),
        ..Row::default()
    })
}

fn figure(value: f64, unit: Unit) -> Figure {
    Figure {
        point: value,
        low: value,
        high: value,
        place: 0.0,
        written: match unit {
            // All digits: they are what is at fault.
            Unit::Duration => format!("{value} ns"),
            _ => unit.format(value, 0.0),
        },
    }
}

/// What is implausible in measurements of other tools, each with its line.
fn measurements<'a>(all: impl Iterator<Item = (usize, &'a Measurement)>) -> Vec<Finding> {
    let mut places: HashMap<String, usize> = HashMap::new();
    let mut rows: Vec<(String, Row)> = Vec::new();
    for (line, measurement) in all {
        let commit = measurement.commit.as_ref().map_or("", |commit| &commit.id);
        let key = format!("{}\n{commit}", measurement.id);
        let place = *places.entry(key.clone()).or_insert(rows.len());
        if place == rows.len() {
            rows.push((commit.to_owned(), named(line, measurement)));
        }
        add(&mut rows[place].1, measurement);
    }
    let names: Vec<&str> = rows.iter().map(|(_, row)| row.parts[0].as_str()).collect();
    let cores = processors(&names);
    if let Some(cores) = cores {
        let suffix = format!("-{cores}");
        for (_, row) in &mut rows {
            let name = row.parts[0].clone();
            let name = name.strip_suffix(&suffix).unwrap_or(&name).to_owned();
            *row = std::mem::take(row).named(vec![name]);
            row.workers = counts_workers(&row.series);
        }
    }
    let mut groups: HashMap<(String, String), Vec<Row>> = HashMap::new();
    let mut order = Vec::new();
    for (commit, row) in rows {
        let group = match row.series.rsplit_once('/') {
            Some((group, _)) => group.to_owned(),
            None => row.series.clone(),
        };
        let key = (commit, group);
        if !groups.contains_key(&key) {
            order.push(key.clone());
        }
        groups.entry(key).or_default().push(row);
    }
    let rows = order.iter().filter_map(|key| groups.remove(key));
    let groups: Vec<Group> = rows
        .map(|rows| Group::new(rows, cores.map(|cores| cores as f64)))
        .collect();
    groups.iter().flat_map(row::rules).collect()
}

/// Whether the number of a series counts workers.
pub(super) fn counts_workers(series: &str) -> bool {
    let series = series.to_lowercase();
    let words = ["worker", "thread", "procs", "cores"];
    words.iter().any(|word| {
        let counted = [
            format!("{word}s=#"),
            format!("{word}s_#"),
            format!("# {word}"),
            format!("{word}s: #"),
            format!("{word}s #"),
            format!("{word}=#"),
        ];
        counted.iter().any(|text| series.contains(text.as_str()))
    })
}

/// The number of processors that Go appends to the names of its benchmarks.
pub(super) fn processors(names: &[&str]) -> Option<u64> {
    let suffix = |name: &&str| name.rsplit_once('-')?.1.parse::<u64>().ok();
    let first = names.first().and_then(suffix)?;
    (first > 0 && names.iter().all(|name| suffix(name) == Some(first))).then_some(first)
}

fn named(line: usize, measurement: &Measurement) -> Row {
    let mut row = Row {
        line,
        ..Row::default()
    }
    .named(vec![measurement.id.clone()]);
    row.workers = counts_workers(&row.series);
    let elements = measurement
        .throughput
        .iter()
        .find(|amount| amount.unit == "elements");
    row.elements = elements.map(|amount| amount.amount);
    row
}

/// Puts a measurement in its place of the row.
fn add(row: &mut Row, measurement: &Measurement) {
    let Some(centre) = measurement.centre() else {
        return;
    };
    let factor = measurement.original.as_ref().map_or(1.0, |one| one.factor);
    let figure = |value: f64| {
        let place = place(value / factor) * factor;
        Figure {
            point: value,
            low: value - place / 2.0,
            high: value + place / 2.0,
            place,
            written: format!("{value} {}", measurement.unit),
        }
    };
    let mut point = figure(centre.point);
    point.low = centre.low.unwrap_or(point.low).min(point.low);
    point.high = centre.high.unwrap_or(point.high).max(point.high);
    match &measurement.metric {
        Quantity::Known(Metric::Time) => {
            row.time = Some(point);
            match &measurement.values {
                Values::Processes(processes) => {
                    let by_process = measurement.by_process();
                    let values = match by_process.len() {
                        0..3 => processes
                            .iter()
                            .flat_map(|process| process.samples.iter().map(|one| one.value))
                            .collect(),
                        _ => by_process,
                    };
                    row.repeated = values.into_iter().map(figure).collect();
                }
                Values::Summary(summary) => {
                    let names = [
                        (Statistic::Mean, "mean"),
                        (Statistic::Median, "median"),
                        (Statistic::Minimum, "minimum"),
                        (Statistic::Maximum, "maximum"),
                    ];
                    let known = names.iter().filter_map(|(statistic, name)| {
                        let point = summary.figures.get(statistic)?.point;
                        Some(((*name).to_owned(), figure(point)))
                    });
                    row.statistics = known.collect();
                }
            }
        }
        Quantity::Known(Metric::Throughput) if measurement.unit == "/s" => row.rate = Some(point),
        Quantity::Known(Metric::Allocations) => row.allocations = Some(point),
        Quantity::Known(Metric::Bytes) => row.bytes = Some(point),
        _ => {}
    }
}

/// What a step of the last digit of a value is worth, when it is written as short as it can be.
fn place(value: f64) -> f64 {
    let text = format!("{value}");
    let decimals = text
        .split_once('.')
        .map_or(0, |(_, decimals)| decimals.len());
    10_f64.powi(-(decimals.min(300) as i32))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::entries;
    use bench_harness::exchange::{self, Format};

    #[track_caller]
    fn check(found: &[Finding], expected: &[(usize, &str)]) {
        let shown: Vec<(usize, &str)> = found
            .iter()
            .map(|one| (one.line, one.rule.name()))
            .collect();
        assert_eq!(shown, expected, "{found:?}");
    }

    #[test]
    fn record_of_times_that_scatter_is_clean_and_copied_processes_are_found() {
        let clean = entries(&[
            ("slow", "10", &[41_234, 41_377, 41_190]),
            ("slow", "100", &[413_981, 412_765, 414_020]),
        ]);
        check(&lint(&clean), &[]);
        let copied = entries(&[
            ("slow", "10", &[41_234, 41_377, 41_190]),
            ("slow", "100", &[413_981; 3]),
        ]);
        check(&lint(&copied), &[(6, "no-variance")]);
    }

    #[test]
    fn workers_of_a_record_are_told_by_its_axis_and_cores_by_its_run() {
        let mut entries = entries(&[
            ("slow", "1", &[412_340, 413_770, 411_900]),
            ("slow", "4", &[109_810, 107_650, 108_200]),
        ]);
        check(&lint(&entries), &[]);
        for entry in &mut entries {
            match entry {
                Entry::Run(run) => run.environment.cores_available = Some(2),
                Entry::Group(group) => group.info.axis = "workers".to_owned(),
                _ => {}
            }
        }
        check(&lint(&entries), &[(6, "speed-up")]);
    }

    #[test]
    fn counts_of_a_record_are_exact_and_memory_that_only_grows_is_no_fault() {
        let counted = |count: u64, reallocations: u64, bytes: u64| {
            let mut entries = entries(&[("slow", "10", &[41_234, 41_377, 41_190])]);
            for entry in &mut entries {
                if let Entry::Case(record) = entry {
                    let allocations = record.allocations.as_mut().unwrap();
                    (allocations.count, allocations.reallocations) = (count, reallocations);
                    allocations.bytes = bytes;
                }
            }
            lint(&entries)
        };
        check(&counted(3, 1, 64), &[]);
        check(&counted(0, 0, 64), &[(3, "bytes-allocs")]);
        check(&counted(3, 1, 0), &[(3, "bytes-allocs")]);
        check(&counted(2, 2, 64), &[]);
        check(&counted(2, 2, 0), &[]);
    }

    #[test]
    fn failed_cases_are_no_figures() {
        check(&lint(&entries(&[("slow", "10", &[])])), &[]);
    }

    #[track_caller]
    fn check_imported(format: Format, text: &str, expected: &[(usize, &str)]) {
        let found = match exchange::read(format, "x", text) {
            Ok(found) => found.measurements,
            Err(error) => panic!("{error}"),
        };
        check(&imported(&found, text), expected);
    }

    #[test]
    fn results_of_go_are_linted_with_their_lines_and_processors() {
        let text = "\
goos: linux
BenchmarkScale/Workers=1-10 \t 100 \t 10020000 ns/op \t 1120 B/op \t 20 allocs/op
BenchmarkScale/Workers=2-10 \t 200 \t 5010000 ns/op \t 1120 B/op \t 20 allocs/op
BenchmarkScale/Workers=4-10 \t 400 \t 2505000 ns/op \t 1120 B/op \t 20 allocs/op
BenchmarkScale/Workers=32-10 \t 3200 \t 313125 ns/op \t 1120 B/op \t 0 allocs/op
";
        let expected = [(2, "exact-ratio"), (5, "speed-up"), (5, "rounded-allocs")];
        check_imported(Format::Go, text, &expected);
        let clean = text
            .replace("5010000", "5213400")
            .replace("2505000", "2717100")
            .replace("313125", "1123450")
            .replace(" 0 allocs", " 20 allocs");
        check_imported(Format::Go, &clean, &[]);
    }

    #[test]
    fn summary_without_variance_is_found() {
        let text = |median: f64, max: f64| {
            format!(
                r#"{{"results":[{{"command":"app","mean":2.1374,"stddev":0.1,"median":{median},
                "user":1.0,"system":1.0,"min":2.1374,"max":{max}}}]}}"#
            )
        };
        check_imported(
            Format::Hyperfine,
            &text(2.1374, 2.1374),
            &[(1, "no-variance")],
        );
        check_imported(Format::Hyperfine, &text(2.1271, 2.3374), &[]);
    }
}
