//! What a gate finds when it compares two builds, and what follows from it: plain values, so that
//! judging, policy and every way of showing the outcome can be written and tested apart.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::record::CaseId;

/// Version of the stored form of a [`Judgement`]. Readers refuse others.
pub const SCHEMA: u32 = 1;

/// What is compared, always of one iteration of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Nanoseconds; of a case on several threads as they take them on one core.
    Time,
    /// Nanoseconds of a case on several threads when all cores are free for them.
    Parallel,
    /// Instructions executed in user mode.
    Instructions,
    /// Calls of the allocator.
    Allocations,
    /// Bytes asked for.
    Bytes,
    /// Most bytes live at once.
    Peak,
    /// Elements a second; more is better.
    Throughput,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 7] = [
        Self::Time,
        Self::Parallel,
        Self::Instructions,
        Self::Allocations,
        Self::Bytes,
        Self::Peak,
        Self::Throughput,
    ];

    /// The word that stands for it in files and tables.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Parallel => "parallel",
            Self::Instructions => "instructions",
            Self::Allocations => "allocations",
            Self::Bytes => "bytes",
            Self::Peak => "peak",
            Self::Throughput => "throughput",
        }
    }

    /// Whether a larger figure is the better one.
    pub const fn more_is_better(self) -> bool {
        matches!(self, Self::Throughput)
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// `new / old - 1`, and the range it plausibly lies in: 0.02 is 2 % more. Always finite: from nothing
/// to something there is none.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The estimate.
    pub point: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
}

/// What is said of one metric of one case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Worse, by an amount that matters.
    Regressed,
    /// Neither shown to be worse nor shown not to be.
    Inconclusive,
    /// Better.
    Improved,
    /// Shown not to be worse by as much as the limit.
    Equivalent,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Regressed => "regressed",
            Self::Inconclusive => "inconclusive",
            Self::Improved => "improved",
            Self::Equivalent => "equivalent",
        })
    }
}

/// What a verdict rests on, cheapest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// Both builds are the same bytes, so nothing was run.
    SameCode,
    /// Counts that repeat exactly.
    Counts,
    /// Times of both builds in turn, in fresh processes on one core.
    Paired,
    /// The same again, over freshly linked layouts of both builds.
    Confirmed,
    /// Times of both builds on all cores.
    Parallel,
}

/// How large a regression is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Level {
    /// Over the limit.
    Regression,
    /// Memory over the level from which somebody should look at it.
    Review,
    /// Over the level from which the cause should be found.
    Investigate,
    /// Over the level from which the change should not go in.
    Block,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Regression => "regression",
            Self::Review => "memory review",
            Self::Investigate => "investigate",
            Self::Block => "block",
        })
    }
}

/// A regression that somebody has agreed to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Allowance {
    /// Why.
    pub reason: String,
    /// The last day on which it holds, as in 2027-01-31.
    pub until: String,
}

/// What was found about one metric of one case.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The case.
    pub case: CaseId,
    /// What was compared.
    pub metric: Metric,
    /// What is said of it.
    pub verdict: Verdict,
    /// What the verdict rests on.
    pub evidence: Evidence,
    /// The old figure, of one iteration; `None` where nothing was run.
    pub base: Option<f64>,
    /// The new figure.
    pub head: Option<f64>,
    /// How much they differ; its interval is a point for counts that repeat exactly.
    pub change: Option<Change>,
    /// The smallest worsening that would have been found with a probability of 95 %.
    pub visible: Option<f64>,
    /// The worsening from which the case has regressed, as a fraction.
    pub limit: f64,
    /// Fresh processes of each build.
    pub launches: u32,
    /// Link orders of each build.
    pub layouts: u32,
    /// How large the regression is, or the improvement where the policy counts both directions;
    /// `None` where there is none.
    pub level: Option<Level>,
    /// Whether it makes the gate fail: it has a level, is not allowed, and the level is high enough.
    pub fails: bool,
    /// Who has agreed to it.
    pub allowed: Option<Allowance>,
    /// Whether the gate must decide: an inconclusive verdict is then not a pass.
    pub must_gate: bool,
    /// What else a reader should know, in sentences without a full stop.
    pub notes: Vec<String>,
}

