//! The command `gate`: from two revisions to an exit code.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, Sender};
use std::time::Duration;

use anyhow::Result;
use bench_harness::Environment;
use bench_harness::gate::Judgement;
use bench_harness::policy::{Policy, Tier};
use bench_harness::record::{CaseId, Profile};
use clap::{Args, ValueEnum};

use crate::calibration::Calibration;
use crate::gate::{self, Builds, Plan};
use crate::outcome::{self, Destinations, Github};
use crate::revision::Revisions;
use crate::runner::{self, Signal};
use crate::trial::Clock;
use crate::workspace::{Inputs, Suite, Workspace};

pub(crate) const GATE_HELP: &str = "\
Both revisions are built in a git worktree below target/, so your tree and index stay as they are.
Times are judged by processes of both builds that take turns on one core; what looks slower is
measured again on freshly linked layouts. Benchmarks that are criterion's own are judged by whole
processes in turn, 10, 20 or 40 of each build by profile. What a regression is says benchmarks.toml, where there is
one; without it 1 % of time (2 % where only wall time can be read) or of instructions, any
allocation more, and 10 % of time on all cores (the metric `parallel`).

Exit codes: 0 pass, 1 regression, 2 wrong usage or a failed tool, 3 a case that must be decided is
not, 4 a case of the base is gone or fails.

Examples:
  gen-benchmarks gate --base origin/main
  gen-benchmarks gate --base HEAD~1 --head HEAD --filter parse --bench parser
  gen-benchmarks gate --base v1.2.0 --tier release --markdown comment.md --junit gate.xml";

#[derive(Args, Clone)]
pub(crate) struct Gate {
    /// The revision to compare with.
    #[arg(long, value_name = "REV")]
    base: String,
    /// The revision that is judged [default: HEAD, and then all changes must be committed].
    #[arg(long, value_name = "REV")]
    head: Option<String>,
    #[command(flatten)]
    judging: Judging,
    #[command(flatten)]
    destinations: Destinations,
}

