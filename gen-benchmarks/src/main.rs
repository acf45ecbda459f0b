//! Runs the benchmark suites of a Cargo workspace in fresh processes and writes `BENCHMARKS.md`.

mod bisect;
mod calibrate;
mod calibration;
mod chart;
mod compare;
mod confirm;
mod exchange;
mod findings;
mod foreign;
mod format;
mod gate;
mod gate_command;
mod history;
mod html;
mod init;
mod instructions;
mod lint;
mod load;
mod markdown;
mod outcome;
mod pairing;
mod peers;
mod plot;
mod processes;
mod profile;
mod progress;
mod publish;
mod relink;
mod report;
mod revision;
mod rules;
mod runner;
mod sampling;
mod shards;
mod strategies;
mod symbols;
mod takeaway;
mod targets;
mod trial;
mod workspace;

use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use bench_harness::gate::Judgement;
use bench_harness::policy::{Policy, PolicyError};
use bench_harness::record::{self, CaseId, Profile};
use bench_harness::{Environment, Workload};
use clap::{Args, Parser, Subcommand, ValueEnum};

use calibration::{CALIBRATION, Calibration};
use format::Unit;
use outcome::{Destinations, Github};
use report::{ASSETS, RECORD, Report};
use runner::{Interrupted, Plan, Summary};
use shards::Division;
use workspace::{Inputs, Workspace};

/// Runs the benchmark suites and writes BENCHMARKS.md with charts.
///
/// Without a command: measures everything and writes the report.
#[derive(Parser)]
#[command(version, about, args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Works in any Cargo workspace with benchmarks of criterion or of bench_harness::main!. Installed, it is
`cargo gen-benchmarks` and `gen-benchmarks`; in the workspace that it belongs to, `cargo run -p
gen-benchmarks --` stands for that.

Examples:
  cargo gen-benchmarks                          measure everything, write BENCHMARKS.md and its charts
  cargo gen-benchmarks --profile quick          a look within two minutes
  cargo gen-benchmarks --resume                 go on where an interrupted run stopped
  cargo gen-benchmarks --filter parse           some cases only; the report goes to target/
  cargo gen-benchmarks check                    does BENCHMARKS.md say what its record says?
  cargo gen-benchmarks report --html            the same record as one page to search and share
  cargo gen-benchmarks init                     write a policy for the gate
  cargo gen-benchmarks gate --base origin/main  fail when something became slower
  cargo gen-benchmarks compare old.jsonl new.jsonl
                                                what two records, or files of other tools, show
  cargo gen-benchmarks history history          what became of each case from commit to commit
  cargo gen-benchmarks run --shard 2/3          measure one of three parts, on as many machines")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    measure: Measure,
    #[command(flatten)]
    output: Output,
}

