//! What a policy says of every case and metric: values in, text out.

use bench_harness::gate::Metric;
use bench_harness::policy::{Policy, Rule};
use bench_harness::record::CaseId;

use crate::format::Unit;
use crate::outcome::{columns, shorten};

/// Widest id; the middle of a wider one is left out.
const CASE_WIDTH: usize = 72;

/// A line for every case and metric, with the lines of the file that it comes from.
pub(crate) fn rules(policy: &Policy, cases: &[CaseId]) -> String {
    let head = [
        "case",
        "metric",
        "limit",
        "and at least",
        "direction",
        "must gate",
        "tier",
        "fails from",
        "lines",
        "allowed",
    ];
    let mut cells = vec![head.map(str::to_owned).to_vec()];
    for case in cases {
        let id = shorten(&case.to_string(), CASE_WIDTH);
        for metric in Metric::ALL {
            cells.push(line(id.clone(), metric, &policy.rule(case, metric)));
        }
    }
    columns(&cells).join("\n") + "\n"
}

fn line(id: String, metric: Metric, rule: &Rule) -> Vec<String> {
    let lines: Vec<String> = rule.lines.iter().map(usize::to_string).collect();
    let allowed = rule.allowed.as_ref().map(|allowed| {
        let change = match allowed.change.is_finite() {
            true => format!("up to {}", Unit::Percent.format(allowed.change, 0.0)),
            false => "any change".to_owned(),
        };
        let reason = shorten(&allowed.allowance.reason, CASE_WIDTH);
        let until = &allowed.allowance.until;
        format!("{change} until {until} (line {}): {reason}", allowed.line)
    });
    vec![
        id,
        metric.to_string(),
        Unit::Percent.format(rule.limit, 0.0),
        rule.absolute
            .map_or_else(String::new, |least| least.to_string()),
        rule.direction.to_string(),
        if rule.must_gate { "yes" } else { "no" }.to_owned(),
        rule.tier.to_string(),
        rule.fail_from.to_string(),
        match lines.is_empty() {
            true => "default".to_owned(),
            false => lines.join(", "),
        },
        allowed.unwrap_or_default(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_of_a_case_has_a_line_that_says_where_it_comes_from() {
        let text = r#"
            [[limit]]
            cases = "g/*/1"
            metric = "time"
            change = 2.5
            absolute = 5
            must_gate = true
            [[allow]]
            cases = "**"
            metric = "bytes"
            change = inf
            reason = "two\nlines"
            until = 2027-01-31
        "#;
        let policy = Policy::parse("benchmarks.toml", text).unwrap();
        let case = CaseId {
            group: "g".to_owned(),
            series: "名".to_owned(),
            input: "1".to_owned(),
        };
        assert_eq!(
            rules(&policy, &[case]),
            "\
case    metric        limit  and at least  direction  must gate  tier    fails from  lines    allowed
g/名/1  time          2.5 %  5             worse      yes        change  regression  2
g/名/1  parallel      10 %                 worse      no         change  regression  default
g/名/1  instructions  1 %                  worse      no         change  regression  default
g/名/1  allocations   0 %                  worse      no         change  regression  default
g/名/1  bytes         0 %                  worse      no         change  regression  default  any change until 2027-01-31 (line 8): two lines
g/名/1  peak          5 %                  worse      no         change  regression  default
g/名/1  throughput    1 %                  worse      no         change  regression  default
"
        );
    }
}
