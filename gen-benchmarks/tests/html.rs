//! The page of `report --html`, made by the command as a user would and opened in a real browser where
//! there is one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bench_harness::Environment;
use bench_harness::record::{
    CaseId, Entry, GroupInfo, PlannedGroup, Profile, Record, RunInfo, Sample, Status,
};

/// Names that break pages which take them for more than names.
const HOSTILE: [&str; 7] = [
    "</script><script>document.title = 'broken'</script>",
    "<img src=x onerror=document.title='broken'>",
    "\" onmouseover=\"document.title='broken'",
    "it's `a|b` & <!-- -->",
    "line\u{2028}separator \u{202e}turned",
    "名前 🚀",
    "javascript:document.title='broken'",
];

/// A folder with records, and the command in it.
struct Desk(tempfile::TempDir);

/// A group and its cases: series, input, and the nanoseconds of every process.
struct Group<'a> {
    name: &'a str,
    cases: Vec<(&'a str, &'a str, Vec<u64>)>,
}

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn record(&self, name: &str, processes: u32, cores: u64, groups: &[Group<'_>]) {
        let run = RunInfo {
            profile: Profile::Quick,
            filter: None,
            processes,
            warm_up_ms: 1,
            measurement_ms: 1,
            samples: 1,
            seed: 1,
            build: "b".to_owned(),
            environment: Environment {
                cores_total: Some(cores),
                cpu: Some(HOSTILE[0].to_owned()),
                ..Environment::default()
            },
            skipped: Vec::new(),
            machines: Vec::new(),
            shard: None,
        };
        let mut lines = vec![Entry::Run(Box::new(run)).to_line()];
        for group in groups {
            let info = GroupInfo {
                group: group.name.to_owned(),
                section: format!("About {}", group.name),
                question: format!("How long is {}?", group.name),
                work: format!("An iteration does {} `once`.", group.name),
                baseline: None,
                axis: "nodes".to_owned(),
                unit: "node".to_owned(),
                per_element: false,
                growth: true,
                suite: "benches/walk.rs".to_owned(),
                counted_first: false,
                bounds: Vec::new(),
            };
            let cases = group.cases.iter();
            let cases = cases.map(|(series, input, _)| ((*series).to_owned(), (*input).to_owned()));
            let planned = PlannedGroup {
                info,
                cases: cases.collect(),
            };
            lines.push(Entry::Group(planned).to_line());
        }
        for group in groups {
            for (series, input, times) in &group.cases {
                for (process, &elapsed_ns) in (1..).zip(times) {
                    let record = Record {
                        case: CaseId {
                            group: group.name.to_owned(),
                            series: (*series).to_owned(),
                            input: (*input).to_owned(),
                        },
                        process,
                        samples: vec![Sample {
                            iterations: 1,
                            elapsed_ns,
                        }],
                        elements: 10,
                        allocations: None,
                        counters: None,
                        threads: None,
                        took_ms: None,
                        status: Status::Ok,
                    };
                    lines.push(Entry::Case(record).to_line());
                }
            }
        }
        fs::write(self.path(name), lines.join("\n") + "\n").unwrap();
    }

    /// `report` of a record into the folder `out`, from the workspace that the command needs.
    fn report(&self, record: &str, more: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_gen-benchmarks"))
            .args(["report", "--records"])
            .arg(self.path(record))
            .arg("--out")
            .arg(self.path("out"))
            .args(more)
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    /// What a browser makes of the page at a fragment, without scripts; nothing where there is none.
    fn opened(&self, browser: &Path, fragment: &str) -> String {
        let page = self.path("out/BENCHMARKS.html");
        let output = Command::new(browser)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
            .args(["--window-size=1280,9000", "--virtual-time-budget=5000"])
            .arg(format!(
                "--user-data-dir={}",
                self.path("profile").display()
            ))
            .arg(format!("file://{}{fragment}", page.display()))
            .stdin(Stdio::null())
            .output()
            .unwrap();
        let dom = String::from_utf8(output.stdout).unwrap();
        let (shown, scripts) = dom
            .split_once("<script")
            .unwrap_or_else(|| panic!("no page: {}", String::from_utf8_lossy(&output.stderr)));
        assert_eq!(
            scripts.matches("<script").count(),
            1,
            "data and the page's own"
        );
        shown.to_owned()
    }
}

/// The browser that a machine may have.
fn browser() -> Option<PathBuf> {
    let named = std::env::var_os("CHROME").map(PathBuf::from);
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let names = ["chromium", "google-chrome", "chromium-browser", "chrome"];
    let places: Vec<PathBuf> = std::env::split_paths(&folders)
        .flat_map(|folder| names.map(|name| folder.join(name)))
        .collect();
    let found = named.into_iter().chain(places).find(|path| path.is_file());
    if found.is_none() {
        println!("skipped: no chromium, google-chrome or $CHROME to open the page in");
    }
    found
}

/// Text as a browser writes it in markup.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

#[track_caller]
fn ended(output: &Output, code: i32, said: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    for part in said {
        assert!(stderr.contains(part), "`{part}` is not in: {stderr}");
    }
}

/// Asserts that the parts stand in a page in this order.
#[track_caller]
fn in_order(page: &str, parts: &[&str]) {
    let mut rest = page;
    for part in parts {
        let at = rest.find(part);
        rest = &rest[at.unwrap_or_else(|| panic!("`{part}` does not follow in: {page}"))..];
    }
}

fn walks() -> Vec<Group<'static>> {
    let case = |series, input, times: [u64; 3]| (series, input, times.to_vec());
    vec![
        Group {
            name: "walk/chain",
            cases: vec![
                case("slow", "10", [4_000, 4_100, 4_050]),
                case("fast", "10", [1_000, 1_020, 1_010]),
                case("odd", "10", [2_000, 2_020, 2_010]),
                case("slow", "1000", [400_000, 410_000, 405_000]),
                case("fast", "1000", [90_000, 92_000, 91_000]),
                case("slow", "100000", [40_000_000, 41_000_000, 40_500_000]),
                case("fast", "100000", [9_000_000, 9_200_000, 9_100_000]),
            ],
        },
        Group {
            name: "walk-chain",
            cases: vec![
                case("fast", "plain", [70, 71, 72]),
                case("slow", "plain", [80, 81, 83]),
            ],
        },
        Group {
            name: "walk",
            cases: vec![case("chain/fast", "10", [55, 56, 57])],
        },
    ]
}

