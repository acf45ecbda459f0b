//! Measures the gate itself: on equal builds it must stay silent, and more work it must find.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bench_harness::Environment;
use bench_harness::gate::{Evidence, Verdict};
use bench_harness::record::CaseId;
use bench_harness::sequential::Test;
use clap::Args;

use crate::calibration::{
    self, CALIBRATION, Calibration, CaseNoise, Condition, Kind, Peer, Pool, Power, Proof, Relinked,
    SuiteRun, Tried,
};
use crate::confirm::Layouts;
use crate::gate::{self, Builds, Plan};
use crate::gate_command::{self, Judging};
use crate::instructions;
use crate::load::Load;
use crate::pairing::{self, Patience, Stop};
use crate::peers::{self, Peers};
use crate::publish;
use crate::relink::{self, Functions};
use crate::report::ASSETS;
use crate::revision::{Edit, Revisions};
use crate::runner::{self, Signal};
use crate::trial::{Clock, LOOKS, Method, Pair, Trial};
use crate::workspace::{Binary, Defined, Suite, Workspace};

/// The first argument of this program when it only keeps a core busy.
pub(crate) const KEEP_BUSY: &str = "keep-busy";

pub(crate) const CALIBRATE_HELP: &str = "\
Builds HEAD once and compares it with itself: whole runs of the gate, which must not fail, then runs
in which one side does a part of its iterations again, which must be found. With --busy this is done
while another process keeps a core busy, and added to what is stored; with --relinked only builds that
are linked in other orders are compared, in place of what is stored of them; with --proofs only the
instructions that more work takes are counted again. The result is stored in assets/calibration.json;
`report` makes a section of it, and `gate` holds no case to a limit below its noise floor.

Examples:
  gen-benchmarks calibrate                          60 cases, 10 runs, +0.5, 1, 2, 5 and 10 % of work
  gen-benchmarks calibrate --busy                   the same beside a busy process, added to it
  gen-benchmarks calibrate --relinked               other link orders again, added to it
  gen-benchmarks calibrate --relinked --edit 'src/lib.rs:fn parse('
  gen-benchmarks calibrate --cases 10 --suites 2 --bench parser --out calibration.json";

#[derive(Args, Clone)]
pub(crate) struct Calibrate {
    /// How many cases, evenly chosen of those that match.
    #[arg(long, value_name = "N", default_value_t = 60)]
    cases: usize,
    /// Whole runs of the gate on equal builds.
    #[arg(long, value_name = "N", default_value_t = 10)]
    suites: u32,
    /// Percent of more work to look for; 0 for none.
    #[arg(
        long,
        value_name = "PERCENT",
        value_delimiter = ',',
        default_value = "0.5,1,2,5,10"
    )]
    inject: Vec<f64>,
    /// Cases on one thread that criterion and tango compare with themselves, too; 0 for none.
    #[arg(long, value_name = "N", default_value_t = 30)]
    peers: usize,
    /// Pairs of builds that are linked in other orders, or edited, for each case of those.
    #[arg(long, value_name = "N", default_value_t = 36)]
    pairs: usize,
    /// Keep a core busy meanwhile, and add the outcome to the calibration that is there.
    #[arg(long)]
    busy: bool,
    /// Only compare builds that are linked in other orders, and add the outcome in the same way.
    #[arg(long, conflicts_with = "busy")]
    relinked: bool,
    /// Also compare with builds that have up to 48 bytes more in a function, which are jumped over: after
    /// the first line of FILE with TEXT in it; may be given several times, for x86-64 only.
    #[arg(long = "edit", value_name = "FILE:TEXT", conflicts_with_all = ["busy", "proofs"])]
    edits: Vec<Edit>,
    /// Only count again by valgrind what more work executes, of the cases that were linked in other
    /// orders; needs no quiet machine.
    #[arg(long, conflicts_with_all = ["busy", "relinked"])]
    proofs: bool,
    /// The file to write [default: assets/calibration.json of the workspace].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    judging: Judging,
}

/// Cases that are linked in other orders.
const RELINKED_CASES: usize = 4;

