//! How the outcome of a gate is shown: its rows, which every form shares, and where the forms go.
//!
//! Ids, names and reasons come from outside. Every form escapes them in its own way, after
//! [`clean`] took out what no form can show.

mod github;
mod junit;
mod page;
mod table;

use std::borrow::Cow;
use std::collections::HashMap;
use std::ffi::OsString;
use std::io::Write;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use bench_harness::gate::{
    Change, Evidence, Finding, Judgement, Level, Metric, Side, Undecided, Verdict,
};
use bench_harness::record::CaseId;
use clap::Args;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::format::Unit;
use crate::publish::write;

/// A tenth of a percent.
const TENTH: f64 = 0.001;

/// Widest text from outside that is shown on a line, in columns.
const TEXT_WIDTH: usize = 200;

/// Where the outcome goes beside the terminal.
#[derive(Args, Clone, Default)]
pub(crate) struct Destinations {
    /// Write the outcome as Markdown, for a comment on a pull request.
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,
    /// Write the outcome as JUnit XML, one test for every case and metric.
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,
    /// Write the outcome as JSON, which `gen-benchmarks show` reads.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Print annotations for GitHub Actions; in a workflow they are printed anyway.
    #[arg(long)]
    annotations: bool,
    /// What the environment asks for.
    #[arg(skip)]
    pub(crate) github: Github,
}

/// What a workflow of GitHub Actions gives its steps.
#[derive(Clone, Default)]
pub(crate) struct Github {
    /// Whether this is a workflow.
    workflow: bool,
    /// The file that Markdown for the page of the run is added to.
    summary: Option<PathBuf>,
    /// The file that outputs of the step are added to.
    output: Option<PathBuf>,
}

impl Github {
    /// Reads the variables that `variable` looks up.
    pub(crate) fn of(variable: impl Fn(&str) -> Option<OsString>) -> Self {
        let file = |name| variable(name).filter(|path| !path.is_empty());
        Self {
            workflow: variable("GITHUB_ACTIONS").is_some_and(|value| value == "true"),
            summary: file("GITHUB_STEP_SUMMARY").map(PathBuf::from),
            output: file("GITHUB_OUTPUT").map(PathBuf::from),
        }
    }
}

/// Prints the outcome and writes it wherever it is asked for.
pub(crate) fn publish(judgement: &Judgement, destinations: &Destinations) -> Result<()> {
    crate::print(&table::table(judgement))?;
    let github = &destinations.github;
    if destinations.annotations || github.workflow {
        crate::print(&github::annotations(judgement))?;
    }
    if let Some(path) = &destinations.json {
        let failed = || format!("cannot write {}", path.display());
        let text = judgement.to_json().map_err(|reason| anyhow!(reason));
        write(path, text.with_context(failed)?.as_bytes())?;
    }
    if let Some(path) = &destinations.junit {
        write(path, junit::report(judgement)?.as_bytes())?;
    }
    if let Some(path) = &destinations.markdown {
        write(path, page::page(judgement, page::COMMENT_LIMIT).as_bytes())?;
    }
    if let Some(path) = &github.summary {
        let there = std::fs::metadata(path).map_or(0, |file| file.len());
        let left = (page::SUMMARY_LIMIT as u64).saturating_sub(there) as usize;
        let page = page::page(judgement, left);
        // Over the limit all of the summary would be lost.
        match page.len() <= left {
            true => append(path, &page)?,
            false => eprintln!(
                "the outcome is not in {}, which has no room for it; write a file with --markdown",
                path.display()
            ),
        }
    }
    if let Some(path) = &github.output {
        append(path, &github::outputs(judgement))?;
    }
    Ok(())
}

/// Adds to a file that others write to as well, so it cannot be replaced.
fn append(path: &Path, text: &str) -> Result<()> {
    let failed = || format!("cannot add to {}", path.display());
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .append(true)
        .create(true)
        .open(path)
        .with_context(failed)?;
    file.write_all(text.as_bytes()).with_context(failed)
}

/// How much a row speaks against the change, gravest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Standing {
    /// It makes the gate fail.
    Fails,
    /// It has regressed, and the policy lets it pass.
    Tolerated,
    /// The base has it and the head does not, or it does not run.
    Missing,
    /// Inconclusive, and must be decided.
    Undecided,
    Inconclusive,
    Improved,
    /// Only the head has it.
    New,
    Equivalent,
}