#[test]
fn page_is_written_only_when_asked_for_and_the_report_is_the_same_with_it() {
    let desk = Desk::new();
    desk.record("r.jsonl", 3, 2, &walks());
    ended(&desk.report("r.jsonl", &[]), 0, &[]);
    assert!(!desk.path("out/BENCHMARKS.html").exists());
    let markdown = desk.text("out/BENCHMARKS.md");
    ended(
        &desk.report("r.jsonl", &["--html"]),
        0,
        &["BENCHMARKS.html"],
    );
    assert_eq!(desk.text("out/BENCHMARKS.md"), markdown);
    let page = desk.text("out/BENCHMARKS.html");

    let named = desk.path("named/page.html");
    ended(
        &desk.report("r.jsonl", &["--html", named.to_str().unwrap()]),
        0,
        &[],
    );
    assert_eq!(fs::read_to_string(named).unwrap(), page);
    ended(&desk.report("r.jsonl", &["--compare", "x"]), 2, &["--html"]);
}

#[test]
fn refused_comparison_replaces_nothing() {
    let desk = Desk::new();
    desk.record("r.jsonl", 3, 2, &walks());
    desk.record("other.jsonl", 3, 64, &walks());
    let other = desk.path("other.jsonl");
    let arguments = ["--html", "--compare", other.to_str().unwrap()];
    let said = ["another machine", "--allow-machine-change"];
    ended(&desk.report("r.jsonl", &arguments), 2, &said);
    assert!(!desk.path("out").exists());
    let allowed = [&arguments[..], &["--allow-machine-change"]].concat();
    ended(&desk.report("r.jsonl", &allowed), 0, &["warning"]);
}

