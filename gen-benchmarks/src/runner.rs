//! Starts every case in several fresh processes and appends what they measured to the record.
//!
//! A round starts each case once, in an order of its own, so that a machine that drifts drifts
//! over all cases alike. One process runs one case: what crashes or hangs is known by name and
//! disturbs nothing else.

use std::collections::{HashMap, HashSet};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bench_harness::policy::Policy;
use bench_harness::record::{
    self, CaseId, Entries, Entry, Extras, PlannedGroup, Profile, Record, RunInfo, Sample, Shard,
    Status,
};
use bench_harness::{EXTRAS_FILE, Environment, criterion_output, shard, shuffle};

use crate::foreign::{self, Effort};
use crate::instructions;
use crate::progress::Progress;
use crate::sampling;
use crate::workspace::{Defined, Suite};

/// What to measure and how much.
pub(crate) struct Plan {
    pub(crate) profile: Profile,
    pub(crate) filter: Option<String>,
    /// Which part of those cases, where other machines measure the rest.
    pub(crate) share: Option<Share>,
    pub(crate) processes: u32,
    pub(crate) timeout: Duration,
    /// The file that the records go to.
    pub(crate) records: PathBuf,
    /// What an interrupted run left in it, to go on from.
    pub(crate) resumed: Option<Entries>,
    /// Says which cases are to be profiled.
    pub(crate) policy: Policy,
}

/// One of several parts that the chosen cases are divided into.
pub(crate) struct Share {
    /// Which part, from 1.
    pub(crate) number: u32,
    pub(crate) of: u32,
    /// What one process of a case takes, in nanoseconds, as far as it is known.
    pub(crate) durations: HashMap<CaseId, u64>,
}

/// How a run ended.
pub(crate) struct Summary {
    pub(crate) cases: usize,
    pub(crate) failed: Vec<(CaseId, String)>,
    pub(crate) measuring: Duration,
}

/// What the waiting thread hears of.
pub(crate) enum Signal {
    /// The process closed its output: it ended, or is about to.
    Ended { launch: u64, stderr: String },
    /// A process that counts instructions has answered, with whether the case can be counted.
    Counted { process: usize, counted: bool },
    /// A process that counts instructions has ended.
    CountingEnded { process: usize },
    /// The user wants to stop.
    Interrupt,
}

/// The run was stopped by the user; what was measured is kept.
#[derive(Debug)]
pub(crate) struct Interrupted;

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(
            "interrupted; what was measured is kept, go on with the same command and --resume",
        )
    }
}

impl std::error::Error for Interrupted {}

impl Plan {
    /// The cases this plan measures, in order of definition.
    pub(crate) fn select<'s>(&self, suite: &'s Suite) -> Result<Vec<&'s Defined>> {
        let selected: Vec<_> = suite
            .cases
            .iter()
            .filter(|defined| defined.info.profile <= self.profile)
            .filter(|defined| self.matches(&defined.info.case))
            .collect();
        if selected.is_empty() {
            bail!(
                "no case of the {} profile matches `{}`; `gen-benchmarks list --profile full` prints all cases",
                self.profile,
                self.filter.as_deref().unwrap_or_default()
            );
        }
        Ok(selected)
    }

    fn matches(&self, case: &CaseId) -> bool {
        self.filter
            .as_ref()
            .is_none_or(|filter| case.to_string().contains(filter.as_str()))
    }

    /// The cases among all `selected` ones that this machine measures, and how the record says so.
    fn share<'s>(
        &self,
        suite: &Suite,
        mut selected: Vec<&'s Defined>,
    ) -> (Vec<&'s Defined>, Option<Shard>) {
        let Some(share) = &self.share else {
            return (selected, None);
        };
        let groups: Vec<Entry> = planned(suite, &selected).map(Entry::Group).collect();
        let all = record::planned(&groups);
        let mut parts = shard::partition(&all, &share.durations, share.of);
        let places = parts.swap_remove(share.number as usize - 1);
        let own: HashSet<&CaseId> = places.iter().map(|&place| &all[place as usize]).collect();
        selected.retain(|defined| own.contains(&defined.info.case));
        let shard = Shard {
            number: share.number,
            of: share.of,
            cases: all.len() as u32,
            digest: shard::digest(&all),
            places,
        };
        (selected, Some(shard))
    }

    /// How a run of this plan is described in its record.
    fn describe(&self, suite: &Suite, environment: Environment, shard: Option<Shard>) -> RunInfo {
        let (warm_up_ms, measurement_ms) = match self.profile {
            Profile::Quick => (5, 15),
            Profile::Standard => (10, 30),
            Profile::Full => (100, 400),
        };
        RunInfo {
            profile: self.profile,
            filter: self.filter.clone(),
            processes: self.processes,
            warm_up_ms,
            measurement_ms,
            samples: 10,
            seed: 1,
            build: suite.build.clone(),
            environment,
            skipped: suite.skipped.clone(),
            shard,
            machines: Vec::new(),
        }
    }
}

