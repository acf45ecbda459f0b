//! Judges the cases of two builds, cheapest evidence first.
//!
//! Equal binaries are not run. Others are linked again with their code in the same order, and every case
//! is launched in both until its time is decided, and what it allocates and executes is counted. What
//! looks slower is measured again on freshly linked layouts. What runs on several threads is timed twice:
//! kept on one core for its overhead, and free for what its users wait. Benchmarks of criterion's own, which
//! know no turns, are judged by whole processes.

use std::collections::{HashMap, hash_map::Entry};
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use bench_harness::gate::{Change, Evidence, Finding, Judgement, Metric, Side, Undecided, Verdict};
use bench_harness::policy::{Policy, Tier};
use bench_harness::record::{Allocations, CaseId, Profile};
use bench_harness::sequential::{self, Judged, Test};
use bench_harness::{Environment, processor_counts};

use crate::confirm::Layouts;
use crate::instructions::{self, Way};
use crate::load::Load;
use crate::pairing::{Patience, Stop};
use crate::processes;
use crate::progress::Progress;
use crate::runner::{Interrupted, Signal};
use crate::trial::{Clock, LOOKS, Method, Pair, Trial};
use crate::workspace::{Defined, Suite};

/// What to judge and how.
#[derive(Clone)]
pub(crate) struct Plan {
    /// Only these cases, where they are named.
    pub(crate) only: Option<Vec<CaseId>>,
    pub(crate) profile: Profile,
    pub(crate) filter: Option<String>,
    pub(crate) tier: Tier,
    pub(crate) policy: Policy,
    /// The smallest limit that a case can be held to, as far as calibration has found one.
    pub(crate) floors: HashMap<CaseId, f64>,
    pub(crate) best_clock: Clock,
    pub(crate) core: Option<usize>,
    pub(crate) seed: u64,
    pub(crate) timeout: Duration,
}

/// The builds that are compared.
pub(crate) struct Builds {
    pub(crate) sides: [Side; 2],
    pub(crate) suites: [Suite; 2],
    /// A folder for what is linked and thrown away.
    pub(crate) scratch: PathBuf,
    /// Whether equal binaries are run all the same; for a gate that tests itself.
    pub(crate) compare_equal: bool,
    /// Head does so much of its work again; for a gate that tests itself.
    pub(crate) extra: f64,
}

/// Wall time is held to this limit at least: without counters it is what it can show.
const WALL_LIMIT: f64 = 0.02;

/// At most this part of all changes that are found is to be false (Benjamini and Hochberg).
const FALSE_DISCOVERIES: f64 = 0.01;

/// A change that cases which did not change would show as one-sidedly by chance less often than
/// this is one of the whole build.
const ONE_SIDED: f64 = 0.001;

/// What counting the instructions of one build may take for each case.
const COUNTING: Duration = Duration::from_millis(200);

/// Judges every case that both builds have, and names those that one lacks.
pub(crate) fn judge(
    plan: &Plan,
    builds: &Builds,
    environment: &Environment,
    signals: (&Sender<Signal>, &Receiver<Signal>),
) -> Result<Judgement> {
    judge_observed(plan, builds, environment, signals, &mut |_, _| ())
}

/// The same, showing every trial on one core to `observe`.
pub(crate) fn judge_observed(
    plan: &Plan,
    builds: &Builds,
    environment: &Environment,
    signals: (&Sender<Signal>, &Receiver<Signal>),
    observe: &mut dyn FnMut(&CaseId, &Trial),
) -> Result<Judgement> {
    let cores = environment.cores_available.unwrap_or(1);
    let (pairs, undecided) = matched(plan, &builds.suites)?;
    let layouts = Layouts::new(&builds.scratch, plan.seed)?;
    let mut linked: HashMap<[usize; 2], Linked> = HashMap::new();
    for pair in &pairs {
        if let Entry::Vacant(entry) = linked.entry(pair.binaries) {
            entry.insert(Linked::new(pair, builds, &layouts)?);
        }
    }
    let mut gate = Gate {
        plan,
        builds,
        signals,
        patience: Patience {
            timeout: plan.timeout,
            signals: signals.1,
        },
        cores,
        load: Load::new(),
        layouts,
        findings: Vec::new(),
        undecided,
        measuring: Duration::ZERO,
        clocks: Vec::new(),
        whole: 0,
        surprises: Vec::new(),
        observe,
    };
    gate.run(&pairs, &linked)?;
    let mut judgement = Judgement {
        base: builds.sides[0].clone(),
        head: builds.sides[1].clone(),
        machine: machine(environment, cores),
        decided_on: gate.decided_on(),
        seed: plan.seed,
        measuring_s: gate.measuring.as_secs_f64(),
        load: gate.load.sentence(cores),
        findings: gate.findings,
        undecided: gate.undecided,
        warnings: linked.values().filter_map(Linked::warning).collect(),
    };
    judgement.warnings.sort();
    discover(&mut judgement.findings, &gate.surprises);
    judgement.warnings.extend(one_sided(&judgement.findings));
    let findings = judgement.findings.into_iter();
    judgement.findings = findings
        .map(|finding| plan.policy.applied(finding))
        .map(|finding| Finding {
            // Whether others leave the cores alone is not for a change to decide.
            must_gate: finding.must_gate && finding.metric != Metric::Parallel,
            ..finding
        })
        .collect();
    Ok(judgement)
}

