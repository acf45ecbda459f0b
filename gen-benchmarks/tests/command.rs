//! The command, started as a user would, on a workspace of its own with cases that are right,
//! wrong, late and gone.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use bench_harness::record::{self, Counting, Entry};

mod workspace;

use workspace::{target, workspace};

/// The command in the workspace under test, with a record and an output folder of its own.
struct Lab {
    folder: tempfile::TempDir,
    mended: bool,
    path: Option<OsString>,
}

impl Lab {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            mended: false,
            path: None,
        }
    }

    fn records(&self) -> PathBuf {
        self.folder.path().join("records.jsonl")
    }

    fn out(&self) -> PathBuf {
        self.folder.path().join("out")
    }

    fn page(&self) -> String {
        fs::read_to_string(self.out().join("BENCHMARKS.md")).unwrap()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_gen-benchmarks"));
        command
            .args(arguments)
            .current_dir(workspace())
            .env("CARGO_TARGET_DIR", target())
            .env_remove("MENDED")
            .stdin(Stdio::null());
        if let Some(path) = &self.path {
            command.env("PATH", path);
        }
        if self.mended {
            command.env("MENDED", "1");
        }
        command
    }

    /// Measures the cases that match `filter` and writes the report.
    fn measure(&self, filter: &str, more: &[&str]) -> Output {
        let (records, out) = (self.records(), self.out());
        let mut arguments = vec!["--profile", "quick", "--count", "2", "--filter", filter];
        // Also where the sources were unpacked without their repository.
        arguments.push("--allow-unknown-commit");
        arguments.extend([
            "--records",
            records.to_str().unwrap(),
            "--out",
            out.to_str().unwrap(),
        ]);
        arguments.extend(more);
        self.command(&arguments).output().unwrap()
    }

    fn report(&self) -> Output {
        let (records, out) = (self.records(), self.out());
        let arguments = [
            "report",
            "--records",
            records.to_str().unwrap(),
            "--out",
            out.to_str().unwrap(),
        ];
        self.command(&arguments).output().unwrap()
    }

    fn check(&self) -> Output {
        let out = self.out();
        self.command(&["check", "--out", out.to_str().unwrap()])
            .output()
            .unwrap()
    }
}

/// Asserts how a command ended and what it said.
#[track_caller]
fn ended(output: &Output, code: i32, said: &[&str]) {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    for part in said {
        assert!(stderr.contains(part), "`{part}` is not in: {stderr}");
    }
}

#[test]
fn measured_report_passes_its_check_until_somebody_edits_it() {
    let lab = Lab::new();
    ended(
        &lab.measure("walk/right", &[]),
        0,
        &["3 cases in 2 processes each"],
    );
    let page = lab.page();
    assert!(page.contains("| 40 | `sequential` |"), "{page}");
    assert!(page.contains("**Takeaway:**"), "{page}");
    ended(&lab.check(), 0, &[]);

    fs::write(
        lab.out().join("BENCHMARKS.md"),
        page.replace("| 40 |", "| 41 |"),
    )
    .unwrap();
    ended(&lab.check(), 1, &["BENCHMARKS.md:", "differs"]);
    ended(&lab.report(), 0, &[]);
    ended(&lab.check(), 0, &[]);
    assert_eq!(lab.page(), page);
}

#[test]
fn scheduler_that_does_nothing_becomes_a_failed_row_and_not_a_fast_one() {
    let lab = Lab::new();
    ended(&lab.measure("walk/right", &[]), 0, &[]);
    let good = lab.page();
    let said = [
        "walk/broken/does-nothing/10: ",
        "every node completes",
        "the last good report stays",
    ];
    ended(&lab.measure("walk/broken", &[]), 1, &said);
    assert_eq!(lab.page(), good);

    // Asked for, the report is written, with the rows that failed.
    ended(&lab.report(), 0, &[]);
    let page = lab.page();
    assert!(page.contains("## Failed cases"), "{page}");
    assert!(page.contains("| 10 | `does-nothing` | failed: "), "{page}");
    assert!(!page.contains("Takeaway"), "{page}");
}