/// Measures what `plan` selects; the record grows by a line with every process.
pub(crate) fn run(
    plan: &Plan,
    suite: &Suite,
    environment: Environment,
    signals: (&Sender<Signal>, &Receiver<Signal>),
) -> Result<Summary> {
    let chosen = plan.select(suite)?;
    // The same for all shards, also for one that has no case.
    let is_counted = chosen.iter().any(|defined| defined.foreign.is_none());
    let (selected, shard) = plan.share(suite, chosen);
    if let Some(shard) = &shard {
        let (number, of, all) = (shard.number, shard.of, shard.cases);
        eprintln!("shard {number} of {of}: {} of {all} cases", selected.len());
    }
    let info = plan.describe(suite, environment, shard);
    let (mut file, done) = open(plan, suite, &info, &selected)?;
    let mut launcher = Launcher {
        suite,
        info: &info,
        timeout: plan.timeout,
        home: tempfile::tempdir().context("cannot create a temporary folder")?,
        signals,
    };
    let mut failed: HashMap<CaseId, String> = HashMap::new();
    let missing: Vec<(u32, &Defined)> = (1..=plan.processes)
        .flat_map(|process| shuffled(&selected, info.seed, process))
        .filter(|(process, defined)| !done.contains(&(defined.info.case.clone(), *process)))
        .collect();
    foreign::announce(
        suite,
        &selected,
        Effort::from(&info),
        plan.processes,
        plan.profile,
    );
    let start = Instant::now();
    let mut took: HashMap<CaseId, Duration> = HashMap::new();
    let mut progress = Progress::of("processes", missing.len());
    for (process, defined) in missing {
        let case = &defined.info.case;
        if failed.contains_key(case) {
            progress.step(case);
            continue;
        }
        progress.announce(case);
        let begun = Instant::now();
        let mut record = launcher.measure(defined, process)?;
        let passed = begun.elapsed();
        record.took_ms = u64::try_from(passed.as_millis()).ok();
        let fastest = took.entry(case.clone()).or_insert(Duration::MAX);
        *fastest = passed.min(*fastest);
        if let Status::Failed(reason) = &record.status {
            progress.line(&format!("failed: {case}: {reason}"));
            failed.insert(case.clone(), reason.clone());
        }
        append(&mut file, &plan.records, &Entry::Case(record))?;
        progress.step(case);
    }
    progress.finish();
    let measuring = start.elapsed();
    // Now that no times are taken any more.
    if is_counted {
        let entries = record::read(&plan.records)?.entries;
        let way = instructions::Way::find();
        for entry in instructions::count(way, suite, plan.profile, &entries, &took, signals)? {
            append(&mut file, &plan.records, &entry)?;
        }
    }
    let right = selected.iter().map(|defined| &defined.info.case);
    let right = right.filter(|case| !failed.contains_key(case));
    let wanted = plan.policy.profiled(right);
    for entry in sampling::profiles(suite, &wanted, plan.profile, signals)? {
        append(&mut file, &plan.records, &entry)?;
    }
    let mut failed: Vec<_> = failed.into_iter().collect();
    failed.sort();
    Ok(Summary {
        cases: selected.len(),
        failed,
        measuring,
    })
}

