//! What is implausible in a published report: its rows, and what it says of them.

use super::document::{self, Block, Column, Table};
use super::prose;
use super::quantity::{self, Bound, Kind, Quantity};
use super::row::{self, Group, Row};
use super::{Finding, Rule};

/// Everything that is implausible in a document.
///
/// Sentences are held against the last table or block of results above them in their section.
pub(super) fn lint(text: &str) -> Vec<Finding> {
    let blocks = document::parse(text);
    let mut found = Vec::new();
    let mut all = Facts::of(&blocks);
    found.append(&mut all.found);
    let mut above: Vec<Row> = Vec::new();
    for (line, block) in &blocks {
        match block {
            Block::Heading(_) => above.clear(),
            Block::Table(table) => {
                above = table.rows();
                found.extend(row::rules(&Group::new(above.clone(), all.cores)));
                found.extend(numbers(table));
                found.extend(changes(table));
                found.extend(targets(table));
                found.extend(bounds(*line, table));
                found.extend(shares_of_table(*line, table));
            }
            Block::Code(code) => {
                let (rows, cores) = results(code);
                if rows.is_empty() {
                    let rows = values(code);
                    found.extend(row::rules(&Group::new(rows, all.cores)));
                    found.extend(bounds_of_code(code));
                } else {
                    above = rows;
                    found.extend(row::rules(&Group::new(above.clone(), cores.or(all.cores))));
                }
                found.extend(shares(code));
            }
            Block::Text(text) => {
                found.extend(prose::check(*line, &text.replace('\n', " "), &above));
                for (line, text) in (*line..).zip(text.lines()) {
                    found.extend(missed(line, text, &all.metrics));
                    found.extend(inside_noise(line, text, all.noise));
                    found.extend(idle_limit(line, text, all.spread));
                }
            }
        }
    }
    found.extend(ticks(&blocks, &all.rows));
    found
}

/// What a document says that holds for all of it.
#[derive(Default)]
struct Facts {
    cores: Option<f64>,
    /// The smallest noise that it states.
    noise: Option<f64>,
    /// Whether it says how its figures scatter.
    spread: bool,
    /// Every row of its tables and results, and its line.
    rows: Vec<Row>,
    /// Metrics of results, by name.
    metrics: Vec<(usize, String, f64)>,
    /// What is wrong with result lines, and digits that were typed.
    found: Vec<Finding>,
}

impl Facts {
    fn of(blocks: &[(usize, Block)]) -> Self {
        let mut facts = Self::default();
        let mut typed = Vec::new();
        for (_, block) in blocks {
            match block {
                Block::Heading(text) | Block::Text(text) => {
                    text.lines().for_each(|line| facts.line(line))
                }
                Block::Table(table) => {
                    facts.rows.extend(table.rows());
                    for (_, cells) in &table.rows {
                        facts.spread |= spreads(&cells.join(" "));
                        if let [name, number, ..] = &cells[..]
                            && name.to_lowercase().contains("cores")
                        {
                            facts.cores = facts.cores.or(number.parse().ok());
                        }
                    }
                    facts.spread |= spreads(&table.head.join(" "));
                }
                Block::Code(code) => {
                    for (line, text) in code {
                        let Some(printed) = document::result(*line, text) else {
                            continue;
                        };
                        typed.extend(typed_digits(*line, text));
                        let metrics = printed.metrics.into_iter();
                        facts
                            .metrics
                            .extend(metrics.map(|(name, value)| (*line, name, value)));
                        for field in &printed.strange {
                            let (unit, value) = field.split_once(':').unwrap_or((field, ""));
                            let sentence = format!(
                                "`{field}` is nothing that `go test` prints, which would be `{value} {unit}`; the line was not printed by it"
                            );
                            facts.found.push(
                                Finding::new(*line, Rule::NotPrinted, sentence).figures([field]),
                            );
                        }
                    }
                    facts.rows.extend(results(code).0);
                }
            }
        }
        // One of them may be chance.
        if typed.len() >= 2 {
            facts.found.extend(typed);
        }
        facts
    }

