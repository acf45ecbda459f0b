//! Builds revisions of the measured workspace in a git worktree of their own, so that the user's
//! tree and index stay as they are.
//!
//! Both revisions are built in the same folder, one after the other: what did not change between
//! them is not built again, and equal sources give equal bytes, since paths are part of a build.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, anyhow, bail};
use bench_harness::gate::Side;

use crate::relink;
use crate::workspace::{Inputs, Suite, Workspace};

/// A place to build revisions in; what it put into the repository is gone when it is dropped.
pub(crate) struct Revisions {
    /// The user's workspace.
    root: PathBuf,
    /// Where the workspace lies in its repository.
    prefix: PathBuf,
    folder: PathBuf,
    /// Held so that a second gate does not build over the first.
    _lock: File,
}

impl Drop for Revisions {
    fn drop(&mut self) {
        self.remove_tree();
    }
}

impl Revisions {
    /// Prepares to build revisions of `workspace`.
    ///
    /// # Errors
    ///
    /// Fails outside a git repository, and while another process builds revisions here.
    pub(crate) fn of(workspace: &Workspace) -> Result<Self> {
        let root = workspace.root.clone();
        let prefix = git(&root, ["rev-parse", "--show-prefix"]).with_context(|| {
            format!(
                "{} is in no git repository; revisions can only be compared in one",
                root.display()
            )
        })?;
        let folder = workspace.scratch.join("gate");
        std::fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let path = folder.join("lock");
        let lock =
            File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
        if lock.try_lock().is_err() {
            bail!("another comparison of revisions runs in this workspace; wait for it");
        }
        let revisions = Self {
            root,
            prefix: prefix.into(),
            folder,
            _lock: lock,
        };
        // What a killed process left.
        revisions.remove_tree();
        Ok(revisions)
    }

    /// The commit that `name` stands for.
    ///
    /// # Errors
    ///
    /// Fails with what to do when there is no such commit, as in a shallow clone.
    pub(crate) fn resolve(&self, name: &str) -> Result<Side> {
        let commit = format!("{name}^{{commit}}");
        match git(
            &self.root,
            [
                "rev-parse",
                "--verify",
                "--quiet",
                "--end-of-options",
                &commit,
            ],
        ) {
            Ok(commit) => Ok(Side {
                name: name.to_owned(),
                commit,
            }),
            Err(_) => {
                let shallow = git(&self.root, ["rev-parse", "--is-shallow-repository"]);
                match shallow.is_ok_and(|answer| answer == "true") {
                    true => bail!(
                        "this clone is shallow and has no commit `{name}`; fetch it with `git fetch --unshallow`"
                    ),
                    false => bail!(
                        "there is no commit `{name}`; name one that `git rev-parse` knows, or fetch it"
                    ),
                }
            }
        }
    }

    /// The commits from `good` to `bad` along first parents, both included.
    ///
    /// # Errors
    ///
    /// Fails when git does.
    pub(crate) fn between(&self, good: &Side, bad: &Side) -> Result<Vec<Side>> {
        let range = format!("{}..{}", good.commit, bad.commit);
        let arguments = ["rev-list", "--first-parent", "--reverse", &range];
        let commits = git(&self.root, arguments)?;
        let side = |commit: &str| Side {
            name: short(commit).to_owned(),
            commit: commit.to_owned(),
        };
        let later = commits.lines().map(side);
        Ok(std::iter::once(good.clone()).chain(later).collect())
    }

    /// A commit in a line: its short name, day and subject.
    pub(crate) fn describe(&self, commit: &str) -> String {
        let arguments = ["log", "-1", "--format=%h (%cs) %s", commit];
        git(&self.root, arguments).unwrap_or_else(|_| short(commit).to_owned())
    }

