//! A history as a table for the terminal, as Markdown, as JSON and as charts. Pure.

use std::collections::BTreeSet;
use std::fmt::Write;

use bench_harness::gate::Change;
use serde_json::{Value, json};

use super::series::{Case, Commit, History, Move, counted};
use crate::chart::{self, Chart, Mark, Point, Scale, Series, Step, Theme};
use crate::format::Unit;
use crate::markdown::{attribute, cell, interval, one_line, text};

/// Version of the JSON.
const SCHEMA: u32 = 1;

/// Longest subject of a commit in a table, in characters.
const SUBJECT: usize = 60;

/// The charts: file names with light and dark pictures, and the case that each shows.
pub(crate) struct Picture {
    /// Without the end `.svg` or `.dark.svg`.
    pub(crate) name: String,
    pub(crate) case: usize,
}

impl Picture {
    pub(crate) fn file(&self, theme: Theme) -> String {
        match theme {
            Theme::Light => format!("{}.svg", self.name),
            Theme::Dark => format!("{}.dark.svg", self.name),
        }
    }
}

/// What was looked at, and what was left out.
fn preface(history: &History) -> Vec<String> {
    let machine = &history.machines[history.shown];
    let mut lines = vec![format!(
        "Machine {} of {}: {}.",
        history.shown + 1,
        history.machines.len(),
        machine.name
    )];
    let span = match (history.commits.first(), history.commits.last()) {
        (Some(first), Some(last)) if history.commits.len() > 1 => {
            format!(", {} to {}", first.name, last.name)
        }
        (Some(first), _) => format!(", {}", first.name),
        _ => String::new(),
    };
    lines.push(format!(
        "{} of {}{span}.",
        counted(machine.records, "record", "records"),
        counted(history.commits.len(), "commit", "commits")
    ));
    let others = history.machines.iter().enumerate();
    for (at, other) in others.filter(|(at, _)| *at != history.shown) {
        lines.push(format!(
            "Machine {}: {}; {}.",
            at + 1,
            other.name,
            counted(other.records, "record", "records")
        ));
    }
    lines.extend(history.notes.iter().map(|note| sentence(note)));
    lines
}

fn sentence(note: &str) -> String {
    let mut chars = note.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), chars.as_str())
}

/// What follows, in one or two sentences.
fn conclusion(history: &History) -> String {
    if history.is_short() {
        let (commits, needed) = (
            counted(history.commits.len(), "commit is", "commits are"),
            bench_harness::changepoint::SHORTEST_SERIES,
        );
        return format!(
            "{commits} too few for change points: {needed} are needed, half of them at the new level."
        );
    }
    let changed = history.cases.iter().filter(|case| !case.moves.is_empty());
    let changed = changed.count();
    let slower = history.cases.iter().filter(|case| case.is_slower()).count();
    let still = history.cases.len() - changed;
    let newest = match slower {
        0 => "none is slower at its newest level than at the one before".to_owned(),
        slower => format!(
            "{} slower at the newest level than at the one before",
            counted(slower, "is", "are")
        ),
    };
    format!(
        "{} change points, {newest}; {still} {} none of {} % or more.",
        counted(changed, "case has", "cases have"),
        if still == 1 { "has" } else { "have" },
        Unit::Count.format(history.search.change * 100.0, 0.0)
    )
}

/// The rows of the table: a case and one of its moves, newest first; a case without has one row.
fn rows(history: &History) -> impl Iterator<Item = (&Case, Option<&Move>)> {
    let shown = history.cases.iter().filter(|case| history.is_shown(case));
    shown.flat_map(|case| {
        let moves = case.moves.iter().rev().map(Some);
        let none = case.moves.is_empty().then_some(None);
        moves.chain(none).map(move |moved| (case, moved))
    })
}

fn now(case: &Case) -> String {
    case.points
        .last()
        .map_or_else(String::new, |last| interval(Unit::Duration, &last.time))
}

/// `+10.0 % (+9.2..+10.8)`.
fn percent(change: &Change) -> String {
    let half_width = (change.high - change.low) * 50.0;
    let signed = |value: f64| {
        let text = Unit::Count.format(value * 100.0, half_width);
        match value > 0.0 {
            true => format!("+{text}"),
            false => text,
        }
    };
    format!(
        "{} % ({}..{})",
        signed(change.point),
        signed(change.low),
        signed(change.high)
    )
}

/// `100 ns -> 110 ns`, with the given arrow.
fn levels(moved: &Move, arrow: &str) -> String {
    let point = &moved.point;
    let half_width = |level: f64| level * (point.change.high - point.change.low) / 2.0;
    let level = |level: f64| Unit::Duration.format(level, half_width(level));
    format!("{} {arrow} {}", level(point.before), level(point.after))
}

