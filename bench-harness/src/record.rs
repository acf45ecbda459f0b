//! What is stored about a run: JSON lines that a person can read and git can compare.
//!
//! The first line of a file describes the run, then come the groups, then one line for every case
//! and process. Everything the report says is computed from these lines.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::environment::Environment;
use crate::exchange::Measurement;

/// Version of the line format. Readers refuse others.
pub const SCHEMA: u32 = 1;

/// Longest line that a reader accepts, in bytes.
pub const LINE_LIMIT: usize = 1 << 20;

/// Longest record that a reader accepts, in bytes: it keeps all of it in memory.
pub const FILE_LIMIT: u64 = 1 << 28;

/// One line of a record file.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Line {
    schema: u32,
    #[serde(flatten)]
    entry: Entry,
}

/// What one line of a record file holds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Entry {
    /// How and where the following cases were measured.
    Run(Box<RunInfo>),
    /// A group and the cases that were chosen of it.
    Group(PlannedGroup),
    /// One case, measured by one process.
    Case(Record),
    /// The instructions of one case, counted apart from its processes.
    Counted(Counted),
    /// How the instructions of the run were counted; stands once, after the cases.
    Counting(Counting),
    /// What one case executed, sampled apart from its processes.
    Profiled(Profiled),
    /// What another tool measured.
    Imported(Box<Measurement>),
}

impl Entry {
    /// The line that stores this entry, without a line end.
    ///
    /// # Panics
    ///
    /// Never: all numbers are finite.
    pub fn to_line(&self) -> String {
        let line = Line {
            schema: SCHEMA,
            entry: self.clone(),
        };
        serde_json::to_string(&line).expect("strings and finite numbers serialise")
    }
}

/// Identifies a case: `group/series/input`.
///
/// The parts are data: they may hold any character, and are escaped wherever they are written. A part
/// that criterion does not know of is empty and left out of what is printed, as criterion does.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CaseId {
    /// One chart and one table.
    pub group: String,
    /// One line of the chart.
    pub series: String,
    /// The x position.
    pub input: String,
}

impl fmt::Display for CaseId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.group)?;
        for part in [&self.series, &self.input] {
            if !part.is_empty() {
                write!(f, "/{part}")?;
            }
        }
        Ok(())
    }
}

/// How much is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Small inputs only, few processes: a look within two minutes.
    Quick,
    /// What the published report is made from.
    Standard,
    /// Everything, with more processes.
    Full,
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Quick => "quick",
            Self::Standard => "standard",
            Self::Full => "full",
        })
    }
}

/// What a bench binary says of one of its cases before running it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaseInfo {
    /// The case.
    pub case: CaseId,
    /// The smallest profile that measures it.
    pub profile: Profile,
}

/// A line printed by a bench binary that was asked for its cases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Listed {
    /// A group; its cases follow.
    Group(GroupInfo),
    /// A case.
    Case(CaseInfo),
}

/// A group of a run: what it asks, and the cases that are to have records, in order of definition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlannedGroup {
    /// What it asks.
    #[serde(flatten)]
    pub info: GroupInfo,
    /// Series and input of each case.
    pub cases: Vec<(String, String)>,
}

/// What a group asks and how it is to be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupInfo {
    /// First part of the ids of its cases.
    pub group: String,
    /// The section of the report it belongs to.
    pub section: String,
    /// The question it answers.
    pub question: String,
    /// What one iteration does, and what is inside the timed region.
    pub work: String,
    /// The series that the others are compared with.
    pub baseline: Option<String>,
    /// Name of the x axis.
    pub axis: String,
    /// What one element is, in the singular.
    pub unit: String,
    /// Whether time and allocations are told of an element rather than of an iteration.
    pub per_element: bool,
    /// Whether the inputs are sizes, with which time grows.
    pub growth: bool,
    /// The source file that defines the group, relative to its workspace.
    pub suite: String,
    /// Whether its instructions are counted before those of others, where there is not the time
    /// for all.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub counted_first: bool,
    /// Series that bound the others and are no choices themselves: what must be done at least, or
    /// what an ideal would take. None of them is called the fastest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub bounds: Vec<String>,
}

