//! What criterion and tango themselves say when a program is compared with itself, as their users see
//! it. Whatever they call a change is a false alarm.

use std::collections::HashSet;
use std::fmt;
use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Command, ExitCode, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, Sender};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use bench_harness::gate::Change;
use bench_harness::record::{CaseId, Extras, Profile};
use bench_harness::{EXTRAS_FILE, criterion_output, stats};
use clap::Args;

use crate::progress::Progress;
use crate::runner::{self, Interrupted, Plan, Signal};
use crate::workspace::{Binary, Defined, Inputs, Suite, Workspace};

pub(crate) const HELP: &str =
    "Only where a bench target `tango` gives the same cases to tango, as in the workspace of this program.

Example: gen-benchmarks peer-verdicts --bench arena --bench intern --count 20";

#[derive(Args, Clone)]
pub(crate) struct Arguments {
    /// Only cases whose `group/series/input` contains this text.
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Only these bench targets; a name may end in `*`.
    #[arg(long, value_name = "NAME")]
    bench: Vec<String>,
    /// How many cases, drawn from those of the quick profile that run on one thread.
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..=1000))]
    count: u32,
    /// Seconds that one process may take.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = crate::seconds)]
    timeout: Duration,
}

/// Lets other tools compare cases with themselves, and prints what they said.
pub(crate) fn execute(workspace: &Workspace, arguments: Arguments) -> Result<ExitCode> {
    let mut suite = workspace.build(&Inputs {
        targets: arguments.bench,
        ..Inputs::default()
    })?;
    suite.keep_own()?;
    let plan = Plan {
        profile: Profile::Quick,
        filter: arguments.filter,
        share: None,
        processes: 1,
        timeout: arguments.timeout,
        records: PathBuf::new(),
        resumed: None,
    };
    let mut cases = plan.select(&suite)?;
    bench_harness::shuffle(&mut cases, 1);
    let (sender, receiver) = runner::signals()?;
    let peers = Peers {
        suite: &suite,
        tango: workspace.build_tango()?,
        timeout: arguments.timeout,
        signals: (&sender, &receiver),
    };
    let verdicts = peers
        .choose(&cases, arguments.count as usize)
        .and_then(|cases| peers.run(&cases));
    let verdicts = match verdicts {
        Err(error) if error.is::<Interrupted>() => {
            eprintln!("interrupted; verdicts are not kept");
            return Ok(ExitCode::from(130));
        }
        verdicts => verdicts?,
    };
    if verdicts.is_empty() {
        bail!("none of these cases runs on one thread; choose others with --filter");
    }
    crate::print(&details(&verdicts))?;
    crate::print(&format!("\n{}", table(&rows(&verdicts))))?;
    Ok(ExitCode::SUCCESS)
}

/// Another tool that compares two builds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// Compares a run with the one before.
    Criterion,
    /// Lets two processes take their samples at the same time.
    Tango,
}

impl Tool {
    /// Every tool.
    pub(crate) const ALL: [Self; 2] = [Self::Criterion, Self::Tango];
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Criterion => "criterion",
            Self::Tango => "tango",
        })
    }
}

/// What a tool tells its user of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Said {
    /// Slower.
    Regressed,
    /// Faster.
    Improved,
    /// No change, or none that counts.
    Unchanged,
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Regressed => "regressed",
            Self::Improved => "improved",
            Self::Unchanged => "unchanged",
        })
    }
}

/// What a tool made of two runs of one case.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Compared {
    pub(crate) said: Said,
    /// The change it reports: 0.02 is 2 % slower.
    pub(crate) change: f64,
}

/// A comparison of a case with itself by a tool.
#[derive(Clone, Debug)]
pub(crate) struct PeerVerdict {
    pub(crate) tool: Tool,
    /// Its version, where known.
    pub(crate) version: Option<String>,
    pub(crate) case: CaseId,
    /// What it said, or why it said nothing.
    pub(crate) outcome: Result<Compared, String>,
    /// What the whole comparison took.
    pub(crate) seconds: f64,
}

/// What is compared, and by what.
pub(crate) struct Peers<'r> {
    pub(crate) suite: &'r Suite,
    /// The program of tango, or why there is none.
    pub(crate) tango: Result<Binary, String>,
    /// What one process may take.
    pub(crate) timeout: Duration,
    pub(crate) signals: (&'r Sender<Signal>, &'r Receiver<Signal>),
}

