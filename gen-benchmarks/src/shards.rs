//! The commands around shards: which part of a run this machine measures, and `merge`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::str::FromStr;

use anyhow::{Result, anyhow, bail};
use bench_harness::record::{self, Entry, Record, Status};
use bench_harness::shard::{self, Fault, MOST_SHARDS, Part};
use clap::Args;

use crate::publish;
use crate::report::{ASSETS, RECORD};
use crate::runner::Share;
use crate::workspace::Workspace;

pub(crate) const MERGE_HELP: &str = "\
Proves that the records are all shards of one run: each there once, of the same commit, profile and
list of cases, on machines of one kind, with every process of every case. Every fault is named with
file and line, and then nothing is written.

Exit code 0: written; 1: written, and some cases have failed; 2: the records do not fit.

Examples:
  gen-benchmarks run --shard 1/3 --records shard-1.jsonl      one a machine
  gen-benchmarks merge shard-*.jsonl --out all.jsonl
  gen-benchmarks report --records all.jsonl --out site";

/// Options of a run that several machines share.
#[derive(Args, Clone, Default)]
pub(crate) struct Division {
    /// Measure part I of the N that the chosen cases are divided into, the same on every machine;
    /// `merge` makes one record of all parts.
    #[arg(long, value_name = "I/N")]
    shard: Option<Number>,
    /// The record that says what takes how long, so that parts take equally long; the same for all
    /// parts [default: the published one; where there is none, cases are counted].
    #[arg(long, value_name = "FILE", requires = "shard")]
    durations: Option<PathBuf>,
}

impl Division {
    /// The part of this machine, where the run is divided.
    pub(crate) fn share(&self, workspace: &Workspace) -> Result<Option<Share>> {
        let Some(Number { number, of }) = self.shard else {
            return Ok(None);
        };
        let published = workspace.root.join(ASSETS).join(RECORD);
        let file = match &self.durations {
            Some(named) => Some(named),
            None => published.exists().then_some(&published),
        };
        let entries = match file {
            Some(file) => record::read(file)?.entries,
            None => Vec::new(),
        };
        Ok(Some(Share {
            number,
            of,
            durations: shard::durations(&entries),
        }))
    }

    /// What tells the record of this part from others: `-shard-2-of-3`, or nothing.
    pub(crate) fn suffix(&self) -> String {
        self.shard.map_or_else(String::new, |shard| {
            format!("-shard-{}-of-{}", shard.number, shard.of)
        })
    }
}

/// `I/N` as it is given on the command line.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Number {
    number: u32,
    of: u32,
}

impl FromStr for Number {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text
            .split_once('/')
            .and_then(|(number, of)| Some((number.parse().ok()?, of.parse().ok()?)));
        match parts {
            Some((number, of)) if 1 <= number && number <= of && of <= MOST_SHARDS => {
                Ok(Self { number, of })
            }
            _ => Err(format!(
                "give I/N with I from 1 to N and N up to {MOST_SHARDS}, as in 2/3"
            )),
        }
    }
}

/// Make one record of all shards of a run.
#[derive(Args, Clone)]
pub(crate) struct Merge {
    /// The records of all shards.
    #[arg(value_name = "RECORD", required = true)]
    shards: Vec<PathBuf>,
    /// The record to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Merge shards of different machines or compilers; the report says so.
    #[arg(long)]
    allow_machine_change: bool,
}

/// Writes one record of all shards, or says why they are not those of one run.
pub(crate) fn merge(arguments: &Merge) -> Result<ExitCode> {
    let out = &arguments.out;
    let same = |path: &PathBuf| match (path.canonicalize(), out.canonicalize()) {
        (Ok(path), Ok(out)) => path == out,
        _ => false,
    };
    if arguments.shards.iter().any(same) {
        bail!(
            "{} is one of the shards; name another file with --out",
            out.display()
        );
    }
    if out.exists() {
        record::read(out).map_err(|error| {
            anyhow!(
                "{error}; {} is no record, so it is not replaced; name another file with --out",
                out.display()
            )
        })?;
    }
    let (mut parts, mut faults) = (Vec::new(), Vec::new());
    for path in &arguments.shards {
        match record::read(path) {
            Ok(read) => parts.push(Part {
                file: path.display().to_string(),
                read,
            }),
            Err(error) => faults.push(error.to_string()),
        }
    }
    if !faults.is_empty() {
        // Whether the others are whole cannot be told without these.
        bail!("{}", faults.join("\nerror: "));
    }
    let merged = shard::merge(&parts, arguments.allow_machine_change).map_err(all)?;
    write(out, &merged)?;
    let failed: Vec<&Record> = merged
        .iter()
        .filter_map(|entry| match entry {
            Entry::Case(record) if record.status != Status::Ok => Some(record),
            _ => None,
        })
        .collect();
    eprintln!(
        "{}: {} cases of {} shards",
        out.display(),
        record::planned(&merged).len(),
        parts.len()
    );
    for record in &failed {
        if let Status::Failed(reason) = &record.status {
            eprintln!("failed: {}: {reason}", record.case);
        }
    }
    Ok(match failed.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn write(path: &Path, entries: &[Entry]) -> Result<()> {
    let text: String = entries.iter().map(|entry| entry.to_line() + "\n").collect();
    publish::write(path, text.as_bytes())
}

/// Several faults, a line each.
fn all(faults: Vec<Fault>) -> anyhow::Error {
    let lines: Vec<String> = faults.iter().map(Fault::to_string).collect();
    anyhow!(lines.join("\nerror: "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shard_is_a_part_of_a_whole() {
        let parse = |text: &str| text.parse::<Number>();
        assert_eq!(parse("2/3"), Ok(Number { number: 2, of: 3 }));
        for wrong in ["0/3", "4/3", "1/1001", "1", "a/b", "-1/3", "1/3/5", ""] {
            let error = parse(wrong).unwrap_err();
            assert!(error.contains("as in 2/3"), "{wrong}: {error}");
        }
    }
}