/// A case without a verdict.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Undecided {
    /// The case.
    pub case: CaseId,
    /// Why: what crashed on which side, or which side lacks it.
    pub reason: String,
    /// Whether the base lacks it, which is no fault: a case has to be new once.
    pub is_new: bool,
}

/// One of the two builds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Side {
    /// What the user called it.
    pub name: String,
    /// Its commit, or how else it is known.
    pub commit: String,
}

/// How a gate ended, cheapest to read first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Conclusion {
    /// Nothing speaks against the change.
    Pass,
    /// At least one finding makes it fail.
    Regression,
    /// A case that must be decided is not.
    Inconclusive,
    /// A case of the base is gone or does not run.
    Missing,
}

impl Conclusion {
    /// The exit code that stands for it; 2 is for wrong usage and failed tools.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::Regression => 1,
            Self::Inconclusive => 3,
            Self::Missing => 4,
        }
    }
}

/// Everything that a gate found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Judgement {
    /// The old build.
    pub base: Side,
    /// The new build.
    pub head: Side,
    /// The machine, in a few words.
    pub machine: String,
    /// What time was decided on and why, as in "CPU time, because the processor has no counters".
    pub decided_on: String,
    /// Decides every random order of this run.
    pub seed: u64,
    /// Seconds spent on measuring, without builds.
    pub measuring_s: f64,
    /// How busy the machine was with other work, in a sentence without a full stop.
    pub load: String,
    /// One for each case and metric, in order of definition.
    pub findings: Vec<Finding>,
    /// Cases without a verdict.
    pub undecided: Vec<Undecided>,
    /// What casts doubt on the whole, in sentences without a full stop.
    pub warnings: Vec<String>,
}

impl Judgement {
    /// The text that stores it.
    ///
    /// # Errors
    ///
    /// Names a figure that is not finite, which JSON cannot hold.
    pub fn to_json(&self) -> Result<String, String> {
        #[derive(Serialize)]
        struct Stored<'j> {
            schema: u32,
            #[serde(flatten)]
            judgement: &'j Judgement,
        }
        for finding in &self.findings {
            let change = finding.change.map(|one| [one.point, one.low, one.high]);
            let single = [
                finding.base,
                finding.head,
                finding.visible,
                Some(finding.limit),
            ];
            let mut figures = single
                .into_iter()
                .flatten()
                .chain(change.into_iter().flatten());
            if let Some(figure) = figures.find(|figure| !figure.is_finite()) {
                return Err(format!(
                    "case `{}` has {figure} as a figure of its {}; leave it out",
                    finding.case, finding.metric
                ));
            }
        }
        let stored = Stored {
            schema: SCHEMA,
            judgement: self,
        };
        let text = serde_json::to_string_pretty(&stored).map_err(|error| error.to_string())?;
        Ok(text + "\n")
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    ///
    /// Says what is wrong and where: no JSON, another schema, a finding twice.
    pub fn from_json(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Version {
            schema: u32,
        }
        let invalid = |error| format!("not a judgement: {error}");
        let version: Version = serde_json::from_str(text).map_err(invalid)?;
        if version.schema != SCHEMA {
            return Err(format!(
                "/schema: {} is not known; this version reads schema {SCHEMA}",
                version.schema
            ));
        }
        let judgement: Self = serde_json::from_str(text).map_err(invalid)?;
        let mut seen = HashSet::new();
        for (index, finding) in judgement.findings.iter().enumerate() {
            if !seen.insert((&finding.case, finding.metric)) {
                return Err(format!(
                    "/findings/{index}: the {} of case `{}` stands twice",
                    finding.metric, finding.case
                ));
            }
        }
        Ok(judgement)
    }

