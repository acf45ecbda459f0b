//! The outcome as Markdown: a comment on a pull request, or the summary of a workflow's step.
//!
//! What comes from outside stands in code spans, where nothing is markup, a mention or a link.

use bench_harness::gate::Judgement;

use super::{
    Remark, Row, TEXT_WIDTH, compared, equivalent, method, metrics, plural, rows, shorten, shown,
    side, summary,
};
use crate::markdown::{cell, code};

/// By this a workflow finds the comment that it made before.
const MARKER: &str = "<!-- perf-lab:gate -->";

/// Most bytes of a comment. GitHub counts characters, of which there are never more.
pub(crate) const COMMENT_LIMIT: usize = 65_536;

/// Most bytes of all that one step adds to the summary.
pub(crate) const SUMMARY_LIMIT: usize = 1 << 20;

/// Warnings that are shown; others are counted.
const WARNINGS: usize = 10;

/// The page, its table cut after the last row with which it has at most `limit` bytes.
///
/// What stands around the table is never cut, so with a `limit` of less than some thousand bytes the
/// page can be longer.
pub(crate) fn page(judgement: &Judgement, limit: usize) -> String {
    let rows = rows(judgement);
    let (head, lines, tail) = parts(judgement, &rows);
    let whole = head.len() + tail.len() + lines.iter().map(String::len).sum::<usize>();
    if whole <= limit {
        return head + &lines.concat() + &tail;
    }
    // As long as it can become.
    let mut room = limit.saturating_sub(head.len() + tail.len() + left_out(lines.len()).len());
    let mut kept = String::new();
    let mut count = 0;
    for line in &lines {
        // No later one either, so that what is left out is what matters least.
        let Some(rest) = room.checked_sub(line.len()) else {
            break;
        };
        room = rest;
        kept += line;
        count += 1;
    }
    head + &kept + &left_out(lines.len() - count) + &tail
}

/// What stands above the rows, the rows, and what stands below them.
fn parts(judgement: &Judgement, rows: &[Row]) -> (String, Vec<String>, String) {
    let [machine, cases] = compared(judgement, rows);
    let side = |one| {
        let words: Vec<String> = side(one).iter().map(|word| code(word)).collect();
        words.join(" ")
    };
    let mut head = format!(
        "{MARKER}\n### Benchmarks: {}\n\nbase {} · head {} · {} · {cases}\n\n",
        summary(rows),
        side(&judgement.base),
        side(&judgement.head),
        code(&shorten(&machine, TEXT_WIDTH)),
    );
    let shown = shown(rows);
    let metrics = metrics(&shown);
    if !shown.is_empty() {
        let names: String = metrics
            .iter()
            .map(|metric| format!(" {metric} |"))
            .collect();
        head += &format!("| verdict | case |{names} smallest visible | |\n");
        head += &format!("|---|---|{}---|---|\n", "---|".repeat(metrics.len()));
    }
    let lines = shown.iter().map(|row| {
        let word = match row.word() {
            word if word.starts_with(|c: char| c.is_uppercase()) => format!("**{word}**"),
            word => word.to_owned(),
        };
        let changes = metrics
            .iter()
            .map(|&metric| format!(" {} |", row.change(metric)));
        let remarks: Vec<String> = row.remarks().iter().map(remark).collect();
        format!(
            "| {word} | {} |{} {} | {} |\n",
            cell(&shorten(&row.case.to_string(), TEXT_WIDTH)),
            changes.collect::<String>(),
            row.visible(),
            remarks.join("; ")
        )
    });
    let lines = lines.collect();
    let mut tail = String::new();
    if let Some(cases) = equivalent(rows) {
        tail += &format!("\nequivalent: {cases}\n");
    }
    let warnings = &judgement.warnings;
    if !warnings.is_empty() {
        tail.push('\n');
    }
    for warning in warnings.iter().take(WARNINGS) {
        tail += &format!("- warning: {}\n", code(&shorten(warning, TEXT_WIDTH)));
    }
    if let Some(more @ 1..) = warnings.len().checked_sub(WARNINGS) {
        tail += &format!("- and {more} more {}\n", plural(more, "warning"));
    }
    let method: Vec<String> = method(judgement).iter().map(remark).collect();
    tail += &format!(
        "\n{}\n\nexit {}\n",
        method.join("; "),
        judgement.conclusion().exit_code()
    );
    (head, lines, tail)
}

fn remark(remark: &Remark) -> String {
    match remark.others.as_deref() {
        Some(others) => remark.own.clone() + &cell(&shorten(others, TEXT_WIDTH)),
        None => remark.own.clone(),
    }
}

/// What stands in place of rows that do not fit.
fn left_out(count: usize) -> String {
    format!(
        "\n**{count} more {} left out here, the least grave ones; the log and the file of `--json` have all.**\n",
        match count {
            1 => "row is",
            _ => "rows are",
        }
    )
}
