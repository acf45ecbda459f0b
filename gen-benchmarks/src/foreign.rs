//! Bench binaries of criterion's own, in workspaces that know nothing of our crate.
//!
//! Such a binary is asked by criterion's command line and answers with the files that it leaves.
//! They always go to a folder of our own, so that nothing of its users' is replaced.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::io::{Read, Seek};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use bench_harness::criterion_output;
use bench_harness::exchange::{self, Measurement, Values};
use bench_harness::record::{
    CaseId, CaseInfo, Entry, GroupInfo, PlannedGroup, Profile, RunInfo, Sample,
};

use crate::format::Unit;
use crate::runner::{self, Signal};
use crate::workspace::{Binary, Defined, Suite};

/// What the help of every criterion benchmark says, so that its binary holds it.
const CRITERION: &[u8] = b"Criterion.rs benchmark";

/// What the help of the harness of `#[bench]` says.
const LIBTEST: &[u8] = b"List all tests and benchmarks";

/// What an iteration handles where criterion was not told.
const ITERATION: &str = "iteration";

/// Most bytes that a program may say when it is asked something.
const SAID_LIMIT: u64 = 64 << 20;

/// How a binary is spoken to: what the command line of its criterion knows.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Dialect {
    /// Names are compared with the filter as they are; otherwise it is a regular expression.
    exact: bool,
    /// Times may be fractions of seconds, as from criterion 0.4 on.
    fractions: bool,
}

/// A benchmark as criterion knows it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Benchmark {
    /// What its filter is compared with: the parts joined by `/`.
    id: String,
    /// Its parts in criterion's files; those that it does not have are empty.
    case: CaseId,
    /// How much of what an iteration handles.
    handles: Option<(u64, &'static str)>,
    /// What a process takes beside measuring, to set things up and to analyse.
    start_up: Duration,
    /// What samples take at least, whatever time they are given.
    sampling: Duration,
}

/// What a binary measures.
pub(crate) struct Found {
    pub(crate) dialect: Dialect,
    /// In order of definition.
    pub(crate) benchmarks: Vec<Benchmark>,
    /// What else it defines, and why that is not measured.
    pub(crate) left_out: Vec<String>,
}

/// How much one process measures.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    pub(crate) warm_up_ms: u64,
    pub(crate) measurement_ms: u64,
    pub(crate) samples: u32,
}

/// Only to learn what there is, and how slow.
const SURVEY: Effort = Effort {
    warm_up_ms: 1,
    measurement_ms: 1,
    samples: 10,
};

impl From<&RunInfo> for Effort {
    fn from(run: &RunInfo) -> Self {
        Self {
            warm_up_ms: run.warm_up_ms,
            measurement_ms: run.measurement_ms,
            samples: run.samples,
        }
    }
}

impl Dialect {
    fn of(help: &str) -> Self {
        Self {
            exact: help.contains("--exact"),
            // Came with the same version.
            fractions: help.contains("--discard-baseline"),
        }
    }

    /// The time that criterion is given for `ms` milliseconds.
    fn seconds(self, ms: u64) -> f64 {
        match self.fractions {
            true => ms as f64 / 1e3,
            false => ms.div_ceil(1_000).max(1) as f64,
        }
    }

    /// The options for `effort`.
    fn options(self, effort: Effort) -> Vec<String> {
        let options = [
            ("--nresamples", "1000".to_owned()),
            (
                "--warm-up-time",
                self.seconds(effort.warm_up_ms).to_string(),
            ),
            (
                "--measurement-time",
                self.seconds(effort.measurement_ms).to_string(),
            ),
            ("--sample-size", effort.samples.to_string()),
        ];
        let options = options.into_iter();
        let options = options.flat_map(|(name, value)| [name.to_owned(), value]);
        std::iter::once("--noplot".to_owned())
            .chain(options)
            .collect()
    }

    /// The arguments that choose a benchmark by its name, which may be the beginning of a longer one
    /// that criterion cuts where it prints it.
    fn choose(self, name: &str) -> Vec<String> {
        let filter = match beginning(name) {
            Some(beginning) => format!("^{}", literally(beginning)),
            None if self.exact => {
                return vec!["--exact".to_owned(), "--".to_owned(), name.to_owned()];
            }
            None => format!("^{}$", literally(name)),
        };
        vec!["--".to_owned(), filter]
    }
}

/// Criterion cuts what it prints after so many bytes, and puts dots there.
const TITLE_BYTES: usize = 100;
const CUT: &str = "...";

/// The part of a printed name before the cut, if it was cut.
fn beginning(title: &str) -> Option<&str> {
    let beginning = title.strip_suffix(CUT)?;
    // A character may lie across the place of the cut.
    (TITLE_BYTES - 3..=TITLE_BYTES)
        .contains(&beginning.len())
        .then_some(beginning)
}

