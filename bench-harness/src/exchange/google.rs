//! Google Benchmark's JSON. Its repetitions run in one process.

use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

use super::json::At;
use super::reader::{Place, ReadError, Reader};
use super::{
    Batch, LeftOut, Measurement, Quantity, Statistic, Summary, Values, Written, by_id, one_process,
    unit,
};
use crate::gate::Metric;

/// What the context may hold beside keys of the user.
const FIELDS: [&str; 24] = [
    "name",
    "family_index",
    "per_family_instance_index",
    "run_name",
    "run_type",
    "repetitions",
    "repetition_index",
    "threads",
    "iterations",
    "real_time",
    "cpu_time",
    "time_unit",
    "label",
    "error_occurred",
    "error_message",
    "skipped",
    "skip_message",
    "aggregate_name",
    "aggregate_unit",
    "cpu_coefficient",
    "real_coefficient",
    "big_o",
    "rms",
    "complexity_n",
];

/// The text with `null` for the tokens that JSON does not have.
pub(super) fn without_tokens(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let (mut quoted, mut escaped) = (false, false);
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if !quoted {
            let token = [
                "-Infinity",
                "Infinity",
                "NaN",
                "-NaN",
                "nan",
                "-nan",
                "inf",
                "-inf",
            ]
            .into_iter()
            .find(|token| rest.starts_with(token));
            if let Some(token) = token {
                out.push_str("null");
                rest = &rest[token.len()..];
                continue;
            }
        }
        match c {
            '"' if !escaped => quoted = !quoted,
            _ => {}
        }
        escaped = quoted && c == '\\' && !escaped;
        out.push(c);
        rest = &rest[c.len_utf8()..];
    }
    out
}

/// Samples or statistics of one run name, by what they are of.
#[derive(Default)]
struct Run {
    place: Option<Place>,
    samples: Vec<(Name, Vec<Batch>)>,
    statistics: Vec<(Name, BTreeMap<Statistic, f64>)>,
}

/// What a value is of, and the unit it came in.
type Name = (String, String);

pub(super) fn read(reader: &Reader<'_>, text: &str) -> Result<(), ReadError> {
    let json = match reader.json(text) {
        Ok(json) => json,
        Err(_) => reader.json(&without_tokens(text))?,
    };
    let root = reader.root(&json);
    root.known(&["context", "benchmarks"])?;
    let mut runs: Vec<(String, Run)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for entry in root.need("benchmarks")?.list()? {
        for (name, value) in entry.entries()? {
            if !FIELDS.contains(&name) && !value.is_number() && entry.get(name).is_some() {
                reader.unknown(value.place(), name);
            }
        }
        // The run's name came with version 1.5.
        let name = entry
            .get("run_name")
            .map_or_else(|| entry.need("name"), Ok)?
            .text()?;
        let skipped = entry
            .get("error_message")
            .or_else(|| entry.get("skip_message"));
        if let Some(message) = skipped {
            entry.warn(&format!("`{name}` was not measured: {}", message.text()?));
            continue;
        }
        let place = *places.entry(name.to_owned()).or_insert(runs.len());
        if place == runs.len() {
            runs.push((name.to_owned(), Run::default()));
        }
        let run = &mut runs[place].1;
        run.place.get_or_insert(entry.place());
        match entry
            .get("run_type")
            .map_or(Ok("iteration"), |kind| kind.text())?
        {
            "iteration" => iteration(&entry, &mut run.samples)?,
            "aggregate" => aggregate(&entry, &mut run.statistics)?,
            other => entry.warn(&format!("run type `{other}` is not known and left out")),
        }
    }
    for (id, run) in runs {
        let place = run.place.unwrap_or(Place::File);
        if run.samples.is_empty() {
            for (name, figures) in run.statistics {
                let figures = figures.into_iter().map(|(one, point)| (one, Some(point)));
                let values = Values::Summary(Summary::of(figures));
                reader.push(&place, measurement(&id, &name, values))?;
            }
        } else {
            for (name, samples) in run.samples {
                reader.push(&place, measurement(&id, &name, one_process(samples)))?;
            }
        }
    }
    Ok(())
}

