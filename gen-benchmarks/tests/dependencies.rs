//! What must not be built is not built.

use std::path::Path;

use semver::{Version, VersionReq};
use toml::{Table, Value};

fn read(name: &str) -> Table {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(name);
    let text = std::fs::read_to_string(&path).expect("the file is in the repository");
    text.parse().expect("it is TOML")
}

fn text<'a>(entry: &'a Value, key: &str) -> &'a str {
    entry[key].as_str().expect("a string")
}

/// Packages of a lock file that a deny list names.
fn denied(lock: &Table, deny: &Table) -> Vec<String> {
    let list = deny["bans"]["deny"].as_array().expect("a list");
    let packages = lock["package"].as_array().expect("a list");
    let mut found = Vec::new();
    for entry in list {
        let versions: VersionReq = text(entry, "version").parse().expect("versions");
        for package in packages {
            let version: Version = text(package, "version").parse().expect("a version");
            if text(package, "name") == text(entry, "name") && versions.matches(&version) {
                found.push(format!(
                    "{} {version}: {}",
                    text(entry, "name"),
                    text(entry, "reason")
                ));
            }
        }
    }
    found
}

#[test]
fn no_denied_version_is_locked() {
    assert_eq!(denied(&read("Cargo.lock"), &read("deny.toml")), [""; 0]);
}

#[test]
fn a_denied_version_is_found() {
    let lock = r#"
        [[package]]
        name = "internment"
        version = "0.8.7"
        [[package]]
        name = "internment"
        version = "0.8.6"
        [[package]]
        name = "crossbeam-epoch"
        version = "0.9.18"
    "#;
    let found = denied(&lock.parse().unwrap(), &read("deny.toml"));
    assert_eq!(
        found,
        [
            "internment 0.8.7: a malicious release",
            "crossbeam-epoch 0.9.18: RUSTSEC-2026-0204"
        ]
    );
}
