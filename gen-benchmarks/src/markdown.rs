//! Writes `BENCHMARKS.md` and decides which chart a group gets.
//!
//! Names come from outside: they are written as code spans with everything escaped that Markdown
//! or a table could take for its own.

use std::collections::{HashMap, HashSet};
use std::fmt::Write;
use std::path::Path;

use bench_harness::record::Counting;
use bench_harness::stats::Estimate;

use crate::calibration::Calibration;
use crate::chart::Theme;
use crate::findings::findings;
use crate::format::Unit;
use crate::outcome::shorten;
use crate::plot::{description, draw};
use crate::publish::Files;
use crate::report::{ASSETS, CHART_PREFIX, Counted, Measured, Outcome, Report, Row, Table};
use crate::takeaway::{doubts, takeaway};
use crate::targets;

/// What tells the name of a dark chart from that of the light one; no group's name has a dot.
const DARK: &str = ".dark";

/// Folder of the tables that the page has no room for, in [`ASSETS`].
pub(crate) const TABLES: &str = "tables";

/// The list of all those tables, in [`TABLES`]; the name of no group's table.
pub(crate) const ALL_GROUPS: &str = "groups.md";

/// Longest page, in bytes: code-hosting pages show no longer ones.
const PAGE_LIMIT: usize = 500_000;

/// Most failed cases of a short page, and most characters of a text on it.
const NAMED: usize = 50;
const TEXT_WIDTH: usize = 120;

/// The files of a report, but for its record.
///
/// `calibration` is what the gate is worth, where that was measured.
pub(crate) fn files(report: &Report, calibration: Option<&Calibration>) -> Files {
    files_within(report, calibration, PAGE_LIMIT)
}

/// The same with a page of at most `limit` bytes, as far as what every page has leaves room.
fn files_within(report: &Report, calibration: Option<&Calibration>, limit: usize) -> Files {
    let names = chart_names(report);
    let mut files = Files::new();
    let mut drawn = Vec::new();
    for (table, name) in report.groups.iter().zip(&names) {
        let mut any = false;
        for (theme, suffix) in [(Theme::Light, ""), (Theme::Dark, DARK)] {
            if let Some(svg) = draw(report, table, theme) {
                let path = Path::new(ASSETS).join(format!("{name}{suffix}.svg"));
                files.insert(path, svg.into_bytes());
                any = true;
            }
        }
        drawn.push(any);
    }
    let groups = |assets: &str| -> Vec<String> {
        let tables = report.groups.iter().zip(&names).zip(&drawn);
        tables
            .map(|((table, name), &drawn)| {
                let picture = drawn.then(|| format!("{assets}/{name}"));
                group(report, table, picture.as_deref())
            })
            .collect()
    };
    let mut page = whole_page(report, calibration, &groups(ASSETS));
    if page.len() > limit {
        page = short_page(report, calibration, &names, limit);
        let folder = Path::new(ASSETS).join(TABLES);
        for (name, group) in names.iter().zip(groups("..")) {
            let table =
                format!("[The report](../../BENCHMARKS.md) explains units and method.\n\n{group}");
            files.insert(folder.join(format!("{name}.md")), table.into_bytes());
        }
        let all = format!(
            "# All groups\n\n[The report](../../BENCHMARKS.md) explains units and method.\n{}",
            rows(report, &names, "", usize::MAX).0
        );
        files.insert(folder.join(ALL_GROUPS), all.into_bytes());
    }
    files.insert("BENCHMARKS.md".into(), page.into_bytes());
    files
}

/// A file name for each group's chart: only letters, digits and hyphens, and each its own.
///
/// A group keeps its name when others come and go, but for those that differ in nothing else.
fn chart_names(report: &Report) -> Vec<String> {
    let plain = |group: &str| -> String {
        let letter = |c: char| match c.is_ascii_alphanumeric() {
            true => c.to_ascii_lowercase(),
            false => '-',
        };
        group.chars().take(60).map(letter).collect()
    };
    let all = report.groups.iter().map(|table| plain(&table.info.group));
    let all: Vec<String> = all.collect();
    let mut alike: HashMap<&str, usize> = HashMap::new();
    for plain in &all {
        *alike.entry(plain).or_default() += 1;
    }
    let mut names: Vec<String> = Vec::new();
    let mut taken: HashSet<String> = HashSet::new();
    for (table, plain) in report.groups.iter().zip(&all) {
        let mut name = match alike[plain.as_str()] {
            1 => format!("{CHART_PREFIX}{plain}"),
            _ => format!("{CHART_PREFIX}{plain}-{:08x}", hash(&table.info.group)),
        };
        while !taken.insert(name.clone()) {
            name.push('-');
        }
        names.push(name);
    }
    names
}

/// FNV-1a: the same in every version of Rust, as file names must be.
fn hash(text: &str) -> u32 {
    let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    text.bytes().fold(0x811c_9dc5, step)
}

/// The page with the sections of all groups.
fn whole_page(report: &Report, calibration: Option<&Calibration>, groups: &[String]) -> String {
    let mut page = String::new();
    beginning(&mut page, report);
    contents(&mut page, report, calibration.is_some());
    failures(&mut page, report, usize::MAX);
    skipped(&mut page, report, usize::MAX);
    page.push_str(&targets::section(&report.targets));
    let mut section = None;
    for (table, group) in report.groups.iter().zip(groups) {
        if section != Some(&table.info.section) {
            section = Some(&table.info.section);
            write_line(
                &mut page,
                &format!("---\n\n## {}\n", text(&table.info.section)),
            );
        }
        page.push_str(group);
    }
    end(&mut page, report, calibration);
    suites(&mut page, report);
    page
}

/// The page with a row for each group, as many as `limit` bytes have room for, and the rest in files
/// beside it.
fn short_page(
    report: &Report,
    calibration: Option<&Calibration>,
    names: &[String],
    limit: usize,
) -> String {
    let mut page = String::new();
    beginning(&mut page, report);
    failures(&mut page, report, NAMED);
    skipped(&mut page, report, TEXT_WIDTH);
    page.push_str(&targets::section(&report.targets));
    let mut rest = String::new();
    end(&mut rest, report, calibration);
    let folder = format!("{ASSETS}/{TABLES}/");
    write_line(
        &mut page,
        &format!(
            "---\n\nThe tables of all groups would be too long for one page: [each has one of its own]({folder}{ALL_GROUPS})."
        ),
    );
    // With room for the sentence below.
    let room = limit.saturating_sub(page.len() + rest.len() + 200);
    let (rows, left_out) = rows(report, names, &folder, room);
    page.push_str(&rows);
    if left_out > 0 {
        write_line(
            &mut page,
            &format!("{left_out} more groups are [in the list]({folder}{ALL_GROUPS}).\n"),
        );
    }
    page.push_str(&rest);
    page
}