#[derive(Subcommand)]
enum Command {
    /// Measure only; the report is written by `report`.
    #[command(after_help = RUN_HELP)]
    Run {
        #[command(flatten)]
        measure: Measure,
        #[command(flatten)]
        division: shards::Division,
    },
    /// Make one record of all shards of a run.
    #[command(after_help = shards::MERGE_HELP)]
    Merge(shards::Merge),
    /// Write the report of a record.
    #[command(after_help = html::HELP)]
    Report {
        /// The record to render [default: the last unfiltered one].
        #[arg(long, value_name = "FILE")]
        records: Option<PathBuf>,
        #[command(flatten)]
        output: Output,
        #[command(flatten)]
        html: html::Options,
    },
    /// Render the published record again and fail if a byte of the report differs.
    #[command(after_help = "Example: gen-benchmarks check --out site")]
    Check(Output),
    /// Compare two revisions and fail when something became slower.
    #[command(after_help = gate_command::GATE_HELP)]
    Gate(gate_command::Gate),
    /// Find the commit that made a case slower.
    #[command(after_help = bisect::BISECT_HELP)]
    Bisect(bisect::Bisect),
    /// Measure the gate itself: how often it errs, and what it finds.
    #[command(after_help = calibrate::CALIBRATE_HELP)]
    Calibrate(calibrate::Calibrate),
    /// Print what `benchmarks.toml` says of every case and metric, or what is wrong with it.
    #[command(after_help = POLICY_HELP)]
    Policy(PolicyOptions),
    /// Show the stored outcome of a gate again, and end with its exit code.
    #[command(after_help = SHOW_HELP)]
    Show {
        /// What a gate wrote with --json.
        #[arg(value_name = "FILE")]
        outcome: PathBuf,
        #[command(flatten)]
        destinations: Destinations,
    },
    /// Rank allocators and interners for a workload of yours.
    #[command(after_help = STRATEGIES_HELP)]
    CompareStrategies(CompareStrategies),
    /// Turn the results of another tool into a record.
    #[command(after_help = exchange::import_help())]
    Import(exchange::Import),
    /// Write a record in the format of another tool.
    #[command(after_help = exchange::export_help())]
    Export(exchange::Export),
    /// Compare two files of results, or rank the series of one.
    #[command(after_help = compare::HELP)]
    Compare(compare::Compare),
    /// Show what became of each case from commit to commit, and which commit changed it.
    #[command(after_help = history::HELP)]
    History(history::Arguments),
    /// Find figures that cannot be, or that nobody measured, in records and published reports.
    #[command(after_help = lint::help())]
    Lint(lint::Arguments),
    /// Compare unchanged cases with themselves by criterion and tango, and count their false alarms.
    #[command(after_help = peers::HELP)]
    PeerVerdicts(peers::Arguments),
    /// Write a benchmarks.toml that fits the workspace, where there is none.
    #[command(after_help = init::HELP)]
    Init,
    /// Show what cases spend their time on.
    #[command(after_help = sampling::HELP)]
    Profile(sampling::Arguments),
    /// Print the cases.
    #[command(after_help = "Example: gen-benchmarks list --profile quick --filter parse")]
    List {
        #[command(flatten)]
        select: Select,
    },
}

const RUN_HELP: &str = "\
Examples:
  gen-benchmarks run --profile full --count 20 --records nightly.jsonl
  gen-benchmarks run --shard 2/3 --records shard-2.jsonl      one of three machines; see `merge`";

const STRATEGIES_HELP: &str = "\
Only where bench targets replay workloads: in the workspace that this program belongs to, a bench target
`workload`, and one `global_*` for each global allocator.

The workload is a TOML file with one or both of these sections; a key without a default is needed.
  [allocation]           objects, on arenas and on every global allocator that can be built here
    count = 2_000          how many a thread allocates in a cycle
    sizes = [{ bytes = 32, weight = 3 }, { bytes = 200, weight = 1 }]
    lifetime = \"together\"  freed together; \"stack\": the youngest first; \"random\": with live = 500
    threads = 1            each does all of it [default: 1]
    trace = \"my.trace\"     instead of count, sizes and lifetime: what a program did, written by
                           bench_harness::Recorder as its global allocator
  [interning]            strings, on interners
    count = 100_000        how many a thread interns in a cycle
    length = 24            bytes of a string
    hit_ratio = 0.9        how many of them were interned before in the cycle
    threads = 1            [default: 1]

Examples:
  gen-benchmarks compare-strategies bench-harness/workloads/requests.toml
  gen-benchmarks compare-strategies identifiers.toml --count 20 --out charts
  cargo run --release -p bench-harness --example record -- my.trace";