    fn line(&mut self, text: &str) {
        self.cores(text);
        self.spread |= spreads(text);
        let lower = text.to_lowercase();
        let noisy = ["variance", "noise", "variation", "deviation"];
        if !noisy.iter().any(|word| lower.contains(word)) {
            return;
        }
        for one in quantity::quantities(text) {
            let after = text[one.at.end..].trim_start().to_lowercase();
            if one.kind != Kind::Share || !(one.spread || after.starts_with("varia")) {
                continue;
            }
            // The first of `15-20 %`.
            let noise = (one.low + one.place / 2.0).abs();
            self.noise = Some(self.noise.map_or(noise, |known| known.min(noise)));
        }
    }

    /// `64-Core`, `2 vCPUs`.
    fn cores(&mut self, text: &str) {
        let lower = text.to_lowercase();
        let words: Vec<&str> = lower
            .split(|c: char| !c.is_alphanumeric())
            .filter(|word| !word.is_empty())
            .collect();
        let at = words.windows(2).find(|pair| {
            matches!(pair[1], "core" | "cores" | "vcpu" | "vcpus") && pair[0].parse::<u32>().is_ok()
        });
        if self.cores.is_none() {
            self.cores = at.and_then(|pair| pair[0].parse().ok());
        }
    }
}

/// Whether a text says how figures scatter.
fn spreads(text: &str) -> bool {
    let lower = text.to_lowercase();
    let ranges = text.match_indices("..").any(|(at, _)| {
        let digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
        digit(text[..at].chars().next_back()) && digit(text[at + 2..].chars().next())
    });
    let words = [
        "±",
        "variance",
        "noise",
        "stddev",
        "deviation",
        "confidence",
        "interval",
        "p95",
        "p99",
        "variation",
        "benchstat",
    ];
    ranges || words.iter().any(|word| lower.contains(word))
}

/// The rows of a block of results, and the cores that their names tell.
fn results(code: &[(usize, String)]) -> (Vec<Row>, Option<f64>) {
    let mut results: Vec<document::Printed<'_>> = code
        .iter()
        .filter_map(|(line, text)| document::result(*line, text))
        .collect();
    let cores = document::name_results(&mut results);
    (
        results.into_iter().map(|result| result.row).collect(),
        cores,
    )
}

/// Lines of code that give a name a time: `Configuration: 2ms`.
fn values(code: &[(usize, String)]) -> Vec<Row> {
    let row = |(line, text): &(usize, String)| {
        let (name, value) = text.split_once(": ")?;
        let quantity = quantity::cell(value)?;
        if quantity.kind != Kind::Time || quantity.bound != Bound::None || quantity.at.start > 1 {
            return None;
        }
        let mut row = Row {
            line: *line,
            ..Row::default()
        }
        .named(vec![name.trim().to_owned()]);
        row.time = Some(row::Figure::of(&quantity, value));
        Some(row)
    };
    code.iter().filter_map(row).collect()
}

/// Steps of one from digit to digit that are too many for chance.
const TYPED_STEPS: usize = 5;

/// Numbers whose digits follow each other as they do on a keyboard: `3456789`.
///
/// Six such digits in a row come up in one of some ten thousand numbers, so a single number is left alone.
fn typed_digits(line: usize, text: &str) -> Option<Finding> {
    let mut numbers = text.split(|c: char| !c.is_ascii_digit());
    let number = numbers.find(|number| {
        let digits = number.as_bytes();
        let mut steps = 0;
        let mut longest = 0;
        for pair in digits.windows(2) {
            let up = (pair[1] + 10 - pair[0]) % 10 == 1;
            steps = if up { steps + 1 } else { 0 };
            longest = longest.max(steps);
        }
        longest >= TYPED_STEPS
    })?;
    let sentence = format!(
        "the digits of `{number}` follow each other as they do on a keyboard, and they do so in other results too"
    );
    Some(Finding::new(line, Rule::TypedDigits, sentence).figures([number]))
}

/// Cells that hold no number where numbers stand.
fn numbers(table: &Table) -> Vec<Finding> {
    let mut found = Vec::new();
    for (line, cells) in &table.rows {
        for cell in cells.iter().skip(1) {
            let first = cell.split_whitespace().next().unwrap_or_default();
            let bare = first.trim_start_matches(['-', '+']).to_lowercase();
            if matches!(bare.as_str(), "nan" | "inf" | "infinity") {
                let sentence =
                    format!("`{cell}` is no measurement; a division by nothing gives it");
                found.push(Finding::new(*line, Rule::NoNumber, sentence).figures([cell]));
            }
        }
    }
    found
}

