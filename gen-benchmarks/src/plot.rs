//! Which picture a group gets, and what stands in it.

use std::collections::HashMap;

use bench_harness::stats::Estimate;

use crate::chart::{self, Chart, Fit, Point, Scale, Series, Theme};
use crate::format::Unit;
use crate::report::{Measured, Outcome, Report, Row, Table, number, ratio};

/// Values that span less than this are drawn from zero, others on a logarithmic axis.
const LOG_SPAN: f64 = 20.0;
/// With fewer processes a case than this, their distribution says nothing.
const LAUNCHES: usize = 3;
/// With fewer numeric inputs than this, a line is not worth its place: rows can be read.
const LINE_INPUTS: usize = 3;
/// More lines than this cannot be told apart in one plot.
const LINES: usize = 8;
/// More rows than this cannot be compared with each other.
const ROWS: usize = 24;
/// More rows, panels or columns than this nobody looks through; the table has them all. A picture of
/// 1,250 panels would be 40,000 pixels high.
const SHOWN: usize = 120;
/// An exponent is fitted to at least this many inputs,
const FIT_INPUTS: usize = 4;
/// and named where no time is further from the fit than by this factor.
const FIT_FACTOR: f64 = 1.1;
/// How many series a description names.
const SPOKEN: usize = 8;

/// What a group looks like.
///
/// | measured inputs | series | picture |
/// |---|---|---|
/// | one | any | launches: a row for each series with all its processes; bars where there are fewer than 3 |
/// | 3 or more numbers | up to 8 | lines |
/// | 3 or more numbers | more | small multiples: a panel for each series |
/// | 2 numbers, or names | 1, or up to 24 cases | bars with whiskers |
/// | 2 numbers, or names | more | heat map of ratios |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Launches,
    Bars,
    Lines,
    Multiples,
    Heat,
}

impl Kind {
    fn of(table: &Table) -> Self {
        let inputs = inputs(table).len();
        if inputs == 1 {
            let measured = table.rows.iter().filter_map(Row::measured);
            let processes = measured.map(|measured| measured.processes.len());
            return match processes.min() >= Some(LAUNCHES) {
                true => Self::Launches,
                false => Self::Bars,
            };
        }
        let is_measured = |series: &&String| is_measured(table, series);
        let series = table.series.iter().filter(is_measured).count();
        match table.numeric() && inputs >= LINE_INPUTS {
            true if series <= LINES => Self::Lines,
            true => Self::Multiples,
            false if series == 1 || table.rows.len() <= ROWS => Self::Bars,
            false => Self::Heat,
        }
    }
}

/// The chart of a group, or nothing where no case was measured.
pub(crate) fn draw(report: &Report, table: &Table, theme: Theme) -> Option<String> {
    let kind = Kind::of(table);
    let chart = describe(report, table, kind, SHOWN)?;
    Some(match kind {
        Kind::Launches => chart::launches(&chart, theme),
        Kind::Bars => chart::bars(&chart, theme),
        Kind::Lines => chart::line(&chart, theme),
        Kind::Multiples => chart::multiples(&chart, theme),
        Kind::Heat => chart::heat(&chart, theme),
    })
}

/// What a page that draws a group itself shows, as lines or else as bars.
///
/// Panels and heat maps are for paper: on a page, series and rows can be hidden instead.
pub(crate) fn interactive(report: &Report, table: &Table) -> Option<(bool, Chart)> {
    let shown = Kind::of(table);
    let kind = match shown {
        Kind::Lines | Kind::Multiples => Kind::Lines,
        Kind::Launches | Kind::Bars | Kind::Heat => Kind::Bars,
    };
    // It leaves out by itself what would be too much.
    let mut chart = describe(report, table, kind, usize::MAX)?;
    if shown == Kind::Launches {
        chart.y_scale = Scale::Log;
    }
    Some((kind == Kind::Lines, chart))
}

