//! What a workspace says of its gate: which change matters for which case, and what is allowed; and
//! the figures that its cases should reach.
//!
//! ```toml
//! [levels]                  # a change over so many percent ...
//! investigate = 10          # needs its cause found
//! block = 20                # should not go in
//! memory_review = 5         # of bytes or peak should be looked at
//! fail_from = "regression"  # or "memory review", "investigate", "block": the gate fails from there
//!
//! [[limit]]                 # of several that match, each key is taken from the last that has it
//! cases = "dag-run/**"      # of `group/series/input`; `*` stands for no `/`, `**` for anything
//! metric = "time"           # every metric where it is left out
//! change = 1.0              # percent from which it is a regression
//! absolute = 5.0            # and at least so much, in the unit of the metric
//! direction = "worse"       # or "either": an improvement over the limit must be allowed too
//! must_gate = true          # inconclusive is not a pass
//! tier = "change"           # or "nightly", "release": it is judged from there on
//! fail_from = "block"       # in place of that of all cases
//!
//! [[allow]]                 # of several that match, the last counts
//! cases = "intern-hit/own/*"
//! metric = "instructions"
//! change = 4.0              # up to so many percent; inf: however many
//! reason = "hashing got a second round against collisions"
//! until = 2027-01-31        # the last day on which it holds
//!
//! [[target]]                # the report says whether all cases reach it
//! name = "an empty node costs what a call of a closure does"
//! cases = "dag-floor/*/adaptive-1/*"
//! metric = "time"           # as the report's tables tell it: of an iteration, or of an element
//! at_most = 1.3             # or at_least; times as much as ...
//! of = "floor"              # this series of the same group at the same input
//!
//! [[target]]
//! name = "an allocation takes no longer than in a published arena"
//! cases = "arena-alloc/bump/64"
//! metric = "time"
//! at_most = "32 ns"         # ns, us, ms, s; of bytes and peak B, KiB, MiB, GiB; of others a number
//!
//! [profile]                 # the report shows what these cases spend their time on
//! cases = ["dag-run/chain/adaptive/*"]
//! ```
//!
//! Everything may be left out, but for `cases` and all keys of an `[[allow]]` and of a `[[target]]`;
//! a target has either `at_most` or `at_least`, and `of` only where it is a ratio.

use std::collections::HashSet;
use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use globset::{GlobBuilder, GlobMatcher};
use jiff::civil::Date;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::gate::{Allowance, Finding, Level, Metric, Verdict};
use crate::record::CaseId;

/// A change is over a limit only from here on: a ratio of whole numbers is not exact, and 104 / 100
/// must not be over 4 %.
const ROUNDING: f64 = 1e-9;

/// Longest value that is quoted in an error, in characters.
const QUOTED: usize = 60;

/// Which change of which case makes a gate fail.
#[derive(Clone, Debug)]
pub struct Policy {
    file: String,
    levels: Levels,
    limits: Vec<Limit>,
    allows: Vec<Allow>,
    targets: Vec<Target>,
    profiled: Vec<Cases>,
}

/// Which cases are meant by their `group/series/input`: `*` stands for no `/`, `**` for anything.
///
/// # Examples
///
/// ```
/// use bench_harness::policy::Pattern;
///
/// let pattern: Pattern = "dag-run/**/{adaptive,sequential}/*".parse().unwrap();
/// assert!(pattern.matches("dag-run/chain/adaptive/10"));
/// assert!(!pattern.matches("dag-run/chain/rayon/10"));
/// ```
#[derive(Clone, Debug)]
pub struct Pattern(GlobMatcher);

impl Pattern {
    /// Whether the case of this id is meant.
    pub fn matches(&self, id: &str) -> bool {
        self.0.is_match(id)
    }
}

impl FromStr for Pattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let glob = GlobBuilder::new(text).literal_separator(true).build();
        let glob =
            glob.map_err(|error| format!("this is no pattern ({}); mend it", error.kind()))?;
        Ok(Self(glob.compile_matcher()))
    }
}

/// A figure that cases should reach.
#[derive(Clone, Debug)]
pub struct Target {
    /// What it is about, for a reader.
    pub name: String,
    /// Which figure of the cases.
    pub metric: Metric,
    /// What the figure should be.
    pub bound: Bound,
    cases: Cases,
    of_place: Place,
}

/// Where a figure should lie.
#[derive(Clone, Debug, PartialEq)]
pub struct Bound {
    /// In the unit of the metric (nanoseconds, bytes, elements a second, a number), or a ratio.
    pub value: f64,
    /// Whether the figure should be at least so much rather than at most.
    pub is_least: bool,
    /// The series of the same group and input whose figure is the unit, where it is a ratio.
    pub of: Option<String>,
}

impl Target {
    /// Whether it is about a case.
    pub fn is_about(&self, case: &CaseId) -> bool {
        self.cases.pattern.matches(&case.to_string())
    }
}

/// What holds for one metric of one case.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// The worsening from which it has regressed, as a fraction.
    pub limit: f64,
    /// And at least so much worse, in the unit of the metric.
    pub absolute: Option<f64>,
    /// Which changes count.
    pub direction: Direction,
    /// Whether an inconclusive verdict is not a pass.
    pub must_gate: bool,
    /// From which runs on it is judged at all.
    pub tier: Tier,
    /// The level from which the gate fails.
    pub fail_from: Level,
    /// Lines of the file that say so, first to last; none where the defaults hold.
    pub lines: Vec<usize>,
    /// What is allowed all the same.
    pub allowed: Option<Allowed>,
}

/// A change that somebody has agreed to.
#[derive(Clone, Debug, PartialEq)]
pub struct Allowed {
    /// Up to this much, as a fraction.
    pub change: f64,
    /// Why, and until when.
    pub allowance: Allowance,
    /// The line of the file.
    pub line: usize,
}

/// Which changes count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Those for the worse.
    Worse,
    /// Improvements too: what a figure is was agreed on, as of counts that repeat exactly.
    Either,
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Worse => "worse",
            Self::Either => "either",
        })
    }
}

/// How thorough a run is; what an earlier one judges, later ones judge too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Tier {
    /// Of every change.
    Change,
    /// Of every night.
    Nightly,
    /// Of every release.
    Release,
}

impl fmt::Display for Tier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Change => "change",
            Self::Nightly => "nightly",
            Self::Release => "release",
        })
    }
}

/// What is wrong in a policy file, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {reason}")]
pub struct PolicyError {
    /// What the file is called.
    pub file: String,
    /// Number of the line, from 1.
    pub line: usize,
    /// Number of the character in the line, from 1.
    pub column: usize,
    /// What is wrong, and what to do.
    pub reason: String,
}

#[derive(Clone, Debug)]
struct Levels {
    investigate: f64,
    block: f64,
    memory_review: f64,
    fail_from: Level,
}

/// A place in the file: line and column.
type Place = (usize, usize);

/// The cases that an entry is about.
#[derive(Clone, Debug)]
struct Cases {
    pattern: Pattern,
    quoted: String,
    place: Place,
}