/// A row for each group, by section, with links into `folder`, in at most `room` bytes; and how many
/// groups were left out.
fn rows(report: &Report, names: &[String], folder: &str, room: usize) -> (String, usize) {
    let mut rows = String::new();
    let mut section = None;
    for (done, (table, name)) in report.groups.iter().zip(names).enumerate() {
        let info = &table.info;
        let mut row = String::new();
        if section != Some(&info.section) {
            section = Some(&info.section);
            write_line(
                &mut row,
                &format!(
                    "\n## {}\n\n| Group | Question | Cases | Failed | Fastest | at | Time |\n|---|---|---:|---:|---|---|---:|",
                    text(&shorten(&info.section, TEXT_WIDTH))
                ),
            );
        }
        let failed = table.rows.iter().filter(|row| row.measured().is_none());
        let cells = [
            format!(
                "[{}]({folder}{name}.md)",
                cell(&shorten(&info.group, TEXT_WIDTH))
            ),
            text(&shorten(&info.question, TEXT_WIDTH)),
            table.rows.len().to_string(),
            failed.count().to_string(),
        ];
        let fastest = fastest(table).unwrap_or_else(|| " | | ".to_owned());
        write_line(&mut row, &format!("| {} | {fastest} |", cells.join(" | ")));
        if rows.len() + row.len() > room {
            rows.push('\n');
            return (rows, report.groups.len() - done);
        }
        rows.push_str(&row);
    }
    rows.push('\n');
    (rows, 0)
}

/// Which series are fastest at the last input and how long the first of them takes, as three cells.
fn fastest(table: &Table) -> Option<String> {
    let input = table.inputs.last().filter(|_| !table.unrelated)?;
    let fastest = table.fastest(input)?;
    let (first, others) = fastest.split_first()?;
    let others = match others.len() {
        0 => String::new(),
        n => format!(" or {n} more"),
    };
    let time = table.measured(first, input)?.time;
    Some(format!(
        "{}{others} | {} | {}",
        cell(&shorten(first, TEXT_WIDTH)),
        cell(&shorten(input, TEXT_WIDTH)),
        interval(Unit::Duration, &time)
    ))
}

fn beginning(page: &mut String, report: &Report) {
    heading(page, report);
    key_findings(page, report);
    environment(page, report);
    units(page, report);
}

fn end(page: &mut String, report: &Report, calibration: Option<&Calibration>) {
    if let Some(calibration) = calibration {
        write_line(page, "---\n");
        page.push_str(&calibration.markdown());
    }
    method(page, report);
    how_to_run(page, report);
}

fn heading(page: &mut String, report: &Report) {
    let run = &report.run;
    let (command, check) = match &run.environment.workspace {
        Some(_) => ("cargo gen-benchmarks", "cargo gen-benchmarks check"),
        None => (
            "cargo run -p gen-benchmarks",
            "cargo run -p gen-benchmarks -- check",
        ),
    };
    write_line(
        page,
        &format!(
            "# {}\n\nAuto-generated by `{command}`. Do not edit manually: `{check}` fails when a byte differs from the record.\n",
            text(&title(report))
        ),
    );
    write_line(
        page,
        &format!(
            "> {} on the machine below. Every figure, sentence and chart is computed from [the record]({ASSETS}/benchmarks.jsonl).",
            extent(report)
        ),
    );
    for sentence in provenance(report) {
        write_line(page, &format!(">\n> {sentence}"));
    }
    page.push('\n');
}

/// What the report calls itself.
pub(crate) fn title(report: &Report) -> String {
    match &report.run.environment.workspace {
        Some(name) => format!("Benchmarks of {}", shorten(name, TEXT_WIDTH)),
        None => "Benchmarks".to_owned(),
    }
}

/// Sentences about which part of the cases was measured, and on how many machines.
pub(crate) fn provenance(report: &Report) -> Vec<String> {
    let run = &report.run;
    let mut sentences = Vec::new();
    if let Some(filter) = &run.filter {
        sentences.push(format!(
            "Only cases matching {} were measured.",
            code(filter)
        ));
    }
    if let Some(shard) = &run.shard {
        sentences.push(format!(
            "Only shard {} of {} was measured: {} of {} cases.",
            shard.number,
            shard.of,
            cases(report),
            shard.cases
        ));
    }
    if let Some((first, others)) = run.machines.split_first() {
        sentences.push(format!(
            "Measured in {} shards, which different machines may have run; that of the first is described below. Cases of a group with the same input are of one shard.",
            run.machines.len()
        ));
        for (other, number) in others.iter().zip(2..) {
            if let Err(difference) = first.same_machine(other) {
                sentences.push(format!(
                    "**Doubtful:** of shards 1 and {number}, {}.",
                    text(&difference)
                ));
            }
        }
    }
    sentences
}

/// How much was measured.
pub(crate) fn extent(report: &Report) -> String {
    let run = &report.run;
    let number = |count: usize, one: &str| match count {
        1 => format!("1 {one}"),
        _ => format!("{count} {one}s"),
    };
    let processes = match run.processes {
        1 => "1 fresh process".to_owned(),
        n => format!("{n} fresh processes"),
    };
    format!(
        "{} in {}, each measured by criterion in {processes} (`{}` profile)",
        number(cases(report), "case"),
        number(report.groups.len(), "group"),
        run.profile
    )
}

fn cases(report: &Report) -> usize {
    report.groups.iter().map(|table| table.rows.len()).sum()
}

/// The strongest sentences of the report, where it supports any.
pub(crate) fn key_findings(page: &mut String, report: &Report) {
    let findings = findings(report);
    for (title, sentences) in [
        ("## Key findings", findings.key),
        ("## Recommendations", findings.advice),
    ] {
        if sentences.is_empty() {
            continue;
        }
        write_line(page, &format!("{title}\n"));
        for sentence in sentences {
            write_line(page, &format!("- {sentence}"));
        }
        page.push('\n');
    }
}

