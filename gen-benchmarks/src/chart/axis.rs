//! Where values lie on an axis, and which of them are written beside it.

use super::Scale;
use crate::format::Unit;

/// Values this close, relatively, are the same: quotients of round numbers are not round.
const CLOSE: f64 = 1e-9;

/// The range of an axis.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Axis {
    /// How values are spread between the ends.
    pub(super) scale: Scale,
    low: f64,
    high: f64,
}

impl Axis {
    /// The axis from the smallest to the largest value, and zero if it is linear.
    pub(super) fn over(scale: Scale, values: &[f64]) -> Axis {
        let (low, high) = ends(values);
        match scale {
            Scale::Log if low > 0.0 => Axis { scale, low, high },
            _ => Axis {
                scale: Scale::Linear,
                low: low.min(0.0),
                high: high.max(0.0),
            },
        }
    }

    /// An axis whose ends are round numbers around `values`, with its ticks and their labels;
    /// about `count` ticks.
    ///
    /// On a logarithmic axis an end of an interval that is not positive lies at the axis' start.
    pub(super) fn with_ticks(
        scale: Scale,
        unit: Unit,
        points: &[f64],
        interval_ends: &[f64],
        count: usize,
    ) -> (Axis, Vec<(f64, String)>) {
        let is_log = scale == Scale::Log && points.iter().all(|&value| value > 0.0);
        let shown = points.iter().chain(interval_ends).copied();
        if is_log {
            let (low, high) = ends(&shown.filter(|&value| value > 0.0).collect::<Vec<_>>());
            log_axis(unit, low, high, count)
        } else {
            let (low, high) = ends(&shown.collect::<Vec<_>>());
            linear_axis(unit, low.min(0.0), high.max(0.0), count)
        }
    }

    /// What a reader has to know about the axis: `log y axis`, `y axis starts at 0` for `y `.
    pub(super) fn describe(&self, name: &str) -> String {
        match self.scale {
            Scale::Log => format!("log {name}axis"),
            Scale::Linear if self.low < 0.0 => format!("{name}axis contains 0"),
            Scale::Linear => format!("{name}axis starts at 0"),
        }
    }

    /// How far along the axis `value` lies: 0 at its low end and 1 at its high end, also for
    /// values beyond them; the middle of an axis without length.
    pub(super) fn fraction(&self, value: f64) -> f64 {
        let along = match self.scale {
            _ if self.low >= self.high => 0.5,
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log if value <= self.low => 0.0,
            Scale::Log => (value.ln() - self.low.ln()) / (self.high.ln() - self.low.ln()),
        };
        along.clamp(0.0, 1.0)
    }
}

/// The smallest and the largest of `values`, or 1 and 1 of none.
fn ends(values: &[f64]) -> (f64, f64) {
    let pair = |ends: Option<(f64, f64)>, &value: &f64| {
        let (low, high) = ends.unwrap_or((value, value));
        Some((low.min(value), high.max(value)))
    };
    values.iter().fold(None, pair).unwrap_or((1.0, 1.0))
}

fn linear_axis(unit: Unit, low: f64, high: f64, count: usize) -> (Axis, Vec<(f64, String)>) {
    let high = if low == high { low + 1.0 } else { high };
    let wanted = (high - low) / count as f64;
    let step = if unit == Unit::Bytes {
        wanted.log2().ceil().exp2()
    } else {
        let digits = [1.0, 2.0, 5.0, 10.0];
        let steps = digits.map(|digit| digit * power(10.0, wanted.log10().floor()));
        steps
            .into_iter()
            .find(|&step| step >= wanted * (1.0 - CLOSE))
            .unwrap_or(wanted)
    };
    let first = (low / step + CLOSE).floor() as i64;
    let last = (high / step - CLOSE).ceil() as i64;
    let ends = (first as f64 * step, last as f64 * step);
    let largest = ends.0.abs().max(ends.1);
    let label = |value| (value, unit.tick(value, step, largest));
    let ticks = (first..=last)
        .map(|index| label(index as f64 * step))
        .collect();
    (
        Axis {
            scale: Scale::Linear,
            low: ends.0,
            high: ends.1,
        },
        ticks,
    )
}