/// How and where a run was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// Which cases were chosen.
    pub profile: Profile,
    /// Only cases whose id contains this were chosen.
    pub filter: Option<String>,
    /// Processes started for every case.
    pub processes: u32,
    /// Time that a process spends on a case before it takes samples, in milliseconds.
    pub warm_up_ms: u64,
    /// Time that it spends on taking samples, in milliseconds; slow cases take longer.
    pub measurement_ms: u64,
    /// Samples taken by a process.
    pub samples: u32,
    /// Decides the order of the cases in every round.
    pub seed: u64,
    /// Fingerprint of the bench binaries; records of different builds are not mixed.
    pub build: String,
    /// The machine, the toolchain and the commit.
    pub environment: Environment,
    /// Bench targets that could not be built or measured here, so that their cases are missing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skipped: Vec<Skipped>,
    /// Which part of the chosen cases the record holds; `None` where it holds all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shard: Option<Shard>,
    /// Where the shards that the record was merged from were measured, first to last; none
    /// elsewhere. `environment` is the first of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub machines: Vec<Environment>,
}

/// Which part of the chosen cases one machine of several measures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which part it is, from 1.
    pub number: u32,
    /// How many parts there are.
    pub of: u32,
    /// How many cases there are in all parts.
    pub cases: u32,
    /// What [`digest`](crate::shard::digest) makes of the list of all cases.
    pub digest: String,
    /// Where the cases of this part stand in that list, from 0 on, in the order of its groups.
    pub places: Vec<u32>,
}

/// A bench target that was left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Skipped {
    /// Its name.
    pub target: String,
    /// Why its cases are missing.
    pub reason: String,
}

/// One case, measured by one process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The case.
    pub case: CaseId,
    /// Number of the process, from 1.
    pub process: u32,
    /// Timed batches in the order in which they were taken.
    pub samples: Vec<Sample>,
    /// What one iteration handles, for throughput.
    pub elements: u64,
    /// What the counting pass saw; `None` where it did not run.
    pub allocations: Option<Allocations>,
    /// What processor and kernel counted; `None` where they do not or the case cannot be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counters: Option<Counters>,
    /// Most threads the process was seen to have at once; `None` where that is not known.
    pub threads: Option<u64>,
    /// Time from starting the process to its end, in milliseconds; `None` in records from before
    /// it was stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// Whether the figures count.
    pub status: Status,
}

/// One timed batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Calls in the batch.
    pub iterations: u64,
    /// Time of the whole batch, in nanoseconds.
    pub elapsed_ns: u64,
}

/// What was allocated by a number of iterations, summed over all threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allocations {
    /// Iterations counted together.
    pub iterations: u64,
    /// Calls that allocated, zeroed or reallocated memory.
    pub count: u64,
    /// How many of those calls reallocated.
    pub reallocations: u64,
    /// Bytes asked for; a reallocation counts what it grows by.
    pub bytes: u64,
    /// Most bytes live at once during one iteration, above the level before it.
    pub peak_bytes: u64,
    /// Bytes that one iteration's result holds; negative where the iteration freed older memory.
    pub held_bytes: i64,
}

/// What processor and kernel counted during one iteration, on the thread that ran it.
///
/// In user mode, less what starting and stopping the counters takes. `None` where there is no such
/// counter, as of the processor in most virtual machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Counters {
    /// Instructions executed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instructions: Option<u64>,
    /// Cycles of the processor.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cycles: Option<u64>,
    /// Branches that went another way than predicted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub branch_misses: Option<u64>,
    /// Accesses that the last cache could not serve.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cache_misses: Option<u64>,
    /// Pages that were touched before they were mapped.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_faults: Option<u64>,
    /// How often the thread left its core; needs the right to look into the kernel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_switches: Option<u64>,
    /// Time that the thread had a core, in nanoseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub task_clock_ns: Option<u64>,
}

/// The instructions of one case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// The case.
    pub case: CaseId,
    /// Instructions of one iteration, in user mode.
    pub instructions: u64,
}

/// How the instructions of a run were counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "by", rename_all = "snake_case")]
pub enum Counting {
    /// By the processor, in every process; see [`Counters`].
    Processor,
    /// By valgrind's callgrind, once for each case; see [`Counted`].
    Callgrind {
        /// What valgrind calls itself: `valgrind-3.19.0`.
        version: String,
        /// Time that counting was given in all, in seconds.
        budget_s: u64,
        /// Cases that could have been counted and were not, because the time was over or because
        /// valgrind could not run them.
        left_out: u64,
    },
    /// Not at all.
    Nobody {
        /// Why not.
        reason: String,
    },
}

/// What one case executed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profiled {
    /// The case.
    pub case: CaseId,
    /// What was found.
    pub found: Found,
}

