//! Cases: what is measured, defined once and driven by criterion or by the counting pass.
//!
//! A case is identified by `group/series/input`: a group is one chart and one table and answers
//! one question, a series is one line (nearly always a strategy), the input is the x position.

use std::fmt;
use std::hint::black_box;
use std::panic::{self, AssertUnwindSafe, Location};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use criterion::{BatchSize, Bencher, BenchmarkId, Criterion, Throughput};

use crate::callgrind::{self, Callgrind};
use crate::counters;
use crate::record::{Allocations, CaseId, CaseInfo, Counters, Extras, GroupInfo, Listed, Profile};
use crate::server::{self, Clock, SERVE, Turn};
use crate::tally::Tally;
use crate::workload::Workload;

/// Collects the groups of one suite.
#[derive(Default)]
pub struct Lab {
    section: String,
    counted_first: bool,
    groups: Vec<Group>,
}

impl Lab {
    /// Files that the user gave for this run: what a suite does with them is its own affair.
    ///
    /// They come from [`INPUT_FILES`].
    pub fn files(&self) -> Vec<PathBuf> {
        std::env::var_os(INPUT_FILES)
            .map(|paths| std::env::split_paths(&paths).collect())
            .unwrap_or_default()
    }

    /// The workload that strategies are to be compared on, if there is one.
    ///
    /// It comes from the file that [`WORKLOAD_FILE`] names; what cannot be read is
    /// [refused](Self::refuse).
    pub fn workload(&self) -> Option<Workload> {
        let path = std::env::var_os(WORKLOAD_FILE)?;
        match Workload::read(Path::new(&path)) {
            Ok(workload) => Some(workload),
            Err(error) => self.refuse(error),
        }
    }

    /// The output of `cargo metadata` for the workspace that is measured.
    ///
    /// Read from the file that [`CARGO_METADATA`] names, or asked of cargo where it names none.
    ///
    /// # Errors
    ///
    /// Fails with a sentence when the file cannot be read or cargo fails.
    pub fn cargo_metadata(&self) -> Result<String, String> {
        match std::env::var_os(CARGO_METADATA) {
            Some(path) => std::fs::read_to_string(&path)
                .map_err(|error| format!("cannot read {}: {error}", path.display())),
            None => cargo_metadata(Path::new(".")),
        }
    }

    /// Ends the process because what the suite was given cannot be measured; `sentence` says why.
    pub fn refuse(&self, sentence: impl fmt::Display) -> ! {
        eprintln!("{sentence}");
        std::process::exit(REFUSED)
    }

    /// Names the section of the report that the following groups belong to.
    pub fn section(&mut self, title: &str) -> &mut Self {
        self.section = title.to_owned();
        self.counted_first = false;
        self
    }

    /// Counts the instructions of this section before those of others, where valgrind has not the
    /// time for all.
    pub fn counted_first(&mut self) -> &mut Self {
        self.counted_first = true;
        self
    }

    /// Adds a group: one question, answered by one chart and one table.
    ///
    /// `id` is the first part of every case's id and may contain `/`; `question` is printed above
    /// the chart.
    ///
    /// Several bench files may fill one group, when they describe it by the same function: its
    /// source file is where this is called.
    ///
    /// # Panics
    ///
    /// Panics when the suite already has a group of this id.
    #[track_caller]
    pub fn group(&mut self, id: &str, question: &str) -> &mut Group {
        assert!(
            self.groups.iter().all(|group| group.info.group != id),
            "group `{id}` is defined twice; give each group its own id"
        );
        self.groups.push(Group {
            info: GroupInfo {
                group: id.to_owned(),
                section: self.section.clone(),
                question: question.to_owned(),
                work: String::new(),
                baseline: None,
                axis: "input".to_owned(),
                unit: "element".to_owned(),
                per_element: false,
                growth: false,
                suite: Location::caller().file().to_owned(),
                counted_first: self.counted_first,
                bounds: Vec::new(),
            },
            batch: u64::MAX,
            quick_limit: u64::MAX,
            standard_limit: u64::MAX,
            cases: Vec::new(),
        });
        self.groups.last_mut().expect("just pushed")
    }

