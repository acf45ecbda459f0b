//! The CSV of rebar: a benchmark, a model of it, and an engine, with times in words.

use super::reader::{Place, ReadError, Reader};
use super::{Amount, Measurement, Statistic, Summary, Values, unit};
use crate::gate::Metric;
use crate::record::CaseId;

const COLUMNS: [&str; 14] = [
    "name",
    "model",
    "rebar_version",
    "engine",
    "engine_version",
    "err",
    "haystack_len",
    "iters",
    "total",
    "median",
    "mad",
    "mean",
    "stddev",
    "min",
];

pub(super) fn read(reader: &Reader<'_>, text: &str) -> Result<(), ReadError> {
    let mut rows = csv::Reader::from_reader(text.as_bytes());
    let not_csv = |error: csv::Error| {
        let line = error.position().map_or(1, csv::Position::line);
        reader.fault_at(&Place::Line(line as usize), &format!("not CSV: {error}"))
    };
    let header = rows.headers().map_err(not_csv)?.clone();
    let column = |name: &str| {
        let found = header.iter().position(|column| column == name);
        found.ok_or_else(|| reader.fault_at(&Place::Line(1), &format!("has no column `{name}`")))
    };
    for name in header.iter() {
        if !COLUMNS.contains(&name) && name != "max" {
            reader.unknown(Place::Line(1), name);
        }
    }
    let (name, model, engine) = (column("name")?, column("model")?, column("engine")?);
    let (failure, haystack) = (column("err")?, column("haystack_len")?);
    let statistics = [
        (Statistic::Median, column("median")?),
        (Statistic::MedianDeviation, column("mad")?),
        (Statistic::Mean, column("mean")?),
        (Statistic::Deviation, column("stddev")?),
        (Statistic::Minimum, column("min")?),
        (Statistic::Maximum, column("max")?),
    ];
    let count = column("iters")?;
    for row in rows.records() {
        let row = row.map_err(not_csv)?;
        let place = Place::Line(row.position().map_or(0, csv::Position::line) as usize);
        let case = CaseId {
            group: row[name].to_owned(),
            series: row[engine].to_owned(),
            input: row[model].to_owned(),
        };
        if !row[failure].is_empty() {
            reader.warn(
                &place,
                &format!("`{case}` was not measured: {}", &row[failure]),
            );
            continue;
        }
        let mut figures = Vec::new();
        for (statistic, column) in statistics {
            let text = &row[column];
            let time = duration(text).ok_or_else(|| {
                reader.fault_at(&place, &format!("`{text}` is no duration, as in 66.37us"))
            })?;
            figures.push((statistic, Some(time)));
        }
        let mut summary = Summary::of(figures);
        summary.samples = row[count].parse().ok();
        let values = Values::Summary(summary);
        let mut measurement = Measurement::new(case.to_string(), Metric::Time, values);
        measurement.case = Some(case);
        if let Ok(amount) = row[haystack].parse() {
            let unit = "bytes".to_owned();
            measurement.throughput = vec![Amount { amount, unit }];
        }
        reader.push(&place, measurement)?;
    }
    Ok(())
}

/// Nanoseconds of `66.37us`.
fn duration(text: &str) -> Option<f64> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit() || "+-.".contains(c));
    let number: f64 = text[..text.len() - unit.len()].parse().ok()?;
    Some(number * unit::nanoseconds(unit)?)
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::tests::{check_refused, found, warnings};
    use super::*;

    const TEXT: &str = "\
name,model,rebar_version,engine,engine_version,err,haystack_len,iters,total,median,mad,mean,stddev,min,max
curated/a,count,0.1,rust/regex,1.9,,1000,45219,3s,66.37us,0.5us,67us,1us,60us,1ms
\"curated/b, quoted\",count,0.1,rust/regex,1.9,,1000,10,3s,12.5ns,0.00ns,13ns,1ns,10ns,20ns
curated/c,count,0.1,slow,1.9,timed out,1000,0,,,,,,,
";

    #[test]
    fn rows_are_summaries_of_an_engine() {
        let found = found(Format::Rebar, TEXT);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0].id, "curated/a/rust/regex/count");
        assert_eq!(found[0].centre().unwrap().point, 66_370.0);
        assert_eq!(found[1].case.as_ref().unwrap().group, "curated/b, quoted");
        let Values::Summary(summary) = &found[0].values else {
            panic!("a summary");
        };
        assert_eq!(summary.samples, Some(45_219));
        assert_eq!(summary.point(Statistic::Maximum), Some(1e6));
        let said = warnings(Format::Rebar, TEXT);
        assert!(
            said[0].contains(":4: ") && said[0].contains("timed out"),
            "{said:?}"
        );
    }

    #[test]
    fn what_does_not_fit_is_named() {
        check_refused(
            Format::Rebar,
            &TEXT.replace("66.37us", "66.37"),
            ":2: `66.37` is no duration",
        );
        check_refused(
            Format::Rebar,
            &TEXT.replace("66.37us", "NaNus"),
            ":2: `NaNus` is no",
        );
        check_refused(Format::Rebar, &TEXT.replace("66.37us", "-6us"), "negative");
        check_refused(Format::Rebar, &TEXT.replace(",1ms", ""), ":2: not CSV");
        check_refused(
            Format::Rebar,
            &TEXT.replace("median", "middle"),
            "no column `median`",
        );
    }
}
