//! The JSON of the Java Microbenchmark Harness. Its forks are processes.

use super::json::At;
use super::reader::{ReadError, Reader};
use super::{Batch, Figure, Measurement, Process, Statistic, Summary, Values};

pub(super) fn read(reader: &Reader<'_>, text: &str) -> Result<(), ReadError> {
    let json = reader.json(text)?;
    for benchmark in reader.root(&json).list()? {
        let mut id = benchmark.need("benchmark")?.text()?.to_owned();
        if let Some(parameters) = benchmark.get("params") {
            for (name, value) in parameters.entries()? {
                id = format!("{id}/{name}={}", value.text()?);
            }
        }
        // Times of single calls are others than those of an average.
        let mode = benchmark.need("mode")?.text()?;
        if matches!(mode, "sample" | "ss") {
            id = format!("{id}/{mode}");
        }
        let primary = benchmark.need("primaryMetric")?;
        let unit = primary.need("scoreUnit")?.text()?;
        let Some(values) = values(&primary)? else {
            benchmark.warn(&format!("`{id}` is left out: its score is no number"));
            continue;
        };
        primary.push(Measurement::in_unit(&id, unit, values))?;
        let Some(secondary) = benchmark.get("secondaryMetrics") else {
            continue;
        };
        for (name, metric) in secondary.entries()? {
            let unit = metric.need("scoreUnit")?.text()?;
            let Some(values) = self::values(&metric)? else {
                continue;
            };
            let name = name.trim_start_matches('·');
            // The one that is of an operation; others are rates and counts of the collector.
            metric.push(match name {
                "gc.alloc.rate.norm" => Measurement::in_unit(&id, unit, values),
                _ => Measurement::other(&id, name, unit, None, values),
            })?;
        }
    }
    Ok(())
}

/// Samples by fork, else the score; `None` where that is not a number.
fn values(metric: &At<'_>) -> Result<Option<Values>, ReadError> {
    if let Some(forks) = metric.get("rawData") {
        let mut processes = Vec::new();
        for (process, fork) in (1..).zip(forks.list()?) {
            let values = fork.list()?;
            if values.iter().any(|value| !value.is_number()) {
                return Ok(None);
            }
            let samples = values.iter().map(|value| {
                Ok(Batch {
                    value: value.number()?,
                    iterations: None,
                })
            });
            processes.push(Process {
                process,
                samples: samples.collect::<Result<_, ReadError>>()?,
            });
        }
        return Ok(Some(Values::Processes(processes)));
    }
    let Some(score) = metric.optional("score")? else {
        return Ok(None);
    };
    let ends = match metric.get("scoreConfidence") {
        Some(ends) => ends.list()?,
        None => Vec::new(),
    };
    let interval = match &ends[..] {
        [low, high] if low.is_number() && high.is_number() => Some((low.number()?, high.number()?)),
        _ => None,
    };
    let mean = Figure {
        low: interval.map(|(low, _)| low),
        high: interval.map(|(_, high)| high),
        confidence: interval.map(|_| 0.999),
        ..Figure::point(score)
    };
    let mut figures = [(Statistic::Mean, mean)]
        .into_iter()
        .collect::<std::collections::BTreeMap<_, _>>();
    if let Some(percentiles) = metric.get("scorePercentiles")
        && let Some(median) = percentiles.optional("50.0")?
    {
        figures.insert(Statistic::Median, Figure::point(median));
    }
    Ok(Some(Values::Summary(Summary {
        figures,
        samples: None,
    })))
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::tests::{check_refused, found, samples, warnings};

    const TEXT: &str = r#"[
      {"benchmark":"a.B.c","mode":"avgt","threads":1,"forks":2,"params":{"n":"10"},
       "primaryMetric":{"score":1.5,"scoreError":"NaN","scoreUnit":"us/op","rawData":[[1.25,1.5],[1.75,1.5]]},
       "secondaryMetrics":{
         "gc.alloc.rate.norm":{"score":24.0,"scoreUnit":"B/op","rawData":[[24.0,24.0],[24.0,24.0]]},
         "gc.time":{"score":"NaN","scoreUnit":"ms","rawData":[["NaN"]]}}},
      {"benchmark":"a.B.d","mode":"thrpt","primaryMetric":{"score":5.0,"scoreUnit":"ops/ms",
       "scoreConfidence":[4.0,6.0],"scorePercentiles":{"50.0":5.5}}}
    ]"#;

    #[test]
    fn forks_are_processes_and_parameters_part_of_the_id() {
        let found = found(Format::Jmh, TEXT);
        assert_eq!(found[0].id, "a.B.c/n=10");
        assert_eq!(samples(&found[0]), [[1_250.0, 1_500.0], [1_750.0, 1_500.0]]);
        assert_eq!(found[1].metric.to_string(), "bytes");
        assert_eq!(found[2].metric.to_string(), "throughput");
        assert_eq!(found[2].centre().unwrap().point, 5_500.0);
        assert_eq!(found[2].more_is_better, Some(true));
        assert_eq!(found.len(), 3);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        check_refused(
            Format::Jmh,
            &TEXT.replace("\"mode\":\"avgt\",", ""),
            "at /0: has no `mode`",
        );
        check_refused(
            Format::Jmh,
            &TEXT.replace("1.25", "-1.25"),
            "at /0/primaryMetric: ",
        );
        check_refused(Format::Jmh, &TEXT[..200], ":4: ");
        let nan = TEXT
            .replace("[4.0,6.0]", "[1,2]")
            .replace("\"score\":5.0", "\"score\":\"NaN\"");
        assert!(warnings(Format::Jmh, &nan)[0].contains("`a.B.d` is left out"));
    }
}