    /// Every case with its group, in order of definition.
    fn infos(&self) -> impl Iterator<Item = CaseInfo> {
        self.groups.iter().flat_map(|group| {
            group.cases.iter().map(|case| CaseInfo {
                case: group.id(case),
                profile: group.profile(case),
            })
        })
    }

    /// Gives every case to criterion, which decides by its command line what to run.
    fn criterion(&mut self, criterion: &mut Criterion) {
        for group in &mut self.groups {
            let mut driven = criterion.benchmark_group(group.info.group.as_str());
            for case in &mut group.cases {
                driven.throughput(Throughput::Elements(case.input.elements));
                let id = BenchmarkId::new(&case.series, &case.input.label);
                driven.bench_function(id, |bencher| case.routine().measure.criterion(bencher));
                // Only the counting pass needs it again.
                if std::env::var_os(EXTRAS_FILE).is_none() {
                    case.state = State::Done;
                }
            }
            driven.finish();
        }
    }

    /// Counts the instructions of the cases that are asked for, under callgrind.
    ///
    /// The input has the id of a case in every line, as JSON. Callgrind writes down what an empty
    /// iteration takes as number 0, and then each case under the number of its line; when it has,
    /// the output gets a line: `true`, or `false` where the case cannot be counted.
    fn count_instructions(&mut self) -> Result<(), String> {
        if !callgrind::is_running() {
            return Err(format!("{COUNT_INSTRUCTIONS} works under valgrind only"));
        }
        nothing().measure.metered(&mut Callgrind);
        callgrind::write_down(0);
        for (number, line) in (1..).zip(std::io::stdin().lines()) {
            let line = line.map_err(|error| format!("cannot read which case to count: {error}"))?;
            let id: CaseId = serde_json::from_str(&line)
                .map_err(|error| format!("`{line}` is not the id of a case: {error}"))?;
            let case = self
                .case_mut(&id)
                .ok_or_else(|| format!("there is no case `{id}`"))?;
            let State::Defined(setup) = std::mem::replace(&mut case.state, State::Done) else {
                return Err(format!("case `{id}` is counted twice"));
            };
            let mut routine = setup();
            let counted = routine.measure.metered(&mut Nothing);
            if counted {
                routine.measure.metered(&mut Callgrind);
                callgrind::write_down(number);
                routine.measure.once();
            }
            println!("{counted}");
        }
        Ok(())
    }

    fn case_mut(&mut self, id: &CaseId) -> Option<&mut Case> {
        let group = self
            .groups
            .iter_mut()
            .find(|group| group.info.group == id.group)?;
        group
            .cases
            .iter_mut()
            .find(|case| case.series == id.series && case.input.label == id.input)
    }

    /// The routine of a case, set up and checked, and the elements of an iteration.
    pub(crate) fn routine(&mut self, id: &CaseId) -> Option<(&mut Routine, u64)> {
        let case = self.case_mut(id)?;
        let elements = case.input.elements;
        Some((case.routine(), elements))
    }

    /// Every case in order of definition, with what runs it as often as it is told and says what that
    /// took, for other harnesses. A case is set up and checked before its first turn.
    #[doc(hidden)]
    pub fn turns(self) -> impl Iterator<Item = (CaseId, impl FnMut(u64) -> Turn)> {
        self.groups.into_iter().flat_map(|mut group| {
            let cases = std::mem::take(&mut group.cases);
            cases.into_iter().map(move |mut case| {
                let id = group.id(&case);
                let mut clock = Clock::calibrated();
                let turn = move |iterations| case.routine().measure.turn(iterations, &mut clock);
                (id, turn)
            })
        })
    }

    /// Counts one iteration of every case that criterion has just run.
    fn extras(&mut self) -> Vec<Extras> {
        let mut all = Vec::new();
        for group in &mut self.groups {
            for case in &mut group.cases {
                let State::Ready(routine) = &mut case.state else {
                    continue;
                };
                let allocations = routine.measure.count();
                let counters = routine.count_events();
                // The answer must still be right after it was timed and counted.
                routine.check();
                all.push(Extras {
                    case: CaseId {
                        group: group.info.group.clone(),
                        series: case.series.clone(),
                        input: case.input.label.clone(),
                    },
                    elements: case.input.elements,
                    allocations,
                    counters,
                    threads: routine.threads,
                });
            }
        }
        all
    }
}

