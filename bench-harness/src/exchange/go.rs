//! Go benchmark text: what `go test -bench` prints and benchstat reads.
//!
//! The id is the name without `Benchmark`, and without the `/` that follows it in what is written
//! here. A configuration line that is repeated after results begins a new process, as it does when
//! several runs are appended to one file.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Write;

use super::reader::{Place, ReadError, Reader};
use super::{
    Batch, LeftOut, Measurement, Original, Process, Quantity, Values, Written, by_id, unit,
};
use crate::gate::Metric;

const PREFIX: &str = "Benchmark";

/// Whether a line is the result of a benchmark.
pub(super) fn is_result(line: &str) -> bool {
    matches!(result(line), Some(Ok(_)))
}

/// The parts of a result line.
struct Line<'a> {
    id: &'a str,
    iterations: u64,
    pairs: Vec<(f64, &'a str)>,
}

/// The parts of a line that begins as a result does; `None` for every other line.
fn result(line: &str) -> Option<Result<Line<'_>, String>> {
    let rest = line.strip_prefix(PREFIX)?;
    if rest.starts_with(char::is_lowercase) {
        return None;
    }
    let mut fields = rest.split_whitespace();
    let name = match rest.starts_with(char::is_whitespace) {
        true => "",
        false => fields.next()?,
    };
    // Only a name is what verbose mode prints first.
    let iterations = fields.next()?;
    let Some(iterations) = iterations.parse().ok().filter(|&count: &u64| count > 0) else {
        return Some(Err(format!("`{iterations}` is no number of iterations")));
    };
    let fields: Vec<&str> = fields.collect();
    if fields.is_empty() || !fields.len().is_multiple_of(2) {
        return Some(Err("values and units do not come in pairs".to_owned()));
    }
    let pairs = fields.chunks(2).map(|pair| match pair[0].parse() {
        Ok(value) => Ok((value, pair[1])),
        Err(_) => Err(format!("`{}` is not a number", pair[0])),
    });
    let pairs: Result<Vec<_>, _> = pairs.collect();
    let name = name.strip_prefix('/').unwrap_or(name);
    let id = if name.is_empty() { PREFIX } else { name };
    Some(pairs.map(|pairs| Line {
        id,
        iterations,
        pairs,
    }))
}

/// `key: value`.
fn configuration(line: &str) -> Option<(&str, &str)> {
    let (key, value) = line.split_once(':')?;
    let is_key = key.starts_with(char::is_lowercase)
        && !key.contains(|c: char| c.is_whitespace() || c.is_uppercase());
    let is_value = value.is_empty() || value.starts_with([' ', '\t']);
    (is_key && is_value).then_some((key, value.trim()))
}

/// What a `Unit` line says.
#[derive(Default)]
struct Said {
    more_is_better: Option<bool>,
    exact: bool,
}

/// Samples of one unit of one benchmark, and the line of the first.
struct Samples {
    line: usize,
    package: String,
    id: String,
    unit: String,
    processes: BTreeMap<u32, Vec<Batch>>,
}

