//! Profiles cases: a process of its own runs each again, interrupted by a timer, when all times are
//! taken.

use std::collections::HashMap;
use std::path::Path;
use std::process::{ExitCode, Stdio};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bench_harness::policy::Pattern;
use bench_harness::record::{CaseId, Entry, Found, Function, Profile, Profiled, Sampled};
use bench_harness::sampler::{SAMPLE_CASE, SAMPLES_FILE, Samples};
use clap::Args;

use crate::format::Unit;
use crate::runner::{self, Signal};
use crate::symbols::{Place, Symbols};
use crate::workspace::{Defined, Inputs, Suite, Workspace};
use crate::{print, profile};

pub(crate) const HELP: &str = "\
CASE is a pattern as in benchmarks.toml: of group/series/input, where * stands for no / and ** for
anything. Each case runs in a process of its own until that has had a processor for --seconds, or until
1000 samples are taken; what is shown is time by itself, without that of called functions. The report shows the same of the cases that [profile] of benchmarks.toml names.

Exit code 0: all were profiled; 1: one could not be, and it is said why; 2: the command failed.

Examples:
  gen-benchmarks profile 'dag-run/tree/{adaptive,sequential}/1000000' --bench dag
  gen-benchmarks profile 'intern-hit/**' --seconds 0.5 --json";

#[derive(Args, Clone)]
pub(crate) struct Arguments {
    /// The cases.
    #[arg(value_name = "CASE")]
    cases: Pattern,
    /// Seconds of processor time that a case is sampled for.
    #[arg(long, value_name = "SECONDS", default_value = "2", value_parser = crate::seconds)]
    seconds: Duration,
    /// Only look into these bench targets, which builds no others.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    bench: Vec<String>,
    /// Print a line of JSON a case, as a record has them.
    #[arg(long)]
    json: bool,
}

/// How long profiles may take.
#[derive(Clone, Copy)]
struct Budget {
    /// All of them.
    total: Duration,
    /// The samples of one, in processor time.
    each: Duration,
}

impl From<Profile> for Budget {
    /// A case gets 200 samples and more where one thread computes and a processor ticks 250 times a
    /// second, as is usual.
    fn from(profile: Profile) -> Self {
        let (total, each) = match profile {
            Profile::Quick => (3_000, 850),
            Profile::Standard => (10_000, 1_200),
            Profile::Full => (60_000, 4_000),
        };
        Self {
            total: Duration::from_millis(total),
            each: Duration::from_millis(each),
        }
    }
}

/// Longest time that one case is sampled, and that it may take to be set up, where the user waits.
const LONGEST: Duration = Duration::from_secs(3_600);
const SET_UP: Duration = Duration::from_secs(60);

/// Functions of a case that are kept by name; a table shows fewer.
const KEPT: usize = 100;

/// Longest name that is kept, in characters.
const NAME_LIMIT: usize = 1_000;

/// Profiles the cases that the user asks for and prints what was found.
pub(crate) fn execute(workspace: &Workspace, arguments: &Arguments) -> Result<ExitCode> {
    let suite = workspace.build(&Inputs {
        targets: arguments.bench.clone(),
        ..Inputs::default()
    })?;
    let wanted = |one: &&Defined| arguments.cases.matches(&one.info.case.to_string());
    let chosen: Vec<&Defined> = suite.cases.iter().filter(wanted).collect();
    if chosen.is_empty() {
        bail!("no case matches the pattern; `gen-benchmarks list --profile full` prints all cases");
    }
    let each = arguments.seconds.min(LONGEST);
    let budget = Budget {
        total: (each + SET_UP) * chosen.len() as u32,
        each,
    };
    let (sender, receiver) = runner::signals()?;
    let profiles = take(&suite, &chosen, budget, (&sender, &receiver))?;
    let code = match profiles.iter().all(is_found) {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    };
    print(&match arguments.json {
        true => {
            let lines = profiles.into_iter().map(Entry::Profiled);
            lines.map(|entry| entry.to_line() + "\n").collect()
        }
        false => profile::text(&profiles),
    })?;
    Ok(code)
}

fn is_found(profiled: &Profiled) -> bool {
    matches!(profiled.found, Found::Samples(_))
}

/// Profiles the `wanted` cases of a run; returns what its record is to end with.
pub(crate) fn profiles(
    suite: &Suite,
    wanted: &[&CaseId],
    profile: Profile,
    signals: (&Sender<Signal>, &Receiver<Signal>),
) -> Result<Vec<Entry>> {
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let defined: HashMap<&CaseId, &Defined> = suite
        .cases
        .iter()
        .map(|one| (&one.info.case, one))
        .collect();
    let chosen: Vec<&Defined> = wanted
        .iter()
        .filter_map(|case| defined.get(case).copied())
        .collect();
    let start = Instant::now();
    let profiles = take(suite, &chosen, profile.into(), signals)?;
    eprintln!(
        "profiles of {} of {} cases taken in {}",
        profiles.iter().filter(|one| is_found(one)).count(),
        profiles.len(),
        Unit::Duration.format(start.elapsed().as_nanos() as f64, 1e9)
    );
    Ok(profiles.into_iter().map(Entry::Profiled).collect())
}