/// What the chart of a group shows, for who cannot see it; nothing where there is no chart.
pub(crate) fn description(table: &Table) -> Option<String> {
    let of = table.of();
    let axis = &table.info.axis;
    let kind = Kind::of(table);
    let sentence = match kind {
        Kind::Launches => format!("Every process of each series as a dot: time {of}."),
        Kind::Bars => format!("Bars: time {of} by {axis}."),
        Kind::Lines => format!("Lines: time {of} against {axis}."),
        Kind::Multiples => format!("A panel for each series: time {of} against {axis}."),
        Kind::Heat => format!("Heat map: {}.", compared(table)),
    };
    let input = inputs(table).pop()?;
    let at = match input {
        "" => String::new(),
        input => format!(" At {}", clipped(input)),
    };
    let ranking = table.ranking(input);
    let named: Vec<String> = ranking
        .clone()
        .take(SPOKEN)
        .map(|(series, measured)| format!("{} {}", clipped(series), value_text(measured)))
        .collect();
    let more = match ranking.len().saturating_sub(SPOKEN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let order = match ranking.len() {
        1 => "",
        _ if table.unrelated => " Shortest first",
        _ if at.is_empty() => " Fastest first",
        _ => ", fastest first",
    };
    let colon = if at.is_empty() && order.is_empty() {
        " "
    } else {
        ": "
    };
    let failed = table.rows.len() - table.rows.iter().filter_map(Row::measured).count();
    let failed = match failed {
        0 => String::new(),
        1 => " One case failed.".to_owned(),
        n => format!(" {n} cases failed."),
    };
    let parts = shown(table, kind, SHOWN);
    let (drawn, same) = match parts.is_empty() {
        true => (String::new(), "the same data"),
        false => (format!(" Drawn are {}.", parts.join(", ")), "all data"),
    };
    Some(format!(
        "{sentence}{drawn}{at}{order}{colon}{}{more}.{failed} The table below the chart holds {same}.",
        named.join(", ")
    ))
}

/// What a picture shows of a group that has more than `most` of something.
fn shown(table: &Table, kind: Kind, most: usize) -> Vec<String> {
    let count = |count: usize| Unit::Count.format(count as f64, 0.0);
    let mut parts = Vec::new();
    let series = table.series.len();
    if series > most {
        let which = if kind == Kind::Bars && inputs(table).len() > 1 {
            "first"
        } else {
            "fastest"
        };
        parts.push(format!(
            "the {} {which} of {} series",
            count(most),
            count(series)
        ));
    }
    let inputs = inputs(table).len();
    if matches!(kind, Kind::Bars | Kind::Heat) && inputs > most {
        parts.push(format!(
            "the first {} of {} inputs",
            count(most),
            count(inputs)
        ));
    }
    parts
}

/// The chart of a group, with no more than `most` of what stands below or beside each other.
fn describe(report: &Report, table: &Table, kind: Kind, most: usize) -> Option<Chart> {
    let inputs = inputs(table);
    let last = *inputs.last()?;
    let mut order: Vec<&str> = match kind {
        Kind::Launches | Kind::Multiples => ranked(table, &[last]),
        Kind::Bars if inputs.len() == 1 => ranked(table, &[last]),
        Kind::Heat => ranked(table, &inputs),
        Kind::Bars | Kind::Lines => table.series.iter().map(String::as_str).collect(),
    };
    order.truncate(most);
    let is_long = matches!(kind, Kind::Bars | Kind::Heat) && inputs.len() > most;
    let end = match is_long {
        true => table.position(inputs[most - 1])?,
        false => f64::INFINITY,
    };
    let series: Vec<Series> = order
        .iter()
        .map(|series| match kind {
            Kind::Heat => ratios(table, series, end),
            _ => times(table, series, kind, end),
        })
        .collect();
    let series = emphasise(table, series, kind, &inputs);
    let points = || series.iter().flat_map(|series| &series.points);
    let values = || points().map(|point| point.y).filter(|y| y.is_finite());
    let positions = inputs.iter().filter_map(|input| number(input));
    let has_fit = series.iter().any(|series| series.fit.is_some());
    Some(Chart {
        id: table.info.group.clone(),
        title: table.info.question.clone(),
        subtitle: subtitle(report, table, kind, has_fit, most),
        description: description(table)?,
        x_label: table.info.axis.clone(),
        y_label: match kind {
            Kind::Heat => compared(table),
            _ => format!("time {}", table.of()),
        },
        y_unit: match kind {
            Kind::Heat => Unit::Ratio,
            _ => Unit::Duration,
        },
        x_scale: scale(positions, 10.0),
        y_scale: match kind {
            // Equal spreads are equally long, however slow a series is.
            Kind::Launches => Scale::Log,
            _ => scale(values(), LOG_SPAN),
        },
        series,
        unrelated: table.unrelated,
    })
}

/// Group, quantity, statistic, and what else a reader needs to know of the picture.
fn subtitle(report: &Report, table: &Table, kind: Kind, has_fit: bool, most: usize) -> String {
    let processes = report.run.processes;
    let group = &table.info.group;
    let time = format!("time {}", table.of());
    let median = match processes {
        1 => "of one process".to_owned(),
        _ => format!(
            "median of {processes} processes with {:.0} % interval",
            (report.confidence * 100.0).floor()
        ),
    };
    let lower = "lower is better";
    let mut parts = match kind {
        Kind::Launches => vec![
            time,
            format!(
                "a dot is one of {processes} processes, the box their middle half, the line their median"
            ),
            lower.to_owned(),
        ],
        Kind::Bars => vec![format!("{time}, {median}"), lower.to_owned()],
        Kind::Lines if has_fit => vec![
            format!("{time}, {median}"),
            "dotted: fitted n^b".to_owned(),
            lower.to_owned(),
        ],
        Kind::Lines => vec![format!("{time}, {median}"), lower.to_owned()],
        Kind::Multiples => vec![
            format!("{time}, {median}"),
            "blue: fastest at the last input".to_owned(),
            lower.to_owned(),
        ],
        Kind::Heat => vec![
            format!("{}, median of {processes} processes", compared(table)),
            "blue is faster, orange is slower, without colour: not measurably different".to_owned(),
        ],
    };
    if !table.info.bounds.is_empty() {
        parts.push(format!("a bound: {}", table.info.bounds.join(", ")));
    }
    parts.extend(shown(table, kind, most));
    format!("{group} · {}", parts.join(" · "))
}

/// The inputs at which any series was measured.
fn inputs(table: &Table) -> Vec<&str> {
    let measured = |input: &&String| table.ranking(input).len() > 0;
    let inputs = table.inputs.iter().filter(measured);
    inputs.map(String::as_str).collect()
}

/// Whether the series was measured at any input.
fn is_measured(table: &Table, series: &str) -> bool {
    table.rows_of(series).any(|row| row.measured().is_some())
}

/// All series, from the one that takes least time at `inputs` to those that were not measured there:
/// by the geometric mean of the ratios to the fastest of each input.
fn ranked<'a>(table: &'a Table, inputs: &[&str]) -> Vec<&'a str> {
    let places = table.series.iter().map(String::as_str).zip(0..);
    let places: HashMap<&str, usize> = places.collect();
    let mut sums: Vec<(f64, u32)> = vec![(0.0, 0); table.series.len()];
    for input in inputs {
        let mut ranking = table.ranking(input);
        let Some((_, best)) = ranking.clone().next() else {
            continue;
        };
        for (series, measured) in &mut ranking {
            let factor = (measured.time.point / best.time.point).ln();
            if factor.is_finite() {
                let (sum, count) = &mut sums[places[series]];
                *sum += factor;
                *count += 1;
            }
        }
    }
    let mean = |&(sum, count): &(f64, u32)| match count {
        0 => f64::INFINITY,
        count => sum / f64::from(count),
    };
    let mut order: Vec<(f64, &str)> = sums
        .iter()
        .map(mean)
        .zip(table.series.iter().map(String::as_str))
        .collect();
    order.sort_by(|one, other| one.0.total_cmp(&other.0));
    order.into_iter().map(|(_, series)| series).collect()
}

