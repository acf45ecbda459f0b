//! Records that are broken or mean harm, through the command as a user would start it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bench_harness::Environment;
use bench_harness::record::{
    CaseId, Counting, Entry, GroupInfo, PlannedGroup, Profile, Record, RunInfo, Sample, Status,
};

/// A record of one case in two processes, in a group and with names as given.
fn record(group: &str, series: &str) -> String {
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
    let info = GroupInfo {
        group: group.to_owned(),
        section: group.to_owned(),
        question: format!("Why {group}?"),
        work: String::new(),
        baseline: None,
        axis: "x".to_owned(),
        unit: "u".to_owned(),
        per_element: false,
        growth: false,
        suite: "f.rs".to_owned(),
        counted_first: false,
        bounds: Vec::new(),
    };
    let inputs = ["1", "2"];
    let cases = inputs.map(|input| (series.to_owned(), input.to_owned()));
    let mut entries = vec![
        Entry::Run(Box::new(run)),
        Entry::Group(PlannedGroup {
            info,
            cases: cases.to_vec(),
        }),
    ];
    for process in [1, 2] {
        for input in inputs {
            entries.push(Entry::Case(Record {
                case: CaseId {
                    group: group.to_owned(),
                    series: series.to_owned(),
                    input: input.to_owned(),
                },
                process,
                samples: vec![Sample {
                    iterations: 1,
                    elapsed_ns: 4_321,
                }],
                elements: 1,
                allocations: None,
                counters: None,
                threads: Some(1),
                took_ms: None,
                status: Status::Ok,
            }));
        }
    }
    let reason = "made up".to_owned();
    entries.push(Entry::Counting(Counting::Nobody { reason }));
    entries.iter().map(|entry| entry.to_line() + "\n").collect()
}

/// A folder with a good report.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        let output = desk.report(record("walk", "own").as_bytes());
        assert!(output.status.success(), "{output:?}");
        desk
    }

    fn out(&self) -> PathBuf {
        self.0.path().join("out")
    }

    fn records(&self) -> PathBuf {
        self.0.path().join("records.jsonl")
    }

    /// Writes the report of a record of these bytes.
    fn report(&self, bytes: &[u8]) -> Output {
        fs::write(self.records(), bytes).unwrap();
        self.again()
    }

    /// Writes the report of the record that is there.
    fn again(&self) -> Output {
        Command::new(env!("CARGO_BIN_EXE_gen-benchmarks"))
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .args(["report", "--records"])
            .arg(self.records())
            .arg("--out")
            .arg(self.out())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// All files of the report, with their bytes.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let mut folders = vec![self.out()];
        let mut files = Vec::new();
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => folders.push(path),
                    false => files.push((path.clone(), fs::read(&path).unwrap())),
                }
            }
        }
        files.sort();
        files
    }
}

/// Asserts that a record is refused with line and reason, and that the good report stays.
#[track_caller]
fn check(bytes: &[u8], line: usize, reason: &str) {
    let desk = Desk::new();
    let good = desk.files();
    refused(&desk, &desk.report(bytes), line, reason);
    assert!(desk.files() == good, "the last good report stays");
}

#[track_caller]
fn refused(desk: &Desk, output: &Output, line: usize, reason: &str) {
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    let place = format!("{}:{line}: ", desk.records().display());
    assert!(said.contains(&place), "`{place}` is not in: {said}");
    assert!(said.contains(reason), "`{reason}` is not in: {said}");
    assert!(said.len() < 1_000, "{said}");
}