fn direction(moved: &Move) -> &'static str {
    match moved.point.change.point > 0.0 {
        true => "slower",
        false => "faster",
    }
}

/// What is known of the commit: its subject, how many others may have been it, what else changed.
fn cause(history: &History, moved: &Move) -> String {
    let commit = &history.commits[moved.commit];
    let subject: String = one_line(&commit.subject).chars().take(SUBJECT).collect();
    let cut = if subject.len() < one_line(&commit.subject).len() {
        "…"
    } else {
        ""
    };
    let mut parts = vec![format!("{subject}{cut}")];
    if let Some(among) = moved.among.filter(|among| *among > 1) {
        parts.push(format!(
            "or one of the {} others since {}",
            among - 1,
            history.commits[moved.previous].name
        ));
    }
    parts.extend(moved.notes.iter().map(|note| one_line(note)));
    parts.retain(|part| !part.is_empty());
    parts.join("; ")
}

/// The table for a terminal.
pub(crate) fn table(history: &History) -> String {
    let mut out = String::new();
    for line in preface(history) {
        write_line(&mut out, &one_line(&line));
    }
    out.push('\n');
    let head = ["case", "now", "commit", "", "change", "before -> after", ""];
    let mut lines = vec![head.map(str::to_owned)];
    let mut above = None;
    for (case, moved) in rows(history) {
        let is_first = above != Some(&case.id);
        above = Some(&case.id);
        let first = |text: String| if is_first { text } else { String::new() };
        let (id, now) = (first(one_line(&case.id.to_string())), first(now(case)));
        lines.push(match moved {
            None => {
                let none = String::new;
                [
                    id,
                    now,
                    "no change".to_owned(),
                    none(),
                    none(),
                    none(),
                    none(),
                ]
            }
            Some(moved) => [
                id,
                now,
                one_line(&history.commits[moved.commit].name),
                direction(moved).to_owned(),
                percent(&moved.point.change),
                levels(moved, "->"),
                cause(history, moved),
            ],
        });
    }
    if lines.len() > 1 {
        let width = |column: usize| {
            let cells = lines.iter().map(|line| line[column].chars().count());
            cells.max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..head.len()).map(width).collect();
        for line in &lines {
            let cells = line.iter().zip(&widths);
            let cells: Vec<String> = cells
                .map(|(cell, &width)| format!("{cell:<width$}"))
                .collect();
            write_line(&mut out, cells.join("  ").trim_end());
        }
        out.push('\n');
    }
    write_line(&mut out, &conclusion(history));
    out
}

/// The page, with the charts of `pictures`, whose folder is `folder` from where the page is.
pub(crate) fn markdown(history: &History, pictures: &[Picture], folder: &str) -> String {
    let mut page = "# History\n\n".to_owned();
    for line in preface(history) {
        write_line(&mut page, &format!("- {}", text(&line)));
    }
    write_line(&mut page, &format!("\n{}\n", text(&conclusion(history))));
    if rows(history).next().is_some() {
        write_line(
            &mut page,
            "| case | time now ↓ | commit | change | before → after | |\n|---|---|---|---|---|---|",
        );
    }
    for (case, moved) in rows(history) {
        let change = match moved {
            None => "| | no change | |".to_owned(),
            Some(moved) => format!(
                "| {} | {} {} | {} | {}",
                cell(&history.commits[moved.commit].name),
                percent(&moved.point.change),
                direction(moved),
                levels(moved, "→"),
                text(&cause(history, moved))
            ),
        };
        write_line(
            &mut page,
            &format!(
                "| {} | {} {change} |",
                cell(&case.id.to_string()),
                now(case)
            ),
        );
    }
    for picture in pictures {
        let case = &history.cases[picture.case];
        let path = |theme| attribute(&format!("{folder}{}", picture.file(theme)));
        write_line(
            &mut page,
            &format!(
                "\n<picture><source media=\"(prefers-color-scheme: dark)\" srcset=\"{}\"><img src=\"{}\" alt=\"{}\"></picture>",
                path(Theme::Dark),
                path(Theme::Light),
                attribute(&description(history, case))
            ),
        );
    }
    page
}