pub(crate) fn environment(page: &mut String, report: &Report) {
    write_line(page, "## Environment\n");
    write_line(page, "| | |\n|---|---|");
    for (name, value) in report.run.environment.facts() {
        write_line(page, &format!("| {} | {} |", text(name), text(&value)));
    }
    page.push('\n');
    for warning in report.run.environment.warnings() {
        write_line(page, &format!("- {}", prose(&warning)));
    }
    page.push('\n');
}

pub(crate) fn units(page: &mut String, report: &Report) {
    write_line(
        page,
        "## Units

| Symbol | Name | Value |
|---|---|---|
| ns, µs, ms, s | nanosecond, microsecond, millisecond, second | 1, 1 000, 1 000 000, 1 000 000 000 ns |
| B, KiB, MiB | byte, kibibyte, mebibyte | 1, 1 024, 1 048 576 bytes |
| time ↓ | time an iteration, or one of its elements | median over the processes of each process's median sample |",
    );
    if report.has_counts() {
        write_line(
            page,
            "| allocs ↓ | allocations of the same | calls that allocate or reallocate, over all threads, counted in a pass of its own |
| bytes ↓ | bytes of the same | asked for by those calls; a reallocation counts what it grows by |
| peak ↓ | peak bytes | most bytes live at once during an iteration, above the level before it |
| threads | threads | the most that a process of the case was seen to have at once, its main thread included |
| held ↓ | held bytes | what the result of an iteration holds; shown where a result holds anything |",
        );
    }
    write_line(
        page,
        "| …/s ↑ | throughput | elements a second; k, M, G: 1 000, 1 000 000, 1 000 000 000 |",
    );
    if report
        .groups
        .iter()
        .any(|table| table.info.baseline.is_some())
    {
        write_line(
            page,
            "| × | ratio | time over the time of the group's baseline at the same input, process by process; faster or slower where the whole interval is on that side of 1 |",
        );
    }
    if report.has_instructions() {
        write_line(
            page,
            "| instr ↓ | instructions of the same | executed in user mode by one iteration; see [the method](#method) |",
        );
    }
    page.push('\n');
    write_line(
        page,
        &format!(
            "**Reading the tables:** ↓ lower is better, ↑ higher is better. In brackets stands the interval that covers the true median with a probability of at least {:.0} %. The fastest series of each input is **bold**; those that are not measurably slower are bold too.\n",
            (report.confidence * 100.0).floor()
        ),
    );
}

fn contents(page: &mut String, report: &Report, calibrated: bool) {
    write_line(page, "## Contents\n");
    if !report.targets.is_empty() {
        let link = anchor(targets::TITLE);
        write_line(page, &format!("- [{}](#{link})", targets::TITLE));
    }
    let mut section = None;
    for (table, anchor) in report.groups.iter().zip(anchors(report)) {
        if section != Some(&table.info.section) {
            section = Some(&table.info.section);
            write_line(page, &format!("- {}", text(&table.info.section)));
        }
        write_line(
            page,
            &format!(
                "  - [{}](#{anchor}) {}",
                code(&table.info.group),
                text(&table.info.question)
            ),
        );
    }
    if calibrated {
        let link = anchor(crate::calibration::TITLE);
        write_line(page, &format!("- [{}](#{link})", crate::calibration::TITLE));
    }
    page.push('\n');
}

/// The failed cases, but no more than `most`; those of a short page with what fits on a line.
pub(crate) fn failures(page: &mut String, report: &Report, most: usize) {
    let failed: Vec<_> = report.failed().collect();
    if failed.is_empty() {
        return;
    }
    write_line(page, "## Failed cases\n");
    for (case, reason) in failed.iter().take(most) {
        let (case, reason) = match failed.len() > most {
            true => (
                shorten(&case.to_string(), TEXT_WIDTH),
                shorten(reason, TEXT_WIDTH),
            ),
            false => (case.to_string(), (*reason).to_owned()),
        };
        write_line(page, &format!("- {}: {}", code(&case), text(&reason)));
    }
    if failed.len() > most {
        write_line(page, &format!("- and {} more", failed.len() - most));
    }
    page.push('\n');
}

/// Bench targets that were left out, with reasons of at most `width` characters.
pub(crate) fn skipped(page: &mut String, report: &Report, width: usize) {
    if report.run.skipped.is_empty() {
        return;
    }
    write_line(page, "## Left out\n");
    let because = match report.run.environment.workspace {
        Some(_) => "",
        None => ", because they could not be built here",
    };
    write_line(
        page,
        &format!("Rows of these bench targets are missing{because}:\n"),
    );
    for skipped in &report.run.skipped {
        write_line(
            page,
            &format!(
                "- {}: {}",
                code(&shorten(&skipped.target, width)),
                text(&shorten(&skipped.reason, width))
            ),
        );
    }
    page.push('\n');
}

/// The section of a group; its picture, without a file's ending, is `picture`.
fn group(report: &Report, table: &Table, picture: Option<&str>) -> String {
    let mut page = String::new();
    let info = &table.info;
    write_line(&mut page, &format!("### {}\n", code(&info.group)));
    write_line(
        &mut page,
        format!("**{}** {}", text(&info.question), prose(&info.work)).trim_end(),
    );
    page.push('\n');
    if let Some((picture, description)) = picture.zip(description(table)) {
        write_line(
            &mut page,
            &format!(
                "<picture><source media=\"(prefers-color-scheme: dark)\" srcset=\"{picture}{DARK}.svg\"><img alt=\"{} {}\" src=\"{picture}.svg\"></picture>\n",
                attribute(&info.question),
                attribute(&description)
            ),
        );
    }
    let columns = Columns::of(report, table);
    let head = columns.head(table);
    let titles: Vec<&str> = head.iter().map(|(_, title)| title.as_str()).collect();
    write_line(&mut page, &format!("| {} |", titles.join(" | ")));
    let rule = |(column, _): &(&str, String)| if *column == "series" { "---|" } else { "---:|" };
    write_line(
        &mut page,
        &format!("|{}", head.iter().map(rule).collect::<String>()),
    );
    for input in &table.inputs {
        let fastest = fastest_at(table, input);
        for row in table.rows_at(input) {
            let is_fastest = fastest.contains(row.series.as_str());
            table_row(&mut page, table, row, &columns, head.len(), is_fastest);
        }
    }
    page.push('\n');
    if let Some(takeaway) = takeaway(table) {
        write_line(&mut page, &format!("> **Takeaway:** {takeaway}\n"));
    }
    let cores = report.run.environment.cores_available.unwrap_or(u64::MAX);
    if columns.held {
        held(&mut page, table);
    }
    for doubt in doubts(table, cores) {
        write_line(&mut page, &format!("> **Doubtful:** {doubt}\n"));
    }
    page
}