/// The most threads that the process has at once while `work` runs, as far as a thread that looks
/// again and again can see.
fn most_threads(work: impl FnOnce()) -> Option<u64> {
    let threads = || Some(std::fs::read_dir("/proc/self/task").ok()?.count() as u64);
    let done = AtomicBool::new(false);
    let looked = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut most = None;
            // `Relaxed`: the flags order nothing else; joining does.
            while !done.load(Ordering::Relaxed) {
                most = most.max(threads());
                looked.store(true, Ordering::Relaxed);
                // While it ran without a break the system put the threads of `work` on the other
                // core together and left them there for 10 to 100 ms: two workers took 690 to 1540 ns
                // for a node of 1 us instead of 660 to 720 (2-core x86-64 VM, 2026-11).
                std::thread::sleep(LOOK_EVERY);
            }
            // The watcher does not count.
            most.map(|most| most - 1)
        });
        while !looked.load(Ordering::Relaxed) {
            std::thread::yield_now();
        }
        // A check that fails must not leave the watcher running.
        let outcome = panic::catch_unwind(AssertUnwindSafe(work));
        done.store(true, Ordering::Relaxed);
        let most = watcher.join().expect("the watcher only reads");
        outcome.unwrap_or_else(|failed| panic::resume_unwind(failed));
        most
    })
}

/// How often the threads of a process are counted.
const LOOK_EVERY: Duration = Duration::from_micros(100);

/// How many inputs take turns at most; see [`Rotation`](crate::Rotation).
const TURNS: usize = 16;

/// Where checking all turns takes longer than this, what was not reached is not checked again.
const CHECKING_BUDGET: Duration = Duration::from_millis(20);

/// Iterations that are counted together.
const COUNTED_ITERATIONS: u64 = 8;

/// Where one iteration takes longer than this, it is counted alone.
const LONG_ITERATION: Duration = Duration::from_millis(2);

/// One question: the cases that answer it and what the report says about them.
pub struct Group {
    info: GroupInfo,
    batch: u64,
    quick_limit: u64,
    standard_limit: u64,
    cases: Vec<Case>,
}

impl Group {
    /// What one iteration does, what is inside the timed region and what is dropped in it.
    pub fn work(&mut self, work: &str) -> &mut Self {
        self.info.work = work.to_owned();
        self
    }

    /// The series that the others are compared with.
    pub fn baseline(&mut self, series: &str) -> &mut Self {
        self.info.baseline = Some(series.to_owned());
        self
    }

    /// A series that bounds the others and is no choice itself: what must be done at least, or what an
    /// ideal would take. The report calls none of them the fastest and says how near the fastest comes.
    pub fn bound(&mut self, series: &str) -> &mut Self {
        self.info.bounds.push(series.to_owned());
        self
    }

    /// What the input is, as the name of the x axis: `nodes`, `bytes an object`.
    pub fn axis(&mut self, axis: &str) -> &mut Self {
        self.info.axis = axis.to_owned();
        self
    }

    /// What one element is, in the singular: `node`, `string`. Throughput is elements per second.
    pub fn unit(&mut self, unit: &str) -> &mut Self {
        self.info.unit = unit.to_owned();
        self
    }

    /// Reports time and allocations of one element rather than of an iteration, for iterations that
    /// are a batch of equal things.
    pub fn per_element(&mut self) -> &mut Self {
        self.info.per_element = true;
        self
    }

    /// Says whether the inputs are sizes, so that the report fits how time grows with them.
    pub fn growth(&mut self, sizes: bool) -> &mut Self {
        self.info.growth = sizes;
        self
    }

    /// An iteration handles at most `elements`, however large the input. Holds for cases added
    /// afterwards.
    pub fn batch(&mut self, elements: u64) -> &mut Self {
        self.batch = elements;
        self
    }