/// Everything, for other programs.
pub(crate) fn json(history: &History) -> String {
    let commit = |commit: &Commit| {
        json!({
            "commit": commit.id,
            "name": commit.name,
            "subject": commit.subject,
            "date": commit.date,
            "records": commit.records,
        })
    };
    let moved = |moved: &Move| {
        let point = &moved.point;
        json!({
            "commit": history.commits[moved.commit].id,
            "at": moved.commit,
            "previous": moved.previous,
            "among": moved.among,
            "before_ns": point.before,
            "after_ns": point.after,
            "change": point.change,
            "p": point.p,
            "notes": moved.notes,
        })
    };
    let case = |case: &Case| {
        let points: Vec<Value> = case
            .points
            .iter()
            .map(|point| {
                json!({
                    "at": point.commit,
                    "ns": point.time.point,
                    "low_ns": point.time.low,
                    "high_ns": point.time.high,
                    "processes": point.processes,
                })
            })
            .collect();
        json!({
            "case": case.id,
            "of": case.of(),
            "points": points,
            "changes": case.moves.iter().map(moved).collect::<Vec<_>>(),
            "slower": case.is_slower(),
        })
    };
    let value = json!({
        "schema": SCHEMA,
        "machine": history.machines[history.shown].name,
        "window": history.search.window,
        "p": history.search.p,
        "smallest_change": history.search.change,
        "notes": history.notes,
        "commits": history.commits.iter().map(commit).collect::<Vec<_>>(),
        "cases": history.cases.iter().map(case).collect::<Vec<_>>(),
    });
    format!("{value}\n")
}

/// A file name for the chart of each case that is shown: only letters, digits and hyphens.
pub(crate) fn pictures(history: &History) -> Vec<Picture> {
    let mut taken: BTreeSet<String> = BTreeSet::new();
    let shown = history.cases.iter().enumerate();
    shown
        .filter(|(_, case)| history.is_shown(case))
        .map(|(case, shown)| {
            let id = shown.id.to_string();
            let plain: String = id
                .chars()
                .take(120)
                .map(|c| {
                    if c.is_ascii_alphanumeric() {
                        c.to_ascii_lowercase()
                    } else {
                        '-'
                    }
                })
                .collect();
            let mut name = format!("history-{plain}");
            let mut copy = 2;
            // An id may end like the number of a copy.
            while !taken.insert(name.clone()) {
                name = format!("history-{plain}-{copy}");
                copy += 1;
            }
            Picture { name, case }
        })
        .collect()
}

/// What a reader who cannot see the chart should know.
fn description(history: &History, case: &Case) -> String {
    let mut parts = vec![format!(
        "Time {} at {}, now {}",
        case.of(),
        counted(case.points.len(), "commit", "commits"),
        now(case)
    )];
    parts.extend(case.moves.iter().map(|moved| {
        format!(
            "{} by {} at {}, from {}",
            direction(moved),
            percent(&moved.point.change),
            history.commits[moved.commit].name,
            levels(moved, "to")
        )
    }));
    if case.moves.is_empty() {
        parts.push("no change point".to_owned());
    }
    format!("{}.", parts.join("; "))
}

/// The chart of a case.
pub(crate) fn chart(history: &History, case: &Case, theme: Theme) -> String {
    let points = case.points.iter().enumerate().map(|(at, point)| Point {
        x: at as f64,
        x_label: history.commits[point.commit].name.clone(),
        y: point.time.point,
        low: point.time.low,
        high: point.time.high,
        note: String::new(),
        processes: Vec::new(),
    });
    let steps: Vec<Step> = case
        .levels()
        .into_iter()
        .map(|(start, end, level)| Step {
            from: start as f64,
            to: (end - 1) as f64,
            level,
        })
        .collect();
    let marks: Vec<Mark> = case
        .moves
        .iter()
        .map(|moved| Mark {
            at: moved.point.index as f64 - 0.5,
            is_rise: moved.point.change.point > 0.0,
            name: history.commits[moved.commit].name.clone(),
            change: format!("{}, {}", percent(&moved.point.change), levels(moved, "→")),
            cause: cause(history, moved),
        })
        .collect();
    let chart = Chart {
        id: format!("history/{}", case.id),
        title: format!("How did {} change from commit to commit?", case.id),
        subtitle: format!(
            "time {}, median of processes with interval; levels as lines · {} · lower is better",
            case.of(),
            history.machines[history.shown].name
        ),
        description: description(history, case),
        x_label: "commits, oldest to newest".to_owned(),
        y_label: format!("time {}", case.of()),
        y_unit: Unit::Duration,
        x_scale: Scale::Linear,
        y_scale: Scale::Log,
        series: vec![Series {
            name: case.id.to_string(),
            emphasised: false,
            points: points.collect(),
            fit: None,
        }],
        unrelated: false,
    };
    chart::history(&chart, &steps, &marks, theme)
}

fn write_line(text: &mut String, line: &str) {
    writeln!(text, "{line}").expect("writing to a string does not fail");
}