    /// Fails when the user's tree holds changes that no commit has: they would be left out.
    pub(crate) fn refuse_changes(&self) -> Result<()> {
        let status = git(
            &self.root,
            ["status", "--porcelain", "--untracked-files=no"],
        )?;
        let mut files = status.lines().filter_map(|line| line.get(3..));
        match (files.next(), files.count()) {
            (None, _) => Ok(()),
            (Some(first), more) => {
                let more = if more > 0 {
                    format!(" and {more} more")
                } else {
                    String::new()
                };
                bail!(
                    "the tree has changes that are not committed ({first}{more}), and what is compared are commits; commit or stash them, or name the commit with --head"
                )
            }
        }
    }

    /// A commit like that of `side` but for bytes in functions that are jumped over, which no branch
    /// leads to.
    ///
    /// # Errors
    ///
    /// Fails when there is no such function, and when git does.
    pub(crate) fn edited(&self, side: &Side, edits: &[Edit], bytes: u32) -> Result<Side> {
        self.check_out(&side.commit)?;
        let tree = self.tree();
        for edit in edits {
            let root = tree.join(&self.prefix);
            let file = root.join(&edit.file);
            std::fs::write(&file, edit.source(&root, bytes)?)
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        let settings = [
            "user.name=gen-benchmarks",
            "user.email=",
            "commit.gpgSign=false",
            // Nothing of the user's is to run for it.
            "core.hooksPath=/dev/null",
        ];
        let settings = settings.into_iter().flat_map(|setting| ["-c", setting]);
        let commit = [
            "commit",
            "--quiet",
            "--all",
            "--message",
            "Bytes that are skipped",
        ];
        git(&tree, settings.chain(commit))?;
        Ok(Side {
            name: format!("{} and {bytes} skipped bytes", side.name),
            commit: git(&tree, ["rev-parse", "HEAD"])?,
        })
    }

    /// Builds the bench targets of a commit and keeps their binaries as those of `label`.
    pub(crate) fn build(&self, side: &Side, label: &str, inputs: &Inputs) -> Result<Suite> {
        let short = short(&side.commit);
        eprintln!("building {label} {short} ({})", side.name);
        self.check_out(&side.commit)?;
        self.lend_lock_file()?;
        let kits = self.folder.join("kits");
        let built = self.checked_out().and_then(|workspace| {
            let mut inputs = inputs.clone();
            if inputs.targets.is_empty() {
                inputs.targets = workspace.plain().to_vec();
            }
            workspace.build(&inputs)
        });
        let mut suite = built
            .with_context(|| format!("the {label} {short} ({}) cannot be measured", side.name))?;
        let kept = self.folder.join(label);
        // What an earlier comparison kept.
        let _ = std::fs::remove_dir_all(&kept);
        std::fs::create_dir_all(&kept)
            .with_context(|| format!("cannot create {}", kept.display()))?;
        for binary in &mut suite.binaries {
            let name = binary
                .path
                .file_name()
                .unwrap_or(OsStr::new("bench"))
                .to_owned();
            let copy = kept.join(&name);
            std::fs::copy(&binary.path, &copy).with_context(|| {
                format!(
                    "cannot copy {} to {}",
                    binary.path.display(),
                    copy.display()
                )
            })?;
            // Without it other layouts cannot be linked, which is said when they are wanted.
            let _ = relink::keep(&kits.join(&name), &relink::beside(&copy));
            binary.path = copy;
        }
        Ok(suite)
    }

    /// Gives a commit without a lock file, as of many libraries, that of the user's tree: both
    /// revisions are to be built with the same dependencies.
    fn lend_lock_file(&self) -> Result<()> {
        let lent = self.tree().join(&self.prefix).join("Cargo.lock");
        let own = self.root.join("Cargo.lock");
        if !lent.exists() && own.exists() {
            std::fs::copy(&own, &lent).with_context(|| format!("cannot copy {}", own.display()))?;
        }
        Ok(())
    }

    /// The workspace as it was last checked out, to build in.
    pub(crate) fn checked_out(&self) -> Result<Workspace> {
        let mut variables = vec![(
            "CARGO_TARGET_DIR".to_owned(),
            self.folder.join("target").into_os_string(),
        )];
        variables.extend(relink::variables(&self.folder, &self.folder.join("kits")));
        Workspace::around(&self.tree().join(&self.prefix), variables)
    }

    /// A folder for what comparing leaves out of the user's tree.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    fn tree(&self) -> PathBuf {
        self.folder.join("tree")
    }

