//! `gen-benchmarks history`, started as a user would, on repositories and records made up here.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bench_harness::Environment;
use bench_harness::record::{
    CaseId, Entry, GroupInfo, PlannedGroup, Profile, Record, RunInfo, Sample, Status,
};

/// A repository and a folder of records.
struct Lab {
    folder: tempfile::TempDir,
}

/// What is recorded of one commit.
#[derive(Clone)]
struct Recorded {
    commit: Option<String>,
    /// Nanoseconds of every process, by input.
    cases: Vec<(&'static str, Vec<u64>)>,
    environment: Environment,
}

impl Lab {
    /// A repository with so many commits, all of one date.
    fn new(commits: usize) -> Self {
        let lab = Self {
            folder: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(lab.records()).unwrap();
        lab.git(&["init", "-q", "-b", "main"]);
        for number in 0..commits {
            lab.git(&[
                "commit",
                "-q",
                "--allow-empty",
                "-m",
                &format!("change {number} | of <all>"),
            ]);
        }
        lab
    }

    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .args([
                "-c",
                "user.name=tester",
                "-c",
                "user.email=tester@example.com",
            ])
            .args(["-c", "commit.gpgsign=false"])
            .args(arguments)
            .current_dir(self.folder.path())
            .env("GIT_AUTHOR_DATE", "2026-01-01T00:00:00Z")
            .env("GIT_COMMITTER_DATE", "2026-01-01T00:00:00Z")
            .output()
            .expect("git is installed");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Oldest first.
    fn commits(&self) -> Vec<String> {
        let list = self.git(&["rev-list", "--reverse", "HEAD"]);
        list.lines().map(str::to_owned).collect()
    }

    fn records(&self) -> PathBuf {
        self.folder.path().join("history")
    }

    fn record(&self, name: &str, recorded: &Recorded) {
        fs::write(self.records().join(name), recorded.text()).unwrap();
    }

    /// Records of all commits, whose input `20` takes a tenth more from `step` on.
    fn record_step(&self, step: usize) {
        for (at, commit) in self.commits().into_iter().enumerate() {
            let level = if at < step { 1_000 } else { 1_100 };
            let recorded = Recorded::new(&commit, at, level);
            self.record(&format!("{commit}.jsonl"), &recorded);
        }
    }

    fn command(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_gen-benchmarks"))
            .arg("history")
            .args(arguments)
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    fn read(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }
}

impl Recorded {
    /// Input `10` takes 500 ns, input `20` takes `level`, both with a noise that `at` decides.
    fn new(commit: &str, at: usize, level: u64) -> Self {
        let noise = (at * 7 % 5) as u64;
        let processes = |level: u64| (0..6).map(|process| level + noise + process).collect();
        Self {
            commit: Some(commit.to_owned()),
            cases: vec![("10", processes(500)), ("20", processes(level))],
            environment: Environment {
                // Against the order of the commits, which alone counts.
                date: Some(format!("2026-02-01T00:00:{:02}Z", 59 - at)),
                cores_total: Some(2),
                dirty: Some(false),
                ..Environment::default()
            },
        }
    }

    fn text(&self) -> String {
        let processes = self.cases.iter().map(|(_, times)| times.len()).max();
        let run = RunInfo {
            profile: Profile::Quick,
            filter: None,
            processes: processes.unwrap_or(0) as u32,
            warm_up_ms: 5,
            measurement_ms: 15,
            samples: 1,
            seed: 1,
            build: "0".to_owned(),
            environment: Environment {
                commit: self.commit.clone(),
                ..self.environment.clone()
            },
            skipped: Vec::new(),
            shard: None,
            machines: Vec::new(),
        };
        let group = PlannedGroup {
            info: GroupInfo {
                group: "walk".to_owned(),
                section: "Walks".to_owned(),
                question: "How long is a walk?".to_owned(),
                work: "An iteration walks.".to_owned(),
                baseline: None,
                axis: "nodes".to_owned(),
                unit: "node".to_owned(),
                per_element: false,
                growth: true,
                suite: "benches/walk.rs".to_owned(),
                counted_first: false,
                bounds: Vec::new(),
            },
            cases: self
                .cases
                .iter()
                .map(|(input, _)| ("plain".to_owned(), (*input).to_owned()))
                .collect(),
        };
        let mut entries = vec![Entry::Run(Box::new(run)), Entry::Group(group)];
        for (input, times) in &self.cases {
            for (process, &elapsed_ns) in (1..).zip(times) {
                entries.push(Entry::Case(Record {
                    case: CaseId {
                        group: "walk".to_owned(),
                        series: "plain".to_owned(),
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
                    threads: Some(1),
                    took_ms: None,
                    status: Status::Ok,
                }));
            }
        }
        entries.iter().map(|entry| entry.to_line() + "\n").collect()
    }
}

/// Asserts how a command ended and what it said in all.
#[track_caller]
fn ended(output: &Output, code: i32, said: &[&str]) {
    let text = [&output.stdout[..], &output.stderr].concat();
    let text = String::from_utf8_lossy(&text);
    assert_eq!(output.status.code(), Some(code), "{text}");
    for part in said {
        assert!(text.contains(part), "`{part}` is not in: {text}");
    }
}

/// What the JSON says of the changes of a case: index and change.
fn changes(json: &str, input: &str) -> Vec<(u64, f64)> {
    let json: serde_json::Value = serde_json::from_str(json).unwrap();
    let cases = json["cases"].as_array().unwrap();
    let case = cases.iter().find(|case| case["case"]["input"] == input);
    let changes = case.unwrap()["changes"].as_array().unwrap().iter();
    changes
        .map(|change| {
            let point = change["change"]["point"].as_f64().unwrap();
            (change["at"].as_u64().unwrap(), point)
        })
        .collect()
}

#[test]
fn commit_that_moved_a_case_is_named_in_table_page_and_chart() {
    let lab = Lab::new(20);
    lab.record_step(13);
    let arguments = [
        "history",
        "--markdown",
        "out/page.md",
        "--json",
        "out/all.json",
        "--charts",
        "out/charts",
    ];
    let output = lab.command(&arguments);
    let moved = &lab.commits()[13][..9];
    ended(
        &output,
        0,
        &[
            "walk/plain/20",
            moved,
            "slower",
            "change 13 | of <all>",
            "20 records of 20 commits",
            "1 case has change points",
        ],
    );
    let table = String::from_utf8_lossy(&output.stdout);
    assert!(!table.contains("walk/plain/10"), "{table}");

    let page = lab.read("out/page.md");
    let row = format!(
        "| `walk/plain/20` | 1.105 µs (1.103..1.108) | `{moved}` | +10.0 % (+9.8..+10.1) slower |"
    );
    assert!(page.contains(&row), "{page}");
    assert!(page.contains("change 13 \\| of &lt;all&gt; |"), "{page}");
    let charts = [
        "history-walk-plain-20.svg",
        "history-walk-plain-20.dark.svg",
    ];
    for name in charts {
        let svg = lab.read(&format!("out/charts/{name}"));
        assert!(svg.contains(&format!(">{moved}<")), "{svg}");
        assert!(page.contains(&format!("\"charts/{name}\"")), "{page}");
    }
    assert_eq!(
        fs::read_dir(lab.folder.path().join("out/charts"))
            .unwrap()
            .count(),
        2
    );

    let found = changes(&lab.read("out/all.json"), "20");
    assert!(
        matches!(found[..], [(13, change)] if (change - 0.1).abs() < 0.002),
        "{found:?}"
    );
    assert_eq!(changes(&lab.read("out/all.json"), "10"), []);
}

#[test]
fn regression_fails_where_that_is_asked_and_improvement_never() {
    let lab = Lab::new(20);
    lab.record_step(13);
    ended(&lab.command(&["history"]), 0, &[]);
    ended(
        &lab.command(&["history", "--fail-on-regression"]),
        1,
        &["slower"],
    );
    ended(
        &lab.command(&["history", "--fail-on-regression", "--change", "15"]),
        0,
        &[],
    );
    ended(
        &lab.command(&["history", "--fail-on-regression", "--filter", "/10"]),
        0,
        &["no change"],
    );

    for (at, commit) in lab.commits().into_iter().enumerate() {
        let level = if at < 13 { 1_100 } else { 1_000 };
        lab.record(
            &format!("{commit}.jsonl"),
            &Recorded::new(&commit, at, level),
        );
    }
    ended(
        &lab.command(&["history", "--fail-on-regression"]),
        0,
        &["faster"],
    );
}

#[test]
fn versions_in_a_branch_are_read_without_touching_the_tree() {
    let lab = Lab::new(1);
    let file = lab.folder.path().join("assets/benchmarks.jsonl");
    fs::create_dir(file.parent().unwrap()).unwrap();
    let mut measured = Vec::new();
    for at in 0..12 {
        let commit = lab.commits().pop().unwrap();
        let level = if at < 6 { 1_000 } else { 1_100 };
        fs::write(&file, Recorded::new(&commit, at, level).text()).unwrap();
        lab.git(&["add", "assets"]);
        lab.git(&["commit", "-q", "-m", &format!("report {at}")]);
        measured.push(commit);
    }
    lab.git(&["checkout", "-q", "-b", "elsewhere", "HEAD~3"]);
    fs::write(&file, "not what the branch holds").unwrap();
    let before = (
        lab.git(&["status", "--porcelain"]),
        lab.git(&["rev-parse", "HEAD"]),
    );
    let output = lab.command(&["--branch", "main", "--json", "../all.json"]);
    let json = lab.folder.path().join("../all.json");
    let text = fs::read_to_string(&json).unwrap();
    fs::remove_file(json).unwrap();
    ended(&output, 0, &["12 records of 12 commits", &measured[6][..9]]);
    assert_eq!(changes(&text, "20").len(), 1);
    assert_eq!(
        before,
        (
            lab.git(&["status", "--porcelain"]),
            lab.git(&["rev-parse", "HEAD"])
        )
    );

    ended(
        &lab.command(&["--branch", "gone"]),
        2,
        &["no branch or commit `gone`"],
    );
    ended(&lab.command(&["--branch", "--all"]), 2, &[]);
    let arguments = ["--branch", "main", "--path", "no/such.jsonl"];
    ended(&lab.command(&arguments), 2, &["has a file no/such.jsonl"]);
}

#[test]
fn commits_between_that_were_not_measured_are_counted() {
    let lab = Lab::new(40);
    let measured: Vec<String> = lab.commits().into_iter().step_by(3).collect();
    for (at, commit) in measured.iter().enumerate() {
        let level = if at < 7 { 1_000 } else { 1_100 };
        lab.record(
            &format!("{commit}.jsonl"),
            &Recorded::new(commit, at, level),
        );
    }
    let since = format!("or one of the 2 others since {}", &measured[6][..9]);
    ended(&lab.command(&["history"]), 0, &[&measured[7][..9], &since]);
}

#[test]
fn records_of_another_machine_are_another_series() {
    let lab = Lab::new(20);
    lab.record_step(30);
    for (at, commit) in lab.commits().into_iter().enumerate().take(10) {
        let mut recorded = Recorded::new(&commit, at, 4_000);
        recorded.environment.cores_total = Some(16);
        lab.record(&format!("{commit}-other.jsonl"), &recorded);
    }
    ended(
        &lab.command(&["history"]),
        0,
        &[
            "20 records of 20 commits",
            "10 records of other machines are left out",
            "0 cases have",
        ],
    );
    ended(
        &lab.command(&["history", "--machine", "2"]),
        0,
        &[
            "Machine 2 of 2: 16 cores",
            "10 records of 10 commits",
            "20 records of other machines",
        ],
    );
    ended(
        &lab.command(&["history", "--machine", "3"]),
        2,
        &["no machine 3"],
    );
}

#[test]
fn records_of_one_commit_pool_their_processes_and_a_copy_adds_none() {
    let lab = Lab::new(1);
    let commit = &lab.commits()[0];
    let first = Recorded::new(commit, 0, 1_000);
    let second = Recorded::new(commit, 1, 1_010);
    lab.record("a.jsonl", &first);
    lab.record("b.jsonl", &second);
    lab.record("copy.jsonl", &second);
    let said = ["2 records of 1 commit", "1 record is a copy of another"];
    ended(&lab.command(&["history", "--json", "all.json"]), 0, &said);
    let json: serde_json::Value = serde_json::from_str(&lab.read("all.json")).unwrap();
    assert_eq!(json["cases"][1]["points"][0]["processes"], 12);
}

#[test]
fn commits_that_git_does_not_know_are_ordered_by_date() {
    let lab = Lab::new(0);
    for at in 0..12 {
        let level = if at < 6 { 1_000 } else { 1_100 };
        let mut recorded = Recorded::new(&format!("{:040x}", 99 - at), at, level);
        recorded.environment.date = Some(format!("2026-02-01T00:00:{at:02}Z"));
        lab.record(&format!("{:02}.jsonl", at * 5 % 12), &recorded);
    }
    ended(&lab.command(&["history", "--json", "all.json"]), 0, &[]);
    assert_eq!(changes(&lab.read("all.json"), "20")[0].0, 6);
}

#[test]
fn every_record_that_cannot_be_read_is_named_with_its_line_and_nothing_is_written() {
    let lab = Lab::new(10);
    lab.record_step(5);
    let good = Recorded::new(&lab.commits()[0], 0, 1_000).text();
    fs::write(
        lab.records().join("no-json.jsonl"),
        good.replacen("\"kind\":\"group\"", "{", 1),
    )
    .unwrap();
    fs::write(lab.records().join("cut.jsonl"), &good[..good.len() - 9]).unwrap();
    fs::write(
        lab.records().join("twice.jsonl"),
        good.replace("\"process\":2", "\"process\":1"),
    )
    .unwrap();
    fs::write(lab.records().join("empty.jsonl"), "").unwrap();
    let said = [
        "4 of 14 records cannot be read",
        "no-json.jsonl:2: not a record",
        "cut.jsonl:14: the record ends inside a line",
        "twice.jsonl:4: case `walk/plain/10` of process 1 stands twice",
        "empty.jsonl:1: the record does not begin with a run",
    ];
    let output = lab.command(&["history", "--json", "all.json", "--charts", "charts"]);
    ended(&output, 2, &said);
    assert!(output.stdout.is_empty());
    assert!(!lab.folder.path().join("all.json").exists());
    assert!(!lab.folder.path().join("charts").exists());
}

#[test]
fn short_history_says_how_many_commits_are_needed() {
    for commits in [1, 2] {
        let lab = Lab::new(commits);
        lab.record_step(1);
        let said = ["too few for change points: 8 are needed"];
        ended(&lab.command(&["history", "--fail-on-regression"]), 0, &said);
        ended(
            &lab.command(&["history", "--filter", "walk"]),
            0,
            &["walk/plain/20  "],
        );
    }
    let empty = Lab::new(1);
    ended(
        &empty.command(&["history"]),
        2,
        &["holds no records", "gen-benchmarks run --records"],
    );
    ended(
        &empty.command(&["gone"]),
        2,
        &["cannot read the folder gone"],
    );
    ended(&empty.command(&[]), 2, &["<DIR>"]);
}

#[test]
fn what_casts_doubt_on_records_is_said() {
    let lab = Lab::new(12);
    lab.record_step(6);
    for (at, commit) in lab.commits().into_iter().enumerate() {
        let mut recorded = Recorded::new(&commit, at, if at < 6 { 1_000 } else { 1_100 });
        let version = if at < 6 { "1.95.0" } else { "1.96.0" };
        recorded.environment.rustc = Some(version.to_owned());
        lab.record(&format!("{commit}.jsonl"), &recorded);
    }
    let compiler = "the compiler changed there too, from 1.95.0 to 1.96.0";
    ended(&lab.command(&["history"]), 0, &[compiler]);

    let mut recorded = Recorded::new(&lab.commits()[3], 3, 1_000);
    recorded.environment.dirty = Some(true);
    recorded.environment.date = None;
    lab.record("dirty.jsonl", &recorded);
    let said = ["1 record is left out, because the working tree had changes"];
    ended(&lab.command(&["history"]), 0, &said);
    ended(
        &lab.command(&["history", "--dirty"]),
        0,
        &["13 records of 12 commits"],
    );

    let mut recorded = Recorded::new(&lab.commits()[3], 3, 1_000);
    recorded.environment.date = None;
    recorded.cases[1].1.truncate(2);
    lab.record("interrupted.jsonl", &recorded);
    ended(
        &lab.command(&["history"]),
        0,
        &["1 value has fewer processes than planned"],
    );
}

#[test]
fn help_shows_how_a_history_is_made() {
    let output = Lab::new(0).command(&["--help"]);
    ended(
        &output,
        0,
        &[
            "run --records history/$(git rev-parse HEAD).jsonl",
            "Examples:",
        ],
    );
}

/// The path is looked up from the root of the repository, wherever the command is started.
#[test]
fn branch_is_read_from_a_folder_below_the_root() {
    let lab = Lab::new(1);
    let commit = lab.commits().pop().unwrap();
    fs::write(
        lab.folder.path().join("one.jsonl"),
        Recorded::new(&commit, 0, 1_000).text(),
    )
    .unwrap();
    lab.git(&["add", "one.jsonl"]);
    lab.git(&["commit", "-q", "-m", "report"]);
    let below = Path::new("below");
    fs::create_dir(lab.folder.path().join(below)).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_gen-benchmarks"))
        .args(["history", "--branch", "main", "--path", "one.jsonl"])
        .current_dir(lab.folder.path().join(below))
        .output()
        .unwrap();
    ended(&output, 0, &["1 record of 1 commit"]);
}