/// What is said of one case.
struct Row<'j> {
    standing: Standing,
    case: &'j CaseId,
    /// Of all its metrics.
    findings: Vec<&'j Finding>,
    /// Why there are none.
    undecided: Option<&'j Undecided>,
}

/// A remark on a row: our own words, and then those of others.
struct Remark<'j> {
    own: String,
    others: Option<Cow<'j, str>>,
}

impl Remark<'_> {
    /// As plain text.
    fn text(&self) -> String {
        let others = self.others.as_deref().unwrap_or_default();
        self.own.clone() + &shorten(others, TEXT_WIDTH)
    }
}

/// All cases, gravest first, and in order of definition where they are equal.
fn rows(judgement: &Judgement) -> Vec<Row<'_>> {
    let mut rows: Vec<Row> = Vec::new();
    let mut places: HashMap<&CaseId, usize> = HashMap::new();
    for finding in &judgement.findings {
        let place = *places.entry(&finding.case).or_insert(rows.len());
        if place == rows.len() {
            rows.push(Row {
                standing: Standing::Equivalent,
                case: &finding.case,
                findings: Vec::new(),
                undecided: None,
            });
        }
        let row = &mut rows[place];
        row.standing = row.standing.min(standing(finding));
        row.findings.push(finding);
    }
    rows.extend(judgement.undecided.iter().map(|undecided| Row {
        standing: match undecided.is_new {
            true => Standing::New,
            false => Standing::Missing,
        },
        case: &undecided.case,
        findings: Vec::new(),
        undecided: Some(undecided),
    }));
    rows.sort_by_key(|row| row.standing);
    rows
}

fn standing(finding: &Finding) -> Standing {
    match finding.verdict {
        _ if finding.fails => Standing::Fails,
        Verdict::Regressed => Standing::Tolerated,
        Verdict::Inconclusive if finding.must_gate => Standing::Undecided,
        Verdict::Inconclusive => Standing::Inconclusive,
        Verdict::Improved => Standing::Improved,
        Verdict::Equivalent => Standing::Equivalent,
    }
}

impl<'j> Row<'j> {
    /// The word for it; in capitals where the gate does not pass because of it.
    fn word(&self) -> &'static str {
        match self.standing {
            Standing::Fails if self.decisive().all(|one| one.verdict == Verdict::Improved) => {
                "IMPROVED"
            }
            Standing::Fails => "REGRESSED",
            Standing::Tolerated if self.decisive().all(|one| one.allowed.is_some()) => "allowed",
            Standing::Tolerated => "regressed",
            Standing::Missing => "MISSING",
            Standing::Undecided => "INCONCLUSIVE",
            Standing::Inconclusive => "inconclusive",
            Standing::Improved => "improved",
            Standing::New => "new",
            Standing::Equivalent => "equivalent",
        }
    }

    /// The findings that its standing comes from.
    fn decisive(&self) -> impl Iterator<Item = &'j Finding> {
        let decisive = |finding: &&Finding| standing(finding) == self.standing;
        self.findings.iter().copied().filter(decisive)
    }

    /// How much a metric changed; nothing where it was not compared.
    fn change(&self, metric: Metric) -> String {
        let finding = self.findings.iter().find(|one| one.metric == metric);
        finding.map_or_else(String::new, |finding| change(finding))
    }

    /// The smallest worsening that would have been found.
    fn visible(&self) -> String {
        let of = |finding: &Finding| finding.visible;
        let visible = self.decisive().find_map(of);
        let visible = visible.or_else(|| self.findings.iter().find_map(|finding| of(finding)));
        visible.map_or_else(String::new, |visible| Unit::Percent.format(visible, TENTH))
    }

    /// What else there is to say: limits, what to do, and what others noted.
    fn remarks(&self) -> Vec<Remark<'j>> {
        let mut remarks = Vec::new();
        if let Some(undecided) = self.undecided {
            remarks.push(Remark {
                own: String::new(),
                others: Some(undecided.reason.as_str().into()),
            });
        }
        for finding in self.decisive() {
            remarks.extend(advice(finding).map(|advice| Remark {
                own: prefix(finding) + &advice,
                others: None,
            }));
        }
        for finding in &self.findings {
            if let Some(allowed) = &finding.allowed {
                remarks.push(Remark {
                    own: format!("{}allowed until ", prefix(finding)),
                    others: Some(format!("{}: {}", allowed.until, allowed.reason).into()),
                });
            }
            remarks.extend(finding.notes.iter().map(|note| Remark {
                own: prefix(finding),
                others: Some(note.as_str().into()),
            }));
        }
        remarks
    }
}

