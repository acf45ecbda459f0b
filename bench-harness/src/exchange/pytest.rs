//! The JSON of pytest-benchmark. All of its rounds run in one process.

use super::reader::{ReadError, Reader};
use super::{Batch, Measurement, Statistic, Summary, Values, one_process};
use crate::gate::Metric;

pub(super) fn read(reader: &Reader<'_>, text: &str) -> Result<(), ReadError> {
    let json = reader.json(text)?;
    for benchmark in reader.root(&json).need("benchmarks")?.list()? {
        let id = benchmark.need("fullname")?.text()?;
        let stats = benchmark.need("stats")?;
        let values = match stats.get("data") {
            Some(data) => {
                let iterations = stats.get("iterations").map(|one| one.count()).transpose()?;
                let samples = data.numbers()?.into_iter();
                let samples = samples.map(|value| Batch { value, iterations });
                one_process(samples.collect())
            }
            None => {
                let mut summary = Summary::of([
                    (Statistic::Median, stats.optional("median")?),
                    (Statistic::Mean, stats.optional("mean")?),
                    (Statistic::Deviation, stats.optional("stddev")?),
                    (Statistic::Minimum, stats.optional("min")?),
                    (Statistic::Maximum, stats.optional("max")?),
                ]);
                summary.samples = stats.get("rounds").map(|one| one.count()).transpose()?;
                Values::Summary(summary)
            }
        };
        let mut time = Measurement::new(id, Metric::Time, values);
        time.scale("s", 1e9);
        stats.push(time)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::tests::{check_refused, found, samples};

    const TEXT: &str = r#"{"machine_info":{},"commit_info":{"id":"c"},"version":"5.0","benchmarks":[
      {"group":null,"name":"t","fullname":"t.py::t[10]","stats":{"rounds":2,"iterations":3,"median":0.5,"data":[0.5,0.25]}},
      {"group":null,"name":"u","fullname":"t.py::u","stats":{"rounds":2,"iterations":3,"median":0.5,"mean":0.75}}]}"#;

    #[test]
    fn rounds_are_samples_where_they_were_kept() {
        let found = found(Format::Pytest, TEXT);
        assert_eq!(found[0].id, "t.py::t[10]");
        assert_eq!(samples(&found[0]), [[0.5e9, 0.25e9]]);
        assert_eq!(found[1].centre().unwrap().point, 0.5e9);
        assert!(found[1].by_process().is_empty());
    }

    #[test]
    fn what_does_not_fit_is_named() {
        check_refused(
            Format::Pytest,
            &TEXT.replace("0.25", "-0.25"),
            "at /benchmarks/0/stats: ",
        );
        check_refused(
            Format::Pytest,
            &TEXT.replace("0.25", "\"\""),
            "/stats/data/1: is \"\"",
        );
        check_refused(
            Format::Pytest,
            &TEXT.replace("t.py::u", "t.py::t[10]"),
            "stands twice",
        );
        check_refused(Format::Pytest, &TEXT[..120], ":2: ");
    }
}