#[test]
fn crash_and_hang_are_named_and_measured_again_once_mended() {
    let mut lab = Lab::new();
    let said = [
        "trouble/crash/1: ",
        "trouble/hang/1: not done within 1 s",
        "2 of 2 cases failed",
        "--resume",
    ];
    ended(&lab.measure("trouble", &["--timeout", "1"]), 1, &said);
    assert!(
        !lab.out().join("BENCHMARKS.md").exists(),
        "no report was good yet"
    );

    lab.mended = true;
    ended(
        &lab.measure("trouble", &["--timeout", "60", "--resume"]),
        0,
        &[],
    );
    ended(&lab.check(), 0, &[]);
}

/// Measures a shard of the cases below `walk/` into a record of that name.
fn measure_shard(lab: &Lab, shard: &str, name: &str, more: &[&str]) -> Output {
    let records = lab.folder.path().join(name);
    let arguments = ["run", "--profile", "quick", "--filter", "walk/right"];
    lab.command(&arguments)
        .args(["--count", "2", "--allow-unknown-commit", "--shard", shard])
        .arg("--records")
        .arg(records)
        .args(more)
        .output()
        .unwrap()
}

/// The command in the folder of the records: files are named there.
fn merge(lab: &Lab, arguments: &[&str]) -> Output {
    lab.command(&["merge", "--out", "all.jsonl"])
        .args(arguments)
        .current_dir(lab.folder.path())
        .output()
        .unwrap()
}

#[test]
fn shards_are_merged_into_the_record_of_the_whole_run_and_only_when_all_are_there() {
    let lab = Lab::new();
    let cases = |name: &str| {
        let read = record::read(&lab.folder.path().join(name)).unwrap();
        let mut processes: Vec<(String, u32)> = read
            .entries
            .iter()
            .filter_map(|entry| match entry {
                Entry::Case(record) => Some((record.case.to_string(), record.process)),
                _ => None,
            })
            .collect();
        processes.sort();
        (record::planned(&read.entries), processes)
    };
    // The inputs 10, 20 and 40 for two machines, and one more than there are.
    ended(
        &measure_shard(&lab, "1/2", "s1.jsonl", &[]),
        0,
        &["shard 1 of 2: 2 of 3 cases"],
    );
    ended(
        &merge(&lab, &["s1.jsonl"]),
        2,
        &["s1.jsonl:1: of 2 shards 2 is missing"],
    );
    assert!(!lab.folder.path().join("all.jsonl").exists());
    ended(
        &measure_shard(&lab, "2/2", "s2.jsonl", &[]),
        0,
        &["shard 2 of 2: 1 of 3 cases"],
    );
    let twice = ["s1.jsonl", "s2.jsonl", "s2.jsonl"];
    ended(
        &merge(&lab, &twice),
        2,
        &["s2.jsonl:1: shard 2 is s2.jsonl too"],
    );
    ended(
        &merge(&lab, &["s2.jsonl", "s1.jsonl"]),
        0,
        &["3 cases of 2 shards"],
    );

    ended(&lab.measure("walk/right", &[]), 0, &[]);
    assert_eq!(cases("all.jsonl"), cases("records.jsonl"));
    let page = lab.page();
    fs::rename(lab.folder.path().join("all.jsonl"), lab.records()).unwrap();
    ended(&lab.report(), 0, &[]);
    ended(&lab.check(), 0, &[]);
    let merged = lab.page();
    assert!(merged.contains("> Measured in 2 shards"), "{merged}");
    assert_eq!(
        merged.matches("`sequential`").count(),
        page.matches("`sequential`").count()
    );

    ended(
        &merge(&lab, &["s1.jsonl", "records.jsonl"]),
        2,
        &["records.jsonl:1: the record is no shard"],
    );
    let output = merge(&lab, &["--out", "s1.jsonl", "s1.jsonl", "s2.jsonl"]);
    ended(&output, 2, &["cannot be used multiple times"]);
    fs::write(lab.folder.path().join("all.jsonl"), "a diary\n").unwrap();
    ended(
        &merge(&lab, &["s1.jsonl", "s2.jsonl"]),
        2,
        &["all.jsonl:1: ", "is no record, so it is not replaced"],
    );
}