/// Changes that the two figures to their left refute.
///
/// `new / old - 1` of the two figures before a column of changes, each with what its digits leave
/// open, has to allow the percentage.
fn changes(table: &Table) -> Vec<Finding> {
    let columns = table.columns();
    let mut found = Vec::new();
    for (at, _) in columns
        .iter()
        .enumerate()
        .filter(|(_, one)| **one == Column::Change)
    {
        for (line, cells) in &table.rows {
            let before = cells[..at].iter().skip(1).rev();
            let mut before = before.filter_map(|cell| Some((cell, quantity::cell(cell)?)));
            let (Some((new_cell, new)), Some((old_cell, old)), Some(change)) =
                (before.next(), before.next(), quantity::cell(&cells[at]))
            else {
                continue;
            };
            if new.kind != old.kind || old.low <= 0.0 || change.spread && change.value != 0.0 {
                continue;
            }
            let (low, high) = (new.low / old.high - 1.0, new.high / old.low - 1.0);
            if change.kind == Kind::Share && (change.high < low || high < change.low) {
                let sentence = format!(
                    "{old_cell} to {new_cell} is a change of {:+.1} %, not {}",
                    (new.value / old.value - 1.0) * 100.0,
                    cells[at]
                );
                found.push(
                    Finding::new(*line, Rule::Change, sentence)
                        .figures([old_cell, new_cell, &cells[at]]),
                );
            }
        }
    }
    found
}

/// Whether a status says that a target is met.
fn is_met(status: &str) -> bool {
    let lower = status.to_lowercase();
    let words = [
        "✅", "✓", "☑", "🟢", "pass", "met", "achieved", "exceeded", "better",
    ];
    let refused = ["❌", "✗", "not ", "miss", "fail", "unmet"];
    words.iter().any(|word| lower.contains(word))
        && !refused.iter().any(|word| lower.contains(word))
}

/// Ticks in a table at targets that are missed, are not exceeded, or not by the factor beside them.
fn targets(table: &Table) -> Vec<Finding> {
    let columns = table.columns();
    let place = |column: Column| columns.iter().position(|one| *one == column);
    let (Some(target), Some(achieved), Some(status)) = (
        place(Column::Target),
        place(Column::Achieved),
        place(Column::Status),
    ) else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (line, cells) in &table.rows {
        let [wanted, got, said] = [target, achieved, status].map(|at| cells[at].as_str());
        let (Some(limit), Some(reached)) = (quantity::cell(wanted), quantity::cell(got)) else {
            continue;
        };
        if limit.kind != reached.kind || !is_met(said) {
            continue;
        }
        let sentence = judge(&limit, &reached, said);
        if let Some(sentence) = sentence {
            let name = &cells[0];
            let sentence = format!("`{name}` is ticked as `{said}`, but {sentence}");
            found.push(Finding::new(*line, Rule::Status, sentence).figures([wanted, got]));
        }
    }
    found
}

/// Why a status does not follow from what was reached, if it does not.
fn judge(limit: &Quantity, reached: &Quantity, said: &str) -> Option<String> {
    let more_is_better = match limit.bound {
        Bound::Below => false,
        Bound::Above => true,
        Bound::None => limit.kind == Kind::Rate,
    };
    // What is only a bound may be anything beyond it.
    let (worst, best) = match (more_is_better, reached.bound) {
        (false, Bound::Below) => (reached.value, 0.0),
        (true, Bound::Above) => (reached.value, f64::INFINITY),
        (false, _) => (reached.high, reached.low),
        (true, _) => (reached.low, reached.high),
    };
    let misses = match more_is_better {
        false => best > limit.high,
        true => best < limit.low,
    };
    if misses {
        return Some("the target is missed".to_owned());
    }
    let lower = said.to_lowercase();
    let beyond = match more_is_better {
        false => worst < limit.value,
        true => worst > limit.value,
    };
    if lower.contains("exceed") && !beyond {
        return Some("what was reached is no more than the target".to_owned());
    }
    let factor = quantity::quantities(said)
        .into_iter()
        .find(|one| one.kind == Kind::Factor)?;
    let (low, high) = match more_is_better {
        false => (
            limit.value / reached.high,
            limit.value / reached.low.max(f64::MIN_POSITIVE),
        ),
        true => (reached.low / limit.value, reached.high / limit.value),
    };
    let (from, to) = factor.loosely();
    (high < from || to < low)
        .then(|| format!("that is a factor of {:.1}", f64::midpoint(low, high)))
}

