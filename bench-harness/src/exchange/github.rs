//! github-action-benchmark: arrays of its custom tools, and the history that it stores.
//!
//! A name is the id of the benchmark, followed by ` - unit` where it is not its time. Which
//! direction is better is not in an array: the end of the file's name says it, else the unit.

use serde_json::{Map, Value, json};

use super::json::At;
use super::reader::{ReadError, Reader};
use super::{Commit, Figure, Measurement, Quantity, Statistic, Summary, Values, Written, unit};

pub(super) fn read(reader: &Reader<'_>, text: &str) -> Result<(), ReadError> {
    let json = reader.json(text)?;
    let stem = reader.file.strip_suffix(".json").unwrap_or(reader.file);
    let more_is_better = match () {
        () if stem.ends_with("bigger") => Some(true),
        () if stem.ends_with("smaller") => Some(false),
        () => None,
    };
    for bench in reader.root(&json).list()? {
        bench.push(measurement(&bench, more_is_better)?)?;
    }
    Ok(())
}

/// Every commit of every suite; a benchmark of several suites has the suite in its id.
pub(super) fn read_history(reader: &Reader<'_>, text: &str) -> Result<(), ReadError> {
    let start = text.find('{').unwrap_or(text.len());
    let json = text[start..].trim_end().trim_end_matches(';');
    // Lines of errors are those of the file.
    let above = text[..start].matches('\n').count();
    let padded = "\n".repeat(above) + json;
    let json = reader.json(&padded)?;
    let root = reader.root(&json);
    root.known(&["lastUpdate", "repoUrl", "entries"])?;
    let suites = root.need("entries")?.entries()?;
    let several = suites.len() > 1;
    for (suite, runs) in suites {
        for run in runs.list()? {
            run.known(&["commit", "date", "tool", "benches"])?;
            let commit = Commit {
                id: run.need("commit")?.need("id")?.text()?.to_owned(),
                measured_ms: run.need("date")?.count()?,
            };
            let more_is_better = match run.need("tool")?.text()? {
                "customBiggerIsBetter" | "benchmarkjs" | "pytest" => Some(true),
                "customSmallerIsBetter" | "cargo" | "go" => Some(false),
                _ => None,
            };
            for bench in run.need("benches")?.list()? {
                let mut measurement = measurement(&bench, more_is_better)?;
                if several {
                    measurement.id = format!("{suite}/{}", measurement.id);
                }
                measurement.commit = Some(commit.clone());
                bench.push(measurement)?;
            }
        }
    }
    Ok(())
}

fn measurement(bench: &At<'_>, more_is_better: Option<bool>) -> Result<Measurement, ReadError> {
    bench.known(&["name", "unit", "value", "range", "extra"])?;
    let name = bench.need("name")?.text()?;
    let unit = bench.need("unit")?.text()?;
    let value = bench.need("value")?.number()?;
    let range = match bench.get("range") {
        Some(range) if range.is_text() => half_width(range.text()?),
        _ => None,
    };
    let figure = Figure {
        low: range.map(|range| value - range),
        high: range.map(|range| value + range),
        ..Figure::point(value)
    };
    let values = Values::Summary(Summary {
        figures: [(Statistic::Value, figure)].into(),
        samples: None,
    });
    let id = name.strip_suffix(&format!(" - {unit}")).unwrap_or(name);
    let mut measurement = Measurement::in_unit(id, unit, values);
    // A unit that is known says which direction is better; a file's name may be wrong.
    measurement.more_is_better = measurement.more_is_better.or(more_is_better);
    Ok(measurement)
}

/// The number of `± 160` and `+/- 160`.
fn half_width(text: &str) -> Option<f64> {
    let text = text.trim();
    let number = text
        .strip_prefix('±')
        .or_else(|| text.strip_prefix("+/-"))
        .unwrap_or(text);
    let number: f64 = number.trim().replace(',', "").parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some(number)
}

