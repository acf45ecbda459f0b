//! Finds the commit that made a case slower, by the gate's own test.

use std::collections::HashMap;
use std::process::ExitCode;

use anyhow::{Context, Result, bail};
use bench_harness::Environment;
use bench_harness::gate::{Finding, Judgement, Metric, Side, Verdict};
use clap::Args;

use crate::gate::{self, Builds, Plan};
use crate::gate_command::{self, Judging};
use crate::revision::{self, Revisions};
use crate::runner;
use crate::workspace::{Suite, Workspace};

pub(crate) const BISECT_HELP: &str = "\
Every step builds one commit and compares it with the good one as `gate` does, until one commit is
left that has regressed while the one before has not. Commits that do not build are passed over.

Exit codes: 0 found, 2 wrong usage or a failed tool, 3 the range cannot be narrowed further.

Example: gen-benchmarks bisect parse/json/1000 --good v1.2.0 --bad HEAD --bench parser";

#[derive(Args, Clone)]
pub(crate) struct Bisect {
    /// The case, as `gen-benchmarks list` prints it.
    #[arg(value_name = "CASE")]
    case: String,
    /// A revision before the case became slower.
    #[arg(long, value_name = "REV")]
    good: String,
    /// A revision in which it is.
    #[arg(long, value_name = "REV")]
    bad: String,
    /// What became worse.
    #[arg(long, value_name = "METRIC", default_value = "time", value_parser = metric)]
    metric: Metric,
    #[command(flatten)]
    judging: Judging,
}

fn metric(name: &str) -> Result<Metric, String> {
    let named = Metric::ALL.into_iter().find(|metric| metric.name() == name);
    named.ok_or_else(|| {
        let names = Metric::ALL.map(Metric::name).join(", ");
        format!("`{name}` is no metric; there are {names}")
    })
}

/// What is known of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Answer {
    Good,
    Bad,
    /// It does not build, or the gate cannot decide.
    Unknown,
}

/// Narrows the range between a good commit and a bad one, both given by number: asks of one in the
/// middle, or of its neighbours where that has no answer, until nothing is left to ask.
///
/// Returns the last good and the first bad one; what lies between them has no answer. Asks O(log n)
/// times where all have one.
fn search(
    good: usize,
    bad: usize,
    mut ask: impl FnMut(usize) -> Result<Answer>,
) -> Result<(usize, usize)> {
    let (mut good, mut bad) = (good, bad);
    let mut unknown = Vec::new();
    loop {
        let middle = good.midpoint(bad);
        let next = (good + 1..bad)
            .filter(|commit| !unknown.contains(commit))
            .min_by_key(|commit| commit.abs_diff(middle));
        let Some(next) = next else {
            return Ok((good, bad));
        };
        match ask(next)? {
            Answer::Good => good = next,
            Answer::Bad => bad = next,
            Answer::Unknown => unknown.push(next),
        }
    }
}

/// Finds the commit and prints it.
pub(crate) fn execute(workspace: &Workspace, arguments: &Bisect) -> Result<ExitCode> {
    let mut judging = arguments.judging.clone();
    judging.filter = Some(arguments.case.clone());
    judging.profile = crate::ProfileArg::Full;
    judging.tier = gate_command::TierArg::Release;
    let revisions = Revisions::of(workspace)?;
    let good = revisions.resolve(&arguments.good)?;
    let bad = revisions.resolve(&arguments.bad)?;
    let commits = revisions.between(&good, &bad)?;
    if commits.len() < 2 {
        bail!(
            "`{}` does not come after `{}`, so there is nothing between them; swap them, or name others",
            arguments.bad,
            arguments.good
        );
    }
    let signals = runner::signals()?;
    let mut bisection = Bisection {
        arguments,
        plan: judging.plan(workspace, HashMap::new())?,
        environment: Environment::capture(&workspace.root),
        signals: &signals,
        base: None,
    };
    let build = |side: &Side, label: &str| {
        let built = revisions.build(side, label, &judging.inputs());
        gate_command::interrupted_first(built, &signals)
    };
    let base = build(&good, "base")?;
    let named = |suite: &Suite| {
        let mut cases = suite.cases.iter().map(|defined| &defined.info.case);
        cases
            .find(|case| case.to_string() == arguments.case)
            .cloned()
    };
    let Some(case) = named(&base) else {
        bail!(
            "the good revision has no case `{}`; `gen-benchmarks list --profile full` prints all",
            arguments.case
        );
    };
    bisection.plan.only = Some(vec![case]);
    bisection.base = Some(base);
    let scratch = revisions.folder().to_owned();
    let last = commits.len() - 1;
    let ask = |number: usize, bisection: &mut Bisection<'_>| -> Result<Answer> {
        let side = &commits[number];
        let suite = match build(side, "head") {
            Ok(suite) => suite,
            Err(error) if error.is::<gate::Stopped>() => return Err(error),
            Err(error) => {
                eprintln!("{}: passed over: {error:#}", revision::short(&side.commit));
                return Ok(Answer::Unknown);
            }
        };
        bisection.compare([good.clone(), side.clone()], suite, &scratch)
    };
    match ask(last, &mut bisection)? {
        Answer::Bad => {}
        Answer::Good => bail!(
            "{} of `{}` is not worse in `{}` than in `{}`, so there is nothing to find",
            arguments.metric,
            arguments.case,
            arguments.bad,
            arguments.good
        ),
        Answer::Unknown => bail!(
            "whether `{}` is worse cannot be decided; compare the two with `gen-benchmarks gate` to see why",
            arguments.bad
        ),
    }
    let (good, bad) = search(0, last, |number| ask(number, &mut bisection))?;
    let describe = |side: &Side| revisions.describe(&side.commit);
    if good + 1 == bad {
        crate::print(&format!(
            "the first bad commit is {}\n",
            describe(&commits[bad])
        ))?;
        return Ok(ExitCode::SUCCESS);
    }
    let mut text = String::from(
        "the first bad commit is one of these, which do not build or cannot be decided:\n",
    );
    for side in &commits[good + 1..=bad] {
        text += &format!("  {}\n", describe(side));
    }
    crate::print(&text)?;
    Ok(ExitCode::from(3))
}