/// Share of bounds from which a column holds no measurements.
const MOSTLY_BOUNDS: f64 = 1.0 / 3.0;

/// Columns that are headed as measured and hold bounds.
///
/// `<10ms` says that somebody looked and did not write down what there was; a later change from 1 to 9 ms
/// would not show.
fn bounds(line: usize, table: &Table) -> Vec<Finding> {
    let columns = table.columns();
    let mut found = Vec::new();
    for (at, column) in columns.iter().enumerate() {
        if !matches!(column, Column::Achieved | Column::Time | Column::Statistic) {
            continue;
        }
        let cells = table.rows.iter().map(|(_, cells)| cells[at].as_str());
        let told: Vec<(&str, Quantity)> = cells
            .filter_map(|cell| Some((cell, quantity::cell(cell)?)))
            .collect();
        let bounds: Vec<&str> = told
            .iter()
            .filter(|(_, one)| one.bound != Bound::None)
            .map(|(cell, _)| *cell)
            .collect();
        if bounds.len() >= 3 && bounds.len() as f64 >= told.len() as f64 * MOSTLY_BOUNDS {
            let sentence = format!(
                "{} of {} values of `{}` are bounds, not measurements",
                bounds.len(),
                told.len(),
                table.head[at]
            );
            found.push(Finding::new(line, Rule::Bounds, sentence).figures(bounds));
        }
    }
    found
}

/// The same for lines of code that give names values.
fn bounds_of_code(code: &[(usize, String)]) -> Option<Finding> {
    let mut told = 0;
    let mut bounds = Vec::new();
    for (_, text) in code {
        let Some((_, value)) = text.split_once(": ") else {
            continue;
        };
        let Some(quantity) = quantity::cell(value) else {
            continue;
        };
        told += 1;
        if quantity.bound != Bound::None && quantity.at.start <= 2 {
            bounds.push(value[..quantity.at.end].to_owned());
        }
    }
    if bounds.len() < 3 || (bounds.len() as f64) < f64::from(told) * MOSTLY_BOUNDS {
        return None;
    }
    let sentence = format!(
        "{} of {told} values are bounds, not measurements",
        bounds.len()
    );
    Some(Finding::new(code.first()?.0, Rule::Bounds, sentence).figures(bounds))
}

/// Shares of a profile that add to more than all of it.
///
/// Lines that begin with a percentage and go on with a name are shares of one whole. They may leave
/// some of it out, but cannot be more than 100 % beyond their rounding.
fn shares(code: &[(usize, String)]) -> Option<Finding> {
    let shares: Vec<(usize, Quantity, String)> = code
        .iter()
        .filter_map(|(line, text)| {
            let first = quantity::cell(text)?;
            let begins = text[..first.at.start].trim().is_empty();
            let share = first.kind == Kind::Share && first.bound == Bound::None && begins;
            share.then(|| {
                (
                    *line,
                    first.clone(),
                    text[first.at.clone()].trim().to_owned(),
                )
            })
        })
        .collect();
    add(shares, false)
}

/// The same for a column that is headed as shares, which also has to reach the whole.
fn shares_of_table(line: usize, table: &Table) -> Option<Finding> {
    let at = table
        .columns()
        .iter()
        .position(|one| *one == Column::Share)?;
    let rows = table.rows.iter().filter(|(_, cells)| {
        let name = cells[0].to_lowercase();
        !name.contains("total") && !name.contains("sum")
    });
    let shares = rows.filter_map(|(_, cells)| {
        let share = quantity::cell(&cells[at])?;
        Some((line, share, cells[at].clone()))
    });
    add(shares.collect(), true)
}

fn add(shares: Vec<(usize, Quantity, String)>, whole: bool) -> Option<Finding> {
    if shares.len() < 3 {
        return None;
    }
    let low: f64 = shares.iter().map(|(_, share, _)| share.low).sum();
    let high: f64 = shares.iter().map(|(_, share, _)| share.high).sum();
    if low <= 1.0 && (high >= 1.0 || !whole) {
        return None;
    }
    let sum: f64 = shares.iter().map(|(_, share, _)| share.value).sum();
    let sentence = format!("the shares add to {:.1} % of the whole", sum * 100.0);
    let written = shares.iter().map(|(_, _, written)| written);
    Some(Finding::new(shares[0].0, Rule::Shares, sentence).figures(written))
}