/// Whether criterion prints the benchmark `id` as `title`; the second one of a title has ` #2`.
fn is_title(title: &str, id: &str) -> bool {
    let fits = |title: &str| {
        title == id || beginning(title).is_some_and(|beginning| id.starts_with(beginning))
    };
    let numbered = title.rsplit_once(" #");
    fits(title)
        || numbered.is_some_and(|(title, number)| number.parse::<u32>().is_ok() && fits(title))
}

/// A regular expression that matches `text` only.
fn literally(text: &str) -> String {
    let mut expression = String::new();
    for character in text.chars() {
        if r"\.+*?()|[]{}^$".contains(character) {
            expression.push('\\');
        }
        expression.push(character);
    }
    expression
}

/// Why a program is not started: its harness may take every argument for the wish to run.
pub(crate) fn stranger(program: &[u8]) -> Option<&'static str> {
    let says = |text: &[u8]| program.windows(text.len()).any(|part| part == text);
    match () {
        () if says(CRITERION) => None,
        () if says(LIBTEST) => Some(
            "its harness is that of `#[bench]`; benchmarks of criterion and bench_harness::main! are measured",
        ),
        () => Some(
            "it has a harness of its own; benchmarks of criterion and bench_harness::main! are measured",
        ),
    }
}

/// How a program ended, and what it said.
pub(crate) struct Said {
    /// Or a sentence when it was ended.
    pub(crate) ended: Result<ExitStatus, String>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    took: Duration,
}

impl Said {
    /// The sentence of a program that did not end well.
    fn failure(&self) -> Option<String> {
        match &self.ended {
            Ok(status) if status.success() => None,
            Ok(status) => Some(runner::reason(&self.stderr, *status)),
            Err(reason) => Some(reason.clone()),
        }
    }
}

