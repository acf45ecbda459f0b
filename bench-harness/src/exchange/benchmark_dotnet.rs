//! The full JSON of BenchmarkDotNet. Its launches are processes.

use std::collections::BTreeMap;

use super::json::At;
use super::reader::{ReadError, Reader};
use super::{Batch, Measurement, Process, Statistic, Summary, Values, one_process};
use crate::gate::Metric;

pub(super) fn read(reader: &Reader<'_>, text: &str) -> Result<(), ReadError> {
    let json = reader.json(text)?;
    for benchmark in reader.root(&json).need("Benchmarks")?.list()? {
        let id = benchmark.need("FullName")?.text()?;
        let launches = launches(&benchmark)?;
        let values = match (launches.is_empty(), benchmark.get("Statistics")) {
            (false, _) => {
                let processes = launches.into_iter();
                let processes = processes.map(|(process, samples)| Process { process, samples });
                Values::Processes(processes.collect())
            }
            (true, Some(statistics)) => Values::Summary(summary(&statistics)?),
            (true, None) => {
                benchmark.warn(&format!("`{id}` was not measured"));
                continue;
            }
        };
        benchmark.push(Measurement::new(id, Metric::Time, values))?;
        if let Some(memory) = benchmark.get("Memory")
            && let Some(bytes) = memory.optional("BytesAllocatedPerOperation")?
        {
            let values = one_process(vec![Batch {
                value: bytes,
                iterations: None,
            }]);
            memory.push(Measurement::new(id, Metric::Bytes, values))?;
        }
    }
    Ok(())
}

/// Results of the workload itself, by launch.
fn launches(benchmark: &At<'_>) -> Result<BTreeMap<u32, Vec<Batch>>, ReadError> {
    let mut launches: BTreeMap<u32, Vec<Batch>> = BTreeMap::new();
    let Some(measurements) = benchmark.get("Measurements") else {
        return Ok(launches);
    };
    for measurement in measurements.list()? {
        let is = |name: &str, expected: &str| Ok(measurement.need(name)?.text()? == expected);
        if !(is("IterationMode", "Workload")? && is("IterationStage", "Result")?) {
            continue;
        }
        let launch = measurement.need("LaunchIndex")?;
        let number =
            u32::try_from(launch.count()?).map_err(|_| launch.fault("is no number of a launch"))?;
        let operations = measurement.need("Operations")?;
        let count = operations.count()?;
        if count == 0 {
            return Err(operations.fault("a sample of 0 operations"));
        }
        launches.entry(number).or_default().push(Batch {
            value: measurement.need("Nanoseconds")?.number()? / count as f64,
            iterations: Some(count),
        });
    }
    Ok(launches)
}

fn summary(statistics: &At<'_>) -> Result<Summary, ReadError> {
    let mut summary = Summary::of([
        (Statistic::Median, statistics.optional("Median")?),
        (Statistic::Mean, statistics.optional("Mean")?),
        (
            Statistic::Deviation,
            statistics.optional("StandardDeviation")?,
        ),
        (Statistic::Minimum, statistics.optional("Min")?),
        (Statistic::Maximum, statistics.optional("Max")?),
    ]);
    if let Some(count) = statistics.get("N") {
        summary.samples = Some(count.count()?);
    }
    Ok(summary)
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::tests::{check_refused, found, samples};

    const TEXT: &str = "\u{feff}{\"Title\":\"t\",\"HostEnvironmentInfo\":{},\"Benchmarks\":[
      {\"FullName\":\"N.C.M(n: 10)\",\"Statistics\":{\"N\":2,\"Mean\":9.0},
       \"Memory\":{\"BytesAllocatedPerOperation\":32},\"Measurements\":[
        {\"IterationMode\":\"Workload\",\"IterationStage\":\"Warmup\",\"LaunchIndex\":1,\"Operations\":1,\"Nanoseconds\":999},
        {\"IterationMode\":\"Overhead\",\"IterationStage\":\"Result\",\"LaunchIndex\":1,\"Operations\":1,\"Nanoseconds\":1},
        {\"IterationMode\":\"Workload\",\"IterationStage\":\"Result\",\"LaunchIndex\":1,\"Operations\":4,\"Nanoseconds\":10},
        {\"IterationMode\":\"Workload\",\"IterationStage\":\"Result\",\"LaunchIndex\":2,\"Operations\":4,\"Nanoseconds\":12}]},
      {\"FullName\":\"N.C.S\",\"Statistics\":{\"N\":3,\"Median\":5.0,\"Mean\":6.0},\"Measurements\":null}
    ]}";

    #[test]
    fn results_of_the_workload_are_samples_by_launch() {
        let found = found(Format::BenchmarkDotNet, TEXT);
        assert_eq!(found[0].id, "N.C.M(n: 10)");
        assert_eq!(samples(&found[0]), [[2.5], [3.0]]);
        assert_eq!(found[1].by_process(), [32.0]);
        assert_eq!(found[2].centre().unwrap().point, 5.0);
        assert!(found[2].by_process().is_empty());
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let at = "at /Benchmarks/0/Measurements/2/Operations: ";
        check_refused(Format::BenchmarkDotNet, &TEXT.replace(":4,", ":0,"), at);
        check_refused(
            Format::BenchmarkDotNet,
            &TEXT.replace("N.C.S", "N.C.M(n: 10)"),
            "stands twice",
        );
        check_refused(Format::BenchmarkDotNet, &TEXT[..300], ":");
        check_refused(
            Format::BenchmarkDotNet,
            &TEXT.replace(":10}", ":-10}"),
            "negative",
        );
    }
}
