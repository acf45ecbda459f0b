//! Results of other tools: one model, and readers and writers for the formats that carry it.
//!
//! Everything here is a pure function of text; who opens files is elsewhere. A reader never makes
//! up samples: what a file holds only as a summary stays a summary, and cannot be tested for
//! significance.

mod bencher;
mod benchmark_dotnet;
mod bmf;
mod cargo_criterion;
mod codspeed;
mod critcmp;
mod criterion;
mod github;
mod go;
mod google;
mod gungraun;
mod hyperfine;
mod jmh;
mod json;
mod pytest;
mod reader;
mod rebar;
mod records;
mod unit;

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::gate::Metric;
use crate::record::CaseId;
use crate::stats;

pub use criterion::Folder;
pub use reader::ReadError;
pub use records::{from_entries, to_records};

use json::Json;
use reader::Reader;

/// One metric of one benchmark, whoever measured it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measurement {
    /// What the tool calls the benchmark. Data: it may hold any character.
    pub id: String,
    /// Its group, series and input, where the format has such parts; a part may be empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<CaseId>,
    /// What was measured.
    pub metric: Quantity,
    /// What the values count, always of one iteration.
    pub unit: String,
    /// How the file wrote the values, where that was another unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub original: Option<Original>,
    /// Whether a larger value is the better one; `None` where nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more_is_better: Option<bool>,
    /// Whether the tool says that repeating gives the same value, so that one is enough.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub exact: bool,
    /// What one iteration handles, where that is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub throughput: Vec<Amount>,
    /// What was measured, in files that hold several commits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub commit: Option<Commit>,
    /// The values.
    pub values: Values,
}

/// What was measured.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Quantity {
    /// What only the tool knows, by its name.
    #[serde(rename = "other")]
    Other(String),
    /// What this lab measures too.
    #[serde(untagged)]
    Known(Metric),
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Known(metric) => metric.fmt(f),
            Self::Other(name) => f.write_str(name),
        }
    }
}

/// The unit of a file: a value of 1 there is `factor` of [`Measurement::unit`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Original {
    /// As the file writes it.
    pub unit: String,
    /// How many of the measurement's unit it is.
    pub factor: f64,
}

/// An amount of something that one iteration handles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Amount {
    /// How much.
    pub amount: f64,
    /// Of what: `elements`, `bytes`, `bits`, or `bytes_decimal` where the tool wants multiples of
    /// 1000.
    pub unit: String,
}

/// A commit of a history.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Commit {
    /// Its hash, as far as the file gives it.
    pub id: String,
    /// When it was measured, in milliseconds since 1970.
    pub measured_ms: u64,
}

/// The values of a measurement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Values {
    /// Samples, by the process that took them. A tool that does not tell processes apart has one.
    Processes(Vec<Process>),
    /// What a tool computed from samples that are not in the file.
    Summary(Summary),
}

/// What one process measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// Its number, from 1.
    pub process: u32,
    /// Its samples, in the order in which they were taken.
    pub samples: Vec<Batch>,
}

/// One sample.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Batch {
    /// The value of one iteration.
    pub value: f64,
    /// Iterations that it is the mean of, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iterations: Option<u64>,
}

/// What a tool computed from its samples.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Every statistic that the file holds.
    pub figures: BTreeMap<Statistic, Figure>,
    /// How many samples they were computed from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<u64>,
}

/// A number that is computed from samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Statistic {
    /// The median.
    Median,
    /// The mean.
    Mean,
    /// Criterion's slope of time over iterations.
    Slope,
    /// Whatever the tool puts forward without saying what it is.
    Value,
    /// The standard deviation.
    Deviation,
    /// The median absolute deviation.
    MedianDeviation,
    /// The smallest sample.
    Minimum,
    /// The largest sample.
    Maximum,
}

/// A statistic and the range it plausibly lies in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The estimate.
    pub point: f64,
    /// Lower end of the interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub low: Option<f64>,
    /// Upper end of the interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub high: Option<f64>,
    /// Probability that such an interval covers the true value.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// Standard error of the estimate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub standard_error: Option<f64>,
}

