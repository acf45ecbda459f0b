//! The lint, through the command as a user would start it.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

fn lint(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gen-benchmarks"))
        .arg("lint")
        .args(arguments)
        .current_dir(folder)
        .output()
        .unwrap()
}

/// Asserts how a command ended and what it printed.
#[track_caller]
fn ended(output: &Output, code: i32, said: &[&str]) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let all = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{all}");
    for part in said {
        assert!(all.contains(part), "`{part}` is not in: {all}");
    }
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn committed_record_and_the_report_of_it_are_clean() {
    let folder = tempfile::tempdir().unwrap();
    let record = workspace().join("assets/benchmarks.jsonl");
    let (record, out) = (record.to_str().unwrap(), folder.path().to_str().unwrap());
    let report = Command::new(env!("CARGO_BIN_EXE_gen-benchmarks"))
        .args(["report", "--records", record, "--out", out])
        .current_dir(workspace())
        .output()
        .unwrap();
    ended(&report, 0, &["BENCHMARKS.md"]);
    let warned = String::from_utf8_lossy(&report.stderr);
    assert!(!warned.contains("warning"), "{warned}");
    let output = lint(folder.path(), &[record, "BENCHMARKS.md"]);
    ended(&output, 0, &["BENCHMARKS.md: nothing found"]);
}

const SCALING: &str = "\
# Scaling

| workers | time | tasks/s |
|--:|--:|--:|
| 1 | 10.131 ms | 98.7 |
| 2 | 5.0655 ms | 197.4 |
| 4 | 1.2731 ms | 785.4 |
";

#[test]
fn findings_name_file_line_rule_and_figures_in_text_and_json() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("r.md"), SCALING).unwrap();
    let output = lint(folder.path(), &["r.md"]);
    let said = [
        "r.md:7: error: speed-up: `4` is at least 8.0 times as fast with 4 workers as with 1, more than 4 workers can do [10.131 ms, 1.2731 ms]",
        "r.md: 1 found",
    ];
    ended(&output, 1, &said);

    let output = lint(folder.path(), &["--json", "r.md"]);
    ended(&output, 1, &[]);
    let found: Value = serde_json::from_slice(&output.stdout).unwrap();
    let one = &found[0];
    assert_eq!(found.as_array().unwrap().len(), 1);
    let fields = ["file", "rule", "severity"].map(|name| one[name].as_str().unwrap());
    assert_eq!(fields, ["r.md", "speed-up", "error"]);
    assert_eq!(
        (one["line"].as_u64(), one["figures"][1].as_str()),
        (Some(7), Some("1.2731 ms"))
    );
}

#[test]
fn what_cannot_be_read_is_an_error_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("notes.txt"), "nothing\n").unwrap();
    fs::write(folder.path().join("bad.md"), b"# R\n\xff\n").unwrap();
    fs::write(
        folder.path().join("bad.jsonl"),
        "{\"schema\":1,\"kind\":\"case\"}\n",
    )
    .unwrap();
    ended(
        &lint(folder.path(), &["notes.txt"]),
        2,
        &["notes.txt", "no report in Markdown"],
    );
    ended(
        &lint(folder.path(), &["bad.md"]),
        2,
        &["bad.md:2: is not UTF-8"],
    );
    ended(
        &lint(folder.path(), &["bad.jsonl"]),
        2,
        &["bad.jsonl:1: not a record"],
    );
    ended(&lint(folder.path(), &["missing.md"]), 2, &["missing.md"]);
    ended(&lint(folder.path(), &[]), 2, &["FILE"]);
}

/// What is known to be wrong with a published report: a rule, and what the line holds.
type Faults = &'static [(&'static str, &'static str)];

/// Reports of others are no part of this repository; where they lie beside it they are tried.
const REFERENCES: [(&str, Faults); 5] = [
    (
        "000_",
        &[
            ("prose", "~21,000 workflows per second"),
            ("prose", "~15k appends/sec in sequential mode"),
            ("prose", "only drops ~12% with 100 concurrent writers"),
            ("throughput", "Backpressure (10×1,000)"),
            ("throughput", "Backpressure (10×5,000)"),
        ],
    ),
    (
        "001_",
        &[
            ("exact-ratio", "Nodes_10-10"),
            ("exact-ratio", "Workers=1-10"),
            ("sleep-bound", "Nodes_10-10"),
            ("speed-up", "Workers=16-10"),
            ("speed-up", "Workers=32-10"),
            (
                "winner",
                "Batch interning is more efficient than individual interning for all methods",
            ),
            ("rounded-allocs", "Size_4096/Arena-10"),
        ],
    ),
    (
        "002_",
        &[
            ("inside-noise", "1-3% improvement at large scale"),
            ("shares", "memstreamer.Recv"),
        ],
    ),
    (
        "003_",
        &[
            ("typed-digits", "BenchmarkCacheSet-8"),
            ("typed-digits", "BenchmarkConnectionPoolReuse-8"),
            ("not-printed", "hit_rate_%:82.5"),
            ("status", "**Reuse Rate**: 90%+"),
            ("unmeasured", "**Status**"),
        ],
    ),
    (
        "004_",
        &[
            ("bounds", "| Category | Tools | Init Time"),
            ("bounds", "| Metric | Target | Achieved"),
            ("bounds", "State Write: <3ms"),
            ("status", "**Tool Initialization**"),
            ("idle-limit", ">10% slower"),
            ("idle-limit", ">20% slower"),
            ("idle-limit", ">5% memory increase"),
        ],
    ),
];

#[test]
fn known_faults_of_published_reports_are_found() {
    let folder = workspace().join("../shared/reference-reports");
    let Ok(entries) = fs::read_dir(&folder) else {
        println!("skipped: {} is not there", folder.display());
        return;
    };
    let files: Vec<String> = entries
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for (prefix, faults) in REFERENCES {
        let name = files.iter().find(|name| name.starts_with(prefix)).unwrap();
        let text = fs::read_to_string(folder.join(name)).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let output = lint(&folder, &["--json", name]);
        ended(&output, 1, &[]);
        let found: Vec<Value> = serde_json::from_slice(&output.stdout).unwrap();
        for (rule, part) in faults {
            let is = |one: &&Value| {
                let line = one["line"].as_u64().unwrap() as usize;
                one["rule"] == *rule && lines[line - 1].contains(part)
            };
            assert!(
                found.iter().any(|one| is(&one)),
                "{name}: {rule} `{part}` is not among {found:#?}"
            );
        }
    }
}