/// One line, or one row in every group, as far as `end`.
fn times(table: &Table, series: &str, kind: Kind, end: f64) -> Series {
    let points = places(table, series, end).map(|(x, row)| match &row.outcome {
        Outcome::Measured(measured) => Point {
            y: measured.time.point,
            low: measured.time.low,
            high: measured.time.high,
            note: match measured.instructions {
                Some(count) if kind == Kind::Bars => {
                    format!("{} instr", Unit::Count.format(count, 0.0))
                }
                _ => String::new(),
            },
            processes: match kind {
                Kind::Launches => measured.processes.iter().map(|(_, time)| *time).collect(),
                _ => Vec::new(),
            },
            ..absent(x, &row.input, "")
        },
        Outcome::Failed(_) => absent(x, &row.input, "failed"),
    });
    let points: Vec<Point> = points.collect();
    Series {
        name: series.to_owned(),
        emphasised: false,
        fit: match kind {
            Kind::Lines | Kind::Multiples => fit(table, series, &points),
            _ => None,
        },
        points,
    }
}

/// One row of a heat map, as far as `end`.
fn ratios(table: &Table, series: &str, end: f64) -> Series {
    let points = places(table, series, end).map(|(x, row)| {
        let Outcome::Measured(measured) = &row.outcome else {
            return absent(x, &row.input, "failed");
        };
        let time = value_text(measured);
        match compared_with(table, &row.input).and_then(|other| ratio(measured, other)) {
            Some(Estimate {
                point, low, high, ..
            }) => Point {
                y: point,
                low,
                high,
                ..absent(x, &row.input, &time)
            },
            // There is nothing to compare with.
            None => absent(x, &row.input, &time),
        }
    });
    Series {
        name: series.to_owned(),
        emphasised: false,
        points: points.collect(),
        fit: None,
    }
}

