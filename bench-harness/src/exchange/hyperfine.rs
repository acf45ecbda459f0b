//! hyperfine's JSON. Each of its times is that of a fresh process.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::json::At;
use super::reader::{ReadError, Reader};
use super::{
    Batch, LeftOut, Measurement, Process, Quantity, Statistic, Summary, Values, Written, by_id,
};
use crate::gate::Metric;
use crate::stats;

const SECOND: f64 = 1e9;
const MEMORY: &str = "peak RSS";

pub(super) fn read(reader: &Reader<'_>, text: &str) -> Result<(), ReadError> {
    let json = reader.json(text)?;
    let root = reader.root(&json);
    root.known(&["results"])?;
    let results = root.need("results")?.list()?;
    let mut commands: HashMap<&str, u32> = HashMap::new();
    for result in &results {
        *commands.entry(result.need("command")?.text()?).or_default() += 1;
    }
    for result in results {
        result.known(&[
            "command",
            "mean",
            "stddev",
            "median",
            "user",
            "system",
            "min",
            "max",
            "times",
            "memory_usage_byte",
            "exit_codes",
            "parameters",
        ])?;
        let mut id = result.need("command")?.text()?.to_owned();
        // Commands that were named, and differ in a parameter only.
        if commands[id.as_str()] > 1
            && let Some(parameters) = result.get("parameters")
        {
            for (name, value) in parameters.entries()? {
                id = format!("{id} {name}={}", value.text()?);
            }
        }
        one(&result, &id)?;
    }
    Ok(())
}

fn one(result: &At<'_>, id: &str) -> Result<(), ReadError> {
    for (number, code) in (1..).zip(
        result
            .get("exit_codes")
            .map_or(Ok(vec![]), |one| one.list())?,
    ) {
        match code.is_number() {
            true if code.number()? == 0.0 => {}
            true => result.warn(&format!(
                "run {number} of `{id}` ended with {}",
                code.number()?
            )),
            false => result.warn(&format!("run {number} of `{id}` was killed")),
        }
    }
    let values = match result.get("times") {
        Some(times) => processes(&times.numbers()?),
        None => Values::Summary(Summary::of([
            (Statistic::Mean, result.optional("mean")?),
            (Statistic::Median, result.optional("median")?),
            (Statistic::Deviation, result.optional("stddev")?),
            (Statistic::Minimum, result.optional("min")?),
            (Statistic::Maximum, result.optional("max")?),
        ])),
    };
    let mut time = Measurement::new(id, Metric::Time, values);
    time.scale("s", SECOND);
    result.push(time)?;
    for name in ["user", "system"] {
        if let Some(mean) = result.optional(name)? {
            let values = Values::Summary(Summary::of([(Statistic::Mean, Some(mean))]));
            let mut time =
                Measurement::other(id, format!("{name} time"), "ns", Some(false), values);
            time.scale("s", SECOND);
            result.push(time)?;
        }
    }
    if let Some(memory) = result.get("memory_usage_byte") {
        let values = processes(&memory.numbers()?);
        memory.push(Measurement::other(id, MEMORY, "B", Some(false), values))?;
    }
    Ok(())
}

fn processes(values: &[f64]) -> Values {
    let processes = (1..).zip(values).map(|(process, &value)| Process {
        process,
        samples: vec![Batch {
            value,
            iterations: None,
        }],
    });
    Values::Processes(processes.collect())
}

/// A time for each process: the median of its samples.
pub(super) fn write(measurements: &[Measurement]) -> Written {
    let mut left_out = LeftOut::default();
    let mut results = Vec::new();
    for (id, metrics) in by_id(measurements) {
        let mut result = Map::from_iter([("command".to_owned(), json!(id))]);
        let mut timed = false;
        for measurement in metrics {
            match &measurement.metric {
                Quantity::Known(Metric::Time) => match times(measurement) {
                    Some(fields) => {
                        timed = true;
                        result.extend(fields);
                    }
                    None => left_out.add("hyperfine puts forward a mean, and there is none"),
                },
                Quantity::Other(name) if name == MEMORY => {
                    result.insert(
                        "memory_usage_byte".to_owned(),
                        json!(measurement.by_process()),
                    );
                }
                Quantity::Other(name) if name == "user time" || name == "system time" => {
                    let mean = measurement.centre().map(|figure| figure.point / SECOND);
                    let name = name.trim_end_matches(" time").to_owned();
                    result.insert(name, json!(mean));
                }
                _ => left_out.add("hyperfine holds times of whole commands and their memory only"),
            }
        }
        if timed {
            results.push(Value::Object(result));
        }
    }
    if results.is_empty() {
        return Written {
            parts: Vec::new(),
            warnings: left_out.warnings(),
        };
    }
    let text = format!("{:#}\n", json!({ "results": results }));
    Written::file(text, left_out.warnings())
}

