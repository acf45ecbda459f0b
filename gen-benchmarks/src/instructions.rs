//! Counts the instructions of cases by valgrind's callgrind, where the processor does not.
//!
//! Nothing here is timed, so one process counts many cases: it is asked for one after the other
//! and stays for the next. All of them share a budget; what it does not reach is left out.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bench_harness::COUNT_INSTRUCTIONS;
use bench_harness::record::{CaseId, Counted, Counting, Entry, Profile, Record, Status};
use bench_harness::server::{Request, SERVE};

use crate::format::Unit;
use crate::runner::{self, Interrupted, Signal};
use crate::workspace::Suite;

/// What counting may take in all.
fn budget(profile: Profile) -> Duration {
    Duration::from_secs(match profile {
        Profile::Quick => 5,
        Profile::Standard => 45,
        Profile::Full => 300,
    })
}

/// Who can count here: the processor, or else the valgrind of this version, or nobody and why.
pub(crate) enum Way {
    Processor,
    Callgrind(String),
    Nobody(String),
}

impl Way {
    /// Looks at the machine.
    pub(crate) fn find() -> Self {
        Self::choose(bench_harness::processor_counts(), valgrind())
    }

    fn choose(processor: Result<(), String>, valgrind: Result<String, String>) -> Self {
        match (processor, valgrind) {
            (Ok(()), _) => Self::Processor,
            (Err(_), Ok(version)) => Self::Callgrind(version),
            (Err(processor), Err(valgrind)) => Self::Nobody(format!("{processor}; {valgrind}")),
        }
    }
}

/// The version of the valgrind on the `PATH`, or why it cannot count.
fn valgrind() -> Result<String, String> {
    if !cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        return Err("valgrind is only asked on x86-64 and AArch64".to_owned());
    }
    let output = Command::new("valgrind").arg("--version").output();
    match output {
        Ok(output) if output.status.success() => {
            Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
        }
        _ => Err("valgrind, which could count instead, is not installed".to_owned()),
    }
}

/// Counts the instructions of a run whose record holds `entries`; returns what its record is to
/// end with.
///
/// `took` is what the fastest process of a case took.
pub(crate) fn count(
    way: Way,
    suite: &Suite,
    profile: Profile,
    entries: &[Entry],
    took: &HashMap<CaseId, Duration>,
    signals: (&Sender<Signal>, &Receiver<Signal>),
) -> Result<Vec<Entry>> {
    let version = match way {
        Way::Processor => return Ok(vec![Entry::Counting(Counting::Processor)]),
        Way::Nobody(reason) => {
            eprintln!("instructions are not counted: {reason}");
            return Ok(vec![Entry::Counting(Counting::Nobody { reason })]);
        }
        Way::Callgrind(version) => version,
    };
    let start = Instant::now();
    let budget = budget(profile);
    let mut counter = Counter {
        suite,
        home: tempfile::tempdir().context("cannot create a temporary folder")?,
        deadline: start + budget,
        processes: Vec::new(),
        signals,
    };
    let binaries = suite.cases.iter();
    let binaries = binaries.map(|defined| (&defined.info.case, defined.binary));
    let mut left_out = 0;
    for (case, binary) in order(entries, &binaries.collect(), took) {
        if !counter.ask(case, binary)? {
            left_out += 1;
        }
    }
    let (counted, missing) = counter.counted();
    left_out += missing;
    eprintln!(
        "instructions of {} cases counted by {version} in {}, {left_out} left out",
        counted.len(),
        Unit::Duration.format(start.elapsed().as_nanos() as f64, 1e9)
    );
    let counting = Counting::Callgrind {
        version,
        budget_s: budget.as_secs(),
        left_out,
    };
    let counted = counted.into_iter().map(Entry::Counted);
    Ok(counted.chain([Entry::Counting(counting)]).collect())
}

/// Counts instructions of one iteration of `cases`, given with the numbers of their bench binaries,
/// within `budget`; what cannot be counted is missing.
pub(crate) fn count_cases<'c>(
    suite: &Suite,
    cases: impl IntoIterator<Item = (&'c CaseId, usize)>,
    budget: Duration,
    signals: (&Sender<Signal>, &Receiver<Signal>),
) -> Result<HashMap<CaseId, u64>> {
    let mut counter = Counter {
        suite,
        home: tempfile::tempdir().context("cannot create a temporary folder")?,
        deadline: Instant::now() + budget,
        processes: Vec::new(),
        signals,
    };
    for (case, binary) in cases {
        counter.ask(case, binary)?;
    }
    let (counted, _) = counter.counted();
    let counted = counted.into_iter();
    Ok(counted
        .map(|counted| (counted.case, counted.instructions))
        .collect())
}