/// A `[[limit]]`; what it leaves out is as an earlier one or the default says.
#[derive(Clone, Debug)]
struct Limit {
    cases: Cases,
    line: usize,
    metric: Option<Metric>,
    change: Option<f64>,
    absolute: Option<f64>,
    direction: Option<Direction>,
    must_gate: Option<bool>,
    tier: Option<Tier>,
    fail_from: Option<Level>,
}

/// An `[[allow]]`.
#[derive(Clone, Debug)]
struct Allow {
    cases: Cases,
    metric: Metric,
    allowed: Allowed,
    until: (Date, Place),
}

impl Default for Policy {
    /// What holds without a file.
    fn default() -> Self {
        Self {
            file: String::new(),
            levels: Levels {
                investigate: 0.1,
                block: 0.2,
                memory_review: 0.05,
                fail_from: Level::Regression,
            },
            limits: Vec::new(),
            allows: Vec::new(),
            targets: Vec::new(),
            profiled: Vec::new(),
        }
    }
}

impl Policy {
    /// Reads the text of a policy file; `file` is what errors call it.
    ///
    /// # Errors
    ///
    /// Returns everything that is wrong, in order of place: what is no TOML, or all keys and values
    /// that mean nothing.
    pub fn parse(file: &str, text: &str) -> Result<Self, Vec<PolicyError>> {
        let mut source = Source::new(file, text);
        let policy = source.policy();
        let mut faults = source.faults;
        faults.sort_by_key(|(start, _)| *start);
        match faults.is_empty() {
            true => Ok(policy),
            false => Err(faults
                .into_iter()
                .map(|(start, reason)| error(file, place(text, start), reason))
                .collect()),
        }
    }

    /// The figures that cases should reach, in the order of the file.
    pub fn targets(&self) -> &[Target] {
        &self.targets
    }

    /// Which of `cases` are to be profiled, each once, in the order of the file's patterns.
    pub fn profiled<'c>(&self, cases: impl IntoIterator<Item = &'c CaseId>) -> Vec<&'c CaseId> {
        let cases: Vec<(&CaseId, String)> = cases
            .into_iter()
            .map(|case| (case, case.to_string()))
            .collect();
        let mut profiled: Vec<&CaseId> = Vec::new();
        for wanted in &self.profiled {
            for (case, id) in &cases {
                if wanted.pattern.matches(id) && !profiled.contains(case) {
                    profiled.push(case);
                }
            }
        }
        profiled
    }

    /// Whether the file fits the `cases` that there are, and the day.
    ///
    /// # Errors
    ///
    /// Returns every entry that is about no case, that compares with a series that is not there, or
    /// that is over.
    pub fn check(&self, cases: &[CaseId], today: Date) -> Result<(), Vec<PolicyError>> {
        let ids: Vec<String> = cases.iter().map(CaseId::to_string).collect();
        let limits = self.limits.iter().map(|limit| &limit.cases);
        let allows = self.allows.iter().map(|allow| &allow.cases);
        let targets = self.targets.iter().map(|target| &target.cases);
        let idle = limits
            .chain(allows)
            .chain(targets)
            .chain(&self.profiled)
            .filter(|cases| !ids.iter().any(|id| cases.pattern.matches(id)));
        let idle = idle.map(|cases| {
            let reason = format!(
                "cases = {} matches no case; mend it or remove the entry (`gen-benchmarks list` prints the cases)",
                cases.quoted
            );
            (cases.place, reason)
        });
        let over = self.allows.iter().filter(|allow| allow.until.0 < today);
        let over = over.map(|allow| {
            let (until, place) = allow.until;
            let reason = format!(
                "until = {until} is over; remove the entry, or agree on a later day if it must stay"
            );
            (place, reason)
        });
        let alone = self
            .targets
            .iter()
            .filter_map(|target| alone(target, cases));
        let mut faults: Vec<(Place, String)> = idle.chain(over).chain(alone).collect();
        faults.sort();
        match faults.is_empty() {
            true => Ok(()),
            false => Err(faults
                .into_iter()
                .map(|(place, reason)| error(&self.file, place, reason))
                .collect()),
        }
    }

    /// What holds for one metric of a case. Takes time in proportion to the entries of the file.
    pub fn rule(&self, case: &CaseId, metric: Metric) -> Rule {
        let id = case.to_string();
        let mut rule = Rule {
            limit: match metric {
                Metric::Time | Metric::Throughput | Metric::Instructions => 0.01,
                Metric::Allocations | Metric::Bytes => 0.0,
                Metric::Peak => 0.05,
                Metric::Parallel => 0.1,
            },
            absolute: None,
            direction: Direction::Worse,
            must_gate: false,
            tier: Tier::Change,
            fail_from: self.levels.fail_from,
            lines: Vec::new(),
            allowed: None,
        };
        for limit in &self.limits {
            if limit.metric.is_some_and(|named| named != metric)
                || !limit.cases.pattern.matches(&id)
            {
                continue;
            }
            rule.limit = limit.change.unwrap_or(rule.limit);
            rule.absolute = limit.absolute.or(rule.absolute);
            rule.direction = limit.direction.unwrap_or(rule.direction);
            rule.must_gate = limit.must_gate.unwrap_or(rule.must_gate);
            rule.tier = limit.tier.unwrap_or(rule.tier);
            rule.fail_from = limit.fail_from.unwrap_or(rule.fail_from);
            rule.lines.push(limit.line);
        }
        let matching = |allow: &&Allow| allow.metric == metric && allow.cases.pattern.matches(&id);
        let allowed = self.allows.iter().rev().find(matching);
        rule.allowed = allowed.map(|allow| allow.allowed.clone());
        rule
    }

    /// Fills `level`, `fails`, `allowed` and `must_gate` of a finding from its verdict and its
    /// change, and adds notes that say why a regression does or does not fail. The verdict stays.
    pub fn applied(&self, mut finding: Finding) -> Finding {
        let rule = self.rule(&finding.case, finding.metric);
        finding.must_gate = rule.must_gate;
        finding.level = None;
        finding.fails = false;
        finding.allowed = None;
        let worsening = worsening(&finding);
        let size = match (finding.verdict, rule.direction) {
            (Verdict::Regressed, _) => worsening,
            (Verdict::Improved, Direction::Either) => worsening.map(|worsening| -worsening),
            _ => return finding,
        };
        if finding.verdict == Verdict::Improved {
            if size.is_none_or(|size| size < rule.limit - ROUNDING) {
                return finding;
            }
            let note = "an improvement over the limit must be allowed too";
            finding.notes.push(note.to_owned());
        }
        let differs = finding.base.zip(finding.head);
        let differs = differs.map(|(base, head)| (head - base).abs());
        if let Some((differs, absolute)) = differs.zip(rule.absolute)
            && differs < absolute
        {
            let unit = unit(finding.metric);
            let note = format!(
                "differs by {}{unit}, less than the {absolute}{unit} that matter",
                short(differs)
            );
            finding.notes.push(note);
            return finding;
        }
        let level = self.levels.of(finding.metric, size);
        finding.level = Some(level);
        if let Some(allowed) = rule.allowed {
            if size.is_some_and(|size| !over(size, allowed.change)) {
                finding.allowed = Some(allowed.allowance);
                return finding;
            }
            let note = format!("over the allowed {} %", percent(allowed.change));
            finding.notes.push(note);
        }
        finding.fails = level >= rule.fail_from;
        if !finding.fails {
            let note = format!(
                "the gate fails from the level \"{}\" on, and this is \"{level}\"",
                rule.fail_from
            );
            finding.notes.push(note);
        }
        finding
    }
}

