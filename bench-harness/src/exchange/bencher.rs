//! Lines as libtest prints them: `test name ... bench: 1,234 ns/iter (+/- 56)`.

use super::reader::{Place, ReadError, Reader};
use super::{Measurement, Statistic, Summary, Values, unit};
use crate::gate::Metric;

pub(super) fn is_result(line: &str) -> bool {
    result(line).is_some()
}

/// Name, value, unit and deviation.
fn result(line: &str) -> Option<(&str, f64, &str, f64)> {
    let (name, rest) = line
        .trim()
        .strip_prefix("test ")?
        .rsplit_once(" ... bench:")?;
    let (value, rest) = rest.trim_start().split_once(' ')?;
    let (unit, rest) = rest.split_once("/iter (+/- ")?;
    let (deviation, _) = rest.split_once(')')?;
    let number = |text: &str| text.replace(',', "").parse().ok();
    Some((name.trim_end(), number(value)?, unit, number(deviation)?))
}

pub(super) fn read(reader: &Reader<'_>, text: &str) -> Result<(), ReadError> {
    for (line, text) in (1..).zip(text.lines()) {
        let place = Place::Line(line);
        let Some((name, value, unit, deviation)) = result(text) else {
            if text.contains(" ... bench:") {
                reader.warn(
                    &place,
                    "the line is left out: it is not what libtest prints",
                );
            }
            continue;
        };
        let Some(factor) = unit::nanoseconds(unit) else {
            reader.warn(
                &place,
                &format!("`{name}` is left out: unit `{unit}` is no time"),
            );
            continue;
        };
        let summary = Summary::of([
            (Statistic::Median, Some(value)),
            (Statistic::Deviation, Some(deviation)),
        ]);
        let mut measurement = Measurement::new(name, Metric::Time, Values::Summary(summary));
        measurement.scale(unit, factor);
        reader.push(&place, measurement)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Format;
    use super::super::tests::{check_refused, found, warnings};
    use super::*;

    #[test]
    fn median_and_deviation_are_read_without_commas() {
        let text = "test a ... b/1 ... bench:      17,930 ns/iter (+/- 1,160)\n\
                    test c ... bench: 3 us/iter (+/- 0) = 12 MB/s\n\
                    test result: ok.\n";
        let found = found(Format::Bencher, text);
        assert_eq!(found[0].id, "a ... b/1");
        let Values::Summary(summary) = &found[0].values else {
            panic!("a summary");
        };
        assert_eq!(summary.point(Statistic::Median), Some(17_930.0));
        assert_eq!(summary.point(Statistic::Deviation), Some(1_160.0));
        assert_eq!(found[1].centre().unwrap().point, 3_000.0);
    }

    #[test]
    fn lines_that_do_not_fit_are_named() {
        let good = "test a ... bench: 1 ns/iter (+/- 1)\n";
        let said = warnings(
            Format::Bencher,
            &format!("{good}test b ... bench: x ns/iter\n"),
        );
        assert!(said[0].contains(":2: "), "{said:?}");
        let said = warnings(
            Format::Bencher,
            &format!("{good}test b ... bench: 1 cycles/iter (+/- 1)\n"),
        );
        assert!(said[0].contains("`cycles`"), "{said:?}");
        check_refused(Format::Bencher, &format!("{good}{good}"), ":2: ");
        check_refused(
            Format::Bencher,
            "test a ... bench: -1 ns/iter (+/- 1)\n",
            "negative",
        );
        check_refused(
            Format::Bencher,
            "test a ... bench: NaN ns/iter (+/- 1)\n",
            "NaN",
        );
    }
}
