//! A stored outcome, shown by the command in every form.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// What is stored: a judgement with all verdicts, and how it is shown.
fn stored(name: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.join("tests/outcome").join(name)
}

/// The command, as if nothing of a workflow were around it.
fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gen-benchmarks"));
    command.args(arguments).current_dir(folder);
    for name in ["GITHUB_ACTIONS", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY"] {
        command.env_remove(name);
    }
    command
}

fn show(folder: &Path, arguments: &[&str]) -> Command {
    let judgement = stored("judgement.json");
    let mut command = command(folder, &["show", judgement.to_str().unwrap()]);
    command.args(arguments);
    command
}

/// Asserts how a command ended and what it complained of; returns what it printed.
#[track_caller]
fn ended(output: &Output, code: i32, said: &[&str]) -> String {
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{stderr}");
    for part in said {
        assert!(stderr.contains(part), "`{part}` is not in: {stderr}");
    }
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Asserts that a text is the one that is stored.
#[track_caller]
fn same(text: &str, name: &str) {
    let path = stored(name);
    let expected = fs::read_to_string(&path).unwrap();
    assert_eq!(text, expected, "differs from {}", path.display());
}

#[test]
fn stored_judgement_is_shown_in_every_form_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let files = [
        "--json",
        "a/o.json",
        "--junit",
        "gate.xml",
        "--markdown",
        "c.md",
    ];
    let output = show(folder.path(), &files).output().unwrap();
    same(&ended(&output, 1, &[]), "table.txt");
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    same(&read("a/o.json"), "judgement.json");
    same(&read("gate.xml"), "gate.xml");
    same(&read("c.md"), "comment.md");

    let output = show(folder.path(), &["--annotations"]).output().unwrap();
    let table = fs::read_to_string(stored("table.txt")).unwrap();
    let printed = ended(&output, 1, &[]);
    same(printed.strip_prefix(&table).unwrap(), "annotations.txt");
}

#[test]
fn workflow_gets_annotations_a_summary_and_outputs_and_keeps_what_it_had() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    fs::write(file("summary"), "before\n").unwrap();
    fs::write(file("output"), "before=1\n").unwrap();
    let mut command = show(folder.path(), &[]);
    command
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_STEP_SUMMARY", file("summary"))
        .env("GITHUB_OUTPUT", file("output"));
    let printed = ended(&command.output().unwrap(), 1, &[]);
    let stored = |name| fs::read_to_string(stored(name)).unwrap();
    assert_eq!(printed, stored("table.txt") + &stored("annotations.txt"));
    let summary = fs::read_to_string(file("summary")).unwrap();
    assert_eq!(summary, "before\n".to_owned() + &stored("comment.md"));
    let output = fs::read_to_string(file("output")).unwrap();
    assert_eq!(output, "before=1\n".to_owned() + &stored("outputs.txt"));

    // Over the limit the whole summary would be lost.
    let full = " ".repeat((1 << 20) - 100);
    fs::write(file("summary"), &full).unwrap();
    ended(
        &command.output().unwrap(),
        1,
        &["has no room", "--markdown"],
    );
    assert_eq!(fs::read_to_string(file("summary")).unwrap(), full);
}

#[test]
fn file_that_holds_no_judgement_is_named_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let show = |text: &str| {
        fs::write(folder.path().join("o.json"), text).unwrap();
        command(folder.path(), &["show", "o.json", "--junit", "gate.xml"])
            .output()
            .unwrap()
    };
    ended(&show("[]"), 2, &["o.json: not a judgement", "--json"]);
    ended(
        &show("{\"schema\": 2}"),
        2,
        &["o.json: /schema: 2 is not known"],
    );
    ended(
        &show("{\"schema\": 1,\n\"base\": 3}"),
        2,
        &["line 2 column 9"],
    );
    fs::write(folder.path().join("o.json"), [0xff]).unwrap();
    let output = command(folder.path(), &["show", "o.json"]).output();
    ended(&output.unwrap(), 2, &["cannot read o.json"]);
    let output = command(folder.path(), &["show", "no/such.json"]).output();
    ended(&output.unwrap(), 2, &["cannot read no/such.json"]);
    assert!(!folder.path().join("gate.xml").exists());
}

#[test]
fn destination_that_cannot_be_written_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let output = show(folder.path(), &["--junit", "file/gate.xml"]).output();
    ended(&output.unwrap(), 2, &["cannot write file/gate.xml"]);
    let mut command = show(folder.path(), &[]);
    command.env("GITHUB_OUTPUT", folder.path().join("file/below"));
    ended(&command.output().unwrap(), 2, &["cannot add to"]);
}