/// The cases of one round in the order of that round.
fn shuffled<'s>(
    cases: &[&'s Defined],
    seed: u64,
    process: u32,
) -> impl Iterator<Item = (u32, &'s Defined)> + use<'s> {
    let mut order = cases.to_vec();
    shuffle(&mut order, (seed << 32) + u64::from(process));
    order.into_iter().map(move |defined| (process, defined))
}

/// Opens the record file and says what it already holds.
fn open(
    plan: &Plan,
    suite: &Suite,
    info: &RunInfo,
    selected: &[&Defined],
) -> Result<(File, HashSet<(CaseId, u32)>)> {
    let path = &plan.records;
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create the folder {}", folder.display()))?;
    }
    let mut entries = vec![Entry::Run(Box::new(info.clone()))];
    entries.extend(planned(suite, selected).map(Entry::Group));
    let mut done = HashSet::new();
    match &plan.resumed {
        Some(existing) => {
            let (begun, kept) = resumable(existing, info)?;
            entries[0] = begun;
            done.extend(
                kept.iter()
                    .map(|record| (record.case.clone(), record.process)),
            );
            entries.extend(kept.into_iter().map(Entry::Case));
        }
        None if path.exists() => {
            // One generation is kept.
            let previous = path.with_extension("previous.jsonl");
            std::fs::rename(path, &previous)
                .with_context(|| format!("cannot rename {}", path.display()))?;
        }
        None => {}
    }
    let text: String = entries.iter().map(|entry| entry.to_line() + "\n").collect();
    crate::publish::write(path, text.as_bytes())?;
    let file = OpenOptions::new()
        .append(true)
        .open(path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok((file, done))
}

/// What an interrupted run left at `path`, to go on from.
pub(crate) fn interrupted(path: &Path) -> Result<Entries> {
    if !path.exists() {
        bail!(
            "there is nothing to resume at {}; start without --resume",
            path.display()
        );
    }
    record::read(path).context("cannot go on from this record; start without --resume")
}

/// Fails when the user named a file for the record that holds something else.
pub(crate) fn replaceable(path: &Path) -> Result<()> {
    if path.exists() {
        record::read(path).with_context(|| {
            format!(
                "{} is not a record, so it is not replaced; name another file with --records",
                path.display()
            )
        })?;
    }
    Ok(())
}

/// The groups of `selected` with their cases, in order of definition.
fn planned<'s>(
    suite: &'s Suite,
    selected: &'s [&Defined],
) -> impl Iterator<Item = PlannedGroup> + 's {
    suite.groups.iter().filter_map(|group| {
        let cases: Vec<_> = selected
            .iter()
            .map(|defined| &defined.info.case)
            .filter(|case| case.group == group.group)
            .map(|case| (case.series.clone(), case.input.clone()))
            .collect();
        (!cases.is_empty()).then(|| PlannedGroup {
            info: group.clone(),
            cases,
        })
    })
}

/// What the new run goes on from: how the interrupted one was begun, and all its records but the
/// failed ones.
fn resumable(existing: &Entries, now: &RunInfo) -> Result<(Entry, Vec<Record>)> {
    let Some(begun @ Entry::Run(before)) = existing.entries.first() else {
        bail!("the record does not begin with a run; start without --resume");
    };
    if before.build != now.build {
        bail!(
            "the bench binaries or the workflow files have changed since the record was begun; start without --resume"
        );
    }
    if let Err(difference) = before.environment.same_machine(&now.environment) {
        bail!("{difference}; start without --resume");
    }
    let comparable = |info: &RunInfo| {
        let (filter, profile) = (info.filter.clone(), info.profile);
        (
            filter,
            profile,
            info.processes,
            info.warm_up_ms,
            info.measurement_ms,
            info.samples,
            info.shard.clone(),
        )
    };
    if comparable(before) != comparable(now) {
        let shard = before.shard.as_ref().map_or_else(String::new, |shard| {
            format!(", shard {}/{}", shard.number, shard.of)
        });
        bail!(
            "the record was begun with other options (profile {}, {} processes, filter {:?}{shard}); repeat those, or start without --resume",
            before.profile,
            before.processes,
            before.filter.as_deref().unwrap_or("")
        );
    }
    let whole = existing.entries.iter().filter_map(|entry| match entry {
        Entry::Case(record) if record.status == Status::Ok => Some(record.clone()),
        _ => None,
    });
    Ok((begun.clone(), whole.collect()))
}

fn append(file: &mut File, path: &Path, entry: &Entry) -> Result<()> {
    // One write a line: an interrupted run leaves at most one incomplete line.
    file.write_all((entry.to_line() + "\n").as_bytes())
        .with_context(|| {
            format!(
                "cannot write {}; free some space and go on with --resume",
                path.display()
            )
        })
}

/// Starts bench binaries.
struct Launcher<'r> {
    suite: &'r Suite,
    info: &'r RunInfo,
    timeout: Duration,
    home: tempfile::TempDir,
    signals: (&'r Sender<Signal>, &'r Receiver<Signal>),
}