/// The metric of a remark; time goes without saying.
fn prefix(finding: &Finding) -> String {
    match finding.metric {
        Metric::Time => String::new(),
        metric => format!("{metric}: "),
    }
}

/// What a reader of a finding needs to know to go on.
fn advice(finding: &Finding) -> Option<String> {
    let limit = || format!("limit {}", Unit::Percent.format(finding.limit, 0.0));
    match finding.verdict {
        Verdict::Regressed => Some(match finding.level {
            None | Some(Level::Regression) => limit(),
            Some(level) => format!("{}, {level}", limit()),
        }),
        Verdict::Improved if finding.fails => Some(limit()),
        Verdict::Inconclusive => {
            let must = match finding.must_gate {
                true => ", must be decided",
                false => "",
            };
            let launches = match finding.launches {
                0 => String::new(),
                launches => format!(" with more launches than {launches}"),
            };
            Some(format!("{}{must}: measure again{launches}", limit()))
        }
        Verdict::Improved | Verdict::Equivalent => None,
    }
}

/// How much a figure changed: `+2.1 % (1.7..2.5)`, `=`, or both figures where there is no ratio.
fn change(finding: &Finding) -> String {
    if finding.evidence == Evidence::SameCode
        || finding.base.is_some_and(|base| Some(base) == finding.head)
    {
        return "=".to_owned();
    }
    match (&finding.change, finding.base, finding.head) {
        (Some(change), _, _) => signed(change),
        (None, Some(_), Some(_)) => figures(finding).unwrap_or_default(),
        _ => "?".to_owned(),
    }
}

/// `+2.1 % (1.7..2.5)`, or the point alone where it is exact.
fn signed(change: &Change) -> String {
    let sign = if change.point > 0.0 { "+" } else { "" };
    if change.high <= change.low {
        return format!("{sign}{}", Unit::Percent.format(change.point, 0.0));
    }
    let half_width = (change.high - change.low) / 2.0;
    // A tenth of a percent tells on which side of a limit an end lies, however wide the interval.
    let shown = half_width
        .min(change.point.abs() / 20.0)
        .max(half_width.min(TENTH));
    let bare = |end| {
        let text = Unit::Percent.format(end, shown);
        text.trim_end_matches(" %").to_owned()
    };
    let (low, high) = (bare(change.low), bare(change.high));
    format!("{sign}{} % ({low}..{high})", bare(change.point))
}

/// Both figures: `512 ns → 523 ns`.
fn figures(finding: &Finding) -> Option<String> {
    let (base, head) = finding.base.zip(finding.head)?;
    let unit = match finding.metric {
        Metric::Time | Metric::Parallel => Unit::Duration,
        Metric::Bytes | Metric::Peak => Unit::Bytes,
        Metric::Instructions | Metric::Allocations | Metric::Throughput => Unit::Count,
    };
    let whole = unit == Unit::Count && base.fract() == 0.0 && head.fract() == 0.0;
    // Two more digits than the difference has.
    let half_width = match whole || base == 0.0 {
        true => 0.0,
        false => (head - base).abs() / 100.0,
    };
    let text = |figure| unit.format(figure, half_width);
    Some(format!("{} → {}", text(base), text(head)))
}

/// The rows that are worth a line each.
fn shown<'r, 'j>(rows: &'r [Row<'j>]) -> Vec<&'r Row<'j>> {
    let shown = |row: &&Row| row.standing != Standing::Equivalent;
    rows.iter().filter(shown).collect()
}

/// The metrics that have a column: those of rows with a line.
fn metrics(shown: &[&Row]) -> Vec<Metric> {
    let compared = |metric: &Metric| {
        let mut findings = shown.iter().flat_map(|row| &row.findings);
        findings.any(|finding| finding.metric == *metric)
    };
    Metric::ALL.into_iter().filter(compared).collect()
}