/// A profile, or why there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// The samples of the case's functions.
    Samples(Sampled),
    /// Why it could not be sampled.
    Nothing(String),
}

/// How often the threads of a case were executing what, in user mode.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sampled {
    /// All samples: the sum of those below.
    pub samples: u64,
    /// Those of what the harness prepares and clears away and no time includes.
    pub set_up: u64,
    /// Those of functions that are not listed.
    pub others: u64,
    /// Time that all threads together had a processor, in milliseconds.
    pub cpu_ms: u64,
    /// Those of functions, inlined ones not among them.
    pub functions: Vec<Function>,
}

/// How often threads were in a function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Function {
    /// What its symbol says; empty for all that have none.
    pub name: String,
    /// The file that it is from, where that is not the bench binary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// How often.
    pub samples: u64,
}

impl Profiled {
    /// Whether its numbers are those of samples.
    fn check(&self) -> Result<(), String> {
        let Found::Samples(sampled) = &self.found else {
            return Ok(());
        };
        let functions = sampled.functions.iter().map(|function| function.samples);
        let sum = functions
            .chain([sampled.set_up, sampled.others])
            .try_fold(0_u64, u64::checked_add);
        if sampled.samples == 0 || sum != Some(sampled.samples) {
            return Err(format!(
                "the profile of case `{}` says that it has {} samples, which is not the sum of their parts",
                self.case, sampled.samples
            ));
        }
        Ok(())
    }
}

/// Whether a record's figures count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// The answer was checked and right, and the samples are complete.
    Ok,
    /// Why there are no figures.
    Failed(String),
}

/// What a bench binary reports beside criterion's samples.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extras {
    /// The case.
    pub case: CaseId,
    /// What one iteration handles.
    pub elements: u64,
    /// What the counting pass saw.
    pub allocations: Allocations,
    /// What processor and kernel counted; `None` where they do not or the case cannot be counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counters: Option<Counters>,
    /// Most threads the process was seen to have at once; `None` where that is not known.
    pub threads: Option<u64>,
}

/// Why a record file could not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The file could not be opened or read.
    #[error("cannot read {}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// A line is not what this version writes.
    #[error("{}:{line}: {reason}", path.display())]
    Line {
        /// The file.
        path: PathBuf,
        /// Number of the line, from 1.
        line: usize,
        /// What is wrong with it.
        reason: String,
    },
}

/// The entries of a record file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Entries {
    /// Entries in the order of their lines.
    pub entries: Vec<Entry>,
    /// Bytes of the file up to the end of its last whole line.
    pub whole_bytes: u64,
    /// Whether the file ends inside a line, as it does when its writer was killed.
    pub truncated: bool,
}

/// Reads a record file, line by line.
///
/// A last line without its end is left out and reported in [`Entries::truncated`], because that
/// is what an interrupted run leaves behind.
///
/// # Errors
///
/// Fails with file and line when the file cannot be read or a whole line is not a valid entry:
/// another schema, no JSON, zero iterations, a profile whose parts are not its sum, a case or a group
/// twice; and when it is longer than [`FILE_LIMIT`].
pub fn read(path: &Path) -> Result<Entries, ReadError> {
    let file = File::open(path).map_err(|error| ReadError::Io {
        path: path.to_owned(),
        error,
    })?;
    // Without reading it, where the system says how long it is.
    let length = file.metadata().map_or(0, |metadata| metadata.len());
    if length > FILE_LIMIT {
        return Err(ReadError::Line {
            path: path.to_owned(),
            line: 1,
            reason: too_long(length),
        });
    }
    read_from(BufReader::new(file), path)
}

fn too_long(bytes: u64) -> String {
    format!(
        "the record is {bytes} bytes long, and readers take {FILE_LIMIT}; measure fewer cases in one run, as with --filter"
    )
}

/// Reads the lines of a record that need not be in a file; messages call it `path`.
///
/// # Errors
///
/// As [`read`].
pub fn read_from(reader: impl BufRead, path: &Path) -> Result<Entries, ReadError> {
    read_within(reader, path, FILE_LIMIT)
}