    /// Leaves inputs of more than this size out of the `quick` profile.
    ///
    /// Holds for cases added afterwards as for those added before.
    pub fn quick_limit(&mut self, size: u64) -> &mut Self {
        self.quick_limit = size;
        self
    }

    /// Leaves inputs of more than this size to the `full` profile.
    pub fn standard_limit(&mut self, size: u64) -> &mut Self {
        self.standard_limit = size;
        self
    }

    /// Adds a case. `setup` runs once, outside any measurement, when the case is first needed.
    ///
    /// # Panics
    ///
    /// Panics when the group already has a case of this series and input.
    pub fn case(
        &mut self,
        series: impl fmt::Display,
        input: impl Into<Input>,
        setup: impl FnOnce() -> Routine + 'static,
    ) -> &mut Self {
        let mut input = input.into();
        input.elements = input.elements.min(self.batch);
        let case = Case {
            series: series.to_string(),
            input,
            state: State::Defined(Box::new(setup)),
        };
        let id = self.id(&case);
        assert!(
            self.cases.iter().all(|other| self.id(other) != id),
            "case `{id}` is defined twice; give each case its own series or input"
        );
        self.cases.push(case);
        self
    }

    fn id(&self, case: &Case) -> CaseId {
        CaseId {
            group: self.info.group.clone(),
            series: case.series.clone(),
            input: case.input.label.clone(),
        }
    }

    fn profile(&self, case: &Case) -> Profile {
        let size = case.input.size;
        if size <= self.quick_limit.min(self.standard_limit) {
            Profile::Quick
        } else if size <= self.standard_limit {
            Profile::Standard
        } else {
            Profile::Full
        }
    }
}

/// The x position of a case: its label, its size, and how many elements one iteration handles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Input {
    label: String,
    size: u64,
    elements: u64,
}

impl Input {
    /// An input called `label` of which one iteration handles `elements`; its size is that number.
    pub fn new(label: impl fmt::Display, elements: u64) -> Self {
        Self {
            label: label.to_string(),
            size: elements,
            elements,
        }
    }

    /// The same input with another size, which is what the limits of profiles look at.
    #[must_use]
    pub fn sized(self, size: u64) -> Self {
        Self { size, ..self }
    }

    /// An input that is a number, of which one iteration handles `elements`, another number.
    pub fn number(size: usize, elements: u64) -> Self {
        Self {
            label: size.to_string(),
            size: size as u64,
            elements,
        }
    }
}

impl From<usize> for Input {
    /// The input `1000` has 1000 elements.
    fn from(size: usize) -> Self {
        Self::number(size, size as u64)
    }
}

struct Case {
    series: String,
    input: Input,
    state: State,
}

enum State {
    Defined(Box<dyn FnOnce() -> Routine>),
    Ready(Routine),
    Done,
}

impl Case {
    /// The routine, set up and checked at the first call.
    fn routine(&mut self) -> &mut Routine {
        if let State::Defined(_) = self.state {
            let State::Defined(setup) = std::mem::replace(&mut self.state, State::Done) else {
                unreachable!("the state was just looked at");
            };
            let mut routine = setup();
            // Now, before criterion's analysis starts threads of its own.
            routine.threads = most_threads(|| routine.measure.once());
            self.state = State::Ready(routine);
        }
        match &mut self.state {
            State::Ready(routine) => routine,
            State::Defined(_) | State::Done => unreachable!("a case is measured once"),
        }
    }
}

/// What a case runs, and how its answer is checked.
///
/// Every constructor takes a check: a benchmark that does not look at its answer cannot be
/// written. The check runs before anything is timed and again at the end; a failed check makes
/// the case a failed row of the report.
pub struct Routine {
    pub(crate) measure: Box<dyn Measure>,
    threads: Option<u64>,
}