/// How many cases have no row of their own, and how bad they can be at most.
fn equivalent(rows: &[Row]) -> Option<String> {
    let (equal, others): (Vec<&Row>, Vec<&Row>) = rows
        .iter()
        .partition(|row| row.standing == Standing::Equivalent);
    if equal.is_empty() {
        return None;
    }
    let more = if others.is_empty() { "" } else { " more" };
    let cases = format!("{}{more} {}", equal.len(), plural(equal.len(), "case"));
    let times = equal.iter().flat_map(|row| &row.findings);
    let times =
        times.filter(|one| one.metric == Metric::Time && one.evidence != Evidence::SameCode);
    let highest = times.map(|one| one.change.map(|change| change.high));
    // One whose interval nobody knows may be slower than all others.
    let highest = highest.collect::<Option<Vec<f64>>>().unwrap_or_default();
    let Some(highest) = highest.into_iter().reduce(f64::max) else {
        return Some(cases);
    };
    let bound = match highest > 0.0 {
        // Upwards: none is slower than what stands there.
        true => {
            let percent = (highest * 1_000.0).ceil() / 1_000.0;
            format!(" than {}", Unit::Percent.format(percent, TENTH))
        }
        false => String::new(),
    };
    Some(format!("{cases} (none slower{bound})"))
}

/// What was compared: both builds, the machine, how many cases.
fn compared(judgement: &Judgement, rows: &[Row]) -> [String; 2] {
    let same = |row: &&Row| {
        let mut findings = row.findings.iter();
        !row.findings.is_empty() && findings.all(|one| one.evidence == Evidence::SameCode)
    };
    let unchanged = rows.iter().filter(same).count();
    let compared = rows.iter().filter(|row| !row.findings.is_empty()).count();
    let seconds = Unit::Duration.format(judgement.measuring_s * 1e9, 1e9);
    [
        clean(&judgement.machine),
        format!(
            "{} {}, {unchanged} of unchanged code, {} measured in {seconds}",
            rows.len(),
            plural(rows.len(), "case"),
            compared - unchanged,
        ),
    ]
}

/// A build as a reader knows it: its name, and the start of its commit.
fn side(side: &Side) -> Vec<String> {
    let commit = match side.commit.len() == 40 && side.commit.bytes().all(|b| b.is_ascii_hexdigit())
    {
        true => &side.commit[..10],
        false => &side.commit,
    };
    match side.name == side.commit || side.name == commit {
        true => vec![shorten(commit, TEXT_WIDTH)],
        false => vec![shorten(&side.name, TEXT_WIDTH), shorten(commit, TEXT_WIDTH)],
    }
}

/// How the figures were taken: seed, launches, layouts, what time was decided on.
fn method(judgement: &Judgement) -> Vec<Remark<'_>> {
    let timed = |finding: &&Finding| {
        use Evidence::{Confirmed, Paired, Parallel};
        matches!(finding.evidence, Paired | Confirmed | Parallel)
    };
    let span = |name: &str, of: fn(&Finding) -> u32| {
        let values = || judgement.findings.iter().filter(timed).map(of);
        let (low, high) = (values().min()?, values().max()?);
        let names = plural(high as usize, name);
        Some(match low == high {
            true => format!("{high} {names}"),
            false => format!("{low} to {high} {names}"),
        })
    };
    let mut method = vec![Remark {
        own: format!("seed {}", judgement.seed),
        others: None,
    }];
    let launches = span("launch", |finding| finding.launches);
    let layouts = span("layout", |finding| finding.layouts);
    if let Some((launches, layouts)) = launches.zip(layouts) {
        method.push(Remark {
            own: format!("{launches} and {layouts} of each build"),
            others: None,
        });
    }
    let others = [
        ("decided on ", &judgement.decided_on),
        ("", &judgement.load),
    ];
    let others = others.into_iter().filter(|(_, text)| !text.is_empty());
    method.extend(others.map(|(own, text)| Remark {
        own: own.to_owned(),
        others: Some(text.as_str().into()),
    }));
    method
}

/// What the exit code rests on: `1 regression, 2 missing cases`.
fn summary(rows: &[Row]) -> String {
    let count = |word: &str| rows.iter().filter(|row| row.word() == word).count();
    let counts = [
        (count("REGRESSED"), "regression"),
        (count("IMPROVED"), "unexpected improvement"),
        (count("MISSING"), "missing case"),
        (count("INCONCLUSIVE"), "undecided case"),
    ];
    let counts = counts.into_iter().filter(|(count, _)| *count > 0);
    let counts = counts.map(|(count, name)| format!("{count} {}", plural(count, name)));
    let counts: Vec<String> = counts.collect();
    match counts.is_empty() {
        true => "nothing speaks against the change".to_owned(),
        false => counts.join(", "),
    }
}