fn log_axis(unit: Unit, low: f64, high: f64, count: usize) -> (Axis, Vec<(f64, String)>) {
    // Values that hardly differ get an axis around them: its ticks would differ in digits only
    // that nobody reads.
    let (low, high) = if high < 1.02 * low {
        (low / 1.1, high * 1.1)
    } else {
        (low, high)
    };
    if high < 3.0 * low {
        // Powers are too far apart to be read between.
        let (axis, ticks) = linear_axis(unit, low, high, count);
        if axis.low > 0.0 {
            return (
                Axis {
                    scale: Scale::Log,
                    ..axis
                },
                ticks,
            );
        }
    }
    // Units of bytes are powers of two, so their ticks are too.
    let (base, digits): (f64, &[f64]) = if unit == Unit::Bytes {
        (2.0, &[1.0])
    } else {
        (10.0, &[1.0, 2.0, 5.0])
    };
    let exponents = low.log(base).floor() as i32 - 1..=high.log(base).ceil() as i32 + 1;
    let round = exponents.flat_map(|exponent| {
        digits
            .iter()
            .map(move |&digit| (exponent, digit, digit * power(base, f64::from(exponent))))
    });
    let round: Vec<_> = round.collect();
    let start = round
        .iter()
        .rposition(|tick| tick.2 <= low * (1.0 + CLOSE))
        .unwrap_or(0);
    let end = round.iter().position(|tick| tick.2 >= high * (1.0 - CLOSE));
    let round = &round[start..=end.unwrap_or(round.len() - 1)];
    let (low, high) = (round[0].2, round[round.len() - 1].2);

    // Too many: whole powers only; still too many: every second power, every third, ...
    let powers = round.iter().filter(|tick| tick.1 == 1.0).count();
    let every = powers.div_ceil(count.max(1)).max(1) as i32;
    let all = round.len() <= count;
    let kept = round
        .iter()
        .filter(|tick| all || tick.1 == 1.0 && tick.0 % every == 0);
    let ticks = kept
        .map(|&(_, _, value)| (value, unit.tick(value, value, value)))
        .collect();
    (
        Axis {
            scale: Scale::Log,
            low,
            high,
        },
        ticks,
    )
}

/// `base^exponent` for a whole exponent. Negative powers are quotients, so that they are the
/// numbers that print short: `0.1`, not `0.10000000000000002`.
fn power(base: f64, exponent: f64) -> f64 {
    if exponent < 0.0 {
        1.0 / base.powf(-exponent)
    } else {
        base.powf(exponent)
    }
}