/// What criterion warms up and measures for, and tango measures for, in seconds.
const WARM_UP: &str = "0.3";
const MEASUREMENT: &str = "1";

impl Peers<'_> {
    /// The first `count` of `cases` that run on one thread and that tango has too, where it is there.
    pub(crate) fn choose<'d>(
        &self,
        cases: &[&'d Defined],
        count: usize,
    ) -> Result<Vec<&'d Defined>> {
        let listed = match &self.tango {
            Ok(tango) => self.ask(tango, "list")?,
            Err(_) => None,
        };
        let listed: Option<HashSet<&str>> = listed.as_ref().map(|text| text.lines().collect());
        let mut chosen = Vec::new();
        for &defined in cases {
            if chosen.len() == count {
                break;
            }
            let id = defined.info.case.to_string();
            let listed = listed.as_ref();
            if listed.is_none_or(|listed| listed.contains(id.as_str())) && self.alone(defined)? {
                chosen.push(defined);
            }
        }
        Ok(chosen)
    }

    /// Compares every case with itself by every tool.
    pub(crate) fn run(&self, cases: &[&Defined]) -> Result<Vec<PeerVerdict>> {
        let criterion = self.suite.version("criterion")?;
        let tango = match &self.tango {
            Ok(binary) => self.ask(binary, "--version")?.and_then(|said| {
                let version = said.split_whitespace().next_back();
                version.map(str::to_owned)
            }),
            Err(_) => None,
        };
        let mut verdicts = Vec::new();
        let mut progress = Progress::of("comparisons", cases.len() * Tool::ALL.len());
        for defined in cases {
            let case = &defined.info.case;
            for tool in Tool::ALL {
                progress.announce(case);
                let start = Instant::now();
                let (version, outcome) = match (tool, &self.tango) {
                    (Tool::Criterion, _) => (&criterion, self.criterion(defined)?),
                    (Tool::Tango, Ok(binary)) => (&tango, self.tango(binary, case)?),
                    (Tool::Tango, Err(absent)) => (&tango, Err(absent.clone())),
                };
                verdicts.push(PeerVerdict {
                    tool,
                    version: version.clone(),
                    case: case.clone(),
                    outcome,
                    seconds: start.elapsed().as_secs_f64(),
                });
                progress.step(case);
            }
        }
        progress.finish();
        Ok(verdicts)
    }

    /// Whether a case runs on one thread, or nobody can tell.
    fn alone(&self, defined: &Defined) -> Result<bool> {
        let home = tempfile::tempdir().context("cannot create a temporary folder")?;
        let extras = home.path().join("extras.jsonl");
        let mut command = self.suite.command(defined.binary)?;
        command
            .env("CRITERION_HOME", home.path())
            .env(EXTRAS_FILE, &extras)
            .args(["--test", "--exact", "--"])
            .arg(defined.info.case.to_string());
        // What cannot even be tried is for its own report to tell.
        let _ = self.output(command)?;
        let text = fs::read_to_string(&extras).unwrap_or_default();
        let extras: Option<Extras> = text
            .lines()
            .next()
            .and_then(|line| serde_json::from_str(line).ok());
        Ok(extras.is_some_and(|extras| extras.threads.is_none_or(|threads| threads == 1)))
    }

    /// Measures a case twice, as a user does who looks whether something changed.
    fn criterion(&self, defined: &Defined) -> Result<Result<Compared, String>> {
        let home = tempfile::tempdir().context("cannot create a temporary folder")?;
        let mut printed = String::new();
        for _ in 0..2 {
            let mut command = self.suite.command(defined.binary)?;
            command
                .env("CRITERION_HOME", home.path())
                .env_remove(EXTRAS_FILE)
                .args(["--bench", "--noplot", "--color", "never", "--exact"])
                .args(["--warm-up-time", WARM_UP])
                .args(["--measurement-time", MEASUREMENT])
                .args(["--", &defined.info.case.to_string()]);
            printed = match self.output(command)? {
                Ok((status, printed, _)) if status.success() => printed,
                Ok((status, _, stderr)) => return Ok(Err(runner::reason(&stderr, status))),
                Err(late) => return Ok(Err(late)),
            };
        }
        let changes = criterion_output::changes(home.path());
        Ok(changes
            .map_err(|error| error.to_string())
            .and_then(|changes| criterion_said(&printed, &changes)))
    }

    /// Lets tango compare its program with itself.
    fn tango(&self, tango: &Binary, case: &CaseId) -> Result<Result<Compared, String>> {
        let mut command = command(tango);
        command
            .args(["--color", "never", "compare"])
            .arg(&tango.path)
            .args(["-t", MEASUREMENT])
            .arg(format!("--filter={}", literally(&case.to_string())));
        Ok(self.output(command)?.and_then(|(status, printed, stderr)| {
            tango_said(&printed, &case.to_string(), status.success()).unwrap_or_else(
                || match status.success() {
                    true => Err("it has no such case".to_owned()),
                    false => Err(runner::reason(&stderr, status)),
                },
            )
        }))
    }

    /// What tango's program prints for one argument, if it can be run.
    fn ask(&self, tango: &Binary, argument: &str) -> Result<Option<String>> {
        let mut command = command(tango);
        command.arg(argument);
        Ok(match self.output(command)? {
            Ok((status, printed, _)) if status.success() => Some(printed),
            _ => None,
        })
    }

    /// Runs `command` to its end; what it printed, or why it came to none.
    fn output(&self, mut command: Command) -> Result<Result<(ExitStatus, String, String), String>> {
        let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
        let path = folder.path().join("stdout");
        command.stdout(File::create(&path)?);
        let ended = runner::run_to_end(command, self.timeout, self.signals)?;
        let printed = fs::read(&path)?;
        let printed = String::from_utf8_lossy(&printed).into_owned();
        Ok(ended.map(|(status, stderr)| (status, printed, stderr)))
    }
}

