//! What the command says of a policy.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

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

/// The command in this workspace, with a policy of `text` and the cases of the committed record.
fn policy(text: &str, arguments: &[&str]) -> Output {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("mine.toml");
    fs::write(&path, text).unwrap();
    let options = ["policy", "--records", "assets/benchmarks.jsonl", "--policy"];
    Command::new(env!("CARGO_BIN_EXE_gen-benchmarks"))
        .current_dir(root)
        .args(options)
        .arg(path)
        .args(arguments)
        .output()
        .unwrap()
}

#[test]
fn policy_prints_the_rule_of_every_case_and_metric() {
    let text = "[[limit]]\ncases = 'dag-run/**'\nmetric = 'peak'\nchange = 7\n";
    let output = policy(text, &["--filter", "dag-run/chain/adaptive/5"]);
    let printed = ended(&output, 0, &[]);
    let rows: Vec<Vec<&str>> = printed
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    let peak = [
        "dag-run/chain/adaptive/5",
        "peak",
        "7",
        "%",
        "worse",
        "no",
        "change",
        "regression",
        "1",
    ];
    assert!(rows.contains(&peak.to_vec()), "{printed}");
    assert!(printed.contains("regression  default"), "{printed}");
}

#[test]
fn every_fault_of_a_policy_is_named() {
    let said = [
        "mine.toml:1:1: unknown key `x`",
        "error: ",
        "mine.toml:3:9: block = -1",
    ];
    ended(&policy("x = 1\n[levels]\nblock = -1", &[]), 2, &said);
    let limit = "[[limit]]\nmust_gate = true\ncases = ";
    let output = policy(&format!("{limit}'no/such'"), &[]);
    ended(
        &output,
        2,
        &["mine.toml:3:9: cases = 'no/such' matches no case"],
    );
    let text =
        "[[allow]]\ncases = '**'\nmetric = 'time'\nchange = 1\nreason = 'r'\nuntil = 2001-01-31";
    ended(
        &policy(text, &[]),
        2,
        &["mine.toml:6:9: until = 2001-01-31 is over"],
    );
    let output = policy("", &["--filter", "no/such"]);
    ended(&output, 2, &["no case matches `no/such`"]);
}
