//! Files: written beside their place and renamed, so that a reader never sees half a file and an
//! interrupted run keeps the last good one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::markdown::{ALL_GROUPS, TABLES};
use crate::report::{ASSETS, CHART_PREFIX, RECORD};

/// A rendered report: the bytes of every file, by path below the output folder.
pub(crate) type Files = BTreeMap<PathBuf, Vec<u8>>;

/// Replaces the file at `path`.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    Beside::new(path, bytes)?.put()
}

/// A file that is complete and waits beside the place where it belongs.
struct Beside {
    file: tempfile::NamedTempFile,
    path: PathBuf,
}

impl Beside {
    fn new(path: &Path, bytes: &[u8]) -> Result<Self> {
        let failed = || format!("cannot write {}", path.display());
        let folder = match path.parent() {
            Some(folder) if folder != Path::new("") => folder,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(folder).with_context(failed)?;
        let file = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
        std::fs::write(file.path(), bytes).with_context(failed)?;
        share(file.path());
        let path = path.to_owned();
        Ok(Self { file, path })
    }

    fn put(self) -> Result<()> {
        let failed = format!("cannot write {}", self.path.display());
        self.file.persist(self.path).context(failed)?;
        Ok(())
    }
}

/// Temporary files are private; a report is read by everybody.
pub(crate) fn share(path: &Path) {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        // Where permissions cannot be changed the file is still good.
        let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644));
    }
    #[cfg(not(unix))]
    let _ = path;
}

/// Fails now rather than after minutes of measuring when `folder` cannot be written to.
pub(crate) fn probe(folder: &Path) -> Result<()> {
    probe_folder(folder)?;
    let assets = folder.join(ASSETS);
    probe_folder(&assets)?;
    // Where nothing comes of the run, none is to stay; one that holds anything is not removed.
    let _ = std::fs::remove_dir(assets);
    Ok(())
}

/// The same for a folder without [`ASSETS`].
pub(crate) fn probe_folder(folder: &Path) -> Result<()> {
    let failed = || {
        format!(
            "cannot write to {}; name a folder you can write to with --out",
            folder.display()
        )
    };
    std::fs::create_dir_all(folder).with_context(failed)?;
    tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
    Ok(())
}

/// Writes all of `files` below `folder` and removes charts that the report no longer has.
///
/// Nothing is replaced before everything is written, so a full disk leaves the report as it was.
pub(crate) fn publish(folder: &Path, files: &Files) -> Result<()> {
    let beside = files
        .iter()
        .map(|(path, bytes)| Beside::new(&folder.join(path), bytes))
        .collect::<Result<Vec<_>>>()?;
    // The page comes first by name and last here: until it is there, the old one still stands.
    for file in beside.into_iter().rev() {
        file.put()?;
    }
    for stale in strays(folder, files)? {
        std::fs::remove_file(folder.join(&stale))
            .with_context(|| format!("cannot remove {}", stale.display()))?;
    }
    Ok(())
}

/// Fails with the first file below `folder` that differs from `files`.
pub(crate) fn check(folder: &Path, files: &Files) -> Result<()> {
    for (path, expected) in files {
        let path = folder.join(path);
        let found = std::fs::read(&path)
            .with_context(|| format!("{} is missing; {}", path.display(), mend(folder)))?;
        if &found != expected {
            let at = found
                .iter()
                .zip(expected)
                .take_while(|(one, other)| one == other)
                .count();
            let line = found[..at].iter().filter(|&&byte| byte == b'\n').count() + 1;
            bail!(
                "{}:{line}: differs from what the record says; {}",
                path.display(),
                mend(folder)
            );
        }
    }
    if let Some(stray) = strays(folder, files)?.first() {
        bail!(
            "{} is not part of the report; {}",
            folder.join(stray).display(),
            mend(folder)
        );
    }
    Ok(())
}

/// The command that makes a report say again what its record says.
fn mend(folder: &Path) -> String {
    format!(
        "write the report again with `gen-benchmarks report --records {} --out {}`",
        folder.join(ASSETS).join(RECORD).display(),
        folder.display()
    )
}