/// A command that runs tango's program as cargo would.
fn command(tango: &Binary) -> Command {
    let mut command = Command::new(&tango.path);
    command.current_dir(&tango.folder).stdin(Stdio::null());
    command
}

/// A glob of tango's that matches `text` only.
fn literally(text: &str) -> String {
    let mut glob = String::new();
    for character in text.chars() {
        if r"*?[]{}!\".contains(character) {
            glob.push('\\');
        }
        glob.push(character);
    }
    glob
}

/// What criterion 0.8 said when it `printed` the second run of one case, and its files hold `changes`.
fn criterion_said(printed: &str, changes: &[Change]) -> Result<Compared, String> {
    let sentences: Vec<Said> = printed
        .lines()
        .filter_map(|line| match line.trim() {
            "Performance has regressed." => Some(Said::Regressed),
            "Performance has improved." => Some(Said::Improved),
            "No change in performance detected." | "Change within noise threshold." => {
                Some(Said::Unchanged)
            }
            _ => None,
        })
        .collect();
    let (&[said], [change]) = (&sentences[..], changes) else {
        return Err(format!(
            "it said something of {} cases and wrote {} changes where one case was compared",
            sentences.len(),
            changes.len()
        ));
    };
    let fits = match said {
        Said::Regressed => change.low > 0.0,
        Said::Improved => change.high < 0.0,
        Said::Unchanged => change.point.is_finite(),
    };
    match fits {
        true => Ok(Compared {
            said,
            change: change.point,
        }),
        false => Err(format!(
            "it called a change between {} and {} {said}",
            change.low, change.high
        )),
    }
}

/// What tango 0.9 said when it `printed` its table for one case, and ended well or not; `None` where the
/// table has no such case.
///
/// A row is the name, `[ old ... new ]`, and the change in percent; a star after it says that the change
/// is significant, and a significant slow-down makes it fail.
fn tango_said(printed: &str, case: &str, success: bool) -> Option<Result<Compared, String>> {
    let row = printed.lines().find_map(|line| {
        let (name, figures) = line.rsplit_once(" [ ")?;
        (name.trim_end() == case).then_some(figures)
    })?;
    let unknown = || format!("`{row}` is no row of its table");
    let read = || {
        let (_, change) = row.rsplit_once(']')?;
        let (percent, mark) = change.trim().rsplit_once('%')?;
        let percent: f64 = percent.trim().parse().ok()?;
        let said = match mark {
            "" => Said::Unchanged,
            "*" if percent > 0.0 => Said::Regressed,
            "*" => Said::Improved,
            _ => return None,
        };
        percent.is_finite().then_some(Compared {
            said,
            change: percent / 100.0,
        })
    };
    Some(match read() {
        None => Err(unknown()),
        Some(compared) if success == (compared.said != Said::Regressed) => Ok(compared),
        Some(_) => Err(format!(
            "it {} after the row `{row}`",
            if success { "ended well" } else { "failed" }
        )),
    })
}