#[test]
fn shard_without_a_case_is_merged_too_and_an_interrupted_one_is_completed() {
    let lab = Lab::new();
    for number in ["1", "2", "3", "4"] {
        let (shard, name) = (format!("{number}/4"), format!("s{number}.jsonl"));
        ended(&measure_shard(&lab, &shard, &name, &[]), 0, &[]);
    }
    let third = lab.folder.path().join("s3.jsonl");
    let whole = fs::read_to_string(&third).unwrap();
    let last = whole.rfind("\"kind\":\"case\"").expect("a case");
    fs::write(&third, &whole[..last]).unwrap();
    let all = ["s1.jsonl", "s2.jsonl", "s3.jsonl", "s4.jsonl"];
    let said = [
        "s3.jsonl:4: the record ends inside this line",
        "s3.jsonl:2: 1 of 1 cases lack processes",
    ];
    ended(&merge(&lab, &all), 2, &said);
    let other = measure_shard(&lab, "2/4", "s3.jsonl", &["--resume"]);
    ended(&other, 2, &["other options", "shard 3/4"]);
    ended(
        &measure_shard(&lab, "3/4", "s3.jsonl", &["--resume"]),
        0,
        &[],
    );
    ended(&merge(&lab, &all), 0, &["3 cases of 4 shards"]);
}

#[test]
fn shard_is_named_as_a_part_of_a_whole_and_durations_as_a_record() {
    let lab = Lab::new();
    ended(
        &measure_shard(&lab, "4/3", "s.jsonl", &[]),
        2,
        &["give I/N with I from 1 to N"],
    );
    let output = measure_shard(&lab, "1/3", "s.jsonl", &["--durations", "no/such.jsonl"]);
    ended(&output, 2, &["cannot read no/such.jsonl"]);
    let output = lab
        .command(&["run", "--durations", "x.jsonl"])
        .output()
        .unwrap();
    ended(&output, 2, &["--shard"]);
}

/// The instructions of each case of a record by its series, and how they were counted.
fn instructions(records: &Path) -> (HashMap<String, u64>, Counting) {
    let mut counted: HashMap<String, u64> = HashMap::new();
    let mut counting = None;
    for entry in record::read(records).unwrap().entries {
        match entry {
            Entry::Counted(one) => {
                counted.insert(one.case.series, one.instructions);
            }
            Entry::Case(record) => {
                let instructions = record.counters.and_then(|seen| seen.instructions);
                counted.extend(instructions.map(|seen| (record.case.series, seen)));
            }
            Entry::Counting(how) => counting = Some(how),
            _ => {}
        }
    }
    (counted, counting.expect("a run says how it counted"))
}

#[test]
fn known_instructions_are_counted_and_what_cannot_be_has_a_dash() {
    let lab = Lab::new();
    ended(&lab.measure("count/known", &[]), 0, &[]);
    ended(&lab.check(), 0, &[]);
    let (counted, counting) = instructions(&lab.records());
    if let Counting::Nobody { reason } = counting {
        println!("skipped: {reason}");
        return;
    }
    println!("{counted:?} by {counting:?}");
    // Three a round, and what calling takes in a build that is not optimised.
    let adds = counted["adds"];
    assert!((3_000..3_050).contains(&adds), "{adds}");
    assert_eq!(counted.len(), 1, "{counted:?}");
    let page = lab.page();
    let cell = |series: &str| {
        let start = format!("| 1,000 | `{series}` |");
        let row = page.lines().find(|line| line.starts_with(&start)).unwrap();
        row.split(" | ").nth(3).unwrap().to_owned()
    };
    assert_eq!(cell("adds"), format!("{:.2}", adds as f64 / 1_000.0));
    assert_eq!([cell("threads"), cell("takes-its-time")], ["–", "–"]);
}