/// Sentences that promise of a metric what a result of that name does not reach.
fn missed(line: usize, text: &str, metrics: &[(usize, String, f64)]) -> Vec<Finding> {
    let words = quantity::words(text);
    let mut found = Vec::new();
    for quantity in quantity::quantities(text) {
        if quantity.kind != Kind::Share {
            continue;
        }
        for (at, name, value) in metrics {
            let named = quantity::words(name);
            let value = value / 100.0;
            let misses = match quantity.bound {
                Bound::Above => value < quantity.low,
                Bound::Below => value > quantity.high,
                Bound::None => false,
            };
            if named.len() >= 2 && named.iter().all(|word| words.contains(word)) && misses {
                let said = text[quantity.at.clone()].trim();
                let sentence = format!(
                    "the sentence says {said}, where `{name}` of line {at} is {:.1} %",
                    value * 100.0
                );
                found.push(
                    Finding::new(line, Rule::Status, sentence)
                        .figures([said.to_owned(), format!("{:.1} %", value * 100.0)]),
                );
            }
        }
    }
    found
}

/// Gains that are smaller than the noise that the report itself states.
///
/// Where runs differ by 15 %, one that is 3 % faster is not known to be faster.
fn inside_noise(line: usize, text: &str, noise: Option<f64>) -> Vec<Finding> {
    let Some(noise) = noise else {
        return Vec::new();
    };
    let lower = text.to_lowercase();
    let gains = [
        "improvement",
        "faster",
        "gain",
        "speedup",
        "speed-up",
        "reduction",
        "quicker",
    ];
    let admits = ["within", "noise", "not ", "no ", "unmeasurable", "cannot"];
    if !gains.iter().any(|word| lower.contains(word))
        || admits.iter().any(|word| lower.contains(word))
    {
        return Vec::new();
    }
    let shares = quantity::quantities(text).into_iter();
    let small =
        shares.filter(|one| one.kind == Kind::Share && !one.spread && one.high.abs() < noise);
    small
        .map(|one| {
            let said = text[one.at.clone()].trim();
            let sentence = format!("a gain of {said} cannot be seen in the noise of at least {:.0} % that the report states", noise * 100.0);
            Finding::new(line, Rule::InsideNoise, sentence).figures([said.to_owned(), format!("±{:.0} %", noise * 100.0)])
        })
        .collect()
}

/// Limits of change in a report without any spread.
///
/// Whether 10 % are exceeded can only be told where it is known by how much two runs of the same differ.
fn idle_limit(line: usize, text: &str, spread: bool) -> Option<Finding> {
    let lower = text.to_lowercase();
    let changes = ["slower", "regression", "increase", "degradation"];
    let acts = ["block", "fail", "require", "investigat", "reject", "review"];
    let has = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    if spread || !has(&changes) || !has(&acts) {
        return None;
    }
    let limit = quantity::quantities(text)
        .into_iter()
        .find(|one| one.kind == Kind::Share && one.bound == Bound::Above)?;
    let said = text[limit.at.clone()].trim();
    let sentence =
        "the limit cannot be held: no figure of the report says by how much two equal runs differ";
    Some(Finding::new(line, Rule::IdleLimit, sentence).figures([format!("> {said}")]))
}