/// What is judged, and how.
#[derive(Args, Clone)]
pub(crate) struct Judging {
    /// Only cases whose `group/series/input` contains this text.
    #[arg(long, value_name = "TEXT")]
    pub(crate) filter: Option<String>,
    /// How many inputs of every group are judged.
    #[arg(long, value_enum, default_value_t = crate::ProfileArg::Quick)]
    pub(crate) profile: crate::ProfileArg,
    /// How thorough: which entries of benchmarks.toml count.
    #[arg(long, value_enum, default_value_t = TierArg::Change)]
    pub(crate) tier: TierArg,
    /// Only these bench targets; a name may end in `*`.
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub(crate) bench: Vec<String>,
    /// The policy [default: benchmarks.toml of the workspace, where there is one].
    #[arg(long, value_name = "FILE")]
    pub(crate) policy: Option<PathBuf>,
    /// Judge by nothing better than this.
    #[arg(long, value_enum, default_value_t = ClockArg::Cycles)]
    pub(crate) clock: ClockArg,
    /// The core that processes are kept on [default: the last one].
    #[arg(long, value_name = "NUMBER")]
    pub(crate) core: Option<usize>,
    /// Decides every random order [default: from the clock, and named in the outcome].
    #[arg(long, value_name = "NUMBER")]
    pub(crate) seed: Option<u32>,
    /// Seconds that a process may take for an answer.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = crate::seconds)]
    pub(crate) timeout: Duration,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum TierArg {
    /// What every change is held to.
    Change,
    /// What every night is.
    Nightly,
    /// Everything.
    Release,
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ClockArg {
    /// Cycles in user mode where the processor counts them, or else what follows.
    Cycles,
    /// The time that the process had a core, or else wall time.
    Cpu,
    /// The time that passed.
    Wall,
}

impl From<ClockArg> for Clock {
    fn from(clock: ClockArg) -> Self {
        match clock {
            ClockArg::Cycles => Self::Cycles,
            ClockArg::Cpu => Self::Cpu,
            ClockArg::Wall => Self::Wall,
        }
    }
}

impl Judging {
    /// A plan of what is asked for, by the policy of the workspace.
    pub(crate) fn plan(&self, workspace: &Workspace, floors: HashMap<CaseId, f64>) -> Result<Plan> {
        Ok(Plan {
            only: None,
            profile: Profile::from(self.profile),
            filter: self.filter.clone(),
            tier: match self.tier {
                TierArg::Change => Tier::Change,
                TierArg::Nightly => Tier::Nightly,
                TierArg::Release => Tier::Release,
            },
            policy: crate::read_policy(workspace, self.policy.as_deref())?,
            floors,
            best_clock: self.clock.into(),
            core: self.core.or_else(last_core),
            seed: self.seed.unwrap_or_else(seed).into(),
            timeout: self.timeout,
        })
    }

    /// What is built: only what is asked for.
    pub(crate) fn inputs(&self) -> Inputs {
        Inputs {
            targets: self.bench.clone(),
            ..Inputs::default()
        }
    }
}

/// The last core that this process may use.
pub(crate) fn last_core() -> Option<usize> {
    #[cfg(target_os = "linux")]
    {
        use rustix::thread::{CpuSet, sched_getaffinity};
        let cores = sched_getaffinity(None).ok()?;
        (0..CpuSet::MAX_CPU).rfind(|&core| cores.is_set(core))
    }
    #[cfg(not(target_os = "linux"))]
    None
}

/// A seed that is another in every run.
fn seed() -> u32 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    now.map_or(1, |now| now.as_millis() as u32)
}

/// Seconds that a process may take for an answer where nothing else is asked for.
const TIMEOUT: Duration = Duration::from_secs(60);

/// Judges all cases of two revisions, as `compare` is asked to.
pub(crate) fn compare((base, head): (&str, &str), filter: Option<&str>) -> Result<ExitCode> {
    let judging = Judging {
        filter: filter.map(str::to_owned),
        profile: crate::ProfileArg::Quick,
        tier: TierArg::Release,
        bench: Vec::new(),
        policy: None,
        clock: ClockArg::Cycles,
        core: None,
        seed: None,
        timeout: TIMEOUT,
    };
    let gate = Gate {
        base: base.to_owned(),
        head: Some(head.to_owned()),
        judging,
        destinations: Destinations::default(),
    };
    execute(&Workspace::find()?, &gate)
}

/// Builds two revisions and judges what changed between them.
pub(crate) fn execute(workspace: &Workspace, arguments: &Gate) -> Result<ExitCode> {
    let environment = Environment::capture(&workspace.root);
    let plan = arguments
        .judging
        .plan(workspace, floors(workspace, &environment)?)?;
    let revisions = Revisions::of(workspace)?;
    let base = revisions.resolve(&arguments.base)?;
    let head = match &arguments.head {
        Some(head) => revisions.resolve(head)?,
        None => {
            revisions.refuse_changes()?;
            revisions.resolve("HEAD")?
        }
    };
    let signals = runner::signals()?;
    let inputs = arguments.judging.inputs();
    let build = |side, label| {
        let built = revisions.build(side, label, &inputs);
        interrupted_first(built, &signals)
    };
    let builds = Builds {
        suites: [build(&base, "base")?, build(&head, "head")?],
        sides: [base, head],
        scratch: revisions.folder().to_owned(),
        compare_equal: false,
        extra: 0.0,
    };
    // An entry may be about a case of a bench target that was not built.
    if arguments.judging.bench.is_empty() {
        check_policy(&plan.policy, &builds.suites)?;
    }
    let judgement = gate::judge(&plan, &builds, &environment, (&signals.0, &signals.1))?;
    drop(revisions);
    conclude(&judgement, &arguments.destinations)
}

/// The noise floors of a calibration on this machine; of another machine they say nothing.
fn floors(workspace: &Workspace, now: &Environment) -> Result<HashMap<CaseId, f64>> {
    let calibration = Calibration::read(&workspace.root)?;
    Ok(match calibration {
        Some(calibration) if calibration.environment.same_machine(now).is_ok() => {
            calibration.floors()
        }
        _ => HashMap::new(),
    })
}

/// Prints and writes what was found.
fn conclude(judgement: &Judgement, destinations: &Destinations) -> Result<ExitCode> {
    let mut destinations = destinations.clone();
    destinations.github = Github::of(|name| std::env::var_os(name));
    outcome::publish(judgement, &destinations)?;
    Ok(ExitCode::from(judgement.conclusion().exit_code()))
}

/// The user's wish to stop rather than what failed because of it.
pub(crate) fn interrupted_first<T>(
    result: Result<T>,
    signals: &(Sender<Signal>, Receiver<Signal>),
) -> Result<T> {
    match signals
        .1
        .try_iter()
        .any(|signal| matches!(signal, Signal::Interrupt))
    {
        true => Err(gate::Stopped.into()),
        false => result,
    }
}

/// Fails where the policy does not fit the cases that there are, in any profile, or the day.
fn check_policy(policy: &Policy, suites: &[Suite; 2]) -> Result<()> {
    let cases = suites.iter().flat_map(|suite| &suite.cases);
    let cases: Vec<CaseId> = cases.map(|defined| defined.info.case.clone()).collect();
    let today = jiff::Zoned::now().date();
    policy.check(&cases, today).map_err(crate::all)
}