pub(super) fn read(reader: &Reader<'_>, text: &str) -> Result<(), ReadError> {
    let mut said: HashMap<&str, Said> = HashMap::new();
    let mut places: HashMap<(String, String, String), usize> = HashMap::new();
    let mut found: Vec<Samples> = Vec::new();
    let mut configured: BTreeSet<&str> = BTreeSet::new();
    let (mut package, mut process, mut results) = (String::new(), 1, false);
    for (line, text) in (1..).zip(text.lines()) {
        if let Some(rest) = text.strip_prefix("Unit ") {
            let mut words = rest.split_whitespace();
            let Some(unit) = words.next() else { continue };
            let said = said.entry(unit).or_default();
            for word in words {
                match word {
                    "better=higher" => said.more_is_better = Some(true),
                    "better=lower" => said.more_is_better = Some(false),
                    "assume=exact" => said.exact = true,
                    "assume=nothing" => said.exact = false,
                    _ => reader.warn(&Place::Line(line), &format!("`{word}` is not known")),
                }
            }
        } else if let Some((key, value)) = configuration(text) {
            if !configured.insert(key) && results {
                process += 1;
                results = false;
                configured = BTreeSet::from([key]);
            }
            if key == "pkg" {
                package = value.to_owned();
            }
        } else if let Some(parsed) = result(text) {
            let Line {
                id,
                iterations,
                pairs,
            } = match parsed {
                Ok(parts) => parts,
                Err(reason) => {
                    reader.warn(
                        &Place::Line(line),
                        &format!("the line is left out: {reason}"),
                    );
                    continue;
                }
            };
            results = true;
            for (value, unit) in pairs {
                if !f64::is_finite(value) {
                    let reason = format!("`{id}` has a value of {value} {unit}");
                    return Err(reader.fault_at(&Place::Line(line), &reason));
                }
                let known = unit::known(unit).is_some();
                if known && value < 0.0 {
                    let reason = format!("`{id}` has a negative value, {value} {unit}");
                    return Err(reader.fault_at(&Place::Line(line), &reason));
                }
                let key = (package.clone(), id.to_owned(), unit.to_owned());
                let place = *places.entry(key).or_insert(found.len());
                if place == found.len() {
                    found.push(Samples {
                        line,
                        package: package.clone(),
                        id: id.to_owned(),
                        unit: unit.to_owned(),
                        processes: BTreeMap::new(),
                    });
                }
                let samples = found[place].processes.entry(process).or_default();
                samples.push(Batch {
                    value,
                    iterations: Some(iterations),
                });
            }
        }
    }
    let packages: BTreeSet<&str> = found.iter().map(|one| one.package.as_str()).collect();
    let several = packages.len() > 1;
    for samples in &found {
        let id = match several {
            true => format!("{}/{}", samples.package, samples.id),
            false => samples.id.clone(),
        };
        // Processes of one benchmark are counted from 1 also where other packages come first.
        let processes = (1..).zip(samples.processes.values());
        let processes = processes.map(|(process, samples)| Process {
            process,
            samples: samples.clone(),
        });
        let values = Values::Processes(processes.collect());
        let mut measurement = Measurement::in_unit(id, &samples.unit, values);
        if let Some(said) = said.get(samples.unit.as_str()) {
            measurement.more_is_better = said.more_is_better.or(measurement.more_is_better);
            measurement.exact = said.exact;
        }
        if measurement.exact && !repeats(&measurement) {
            let sentence = format!(
                "{} of `{}` is said to be exact and varies",
                measurement.metric, measurement.id
            );
            reader.warn(&Place::Line(samples.line), &sentence);
            measurement.exact = false;
        }
        reader.push(&Place::Line(samples.line), measurement)?;
    }
    Ok(())
}

