//! What `critcmp --export` prints: criterion's estimates of one baseline.

use serde_json::{Map, Value, json};

use super::criterion::{self, Benchmark};
use super::reader::{ReadError, Reader};
use super::{Batch, LeftOut, Measurement, Values, Written};

pub(super) fn read(reader: &Reader<'_>, text: &str) -> Result<(), ReadError> {
    let json = reader.json(text)?;
    let root = reader.root(&json);
    root.known(&["name", "benchmarks"])?;
    for (_, benchmark) in root.need("benchmarks")?.entries()? {
        benchmark.known(&[
            "baseline",
            "fullname",
            "criterion_benchmark_v1",
            "criterion_estimates_v1",
        ])?;
        let about = Benchmark::read(&benchmark.need("criterion_benchmark_v1")?)?;
        let estimates = criterion::estimates(&benchmark.need("criterion_estimates_v1")?)?;
        benchmark.push(about.measurement(Values::Summary(estimates)))?;
    }
    Ok(())
}

pub(super) fn write(name: &str, measurements: &[Measurement]) -> Written {
    let mut left_out = LeftOut::default();
    let mut benchmarks = Map::new();
    for measurement in measurements {
        if !measurement.is_time() {
            left_out.add("critcmp knows times only");
            continue;
        }
        let summary = match &measurement.values {
            Values::Summary(summary) => summary.clone(),
            Values::Processes(_) => {
                let samples: Vec<Batch> = measurement.samples().copied().collect();
                criterion::estimated(&samples)
            }
        };
        if !criterion::is_complete(&summary) {
            left_out.add("critcmp wants mean, median and deviations with their intervals");
            continue;
        }
        let mut about = criterion::benchmark(measurement, &measurement.id);
        // Of throughput it knows two kinds, each alone.
        let find = |unit: &str| {
            let mut amounts = measurement.throughput.iter();
            amounts
                .find(|one| one.unit == unit)
                .map(|one| one.amount as u64)
        };
        about["throughput"] = match (find("bytes"), find("elements")) {
            (Some(bytes), _) => json!({ "Bytes": bytes }),
            (None, Some(elements)) => json!({ "Elements": elements }),
            (None, None) => Value::Null,
        };
        let entry = json!({
            "baseline": name,
            "fullname": format!("{name}/{}", measurement.id),
            "criterion_benchmark_v1": about,
            "criterion_estimates_v1": criterion::statistics(&summary),
        });
        benchmarks.insert(measurement.id.clone(), entry);
    }
    if benchmarks.is_empty() {
        return Written {
            parts: Vec::new(),
            warnings: left_out.warnings(),
        };
    }
    let text = format!("{:#}\n", json!({ "name": name, "benchmarks": benchmarks }));
    Written::file(text, left_out.warnings())
}

#[cfg(test)]
mod tests {
    use super::super::tests::{check_refused, found, six_processes};
    use super::super::{Format, Statistic, write};
    use super::*;

    /// The estimates come back, not the samples that they were made of.
    #[test]
    fn what_is_written_is_read_as_the_same_estimates() {
        let text = write(Format::Critcmp, "main", &[six_processes()])
            .unwrap()
            .parts
            .remove(0)
            .1;
        let first = found(Format::Critcmp, &text);
        assert_eq!(first[0].id, "dag/own/10");
        assert_eq!(first[0].case.as_ref().unwrap().series, "own");
        let Values::Summary(summary) = &first[0].values else {
            panic!("a summary");
        };
        assert_eq!(summary.figures[&Statistic::Mean].point, 4.0);
        let again = write(Format::Critcmp, "main", &first)
            .unwrap()
            .parts
            .remove(0)
            .1;
        assert_eq!(again, text);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        check_refused(
            Format::Critcmp,
            r#"{"name":"x","benchmarks":{"a":{"criterion_benchmark_v1":{"group_id":"a","full_id":"a"}}}}"#,
            "at /benchmarks/a: has no `criterion_estimates_v1`",
        );
        check_refused(
            Format::Critcmp,
            r#"{"name":"x","benchmarks":{}}"#,
            "no benchmark results",
        );
        check_refused(
            Format::Critcmp,
            r#"{"name":"x","benchmarks":[]}"#,
            "a list, not an object",
        );
    }

    #[test]
    fn bare_value_is_left_out_and_said() {
        let bare = found(Format::Bmf, r#"{"a":{"latency":{"value":1}}}"#);
        let error = write(Format::Critcmp, "x", &bare).unwrap_err();
        assert!(error.contains("wants mean, median"), "{error}");
    }
}