/// Which columns a table has beside those that all have.
pub(crate) struct Columns {
    inputs: bool,
    instructions: bool,
    counts: bool,
    held: bool,
    threads: bool,
    ratio: bool,
}

impl Columns {
    pub(crate) fn of(report: &Report, table: &Table) -> Self {
        Self {
            inputs: table.has_inputs(),
            instructions: table.has_instructions(),
            // Where all cases failed, as others do.
            counts: table.is_counted().unwrap_or_else(|| report.has_counts()),
            held: table.holds_memory(),
            threads: table.is_parallel(),
            ratio: table.info.baseline.is_some(),
        }
    }

    /// What each column holds in a word, and its title.
    pub(crate) fn head(&self, table: &Table) -> Vec<(&'static str, String)> {
        let info = &table.info;
        let plain = |column: &'static str| (column, format!("{column} ↓"));
        let mut head = Vec::new();
        head.extend(self.inputs.then(|| ("input", text(&info.axis))));
        let series = if table.unrelated {
            "function"
        } else {
            "series"
        };
        head.push(("series", series.to_owned()));
        head.push(("time", format!("time {} ↓", text(&table.of()))));
        head.extend(self.instructions.then(|| plain("instr")));
        if self.counts {
            head.extend(["allocs", "bytes", "peak"].map(plain));
        }
        head.extend(self.held.then(|| plain("held")));
        head.extend(self.threads.then(|| ("threads", "threads".to_owned())));
        head.push(("rate", format!("{}/s ↑", text(&info.unit))));
        if let Some(baseline) = &info.baseline {
            head.push(("ratio", format!("× {}", cell(baseline))));
        }
        head
    }

    /// The cells of a measured row behind input and series; a time among the fastest is bold.
    pub(crate) fn figures(
        &self,
        table: &Table,
        row: &Row,
        measured: &Measured,
        is_fastest: bool,
    ) -> Vec<String> {
        let strong = if is_fastest { "**" } else { "" };
        let ratio = match table.ratio(row) {
            _ if table.info.baseline.as_ref() == Some(&row.series) => "1".to_owned(),
            Some(ratio) => match table.verdict(row) {
                Some(verdict) => format!("{} {verdict}", interval(Unit::Ratio, &ratio)),
                None => interval(Unit::Ratio, &ratio),
            },
            None => String::new(),
        };
        let mut cells = vec![format!(
            "{strong}{}{strong}",
            interval(Unit::Duration, &measured.time)
        )];
        if self.instructions {
            let instructions = measured.instructions;
            cells.push(instructions.map_or_else(|| "–".to_owned(), |n| Unit::Count.format(n, 0.0)));
        }
        let counted = |unit: Unit, value: fn(&Counted) -> f64| {
            measured.allocations.map_or_else(
                || "?".to_owned(),
                |counted| unit.format(value(&counted), 0.0),
            )
        };
        if self.counts {
            cells.push(counted(Unit::Count, |counted| counted.count));
            cells.push(counted(Unit::Bytes, |counted| counted.bytes));
            cells.push(counted(Unit::Bytes, |counted| counted.peak_bytes));
        }
        if self.held {
            cells.push(counted(Unit::Bytes, |counted| counted.held_bytes));
        }
        if self.threads {
            let threads = measured.threads.map(|threads| threads.to_string());
            cells.push(threads.unwrap_or_else(|| "?".to_owned()));
        }
        cells.push(rate(measured.throughput()));
        cells.extend(self.ratio.then_some(ratio));
        cells
    }
}

/// Which series of an input are among the fastest, where there is more than one series.
pub(crate) fn fastest_at<'a>(table: &'a Table, input: &str) -> HashSet<&'a str> {
    match table.has_choices() {
        true => HashSet::from_iter(table.fastest(input).unwrap_or_default()),
        false => HashSet::new(),
    }
}

/// What each series holds for an element at the last input, least first.
pub(crate) fn held(page: &mut String, table: &Table) {
    let Some(input) = table.inputs.last() else {
        return;
    };
    let mut held: Vec<(f64, &str)> = table
        .ranking(input)
        .into_iter()
        .filter_map(|(series, measured)| {
            let held = measured.allocations?.held_bytes / measured.held_elements as f64;
            Some((held, series))
        })
        .collect();
    held.sort_by(|(one, _), (other, _)| one.total_cmp(other));
    let list: Vec<String> = held
        .iter()
        .map(|(held, series)| format!("{} {}", code(series), Unit::Bytes.format(*held, 0.0)))
        .collect();
    write_line(
        page,
        &format!(
            "> **Held** at {} for {}: {}.\n",
            code(input),
            table.element(),
            list.join(", ")
        ),
    );
}

fn table_row(
    page: &mut String,
    table: &Table,
    row: &Row,
    columns: &Columns,
    width: usize,
    is_fastest: bool,
) {
    let input = match crate::report::number(&row.input) {
        Some(number) if number.fract() == 0.0 => Unit::Count.format(number, 0.0),
        _ => cell(&row.input),
    };
    let mut cells: Vec<String> = columns.inputs.then_some(input).into_iter().collect();
    let bound = if table.is_bound(&row.series) {
        " (bound)"
    } else {
        ""
    };
    cells.push(cell(&row.series) + bound);
    match &row.outcome {
        Outcome::Measured(measured) => {
            cells.extend(columns.figures(table, row, measured, is_fastest));
        }
        Outcome::Failed(reason) => cells.push(format!("failed: {}", text(reason))),
    }
    let empty = "| ".repeat(width - cells.len());
    write_line(page, &format!("| {} {empty}|", cells.join(" | ")));
}