/// Adds the values of one repetition.
fn iteration(entry: &At<'_>, samples: &mut Vec<(Name, Vec<Batch>)>) -> Result<(), ReadError> {
    let iterations = match entry.get("iterations") {
        Some(count) => Some(count.count()?),
        None => None,
    };
    entry.need("real_time")?.number()?;
    for (name, value) in values(entry)? {
        let batch = Batch { value, iterations };
        match samples.iter_mut().find(|(known, _)| *known == name) {
            Some((_, list)) => list.push(batch),
            None => samples.push((name, vec![batch])),
        }
    }
    Ok(())
}

/// Adds a statistic over all repetitions.
fn aggregate(
    entry: &At<'_>,
    statistics: &mut Vec<(Name, BTreeMap<Statistic, f64>)>,
) -> Result<(), ReadError> {
    let statistic = match entry.need("aggregate_name")?.text()? {
        "mean" => Statistic::Mean,
        "median" => Statistic::Median,
        "stddev" => Statistic::Deviation,
        // What follows from the others, fits of a complexity, and the user's own.
        _ => return Ok(()),
    };
    for (name, value) in values(entry)? {
        match statistics.iter_mut().find(|(known, _)| *known == name) {
            Some((_, figures)) => {
                figures.insert(statistic, value);
            }
            None => statistics.push((name, [(statistic, value)].into())),
        }
    }
    Ok(())
}

/// Times and counters of an entry; those that are not finite stand there as null.
fn values(entry: &At<'_>) -> Result<Vec<(Name, f64)>, ReadError> {
    let unit = entry
        .get("time_unit")
        .map_or(Ok("ns"), |unit| unit.text())?;
    let mut values = Vec::new();
    for (name, value) in entry.entries()? {
        let is_time = matches!(name, "real_time" | "cpu_time");
        if value.is_number() && (is_time || !FIELDS.contains(&name)) {
            let unit = if is_time { unit } else { "" };
            values.push(((name.to_owned(), unit.to_owned()), value.number()?));
        }
    }
    Ok(values)
}

fn measurement(id: &str, (name, unit): &Name, values: Values) -> Measurement {
    let known = match name.as_str() {
        "real_time" => Some((Metric::Time, "ns")),
        "items_per_second" => Some((Metric::Throughput, "/s")),
        "bytes_per_second" => Some((Metric::Throughput, "B/s")),
        "allocs_per_iter" => Some((Metric::Allocations, "allocs")),
        "max_bytes_used" => Some((Metric::Peak, "B")),
        _ => None,
    };
    let mut measurement = match known {
        Some((metric, unit)) => {
            let mut measurement = Measurement::new(id, metric, values);
            measurement.unit = unit.to_owned();
            measurement
        }
        None if name == "cpu_time" => Measurement::other(id, name, "ns", Some(false), values),
        None => Measurement::other(id, name, name, None, values),
    };
    if let Some(factor) = unit::nanoseconds(unit) {
        measurement.scale(unit, factor);
    }
    measurement
}

/// The key of a measurement in an entry.
fn key(measurement: &Measurement) -> String {
    match &measurement.metric {
        Quantity::Known(Metric::Time) => "real_time".to_owned(),
        Quantity::Known(Metric::Throughput) if measurement.unit == "B/s" => {
            "bytes_per_second".to_owned()
        }
        Quantity::Known(Metric::Throughput) => "items_per_second".to_owned(),
        Quantity::Known(Metric::Allocations) => "allocs_per_iter".to_owned(),
        Quantity::Known(Metric::Peak) => "max_bytes_used".to_owned(),
        Quantity::Known(metric) => metric.name().to_owned(),
        Quantity::Other(name) => name.clone(),
    }
}