fn plural(count: usize, name: &str) -> String {
    match count {
        1 => name.to_owned(),
        _ if name.ends_with("ch") => format!("{name}es"),
        _ => format!("{name}s"),
    }
}

/// Lines whose cells begin where those of the first begin, by what a terminal shows.
pub(crate) fn columns(cells: &[Vec<String>]) -> Vec<String> {
    let count = cells.first().map_or(0, Vec::len);
    let width = |column: usize| cells.iter().map(move |line| line[column].width()).max();
    let widths: Vec<usize> = (0..count).map(|at| width(at).unwrap_or(0)).collect();
    let aligned = |line: &Vec<String>| {
        let padded = line.iter().zip(&widths).map(|(cell, width)| {
            let missing = width.saturating_sub(cell.width());
            cell.clone() + &" ".repeat(missing)
        });
        let line = padded.collect::<Vec<_>>().join("  ");
        line.trim_end().to_owned()
    };
    cells.iter().map(aligned).collect()
}

/// A text on one line, without what moves a cursor, turns the direction of reading or is read as a
/// command.
fn clean(text: &str) -> String {
    let shown = |c: char| match c {
        '\t' | '\n' | '\r' | '\u{2028}' | '\u{2029}' => ' ',
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            char::REPLACEMENT_CHARACTER
        }
        '\u{fffe}' | '\u{ffff}' => char::REPLACEMENT_CHARACTER,
        c if c.is_control() => char::REPLACEMENT_CHARACTER,
        c => c,
    };
    let text: String = text.chars().map(shown).collect();
    // GitHub's runner takes this for a command anywhere in a line, other than `::`.
    text.replace("##[", "# #[")
}