/// What a tool said over all cases.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) tool: Tool,
    pub(crate) version: Option<String>,
    /// How often it came to a verdict.
    pub(crate) comparisons: u64,
    pub(crate) regressed: u64,
    pub(crate) improved: u64,
    /// The case with the largest change that it reported, and that.
    pub(crate) largest: Option<(CaseId, f64)>,
    /// What its comparisons took in all.
    pub(crate) seconds: f64,
    /// Where it came to no verdict, and why.
    pub(crate) failed: Vec<(CaseId, String)>,
}

impl Row {
    /// The share of comparisons that it called a change, and the interval of that; `None` without
    /// What a reader should know besides the counts.
    pub(crate) fn note(&self) -> String {
        let largest = self
            .largest
            .as_ref()
            .map(|(case, change)| format!("largest change {:+.1} %, of {case}", 100.0 * change));
        let failed = self.failed.first().map(|(case, reason)| {
            format!(
                "nothing of {} cases, as {case}: {reason}",
                self.failed.len()
            )
        });
        let notes: Vec<String> = largest.into_iter().chain(failed).collect();
        notes.join("; ")
    }

    /// comparisons.
    pub(crate) fn false_alarms(&self) -> Option<(f64, (f64, f64))> {
        let alarms = self.regressed + self.improved;
        (self.comparisons > 0).then(|| {
            let rate = alarms as f64 / self.comparisons as f64;
            (rate, stats::proportion(alarms, self.comparisons))
        })
    }
}

/// A row for every tool that was asked.
pub(crate) fn rows(verdicts: &[PeerVerdict]) -> Vec<Row> {
    let mut rows = Vec::new();
    for tool in Tool::ALL {
        let mut of_tool = verdicts.iter().filter(|verdict| verdict.tool == tool);
        let Some(first) = of_tool.clone().next() else {
            continue;
        };
        let mut row = Row {
            tool,
            version: first.version.clone(),
            comparisons: 0,
            regressed: 0,
            improved: 0,
            largest: None,
            seconds: 0.0,
            failed: Vec::new(),
        };
        for verdict in of_tool.by_ref() {
            row.seconds += verdict.seconds;
            let compared = match &verdict.outcome {
                Ok(compared) => compared,
                Err(reason) => {
                    row.failed.push((verdict.case.clone(), reason.clone()));
                    continue;
                }
            };
            row.comparisons += 1;
            match compared.said {
                Said::Regressed => row.regressed += 1,
                Said::Improved => row.improved += 1,
                Said::Unchanged => {}
            }
            let largest = row.largest.as_ref();
            if largest.is_none_or(|(_, change)| compared.change.abs() > change.abs()) {
                row.largest = Some((verdict.case.clone(), compared.change));
            }
        }
        rows.push(row);
    }
    rows
}

