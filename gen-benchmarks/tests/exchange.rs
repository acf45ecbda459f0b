//! Files of other tools, through the command as a user would start it, outside of any workspace.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use bench_harness::Environment;
use bench_harness::record::{CaseId, Entry, Profile, Record, RunInfo, Sample, Status};

/// A folder, and the command in it.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    fn run(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_gen-benchmarks"))
            .args(arguments)
            .current_dir(self.0.path())
            .env("CRITERION_HOME", self.path("home"))
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// A record of a case in processes of these times, on a machine of so many cores.
    fn record(&self, name: &str, cores: u64, times: &[u64]) {
        let run = RunInfo {
            profile: Profile::Quick,
            filter: None,
            processes: times.len() as u32,
            warm_up_ms: 1,
            measurement_ms: 1,
            samples: 1,
            seed: 1,
            build: "b".to_owned(),
            environment: Environment {
                cores_total: Some(cores),
                ..Environment::default()
            },
            skipped: Vec::new(),
            shard: None,
            machines: Vec::new(),
        };
        let mut text = Entry::Run(Box::new(run)).to_line() + "\n";
        for (process, &elapsed_ns) in (1..).zip(times) {
            let record = Record {
                case: CaseId {
                    group: "dag".to_owned(),
                    series: "own <&>".to_owned(),
                    input: "10".to_owned(),
                },
                process,
                samples: vec![Sample {
                    iterations: 10,
                    elapsed_ns,
                }],
                elements: 10,
                allocations: None,
                counters: None,
                threads: None,
                took_ms: None,
                status: Status::Ok,
            };
            text += &(Entry::Case(record).to_line() + "\n");
        }
        self.put(name, &text);
    }
}

#[track_caller]
fn ended(output: &Output, code: i32, said: &[&str]) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let all = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{all}");
    for part in said {
        assert!(all.contains(part), "`{part}` is not in: {all}");
    }
}

const HYPERFINE: &str = r#"{"results":[{"command":"app","mean":2.0,"stddev":1.0,"median":2.0,
    "user":1.0,"system":1.0,"min":1.0,"max":3.0,"times":[1.0,2.0,3.0],"later":1}]}"#;

#[test]
fn imported_file_is_a_record_that_other_commands_read() {
    let desk = Desk::new();
    desk.put("h.json", HYPERFINE);
    let output = desk.run(&["import", "h.json", "--records", "r.jsonl"]);
    let said = [
        "format `hyperfine`, 3 measurements of 1 benchmarks",
        "warning: unknown field `later` in file h.json",
    ];
    ended(&output, 0, &said);
    let output = desk.run(&["export", "--format", "hyperfine", "--records", "r.jsonl"]);
    ended(&output, 0, &["\"times\"", "\"user\": 1.0"]);
    ended(
        &desk.run(&["compare", "h.json", "r.jsonl"]),
        3,
        &["system time", "only a summary"],
    );
    let output = desk.run(&["import", "r.jsonl", "--records", "s.jsonl"]);
    ended(&output, 2, &["is a record already"]);
}

#[test]
fn nothing_is_written_or_replaced_when_something_is_wrong() {
    let desk = Desk::new();
    desk.put("notes.txt", "mine\n");
    desk.put("h.json", HYPERFINE);
    desk.put("bad.json", &HYPERFINE.replace("3.0]", "-3.0]"));
    let output = desk.run(&["import", "h.json", "--records", "notes.txt"]);
    ended(&output, 2, &["notes.txt is not a record"]);
    assert_eq!(desk.text("notes.txt"), "mine\n");
    let output = desk.run(&["import", "bad.json", "--records", "r.jsonl"]);
    ended(
        &output,
        2,
        &["bad.json at /results/0: time of `app` is negative"],
    );
    assert!(!desk.path("r.jsonl").exists());
    let output = desk.run(&["import", "notes.txt", "--records", "r.jsonl"]);
    ended(
        &output,
        2,
        &[
            "cannot tell the format of notes.txt",
            "--format",
            "hyperfine",
        ],
    );
    fs::write(desk.path("latin"), b"BenchmarkA 1 2 ns/op\n\xff\n").unwrap();
    let output = desk.run(&["import", "latin", "--records", "r.jsonl"]);
    ended(&output, 2, &["latin:2: is not UTF-8"]);
    let output = desk.run(&["import", "h.json", "--format", "go", "--records", "r.jsonl"]);
    ended(&output, 2, &["h.json: holds no benchmark results"]);
    let output = desk.run(&["import", "gone", "--records", "r.jsonl"]);
    ended(&output, 2, &["cannot read gone"]);
}

