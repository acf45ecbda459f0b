//! Finds figures that cannot be, or that nobody measured: in records, in files of other tools and in
//! published reports.
//!
//! Rules are pure functions of rows or of documents, and each says why what it finds is implausible.
//! Files are read here, and findings printed.

mod document;
mod markdown;
mod prose;
mod quantity;
mod record;
mod row;

use std::fmt::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use bench_harness::record::Entry;
use clap::Args;
use serde::Serialize;

use crate::exchange;
use crate::print;

/// Findings of a file that are shown.
const SHOWN: usize = 1_000;

#[derive(Args, Clone)]
pub(crate) struct Arguments {
    /// Records, files of other tools, or reports in Markdown.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<String>,
    /// Print the findings as JSON.
    #[arg(long)]
    json: bool,
}

/// The rules by name, and how the command ends.
pub(crate) fn help() -> String {
    let mut help = "Rules:\n".to_owned();
    for rule in Rule::ALL {
        let line = format!(
            "  {:<15} {:<8} {}",
            rule.name(),
            rule.severity(),
            rule.sentence()
        );
        help += &(line + "\n");
    }
    help + "
Exit code 0: nothing was found; 1: something was; 2: a file cannot be read.

Examples:
  gen-benchmarks lint assets/benchmarks.jsonl BENCHMARKS.md
  gen-benchmarks lint --json their-report.md"
}

/// What is implausible about figures, or about what is said of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    ExactRatio,
    SpeedUp,
    NoVariance,
    SubCycle,
    SubCycleElement,
    BytesWithoutAllocations,
    RoundedAllocations,
    Throughput,
    SleepBound,
    RoundNumbers,
    TypedDigits,
    NoNumber,
    NotPrinted,
    Prose,
    Winner,
    Change,
    Status,
    Unmeasured,
    Bounds,
    Shares,
    InsideNoise,
    IdleLimit,
}

/// How sure a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    /// It cannot be as it stands there.
    Error,
    /// It can be, and a reader cannot tell.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Error => "error",
            Self::Warning => "warning",
        })
    }
}

impl Rule {
    /// Every rule.
    const ALL: [Self; 22] = [
        Self::ExactRatio,
        Self::SpeedUp,
        Self::NoVariance,
        Self::SubCycle,
        Self::SubCycleElement,
        Self::BytesWithoutAllocations,
        Self::RoundedAllocations,
        Self::Throughput,
        Self::SleepBound,
        Self::RoundNumbers,
        Self::TypedDigits,
        Self::NoNumber,
        Self::NotPrinted,
        Self::Prose,
        Self::Winner,
        Self::Change,
        Self::Status,
        Self::Unmeasured,
        Self::Bounds,
        Self::Shares,
        Self::InsideNoise,
        Self::IdleLimit,
    ];

    /// The word that stands for it in findings.
    const fn name(self) -> &'static str {
        match self {
            Self::ExactRatio => "exact-ratio",
            Self::SpeedUp => "speed-up",
            Self::NoVariance => "no-variance",
            Self::SubCycle => "sub-cycle",
            Self::SubCycleElement => "sub-cycle-each",
            Self::BytesWithoutAllocations => "bytes-allocs",
            Self::RoundedAllocations => "rounded-allocs",
            Self::Throughput => "throughput",
            Self::SleepBound => "sleep-bound",
            Self::RoundNumbers => "round-numbers",
            Self::TypedDigits => "typed-digits",
            Self::NoNumber => "no-number",
            Self::NotPrinted => "not-printed",
            Self::Prose => "prose",
            Self::Winner => "winner",
            Self::Change => "change",
            Self::Status => "status",
            Self::Unmeasured => "unmeasured",
            Self::Bounds => "bounds",
            Self::Shares => "shares",
            Self::InsideNoise => "inside-noise",
            Self::IdleLimit => "idle-limit",
        }
    }

    const fn severity(self) -> Severity {
        match self {
            Self::ExactRatio
            | Self::SpeedUp
            | Self::NoVariance
            | Self::SubCycle
            | Self::BytesWithoutAllocations
            | Self::Throughput
            | Self::NoNumber
            | Self::NotPrinted
            | Self::TypedDigits
            | Self::Prose
            | Self::Winner
            | Self::Change
            | Self::Status
            | Self::Shares
            | Self::InsideNoise => Severity::Error,
            Self::SubCycleElement
            | Self::RoundedAllocations
            | Self::SleepBound
            | Self::RoundNumbers
            | Self::Unmeasured
            | Self::Bounds
            | Self::IdleLimit => Severity::Warning,
        }
    }

    /// What it finds.
    const fn sentence(self) -> &'static str {
        match self {
            Self::ExactRatio => {
                "times that are whole multiples of their neighbours to the last digit"
            }
            Self::SpeedUp => "more speed-up than there are workers or cores",
            Self::NoVariance => "repetitions, or mean and percentiles, that are all the same",
            Self::SubCycle => "an iteration that takes less than a clock cycle",
            Self::SubCycleElement => "an element that takes less than its share of a clock cycle",
            Self::BytesWithoutAllocations => {
                "exact counts of bytes without allocations, or the reverse"
            }
            Self::RoundedAllocations => "the same of counts that are rounded",
            Self::Throughput => "a rate that its own time and elements refute",
            Self::SleepBound => "times just above round ones, where sleeps end",
            Self::RoundNumbers => "times without the digits that measurements have",
            Self::TypedDigits => "digits in the order of the keyboard",
            Self::NoNumber => "NaN, or infinitely much",
            Self::NotPrinted => "a result line that the tool does not print",
            Self::Prose => "a figure in a sentence that its table refutes",
            Self::Winner => "a winner that its table refutes",
            Self::Change => "a change that the two figures beside it refute",
            Self::Status => "a tick at a target that is missed, or not exceeded",
            Self::Unmeasured => "a tick without a measurement",
            Self::Bounds => "bounds where measurements are promised",
            Self::Shares => "shares of a whole that do not add to it",
            Self::InsideNoise => "a gain that is smaller than the stated noise",
            Self::IdleLimit => "a limit of change in a report that says nothing of its noise",
        }
    }
}

