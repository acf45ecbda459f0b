//! What the gate is worth on a machine, measured: how often it errs and what it finds.
//!
//! Everything here is stored as JSON and rendered from there; how it is measured is in
//! [`calibrate`](crate::calibrate).

use std::collections::HashMap;
use std::fmt::Write as _;
use std::path::Path;

use anyhow::{Context, Result, bail};
use bench_harness::Environment;
use bench_harness::gate::Verdict;
use bench_harness::record::CaseId;
use bench_harness::sequential::Test;
use bench_harness::stats;
use serde::{Deserialize, Serialize};

use crate::confirm;
use crate::relink;
use crate::report::ASSETS;

/// The file of the published calibration, beside the record.
pub(crate) const CALIBRATION: &str = "calibration.json";

/// The heading of the section that it makes.
pub(crate) const TITLE: &str = "How far the gate can be trusted";

/// Version of the stored form. Readers refuse others.
const SCHEMA: u32 = 1;

/// A calibration of the gate on one machine.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Calibration {
    pub(crate) schema: u32,
    pub(crate) environment: Environment,
    /// What time was decided on and why.
    pub(crate) decided_on: String,
    pub(crate) cases: Vec<CaseNoise>,
    pub(crate) conditions: Vec<Condition>,
    /// Builds of the same source in other link orders; empty where they were not tried.
    pub(crate) relinked: Vec<Relinked>,
    /// The commit whose builds those were.
    #[serde(default)]
    pub(crate) relinked_at: Option<String>,
    /// What other tools say of the same cases.
    pub(crate) peers: Vec<Peer>,
    /// How much more was executed where more work was to be, by valgrind's count.
    pub(crate) proofs: Vec<Proof>,
}

/// How noisy a case is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct CaseNoise {
    pub(crate) case: CaseId,
    pub(crate) clock: String,
    /// Standard deviation of launches of equal builds, as a fraction; robust.
    pub(crate) launch_deviation: f64,
    /// The smallest slowdown that is found with a probability of 95 % when the last look is over.
    pub(crate) floor: f64,
    /// Time of an iteration in the gate's turns over that in turns many times as long.
    pub(crate) short_over_long: Option<f64>,
}

/// Shorter turns that take longer than this mark a case whose time depends on what ran before.
const STATE_DEPENDENT: f64 = 1.1;

/// What was tried while the machine did this besides.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Condition {
    /// "Quiet", or what kept the machine busy.
    pub(crate) name: String,
    /// The commit that was compared with itself.
    #[serde(default)]
    pub(crate) commit: Option<String>,
    /// Decided every random order.
    #[serde(default)]
    pub(crate) seed: u64,
    pub(crate) load: String,
    pub(crate) suites: Vec<SuiteRun>,
    pub(crate) resampled: Tried,
    /// Intervals that hold the true change, which is none.
    pub(crate) covered: Tried,
    /// Intervals for the next run that hold its value.
    pub(crate) next: Tried,
    pub(crate) powers: Vec<Power>,
}

/// How often something happened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tried {
    pub(crate) happened: u64,
    pub(crate) trials: u64,
}

impl Tried {
    pub(crate) fn add(&mut self, happened: bool) {
        self.trials += 1;
        self.happened += u64::from(happened);
    }

    fn cell(self) -> String {
        if self.trials == 0 {
            return "not tried".to_owned();
        }
        let (low, high) = stats::proportion(self.happened, self.trials);
        let percent = |part: f64| 100.0 * part;
        format!(
            "{} of {} ({}..{} %)",
            self.happened,
            self.trials,
            digits(percent(low)),
            digits(percent(high))
        )
    }
}

/// Two digits, or what is left of them next to 0 and 100.
fn digits(percent: f64) -> String {
    match percent {
        _ if percent == 0.0 || percent == 100.0 => format!("{percent:.0}"),
        _ if percent < 0.1 => format!("{percent:.3}"),
        _ if percent < 10.0 => format!("{percent:.1}"),
        _ => format!("{percent:.0}"),
    }
}