fn machine(environment: &Environment, cores: u64) -> String {
    let cpu = environment.cpu.as_deref().unwrap_or("unknown processor");
    format!("{cores} cores of {cpu}")
}

/// What becomes of a bench binary of both builds before it is launched.
enum Linked {
    /// Nothing is run: they are equal.
    Equal,
    /// It is run as it was built.
    AsBuilt,
    /// The same, because it could not be linked again.
    Neither(String),
    /// Both have their code in the same order, so that only what differs lies elsewhere.
    Alike([PathBuf; 2]),
}

impl Linked {
    fn new(pair: &Pair<'_>, builds: &Builds, layouts: &Layouts) -> Result<Self> {
        if !builds.compare_equal && equal_binaries(pair)? {
            return Ok(Self::Equal);
        }
        if builds.compare_equal || processes::is_foreign(pair) {
            return Ok(Self::AsBuilt);
        }
        Ok(match layouts.alike(pair) {
            Ok(alike) => Self::Alike(alike),
            Err(reason) => Self::Neither(format!(
                "where the linker put code may look like a change until it is confirmed: {reason:#}"
            )),
        })
    }

    fn warning(&self) -> Option<String> {
        match self {
            Self::Neither(reason) => Some(reason.clone()),
            _ => None,
        }
    }
}

/// The cases that both builds have, and those that only one has.
pub(crate) fn matched<'s>(
    plan: &Plan,
    suites: &'s [Suite; 2],
) -> Result<(Vec<Pair<'s>>, Vec<Undecided>)> {
    let judged = |defined: &&Defined| {
        let case = &defined.info.case;
        let named = |filter: &String| case.to_string().contains(filter.as_str());
        let only = plan.only.as_ref();
        only.is_none_or(|only| only.contains(case))
            && defined.info.profile <= plan.profile
            && plan.filter.as_ref().is_none_or(named)
            && Metric::ALL
                .iter()
                .any(|&metric| plan.policy.rule(case, metric).tier <= plan.tier)
    };
    let of = |side: usize| suites[side].cases.iter().filter(judged);
    let heads: HashMap<&CaseId, usize> = of(1).map(|head| (&head.info.case, head.binary)).collect();
    let bases: HashMap<&CaseId, usize> = of(0).map(|base| (&base.info.case, base.binary)).collect();
    let mut undecided = Vec::new();
    let mut pairs = Vec::new();
    for base in of(0) {
        let case = &base.info.case;
        match heads.get(case) {
            Some(&binary) => pairs.push(Pair {
                case,
                suites: [&suites[0], &suites[1]],
                binaries: [base.binary, binary],
                layouts: None,
            }),
            None => undecided.push(Undecided {
                case: case.clone(),
                reason: "the head has no such case".to_owned(),
                is_new: false,
            }),
        }
    }
    for head in of(1).filter(|head| !bases.contains_key(&head.info.case)) {
        undecided.push(Undecided {
            case: head.info.case.clone(),
            reason: "the base has no such case".to_owned(),
            is_new: true,
        });
    }
    if pairs.is_empty() {
        bail!(
            "no case of the {} profile and the tier {} that matches `{}` is in both builds; `gen-benchmarks list --profile full` prints all cases",
            plan.profile,
            plan.tier,
            plan.filter.as_deref().unwrap_or_default()
        );
    }
    Ok((pairs, undecided))
}