/// Ticks at targets in sections where nothing is measured.
fn ticks(blocks: &[(usize, Block)], rows: &[Row]) -> Vec<Finding> {
    let mut found = Vec::new();
    let starts: Vec<usize> = (0..blocks.len())
        .filter(|&at| at == 0 || matches!(blocks[at].1, Block::Heading(_)))
        .collect();
    let ends = starts.iter().skip(1).copied().chain([blocks.len()]);
    for (&start, end) in starts.iter().zip(ends) {
        let mut targets = Vec::new();
        let mut ticked = Vec::new();
        let mut measured = false;
        for (line, block) in &blocks[start..end] {
            let Block::Text(text) = block else {
                measured |= !matches!(block, Block::Heading(_));
                continue;
            };
            let lower = text.to_lowercase();
            let told = !quantity::quantities(text).is_empty();
            match () {
                () if told && lower.starts_with("target") => targets.push(text),
                () if !told && lower.starts_with("status") && is_met(text) => {
                    ticked.push((*line, text))
                }
                () => measured |= told,
            }
        }
        let Block::Heading(heading) = &blocks[start].1 else {
            continue;
        };
        let words = quantity::words(heading);
        let elsewhere = rows.iter().any(|row| {
            let name = quantity::words(&row.name());
            !words.is_empty() && words.iter().all(|word| name.contains(word))
        });
        if measured || elsewhere {
            continue;
        }
        for (line, text) in ticked {
            if let Some(target) = targets.first() {
                let sentence =
                    format!("`{heading}` is ticked, and nothing in the report measures it");
                found.push(
                    Finding::new(line, Rule::Unmeasured, sentence)
                        .figures([target.as_str(), text.as_str()]),
                );
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rules that a document breaks, and in which lines.
    #[track_caller]
    fn check(text: &str, expected: &[(usize, &str)]) {
        let mut found = lint(text);
        found.sort_by_key(|one| (one.line, one.rule.name()));
        let shown: Vec<(usize, &str)> = found
            .iter()
            .map(|one| (one.line, one.rule.name()))
            .collect();
        assert_eq!(shown, expected, "{found:?}");
    }

    const TARGETS: &str = "\
# Report
| Metric | Target | Achieved | Status |
|---|---|---|---|
| Creation | <50ms | ~10ms | ✅ 5x Better |
| Overhead | <5% | <2% | ✅ Exceeded |
| Events | 50K/sec | 90K/sec | ✅ 1.8x Better |
| Migration | N/A | 2.07 µs | ✅ Excellent |
";

    #[test]
    fn ticks_follow_from_targets_and_measured_values() {
        check(TARGETS, &[]);
        let spoilt = TARGETS
            .replace("| ~10ms", "| ~70ms")
            .replace("<2%", "<5%")
            .replace("1.8x", "2.5x");
        check(&spoilt, &[(4, "status"), (5, "status"), (6, "status")]);
        // Whoever admits a miss is right.
        check(
            &TARGETS.replace("| ~10ms | ✅ 5x Better", "| ~70ms | ❌ missed"),
            &[],
        );
        // As it reads when UTF-8 was taken for something else.
        check(
            &spoilt.replace('✅', "âœ…"),
            &[(4, "status"), (5, "status"), (6, "status")],
        );
    }

    #[test]
    fn tick_without_a_measurement_is_found() {
        let text = "# R\n### Startup\n- **Target**: <500ms\n- **Status**: ✅ Achieved\n";
        check(text, &[(4, "unmeasured")]);
        check(&format!("{text}- Measured: 320 ms\n"), &[]);
        check(&text.replace('✅', "❌ not"), &[]);
        let elsewhere = "# Results\n```\nBenchmarkStartup-8 35 31277234 ns/op\n```\n";
        check(&format!("{text}{elsewhere}"), &[]);
    }

    #[test]
    fn promised_metric_is_held_against_the_result_of_its_name() {
        let text = |rate: &str| {
            format!(
                "# R\n- Reuse Rate: 90%+ of connections\n```\nBenchmarkPool-8 4561 263 ns/op {rate} reuse_rate_%\n```\n"
            )
        };
        check(&text("89.3"), &[(2, "status")]);
        check(&text("93.3"), &[]);
    }

    #[test]
    fn line_that_the_tool_does_not_print_is_found() {
        let line = "# R\n```\nBenchmarkHit-8 4561 521 ns/op 82.5 hit_rate_%\n```\n";
        check(line, &[]);
        check(
            &line.replace("82.5 hit_rate_%", "hit_rate_%:82.5"),
            &[(3, "not-printed")],
        );
    }

    #[test]
    fn typed_digits_are_found_where_there_are_several() {
        let text = |one: &str, other: &str| {
            format!("# R\n```\nBenchmarkA-8 {one} 346 ns/op\nBenchmarkB-8 {other} 228 ns/op\n```\n")
        };
        check(
            &text("3456789", "5234567"),
            &[(3, "typed-digits"), (4, "typed-digits")],
        );
        check(&text("3456789", "5231467"), &[]);
    }

    #[test]
    fn shares_of_a_whole_add_to_no_more_than_it() {
        let text = |second: &str| {
            format!("# R\n```\n66.57% - recv\n{second}% - lock\n 8.88% - core\n```\n")
        };
        check(&text("36.39"), &[(3, "shares")]);
        check(&text("24.55"), &[]);
        check(&text("14.55"), &[]);
        let table = |second: &str| {
            format!(
                "# R\n| part | share |\n|---|--:|\n| a | 50 % |\n| b | {second} % |\n| c | 20 % |\n| total | 100 % |\n"
            )
        };
        check(&table("30"), &[]);
        check(&table("20"), &[(2, "shares")]);
        check(&table("45"), &[(2, "shares")]);
    }

    #[test]
    fn gain_inside_the_stated_noise_is_found() {
        let text = |gain: &str| {
            format!(
                "# R\nWithin measurement variance (±15%).\n\nMeasurable: {gain} improvement at scale\nThis is not code.\n"
            )
        };
        check(&text("1-3%"), &[(4, "inside-noise")]);
        check(&text("40-50%"), &[]);
        check("# R\nMeasurable: 1-3% improvement at scale\n", &[]);
    }

    #[test]
    fn changes_follow_from_the_figures_beside_them() {
        let text = |change: &str| {
            format!(
                "# R\n| Metric | Old | New | Change |\n|---|---|---|---|\n| Time/op | 1.59 s | 1.55 s | {change} |\n"
            )
        };
        check(&text("-2.5%"), &[]);
        check(&text("-12.5%"), &[(4, "change")]);
        check(&text("+2.5%"), &[(4, "change")]);
    }

    #[test]
    fn bounds_are_no_measurements() {
        let text = |cells: [&str; 4]| {
            let rows: String = cells
                .iter()
                .map(|cell| format!("| tool | {cell} |\n"))
                .collect();
            format!("# R\n| Tool | Init Time |\n|---|---|\n{rows}")
        };
        check(&text(["<5ms", "<8ms", "<10ms", "3.1ms"]), &[(2, "bounds")]);
        check(&text(["<5ms", "8.2ms", "9.7ms", "3.1ms"]), &[]);
        let code = "# R\n```\nState Write: <3ms (target: <5ms)\nState Read: <1ms\nState Delete: <2ms\n```\n";
        check(code, &[(3, "bounds")]);
        check(&code.replace('<', ""), &[]);
    }

    #[test]
    fn limit_without_noise_is_idle() {
        let limit = "# R\n- >10% slower: Investigation required\n";
        check(limit, &[(2, "idle-limit")]);
        check(&format!("{limit}\nRuns differ by ±0.5 %.\n"), &[]);
        check("# R\n- >10% slower than before\n", &[]);
    }

    #[test]
    fn cells_without_a_number_are_found() {
        let text =
            |cell: &str| format!("# R\n| a | time |\n|---|---|\n| b | {cell} |\n| c | 3.2 ms |\n");
        check(&text("NaN ns"), &[(4, "no-number")]);
        check(&text("-inf"), &[(4, "no-number")]);
        check(&text("n/a"), &[]);
        check(&text("-3.1 ns"), &[(4, "sub-cycle")]);
    }

    #[test]
    fn cores_are_those_that_the_document_or_its_results_name() {
        let table = "| workers | time |\n|---|---|\n| 1 | 10.13 ms |\n| 4 | 2.63 ms |\n";
        check(&format!("# On 2 cores\n{table}"), &[(5, "speed-up")]);
        check(&format!("# On a 64-Core machine\n{table}"), &[]);
        let results = "# R\n```\nBenchmarkW/Workers=1-2 10 10131234 ns/op\nBenchmarkW/Workers=4-2 10 2634567 ns/op\n```\n";
        check(results, &[(4, "speed-up")]);
        check(&results.replace("-2 10", "-4 10"), &[]);
    }

    /// Whatever is cut off or written over, nothing panics.
    #[test]
    fn hostile_documents_are_read_without_panic() {
        let texts = [
            TARGETS,
            "# R\n```\n66.57% - a\nBenchmarkX/Workers=1-2 10 5 ns/op 3 B/op x:1\n",
            "| a | time |\n|---|---|\n| `b` is the fastest than 5× (1..2) | NaN |\n`b` is the fastest at `1`; 3% İ variance ±1% gain. A",
            "- 1. > | a |\n|--|\n|||||\n> ~~~\n>",
        ];
        for text in texts {
            for (at, c) in text.char_indices() {
                lint(&text[..at]);
                for other in ["-", "9", "`", "|", "\n", "\u{1d7d9}", "İ", "NaN"] {
                    lint(&[&text[..at], other, &text[at + c.len_utf8()..]].concat());
                }
            }
        }
    }
}