#[test]
fn instructions_of_two_runs_agree() {
    let count = || {
        let lab = Lab::new();
        ended(&lab.measure("walk/right/sequential/40", &[]), 0, &[]);
        instructions(&lab.records())
    };
    let (first, counting) = count();
    if let Counting::Nobody { reason } = counting {
        println!("skipped: {reason}");
        return;
    }
    let (first, second) = (first["sequential"], count().0["sequential"]);
    println!("{first} and {second} by {counting:?}");
    assert!(first > 1_000);
    assert!(
        first.abs_diff(second) * 100 <= first,
        "{first} and {second}"
    );
}

#[test]
fn case_that_valgrind_is_late_with_is_left_out_and_the_others_are_kept() {
    let lab = Lab::new();
    ended(&lab.measure("count/late", &[]), 0, &[]);
    let (counted, counting) = instructions(&lab.records());
    let Counting::Callgrind { left_out, .. } = counting else {
        println!("skipped: {counting:?}");
        return;
    };
    assert_eq!((left_out, counted.len()), (1, 1), "{counted:?}");
    assert!(counted.contains_key("early"), "{counted:?}");
    assert!(
        lab.page().contains("or for the case that"),
        "{}",
        lab.page()
    );
}

/// The shares of a table of `profile`, in tenths of a percent, each with its row behind the interval.
#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
fn shares(text: &str, case: &str) -> Vec<(u64, String)> {
    let from = text.find(&format!("{case}: ")).expect(text);
    let lines = text[from..]
        .lines()
        .skip(2)
        .take_while(|line| !line.is_empty());
    let row = |line: &str| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let tenths = words[0].replace('.', "").parse().expect(line);
        (tenths, words[3..].join(" "))
    };
    lines.map(row).collect()
}

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
#[test]
fn profile_finds_time_where_it_was_spent_and_its_shares_add_up() {
    let lab = Lab::new();
    let output = lab
        .command(&[
            "profile",
            "profile/known/*/1",
            "--bench",
            "cases",
            "--seconds",
            "4",
        ])
        .output()
        .unwrap();
    ended(&output, 0, &[]);
    let text = String::from_utf8(output.stdout).unwrap();
    // Wide: with 200 samples, a share of 750 is outside of it once in a million times.
    #[track_caller]
    fn check(text: &str, case: &str, [most, least, harness]: [u64; 3]) {
        let shares = shares(text, case);
        assert_eq!(
            shares.iter().map(|(share, _)| share).sum::<u64>(),
            1_000,
            "{text}"
        );
        for (owner, expected) in [
            ("cases::three_quarters cases", most),
            ("cases::one_quarter cases", least),
            (
                "its loop, and set-up that no time includes the harness",
                harness,
            ),
        ] {
            let found = shares.iter().find(|(_, row)| row == owner);
            let (share, _) = found.unwrap_or_else(|| panic!("`{owner}` is not in: {text}"));
            assert!(share.abs_diff(expected) <= 150, "{owner}: {text}");
        }
    }
    check(&text, "profile/known/plain/1", [750, 250, 0]);
    check(&text, "profile/known/prepared/1", [429, 143, 428]);

    let arguments = ["profile", "**/no-such/*", "--bench", "cases"];
    let output = lab.command(&arguments).output().unwrap();
    ended(&output, 2, &["no case matches"]);
    let output = lab.command(&["profile", "a["]).output().unwrap();
    ended(&output, 2, &["this is no pattern"]);
}

#[test]
fn cases_that_the_policy_names_have_a_profile_in_the_report_or_it_says_why_not() {
    let lab = Lab::new();
    ended(
        &lab.measure("profile/known/plain", &[]),
        0,
        &["profiles of "],
    );
    ended(&lab.check(), 0, &[]);
    let page = lab.page();
    assert!(page.contains("- [Profile](#profile)"), "{page}");
    let (_, section) = page.split_once("## Profile\n").expect("a section");
    assert!(section.contains("`profile/known/plain/1`"), "{section}");
    let entries = record::read(&lab.records()).unwrap().entries;
    let profiled = entries.iter().filter_map(|entry| match entry {
        Entry::Profiled(profiled) => Some(profiled.case.to_string()),
        _ => None,
    });
    assert_eq!(profiled.collect::<Vec<_>>(), ["profile/known/plain/1"]);

    // What is not named has none, and its report no section.
    ended(&lab.measure("walk/right", &[]), 0, &[]);
    assert!(!lab.page().contains("Profile\n"), "{}", lab.page());
}

