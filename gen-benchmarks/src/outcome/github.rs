//! The outcome for a workflow of GitHub Actions: annotations, and outputs of the step.

use bench_harness::gate::{Conclusion, Judgement};

use super::{Remark, Row, Standing, TEXT_WIDTH, rows, shorten, shown};

/// Most annotations of a kind that a step shows.
const ANNOTATIONS: usize = 10;

/// Lines for the log that the workflow turns into annotations, gravest first.
pub(crate) fn annotations(judgement: &Judgement) -> String {
    let rows = rows(judgement);
    let mut texts: [(&str, Vec<String>); 3] = [
        ("error", Vec::new()),
        ("warning", Vec::new()),
        ("notice", Vec::new()),
    ];
    for row in shown(&rows) {
        let kind = match row.standing {
            Standing::Fails | Standing::Missing | Standing::Undecided => 0,
            Standing::Tolerated => 1,
            _ => 2,
        };
        texts[kind].1.push(message(row));
    }
    texts[1].1.extend(
        judgement
            .warnings
            .iter()
            .map(|warning| shorten(warning, TEXT_WIDTH)),
    );
    let lines = texts.iter().flat_map(|(kind, texts)| limited(kind, texts));
    lines.collect()
}

/// Annotations of one kind; those that would not be shown are counted in the last.
fn limited(kind: &str, texts: &[String]) -> Vec<String> {
    let kept = match texts.len() {
        0..=ANNOTATIONS => texts.len(),
        _ => ANNOTATIONS - 1,
    };
    let mut lines: Vec<String> = texts[..kept]
        .iter()
        .map(|text| command(kind, text))
        .collect();
    if kept < texts.len() {
        let more = format!("{} more like this are in the log", texts.len() - kept);
        lines.push(command(kind, &more));
    }
    lines
}

fn message(row: &Row) -> String {
    let changes = row.findings.iter().map(|finding| {
        let metric = finding.metric;
        format!("{metric} {}", row.change(metric))
    });
    let remarks = row.remarks();
    let remarks = remarks.iter().map(Remark::text);
    let details: Vec<String> = changes.chain(remarks).collect();
    let case = shorten(&row.case.to_string(), TEXT_WIDTH);
    format!("{} {case}: {}", row.word(), details.join("; "))
}

fn command(kind: &str, message: &str) -> String {
    let message = message
        .replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A");
    format!("::{kind} title=Benchmarks::{message}\n")
}

/// Lines for the outputs of the step. Nothing in them comes from outside.
pub(crate) fn outputs(judgement: &Judgement) -> String {
    let rows = rows(judgement);
    let count = |standings: &[Standing]| {
        let counted = |row: &&Row| standings.contains(&row.standing);
        rows.iter().filter(counted).count().to_string()
    };
    let conclusion = judgement.conclusion();
    let word = match conclusion {
        Conclusion::Pass => "pass",
        Conclusion::Regression => "regression",
        Conclusion::Inconclusive => "inconclusive",
        Conclusion::Missing => "missing",
    };
    let outputs = [
        ("conclusion", word.to_owned()),
        ("exit-code", conclusion.exit_code().to_string()),
        ("failing", count(&[Standing::Fails])),
        ("tolerated", count(&[Standing::Tolerated])),
        ("missing", count(&[Standing::Missing])),
        (
            "inconclusive",
            count(&[Standing::Undecided, Standing::Inconclusive]),
        ),
        ("improved", count(&[Standing::Improved])),
        ("new", count(&[Standing::New])),
        ("equivalent", count(&[Standing::Equivalent])),
    ];
    let line = |(name, value): (&str, String)| format!("{name}={value}\n");
    outputs.into_iter().map(line).collect()
}