/// Profiles cases one after the other, as far as there is time.
fn take(
    suite: &Suite,
    chosen: &[&Defined],
    budget: Budget,
    signals: (&Sender<Signal>, &Receiver<Signal>),
) -> Result<Vec<Profiled>> {
    let start = Instant::now();
    let mut symbols = Symbols::default();
    let home = tempfile::tempdir().context("cannot create a temporary folder")?;
    let file = home.path().join("samples.json");
    let mut profiles = Vec::new();
    for defined in chosen {
        let left = budget.total.saturating_sub(start.elapsed());
        let over = || {
            let seconds = budget.total.as_secs();
            Err(format!("the {seconds} s that profiles may take were over"))
        };
        let sampled = if defined.foreign.is_some() {
            Err("only cases of `bench_harness::main!` can be profiled".to_owned())
        } else if left < budget.each {
            over()
        } else {
            // The files of the process before must not be read as this one's.
            let _ = std::fs::remove_file(&file);
            let mut command = suite.command(defined.binary)?;
            let id = serde_json::to_string(&defined.info.case).expect("strings serialise");
            command
                .args([SAMPLE_CASE, &id, &budget.each.as_millis().to_string()])
                .env(SAMPLES_FILE, &file)
                .stdout(Stdio::null());
            match runner::run_to_end(command, left, signals)? {
                Err(_) => over(),
                Ok((status, stderr)) if !status.success() => Err(runner::reason(&stderr, status)),
                Ok(_) => {
                    let program = &suite.binaries[defined.binary].path;
                    read(&file, program, &mut symbols)
                }
            }
        };
        profiles.push(Profiled {
            case: defined.info.case.clone(),
            found: match sampled {
                Ok(sampled) => Found::Samples(sampled),
                Err(reason) => {
                    eprintln!("no profile: {}: {reason}", defined.info.case);
                    Found::Nothing(reason)
                }
            },
        });
    }
    Ok(profiles)
}

/// The samples that a process has left, by function.
fn read(file: &Path, program: &Path, symbols: &mut Symbols) -> Result<Sampled, String> {
    let text = std::fs::read_to_string(file)
        .map_err(|error| format!("the process left no samples: {error}"))?;
    let samples: Samples = serde_json::from_str(&text)
        .map_err(|error| format!("the process left what are no samples: {error}"))?;
    // As the system calls it.
    let program = program
        .canonicalize()
        .unwrap_or_else(|_| program.to_owned());
    Ok(by_function(&samples, |address| {
        symbols.place(&program, &samples.mappings, address)
    }))
}

/// Counts samples by the functions that `place` says their addresses lie in, most first.
fn by_function(samples: &Samples, mut place: impl FnMut(u64) -> Place) -> Sampled {
    let mut counts: HashMap<Place, u64> = HashMap::new();
    for &address in &samples.places {
        *counts.entry(place(address)).or_default() += 1;
    }
    let mut counts: Vec<(Place, u64)> = counts.into_iter().collect();
    counts.sort_by(|(one, few), (other, many)| many.cmp(few).then(one.cmp(other)));
    let others = counts.iter().skip(KEPT).map(|(_, count)| count).sum();
    let function = |(place, samples): (Place, u64)| Function {
        name: place.name.chars().take(NAME_LIMIT).collect(),
        file: place.file,
        samples,
    };
    Sampled {
        samples: samples.places.len() as u64 + samples.set_up,
        set_up: samples.set_up,
        others,
        cpu_ms: samples.cpu_ms,
        functions: counts.into_iter().take(KEPT).map(function).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_of_a_function_are_added_and_those_of_rare_ones_kept_without_names() {
        let rare = KEPT as u64 + 5;
        let samples = Samples {
            // Three of function 0 at two addresses, one of each other.
            places: [0, 1, 1]
                .into_iter()
                .chain((1..=rare).map(|at| at * 2))
                .collect(),
            set_up: 4,
            cpu_ms: 9,
            mappings: Vec::new(),
        };
        let sampled = by_function(&samples, |address| Place {
            name: format!("f{:03}", address / 2),
            file: None,
        });
        let named = sampled
            .functions
            .iter()
            .map(|one| (&*one.name, one.samples));
        let named: Vec<(&str, u64)> = named.collect();
        assert_eq!(named.len(), KEPT);
        assert_eq!(named[..3], [("f000", 3), ("f001", 1), ("f002", 1)]);
        assert_eq!((sampled.samples, sampled.set_up), (rare + 7, 4));
        let sum: u64 = named.iter().map(|(_, samples)| samples).sum();
        assert_eq!(sum + sampled.set_up + sampled.others, sampled.samples);
    }
}