impl Routine {
    /// Times `run`; dropping its output is part of the time.
    ///
    /// # Examples
    ///
    /// ```
    /// use bench_harness::Routine;
    ///
    /// let numbers: Vec<u64> = (0..1000).collect();
    /// Routine::new(move || numbers.iter().sum::<u64>(), |sum| assert_eq!(*sum, 499_500));
    /// ```
    pub fn new<T: 'static>(
        run: impl FnMut() -> T + 'static,
        check: impl FnMut(&T) + 'static,
    ) -> Self {
        Self::from_measure(Plain { run, check })
    }

    /// Times `run` on what `prepare` makes; neither `prepare` nor dropping the output is timed.
    ///
    /// Reading the clock is part of every iteration, so `run` should take a microsecond or more.
    pub fn prepared<I: 'static, T: 'static>(
        prepare: impl FnMut() -> I + 'static,
        run: impl FnMut(I) -> T + 'static,
        check: impl FnMut(&T) + 'static,
    ) -> Self {
        Self::from_measure(Prepared {
            prepare,
            run,
            check,
        })
    }

    /// `run` repeats the work as often as it is told and takes the time itself, for work on
    /// several threads that have to start together.
    ///
    /// Its setup belongs into [`Tally::pause`]. Every output is checked.
    pub fn timed<T: 'static>(
        run: impl FnMut(u64) -> (Duration, T) + 'static,
        check: impl FnMut(&T) + 'static,
    ) -> Self {
        Self::from_measure(Timed { run, check })
    }

    fn from_measure(measure: impl Measure + 'static) -> Self {
        Self {
            measure: Box::new(measure),
            threads: None,
        }
    }

    /// Most threads that the process had while the answer was checked.
    pub(crate) fn threads(&self) -> Option<u64> {
        self.threads
    }

    /// What processor and kernel count during one iteration, where that can be known.
    pub(crate) fn count_events(&mut self) -> Option<Counters> {
        match self.threads {
            Some(1) => self.measure.count_events(),
            // The counters are those of one thread, and waiting would count.
            _ => None,
        }
    }

    /// Checks the answer for all inputs that take turns, as far as there is time.
    pub(crate) fn check(&mut self) {
        let start = Instant::now();
        for _ in 0..TURNS {
            self.measure.once();
            if start.elapsed() > CHECKING_BUDGET {
                break;
            }
        }
    }
}

/// Counts what happens between its start and its stop.
pub(crate) trait Meter {
    /// Begins to count, at its end.
    fn start(&mut self);

    /// Stops, at its beginning.
    fn stop(&mut self);
}

/// Counts nothing, to warm up.
struct Nothing;

impl Meter for Nothing {
    fn start(&mut self) {}

    fn stop(&mut self) {}
}

/// The ways a routine is driven.
pub(crate) trait Measure {
    /// Lets criterion time it.
    fn criterion(&mut self, bencher: &mut Bencher<'_>);

    /// Runs it once and checks the answer.
    fn once(&mut self);

    /// Runs it `iterations` times.
    fn repeat(&mut self, iterations: u64);

    /// Runs it `iterations` times and says what that took.
    fn turn(&mut self, iterations: u64, clock: &mut Clock) -> Turn;

    /// Runs it once with `meter` on during what is timed; whether that can be done.
    fn metered(&mut self, meter: &mut dyn Meter) -> bool;

    /// Counts what processor and kernel see of one iteration.
    fn count_events(&mut self) -> Option<Counters> {
        let mut metered = false;
        let counted = counters::count(|meter| metered = self.metered(meter))?;
        let empty = counters::count(|meter| {
            nothing().measure.metered(meter);
        })?;
        metered.then(|| counted.without(&empty))
    }

    /// Whether its result outlives the iteration, so that what it holds can be counted.
    fn keeps_result(&self) -> bool {
        false
    }

    /// Counts what it allocates.
    ///
    /// Short iterations are counted together, because memory that grows now and then is paid for
    /// now and then.
    fn count(&mut self) -> Allocations {
        let start = Instant::now();
        let ((), single) = Tally::count(|| self.repeat(1));
        let iterations = match start.elapsed() > LONG_ITERATION {
            true => 1,
            false => COUNTED_ITERATIONS,
        };
        let ((), all) = Tally::count(|| self.repeat(iterations));
        Allocations {
            iterations,
            count: all.count,
            reallocations: all.reallocations,
            bytes: all.bytes,
            peak_bytes: single.peak_bytes,
            held_bytes: match self.keeps_result() {
                true => single.live_bytes,
                false => 0,
            },
        }
    }
}

/// A routine that does nothing, to learn what metering takes; called as every other is.
fn nothing() -> Routine {
    black_box(Routine::new(|| (), |(): &()| ()))
}

struct Plain<R, C> {
    run: R,
    check: C,
}

impl<T, R: FnMut() -> T, C: FnMut(&T)> Measure for Plain<R, C> {
    fn criterion(&mut self, bencher: &mut Bencher<'_>) {
        bencher.iter(&mut self.run);
    }