/// A table of `rows` for a terminal, with the reasons for what failed below it.
pub(crate) fn table(rows: &[Row]) -> String {
    let percent = |share: f64| format!("{:.1}", share * 100.0);
    let mut lines = vec![
        [
            "tool",
            "comparisons",
            "\"regressed\"",
            "\"improved\"",
            "false alarms [95 %]",
            "largest change",
            "seconds",
        ]
        .map(str::to_owned),
    ];
    let mut notes = String::new();
    for row in rows {
        let name = match &row.version {
            Some(version) => format!("{} {version}", row.tool),
            None => row.tool.to_string(),
        };
        let mut reasons: Vec<&String> = row.failed.iter().map(|(_, reason)| reason).collect();
        reasons.dedup();
        match (&reasons[..], row.failed.len()) {
            ([], _) => {}
            ([reason], cases) if cases > 1 => {
                notes += &format!("{name}: no verdict on {cases} cases: {reason}\n");
            }
            _ => {
                for (case, reason) in &row.failed {
                    notes += &format!("{name}: no verdict on {case}: {reason}\n");
                }
            }
        }
        let alarms = row.false_alarms();
        let alarms = alarms.map_or("-".to_owned(), |(rate, (low, high))| {
            format!("{} % [{}, {}]", percent(rate), percent(low), percent(high))
        });
        let largest = row.largest.as_ref();
        lines.push([
            name,
            row.comparisons.to_string(),
            row.regressed.to_string(),
            row.improved.to_string(),
            alarms,
            largest.map_or("-".to_owned(), |(_, change)| {
                format!("{:+.1} %", change * 100.0)
            }),
            format!("{:.0}", row.seconds),
        ]);
    }
    let widths: Vec<usize> = (0..lines[0].len())
        .map(|column| lines.iter().map(|line| line[column].len()).max())
        .map(Option::unwrap_or_default)
        .collect();
    let mut text = String::new();
    for line in &lines {
        let cells = line.iter().zip(&widths).enumerate();
        let cells: Vec<String> = cells
            .map(|(column, (cell, &width))| match column {
                0 => format!("{cell:<width$}"),
                _ => format!("{cell:>width$}"),
            })
            .collect();
        text += &(cells.join("  ") + "\n");
    }
    text + &notes
}

