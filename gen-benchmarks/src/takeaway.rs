//! Sentences computed from a group's figures. Silent where the figures support nothing.

use crate::format::Unit;
use crate::markdown::{code, interval};
use crate::report::{Measured, Row, Table, ratio};

/// What a reader should remember of a group, as Markdown, or nothing.
pub(crate) fn takeaway(table: &Table) -> Option<String> {
    let segments = segments(table)?;
    let mut sentences = Vec::new();
    if table.series.len() > 1 {
        sentences.push(winners(table, &segments));
    }
    let input = table.inputs.last()?;
    let winner = &segments.last()?.series;
    let measured = table.measured(winner, input)?;
    sentences.push(price(table, winner, input, measured));
    sentences.extend(growth(table, winner));
    Some(sentences.join(" "))
}

/// Neighbouring inputs at which one series is the fastest, or not measurably slower.
struct Segment {
    series: String,
    inputs: Vec<String>,
    /// Whether it is measurably the fastest at each of them.
    alone: bool,
}

/// Divides the inputs among as few fastest series as possible.
///
/// `None` without at least two processes a case: one process cannot tell what is faster.
fn segments(table: &Table) -> Option<Vec<Segment>> {
    let mut segments: Vec<(Vec<&str>, Vec<String>, bool)> = Vec::new();
    for input in &table.inputs {
        let fastest = table.fastest(input)?;
        if fastest.is_empty() {
            continue;
        }
        if let Some((candidates, inputs, alone)) = segments.last_mut() {
            let common: Vec<&str> = candidates
                .iter()
                .filter(|one| fastest.contains(one))
                .copied()
                .collect();
            if !common.is_empty() {
                *candidates = common;
                inputs.push(input.clone());
                *alone &= fastest.len() == 1;
                continue;
            }
        }
        let alone = fastest.len() == 1;
        segments.push((fastest, vec![input.clone()], alone));
    }
    let segments = segments
        .into_iter()
        .map(|(candidates, inputs, alone)| Segment {
            series: candidates[0].to_owned(),
            inputs,
            alone,
        });
    Some(segments.collect())
}

/// Which series is fastest where.
fn winners(table: &Table, segments: &[Segment]) -> String {
    let name = |segment: &Segment| {
        let tied = if segment.alone {
            ""
        } else {
            " (or not measurably slower)"
        };
        format!("{} is the fastest{tied}", code(&segment.series))
    };
    let place = |segment: &Segment| match &segment.inputs[..] {
        [one] => format!("at {}", code(one)),
        [first, .., last] if table.numeric() => {
            format!("from {} to {}", code(first), code(last))
        }
        inputs => {
            let inputs: Vec<String> = inputs.iter().map(|input| code(input)).collect();
            format!("at {}", inputs.join(", "))
        }
    };
    match segments {
        [] => String::new(),
        [only] if table.inputs.len() == 1 => format!("{}.", name(only)),
        [only] if only.inputs.len() == table.inputs.len() => {
            format!("{} at every input.", name(only))
        }
        several => {
            let parts: Vec<String> = several
                .iter()
                .map(|segment| format!("{} {}", name(segment), place(segment)))
                .collect();
            format!("{}.", parts.join("; "))
        }
    }
}

/// What the fastest series costs at the last input, and how the baseline or the next compares.
fn price(table: &Table, winner: &str, input: &str, measured: &Measured) -> String {
    let place = match table.inputs.len() {
        1 => String::new(),
        _ => format!("At {} ", code(input)),
    };
    let time = interval(Unit::Duration, &measured.time);
    let mut sentence = format!("{place}{} takes {time}", code(winner));
    if table.info.per_element {
        sentence += &format!(" {}", table.element());
    }
    if measured.elements > 1 {
        let each = measured.time.point / measured.elements as f64;
        let half_width = (measured.time.high - measured.time.low) / 2.0 / measured.elements as f64;
        sentence += &format!(
            ", {} {}",
            Unit::Duration.format(each, half_width),
            table.element()
        );
    }
    if let Some(counted) = measured.allocations {
        sentence += &match counted.count {
            0.0 => ", and allocates nothing".to_owned(),
            count => {
                let count = Unit::Count.format(count, 0.0);
                let plural = if count == "1" { "" } else { "s" };
                let bytes = Unit::Bytes.format(counted.bytes, 0.0);
                format!(", in {count} allocation{plural} of {bytes}")
            }
        };
    }
    let compared = match table.info.baseline.as_deref() {
        Some(baseline) if baseline != winner => {
            table.measured(baseline, input).map(|m| (baseline, m))
        }
        _ => table
            .ranking(input)
            .into_iter()
            .find(|&(series, _)| series != winner),
    };
    if let Some((other, slower)) = compared
        && let Some(factor) = ratio(slower, measured)
        && factor.low > 1.0
    {
        sentence += &format!(
            "; {} takes {} as long",
            code(other),
            interval(Unit::Ratio, &factor)
        );
    }
    sentence + "."
}

