//! What git knows of commits and of the versions of a file. Reads only: no working tree, index or
//! branch is touched.

use std::collections::HashSet;
use std::io::{Seek, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

/// A commit of this repository.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) id: String,
    /// UTC, as in RFC 3339, to the second.
    pub(crate) date: String,
    /// The first line of its message.
    pub(crate) subject: String,
}

/// Those of `ids` that the repository at `folder` has, each after its ancestors.
///
/// None where there is no repository or no git.
pub(crate) fn known(folder: &Path, ids: &[&str]) -> Vec<Commit> {
    // Ids come from files: what is no id is no question for git.
    let is_id =
        |id: &&&str| matches!(id.len(), 40 | 64) && id.chars().all(|c| c.is_ascii_hexdigit());
    let asked: String = ids
        .iter()
        .filter(is_id)
        .map(|id| format!("{id}\n"))
        .collect();
    let Ok(kinds) = git(folder, &["cat-file", "--batch-check"], &asked) else {
        return Vec::new();
    };
    let commits: HashSet<&str> = kinds
        .lines()
        .filter_map(|line| match line.split(' ').collect::<Vec<_>>()[..] {
            [id, "commit", _] => Some(id),
            _ => None,
        })
        .collect();
    if commits.is_empty() {
        return Vec::new();
    }
    let asked: String = ids
        .iter()
        .filter(|id| commits.contains(**id))
        .map(|id| format!("{id}\n"))
        .collect();
    let walk = [
        "rev-list",
        "--topo-order",
        "--reverse",
        "--date=format-local:%Y-%m-%dT%H:%M:%SZ",
        "--format=%H%x00%cd%x00%s",
        "--stdin",
    ];
    let walked = git(folder, &walk, &asked).unwrap_or_default();
    let commit = |line: &str| {
        let mut parts = line.splitn(3, '\0');
        Some(Commit {
            id: parts.next()?.to_owned(),
            date: parts.next()?.to_owned(),
            subject: parts.next()?.to_owned(),
        })
    };
    walked
        .lines()
        .filter_map(commit)
        .filter(|commit| commits.contains(commit.id.as_str()))
        .collect()
}

/// How many commits `to` has that `from` has not.
pub(crate) fn count_between(folder: &Path, from: &str, to: &str) -> Option<u64> {
    let range = format!("{from}..{to}");
    let count = git(folder, &["rev-list", "--count", &range, "--"], "").ok()?;
    count.trim().parse().ok()
}

/// One version of a file.
pub(crate) struct Version {
    /// What messages call it: `0123456789ab:assets/benchmarks.jsonl`.
    pub(crate) name: String,
    blob: String,
}

/// The versions of the file at `path`, from the root of the repository, in the history of `branch`;
/// oldest first, and each content once.
pub(crate) fn versions(folder: &Path, branch: &str, path: &str) -> Result<Vec<Version>> {
    if path.contains('\n') {
        bail!("the path {path:?} has a line end, which this command does not read");
    }
    let tip = format!("{branch}^{{commit}}");
    let arguments = ["rev-parse", "--verify", "--quiet", "--end-of-options", &tip];
    let Ok(tip) = git(folder, &arguments, "") else {
        bail!(
            "there is no branch or commit `{branch}` in the repository around {}; `git branch -a` lists them",
            folder.display()
        );
    };
    let pathspec = format!(":(top,literal){path}");
    let arguments = [
        "rev-list",
        "--full-history",
        "--topo-order",
        "--reverse",
        tip.trim(),
        "--",
        &pathspec,
    ];
    let commits = git(folder, &arguments, "")?;
    let asked: String = commits
        .lines()
        .map(|commit| format!("{commit}:{path}\n"))
        .collect();
    let kinds = git(folder, &["cat-file", "--batch-check"], &asked)?;
    let mut seen = HashSet::new();
    let versions = commits.lines().zip(kinds.lines());
    let versions: Vec<Version> = versions
        .filter_map(
            |(commit, kind)| match kind.split(' ').collect::<Vec<_>>()[..] {
                [blob, "blob", _] if seen.insert(blob.to_owned()) => Some(Version {
                    name: format!("{}:{path}", short(commit)),
                    blob: blob.to_owned(),
                }),
                // The commit that removed it.
                _ => None,
            },
        )
        .collect();
    if versions.is_empty() {
        bail!(
            "no commit of `{branch}` has a file {path}; name one with --path, from the root of the repository"
        );
    }
    Ok(versions)
}

/// The bytes of a version.
pub(crate) fn content(folder: &Path, version: &Version) -> Result<Vec<u8>> {
    run(folder, &["cat-file", "blob", &version.blob], "")
        .with_context(|| format!("cannot read {}", version.name))
}

/// The first digits of a commit, as people write them.
pub(crate) fn short(commit: &str) -> &str {
    commit.get(..9).unwrap_or(commit)
}

fn git(folder: &Path, arguments: &[&str], input: &str) -> Result<String> {
    Ok(String::from_utf8_lossy(&run(folder, arguments, input)?).into_owned())
}

fn run(folder: &Path, arguments: &[&str], input: &str) -> Result<Vec<u8>> {
    // A file, because a pipe would have to be written while the answer is read.
    let mut stdin = tempfile::tempfile().context("cannot write a temporary file")?;
    stdin
        .write_all(input.as_bytes())
        .and_then(|()| stdin.rewind())
        .context("cannot write a temporary file")?;
    let mut command = Command::new("git");
    // Hooks set these for their own repository.
    for name in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"] {
        command.env_remove(name);
    }
    let output = command
        .arg("--no-optional-locks")
        .args(arguments)
        .current_dir(folder)
        .env("TZ", "UTC")
        .stdin(stdin)
        .stderr(Stdio::piped())
        .output()
        .context("cannot run git")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("git {} failed: {}", arguments[0], said.trim());
    }
    Ok(output.stdout)
}
