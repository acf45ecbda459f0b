//! A `summary.json` of gungraun, which holds what one benchmark was counted to do, once.

use super::json::At;
use super::reader::{ReadError, Reader};
use super::{Batch, Measurement, one_process};
use crate::gate::Metric;

/// The version of the summary that this reads.
const VERSION: &str = "7";

pub(super) fn read(reader: &Reader<'_>, text: &str) -> Result<(), ReadError> {
    let json = reader.json(text)?;
    let root = reader.root(&json);
    let version = root.need("version")?;
    if version.text()? != VERSION {
        return Err(version.fault(&format!(
            "version {} of the summary is not known; this reads version {VERSION}",
            version.text()?
        )));
    }
    let module = root.need("module_path")?.text()?;
    let id = match root.get("id") {
        Some(id) => format!("{module} {}", id.text()?),
        None => module.to_owned(),
    };
    for profile in root.need("profiles")?.list()? {
        let metrics = profile.need("data")?.need("total")?.need("metrics")?;
        for (name, metric) in metrics.entries()? {
            let values = metric.need("values")?;
            // What only an older run counted is no result of this one.
            let Some(new) = values.get("new") else {
                continue;
            };
            metric.push(measurement(&id, name, value(&new)?))?;
        }
    }
    Ok(())
}

/// A number, or one that carries a unit.
fn value(new: &At<'_>) -> Result<f64, ReadError> {
    match new.is_number() {
        true => new.number(),
        false => new.need("value")?.number(),
    }
}

fn measurement(id: &str, name: &str, value: f64) -> Measurement {
    let values = one_process(vec![Batch {
        value,
        iterations: None,
    }]);
    let known = match name {
        "Ir" => Some(Metric::Instructions),
        "TotalBlocks" => Some(Metric::Allocations),
        "TotalBytes" => Some(Metric::Bytes),
        "AtTGmaxBytes" => Some(Metric::Peak),
        _ => None,
    };
    match known {
        Some(metric) => Measurement::new(id, metric, values),
        // Hits may be many because accesses are.
        None if name.contains("Hit") || name.contains("hits") => {
            Measurement::other(id, name, name, None, values)
        }
        None => Measurement::other(id, name, name, Some(false), values),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::tests::{check_refused, found};

    const TEXT: &str = r#"{"version":"7","kind":"LibraryBenchmark","module_path":"a::b::c","group":"b",
      "function_name":"c","id":"ten","baselines":[null,null],"profiles":[
       {"tool":"Callgrind","data":{"parts":[],"total":{"regressions":[],"metrics":{
         "Ir":{"values":{"new":687,"old":700},"change":{"diff_pct":"inf","factor":"1"}},
         "L1hits":{"values":{"new":982}},
         "Gone":{"values":{"old":5}}}}}},
       {"tool":"DHAT","data":{"parts":[],"total":{"metrics":{"TotalBytes":{"values":{"new":{"value":8,"unit":null}}}}}}}]}"#;

    #[test]
    fn new_counts_are_read_and_old_ones_left() {
        let found = found(Format::Gungraun, TEXT);
        let shown: Vec<(String, f64)> = found
            .iter()
            .map(|one| (one.metric.to_string(), one.by_process()[0]))
            .collect();
        let expected = [("instructions", 687.0), ("L1hits", 982.0), ("bytes", 8.0)];
        assert_eq!(
            shown,
            expected.map(|(name, value)| (name.to_owned(), value))
        );
        assert_eq!(found[0].id, "a::b::c ten");
        assert_eq!(found[1].more_is_better, None);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        check_refused(
            Format::Gungraun,
            &TEXT.replace("\"7\"", "\"6\""),
            "version 6 of the summary",
        );
        check_refused(
            Format::Gungraun,
            &TEXT.replace("687", "-687"),
            "/metrics/Ir: ",
        );
        check_refused(
            Format::Gungraun,
            &TEXT.replace("687", "[]"),
            "/Ir/values/new: ",
        );
        check_refused(Format::Gungraun, &TEXT[..150], ":2: ");
    }
}