#[derive(Args, Clone)]
struct CompareStrategies {
    /// The workload file.
    #[arg(value_name = "FILE")]
    workload: PathBuf,
    /// Fresh processes for each strategy, in turn.
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,
    /// Seconds that one process may take before its strategy is a failed row.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    timeout: Duration,
    /// Go on where an interrupted comparison stopped.
    #[arg(long)]
    resume: bool,
    /// The folder of the charts [default: target/gen-benchmarks/compare].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

const POLICY_HELP: &str = "\
Exit code 0: the file fits the cases and the day; 2: it does not, and every fault is named.

Examples:
  gen-benchmarks policy                                       builds the suites to learn their cases
  gen-benchmarks policy --records assets/benchmarks.jsonl     takes the cases of a record
  gen-benchmarks policy --filter parse/json";

const SHOW_HELP: &str = "\
In a workflow of GitHub Actions annotations are printed too, the step's summary gets the Markdown, and
its outputs are conclusion, exit-code, failing, tolerated, missing, inconclusive, improved, new and
equivalent.

Exit code 0: pass; 1: regression; 2: the file cannot be read or another not be written; 3: a case
that must be decided is not; 4: a case is gone or does not run.

Example: gen-benchmarks show outcome.json --markdown comment.md --junit gate.xml";

#[derive(Args, Clone)]
struct PolicyOptions {
    /// The policy [default: benchmarks.toml in the workspace; without it, what holds for all].
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
    /// Take the cases of this record in place of building the suites.
    #[arg(long, value_name = "FILE")]
    records: Option<PathBuf>,
    /// Only print cases whose `group/series/input` contains this text.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
}

#[derive(Args, Clone)]
struct Select {
    /// Only cases whose `group/series/input` contains this text.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// How much to measure.
    #[arg(long, value_enum, default_value_t = ProfileArg::Standard)]
    profile: ProfileArg,
    /// Files for suites of bench_harness that take some, such as workflow graphs (WfFormat 1.5
    /// JSON) for dag-real in the workspace of this program.
    #[arg(long, value_name = "FILE", num_args = 1..)]
    workflow: Vec<PathBuf>,
}

#[derive(Args, Clone)]
struct Measure {
    #[command(flatten)]
    select: Select,
    /// Fresh processes for each case [default: 3, 6 or 15, by profile].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: Option<u32>,
    /// Seconds that one process may take for one case before the case is a failed row.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = seconds)]
    timeout: Duration,
    /// Go on where an interrupted run stopped; failed cases are measured again.
    #[arg(long)]
    resume: bool,
    /// Measure although no commit can be named, as outside a git repository.
    #[arg(long)]
    allow_unknown_commit: bool,
    /// The record to write, one line a case and process [default: in target/gen-benchmarks].
    #[arg(long, value_name = "FILE")]
    records: Option<PathBuf>,
}

#[derive(Args, Clone)]
struct Output {
    /// The folder of BENCHMARKS.md and assets/ [default: the workspace; a filtered report goes to
    /// target/gen-benchmarks/report].
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

#[derive(Clone, Copy, ValueEnum)]
enum ProfileArg {
    /// Small inputs, within two minutes.
    Quick,
    /// What the published report is made from.
    Standard,
    /// Everything, more processes, longer samples.
    Full,
}

impl From<ProfileArg> for Profile {
    fn from(profile: ProfileArg) -> Self {
        match profile {
            ProfileArg::Quick => Self::Quick,
            ProfileArg::Standard => Self::Standard,
            ProfileArg::Full => Self::Full,
        }
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    text.parse()
        .ok()
        .filter(|seconds| *seconds > 0.0 && *seconds < 1e9)
        .map(Duration::from_secs_f64)
        .ok_or_else(|| "give a positive number of seconds, as in 2.5".to_owned())
}

fn main() -> ExitCode {
    // What this program starts itself as, without any options.
    let arguments: Vec<_> = std::env::args_os().skip(1).collect();
    match arguments.split_first() {
        Some((first, linked)) if first == relink::KEEP_LINK => return relink::keep_link(linked),
        Some((first, _)) if first == calibrate::KEEP_BUSY => return calibrate::keep_busy(),
        _ => {}
    }
    match execute(Cli::parse()) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {}", shown(&format!("{error:#}")));
            match error.is::<Interrupted>() || error.is::<gate::Stopped>() {
                // What shells report for a command that SIGINT ended.
                true => ExitCode::from(130),
                false => ExitCode::from(2),
            }
        }
    }
}

/// A message whose names cannot steer the terminal: they come from outside.
fn shown(message: &str) -> String {
    let is_plain = |c: &char| matches!(c, '\n' | '\t') || !c.is_control();
    message
        .chars()
        .map(|c| if is_plain(&c) { c } else { '\u{fffd}' })
        .collect()
}

fn execute(cli: Cli) -> Result<ExitCode> {
    // Files are read wherever they are, also outside of a workspace.
    match &cli.command {
        Some(Command::Show {
            outcome,
            destinations,
        }) => return show(outcome, destinations.clone()),
        Some(Command::Import(arguments)) => return exchange::import(arguments),
        Some(Command::Export(arguments)) => return exchange::export(arguments),
        Some(Command::Compare(arguments)) => {
            return match arguments.revisions() {
                Some(sides) => gate_command::compare(sides, arguments.filter()),
                None => compare::compare(arguments),
            };
        }
        Some(Command::History(arguments)) => return history::history(arguments),
        Some(Command::Lint(arguments)) => return lint::lint(arguments),
        Some(Command::Merge(arguments)) => return shards::merge(arguments),
        _ => {}
    }
    let workspace = Workspace::find()?;
    match cli.command {
        None => {
            let out = cli.output.out.as_deref();
            publish::probe(out.unwrap_or(&workspace.root))?;
            let (plan, summary) = measure(&workspace, &cli.measure, &Division::default())?;
            let (folder, failed) = destination(&workspace, out, &plan, &summary);
            render(&workspace, &plan.records, &folder)?;
            eprintln!("{}", folder.join("BENCHMARKS.md").display());
            Ok(conclude(&summary, &plan, failed.then_some(&folder)))
        }
        Some(Command::Run {
            measure: arguments,
            division,
        }) => {
            let (plan, summary) = measure(&workspace, &arguments, &division)?;
            eprintln!("{}", plan.records.display());
            Ok(conclude(&summary, &plan, None))
        }
        Some(Command::Report {
            records,
            output,
            html,
        }) => {
            let records = match records {
                Some(named) => named,
                None => last_records(&workspace)?,
            };
            let folder = output.out.unwrap_or_else(|| workspace.root.clone());
            // Before anything is replaced: its comparison may be refused.
            let page = html.page(&workspace, &records, &folder)?;
            render(&workspace, &records, &folder)?;
            eprintln!("{}", folder.join("BENCHMARKS.md").display());
            if let Some((path, page)) = page {
                publish::write(&path, page.as_bytes())?;
                eprintln!("{}", path.display());
            }
            Ok(ExitCode::SUCCESS)
        }
        Some(Command::Check(output)) => {
            let folder = output.out.unwrap_or_else(|| workspace.root.clone());
            let records = folder.join(ASSETS).join(RECORD);
            if !records.exists() {
                bail!(
                    "there is no report in {}, whose record would be {ASSETS}/{RECORD}; write one with `gen-benchmarks`, or name its folder with --out",
                    folder.display()
                );
            }
            match publish::check(&folder, &rendered(&workspace, &records, &folder)?) {
                Ok(()) => {
                    eprintln!(
                        "{} says what its record says",
                        folder.join("BENCHMARKS.md").display()
                    );
                    Ok(ExitCode::SUCCESS)
                }
                Err(difference) => {
                    eprintln!("error: {difference:#}");
                    Ok(ExitCode::FAILURE)
                }
            }
        }
        Some(Command::Bisect(arguments)) => bisect::execute(&workspace, &arguments),
        Some(Command::Calibrate(arguments)) => calibrate::execute(&workspace, &arguments),
        Some(Command::Init) => init::execute(&workspace),
        Some(Command::PeerVerdicts(arguments)) => peers::execute(&workspace, arguments),
        Some(Command::Gate(arguments)) => gate_command::execute(&workspace, &arguments),
        Some(Command::Policy(arguments)) => policy(&workspace, &arguments),
        Some(Command::Profile(arguments)) => sampling::execute(&workspace, &arguments),
        Some(Command::CompareStrategies(arguments)) => compare_strategies(&workspace, &arguments),
        Some(
            Command::Show { .. }
            | Command::Import(_)
            | Command::Export(_)
            | Command::Compare(_)
            | Command::History(_)
            | Command::Lint(_)
            | Command::Merge(_),
        ) => unreachable!("done above, without a workspace"),
        Some(Command::List { select }) => {
            let suite = workspace.build(&inputs(&select))?;
            let plan = Plan {
                profile: select.profile.into(),
                filter: select.filter,
                share: None,
                processes: 1,
                timeout: Duration::MAX,
                records: PathBuf::new(),
                resumed: None,
                policy: Policy::default(),
            };
            let cases = plan.select(&suite)?;
            let list: String = cases
                .iter()
                .map(|defined| format!("{}\n", defined.info.case))
                .collect();
            print(&list)?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn print(text: &str) -> Result<()> {
    match std::io::stdout().write_all(text.as_bytes()) {
        // Whoever read has seen enough.
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Longest stored outcome that is read, in bytes.
const OUTCOME_LIMIT: u64 = 1 << 26;

/// Shows a stored outcome.
fn show(path: &Path, mut destinations: Destinations) -> Result<ExitCode> {
    let failed = || format!("cannot read {}", path.display());
    let mut text = String::new();
    let file = std::fs::File::open(path).with_context(failed)?;
    let mut limited = file.take(OUTCOME_LIMIT + 1);
    limited.read_to_string(&mut text).with_context(failed)?;
    if text.len() as u64 > OUTCOME_LIMIT {
        bail!("{}: it is longer than {OUTCOME_LIMIT} bytes", failed());
    }
    let judgement = Judgement::from_json(&text).map_err(|reason| {
        anyhow!(
            "{}: {reason}; give what a gate wrote with --json",
            path.display()
        )
    })?;
    destinations.github = Github::of(|name| std::env::var_os(name));
    outcome::publish(&judgement, &destinations)?;
    Ok(ExitCode::from(judgement.conclusion().exit_code()))
}

/// Checks the policy and prints what it says of every case.
fn policy(workspace: &Workspace, arguments: &PolicyOptions) -> Result<ExitCode> {
    let policy = read_policy(workspace, arguments.policy.as_deref())?;
    let cases: Vec<CaseId> = match &arguments.records {
        Some(records) => record::planned(&record::read(records)?.entries),
        None => {
            let suite = workspace.build(&Inputs::default())?;
            suite.cases.into_iter().map(|one| one.info.case).collect()
        }
    };
    let today = jiff::Timestamp::now()
        .to_zoned(jiff::tz::TimeZone::UTC)
        .date();
    policy.check(&cases, today).map_err(all)?;
    let filter = arguments.filter.as_deref().unwrap_or_default();
    let chosen: Vec<CaseId> = cases
        .into_iter()
        .filter(|case| case.to_string().contains(filter))
        .collect();
    if chosen.is_empty() {
        bail!("no case matches `{filter}`; `gen-benchmarks list` prints the cases");
    }
    print(&rules::rules(&policy, &chosen))?;
    Ok(ExitCode::SUCCESS)
}

/// The named policy, or that of the workspace, or else the defaults.
pub(crate) fn read_policy(workspace: &Workspace, named: Option<&Path>) -> Result<Policy> {
    Ok(find_policy(workspace, named)?.unwrap_or_else(|| {
        let path = workspace.root.join(POLICY);
        eprintln!("{} is not there, so the defaults hold", path.display());
        Policy::default()
    }))
}

/// The policy of a workspace, in its root.
const POLICY: &str = "benchmarks.toml";

/// The named policy, or that of the workspace, where there is one.
fn find_policy(workspace: &Workspace, named: Option<&Path>) -> Result<Option<Policy>> {
    let path = workspace.root.join(POLICY);
    let path = named.unwrap_or(&path);
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let name = path.strip_prefix(&workspace.root).unwrap_or(path);
            let policy = Policy::parse(&name.display().to_string(), &text).map_err(all)?;
            Ok(Some(policy))
        }
        Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Several errors, a line each.
pub(crate) fn all(errors: Vec<PolicyError>) -> anyhow::Error {
    let lines: Vec<String> = errors.iter().map(PolicyError::to_string).collect();
    anyhow!(lines.join("\nerror: "))
}

fn inputs(select: &Select) -> Inputs {
    Inputs {
        files: select.workflow.clone(),
        ..Inputs::default()
    }
}

/// Replays a workload on every strategy; prints the ranking and draws it.
fn compare_strategies(workspace: &Workspace, arguments: &CompareStrategies) -> Result<ExitCode> {
    // Before anything is built for minutes.
    let workload = Workload::read(&arguments.workload)?;
    // The bench targets that replay workloads; a global allocator replays objects only.
    let targets = match workload.allocation {
        Some(_) => vec!["workload".to_owned(), "global_*".to_owned()],
        None => vec!["workload".to_owned()],
    };
    let out = match &arguments.out {
        Some(out) => out.clone(),
        None => workspace.scratch.join("compare"),
    };
    publish::probe_folder(&out)?;
    let records = workspace.scratch.join("compare.jsonl");
    let plan = Plan {
        profile: Profile::Standard,
        filter: Some("workload/".to_owned()),
        share: None,
        processes: arguments.count,
        timeout: arguments.timeout,
        resumed: match arguments.resume {
            true => Some(runner::interrupted(&records)?),
            false => None,
        },
        records,
        policy: Policy::default(),
    };
    let suite = workspace.build(&Inputs {
        workload: Some(arguments.workload.clone()),
        targets,
        ..Inputs::default()
    })?;
    let environment = Environment::capture(&workspace.root);
    let (sender, receiver) = runner::signals()?;
    let summary = runner::run(&plan, &suite, environment, (&sender, &receiver))?;
    let mut report = Report::new(&record::read(&plan.records)?.entries)?;
    print(&strategies::ranking(&report))?;
    let stem = arguments.workload.file_stem().unwrap_or_default();
    for (name, svg) in strategies::charts(&mut report) {
        let path = out.join(format!("{}-{name}.svg", stem.to_string_lossy()));
        publish::write(&path, svg.as_bytes())?;
        print(&format!("chart: {}\n", path.display()))?;
    }
    Ok(match summary.failed.is_empty() {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

/// Builds the suites and measures them.
fn measure(
    workspace: &Workspace,
    arguments: &Measure,
    division: &Division,
) -> Result<(Plan, Summary)> {
    let profile = Profile::from(arguments.select.profile);
    let records = match &arguments.records {
        Some(named) => {
            runner::replaceable(named)?;
            named.clone()
        }
        None => {
            let filtered = arguments.select.filter.is_some();
            default_records(workspace, profile, filtered, &division.suffix())
        }
    };
    let plan = Plan {
        profile,
        filter: arguments.select.filter.clone(),
        share: division.share(workspace)?,
        processes: arguments.count.unwrap_or(match profile {
            Profile::Quick => 3,
            Profile::Standard => 6,
            Profile::Full => 15,
        }),
        timeout: arguments.timeout,
        resumed: match arguments.resume {
            true => Some(runner::interrupted(&records)?),
            false => None,
        },
        records,
        policy: find_policy(workspace, None)?.unwrap_or_default(),
    };
    let environment = Environment {
        workspace: workspace.name.clone(),
        ..Environment::capture(&workspace.root)
    };
    if environment.commit.is_none() && !arguments.allow_unknown_commit {
        bail!(
            "what would be measured has no commit (git is missing, or {} is in no repository with a commit); commit it, or pass --allow-unknown-commit",
            workspace.root.display()
        );
    }
    let suite = workspace.build(&Inputs {
        patience: Some(arguments.timeout),
        ..inputs(&arguments.select)
    })?;
    let (sender, receiver) = runner::signals()?;
    let summary = runner::run(&plan, &suite, environment, (&sender, &receiver))?;
    eprintln!(
        "{} cases in {} processes each, measured in {}",
        summary.cases,
        plan.processes,
        Unit::Duration.format(summary.measuring.as_nanos() as f64, 1e9)
    );
    Ok((plan, summary))
}

/// A file for each profile and `part` of its cases, and others for filtered runs: a look does not
/// replace a long run.
fn default_records(workspace: &Workspace, profile: Profile, filtered: bool, part: &str) -> PathBuf {
    let filtered = if filtered { "-filtered" } else { "" };
    workspace
        .scratch
        .join(format!("{profile}{filtered}{part}.jsonl"))
}

/// The unfiltered record that was written last, of whatever profile.
fn last_records(workspace: &Workspace) -> Result<PathBuf> {
    let profiles = [Profile::Quick, Profile::Standard, Profile::Full];
    let records = profiles.map(|profile| default_records(workspace, profile, false, ""));
    let written = |path: &PathBuf| path.metadata().and_then(|file| file.modified()).ok();
    let last = records
        .into_iter()
        .filter_map(|path| Some((written(&path)?, path)))
        .max();
    last.map(|(_, path)| path).with_context(|| {
        format!(
            "there is no record in {}; measure one with `gen-benchmarks run`, or name one with --records",
            workspace.scratch.display()
        )
    })
}

/// Where the report of a run goes, and whether because cases failed.
///
/// A report with failed rows never replaces a good one, and a filtered one only where it is told.
fn destination(
    workspace: &Workspace,
    out: Option<&Path>,
    plan: &Plan,
    summary: &Summary,
) -> (PathBuf, bool) {
    let beside = workspace.scratch.join("report");
    match out {
        _ if !summary.failed.is_empty() => (beside, true),
        Some(out) => (out.to_owned(), false),
        None if plan.filter.is_some() => (beside, false),
        None => (workspace.root.clone(), false),
    }
}

/// Says which cases failed and what to do about it.
fn conclude(summary: &Summary, plan: &Plan, folder: Option<&PathBuf>) -> ExitCode {
    if summary.failed.is_empty() {
        return ExitCode::SUCCESS;
    }
    for (case, reason) in &summary.failed {
        eprintln!("failed: {case}: {reason}");
    }
    let kept = folder.map_or_else(String::new, |folder| {
        format!(
            "; the last good report stays, the one with the failed rows is {}",
            folder.join("BENCHMARKS.md").display()
        )
    });
    eprintln!(
        "error: {} of {} cases failed{kept}; mend them and measure them again with --resume, or publish the report as it is with `gen-benchmarks report --records {}`",
        summary.failed.len(),
        summary.cases,
        plan.records.display()
    );
    ExitCode::FAILURE
}

/// What a record holds and says, with what the policy of the workspace asks of it.
fn reported(workspace: &Workspace, records: &Path) -> Result<(Vec<record::Entry>, Report)> {
    let read = record::read(records)?;
    if read.truncated {
        bail!(
            "{}:{}: the record ends inside a line; complete it with --resume",
            records.display(),
            read.entries.len() + 1
        );
    }
    let shown = || format!("cannot render {}", records.display());
    let mut report = Report::new(&read.entries).with_context(shown)?;
    if let Some(policy) = find_policy(workspace, None)? {
        report.targets = targets::judge(&policy, &report);
    }
    Ok((read.entries, report))
}

/// All files of the report of a record.
fn rendered(workspace: &Workspace, records: &Path, folder: &Path) -> Result<publish::Files> {
    let (entries, report) = reported(workspace, records)?;
    lint::warn(records, &entries);
    let calibration = Calibration::read(folder)?;
    let mut files = markdown::files(&report, calibration.as_ref());
    if let Some(calibration) = calibration {
        let path = Path::new(ASSETS).join(CALIBRATION);
        files.insert(path, calibration.to_json().into_bytes());
    }
    let text: String = entries.iter().map(|entry| entry.to_line() + "\n").collect();
    files.insert(Path::new(ASSETS).join(RECORD), text.into_bytes());
    Ok(files)
}

/// Writes the report of a record.
fn render(workspace: &Workspace, records: &Path, folder: &Path) -> Result<()> {
    publish::publish(folder, &rendered(workspace, records, folder)?)
}
