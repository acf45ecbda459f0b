//! The tutorial is true: its files are written and its commands are run, from top to bottom.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// Where the page says that this repository lies.
const CLONE: &str = "/path/to/perf-lab";

/// Stands for any text in what a command is said to print.
const ANYTHING: char = '…';

/// A fenced block of the page.
#[derive(Debug, PartialEq)]
enum Block {
    /// Commands of a shell.
    Commands(String),
    /// What the commands before it print, among other lines.
    Printed(String),
    /// The text of a file, which the line above the block names.
    File(PathBuf, String),
}

/// All blocks of a page.
fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = page.lines();
    let mut above = "";
    while let Some(line) = lines.next() {
        let Some(language) = line.strip_prefix("```") else {
            above = if line.is_empty() { above } else { line };
            continue;
        };
        let inside = lines.by_ref().take_while(|line| *line != "```");
        let text: String = inside.map(|line| format!("{line}\n")).collect();
        blocks.push(match language {
            "bash" => Block::Commands(text),
            "text" => Block::Printed(text),
            _ => {
                let name = above
                    .strip_prefix('`')
                    .and_then(|rest| rest.strip_suffix("`:"));
                let name = name.unwrap_or_else(|| panic!("`{above}` names no file for: {text}"));
                Block::File(name.into(), text)
            }
        });
    }
    blocks
}

/// The first line of `expected` that does not stand in `output`, after those before it.
fn missing<'e>(expected: &'e str, output: &str) -> Option<&'e str> {
    let mut lines = output.lines();
    expected
        .lines()
        .find(|expected| !lines.any(|line| fits(expected, line)))
}

fn fits(expected: &str, line: &str) -> bool {
    let mut parts = expected.split(ANYTHING);
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = line.strip_prefix(first) else {
        return false;
    };
    let mut last = first;
    for part in parts {
        let Some(at) = rest.find(part) else {
            return false;
        };
        (rest, last) = (&rest[at + part.len()..], part);
    }
    rest.is_empty() || last.is_empty() && expected.ends_with(ANYTHING)
}

fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().expect("the package lies in the workspace")
}

/// A shell in which somebody follows the page.
struct Reader {
    home: PathBuf,
    folder: PathBuf,
    target: PathBuf,
}

impl Reader {
    /// Runs commands in the folder that those before left it in; what they print goes together.
    fn run(&mut self, commands: &str) -> Output {
        let ends_in = self.home.join("folder");
        let programs = Path::new(env!("CARGO_BIN_EXE_gen-benchmarks"))
            .parent()
            .unwrap();
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::iter::once(programs.to_owned()).chain(std::env::split_paths(&path));
        let output = Command::new("bash")
            .arg("-c")
            .arg(format!(
                "exec 2>&1\nset -euo pipefail\n{commands}pwd > '{}'\n",
                ends_in.display()
            ))
            .current_dir(&self.folder)
            .env("PATH", std::env::join_paths(path).unwrap())
            .env("CARGO_TARGET_DIR", &self.target)
            .env("CARGO_NET_OFFLINE", "true")
            // Most of the time would be that of the compiler.
            .env("CARGO_PROFILE_BENCH_OPT_LEVEL", "0")
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .env("GIT_AUTHOR_NAME", "t")
            .env("GIT_AUTHOR_EMAIL", "t@example.org")
            .env("GIT_COMMITTER_NAME", "t")
            .env("GIT_COMMITTER_EMAIL", "t@example.org")
            .env_remove("CRITERION_HOME")
            .stdin(Stdio::null())
            .output()
            .unwrap();
        if output.status.success() {
            self.folder = fs::read_to_string(&ends_in).unwrap().trim_end().into();
        }
        output
    }
}

#[test]
fn commands_and_files_of_the_tutorial_do_what_it_says() {
    let page = fs::read_to_string(root().join("docs/tutorial.md")).unwrap();
    assert!(page.contains(CLONE));
    let page = page.replace(CLONE, root().to_str().unwrap());
    // Out of this repository: below its folder everything would be part of its workspace.
    let home = tempfile::tempdir().unwrap();
    let mut reader = Reader {
        home: home.path().to_owned(),
        folder: home.path().to_owned(),
        target: home.path().join("target"),
    };
    let mut said = String::new();
    let mut run = 0;
    for block in blocks(&page) {
        match block {
            Block::Commands(commands) if commands.starts_with("cargo install ") => {
                // Takes minutes; the programs that were built for this test stand for it.
                let package = commands.trim_end().rsplit(' ').next().unwrap();
                assert!(Path::new(package).join("Cargo.toml").exists(), "{commands}");
            }
            Block::Commands(commands) => {
                let output = reader.run(&commands);
                said = String::from_utf8_lossy(&output.stdout).into_owned();
                if said.contains("no matching package") || said.contains("--offline") {
                    println!("skipped: its packages are not here without a network: {said}");
                    return;
                }
                assert!(output.status.success(), "{commands}\n{said}");
                run += 1;
            }
            Block::Printed(expected) => {
                if let Some(line) = missing(&expected, &said) {
                    panic!("{line:?} is not printed:\n{said}");
                }
            }
            Block::File(name, text) => {
                fs::write(reader.folder.join(name), text).unwrap();
                // The versions that are here already.
                let lock = reader.folder.join("Cargo.lock");
                if !lock.exists() {
                    fs::copy(root().join("Cargo.lock"), lock).unwrap();
                }
            }
        }
    }
    assert!(run > 5, "only {run} blocks of commands were run");
    let report = |file: &str| fs::read_to_string(reader.folder.join(file)).unwrap();
    let page = report("BENCHMARKS.md");
    assert!(
        page.contains("| elements | series | time an iteration ↓ |"),
        "{page}"
    );
    let filtered = reader.target.join("gen-benchmarks/report/BENCHMARKS.md");
    let page = fs::read_to_string(filtered).unwrap();
    assert!(page.contains("| allocs ↓ | bytes ↓ | peak ↓ |"), "{page}");
}

#[test]
fn blocks_are_commands_what_they_print_and_files_by_name() {
    let page = "Text\n\n```bash\na\nb\n```\n\n```text\nc\n```\n\n`d/e.rs`:\n\n```rust\nf\n```\n";
    let expected = [
        Block::Commands("a\nb\n".to_owned()),
        Block::Printed("c\n".to_owned()),
        Block::File("d/e.rs".into(), "f\n".to_owned()),
    ];
    assert_eq!(blocks(page), expected);
}

#[test]
fn printed_lines_are_found_in_their_order_with_anything_where_dots_stand() {
    let output = "one\ntwo in 3 s\nthree\n";
    assert_eq!(missing("one\ntwo in …\n…ree", output), None);
    assert_eq!(missing("three\none", output), Some("one"));
    assert_eq!(missing("two", output), Some("two"));
    assert_eq!(missing("two … s", output), None);
    assert_eq!(missing("t…wo in", output), Some("t…wo in"));
}