/// One line for every sample; lines of one process follow a configuration line.
pub(super) fn write(measurements: &[Measurement]) -> Result<Written, String> {
    let mut left_out = LeftOut::default();
    let mut kept = Vec::new();
    for measurement in measurements {
        match measurement.values {
            Values::Processes(_) => kept.push(measurement.clone()),
            Values::Summary(_) => left_out.add("Go benchmark text holds samples, not summaries"),
        }
    }
    let benchmarks = by_id(&kept);
    let mut names: HashMap<String, &str> = HashMap::new();
    for (id, _) in &benchmarks {
        if let Some(other) = names.insert(name(id), id) {
            return Err(format!(
                "`{other}` and `{id}` have one name in Go benchmark text, which has no white space"
            ));
        }
    }
    let mut text = String::new();
    let mut units: BTreeMap<String, String> = BTreeMap::new();
    let (mut last, mut most) = (0, 0);
    for measurement in &kept {
        let (unit, _) = unit_of(measurement);
        if let Some(words) = unit_line(&kept, measurement, &unit) {
            units.insert(unit, words);
        }
        if let Values::Processes(processes) = &measurement.values {
            last = last.max(processes.len());
            most = most.max(
                processes
                    .iter()
                    .map(|one| one.samples.len())
                    .max()
                    .unwrap_or(0),
            );
        }
    }
    for (unit, words) in &units {
        line(&mut text, &format!("Unit {unit}{words}"));
    }
    for at in 0..last {
        line(&mut text, "source: perf-lab");
        for (id, metrics) in &benchmarks {
            let columns: Vec<(String, f64, &[Batch])> = metrics
                .iter()
                .filter_map(|measurement| {
                    let (unit, factor) = unit_of(measurement);
                    match &measurement.values {
                        Values::Processes(processes) => {
                            Some((unit, factor, &processes.get(at)?.samples[..]))
                        }
                        Values::Summary(_) => None,
                    }
                })
                .collect();
            let rows = columns.iter().map(|(_, _, samples)| samples.len());
            for row in 0..rows.max().unwrap_or(0) {
                let mut iterations = 1;
                let mut pairs = String::new();
                for (unit, factor, samples) in &columns {
                    let Some(sample) = samples.get(row) else {
                        continue;
                    };
                    if unit == "ns/op" || columns.len() == 1 {
                        iterations = sample.iterations.unwrap_or(1);
                    }
                    write!(pairs, "\t{} {unit}", sample.value / factor)
                        .expect("writing to a string does not fail");
                }
                line(&mut text, &format!("{}\t{iterations}{pairs}", name(id)));
            }
        }
    }
    let mut warnings = left_out.warnings();
    if benchmarks.iter().any(|(id, _)| !name(id).ends_with(id)) {
        warnings.push("white space in names is written as `_`".to_owned());
    }
    if last > 1 && most > 1 {
        warnings.push(
            "samples of one process are no independent ones, but tools that read Go benchmark text take them as such"
                .to_owned(),
        );
    }
    if benchmarks.is_empty() {
        return Ok(Written {
            parts: Vec::new(),
            warnings,
        });
    }
    Ok(Written::file(text, warnings))
}

fn line(text: &mut String, line: &str) {
    text.push_str(line);
    text.push('\n');
}

/// The name of a benchmark: no white space, and no lower-case letter after `Benchmark`.
fn name(id: &str) -> String {
    let direct = id.starts_with(|c: char| c.is_ascii_uppercase() || c.is_ascii_digit());
    let is_space = |c: char| c.is_whitespace() || c.is_control();
    let id = id.replace(is_space, "_");
    match (direct, id == PREFIX) {
        (_, true) => id,
        (true, _) => format!("{PREFIX}{id}"),
        (false, _) => format!("{PREFIX}/{id}"),
    }
}

/// The unit that a measurement is written in, and how many of its own that is.
fn unit_of(measurement: &Measurement) -> (String, f64) {
    match (&measurement.metric, &measurement.original) {
        (Quantity::Known(Metric::Throughput), _) if measurement.unit == "B/s" => {
            ("MB/s".to_owned(), 1e6)
        }
        (Quantity::Known(metric), _) => (
            unit::per_iteration(*metric, &measurement.unit).to_owned(),
            1.0,
        ),
        (Quantity::Other(name), None) => (name.replace(char::is_whitespace, "-"), 1.0),
        (Quantity::Other(_), Some(Original { unit, factor })) => {
            (unit.replace(char::is_whitespace, "-"), *factor)
        }
    }
}

/// Whether all samples are the same.
fn repeats(measurement: &Measurement) -> bool {
    let mut values = measurement.samples().map(|sample| sample.value);
    let first = values.next();
    values.all(|value| Some(value) == first)
}

