//! Reports of thousands of cases, made by the command as a user would.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bench_harness::Environment;
use bench_harness::record::{
    Allocations, CaseId, Counting, Entry, GroupInfo, PlannedGroup, Profile, Record, RunInfo,
    Sample, Status,
};
use pulldown_cmark::{Event, Options, Parser, Tag};

/// Longest page that code-hosting pages show.
const PAGE_LIMIT: usize = 500_000;

/// A record of so many groups, each of so many series at so many inputs, in two processes.
fn record(groups: u64, series: u64, inputs: u64) -> String {
    let run = RunInfo {
        profile: Profile::Quick,
        filter: None,
        processes: 2,
        warm_up_ms: 1,
        measurement_ms: 1,
        samples: 1,
        seed: 1,
        build: "b".to_owned(),
        environment: Environment::default(),
        skipped: Vec::new(),
        shard: None,
        machines: Vec::new(),
    };
    let mut entries = vec![Entry::Run(Box::new(run))];
    let mut records = Vec::new();
    for group in 0..groups {
        let name = format!("made-up/{group}");
        let cases: Vec<(u64, u64)> = (0..series)
            .flat_map(|one| (1..=inputs).map(move |input| (one, input)))
            .collect();
        let series = |one: u64| format!("series-{one}");
        entries.push(Entry::Group(PlannedGroup {
            info: GroupInfo {
                group: name.clone(),
                section: format!("Section {}", group / 20),
                question: format!("How long does number {group} take?"),
                work: "An iteration makes up a number.".to_owned(),
                baseline: Some(series(0)),
                axis: "numbers".to_owned(),
                unit: "number".to_owned(),
                per_element: false,
                growth: true,
                suite: format!("benches/{}.rs", group % 7),
                counted_first: false,
                bounds: Vec::new(),
            },
            cases: cases
                .iter()
                .map(|&(one, input)| (series(one), input.to_string()))
                .collect(),
        }));
        for (one, input) in cases {
            for process in [1, 2] {
                // Neighbours scatter into each other, and whoever stands further apart does not.
                let scatter = (one * 7 + u64::from(process) * 5 + input) % 11;
                records.push(Entry::Case(Record {
                    case: CaseId {
                        group: name.clone(),
                        series: series(one),
                        input: input.to_string(),
                    },
                    process,
                    samples: vec![Sample {
                        iterations: 1,
                        elapsed_ns: input * (1_000 + one) + 10 * scatter,
                    }],
                    elements: input,
                    allocations: Some(Allocations {
                        iterations: 1,
                        count: one % 5,
                        reallocations: 0,
                        bytes: 64 * (one % 5),
                        peak_bytes: 64,
                        held_bytes: 0,
                    }),
                    counters: None,
                    threads: Some(1),
                    took_ms: None,
                    status: Status::Ok,
                }));
            }
        }
    }
    entries.extend(records);
    let reason = "made up".to_owned();
    entries.push(Entry::Counting(Counting::Nobody { reason }));
    entries.iter().map(|entry| entry.to_line() + "\n").collect()
}

fn command(arguments: &[&str], out: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gen-benchmarks"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .args(arguments)
        .arg("--out")
        .arg(out)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// All files below a folder, with their bytes.
fn files(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut folders = vec![folder.to_owned()];
    let mut files = BTreeMap::new();
    while let Some(one) = folders.pop() {
        for entry in fs::read_dir(one).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => folders.push(path),
                false => {
                    let below = path.strip_prefix(folder).unwrap().to_owned();
                    files.insert(below, fs::read(&path).unwrap());
                }
            }
        }
    }
    files
}

/// What a page links to and shows.
fn targets(page: &str) -> Vec<String> {
    let mut targets = Vec::new();
    for event in Parser::new_ext(page, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                targets.push(dest_url.into_string());
            }
            Event::Html(html) | Event::InlineHtml(html) => {
                for name in [" src=\"", " srcset=\""] {
                    let values = html.split(name).skip(1);
                    targets.extend(values.map(|rest| rest.split('"').next().unwrap().to_owned()));
                }
            }
            _ => {}
        }
    }
    targets
}

/// Whether a page has a heading that a code-hosting page gives this anchor.
fn has_anchor(page: &str, anchor: &str) -> bool {
    let slug = |heading: &str| -> String {
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        let lower = heading.to_lowercase();
        lower
            .chars()
            .filter(kept)
            .collect::<String>()
            .replace(' ', "-")
    };
    let headings = page.lines().filter_map(|line| line.strip_prefix('#'));
    let mut headings = headings.map(|rest| slug(rest.trim_start_matches('#').trim()));
    headings.any(|heading| heading == anchor)
}