#[test]
fn hostile_names_are_shown_as_they_are() {
    let Some(browser) = browser() else { return };
    let desk = Desk::new();
    let long = "long ".repeat(60);
    let names: Vec<&str> = HOSTILE.into_iter().chain([long.trim()]).collect();
    let groups: Vec<Group<'_>> = names
        .iter()
        .map(|&name| {
            let cases = names.iter().zip(1..);
            let cases = cases.map(|(&series, time)| (series, name, vec![100 * time, 101 * time]));
            Group {
                name,
                cases: cases.collect(),
            }
        })
        .collect();
    desk.record("r.jsonl", 2, 2, &groups);
    ended(&desk.report("r.jsonl", &["--html"]), 0, &[]);
    // The groups are drawn when they come into view, so each is gone to.
    for (index, name) in names.iter().enumerate() {
        let coded: String = name.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let dom = desk.opened(&browser, &format!("#group={coded}"));
        assert!(dom.contains("<title>Benchmarks</title>"), "{name}");
        let group = dom.split_once(&format!("id=\"g{index}\"")).unwrap().1;
        let group = group.split("<section").next().unwrap();
        for name in &names {
            let cell = format!("<bdi>{}</bdi></th>", escaped(name));
            assert!(group.contains(&cell), "`{cell}` is not in: {group}");
        }
        assert!(group.contains(&format!("<code>{}</code>", escaped(name))));
        assert!(group.contains("<svg class=\"chart\""), "{group}");
        for markup in ["<img", "href=\"javascript", "<!--"] {
            assert!(!dom.contains(markup), "{markup}");
        }
        for tag in dom.split('<').skip(1) {
            let tag = tag.split('>').next().unwrap();
            let outside_of_values: String = tag.split('"').step_by(2).collect();
            assert!(!outside_of_values.contains(" on"), "{tag}");
        }
    }
}

#[test]
fn fragment_filters_sorts_and_chooses_a_theme() {
    let Some(browser) = browser() else { return };
    let desk = Desk::new();
    desk.record("r.jsonl", 3, 2, &walks());
    ended(&desk.report("r.jsonl", &["--html"]), 0, &[]);

    let dom = desk.opened(&browser, "");
    assert!(
        dom.contains("<html lang=\"en\">") && !dom.contains(" aria-sort=\""),
        "{dom}"
    );
    in_order(&dom, &["10 cases", "id=\"g0\"", "id=\"g1\"", "id=\"g2\""]);
    // As the record has it: by input, then by series.
    let table = dom.split_once("Results of walk/chain").unwrap().1;
    in_order(
        table,
        &[
            "4.05 µs", "1.01 µs", "2.01 µs", "405 µs", "91 µs", "</table>",
        ],
    );

    let dom = desk.opened(&browser, "#q=CHAIN+fast&sort=-time&theme=dark");
    assert!(
        dom.contains("<html lang=\"en\" data-theme=\"dark\">"),
        "{dom}"
    );
    assert!(dom.contains("5 of 10 cases in 3 groups"), "{dom}");
    let table = dom.split_once("Results of walk/chain").unwrap().1;
    in_order(
        table,
        &["aria-sort=\"descending\"", "9.1", "91", "1.0", "</table>"],
    );
    let table = table.split("</table>").next().unwrap();
    assert!(!table.contains("slow") && !table.contains("odd"), "{table}");

    let off = "%5B%22walk%2Fchain%22%2C%22slow%22%5D";
    let dom = desk.opened(&browser, &format!("#q=walk%2Fchain%2F&sort=time&off={off}"));
    assert!(dom.contains("8 of 10 cases in 2 groups"), "{dom}");
    assert!(dom.contains("aria-pressed=\"false\""), "{dom}");
    let table = dom.split_once("Results of walk/chain").unwrap().1;
    let table = table.split("</table>").next().unwrap();
    in_order(
        table,
        &["aria-sort=\"ascending\"", "1.0", "2.0", "91", "9.1"],
    );
    assert!(!table.contains("slow"), "{table}");

    let dom = desk.opened(&browser, "#q=nowhere");
    assert!(dom.contains("No case matches “nowhere”"), "{dom}");
}

