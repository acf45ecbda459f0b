//! Units of other tools, and what they measure.

use crate::gate::Metric;

/// What a unit says of its values.
pub(super) struct Known {
    pub(super) metric: Metric,
    /// What the values become.
    pub(super) unit: &'static str,
    /// How many of those one of the file's is.
    pub(super) factor: f64,
}

/// The unit that values of a metric have here.
pub(super) const fn of(metric: Metric) -> &'static str {
    match metric {
        Metric::Time | Metric::Parallel => "ns",
        Metric::Instructions => "instructions",
        Metric::Allocations => "allocs",
        Metric::Bytes | Metric::Peak => "B",
        Metric::Throughput => "/s",
    }
}

/// The unit that files without a name for the metric write: `ns/op`.
pub(super) fn per_iteration(metric: Metric, unit: &str) -> &str {
    match metric {
        Metric::Time => "ns/op",
        Metric::Parallel => "parallel-ns/op",
        Metric::Instructions => "instructions/op",
        Metric::Allocations => "allocs/op",
        Metric::Bytes => "B/op",
        Metric::Peak => "peak-B/op",
        Metric::Throughput if unit == "/s" => "ops/s",
        Metric::Throughput => unit,
    }
}

/// Nanoseconds of a unit of time.
pub(super) fn nanoseconds(unit: &str) -> Option<f64> {
    Some(match unit {
        "ps" => 1e-3,
        "ns" => 1.0,
        "us" | "µs" | "μs" => 1e3,
        "ms" => 1e6,
        "s" | "sec" => 1e9,
        "min" => 60e9,
        _ => return None,
    })
}

/// What a unit is known to mean, as in `ns/iter`, `MB/s` or `allocs/op`.
pub(super) fn known(unit: &str) -> Option<Known> {
    let (of, per) = unit.split_once('/').unwrap_or((unit, ""));
    let found = |metric, unit, factor| {
        Some(Known {
            metric,
            unit,
            factor,
        })
    };
    if matches!(per, "" | "op" | "iter" | "iteration") {
        if let Some(factor) = nanoseconds(of) {
            return found(Metric::Time, "ns", factor);
        }
        return match of {
            "instructions" => found(Metric::Instructions, "instructions", 1.0),
            // A number of bytes of nothing may be the size of anything.
            _ if per.is_empty() => None,
            "B" | "bytes" => found(Metric::Bytes, "B", 1.0),
            "parallel-ns" => found(Metric::Parallel, "ns", 1.0),
            "peak-B" => found(Metric::Peak, "B", 1.0),
            "allocs" => found(Metric::Allocations, "allocs", 1.0),
            _ => None,
        };
    }
    let seconds = nanoseconds(per)? / 1e9;
    match of {
        "ops" | "op" | "elements" | "items" | "iter" => {
            found(Metric::Throughput, "/s", 1.0 / seconds)
        }
        "B" => found(Metric::Throughput, "B/s", 1.0 / seconds),
        "KB" => found(Metric::Throughput, "B/s", 1e3 / seconds),
        "MB" => found(Metric::Throughput, "B/s", 1e6 / seconds),
        "GB" => found(Metric::Throughput, "B/s", 1e9 / seconds),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(unit: &str, expected: Option<(Metric, &str, f64)>) {
        let found = known(unit).map(|known| (known.metric, known.unit, known.factor));
        assert_eq!(found, expected, "{unit}");
    }

    #[test]
    fn units_say_what_is_measured() {
        check("ns/op", Some((Metric::Time, "ns", 1.0)));
        check("µs", Some((Metric::Time, "ns", 1e3)));
        check("s/iter", Some((Metric::Time, "ns", 1e9)));
        check("MB/s", Some((Metric::Throughput, "B/s", 1e6)));
        check("ops/ms", Some((Metric::Throughput, "/s", 1e3)));
        check("B/op", Some((Metric::Bytes, "B", 1.0)));
        check("B", None);
        check("frames", None);
        check("MB/frame", None);
        check("", None);
    }

    #[test]
    fn what_is_written_of_a_metric_is_read_as_it() {
        for metric in Metric::ALL {
            check(
                per_iteration(metric, of(metric)),
                Some((metric, of(metric), 1.0)),
            );
        }
    }
}