impl Levels {
    /// The level of a worsening; the lowest where nobody knows how large it is.
    fn of(&self, metric: Metric, size: Option<f64>) -> Level {
        let memory = matches!(metric, Metric::Bytes | Metric::Peak);
        let size = size.unwrap_or(0.0);
        if over(size, self.block) {
            Level::Block
        } else if over(size, self.investigate) {
            Level::Investigate
        } else if memory && over(size, self.memory_review) {
            Level::Review
        } else {
            Level::Regression
        }
    }
}

/// Where a target's series is missing beside a case that is to be compared with it.
fn alone(target: &Target, cases: &[CaseId]) -> Option<(Place, String)> {
    let of = target.bound.of.as_ref()?;
    let there: HashSet<(&str, &str)> = cases
        .iter()
        .filter(|case| case.series == *of)
        .map(|case| (case.group.as_str(), case.input.as_str()))
        .collect();
    let alone = cases
        .iter()
        .find(|case| target.is_about(case) && !there.contains(&(&*case.group, &*case.input)))?;
    let reason = format!(
        "of = \"{}\" is no series beside case `{}`; name one of the same group that has its input",
        one_line(of),
        one_line(&alone.to_string())
    );
    Some((target.of_place, reason))
}

/// How much worse it became, as a fraction: negative for better, infinite from nothing to something,
/// `None` where that is not known.
fn worsening(finding: &Finding) -> Option<f64> {
    let more = match (finding.change, finding.base, finding.head) {
        (Some(change), _, _) => change.point,
        (None, Some(base), Some(head)) if base == head => 0.0,
        (None, Some(0.0), Some(_)) => f64::INFINITY,
        (None, Some(base), Some(head)) => head / base - 1.0,
        _ => return None,
    };
    Some(match finding.metric.more_is_better() {
        true => -more,
        false => more,
    })
}

fn over(size: f64, limit: f64) -> bool {
    size > limit + ROUNDING
}

fn unit(metric: Metric) -> &'static str {
    match metric {
        Metric::Time | Metric::Parallel => " ns",
        Metric::Instructions | Metric::Allocations => "",
        Metric::Bytes | Metric::Peak => " B",
        Metric::Throughput => "/s",
    }
}

/// A fraction in percent, as it was written in the file.
fn percent(fraction: f64) -> String {
    short(fraction * 100.0)
}