impl Launcher<'_> {
    /// Runs one case in a fresh process.
    fn measure(&mut self, defined: &Defined, process: u32) -> Result<Record> {
        let case = &defined.info.case;
        let home = self.home.path().join("criterion");
        let extras = self.home.path().join("extras.jsonl");
        // The files of the launch before must not be read as this one's.
        let _ = std::fs::remove_dir_all(&home);
        let _ = std::fs::remove_file(&extras);
        let mut record = Record {
            case: case.clone(),
            process,
            samples: Vec::new(),
            elements: 1,
            allocations: None,
            counters: None,
            threads: None,
            took_ms: None,
            status: Status::Ok,
        };
        if defined.foreign.is_some() {
            let effort = Effort::from(self.info);
            match foreign::measure(self.suite, defined, effort, self.timeout, self.signals)? {
                Ok((samples, elements)) => {
                    record.samples = samples;
                    record.elements = elements;
                }
                Err(reason) => record.status = Status::Failed(reason),
            }
            return Ok(record);
        }
        match self.launch(defined, &home, &extras)? {
            Err(reason) => record.status = Status::Failed(reason),
            Ok(()) => match collect(case, &home, &extras) {
                Ok((samples, counted)) => {
                    record.samples = samples;
                    record.elements = counted.elements;
                    record.allocations = Some(counted.allocations);
                    record.counters = counted.counters;
                    record.threads = counted.threads;
                }
                Err(reason) => record.status = Status::Failed(format!("{reason:#}")),
            },
        }
        Ok(record)
    }

    /// Starts the process and waits for it; the inner result says how the case ended.
    fn launch(
        &mut self,
        defined: &Defined,
        home: &Path,
        extras: &Path,
    ) -> Result<Result<(), String>> {
        let seconds = |milliseconds: u64| (milliseconds as f64 / 1_000.0).to_string();
        let mut command = self.suite.command(defined.binary)?;
        command
            .env("CRITERION_HOME", home)
            .env(EXTRAS_FILE, extras)
            .args(["--bench", "--noplot", "--nresamples", "1000", "--exact"])
            .args(["--warm-up-time", &seconds(self.info.warm_up_ms)])
            .args(["--measurement-time", &seconds(self.info.measurement_ms)])
            .args(["--sample-size", &self.info.samples.to_string()])
            .args(["--", &defined.info.case.to_string()])
            .stdout(Stdio::null());
        let ended = run_to_end(command, self.timeout, self.signals)?;
        Ok(ended.and_then(|(status, stderr)| match status.success() {
            true => Ok(()),
            false => Err(reason(&stderr, status)),
        }))
    }
}

/// Runs `command` and waits until it has closed its standard error; returns how it ended and what
/// it wrote there, or a sentence when it was not done within `timeout`.
///
/// What it has started itself ends with it then, and with an interrupt.
pub(crate) fn run_to_end(
    mut command: Command,
    timeout: Duration,
    signals: (&Sender<Signal>, &Receiver<Signal>),
) -> Result<Result<(ExitStatus, String), String>> {
    // `Relaxed`: only the numbers have to differ.
    let launch = LAUNCHES.fetch_add(1, Ordering::Relaxed);
    command.stderr(Stdio::piped());
    // An interrupt from the terminal is ours to handle; otherwise it would look as if the case had
    // crashed.
    #[cfg(unix)]
    std::os::unix::process::CommandExt::process_group(&mut command, 0);
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let mut output = child.stderr.take().expect("stderr is piped");
    let ended = signals.0.clone();
    // Blocks in a thread of its own: nothing polls while a sample is taken.
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What could be read before an error is all there is to show.
        let _ = output.read_to_end(&mut bytes);
        let stderr = String::from_utf8_lossy(&bytes).into_owned();
        let _ = ended.send(Signal::Ended { launch, stderr });
    });
    let deadline = Instant::now() + timeout;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        match signals.1.recv_timeout(left) {
            Ok(Signal::Ended { launch: ended, .. }) if ended != launch => {}
            Ok(Signal::Counted { .. } | Signal::CountingEnded { .. }) => {}
            Ok(Signal::Ended { stderr, .. }) => return Ok(Ok((child.wait()?, stderr))),
            Ok(Signal::Interrupt) => {
                kill(&mut child)?;
                return Err(Interrupted.into());
            }
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                kill(&mut child)?;
                return Ok(Err(format!(
                    "not done within {} s (--timeout)",
                    timeout.as_secs_f64()
                )));
            }
        }
    }
}

/// Numbers the processes that are waited for, so that one that closes its standard error after it was
/// killed is not taken for the next.
static LAUNCHES: AtomicU64 = AtomicU64::new(0);