/// One run of the whole gate on two equal builds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct SuiteRun {
    pub(crate) cases: u64,
    /// Timed findings, two for cases of several threads.
    pub(crate) findings: u64,
    /// Findings that make the gate fail.
    pub(crate) failures: u64,
    pub(crate) improved: u64,
    pub(crate) inconclusive: u64,
    pub(crate) measuring_s: f64,
}

/// What is found of slowdowns of one size.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Power {
    /// What part of its work head did again.
    pub(crate) extra: f64,
    pub(crate) kind: Kind,
    pub(crate) clock: String,
    /// Seconds a case within which it has to be found.
    pub(crate) within_s: f64,
    pub(crate) found: Tried,
    /// Cases where the gate said that there was no such slowdown.
    pub(crate) denied: u64,
    /// Cases whose noise floor is above what is looked for.
    pub(crate) above_floor: Tried,
}

/// How the cases run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Kind {
    /// On one thread.
    Single,
    /// On several, kept on one core.
    Confined,
    /// On several, on all cores.
    Parallel,
}

impl Kind {
    const fn words(self) -> &'static str {
        match self {
            Self::Single => "one thread",
            Self::Confined => "several threads on one core",
            Self::Parallel => "several threads on all cores",
        }
    }
}

/// What differs where the source of a function was edited.
pub(crate) const EDITED: &str = "4 to 48 bytes more, which are skipped";

/// Builds of the same source, linked in other orders.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Relinked {
    /// What differs between the builds.
    pub(crate) what: String,
    pub(crate) case: CaseId,
    /// Pairs that were called slower with both builds linked in orders of their own.
    #[serde(default)]
    pub(crate) own: Tried,
    /// Pairs that were called slower with both linked in the same order, as the gate does.
    pub(crate) suspected: Tried,
    /// Pairs that were called slower over fresh layouts, as far as that was asked.
    pub(crate) confirmed: Tried,
    /// The longest that confirming took, in seconds.
    pub(crate) longest_s: f64,
}

/// What another tool says of equal builds.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Peer {
    pub(crate) tool: String,
    pub(crate) changed: Tried,
    pub(crate) seconds: f64,
    pub(crate) note: String,
}

impl Peer {
    fn write(&self, page: &mut String) {
        let _ = writeln!(
            page,
            "| {} | {} | {:.1} | {} |",
            cell(&self.tool),
            self.changed.cell(),
            self.seconds / self.changed.trials.max(1) as f64,
            cell(&self.note)
        );
    }
}

/// Instructions of a process with more work over those of one without.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Proof {
    pub(crate) case: CaseId,
    pub(crate) asked: f64,
    pub(crate) executed: f64,
}

impl Calibration {
    pub(crate) fn new(environment: Environment) -> Self {
        Self {
            schema: SCHEMA,
            environment,
            decided_on: String::new(),
            cases: Vec::new(),
            conditions: Vec::new(),
            relinked: Vec::new(),
            relinked_at: None,
            peers: Vec::new(),
            proofs: Vec::new(),
        }
    }

    /// Reads the calibration that is published in `folder`, where there is one.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>> {
        let path = folder.join(ASSETS).join(CALIBRATION);
        match std::fs::read_to_string(&path) {
            Ok(text) => Self::from_json(&text)
                .map(Some)
                .with_context(|| format!("cannot read {}", path.display())),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Reads the stored form.
    pub(crate) fn from_json(text: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let version: Version = serde_json::from_str(text).context("not a calibration")?;
        if version.schema != SCHEMA {
            bail!(
                "schema {} is not known; this version reads schema {SCHEMA}",
                version.schema
            );
        }
        serde_json::from_str(text).context("not a calibration")
    }

    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string_pretty(self).expect("strings and finite numbers serialise") + "\n"
    }

    /// The smallest limit that each case can be held to.
    pub(crate) fn floors(&self) -> HashMap<CaseId, f64> {
        let cases = self.cases.iter();
        cases
            .map(|noise| (noise.case.clone(), noise.floor))
            .collect()
    }