impl Figure {
    /// A figure of which only the estimate is known.
    pub const fn point(point: f64) -> Self {
        Self {
            point,
            low: None,
            high: None,
            confidence: None,
            standard_error: None,
        }
    }

    fn numbers(&self) -> impl Iterator<Item = f64> {
        let more = [self.low, self.high, self.confidence, self.standard_error];
        std::iter::once(self.point).chain(more.into_iter().flatten())
    }
}

impl Summary {
    /// A summary of these statistics; those that are not known are left out.
    fn of(figures: impl IntoIterator<Item = (Statistic, Option<f64>)>) -> Self {
        let known = figures
            .into_iter()
            .filter_map(|(statistic, point)| Some((statistic, Figure::point(point?))));
        Self {
            figures: known.collect(),
            samples: None,
        }
    }

    /// Where the values lie: the median, else the mean, the slope, or what the tool puts forward.
    pub fn centre(&self) -> Option<Figure> {
        let centres = [
            Statistic::Median,
            Statistic::Mean,
            Statistic::Slope,
            Statistic::Value,
        ];
        centres
            .iter()
            .find_map(|statistic| self.figures.get(statistic).copied())
    }

    fn point(&self, statistic: Statistic) -> Option<f64> {
        Some(self.figures.get(&statistic)?.point)
    }
}

/// What tells the measurements of a file apart.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    /// The benchmark.
    pub id: String,
    /// What was measured.
    pub metric: Quantity,
    /// What the values count.
    pub unit: String,
    /// Which commit was measured.
    pub commit: Option<Commit>,
}

impl Measurement {
    /// Something that this lab measures too, in its unit.
    pub fn new(id: impl Into<String>, metric: Metric, values: Values) -> Self {
        Self {
            id: id.into(),
            case: None,
            metric: Quantity::Known(metric),
            unit: unit::of(metric).to_owned(),
            original: None,
            more_is_better: Some(metric.more_is_better()),
            exact: false,
            throughput: Vec::new(),
            commit: None,
            values,
        }
    }

    /// Something that only a tool knows; `more_is_better` where it says so.
    pub fn other(
        id: impl Into<String>,
        name: impl Into<String>,
        unit: impl Into<String>,
        more_is_better: Option<bool>,
        values: Values,
    ) -> Self {
        Self {
            metric: Quantity::Other(name.into()),
            unit: unit.into(),
            more_is_better,
            ..Self::new(id, Metric::Time, values)
        }
    }

    /// Values in a unit of another tool: what the unit says, or something named by it.
    fn in_unit(id: impl Into<String>, name: &str, values: Values) -> Self {
        let Some(known) = unit::known(name) else {
            return Self::other(id, name, name, None, values);
        };
        let mut measurement = Self::new(id, known.metric, values);
        measurement.unit = known.unit.to_owned();
        measurement.scale(name, known.factor);
        measurement
    }

    /// Turns values in a file's unit into those of the measurement's.
    fn scale(&mut self, original: &str, factor: f64) {
        if original != self.unit {
            self.original = Some(Original {
                unit: original.to_owned(),
                factor,
            });
        }
        match &mut self.values {
            Values::Processes(processes) => {
                let samples = processes
                    .iter_mut()
                    .flat_map(|process| &mut process.samples);
                samples.for_each(|sample| sample.value *= factor);
            }
            Values::Summary(summary) => {
                for figure in summary.figures.values_mut() {
                    figure.point *= factor;
                    let ends = [
                        &mut figure.low,
                        &mut figure.high,
                        &mut figure.standard_error,
                    ];
                    ends.into_iter().flatten().for_each(|end| *end *= factor);
                }
            }
        }
    }

    /// What tells it apart from the other measurements of a file.
    pub fn key(&self) -> Key {
        Key {
            id: self.id.clone(),
            metric: self.metric.clone(),
            unit: self.unit.clone(),
            commit: self.commit.clone(),
        }
    }

    /// The number of each process, the median of its samples; empty for a summary.
    pub fn by_process(&self) -> Vec<f64> {
        let Values::Processes(processes) = &self.values else {
            return Vec::new();
        };
        let medians = processes.iter().filter_map(|process| {
            let values: Vec<f64> = process.samples.iter().map(|sample| sample.value).collect();
            stats::median(&values)
        });
        medians.collect()
    }