/// Runs a program whose time does not matter until it ends, or has said nothing for as long as
/// `patience`.
pub(crate) fn ask(mut command: Command, patience: Duration) -> Result<Said> {
    let temporary = || tempfile::tempfile().context("cannot create a temporary file");
    let (mut stdout, mut stderr) = (temporary()?, temporary()?);
    let start = Instant::now();
    let mut child = command
        .stdout(stdout.try_clone()?)
        .stderr(stderr.try_clone()?)
        .spawn()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    let (mut heard, mut length) = (start, 0);
    let ended = loop {
        if let Some(status) = child.try_wait()? {
            break Ok(status);
        }
        let said = stdout.metadata()?.len() + stderr.metadata()?.len();
        if said != length {
            (heard, length) = (Instant::now(), said);
        }
        let late = heard.elapsed() > patience;
        if late || said > SAID_LIMIT {
            // Nothing is left to do for a process that has just ended by itself.
            let _ = child.kill();
            child.wait()?;
            break Err(match late {
                true => format!(
                    "it said nothing for {} s (--timeout)",
                    patience.as_secs_f64()
                ),
                false => format!("it said more than {} MiB", SAID_LIMIT >> 20),
            });
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    let took = start.elapsed();
    let text = |file: &mut std::fs::File| -> Result<String> {
        file.rewind()?;
        let mut bytes = Vec::new();
        file.take(SAID_LIMIT).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    Ok(Said {
        ended,
        stdout: text(&mut stdout)?,
        stderr: text(&mut stderr)?,
        took,
    })
}

/// Asks bench binary `index` of `suite` what it measures; the inner result says why that cannot be
/// known.
///
/// Its help tells how to speak to it. What it lists are titles, cut and without parts, so every
/// benchmark is run once for as short a time as criterion allows: its files tell the rest. What is
/// not reached because another one crashes or hangs is run alone.
pub(crate) fn discover(
    suite: &Suite,
    index: usize,
    patience: Duration,
) -> Result<Result<Found, String>> {
    let home = home(suite)?;
    let asked = |argument: &str| {
        let mut command = criterion(suite, index, home.path())?;
        command.arg(argument);
        ask(command, patience)
    };
    let dialect = Dialect::of(&asked("--help")?.stdout);
    let listed = asked("--list")?;
    if let Some(reason) = listed.failure() {
        return Ok(Err(format!(
            "it cannot be asked for its benchmarks: {reason}"
        )));
    }
    let lines = listed.stdout.lines();
    // Criterion before 0.4 says `bench`.
    let titles: Vec<&str> = lines
        .filter_map(|line| {
            let benchmark = line.strip_suffix(": benchmark");
            benchmark.or_else(|| line.strip_suffix(": bench"))
        })
        .collect();
    if titles.is_empty() {
        return Ok(Err("it lists no benchmarks".to_owned()));
    }
    eprintln!(
        "looking at the {} benchmarks of {}",
        titles.len(),
        suite.binaries[index].target
    );
    let survey = |chosen: &[String]| -> Result<(Vec<Benchmark>, Said)> {
        let home = self::home(suite)?;
        let mut command = criterion(suite, index, home.path())?;
        command.args(dialect.options(SURVEY)).args(chosen);
        let said = ask(command, patience)?;
        // What a process that was ended wrote last may be half a file.
        let measured = left_in(home.path())?.into_iter().flatten();
        let benchmarks = measured.map(|one| Benchmark::new(&one, listed.took));
        Ok((benchmarks.collect(), said))
    };
    let (mut benchmarks, said) = survey(&[])?;
    if let Some(unit) = other_unit(&said.stdout) {
        return Ok(Err(format!("it does not measure time but `{unit}`")));
    }
    // What a look at all of them took beside sampling is that of each in equal parts.
    let sampling: Duration = benchmarks.iter().map(|one| one.sampling).sum();
    let each = said.took.saturating_sub(sampling) / benchmarks.len().max(1) as u32;
    for benchmark in &mut benchmarks {
        benchmark.start_up = benchmark.start_up.max(each);
    }
    if said.failure().is_some() {
        for title in &titles {
            if benchmarks.iter().any(|one| is_title(title, &one.id)) {
                continue;
            }
            let (alone, _) = survey(&dialect.choose(title))?;
            match alone.is_empty() {
                // Measuring it will tell why.
                true => benchmarks.push(Benchmark::guessed(title, &benchmarks, listed.took)),
                false => benchmarks.extend(alone),
            }
        }
    }
    let place = |one: &Benchmark| titles.iter().position(|title| is_title(title, &one.id));
    benchmarks.sort_by_key(|one| place(one).unwrap_or(usize::MAX));
    let mut seen = HashSet::new();
    let (benchmarks, twice): (Vec<_>, Vec<_>) = benchmarks
        .into_iter()
        .partition(|one| seen.insert(one.case.clone()));
    Ok(Ok(Found {
        dialect,
        benchmarks,
        left_out: twice
            .iter()
            .map(|one| format!("`{}` is defined twice; the first is measured", one.id))
            .collect(),
    }))
}

impl Benchmark {
    fn new(measured: &Measurement, start_up: Duration) -> Self {
        let amount = |unit: &str| {
            let amounts = &measured.throughput;
            let found = amounts.iter().find(|amount| amount.unit == unit)?;
            (found.amount >= 1.0).then_some(found.amount as u64)
        };
        let units = [
            ("elements", "element"),
            ("bytes", "byte"),
            ("bytes_decimal", "byte"),
            ("bits", "bit"),
        ];
        let case = measured.case.clone();
        let sampling: f64 = match &measured.values {
            Values::Processes(processes) => processes
                .iter()
                .flat_map(|process| &process.samples)
                .map(|sample| sample.value * sample.iterations.unwrap_or(1) as f64)
                .sum(),
            Values::Summary(_) => 0.0,
        };
        Self {
            id: measured.id.clone(),
            case: case.unwrap_or_else(|| alone(&measured.id)),
            handles: units
                .iter()
                .find_map(|(unit, name)| Some((amount(unit)?, *name))),
            start_up,
            sampling: Duration::from_secs_f64(sampling.clamp(0.0, 1e15) / 1e9),
        }
    }

    /// One that never came to writing its parts.
    fn guessed(title: &str, others: &[Self], start_up: Duration) -> Self {
        let groups = others.iter().map(|one| one.case.group.as_str());
        let rest = |group: &str| title.strip_prefix(group)?.strip_prefix('/');
        let longest = groups
            .filter_map(|group| Some((group, rest(group)?)))
            .max_by_key(|(group, _)| group.len());
        let case = match longest {
            Some((group, rest)) => CaseId {
                group: group.to_owned(),
                series: rest.to_owned(),
                input: String::new(),
            },
            None => alone(title),
        };
        Self {
            id: title.to_owned(),
            case,
            handles: None,
            start_up,
            sampling: Duration::ZERO,
        }
    }
}

/// A benchmark that is all of its group.
fn alone(id: &str) -> CaseId {
    CaseId {
        group: id.to_owned(),
        series: String::new(),
        input: String::new(),
    }
}

/// The unit of figures that are no times: criterion's files do not say it, and what it prints does.
fn other_unit(printed: &str) -> Option<&str> {
    printed.lines().find_map(|line| {
        let (_, figures) = line.split_once("time:")?;
        let figures = figures.trim().strip_prefix('[')?.strip_suffix(']')?;
        let unit = figures.split_whitespace().nth(1)?;
        let is_time = ["ps", "ns", "us", "µs", "μs", "ms", "s"].contains(&unit);
        (!is_time).then_some(unit)
    })
}

/// A fresh folder for criterion's files.
fn home(suite: &Suite) -> Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    let home = builder.prefix("criterion-").tempdir_in(suite.scratch());
    home.with_context(|| format!("cannot create a folder in {}", suite.scratch().display()))
}

/// A command that runs a bench binary of criterion's as cargo would, with `home` for its files.
fn criterion(suite: &Suite, index: usize, home: &Path) -> Result<Command> {
    let mut command = suite.command(index)?;
    command
        .env("CRITERION_HOME", home)
        // Where criterion before 0.3.3 makes a folder of its own.
        .env("CARGO_TARGET_DIR", home)
        // Samples would go to the one who listens there.
        .env_remove("CARGO_CRITERION_PORT")
        .arg("--bench");
    Ok(command)
}

/// What criterion left in `home`, and why something of it cannot be read.
fn left_in(home: &Path) -> Result<Vec<Result<Measurement>>> {
    let folders = criterion_output::folders(home, crate::exchange::LATEST)?;
    let read = |folder| -> Result<Option<Measurement>> {
        let folder = crate::exchange::criterion_folder(folder)?;
        let found = exchange::read_criterion(&home.display().to_string(), &[folder])?;
        Ok(found.measurements.into_iter().next())
    };
    Ok(folders
        .into_iter()
        .filter_map(|folder| read(folder).transpose())
        .collect())
}

/// Measures one case in a fresh process: its samples and how much an iteration handles. The inner
/// result says why there are none.
///
/// Cases of ours can be measured like this too, whose binaries are criterion's as well.
pub(crate) fn measure(
    suite: &Suite,
    defined: &Defined,
    effort: Effort,
    timeout: Duration,
    signals: (&Sender<Signal>, &Receiver<Signal>),
) -> Result<Result<(Vec<Sample>, u64), String>> {
    let case = &defined.info.case;
    let (id, parts, handles) = match &defined.foreign {
        Some(benchmark) => (benchmark.id.clone(), &benchmark.case, benchmark.handles),
        None => (case.to_string(), case, None),
    };
    let dialect = suite.binaries[defined.binary].dialect.unwrap_or(Dialect {
        exact: true,
        fractions: true,
    });
    let home = home(suite)?;
    let mut command = criterion(suite, defined.binary, home.path())?;
    command
        .args(dialect.options(effort))
        .args(dialect.choose(&id))
        .stdout(Stdio::null());
    match runner::run_to_end(command, timeout, signals)? {
        Ok((status, _)) if status.success() => {}
        Ok((status, stderr)) => return Ok(Err(runner::reason(&stderr, status))),
        Err(late) => return Ok(Err(late)),
    }
    let mut others = Vec::new();
    for measured in left_in(home.path())? {
        match measured {
            Err(error) => return Ok(Err(format!("{error:#}"))),
            Ok(measured) if measured.case.as_ref() == Some(parts) => {
                return Ok(samples(measured, handles));
            }
            Ok(measured) => others.push(measured),
        }
    }
    // The parts of what crashed when it was looked at were guessed.
    match others.into_iter().find(|one| is_title(&id, &one.id)) {
        Some(measured) => Ok(samples(measured, handles)),
        None => Ok(Err("its process ended well and measured nothing".to_owned())),
    }
}

fn samples(
    measured: Measurement,
    handles: Option<(u64, &'static str)>,
) -> Result<(Vec<Sample>, u64), String> {
    let (records, warnings) = exchange::to_records(&[measured]);
    match records.into_iter().next() {
        Some(record) => Ok((record.samples, handles.map_or(1, |(amount, _)| amount))),
        None => Err(warnings.join("; ")),
    }
}

/// What a run is meant to take at most.
fn budget(profile: Profile) -> Duration {
    Duration::from_secs(
        60 * match profile {
            Profile::Quick => 2,
            Profile::Standard => 20,
            Profile::Full => 120,
        },
    )
}

/// What `processes` of each of the `cases` take: at least so long, as far as a look at them told.
fn estimate(suite: &Suite, cases: &[&Defined], effort: Effort, processes: u32) -> Duration {
    let one = |defined: &&Defined| {
        let benchmark = defined.foreign.as_ref()?;
        let dialect = suite.binaries[defined.binary].dialect?;
        let seconds = |ms| Duration::from_secs_f64(dialect.seconds(ms));
        let sampling = benchmark.sampling.max(seconds(effort.measurement_ms));
        Some(benchmark.start_up + seconds(effort.warm_up_ms) + sampling)
    };
    cases.iter().filter_map(one).sum::<Duration>() * processes
}

/// Says how long measuring takes, and what to do where that is longer than it is meant to be.
pub(crate) fn announce(
    suite: &Suite,
    cases: &[&Defined],
    effort: Effort,
    processes: u32,
    profile: Profile,
) {
    let count = cases.iter().filter(|one| one.foreign.is_some()).count();
    if count == 0 {
        return;
    }
    let (takes, budget) = (estimate(suite, cases, effort, processes), budget(profile));
    let shown = |time: Duration| Unit::Duration.format(time.as_secs_f64() * 1e9, 1e9);
    eprintln!(
        "{count} benchmarks of criterion in {processes} processes each take about {}",
        shown(takes)
    );
    if takes > budget {
        eprintln!(
            "a run of the {profile} profile is meant to take {} at most; fewer processes (--count), some cases (--filter) or a smaller --profile take less",
            shown(budget)
        );
    }
}

/// The groups of a binary's benchmarks, and its cases.
///
/// A group's name that is `taken` by another binary gets the name of this one.
pub(crate) fn adopt(
    mut benchmarks: Vec<Benchmark>,
    binary: &Binary,
    source: &str,
    taken: &[GroupInfo],
) -> (Vec<GroupInfo>, Vec<(CaseInfo, Benchmark)>) {
    let mut own: Vec<String> = Vec::new();
    for benchmark in &benchmarks {
        if !own.contains(&benchmark.case.group) {
            own.push(benchmark.case.group.clone());
        }
    }
    let place = format!("{}: {}", binary.package, binary.target);
    let mut groups: Vec<GroupInfo> = Vec::new();
    let mut names: HashMap<String, String> = HashMap::new();
    for group in &own {
        let free = |name: &String| {
            !taken
                .iter()
                .chain(&groups)
                .any(|other| other.group == *name)
                && (name == group || !own.contains(name))
        };
        let first = [
            group.clone(),
            format!("{group} ({})", binary.target),
            format!("{group} ({place})"),
        ];
        let numbered = (2..).map(|number| format!("{group} ({place} {number})"));
        let name = first
            .into_iter()
            .chain(numbered)
            .find(free)
            .expect("numbers go on");
        let mut members: Vec<&mut Benchmark> = benchmarks
            .iter_mut()
            .filter(|one| one.case.group == *group)
            .collect();
        let unit = members[0].handles.map(|(_, unit)| unit);
        if members
            .iter()
            .any(|one| one.handles.map(|(_, unit)| unit) != unit)
        {
            members.iter_mut().for_each(|one| one.handles = None);
        }
        let is_size = |one: &&mut Benchmark| {
            let input = crate::report::number(&one.case.input);
            input.is_some() && input == one.handles.map(|(amount, _)| amount as f64)
        };
        let unit = members[0].handles.map_or(ITERATION, |(_, unit)| unit);
        let growth = members.iter().all(is_size);
        groups.push(GroupInfo {
            group: name.clone(),
            section: place.clone(),
            question: format!("How long does “{}” take?", short(&name)),
            work: String::new(),
            baseline: None,
            axis: match members.iter().all(|one| one.case.input.is_empty()) {
                true => "function".to_owned(),
                false if growth => format!("{unit}s"),
                false => "input".to_owned(),
            },
            unit: unit.to_owned(),
            per_element: false,
            growth,
            suite: source.to_owned(),
            counted_first: false,
            bounds: Vec::new(),
        });
        names.insert(group.clone(), name);
    }
    let case = |benchmark: Benchmark| {
        let case = CaseId {
            group: names[&benchmark.case.group].clone(),
            ..benchmark.case.clone()
        };
        let profile = Profile::Quick;
        (CaseInfo { case, profile }, benchmark)
    };
    (groups, benchmarks.into_iter().map(case).collect())
}

/// A name that fits into a heading.
fn short(name: &str) -> Cow<'_, str> {
    const LONGEST: usize = 60;
    match name.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &name[..end]).into(),
        None => name.into(),
    }
}

