//! Numbers as people read them: a unit that fits and no digit finer than the interval.
//!
//! Tables and charts both write their figures here, so the same record never reads differently
//! in the two.

/// What a plotted or tabulated number counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Nanoseconds, written in ns, µs, ms or s.
    Duration,
    /// Things: allocations, instructions, nodes. Thousands are separated by commas.
    Count,
    /// Bytes, written in B, KiB, MiB, GiB or TiB.
    Bytes,
    /// How many times as much.
    Ratio,
    /// A fraction, written in percent.
    Percent,
}

impl Unit {
    /// `value` with the digits that an interval of `± half_width` supports, four at most (but
    /// every digit of a whole count).
    ///
    /// A `half_width` of 0 means that no interval is known: three digits, without trailing zeros.
    /// A value that is not finite reads `n/a`.
    pub(crate) fn format(self, value: f64, half_width: f64) -> String {
        if !value.is_finite() {
            return "n/a".to_owned();
        }
        let known = half_width.is_finite() && half_width > 0.0;
        let mut scale = self.scale(value);
        loop {
            let (divisor, suffix) = self.scales()[scale];
            let scaled = value / divisor;
            let place = if known {
                place_of(half_width / divisor)
                    .clamp((place_of(scaled) - 3).min(0), place_of(scaled))
            } else {
                (place_of(scaled) - 2).min(0)
            };
            let text = round(scaled, place);
            // 999.96 ns rounds to 1000 ns, which is written 1 µs.
            let next = self.scales().get(scale + 1);
            if next.is_some_and(|next| rounded(scaled, place).abs() * divisor >= next.0) {
                scale += 1;
                continue;
            }
            let text = if known { &text } else { trim_zeros(&text) };
            return format!("{text}{suffix}");
        }
    }

    /// The label of the tick at `value` on an axis whose ticks are `step` apart, in the unit that
    /// suits `largest`, so that all ticks of a linear axis share one unit.
    pub(crate) fn tick(self, value: f64, step: f64, largest: f64) -> String {
        if value == 0.0 {
            return "0".to_owned();
        }
        let (divisor, suffix) = self.scales()[self.scale(largest)];
        let step = step / divisor;
        // A step has one digit or two (2.5), so one place after its leading one is enough.
        let text = round(value / divisor, (place_of(step) - 1).min(0));
        format!("{}{suffix}", trim_zeros(&text))
    }

    /// The units of this quantity with their size, smallest first.
    fn scales(self) -> &'static [(f64, &'static str)] {
        const KIB: f64 = 1024.0;
        match self {
            Unit::Duration => &[(1.0, " ns"), (1e3, " µs"), (1e6, " ms"), (1e9, " s")],
            Unit::Count => &[(1.0, "")],
            Unit::Bytes => &[
                (1.0, " B"),
                (KIB, " KiB"),
                (KIB * KIB, " MiB"),
                (KIB * KIB * KIB, " GiB"),
                (KIB * KIB * KIB * KIB, " TiB"),
            ],
            Unit::Ratio => &[(1.0, "×")],
            Unit::Percent => &[(0.01, " %")],
        }
    }

    /// The index of the largest unit that `value` fills.
    fn scale(self, value: f64) -> usize {
        let filled = |scale: &(f64, &str)| scale.0 <= value.abs();
        self.scales().iter().rposition(filled).unwrap_or(0)
    }
}

/// How many times as much, for comparisons: `1.03×`, `1.3×`, `13×`, `1,300×`.
///
/// Two digits, and three between 1 and 1.1, where the second says nothing.
pub(crate) fn ratio(value: f64) -> String {
    let digits = if (1.0..1.095).contains(&value) { 3 } else { 2 };
    Unit::Ratio.format(value, 10_f64.powi(place_of(value) + 1 - digits))
}

/// The power of ten of the leading digit: 2 for 340, -1 for 0.5; 0 for 0 and for what is not finite.
fn place_of(value: f64) -> i32 {
    // Printing is exact where a logarithm may fall on the wrong side of a power of ten.
    let text = format!("{value:e}");
    let exponent = text.split_once('e').map_or("0", |(_, exponent)| exponent);
    exponent.parse().unwrap_or(0)
}

/// `value` rounded to a multiple of `10^place`.
fn rounded(value: f64, place: i32) -> f64 {
    if place > 0 {
        let unit = 10_f64.powi(place);
        (value / unit).round() * unit
    } else {
        // Dividing and multiplying would leave 0.30000000000000004.
        format!("{value:.*}", place.unsigned_abs() as usize)
            .parse()
            .unwrap_or(value)
    }
}

