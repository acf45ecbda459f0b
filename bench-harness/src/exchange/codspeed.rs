//! A walltime result of CodSpeed, of one benchmark or of many.

use super::json::At;
use super::reader::{ReadError, Reader};
use super::{Measurement, Statistic, Summary, Values};
use crate::gate::Metric;

pub(super) fn read(reader: &Reader<'_>, text: &str) -> Result<(), ReadError> {
    let json = reader.json(text)?;
    let root = reader.root(&json);
    match root.get("benchmarks") {
        Some(benchmarks) => {
            root.known(&["creator", "instrument", "benchmarks"])?;
            benchmarks.list()?.iter().try_for_each(one)
        }
        None => one(&root),
    }
}

fn one(benchmark: &At<'_>) -> Result<(), ReadError> {
    benchmark.known(&["name", "uri", "config", "stats"])?;
    let stats = benchmark.need("stats")?;
    stats.known(&[
        "min_ns",
        "max_ns",
        "mean_ns",
        "stdev_ns",
        "q1_ns",
        "median_ns",
        "q3_ns",
        "rounds",
        "total_time",
        "iqr_outlier_rounds",
        "stdev_outlier_rounds",
        "iter_per_round",
        "warmup_iters",
    ])?;
    let mut summary = Summary::of([
        (Statistic::Median, stats.optional("median_ns")?),
        (Statistic::Mean, stats.optional("mean_ns")?),
        (Statistic::Deviation, stats.optional("stdev_ns")?),
        (Statistic::Minimum, stats.optional("min_ns")?),
        (Statistic::Maximum, stats.optional("max_ns")?),
    ]);
    summary.samples = stats.get("rounds").map(|one| one.count()).transpose()?;
    // The name alone may stand in several files of a workspace.
    let id = benchmark.need("uri")?.text()?;
    stats.push(Measurement::new(id, Metric::Time, Values::Summary(summary)))
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::tests::{check_refused, found, warnings};

    const ONE: &str = r#"{"name":"b","uri":"benches/x.rs::g::b","config":{},"stats":{"min_ns":1.0,"max_ns":9.0,"mean_ns":4.0,"stdev_ns":1.0,"median_ns":3.5,"rounds":100}}"#;

    #[test]
    fn one_result_and_many_are_read() {
        let first = found(Format::CodSpeed, ONE);
        assert_eq!(first[0].id, "benches/x.rs::g::b");
        assert_eq!(first[0].centre().unwrap().point, 3.5);
        let many = format!(
            r#"{{"creator":{{}},"instrument":{{"type":"walltime"}},"benchmarks":[{ONE}]}}"#
        );
        assert_eq!(found(Format::CodSpeed, &many), first);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        check_refused(Format::CodSpeed, &ONE.replace("3.5", "-3.5"), "at /stats: ");
        check_refused(
            Format::CodSpeed,
            &ONE.replace("3.5", "\"3\""),
            "at /stats/median_ns: ",
        );
        check_refused(Format::CodSpeed, &ONE[..90], ":1: ");
        let said = warnings(Format::CodSpeed, &ONE.replace("\"config\"", "\"later\""));
        assert!(said[0].contains("`later`"), "{said:?}");
    }
}