    /// What follows from all findings together: a regression outweighs a missing case, and that an
    /// undecided one.
    pub fn conclusion(&self) -> Conclusion {
        let undecided =
            |finding: &Finding| finding.must_gate && finding.verdict == Verdict::Inconclusive;
        if self.findings.iter().any(|finding| finding.fails) {
            Conclusion::Regression
        } else if self.undecided.iter().any(|case| !case.is_new) {
            Conclusion::Missing
        } else if self.findings.iter().any(undecided) {
            Conclusion::Inconclusive
        } else {
            Conclusion::Pass
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(verdict: Verdict, fails: bool, must_gate: bool) -> Finding {
        Finding {
            case: CaseId {
                group: "g".to_owned(),
                series: "s".to_owned(),
                input: "1".to_owned(),
            },
            metric: Metric::Time,
            verdict,
            evidence: Evidence::Paired,
            base: Some(100.0),
            head: Some(102.0),
            change: Some(Change {
                point: 0.02,
                low: 0.015,
                high: 0.025,
            }),
            visible: Some(0.004),
            limit: 0.01,
            launches: 24,
            layouts: 1,
            level: fails.then_some(Level::Regression),
            fails,
            allowed: None,
            must_gate,
            notes: Vec::new(),
        }
    }

    #[track_caller]
    fn check(findings: Vec<Finding>, missing: &[bool], code: u8) {
        let case = finding(Verdict::Equivalent, false, false).case;
        let undecided = missing.iter().map(|&is_new| Undecided {
            case: case.clone(),
            reason: "the case is on one side only".to_owned(),
            is_new,
        });
        let judgement = Judgement {
            undecided: undecided.collect(),
            ..judgement(findings)
        };
        assert_eq!(judgement.conclusion().exit_code(), code);
        let text = judgement.to_json().unwrap();
        assert_eq!(Judgement::from_json(&text).unwrap(), judgement);
    }

    fn judgement(findings: Vec<Finding>) -> Judgement {
        let side = Side {
            name: "main".to_owned(),
            commit: "1".to_owned(),
        };
        Judgement {
            base: side.clone(),
            head: side,
            machine: String::new(),
            decided_on: String::new(),
            seed: 1,
            measuring_s: 1.0,
            load: String::new(),
            findings,
            undecided: Vec::new(),
            warnings: Vec::new(),
        }
    }

    #[track_caller]
    fn check_refused(text: &str, reason: &str) {
        let error = Judgement::from_json(text).unwrap_err();
        assert!(error.contains(reason), "{error}");
    }

    #[test]
    fn stored_judgement_that_is_none_is_refused() {
        let good = judgement(vec![finding(Verdict::Improved, false, false)]);
        let good = good.to_json().unwrap();
        check_refused("{", "not a judgement: EOF");
        check_refused("{}", "missing field `schema`");
        check_refused(
            &good.replace("\"schema\": 1", "\"schema\": 7"),
            "/schema: 7",
        );
        check_refused(&good.replace("0.02,", "1e999,"), "out of range");
        check_refused(&good.replace("\"improved\"", "\"better\""), "`better`");
        check_refused(&good.replace("100.0", "\"100\""), "line ");
    }

    #[test]
    fn finding_that_stands_twice_is_refused() {
        let twice = vec![finding(Verdict::Improved, false, false); 2];
        let text = judgement(twice).to_json().unwrap();
        check_refused(&text, "/findings/1: the time of case `g/s/1` stands twice");
    }

    #[test]
    fn figure_that_json_cannot_hold_is_named() {
        let mut bad = finding(Verdict::Regressed, true, false);
        bad.base = Some(f64::INFINITY);
        let error = judgement(vec![bad]).to_json().unwrap_err();
        assert!(
            error.contains("`g/s/1` has inf as a figure of its time"),
            "{error}"
        );
    }

    #[test]
    fn exit_code_is_that_of_the_gravest_finding() {
        use Verdict::{Equivalent, Inconclusive, Regressed};
        check(vec![], &[], 0);
        check(vec![finding(Equivalent, false, true)], &[], 0);
        check(vec![finding(Inconclusive, false, false)], &[], 0);
        check(vec![finding(Inconclusive, false, true)], &[], 3);
        check(vec![finding(Inconclusive, false, true)], &[false], 4);
        check(vec![finding(Regressed, true, true)], &[false], 1);
    }

    #[test]
    fn allowed_regression_and_new_case_are_no_fault() {
        check(vec![finding(Verdict::Regressed, false, true)], &[true], 0);
    }
}
