//! Which picture a group gets, and what stands in it.

use crate::chart::{self, Chart, Point, Scale, Series, Theme};
use crate::format::Unit;
use crate::report::{Measured, Report, Table, number};

/// Values that span less than this are drawn from zero, others on a logarithmic axis.
const LOG_SPAN: f64 = 20.0;

/// The chart of a group, or nothing where no case was measured.
///
/// Inputs that are numbers make lines; a single input, and inputs that are names, make bars.
pub(crate) fn draw(report: &Report, table: &Table, theme: Theme) -> Option<String> {
    let chart = describe(report, table)?;
    Some(match table.numeric() && table.inputs.len() > 1 {
        true => chart::line(&chart, theme),
        false => chart::bars(&chart, theme),
    })
}

fn describe(report: &Report, table: &Table) -> Option<Chart> {
    let series: Vec<Series> = table
        .series
        .iter()
        .map(|series| points(table, series))
        .collect();
    let times = series
        .iter()
        .flat_map(|series| series.points.iter().map(|point| point.y));
    let inputs = table.inputs.iter().filter_map(|input| number(input));
    let processes = report.run.processes;
    Some(Chart {
        id: table.info.group.clone(),
        title: table.info.question.clone(),
        subtitle: format!(
            "{} · time {}, median of {processes} processes with {:.0} % interval · lower is better",
            table.info.group,
            table.of(),
            (report.confidence() * 100.0).floor()
        ),
        description: format!(
            "Time {} by {} for {}. The table below the chart holds the same data.",
            table.of(),
            table.info.axis,
            table.series.join(", ")
        ),
        x_label: table.info.axis.clone(),
        y_label: format!("time {}", table.of()),
        y_unit: Unit::Duration,
        x_scale: scale(inputs, 10.0),
        y_scale: scale(times, LOG_SPAN),
        series: emphasise(table, series)?,
    })
}

/// One line or one bar in every group.
fn points(table: &Table, series: &str) -> Series {
    let measured: Vec<(usize, &String, &Measured)> = table
        .inputs
        .iter()
        .enumerate()
        .filter_map(|(at, input)| Some((at, input, table.measured(series, input)?)))
        .collect();
    let growth = table
        .growth(series)
        .map(|growth| format!("n^{:.2}", growth.point));
    let points = measured
        .into_iter()
        .map(|(at, input, measured)| Point {
            x: number(input)
                .filter(|_| table.numeric())
                .unwrap_or(at as f64),
            x_label: match number(input) {
                Some(number) if number.fract() == 0.0 => Unit::Count.format(number, 0.0),
                _ => input.clone(),
            },
            y: measured.time.point,
            low: measured.time.low,
            high: measured.time.high,
            note: growth.clone().unwrap_or_default(),
        })
        .collect();
    Series {
        name: series.to_owned(),
        emphasised: false,
        points,
    }
}

/// Marks the series that is fastest at the last input.
fn emphasise(table: &Table, mut series: Vec<Series>) -> Option<Vec<Series>> {
    let mut rankings = table.inputs.iter().rev().map(|input| table.ranking(input));
    let fastest = rankings.find_map(|ranking| Some(ranking.first()?.0))?;
    for one in &mut series {
        one.emphasised = one.name == fastest;
    }
    Some(series)
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
