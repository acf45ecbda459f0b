//! Shards that do not belong together, are broken or mean harm, through `merge` as a user would start it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bench_harness::Environment;
use bench_harness::record::{
    CaseId, Counting, Entry, GroupInfo, PlannedGroup, Profile, Record, RunInfo, Sample, Shard,
    Status,
};
use bench_harness::shard::digest;
use pulldown_cmark::{Event, Parser};

fn case(group: &str, input: u32) -> CaseId {
    CaseId {
        group: group.to_owned(),
        series: "own".to_owned(),
        input: input.to_string(),
    }
}

/// One of two shards of a run with one case each, in two processes.
fn shard(number: u32, group: &str) -> String {
    let run = RunInfo {
        profile: Profile::Quick,
        filter: None,
        processes: 2,
        warm_up_ms: 1,
        measurement_ms: 1,
        samples: 1,
        seed: 1,
        build: "b".to_owned(),
        environment: Environment {
            commit: Some("c0ffee".to_owned()),
            cpu: Some("a processor".to_owned()),
            cores_total: Some(2),
            ..Environment::default()
        },
        skipped: Vec::new(),
        shard: Some(Shard {
            number,
            of: 2,
            cases: 2,
            digest: digest(&[case(group, 1), case(group, 2)]),
            places: vec![number - 1],
        }),
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
    let case = case(group, number);
    let mut entries = vec![
        Entry::Run(Box::new(run)),
        Entry::Group(PlannedGroup {
            info,
            cases: vec![(case.series.clone(), case.input.clone())],
        }),
    ];
    for process in [1, 2] {
        entries.push(Entry::Case(Record {
            case: case.clone(),
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
    let reason = "made up".to_owned();
    entries.push(Entry::Counting(Counting::Nobody { reason }));
    entries.iter().map(|entry| entry.to_line() + "\n").collect()
}

/// A folder with two shards and what they were merged into.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        let desk = Self(tempfile::tempdir().unwrap());
        for number in [1, 2] {
            desk.write(number, &shard(number, "walk"));
        }
        let merged = desk.merge(&["s1.jsonl", "s2.jsonl"]);
        assert!(merged.status.success(), "{merged:?}");
        desk
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, number: u32, text: &str) {
        fs::write(self.path(&format!("s{number}.jsonl")), text).unwrap();
    }

    fn merge(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_gen-benchmarks"))
            .args(["merge", "--out", "all.jsonl"])
            .args(arguments)
            .current_dir(self.0.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Asserts that a merge says one sentence for each fault and writes nothing.
    #[track_caller]
    fn refuses(&self, arguments: &[&str], faults: &[&str]) {
        let good = fs::read(self.path("all.jsonl")).unwrap();
        let output = self.merge(arguments);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        let lines: Vec<&str> = said.lines().collect();
        assert_eq!(lines.len(), faults.len(), "{said}");
        for (line, fault) in lines.iter().zip(faults) {
            assert!(line.starts_with("error: "), "{said}");
            assert!(line.contains(fault), "`{fault}` is not in: {said}");
            assert!(
                line.len() < 500 && !line.contains(char::is_control),
                "{line:?}"
            );
        }
        assert!(
            fs::read(self.path("all.jsonl")).unwrap() == good,
            "the last good record stays"
        );
        assert_eq!(
            fs::read_dir(self.0.path()).unwrap().count(),
            3,
            "nothing is left beside it"
        );
    }
}

/// Asserts what is said of a second shard with this text.
#[track_caller]
fn check(second: &str, faults: &[&str]) {
    let desk = Desk::new();
    desk.write(2, second);
    desk.refuses(&["s1.jsonl", "s2.jsonl"], faults);
}

#[test]
fn all_shards_of_one_run_are_given_once() {
    let desk = Desk::new();
    desk.refuses(
        &["s1.jsonl"],
        &["s1.jsonl:1: of 2 shards 2 is missing; give all of them"],
    );
    desk.refuses(
        &["s1.jsonl", "s2.jsonl", "s1.jsonl"],
        &["s1.jsonl:1: shard 1 is s1.jsonl too; give each shard once"],
    );
    desk.refuses(&["s1.jsonl", "s3.jsonl"], &["s3.jsonl"]);
    let good = shard(2, "walk");
    let with = |part: &str, other: &str| {
        assert!(good.contains(part), "{part} is not in {good}");
        good.replacen(part, other, 1)
    };
    let one = "merge shards of one run";
    check(
        &with("c0ffee", "decade"),
        &[&format!(
            "s2.jsonl:1: commit: decade, and c0ffee in s1.jsonl; {one}"
        )],
    );
    check(
        &with("\"quick\"", "\"full\""),
        &[&format!(
            "s2.jsonl:1: profile: full, and quick in s1.jsonl; {one}"
        )],
    );
}

#[test]
fn another_machine_is_merged_only_where_it_is_allowed_and_the_report_says_so() {
    let desk = Desk::new();
    let other = shard(2, "walk").replacen("a processor", "another processor", 1);
    desk.write(2, &other);
    let both = ["s1.jsonl", "s2.jsonl"];
    let said = "s2.jsonl:1: not measured as s1.jsonl was: records were taken on another machine (a processor, now another processor); pass --allow-machine-change";
    desk.refuses(&both, &[said]);
    let output = desk.merge(&[&both[..], &["--allow-machine-change"]].concat());
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let page = report(&desk);
    let doubt = "**Doubtful:** of shards 1 and 2, ";
    assert!(
        page.contains(doubt) && page.contains("another processor"),
        "{page}"
    );
}

/// The page of the merged record.
fn report(desk: &Desk) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_gen-benchmarks"))
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .args(["report", "--records"])
        .arg(desk.path("all.jsonl"))
        .arg("--out")
        .arg(desk.path("out"))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(output.status.success(), "{output:?}");
    fs::read_to_string(desk.path("out/BENCHMARKS.md")).unwrap()
}

#[test]
fn broken_shards_are_named_with_file_and_line() {
    let good = shard(2, "walk");
    let lines: Vec<&str> = good.lines().collect();
    check(
        good.trim_end(),
        &[
            "s2.jsonl:4: the record ends before instructions were counted; complete it with --resume",
            "s2.jsonl:5: the record ends inside this line; complete it with --resume",
        ],
    );
    let lacking = format!("{}\n{}\n{}\n{}\n", lines[0], lines[1], lines[2], lines[4]);
    check(
        &lacking,
        &[
            "s2.jsonl:2: 1 of 1 cases lack processes: `walk/own/2` has 1 of 2; complete them with --resume",
        ],
    );
    let with = |number: &str| good.replacen("4321", number, 1);
    for wrong in [
        "NaN",
        "-4321",
        "1e999",
        "\"many\"",
        "99999999999999999999999",
    ] {
        check(&with(wrong), &["s2.jsonl:3: not a record"]);
    }
    let twice = format!("{good}{}\n", lines[2]);
    check(
        &twice,
        &["s2.jsonl:6: case `walk/own/2` of process 1 stands twice"],
    );
    check("\u{0}\u{1}\n", &["s2.jsonl:1: not a record"]);
    check("", &["s2.jsonl:1: the record does not begin with a run"]);
    check(
        &format!("{}\n", "[".repeat(100_000)),
        &["s2.jsonl:1: not a record"],
    );
    // What another shard has measured.
    let stolen = shard(1, "walk").lines().nth(2).unwrap().to_owned();
    check(
        &format!("{good}{stolen}\n"),
        &[
            "s2.jsonl:6: case `walk/own/1` is none of shard 2; measure it again",
            "s2.jsonl:6: case `walk/own/1` of process 1 is in s1.jsonl:3 too",
        ],
    );
}

#[test]
fn shards_of_which_nothing_is_counted_need_no_word_on_counting() {
    let desk = Desk::new();
    for number in [1, 2] {
        let text = shard(number, "walk");
        let lines = text
            .split_inclusive('\n')
            .filter(|line| !line.contains("\"counting\""));
        desk.write(number, &lines.collect::<String>());
    }
    let output = desk.merge(&["s1.jsonl", "s2.jsonl"]);
    assert!(output.status.success(), "{output:?}");
    let page = report(&desk);
    assert!(
        page.contains("2 cases in 1 group,") && !page.contains("Instructions are"),
        "{page}"
    );
}

#[test]
fn shard_of_a_gigabyte_is_refused_without_reading_it() {
    let desk = Desk::new();
    let file = fs::OpenOptions::new()
        .write(true)
        .open(desk.path("s2.jsonl"));
    // Takes no room on the disk.
    file.unwrap().set_len(1 << 30).unwrap();
    let said = "s2.jsonl:1: the record is 1073741824 bytes long";
    desk.refuses(&["s1.jsonl", "s2.jsonl"], &[said]);
}

#[test]
fn names_are_data_also_where_they_are_at_fault() {
    let names = [
        "../../../escape",
        "/etc/escape",
        "<script>alert(1)</script>",
        "\u{1b}[2J\u{7}\r\u{202e}|`~",
    ];
    for name in names {
        let desk = Desk::new();
        for number in [1, 2] {
            desk.write(number, &shard(number, name));
        }
        let output = desk.merge(&["s1.jsonl", "s2.jsonl"]);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(fs::read_dir(desk.0.path()).unwrap().count(), 3, "{name}");
        let page = report(&desk);
        for event in Parser::new(&page) {
            if let Event::Html(html) | Event::InlineHtml(html) = event {
                assert!(!html.contains("<script"), "{html}");
            }
        }

        let text = shard(2, name);
        let twice = format!("{text}{}\n", text.lines().nth(2).unwrap());
        let desk = Desk::new();
        desk.write(2, &twice);
        desk.refuses(&["s1.jsonl", "s2.jsonl"], &["s2.jsonl:6: case `"]);
    }
}

#[test]
fn only_a_record_is_replaced() {
    let desk = Desk::new();
    fs::write(desk.path("all.jsonl"), "a letter\n").unwrap();
    let both = ["s1.jsonl", "s2.jsonl"];
    desk.refuses(&both, &["all.jsonl is no record, so it is not replaced"]);
}