/// Turns of a server whose instructions are counted.
const SERVED_TURNS: usize = 10;

/// The instructions of a whole process that serves turns of so many iterations of a case, or `None`
/// where valgrind cannot count them.
pub(crate) fn served(suite: &Suite, binary: usize, case: &CaseId, iterations: u32) -> Option<u64> {
    let program = suite.command(binary).ok()?;
    let mut valgrind = Command::new("valgrind");
    valgrind
        .args([
            "--tool=callgrind",
            "--vgdb=no",
            "--callgrind-out-file=/dev/null",
        ])
        .arg(program.get_program());
    let mut child = suite
        .equip(valgrind, binary)
        .ok()?
        .arg(SERVE)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .ok()?;
    let mut requests = format!("{}\n", Request::Case(case.clone()));
    for _ in 0..SERVED_TURNS {
        requests += &format!("{}\n", Request::Turn(iterations.into()));
    }
    child.stdin.take()?.write_all(requests.as_bytes()).ok()?;
    let output = child.wait_with_output().ok()?;
    collected(&String::from_utf8_lossy(&output.stderr)).filter(|_| output.status.success())
}

/// The number that callgrind says last: `==1== Collected : 123`.
fn collected(said: &str) -> Option<u64> {
    let mut lines = said.lines().rev();
    let number = lines.find_map(|line| line.split_once("Collected : "))?.1;
    number.trim().parse().ok()
}

/// The cases that ran on one thread, with the numbers of their bench binaries, in the order in
/// which they are counted.
///
/// What took long comes last. In both halves groups come first that want to, then those whose
/// tables can be filled, then binary by binary, because starting one under valgrind takes as long
/// as counting dozens of cases (0.3 s, 2-core x86-64 VM, 2026-11).
fn order<'e>(
    entries: &'e [Entry],
    binaries: &HashMap<&CaseId, usize>,
    took: &HashMap<CaseId, Duration>,
) -> Vec<(&'e CaseId, usize)> {
    let mut first: HashSet<&str> = HashSet::new();
    let mut alone: HashMap<&CaseId, bool> = HashMap::new();
    let mut whole: HashMap<&str, bool> = HashMap::new();
    for entry in entries {
        match entry {
            Entry::Group(group) if group.info.counted_first => {
                first.insert(&group.info.group);
            }
            Entry::Case(record) => {
                let one = runs_alone(record);
                *alone.entry(&record.case).or_insert(true) &= one;
                *whole.entry(&record.case.group).or_insert(true) &= one;
            }
            _ => {}
        }
    }
    let mut cases: Vec<(&CaseId, usize)> = alone
        .into_iter()
        .filter(|&(_, alone)| alone)
        .filter_map(|(case, _)| Some((case, *binaries.get(case)?)))
        .collect();
    // Unknown where a case was measured before an interruption.
    let took = |case: &CaseId| took.get(case).copied().unwrap_or_default();
    cases.sort_by_key(|&(case, _)| took(case));
    let Some(&(median, _)) = cases.get(cases.len() / 2) else {
        return cases;
    };
    let long = 2 * took(median);
    cases.sort_by_key(|&(case, binary)| {
        let group = case.group.as_str();
        let places = (!first.contains(group), !whole[group]);
        (took(case) > long, places, binary, took(case), case)
    });
    cases
}

/// Whether the process of a record ran one thread: valgrind lets several take turns, and what
/// they execute while they wait for each other would count.
fn runs_alone(record: &Record) -> bool {
    record.status == Status::Ok && record.threads == Some(1)
}

/// Numbers processes, so that what one says last is not taken for what another says.
static STARTED: AtomicUsize = AtomicUsize::new(0);

/// Asks bench binaries under valgrind for cases, until the time is over.
struct Counter<'r> {
    suite: &'r Suite,
    home: tempfile::TempDir,
    deadline: Instant,
    /// All that were started.
    processes: Vec<Process>,
    signals: (&'r Sender<Signal>, &'r Receiver<Signal>),
}