    fn once(&mut self) {
        (self.check)(&(self.run)());
    }

    fn repeat(&mut self, iterations: u64) {
        for _ in 0..iterations {
            black_box((self.run)());
        }
    }

    fn turn(&mut self, iterations: u64, clock: &mut Clock) -> Turn {
        clock.start();
        for _ in 0..iterations {
            black_box((self.run)());
        }
        clock.stop();
        clock.take()
    }

    fn metered(&mut self, meter: &mut dyn Meter) -> bool {
        meter.start();
        black_box((self.run)());
        meter.stop();
        true
    }
}

struct Prepared<P, R, C> {
    prepare: P,
    run: R,
    check: C,
}

impl<I, T, P: FnMut() -> I, R: FnMut(I) -> T, C: FnMut(&T)> Measure for Prepared<P, R, C> {
    fn criterion(&mut self, bencher: &mut Bencher<'_>) {
        // One by one: a batch would keep as many results alive as it is long, and what they do to
        // the caches and the heap would be part of the time.
        bencher.iter_batched(&mut self.prepare, &mut self.run, BatchSize::PerIteration);
    }

    fn keeps_result(&self) -> bool {
        true
    }

    fn once(&mut self) {
        (self.check)(&(self.run)((self.prepare)()));
    }

    fn repeat(&mut self, iterations: u64) {
        for _ in 0..iterations {
            let input = Tally::pause(&mut self.prepare);
            let output = black_box((self.run)(input));
            Tally::pause(|| drop(output));
        }
    }

    fn turn(&mut self, iterations: u64, clock: &mut Clock) -> Turn {
        let mut wall = Duration::ZERO;
        for _ in 0..iterations {
            let input = (self.prepare)();
            let start = Instant::now();
            let output = black_box((self.run)(input));
            wall += start.elapsed().saturating_sub(clock.overhead());
            drop(output);
        }
        // The other clocks take longer to read than some iterations take.
        Turn::of(wall)
    }

    fn metered(&mut self, meter: &mut dyn Meter) -> bool {
        let input = (self.prepare)();
        meter.start();
        let output = black_box((self.run)(input));
        meter.stop();
        drop(output);
        true
    }
}

struct Timed<R, C> {
    run: R,
    check: C,
}

impl<T, R: FnMut(u64) -> (Duration, T), C: FnMut(&T)> Measure for Timed<R, C> {
    fn criterion(&mut self, bencher: &mut Bencher<'_>) {
        bencher.iter_custom(|iterations| {
            let (elapsed, output) = (self.run)(iterations);
            (self.check)(&output);
            elapsed
        });
    }

    fn once(&mut self) {
        (self.check)(&(self.run)(1).1);
    }

    fn repeat(&mut self, iterations: u64) {
        black_box((self.run)(iterations));
    }

    fn turn(&mut self, iterations: u64, _: &mut Clock) -> Turn {
        let (elapsed, output) = (self.run)(iterations);
        (self.check)(&output);
        Turn::of(elapsed)
    }

