//! The outcome for a terminal: one line a case, columns aligned by what a terminal shows.

use bench_harness::gate::Judgement;

use super::{
    Remark, Row, TEXT_WIDTH, columns, compared, equivalent, method, metrics, rows, shorten, shown,
    side, summary,
};

/// Widest id; the middle of a wider one is left out.
const CASE_WIDTH: usize = 72;

/// The whole outcome; its last line names the exit code.
pub(crate) fn table(judgement: &Judgement) -> String {
    let rows = rows(judgement);
    let [machine, cases] = compared(judgement, &rows);
    let (base, head) = (side(&judgement.base), side(&judgement.head));
    let mut lines = vec![
        [
            format!("base {}", base.join(" ")),
            format!("head {}", head.join(" ")),
            shorten(&machine, TEXT_WIDTH),
            cases,
        ]
        .join(" · "),
        String::new(),
    ];
    lines.extend(body(&rows));
    let warnings = judgement.warnings.iter();
    lines.extend(warnings.map(|warning| format!("warning: {}", shorten(warning, TEXT_WIDTH))));
    let method: Vec<String> = method(judgement).iter().map(Remark::text).collect();
    lines.push(method.join("; "));
    lines.push(format!(
        "exit {}: {}",
        judgement.conclusion().exit_code(),
        summary(&rows)
    ));
    lines.join("\n") + "\n"
}

/// The rows and how many have none, with an empty line after them.
fn body(rows: &[Row]) -> Vec<String> {
    let shown: Vec<&Row> = shown(rows);
    let metrics = metrics(&shown);
    let mut cells: Vec<Vec<String>> = Vec::new();
    if !shown.is_empty() {
        let mut head = vec!["verdict".to_owned(), "case".to_owned()];
        head.extend(metrics.iter().map(ToString::to_string));
        head.extend(["smallest visible".to_owned(), String::new()]);
        cells.push(head);
    }
    for row in &shown {
        let case = row.case;
        let parts = [&case.group, &case.series, &case.input];
        let parts = parts.map(String::as_str).into_iter();
        let parts: Vec<&str> = parts.filter(|part| !part.is_empty()).collect();
        let case = parts.join(" / ");
        let mut line = vec![row.word().to_owned(), shorten(&case, CASE_WIDTH)];
        line.extend(metrics.iter().map(|&metric| row.change(metric)));
        let remarks: Vec<String> = row.remarks().iter().map(Remark::text).collect();
        line.extend([row.visible(), remarks.join("; ")]);
        cells.push(line);
    }
    // The line without columns begins as the others do.
    let last = "equivalent";
    let words = cells.iter().map(|line| line[0].len());
    let width = words.chain([last.len()]).max().unwrap_or(0);
    for line in &mut cells {
        line[0] = format!("{:<width$}", line[0]);
    }
    let mut lines = columns(&cells);
    lines.extend(equivalent(rows).map(|cases| format!("{last:<width$}  {cases}")));
    if !lines.is_empty() {
        lines.push(String::new());
    }
    lines
}