/// A number without the digits that arithmetic adds.
fn short(number: f64) -> String {
    let text = format!("{number:.3}");
    match text.contains('.') {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

fn error(file: &str, (line, column): Place, reason: String) -> PolicyError {
    PolicyError {
        file: file.to_owned(),
        line,
        column,
        reason,
    }
}

/// A text on one line, cut where nobody would read on.
fn one_line(text: &str) -> String {
    let clean = |c: char| if c.is_control() { ' ' } else { c };
    let mut shown: String = text.chars().map(clean).take(QUOTED).collect();
    if text.chars().nth(QUOTED).is_some() {
        shown.push('…');
    }
    shown
}

/// Line and column of a byte.
fn place(text: &str, start: usize) -> Place {
    let mut start = start.min(text.len());
    while !text.is_char_boundary(start) {
        start -= 1;
    }
    let before = &text[..start];
    let line = before.rfind('\n').map_or(0, |end| end + 1);
    (
        before.matches('\n').count() + 1,
        before[line..].chars().count() + 1,
    )
}

/// A text that is read, and what is wrong with it so far.
struct Source<'t> {
    file: &'t str,
    text: &'t str,
    faults: Vec<(usize, String)>,
}

/// A table of the file, its keys known.
struct Section<'s, 't> {
    table: &'s DeTable<'t>,
    span: Range<usize>,
}

const LEVELS: [Level; 4] = [
    Level::Regression,
    Level::Review,
    Level::Investigate,
    Level::Block,
];
const DIRECTIONS: [Direction; 2] = [Direction::Worse, Direction::Either];
const TIERS: [Tier; 3] = [Tier::Change, Tier::Nightly, Tier::Release];

/// What a report measures: time on all cores is a matter of the gate.
const TARGETED: [Metric; 6] = [
    Metric::Time,
    Metric::Instructions,
    Metric::Allocations,
    Metric::Bytes,
    Metric::Peak,
    Metric::Throughput,
];

/// What a number of percent must be.
const PERCENT: &str = "give a number of percent from 0 on, as in 1.5";

impl<'t> Source<'t> {
    fn new(file: &'t str, text: &'t str) -> Self {
        Self {
            file,
            text,
            faults: Vec::new(),
        }
    }

    /// The whole file; what is wrong is in `faults` and left out.
    fn policy(&mut self) -> Policy {
        let mut policy = Policy {
            file: self.file.to_owned(),
            ..Policy::default()
        };
        let (root, errors) = DeTable::parse_recoverable(self.text);
        if !errors.is_empty() {
            for error in errors {
                let reason = error.message().replace('\n', "; ");
                self.fault(error.span().unwrap_or(0..0), reason);
            }
            // What was read beside a mistake may not be what was meant.
            return policy;
        }
        let known = ["levels", "limit", "allow", "target", "profile"];
        let root = Section {
            span: root.span(),
            table: root.get_ref(),
        };
        root.only(self, &known);
        if let Some(levels) = root.value("levels")
            && let Some(section) = self.section(levels)
        {
            self.levels(&section, &mut policy.levels);
        }
        for section in self.sections(root.value("limit"), "limit") {
            let limit = self.limit(&section);
            policy.limits.extend(limit);
        }
        for section in self.sections(root.value("allow"), "allow") {
            let allow = self.allow(&section);
            policy.allows.extend(allow);
        }
        for section in self.sections(root.value("target"), "target") {
            let target = self.target(&section);
            policy.targets.extend(target);
        }
        if let Some(profile) = root.value("profile")
            && let Some(section) = self.section(profile)
        {
            policy.profiled = self.profiled(&section);
        }
        policy
    }

    fn levels(&mut self, section: &Section<'_, 't>, levels: &mut Levels) {
        let known = ["investigate", "block", "memory_review", "fail_from"];
        section.only(self, &known);
        let mut read = |key, level: &mut f64| {
            if let Some(number) = self.number(section, key, PERCENT, false) {
                *level = number / 100.0;
            }
        };
        read("investigate", &mut levels.investigate);
        read("block", &mut levels.block);
        read("memory_review", &mut levels.memory_review);
        if let Some(fail_from) = self.choice(section, "fail_from", &LEVELS) {
            levels.fail_from = fail_from;
        }
        let rising = [
            ("memory_review", levels.memory_review),
            ("investigate", levels.investigate),
            ("block", levels.block),
        ];
        for pair in rising.windows(2) {
            let [(low, below), (high, above)] = pair else {
                continue;
            };
            if below > above {
                let reason = format!(
                    "{low} = {} is over {high} = {}; a graver level begins no lower",
                    percent(*below),
                    percent(*above)
                );
                self.fault(section.span.clone(), reason);
            }
        }
    }

    fn limit(&mut self, section: &Section<'_, 't>) -> Option<Limit> {
        let known = [
            "cases",
            "metric",
            "change",
            "absolute",
            "direction",
            "must_gate",
            "tier",
            "fail_from",
        ];
        section.only(self, &known);
        let cases = self.cases(section);
        let limit = Limit {
            line: place(self.text, section.span.start).0,
            metric: self.choice(section, "metric", &Metric::ALL),
            change: self
                .number(section, "change", PERCENT, false)
                .map(|percent| percent / 100.0),
            absolute: self.number(
                section,
                "absolute",
                "give a number from 0 on, in the unit of the metric",
                false,
            ),
            direction: self.choice(section, "direction", &DIRECTIONS),
            must_gate: self.flag(section, "must_gate"),
            tier: self.choice(section, "tier", &TIERS),
            fail_from: self.choice(section, "fail_from", &LEVELS),
            cases: cases?,
        };
        if section.value("absolute").is_some() && section.value("metric").is_none() {
            let reason =
                "`absolute` has no unit without a `metric`; name the metric that it is about";
            self.fault(section.span.clone(), reason.to_owned());
        }
        if !section.says(&known[2..]) {
            let reason = format!(
                "this entry limits nothing; give one of {}",
                known[2..].join(", ")
            );
            self.fault(section.span.clone(), reason);
        }
        Some(limit)
    }

    fn allow(&mut self, section: &Section<'_, 't>) -> Option<Allow> {
        let known = ["cases", "metric", "change", "reason", "until"];
        section.only(self, &known);
        for key in &known[1..] {
            section.required(self, key);
        }
        let cases = self.cases(section);
        let metric = self.choice(section, "metric", &Metric::ALL);
        let change = self.number(section, "change", PERCENT, true);
        let wanted = "say in quotes why the change is accepted";
        let reason = self.words(section, "reason", wanted);
        let until = self.until(section);
        Some(Allow {
            cases: cases?,
            metric: metric?,
            allowed: Allowed {
                change: change? / 100.0,
                allowance: Allowance {
                    reason: reason?,
                    until: until?.0.to_string(),
                },
                line: place(self.text, section.span.start).0,
            },
            until: until?,
        })
    }

    fn target(&mut self, section: &Section<'_, 't>) -> Option<Target> {
        section.only(
            self,
            &["name", "cases", "metric", "at_most", "at_least", "of"],
        );
        for key in ["name", "metric"] {
            section.required(self, key);
        }
        let cases = self.cases(section);
        let name = self.words(section, "name", "say in quotes what should be reached");
        let metric = self.choice(section, "metric", &TARGETED);
        let of = match section.value("of") {
            None => None,
            Some(value) => {
                let of = self.words(section, "of", "give a series in quotes, as in \"floor\"");
                Some((of, place(self.text, value.span().start)))
            }
        };
        let bounds = ["at_most", "at_least"];
        let given: Vec<&str> = bounds
            .into_iter()
            .filter(|key| section.value(key).is_some())
            .collect();
        let &[key] = &given[..] else {
            let reason = "a target has one bound; give either at_most or at_least";
            self.fault(section.span.clone(), reason.to_owned());
            return None;
        };
        let value = match (&of, metric) {
            (Some(_), _) => self.number(section, key, "give a ratio from 0 on, as in 1.3", false),
            (None, Some(metric)) => self.quantity(section, key, metric),
            (None, None) => None,
        };
        let (of, of_place) = match of {
            Some((of, place)) => (Some(of?), place),
            None => (None, (0, 0)),
        };
        Some(Target {
            name: name?,
            metric: metric?,
            bound: Bound {
                value: value?,
                is_least: key == "at_least",
                of,
            },
            cases: cases?,
            of_place,
        })
    }

    /// A figure of a metric with its unit, where it has several.
    fn quantity(&mut self, section: &Section<'_, 't>, key: &str, metric: Metric) -> Option<f64> {
        let units: &[(&str, f64)] = match metric {
            Metric::Time | Metric::Parallel => &[
                ("ns", 1.0),
                ("us", 1e3),
                ("µs", 1e3),
                ("ms", 1e6),
                ("s", 1e9),
            ],
            Metric::Bytes | Metric::Peak => {
                const KIB: f64 = 1_024.0;
                &[
                    ("B", 1.0),
                    ("KiB", KIB),
                    ("MiB", KIB * KIB),
                    ("GiB", KIB * KIB * KIB),
                ]
            }
            Metric::Throughput => {
                let wanted = "give a number of elements a second from 0 on";
                return self.number(section, key, wanted, false);
            }
            Metric::Instructions | Metric::Allocations => {
                return self.number(section, key, "give a number from 0 on", false);
            }
        };
        let value = section.value(key)?;
        let found = match value.get_ref() {
            DeValue::String(text) => text.trim().split_once(' ').and_then(|(number, unit)| {
                let (_, size) = units.iter().find(|(name, _)| *name == unit.trim())?;
                let number: f64 = number.parse().ok()?;
                (number >= 0.0 && number.is_finite()).then_some(number * size)
            }),
            _ => None,
        };
        if found.is_none() {
            let names: Vec<&str> = units.iter().map(|(name, _)| *name).collect();
            let wanted = format!(
                "give a number and a unit in quotes, as in \"14.5 {}\"; units are {}",
                names[0],
                names.join(", ")
            );
            self.refuse(value, key, &wanted);
        }
        found
    }

    fn cases(&mut self, section: &Section<'_, 't>) -> Option<Cases> {
        let value = section.required(self, "cases")?;
        self.pattern(value)
    }

    /// The patterns of a list.
    fn profiled(&mut self, section: &Section<'_, 't>) -> Vec<Cases> {
        section.only(self, &["cases"]);
        let Some(value) = section.required(self, "cases") else {
            return Vec::new();
        };
        match value.get_ref() {
            DeValue::Array(list) if !list.is_empty() => {
                list.iter().filter_map(|one| self.pattern(one)).collect()
            }
            _ => {
                let wanted = "give a list of patterns, as in [\"dag-run/chain/**\"]";
                self.refuse(value, "cases", wanted);
                Vec::new()
            }
        }
    }

    fn pattern(&mut self, value: &Spanned<DeValue<'t>>) -> Option<Cases> {
        let DeValue::String(text) = value.get_ref() else {
            self.refuse(
                value,
                "cases",
                "give a pattern in quotes, as in \"dag-run/**\"",
            );
            return None;
        };
        match text.parse() {
            Ok(pattern) => Some(Cases {
                pattern,
                quoted: self.quoted(value),
                place: place(self.text, value.span().start),
            }),
            Err(reason) => {
                self.refuse(value, "cases", &reason);
                None
            }
        }
    }

    /// A text that says something.
    fn words(&mut self, section: &Section<'_, 't>, key: &str, wanted: &str) -> Option<String> {
        let value = section.value(key)?;
        match value.get_ref() {
            DeValue::String(words) if !words.trim().is_empty() => Some(words.trim().to_owned()),
            _ => {
                self.refuse(value, key, wanted);
                None
            }
        }
    }

    fn until(&mut self, section: &Section<'_, 't>) -> Option<(Date, Place)> {
        let value = section.value("until")?;
        let day = match value.get_ref() {
            DeValue::Datetime(day) if day.time.is_none() && day.offset.is_none() => day.date,
            _ => None,
        };
        let day = day.and_then(|day| {
            let parts = (
                day.year.try_into(),
                day.month.try_into(),
                day.day.try_into(),
            );
            let (Ok(year), Ok(month), Ok(day)) = parts else {
                return None;
            };
            Date::new(year, month, day).ok()
        });
        if day.is_none() {
            self.refuse(
                value,
                "until",
                "give a day without quotes, as in 2027-01-31",
            );
        }
        Some((day?, place(self.text, value.span().start)))
    }

    fn number(
        &mut self,
        section: &Section<'_, 't>,
        key: &str,
        wanted: &str,
        infinite: bool,
    ) -> Option<f64> {
        let value = section.value(key)?;
        let number = match value.get_ref() {
            DeValue::Integer(number) => i64::from_str_radix(number.as_str(), number.radix())
                .ok()
                .map(|number| number as f64),
            DeValue::Float(number) => number.as_str().parse().ok(),
            _ => None,
        };
        let fits = |number: &f64| *number >= 0.0 && (infinite || number.is_finite());
        let number = number.filter(fits);
        if number.is_none() {
            self.refuse(value, key, wanted);
        }
        number
    }

    fn flag(&mut self, section: &Section<'_, 't>, key: &str) -> Option<bool> {
        let value = section.value(key)?;
        if let DeValue::Boolean(flag) = value.get_ref() {
            return Some(*flag);
        }
        self.refuse(value, key, "give true or false, without quotes");
        None
    }

    fn choice<T: Copy + fmt::Display>(
        &mut self,
        section: &Section<'_, 't>,
        key: &str,
        all: &[T],
    ) -> Option<T> {
        let value = section.value(key)?;
        let chosen = match value.get_ref() {
            DeValue::String(word) => all.iter().find(|one| one.to_string() == **word),
            _ => None,
        };
        if chosen.is_none() {
            let words: Vec<String> = all.iter().map(|one| format!("\"{one}\"")).collect();
            self.refuse(value, key, &format!("give {}", words.join(" or ")));
        }
        chosen.copied()
    }

    /// A table, or a fault.
    fn section<'s>(&mut self, value: &'s Spanned<DeValue<'t>>) -> Option<Section<'s, 't>> {
        match value.get_ref() {
            DeValue::Table(table) => Some(Section {
                table,
                span: value.span(),
            }),
            _ => {
                let reason = format!("{} is no section; give its keys", self.quoted(value));
                self.fault(value.span(), reason);
                None
            }
        }
    }

    /// All tables of a list.
    fn sections<'s>(
        &mut self,
        value: Option<&'s Spanned<DeValue<'t>>>,
        key: &str,
    ) -> Vec<Section<'s, 't>> {
        match value.map(|value| (value, value.get_ref())) {
            None => Vec::new(),
            Some((_, DeValue::Array(list))) => {
                list.iter().filter_map(|one| self.section(one)).collect()
            }
            Some((value, _)) => {
                let reason = format!("`{key}` is a list; write [[{key}]] above every entry");
                self.fault(value.span(), reason);
                Vec::new()
            }
        }
    }

    /// Says what a key has and what it should have.
    fn refuse(&mut self, value: &Spanned<DeValue<'t>>, key: &str, wanted: &str) {
        let reason = format!("{key} = {}; {wanted}", self.quoted(value));
        self.fault(value.span(), reason);
    }

    /// A value as it stands in the file, on one line.
    fn quoted(&self, value: &Spanned<DeValue<'t>>) -> String {
        one_line(self.text.get(value.span()).unwrap_or_default())
    }

    fn fault(&mut self, span: Range<usize>, reason: String) {
        self.faults.push((span.start, reason));
    }
}