/// The entries of a record as a report shows them.
pub(crate) struct Gathered<'e> {
    pub(crate) entries: Cow<'e, [Entry]>,
    /// The cases that are shown by another name, with the one that they have everywhere else.
    pub(crate) named: HashMap<CaseId, CaseId>,
    /// Groups of functions that nobody put together to be compared.
    pub(crate) unrelated: HashSet<String>,
}

/// Gathers what stands together in a report.
///
/// A function without a group is a group of its own for criterion: those of a binary get a table
/// together. A series without a name is called like its group.
pub(crate) fn gathered(entries: &[Entry]) -> Gathered<'_> {
    let groups = || {
        entries.iter().filter_map(|entry| match entry {
            Entry::Group(group) => Some(group),
            _ => None,
        })
    };
    let nameless = |group: &PlannedGroup| group.cases.iter().any(|(series, _)| series.is_empty());
    if !groups().any(nameless) {
        return Gathered {
            entries: entries.into(),
            named: HashMap::new(),
            unrelated: HashSet::new(),
        };
    }
    let is_alone = |group: &PlannedGroup| match &group.cases[..] {
        [(series, input)] => series.is_empty() && input.is_empty(),
        _ => false,
    };
    // By section, which is the binary.
    let mut tables: HashMap<&str, PlannedGroup> = HashMap::new();
    let mut shown: HashMap<CaseId, CaseId> = HashMap::new();
    for group in groups() {
        let section = group.info.section.as_str();
        let id = |group: &str, series: &str, input: &str| CaseId {
            group: group.to_owned(),
            series: series.to_owned(),
            input: input.to_owned(),
        };
        let name = group.info.group.as_str();
        if is_alone(group) {
            let table = tables.entry(section).or_insert_with(|| PlannedGroup {
                info: GroupInfo {
                    group: free_name(section, groups()),
                    question: format!("How long do the functions of “{}” take?", short(section)),
                    ..group.info.clone()
                },
                cases: Vec::new(),
            });
            table.cases.push((name.to_owned(), String::new()));
            if table.info.unit != group.info.unit {
                table.info.unit = ITERATION.to_owned();
            }
            shown.insert(id(name, "", ""), id(&table.info.group, name, ""));
            continue;
        }
        for (_, input) in group.cases.iter().filter(|(series, _)| series.is_empty()) {
            if !group.cases.contains(&(name.to_owned(), input.clone())) {
                shown.insert(id(name, "", input), id(name, name, input));
            }
        }
    }
    let mut placed = HashSet::new();
    let entry = |entry: &Entry| match entry {
        Entry::Group(group) if is_alone(group) => {
            let section = group.info.section.as_str();
            placed
                .insert(section.to_owned())
                .then(|| Entry::Group(tables[section].clone()))
        }
        Entry::Group(group) => {
            let mut group = group.clone();
            for (series, input) in &mut group.cases {
                let id = CaseId {
                    group: group.info.group.clone(),
                    series: series.clone(),
                    input: input.clone(),
                };
                if let Some(shown) = shown.get(&id) {
                    series.clone_from(&shown.series);
                }
            }
            Some(Entry::Group(group))
        }
        Entry::Case(record) => {
            let mut record = record.clone();
            if let Some(shown) = shown.get(&record.case) {
                record.case = shown.clone();
            }
            let mut tables = tables.values().map(|table| &table.info);
            if tables.any(|table| table.group == record.case.group && table.unit == ITERATION) {
                record.elements = 1;
            }
            Some(Entry::Case(record))
        }
        Entry::Counted(counted) => {
            let mut counted = counted.clone();
            if let Some(shown) = shown.get(&counted.case) {
                counted.case = shown.clone();
            }
            Some(Entry::Counted(counted))
        }
        Entry::Profiled(profiled) => {
            let mut profiled = profiled.clone();
            if let Some(shown) = shown.get(&profiled.case) {
                profiled.case = shown.clone();
            }
            Some(Entry::Profiled(profiled))
        }
        other => Some(other.clone()),
    };
    let entries = entries.iter().filter_map(entry).collect();
    let unrelated = tables.into_values().map(|table| table.info.group);
    Gathered {
        entries,
        unrelated: unrelated.collect(),
        named: shown
            .into_iter()
            .map(|(real, shown)| (shown, real))
            .collect(),
    }
}

