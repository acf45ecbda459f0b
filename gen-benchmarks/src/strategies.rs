//! The ranking of strategies for a reader's own workload: a record in, text and charts out.

use std::fmt::Write;

use bench_harness::stats::Estimate;

use crate::chart::Theme;
use crate::format::Unit;
use crate::markdown::interval;
use crate::plot::draw;
use crate::report::{Counted, Measured, Outcome, Report, Table, ratio};

/// A table for each group, fastest strategy first, and what follows from it.
pub(crate) fn ranking(report: &Report) -> String {
    let mut text = String::new();
    for table in &report.groups {
        for input in &table.inputs {
            write_line(&mut text, &table.info.question);
            write_line(&mut text, &format!("{}\n", table.info.work));
            rows(&mut text, table, input);
            text.push('\n');
            choice(&mut text, table, input);
        }
        for row in &table.rows {
            if let Outcome::Failed(reason) = &row.outcome {
                write_line(&mut text, &format!("failed: {}: {reason}", row.series));
            }
        }
        text.push('\n');
    }
    write_line(
        &mut text,
        &format!(
            "Medians of {} processes each, in turn; in brackets the interval that covers the true median with a probability of at least {:.0} %. Bytes are those asked for, without what an allocator adds; the peak is that of a whole cycle, all threads together.",
            report.run.processes,
            (report.confidence * 100.0).floor()
        ),
    );
    for skipped in &report.run.skipped {
        write_line(
            &mut text,
            &format!("left out: {}: {}", skipped.target, skipped.reason),
        );
    }
    text
}

fn rows(text: &mut String, table: &Table, input: &str) {
    let ranking: Vec<(&str, &Measured)> = table.ranking(input).collect();
    let Some(&(_, best)) = ranking.first() else {
        return;
    };
    let mut lines = vec![
        [
            "rank",
            "strategy",
            &format!("time {}", table.of()),
            "x the best",
            "allocs",
            "bytes",
            "peak",
        ]
        .map(str::to_owned),
    ];
    for (&(series, measured), rank) in ranking.iter().zip(ranks(&ranking)) {
        let counted = |unit: Unit, value: fn(&Counted) -> f64| {
            measured
                .allocations
                .map_or("?".to_owned(), |counted| unit.format(value(&counted), 0.0))
        };
        let times = match std::ptr::eq(measured, best) {
            true => "1".to_owned(),
            false => {
                ratio(measured, best).map_or("?".to_owned(), |ratio| interval(Unit::Ratio, &ratio))
            }
        };
        lines.push([
            rank.to_string(),
            series.to_owned(),
            interval(Unit::Duration, &measured.time),
            times,
            counted(Unit::Count, |counted| counted.count),
            counted(Unit::Bytes, |counted| counted.bytes),
            counted(Unit::Bytes, |counted| counted.peak_bytes),
        ]);
    }
    let width = |column: usize| {
        let cells = lines.iter().map(|line| line[column].chars().count());
        cells.max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..lines[0].len()).map(width).collect();
    for line in &lines {
        let cells = line.iter().zip(&widths).enumerate();
        let cells: Vec<String> = cells
            .map(|(column, (cell, &width))| match column {
                // Names begin where names begin, numbers end where numbers end.
                1 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            })
            .collect();
        write_line(text, cells.join("  ").trim_end());
    }
}

/// The places of strategies that are ordered by time; who is not measurably slower than the first of
/// a place shares it.
fn ranks(ranking: &[(&str, &Measured)]) -> Vec<usize> {
    let mut leader = 0;
    let places = (0..ranking.len()).map(|at| {
        let slower = |ratio: Estimate| ratio.low > 1.0;
        if ratio(ranking[at].1, ranking[leader].1).is_some_and(slower) {
            leader = at;
        }
        leader + 1
    });
    places.collect()
}

/// Which strategy to take, for time and for memory.
fn choice(text: &mut String, table: &Table, input: &str) {
    let Some(fastest) = table.fastest(input) else {
        write_line(
            text,
            "One process cannot tell what is faster; compare with --count 6 or more.",
        );
        return;
    };
    match &fastest[..] {
        [] => {}
        [only] => write_line(text, &format!("Fastest: {only}.")),
        [first, level @ ..] => write_line(
            text,
            &format!(
                "Fastest: {first}, and not measurably slower: {}.",
                level.join(", ")
            ),
        ),
    }
    let peaks: Vec<(&str, f64)> = table
        .ranking(input)
        .filter_map(|(series, measured)| Some((series, measured.allocations?.peak_bytes)))
        .collect();
    let least = peaks
        .iter()
        .map(|&(_, peak)| peak)
        .fold(f64::INFINITY, f64::min);
    // Of strategies with equal peaks, the fastest.
    if let Some((series, peak)) = peaks.iter().find(|(_, peak)| *peak <= least) {
        let peak = Unit::Bytes.format(*peak, 0.0);
        write_line(text, &format!("Least peak: {series}, {peak}."));
    }
}

/// A chart for each group, fastest strategy first, with the last part of the group's name.
pub(crate) fn charts(report: &mut Report) -> Vec<(String, String)> {
    for table in &mut report.groups {
        let input = table.inputs.first().cloned().unwrap_or_default();
        let ranking = table.ranking(&input);
        let mut series: Vec<String> = ranking.map(|(name, _)| name.to_owned()).collect();
        let failed = table.series.iter().filter(|one| !series.contains(one));
        let failed: Vec<String> = failed.cloned().collect();
        series.extend(failed);
        table.series = series;
    }
    let drawn = report.groups.iter().filter_map(|table| {
        let name = table.info.group.rsplit('/').next()?.to_owned();
        Some((name, draw(report, table, Theme::Light)?))
    });
    drawn.collect()
}

fn write_line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a string does not fail");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    #[test]
    fn strategies_are_ranked_and_those_that_tie_share_a_rank() {
        let report = report(&[
            ("slow", "mine", &[200, 210, 205, 207, 203, 206]),
            ("level", "mine", &[102, 100, 103, 101, 100, 102]),
            ("fast", "mine", &[100, 101, 100, 102, 101, 100]),
        ]);
        let text = ranking(&report);
        let rows: Vec<(&str, &str)> = text
            .lines()
            .skip_while(|line| !line.starts_with("rank"))
            .skip(1)
            .map_while(|line| {
                let mut cells = line.split_whitespace();
                Some((cells.next()?, cells.next()?))
            })
            .collect();
        assert_eq!(
            rows,
            [("1", "fast"), ("1", "level"), ("3", "slow")],
            "{text}"
        );
        assert!(
            text.contains("Fastest: fast, and not measurably slower: level."),
            "{text}"
        );
    }

    #[test]
    fn failed_strategy_is_listed_with_its_reason_and_not_ranked() {
        let report = report(&[("slow", "mine", &[200, 210]), ("broken", "mine", &[])]);
        let text = ranking(&report);
        assert!(text.contains("failed: broken: ran 9 of 10 nodes"), "{text}");
        assert!(!text.contains("2  broken"), "{text}");
    }

    #[test]
    fn chart_shows_the_fastest_first() {
        let mut report = report(&[("slow", "mine", &[200, 210]), ("fast", "mine", &[100, 101])]);
        let charts = charts(&mut report);
        let [(_, svg)] = &charts[..] else {
            panic!("one chart: {}", charts.len());
        };
        assert!(
            svg.find(">fast<").unwrap() < svg.find(">slow<").unwrap(),
            "{svg}"
        );
    }
}
