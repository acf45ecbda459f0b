//! Writes a record as one HTML page that needs nothing else: no other file and no network.
//!
//! Figures and sentences are those of `BENCHMARKS.md`, made by the same functions; the page's script
//! only orders, hides and draws them. Names come from outside: they are data that the script handles as
//! text, or escaped.

mod data;
mod prose;

use std::path::{Path, PathBuf};

use anyhow::Result;
use clap::Args;

use crate::calibration::Calibration;
use crate::chart::{self, Theme};
use crate::compare::{self, Outcome, percent};
use crate::markdown;
use crate::report::Report;
use crate::targets;
use crate::workspace::Workspace;
use data::Data;

/// What the page is called where nobody names it.
const PAGE: &str = "BENCHMARKS.html";

const TEMPLATE: &str = include_str!("html/page.html");
const STYLE: &str = include_str!("html/page.css");
const SCRIPT: &str = include_str!("html/page.js");

pub(crate) const HELP: &str = "\
The page of --html is one file that needs no network: search, sort, hide series, see what each process
measured. What a reader chose stands in the fragment of its address, to be shared:
BENCHMARKS.html#q=chain&sort=time&theme=dark. With --compare it shows beside each time how it changed,
as `compare` judges it.

Examples:
  gen-benchmarks report --records nightly.jsonl --out site
  gen-benchmarks report --records nightly.jsonl --out site --html
  gen-benchmarks report --records new.jsonl --out site --html change.html --compare old.jsonl";

#[derive(Args, Clone)]
pub(crate) struct Options {
    /// Also write one HTML page [default of FILE: BENCHMARKS.html beside BENCHMARKS.md].
    #[arg(long, value_name = "FILE")]
    html: Option<Option<PathBuf>>,
    /// Compare with this older record, or file of another tool, on that page.
    #[arg(long, value_name = "FILE", requires = "html")]
    compare: Option<String>,
    /// The worsening from which on a benchmark has regressed, in percent.
    #[arg(long, value_name = "PERCENT", default_value = "1", value_parser = percent, requires = "compare")]
    limit: f64,
    /// Compare although the records are of two machines.
    #[arg(long, requires = "compare")]
    allow_machine_change: bool,
}

impl Options {
    /// The page of a record and where it belongs, if it is asked for.
    pub(crate) fn page(
        &self,
        workspace: &Workspace,
        records: &Path,
        folder: &Path,
    ) -> Result<Option<(PathBuf, String)>> {
        let Some(file) = &self.html else {
            return Ok(None);
        };
        let path = file.clone().unwrap_or_else(|| folder.join(PAGE));
        let (_, report) = crate::reported(workspace, records)?;
        let calibration = Calibration::read(folder)?;
        let page = match &self.compare {
            None => page(&report, calibration.as_ref(), None),
            Some(base) => {
                let head = records.to_string_lossy();
                let (old, new) = compare::sides(base, &head, "", self.allow_machine_change)?;
                let outcome = Outcome::new(&old, &new, self.limit);
                // Where it lies says nothing to whom the page is given.
                let name = Path::new(base).file_name().unwrap_or_default();
                let compared = (&*name.to_string_lossy(), &outcome);
                page(&report, calibration.as_ref(), Some(compared))
            }
        };
        Ok(Some((path, page)))
    }
}

/// The page of a report; with the name of an older record, and what it shows beside that.
fn page(
    report: &Report,
    calibration: Option<&Calibration>,
    compared: Option<(&str, &Outcome<'_>)>,
) -> String {
    let data = embedded(&Data::new(report, compared));
    let intro = intro(report);
    let sections = sections(report, calibration);
    let title = markdown::attribute(&markdown::title(report));
    let nonce = nonce(&[&data, &intro, &sections, &title]);
    let palette = palette();
    filled(TEMPLATE, |name| match name {
        "nonce" => &nonce,
        "title" => &title,
        "palette" => &palette,
        "style" => STYLE,
        "intro" => &intro,
        "sections" => &sections,
        "data" => &data,
        "script" => SCRIPT,
        _ => unreachable!("the template asks for `{name}`"),
    })
}

/// A template with `{{name}}` replaced once, whatever the values hold.
fn filled<'a>(template: &'a str, value: impl Fn(&str) -> &'a str) -> String {
    let mut parts = template.split("{{");
    let mut page = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (name, rest) = part.split_once("}}").expect("the template closes it");
        page.push_str(value(name));
        page.push_str(rest);
    }
    page
}