    /// Where the values lie, with an interval over the processes where there are several.
    pub fn centre(&self) -> Option<Figure> {
        match &self.values {
            Values::Summary(summary) => summary.centre(),
            Values::Processes(_) => {
                let estimate = stats::estimate(&self.by_process())?;
                // One process knows nothing of the next.
                let known = estimate.confidence > 0.0;
                Some(Figure {
                    low: known.then_some(estimate.low),
                    high: known.then_some(estimate.high),
                    confidence: known.then_some(estimate.confidence),
                    ..Figure::point(estimate.point)
                })
            }
        }
    }

    /// All samples, process by process.
    fn samples(&self) -> impl Iterator<Item = &Batch> {
        let processes = match &self.values {
            Values::Processes(processes) => &processes[..],
            Values::Summary(_) => &[],
        };
        processes.iter().flat_map(|process| &process.samples)
    }

    /// Whether this is the time of an iteration.
    fn is_time(&self) -> bool {
        self.metric == Quantity::Known(Metric::Time)
    }

    /// Checks what the types do not.
    ///
    /// # Errors
    ///
    /// Fails with what is wrong: no id, no values, a number that is not finite, a negative count
    /// or time, no iterations, a process twice.
    pub fn check(&self) -> Result<(), String> {
        if self.id.is_empty() {
            return Err("a benchmark without a name".to_owned());
        }
        let known = matches!(self.metric, Quantity::Known(_));
        let number = |value: f64| match value {
            _ if !value.is_finite() => Err(format!("{} of `{}` is {value}", self.metric, self.id)),
            _ if known && value < 0.0 => Err(format!(
                "{} of `{}` is negative: {value}",
                self.metric, self.id
            )),
            _ => Ok(()),
        };
        let none = || format!("{} of `{}` has no values", self.metric, self.id);
        match &self.values {
            Values::Summary(summary) => {
                summary.centre().ok_or_else(none)?;
                let points = summary.figures.values().map(|figure| figure.point);
                points.into_iter().try_for_each(number)?;
                let mut numbers = summary.figures.values().flat_map(Figure::numbers);
                match numbers.find(|value| !value.is_finite()) {
                    Some(value) => number(value),
                    None => Ok(()),
                }
            }
            Values::Processes(processes) => {
                let mut seen = HashSet::new();
                for process in processes {
                    if !seen.insert(process.process) {
                        return Err(format!(
                            "process {} of `{}` stands twice",
                            process.process, self.id
                        ));
                    }
                    if process.samples.is_empty() {
                        return Err(none());
                    }
                }
                if processes.is_empty() {
                    return Err(none());
                }
                self.samples().try_for_each(|sample| match sample {
                    Batch {
                        iterations: Some(0),
                        ..
                    } => Err(format!("`{}` has a sample of 0 iterations", self.id)),
                    _ => number(sample.value),
                })
            }
        }
    }
}

/// Samples of one process.
fn one_process(samples: Vec<Batch>) -> Values {
    Values::Processes(vec![Process {
        process: 1,
        samples,
    }])
}

/// The measurements of each benchmark, in order of first appearance.
fn by_id(measurements: &[Measurement]) -> Vec<(&str, Vec<&Measurement>)> {
    let mut places: std::collections::HashMap<&str, usize> = std::collections::HashMap::new();
    let mut grouped: Vec<(&str, Vec<&Measurement>)> = Vec::new();
    for measurement in measurements {
        let place = *places.entry(&measurement.id).or_insert(grouped.len());
        match grouped.get_mut(place) {
            Some((_, list)) => list.push(measurement),
            None => grouped.push((&measurement.id, vec![measurement])),
        }
    }
    grouped
}