/// The same for a record of at most `limit` bytes.
fn read_within(mut reader: impl BufRead, path: &Path, limit: u64) -> Result<Entries, ReadError> {
    let io = |error| ReadError::Io {
        path: path.to_owned(),
        error,
    };
    let mut read = Entries::default();
    let mut seen = HashSet::new();
    let mut profiles = HashSet::new();
    let mut imported = HashSet::new();
    let mut groups = HashSet::new();
    let mut bytes = Vec::new();
    for line in 1.. {
        bytes.clear();
        let mut limited = io::Read::take(&mut reader, LINE_LIMIT as u64 + 1);
        let count = limited.read_until(b'\n', &mut bytes).map_err(io)?;
        if count == 0 {
            break;
        }
        let invalid = |reason: String| ReadError::Line {
            path: path.to_owned(),
            line,
            reason,
        };
        if bytes.last() != Some(&b'\n') {
            if count > LINE_LIMIT {
                return Err(invalid(format!(
                    "the line is longer than {LINE_LIMIT} bytes"
                )));
            }
            read.truncated = true;
            break;
        }
        if read.whole_bytes + count as u64 > limit {
            return Err(invalid(too_long(read.whole_bytes + count as u64)));
        }
        let entry = parse(&bytes).map_err(invalid)?;
        match &entry {
            // Each run of a file announces its own groups.
            Entry::Run(_) => groups.clear(),
            Entry::Group(group) if !groups.insert(group.info.group.clone()) => {
                return Err(invalid(format!(
                    "group `{}` stands twice",
                    group.info.group
                )));
            }
            _ => {}
        }
        if let Entry::Case(record) = &entry
            && !seen.insert((record.case.clone(), record.process))
        {
            return Err(invalid(format!(
                "case `{}` of process {} stands twice",
                record.case, record.process
            )));
        }
        if let Entry::Profiled(profiled) = &entry
            && !profiles.insert(profiled.case.clone())
        {
            return Err(invalid(format!(
                "the profile of case `{}` stands twice",
                profiled.case
            )));
        }
        if let Entry::Imported(measurement) = &entry
            && !imported.insert(measurement.key())
        {
            return Err(invalid(format!(
                "{} of benchmark `{}` stands twice",
                measurement.metric, measurement.id
            )));
        }
        read.entries.push(entry);
        read.whole_bytes += count as u64;
    }
    Ok(read)
}

/// The cases that the groups of a record hold, in order of definition.
pub fn planned(entries: &[Entry]) -> Vec<CaseId> {
    let groups = entries.iter().filter_map(|entry| match entry {
        Entry::Group(group) => Some(group),
        _ => None,
    });
    let cases = groups.flat_map(|group| {
        group.cases.iter().map(|(series, input)| CaseId {
            group: group.info.group.clone(),
            series: series.clone(),
            input: input.clone(),
        })
    });
    cases.collect()
}