/// The rows of a series up to the position `end` on the x axis, with their positions.
fn places<'a>(table: &'a Table, series: &'a str, end: f64) -> impl Iterator<Item = (f64, &'a Row)> {
    let rows = table.rows_of(series);
    let places = rows.filter_map(|row| Some((table.position(&row.input)?, row)));
    places.filter(move |(x, _)| *x <= end)
}

/// A point without a value, and what stands there instead.
fn absent(x: f64, input: &str, note: &str) -> Point {
    Point {
        x,
        x_label: match number(input) {
            Some(number) if number.fract() == 0.0 => Unit::Count.format(number, 0.0),
            _ => input.to_owned(),
        },
        y: f64::NAN,
        low: f64::NAN,
        high: f64::NAN,
        note: note.to_owned(),
        processes: Vec::new(),
    }
}

/// The power of the input that the times of a series follow, where enough inputs were measured and
/// no time is far from it.
fn fit(table: &Table, series: &str, points: &[Point]) -> Option<Fit> {
    let exponent = table.growth(series)?.point;
    let measured = points.iter().filter(|point| point.y.is_finite());
    let logs: Vec<(f64, f64)> = measured.map(|point| (point.x.ln(), point.y.ln())).collect();
    let mut positions: Vec<f64> = logs.iter().map(|(x, _)| *x).collect();
    positions.dedup();
    if positions.len() < FIT_INPUTS {
        return None;
    }
    let above = |&(x, y): &(f64, f64)| y - exponent * x;
    let factor = logs.iter().map(above).sum::<f64>() / logs.len() as f64;
    let is_good = |log: &(f64, f64)| (above(log) - factor).abs() <= FIT_FACTOR.ln();
    logs.iter().all(is_good).then_some(Fit {
        factor: factor.exp(),
        exponent,
    })
}

/// What the times of a heat map are divided by, as a phrase.
fn compared(table: &Table) -> String {
    let axis = &table.info.axis;
    match baseline(table) {
        Some(baseline) => format!("time {} over that of {baseline}", table.of()),
        None => format!("time {} over the least of the same {axis}", table.of()),
    }
}