    /// The section of the report.
    pub(crate) fn markdown(&self) -> String {
        let mut page = format!("## {TITLE}\n\n");
        let date = self.environment.date.as_deref().unwrap_or("an unknown day");
        let commit = self.environment.commit.as_deref().unwrap_or("no commit");
        let _ = writeln!(
            page,
            "Measured by `gen-benchmarks calibrate` on {date} at {commit}, over {} cases of this workspace, each compared with itself. Decided on {}.\n",
            self.cases.len(),
            self.decided_on
        );
        for condition in &self.conditions {
            condition.write(&mut page);
            self.write_commit(&mut page, condition.commit.as_deref());
        }
        self.write_relinked(&mut page);
        self.write_peers(&mut page);
        self.write_noise(&mut page);
        page
    }

    /// Names the commit of a part that was measured at another one than the rest.
    fn write_commit(&self, page: &mut String, commit: Option<&str>) {
        if let Some(commit) = commit
            && Some(commit) != self.environment.commit.as_deref()
        {
            let _ = writeln!(page, "This part was measured at {commit}.\n");
        }
    }

    fn write_relinked(&self, page: &mut String) {
        if self.relinked.is_empty() {
            return;
        }
        page.push_str("### Equal work in other builds\n\nTwo commits may have their code in other places though it is the same. Here both builds of a pair are linked in an order of their own first, which says what that alone does to a case; then, as the gate does, in the same order; and then, where either looked slower, in many fresh orders, each the same for both.\n\n");
        if self.relinked.iter().any(|one| one.what == EDITED) {
            page.push_str("Bytes that are skipped stand behind a jump in functions of the source, and the build that they are compared with has the same jump over none.\n\n");
        }
        page.push_str("| case | what differs | called slower in own orders | in the same order | confirmed in fresh orders | longest, s |\n|---|---|--:|--:|--:|--:|\n");
        for relinked in &self.relinked {
            let _ = writeln!(
                page,
                "| {} | {} | {} | {} | {} | {:.1} |",
                cell(&relinked.case.to_string()),
                cell(&relinked.what),
                relinked.own.cell(),
                relinked.suspected.cell(),
                relinked.confirmed.cell(),
                relinked.longest_s
            );
        }
        page.push('\n');
        self.write_commit(page, self.relinked_at.as_deref());
    }

    fn write_peers(&self, page: &mut String) {
        if self.peers.is_empty() {
            return;
        }
        page.push_str("### What other tools say of the same cases\n\nEqual builds, so that every change they see is a false alarm.\n\n| tool | called changed | s a case | |\n|---|--:|--:|---|\n");
        if let Some(own) = self.conditions.first().and_then(Condition::as_peer) {
            own.write(page);
        }
        for peer in &self.peers {
            peer.write(page);
        }
        page.push('\n');
    }

    fn write_noise(&self, page: &mut String) {
        if self.cases.is_empty() {
            return;
        }
        page.push_str("<details><summary>How noisy each case is</summary>\n\nThe floor is the smallest slowdown that is found with a probability of 95 % when the last look is over; no limit is held below it. A case whose short turns take longer than its long ones by more than a tenth is marked: its time depends on what the processor learned just before.\n\n| case | clock | deviation of launches | floor | short turns over long | |\n|---|---|--:|--:|--:|---|\n");
        for noise in &self.cases {
            let ratio = noise.short_over_long;
            let marked = ratio.is_some_and(|ratio| ratio > STATE_DEPENDENT);
            let _ = writeln!(
                page,
                "| {} | {} | {:.2} % | {:.2} % | {} | {} |",
                cell(&noise.case.to_string()),
                noise.clock,
                100.0 * noise.launch_deviation,
                100.0 * noise.floor,
                ratio.map_or("-".to_owned(), |ratio| format!("{ratio:.2}")),
                if marked { "state-dependent" } else { "" }
            );
        }
        page.push_str("\n</details>\n\n");
        if !self.proofs.is_empty() {
            page.push_str("More work was really executed, by the count of valgrind: ");
            let proofs = self.proofs.iter().map(|proof| {
                format!(
                    "{:+.2} % instructions for {:+.2} % iterations of {}",
                    100.0 * proof.executed,
                    100.0 * proof.asked,
                    cell(&proof.case.to_string())
                )
            });
            page.push_str(&proofs.collect::<Vec<String>>().join("; "));
            page.push_str(".\n\n");
        }
    }
}