/// Puts a program called `valgrind` before the others on the `PATH`.
#[cfg(unix)]
fn pretend(lab: &mut Lab, valgrind: &str) {
    use std::os::unix::fs::PermissionsExt;

    let folder = lab.folder.path().join("bin");
    fs::create_dir(&folder).unwrap();
    let program = folder.join("valgrind");
    fs::write(&program, format!("#!/bin/sh\n{valgrind}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let path = std::iter::once(folder).chain(std::env::split_paths(&path));
    lab.path = Some(std::env::join_paths(path).unwrap());
}

#[cfg(unix)]
#[test]
fn valgrind_that_does_not_work_takes_the_column_and_nothing_else() {
    if bench_harness::processor_counts().is_ok() {
        println!("skipped: the processor counts, so valgrind is not asked");
        return;
    }
    let mut lab = Lab::new();
    pretend(&mut lab, "exit 1");
    let said = ["instructions are not counted", "valgrind"];
    ended(&lab.measure("walk/right", &[]), 0, &said);
    let page = lab.page();
    assert!(page.contains("Instructions are not counted: "), "{page}");
    assert!(!page.contains("instr ↓"), "{page}");

    let mut lab = Lab::new();
    pretend(
        &mut lab,
        "[ $1 = --version ] && echo valgrind-1 || { echo no memory >&2; exit 3; }",
    );
    let said = [
        "walk/right/sequential/10: no memory",
        "0 cases",
        "3 left out",
    ];
    ended(&lab.measure("walk/right", &[]), 0, &said);
    ended(&lab.check(), 0, &[]);
    let page = lab.page();
    assert!(page.contains("or for one of 3 cases"), "{page}");
    assert!(!page.contains("instr ↓"), "{page}");
}

#[cfg(unix)]
#[test]
fn interrupted_run_keeps_what_it_measured_and_goes_on() {
    let mut lab = Lab::new();
    let (records, out) = (lab.records(), lab.out());
    let mut arguments = vec![
        "--profile",
        "quick",
        "--count",
        "2",
        "--filter",
        "trouble/hang",
    ];
    arguments.push("--allow-unknown-commit");
    let mut child = lab
        .command(&arguments)
        .args(["--records".as_ref(), records.as_os_str()])
        .args(["--out".as_ref(), out.as_os_str()])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    // From then on only the case that hangs is waited for.
    let started = lines.find(|line| line.starts_with("0/2 processes"));
    assert!(started.is_some(), "a run says when it begins to measure");
    let process = child.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-INT", &process])
            .status()
            .unwrap()
            .success()
    );
    let said: Vec<String> = lines.collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{said:?}");
    assert!(
        said.iter()
            .any(|line| line.contains("interrupted") && line.contains("--resume")),
        "{said:?}"
    );
    assert!(!lab.out().join("BENCHMARKS.md").exists());
    ended(&lab.report(), 2, &["complete them with --resume"]);

    lab.mended = true;
    ended(&lab.measure("trouble/hang", &["--resume"]), 0, &[]);
    ended(&lab.check(), 0, &[]);
}

#[test]
fn truncated_record_is_refused_and_completed() {
    let lab = Lab::new();
    ended(&lab.measure("walk/right", &[]), 0, &[]);
    let page = lab.page();
    let whole = fs::read_to_string(lab.records()).unwrap();
    // What counts instructions comes after the cases and is done again.
    let last = whole.rfind("\"kind\":\"case\"").expect("a case");
    fs::write(lab.records(), &whole[..last]).unwrap();
    ended(&lab.report(), 2, &["ends inside a line", "--resume"]);
    assert_eq!(lab.page(), page);

    ended(&lab.measure("walk/right", &["--resume"]), 0, &[]);
    let completed = fs::read_to_string(lab.records()).unwrap();
    assert_eq!(completed.lines().count(), whole.lines().count());
    // What was whole was not measured again.
    assert!(completed.starts_with(&whole[..whole[..last].rfind('\n').unwrap()]));
    ended(&lab.check(), 0, &[]);
}

#[test]
fn resuming_needs_the_same_options_and_something_to_resume() {
    let lab = Lab::new();
    ended(
        &lab.measure("walk/right", &["--resume"]),
        2,
        &["nothing to resume"],
    );
    ended(&lab.measure("walk/right", &[]), 0, &[]);
    let other = lab.measure("walk/right/sequential/10", &["--resume"]);
    ended(&other, 2, &["other options", "start without --resume"]);
}

#[test]
fn earlier_record_is_kept_beside_the_new_one_and_other_files_are_not_touched() {
    let lab = Lab::new();
    ended(&lab.measure("walk/right", &[]), 0, &[]);
    let first = fs::read_to_string(lab.records()).unwrap();
    ended(&lab.measure("walk/right", &[]), 0, &[]);
    let kept = fs::read_to_string(lab.folder.path().join("records.previous.jsonl")).unwrap();
    assert_eq!(kept, first);

    fs::write(lab.records(), "a diary\n").unwrap();
    ended(
        &lab.measure("walk/right", &[]),
        2,
        &["not a record", "--records"],
    );
    assert_eq!(fs::read_to_string(lab.records()).unwrap(), "a diary\n");
}

#[test]
fn bad_arguments_are_named_with_what_to_do() {
    let lab = Lab::new();
    ended(
        &lab.measure("walk/wrong", &[]),
        2,
        &["`walk/wrong`", "gen-benchmarks list"],
    );
    ended(
        &lab.measure("walk", &["--timeout", "0"]),
        2,
        &["positive number of seconds"],
    );
    let output = lab.command(&["run", "--count", "0"]).output().unwrap();
    ended(&output, 2, &["0 is not in 1..=1000"]);
    ended(
        &lab.measure("walk", &["--workflow", "no/such.json"]),
        2,
        &["no/such.json"],
    );
    let other = lab.folder.path().join("other.json");
    fs::write(&other, "{}").unwrap();
    let refused = lab.measure("walk", &["--workflow", other.to_str().unwrap()]);
    ended(&refused, 2, &["other.json is not a workflow"]);

    let file = lab.folder.path().join("file");
    fs::write(&file, "").unwrap();
    let below = file.join("below");
    let output = lab
        .command(&["--out", below.to_str().unwrap()])
        .output()
        .unwrap();
    ended(&output, 2, &["cannot write to", "--out"]);

    let output = lab
        .command(&["list"])
        .current_dir(lab.folder.path())
        .output()
        .unwrap();
    ended(&output, 2, &["run inside a Cargo workspace"]);
    ended(
        &lab.check(),
        2,
        &["there is no report in", "benchmarks.jsonl"],
    );

    // Git sees no repository.
    let output = lab
        .command(&["run"])
        .env("GIT_CEILING_DIRECTORIES", workspace().parent().unwrap())
        .output()
        .unwrap();
    ended(&output, 2, &["has no commit", "--allow-unknown-commit"]);
}

#[test]
fn group_is_filled_by_several_targets_and_what_does_not_build_is_left_out_and_said() {
    let lab = Lab::new();
    let reason = "the compiler for this is not installed";
    ended(
        &lab.measure("shared", &[]),
        0,
        &[
            "2 cases in 2 processes each",
            "skipped global_absent: ",
            reason,
        ],
    );
    let page = lab.page();
    for row in [
        "| 1 | `plain` |",
        "| 1 | `present` |",
        "## Left out",
        "- `global_absent`: ",
    ] {
        assert!(page.contains(row), "{row} is not in: {page}");
    }
    assert!(page.contains(reason), "{page}");
    ended(&lab.check(), 0, &[]);
}

#[test]
fn other_tools_say_what_they_see_in_a_case_that_both_have_and_are_counted() {
    let lab = Lab::new();
    let verdicts = |more: &[&str]| {
        let mut command = lab.command(&["peer-verdicts", "--filter", "walk/"]);
        command.args(more).output().unwrap()
    };
    let output = verdicts(&[]);
    ended(&output, 0, &[]);
    let said = String::from_utf8_lossy(&output.stdout);
    let rows: Vec<&str> = said.lines().collect();
    assert!(
        rows[0].starts_with("criterion  walk/right/sequential/20  "),
        "{said}"
    );
    assert_eq!(
        rows[1],
        "tango      walk/right/sequential/20  regressed +10.00 %"
    );
    // Whatever criterion saw this time.
    assert!(rows[4].starts_with("criterion "), "{said}");
    assert!(rows[5].starts_with("tango 0.0.1 "), "{said}");
    assert!(rows[5].contains("100.0 % [2.5, 100.0]"), "{said}");

    // Criterion takes longer.
    let output = verdicts(&["--timeout", "1"]);
    ended(&output, 0, &[]);
    let said = String::from_utf8_lossy(&output.stdout);
    let row = "no verdict on walk/right/sequential/20: not done within 1 s";
    assert!(said.contains(row), "{said}");

    let output = lab
        .command(&["peer-verdicts", "--filter", "trouble/crash"])
        .output()
        .unwrap();
    ended(&output, 2, &["none of these cases"]);
}

#[test]
fn strategies_are_ranked_for_a_workload_and_wrong_ones_fail() {
    let mut lab = Lab::new();
    let workload = lab.folder.path().join("mine.toml");
    let text = "[allocation]\ncount = 100\nsizes = [{ bytes = 32, weight = 1 }]\nlifetime = \"together\"\n";
    fs::write(&workload, text).unwrap();
    let out = lab.out();
    let compare = |lab: &Lab| {
        let paths = [workload.to_str().unwrap(), "--out", out.to_str().unwrap()];
        lab.command(&["compare-strategies", "--count", "2"])
            .args(paths)
            .output()
            .unwrap()
    };
    let output = compare(&lab);
    ended(&output, 1, &["failed: workload/allocation/wrong/mine: "]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("failed: wrong: objects lose their content"),
        "{said}"
    );
    assert!(said.contains("\n   1  right"), "{said}");

    lab.mended = true;
    let output = compare(&lab);
    ended(&output, 0, &[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(said.contains("Fastest: right."), "{said}");
    assert!(said.contains("Least peak: right, "), "{said}");
    assert!(!said.contains("failed"), "{said}");
    let chart = out.join("mine-allocation.svg");
    assert!(
        said.contains(&format!("chart: {}", chart.display())),
        "{said}"
    );
    assert!(fs::read_to_string(chart).unwrap().contains(">right<"));

    // A recorded trace in place of the description.
    let trace = "perf-lab allocations 1\na 64 8 0\nr 0 128 1\na 16 8 0\nf 0 0\nend 0\n";
    fs::write(lab.folder.path().join("t.trace"), trace).unwrap();
    fs::write(&workload, "[allocation]\ntrace = \"t.trace\"\n").unwrap();
    let output = compare(&lab);
    ended(&output, 0, &[]);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        said.contains("the trace `t.trace`: 4 calls of 2 threads"),
        "{said}"
    );
    assert!(said.contains("\n   1  right"), "{said}");
}

#[test]
fn bad_workload_is_named_with_file_line_and_value() {
    let lab = Lab::new();
    let workload = lab.folder.path().join("mine.toml");
    let compare = |text: &str| {
        fs::write(&workload, text).unwrap();
        let path = workload.to_str().unwrap();
        lab.command(&["compare-strategies", path]).output().unwrap()
    };
    ended(
        &compare("[interning]\ncount = 0"),
        2,
        &["mine.toml:2: count = 0; give 1 to 1000000"],
    );
    ended(
        &compare("[interning]\nwords = 5"),
        2,
        &["mine.toml:2: unknown field `words`"],
    );
    let output = lab
        .command(&["compare-strategies", "no/such.toml"])
        .output();
    ended(&output.unwrap(), 2, &["cannot read no/such.toml"]);
}

#[test]
fn cases_are_listed_by_filter() {
    let lab = Lab::new();
    let output = lab
        .command(&["list", "--filter", "walk/right"])
        .output()
        .unwrap();
    ended(&output, 0, &[]);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "walk/right/sequential/10\nwalk/right/sequential/20\nwalk/right/sequential/40\n"
    );
}