/// A name that no group has.
fn free_name<'g>(name: &str, groups: impl Iterator<Item = &'g PlannedGroup>) -> String {
    let taken: HashSet<&str> = groups.map(|group| group.info.group.as_str()).collect();
    let numbered = (2..).map(|number| format!("{name} {number}"));
    let mut names = std::iter::once(name.to_owned()).chain(numbered);
    let free = names.find(|name| !taken.contains(name.as_str()));
    free.expect("numbers go on")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Report;
    use bench_harness::Environment;
    use bench_harness::record::{Record, Status};

    fn benchmark(group: &str, series: &str, input: &str) -> Benchmark {
        let case = CaseId {
            group: group.to_owned(),
            series: series.to_owned(),
            input: input.to_owned(),
        };
        Benchmark {
            id: case.to_string(),
            case,
            handles: None,
            start_up: Duration::ZERO,
            sampling: Duration::ZERO,
        }
    }

    fn binary(target: &str) -> Binary {
        Binary::named("parser", target)
    }

    const OLD: Dialect = Dialect {
        exact: false,
        fractions: false,
    };
    const NEW: Dialect = Dialect {
        exact: true,
        fractions: true,
    };

    #[test]
    fn filter_chooses_one_name_however_it_reads_as_an_expression() {
        assert_eq!(NEW.choose("a (b)/1.5"), ["--exact", "--", "a (b)/1.5"]);
        assert_eq!(OLD.choose("a (b)/1.5"), ["--", r"^a \(b\)/1\.5$"]);
        let long = "x".repeat(300);
        assert_eq!(NEW.choose(&long), ["--exact", "--", &long]);
        let title = format!("{}...", "é".repeat(50));
        assert_eq!(NEW.choose(&title), ["--", &format!("^{}", "é".repeat(50))]);
        assert_eq!(NEW.choose("wait..."), ["--exact", "--", "wait..."]);
    }

    #[test]
    fn title_is_that_of_an_id_though_it_is_cut_or_numbered() {
        let long = format!("g/{}", "ß".repeat(100));
        let title = format!("{}...", &long[..100]);
        assert!(is_title("g/f", "g/f") && is_title(&title, &long));
        assert!(is_title("g/f #2", "g/f") && is_title(&format!("{title} #3"), &long));
        assert!(is_title("g/f #2", "g/f #2"));
        assert!(!is_title("g/f", "g/f2") && !is_title("g/...", "g/f"));
    }

    #[test]
    fn criterion_before_fractions_is_given_whole_seconds() {
        let effort = Effort {
            warm_up_ms: 10,
            measurement_ms: 1_500,
            samples: 10,
        };
        let times = |dialect: Dialect| {
            let options = dialect.options(effort);
            [options[4].clone(), options[6].clone()]
        };
        assert_eq!(times(OLD), ["1", "2"]);
        assert_eq!(times(NEW), ["0.01", "1.5"]);
    }

    #[test]
    fn figures_that_are_no_times_are_noticed_by_what_is_printed() {
        let printed =
            "fib   time:   [1.2 ns 1.3 ns 1.4 ns]\n      thrpt:  [1 Melem/s 1 Melem/s 1 Melem/s]";
        assert_eq!(other_unit(printed), None);
        let printed = "fib                  time:   [10 cycles 11 cycles 12 cycles]";
        assert_eq!(other_unit(printed), Some("cycles"));
    }

    #[test]
    fn programs_with_other_harnesses_are_not_started() {
        let of = |says: &[u8]| stranger(&[b"\x7fELF", says, b"\0"].concat());
        assert_eq!(of(b"This executable is a Criterion.rs benchmark."), None);
        assert!(
            of(b"List all tests and benchmarks")
                .unwrap()
                .contains("#[bench]")
        );
        assert!(of(b"").unwrap().contains("harness of its own"));
    }

    #[test]
    fn group_that_two_binaries_have_is_told_apart_by_their_names() {
        let cases = || {
            vec![
                benchmark("parse", "fast", ""),
                benchmark("parse (two)", "", ""),
            ]
        };
        let (first, _) = adopt(cases(), &binary("one"), "benches/one.rs", &[]);
        let names = |groups: &[GroupInfo]| -> Vec<String> {
            groups.iter().map(|group| group.group.clone()).collect()
        };
        assert_eq!(names(&first), ["parse", "parse (two)"]);
        let (second, cases) = adopt(cases(), &binary("two"), "benches/two.rs", &first);
        assert_eq!(names(&second), ["parse (parser: two)", "parse (two) (two)"]);
        assert_eq!(cases[0].0.case.to_string(), "parse (parser: two)/fast");
        assert_eq!(cases[0].1.id, "parse/fast");
    }

    #[test]
    fn inputs_are_sizes_where_as_much_is_handled() {
        let sized = |input: &str, amount: u64| Benchmark {
            handles: Some((amount, "byte")),
            ..benchmark("sum", "f", input)
        };
        let info = |cases: Vec<Benchmark>| adopt(cases, &binary("b"), "b.rs", &[]).0.remove(0);
        let sizes = info(vec![sized("10", 10), sized("20", 20)]);
        assert!(sizes.growth && sizes.unit == "byte");
        assert!(!info(vec![sized("10", 10), sized("20", 10)]).growth);
        let mixed = info(vec![sized("10", 10), benchmark("sum", "f", "20")]);
        assert!(!mixed.growth && mixed.unit == ITERATION);
    }

    #[test]
    fn what_crashed_is_guessed_to_be_of_the_longest_group_that_fits() {
        let others = [benchmark("a", "x", ""), benchmark("a/b", "x", "")];
        let guessed = Benchmark::guessed("a/b/c/9", &others, Duration::ZERO).case;
        assert_eq!((&*guessed.group, &*guessed.series), ("a/b", "c/9"));
        assert_eq!(
            Benchmark::guessed("ab", &others, Duration::ZERO).case,
            alone("ab")
        );
    }

    /// A record of these cases, one process each.
    fn record(benchmarks: Vec<Benchmark>) -> Vec<Entry> {
        let run = RunInfo {
            profile: Profile::Quick,
            filter: None,
            processes: 2,
            warm_up_ms: 5,
            measurement_ms: 15,
            samples: 1,
            seed: 1,
            build: "0".to_owned(),
            environment: Environment::default(),
            skipped: Vec::new(),
            machines: Vec::new(),
            shard: None,
        };
        let (groups, cases) = adopt(benchmarks, &binary("speed"), "benches/speed.rs", &[]);
        let groups = groups.into_iter().map(|info| {
            let cases = cases.iter().map(|(info, _)| &info.case);
            let cases = cases.filter(|case| case.group == info.group);
            let cases = cases.map(|case| (case.series.clone(), case.input.clone()));
            Entry::Group(PlannedGroup {
                cases: cases.collect(),
                info,
            })
        });
        let processes = (1..).zip(&cases).flat_map(|case| [(case, 1), (case, 2)]);
        let records = processes.map(|((place, (info, _)), process)| {
            Entry::Case(Record {
                case: info.case.clone(),
                process,
                samples: vec![Sample {
                    iterations: 1,
                    elapsed_ns: 100 * place,
                }],
                elements: 7,
                allocations: None,
                counters: None,
                threads: None,
                took_ms: None,
                status: Status::Ok,
            })
        });
        std::iter::once(Entry::Run(Box::new(run)))
            .chain(groups)
            .chain(records)
            .collect()
    }

    #[test]
    fn functions_without_a_group_share_a_table_and_nameless_series_get_a_name() {
        let entries = record(vec![
            benchmark("fib 20", "", ""),
            benchmark("from_elem", "", "1024"),
            benchmark("parser: speed", "f", ""),
            benchmark("fib 10", "", ""),
        ]);
        let report = Report::new(&entries).unwrap();
        let shown: Vec<(&str, &[String])> = report
            .groups
            .iter()
            .map(|table| (table.info.group.as_str(), &table.series[..]))
            .collect();
        let names = |names: &[&str]| {
            names
                .iter()
                .map(|&name| name.to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(
            shown,
            [
                ("parser: speed 2", &names(&["fib 20", "fib 10"])[..]),
                ("from_elem", &names(&["from_elem"])[..]),
                ("parser: speed", &names(&["f"])[..]),
            ]
        );
        assert_eq!(report.groups[0].measured("fib 10", "").unwrap().elements, 1);
    }

    #[test]
    fn functions_without_a_group_are_not_ranked_and_keep_their_ids() {
        let entries = record(vec![
            benchmark("parse", "", ""),
            benchmark("print", "", ""),
            benchmark("g", "", "16"),
        ]);
        let report = Report::new(&entries).unwrap();
        let [functions, group] = &report.groups[..] else {
            panic!("{} tables", report.groups.len());
        };
        assert!(functions.unrelated && !group.unrelated);
        let ids = |table: &crate::report::Table| -> Vec<String> {
            let rows = table.rows.iter();
            rows.map(|row| row.case.to_string()).collect()
        };
        assert_eq!(ids(functions), ["parse", "print"]);
        assert_eq!(ids(group), ["g/16"]);
        assert_eq!(functions.case("print", ""), "print");
        let page = crate::markdown::files(&report, None);
        let page = String::from_utf8(page[Path::new("BENCHMARKS.md")].clone()).unwrap();
        assert!(
            page.contains("| function | time an iteration ↓ |"),
            "{page}"
        );
        assert!(
            !page.contains("| **") && !page.contains("is the fastest"),
            "{page}"
        );
    }

    #[test]
    fn record_with_names_everywhere_is_left_alone() {
        let entries = record(vec![benchmark("g", "f", "1")]);
        assert!(matches!(gathered(&entries).entries, Cow::Borrowed(_)));
    }

    #[cfg(unix)]
    #[test]
    fn silent_program_is_ended_and_a_talking_one_is_heard_to_its_end() {
        let mut silent = Command::new("sleep");
        silent.arg("600");
        let said = ask(silent, Duration::from_millis(50)).unwrap();
        assert!(said.failure().unwrap().contains("said nothing for 0.05 s"));
        let mut talking = Command::new("sh");
        talking.args(["-c", "echo one; echo two >&2; exit 3"]);
        let said = ask(talking, Duration::from_secs(60)).unwrap();
        assert_eq!((said.stdout.trim(), said.stderr.trim()), ("one", "two"));
        assert!(said.failure().unwrap().contains("two"));
    }
}