/// Bytes that edits put into functions; with none there is the jump over them, which is work too.
/// The pairs of builds are shared among them.
const SKIPPED_BYTES: [u32; 6] = [4, 8, 16, 24, 32, 48];

/// How often the gate is run on launches drawn from those that were measured.
const RESAMPLED: u64 = 20_000;

/// Seconds a case within which more work has to be found, with and without a busy neighbour.
fn within(kind: Kind, busy: bool) -> f64 {
    match (kind, busy) {
        (Kind::Single, false) => 2.0,
        (Kind::Single | Kind::Confined, _) => 3.0,
        (Kind::Parallel, _) => 5.0,
    }
}

/// Measures the gate and stores what it is worth.
pub(crate) fn execute(workspace: &Workspace, arguments: &Calibrate) -> Result<ExitCode> {
    let out = arguments
        .out
        .clone()
        .unwrap_or_else(|| workspace.root.join(ASSETS).join(CALIBRATION));
    if let Some(folder) = out.parent() {
        publish::probe_folder(folder)?;
    }
    if arguments
        .inject
        .iter()
        .any(|percent| !(0.0..=1_000.0).contains(percent))
    {
        bail!("--inject takes percents from 0 to 1000, as in 0.5,1,2");
    }
    if !arguments.edits.is_empty() && !cfg!(target_arch = "x86_64") {
        bail!("--edit writes instructions of x86-64, and this is another machine");
    }
    for edit in &arguments.edits {
        edit.source(&workspace.root, 0)?;
    }
    let plan = arguments.judging.plan(workspace, HashMap::new())?;
    let revisions = Revisions::of(workspace)?;
    revisions.refuse_changes()?;
    let head = revisions.resolve("HEAD")?;
    let signals = runner::signals()?;
    let build = |label| {
        let built = revisions.build(&head, label, &arguments.judging.inputs());
        let mut suite = gate_command::interrupted_first(built, &signals)?;
        suite.keep_own()?;
        anyhow::Ok(suite)
    };
    let builds = Builds {
        suites: [build("base")?, build("head")?],
        sides: [head.clone(), head],
        scratch: revisions.folder().to_owned(),
        compare_equal: true,
        extra: 0.0,
    };
    let environment = Environment::capture(&workspace.root);
    let before = match arguments.busy || arguments.relinked || arguments.proofs {
        true => there(&out, &environment)?,
        false => None,
    };
    let tango = match arguments.peers {
        0 => Err("it was not wanted".to_owned()),
        _ if before.is_some() => Err("it was asked before".to_owned()),
        _ => gate_command::interrupted_first(revisions.checked_out()?.build_tango(), &signals)?,
    };
    let mut calibrator = Calibrator {
        tango: Some(tango),
        chosen: Vec::new(),
        alone: HashMap::new(),
        plan,
        builds,
        revisions: &revisions,
        arguments,
        signals: &signals,
        commit: environment.commit.clone(),
        calibration: before.unwrap_or_else(|| Calibration::new(environment)),
    };
    calibrator.run()?;
    publish::write(&out, calibrator.calibration.to_json().as_bytes())?;
    crate::print(&calibrator.calibration.markdown())?;
    eprintln!("{}", out.display());
    Ok(ExitCode::SUCCESS)
}

/// The calibration that is stored at `path`, for more to be added.
fn there(path: &Path, now: &Environment) -> Result<Option<Calibration>> {
    let Ok(text) = std::fs::read_to_string(path) else {
        return Ok(None);
    };
    let stored = Calibration::from_json(&text).with_context(|| {
        format!(
            "cannot add to {}; name another file with --out",
            path.display()
        )
    })?;
    if let Err(difference) = stored.environment.same_machine(now) {
        bail!(
            "cannot add to {}: {difference}; name another file with --out",
            path.display()
        );
    }
    Ok(Some(stored))
}

/// Launches of a case in all runs on equal builds.
#[derive(Default)]
struct Launches {
    ratios: HashMap<&'static str, Vec<f64>>,
    took: Duration,
    count: usize,
    clock: Option<Clock>,
    alone: bool,
    iterations: u64,
    /// By run: estimate and both intervals.
    judged: Vec<[f64; 5]>,
}