/// One array, or one for each direction.
pub(super) fn write(measurements: &[Measurement]) -> Result<Written, String> {
    let (mut smaller, mut bigger) = (Vec::new(), Vec::new());
    let mut names = std::collections::HashSet::new();
    let mut unsaid = 0;
    for measurement in measurements {
        let Some(figure) = measurement.centre() else {
            continue;
        };
        let (unit, factor) = match (&measurement.original, &measurement.metric) {
            (Some(original), _) => (original.unit.as_str(), original.factor),
            (None, Quantity::Known(metric)) => {
                (unit::per_iteration(*metric, &measurement.unit), 1.0)
            }
            (None, Quantity::Other(name)) => (name.as_str(), 1.0),
        };
        let name = match measurement.is_time() {
            true => measurement.id.clone(),
            false => format!("{} - {unit}", measurement.id),
        };
        if !names.insert(name.clone()) {
            return Err(format!(
                "two benchmarks would be named `{name}`, and names must be unique in a file"
            ));
        }
        let mut bench = Map::new();
        bench.insert("name".to_owned(), json!(name));
        bench.insert("unit".to_owned(), json!(unit));
        bench.insert("value".to_owned(), json!(figure.point / factor));
        if let (Some(low), Some(high)) = (figure.low, figure.high) {
            let half = (figure.point - low).max(high - figure.point);
            bench.insert("range".to_owned(), json!(format!("± {}", half / factor)));
        }
        let bench = Value::Object(bench);
        match measurement.more_is_better {
            Some(true) => bigger.push(bench),
            Some(false) => smaller.push(bench),
            None => {
                unsaid += 1;
                smaller.push(bench);
            }
        }
    }
    let text = |benches: Vec<Value>| format!("{:#}\n", Value::Array(benches));
    let mut written = match (smaller.is_empty(), bigger.is_empty()) {
        (true, true) => Written::default(),
        (false, true) => Written::file(text(smaller), Vec::new()),
        (true, false) => Written {
            parts: vec![("bigger".to_owned(), text(bigger))],
            warnings: Vec::new(),
        },
        (false, false) => Written {
            parts: vec![
                ("smaller".to_owned(), text(smaller)),
                ("bigger".to_owned(), text(bigger)),
            ],
            warnings: Vec::new(),
        },
    };
    if unsaid > 0 {
        written.warnings.push(format!(
            "{unsaid} measurements do not say which direction is better and are written as smaller is better"
        ));
    }
    Ok(written)
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check_refused, found, warnings};
    use super::super::{Format, read, write};

    const TEXT: &str = r#"[
        { "name": "a/100", "unit": "us/iter", "value": 17.5, "range": "± 0.5", "extra": "n=100" },
        { "name": "a/100 - allocs/op", "unit": "allocs/op", "value": 215, "range": 3 },
        { "name": "rate", "unit": "ops/s", "value": 5 },
        { "name": "frames", "unit": "fps", "value": 60 }
    ]"#;

    #[test]
    fn units_say_what_was_measured_and_names_lose_them() {
        let found = found(Format::GithubAction, TEXT);
        let shown: Vec<(&str, String)> = found
            .iter()
            .map(|one| (one.id.as_str(), one.metric.to_string()))
            .collect();
        let expected = [
            ("a/100", "time"),
            ("a/100", "allocations"),
            ("rate", "throughput"),
            ("frames", "fps"),
        ];
        assert_eq!(shown, expected.map(|(id, metric)| (id, metric.to_owned())));
        let centre = found[0].centre().unwrap();
        assert_eq!(centre.point, 17_500.0);
        assert_eq!((centre.low, centre.high), (Some(17_000.0), Some(18_000.0)));
    }

    #[test]
    fn end_of_the_file_name_says_which_direction_is_better() {
        let text = r#"[{"name":"x","unit":"fps","value":1},{"name":"y","unit":"ns","value":1}]"#;
        let direction = |file| {
            let found = read(Format::GithubAction, file, text).unwrap();
            found
                .measurements
                .iter()
                .map(|one| one.more_is_better)
                .collect::<Vec<_>>()
        };
        assert_eq!(direction("out-bigger.json"), [Some(true), Some(false)]);
        assert_eq!(direction("out-smaller.json"), [Some(false), Some(false)]);
        assert_eq!(direction("out.json"), [None, Some(false)]);
    }

    /// Values, units, ranges and directions come back; what `extra` says does not.
    #[test]
    fn what_is_written_is_read_as_the_same_values() {
        let first = read(Format::GithubAction, "x-smaller.json", TEXT)
            .unwrap()
            .measurements;
        let written = write(Format::GithubAction, "", &first).unwrap();
        let mut again = Vec::new();
        for (name, text) in &written.parts {
            let file = format!("x-{name}.json");
            again.extend(
                read(Format::GithubAction, &file, text)
                    .unwrap()
                    .measurements,
            );
        }
        again.sort_by_key(|one| first.iter().position(|other| other.key() == one.key()));
        assert_eq!(again, first);
    }

    const HISTORY: &str = r#"window.BENCHMARK_DATA = {
        "lastUpdate": 1, "repoUrl": "u", "entries": { "Rust": [
            {"commit": {"id": "c1", "message": "m"}, "date": 10, "tool": "cargo",
             "benches": [{"name": "x", "value": 5, "range": "± 1", "unit": "ns/iter"}]},
            {"commit": {"id": "c2"}, "date": 20, "tool": "cargo",
             "benches": [{"name": "x", "value": 6, "unit": "ns/iter"}]}
        ] } }"#;

    #[test]
    fn history_is_a_value_for_each_commit() {
        let found = found(Format::GithubHistory, HISTORY);
        let commits: Vec<(&str, f64)> = found
            .iter()
            .map(|one| {
                let commit = one.commit.as_ref().unwrap();
                (commit.id.as_str(), one.centre().unwrap().point)
            })
            .collect();
        assert_eq!(commits, [("c1", 5.0), ("c2", 6.0)]);
        let error = write(Format::Bmf, "", &found).unwrap_err();
        assert!(error.contains("several commits"), "{error}");
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let twice = r#"[{"name":"x","unit":"ns","value":1},{"name":"x","unit":"ns","value":2}]"#;
        check_refused(
            Format::GithubAction,
            twice,
            "at /1: time of benchmark `x` stands twice",
        );
        check_refused(
            Format::GithubAction,
            r#"[{"name":"x","unit":"ns"}]"#,
            "has no `value`",
        );
        check_refused(
            Format::GithubAction,
            r#"[{"name":"x","unit":"ns","value":-1}]"#,
            "negative",
        );
        check_refused(
            Format::GithubHistory,
            "window.BENCHMARK_DATA =\n {\"entries\": {",
            ":2: ",
        );
        let said = warnings(
            Format::GithubAction,
            r#"[{"name":"x","unit":"ns","value":1,"y":0}]"#,
        );
        assert!(said[0].contains("`y`"), "{said:?}");
    }
}