/// Reads one line and checks what the types do not.
fn parse(line: &[u8]) -> Result<Entry, String> {
    #[derive(Deserialize)]
    struct Version {
        schema: u32,
    }
    let version: Version =
        serde_json::from_slice(line).map_err(|error| format!("not a record: {error}"))?;
    if version.schema != SCHEMA {
        return Err(format!(
            "schema {} is not known; this version reads schema {SCHEMA}",
            version.schema
        ));
    }
    let line: Line =
        serde_json::from_slice(line).map_err(|error| format!("not a record: {error}"))?;
    if let Entry::Imported(measurement) = &line.entry {
        measurement.check()?;
    }
    if let Entry::Profiled(profiled) = &line.entry {
        profiled.check()?;
    }
    if let Entry::Group(group) = &line.entry {
        let mut seen = HashSet::new();
        if let Some((series, input)) = group.cases.iter().find(|case| !seen.insert(*case)) {
            return Err(format!(
                "group `{}` announces its case `{series}/{input}` twice",
                group.info.group
            ));
        }
    }
    if let Entry::Case(record) = &line.entry {
        if record.elements == 0 {
            return Err(format!("case `{}` handles 0 elements", record.case));
        }
        if record.samples.iter().any(|sample| sample.iterations == 0) {
            return Err(format!(
                "case `{}` has a sample of 0 iterations",
                record.case
            ));
        }
        if record.status == Status::Ok && record.samples.is_empty() {
            return Err(format!("case `{}` is ok but has no samples", record.case));
        }
        if record
            .allocations
            .is_some_and(|counted| counted.iterations == 0)
        {
            return Err(format!("case `{}` counts 0 iterations", record.case));
        }
    }
    Ok(line.entry)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(process: u32) -> Entry {
        Entry::Case(Record {
            case: CaseId {
                group: "dag-run/chain".to_owned(),
                series: "a \"quoted\" <series>".to_owned(),
                input: "1\u{2028}000".to_owned(),
            },
            process,
            samples: vec![Sample {
                iterations: 3,
                elapsed_ns: 1_000,
            }],
            elements: 1_000,
            allocations: Some(Allocations {
                iterations: 2,
                count: 4,
                reallocations: 1,
                bytes: 64,
                peak_bytes: 32,
                held_bytes: -8,
            }),
            counters: Some(Counters {
                page_faults: Some(2),
                ..Counters::default()
            }),
            threads: Some(3),
            took_ms: Some(70),
            status: Status::Ok,
        })
    }

    fn read_text(text: &str) -> Result<Entries, ReadError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("records.jsonl");
        std::fs::write(&path, text).unwrap();
        read(&path)
    }

    #[track_caller]
    fn check_refused(line: &str, reason: &str) {
        let text = format!("{}\n{line}\n", record(1).to_line());
        let error = read_text(&text).unwrap_err().to_string();
        assert!(error.contains(":2: "), "{error}");
        assert!(error.contains(reason), "{error}");
    }

    #[test]
    fn entries_survive_a_round_trip() {
        let text = format!("{}\n{}\n", record(1).to_line(), record(2).to_line());
        let read = read_text(&text).unwrap();
        assert_eq!(read.entries, [record(1), record(2)]);
        assert!(!read.truncated);
        assert_eq!(read.whole_bytes, text.len() as u64);
    }

    #[test]
    fn how_instructions_were_counted_survives_a_round_trip() {
        let Entry::Case(Record { case, .. }) = record(1) else {
            panic!("a case");
        };
        let counted = Counted {
            case,
            instructions: 12,
        };
        let ways = [
            Counting::Processor,
            Counting::Callgrind {
                version: "valgrind-3.19.0".to_owned(),
                budget_s: 5,
                left_out: 2,
            },
            Counting::Nobody {
                reason: "no \"tool\"".to_owned(),
            },
        ];
        let entries: Vec<Entry> = std::iter::once(Entry::Counted(counted))
            .chain(ways.map(Entry::Counting))
            .collect();
        let text: String = entries.iter().map(|entry| entry.to_line() + "\n").collect();
        assert_eq!(read_text(&text).unwrap().entries, entries);
    }

    #[test]
    fn profile_survives_a_round_trip_and_its_parts_are_its_sum() {
        let Entry::Case(Record { case, .. }) = record(1) else {
            panic!("a case");
        };
        let profiled = |found: Found| {
            let case = case.clone();
            Entry::Profiled(Profiled { case, found })
        };
        let function = |name: &str, file: Option<&str>, samples| Function {
            name: name.to_owned(),
            file: file.map(str::to_owned),
            samples,
        };
        let sampled = profiled(Found::Samples(Sampled {
            samples: 300,
            set_up: 20,
            others: 30,
            cpu_ms: 1_200,
            functions: vec![
                function("<dag::Dag as core::fmt::Debug>::fmt", None, 200),
                function("", Some("libc.so.6"), 50),
            ],
        }));
        let line = sampled.to_line();
        for entry in [
            &sampled,
            &profiled(Found::Nothing("no \"timer\"".to_owned())),
        ] {
            let text = entry.to_line() + "\n";
            assert_eq!(&read_text(&text).unwrap().entries[0], entry);
        }
        check_refused(
            &line.replace("300", "301"),
            "301 samples, which is not the sum",
        );
        let huge = line.replace(":30,", &format!(":{},", u64::MAX));
        check_refused(&huge, "not the sum");
        let error = read_text(&format!("{line}\n{line}\n")).unwrap_err();
        assert!(
            error.to_string().contains(":2: the profile of case"),
            "{error}"
        );
    }

    #[test]
    fn imported_measurements_survive_a_round_trip_and_are_checked() {
        use crate::exchange::{Format, read};
        let text = r#"{"a":{"latency":{"value":0.1,"lower_value":0.05},"time":{"value":-3}}}"#;
        let found = read(Format::Bmf, "x", text).unwrap().measurements;
        let entries: Vec<Entry> = found
            .into_iter()
            .map(Box::new)
            .map(Entry::Imported)
            .collect();
        let lines: Vec<String> = entries.iter().map(Entry::to_line).collect();
        assert_eq!(
            read_text(&(lines.join("\n") + "\n")).unwrap().entries,
            entries
        );
        check_refused(&lines[0].replace("0.05", "1e999"), "not a record");
        check_refused(&lines[0].replace("0.1", "-0.1"), "negative");
        let twice = format!("{0}\n{0}\n", lines[0]);
        let error = read_text(&twice).unwrap_err().to_string();
        assert!(
            error.contains(":2: time of benchmark `a` stands twice"),
            "{error}"
        );
    }

    #[test]
    fn record_from_before_counters_is_read_and_written_as_it_was() {
        let Entry::Case(mut old) = record(1) else {
            panic!("a case");
        };
        old.counters = None;
        let line = Entry::Case(old.clone()).to_line();
        assert!(!line.contains("counters"), "{line}");
        let read = read_text(&(line + "\n")).unwrap();
        assert_eq!(read.entries, [Entry::Case(old)]);
    }

    #[test]
    fn interrupted_last_line_is_left_out_and_said() {
        let whole = record(1).to_line() + "\n";
        let text = format!("{whole}{}", &record(2).to_line()[..40]);
        let read = read_text(&text).unwrap();
        assert_eq!(read.entries, [record(1)]);
        assert!(read.truncated);
        assert_eq!(read.whole_bytes, whole.len() as u64);
    }

    #[test]
    fn bad_lines_are_named() {
        check_refused("{", "not a record");
        check_refused("[]", "not a record");
        check_refused(
            &record(2).to_line().replace("\"schema\":1", "\"schema\":7"),
            "schema 7",
        );
        check_refused(&record(2).to_line().replace("1000,", "-1,"), "not a record");
        check_refused(
            &record(2).to_line().replace("1000}", "NaN}"),
            "not a record",
        );
        check_refused(
            &record(2)
                .to_line()
                .replace("\"iterations\":3", "\"iterations\":0"),
            "0 iterations",
        );
        check_refused(
            &record(2)
                .to_line()
                .replace("\"elements\":1000", "\"elements\":0"),
            "handles 0 elements",
        );
        check_refused(&record(1).to_line(), "stands twice");
        check_refused(&"x".repeat(LINE_LIMIT + 2), "longer than");
    }

    #[test]
    fn group_or_case_that_is_announced_twice_is_refused() {
        let group = |cases: &str| {
            format!(
                r#"{{"schema":1,"kind":"group","group":"g","section":"s","question":"q","work":"w","baseline":null,"axis":"a","unit":"u","per_element":false,"growth":false,"suite":"f","cases":{cases}}}"#
            )
        };
        check_refused(&group(r#"[["a","1"],["a","1"]]"#), "`a/1` twice");
        let (one, other) = (group(r#"[["a","1"]]"#), group(r#"[["b","1"]]"#));
        let error = read_text(&format!("{one}\n{other}\n")).unwrap_err();
        assert!(error.to_string().contains(":2: group `g` stands twice"));
    }

    #[test]
    fn record_that_is_too_long_is_refused_at_the_line_where_it_is() {
        let line = |process| record(process).to_line() + "\n";
        let (text, limit) = (line(1) + &line(2), line(1).len() as u64);
        let read = |text: &str| read_within(text.as_bytes(), Path::new("r"), limit);
        assert_eq!(read(&line(1)).unwrap().entries, [record(1)]);
        let error = read(&text).unwrap_err().to_string();
        assert!(error.starts_with("r:2: the record is "), "{error}");
    }

    #[test]
    fn record_of_all_cases_says_nothing_of_shards_and_one_of_a_shard_is_read_by_who_knows_none() {
        let text = r#"{"schema":1,"kind":"run","profile":"quick","filter":null,"processes":1,"warm_up_ms":1,"measurement_ms":1,"samples":1,"seed":1,"build":"b","environment":{}}"#;
        let Entry::Run(mut run) = parse(text.as_bytes()).unwrap() else {
            panic!("a run");
        };
        let line = Entry::Run(run.clone()).to_line();
        assert!(
            !line.contains("shard") && !line.contains("machines"),
            "{line}"
        );
        run.shard = Some(Shard {
            number: 2,
            of: 3,
            cases: 7,
            digest: "d".to_owned(),
            places: vec![1, 4],
        });
        let line = Entry::Run(run.clone()).to_line();
        assert_eq!(parse(line.as_bytes()).unwrap(), Entry::Run(run));
        // As a version without the field does: what it does not know is left out.
        let unknown = line.replace("\"shard\"", "\"later\"");
        let Entry::Run(read) = parse(unknown.as_bytes()).unwrap() else {
            panic!("a run");
        };
        assert_eq!(read.shard, None);
    }

    #[test]
    fn missing_file_is_named() {
        let error = read(Path::new("no/such/file")).unwrap_err().to_string();
        assert!(error.starts_with("cannot read no/such/file"), "{error}");
    }
}
