//! The messages of `cargo criterion --message-format=json`, one a line.

use std::collections::BTreeMap;

use super::criterion::batches;
use super::json::At;
use super::reader::{ReadError, Reader};
use super::{Amount, Figure, Measurement, Statistic, Summary, Values, one_process, unit};
use crate::gate::Metric;

pub(super) fn read(reader: &Reader<'_>, text: &str) -> Result<(), ReadError> {
    for (line, text) in (1..).zip(text.lines()) {
        if text.trim().is_empty() {
            continue;
        }
        let json = reader.json_line(line, text)?;
        let message = reader.root_of_line(line, &json);
        match message.need("reason")?.text()? {
            "benchmark-complete" => message.push(measurement(&message)?)?,
            "group-complete" => {}
            other => message.warn(&format!("message `{other}` is not known and left out")),
        }
    }
    Ok(())
}

fn measurement(message: &At<'_>) -> Result<Measurement, ReadError> {
    message.known(&[
        "reason",
        "id",
        "report_directory",
        "iteration_count",
        "measured_values",
        "unit",
        "throughput",
        "typical",
        "mean",
        "median",
        "median_abs_dev",
        "slope",
        "change",
    ])?;
    let id = message.need("id")?.text()?;
    let unit = message.need("unit")?.text()?;
    let values = match message.get("measured_values") {
        Some(totals) => one_process(batches(&message.need("iteration_count")?, &totals)?),
        None => Values::Summary(summary(message)?),
    };
    let mut measurement = match unit::nanoseconds(unit) {
        Some(factor) => {
            let mut time = Measurement::new(id, Metric::Time, values);
            time.scale(unit, factor);
            time
        }
        // A measurement of the user's own.
        None => Measurement::other(id, unit, unit, None, values),
    };
    if let Some(throughput) = message.get("throughput") {
        for amount in throughput.list()? {
            measurement.throughput.push(Amount {
                amount: amount.need("per_iteration")?.number()?,
                unit: amount.need("unit")?.text()?.to_owned(),
            });
        }
    }
    Ok(measurement)
}

fn summary(message: &At<'_>) -> Result<Summary, ReadError> {
    let names = [
        (Statistic::Mean, "mean"),
        (Statistic::Median, "median"),
        (Statistic::MedianDeviation, "median_abs_dev"),
        (Statistic::Slope, "slope"),
    ];
    let mut figures = BTreeMap::new();
    for (statistic, name) in names {
        if let Some(estimate) = message.get(name) {
            let figure = Figure {
                low: estimate.optional("lower_bound")?,
                high: estimate.optional("upper_bound")?,
                ..Figure::point(estimate.need("estimate")?.number()?)
            };
            figures.insert(statistic, figure);
        }
    }
    Ok(Summary {
        figures,
        samples: None,
    })
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::tests::{check_refused, found, samples, warnings};

    const LINE: &str = r#"{"reason":"benchmark-complete","id":"g/s/1","report_directory":"r","iteration_count":[1,2],"measured_values":[10.0,22.0],"unit":"ns","throughput":[{"per_iteration":7,"unit":"elements"}],"change":null}"#;

    #[test]
    fn totals_become_values_of_an_iteration() {
        let text = format!("{LINE}\n\n{{\"reason\":\"group-complete\",\"group_name\":\"g\"}}\n");
        let found = found(Format::CargoCriterion, &text);
        assert_eq!(samples(&found[0]), [[10.0, 11.0]]);
        assert_eq!(found[0].throughput[0].amount, 7.0);
    }

    #[test]
    fn message_without_samples_is_a_summary() {
        let text = r#"{"reason":"benchmark-complete","id":"a","unit":"ns","mean":{"estimate":2.0,"lower_bound":1.0,"upper_bound":3.0,"unit":"ns"}}"#;
        let found = found(Format::CargoCriterion, text);
        assert_eq!(found[0].centre().unwrap().low, Some(1.0));
        assert!(found[0].by_process().is_empty());
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_line() {
        let two = format!("{LINE}\n{LINE}\n");
        check_refused(
            Format::CargoCriterion,
            &two,
            ":2: time of benchmark `g/s/1` stands twice",
        );
        let short = LINE.replace("[1,2]", "[1]");
        check_refused(
            Format::CargoCriterion,
            &short,
            ":1: /measured_values: 1 iteration counts",
        );
        check_refused(Format::CargoCriterion, &LINE[..80], ":1: ");
        let said = warnings(
            Format::CargoCriterion,
            &format!("{LINE}\n{{\"reason\":\"later\"}}\n"),
        );
        assert!(said[0].contains(":2: message `later`"), "{said:?}");
    }
}