impl<'s, 't> Section<'s, 't> {
    fn value(&self, key: &str) -> Option<&'s Spanned<DeValue<'t>>> {
        let entry = self.table.iter().find(|(name, _)| *name.get_ref() == key);
        entry.map(|(_, value)| value)
    }

    /// The value of a key that must be there.
    fn required(&self, source: &mut Source<'t>, key: &str) -> Option<&'s Spanned<DeValue<'t>>> {
        let value = self.value(key);
        if value.is_none() {
            let reason = format!("`{key}` is missing in this entry");
            source.fault(self.span.clone(), reason);
        }
        value
    }

    /// Whether it has one of the keys.
    fn says(&self, keys: &[&str]) -> bool {
        keys.iter().any(|key| self.value(key).is_some())
    }

    /// Refuses all keys but the known ones.
    fn only(&self, source: &mut Source<'t>, known: &[&str]) {
        for (name, _) in self.table {
            if !known.contains(&&**name.get_ref()) {
                let shown = one_line(name.get_ref());
                let reason = format!("unknown key `{shown}`; known here are {}", known.join(", "));
                source.fault(name.span(), reason);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gate::{Change, Evidence};
    use crate::record;
    use std::path::Path;

    fn case(id: &str) -> CaseId {
        let (rest, input) = id.rsplit_once('/').expect("group/series/input");
        let (group, series) = rest.rsplit_once('/').expect("group/series/input");
        CaseId {
            group: group.to_owned(),
            series: series.to_owned(),
            input: input.to_owned(),
        }
    }

    fn day(text: &str) -> Date {
        text.parse().unwrap()
    }

    fn policy(text: &str) -> Policy {
        Policy::parse("benchmarks.toml", text).unwrap()
    }

    fn said(errors: Vec<PolicyError>) -> Vec<String> {
        errors.iter().map(PolicyError::to_string).collect()
    }

    /// Asserts what is wrong with a text: places, each with a part of the sentence.
    #[track_caller]
    fn check_refused(text: &str, expected: &[(&str, &str)]) {
        let errors = said(Policy::parse("benchmarks.toml", text).unwrap_err());
        assert_eq!(errors.len(), expected.len(), "{errors:#?}");
        for (error, (place, part)) in errors.iter().zip(expected) {
            let start = format!("benchmarks.toml:{place}: ");
            assert!(error.starts_with(&start), "{place}: {error}");
            assert!(error.contains(part), "`{part}` is not in: {error}");
        }
    }

    fn finding(metric: Metric, verdict: Verdict, base: f64, head: f64) -> Finding {
        Finding {
            case: case("g/s/1"),
            metric,
            verdict,
            evidence: Evidence::Counts,
            base: Some(base),
            head: Some(head),
            change: (base != 0.0).then(|| {
                let point = head / base - 1.0;
                Change {
                    point,
                    low: point - 0.5,
                    high: point + 0.5,
                }
            }),
            visible: None,
            limit: 0.01,
            launches: 1,
            layouts: 1,
            level: None,
            fails: false,
            allowed: None,
            must_gate: false,
            notes: Vec::new(),
        }
    }

    /// Asserts the level of a regression from `base` to `head` and whether it fails; returns what
    /// else was said.
    #[track_caller]
    fn check_applied(
        text: &str,
        (metric, base, head): (Metric, f64, f64),
        (level, fails): (Option<Level>, bool),
    ) -> Finding {
        let applied = policy(text).applied(finding(metric, Verdict::Regressed, base, head));
        assert_eq!((applied.level, applied.fails), (level, fails));
        assert_eq!(applied.verdict, Verdict::Regressed);
        applied
    }

    #[test]
    fn without_a_file_the_defaults_hold() {
        let rule = |metric| Policy::default().rule(&case("g/s/1"), metric);
        assert_eq!(
            Metric::ALL.map(|metric| rule(metric).limit),
            [0.01, 0.1, 0.01, 0.0, 0.0, 0.05, 0.01]
        );
        let time = rule(Metric::Time);
        assert_eq!((time.must_gate, time.tier), (false, Tier::Change));
        assert_eq!(time.direction, Direction::Worse);
        assert_eq!(time.fail_from, Level::Regression);
        assert_eq!((time.absolute, time.allowed), (None, None));
        assert_eq!(time.lines, [0; 0]);
        assert_eq!(
            policy("").rule(&case("g/s/1"), Metric::Peak),
            rule(Metric::Peak)
        );
    }

    #[test]
    fn a_later_rule_wins_where_it_says_something_and_elsewhere_the_earlier_one_holds() {
        let policy = policy(
            r#"
            [levels]
            fail_from = "investigate"
            [[limit]]
            cases = "**"
            metric = "time"
            change = 2
            absolute = 5.5
            tier = "nightly"
            [[limit]]
            cases = "dag-run/**"
            must_gate = true
            tier = "change"
            direction = "either"
            [[limit]]
            cases = "dag-run/chain/*/1000"
            metric = "time"
            change = 0
            fail_from = "memory review"
            "#,
        );
        let rule = policy.rule(&case("dag-run/chain/own/1000"), Metric::Time);
        assert_eq!(
            rule,
            Rule {
                limit: 0.0,
                absolute: Some(5.5),
                direction: Direction::Either,
                must_gate: true,
                tier: Tier::Change,
                fail_from: Level::Review,
                lines: vec![4, 10, 15],
                allowed: None,
            }
        );
        let rule = policy.rule(&case("dag-run/chain/own/10"), Metric::Bytes);
        assert_eq!((rule.limit, rule.absolute), (0.0, None));
        assert_eq!((rule.must_gate, rule.lines), (true, vec![10]));
        assert_eq!(rule.fail_from, Level::Investigate);
        let rule = policy.rule(&case("other/own/10"), Metric::Time);
        assert_eq!((rule.limit, rule.tier), (0.02, Tier::Nightly));
    }

    #[test]
    fn one_star_stays_within_a_part_and_two_do_not() {
        let matches = |pattern: &str, id: &str| {
            let text = format!("[[limit]]\ncases = '{pattern}'\nmust_gate = true");
            policy(&text).check(&[case(id)], day("2026-11-21")).is_ok()
        };
        assert!(matches("dag-run/**", "dag-run/chain/own/10"));
        assert!(!matches("dag-run/*/10", "dag-run/chain/own/10"));
        assert!(matches("dag-run/*/*/10", "dag-run/chain/own/10"));
        assert!(matches("**/own/*", "dag-run/chain/own/10"));
        assert!(matches(
            "global-alloc/{own,system}/64 B",
            "global-alloc/own/64 B"
        ));
        assert!(!matches("dag-run", "dag-run/chain/own/10"));
        // What a pattern cannot name by itself.
        assert!(matches("g/s[[]0]/\\*", "g/s[0]/*"));
        assert!(!matches("g/s/\\*", "g/s/1"));
        assert!(matches("g/*/1", "g/\n\u{202e}::error::/1"));
    }

    #[test]
    fn what_means_nothing_is_named_with_its_place_and_all_of_it_at_once() {
        check_refused(
            "[levels]\nfail_from = \"regresion\"\nblok = 3\n\n[[limit]]\ncases = \"**\"\n  metric = \"tme\"\nchange = -1\nmust_gate = \"yes\"\n[limits]\n",
            &[
                (
                    "2:13",
                    "fail_from = \"regresion\"; give \"regression\" or \"memory review\" or",
                ),
                (
                    "3:1",
                    "unknown key `blok`; known here are investigate, block,",
                ),
                ("7:12", "metric = \"tme\"; give \"time\" or \"parallel\""),
                ("8:10", "change = -1; give a number of percent"),
                ("9:13", "must_gate = \"yes\"; give true or false"),
                (
                    "10:2",
                    "unknown key `limits`; known here are levels, limit, allow, target",
                ),
            ],
        );
        check_refused(
            "[[allow]]\ncases = \"a[\"\nmetric = 3\nchange = nan\nreason = \" \"\nuntil = \"2027-01-31\"",
            &[
                ("2:9", "cases = \"a[\"; this is no pattern"),
                ("3:10", "metric = 3; give"),
                ("4:10", "change = nan; give"),
                ("5:10", "reason = \" \"; say in quotes why"),
                ("6:9", "until = \"2027-01-31\"; give a day without quotes"),
            ],
        );
    }

    #[test]
    fn what_is_missing_or_says_nothing_is_named() {
        check_refused(
            "# é\n[[allow]]\nmetric = \"time\"\n",
            &[
                ("2:1", "`change` is missing"),
                ("2:1", "`reason` is missing"),
                ("2:1", "`until` is missing"),
                ("2:1", "`cases` is missing"),
            ],
        );
        check_refused(
            "[[limit]]\ncases = '**'\nmetric = 'time'",
            &[(
                "1:1",
                "limits nothing; give one of change, absolute, direction, must_gate",
            )],
        );
        check_refused(
            "[[limit]]\ncases = '**'\nabsolute = 5",
            &[("1:1", "`absolute` has no unit")],
        );
    }

    #[test]
    fn wrong_shapes_and_broken_toml_are_named() {
        check_refused("limit = 3", &[("1:9", "[[limit]]")]);
        check_refused("[limit]\ncases = 'a'", &[("1:1", "[[limit]]")]);
        check_refused("levels = [1]", &[("1:10", "[1] is no section")]);
        check_refused("allow = ['x']", &[("1:10", "'x' is no section")]);
        check_refused("[levels]\nblock = 1 %", &[("2:9", "")]);
        check_refused("[levels]\nblock = 1\nblock = 2", &[("3:1", "duplicate")]);
        check_refused("é = 1\n[levels]\nblock = inf", &[("1:1", "")]);
        let text = format!("[levels]\nblock = \"{}\"", "x".repeat(300));
        let errors = said(Policy::parse("f", &text).unwrap_err());
        assert!(errors[0].chars().count() < 200, "{errors:?}");
    }

    #[test]
    fn numbers_must_be_finite_but_for_what_is_allowed() {
        check_refused("[levels]\nblock = inf", &[("2:9", "block = inf")]);
        let limit = "[[limit]]\ncases = '**'\nmetric = 'time'\n";
        check_refused(&format!("{limit}change = inf"), &[("4:10", "change = inf")]);
        check_refused(
            &format!("{limit}absolute = -0.5"),
            &[(
                "4:12",
                "absolute = -0.5; give a number from 0 on, in the unit",
            )],
        );
        let text = format!("{}change = inf\n{UNTIL}", ALLOW);
        let rule = policy(&text).rule(&case("g/s/1"), Metric::Instructions);
        assert_eq!(rule.allowed.unwrap().change, f64::INFINITY);
        let rule = policy(&format!("{limit}change = 0x10")).rule(&case("g/s/1"), Metric::Time);
        assert_eq!(rule.limit, 0.16);
    }

    #[test]
    fn levels_must_rise() {
        check_refused(
            "\n[levels]\ninvestigate = 30",
            &[("2:1", "investigate = 30 is over block = 20")],
        );
        check_refused(
            "[levels]\nmemory_review = 12",
            &[("1:1", "memory_review = 12 is over investigate = 10")],
        );
    }

    const ALLOW: &str = "[[allow]]\ncases = 'g/*/1'\nmetric = 'instructions'\n";
    const UNTIL: &str = "reason = ' a second round '\nuntil = 2027-01-31\n";

    #[test]
    fn pattern_without_a_case_and_allowance_that_is_over_are_errors() {
        let text = format!("[[limit]]\ncases = 'h/**'\nchange = 2\n{ALLOW}change = 4\n{UNTIL}");
        let policy = policy(&text);
        let both = [case("g/s/1"), case("h/s/1")];
        assert_eq!(policy.check(&both, day("2027-01-31")), Ok(()));
        let errors = said(policy.check(&both[..1], day("2027-02-01")).unwrap_err());
        assert_eq!(
            errors,
            [
                "benchmarks.toml:2:9: cases = 'h/**' matches no case; mend it or remove the entry (`gen-benchmarks list` prints the cases)",
                "benchmarks.toml:9:9: until = 2027-01-31 is over; remove the entry, or agree on a later day if it must stay",
            ]
        );
    }

    #[test]
    fn cases_to_profile_come_in_the_order_of_their_patterns_and_each_once() {
        let policy = policy("[profile]\ncases = ['h/*/2', '{g,h}/own/*']");
        let cases = ["g/own/1", "g/peer/1", "h/own/1", "h/own/2", "h/peer/2"].map(case);
        let profiled = policy.profiled(&cases).into_iter();
        let profiled: Vec<String> = profiled.map(CaseId::to_string).collect();
        assert_eq!(profiled, ["h/own/2", "h/peer/2", "g/own/1", "h/own/1"]);
        assert_eq!(Policy::default().profiled(&cases), [&cases[0]; 0]);
    }

    #[test]
    fn profile_that_means_nothing_is_named_with_its_place() {
        check_refused(
            "[profile]\ncases = ['a[', 3]\nhertz = 1",
            &[
                ("2:10", "cases = 'a['; this is no pattern"),
                ("2:16", "cases = 3; give a pattern in quotes"),
                ("3:1", "unknown key `hertz`; known here are cases"),
            ],
        );
        check_refused(
            "[profile]\ncases = 'a/**'",
            &[("2:9", "cases = 'a/**'; give a list of patterns")],
        );
        check_refused("[profile]", &[("1:1", "`cases` is missing in this entry")]);
        let policy = policy("[profile]\ncases = ['g/**', 'h/**']");
        let errors = said(
            policy
                .check(&[case("g/s/1")], day("2027-01-31"))
                .unwrap_err(),
        );
        assert_eq!(errors.len(), 1, "{errors:?}");
        let start = "benchmarks.toml:2:18: cases = 'h/**' matches no case";
        assert!(errors[0].starts_with(start), "{errors:?}");
    }

    const TARGET: &str = "[[target]]\nname = 'n'\ncases = 'g/**'\n";

    #[test]
    fn target_has_a_bound_in_the_unit_of_its_metric_or_a_ratio() {
        #[track_caller]
        fn check(text: &str, value: f64, is_least: bool, of: Option<&str>) {
            let policy = policy(&format!("{TARGET}{text}"));
            let [target] = policy.targets() else {
                panic!("one target");
            };
            let of = of.map(str::to_owned);
            let expected = Bound {
                value,
                is_least,
                of,
            };
            assert_eq!(target.bound, expected);
            assert_eq!(target.name, "n");
            assert!(target.is_about(&case("g/s/1")));
            assert!(!target.is_about(&case("h/s/1")));
        }
        check("metric = 'time'\nat_most = '14.5 ns'", 14.5, false, None);
        check("metric = 'time'\nat_most = '3 µs'", 3_000.0, false, None);
        check("metric = 'peak'\nat_most = '2 KiB'", 2_048.0, false, None);
        check("metric = 'allocations'\nat_most = 0", 0.0, false, None);
        check(
            "metric = 'throughput'\nat_least = 90_000",
            90_000.0,
            true,
            None,
        );
        check(
            "metric = 'time'\nat_most = 1.3\nof = 'floor'",
            1.3,
            false,
            Some("floor"),
        );
    }

    #[test]
    fn target_that_means_nothing_is_named_with_its_place() {
        let check = |text: &str, place: &str, part: &str| {
            check_refused(&format!("{TARGET}{text}"), &[(place, part)]);
        };
        check(
            "metric = 'time'\nat_most = 14.5",
            "5:11",
            "at_most = 14.5; give a number and a unit in quotes, as in \"14.5 ns\"",
        );
        check(
            "metric = 'time'\nat_most = '14.5 parsecs'",
            "5:11",
            "units are ns, us, µs, ms, s",
        );
        check(
            "metric = 'time'\nat_most = '-1 ns'",
            "5:11",
            "at_most = '-1 ns'",
        );
        check(
            "metric = 'time'\nat_most = 'NaN ns'",
            "5:11",
            "at_most = 'NaN ns'",
        );
        check(
            "metric = 'bytes'\nat_most = '1 kB'",
            "5:11",
            "units are B, KiB, MiB, GiB",
        );
        check(
            "metric = 'allocations'\nat_most = '1'",
            "5:11",
            "give a number from 0 on",
        );
        check(
            "metric = 'time'\nof = 'floor'\nat_most = '1 ns'",
            "6:11",
            "give a ratio",
        );
        check(
            "metric = 'time'\nof = ''\nat_most = 1",
            "5:6",
            "give a series in quotes",
        );
        check("metric = 'time'", "1:1", "give either at_most or at_least");
        check(
            "metric = 'time'\nat_most = '1 ns'\nat_least = '1 ns'",
            "1:1",
            "one bound",
        );
        check(
            "metric = 'parallel'\nat_most = '1 ns'",
            "4:10",
            "give \"time\" or \"instructions\"",
        );
        check(
            "metric = 'time'\nat_most = '1 ns'\nreason = 'x'",
            "6:1",
            "unknown key `reason`",
        );
        check_refused(
            "[[target]]\nat_most = 1",
            &[
                ("1:1", "`name` is missing"),
                ("1:1", "`metric` is missing"),
                ("1:1", "`cases` is missing"),
            ],
        );
    }

    #[test]
    fn target_without_a_case_or_without_what_it_compares_with_is_an_error() {
        let text = format!("{TARGET}metric = 'time'\nat_most = 1\nof = 'floor'");
        let policy = policy(&text);
        let today = day("2027-01-31");
        let both = [case("g/s/1"), case("g/floor/1")];
        assert_eq!(policy.check(&both, today), Ok(()));
        let errors = said(policy.check(&both[..1], today).unwrap_err());
        assert_eq!(
            errors,
            [
                "benchmarks.toml:6:6: of = \"floor\" is no series beside case `g/s/1`; name one of the same group that has its input"
            ]
        );
        let errors = said(policy.check(&[case("h/s/1")], today).unwrap_err());
        assert!(
            errors[0].starts_with("benchmarks.toml:3:9: cases = 'g/**' matches no case"),
            "{errors:?}"
        );
    }

    #[test]
    fn level_follows_from_the_size_and_the_last_digit_of_a_ratio_does_not_matter() {
        use Level::{Block, Investigate, Regression, Review};
        use Metric::{Allocations, Bytes, Peak, Throughput, Time};
        for (change, level) in [
            ((Time, 100.0, 102.0), Regression),
            // 110 / 100 - 1 is more than 0.1.
            ((Time, 100.0, 110.0), Regression),
            ((Time, 100.0, 110.1), Investigate),
            ((Time, 100.0, 120.0), Investigate),
            ((Time, 100.0, 121.0), Block),
            ((Bytes, 100.0, 105.0), Regression),
            ((Bytes, 100.0, 106.0), Review),
            ((Peak, 100.0, 111.0), Investigate),
            ((Throughput, 100.0, 85.0), Investigate),
            ((Allocations, 0.0, 1.0), Block),
        ] {
            check_applied("", change, (Some(level), true));
        }
        let rare = "[levels]\ninvestigate = 40\nblock = 50";
        let change = (Time, 100.0, 145.0);
        check_applied(rare, change, (Some(Investigate), true));
    }

    #[test]
    fn gate_fails_from_the_level_that_is_asked_for() {
        let change = (Metric::Time, 100.0, 115.0);
        let level = Some(Level::Investigate);
        let text = "[levels]\nfail_from = 'block'\n";
        let applied = check_applied(text, change, (level, false));
        assert_eq!(
            applied.notes,
            ["the gate fails from the level \"block\" on, and this is \"investigate\""]
        );
        let text = format!("{text}[[limit]]\ncases = 'g/**'\nfail_from = 'investigate'");
        let applied = check_applied(&text, change, (level, true));
        assert_eq!(applied.notes, [""; 0]);
    }

    #[test]
    fn allowance_holds_up_to_its_size_and_says_so_beyond() {
        let text = format!("{ALLOW}change = 4\n{UNTIL}");
        let level = Some(Level::Regression);
        let applied = check_applied(&text, (Metric::Instructions, 100.0, 104.0), (level, false));
        let allowed = applied.allowed.unwrap();
        assert_eq!(allowed.reason, "a second round");
        assert_eq!(allowed.until, "2027-01-31");
        assert_eq!(applied.notes, [""; 0]);
        let applied = check_applied(&text, (Metric::Instructions, 100.0, 104.1), (level, true));
        assert_eq!(applied.allowed, None);
        assert_eq!(applied.notes, ["over the allowed 4 %"]);
        // Of another metric, and from nothing to something.
        let applied = check_applied(&text, (Metric::Time, 100.0, 101.0), (level, true));
        assert_eq!(applied.notes, [""; 0]);
        let block = Some(Level::Block);
        check_applied(&text, (Metric::Instructions, 0.0, 1.0), (block, true));
        let text = text.replace("change = 4", "change = inf");
        check_applied(&text, (Metric::Instructions, 0.0, 1.0), (block, false));
    }

    #[test]
    fn the_last_allowance_counts() {
        let text = format!("{ALLOW}change = 9\n{UNTIL}{ALLOW}change = 4\n{UNTIL}");
        let applied = check_applied(
            &text,
            (Metric::Instructions, 100.0, 106.0),
            (Some(Level::Regression), true),
        );
        assert_eq!(applied.notes, ["over the allowed 4 %"]);
    }

    #[test]
    fn regression_of_unknown_size_fails_and_no_allowance_covers_it() {
        let mut unknown = finding(Metric::Instructions, Verdict::Regressed, 1.0, 2.0);
        (unknown.base, unknown.head, unknown.change) = (None, None, None);
        let text = format!("{ALLOW}change = inf\n{UNTIL}");
        let applied = policy(&text).applied(unknown);
        assert_eq!(applied.level, Some(Level::Regression));
        assert!(applied.fails && applied.allowed.is_none());
    }

    #[test]
    fn small_difference_does_not_fail_where_an_absolute_limit_is_set() {
        let text = "[[limit]]\ncases = '**'\nmetric = 'time'\nabsolute = 5";
        let applied = check_applied(text, (Metric::Time, 10.0, 14.9), (None, false));
        assert_eq!(
            applied.notes,
            ["differs by 4.9 ns, less than the 5 ns that matter"]
        );
        check_applied(text, (Metric::Time, 10.0, 15.0), (Some(Level::Block), true));
    }

    #[test]
    fn improvement_fails_only_where_both_directions_count_and_nobody_allowed_it() {
        let improved = |text: &str, head| {
            policy(text).applied(finding(
                Metric::Instructions,
                Verdict::Improved,
                100.0,
                head,
            ))
        };
        assert_eq!(
            improved("", 50.0),
            finding(Metric::Instructions, Verdict::Improved, 100.0, 50.0)
        );
        let text = "[[limit]]\ncases = '**'\nchange = 2\ndirection = 'either'\n";
        let found = improved(text, 97.0);
        assert!(found.fails, "{found:?}");
        assert_eq!(
            found.notes,
            ["an improvement over the limit must be allowed too"]
        );
        assert!(!improved(text, 98.5).fails);
        let found = improved(&format!("{text}{ALLOW}change = 4\n{UNTIL}"), 97.0);
        assert!(!found.fails && found.allowed.is_some(), "{found:?}");
    }

    #[test]
    fn other_verdicts_only_learn_whether_they_must_gate() {
        let text = "[[limit]]\ncases = '**'\nmust_gate = true";
        for verdict in [
            Verdict::Inconclusive,
            Verdict::Equivalent,
            Verdict::Improved,
        ] {
            let mut found = finding(Metric::Time, verdict, 100.0, 300.0);
            let applied = policy(text).applied(found.clone());
            found.must_gate = true;
            assert_eq!(applied, found);
        }
    }

    #[test]
    fn policy_of_this_workspace_fits_the_cases_of_its_record() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let text = std::fs::read_to_string(root.join("benchmarks.toml")).unwrap();
        let policy = Policy::parse("benchmarks.toml", &text).unwrap();
        let entries = record::read(&root.join("assets/benchmarks.jsonl")).unwrap();
        let cases = record::planned(&entries.entries);
        assert!(cases.len() > 500, "{}", cases.len());
        // The day on which the file was last looked through: the tests do not fail by themselves.
        policy.check(&cases, day("2026-11-21")).unwrap();
        let rule = policy.rule(&case("dag-run/chain/adaptive/100"), Metric::Time);
        assert!(rule.must_gate);
    }
}