    fn metered(&mut self, _: &mut dyn Meter) -> bool {
        // Only the routine knows what of an iteration is timed.
        false
    }
}

/// Names the file that a bench binary writes its [`Extras`] to when it has run.
pub const EXTRAS_FILE: &str = "BENCH_HARNESS_EXTRAS";

/// Names files that the user gave for the run, separated as in `PATH`.
pub const INPUT_FILES: &str = "BENCH_HARNESS_FILES";

/// Names the workload file that strategies are compared on.
pub const WORKLOAD_FILE: &str = "BENCH_HARNESS_WORKLOAD";

/// Names a file that holds the output of `cargo metadata` for the measured workspace.
pub const CARGO_METADATA: &str = "BENCH_HARNESS_CARGO_METADATA";

/// The argument that makes a bench binary print its groups and cases, one JSON object a line.
pub const LIST_CASES: &str = "--list-cases";

/// The argument that makes a bench binary count instructions when valgrind's callgrind runs it.
pub const COUNT_INSTRUCTIONS: &str = "--count-instructions";

/// The status with which a suite ends that [refuses](Lab::refuse) what it was given (`EX_DATAERR`
/// of `sysexits.h`).
pub const REFUSED: i32 = 65;

/// The output of `cargo metadata` for the workspace around `folder` on this platform.
///
/// # Errors
///
/// Fails with a sentence when cargo cannot be run or fails, as outside a workspace.
pub fn cargo_metadata(folder: &Path) -> Result<String, String> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(["metadata", "--format-version", "1"])
        .current_dir(folder);
    if let Some(host) = host() {
        // Without it cargo wants the sources of every platform's dependencies.
        command.args(["--filter-platform", &host]);
    }
    let output = command.output().map_err(|error| {
        format!("cargo metadata cannot be run: {error}; install Rust and put cargo on the PATH")
    })?;
    if !output.status.success() {
        let stderr = String::from_utf8_lossy(&output.stderr);
        return Err(format!(
            "cargo cannot read this workspace: {}",
            stderr.trim()
        ));
    }
    String::from_utf8(output.stdout).map_err(|_| "cargo metadata did not print UTF-8".to_owned())
}

/// The platform that this machine builds for.
fn host() -> Option<String> {
    let output = Command::new("rustc").arg("-vV").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
}

/// Runs a suite: the body of the `main` that [`main!`](crate::main) writes.
///
/// With criterion's usual command line it is a criterion benchmark. [`LIST_CASES`] prints the
/// cases, [`COUNT_INSTRUCTIONS`] counts some of them, [`SERVE`] runs one when told; with
/// [`EXTRAS_FILE`] set, what criterion has run is counted afterwards.
#[doc(hidden)]
pub fn run(suite: fn(&mut Lab)) {
    let list = std::env::args().any(|argument| argument == LIST_CASES);
    let mut lab = Lab::default();
    if panic::catch_unwind(AssertUnwindSafe(|| suite(&mut lab))).is_err() {
        // The panic has said why.
        std::process::exit(REFUSED);
    }
    if list {
        for group in &lab.groups {
            println!("{}", json(&Listed::Group(group.info.clone())));
        }
        for info in lab.infos() {
            println!("{}", json(&Listed::Case(info)));
        }
        return;
    }
    let asked = |mode| std::env::args().any(|argument| argument == mode);
    let answered = match () {
        () if asked(COUNT_INSTRUCTIONS) => lab.count_instructions(),
        () if asked(SERVE) => server::serve(&mut lab),
        () => {
            measure(&mut lab);
            return;
        }
    };
    if let Err(error) = answered {
        eprintln!("{error}");
        std::process::exit(2);
    }
}