/// A format of benchmark results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// What `go test -bench` prints and benchstat reads.
    Go,
    /// The Bencher Metric Format.
    Bmf,
    /// What github-action-benchmark takes as its custom tools.
    GithubAction,
    /// The history that github-action-benchmark stores: `data.js`.
    GithubHistory,
    /// The folder of criterion; see [`read_criterion`].
    Criterion,
    /// What `cargo criterion --message-format=json` prints.
    CargoCriterion,
    /// What criterion prints with `--output-format bencher`, and libtest.
    Bencher,
    /// What `critcmp --export` prints.
    Critcmp,
    /// Google Benchmark's JSON.
    Google,
    /// hyperfine's JSON.
    Hyperfine,
    /// The JSON of the Java Microbenchmark Harness.
    Jmh,
    /// The full JSON of BenchmarkDotNet.
    BenchmarkDotNet,
    /// The JSON of pytest-benchmark.
    Pytest,
    /// A `summary.json` of gungraun.
    Gungraun,
    /// The CSV of rebar.
    Rebar,
    /// A walltime result of CodSpeed.
    CodSpeed,
}

/// What a file holds.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    /// Its measurements, in order.
    pub measurements: Vec<Measurement>,
    /// What was passed over, in sentences that name the file.
    pub warnings: Vec<String>,
}

/// Measurements in a format.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    /// Text by name. One text without a name is a file; `smaller` and `bigger` are two files by
    /// what is better, and criterion's are paths below its folder.
    pub parts: Vec<(String, String)>,
    /// What the format has no place for, in sentences.
    pub warnings: Vec<String>,
}

impl Written {
    fn file(text: String, warnings: Vec<String>) -> Self {
        Self {
            parts: vec![(String::new(), text)],
            warnings,
        }
    }
}

impl Format {
    /// Every format.
    pub const ALL: [Self; 16] = [
        Self::Go,
        Self::Bmf,
        Self::GithubAction,
        Self::GithubHistory,
        Self::Criterion,
        Self::CargoCriterion,
        Self::Bencher,
        Self::Critcmp,
        Self::Google,
        Self::Hyperfine,
        Self::Jmh,
        Self::BenchmarkDotNet,
        Self::Pytest,
        Self::Gungraun,
        Self::Rebar,
        Self::CodSpeed,
    ];

    /// The word that stands for it on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Go => "go",
            Self::Bmf => "bmf",
            Self::GithubAction => "github-action",
            Self::GithubHistory => "github-history",
            Self::Criterion => "criterion",
            Self::CargoCriterion => "cargo-criterion",
            Self::Bencher => "bencher",
            Self::Critcmp => "critcmp",
            Self::Google => "google",
            Self::Hyperfine => "hyperfine",
            Self::Jmh => "jmh",
            Self::BenchmarkDotNet => "benchmarkdotnet",
            Self::Pytest => "pytest",
            Self::Gungraun => "gungraun",
            Self::Rebar => "rebar",
            Self::CodSpeed => "codspeed",
        }
    }

    /// Whether [`write()`] knows it.
    pub const fn is_written(self) -> bool {
        matches!(
            self,
            Self::Go
                | Self::Bmf
                | Self::GithubAction
                | Self::Criterion
                | Self::Critcmp
                | Self::Google
                | Self::Hyperfine
        )
    }

    /// The format of a text, told by its content; `None` where nothing fits.
    pub fn detect(text: &str) -> Option<Self> {
        let text = text.trim_start_matches('\u{feff}').trim_start();
        if text.starts_with("window.BENCHMARK_DATA") {
            return Some(Self::GithubHistory);
        }
        if text.starts_with("name,model,rebar_version") {
            return Some(Self::Rebar);
        }
        if text.starts_with(['{', '[']) {
            return detect_json(text);
        }
        let mut lines = text.lines();
        lines.find_map(|line| match line {
            _ if go::is_result(line) => Some(Self::Go),
            _ if bencher::is_result(line) => Some(Self::Bencher),
            _ => None,
        })
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|format| format.name() == name);
        found.ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|format| format.name()).collect();
            format!(
                "format `{name}` is not known; known are {}",
                names.join(", ")
            )
        })
    }
}