/// Compares commits with the good one.
struct Bisection<'r> {
    arguments: &'r Bisect,
    plan: Plan,
    environment: Environment,
    signals: &'r (
        std::sync::mpsc::Sender<runner::Signal>,
        std::sync::mpsc::Receiver<runner::Signal>,
    ),
    /// The build of the good commit; always there, but while it is lent.
    base: Option<Suite>,
}

/// How often a commit that the gate cannot decide is judged.
const ATTEMPTS: u64 = 2;

impl Bisection<'_> {
    fn compare(
        &mut self,
        sides: [Side; 2],
        head: Suite,
        scratch: &std::path::Path,
    ) -> Result<Answer> {
        let base = self.base.take().context("the good build is lent")?;
        let commit = revision::short(&sides[1].commit).to_owned();
        let builds = Builds {
            suites: [base, head],
            sides,
            scratch: scratch.to_owned(),
            compare_equal: false,
            extra: 0.0,
        };
        let mut answer = Ok(Answer::Unknown);
        for _ in 0..ATTEMPTS {
            self.plan.seed += 1;
            let judged = gate::judge(
                &self.plan,
                &builds,
                &self.environment,
                (&self.signals.0, &self.signals.1),
            );
            answer = judged.map(|judgement| self.answer(&commit, &judgement));
            if !matches!(answer, Ok(Answer::Unknown)) {
                break;
            }
        }
        let [base, _] = builds.suites;
        self.base = Some(base);
        answer
    }

    /// What a judgement says of the case.
    fn answer(&self, commit: &str, judgement: &Judgement) -> Answer {
        let metric = self.arguments.metric;
        let findings = judgement.findings.iter();
        let of_metric: Vec<&Finding> = findings
            .filter(|finding| finding.metric == metric)
            .collect();
        let any = |verdict| of_metric.iter().any(|finding| finding.verdict == verdict);
        let answer = match () {
            () if any(Verdict::Regressed) => Answer::Bad,
            () if of_metric.is_empty() || any(Verdict::Inconclusive) => Answer::Unknown,
            () => Answer::Good,
        };
        let word = match answer {
            Answer::Bad => "worse",
            Answer::Good => "not worse",
            Answer::Unknown => "not decided",
        };
        let by = of_metric.iter().find_map(|finding| finding.change);
        let by = by.map(|change| format!(", {}", format_args!("{:+.1} %", 100.0 * change.point)));
        eprintln!("{commit}: {word}{}", by.unwrap_or_default());
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(commits: usize, first_bad: usize, unknown: &[usize], found: (usize, usize)) {
        let mut asked = 0;
        let answer = search(0, commits - 1, |commit| {
            asked += 1;
            Ok(match () {
                () if unknown.contains(&commit) => Answer::Unknown,
                () if commit >= first_bad => Answer::Bad,
                () => Answer::Good,
            })
        });
        assert_eq!(answer.unwrap(), found);
        let steps = commits.ilog2() as usize + 1 + unknown.len();
        assert!(asked <= steps, "{asked} questions for {commits} commits");
    }

    #[test]
    fn first_bad_commit_is_found_wherever_it_is() {
        for commits in [2, 3, 10, 33] {
            for first_bad in 1..commits {
                check(commits, first_bad, &[], (first_bad - 1, first_bad));
            }
        }
    }

    #[test]
    fn commits_without_an_answer_are_passed_over_and_left_in_the_range() {
        check(20, 7, &[9, 10], (6, 7));
        check(20, 10, &[9, 10], (8, 11));
        check(3, 2, &[1], (0, 2));
    }

    #[test]
    fn unknown_metric_is_named() {
        assert_eq!(metric("peak"), Ok(Metric::Peak));
        assert!(metric("size").unwrap_err().contains("`size` is no metric"));
    }
}