/// One entry for every sample of the time, with the counters that were taken as often.
pub(super) fn write(measurements: &[Measurement]) -> Written {
    let mut left_out = LeftOut::default();
    let mut entries = Vec::new();
    let mut pooled = false;
    for (id, metrics) in by_id(measurements) {
        let Some(time) = metrics.iter().find(|one| one.is_time()) else {
            metrics
                .iter()
                .for_each(|_| left_out.add("Google Benchmark holds nothing without a time"));
            continue;
        };
        let times: Vec<&Batch> = time.samples().collect();
        if times.is_empty() {
            metrics
                .iter()
                .for_each(|_| left_out.add("only samples are written, no summaries"));
            continue;
        }
        pooled |= matches!(&time.values, Values::Processes(list) if list.len() > 1);
        let unit = match &time.original {
            Some(original) if matches!(original.unit.as_str(), "us" | "ms" | "s") => {
                (original.unit.as_str(), original.factor)
            }
            _ => ("ns", 1.0),
        };
        let mut columns: Vec<(String, f64, Vec<&Batch>)> = Vec::new();
        for measurement in &metrics {
            let samples: Vec<&Batch> = measurement.samples().collect();
            if samples.len() != times.len() {
                left_out
                    .add("a counter of Google Benchmark has a value for every sample of the time");
                continue;
            }
            let in_time = measurement.unit == "ns";
            columns.push((
                key(measurement),
                if in_time { unit.1 } else { 1.0 },
                samples,
            ));
        }
        for (index, time) in times.iter().enumerate() {
            let name = quoted(id);
            let mut entry = format!(
                "    {{\"name\": {name}, \"run_name\": {name}, \"run_type\": \"iteration\", \"repetitions\": {}, \"repetition_index\": {index}, \"iterations\": {}, \"time_unit\": \"{}\"",
                times.len(),
                time.iterations.unwrap_or(1),
                unit.0
            );
            // Readers ask for it, and it was not measured.
            if !columns.iter().any(|(key, ..)| key == "cpu_time") {
                entry.push_str(", \"cpu_time\": NaN");
            }
            for (key, factor, samples) in &columns {
                write!(
                    entry,
                    ", {}: {:e}",
                    quoted(key),
                    samples[index].value / factor
                )
                .expect("writing to a string does not fail");
            }
            entries.push(entry + "}");
        }
    }
    let mut warnings = left_out.warnings();
    if entries.is_empty() {
        return Written {
            parts: Vec::new(),
            warnings,
        };
    }
    if pooled {
        warnings.push(
            "Google Benchmark knows one process: the samples of several are its repetitions"
                .to_owned(),
        );
    }
    let text = format!(
        "{{\n  \"context\": {{\"executable\": \"perf-lab\", \"json_schema_version\": 1}},\n  \"benchmarks\": [\n{}\n  ]\n}}\n",
        entries.join(",\n")
    );
    Written::file(text, warnings)
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check_refused, found, samples, warnings};
    use super::super::{Format, write};
    use super::*;

    const TEXT: &str = r#"{
      "context": {"num_cpus": 2, "json_schema_version": 1, "mine": "x"},
      "benchmarks": [
        {"name": "BM_A/8", "run_name": "BM_A/8", "run_type": "iteration", "repetitions": 2,
         "repetition_index": 0, "threads": 1, "iterations": 10, "real_time": 1.5000000000000000e+00,
         "cpu_time": 1.25, "time_unit": "us", "items_per_second": 8e6, "ratio": NaN},
        {"name": "BM_A/8", "run_name": "BM_A/8", "run_type": "iteration", "repetitions": 2,
         "repetition_index": 1, "threads": 1, "iterations": 10, "real_time": 1.625,
         "cpu_time": 1.5, "time_unit": "us", "items_per_second": 7e6, "ratio": -Infinity},
        {"name": "BM_A/8_mean", "run_name": "BM_A/8", "run_type": "aggregate",
         "aggregate_name": "mean", "aggregate_unit": "time", "real_time": 9, "cpu_time": 9, "time_unit": "us"},
        {"name": "BM_B_mean", "run_name": "BM_B", "run_type": "aggregate", "iterations": 2,
         "aggregate_name": "mean", "real_time": 9, "cpu_time": 8, "time_unit": "ns"},
        {"name": "BM_B_stddev", "run_name": "BM_B", "run_type": "aggregate", "iterations": 2,
         "aggregate_name": "stddev", "real_time": 1, "cpu_time": 1, "time_unit": "ns"},
        {"name": "BM_B_BigO", "run_name": "BM_B", "run_type": "aggregate", "aggregate_name": "BigO",
         "cpu_coefficient": 1, "real_coefficient": 1, "big_o": "N", "time_unit": "ns"}
      ]}"#;

    #[test]
    fn repetitions_are_samples_and_aggregates_stand_only_where_there_are_none() {
        let found = found(Format::Google, TEXT);
        let shown: Vec<(&str, String)> = found
            .iter()
            .map(|one| (one.id.as_str(), one.metric.to_string()))
            .collect();
        let expected = [
            ("BM_A/8", "time"),
            ("BM_A/8", "cpu_time"),
            ("BM_A/8", "throughput"),
            ("BM_B", "time"),
            ("BM_B", "cpu_time"),
        ];
        assert_eq!(shown, expected.map(|(id, metric)| (id, metric.to_owned())));
        assert_eq!(samples(&found[0]), [[1_500.0, 1_625.0]]);
        let Values::Summary(summary) = &found[3].values else {
            panic!("a summary");
        };
        assert_eq!(summary.point(Statistic::Deviation), Some(1.0));
    }

    /// Samples, counters and units come back; summaries cannot.
    #[test]
    fn what_is_written_is_read_as_the_same_samples() {
        let mut first = found(Format::Google, TEXT);
        let written = write(Format::Google, "", &first).unwrap();
        assert!(
            written.warnings[0].contains("no summaries"),
            "{:?}",
            written.warnings
        );
        first.truncate(3);
        let again = found(Format::Google, &written.parts[0].1);
        for one in &first {
            assert!(again.contains(one), "{again:?}");
        }
        assert_eq!(again.len(), 3);
    }

    #[test]
    fn processor_time_that_nobody_measured_is_not_made_up() {
        let time = Measurement::new(
            "a \"quoted\" name",
            Metric::Time,
            one_process(vec![Batch {
                value: 2.0,
                iterations: None,
            }]),
        );
        let text = write(Format::Google, "", &[time])
            .unwrap()
            .parts
            .remove(0)
            .1;
        let again = found(Format::Google, &text);
        assert_eq!(again.len(), 1, "{text}");
        assert_eq!(again[0].id, "a \"quoted\" name");
    }

    #[test]
    fn tokens_in_names_stay() {
        let text = r#"{"a\\\"NaN": NaN, "b": "NaN", "c": [-Infinity, Infinity]}"#;
        let expected = r#"{"a\\\"NaN": null, "b": "NaN", "c": [null, null]}"#;
        assert_eq!(without_tokens(text), expected);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let entry = |fields: &str| {
            format!(
                r#"{{"context":{{}},"benchmarks":[{{"name":"x","run_type":"iteration",{fields}}}]}}"#
            )
        };
        check_refused(
            Format::Google,
            &entry(r#""real_time": NaN"#),
            "at /benchmarks/0: has no `real_time`",
        );
        check_refused(Format::Google, &entry(r#""real_time": -1"#), "negative");
        check_refused(
            Format::Google,
            &entry(r#""real_time": 1, "iterations": 0"#),
            "0 iterations",
        );
        check_refused(
            Format::Google,
            &entry(r#""error_occurred": true, "error_message": "boom""#),
            "boom",
        );
        check_refused(Format::Google, r#"{"context":{},"benchmarks":[{"#, ":1: ");
        let said = warnings(Format::Google, &entry(r#""real_time": 1, "strange": {}"#));
        assert!(said[0].contains("`strange`"), "{said:?}");
    }
}