pub(crate) fn method(page: &mut String, report: &Report) {
    let run = &report.run;
    write_line(page, "---\n\n## Method\n");
    write_line(
        page,
        &format!(
            "- The process is the unit of repetition: samples inside one process share its memory layout, heap and predictor state. Each case ran in {} processes of its own; one round starts every case once, in an order drawn from seed {}.",
            run.processes, run.seed
        ),
    );
    if report.has_counts() {
        write_line(
            page,
            &format!(
                "- A process checks the answer of its case, warms up for {} ms, lets criterion take {} samples within {} ms (slow cases take longer), counts allocations in a pass of its own, and checks the answer again. A wrong answer, a crash or a late process makes a failed row.",
                run.warm_up_ms, run.samples, run.measurement_ms
            ),
        );
    }
    if report.is_foreign() {
        write_line(
            page,
            &format!(
                "- A process of a benchmark that is criterion's own lets it warm up for {} ms and take {} samples within {} ms, where its group asks for nothing else; slow cases take longer, and criterion before 0.4 takes whole seconds. Nobody checks the answers. A crash, a late process or one that leaves no samples makes a failed row.
- Of those nothing but time is known: what allocates and how much, how many instructions are executed, and whether answers are right is told where `bench-harness` is a dev-dependency and its `main!` drives the benchmark.",
                run.warm_up_ms, run.samples, run.measurement_ms
            ),
        );
    }
    write_line(
        page,
        "- Intervals come from order statistics of the process medians; they hold for any distribution. Ratios and growth exponents are computed process by process and treated alike.
- Growth `n^b` is a least-squares fit of the logarithms over the inputs of a series.",
    );
    if report.has_counts() {
        write_line(
            page,
            "- The counting allocator is linked into every bench binary and switched off while time is taken.",
        );
    }
    if let Some(counting) = &report.counting {
        write_line(page, &format!("- {}", instructions(counting)));
    }
    page.push('\n');
}

/// How instructions were counted, or why they were not.
fn instructions(counting: &Counting) -> String {
    let dash = "A dash stands for a case that runs on several threads, where what they execute while they wait for each other would count, or that takes its time itself";
    match counting {
        Counting::Processor => format!(
            "Instructions are those that one iteration executes in user mode, counted by the processor in the counting pass of every process, less those of an empty iteration; the median over the processes is shown. {dash}."
        ),
        Counting::Callgrind {
            version,
            budget_s,
            left_out,
        } => {
            let left_out = match left_out {
                0 => String::new(),
                1 => format!(
                    ", or for the case that counting did not reach in {budget_s} s or that valgrind could not run"
                ),
                n => format!(
                    ", or for one of {n} cases that counting did not reach in {budget_s} s or that valgrind could not run"
                ),
            };
            format!(
                "Instructions are those that one iteration, after one to warm up, executes in user mode, counted by callgrind ({}) once for each case when all times had been taken, less those of an empty iteration. Callgrind simulates a processor: code that asks what it can do may go another way there, and a repeated string instruction counts as often as it repeats. {dash}{left_out}.",
                code(version)
            )
        }
        Counting::Nobody { reason } => format!(
            "Instructions are not counted: {}. With `valgrind` installed the tables have a column of them.",
            text(reason)
        ),
    }
}

fn how_to_run(page: &mut String, report: &Report) {
    if report.run.environment.workspace.is_some() {
        write_line(
            page,
            "## How to run

```bash
# Regenerate all charts and this file
cargo gen-benchmarks
cargo gen-benchmarks --profile quick
cargo gen-benchmarks --profile full --count 20 --timeout 300

# Go on where an interrupted run stopped
cargo gen-benchmarks --resume

# Run criterion by hand
cargo bench
```
",
        );
        return;
    }
    write_line(
        page,
        "## How to run

```bash
# Regenerate all charts and this file
make benchmarks

# Or run directly
cargo run -p gen-benchmarks
cargo run -p gen-benchmarks -- --profile quick
cargo run -p gen-benchmarks -- --profile full --count 20 --timeout 300

# Go on where an interrupted run stopped
cargo run -p gen-benchmarks -- --resume

# Run criterion by hand
cargo bench
cargo bench --bench dag -- dag-run/chain
```
",
    );
}

pub(crate) fn suites(page: &mut String, report: &Report) {
    write_line(page, "## Benchmark files\n");
    write_line(page, "| File | Groups |\n|---|---|");
    let mut files: Vec<&str> = Vec::new();
    for table in &report.groups {
        if !files.contains(&table.info.suite.as_str()) {
            files.push(&table.info.suite);
        }
    }
    for file in files {
        let groups: Vec<String> = report
            .groups
            .iter()
            .filter(|table| table.info.suite == file)
            .map(|table| cell(&table.info.group))
            .collect();
        write_line(page, &format!("| {} | {} |", cell(file), groups.join(", ")));
    }
}

fn write_line(page: &mut String, line: &str) {
    writeln!(page, "{line}").expect("writing to a string does not fail");
}

/// A point with its interval: `1.23 µs (1.20..1.29)`, or with units at the ends that need one.
pub(crate) fn interval(unit: Unit, estimate: &Estimate) -> String {
    let half_width = (estimate.high - estimate.low) / 2.0;
    let point = unit.format(estimate.point, half_width);
    let (low, high) = (
        unit.format(estimate.low, half_width),
        unit.format(estimate.high, half_width),
    );
    let suffix = |text: &str| {
        text.trim_start_matches(|c: char| c.is_ascii_digit() || ",.-".contains(c))
            .to_owned()
    };
    let shared = suffix(&point);
    let bare = |text: &str| match text.strip_suffix(&shared) {
        Some(bare) if suffix(text) == shared => bare.to_owned(),
        _ => text.to_owned(),
    };
    format!("{point} ({}..{})", bare(&low), bare(&high))
}

/// Elements a second with three digits: `20.1 k`.
fn rate(per_second: f64) -> String {
    let (divisor, suffix) = match per_second {
        rate if rate >= 1e9 => (1e9, " G"),
        rate if rate >= 1e6 => (1e6, " M"),
        rate if rate >= 1e3 => (1e3, " k"),
        _ => (1.0, ""),
    };
    format!("{}{suffix}", Unit::Count.format(per_second / divisor, 0.0))
}

/// A name as a code span.
pub(crate) fn code(name: &str) -> String {
    let clean = one_line(name);
    let clean = clean.trim();
    if clean.is_empty() {
        return "(empty)".to_owned();
    }
    if !clean.contains('`') {
        return format!("`{clean}`");
    }
    // A fence longer than any run of backticks inside (CommonMark, code spans).
    let longest = clean.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest + 1);
    format!("{fence} {clean} {fence}")
}

/// A name in a table, where a bare `|` would end the cell even inside a code span.
pub(crate) fn cell(name: &str) -> String {
    code(name).replace('|', "\\|")
}