#[test]
fn broken_records_are_refused_with_their_line_and_the_last_good_report_stays() {
    let good = record("walk", "own");
    let lines: Vec<&str> = good.lines().collect();
    let cut = &good[..good.rfind("counting").unwrap()];
    check(
        cut.as_bytes(),
        7,
        "ends inside a line; complete it with --resume",
    );
    let with = |number: &str| good.replacen("4321", number, 1);
    check(with("NaN").as_bytes(), 3, "not a record");
    check(with("-4321").as_bytes(), 3, "not a record");
    check(with("1e999").as_bytes(), 3, "not a record");
    check(
        with("99999999999999999999999").as_bytes(),
        3,
        "not a record",
    );
    let twice = format!("{good}{}\n", lines[2]);
    check(
        twice.as_bytes(),
        8,
        "case `walk/own/1` of process 1 stands twice",
    );
    let twice = format!("{good}{}\n", lines[1]);
    check(twice.as_bytes(), 8, "group `walk` stands twice");
    let twice = good.replacen("[\"own\",\"2\"]", "[\"own\",\"1\"]", 1);
    check(twice.as_bytes(), 2, "announces its case `own/1` twice");
    check(b"\xff\xfe\n", 1, "not a record");
    check(
        format!("{}\n", "[".repeat(100_000)).as_bytes(),
        1,
        "not a record",
    );
    check(
        format!("{good}{}\n", "x".repeat(2 << 20)).as_bytes(),
        8,
        "longer than",
    );
    let later = good.replacen("\"schema\":1", "\"schema\":2", 1);
    check(later.as_bytes(), 1, "schema 2 is not known");
}

#[test]
fn record_of_a_gigabyte_is_refused_without_reading_it() {
    let desk = Desk::new();
    let good = desk.files();
    let file = fs::OpenOptions::new().write(true).open(desk.records());
    // Takes no room on the disk.
    file.unwrap().set_len(1 << 30).unwrap();
    let reason = "the record is 1073741824 bytes long";
    refused(&desk, &desk.again(), 1, reason);
    assert!(desk.files() == good, "the last good report stays");
}

/// Asserts that a page holds no markup but its own.
#[track_caller]
fn harmless_page(page: &str) {
    use pulldown_cmark::{Event, Parser, Tag};
    for event in Parser::new(page) {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => {
                let own = ["<picture>", "</picture>", "<source ", "<img "];
                assert!(own.iter().any(|own| html.starts_with(own)), "{html}");
                assert!(
                    !html.contains("<script") && !html.contains("\"onload"),
                    "{html}"
                );
            }
            Event::Start(Tag::Link { dest_url, .. }) => {
                assert!(!dest_url.starts_with("javascript:"), "{dest_url}");
            }
            _ => {}
        }
    }
}

/// Asserts that a picture is XML that runs nothing.
#[track_caller]
fn harmless_picture(picture: &str) {
    let document = roxmltree::Document::parse(picture).unwrap();
    for node in document.descendants().filter(roxmltree::Node::is_element) {
        assert_ne!(node.tag_name().name(), "script");
        assert!(node.attributes().all(|one| !one.name().starts_with("on")));
    }
}

#[test]
fn names_are_data_and_become_neither_paths_nor_markup() {
    let desk = Desk::new();
    let names = [
        "../../../escape",
        "/etc/escape",
        "<script>alert(1)</script>",
        "a\"onload=\"alert(1)",
        "]]><script>",
        "[x](javascript:alert(1))",
        "\u{202e}\u{0}|`~",
    ];
    for name in names {
        let output = desk.report(record(name, name).as_bytes());
        assert!(output.status.success(), "{name}: {output:?}");
        for (path, bytes) in desk.files() {
            assert!(path.starts_with(desk.out()), "{}", path.display());
            let text = String::from_utf8(bytes).unwrap();
            match path.extension().and_then(|ending| ending.to_str()) {
                Some("md") => harmless_page(&text),
                Some("svg") => harmless_picture(&text),
                ending => assert_eq!(ending, Some("jsonl"), "{}", path.display()),
            }
        }
        // Nothing beside the report and its record.
        let beside = fs::read_dir(desk.0.path()).unwrap().count();
        assert_eq!(beside, 2);
    }
}