/// A bench binary under valgrind that counts cases on request.
struct Process {
    number: usize,
    binary: usize,
    child: Child,
    /// `None` when the process can be asked for no more.
    input: Option<ChildStdin>,
    /// What callgrind writes.
    written: PathBuf,
    stderr: PathBuf,
    /// What it was asked for and answered, from number 1; `None` where a case cannot be counted.
    asked: Vec<Option<CaseId>>,
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nothing is left to do for a process that has ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Counter<'_> {
    /// Has a case counted; `false` where that was not done in time or ended the process.
    fn ask(&mut self, case: &CaseId, binary: usize) -> Result<bool> {
        if Instant::now() >= self.deadline {
            return Ok(false);
        }
        let place = self.process(binary)?;
        let process = &mut self.processes[place];
        let number = process.number;
        let line = serde_json::to_string(case).expect("strings serialise") + "\n";
        if let Some(input) = &mut process.input {
            // A process that has ended says so below.
            let _ = input.write_all(line.as_bytes());
        }
        loop {
            let left = self.deadline.saturating_duration_since(Instant::now());
            match self.signals.1.recv_timeout(left) {
                Ok(Signal::Counted { process, counted }) if process == number => {
                    let asked = &mut self.processes[place].asked;
                    asked.push(counted.then(|| case.clone()));
                    return Ok(true);
                }
                Ok(Signal::CountingEnded { process }) if process == number => {
                    let process = &mut self.processes[place];
                    process.input = None;
                    let said = std::fs::read_to_string(&process.stderr).unwrap_or_default();
                    let reason = runner::reason(&said, process.child.wait()?);
                    eprintln!("instructions not counted: {case}: {reason}");
                    return Ok(false);
                }
                Ok(Signal::Interrupt) => return Err(Interrupted.into()),
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    return Ok(false);
                }
            }
        }
    }

    /// The place of the process of bench binary `binary`, started when there is none.
    fn process(&mut self, binary: usize) -> Result<usize> {
        let mut running = self.processes.iter();
        let running =
            running.position(|process| process.binary == binary && process.input.is_some());
        if let Some(place) = running {
            return Ok(place);
        }
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let written = self.home.path().join(format!("{number}.callgrind"));
        let stderr = self.home.path().join(format!("{number}.stderr"));
        let program = self.suite.command(binary)?;
        let mut valgrind = Command::new("valgrind");
        valgrind
            .args([
                "--tool=callgrind",
                "--instr-atstart=no",
                "--combine-dumps=yes",
            ])
            // Without the pipes for a debugger, which a killed process would leave behind.
            .args(["--vgdb=no", "--quiet"])
            .arg(format!("--callgrind-out-file={}", written.display()))
            .arg(program.get_program());
        let mut valgrind = self.suite.equip(valgrind, binary)?;
        valgrind
            .arg(COUNT_INSTRUCTIONS)
            .env_remove("VALGRIND_OPTS")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&stderr)?);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut valgrind, 0);
        let mut child = valgrind.spawn().context("cannot start valgrind")?;
        let output = child.stdout.take().expect("stdout is piped");
        let answers = self.signals.0.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                // What else a suite prints is no answer.
                if let Ok(Ok(counted)) = line.map(|line| line.parse()) {
                    let _ = answers.send(Signal::Counted {
                        process: number,
                        counted,
                    });
                }
            }
            let _ = answers.send(Signal::CountingEnded { process: number });
        });
        self.processes.push(Process {
            number,
            binary,
            input: child.stdin.take(),
            child,
            written,
            stderr,
            asked: Vec::new(),
        });
        Ok(self.processes.len() - 1)
    }

    /// What callgrind wrote of the cases that it was asked for, and of how many it wrote nothing.
    fn counted(&self) -> (Vec<Counted>, u64) {
        let mut counted = Vec::new();
        let mut missing = 0;
        for process in &self.processes {
            // Where it cannot be read, all its cases are missing.
            let totals = totals(&std::fs::read_to_string(&process.written).unwrap_or_default());
            for (number, case) in (1..).zip(&process.asked) {
                match (case, totals.get(&number), totals.get(&0)) {
                    (Some(case), Some(total), Some(empty)) => counted.push(Counted {
                        case: case.clone(),
                        instructions: total.saturating_sub(*empty),
                    }),
                    (Some(_), ..) => missing += 1,
                    (None, ..) => {}
                }
            }
        }
        (counted, missing)
    }
}