/// The format of a JSON text, told by the fields that only it has.
fn detect_json(text: &str) -> Option<Format> {
    let parse = |text: &str| serde_json::from_str::<Json>(text).ok();
    let first_line = || parse(text.lines().next()?);
    let json = parse(text)
        .or_else(|| parse(&google::without_tokens(text)))
        .or_else(first_line)?;
    let has = |name: &str| json.field(name).is_some();
    if let Json::List(list) = &json {
        let first = list.first()?;
        let has = |name: &str| first.field(name).is_some();
        return match () {
            () if has("primaryMetric") => Some(Format::Jmh),
            () if has("value") && has("unit") => Some(Format::GithubAction),
            () => None,
        };
    }
    match () {
        () if has("reason") => Some(Format::CargoCriterion),
        () if has("results") => Some(Format::Hyperfine),
        () if has("Benchmarks") => Some(Format::BenchmarkDotNet),
        () if has("profiles") && has("module_path") => Some(Format::Gungraun),
        () if has("machine_info") => Some(Format::Pytest),
        () if has("instrument") || has("uri") && has("stats") => Some(Format::CodSpeed),
        () if has("context") && has("benchmarks") => Some(Format::Google),
        () if has("name") && has("benchmarks") => Some(Format::Critcmp),
        () if bmf::fits(&json) => Some(Format::Bmf),
        () => None,
    }
}

/// Reads the text of a file.
///
/// Takes time and memory in proportion to the text.
///
/// # Errors
///
/// Fails with the file and the line or JSON pointer of what the format does not allow, of a value
/// that is not finite or negative where that makes no sense, and of a benchmark that stands twice.
pub fn read(format: Format, file: &str, text: &str) -> Result<Found, ReadError> {
    let reader = Reader::new(file);
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    match format {
        Format::Go => go::read(&reader, text),
        Format::Bmf => bmf::read(&reader, text),
        Format::GithubAction => github::read(&reader, text),
        Format::GithubHistory => github::read_history(&reader, text),
        Format::Criterion => Err(reader.fault("is a file; criterion's results are a folder")),
        Format::CargoCriterion => cargo_criterion::read(&reader, text),
        Format::Bencher => bencher::read(&reader, text),
        Format::Critcmp => critcmp::read(&reader, text),
        Format::Google => google::read(&reader, text),
        Format::Hyperfine => hyperfine::read(&reader, text),
        Format::Jmh => jmh::read(&reader, text),
        Format::BenchmarkDotNet => benchmark_dotnet::read(&reader, text),
        Format::Pytest => pytest::read(&reader, text),
        Format::Gungraun => gungraun::read(&reader, text),
        Format::Rebar => rebar::read(&reader, text),
        Format::CodSpeed => codspeed::read(&reader, text),
    }?;
    reader.finish()
}

/// Reads the files of criterion's folders, one for each benchmark.
///
/// # Errors
///
/// As [`read`].
pub fn read_criterion(home: &str, folders: &[Folder]) -> Result<Found, ReadError> {
    let mut found = Found::default();
    let mut seen = HashSet::new();
    for folder in folders {
        let one = criterion::read(folder)?;
        for measurement in one.measurements {
            if !seen.insert(measurement.id.clone()) {
                return Err(Reader::new(&folder.file).fault(&format!(
                    "benchmark `{}` stands twice below {home}; remove the folder of one",
                    measurement.id
                )));
            }
            found.measurements.push(measurement);
        }
        found.warnings.extend(one.warnings);
    }
    Ok(found)
}

/// Writes measurements. `name` is what the format calls the whole, as criterion does a baseline.
///
/// # Errors
///
/// Fails with the reason when the format is only read, or when nothing of the measurements has a
/// place in it.
pub fn write(format: Format, name: &str, measurements: &[Measurement]) -> Result<Written, String> {
    if let Some(twice) = measurements.iter().find(|one| one.commit.is_some()) {
        return Err(format!(
            "`{}` holds several commits; no format that is written does",
            twice.id
        ));
    }
    let written = match format {
        Format::Go => go::write(measurements)?,
        Format::Bmf => bmf::write(measurements),
        Format::GithubAction => github::write(measurements)?,
        Format::Criterion => criterion::write(name, measurements),
        Format::Critcmp => critcmp::write(name, measurements),
        Format::Google => google::write(measurements),
        Format::Hyperfine => hyperfine::write(measurements),
        _ => return Err(format!("format `{format}` is only read, not written")),
    };
    match written.parts.is_empty() {
        true => Err(format!(
            "nothing of the record has a place in format `{format}`{}",
            written
                .warnings
                .first()
                .map_or(String::new(), |warning| format!(": {warning}"))
        )),
        false => Ok(written),
    }
}