/// What a `Unit` line says of a unit, where readers do not know it themselves.
fn unit_line(all: &[Measurement], measurement: &Measurement, unit: &str) -> Option<String> {
    let mut words = String::new();
    if !matches!(unit, "ns/op" | "B/op" | "allocs/op" | "MB/s") {
        match measurement.more_is_better {
            Some(true) => words.push_str(" better=higher"),
            Some(false) => words.push_str(" better=lower"),
            None => {}
        }
    }
    let mut alike = all.iter().filter(|one| one.metric == measurement.metric);
    let repeated = |one: &Measurement| one.exact || one.samples().count() > 1 && repeats(one);
    let counts = measurement.exact || measurement.metric == Quantity::Known(Metric::Allocations);
    if counts && alike.all(repeated) {
        words.push_str(" assume=exact");
    }
    (!words.is_empty()).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check_refused, found, samples, warnings};
    use super::super::{Format, write};
    use super::*;

    const TEXT: &str = "\
goos: linux
pkg: example/engine
Unit allocs/op assume=exact better=lower
Unit frames better=higher
BenchmarkBuild/n=100/arena-8
BenchmarkBuild/n=100/arena-8   \t   62000\t     17930 ns/op\t   215 allocs/op\t  55.80 MB/s
BenchmarkBuild/n=100/arena-8   \t   62000\t     17940 ns/op\t   215 allocs/op\t  55.70 MB/s
ok  \texample/engine\t2.1s
goos: linux
pkg: example/engine
BenchmarkBuild/n=100/arena-8   \t   61000\t     17950 ns/op\t   215 allocs/op\t  55.60 MB/s
BenchmarkWalk 10 5 frames
PASS
";

    #[test]
    fn repeated_lines_are_samples_and_repeated_headers_begin_a_process() {
        let found = found(Format::Go, TEXT);
        let ids: Vec<(&str, String)> = found
            .iter()
            .map(|one| (one.id.as_str(), one.metric.to_string()))
            .collect();
        let build = "Build/n=100/arena-8";
        assert_eq!(
            ids,
            [
                (build, "time".to_owned()),
                (build, "allocations".to_owned()),
                (build, "throughput".to_owned()),
                ("Walk", "frames".to_owned()),
            ]
        );
        assert_eq!(
            samples(&found[0]),
            [vec![17_930.0, 17_940.0], vec![17_950.0]]
        );
        assert_eq!(samples(&found[2])[0], [55.80e6, 55.70e6]);
        assert!(found[1].exact && !found[0].exact);
        assert_eq!(found[3].more_is_better, Some(true));
    }

    #[test]
    fn what_is_written_is_read_as_the_same_samples() {
        let first = found(Format::Go, TEXT);
        let written = write(Format::Go, "", &first).unwrap();
        assert_eq!(found(Format::Go, &written.parts[0].1), first);
    }

    #[test]
    fn ids_keep_what_go_allows_in_a_name() {
        let values = || {
            super::super::one_process(vec![Batch {
                value: 3.0,
                iterations: None,
            }])
        };
        for (id, expected) in [
            ("dag-run/chain/adaptive/10", "dag-run/chain/adaptive/10"),
            ("9 lives", "9_lives"),
            ("/slash", "/slash"),
            ("é", "é"),
            ("Benchmark", "Benchmark"),
        ] {
            let text = write(
                Format::Go,
                "",
                &[Measurement::new(id, Metric::Time, values())],
            );
            let text = text.unwrap().parts.remove(0).1;
            assert_eq!(found(Format::Go, &text)[0].id, expected, "{text}");
        }
        let two = ["a b", "a_b"].map(|id| Measurement::new(id, Metric::Time, values()));
        let error = write(Format::Go, "", &two).unwrap_err();
        assert!(error.contains("`a b` and `a_b`"), "{error}");
    }

    #[test]
    fn broken_line_is_left_out_and_said() {
        let text = "BenchmarkA 10 5 ns/op\nBenchmarkB 0 5 ns/op\nBenchmarkC 1 5\n";
        let said = warnings(Format::Go, text);
        assert!(
            said[0].contains(":2: ") && said[0].contains("`0`"),
            "{said:?}"
        );
        assert!(
            said[1].contains(":3: ") && said[1].contains("pairs"),
            "{said:?}"
        );
    }

    #[test]
    fn impossible_values_are_refused_with_their_line() {
        check_refused(
            Format::Go,
            "BenchmarkA 1 2 ns/op\nBenchmarkB 1 -2 ns/op\n",
            ":2: ",
        );
        check_refused(Format::Go, "BenchmarkA 1 NaN ns/op\n", ":1: ");
        check_refused(Format::Go, "PASS\n", "no benchmark results");
    }

    #[test]
    fn packages_are_part_of_the_id_where_there_are_several() {
        let text = "pkg: a\nBenchmarkX 1 2 ns/op\npkg: b\nBenchmarkX 1 3 ns/op\n";
        let ids: Vec<String> = found(Format::Go, text)
            .into_iter()
            .map(|one| one.id)
            .collect();
        assert_eq!(ids, ["a/X", "b/X"]);
    }
}