/// A gate at work.
struct Gate<'r> {
    plan: &'r Plan,
    builds: &'r Builds,
    signals: (&'r Sender<Signal>, &'r Receiver<Signal>),
    patience: Patience<'r>,
    cores: u64,
    load: Load,
    layouts: Layouts,
    findings: Vec<Finding>,
    undecided: Vec<Undecided>,
    measuring: Duration,
    /// What each case was decided on.
    clocks: Vec<Clock>,
    /// How many of them are criterion's own.
    whole: usize,
    /// How likely what the timed findings say would be of equal builds, with their numbers.
    surprises: Vec<(usize, f64)>,
    observe: &'r mut dyn FnMut(&CaseId, &Trial),
}

impl<'r> Gate<'r> {
    fn run(&mut self, pairs: &[Pair<'r>], linked: &'r HashMap<[usize; 2], Linked>) -> Result<()> {
        let (mut alone, mut whole) = (Vec::new(), Vec::new());
        let mut progress = Progress::of("cases", pairs.len());
        for &pair in pairs {
            let linked = &linked[&pair.binaries];
            let layouts = match linked {
                Linked::Alike(alike) => Some(alike.each_ref().map(PathBuf::as_path)),
                _ => None,
            };
            let pair = Pair { layouts, ..pair };
            progress.announce(pair.case);
            if matches!(linked, Linked::Equal) {
                self.findings.push(self.same_code(pair.case));
            } else if processes::is_foreign(&pair) {
                whole.push(pair);
            } else {
                match self.case(pair) {
                    Ok(Some(elements)) => alone.push((pair, elements)),
                    Ok(None) => {}
                    Err(Stop::Interrupted) => return Err(Stopped.into()),
                    Err(Stop::Broken { side, reason }) => {
                        let side = ["base", "head"][side];
                        progress.line(&format!("failed: {}: {side}: {reason}", pair.case));
                        self.undecided.push(Undecided {
                            case: pair.case.clone(),
                            reason: format!("it fails in the {side}: {reason}"),
                            is_new: false,
                        });
                    }
                }
            }
            progress.step(pair.case);
        }
        progress.finish();
        self.whole_processes(&whole)?;
        self.count_instructions(&alone)
    }

    /// Judges the time of cases that know no turns, by whole processes.
    fn whole_processes(&mut self, pairs: &[Pair<'r>]) -> Result<()> {
        let pairs = pairs.iter().copied();
        let pairs: Vec<Pair> = pairs
            .filter(|pair| self.is_judged(pair.case, Metric::Time))
            .collect();
        if pairs.is_empty() {
            return Ok(());
        }
        let (start, plan) = (Instant::now(), self.plan);
        let launches = processes::launches(plan.profile);
        let look = &mut || self.load.look();
        let outcomes = processes::run(
            &pairs,
            (launches, plan.seed),
            plan.timeout,
            look,
            self.signals,
        )
        .map_err(|error| match error.is::<Interrupted>() {
            true => Stopped.into(),
            false => error,
        })?;
        self.measuring += start.elapsed();
        let (mut cases, mut timed) = (Vec::new(), Vec::new());
        for (pair, outcome) in pairs.iter().zip(outcomes) {
            match outcome {
                Ok(sides) => {
                    cases.push(pair.case);
                    let limit = self.method(pair.case, Metric::Time).test.limit;
                    timed.push((sides, limit.max(WALL_LIMIT)));
                }
                Err((side, reason)) => self.undecided.push(Undecided {
                    case: pair.case.clone(),
                    reason: format!("it fails in the {}: {reason}", ["base", "head"][side]),
                    is_new: false,
                }),
            }
        }
        let compared = processes::compare(&timed);
        for ((case, comparison), (_, limit)) in cases.into_iter().zip(compared).zip(&timed) {
            self.clocks.push(Clock::Wall);
            self.whole += 1;
            let mut finding = Finding {
                evidence: Evidence::Paired,
                verdict: comparison.verdict,
                base: Some(comparison.base),
                head: Some(comparison.head),
                change: comparison.change,
                visible: comparison.visible,
                limit: *limit,
                launches,
                ..self.blank(case, Metric::Time)
            };
            finding.notes.extend(comparison.reason);
            if finding.verdict == Verdict::Inconclusive && plan.profile < Profile::Full {
                let more = match plan.profile {
                    Profile::Quick => Profile::Standard,
                    Profile::Standard | Profile::Full => Profile::Full,
                };
                let note = format!("--profile {more} starts {}", processes::launches(more));
                finding.notes.push(note);
            }
            self.findings.push(finding);
        }
        Ok(())
    }

    fn decided_on(&self) -> String {
        let decided = |clock| self.clocks.iter().filter(|&&used| used == clock).count();
        let clocks = [Clock::Cycles, Clock::Cpu, Clock::Wall]
            .map(|clock| (decided(clock), clock.name()))
            .into_iter()
            .filter(|(cases, _)| *cases > 0)
            .map(|(cases, name)| format!("{name} of {cases} cases"))
            .collect::<Vec<String>>();
        let clocks = match clocks.is_empty() {
            true => return "no case was run".to_owned(),
            false => clocks.join(", "),
        };
        let clocks = match self.whole {
            0 => clocks,
            n => format!("{clocks}; of {n} whole processes of criterion took turns"),
        };
        match (self.plan.best_clock, processor_counts()) {
            (Clock::Cycles, Err(reason)) => format!("{clocks}; cycles are not counted: {reason}"),
            (Clock::Cycles, Ok(())) => clocks,
            (best, _) => format!(
                "{clocks}; nothing better than {} was to be used",
                best.name()
            ),
        }
    }

    fn same_code(&self, case: &CaseId) -> Finding {
        Finding {
            evidence: Evidence::SameCode,
            verdict: Verdict::Equivalent,
            ..self.blank(case, Metric::Time)
        }
    }

    fn blank(&self, case: &CaseId, metric: Metric) -> Finding {
        Finding {
            case: case.clone(),
            metric,
            verdict: Verdict::Inconclusive,
            evidence: Evidence::Counts,
            base: None,
            head: None,
            change: None,
            visible: None,
            limit: self.plan.policy.rule(case, metric).limit,
            launches: 0,
            layouts: 1,
            level: None,
            fails: false,
            allowed: None,
            must_gate: false,
            notes: Vec::new(),
        }
    }

    fn is_judged(&self, case: &CaseId, metric: Metric) -> bool {
        self.plan.policy.rule(case, metric).tier <= self.plan.tier
    }

    /// Judges one case, as far as it takes launches; what an iteration of both builds handles where
    /// it runs on one thread.
    fn case(&mut self, pair: Pair<'r>) -> Result<Option<[u64; 2]>, Stop> {
        let case = pair.case;
        let mut method = self.method(case, Metric::Time);
        let load = &mut self.load;
        let mut trial = Trial::run(pair, &method, &self.patience, || load.look())?;
        self.measuring += trial.took;
        if trial.clock == Clock::Wall && method.test.limit < WALL_LIMIT {
            // What was decided against the smaller limit stays; the rest is judged by the larger.
            method.test.limit = WALL_LIMIT;
            trial.judge(&method);
        }
        self.clocks.push(trial.clock);
        (self.observe)(case, &trial);
        let alone = trial.is_alone();
        if self.is_judged(case, Metric::Time) {
            let finding = self.time(pair, &trial, &method)?;
            self.findings.push(finding);
        }
        for finding in self.allocations(case, &trial, alone) {
            self.findings.push(finding);
        }
        if let Some(finding) = self.instructions_of(case, &trial) {
            self.findings.push(finding);
        }
        if !alone && self.is_judged(case, Metric::Parallel) {
            let finding = self.parallel(pair)?;
            self.findings.push(finding);
        }
        Ok(alone.then(|| trial.ready.map(|ready| ready.elements)))
    }

    fn method(&self, case: &CaseId, metric: Metric) -> Method {
        let floor = self.plan.floors.get(case).copied().unwrap_or(0.0);
        let limit = self.plan.policy.rule(case, metric).limit;
        Method {
            core: self.plan.core,
            best_clock: self.plan.best_clock,
            looks: LOOKS.to_vec(),
            test: Test {
                limit: limit.max(floor),
                ..match metric {
                    // Nothing confirms it.
                    Metric::Parallel => Test::default(),
                    _ => Test::suspicion(),
                }
            },
            seed: self.plan.seed,
            extra: self.builds.extra,
            both_clocks: false,
        }
    }

    /// What the launches say of the time, confirmed where they say that it changed.
    fn time(&mut self, pair: Pair<'r>, trial: &Trial, method: &Method) -> Result<Finding, Stop> {
        let mut finding = self.timed(pair.case, trial, method);
        let mut p = trial.judged.map(|judged| judged.p);
        if matches!(finding.verdict, Verdict::Regressed | Verdict::Improved) {
            let confirmed =
                self.layouts
                    .confirm(pair, trial, finding.verdict, method, &self.patience)?;
            let both = p.zip(confirmed.judged.map(|judged| judged.p));
            p = both.map(|(p, again)| sequential::combined(p, again));
            self.measuring += confirmed.took;
            finding.evidence = Evidence::Confirmed;
            finding.verdict = confirmed.verdict;
            finding.launches = confirmed.launches;
            finding.layouts = confirmed.layouts;
            finding.notes.extend(confirmed.notes);
            finding.change = confirmed.judged.map(|judged| judged.change);
            finding.visible = confirmed.judged.map(|judged| judged.visible);
        }
        self.surprising(p);
        Ok(of_elements(
            finding,
            trial.ready.map(|ready| ready.elements),
        ))
    }

    fn timed(&self, case: &CaseId, trial: &Trial, method: &Method) -> Finding {
        let mut finding = Finding {
            evidence: Evidence::Paired,
            base: trial.iteration_ns(0),
            head: trial.iteration_ns(1),
            limit: method.test.limit,
            launches: trial.launches.len() as u32,
            verdict: trial.verdict(),
            change: trial.judged.map(|judged| judged.change),
            visible: trial.judged.map(|judged| judged.visible),
            ..self.blank(case, Metric::Time)
        };
        if trial.judged.is_none() {
            finding.notes.push(format!(
                "an iteration is too slow for {} launches in the time",
                method.test.least_launches
            ));
        }
        finding
    }

    /// Notes how likely the next finding would be of equal builds.
    fn surprising(&mut self, p: Option<f64>) {
        self.surprises.extend(p.map(|p| (self.findings.len(), p)));
    }

    /// Times a case of several threads on all cores.
    fn parallel(&mut self, pair: Pair<'r>) -> Result<Finding, Stop> {
        let mut method = self.method(pair.case, Metric::Parallel);
        method.core = None;
        method.best_clock = Clock::Wall;
        let before = Load::of_a_moment();
        if !before.is_calm(self.cores) {
            let finding = Finding {
                limit: method.test.limit,
                ..self.blank(pair.case, Metric::Parallel)
            };
            return Ok(self.not_free(finding, &before));
        }
        let mut load = Load::new();
        let trial = Trial::run(pair, &method, &self.patience, || load.look())?;
        self.measuring += trial.took;
        self.surprising(trial.judged.map(|judged| judged.p));
        let mut finding = self.timed(pair.case, &trial, &method);
        finding.metric = Metric::Parallel;
        finding.evidence = Evidence::Parallel;
        if !load.is_calm(self.cores) && finding.verdict != Verdict::Equivalent {
            finding = self.not_free(finding, &load);
        }
        Ok(of_elements(
            finding,
            trial.ready.map(|ready| ready.elements),
        ))
    }

    /// A finding of a machine whose cores others used: never more than inconclusive.
    fn not_free(&self, mut finding: Finding, load: &Load) -> Finding {
        finding.evidence = Evidence::Parallel;
        finding.verdict = Verdict::Inconclusive;
        let load = load.sentence(self.cores);
        finding
            .notes
            .push(format!("the cores were not free: {load}"));
        finding
    }

    /// What the counted allocations say.
    fn allocations(&self, case: &CaseId, trial: &Trial, alone: bool) -> Vec<Finding> {
        let per_iteration =
            |sum: u64, counted: &Allocations| sum as f64 / counted.iterations as f64;
        let figure = |metric: Metric, counted: &Allocations| match metric {
            Metric::Allocations => per_iteration(counted.count, counted),
            Metric::Bytes => per_iteration(counted.bytes, counted),
            _ => counted.peak_bytes as f64,
        };
        let metrics = [Metric::Allocations, Metric::Bytes, Metric::Peak];
        let judged = metrics
            .into_iter()
            .filter(|&metric| self.is_judged(case, metric) && !trial.allocations.is_empty());
        judged
            .map(|metric| {
                let of = |side: usize| -> Vec<f64> {
                    let launches = trial.allocations.iter();
                    launches
                        .map(|counted| figure(metric, &counted[side]))
                        .collect()
                };
                let mut finding = self.blank(case, metric);
                finding.launches = trial.allocations.len() as u32;
                counted(finding, &of(0), &of(1), alone)
            })
            .collect()
    }

    /// What the processor's instructions say, where it counts them.
    fn instructions_of(&self, case: &CaseId, trial: &Trial) -> Option<Finding> {
        if !self.is_judged(case, Metric::Instructions) {
            return None;
        }
        let ratios: Option<Vec<f64>> = trial
            .launches
            .iter()
            .map(|values| values.instructions)
            .collect();
        let mut finding = self.blank(case, Metric::Instructions);
        let test = Test {
            limit: finding.limit,
            ..Test::default()
        };
        let judged: Judged = test.judge(&ratios?)?;
        let turns = trial.launches.first()?.turn_instructions;
        let iterations = trial.turns.iterations[0] as f64;
        finding.base = turns[0].map(|turn| turn / iterations);
        finding.head = turns[1].map(|turn| turn / iterations);
        finding.verdict = match judged.verdict {
            // Nearly exact: what is below the limit has not regressed, however sure it is there.
            Verdict::Regressed if judged.change.point < finding.limit => Verdict::Equivalent,
            verdict => verdict,
        };
        finding.change = Some(judged.change);
        finding.visible = Some(judged.visible);
        finding.launches = judged.launches;
        Some(finding)
    }

    /// Counts instructions of cases on one thread by valgrind where the processor does not.
    fn count_instructions(&mut self, alone: &[(Pair<'r>, [u64; 2])]) -> Result<()> {
        let Way::Callgrind(_) = Way::find() else {
            return Ok(());
        };
        let (judged, elements): (Vec<Pair<'r>>, Vec<[u64; 2]>) = alone
            .iter()
            .filter(|(pair, _)| self.is_judged(pair.case, Metric::Instructions))
            .copied()
            .unzip();
        let budget = COUNTING * judged.len() as u32 + Duration::from_secs(5);
        let count = |gate: &Self, side: usize, pairs: &[Pair<'r>]| {
            let cases = pairs.iter().map(|pair| (pair.case, pair.binaries[side]));
            let suite = &gate.builds.suites[side];
            instructions::count_cases(suite, cases, budget, gate.signals).map_err(|error| {
                match error.is::<Interrupted>() {
                    true => Stopped.into(),
                    false => error,
                }
            })
        };
        let first = [count(self, 0, &judged)?, count(self, 1, &judged)?];
        let both = |counts: &[HashMap<CaseId, u64>; 2], case: &CaseId| {
            Some((*counts[0].get(case)? as f64, *counts[1].get(case)? as f64))
        };
        // Once more what differs, because hashes with random keys do by themselves.
        let differs: Vec<Pair<'r>> = judged
            .iter()
            .copied()
            .filter(|pair| both(&first, pair.case).is_some_and(|(base, head)| base != head))
            .collect();
        let second = [count(self, 0, &differs)?, count(self, 1, &differs)?];
        for (pair, elements) in judged.into_iter().zip(elements) {
            // Of an element where an iteration does not handle as many as before.
            let [of_base, of_head] = match elements[0] == elements[1] {
                true => [1.0; 2],
                false => elements.map(|elements| elements as f64),
            };
            let both = |counts, case| {
                let (base, head) = both(counts, case)?;
                Some((base / of_base, head / of_head))
            };
            let Some((base, head)) = both(&first, pair.case) else {
                continue;
            };
            let again = both(&second, pair.case).unwrap_or((base, head));
            let finding = self.blank(pair.case, Metric::Instructions);
            let mut finding = counted(finding, &[base, again.0], &[head, again.1], true);
            finding.launches = 2;
            if let Some(change) = finding.change {
                // What is below the limit is not exact enough to be called a change.
                let limit = finding.limit;
                match finding.verdict {
                    Verdict::Regressed if change.low < limit => {
                        finding.verdict = Verdict::Equivalent
                    }
                    Verdict::Improved if change.high > -limit => {
                        finding.verdict = Verdict::Equivalent
                    }
                    Verdict::Inconclusive if change.high < limit => {
                        finding.verdict = Verdict::Equivalent;
                    }
                    _ => {}
                }
            }
            self.findings.push(finding);
        }
        Ok(())
    }
}

/// What was found of time, as throughput where an iteration does not handle as much as before: time
/// is then not of the same work. The launches' ratios are of elements already.
fn of_elements(mut finding: Finding, elements: [u64; 2]) -> Finding {
    if elements[0] != elements[1] && finding.metric == Metric::Time {
        // Time is then not of the same work; elements a second are.
        let throughput = |change: Change| Change {
            point: 1.0 / (1.0 + change.point) - 1.0,
            low: 1.0 / (1.0 + change.high) - 1.0,
            high: 1.0 / (1.0 + change.low) - 1.0,
        };
        let a_second = |elements: u64, ns: f64| elements as f64 * 1e9 / ns;
        finding.metric = Metric::Throughput;
        finding.base = finding.base.map(|ns| a_second(elements[0], ns));
        finding.head = finding.head.map(|ns| a_second(elements[1], ns));
        finding.change = finding.change.map(throughput);
        finding.notes.push(format!(
            "an iteration handles {} elements instead of {}, so elements a second are compared",
            elements[1], elements[0]
        ));
    }
    finding
}

/// Figures of several threads may differ by this part, because how often they meet is not decided
/// by the program.
const SHARED: f64 = 0.01;

/// Compares counts of several launches: exactly where they repeat exactly.
fn counted(mut finding: Finding, base: &[f64], head: &[f64], alone: bool) -> Finding {
    let extremes = |figures: &[f64]| {
        let least = figures.iter().copied().fold(f64::INFINITY, f64::min);
        let most = figures.iter().copied().fold(0.0, f64::max);
        (least, most)
    };
    let (base_least, base_most) = extremes(base);
    let (head_least, head_most) = extremes(head);
    finding.base = Some(base_most);
    finding.head = Some(head_most);
    // From nothing to something there is no factor.
    let over = |new: f64, old: f64| new / old - 1.0;
    finding.change = (base_least > 0.0).then(|| Change {
        point: over(head_most, base_most),
        low: over(head_least, base_most).min(over(head_most, base_most)),
        high: over(head_most, base_least).max(over(head_most, base_most)),
    });
    let exact = base_least == base_most && head_least == head_most;
    let margin = if exact && alone { 1.0 } else { 1.0 + SHARED };
    finding.verdict = if head_least > base_most * margin {
        Verdict::Regressed
    } else if head_most * margin < base_least {
        Verdict::Improved
    } else if exact || head_most <= base_most * margin {
        Verdict::Equivalent
    } else {
        finding
            .notes
            .push("the counts differ from launch to launch".to_owned());
        Verdict::Inconclusive
    };
    finding
}

/// Whether both binaries of a case are the same bytes.
fn equal_binaries(pair: &Pair<'_>) -> Result<bool> {
    let [base, head] = pair.built();
    Ok(crate::workspace::read(base)? == crate::workspace::read(head)?)
}

/// Takes changes back that are too many for how sure they are: `surprises` are how likely findings
/// would be of equal builds, with their numbers.
fn discover(findings: &mut [Finding], surprises: &[(usize, f64)]) {
    let p: Vec<f64> = surprises.iter().map(|&(_, p)| p).collect();
    let found = sequential::discoveries(&p, FALSE_DISCOVERIES);
    for (&(number, _), found) in surprises.iter().zip(found) {
        let finding = &mut findings[number];
        let changed = matches!(finding.verdict, Verdict::Regressed | Verdict::Improved);
        if changed && !found {
            finding.verdict = Verdict::Inconclusive;
            finding
                .notes
                .push("one of too many tests to be sure of".to_owned());
        }
    }
}

/// A warning when nearly all cases lean to the same side, changed or not: then it is not the cases
/// that changed.
fn one_sided(findings: &[Finding]) -> Option<String> {
    let points = findings
        .iter()
        .filter(|finding| finding.evidence == Evidence::Paired)
        .filter_map(|finding| finding.change)
        .map(|change| change.point);
    let (ups, downs): (Vec<f64>, Vec<f64>) = points
        .filter(|&point| point != 0.0)
        .partition(|&point| point > 0.0);
    let (ups, downs) = (ups.len(), downs.len());
    (sequential::one_sided(ups, downs) < ONE_SIDED).then(|| {
        let (lean, word) = if ups > downs { (ups, "slower") } else { (downs, "faster") };
        format!(
            "{lean} of {} timed cases lean to {word}, which is no chance: something that all share differs between the builds, as a compiler's flags or how their code is laid out",
            ups + downs
        )
    })
}

/// The comparison was stopped by the user.
#[derive(Debug)]
pub(crate) struct Stopped;

impl std::fmt::Display for Stopped {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("interrupted; nothing is left behind")
    }
}

impl std::error::Error for Stopped {}

#[cfg(test)]
mod tests {
    use super::*;

    fn blank() -> Finding {
        Finding {
            case: CaseId {
                group: "g".to_owned(),
                series: "s".to_owned(),
                input: "1".to_owned(),
            },
            metric: Metric::Allocations,
            verdict: Verdict::Inconclusive,
            evidence: Evidence::Counts,
            base: None,
            head: None,
            change: None,
            visible: None,
            limit: 0.01,
            launches: 0,
            layouts: 1,
            level: None,
            fails: false,
            allowed: None,
            must_gate: false,
            notes: Vec::new(),
        }
    }

    #[track_caller]
    fn check(base: &[f64], head: &[f64], alone: bool, verdict: Verdict) {
        let finding = counted(blank(), base, head, alone);
        assert_eq!(finding.verdict, verdict, "{finding:?}");
        if let Some(change) = finding.change {
            assert!(
                change.low <= change.point && change.point <= change.high,
                "{change:?}"
            );
        }
    }

    #[test]
    fn counts_that_repeat_are_compared_exactly_and_others_by_their_extremes() {
        check(&[100.0, 100.0], &[100.0, 100.0], true, Verdict::Equivalent);
        check(&[100.0, 100.0], &[101.0, 101.0], true, Verdict::Regressed);
        check(&[100.0, 100.0], &[99.0, 99.0], true, Verdict::Improved);
        check(&[0.0, 0.0], &[1.0, 1.0], true, Verdict::Regressed);
        check(&[0.0, 0.0], &[0.0, 0.0], true, Verdict::Equivalent);
        // Several threads meet now and then.
        check(
            &[1_000.0, 1_000.0],
            &[1_005.0, 1_005.0],
            false,
            Verdict::Equivalent,
        );
        check(
            &[1_000.0, 1_002.0],
            &[1_020.0, 1_030.0],
            false,
            Verdict::Regressed,
        );
        check(
            &[1_000.0, 1_002.0],
            &[960.0, 980.0],
            false,
            Verdict::Improved,
        );
        check(
            &[1_000.0, 1_010.0],
            &[1_005.0, 1_090.0],
            true,
            Verdict::Inconclusive,
        );
    }

    #[test]
    fn change_that_is_one_of_too_many_tests_is_taken_back() {
        let mut findings: Vec<Finding> = (0..100)
            .map(|_| Finding {
                verdict: Verdict::Regressed,
                ..blank()
            })
            .collect();
        let surprises: Vec<(usize, f64)> = (0..100)
            .map(|number| {
                (
                    number,
                    if number < 2 {
                        1e-5
                    } else {
                        0.005 + number as f64 / 100.0
                    },
                )
            })
            .collect();
        discover(&mut findings, &surprises);
        let left = findings
            .iter()
            .filter(|finding| finding.verdict == Verdict::Regressed);
        assert_eq!(left.count(), 2);
    }

    #[test]
    fn iteration_that_handles_more_is_judged_by_elements_a_second() {
        let timed = || Finding {
            metric: Metric::Time,
            base: Some(1_000.0),
            head: Some(1_600.0),
            // Of an element: 1 600 ns for two instead of 1 000 ns for one.
            change: Some(Change {
                point: -0.2,
                low: -0.25,
                high: -0.1,
            }),
            ..blank()
        };
        assert_eq!(of_elements(timed(), [1, 1]), timed());
        let more = of_elements(timed(), [1, 2]);
        assert_eq!(more.metric, Metric::Throughput);
        assert_eq!((more.base, more.head), (Some(1e6), Some(1.25e6)));
        let change = more.change.unwrap();
        assert!((change.point - 0.25).abs() < 1e-12, "{change:?}");
        assert!(
            change.low < change.point && change.point < change.high,
            "{change:?}"
        );
    }

    #[test]
    fn builds_whose_cases_all_lean_to_one_side_are_suspicious() {
        let timed = |point: f64| Finding {
            evidence: Evidence::Paired,
            change: Some(Change {
                point,
                low: point - 0.01,
                high: point + 0.01,
            }),
            ..blank()
        };
        let mixed: Vec<Finding> = (0..20)
            .map(|number| timed(if number % 2 == 0 { 0.001 } else { -0.001 }))
            .collect();
        assert_eq!(one_sided(&mixed), None);
        let leaning: Vec<Finding> = (0..20).map(|_| timed(0.001)).collect();
        let warning = one_sided(&leaning).unwrap();
        assert!(
            warning.starts_with("20 of 20 timed cases lean to slower"),
            "{warning}"
        );
    }
}