/// Ends a process that leads a group, and all others of the group.
fn kill(child: &mut Child) -> Result<()> {
    // Nothing is left to do for processes that have ended by themselves.
    #[cfg(unix)]
    let _ = rustix::process::kill_process_group(
        rustix::process::Pid::from_child(child),
        rustix::process::Signal::KILL,
    );
    let _ = child.kill();
    child.wait()?;
    Ok(())
}

/// What criterion and the counting pass left behind.
fn collect(case: &CaseId, home: &Path, extras: &Path) -> Result<(Vec<Sample>, Extras)> {
    let text = std::fs::read_to_string(extras).context("the process counted nothing")?;
    let counted: Extras = text
        .lines()
        .next()
        .context("the process measured nothing")
        .and_then(|line| Ok(serde_json::from_str(line)?))?;
    let measured = criterion_output::read(home)?;
    match <[_; 1]>::try_from(measured) {
        Ok([measured]) if measured.full_id == case.to_string() && counted.case == *case => {
            Ok((measured.samples, counted))
        }
        Ok([other]) => bail!("criterion measured `{}`", other.full_id),
        Err(measured) => bail!("criterion measured {} benchmarks", measured.len()),
    }
}

/// The sentence of a process that failed: the panic's message, or else the last line that is not
/// criterion's.
pub(crate) fn reason(stderr: &str, status: ExitStatus) -> String {
    let lines: Vec<&str> = stderr
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    let panic = lines.iter().position(|line| line.contains(" panicked at "));
    let said: Vec<&str> = match panic {
        Some(at) => lines[at + 1..]
            .iter()
            .take_while(|line| !line.starts_with("note: ") && !line.starts_with("stack backtrace"))
            .copied()
            .collect(),
        None => lines
            .iter()
            .rfind(|line| {
                !["Benchmarking ", "Gnuplot ", "Warning: "]
                    .iter()
                    .any(|noise| line.starts_with(noise))
            })
            .copied()
            .into_iter()
            .collect(),
    };
    match said.is_empty() {
        true => status.to_string(),
        false => format!("{} ({status})", said.join(" ")),
    }
}

/// A channel that the user's interrupt and every launch report to.
pub(crate) fn signals() -> Result<(Sender<Signal>, Receiver<Signal>)> {
    let (sender, receiver) = channel();
    let interrupt = sender.clone();
    ctrlc::set_handler(move || {
        // The receiver is gone only when the program is about to end anyway.
        let _ = interrupt.send(Signal::Interrupt);
    })
    .context("cannot listen for interrupts")?;
    Ok((sender, receiver))
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_is_late_ends_with_all_that_it_started() {
        let (sender, receiver) = channel();
        let folder = tempfile::tempdir().unwrap();
        let started = folder.path().join("started");
        let mut command = Command::new("sh");
        command
            .args(["-c", "sleep 600 & echo $! > \"$1\"; wait", "sh"])
            .arg(&started)
            .stdout(Stdio::null());
        let timeout = Duration::from_secs(2);
        let late = run_to_end(command, timeout, (&sender, &receiver)).unwrap();
        assert_eq!(late.unwrap_err(), "not done within 2 s (--timeout)");
        // Standard error is closed when the last process that has it is gone.
        let Signal::Ended { .. } = receiver.recv_timeout(Duration::from_secs(60)).unwrap() else {
            panic!("something else was signalled");
        };
        let started = std::fs::read_to_string(started).unwrap();
        assert!(started.trim().parse::<u32>().is_ok(), "{started}");
    }

    #[test]
    fn what_ends_is_told_with_its_last_words_and_nothing_late_is_taken_for_it() {
        let (sender, receiver) = channel();
        let stale = Signal::Ended {
            launch: u64::MAX,
            stderr: "another".to_owned(),
        };
        sender.send(stale).unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", "echo so >&2; exit 3"]);
        let signals = (&sender, &receiver);
        let ended = run_to_end(command, Duration::from_secs(60), signals).unwrap();
        let (status, stderr) = ended.unwrap();
        assert_eq!((status.code(), stderr.trim()), (Some(3), "so"));
    }

    #[test]
    fn interrupt_ends_what_runs() {
        let (sender, receiver) = channel();
        sender.send(Signal::Interrupt).unwrap();
        let mut command = Command::new("sleep");
        command.arg("600");
        let signals = (&sender, &receiver);
        let error = run_to_end(command, Duration::from_secs(60), signals).unwrap_err();
        assert!(error.is::<Interrupted>());
    }
}