/// The totals of the numbered parts of a file that callgrind wrote.
///
/// A part begins with its number of the file, names what triggered it, and ends with its total. A
/// killed process may leave a last part without one.
fn totals(text: &str) -> HashMap<u64, u64> {
    let mut totals = HashMap::new();
    let mut number = None;
    for line in text.lines() {
        if line.starts_with("part: ") {
            number = None;
        } else if let Some(name) = line.strip_prefix("desc: Trigger: Client Request: ") {
            number = name.parse().ok();
        } else if let Some(total) = line.strip_prefix("totals: ")
            && let (Some(number), Ok(total)) = (number, total.parse())
        {
            totals.insert(number, total);
        }
    }
    totals
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::entries;

    #[test]
    fn processor_comes_before_valgrind_and_without_both_the_reasons_are_told() {
        let none = || Err("none".to_owned());
        let valgrind = || Ok("valgrind-3.19.0".to_owned());
        assert!(matches!(Way::choose(Ok(()), valgrind()), Way::Processor));
        assert!(matches!(
            Way::choose(none(), valgrind()),
            Way::Callgrind(version) if version == "valgrind-3.19.0"
        ));
        assert!(matches!(
            Way::choose(none(), Err("not there".to_owned())),
            Way::Nobody(reason) if reason == "none; not there"
        ));
    }

    #[test]
    fn total_of_each_numbered_part_is_read_and_what_a_killed_process_left_is_not() {
        let text = "# callgrind format\nversion: 1\ncreator: callgrind-3.19.0\ncmd: part: 9\n\
            part: 1\n\n\ndesc: Trigger: Client Request: 0\n\nevents: Ir\nsummary: 0\n\n\
            fn=(1) f\n0 12\n\ntotals: 12\n\n\
            part: 2\n\ndesc: Trigger: Client Request: 1\nevents: Ir\n\nfn=(1)\n0 99\n\ntotals: 99\n\n\
            part: 3\n\ndesc: Trigger: Client Request: 2\nevents: Ir\n\nfn=(1)\n0 5\n\n\
            part: 4\n\ndesc: Trigger: Program termination\nevents: Ir\n\ntotals: 7\n";
        assert_eq!(totals(text), HashMap::from([(0, 12), (1, 99)]));
        assert_eq!(totals(""), HashMap::new());
    }

    #[test]
    fn what_took_long_comes_last_and_before_that_what_wants_to_be_first() {
        let second = Duration::from_secs(1);
        // Group, series, the threads of its processes, its binary, and how long it took.
        let cases: [(&str, &str, &[u64], usize, u32); 8] = [
            ("mixed", "one", &[1, 1], 0, 1),
            ("mixed", "two", &[1, 2], 0, 1),
            ("whole", "other-binary", &[1], 1, 1),
            ("whole", "slower", &[1], 0, 2),
            ("whole", "long", &[1], 0, 9),
            ("wanted", "two", &[2], 1, 1),
            ("wanted", "one", &[1], 1, 2),
            ("failed", "one", &[], 0, 1),
        ];
        let mut all = entries(&[("s", "1", &[1])]);
        let (Some(Entry::Case(template)), Some(Entry::Group(wanted))) = (all.pop(), all.get_mut(1))
        else {
            panic!("a group and a case");
        };
        wanted.info.group = "wanted".to_owned();
        wanted.info.counted_first = true;
        let mut took = HashMap::new();
        let mut binaries = Vec::new();
        for (group, series, threads, binary, seconds) in cases {
            let mut record = template.clone();
            record.case.group = group.to_owned();
            record.case.series = series.to_owned();
            took.insert(record.case.clone(), second * seconds);
            binaries.push((record.case.clone(), binary));
            if threads.is_empty() {
                record.status = Status::Failed("late".to_owned());
                all.push(Entry::Case(record.clone()));
            }
            for &threads in threads {
                record.threads = Some(threads);
                all.push(Entry::Case(record.clone()));
            }
        }
        let binaries = binaries.iter().map(|(case, binary)| (case, *binary));
        let order: Vec<String> = order(&all, &binaries.collect(), &took)
            .iter()
            .map(|(case, binary)| format!("{}/{} {binary}", case.group, case.series))
            .collect();
        let expected = [
            "wanted/one 1",
            "whole/slower 0",
            "whole/other-binary 1",
            "mixed/one 0",
            "whole/long 0",
        ];
        assert_eq!(order, expected);
    }
}
