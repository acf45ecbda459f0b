//! The workspace that is measured: its bench binaries and the cases they define.

use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};
use bench_harness::record::{CaseInfo, GroupInfo, Listed};
use bench_harness::{CARGO_METADATA, INPUT_FILES, LIST_CASES, REFUSED};
use cargo_metadata::{Message, MetadataCommand};

/// A workspace, as cargo describes it.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// Where everything goes that is not the report itself.
    pub(crate) scratch: PathBuf,
}

/// A built bench target.
pub(crate) struct Binary {
    pub(crate) path: PathBuf,
    /// Folder of its package, where cargo would run it.
    folder: PathBuf,
}

/// The built bench targets of a workspace and everything that is defined in them.
pub(crate) struct Suite {
    pub(crate) binaries: Vec<Binary>,
    pub(crate) groups: Vec<GroupInfo>,
    pub(crate) cases: Vec<Defined>,
    /// Changes when a bench binary, a workflow file or the crate graph does.
    pub(crate) build: String,
    files: Vec<PathBuf>,
    metadata: PathBuf,
}

/// A case and the binary that defines it.
#[derive(Clone)]
pub(crate) struct Defined {
    pub(crate) info: CaseInfo,
    pub(crate) binary: usize,
}

impl Workspace {
    /// The workspace around the current folder.
    pub(crate) fn find() -> Result<Self> {
        let metadata = MetadataCommand::new().no_deps().exec().map_err(explain)?;
        Ok(Self {
            root: metadata.workspace_root.into(),
            scratch: metadata.target_directory.join("gen-benchmarks").into(),
        })
    }

    /// Builds all bench targets, optimised, and asks each for its cases.
    ///
    /// `files` are passed on to the suites.
    pub(crate) fn build(&self, files: &[PathBuf]) -> Result<Suite> {
        let metadata = self.store_metadata()?;
        let files = files
            .iter()
            .map(|file| {
                file.canonicalize()
                    .with_context(|| format!("cannot read the workflow file {}", file.display()))
            })
            .collect::<Result<Vec<_>>>()?;
        let mut suite = Suite {
            binaries: self.build_binaries()?,
            groups: Vec::new(),
            cases: Vec::new(),
            build: String::new(),
            files,
            metadata,
        };
        let binaries = suite.binaries.iter().map(|binary| &binary.path);
        suite.build = hash(binaries.chain([&suite.metadata]).chain(&suite.files))?;
        for index in 0..suite.binaries.len() {
            suite.list(index)?;
        }
        if suite.cases.is_empty() {
            bail!("no bench target of this workspace defines cases with bench_harness::main!");
        }
        Ok(suite)
    }

    /// Keeps what cargo says of the workspace for suites that measure its crate graph.
    fn store_metadata(&self) -> Result<PathBuf> {
        let metadata = bench_harness::cargo_metadata(&self.root).map_err(|error| anyhow!(error))?;
        let path = self.scratch.join("cargo-metadata.json");
        crate::publish::write(&path, metadata.as_bytes())?;
        Ok(path)
    }

    fn build_binaries(&self) -> Result<Vec<Binary>> {
        let mut cargo = Command::new(cargo())
            .args(["bench", "--workspace", "--benches", "--no-run"])
            .arg("--message-format=json-render-diagnostics")
            .current_dir(&self.root)
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot run cargo; install Rust and put cargo on the PATH")?;
        let output = cargo.stdout.take().expect("stdout is piped");
        let mut binaries = Vec::new();
        for message in Message::parse_stream(std::io::BufReader::new(output)) {
            if let Message::CompilerArtifact(artifact) = message?
                && artifact.target.is_bench()
                && let Some(executable) = artifact.executable
            {
                let manifest = artifact.manifest_path;
                binaries.push(Binary {
                    path: executable.into(),
                    folder: manifest.parent().unwrap_or(&manifest).into(),
                });
            }
        }
        if !cargo.wait()?.success() {
            bail!("the bench targets do not build; mend what cargo reports above");
        }
        binaries.sort_by(|one, other| one.path.cmp(&other.path));
        Ok(binaries)
    }
}

impl Suite {
    /// A command that runs bench binary `index` as cargo would, with what suites may ask for.
    pub(crate) fn command(&self, index: usize) -> Result<Command> {
        self.equip(Command::new(&self.binaries[index].path), index)
    }

    /// Gives a command that runs bench binary `index` what cargo and the suites need.
    pub(crate) fn equip(&self, mut command: Command, index: usize) -> Result<Command> {
        command
            .current_dir(&self.binaries[index].folder)
            .env(CARGO_METADATA, &self.metadata)
            .stdin(Stdio::null());
        if self.files.is_empty() {
            command.env_remove(INPUT_FILES);
        } else {
            let files = std::env::join_paths(&self.files)
                .context("a workflow file's path holds the separator of paths; rename it")?;
            command.env(INPUT_FILES, files);
        }
        Ok(command)
    }

    /// Adds the groups and cases that binary `index` defines.
    fn list(&mut self, index: usize) -> Result<()> {
        let path = self.binaries[index].path.display().to_string();
        let output = self
            .command(index)?
            .arg(LIST_CASES)
            .output()
            .with_context(|| format!("cannot start {path}"))?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        match output.status.code() {
            Some(0) => {}
            Some(REFUSED) => bail!("{}", stderr.trim()),
            _ => {
                eprintln!("skipped {path}: it does not define its cases with bench_harness::main!");
                return Ok(());
            }
        }
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let listed = serde_json::from_str(line)
                .with_context(|| format!("{path} does not list cases of bench_harness::main!"))?;
            match listed {
                Listed::Group(group) => {
                    if self.groups.iter().any(|other| other.group == group.group) {
                        bail!("group `{}` is defined by two bench targets", group.group);
                    }
                    self.groups.push(group);
                }
                Listed::Case(info) => self.cases.push(Defined {
                    info,
                    binary: index,
                }),
            }
        }
        Ok(())
    }
}

/// The cargo that started us, or the one on the `PATH`.
fn cargo() -> std::ffi::OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn explain(error: cargo_metadata::Error) -> anyhow::Error {
    match error {
        cargo_metadata::Error::CargoMetadata { stderr } => {
            anyhow!(
                "cargo metadata failed; run inside a Cargo workspace: {}",
                stderr.trim()
            )
        }
        other => anyhow!("cargo metadata cannot be run: {other}"),
    }
}

/// A fingerprint of the binaries and what they read, to notice that records come from others.
fn hash<'p>(files: impl Iterator<Item = &'p PathBuf>) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for path in files {
        hasher.write(&read(path)?);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