/// How the time of a series grows.
fn growth(table: &Table, series: &str) -> Option<String> {
    let exponent = table.growth(series)?;
    let time = match table.info.per_element {
        true => format!("Its time {}", table.element()),
        false => "Its time".to_owned(),
    };
    if exponent.low <= 0.0 && exponent.high >= 0.0 {
        return Some(format!("{time} does not measurably depend on the input."));
    }
    let verb = if exponent.point < 0.0 {
        "falls"
    } else {
        "grows"
    };
    Some(format!(
        "{time} {verb} as n^{:.2} ({:.2}..{:.2}).",
        exponent.point, exponent.low, exponent.high
    ))
}

/// The rows of a group over numbers of workers that are faster than `cores` cores can be.
pub(crate) fn doubts(table: &Table, cores: u64) -> Vec<String> {
    if table.info.axis != "workers" {
        return Vec::new();
    }
    let doubt = |row: &Row| {
        let ratio = table
            .ratio(row)
            .filter(|ratio| ratio.high * (cores as f64) < 1.0)?;
        Some(format!(
            "{} at {} takes {} of the time of the baseline, less than {cores} cores can explain: do not trust it.",
            code(&row.series),
            code(&row.input),
            interval(Unit::Ratio, &ratio)
        ))
    };
    table.rows.iter().filter_map(doubt).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::report;

    #[track_caller]
    fn check(cases: &[(&str, &str, &[u64])], parts: &[&str]) {
        let sentence = takeaway(&report(cases).groups[0]).expect("a takeaway");
        for part in parts {
            assert!(sentence.contains(part), "`{part}` is not in: {sentence}");
        }
    }

    #[test]
    fn one_winner_is_named_once_with_its_factor_over_the_baseline() {
        check(
            &[
                ("slow", "10", &[400, 410]),
                ("fast", "10", &[100, 101]),
                ("slow", "100", &[4_000, 4_100]),
                ("fast", "100", &[1_000, 1_020]),
            ],
            &[
                "`fast` is the fastest at every input.",
                "At `100` `fast` takes 1.01 µs",
                "`slow` takes 4",
            ],
        );
    }

    #[test]
    fn change_of_the_winner_is_told_with_its_inputs() {
        check(
            &[
                ("slow", "10", &[100, 101]),
                ("fast", "10", &[200, 210]),
                ("slow", "100", &[4_000, 4_100]),
                ("fast", "100", &[1_000, 1_020]),
                ("slow", "1000", &[40_000, 41_000]),
                ("fast", "1000", &[10_000, 10_200]),
            ],
            &["`slow` is the fastest at `10`; `fast` is the fastest from `100` to `1000`."],
        );
    }

    #[test]
    fn tie_is_not_called_a_win() {
        check(
            &[("slow", "10", &[100, 110]), ("fast", "10", &[110, 100])],
            &["(or not measurably slower)"],
        );
    }

    #[test]
    fn growth_is_fitted_over_three_inputs() {
        check(
            &[
                ("slow", "10", &[100, 100]),
                ("slow", "100", &[10_000, 10_000]),
                ("slow", "1000", &[1_000_000, 1_000_000]),
            ],
            &["Its time grows as n^2.00 (2.00..2.00)."],
        );
    }

    #[test]
    fn more_speed_than_cores_is_doubted() {
        let cases: &[(&str, &str, &[u64])] = &[
            ("slow", "2", &[900, 910]),
            ("twice", "2", &[460, 465]),
            ("thrice", "2", &[300, 301]),
        ];
        let mut table = report(cases).groups.remove(0);
        assert_eq!(doubts(&table, 2), Vec::<String>::new());
        table.info.axis = "workers".to_owned();
        let doubts = doubts(&table, 2);
        assert_eq!(doubts.len(), 1, "{doubts:?}");
        assert!(doubts[0].starts_with("`thrice` at `2`"), "{doubts:?}");
    }

    #[test]
    fn one_process_supports_no_sentence() {
        assert_eq!(
            takeaway(&report(&[("slow", "1", &[1]), ("fast", "1", &[2])]).groups[0]),
            None
        );
    }

    #[test]
    fn group_without_a_measured_case_supports_no_sentence() {
        assert_eq!(takeaway(&report(&[("slow", "1", &[])]).groups[0]), None);
    }
}
