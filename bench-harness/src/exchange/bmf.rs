//! The Bencher Metric Format: benchmark, measure, value.

use serde_json::{Map, Value, json};

use super::json::Json;
use super::reader::{ReadError, Reader};
use super::{Figure, Measurement, Quantity, Statistic, Summary, Values, Written, by_id};
use crate::gate::Metric;

/// Slugs of what this lab measures too.
const SLUGS: [(&str, Metric); 6] = [
    ("latency", Metric::Time),
    ("throughput", Metric::Throughput),
    ("instructions", Metric::Instructions),
    ("total-blocks", Metric::Allocations),
    ("total-bytes", Metric::Bytes),
    ("at-t-gmax-bytes", Metric::Peak),
];

/// Other slugs that come with the service; less is better in all of them.
const LESS_IS_BETTER: [&str; 10] = [
    "allocated",
    "build-time",
    "file-size",
    "ram-hits",
    "estimated-cycles",
    "total-read-write",
    "total-lifetimes",
    "maximum-bytes",
    "maximum-blocks",
    "at-t-end-bytes",
];

/// Whether every benchmark holds measures that hold values.
pub(super) fn fits(json: &Json) -> bool {
    let Json::Object(benchmarks) = json else {
        return false;
    };
    let measures = |benchmark: &Json| match benchmark {
        Json::Object(measures) => {
            !measures.is_empty() && measures.iter().all(|(_, one)| one.field("value").is_some())
        }
        _ => false,
    };
    !benchmarks.is_empty() && benchmarks.iter().all(|(_, benchmark)| measures(benchmark))
}

pub(super) fn read(reader: &Reader<'_>, text: &str) -> Result<(), ReadError> {
    let json = reader.json(text)?;
    for (id, measures) in reader.root(&json).entries()? {
        for (measure, metric) in measures.entries()? {
            metric.known(&["value", "lower_value", "upper_value"])?;
            let figure = Figure {
                low: metric.optional("lower_value")?,
                high: metric.optional("upper_value")?,
                ..Figure::point(metric.need("value")?.number()?)
            };
            let values = Values::Summary(Summary {
                figures: [(Statistic::Value, figure)].into(),
                samples: None,
            });
            // A key may be the name of a measure or its slug.
            let slug = measure.to_lowercase().replace(' ', "-");
            let known = SLUGS.iter().find(|(known, _)| *known == slug);
            let measurement = match known {
                Some(&(_, metric)) => Measurement::new(id, metric, values),
                None => {
                    let less = LESS_IS_BETTER.contains(&slug.as_str());
                    Measurement::other(id, measure, measure, less.then_some(false), values)
                }
            };
            metric.push(measurement)?;
        }
    }
    Ok(())
}

pub(super) fn write(measurements: &[Measurement]) -> Written {
    let mut benchmarks = Map::new();
    for (id, metrics) in by_id(measurements) {
        let mut measures = Map::new();
        for measurement in metrics {
            let Some(figure) = measurement.centre() else {
                continue;
            };
            let name = match &measurement.metric {
                Quantity::Known(metric) => SLUGS
                    .iter()
                    .find(|(_, known)| known == metric)
                    .map_or(metric.name(), |(slug, _)| slug),
                Quantity::Other(name) => name,
            };
            let mut metric = Map::from_iter([("value".to_owned(), json!(figure.point))]);
            let ends = [("lower_value", figure.low), ("upper_value", figure.high)];
            for (name, end) in ends {
                if let Some(end) = end {
                    metric.insert(name.to_owned(), json!(end));
                }
            }
            measures.insert(name.to_owned(), Value::Object(metric));
        }
        benchmarks.insert(id.to_owned(), Value::Object(measures));
    }
    let text = format!("{:#}\n", Value::Object(benchmarks));
    Written::file(text, Vec::new())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check_refused, found, six_processes, warnings};
    use super::super::{Format, write};
    use super::*;

    const TEXT: &str = r#"{
        "a/b/100": {
            "latency": { "value": 17930.0, "lower_value": 17800.5, "upper_value": 18120.0 },
            "Total Blocks": { "value": 215.0, "lower_value": null },
            "file-size": { "value": 7 },
            "widgets": { "value": -7 }
        }
    }"#;

    #[test]
    fn measures_are_known_by_name_or_slug() {
        let found = found(Format::Bmf, TEXT);
        let metrics: Vec<String> = found.iter().map(|one| one.metric.to_string()).collect();
        assert_eq!(metrics, ["time", "allocations", "file-size", "widgets"]);
        let better: Vec<Option<bool>> = found.iter().map(|one| one.more_is_better).collect();
        assert_eq!(better, [Some(false), Some(false), Some(false), None]);
        let centre = found[0].centre().unwrap();
        assert_eq!((centre.low, centre.high), (Some(17_800.5), Some(18_120.0)));
    }

    /// Everything that it holds comes back, but for the order of the measures.
    #[test]
    fn what_is_written_is_read_as_the_same_values() {
        let mut first = found(Format::Bmf, TEXT);
        let mut again = found(
            Format::Bmf,
            &write(Format::Bmf, "", &first).unwrap().parts[0].1,
        );
        let order = |one: &Measurement| one.metric.clone();
        first.sort_by_key(order);
        again.sort_by_key(order);
        assert_eq!(again, first);
    }

    #[test]
    fn samples_are_written_as_their_median_and_its_interval() {
        let text = write(Format::Bmf, "", &[six_processes()])
            .unwrap()
            .parts
            .remove(0)
            .1;
        let centre = found(Format::Bmf, &text)[0].centre().unwrap();
        assert_eq!((centre.point, centre.low), (3.5, Some(1.0)));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        check_refused(
            Format::Bmf,
            r#"{"a":{"latency":{"value":"1"}}}"#,
            "at /a/latency/value: is \"1\"",
        );
        check_refused(
            Format::Bmf,
            r#"{"a":{"latency":{"value":-1}}}"#,
            "at /a/latency: ",
        );
        check_refused(Format::Bmf, r#"{"a":{},"a":{}}"#, "key `a` stands twice");
        check_refused(Format::Bmf, r#"{"a":{"latency":{"value":1e999}}}"#, ":1: ");
        check_refused(Format::Bmf, r#"{"a":{"latency":{"value""#, ":1: ");
        check_refused(
            Format::Bmf,
            r#"{"a/b":{"x":{}}}"#,
            "at /a~1b/x: has no `value`",
        );
        let said = warnings(Format::Bmf, r#"{"a":{"x":{"value":1,"more":2}}}"#);
        assert!(
            said[0].contains("unknown field `more` in file "),
            "{said:?}"
        );
    }
}