/// Lets criterion measure, and counts what it has run where the counts are asked for.
fn measure(lab: &mut Lab) {
    let mut criterion = Criterion::default().configure_from_args();
    lab.criterion(&mut criterion);
    criterion.final_summary();
    if let Some(path) = std::env::var_os(EXTRAS_FILE) {
        let extras = lab.extras();
        let text: String = extras.iter().map(|extras| json(extras) + "\n").collect();
        if let Err(error) = std::fs::write(&path, text) {
            eprintln!("cannot write {}: {error}", path.display());
            std::process::exit(2);
        }
    }
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).expect("strings and numbers serialise")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::rc::Rc;

    /// What a routine was asked to do, in order.
    type Calls = Rc<RefCell<Vec<&'static str>>>;

    fn note(calls: &Calls, call: &'static str) {
        calls.borrow_mut().push(call);
    }

    /// A routine that notes its calls and answers 1.
    fn noting(calls: &Calls) -> Routine {
        let (run, check) = (Rc::clone(calls), Rc::clone(calls));
        Routine::new(
            move || {
                note(&run, "run");
                1
            },
            move |answer| {
                note(&check, "check");
                assert_eq!(*answer, 1);
            },
        )
    }

    fn case(setup: impl FnOnce() -> Routine + 'static) -> Case {
        Case {
            series: String::new(),
            input: Input::new("", 1),
            state: State::Defined(Box::new(setup)),
        }
    }

    #[test]
    fn case_is_set_up_when_first_needed_and_checked_before_anything_else() {
        let calls = Calls::default();
        let noted = Rc::clone(&calls);
        let mut case = case(move || {
            note(&noted, "setup");
            noting(&noted)
        });
        assert!(calls.borrow().is_empty());
        case.routine().measure.repeat(2);
        case.routine().measure.repeat(1);
        assert_eq!(
            *calls.borrow(),
            ["setup", "run", "check", "run", "run", "run"]
        );
    }

    #[test]
    fn turns_set_up_and_check_a_case_once_and_run_it_as_often_as_they_are_told() {
        let calls = Calls::default();
        let (plain, prepared) = (Rc::clone(&calls), Rc::clone(&calls));
        let mut lab = Lab::default();
        let group = lab.group("g", "?");
        group.case("plain", 1, move || noting(&plain));
        group.case("prepared", 1, move || {
            let run = Rc::clone(&prepared);
            Routine::prepared(
                move || note(&prepared, "prepare"),
                move |()| note(&run, "run"),
                |()| (),
            )
        });
        group.case("timed", 1, || {
            Routine::timed(|n| (Duration::from_secs(n), ()), |()| ())
        });
        let mut turns: Vec<_> = lab.turns().collect();
        let ids: Vec<String> = turns.iter().map(|(id, _)| id.to_string()).collect();
        assert_eq!(ids, ["g/plain/1", "g/prepared/1", "g/timed/1"]);
        assert!(calls.borrow().is_empty());
        turns[0].1(2);
        turns[0].1(1);
        assert_eq!(*calls.borrow(), ["run", "check", "run", "run", "run"]);
        calls.borrow_mut().clear();
        turns[1].1(1);
        assert_eq!(*calls.borrow(), ["prepare", "run", "prepare", "run"]);
        assert_eq!(turns[2].1(3), Turn::of(Duration::from_secs(3)));
    }

    #[test]
    #[should_panic(expected = "one is not two")]
    fn wrong_answer_is_found_before_it_is_timed() {
        let mut case =
            case(|| Routine::new(|| 1, |answer| assert_eq!(*answer, 2, "one is not two")));
        case.routine();
    }

    #[test]
    fn threads_are_seen_and_a_failing_check_ends_the_watch() {
        let alone = most_threads(|| ());
        let most = most_threads(|| {
            crate::race(3, |_| ());
        });
        assert!(most >= alone);
        let failed = panic::catch_unwind(|| most_threads(|| panic!("wrong")));
        assert!(failed.is_err());
    }

    #[test]
    fn profiles_go_by_size_and_elements_by_batch() {
        let mut lab = Lab::default();
        let group = lab.group("g", "?");
        group.batch(100).quick_limit(10).standard_limit(1_000);
        for size in [10, 11, 1_000, 1_001] {
            group.case("s", size, || noting(&Calls::default()));
        }
        let elements: Vec<u64> = group.cases.iter().map(|case| case.input.elements).collect();
        assert_eq!(elements, [10, 11, 100, 100]);
        let profiles: Vec<Profile> = lab.infos().map(|info| info.profile).collect();
        use Profile::{Full, Quick, Standard};
        assert_eq!(profiles, [Quick, Standard, Standard, Full]);
    }

    #[test]
    #[should_panic(expected = "case `g/s/10` is defined twice")]
    fn case_defined_twice_is_refused() {
        let mut lab = Lab::default();
        let group = lab.group("g", "?");
        group.case("s", 10, || noting(&Calls::default()));
        group.case("s", 10, || noting(&Calls::default()));
    }

    #[test]
    #[should_panic(expected = "group `g` is defined twice")]
    fn group_defined_twice_is_refused() {
        let mut lab = Lab::default();
        lab.group("g", "?");
        lab.group("g", "?");
    }
}