struct Calibrator<'r> {
    /// The program that gives cases to tango, or why there is none, until it is used.
    tango: Option<Result<Binary, String>>,
    chosen: Vec<CaseId>,
    /// Iterations of a turn of those of them that run on one thread.
    alone: HashMap<CaseId, u64>,
    plan: Plan,
    builds: Builds,
    revisions: &'r Revisions,
    arguments: &'r Calibrate,
    signals: &'r (Sender<Signal>, Receiver<Signal>),
    commit: Option<String>,
    calibration: Calibration,
}

impl Calibrator<'_> {
    fn run(&mut self) -> Result<()> {
        self.choose()?;
        if self.arguments.busy {
            let _neighbour = Busy::start()?;
            let busy = self.condition("One core kept busy by another process", true)?;
            let conditions = &mut self.calibration.conditions;
            conditions.retain(|condition| condition.name != busy.name);
            conditions.push(busy);
            return Ok(());
        }
        if self.arguments.proofs {
            self.proofs();
            return Ok(());
        }
        if self.arguments.relinked {
            let mut launches = HashMap::new();
            self.equal(0, &mut launches)?;
            self.learn(&launches);
            self.relinked()?;
            self.proofs();
            return Ok(());
        }
        let quiet = self.condition("Quiet", false)?;
        self.calibration.conditions.push(quiet);
        self.peers()?;
        self.long_turns()?;
        self.relinked()?;
        self.proofs();
        Ok(())
    }

    /// Chooses the cases, evenly over all that match.
    fn choose(&mut self) -> Result<()> {
        let (pairs, _) = gate::matched(&self.plan, &self.builds.suites)?;
        let count = self.arguments.cases.clamp(1, pairs.len());
        let step = pairs.len() as f64 / count as f64;
        let chosen = (0..count).map(|number| (number as f64 * step) as usize);
        self.chosen = chosen.map(|number| pairs[number].case.clone()).collect();
        Ok(())
    }

    /// Everything that is tried under one condition.
    fn condition(&mut self, name: &str, busy: bool) -> Result<Condition> {
        let mut load = Load::new();
        let mut launches: HashMap<CaseId, Launches> = HashMap::new();
        let mut condition = Condition {
            name: name.to_owned(),
            commit: self.commit.clone(),
            seed: self.plan.seed,
            load: String::new(),
            suites: Vec::new(),
            resampled: Tried::default(),
            covered: Tried::default(),
            next: Tried::default(),
            powers: Vec::new(),
        };
        for run in 0..self.arguments.suites {
            eprintln!(
                "{name}: run {} of {} on equal builds",
                run + 1,
                self.arguments.suites
            );
            load.look();
            let suite = self.equal(run, &mut launches)?;
            condition.suites.push(suite);
        }
        let cores = self.calibration.environment.cores_available.unwrap_or(1);
        self.learn(&launches);
        self.intervals(&launches, &mut condition);
        let pools: Vec<Pool> = self.pools(&launches);
        let looks = LOOKS.map(|look| look.as_secs_f64());
        let test = Test::suspicion();
        condition.resampled =
            calibration::resampled(&pools, test, &looks, RESAMPLED, self.plan.seed);
        let floors = self.noise(&launches, &looks);
        if !busy {
            self.calibration.cases.clone_from(&floors);
        }
        let floors: HashMap<CaseId, f64> = floors
            .into_iter()
            .map(|noise| (noise.case, noise.floor))
            .collect();
        for percent in &self.arguments.inject {
            if *percent > 0.0 {
                eprintln!("{name}: {percent} % more work");
                let powers = self.powers(percent / 100.0, busy, &floors)?;
                condition.powers.extend(powers);
                load.look();
            }
        }
        condition.load = load.sentence(cores);
        Ok(condition)
    }

    /// Learns which cases run on one thread.
    fn learn(&mut self, launches: &HashMap<CaseId, Launches>) {
        let alone = launches.iter().filter(|(_, launches)| launches.alone);
        self.alone = alone
            .map(|(case, launches)| (case.clone(), launches.iterations))
            .collect();
    }

    /// One run of the whole gate on equal builds.
    fn equal(&mut self, run: u32, launches: &mut HashMap<CaseId, Launches>) -> Result<SuiteRun> {
        let mut plan = self.plan.clone();
        plan.only = Some(self.chosen.clone());
        plan.seed += u64::from(run) + 1;
        let environment = &self.calibration.environment;
        let mut observe = |case: &CaseId, trial: &Trial| {
            launches.entry(case.clone()).or_default().add(trial);
        };
        let judgement = gate::judge_observed(
            &plan,
            &self.builds,
            environment,
            (&self.signals.0, &self.signals.1),
            &mut observe,
        )?;
        self.calibration
            .decided_on
            .clone_from(&judgement.decided_on);
        let count = |verdict| {
            let findings = judgement.findings.iter();
            findings
                .filter(|finding| finding.verdict == verdict)
                .count() as u64
        };
        let timed = |evidence| !matches!(evidence, Evidence::Counts | Evidence::SameCode);
        let findings = judgement.findings.iter();
        for failed in judgement
            .findings
            .iter()
            .filter(|finding| finding.verdict == Verdict::Regressed)
        {
            eprintln!(
                "false alarm: {} {} {:?}",
                failed.case, failed.metric, failed.change
            );
        }
        Ok(SuiteRun {
            cases: self.chosen.len() as u64,
            findings: findings.filter(|finding| timed(finding.evidence)).count() as u64,
            failures: count(Verdict::Regressed),
            improved: count(Verdict::Improved),
            inconclusive: count(Verdict::Inconclusive),
            measuring_s: judgement.measuring_s,
        })
    }

    /// What other tools say of cases compared with themselves.
    fn peers(&mut self) -> Result<()> {
        let Some(tango) = self.tango.take().filter(|_| self.arguments.peers > 0) else {
            return Ok(());
        };
        eprintln!("what other tools say of equal builds");
        let suite = &self.builds.suites[1];
        let peers = Peers {
            suite,
            tango,
            timeout: self.plan.timeout,
            signals: (&self.signals.0, &self.signals.1),
        };
        let alone = |defined: &&Defined| self.alone.contains_key(&defined.info.case);
        let cases: Vec<&Defined> = suite.cases.iter().filter(alone).collect();
        let count = self.arguments.peers.min(cases.len());
        let step = cases.len() as f64 / count.max(1) as f64;
        let cases: Vec<&Defined> = (0..count)
            .map(|number| cases[(number as f64 * step) as usize])
            .collect();
        let verdicts = peers.run(&cases)?;
        self.calibration.peers = peers::rows(&verdicts)
            .into_iter()
            .map(|row| Peer {
                tool: match &row.version {
                    Some(version) => format!("{} {version}", row.tool),
                    None => row.tool.to_string(),
                },
                changed: Tried {
                    happened: row.regressed + row.improved,
                    trials: row.comparisons,
                },
                seconds: row.seconds,
                note: row.note(),
            })
            .collect();
        Ok(())
    }

    /// How long iterations take in long turns, in which a processor can learn an input.
    fn long_turns(&mut self) -> Result<()> {
        eprintln!("long turns");
        let patience = self.patience();
        let (pairs, _) = gate::matched(&self.plan, &self.builds.suites)?;
        let mut ratios = HashMap::new();
        for pair in pairs.iter().filter(|pair| self.chosen.contains(pair.case)) {
            let ratio = pairing::short_over_long(*pair, self.plan.core, self.plan.seed, &patience);
            match ratio {
                Ok(ratio) => ratios.insert(pair.case.clone(), ratio),
                Err(Stop::Interrupted) => return Err(gate::Stopped.into()),
                Err(Stop::Broken { .. }) => None,
            };
        }
        for noise in &mut self.calibration.cases {
            noise.short_over_long = ratios.get(&noise.case).copied();
        }
        Ok(())
    }

    /// Cases on one thread of the binary that has most groups of them, one of each group, to link
    /// anew: that with the shortest iterations, which can be given the smallest part more.
    fn to_relink<'s>(&self, pairs: &[Pair<'s>]) -> Vec<Pair<'s>> {
        let mut alone: Vec<(u64, Pair<'s>)> = pairs
            .iter()
            .filter_map(|pair| Some((*self.alone.get(pair.case)?, *pair)))
            .collect();
        alone.sort_by_key(|&(iterations, _)| std::cmp::Reverse(iterations));
        let mut by_binary: HashMap<usize, Vec<Pair<'s>>> = HashMap::new();
        for (_, pair) in alone {
            let of_binary = by_binary.entry(pair.binaries[0]).or_default();
            if of_binary
                .iter()
                .all(|other| other.case.group != pair.case.group)
            {
                of_binary.push(pair);
            }
        }
        let most = by_binary
            .into_iter()
            .max_by_key(|(binary, of)| (of.len(), *binary));
        most.map(|(_, of)| of.into_iter().take(RELINKED_CASES).collect())
            .unwrap_or_default()
    }

    /// Compares builds of the same source that are linked in other orders, such in which one side
    /// does more, and such of edited source.
    fn relinked(&mut self) -> Result<()> {
        let (pairs, _) = gate::matched(&self.plan, &self.builds.suites)?;
        let cases = self.to_relink(&pairs);
        let Some(first) = cases.first() else {
            return Ok(());
        };
        let scratch = &self.builds.scratch;
        let folder = tempfile::tempdir_in(scratch).context("cannot create a folder")?;
        if let Err(error) = relink::relink(first.built()[0], 0, &folder.path().join("tried")) {
            eprintln!("not linked in other orders: {error:#}");
            return Ok(());
        }
        let rows = |what: &str| -> Vec<Relinked> {
            let rows = cases.iter().map(|pair| Relinked::new(what, pair.case));
            rows.collect()
        };
        let mut equal = rows("the order of linking");
        self.try_layouts(&mut equal, &cases, 0.0, 0..self.arguments.pairs)?;
        let mut more = rows("the order of linking, and 1 % more work");
        self.try_layouts(&mut more, &cases, 0.01, 0..self.arguments.pairs.div_ceil(2))?;
        let mut edited = Vec::new();
        if !self.arguments.edits.is_empty() {
            edited = rows(calibration::EDITED);
            self.try_edits(&mut edited, &cases)?;
        }
        self.calibration.relinked = [equal, more, edited].concat();
        self.calibration.relinked_at.clone_from(&self.commit);
        Ok(())
    }

    /// Compares a build that jumps over no bytes with builds that jump over some.
    fn try_edits(&self, rows: &mut [Relinked], cases: &[Pair<'_>]) -> Result<()> {
        let mut inputs = self.arguments.judging.inputs();
        let targets = cases
            .iter()
            .map(|pair| &pair.suites[0].binaries[pair.binaries[0]].target);
        inputs.targets = targets.cloned().collect();
        let attempts = self.arguments.pairs.div_ceil(SKIPPED_BYTES.len());
        let build = |bytes, label| {
            let [side, _] = &self.builds.sides;
            let side = self.revisions.edited(side, &self.arguments.edits, bytes)?;
            let built = self.revisions.build(&side, label, &inputs);
            gate_command::interrupted_first(built, self.signals)
        };
        let base = build(0, "edited-base")?;
        for (number, bytes) in SKIPPED_BYTES.into_iter().enumerate() {
            let head = build(bytes, "edited-head")?;
            let binary = |suite: &Suite, case: &CaseId| {
                let mut cases = suite.cases.iter();
                let found = cases.find(|defined| defined.info.case == *case);
                let found = found.with_context(|| format!("{case} is not in the edited build"));
                found.map(|defined| defined.binary)
            };
            let mut pairs = Vec::new();
            for &Pair { case, .. } in cases {
                pairs.push(Pair {
                    case,
                    suites: [&base, &head],
                    binaries: [binary(&base, case)?, binary(&head, case)?],
                    layouts: None,
                });
            }
            self.try_layouts(
                rows,
                &pairs,
                0.0,
                number * attempts..(number + 1) * attempts,
            )?;
        }
        Ok(())
    }

    /// Judges pairs of one binary as the gate does, every time on layouts of its own.
    fn try_layouts(
        &self,
        rows: &mut [Relinked],
        pairs: &[Pair<'_>],
        extra: f64,
        attempts: Range<usize>,
    ) -> Result<()> {
        let [base, head] = pairs[0].built();
        let functions = Functions::of([base, head])?;
        let scratch = &self.builds.scratch;
        for attempt in attempts {
            eprintln!("{}, pair {}", rows[0].what, attempt + 1);
            let seed = self.plan.seed.wrapping_add(900_000 + attempt as u64);
            let folder = tempfile::tempdir_in(scratch).context("cannot create a folder")?;
            let [own, same] = ["own", "same"].map(|order| {
                ["base", "head"].map(|side| folder.path().join(format!("{order}-{side}")))
            });
            for (side, (binary, out)) in [base, head].into_iter().zip(&own).enumerate() {
                relink::relink(binary, (2 * seed + side as u64) as u32, out)?;
            }
            let outs = same.each_ref().map(PathBuf::as_path);
            relink::relink_alike([base, head], &functions, seed as u32, attempt, outs)?;
            let mut layouts = Layouts::new(scratch, seed)?;
            let method = Method {
                core: self.plan.core,
                best_clock: self.plan.best_clock,
                looks: LOOKS.to_vec(),
                test: Test::suspicion(),
                seed: self.plan.seed + 5_000 + attempt as u64,
                extra,
                both_clocks: false,
            };
            for (row, pair) in rows.iter_mut().zip(pairs) {
                let linked = [&own, &same].map(|[base, head]| Pair {
                    layouts: Some([base, head]),
                    ..*pair
                });
                match row.attempt(linked, &method, &mut layouts, &self.patience()) {
                    Ok(()) => {}
                    Err(Stop::Interrupted) => return Err(gate::Stopped.into()),
                    Err(Stop::Broken { reason, .. }) => bail!("{}: {reason}", pair.case),
                }
            }
        }
        Ok(())
    }

    /// Counts by valgrind how many instructions more a server executes that is told to do more.
    fn proofs(&mut self) {
        let (Ok((pairs, _)), Some(percent)) = (
            gate::matched(&self.plan, &self.builds.suites),
            self.arguments
                .inject
                .iter()
                .copied()
                .find(|&percent| percent >= 1.0),
        ) else {
            return;
        };
        // So many that what a process does beside them, which differs by hundreds, is nothing.
        let iterations = 10_000;
        let more = (f64::from(iterations) * (1.0 + percent / 100.0)).round() as u32;
        let relinked = self.calibration.relinked.iter().map(|one| &one.case);
        let relinked: HashSet<&CaseId> = relinked.collect();
        let chosen: Vec<Pair<'_>> = match relinked.is_empty() {
            // They cannot be linked again here.
            true => self.to_relink(&pairs),
            false => pairs
                .iter()
                .copied()
                .filter(|pair| relinked.contains(pair.case))
                .collect(),
        };
        let proofs = &mut self.calibration.proofs;
        proofs.clear();
        for pair in chosen {
            let count = |iterations| {
                instructions::served(pair.suites[0], pair.binaries[0], pair.case, iterations)
            };
            if let (Some(none), Some(base), Some(head)) = (count(0), count(iterations), count(more))
                && base > none
            {
                proofs.push(Proof {
                    case: pair.case.clone(),
                    asked: f64::from(more) / f64::from(iterations) - 1.0,
                    executed: head.saturating_sub(none) as f64 / (base - none) as f64 - 1.0,
                });
            }
        }
    }

    fn patience(&self) -> Patience<'_> {
        Patience {
            timeout: self.plan.timeout,
            signals: &self.signals.1,
        }
    }

    /// How often intervals hold what they promise.
    fn intervals(&self, launches: &HashMap<CaseId, Launches>, condition: &mut Condition) {
        for launches in launches.values() {
            for (number, [_, low, high, next_low, next_high]) in launches.judged.iter().enumerate()
            {
                condition.covered.add(*low <= 0.0 && 0.0 <= *high);
                if let Some([next, ..]) = launches.judged.get(number + 1) {
                    condition.next.add(next_low <= next && next <= next_high);
                }
            }
        }
    }

    fn pools(&self, launches: &HashMap<CaseId, Launches>) -> Vec<Pool> {
        let cases = self.chosen.iter().filter_map(|case| launches.get(case));
        cases.map(Launches::pool).collect()
    }

    /// How noisy each case is.
    fn noise(&self, launches: &HashMap<CaseId, Launches>, looks: &[f64]) -> Vec<CaseNoise> {
        let last = looks.last().copied().unwrap_or(0.0);
        let cases = self.chosen.iter();
        let noise = cases.filter_map(|case| {
            let launches = launches.get(case)?;
            let pool = launches.pool();
            let test = Test::suspicion();
            let count = ((last / pool.launch_s) as usize).max(test.least_launches);
            let drawn: Vec<f64> = pool.ratios.iter().copied().cycle().take(count).collect();
            Some(CaseNoise {
                case: case.clone(),
                clock: launches.clock?.name().to_owned(),
                launch_deviation: calibration::deviation(&pool.ratios),
                floor: test.judge(&drawn)?.visible,
                short_over_long: None,
            })
        });
        noise.collect()
    }

    /// What is found of so much more work.
    fn powers(&self, extra: f64, busy: bool, floors: &HashMap<CaseId, f64>) -> Result<Vec<Power>> {
        let mut powers: Vec<Power> = Vec::new();
        let patience = self.patience();
        let (pairs, _) = gate::matched(&self.plan, &self.builds.suites)?;
        for pair in pairs.iter().filter(|pair| self.chosen.contains(pair.case)) {
            let trial = match self.injected(*pair, extra, busy, self.plan.core, &patience) {
                Ok(trial) => trial,
                Err(Stop::Interrupted) => return Err(gate::Stopped.into()),
                Err(Stop::Broken { reason, .. }) => {
                    eprintln!("failed: {}: {reason}", pair.case);
                    continue;
                }
            };
            let kind = match trial.is_alone() {
                true => Kind::Single,
                false => Kind::Confined,
            };
            let floor = floors.get(pair.case).copied();
            let mut note = |trial: &Trial, kind, clock: Clock, label: &str| {
                let within_s = within(kind, busy);
                if !trial.has_extra(extra) {
                    return;
                }
                let (verdict, _) = trial.decided_by(clock, within_s);
                let place = powers
                    .iter()
                    .position(|power| power.kind == kind && power.clock == label);
                let place = place.unwrap_or_else(|| {
                    powers.push(Power {
                        extra,
                        kind,
                        clock: label.to_owned(),
                        within_s,
                        found: Tried::default(),
                        denied: 0,
                        above_floor: Tried::default(),
                    });
                    powers.len() - 1
                });
                let power = &mut powers[place];
                let found = verdict == Verdict::Regressed;
                power.found.add(found);
                if floor.is_none_or(|floor| floor <= extra) {
                    power.above_floor.add(found);
                }
                power.denied += u64::from(verdict == Verdict::Equivalent);
            };
            note(&trial, kind, trial.clock, "the best clock");
            note(&trial, kind, Clock::Wall, "wall time alone");
            if kind == Kind::Confined && extra >= 0.1 {
                match self.injected(*pair, extra, busy, None, &patience) {
                    Ok(free) => note(&free, Kind::Parallel, Clock::Wall, "wall time alone"),
                    Err(Stop::Interrupted) => return Err(gate::Stopped.into()),
                    Err(Stop::Broken { reason, .. }) => {
                        eprintln!("failed: {}: {reason}", pair.case)
                    }
                }
            }
        }
        powers.sort_by(|one, other| (one.kind, &one.clock).cmp(&(other.kind, &other.clock)));
        Ok(powers)
    }

    /// A trial in which head does a part of its iterations again.
    fn injected(
        &self,
        pair: Pair<'_>,
        extra: f64,
        busy: bool,
        core: Option<usize>,
        patience: &Patience<'_>,
    ) -> Result<Trial, Stop> {
        let last = match core {
            None => 5.0,
            Some(_) if busy => 3.0,
            Some(_) => within(Kind::Confined, busy),
        };
        let looks = LOOKS
            .iter()
            .copied()
            .filter(|look| look.as_secs_f64() < last);
        let method = Method {
            core,
            best_clock: self.plan.best_clock,
            looks: looks.chain([Duration::from_secs_f64(last)]).collect(),
            test: match core {
                // Nothing confirms what all cores say.
                None => Test::default(),
                Some(_) => Test::suspicion(),
            },
            seed: self.plan.seed + 1_000 + (extra * 10_000.0) as u64,
            extra,
            both_clocks: true,
        };
        Trial::run(pair, &method, patience, || ())
    }
}

