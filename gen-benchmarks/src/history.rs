//! What became of each case from commit to commit: records of many commits in, tables and charts
//! of what changed out.

mod git;
mod run;
mod series;
mod show;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, anyhow, bail};
use bench_harness::changepoint::{SHORTEST_LEVEL, SHORTEST_SERIES, Search};
use bench_harness::record::{self, Entries};
use clap::Args;

use crate::chart::Theme;
use crate::publish;
use crate::report::{ASSETS, RECORD};
use run::Run;
use series::{Choice, History};

/// Most messages about unreadable records that are printed.
const MESSAGES: usize = 20;

pub(crate) const HELP: &str = "\
A history is a folder of records, into which a run at each commit writes. git should ignore the
folder, or else it is a change of the working tree and the records do not stand for their commit:
  echo /history/ >> .gitignore
  gen-benchmarks run --records history/$(git rev-parse HEAD).jsonl

A commit with several records pools their processes. Commits are ordered as git orders them, and by
date where it does not know them. A change point needs 4 commits on each of its sides.

Exit code: 0; with --fail-on-regression 1 where a case that the newest commit has is slower at its
newest level than at the one before; 2 where a record cannot be read.

Examples:
  gen-benchmarks history history
  gen-benchmarks history history --filter parse --charts charts --markdown history.md
  gen-benchmarks history --branch main               every version of the published record
  gen-benchmarks history history --fail-on-regression --change 5";

#[derive(Args, Clone)]
pub(crate) struct Arguments {
    /// A folder of records (*.jsonl), one or more a commit.
    #[arg(
        value_name = "DIR",
        required_unless_present = "branch",
        conflicts_with = "branch"
    )]
    folder: Option<PathBuf>,
    /// Instead of a folder: every version of one record in the history of a branch. Nothing is
    /// checked out.
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// The record in the branch, from the root of the repository [default:
    /// assets/benchmarks.jsonl].
    #[arg(long, value_name = "FILE", requires = "branch")]
    path: Option<String>,
    /// Only cases whose `group/series/input` contains this text; those without change are shown too.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// The machine to show; 1 is that of the newest commit.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    machine: u32,
    /// Take records of a working tree with changes, as if they were of its commit.
    #[arg(long)]
    dirty: bool,
    /// The largest probability that a case without a change shows one.
    #[arg(long, value_name = "P", default_value = "0.001", value_parser = probability)]
    p: f64,
    /// The smallest change that matters, in percent.
    #[arg(long, value_name = "PERCENT", default_value = "1", value_parser = percent)]
    change: f64,
    /// How many commits are looked at together.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u16).range(SHORTEST_SERIES as i64..=1000))]
    window: u16,
    /// Write the table as Markdown, with the charts where --charts is given.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write all values and change points as JSON.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Draw a chart of each case that changed or that --filter names, light and dark.
    #[arg(long, value_name = "DIR")]
    charts: Option<PathBuf>,
    /// Exit with 1 where a case is slower at its newest level than at the one before.
    #[arg(long)]
    fail_on_regression: bool,
}

fn probability(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|p| *p > 0.0 && *p < 1.0)
        .ok_or_else(|| "give a number between 0 and 1, as in 0.001".to_owned())
}

fn percent(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|percent| (0.0..=1e6).contains(percent))
        .map(|percent: f64| percent / 100.0)
        .ok_or_else(|| "give a number of percent that is not negative, as in 2.5".to_owned())
}

/// Reads the records, prints the table and writes what was asked for.
pub(crate) fn history(arguments: &Arguments) -> Result<ExitCode> {
    debug_assert_eq!(
        SHORTEST_LEVEL, 4,
        "the help says how many commits are needed"
    );
    let here = Path::new(".");
    let runs = match (&arguments.folder, &arguments.branch) {
        (Some(folder), _) => of_folder(folder)?,
        (None, Some(branch)) => {
            let default = format!("{ASSETS}/{RECORD}");
            of_branch(here, branch, arguments.path.as_ref().unwrap_or(&default))?
        }
        (None, None) => bail!("name a folder of records or a --branch"),
    };
    let ids: Vec<String> = runs
        .iter()
        .filter_map(|run| run.info.environment.commit.clone())
        .collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    let known = git::known(here, &ids);
    let choice = Choice {
        machine: arguments.machine as usize,
        dirty: arguments.dirty,
        filter: arguments.filter.clone(),
        search: Search {
            window: usize::from(arguments.window),
            p: arguments.p,
            change: arguments.change,
        },
    };
    let mut history = History::new(runs, &known, &choice)?;
    find_others(here, &mut history);
    write(arguments, &history)?;
    crate::print(&show::table(&history))?;
    let slower = history.cases.iter().any(series::Case::is_slower);
    Ok(match arguments.fail_on_regression && slower {
        true => ExitCode::FAILURE,
        false => ExitCode::SUCCESS,
    })
}