/// What the times at `input` are divided by.
fn compared_with<'a>(table: &'a Table, input: &str) -> Option<&'a Measured> {
    match baseline(table) {
        Some(baseline) => table.measured(baseline, input),
        None => Some(table.ranking(input).next()?.1),
    }
}

/// The baseline, unless it was measured nowhere.
fn baseline(table: &Table) -> Option<&str> {
    let baseline = table.info.baseline.as_deref()?;
    is_measured(table, baseline).then_some(baseline)
}

/// Marks the series to look at first: the fastest at the last input, where inputs are numbers, and
/// over all inputs where they are names. In a heat map the order says it.
fn emphasise(table: &Table, mut series: Vec<Series>, kind: Kind, inputs: &[&str]) -> Vec<Series> {
    let inputs = match inputs {
        [.., last] if table.numeric() => std::slice::from_ref(last),
        all => all,
    };
    let mut choices = ranked(table, inputs).into_iter();
    let fastest = choices.find(|series| !table.is_bound(series));
    for one in &mut series {
        let is_fastest = fastest == Some(one.name.as_str());
        one.emphasised = kind != Kind::Heat && !table.unrelated && is_fastest;
    }
    series
}

/// Logarithmic where positive values span at least `span`.
fn scale(values: impl Iterator<Item = f64>, span: f64) -> Scale {
    let (least, most) = values.fold((f64::INFINITY, 0.0), |(least, most): (f64, f64), value| {
        (least.min(value), most.max(value))
    });
    match least > 0.0 && most / least >= span {
        true => Scale::Log,
        false => Scale::Linear,
    }
}

/// A time with its unit, no finer than its interval.
fn value_text(measured: &Measured) -> String {
    let Estimate {
        point, low, high, ..
    } = measured.time;
    Unit::Duration.format(point, (high - low) / 2.0)
}