/// `value` rounded to a multiple of `10^place`, with commas between thousands; as `1.2e300` when it
/// would be longer than anyone reads.
fn round(value: f64, place: i32) -> String {
    if value != 0.0 && !(1e-9..1e15).contains(&value.abs()) {
        let digits = (place_of(value) - place).clamp(0, 2).unsigned_abs() as usize;
        return format!("{value:.digits$e}");
    }
    let decimals = place.min(0).unsigned_abs() as usize;
    let text = format!("{:.*}", decimals, rounded(value, place).abs());
    let (whole, fraction) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut out = String::new();
    if value < 0.0 && text.contains(|c: char| c.is_ascii_digit() && c != '0') {
        out.push('-');
    }
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out + fraction
}

/// `1.50` as `1.5` and `2.00` as `2`.
fn trim_zeros(text: &str) -> &str {
    if text.contains('.') && !text.contains('e') {
        text.trim_end_matches('0').trim_end_matches('.')
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(unit: Unit, value: f64, half_width: f64, expected: &str) {
        assert_eq!(unit.format(value, half_width), expected);
    }

    #[test]
    fn digits_are_no_finer_than_the_interval() {
        check(Unit::Duration, 0.5432, 0.02, "0.54 ns");
        check(Unit::Duration, 7.6, 0.05, "7.60 ns");
        check(Unit::Duration, 343.0, 80.0, "340 ns");
        check(Unit::Duration, 343.0, 2_000.0, "300 ns");
        check(Unit::Duration, 1_234_000.0, 300_000.0, "1.2 ms");
        check(Unit::Count, 12_345.6, 30.0, "12,350");
    }

    #[test]
    fn narrow_interval_shows_four_digits_but_never_rounds_a_whole_count() {
        check(Unit::Duration, 1.234_567e6, 0.001, "1.235 ms");
        check(Unit::Count, 123_456.0, 0.2, "123,456");
    }

    #[test]
    fn value_without_interval_has_three_digits_and_no_trailing_zeros() {
        check(Unit::Duration, 1e9, 0.0, "1 s");
        check(Unit::Duration, 4_500_000.0, 0.0, "4.5 ms");
        check(Unit::Duration, 425_987.0, 0.0, "426 µs");
        check(Unit::Count, 1_234_567.0, 0.0, "1,234,567");
        check(Unit::Count, 0.5, 0.0, "0.5");
        check(Unit::Bytes, 1_536.0, f64::NAN, "1.5 KiB");
        check(Unit::Percent, 0.01, 0.0, "1 %");
        check(Unit::Percent, -0.063, 0.005, "-6.3 %");
        check(Unit::Percent, 12.0, 0.0, "1,200 %");
    }

    #[test]
    fn unit_changes_where_the_number_would_have_four_digits() {
        check(Unit::Duration, 999.96, 1.0, "1.000 µs");
        check(Unit::Duration, 999.4, 1.0, "999 ns");
        check(Unit::Duration, 3_600e9, 0.0, "3,600 s");
        check(Unit::Bytes, 1_023.0, 0.0, "1,023 B");
        check(Unit::Bytes, 1_024.0, 0.0, "1 KiB");
        check(Unit::Bytes, 3.0 * 1024.0 * 1024.0, 0.0, "3 MiB");
    }

    #[test]
    fn zero_and_sign_are_kept_and_extremes_stay_short() {
        check(Unit::Duration, 0.0, 0.0, "0 ns");
        check(Unit::Duration, 0.0, 3.0, "0 ns");
        check(Unit::Duration, -1_500.0, 0.0, "-1.5 µs");
        check(Unit::Duration, 1e300, 0.0, "1.00e291 s");
        check(Unit::Count, 1.5e-20, 1e-21, "1.5e-20");
        check(Unit::Duration, f64::NAN, 0.0, "n/a");
        check(Unit::Count, f64::INFINITY, 1.0, "n/a");
    }

    #[test]
    fn ticks_of_one_axis_share_their_unit() {
        let tick = |value| Unit::Duration.tick(value, 250.0, 1_500.0);
        assert_eq!(
            [0.0, 250.0, 500.0, 1_500.0].map(tick),
            ["0", "0.25 µs", "0.5 µs", "1.5 µs"]
        );
        assert_eq!(Unit::Count.tick(10_000.0, 2_000.0, 10_000.0), "10,000");
        assert_eq!(Unit::Duration.tick(0.5, 0.5, 0.5), "0.5 ns");
        assert_eq!(Unit::Bytes.tick(65_536.0, 32_768.0, 98_304.0), "64 KiB");
    }

    #[test]
    fn ratio_has_two_digits_and_a_third_near_one() {
        let cases = [0.834, 1.0, 1.034, 1.096, 1.34, 13.4, 1_234.5, f64::INFINITY];
        let expected = [
            "0.83×", "1.00×", "1.03×", "1.1×", "1.3×", "13×", "1,200×", "n/a",
        ];
        assert_eq!(cases.map(ratio), expected);
    }
}