#[test]
fn page_shows_the_figures_and_ticks_of_the_report() {
    let Some(browser) = browser() else { return };
    let desk = Desk::new();
    desk.record("r.jsonl", 3, 2, &walks());
    ended(&desk.report("r.jsonl", &["--html"]), 0, &[]);
    let dom = desk.opened(&browser, "");
    let markdown = desk.text("out/BENCHMARKS.md");
    let mut figures = 0;
    let rows = markdown
        .lines()
        .filter(|line| line.starts_with("| ") && line.contains("s ("));
    for line in rows {
        let time = line.split(" | ").nth(2).unwrap().replace("**", "");
        let (point, range) = time.split_once(' ').unwrap();
        let (unit, range) = range.split_once(" (").unwrap();
        let shown = [
            format!(">{point} {unit}<span class=\"range\">({range}</span>"),
            format!("<b>{point} {unit}</b><span class=\"range\">({range}</span>"),
        ];
        assert!(
            shown.iter().any(|shown| dom.contains(shown)),
            "{shown:?}: {dom}"
        );
        figures += 1;
    }
    assert_eq!(figures, 10);
    // Its name tells it from that of a group that looks alike.
    let link = markdown.split("src=\"").nth(1).unwrap();
    let (chart, _) = link.split_once('"').unwrap();
    let svg = desk.text(&format!("out/{chart}"));
    let svg = roxmltree::Document::parse(&svg).unwrap();
    let ticks: Vec<&str> = svg
        .descendants()
        .filter(|node| node.has_tag_name("text") && node.attribute("text-anchor") == Some("end"))
        .filter_map(|node| node.text())
        .collect();
    assert!(ticks.len() > 3, "{ticks:?}");
    for tick in ticks {
        assert!(
            dom.contains(&format!("text-anchor=\"end\">{tick}</text>")),
            "{tick}: {dom}"
        );
    }
    let takeaway = "<b>Takeaway </b><code>fast</code> is the fastest";
    assert!(dom.contains(takeaway), "{dom}");
}

#[test]
fn comparison_stands_beside_the_times_as_the_command_judges_it() {
    let Some(browser) = browser() else { return };
    let desk = Desk::new();
    desk.record("old.jsonl", 3, 2, &walks());
    let mut groups = walks();
    groups[0].cases[0].2 = vec![8_000, 8_010, 8_020];
    groups[1].cases.remove(1);
    groups[2].cases[0].2 = vec![80, 80, 80];
    desk.record("r.jsonl", 3, 2, &groups);
    let old = desk.path("old.jsonl");
    ended(
        &desk.report(
            "r.jsonl",
            &[
                "--html",
                "--compare",
                old.to_str().unwrap(),
                "--limit",
                "10",
            ],
        ),
        0,
        &[],
    );
    let dom = desk.opened(&browser, "");
    let section = dom.split_once("id=\"comparison\"").unwrap().1;
    let section = section.split("id=\"groups\"").next().unwrap();
    in_order(
        section,
        &[
            "<b>2</b>regressed",
            "<b>0</b>improved",
            "Gone, only on the old side: 1",
            "walk-chain/slow/plain",
        ],
    );
    in_order(
        section,
        &[
            "<td class=\"regressed\">regressed</td>",
            "walk/chain/slow/10",
            "1.98",
        ],
    );
    let table = dom.split_once("Results of walk/chain").unwrap().1;
    in_order(
        table,
        &[
            "new / old",
            "verdict",
            "8.01 µs",
            "<td class=\"regressed\">",
            "1.01 µs",
            "<td class=\"equivalent\">",
        ],
    );
    // Two groups whose cases have one id are told apart.
    let table = dom.split_once("Results of walk<").unwrap().1;
    in_order(table, &["chain/fast", "<td class=\"regressed\">"]);
}