/// Charts and tables below `folder` that look like ours and are not in `files`.
fn strays(folder: &Path, files: &Files) -> Result<Vec<PathBuf>> {
    let assets = Path::new(ASSETS);
    let tables = assets.join(TABLES);
    let mut strays = Vec::new();
    for (below, ending) in [(assets, ".svg"), (tables.as_path(), ".md")] {
        let found = folder.join(below);
        if below == tables && !found.exists() {
            continue;
        }
        let failed = || format!("cannot read {}", found.display());
        for entry in std::fs::read_dir(&found).with_context(failed)? {
            let name = entry?.file_name();
            let path = below.join(&name);
            let name = name.to_string_lossy();
            let is_ours = name.starts_with(CHART_PREFIX) && name.ends_with(ending);
            let is_list = below == tables && name == ALL_GROUPS;
            if (is_ours || is_list) && !files.contains_key(&path) {
                strays.push(path);
            }
        }
    }
    strays.sort();
    Ok(strays)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(&str, &str)]) -> Files {
        list.iter()
            .map(|(path, text)| (PathBuf::from(path), text.as_bytes().to_vec()))
            .collect()
    }

    #[test]
    fn published_report_passes_the_check_and_changed_ones_do_not() {
        let folder = tempfile::tempdir().unwrap();
        let report = files(&[
            ("BENCHMARKS.md", "one\ntwo\n"),
            ("assets/bench-a.svg", "<svg/>"),
        ]);
        publish(folder.path(), &report).unwrap();
        check(folder.path(), &report).unwrap();

        std::fs::write(folder.path().join("BENCHMARKS.md"), "one\n2\n").unwrap();
        let error = check(folder.path(), &report).unwrap_err().to_string();
        assert!(error.contains("BENCHMARKS.md:2: differs"), "{error}");

        publish(folder.path(), &report).unwrap();
        std::fs::remove_file(folder.path().join("assets/bench-a.svg")).unwrap();
        let error = check(folder.path(), &report).unwrap_err().to_string();
        assert!(error.contains("bench-a.svg is missing"), "{error}");
    }

    #[test]
    fn stale_charts_are_found_and_foreign_files_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        publish(folder.path(), &files(&[("assets/bench-old.svg", "<svg/>")])).unwrap();
        std::fs::write(folder.path().join("assets/logo.svg"), "<svg/>").unwrap();
        let report = files(&[("assets/bench-new.svg", "<svg/>")]);

        let error = check(folder.path(), &report).unwrap_err().to_string();
        assert!(error.contains("missing"), "{error}");
        std::fs::write(folder.path().join("assets/bench-new.svg"), "<svg/>").unwrap();
        let error = check(folder.path(), &report).unwrap_err().to_string();
        assert!(error.contains("bench-old.svg is not part"), "{error}");

        publish(folder.path(), &report).unwrap();
        check(folder.path(), &report).unwrap();
        assert!(folder.path().join("assets/logo.svg").exists());
    }

    #[test]
    fn tables_that_the_page_has_room_for_again_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let long = files(&[
            ("BENCHMARKS.md", "rows"),
            ("assets/tables/bench-a.md", "a"),
            ("assets/tables/groups.md", "a"),
        ]);
        publish(folder.path(), &long).unwrap();
        let note = folder.path().join("assets/tables/note.md");
        std::fs::write(&note, "mine").unwrap();
        check(folder.path(), &long).unwrap();
        let short = files(&[("BENCHMARKS.md", "tables")]);
        std::fs::write(folder.path().join("BENCHMARKS.md"), "tables").unwrap();
        let error = check(folder.path(), &short).unwrap_err().to_string();
        assert!(error.contains("bench-a.md is not part of"), "{error}");
        publish(folder.path(), &short).unwrap();
        check(folder.path(), &short).unwrap();
        assert!(note.exists());
        assert!(!folder.path().join("assets/tables/groups.md").exists());
        assert!(!folder.path().join("assets/tables/bench-a.md").exists());
    }

    #[test]
    fn folder_that_cannot_be_written_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = format!("{:#}", probe(&file.join("below")).unwrap_err());
        assert!(error.contains("--out"), "{error}");
    }
}