/// Data as JSON that nothing in it can end: no `<` stands in it, and no end of a line.
fn embedded(data: &Data<'_>) -> String {
    serde_json::to_string(data)
        .expect("strings and numbers serialise")
        .replace('<', "\\u003c")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

/// What the scripts and styles of the page are known by. It stands in none of `parts`, so markup that
/// came in with a name could not be run even if it were not escaped.
fn nonce(parts: &[&str]) -> String {
    (0..)
        .map(|number| format!("page-{number}"))
        .find(|nonce| parts.iter().all(|part| !part.contains(nonce)))
        .expect("finite parts do not hold all numbers")
}

/// The colours of the charts as variables, for both themes and for paper.
fn palette() -> String {
    let rule = |theme| {
        let colours = chart::colours(theme).into_iter().enumerate();
        let set: Vec<String> = colours
            .map(|(index, colour)| format!("--s{index}: {colour};"))
            .collect();
        set.join(" ")
    };
    let (light, dark) = (rule(Theme::Light), rule(Theme::Dark));
    format!(
        ":root {{ {light} }}
@media (prefers-color-scheme: dark) {{ :root:not([data-theme=\"light\"]) {{ {dark} }} }}
:root[data-theme=\"dark\"] {{ {dark} }}
@media print {{ :root, :root:not([data-theme=\"light\"]), :root[data-theme=\"dark\"] {{ {light} }} }}"
    )
}

/// The facts of the environment that stand above everything.
const FIRST: [&str; 6] = [
    "Date",
    "Commit",
    "CPU",
    "Logical cores",
    "System",
    "Compiler",
];

/// What is worth knowing before the first figure.
fn intro(report: &Report) -> String {
    let environment = &report.run.environment;
    let mut markdown = String::new();
    for warning in environment.warnings() {
        markdown += &format!("- {}\n", markdown::prose(&warning));
    }
    let notices = prose::html(&markdown).replacen("<ul>", "<ul class=\"notices\">", 1);
    let mut before = String::new();
    markdown::key_findings(&mut before, report);
    markdown::failures(&mut before, report, usize::MAX);
    markdown::skipped(&mut before, report, usize::MAX);
    before += &targets::section(&report.targets);
    let lead = format!(
        "{}. {} Point at a figure or go to it by keys to see what each process measured.",
        markdown::extent(report),
        markdown::provenance(report).join(" ")
    );
    let facts = environment.facts();
    let facts = facts.iter().filter(|(name, _)| FIRST.contains(name));
    let facts = facts.map(|(name, value)| {
        let (name, value) = (markdown::attribute(name), markdown::attribute(value));
        format!("<div><dt>{name}</dt><dd>{value}</dd></div>\n")
    });
    format!(
        "<h1>{}</h1>\n<div class=\"lead\">{}</div>\n<dl class=\"facts\">\n{}</dl>\n{notices}{}",
        markdown::attribute(&markdown::title(report)),
        prose::html(&lead),
        facts.collect::<String>(),
        prose::html(&before)
    )
}

/// What stands behind the groups: what the gate is worth, and how all this was measured.
fn sections(report: &Report, calibration: Option<&Calibration>) -> String {
    let mut markdown = calibration.map_or_else(String::new, Calibration::markdown);
    for section in [
        markdown::environment,
        markdown::units,
        markdown::method,
        markdown::suites,
    ] {
        section(&mut markdown, report);
    }
    prose::html(&markdown)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::tests::entries;
    use bench_harness::record::Entry;

    const HOSTILE: [&str; 6] = [
        "</script><script>alert(1)</script>",
        "<!--<script>",
        "\" onload=\"x",
        "a\u{2028}b\u{2029}c",
        "'{{data}}&lt;\\",
        "page-0 page-1",
    ];

    /// A report whose every name is hostile.
    fn hostile() -> Report {
        let cases: Vec<(&str, &str, &[u64])> = HOSTILE
            .iter()
            .map(|&name| (name, "1", &[100_u64, 110][..]))
            .collect();
        let mut entries = entries(&cases);
        let [Entry::Run(run), Entry::Group(group), ..] = &mut entries[..] else {
            panic!("a run and a group");
        };
        run.filter = Some(HOSTILE[0].to_owned());
        run.environment.cpu = Some(HOSTILE.concat());
        let all = HOSTILE.concat();
        for text in [
            &mut group.info.section,
            &mut group.info.question,
            &mut group.info.work,
            &mut group.info.unit,
            &mut group.info.axis,
            &mut group.info.suite,
        ] {
            *text = all.clone();
        }
        group.info.baseline = Some(HOSTILE[0].to_owned());
        Report::new(&entries).unwrap()
    }

    /// The data that stands in a page.
    fn data(page: &str) -> &str {
        let (_, rest) = page
            .split_once("<script type=\"application/json\">")
            .expect("there is data");
        rest.split_once("</script>").expect("it ends").0
    }

    #[test]
    fn hostile_names_are_the_same_when_the_data_is_read_again() {
        let page = page(&hostile(), None, None);
        let data = data(&page);
        for broken in ["<", "\u{2028}", "\u{2029}"] {
            assert!(!data.contains(broken), "{broken:?} is in the data");
        }
        let read: serde_json::Value = serde_json::from_str(data).unwrap();
        let group = &read["groups"][0];
        assert_eq!(group["series"], serde_json::json!(HOSTILE));
        assert_eq!(group["question"], HOSTILE.concat());
        assert_eq!(group["row_series"], serde_json::json!([0, 1, 2, 3, 4, 5]));
    }

    #[test]
    fn names_add_no_markup_to_the_page() {
        let plain = page(
            &crate::report::tests::report(&[("s", "1", &[1, 2])]),
            None,
            None,
        );
        let hostile = page(&hostile(), None, None);
        for markup in ["<script", "</script", "<!--"] {
            let count = |page: &str| page.replace(data(page), "").matches(markup).count();
            assert_eq!(count(&hostile), count(&plain), "{markup}");
        }
        let attributes = hostile.matches(" onload=").count();
        let as_text = hostile.matches("&quot; onload=&quot;").count()
            + hostile.matches("\\\" onload=\\\"").count();
        assert_eq!(attributes, as_text);
    }

    #[test]
    fn scripts_are_known_by_what_no_name_holds() {
        let page = page(&hostile(), None, None);
        assert!(page.contains("script-src 'nonce-page-2'"));
        assert_eq!(page.matches("nonce=\"page-2\"").count(), 2);
    }

    #[test]
    fn script_makes_no_markup_of_text_and_can_stand_in_a_page() {
        let unsafe_parts = [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
            "</script",
            "<!--",
        ];
        for part in unsafe_parts {
            assert!(!SCRIPT.contains(part), "{part}");
        }
        assert!(!STYLE.contains("</style") && !STYLE.contains("url("));
    }

    #[test]
    fn page_asks_for_no_other_file() {
        let page = page(&hostile(), None, None);
        assert!(page.contains("default-src 'none'"));
        for part in [
            "src=",
            "<link",
            "@import",
            "fetch(",
            "XMLHttpRequest",
            "import(",
        ] {
            assert!(!page.contains(part), "{part}");
        }
        let addresses = page.matches("http://").count() + page.matches("https://").count();
        assert_eq!(addresses, 1, "only the name of SVG is an address");
    }

    #[test]
    fn figures_are_those_of_the_report_in_markdown() {
        let report = crate::report::tests::report(&[
            ("slow", "10", &[4_000, 4_100]),
            ("fast", "10", &[1_000, 1_020]),
            ("slow", "1000", &[50_000, 51_000]),
            ("fast", "1000", &[9_000, 9_200]),
            ("gone", "1000", &[]),
        ]);
        let page = page(&report, None, None);
        let read: serde_json::Value = serde_json::from_str(data(&page)).unwrap();
        let group = &read["groups"][0];
        let columns = group["cells"].as_array().unwrap();
        let markdown = markdown::files(&report, None);
        let markdown = String::from_utf8(markdown[Path::new("BENCHMARKS.md")].clone()).unwrap();
        let lines: Vec<&str> = markdown
            .lines()
            .filter(|line| line.starts_with("| 1"))
            .collect();
        assert_eq!(lines.len(), 5);
        for (row, line) in lines.iter().enumerate() {
            let cells = columns.iter().map(|column| column[row].as_str().unwrap());
            let cells: Vec<&str> = cells.collect();
            match line.contains("failed") {
                true => assert!(cells.iter().all(|cell| cell.is_empty()), "{cells:?}"),
                false => assert_eq!(
                    line.replace("**", "")
                        .split(" | ")
                        .skip(2)
                        .collect::<Vec<_>>()
                        .join(" | "),
                    format!("{} |", cells.join(" | "))
                ),
            }
        }
        assert_eq!(group["fastest"], serde_json::json!([1, 3]));
        assert_eq!(group["failed"][0][1], "ran 9 of 10 nodes");
        assert_eq!(group["processes"][0], serde_json::json!([4_000, 4_100]));
        let takeaway = group["notes"][0][1].as_array().unwrap();
        assert_eq!(takeaway[0], "cfast");
    }

    #[test]
    fn template_is_filled_once_whatever_the_values_hold() {
        let value = |name: &str| match name {
            "a" => "{{b}}",
            _ => "2",
        };
        assert_eq!(filled("1{{a}} {{b}}3", value), "1{{b}} 23");
    }

    #[test]
    fn same_record_gives_the_same_page() {
        assert_eq!(page(&hostile(), None, None), page(&hostile(), None, None));
    }
}