impl Launches {
    fn add(&mut self, trial: &Trial) {
        for clock in [Clock::Cycles, Clock::Cpu, Clock::Wall] {
            let ratios = trial.ratios(clock);
            self.ratios.entry(clock.name()).or_default().extend(ratios);
        }
        self.took += trial.took;
        self.count += trial.launches.len();
        self.clock = Some(trial.clock);
        self.alone = trial.is_alone();
        self.iterations = trial.turns.iterations[0];
        if let Some(judged) = trial.judged {
            let (change, next) = (judged.change, judged.next);
            self.judged
                .push([change.point, change.low, change.high, next.low, next.high]);
        }
    }

    fn pool(&self) -> Pool {
        let clock = self.clock.unwrap_or(Clock::Wall);
        Pool {
            ratios: self.ratios.get(clock.name()).cloned().unwrap_or_default(),
            launch_s: self.took.as_secs_f64() / self.count.max(1) as f64,
        }
    }
}

impl Relinked {
    fn new(what: &str, case: &CaseId) -> Self {
        Self {
            what: what.to_owned(),
            case: case.clone(),
            own: Tried::default(),
            suspected: Tried::default(),
            confirmed: Tried::default(),
            longest_s: 0.0,
        }
    }

    /// Judges a case as the gate does, and in orders of their own beside it. What has more to do is
    /// confirmed however it looked.
    ///
    /// Nothing is tried where iterations are too long for so little more.
    fn attempt(
        &mut self,
        [own, same]: [Pair<'_>; 2],
        method: &Method,
        layouts: &mut Layouts,
        patience: &Patience<'_>,
    ) -> Result<(), Stop> {
        let slower = |trial: &Trial| trial.verdict() == Verdict::Regressed;
        let trial = Trial::run(own, method, patience, || ())?;
        if method.extra > 0.0 && !trial.has_extra(method.extra) {
            return Ok(());
        }
        let own = slower(&trial);
        let trial = Trial::run(same, method, patience, || ())?;
        let suspected = slower(&trial);
        let mut confirmed = false;
        if own || suspected || method.extra > 0.0 {
            let again = layouts.confirm(same, &trial, Verdict::Regressed, method, patience)?;
            self.longest_s = self.longest_s.max(again.took.as_secs_f64());
            confirmed = again.verdict == Verdict::Regressed;
        }
        self.own.add(own);
        self.suspected.add(suspected);
        self.confirmed.add(confirmed);
        Ok(())
    }
}

/// A process that keeps a core busy as long as it is kept.
struct Busy(Child);

impl Busy {
    fn start() -> Result<Self> {
        let program = std::env::current_exe().context("this program cannot be found")?;
        let child = Command::new(program)
            .arg(KEEP_BUSY)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .context("no process can be started to keep a core busy")?;
        Ok(Self(child))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Copies and computes until the input ends, as when the program that wanted it is gone.
pub(crate) fn keep_busy() -> ExitCode {
    std::thread::spawn(|| {
        let mut nothing = String::new();
        let _ = std::io::stdin().read_line(&mut nothing);
        std::process::exit(0);
    });
    let mut from = vec![1_u8; 1 << 20];
    let mut to = vec![0_u8; 1 << 20];
    loop {
        to.copy_from_slice(&from);
        bench_harness::spin(50_000.0);
        from[0] = from[0].wrapping_add(std::hint::black_box(to[0]));
    }
}