    fn check_out(&self, commit: &str) -> Result<()> {
        let tree = self.tree();
        if tree.exists() {
            git(
                &tree,
                ["checkout", "--quiet", "--detach", "--force", commit],
            )?;
        } else {
            let add = ["worktree", "add", "--quiet", "--detach", "--force"];
            let add = add.map(OsStr::new).into_iter();
            git(
                &self.root,
                add.chain([tree.as_os_str(), OsStr::new(commit)]),
            )?;
        }
        let store = self.folder.join("times");
        if keep_times(&tree, &store).is_err() && store.exists() {
            // What it says would be of other files than those that are built now.
            std::fs::remove_file(&store)
                .with_context(|| format!("cannot remove {}", store.display()))?;
        }
        Ok(())
    }

    fn remove_tree(&self) {
        let tree = self.tree();
        if tree.exists() {
            let remove = ["worktree", "remove", "--force", "--force"].map(OsStr::new);
            // What git does not know is only a folder.
            let _ = git(&self.root, remove.into_iter().chain([tree.as_os_str()]));
            let _ = std::fs::remove_dir_all(&tree);
        }
        let _ = git(&self.root, ["worktree", "prune"]);
    }
}

/// Where bytes are put into a function.
#[derive(Clone, Debug)]
pub(crate) struct Edit {
    /// A source file, from the workspace's root.
    file: PathBuf,
    /// In the line that they come after.
    text: String,
}

impl FromStr for Edit {
    type Err = String;

    fn from_str(edit: &str) -> Result<Self, String> {
        match edit.split_once(':') {
            Some((file, text)) if !file.is_empty() && !text.is_empty() => Ok(Self {
                file: file.into(),
                text: text.to_owned(),
            }),
            _ => Err("a file and a text in it are needed, as in 'src/lib.rs:fn parse('".to_owned()),
        }
    }
}

impl Edit {
    /// The source below `root`, with bytes that are jumped over.
    ///
    /// # Errors
    ///
    /// Fails when it has no such line.
    pub(crate) fn source(&self, root: &Path, bytes: u32) -> Result<String> {
        let file = self.file.display();
        let source = std::fs::read_to_string(root.join(&self.file))
            .with_context(|| format!("--edit: cannot read {file}"))?;
        let mut lines: Vec<&str> = source.lines().collect();
        let place = lines.iter().position(|line| line.contains(&self.text));
        let place = place.with_context(|| {
            format!(
                "--edit: {file} has no line with `{}` to put bytes after",
                self.text
            )
        })?;
        let skipped = format!(
            "unsafe {{ ::core::arch::asm!(\"jmp 77f\", \".skip {bytes}, 0x90\", \"77:\", options(nomem, nostack, preserves_flags)) }};"
        );
        lines.insert(place + 1, &skipped);
        Ok(lines.join("\n") + "\n")
    }
}