fn of_folder(folder: &Path) -> Result<Vec<Run>> {
    let shown = || format!("cannot read the folder {}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).with_context(shown)? {
        let path = entry.with_context(shown)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "jsonl")
        {
            files.push(path);
        }
    }
    if files.is_empty() {
        bail!(
            "{} holds no records (*.jsonl); write one with `gen-benchmarks run --records {}`",
            folder.display(),
            folder.join("$(git rev-parse HEAD).jsonl").display()
        );
    }
    files.sort();
    read_all(&files, |path| {
        let read = record::read(path).map_err(|error| anyhow!(error))?;
        Ok((path.display().to_string(), read))
    })
}

fn of_branch(here: &Path, branch: &str, path: &str) -> Result<Vec<Run>> {
    let versions = git::versions(here, branch, path)?;
    read_all(&versions, |version| {
        let bytes = git::content(here, version)?;
        let read = record::read_from(&bytes[..], Path::new(&version.name))?;
        Ok((version.name.clone(), read))
    })
}

/// Reads records on all cores, each reduced before the next is read: together they may be larger than
/// the memory. Fails with what is wrong with all of them.
fn read_all<S: Sync>(
    sources: &[S],
    read: impl Fn(&S) -> Result<(String, Entries)> + Sync,
) -> Result<Vec<Run>> {
    let one = |source: &S| {
        let (name, entries) = read(source)?;
        Run::new(name, entries).map_err(|error| anyhow!(error))
    };
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut done = Vec::new();
        loop {
            // Only the number itself is shared.
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(source) = sources.get(at) else {
                return done;
            };
            done.push((at, one(source)));
        }
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let mut done: Vec<(usize, Result<Run>)> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..workers.min(sources.len()))
            .map(|_| scope.spawn(worker))
            .collect();
        let threads = threads.into_iter();
        threads
            .flat_map(|thread| thread.join().expect("reading a record does not panic"))
            .collect()
    });
    done.sort_by_key(|(at, _)| *at);
    let (mut runs, mut messages) = (Vec::new(), Vec::new());
    for (_, outcome) in done {
        match outcome {
            Ok(run) => runs.push(run),
            Err(error) => messages.push(format!("{error:#}")),
        }
    }
    match &messages[..] {
        [] => Ok(runs),
        [only] => bail!("{only}; mend or remove it"),
        all => bail!(
            "{} of {} records cannot be read; mend or remove them:\n{}{}",
            all.len(),
            sources.len(),
            all[..all.len().min(MESSAGES)].join("\n"),
            match all.len().checked_sub(MESSAGES) {
                Some(more) if more > 0 => format!("\nand {more} more"),
                _ => String::new(),
            }
        ),
    }
}

/// Asks git how many commits that were not measured may have been the cause of each change.
fn find_others(here: &Path, history: &mut History) {
    let mut counts: HashMap<(usize, usize), Option<u64>> = HashMap::new();
    for case in &mut history.cases {
        for moved in &mut case.moves {
            let ends = (moved.previous, moved.commit);
            moved.among = *counts.entry(ends).or_insert_with(|| {
                let known = |at: usize| {
                    let commit = &history.commits[at];
                    commit.id.as_deref().filter(|_| commit.is_known)
                };
                git::count_between(here, known(ends.0)?, known(ends.1)?)
            });
        }
    }
}

/// Writes the files that were asked for.
fn write(arguments: &Arguments, history: &History) -> Result<()> {
    let pictures = match &arguments.charts {
        Some(_) => show::pictures(history),
        None => Vec::new(),
    };
    if let Some(folder) = &arguments.charts {
        publish::probe_folder(folder)?;
        for picture in &pictures {
            for theme in [Theme::Light, Theme::Dark] {
                let svg = show::chart(history, &history.cases[picture.case], theme);
                publish::write(&folder.join(picture.file(theme)), svg.as_bytes())?;
            }
        }
        eprintln!("{} charts in {}", pictures.len(), folder.display());
    }
    if let Some(path) = &arguments.json {
        publish::write(path, show::json(history).as_bytes())?;
    }
    if let Some(path) = &arguments.markdown {
        let folder = match &arguments.charts {
            Some(charts) => seen_from(charts, path),
            None => String::new(),
        };
        let page = show::markdown(history, &pictures, &folder);
        publish::write(path, page.as_bytes())?;
    }
    Ok(())
}

/// The folder of the charts as a page at `page` names it.
fn seen_from(charts: &Path, page: &Path) -> String {
    let beside = page.parent().unwrap_or(Path::new(""));
    let folder = charts.strip_prefix(beside).unwrap_or(charts);
    match folder.display().to_string() {
        here if here.is_empty() || here == "." => String::new(),
        folder => format!("{}/", folder.trim_end_matches('/')),
    }
}