/// The same, with its middle left out where it is wider than `width` columns.
pub(crate) fn shorten(text: &str, width: usize) -> String {
    let text = clean(text);
    if text.width() <= width {
        return text;
    }
    let fitting = |room: usize, chars: &mut dyn Iterator<Item = char>| {
        let mut used = 0;
        let mut count = 0;
        for c in chars {
            used += c.width().unwrap_or(0);
            if used > room {
                break;
            }
            count += 1;
        }
        count
    };
    let room = width.saturating_sub(1);
    let head = fitting(room.div_ceil(2), &mut text.chars());
    let tail = fitting(room / 2, &mut text.chars().rev());
    let skipped = text.chars().count() - tail;
    let ends = text.chars().take(head);
    ends.chain(['…'])
        .chain(text.chars().skip(skipped))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulldown_cmark::{Event, Options, Parser, Tag};

    /// Names that are markup, mentions, commands, too long, or not to be seen.
    const HOSTILE: [&str; 12] = [
        "<script>alert(1)</script> &amp; ]]> <!-- -->",
        "a\n::error::b\r\n| c | d |",
        "::error title=x::y",
        "##[stop-commands]x %0A::error::y",
        "@everyone see https://evil.example #1 www.evil.example a@b.example",
        "[x](javascript:y) ![x](y) *b* _i_ ~~s~~",
        "`tick` ``ticks`` a\\|b | c \\",
        "\u{1b}[31mred\u{1b}]0;title\u{7} \0 \u{9b}1m \u{fffe}\u{ffff}",
        "\u{202e}back\u{2066}wards\u{200f}",
        "図表🚀é\u{301}\u{200b}",
        " ",
        "",
    ];

    fn case(series: &str) -> CaseId {
        CaseId {
            group: "g/h".to_owned(),
            series: series.to_owned(),
            input: "1".to_owned(),
        }
    }

    fn finding(series: &str, verdict: Verdict, fails: bool) -> Finding {
        Finding {
            case: case(series),
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
            must_gate: false,
            notes: Vec::new(),
        }
    }

    fn judgement(findings: Vec<Finding>) -> Judgement {
        let side = |name: &str| Side {
            name: name.to_owned(),
            commit: "1".to_owned(),
        };
        Judgement {
            base: side("main"),
            head: side("HEAD"),
            machine: "a machine".to_owned(),
            decided_on: "time".to_owned(),
            seed: 1,
            measuring_s: 1.0,
            load: "nothing else ran".to_owned(),
            findings,
            undecided: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Hostile names wherever a text from outside can stand.
    fn hostile() -> Judgement {
        let names = || {
            HOSTILE
                .map(str::to_owned)
                .into_iter()
                .chain(["x".repeat(300)])
        };
        let findings = names().enumerate().map(|(index, name)| {
            let mut found = finding(&name, Verdict::Regressed, index % 2 == 0);
            found.allowed = (index % 2 == 1).then(|| bench_harness::gate::Allowance {
                reason: name.clone(),
                until: name.clone(),
            });
            found.notes = vec![name];
            found
        });
        let undecided = names().map(|name| Undecided {
            case: CaseId {
                group: name.clone(),
                ..case("s")
            },
            reason: name,
            is_new: false,
        });
        Judgement {
            base: Side {
                name: HOSTILE[0].to_owned(),
                commit: HOSTILE[1].to_owned(),
            },
            head: Side {
                name: HOSTILE[4].to_owned(),
                commit: HOSTILE[6].to_owned(),
            },
            machine: HOSTILE[5].to_owned(),
            decided_on: HOSTILE[2].to_owned(),
            load: HOSTILE[2].to_owned(),
            undecided: undecided.collect(),
            warnings: names().collect(),
            ..judgement(findings.collect())
        }
    }

    #[track_caller]
    fn check_lines(text: &str, count: usize) {
        assert_eq!(text.split('\n').count(), count + 1, "{text}");
        for line in text.lines() {
            let unseen = |c: char| c.is_control() || clean(&c.to_string()) != c.to_string();
            assert!(!line.contains(unseen), "{line:?}");
            assert!(!line.contains("##["), "{line}");
        }
    }

    #[test]
    fn hostile_names_stay_on_their_line_of_the_terminal() {
        let text = table::table(&hostile());
        // Both builds, the head, 13 cases twice, 13 warnings, the method, the exit code.
        check_lines(&text, 1 + 1 + 1 + 26 + 1 + 13 + 2);
        for line in text.lines() {
            assert!(!line.trim_start().starts_with("::"), "{line}");
            assert!(line.width() < 3 * TEXT_WIDTH + 200, "{line}");
        }
    }

    #[test]
    fn hostile_names_stay_in_code_spans_and_cells_of_the_page() {
        let page = page::page(&hostile(), page::COMMENT_LIMIT);
        let page = page.strip_prefix("<!-- perf-lab:gate -->\n").unwrap();
        let (mut cells, mut rows, mut in_code) = (0, 0, String::new());
        for event in Parser::new_ext(page, Options::ENABLE_TABLES) {
            match event {
                Event::Html(_) | Event::InlineHtml(_) => panic!("{event:?}"),
                Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::HtmlBlock) => {
                    panic!("{event:?}")
                }
                Event::Start(Tag::Emphasis | Tag::Strikethrough) => panic!("{event:?}"),
                Event::Start(Tag::TableCell) => cells += 1,
                Event::Start(Tag::TableRow) => rows += 1,
                Event::Text(text) => {
                    let theirs = ["@", "http", "www", "script", "error", "stop", "back"];
                    let found = theirs.iter().find(|part| text.contains(**part));
                    assert_eq!(found, None, "{text}");
                }
                Event::Code(code) => in_code += &code,
                _ => {}
            }
        }
        assert_eq!((rows, cells), (26, 27 * 5));
        assert!(in_code.contains("@everyone"), "{in_code}");
        assert!(in_code.contains("<script>"), "{in_code}");
        let rows = page.lines().filter(|line| line.starts_with("| "));
        check_lines(&rows.collect::<Vec<_>>().join("\n"), 26);
    }

    #[test]
    fn hostile_names_are_data_of_the_xml() {
        let text = junit::report(&hostile()).unwrap();
        let tree = roxmltree::Document::parse(&text).unwrap();
        let tests = || {
            tree.descendants()
                .filter(|node| node.has_tag_name("testcase"))
        };
        assert_eq!(tests().count(), 26);
        let name = "<script>alert(1)</script> &amp; ]]> <!-- -->/1 [time]";
        assert!(
            tests().any(|test| test.attribute("name") == Some(name)),
            "{text}"
        );
        let long = "x".repeat(300) + "/1 [time]";
        assert!(tests().any(|test| test.attribute("name") == Some(&long)));
        // Control characters go, and nothing that follows them.
        let bare = "[31mred]0;title  1m /1 [time]";
        assert!(
            tests().any(|test| test.attribute("name") == Some(bare)),
            "{text}"
        );
        let unseen = |c: char| c.is_control() && c != '\n';
        assert!(!text.contains(unseen), "{text:?}");
        let kinds = ["failure", "skipped", "error"];
        let count = |kind: &str| {
            tree.descendants()
                .filter(|node| node.has_tag_name(kind))
                .count()
        };
        assert_eq!(kinds.map(count), [7, 6, 13]);
    }

    #[test]
    fn hostile_names_are_no_commands_of_a_workflow() {
        let text = github::annotations(&hostile());
        check_lines(&text, 10 + 10);
        for line in text.lines() {
            let message = line.strip_prefix("::error title=Benchmarks::");
            let message = message.or(line.strip_prefix("::warning title=Benchmarks::"));
            let message = message.unwrap_or_else(|| panic!("{line}"));
            assert!(!message.replace("%25", "").contains('%'), "{line}");
        }
        let outputs = github::outputs(&hostile());
        check_lines(&outputs, 9);
        assert!(
            outputs.starts_with("conclusion=regression\nexit-code=1\nfailing=7\n"),
            "{outputs}"
        );
    }

    #[test]
    fn more_than_ten_annotations_of_a_kind_are_counted_in_the_tenth() {
        let notices = |count: usize| {
            let found = |index: usize| finding(&index.to_string(), Verdict::Improved, false);
            github::annotations(&judgement((0..count).map(found).collect()))
        };
        assert_eq!(notices(10).lines().count(), 10);
        assert!(!notices(10).contains("more like this"));
        let text = notices(11);
        assert_eq!(text.lines().count(), 10);
        assert!(
            text.ends_with("::notice title=Benchmarks::2 more like this are in the log\n"),
            "{text}"
        );
    }

    /// Rows of a page and the number of those that it says are left out.
    fn counted(page: &str) -> (usize, usize) {
        let rows = page.lines().filter(|line| line.starts_with("| **REG"));
        let left_out = page.lines().find_map(|line| line.strip_prefix("**"));
        let left_out = left_out.and_then(|line| line.split(' ').next());
        let left_out = left_out.map_or(0, |count| count.parse().unwrap());
        (rows.count(), left_out)
    }

    #[test]
    fn page_that_is_too_long_is_cut_at_a_row_and_says_how_many_are_left_out() {
        let found = |index: usize| finding(&format!("🚀{index}"), Verdict::Regressed, true);
        let large = judgement((0..20_000).map(found).collect());
        for limit in [page::COMMENT_LIMIT, page::SUMMARY_LIMIT] {
            let page = page::page(&large, limit);
            assert!(
                (limit - 200..=limit).contains(&page.len()),
                "{}",
                page.len()
            );
            let (rows, left_out) = counted(&page);
            assert!(rows > 100 && left_out > 100, "{rows} and {left_out}");
            assert_eq!(rows + left_out, 20_000);
            assert!(page.ends_with("\nexit 1\n"));
        }
    }

    #[test]
    fn page_fits_into_every_limit_that_leaves_room_for_what_is_around_the_table() {
        let found = |index: usize| finding(&index.to_string(), Verdict::Regressed, true);
        let small = judgement((0..12).map(found).collect());
        let whole = page::page(&small, usize::MAX);
        assert_eq!(counted(&whole), (12, 0));
        assert_eq!(page::page(&small, whole.len()), whole);
        for limit in 800..whole.len() {
            let page = page::page(&small, limit);
            assert!(page.len() <= limit, "{} of {limit}", page.len());
            let (rows, left_out) = counted(&page);
            assert!(left_out > 0);
            assert_eq!(rows + left_out, 12);
        }
    }

    #[test]
    fn word_is_in_capitals_exactly_where_the_gate_does_not_pass() {
        let mut must = finding("s", Verdict::Inconclusive, false);
        must.must_gate = true;
        for (found, word) in [
            (finding("s", Verdict::Regressed, true), "REGRESSED"),
            (finding("s", Verdict::Improved, true), "IMPROVED"),
            (must, "INCONCLUSIVE"),
            (finding("s", Verdict::Regressed, false), "regressed"),
            (finding("s", Verdict::Inconclusive, false), "inconclusive"),
            (finding("s", Verdict::Improved, false), "improved"),
            (finding("s", Verdict::Equivalent, false), "equivalent"),
        ] {
            let judgement = judgement(vec![found]);
            let passes = judgement.conclusion().exit_code() == 0;
            assert_eq!(rows(&judgement)[0].word(), word);
            assert_eq!(word == word.to_lowercase(), passes, "{word}");
            let last = table::table(&judgement).lines().last().unwrap().to_owned();
            assert_eq!(
                last.ends_with("nothing speaks against the change"),
                passes,
                "{last}"
            );
        }
    }

    #[track_caller]
    fn check_change(base: f64, head: f64, change: Option<(f64, f64, f64)>, expected: &str) {
        let mut found = finding("s", Verdict::Regressed, true);
        (found.base, found.head) = (Some(base), Some(head));
        found.change = change.map(|(low, point, high)| Change { point, low, high });
        assert_eq!(super::change(&found), expected);
    }

    #[test]
    fn change_shows_no_more_digits_than_its_interval_and_the_ends_to_a_tenth() {
        check_change(1.0, 2.0, Some((0.017, 0.021, 0.025)), "+2.1 % (1.7..2.5)");
        check_change(
            1.0,
            2.0,
            Some((-0.068, -0.063, -0.057)),
            "-6.3 % (-6.8..-5.7)",
        );
        check_change(1.0, 2.0, Some((-0.011, 0.008, 0.029)), "+0.8 % (-1.1..2.9)");
        check_change(1.0, 2.0, Some((1.1, 1.2, 1.3)), "+120 % (110..130)");
        check_change(1.0, 2.0, Some((0.019, 0.019, 0.019)), "+1.9 %");
        check_change(1.0, 2.0, Some((-0.001, 0.0, 0.001)), "0.0 % (-0.1..0.1)");
    }

    #[test]
    fn what_has_no_ratio_shows_both_figures_and_what_is_equal_a_sign() {
        check_change(0.0, 3.0, None, "0 ns → 3 ns");
        check_change(3.0, 3.0, Some((0.0, 0.0, 0.0)), "=");
        let mut found = finding("s", Verdict::Regressed, true);
        (found.base, found.change) = (None, None);
        assert_eq!(super::change(&found), "?");
    }

    #[test]
    fn equivalent_cases_are_bounded_upwards_or_not_at_all() {
        let found = |series: &str, high| {
            let mut found = finding(series, Verdict::Equivalent, false);
            found.change = Some(Change {
                point: 0.0,
                low: -0.01,
                high,
            });
            found
        };
        let said = |findings| {
            let judgement = judgement(findings);
            equivalent(&rows(&judgement)).unwrap_or_default()
        };
        assert_eq!(said(vec![]), "");
        let two = vec![found("a", 0.008_1), found("b", 0.002)];
        assert_eq!(said(two.clone()), "2 cases (none slower than 0.9 %)");
        assert_eq!(said(vec![found("a", -0.001)]), "1 case (none slower)");
        let mut unknown = two.clone();
        unknown[1].change = None;
        assert_eq!(said(unknown), "2 cases");
        let mut with_another = two;
        with_another.push(finding("c", Verdict::Improved, false));
        assert_eq!(said(with_another), "2 more cases (none slower than 0.9 %)");
    }

    #[test]
    fn shortened_text_is_no_wider_and_keeps_both_ends() {
        assert_eq!(shorten("short", 5), "short");
        assert_eq!(shorten("abcdefgh", 5), "ab…gh");
        // A wide character that does not fit is left out whole.
        assert_eq!(shorten("図表図表図表", 7), "図…表");
        assert_eq!(shorten("図表図表図表", 12), "図表図表図表");
    }

    #[test]
    fn workflow_is_known_by_its_variables() {
        let of = |pairs: &[(&str, &str)]| {
            Github::of(|name| {
                let found = pairs.iter().find(|(key, _)| *key == name);
                found.map(|(_, value)| value.into())
            })
        };
        let github = of(&[
            ("GITHUB_ACTIONS", "true"),
            ("GITHUB_OUTPUT", "o"),
            ("GITHUB_STEP_SUMMARY", ""),
        ]);
        assert!(github.workflow && github.summary.is_none());
        assert_eq!(github.output.as_deref(), Some(Path::new("o")));
        assert!(!of(&[("GITHUB_ACTIONS", "false")]).workflow);
    }
}