/// Gives files of a fresh checkout the times that they had in the one before, where they hold the
/// same, since cargo builds again what is newer than what it built.
///
/// `store` has a line for every file: its time in nanoseconds, its content by git's hash, its path.
/// It holds only the last content of a file: one that changed and changed back is new.
fn keep_times(tree: &Path, store: &Path) -> Result<()> {
    let before = std::fs::read_to_string(store).unwrap_or_default();
    let mut known: HashMap<&str, (&str, &str)> = HashMap::new();
    for line in before.split('\0') {
        let mut words = line.splitn(3, ' ');
        if let (Some(time), Some(content), Some(path)) = (words.next(), words.next(), words.next())
        {
            known.insert(path, (content, time));
        }
    }
    let mut now = String::new();
    for entry in git(tree, ["ls-tree", "-r", "-z", "HEAD"])?.split('\0') {
        // `100644 blob 1c0a... path`, with a tab before the path.
        let Some((kind, path)) = entry.split_once('\t') else {
            continue;
        };
        let content = kind.rsplit(' ').next().unwrap_or_default();
        let file = tree.join(path);
        if !file.symlink_metadata()?.is_file() {
            continue;
        }
        let file = File::open(&file)?;
        let kept = known
            .get(path)
            .filter(|(before, _)| *before == content)
            .and_then(|(_, time)| Some((*time, time.parse().ok()?)));
        let time = match kept {
            Some((time, nanoseconds)) => {
                file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_nanos(nanoseconds))?;
                time.to_owned()
            }
            None => {
                let since = file.metadata()?.modified()?;
                let since = since.duration_since(SystemTime::UNIX_EPOCH)?;
                since.as_nanos().to_string()
            }
        };
        now += &format!("{time} {content} {path}\0");
    }
    crate::publish::write(store, now.as_bytes())
}

/// The beginning of a commit's name that people read.
pub(crate) fn short(commit: &str) -> &str {
    commit.get(..8).unwrap_or(commit)
}

/// What git prints, without the end of the last line.
pub(crate) fn git<A: AsRef<OsStr>>(
    folder: &Path,
    arguments: impl IntoIterator<Item = A>,
) -> Result<String> {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .context("git cannot be run; install it and put it on the PATH")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(anyhow!("git failed: {}", said.trim()));
    }
    Ok(String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edit_puts_bytes_after_the_first_line_with_its_text() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("a.rs"), "fn a() {\n}\nfn a() {}\n").unwrap();
        let source = |edit: &str| edit.parse::<Edit>().unwrap().source(folder.path(), 16);
        let edited = source("a.rs:fn a(").unwrap();
        let [before, skipped, rest] = *edited.splitn(3, '\n').collect::<Vec<_>>() else {
            panic!("{edited}")
        };
        assert_eq!((before, rest), ("fn a() {", "}\nfn a() {}\n"));
        assert!(skipped.contains(".skip 16,"), "{skipped}");
        let error = source("a.rs:fn b(").unwrap_err().to_string();
        assert!(error.contains("a.rs has no line with `fn b(`"), "{error}");
        let error = source("b.rs:fn b(").unwrap_err().to_string();
        assert!(error.contains("cannot read b.rs"), "{error}");
        for wrong in ["", "a.rs", "a.rs:", ":fn"] {
            assert!(wrong.parse::<Edit>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn file_keeps_its_time_over_checkouts_as_long_as_it_holds_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let tree = folder.path().join("tree");
        let store = folder.path().join("times");
        std::fs::create_dir(&tree).unwrap();
        git(&tree, ["init", "--quiet"]).unwrap();
        let long_ago = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000_000_000);
        let commit = |name: &str, text: &str, at: u64| {
            std::fs::write(tree.join(name), text).unwrap();
            let file = File::open(tree.join(name)).unwrap();
            file.set_modified(long_ago + Duration::from_secs(at))
                .unwrap();
            git(&tree, ["add", "."]).unwrap();
            let identity = ["-c", "user.name=a", "-c", "user.email=a@b"];
            let commit = ["commit", "--quiet", "--allow-empty", "-m", "a"];
            git(&tree, identity.into_iter().chain(commit)).unwrap();
            keep_times(&tree, &store).unwrap();
            let modified = std::fs::metadata(tree.join(name)).unwrap().modified();
            modified
                .unwrap()
                .duration_since(long_ago)
                .unwrap()
                .as_secs()
        };
        assert_eq!(commit("a file", "one", 10), 10);
        assert_eq!(commit("a file", "one", 20), 10);
        assert_eq!(commit("other", "one", 30), 30);
        assert_eq!(commit("a file", "two", 40), 40);
        assert_eq!(commit("a file", "one", 50), 50);
        assert_eq!(commit("other", "one", 60), 30);
    }
}