/// How many measurements a writer left out, by reason.
#[derive(Default)]
struct LeftOut(BTreeMap<String, usize>);

impl LeftOut {
    fn add(&mut self, reason: impl Into<String>) {
        *self.0.entry(reason.into()).or_default() += 1;
    }

    fn warnings(self) -> Vec<String> {
        let sentences = self.0.into_iter().map(|(reason, count)| match count {
            1 => format!("1 measurement is left out: {reason}"),
            _ => format!("{count} measurements are left out: {reason}"),
        });
        sentences.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a text holds, which is also what is detected and read back from a record.
    #[track_caller]
    pub(super) fn found(format: Format, text: &str) -> Vec<Measurement> {
        assert_eq!(Format::detect(text), Some(format), "{text}");
        let found = match read(format, "the-file", text) {
            Ok(found) => found.measurements,
            Err(error) => panic!("{error}"),
        };
        for measurement in &found {
            let entry = crate::record::Entry::Imported(Box::new(measurement.clone()));
            let line: serde_json::Value = serde_json::from_str(&entry.to_line()).unwrap();
            let again: crate::record::Entry = serde_json::from_value(line).unwrap();
            assert_eq!(again, entry);
        }
        spoil(format, text);
        found
    }

    /// Whatever is cut off or written over, what is found is possible and nothing panics.
    #[track_caller]
    fn spoil(format: Format, text: &str) {
        let check = |text: &str| {
            Format::detect(text);
            if let Ok(found) = read(format, "x", text) {
                assert!(
                    found.measurements.iter().all(|one| one.check().is_ok()),
                    "{text}"
                );
            }
        };
        for (at, c) in text.char_indices() {
            check(&text[..at]);
            let rest = &text[at + c.len_utf8()..];
            for other in ["-", "9", "\"", "{", "\u{1d7d9}"] {
                check(&[&text[..at], other, rest].concat());
            }
        }
    }

    #[track_caller]
    pub(super) fn warnings(format: Format, text: &str) -> Vec<String> {
        match read(format, "the-file", text) {
            Ok(found) => found.warnings,
            Err(error) => panic!("{error}"),
        }
    }

    #[track_caller]
    pub(super) fn check_refused(format: Format, text: &str, reason: &str) {
        let error = read(format, "the-file", text).unwrap_err().to_string();
        assert!(error.starts_with("the-file"), "{error}");
        assert!(error.contains(reason), "{error}");
    }

    /// The values by process.
    pub(super) fn samples(measurement: &Measurement) -> Vec<Vec<f64>> {
        let Values::Processes(processes) = &measurement.values else {
            panic!("a summary: {measurement:?}");
        };
        let values = |process: &Process| process.samples.iter().map(|one| one.value).collect();
        processes.iter().map(values).collect()
    }

    /// A time with one sample in each of six processes.
    pub(super) fn six_processes() -> Measurement {
        let values = [5.0, 3.0, 4.0, 9.0, 1.0, 2.0];
        let processes = (1..).zip(values).map(|(process, value)| Process {
            process,
            samples: vec![Batch {
                value,
                iterations: Some(10),
            }],
        });
        let values = Values::Processes(processes.collect());
        let mut measurement = Measurement::new("dag/own/10", Metric::Time, values);
        measurement.case = Some(CaseId {
            group: "dag".to_owned(),
            series: "own".to_owned(),
            input: "10".to_owned(),
        });
        measurement
    }

    #[test]
    fn every_format_has_a_name_of_its_own() {
        for format in Format::ALL {
            assert_eq!(format.name().parse(), Ok(format));
        }
        let error = "xml".parse::<Format>().unwrap_err();
        assert!(error.contains("`xml`") && error.contains("bmf"), "{error}");
    }

    #[test]
    fn formats_that_are_only_read_are_not_written() {
        for format in Format::ALL {
            let written = write(format, "x", &[six_processes()]);
            assert_eq!(written.is_ok(), format.is_written(), "{format}");
        }
    }

    #[test]
    fn text_of_no_format_is_not_taken_for_one() {
        for text in [
            "",
            "\n",
            "{",
            "[]",
            "{}",
            "[1]",
            "{\"a\":1}",
            "{\"a\":{}}",
            "hello",
            "\u{feff}",
            "<x/>",
            "Benchmarks are fine",
            "null",
            "[[[[",
            "name,model",
        ] {
            assert_eq!(Format::detect(text), None, "{text}");
        }
    }

    #[test]
    fn nesting_without_end_is_refused() {
        let deep = "[".repeat(100_000);
        assert_eq!(Format::detect(&deep), None);
        check_refused(Format::GithubAction, &deep, "recursion limit");
        check_refused(Format::Bmf, &"{\"a\":".repeat(100_000), "recursion limit");
    }

    #[test]
    fn hostile_texts_are_errors_in_every_format() {
        let texts = [
            "\0",
            "{}",
            "[]",
            "null",
            "0",
            "\"x\"",
            "{\"benchmarks\":null}",
            "{\"results\":[[]]}",
            "{\"Benchmarks\":[0]}",
            "[{}]",
            "[0]",
            "\u{202e}",
            "name,model,rebar_version\n\"",
            "Benchmark",
            "Benchmark 1",
            "test  ... bench:",
            "window.BENCHMARK_DATA =",
            "}{",
            "{\"version\":7}",
            "{\"stats\":{},\"uri\":1}",
            "{\"reason\":[]}",
            "{\"context\":{},\"benchmarks\":[{\"name\":1}]}",
        ];
        for format in Format::ALL {
            for text in texts {
                assert!(read(format, "x", text).is_err(), "{format}: {text}");
            }
        }
    }

    #[test]
    fn warnings_are_few() {
        let many: Vec<String> = (0..100).map(|n| format!("\"f{n}\":0")).collect();
        let text = format!(
            "{{\"a\":{{\"latency\":{{\"value\":1,{}}}}}}}",
            many.join(",")
        );
        let warnings = warnings(Format::Bmf, &text);
        assert_eq!(warnings.len(), 21);
        assert_eq!(warnings[20], "the-file: 80 more warnings");
    }

    #[test]
    fn impossible_measurements_are_refused() {
        #[track_caller]
        fn check(change: impl FnOnce(&mut Measurement), reason: &str) {
            let mut measurement = six_processes();
            change(&mut measurement);
            let error = measurement.check().unwrap_err();
            assert!(error.contains(reason), "{error}");
        }
        fn batch(measurement: &mut Measurement) -> &mut Batch {
            match &mut measurement.values {
                Values::Processes(processes) => &mut processes[0].samples[0],
                Values::Summary(_) => panic!("samples"),
            }
        }
        assert_eq!(six_processes().check(), Ok(()));
        check(|one| one.id.clear(), "without a name");
        check(|one| batch(one).value = f64::NAN, "is NaN");
        check(|one| batch(one).value = -1.0, "is negative: -1");
        check(|one| batch(one).iterations = Some(0), "0 iterations");
        check(
            |one| one.values = Values::Processes(Vec::new()),
            "no values",
        );
        check(
            |one| one.values = Values::Summary(Summary::default()),
            "no values",
        );
        check(
            |one| {
                if let Values::Processes(processes) = &mut one.values {
                    processes[1].process = 1;
                }
            },
            "process 1 of `dag/own/10` stands twice",
        );
    }

    #[test]
    fn interval_of_the_centre_needs_several_processes() {
        let centre = six_processes().centre().unwrap();
        assert_eq!(
            (centre.point, centre.low, centre.high),
            (3.5, Some(1.0), Some(9.0))
        );
        let one = Measurement::new(
            "x",
            Metric::Time,
            one_process(
                [1.0, 2.0, 9.0]
                    .map(|value| Batch {
                        value,
                        iterations: None,
                    })
                    .to_vec(),
            ),
        );
        assert_eq!(one.centre(), Some(Figure::point(2.0)));
    }
}
