//! The outcome as JUnit XML: a suite for every group, a test for every case and metric.
//!
//! A failure makes the gate fail; an error is a case that is gone or does not run; skipped is what was
//! not decided, or has regressed and is let pass.

use std::time::Duration;

use anyhow::Result;
use bench_harness::gate::{Finding, Judgement, Metric, Undecided, Verdict};
use bench_harness::record::CaseId;
use quick_junit::{
    NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite, XmlString,
};

use super::{TENTH, advice, change, figures, side};
use crate::format::Unit;

/// The whole file.
pub(crate) fn report(judgement: &Judgement) -> Result<String> {
    let mut suites: Vec<TestSuite> = Vec::new();
    let tests = judgement.findings.iter().map(|one| (&one.case, found(one)));
    let undecided = judgement.undecided.iter();
    let tests = tests.chain(undecided.map(|one| (&one.case, missing(one))));
    for (case, test) in tests {
        let name = legal(&case.group);
        let known = suites.iter_mut().find(|suite| suite.name == name);
        match known {
            Some(suite) => suite.add_test_case(test),
            None => {
                suites.push(TestSuite::new(name));
                let suite = suites.last_mut().expect("one was added");
                suite.add_properties(properties(judgement));
                suite.add_test_case(test)
            }
        };
    }
    let mut report = Report::new("gen-benchmarks gate");
    if let Ok(time) = Duration::try_from_secs_f64(judgement.measuring_s) {
        report.set_time(time);
    }
    report.add_test_suites(suites);
    Ok(report.to_string()?)
}

fn properties(judgement: &Judgement) -> Vec<Property> {
    let all = [
        ("machine", judgement.machine.clone()),
        ("base", side(&judgement.base).join(" ")),
        ("head", side(&judgement.head).join(" ")),
        ("decided on", judgement.decided_on.clone()),
        ("load", judgement.load.clone()),
        ("seed", judgement.seed.to_string()),
    ];
    let property = |(name, value): (&str, String)| Property::new(name, legal(&value));
    all.into_iter().map(property).collect()
}

fn found(finding: &Finding) -> TestCase {
    let message = message(finding);
    let status = match finding.verdict {
        _ if finding.fails => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            let kind = finding.level.map(|level| level.to_string());
            status.set_message(message);
            status.set_type(kind.unwrap_or_else(|| finding.verdict.to_string()));
            status.set_description(description(finding));
            status
        }
        Verdict::Regressed | Verdict::Inconclusive => {
            let mut status = TestCaseStatus::skipped();
            status.set_message(message);
            status.set_type(finding.verdict.to_string());
            status.set_description(description(finding));
            status
        }
        Verdict::Improved | Verdict::Equivalent => TestCaseStatus::success(),
    };
    let case = &finding.case;
    let name = format!("{}/{} [{}]", case.series, case.input, finding.metric);
    let mut test = test(case, &name, status);
    // The crate's own field has three digits after the point, too few for an iteration.
    if let (Metric::Time, Some(time)) = (finding.metric, finding.head) {
        let seconds = format!("{:.12}", time / 1e9);
        test.extra.insert("time".into(), seconds.into());
    }
    test
}

fn missing(undecided: &Undecided) -> TestCase {
    let mut status = match undecided.is_new {
        true => TestCaseStatus::skipped(),
        false => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    status.set_message(legal(&undecided.reason));
    status.set_type(if undecided.is_new { "new" } else { "missing" });
    let case = &undecided.case;
    test(case, &format!("{}/{}", case.series, case.input), status)
}

fn test(case: &CaseId, name: &str, status: TestCaseStatus) -> TestCase {
    let mut test = TestCase::new(legal(name), status);
    test.set_classname(legal(&case.group.replace('/', ".")));
    test
}

/// One line: `+12 % (11..13) (limit 1 %), 215 ns → 241 ns`.
fn message(finding: &Finding) -> XmlString {
    let advice = advice(finding).unwrap_or_default();
    let mut message = format!("{} {} ({advice})", finding.verdict, change(finding));
    if let Some(figures) = figures(finding) {
        message += &format!(", {figures}");
    }
    if let Some(allowed) = &finding.allowed {
        message += &format!(", allowed until {}: {}", allowed.until, allowed.reason);
    }
    legal(&message)
}

/// Everything that is known, a line each.
fn description(finding: &Finding) -> XmlString {
    let mut lines = vec![format!("change: {}", change(finding))];
    lines.extend(figures(finding).map(|figures| format!("figures: {figures}")));
    lines.push(format!(
        "limit: {}",
        Unit::Percent.format(finding.limit, 0.0)
    ));
    lines.extend(finding.visible.map(|visible| {
        let visible = Unit::Percent.format(visible, TENTH);
        format!("smallest visible: {visible}")
    }));
    lines.push(format!(
        "launches: {} of each build, layouts: {}",
        finding.launches, finding.layouts
    ));
    lines.extend(finding.notes.iter().map(|note| format!("note: {note}")));
    let lines: Vec<String> = lines.iter().map(|line| legal(line).into_string()).collect();
    XmlString::new(lines.join("\n"))
}

/// A text on one line with only what XML can hold.
fn legal(text: &str) -> XmlString {
    let kept = |c: char| match c {
        '\t' | '\n' | '\r' => Some(' '),
        '\u{fffe}' | '\u{ffff}' => None,
        c if c.is_control() => None,
        c => Some(c),
    };
    XmlString::new(text.chars().filter_map(kept).collect::<String>())
}