/// Asserts that a record of 5,000 cases becomes a report that can be shown and followed, the same each
/// time.
#[track_caller]
fn check(groups: u64, series: u64, inputs: u64) {
    assert_eq!(groups * series * inputs, 5_000);
    let desk = tempfile::tempdir().unwrap();
    let records = desk.path().join("records.jsonl");
    fs::write(&records, record(groups, series, inputs)).unwrap();
    let out = desk.path().join("out");
    let report = ["report", "--records", records.to_str().unwrap()];
    let output = command(&report, &out);
    assert!(output.status.success(), "{output:?}");
    let written = files(&out);

    let page = &written[Path::new("BENCHMARKS.md")];
    assert!(page.len() < PAGE_LIMIT, "the page has {} bytes", page.len());
    let pages = written
        .iter()
        .filter(|(path, _)| path.extension().unwrap() == "md");
    let (mut rows, mut links) = (0, 0);
    for (path, page) in pages {
        let page = std::str::from_utf8(page).unwrap();
        rows += page.matches("| `series-").count();
        for target in targets(page) {
            let (file, anchor) = target.split_once('#').unwrap_or((&target, ""));
            let folder = path.parent().unwrap();
            let to = match file {
                "" => path.clone(),
                file => folder
                    .join(file)
                    .components()
                    .fold(PathBuf::new(), |mut to, part| {
                        match part {
                            std::path::Component::ParentDir => assert!(to.pop(), "{target}"),
                            part => to.push(part),
                        }
                        to
                    }),
            };
            let shown = path.display();
            let found = written
                .get(&to)
                .unwrap_or_else(|| panic!("{shown}: {target} is not there"));
            if !anchor.is_empty() {
                let found = std::str::from_utf8(found).unwrap();
                assert!(has_anchor(found, anchor), "{shown}: {target} leads nowhere");
            }
            links += 1;
        }
    }
    assert!(rows >= 5_000, "{rows} rows");
    assert!(links as u64 > 3 * groups, "{links} links");

    let again = command(&report, &desk.path().join("again"));
    assert!(again.status.success(), "{again:?}");
    assert!(
        files(&desk.path().join("again")) == written,
        "the same record gives the same bytes"
    );
    let checked = command(&["check"], &out);
    assert!(checked.status.success(), "{checked:?}");
}

#[test]
fn edited_figure_stale_file_and_missing_one_are_named_wherever_they_stand() {
    let desk = tempfile::tempdir().unwrap();
    let records = desk.path().join("records.jsonl");
    // Too many for one page.
    fs::write(&records, record(1, 1_250, 4)).unwrap();
    let out = desk.path().join("out");
    let report = ["report", "--records", records.to_str().unwrap()];
    let output = command(&report, &out);
    assert!(output.status.success(), "{output:?}");
    let refused = |said: &str| {
        let output = command(&["check"], &out);
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{stderr}");
        assert!(stderr.contains(said), "`{said}` is not in: {stderr}");
        assert!(
            stderr.contains("gen-benchmarks report --records"),
            "{stderr}"
        );
    };
    for name in [
        "BENCHMARKS.md",
        "assets/tables/bench-made-up-0.md",
        "assets/tables/groups.md",
    ] {
        let path = out.join(name);
        let good = fs::read_to_string(&path).unwrap();
        let line = good
            .lines()
            .position(|line| line.contains(" µs ("))
            .unwrap()
            + 1;
        fs::write(&path, good.replacen(" µs (", " ns (", 1)).unwrap();
        refused(&format!("{name}:{line}: differs"));
        fs::remove_file(&path).unwrap();
        refused(&format!("{name} is missing"));
        fs::write(&path, good).unwrap();
    }
    for name in ["assets/bench-old.svg", "assets/tables/bench-old.md"] {
        fs::write(out.join(name), "old").unwrap();
        refused(&format!("{name} is not part of the report"));
        fs::remove_file(out.join(name)).unwrap();
    }
    fs::remove_file(out.join("assets/bench-made-up-0.dark.svg")).unwrap();
    refused("bench-made-up-0.dark.svg is missing");
    let output = command(&report, &out);
    assert!(output.status.success(), "{output:?}");
    assert!(command(&["check"], &out).status.success());
}

#[test]
fn five_thousand_cases_in_one_group_become_a_report() {
    check(1, 1_250, 4);
}

#[test]
fn five_thousand_cases_in_five_hundred_groups_become_a_report() {
    check(500, 5, 2);
}

#[test]
fn five_thousand_inputs_of_one_series_become_a_report() {
    check(1, 1, 5_000);
}