/// Prose with code spans between backticks, and everything else escaped.
pub(crate) fn prose(prose: &str) -> String {
    let parts: Vec<&str> = prose.split('`').collect();
    // An even number of parts means a backtick without its twin.
    if parts.len().is_multiple_of(2) {
        return text(prose);
    }
    let part = |(place, part): (usize, &&str)| match place % 2 {
        0 => escape(part),
        _ => code(part),
    };
    parts.iter().enumerate().map(part).collect()
}

/// The value of an HTML attribute.
pub(crate) fn attribute(value: &str) -> String {
    one_line(value)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// A text with everything escaped that Markdown would take for markup.
pub(crate) fn text(prose: &str) -> String {
    escape(one_line(prose).trim())
}

pub(crate) fn escape(prose: &str) -> String {
    let mut escaped = String::with_capacity(prose.len());
    for c in one_line(prose).chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '#' | '~' => {
                escaped.push('\\');
                escaped.push(c);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

pub(crate) fn one_line(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

/// The anchors of the groups' headings, on a page where others may read alike.
fn anchors(report: &Report) -> Vec<String> {
    let mut seen = HashSet::new();
    let mut next = |heading: &str| {
        let plain = anchor(heading);
        let numbered = (1..).map(|number| format!("{plain}-{number}"));
        let mut names = std::iter::once(plain.clone()).chain(numbered);
        let free = names.find(|name| seen.insert(name.clone()));
        free.expect("numbers go on")
    };
    let findings = findings(report);
    for heading in [
        (!findings.key.is_empty()).then_some("Key findings"),
        (!findings.advice.is_empty()).then_some("Recommendations"),
        Some("Environment"),
        Some("Units"),
        Some("Contents"),
    ] {
        heading.map(&mut next);
    }
    if report.failed().next().is_some() {
        next("Failed cases");
    }
    if !report.run.skipped.is_empty() {
        next("Left out");
    }
    if !report.targets.is_empty() {
        next(targets::TITLE);
    }
    let mut section = None;
    let mut anchors = Vec::new();
    for table in &report.groups {
        if section != Some(&table.info.section) {
            section = Some(&table.info.section);
            next(&table.info.section);
        }
        anchors.push(next(&table.info.group));
    }
    anchors
}

/// The anchor that a code-hosting page gives a heading.
pub(crate) fn anchor(heading: &str) -> String {
    heading
        .to_lowercase()
        .chars()
        .filter_map(|c| match c {
            ' ' => Some('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => Some(c),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::{entries, report};
    use bench_harness::record::{Counted, Entry};
    use std::path::PathBuf;

    #[test]
    fn same_record_gives_the_same_bytes() {
        let cases: &[(&str, &str, &[u64])] =
            &[("slow", "1", &[100, 110]), ("fast", "1", &[90, 95])];
        assert_eq!(files(&report(cases), None), files(&report(cases), None));
    }

    #[test]
    fn every_picture_of_the_page_is_among_the_files() {
        let files = files(
            &report(&[("slow", "1", &[100, 110]), ("slow", "2", &[90, 95])]),
            None,
        );
        let page = String::from_utf8(files[Path::new("BENCHMARKS.md")].clone()).unwrap();
        let named: Vec<&str> = page
            .split('"')
            .filter(|part| part.starts_with(ASSETS) && part.ends_with(".svg"))
            .collect();
        assert_eq!(named.len(), 2, "a light and a dark one: {named:?}");
        for name in named {
            assert!(files.contains_key(Path::new(name)), "{name}");
        }
    }

    #[test]
    fn failed_row_says_why_and_the_page_lists_it() {
        let files = files(
            &report(&[("slow", "1", &[100, 110]), ("fast", "1", &[])]),
            None,
        );
        let page = String::from_utf8(files[Path::new("BENCHMARKS.md")].clone()).unwrap();
        assert!(page.contains("## Failed cases"), "{page}");
        assert!(
            page.contains("| 1 | `fast` | failed: ran 9 of 10 nodes | | | | | | |"),
            "{page}"
        );
    }

    #[test]
    fn rows_of_a_table_have_as_many_cells_as_its_head() {
        let report = report(&[
            ("slow", "1", &[100, 110]),
            ("fast", "1", &[]),
            ("a|b", "1", &[5, 6]),
        ]);
        let files = files(&report, None);
        let page = String::from_utf8(files[Path::new("BENCHMARKS.md")].clone()).unwrap();
        let start = page.find("| nodes | series").unwrap();
        let table: Vec<&str> = page[start..]
            .lines()
            .take_while(|line| line.starts_with('|'))
            .collect();
        assert_eq!(table.len(), 5);
        for line in &table {
            let cells = line.replace("\\|", "").matches('|').count();
            assert_eq!(cells, 10, "{line}");
        }
    }

    /// The report of a group that stands `count` times, each time under another name.
    fn groups(count: usize) -> Report {
        let first = entries(&[("slow", "1", &[100, 110]), ("slow", "2", &[90, 95])]);
        let mut all = vec![first[0].clone()];
        for number in 0..count {
            for entry in &first[1..] {
                let mut entry = entry.clone();
                match &mut entry {
                    Entry::Group(group) => group.info.group = format!("walk/{number}"),
                    Entry::Case(record) => record.case.group = format!("walk/{number}"),
                    _ => panic!("a group or a case"),
                }
                all.push(entry);
            }
        }
        Report::new(&all).unwrap()
    }

    /// What the Markdown files among `files` link to or show, below the report's folder.
    fn links(files: &Files) -> Vec<(PathBuf, PathBuf)> {
        use pulldown_cmark::{Event, Parser, Tag};
        let mut links = Vec::new();
        let pages = files
            .iter()
            .filter(|(path, _)| path.extension().is_some_and(|ending| ending == "md"));
        for (path, bytes) in pages {
            let page = std::str::from_utf8(bytes).unwrap();
            let mut named: Vec<String> = page
                .split('"')
                .filter(|part| part.ends_with(".svg"))
                .map(str::to_owned)
                .collect();
            named.extend(Parser::new(page).filter_map(|event| match event {
                Event::Start(Tag::Link { dest_url, .. }) => Some(dest_url.to_string()),
                _ => None,
            }));
            for name in named.iter().filter(|name| !name.starts_with('#')) {
                let mut target = path.parent().unwrap().to_owned();
                for part in name.split('/') {
                    match part {
                        ".." => drop(target.pop()),
                        part => target.push(part),
                    }
                }
                links.push((path.clone(), target));
            }
        }
        links
    }

    #[test]
    fn page_that_would_be_too_long_keeps_a_row_for_each_group_and_every_link_resolves() {
        let report = groups(40);
        let whole = files(&report, None);
        let length = |files: &Files| files[Path::new("BENCHMARKS.md")].len();
        let table = Path::new("assets/tables/bench-walk-7.md");
        assert!(!whole.contains_key(table));
        let limit = 15_000;
        assert!(length(&whole) > 2 * limit);
        let short = files_within(&report, None, limit);
        assert!(length(&short) <= limit, "{}", length(&short));
        let text = |name: &str| String::from_utf8(short[Path::new(name)].clone()).unwrap();
        let page = text("BENCHMARKS.md");
        let row = "| [`walk/7`](assets/tables/bench-walk-7.md) | How long is a walk? | 2 | 0 | `slow` | `2` | 92 ns (90..95) |";
        assert!(page.contains(row), "{page}");
        assert!(!page.contains("more groups are"), "{page}");
        let whole_table = String::from_utf8(whole[Path::new("BENCHMARKS.md")].clone()).unwrap();
        let one = text("assets/tables/bench-walk-7.md");
        let rows: Vec<&str> = one.lines().filter(|line| line.starts_with('|')).collect();
        assert_eq!(rows.len(), 4, "{one}");
        assert!(rows.iter().all(|row| whole_table.contains(row)), "{one}");
        let record = Path::new("assets/benchmarks.jsonl");
        for (page, target) in links(&short).iter().chain(&links(&whole)) {
            let there = short.contains_key(target) || target == record;
            assert!(there, "{} names {}", page.display(), target.display());
        }
        // With room for some rows only, the rest is in the list.
        let limit = length(&short) - 1_000;
        let shorter = files_within(&report, None, limit);
        assert!(length(&shorter) <= limit, "{}", length(&shorter));
        let page = String::from_utf8(shorter[Path::new("BENCHMARKS.md")].clone()).unwrap();
        assert!(
            page.contains("more groups are [in the list](assets/tables/groups.md)."),
            "{page}"
        );
        let list =
            String::from_utf8(shorter[Path::new("assets/tables/groups.md")].clone()).unwrap();
        assert!(list.contains("| [`walk/39`](bench-walk-39.md) |"), "{list}");
    }

    #[test]
    fn shard_and_merged_record_say_what_they_are() {
        use bench_harness::record::Shard;
        let mut report = report(&[("slow", "1", &[100, 110])]);
        report.run.shard = Some(Shard {
            number: 2,
            of: 3,
            cases: 9,
            digest: "d".to_owned(),
            places: vec![4],
        });
        let page = |report: &Report| {
            String::from_utf8(files(report, None)[Path::new("BENCHMARKS.md")].clone()).unwrap()
        };
        let said = page(&report);
        assert!(
            said.contains("> Only shard 2 of 3 was measured: 1 of 9 cases."),
            "{said}"
        );
        report.run.shard = None;
        let machine = |cores| bench_harness::Environment {
            cores_total: Some(cores),
            ..Default::default()
        };
        report.run.machines = vec![machine(2), machine(2), machine(16)];
        let said = page(&report);
        assert!(said.contains("> Measured in 3 shards, which"), "{said}");
        let doubt = "> **Doubtful:** of shards 1 and 3, records were taken on another machine (2 cores, now 16).";
        assert!(said.contains(doubt), "{said}");
        assert_eq!(said.matches("Doubtful").count(), 1);
    }

    #[test]
    fn targets_stand_before_the_groups_and_in_the_contents() {
        let mut report = report(&[("slow", "1", &[100, 110]), ("fast", "1", &[50, 55])]);
        let text = "[[target]]\nname = 'quick'\ncases = '**/fast/*'\nmetric = 'time'\nat_most = 0.6\nof = 'slow'";
        let policy = bench_harness::policy::Policy::parse("f", text).unwrap();
        report.targets = targets::judge(&policy, &report);
        let page = String::from_utf8(files(&report, None)[Path::new("BENCHMARKS.md")].clone());
        let page = page.unwrap();
        assert!(page.contains("- [Targets](#targets)"), "{page}");
        let row = "| quick | time an iteration | at most 0.6× `slow` | 0.5× | 16.7 % under | `walk/chain/fast/1` | 1 of 1 | met |";
        assert!(page.contains(row), "{page}");
        assert!(page.find("## Targets") < page.find("### `walk/chain`"));
        // In words, where the interval supports them.
        assert!(
            page.contains("| 0.500× (0.500..0.500) faster |")
                || page.contains("| 0.5× (0.5..0.5) faster |"),
            "{page}"
        );
    }

    fn page_of(entries: &[Entry]) -> String {
        let files = files(&Report::new(entries).unwrap(), None);
        String::from_utf8(files[Path::new("BENCHMARKS.md")].clone()).unwrap()
    }

    fn callgrind(left_out: u64) -> Entry {
        Entry::Counting(Counting::Callgrind {
            version: "valgrind-3.19.0".to_owned(),
            budget_s: 45,
            left_out,
        })
    }

    #[test]
    fn instructions_stand_beside_the_time_and_a_case_without_has_a_dash() {
        let mut entries = entries(&[("slow", "1", &[100, 110]), ("fast", "1", &[90, 95])]);
        let Some(Entry::Case(last)) = entries.last() else {
            panic!("the last entry is a case");
        };
        let counted = Counted {
            case: last.case.clone(),
            instructions: 1_234,
        };
        entries.extend([Entry::Counted(counted), callgrind(3)]);
        let page = page_of(&entries);
        assert!(
            page.contains("| time an iteration ↓ | instr ↓ | allocs ↓ |"),
            "{page}"
        );
        assert!(page.contains("ns (90..95)** | 1,234 | 2.5 |"), "{page}");
        assert!(page.contains("ns (100..110) | – | 2.5 |"), "{page}");
        assert_eq!(page.matches("instructions of the same").count(), 1);
        assert_eq!(
            page.matches("counted by callgrind (`valgrind-3.19.0`)")
                .count(),
            1
        );
        assert!(
            page.contains("or for one of 3 cases that counting did not reach in 45 s"),
            "{page}"
        );
    }

    #[test]
    fn report_without_instructions_says_why_and_one_of_an_old_record_says_nothing() {
        let mut entries = entries(&[("slow", "1", &[100, 110])]);
        let old = page_of(&entries);
        assert!(
            !old.contains("nstructions") && !old.contains("instr"),
            "{old}"
        );
        let reason = "no counters; valgrind is not installed".to_owned();
        entries.push(Entry::Counting(Counting::Nobody { reason }));
        let page = page_of(&entries);
        let sentence = "- Instructions are not counted: no counters; valgrind is not installed. With `valgrind` installed the tables have a column of them.\n";
        assert_eq!(page.replace(sentence, ""), old);
        assert_ne!(page, old);
    }

    #[test]
    fn hostile_names_stay_data() {
        let mut entries = entries(&[("slow", "1", &[100, 110])]);
        let Some(Entry::Group(group)) = entries.get_mut(1) else {
            panic!("the second entry is the group");
        };
        group.info.question = "<script>alert(1)</script> | [x](javascript:y)".to_owned();
        group.info.section = "../../etc".to_owned();
        let files = files(&Report::new(&entries).unwrap(), None);
        for (path, bytes) in &files {
            assert!(!path.to_string_lossy().contains(".."), "{}", path.display());
            let text = String::from_utf8(bytes.clone()).unwrap();
            assert!(!text.contains("<script>"), "{text}");
        }
        let page = String::from_utf8(files[Path::new("BENCHMARKS.md")].clone()).unwrap();
        // Inside a tag, Markdown is not looked for.
        let prose = page.lines().filter(|line| !line.starts_with("<picture>"));
        assert!(prose.clone().count() > 10);
        for line in prose {
            assert!(!line.contains("[x](javascript"), "{line}");
        }
    }

    #[test]
    fn prose_keeps_code_spans_and_nothing_else() {
        assert_eq!(
            prose("As `a_b`, with *all* <b>"),
            "As `a_b`, with \\*all\\* &lt;b&gt;"
        );
        assert_eq!(prose("a ` alone"), "a \\` alone");
    }

    #[test]
    fn names_become_code_spans_whatever_they_hold() {
        assert_eq!(code("a`b"), "`` a`b ``");
        assert_eq!(code("a\nb"), "`a b`");
        assert_eq!(cell("a|b"), "`a\\|b`");
    }

    #[test]
    fn charts_of_groups_that_differ_in_punctuation_only_get_their_own_names() {
        let mut entries = entries(&[("slow", "1", &[100, 110])]);
        let Some(Entry::Group(group)) = entries.get(1).cloned() else {
            panic!("the second entry is the group");
        };
        let mut other = group.clone();
        other.info.group = "walk-chain".to_owned();
        entries.push(Entry::Group(other));
        let mut records: Vec<Entry> = entries[2..4].to_vec();
        for record in &mut records {
            let Entry::Case(record) = record else {
                panic!("a case");
            };
            record.case.group = "walk-chain".to_owned();
        }
        entries.extend(records);
        let names = chart_names(&Report::new(&entries).unwrap());
        let hashes = [hash("walk/chain"), hash("walk-chain")];
        assert_ne!(hashes[0], hashes[1]);
        assert_eq!(
            names,
            hashes.map(|hash| format!("bench-walk-chain-{hash:08x}"))
        );
    }

    #[test]
    fn contents_lead_to_each_of_the_groups_whose_headings_read_alike() {
        let mut entries = entries(&[("slow", "1", &[100, 110])]);
        let Some(Entry::Group(group)) = entries.get(1).cloned() else {
            panic!("the second entry is the group");
        };
        for name in ["walk chain", "Units"] {
            let mut other = group.clone();
            other.info.group = name.to_owned();
            other.cases.clear();
            entries.push(Entry::Group(other));
        }
        let anchors = anchors(&Report::new(&entries).unwrap());
        assert_eq!(anchors, ["walkchain", "walk-chain", "units-1"]);
    }

    /// A group of criterion's own, of another workspace.
    fn foreign() -> Vec<Entry> {
        let mut entries = entries(&[("slow", "", &[100, 110]), ("fast", "", &[])]);
        for entry in &mut entries {
            match entry {
                Entry::Run(run) => run.environment.workspace = Some("a *b*".to_owned()),
                Entry::Group(group) => group.info.baseline = None,
                Entry::Case(record) => (record.allocations, record.threads) = (None, None),
                _ => {}
            }
        }
        entries
    }

    #[test]
    fn page_of_another_workspace_has_its_name_and_no_columns_of_what_nobody_counted() {
        let page = page_of(&foreign());
        assert!(page.starts_with("# Benchmarks of a \\*b\\*\n"), "{page}");
        assert!(
            page.contains("| series | time an iteration ↓ | node/s ↑ |\n|---|---:|---:|\n"),
            "{page}"
        );
        assert!(
            page.contains("| `fast` | failed: ran 9 of 10 nodes | |\n"),
            "{page}"
        );
        for ours in [
            "cargo run",
            "make ",
            "allocs",
            "| ×",
            "counting allocator",
            "checks the answer of",
        ] {
            assert!(!page.contains(ours), "{ours}: {page}");
        }
        assert_eq!(
            page.matches("`bench-harness` is a dev-dependency").count(),
            1
        );
    }

    #[test]
    fn page_of_both_kinds_explains_both() {
        let mut both = foreign();
        let Some(Entry::Group(group)) = both.get(1).cloned() else {
            panic!("the second entry is the group");
        };
        let mut ours = group.clone();
        ours.info.group = "ours".to_owned();
        ours.cases.truncate(1);
        both.push(Entry::Group(ours));
        for entry in &entries(&[("slow", "", &[90, 95])])[2..] {
            let Entry::Case(record) = entry else {
                panic!("a case");
            };
            let mut record = record.clone();
            record.case.group = "ours".to_owned();
            both.push(Entry::Case(record));
        }
        let page = page_of(&both);
        assert_eq!(
            page.matches("| allocs ↓ |").count(),
            2,
            "in the units and in one table: {page}"
        );
        assert!(
            page.contains("checks the answer") && page.contains("Nobody checks"),
            "{page}"
        );
    }

    #[test]
    fn interval_repeats_its_unit_only_where_it_changes() {
        let estimate = |low, point, high| Estimate {
            point,
            low,
            high,
            confidence: 1.0,
        };
        assert_eq!(
            interval(Unit::Duration, &estimate(1_200.0, 1_230.0, 1_290.0)),
            "1.23 µs (1.20..1.29)"
        );
        assert_eq!(
            interval(Unit::Duration, &estimate(971.0, 1_003.0, 1_013.0)),
            "1.00 µs (970 ns..1.01)"
        );
    }
}