#[test]
fn github_files_are_two_where_both_directions_are_better() {
    let desk = Desk::new();
    desk.put("go.txt", "BenchmarkA 10 5 ns/op 7 MB/s\n");
    let arguments = ["export", "--format", "github-action", "--records", "go.txt"];
    ended(&desk.run(&arguments), 2, &["needs two files", "--out"]);
    let output = desk.run(&[&arguments[..], &["--out", "x.json"]].concat());
    ended(&output, 0, &["x-smaller.json", "x-bigger.json"]);
    assert!(desk.text("x-smaller.json").contains("ns/op"));
    assert!(desk.text("x-bigger.json").contains("MB/s"));
    ended(
        &desk.run(&["compare", "go.txt", "x-smaller.json"]),
        3,
        &["only a summary"],
    );
    let output = desk.run(&["export", "--format", "jmh", "--records", "go.txt"]);
    ended(&output, 2, &["format `jmh` is only read"]);
}

#[test]
fn baselines_of_criterion_are_written_and_compared() {
    let desk = Desk::new();
    desk.record("old.jsonl", 2, &[1_000, 1_010, 990, 1_000]);
    for baseline in ["main", "new"] {
        let out = desk.path("home");
        let out = out.to_str().unwrap();
        let arguments = ["export", "--format", "criterion", "--records", "old.jsonl"];
        let output = desk.run(&[&arguments[..], &["--out", out, "--baseline", baseline]].concat());
        ended(&output, 0, &["criterion knows one process"]);
    }
    assert!(
        desk.path("home/dag/own _&_/10/main/estimates.json")
            .exists()
    );
    let one = "one process cannot tell";
    ended(
        &desk.run(&["compare", "criterion:main", "home"]),
        3,
        &["dag/own <&>/10", one],
    );
    ended(
        &desk.run(&["compare", "home:main", "criterion:new"]),
        3,
        &[one],
    );
    let output = desk.run(&["compare", "criterion:other", "home"]);
    ended(
        &output,
        2,
        &["has a baseline `other`", "--save-baseline other"],
    );
    ended(
        &desk.run(&["compare", "nowhere:main", "home"]),
        2,
        &["nowhere does not exist"],
    );
}

#[test]
fn records_are_judged_by_their_processes() {
    let desk = Desk::new();
    desk.record("old.jsonl", 2, &[1_000, 1_010, 990, 1_000]);
    desk.record("slow.jsonl", 2, &[1_200, 1_210, 1_190, 1_200]);
    desk.record("elsewhere.jsonl", 8, &[1_000, 1_010, 990, 1_000]);
    ended(
        &desk.run(&["compare", "old.jsonl", "slow.jsonl"]),
        1,
        &["REGRESSED", "+20.0 %"],
    );
    ended(
        &desk.run(&["compare", "slow.jsonl", "old.jsonl"]),
        0,
        &["improved", "-16.7 %"],
    );
    let output = desk.run(&["compare", "old.jsonl", "slow.jsonl", "--limit", "30"]);
    ended(&output, 0, &["equivalent: 1 (none worse by 30 %)"]);
    let output = desk.run(&["compare", "old.jsonl", "elsewhere.jsonl"]);
    ended(
        &output,
        2,
        &["another machine (2 cores, now 8)", "--allow-machine-change"],
    );
    let arguments = [
        "compare",
        "old.jsonl",
        "elsewhere.jsonl",
        "--allow-machine-change",
    ];
    ended(
        &desk.run(&arguments),
        3,
        &["warning: records were taken on another machine"],
    );

    let output = desk.run(&[
        "export",
        "--format",
        "go",
        "--records",
        "slow.jsonl",
        "--out",
        "s.txt",
    ]);
    ended(&output, 0, &[]);
    // White space in a name becomes `_`, so the benchmark is another one.
    ended(
        &desk.run(&["compare", "old.jsonl", "s.txt"]),
        4,
        &["gone", "dag/own_<&>/10"],
    );
    ended(
        &desk.run(&["compare", "slow.jsonl", "--series", "dag"]),
        0,
        &["own <&>", "120 ns"],
    );
    ended(&desk.run(&["compare", "slow.jsonl"]), 2, &["required"]);
}