/// The fields of a time; `None` where there is no mean.
fn times(measurement: &Measurement) -> Option<Map<String, Value>> {
    let (figures, times): ([Option<f64>; 5], _) = match &measurement.values {
        Values::Summary(summary) => (
            [
                summary.point(Statistic::Mean),
                summary.point(Statistic::Median),
                summary.point(Statistic::Deviation),
                summary.point(Statistic::Minimum),
                summary.point(Statistic::Maximum),
            ],
            None,
        ),
        Values::Processes(_) => {
            let times = measurement.by_process();
            let count = times.len() as f64;
            let mean = times.iter().sum::<f64>() / count;
            let squares: f64 = times.iter().map(|time| (time - mean).powi(2)).sum();
            let deviation = (times.len() > 1).then(|| (squares / (count - 1.0)).sqrt());
            let minimum = times.iter().copied().fold(f64::INFINITY, f64::min);
            let maximum = times.iter().copied().fold(0.0, f64::max);
            let figures = [
                Some(mean),
                stats::median(&times),
                deviation,
                Some(minimum),
                Some(maximum),
            ];
            (figures, Some(times))
        }
    };
    figures[0]?;
    let names = ["mean", "median", "stddev", "min", "max"];
    let mut fields = Map::new();
    for (name, figure) in names.into_iter().zip(figures) {
        fields.insert(name.to_owned(), json!(figure.map(|ns| ns / SECOND)));
    }
    if let Some(times) = times {
        let times: Vec<f64> = times.iter().map(|time| time / SECOND).collect();
        fields.insert("times".to_owned(), json!(times));
    }
    Some(fields)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check_refused, found, samples, six_processes, warnings};
    use super::super::{Format, write};

    const TEXT: &str = r#"{"results":[
        {"command":"app","mean":0.25,"stddev":0.125,"median":0.25,"user":0.5,"system":0.25,"min":0.125,"max":0.375,
         "times":[0.125,0.25,0.375],"memory_usage_byte":[100,200,300],"exit_codes":[0,0,0],"parameters":{"n":"10"}},
        {"command":"app","mean":0.5,"stddev":null,"median":0.5,"user":0.5,"system":0.25,"min":0.5,"max":0.5,
         "parameters":{"n":"20"}}
    ]}"#;

    #[test]
    fn each_time_is_a_process() {
        let found = found(Format::Hyperfine, TEXT);
        assert_eq!(found[0].id, "app n=10");
        assert_eq!(samples(&found[0]), [[0.125e9], [0.25e9], [0.375e9]]);
        assert_eq!(found[3].metric.to_string(), "peak RSS");
        assert_eq!(found[4].id, "app n=20");
        assert!(found[4].by_process().is_empty());
    }

    /// Everything comes back but exit codes and parameters, which are in the ids.
    #[test]
    fn what_is_written_is_read_as_the_same_measurements() {
        let first = found(Format::Hyperfine, TEXT);
        let written = write(Format::Hyperfine, "", &first).unwrap();
        assert_eq!(found(Format::Hyperfine, &written.parts[0].1), first);
    }

    #[test]
    fn processes_of_many_samples_are_written_as_their_medians() {
        let text = write(Format::Hyperfine, "", &[six_processes()])
            .unwrap()
            .parts
            .remove(0)
            .1;
        let times: Vec<f64> = found(Format::Hyperfine, &text)[0].by_process();
        assert_eq!(
            times.iter().map(|time| time.round()).collect::<Vec<_>>(),
            six_processes().by_process()
        );
    }

    #[test]
    fn what_does_not_fit_is_named() {
        check_refused(
            Format::Hyperfine,
            r#"{"results":[{"mean":1}]}"#,
            "at /results/0: has no `command`",
        );
        check_refused(
            Format::Hyperfine,
            r#"{"results":[{"command":"a","times":[1,-1]}]}"#,
            "negative",
        );
        check_refused(
            Format::Hyperfine,
            r#"{"results":[{"command":"a","times":[]}]}"#,
            "no values",
        );
        check_refused(
            Format::Hyperfine,
            r#"{"results":[{"command":"a","times":[1,null]}]}"#,
            "/times/1: is null",
        );
        let twice = r#"{"results":[{"command":"a","mean":1},{"command":"a","mean":1}]}"#;
        check_refused(Format::Hyperfine, twice, "stands twice");
        check_refused(Format::Hyperfine, r#"{"results":["#, ":1: ");
        let text = r#"{"results":[{"command":"a","times":[1,2],"exit_codes":[1,null]}]}"#;
        let said = warnings(Format::Hyperfine, text);
        assert!(said[0].contains("run 1 of `a` ended with 1"), "{said:?}");
        assert!(said[1].contains("run 2 of `a` was killed"), "{said:?}");
    }
}