/// The beginning of a name.
fn clipped(name: &str) -> String {
    let mut clipped: String = name.chars().take(60).collect();
    if clipped.len() < name.len() {
        clipped.push('…');
    }
    clipped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    /// A group whose series take longer one after the other, and longer with the input.
    fn grid(series: u64, inputs: &[&str], processes: u64) -> Report {
        let names: Vec<String> = (0..series).map(|index| format!("series-{index}")).collect();
        let times: Vec<Vec<u64>> = (0..series)
            .flat_map(|one| (1..=inputs.len() as u64).map(move |input| (one, input)))
            .map(|(one, input)| {
                (0..processes)
                    .map(|process| (100 + 10 * one) * input * input + process)
                    .collect()
            })
            .collect();
        let cases: Vec<(&str, &str, &[u64])> = names
            .iter()
            .flat_map(|name| inputs.iter().map(move |input| (name.as_str(), *input)))
            .zip(&times)
            .map(|((name, input), times)| (name, input, times.as_slice()))
            .collect();
        report(&cases)
    }

    #[track_caller]
    fn check(series: u64, inputs: &[&str], expected: Kind) {
        assert_eq!(Kind::of(&grid(series, inputs, 6).groups[0]), expected);
    }

    #[test]
    fn picture_follows_from_the_number_of_inputs_and_series() {
        for inputs in [&["1000"], &["name"]] {
            check(1, inputs, Kind::Launches);
            check(60, inputs, Kind::Launches);
        }
        let numbers = ["10", "100", "1000", "10000"];
        check(1, &numbers, Kind::Lines);
        check(8, &numbers[1..], Kind::Lines);
        check(9, &numbers, Kind::Multiples);
        check(60, &numbers, Kind::Multiples);
        check(12, &numbers[..2], Kind::Bars);
        check(13, &numbers[..2], Kind::Heat);
        let names = ["chain", "tree", "fan"];
        check(8, &names, Kind::Bars);
        check(9, &names, Kind::Heat);
        let many: Vec<String> = (0..40).map(|index| format!("name-{index}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        check(1, &many, Kind::Bars);
        check(2, &many, Kind::Heat);
    }

    #[test]
    fn few_processes_have_no_distribution() {
        assert_eq!(Kind::of(&grid(3, &["1"], 2).groups[0]), Kind::Bars);
        assert_eq!(Kind::of(&grid(3, &["1"], 3).groups[0]), Kind::Launches);
    }

    #[test]
    fn inputs_at_which_everything_failed_do_not_count() {
        let ok: &[u64] = &[100, 101, 102];
        let report = report(&[
            ("a", "1", ok),
            ("b", "1", ok),
            ("a", "2", &[]),
            ("b", "2", &[]),
        ]);
        let table = &report.groups[0];
        assert_eq!(Kind::of(table), Kind::Launches);
        let svg = draw(&report, table, Theme::Light).expect("a chart");
        assert_eq!(svg.matches(">failed<").count(), 2, "{svg}");
    }

    #[test]
    fn group_without_a_measured_case_has_no_chart() {
        let report = report(&[("a", "1", &[]), ("b", "1", &[])]);
        assert_eq!(draw(&report, &report.groups[0], Theme::Light), None);
        assert_eq!(description(&report.groups[0]), None);
    }

    #[test]
    fn every_kind_is_drawn_and_described() {
        let names: Vec<String> = (0..30).map(|index| format!("name-{index}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let shapes: [(u64, &[&str]); 5] = [
            (3, &["1"]),
            (3, &["1", "2"]),
            (3, &["1", "2", "3"]),
            (60, &["1", "2", "3"]),
            (3, &names),
        ];
        let mut kinds = vec![];
        for (series, inputs) in shapes {
            let report = grid(series, inputs, 6);
            let table = &report.groups[0];
            kinds.push(Kind::of(table));
            let description = description(table).expect("a description");
            assert!(description.contains("series-0 "), "{description}");
            assert!(description.len() < 400, "{description}");
            for theme in [Theme::Light, Theme::Dark] {
                let svg = draw(&report, table, theme).expect("a chart");
                assert!(svg.contains(&description), "{svg}");
                assert_eq!(Some(svg), draw(&report, table, theme));
            }
        }
        use Kind::*;
        assert_eq!(kinds, [Launches, Bars, Lines, Multiples, Heat]);
    }

    #[test]
    fn picture_of_very_many_shows_the_first_of_them_and_says_so() {
        let names: Vec<String> = (0..130).map(|index| format!("name-{index}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let series = "the 120 fastest of 130 series";
        let inputs = "the first 120 of 130 inputs";
        type Shape<'a> = (u64, &'a [&'a str], Kind, &'a [&'a str]);
        let shapes: [Shape<'_>; 4] = [
            (130, &["1"], Kind::Launches, &[series]),
            (130, &["1", "2", "3"], Kind::Multiples, &[series]),
            (1, &names, Kind::Bars, &[inputs]),
            (130, &names, Kind::Heat, &[series, inputs]),
        ];
        for (count, inputs, kind, said) in shapes {
            let report = grid(count, inputs, 3);
            let table = &report.groups[0];
            assert_eq!(Kind::of(table), kind);
            let svg = draw(&report, table, Theme::Light).expect("a chart");
            for part in said {
                // Where it is read and where it is heard.
                assert_eq!(svg.matches(part).count(), 2, "{kind:?} {part}");
            }
            // The names of columns are broken into lines.
            let lists = [(count > 120, "series"), (kind == Kind::Bars, "name")];
            for (_, name) in lists.into_iter().filter(|(is_cut, _)| *is_cut) {
                assert!(svg.contains(&format!(">{name}-119<")), "{kind:?}");
                assert!(!svg.contains(&format!(">{name}-120<")), "{kind:?}");
            }
        }
        // The page's script has a limit of its own.
        let report = grid(130, &["1"], 3);
        let (_, chart) = interactive(&report, &report.groups[0]).expect("a chart");
        assert_eq!(chart.series.len(), 130);
        assert!(!chart.subtitle.contains("of 130"), "{}", chart.subtitle);
    }

    #[track_caller]
    fn check_fit(times: &[(&str, u64)], expected: Option<&str>) {
        let cases: Vec<(&str, &str, [u64; 2])> = times
            .iter()
            .map(|&(input, time)| ("slow", input, [time, time]))
            .collect();
        let cases: Vec<(&str, &str, &[u64])> = cases
            .iter()
            .map(|(series, input, times)| (*series, *input, times.as_slice()))
            .collect();
        let report = report(&cases);
        let series = times_of(&report.groups[0]);
        let exponent = series.fit.map(|fit| fit.exponent_text());
        assert_eq!(exponent.as_deref(), expected);
    }

    fn times_of(table: &Table) -> Series {
        times(table, "slow", Kind::Lines, f64::INFINITY)
    }

    #[test]
    fn exponent_is_named_where_four_inputs_follow_a_power() {
        check_fit(&[("10", 100), ("100", 1_000), ("1000", 10_000)], None);
        let straight = [
            ("10", 105),
            ("100", 960),
            ("1000", 10_400),
            ("10000", 102_000),
        ];
        check_fit(&straight, Some("n^1.00"));
        let flat = [("10", 100), ("100", 100), ("1000", 100), ("10000", 100)];
        check_fit(&flat, Some("n^0.00"));
        // A fixed cost, and one for each node: no power.
        let bent = [
            ("10", 1_010),
            ("100", 1_100),
            ("1000", 2_000),
            ("10000", 11_000),
        ];
        check_fit(&bent, None);
        check_fit(
            &[("0", 100), ("10", 100), ("100", 100), ("1000", 100)],
            None,
        );
        check_fit(&[("1", 0), ("10", 100), ("100", 100), ("1000", 100)], None);
    }

    #[test]
    fn fit_passes_through_the_times() {
        let inputs = ["10", "100", "1000", "10000"];
        let report = grid(1, &inputs, 6);
        let series = times(&report.groups[0], "series-0", Kind::Lines, f64::INFINITY);
        assert_eq!(
            series.fit, None,
            "squares of 1, 2, 3, 4 are no power of 10, 100, ..."
        );
        let cases: Vec<(&str, &str, &[u64])> = vec![
            ("slow", "1", &[3, 3]),
            ("slow", "2", &[12, 12]),
            ("slow", "4", &[48, 48]),
            ("slow", "8", &[192, 192]),
        ];
        let fit = times_of(&crate::report::tests::report(&cases).groups[0]).fit;
        let fit = fit.expect("a power");
        assert!((fit.factor - 3.0).abs() < 1e-9 && (fit.exponent - 2.0).abs() < 1e-9);
    }

    #[test]
    fn heat_map_compares_with_the_baseline_and_else_with_the_best() {
        let names: Vec<String> = (0..30).map(|index| format!("name-{index}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut report = grid(2, &names, 6);
        // The baseline of these records is `slow`, which is not among the series.
        let of = |report: &Report, series: &str| -> f64 {
            let series = ratios(&report.groups[0], series, f64::INFINITY);
            series.points[0].y
        };
        assert!(of(&report, "series-1") > 1.0 && of(&report, "series-0") == 1.0);
        report.groups[0].info.baseline = Some("series-1".to_owned());
        assert!(of(&report, "series-1") == 1.0 && of(&report, "series-0") < 1.0);
        let svg = draw(&report, &report.groups[0], Theme::Light).expect("a chart");
        assert!(svg.contains("over that of series-1"), "{svg}");
    }

    #[test]
    fn series_are_ordered_by_what_they_take_over_all_inputs() {
        let report = report(&[
            ("mixed", "a", &[100, 100]),
            ("slow", "a", &[300, 300]),
            ("best", "a", &[120, 120]),
            ("none", "a", &[]),
            ("mixed", "b", &[900, 900]),
            ("slow", "b", &[800, 800]),
            ("best", "b", &[300, 300]),
        ]);
        let table = &report.groups[0];
        assert_eq!(
            ranked(table, &["a", "b"]),
            ["best", "mixed", "slow", "none"]
        );
        assert_eq!(ranked(table, &["a"])[0], "mixed");
    }
}