impl Serialize for Rule {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// One thing that is implausible.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Finding {
    line: usize,
    rule: Rule,
    severity: Severity,
    figures: Vec<String>,
    sentence: String,
}

impl Finding {
    fn new(line: usize, rule: Rule, sentence: impl Into<String>) -> Self {
        Self {
            line,
            rule,
            severity: rule.severity(),
            figures: Vec::new(),
            sentence: sentence.into(),
        }
    }

    /// Names the figures at fault.
    fn figures<T: Into<String>>(mut self, figures: impl IntoIterator<Item = T>) -> Self {
        self.figures.extend(figures.into_iter().map(T::into));
        self
    }

    /// The line that a terminal or an editor shows.
    fn shown(&self, file: &str) -> String {
        let mut line = format!(
            "{file}:{}: {}: {}: {}",
            self.line,
            self.severity,
            self.rule.name(),
            self.sentence
        );
        if !self.figures.is_empty() {
            write!(line, " [{}]", self.figures.join(", "))
                .expect("writing to a string does not fail");
        }
        exchange::plain(&line)
    }
}

/// A finding and where it is.
#[derive(Serialize)]
struct Found<'a> {
    file: &'a str,
    #[serde(flatten)]
    finding: &'a Finding,
}

pub(crate) fn lint(arguments: &Arguments) -> Result<ExitCode> {
    let mut all = Vec::new();
    for file in &arguments.files {
        all.push((file.as_str(), of_file(file)?));
    }
    let mut shown = Vec::new();
    for (file, findings) in &all {
        let findings = findings.iter().take(SHOWN);
        shown.extend(findings.map(|finding| Found { file, finding }));
    }
    match arguments.json {
        true => print(&(serde_json::to_string_pretty(&shown)? + "\n"))?,
        false => {
            let lines = shown.iter().map(|one| one.finding.shown(one.file) + "\n");
            print(&lines.collect::<String>())?;
        }
    }
    for (file, findings) in &all {
        match findings.len() {
            0 => eprintln!("{file}: nothing found"),
            count @ 1..=SHOWN => eprintln!("{file}: {count} found"),
            count => eprintln!("{file}: {count} found, the first {SHOWN} are shown"),
        }
    }
    Ok(match all.iter().all(|(_, findings)| findings.is_empty()) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Prints what is implausible in the entries of a record as warnings.
pub(crate) fn warn(records: &Path, entries: &[Entry]) {
    for finding in record::lint(entries).iter().take(SHOWN) {
        eprintln!("warning: {}", finding.shown(&records.display().to_string()));
    }
}

/// Largest report that is read, in bytes.
const REPORT_LIMIT: usize = 16 << 20;

/// What is found in a record, a file of another tool, or a report.
fn of_file(source: &str) -> Result<Vec<Finding>> {
    let path = Path::new(source);
    if !path.is_file() {
        let loaded = exchange::load(source, None)?;
        return Ok(record::imported(&loaded.measurements, ""));
    }
    let text = exchange::text_of(path)?;
    let mut findings = if exchange::is_record(&text) {
        let read = bench_harness::record::read_from(text.as_bytes(), path)?;
        record::lint(&read.entries)
    } else if document::is_markdown(path, &text) {
        ensure!(
            text.len() <= REPORT_LIMIT,
            "{source} is larger than {} MiB, which no report is",
            REPORT_LIMIT >> 20
        );
        markdown::lint(&text)
    } else {
        let loaded = exchange::load(source, None)
            .with_context(|| format!("cannot lint {source}, which is no report in Markdown"))?;
        record::imported(&loaded.measurements, &text)
    };
    findings.sort_by(|one, other| {
        (one.line, one.rule.name(), &one.sentence).cmp(&(
            other.line,
            other.rule.name(),
            &other.sentence,
        ))
    });
    Ok(findings)
}