/// Text of others in a cell of a table.
fn cell(text: &str) -> String {
    crate::markdown::escape(text)
}

impl Condition {
    /// The gate's own verdicts on equal builds, as a row beside those of others.
    fn as_peer(&self) -> Option<Peer> {
        let mut peer = Peer {
            tool: "this gate".to_owned(),
            changed: Tried::default(),
            seconds: 0.0,
            note: "all its runs above, improvements too".to_owned(),
        };
        for run in &self.suites {
            peer.changed.happened += run.failures + run.improved;
            peer.changed.trials += run.findings;
            peer.seconds += run.measuring_s;
        }
        (peer.changed.trials > 0).then_some(peer)
    }

    fn write(&self, page: &mut String) {
        let _ = writeln!(
            page,
            "### {}\n\nThe machine had {}.\n",
            cell(&self.name),
            self.load
        );
        let sum = |figure: fn(&SuiteRun) -> u64| self.suites.iter().map(figure).sum::<u64>();
        let failed = Tried {
            happened: self.suites.iter().filter(|run| run.failures > 0).count() as u64,
            trials: self.suites.len() as u64,
        };
        let findings = Tried {
            happened: sum(|run| run.failures),
            trials: sum(|run| run.findings),
        };
        let seconds: Vec<f64> = self.suites.iter().map(|run| run.measuring_s).collect();
        let slowest = seconds.iter().copied().fold(0.0, f64::max);
        let cases = self.suites.first().map_or(0, |run| run.cases);
        page.push_str("| equal builds | |\n|---|--:|\n");
        let mut row = |what: &str, value: String| {
            let _ = writeln!(page, "| {what} | {value} |");
        };
        row(
            &format!("runs of the whole gate over {cases} cases that failed"),
            failed.cell(),
        );
        row("findings that failed", findings.cell());
        row(
            "findings called improved",
            sum(|run| run.improved).to_string(),
        );
        row(
            "findings left inconclusive",
            sum(|run| run.inconclusive).to_string(),
        );
        row("slowest run, s of measuring", format!("{slowest:.0}"));
        row(
            "runs that failed, resampled from the launches",
            self.resampled.cell(),
        );
        row("intervals that hold the true change", self.covered.cell());
        row(
            "intervals for the next run that hold its value",
            self.next.cell(),
        );
        page.push('\n');
        if self.powers.is_empty() {
            return;
        }
        page.push_str("More work is whole iterations, so a case whose iterations are too long for so small a part is not tried. What is found here is what the launches of one layout show; below it is confirmed.\n\n");
        page.push_str("| more work | cases of | by | within | found | found where the noise floor is below it | called equivalent |\n|--:|---|---|--:|--:|--:|--:|\n");
        for power in &self.powers {
            let _ = writeln!(
                page,
                "| {} % | {} | {} | {} s | {} | {} | {} |",
                digits(100.0 * power.extra),
                power.kind.words(),
                power.clock,
                power.within_s,
                power.found.cell(),
                power.above_floor.cell(),
                power.denied
            );
        }
        page.push('\n');
    }
}

/// Launches of equal builds of one case, to draw from.
pub(crate) struct Pool {
    pub(crate) ratios: Vec<f64>,
    /// Seconds that a launch takes.
    pub(crate) launch_s: f64,
}

impl Pool {
    /// How many launches there are at each look.
    fn looks(&self, looks: &[f64], least: usize) -> Vec<usize> {
        let count = |look: &f64| ((look / self.launch_s) as usize).max(least);
        looks.iter().map(count).collect()
    }
}

/// In how many of `runs` of the gate over all pools a case is called slower, with launches drawn
/// from the pools and sides drawn by lot, since equal builds have none: first suspected by `test`,
/// then confirmed over layouts.
///
/// Layouts of equal builds are taken to be alike here; that others are told apart is measured.
/// Takes O(runs * cases * launches * log launches) time.
pub(crate) fn resampled(pools: &[Pool], test: Test, looks: &[f64], runs: u64, seed: u64) -> Tried {
    let mut random = oorandom::Rand32::new(seed);
    let mut tried = Tried::default();
    for _ in 0..runs {
        let mut failed = false;
        for pool in pools.iter().filter(|pool| !pool.ratios.is_empty()) {
            let looks = pool.looks(looks, test.least_launches);
            failed |= suspected(pool, test, &looks, &mut random) == Verdict::Regressed
                && confirmed(pool, confirm::test(test.limit), &mut random) == Verdict::Regressed;
        }
        tried.add(failed);
    }
    tried
}