/// Which of the labels `(position, width)`, ordered by position, can stand side by side with `gap`
/// between them: the last, and from the first on each that touches neither its predecessor nor the
/// last.
pub(super) fn thin(labels: &[(f64, f64)], gap: f64) -> Vec<bool> {
    let mut kept = vec![false; labels.len()];
    let Some((last, others)) = labels.split_last() else {
        return kept;
    };
    let end = last.0 - last.1 / 2.0 - gap;
    let mut free = f64::NEG_INFINITY;
    for (keep, &(position, width)) in kept.iter_mut().zip(others) {
        *keep = position - width / 2.0 >= free && position + width / 2.0 <= end;
        if *keep {
            free = position + width / 2.0 + gap;
        }
    }
    kept[labels.len() - 1] = true;
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(scale: Scale, unit: Unit, values: &[f64], expected: &[&str]) {
        let (axis, ticks) = Axis::with_ticks(scale, unit, values, &[], 6);
        let labels: Vec<_> = ticks.iter().map(|(_, label)| label.as_str()).collect();
        assert_eq!(labels, expected);
        for &value in values {
            assert!(
                axis.low <= value && value <= axis.high,
                "{axis:?} covers {value}"
            );
        }
        for (value, label) in ticks {
            assert!(
                axis.low <= value && value <= axis.high,
                "{axis:?} holds tick {label}"
            );
        }
    }

    #[test]
    fn linear_axis_starts_at_zero_and_has_one_unit() {
        check(
            Scale::Linear,
            Unit::Duration,
            &[3.2, 7.6],
            &["0", "2 ns", "4 ns", "6 ns", "8 ns"],
        );
        let expected = ["0", "0.2 ms", "0.4 ms", "0.6 ms", "0.8 ms", "1 ms"];
        check(Scale::Linear, Unit::Duration, &[999_000.0], &expected);
        let expected = ["0", "16 KiB", "32 KiB", "48 KiB", "64 KiB", "80 KiB"];
        check(Scale::Linear, Unit::Bytes, &[70_000.0], &expected);
    }

    #[test]
    fn linear_axis_reaches_below_zero_for_negative_values() {
        check(
            Scale::Linear,
            Unit::Count,
            &[-3.0, 5.0],
            &["-4", "-2", "0", "2", "4", "6"],
        );
    }

    #[test]
    fn log_axis_has_finer_ticks_the_shorter_it_is() {
        check(
            Scale::Log,
            Unit::Count,
            &[3.0, 40.0],
            &["2", "5", "10", "20", "50"],
        );
        let expected = ["1 µs", "10 µs", "100 µs", "1 ms"];
        check(Scale::Log, Unit::Duration, &[700.0, 3e6], &expected);
        check(
            Scale::Log,
            Unit::Duration,
            &[1.0, 1e9],
            &["1 ns", "100 ns", "10 µs", "1 ms", "100 ms"],
        );
        check(
            Scale::Log,
            Unit::Bytes,
            &[1_024.0, 4_096.0],
            &["1 KiB", "2 KiB", "4 KiB"],
        );
    }

    #[test]
    fn one_value_or_none_still_has_an_axis_around_it() {
        check(
            Scale::Log,
            Unit::Duration,
            &[100.0],
            &["90 ns", "95 ns", "100 ns", "105 ns", "110 ns"],
        );
        let expected = ["1.05 µs", "1.1 µs", "1.15 µs", "1.2 µs", "1.25 µs"];
        check(Scale::Log, Unit::Duration, &[1_060.0, 1_230.0], &expected);
        check(
            Scale::Log,
            Unit::Duration,
            &[],
            &["0.9 ns", "0.95 ns", "1 ns", "1.05 ns", "1.1 ns"],
        );
        check(
            Scale::Linear,
            Unit::Count,
            &[0.0, 0.0],
            &["0", "0.2", "0.4", "0.6", "0.8", "1"],
        );
    }

    #[test]
    fn value_that_is_not_positive_makes_a_log_axis_linear() {
        let (axis, _) = Axis::with_ticks(Scale::Log, Unit::Count, &[0.0, 9.0], &[], 5);
        assert_eq!(axis.scale, Scale::Linear);
        assert_eq!(Axis::over(Scale::Log, &[0.0, 9.0]).scale, Scale::Linear);
    }

    #[test]
    fn interval_that_reaches_below_zero_starts_where_a_log_axis_starts() {
        let (axis, _) = Axis::with_ticks(Scale::Log, Unit::Count, &[5.0, 9.0], &[-1.0, 12.0], 5);
        assert_eq!((axis.scale, axis.fraction(-1.0)), (Scale::Log, 0.0));
    }

    #[test]
    fn thinned_labels_keep_the_last_and_never_touch() {
        let crowded: Vec<_> = (0..10)
            .map(|index| (f64::from(index) * 10.0, 18.0))
            .collect();
        let kept: Vec<_> = (0..10)
            .filter(|&index| thin(&crowded, 4.0)[index])
            .collect();
        assert_eq!(kept, [0, 3, 6, 9]);
        assert!(thin(&[], 4.0).is_empty());
    }
}