/// A line for every verdict.
pub(crate) fn details(verdicts: &[PeerVerdict]) -> String {
    let line = |verdict: &PeerVerdict| {
        let said = match &verdict.outcome {
            Ok(Compared { said, change }) => format!("{said} {:+.2} %", change * 100.0),
            Err(reason) => format!("failed: {reason}"),
        };
        format!("{:<9}  {}  {said}\n", verdict.tool, verdict.case)
    };
    verdicts.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What criterion 0.8.2 prints where that is no terminal; the sentence takes turns.
    const CRITERION: &str = "\
ready-set/chain/by-id/1000
                        time:   [159.32 µs 164.51 µs 170.08 µs]
                        thrpt:  [5.8796 Melem/s 6.0786 Melem/s 6.2765 Melem/s]
                 change:
                        time:   [−13.964% −4.9844% +4.8531%] (p = 0.32 > 0.05)
                        thrpt:  [−4.6285% +5.2459% +16.230%]
                        Performance has regressed.
Found 20 outliers among 100 measurements (20.00%)
  12 (12.00%) low mild
  5 (5.00%) high mild
  3 (3.00%) high severe

";

    const SLOWER: Change = Change {
        point: 0.025_112,
        low: 0.020_312,
        high: 0.030_001,
    };

    #[track_caller]
    fn check_criterion(sentence: &str, change: Change, expected: Said) {
        let printed = CRITERION.replace("Performance has regressed.", sentence);
        let compared = criterion_said(&printed, &[change]).unwrap();
        assert_eq!((compared.said, compared.change), (expected, change.point));
    }

    #[test]
    fn criterion_is_taken_by_its_sentence_and_the_change_from_its_file() {
        check_criterion("Performance has regressed.", SLOWER, Said::Regressed);
        let faster = Change {
            point: -0.02,
            low: -0.03,
            high: -0.015,
        };
        check_criterion("Performance has improved.", faster, Said::Improved);
        // An interval without 0 in it is not yet a sentence.
        check_criterion("Change within noise threshold.", SLOWER, Said::Unchanged);
        check_criterion(
            "No change in performance detected.",
            faster,
            Said::Unchanged,
        );
    }

    #[track_caller]
    fn check_no_verdict(printed: &str, changes: &[Change], reason: &str) {
        let error = criterion_said(printed, changes).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }

    #[test]
    fn sentence_that_is_missing_doubled_or_contradicted_is_no_verdict() {
        let changes = [SLOWER];
        check_no_verdict("", &changes, "0 cases");
        check_no_verdict(&CRITERION.repeat(2), &changes, "2 cases");
        check_no_verdict(CRITERION, &[], "0 changes");
        let improved = CRITERION.replace("regressed", "improved");
        check_no_verdict(&improved, &changes, "improved");
    }

    /// What tango-bench 0.9.0 prints, with a name that is longer than its column.
    const TANGO: &str = "\
arena-cycle/pooled/100                             [   1.1 us ... 758.9 ns ]     -33.57%*
arena-cycle/pooled/1000                            [  12.8 us ...  11.8 us ]      -7.38%
node-data/metrics-full/100                         [  13.3 us ...  18.1 us ]     +35.97%*
walk/a chain [ of ... nodes ]/sequential/with a long name [  10.5 ms ...  10.7 ms ]      +1.91%
";

    #[track_caller]
    fn check_tango(case: &str, success: bool, said: Said, percent: f64) {
        let compared = tango_said(TANGO, case, success).unwrap().unwrap();
        assert_eq!((compared.said, compared.change), (said, percent / 100.0));
    }

    #[test]
    fn tango_is_taken_by_its_star_and_the_sign_before_it() {
        check_tango("node-data/metrics-full/100", false, Said::Regressed, 35.97);
        check_tango("arena-cycle/pooled/100", true, Said::Improved, -33.57);
        check_tango("arena-cycle/pooled/1000", true, Said::Unchanged, -7.38);
        let long = "walk/a chain [ of ... nodes ]/sequential/with a long name";
        check_tango(long, true, Said::Unchanged, 1.91);
    }

    #[test]
    fn table_of_tango_without_the_case_or_against_its_exit_code_is_no_verdict() {
        assert_eq!(tango_said(TANGO, "arena-cycle/pooled/10", true), None);
        assert_eq!(tango_said("Error: no\n", "walk/chain", false), None);
        let said = |success| tango_said(TANGO, "node-data/metrics-full/100", success).unwrap();
        assert!(said(true).unwrap_err().contains("ended well"));
        let failed = tango_said(TANGO, "arena-cycle/pooled/100", false).unwrap();
        assert!(failed.unwrap_err().contains("failed"));
        for change in ["+NaN%", "+inf%*", "+1.0%!", "+1.0", ""] {
            let printed = format!("case [ 0 ns ... 1 ns ] {change}");
            let outcome = tango_said(&printed, "case", true).unwrap();
            assert!(outcome.unwrap_err().contains("no row"), "{change}");
        }
    }

    #[test]
    fn name_of_a_case_is_no_glob() {
        assert_eq!(literally("map/with-capacity/10"), "map/with-capacity/10");
        assert_eq!(literally(r"!a*b?[c]{d}\"), r"\!a\*b\?\[c\]\{d\}\\");
    }

    fn verdict(tool: Tool, outcome: Result<(Said, f64), &str>) -> PeerVerdict {
        PeerVerdict {
            tool,
            version: (tool == Tool::Criterion).then(|| "0.8.2".to_owned()),
            case: CaseId {
                group: "walk".to_owned(),
                series: "own".to_owned(),
                input: "10".to_owned(),
            },
            outcome: outcome
                .map(|(said, change)| Compared { said, change })
                .map_err(str::to_owned),
            seconds: 3.0,
        }
    }

    #[test]
    fn table_counts_alarms_over_verdicts_and_says_what_came_to_none() {
        use Tool::{Criterion, Tango};
        let mut verdicts = vec![
            verdict(Criterion, Ok((Said::Regressed, 0.03))),
            verdict(Criterion, Ok((Said::Improved, -0.045))),
            verdict(Criterion, Err("it crashed")),
            verdict(Tango, Err("it does not build")),
            verdict(Tango, Err("it does not build")),
        ];
        let unchanged = verdict(Criterion, Ok((Said::Unchanged, 0.001)));
        verdicts.extend(vec![unchanged; 8]);
        let rows = rows(&verdicts);
        assert_eq!((rows[0].comparisons, rows[0].failed.len()), (10, 1));
        assert_eq!(rows[1].false_alarms(), None);
        assert_eq!(
            table(&rows),
            "\
tool             comparisons  \"regressed\"  \"improved\"  false alarms [95 %]  largest change  seconds
criterion 0.8.2           10            1           1   20.0 % [2.5, 55.6]          -4.5 %       33
tango                      0            0           0                    -               -        6
criterion 0.8.2: no verdict on walk/own/10: it crashed
tango: no verdict on 2 cases: it does not build
"
        );
    }
}