/// A launch of a pool, with sides drawn by lot.
fn draw(pool: &Pool, random: &mut oorandom::Rand32) -> f64 {
    let ratio = pool.ratios[random.rand_range(0..pool.ratios.len() as u32) as usize];
    match random.rand_range(0..2) {
        0 => ratio,
        _ => -ratio,
    }
}

/// What drawn launches say at these looks.
fn suspected(pool: &Pool, test: Test, looks: &[usize], random: &mut oorandom::Rand32) -> Verdict {
    let mut drawn = Vec::new();
    for &count in looks {
        drawn.extend((drawn.len()..count).map(|_| draw(pool, random)));
        match test.judge(&drawn).map(|judged| judged.verdict) {
            Some(Verdict::Inconclusive) | None => {}
            Some(verdict) => return verdict,
        }
    }
    Verdict::Inconclusive
}

/// What fresh launches say, as those of layouts.
fn confirmed(pool: &Pool, test: Test, random: &mut oorandom::Rand32) -> Verdict {
    let mut layouts: Vec<Vec<f64>> = vec![Vec::new(); relink::LAYOUTS];
    for rounds in confirm::ROUNDS {
        for layout in &mut layouts {
            layout.extend((layout.len()..rounds).map(|_| draw(pool, random)));
        }
        let medians: Option<Vec<f64>> =
            layouts.iter().map(|layout| stats::median(layout)).collect();
        match medians.and_then(|medians| test.judge(&medians)) {
            Some(judged) if judged.verdict != Verdict::Inconclusive => return judged.verdict,
            _ => {}
        }
    }
    Verdict::Inconclusive
}

/// Robust standard deviation: the quartiles of a normal distribution are 1.349 of it apart.
pub(crate) fn deviation(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    if sorted.len() < 4 {
        return 0.0;
    }
    let at = |part: f64| sorted[((sorted.len() - 1) as f64 * part).round() as usize];
    (at(0.75) - at(0.25)) / 1.349
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn resampling_finds_about_as_many_false_alarms_as_the_test_promises() {
        let mut random = oorandom::Rand32::new(5);
        let mut uniform = oorandom::Rand64::new(5);
        let mut normal = || (0..12).map(|_| uniform.rand_float()).sum::<f64>() - 6.0;
        let pools: Vec<Pool> = (0..5)
            .map(|_| Pool {
                ratios: (0..400).map(|_| 0.01 * normal()).collect(),
                launch_s: 0.02,
            })
            .collect();
        let loose = Test {
            alpha: 0.02,
            limit: 1e-9,
            ..Test::default()
        };
        let mut suspicions = 0;
        for _ in 0..4_000 {
            let verdict = suspected(&pools[0], loose, &[25], &mut random);
            suspicions += u32::from(verdict == Verdict::Regressed);
        }
        // One look of four, half of alpha on the side of slowdowns: 0.25 %, which is 10.
        assert!((3..=22).contains(&suspicions), "{suspicions}");
        let tried = resampled(&pools, Test::suspicion(), &[0.5, 1.0], 500, 1);
        assert_eq!(tried.trials, 500);
        assert!(tried.happened <= 2, "{tried:?}");
    }

    #[test]
    fn deviation_is_that_of_the_middle() {
        let mut values: Vec<f64> = (0..1_001).map(f64::from).collect();
        values[1_000] = 1e9;
        assert!((deviation(&values) - 500.0 / 1.349).abs() < 1.0);
        assert_eq!(deviation(&[1.0]), 0.0);
    }

    #[test]
    fn other_schema_is_refused() {
        let error = Calibration::from_json("{\"schema\": 9}").unwrap_err();
        assert!(error.to_string().contains("schema 9 is not known"));
        assert!(Calibration::from_json("[]").is_err());
    }
}
