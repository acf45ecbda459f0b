//! The workspace that is measured: its bench binaries and the cases they define.

use std::collections::HashMap;
use std::ffi::OsString;
use std::hash::{DefaultHasher, Hasher};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use bench_harness::record::{CaseInfo, GroupInfo, Listed, Skipped};
use bench_harness::{CARGO_METADATA, INPUT_FILES, LIST_CASES, REFUSED, WORKLOAD_FILE};
use cargo_metadata::{Message, Metadata, MetadataCommand};

use crate::foreign::{self, Benchmark, Dialect};

/// A workspace, as cargo describes it.
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// What a report calls it; `None` for the workspace that this program belongs to.
    pub(crate) name: Option<String>,
    /// Where everything goes that is not the report itself.
    pub(crate) scratch: PathBuf,
    /// Bench targets that need no features, in order of name.
    plain: Vec<String>,
    /// Bench targets that cargo builds only with features, in order of name.
    optional: Vec<Optional>,
    /// Variables that cargo is given for a build.
    variables: Vec<(String, OsString)>,
    /// The bench target called [`TANGO`], which no report is made of.
    tango: Option<Optional>,
    /// Names of packages, by the paths of their manifests.
    packages: HashMap<PathBuf, String>,
}

/// The bench target with `required-features` that gives cases to tango.
const TANGO: &str = "tango";

/// What is given to the suites.
#[derive(Clone, Default)]
pub(crate) struct Inputs {
    /// Files that the suites decide about.
    pub(crate) files: Vec<PathBuf>,
    /// The workload to replay.
    pub(crate) workload: Option<PathBuf>,
    /// Only bench targets of these names are built, where `*` at the end stands for any letters; all
    /// where there are none.
    pub(crate) targets: Vec<String>,
    /// How long a bench binary may be silent when it is asked what it measures [default: 60 s].
    pub(crate) patience: Option<Duration>,
}

/// A bench target with `required-features`. It may need what is not on this machine, a C compiler
/// for instance, so it is built by itself and left out where that fails.
struct Optional {
    target: String,
    /// `package/feature`, separated by commas.
    features: String,
}

/// A built bench target.
pub(crate) struct Binary {
    pub(crate) path: PathBuf,
    /// Folder of its package, where cargo would run it.
    pub(crate) folder: PathBuf,
    /// Names of its target and of its package.
    pub(crate) target: String,
    pub(crate) package: String,
    /// Its main source file, relative to the workspace.
    source: String,
    /// How to speak to it where its benchmarks are criterion's own.
    pub(crate) dialect: Option<Dialect>,
}

#[cfg(test)]
impl Binary {
    /// One that is not there.
    pub(crate) fn named(package: &str, target: &str) -> Self {
        Self {
            path: PathBuf::new(),
            folder: PathBuf::new(),
            target: target.to_owned(),
            package: package.to_owned(),
            source: String::new(),
            dialect: None,
        }
    }
}

/// The built bench targets of a workspace and everything that is defined in them.
pub(crate) struct Suite {
    pub(crate) binaries: Vec<Binary>,
    pub(crate) groups: Vec<GroupInfo>,
    pub(crate) cases: Vec<Defined>,
    /// Changes when a bench binary, a workflow file or the crate graph does.
    pub(crate) build: String,
    /// Bench targets that could not be built, or are not measured.
    pub(crate) skipped: Vec<Skipped>,
    inputs: Inputs,
    metadata: PathBuf,
}

/// A case and the binary that defines it.
#[derive(Clone)]
pub(crate) struct Defined {
    pub(crate) info: CaseInfo,
    pub(crate) binary: usize,
    /// How criterion knows it, where it is not written with our crate.
    pub(crate) foreign: Option<Benchmark>,
}

impl Workspace {
    /// The workspace around the current folder.
    pub(crate) fn find() -> Result<Self> {
        Self::around(Path::new("."), Vec::new())
    }

    /// The workspace around `folder`, built with these variables.
    pub(crate) fn around(folder: &Path, variables: Vec<(String, OsString)>) -> Result<Self> {
        let mut command = MetadataCommand::new();
        command.no_deps().current_dir(folder);
        for (name, value) in &variables {
            command.env(name, value);
        }
        let metadata = command.exec().map_err(explain)?;
        let (mut plain, mut optional, mut tango) = (Vec::new(), Vec::new(), None);
        for package in &metadata.packages {
            for target in package.targets.iter().filter(|target| target.is_bench()) {
                let features = target.required_features.iter();
                let features: Vec<String> = features
                    .map(|feature| format!("{}/{feature}", package.name))
                    .collect();
                let name = target.name.clone();
                if features.is_empty() {
                    plain.push(name);
                    continue;
                }
                let target = Optional {
                    target: name,
                    features: features.join(","),
                };
                match target.target == TANGO {
                    true => tango = Some(target),
                    false => optional.push(target),
                }
            }
        }
        // Packages may have targets of the same name, which are built together.
        plain.sort();
        plain.dedup();
        optional.sort_by(|one, other| one.target.cmp(&other.target));
        let packages = metadata.packages.iter();
        let packages = packages.map(|one| (one.manifest_path.clone().into(), one.name.to_string()));
        Ok(Self {
            name: name(&metadata),
            packages: packages.collect(),
            root: metadata.workspace_root.into(),
            scratch: metadata.target_directory.join("gen-benchmarks").into(),
            plain,
            optional,
            tango,
            variables,
        })
    }

    /// The names of bench targets that need no features.
    pub(crate) fn plain(&self) -> &[String] {
        &self.plain
    }

    /// Builds all bench targets, optimised, and asks each for its cases.
    ///
    /// Those that need features are left out where they do not build, and said to be.
    ///
    /// `inputs` are passed on to the suites.
    pub(crate) fn build(&self, inputs: &Inputs) -> Result<Suite> {
        let metadata = self.store_metadata()?;
        let canonical = |file: &PathBuf, what| {
            file.canonicalize()
                .with_context(|| format!("cannot read the {what} file {}", file.display()))
        };
        let files = inputs.files.iter();
        let workload = inputs.workload.as_ref();
        let inputs = Inputs {
            files: files
                .map(|file| canonical(file, "workflow"))
                .collect::<Result<_>>()?,
            workload: workload
                .map(|file| canonical(file, "workload"))
                .transpose()?,
            targets: inputs.targets.clone(),
            patience: inputs.patience,
        };
        let (binaries, skipped) = self.build_binaries(&inputs.targets)?;
        let mut suite = Suite {
            binaries,
            groups: Vec::new(),
            cases: Vec::new(),
            build: String::new(),
            skipped,
            inputs,
            metadata,
        };
        let binaries = suite.binaries.iter().map(|binary| &binary.path);
        let inputs = suite.inputs.files.iter().chain(&suite.inputs.workload);
        suite.build = hash(binaries.chain([&suite.metadata]).chain(inputs))?;
        for index in 0..suite.binaries.len() {
            suite.list(index)?;
        }
        if suite.cases.is_empty() {
            let reasons = suite.skipped.iter();
            let reasons: String = reasons
                .map(|one| format!("\n  {}: {}", one.target, one.reason))
                .collect();
            bail!(
                "no bench target of this workspace can be measured; write one with criterion or bench_harness::main!{reasons}"
            );
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

    fn build_binaries(&self, targets: &[String]) -> Result<(Vec<Binary>, Vec<Skipped>)> {
        let named = |target: &str, name: &String| match name.strip_suffix('*') {
            Some(begin) => target.starts_with(begin),
            None => target == name,
        };
        let chosen =
            |target: &str| targets.is_empty() || targets.iter().any(|name| named(target, name));
        // By name: `--benches` would build libraries and programs as benchmarks, too.
        let plain = || self.plain.iter().filter(|target| chosen(target));
        let arguments: Vec<&str> = plain().flat_map(|target| ["--bench", target]).collect();
        if !targets.is_empty() && arguments.is_empty() {
            bail!(
                "this workspace has no bench target {}; it has {}",
                targets.join(", "),
                self.plain.join(", ")
            );
        }
        if self.plain.is_empty() && self.optional.is_empty() {
            bail!(
                "this workspace has no bench targets; put a criterion benchmark into `benches/` of a package"
            );
        }
        let mut binaries = Vec::new();
        let mut skipped = Vec::new();
        if !arguments.is_empty() {
            match self.cargo_bench(&arguments, Stdio::inherit())? {
                Ok(built) => binaries = built,
                // What keeps the others from being built is found by building each alone.
                Err(_) => {
                    for target in plain() {
                        match self.cargo_bench(&["--bench", target], Stdio::piped())? {
                            Ok(built) => binaries.extend(built),
                            Err(reason) => {
                                eprintln!("left out {target}: {reason}");
                                skipped.push(Skipped {
                                    target: target.clone(),
                                    reason,
                                });
                            }
                        }
                    }
                    if binaries.is_empty() {
                        bail!("the bench targets do not build; mend what cargo reports above");
                    }
                }
            }
        }
        for optional in &self.optional {
            if !chosen(&optional.target) {
                continue;
            }
            match self.build_optional(optional)? {
                Ok(built) => binaries.extend(built),
                Err(reason) => skipped.push(Skipped {
                    target: optional.target.clone(),
                    reason,
                }),
            }
        }
        binaries.sort_by(|one, other| one.path.cmp(&other.path));
        Ok((binaries, skipped))
    }

    /// Builds the program that gives cases to tango; the inner result says why there is none.
    pub(crate) fn build_tango(&self) -> Result<Result<Binary, String>> {
        let Some(tango) = &self.tango else {
            return Ok(Err(format!(
                "this workspace has no bench target `{TANGO}` with required-features"
            )));
        };
        let built = self.build_optional(tango)?;
        Ok(built.and_then(|binaries| {
            let first = binaries.into_iter().next();
            first.ok_or_else(|| "cargo names no program of it".to_owned())
        }))
    }

    /// Builds a bench target that needs features; the inner result says why it does not build.
    fn build_optional(&self, optional: &Optional) -> Result<Result<Vec<Binary>, String>> {
        let Optional { target, features } = optional;
        eprintln!("building {target} with {features}");
        // The whole workspace, so that its crates are not built again with other features.
        let arguments = ["--bench", target, "--features", features];
        let built = self.cargo_bench(&arguments, Stdio::piped())?;
        if let Err(reason) = &built {
            eprintln!("skipped {target}: {reason}");
        }
        Ok(built)
    }

    /// Builds bench targets; the inner result says why they do not build, as far as cargo's
    /// messages went to a pipe.
    fn cargo_bench(
        &self,
        arguments: &[&str],
        messages: Stdio,
    ) -> Result<Result<Vec<Binary>, String>> {
        let mut cargo = Command::new(cargo())
            .args(["bench", "--workspace", "--no-run"])
            .arg("--message-format=json-render-diagnostics")
            .args(arguments)
            .current_dir(&self.root)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            // The last line of a build script that panics is to be its reason.
            .env("RUST_BACKTRACE", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(messages)
            .spawn()
            .context("cannot run cargo; install Rust and put cargo on the PATH")?;
        let output = cargo.stdout.take().expect("stdout is piped");
        let messages = cargo.stderr.take();
        // In a thread of its own, or a full pipe would stop cargo.
        let messages = std::thread::spawn(move || {
            let mut bytes = Vec::new();
            if let Some(mut messages) = messages {
                // What could be read before an error is all there is to show.
                let _ = messages.read_to_end(&mut bytes);
            }
            String::from_utf8_lossy(&bytes).into_owned()
        });
        let mut binaries = Vec::new();
        for message in Message::parse_stream(std::io::BufReader::new(output)) {
            if let Message::CompilerArtifact(artifact) = message?
                && artifact.target.is_bench()
                && let Some(executable) = artifact.executable
            {
                let manifest = artifact.manifest_path;
                let source = artifact.target.src_path.as_std_path();
                let package = self.packages.get(manifest.as_std_path());
                binaries.push(Binary {
                    path: executable.into(),
                    folder: manifest.parent().unwrap_or(&manifest).into(),
                    package: package.cloned().unwrap_or_default(),
                    source: source
                        .strip_prefix(&self.root)
                        .unwrap_or(source)
                        .display()
                        .to_string(),
                    target: artifact.target.name,
                    dialect: None,
                });
            }
        }
        let messages = messages.join().expect("the thread only reads");
        Ok(match cargo.wait()?.success() {
            true => Ok(binaries),
            false => Err(reason(&messages)),
        })
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
            .env("CARGO_MANIFEST_DIR", &self.binaries[index].folder)
            .env(CARGO_METADATA, &self.metadata)
            .stdin(Stdio::null());
        match &self.inputs.workload {
            Some(workload) => command.env(WORKLOAD_FILE, workload),
            None => command.env_remove(WORKLOAD_FILE),
        };
        if self.inputs.files.is_empty() {
            command.env_remove(INPUT_FILES);
        } else {
            let files = std::env::join_paths(&self.inputs.files)
                .context("a workflow file's path holds the separator of paths; rename it")?;
            command.env(INPUT_FILES, files);
        }
        Ok(command)
    }

    /// The version of a package that the bench binaries were built with.
    pub(crate) fn version(&self, package: &str) -> Result<Option<String>> {
        let text = String::from_utf8_lossy(&read(&self.metadata)?).into_owned();
        let metadata = MetadataCommand::parse(text).map_err(explain)?;
        let mut packages = metadata.packages.into_iter();
        let found = packages.find(|found| found.name == package);
        Ok(found.map(|found| found.version.to_string()))
    }

    /// Adds the groups and cases that binary `index` defines.
    fn list(&mut self, index: usize) -> Result<()> {
        let path = self.binaries[index].path.display().to_string();
        // Programs that may take any argument for the wish to run are not started.
        if let Some(reason) = foreign::stranger(&read(&self.binaries[index].path)?) {
            self.skip(index, reason.to_owned());
            return Ok(());
        }
        let mut command = self.command(index)?;
        command.arg(LIST_CASES);
        let said = foreign::ask(command, self.patience())?;
        match &said.ended {
            Ok(status) if status.success() => {}
            Ok(status) if status.code() == Some(REFUSED) => bail!("{}", said.stderr.trim()),
            _ => return self.list_criterion(index),
        }
        for line in said.stdout.lines() {
            let listed = serde_json::from_str(line)
                .with_context(|| format!("{path} does not list cases of bench_harness::main!"))?;
            match listed {
                Listed::Group(group) => {
                    let mut others = self.groups.iter();
                    match others.find(|other| other.group == group.group) {
                        Some(same) if *same == group => {}
                        Some(other) => bail!(
                            "group `{}` is defined by two bench targets that describe it differently, in {} and {}",
                            group.group,
                            other.suite,
                            group.suite
                        ),
                        None => self.groups.push(group),
                    }
                }
                Listed::Case(info) => {
                    let mut others = self.cases.iter();
                    if others.any(|other| other.info.case == info.case) {
                        bail!("case `{}` is defined by two bench targets", info.case);
                    }
                    self.cases.push(Defined {
                        info,
                        binary: index,
                        foreign: None,
                    });
                }
            }
        }
        Ok(())
    }

    /// Adds the groups and cases of binary `index`, which are criterion's own.
    fn list_criterion(&mut self, index: usize) -> Result<()> {
        let found = match foreign::discover(self, index, self.patience())? {
            Ok(found) => found,
            Err(reason) => {
                self.skip(index, reason);
                return Ok(());
            }
        };
        self.binaries[index].dialect = Some(found.dialect);
        let binary = &self.binaries[index];
        let (groups, cases) =
            foreign::adopt(found.benchmarks, binary, &binary.source, &self.groups);
        self.groups.extend(groups);
        let defined = cases.into_iter().map(|(info, benchmark)| Defined {
            info,
            binary: index,
            foreign: Some(benchmark),
        });
        self.cases.extend(defined);
        for reason in found.left_out {
            self.skip(index, reason);
        }
        Ok(())
    }

    /// Drops the cases that are criterion's own, for what asks more of a case than its time.
    pub(crate) fn keep_own(&mut self) -> Result<()> {
        self.cases.retain(|defined| defined.foreign.is_none());
        if self.cases.is_empty() {
            bail!(
                "this works with benchmarks of bench_harness::main! only, and this workspace has none; criterion's own give no turns"
            );
        }
        Ok(())
    }

    fn skip(&mut self, index: usize, reason: String) {
        let target = self.binaries[index].target.clone();
        eprintln!("left out {target}: {}", crate::exchange::plain(&reason));
        self.skipped.push(Skipped { target, reason });
    }

    /// Where everything goes that is thrown away.
    pub(crate) fn scratch(&self) -> &Path {
        self.metadata.parent().expect("a file lies in a folder")
    }

    fn patience(&self) -> Duration {
        self.inputs.patience.unwrap_or(Duration::from_secs(60))
    }
}

/// What a report calls a workspace: the package at its root, or its only one, or else its folder.
fn name(metadata: &Metadata) -> Option<String> {
    let packages = &metadata.packages;
    if packages
        .iter()
        .any(|one| one.name == env!("CARGO_PKG_NAME"))
    {
        return None;
    }
    match (metadata.root_package(), &packages[..]) {
        (Some(one), _) | (None, [one]) => Some(one.name.to_string()),
        (None, _) => metadata.workspace_root.file_name().map(str::to_owned),
    }
}

/// The cargo that started us, or the one on the `PATH`.
fn cargo() -> OsString {
    std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

fn explain(error: cargo_metadata::Error) -> anyhow::Error {
    match error {
        cargo_metadata::Error::CargoMetadata { stderr } => {
            let said = stderr.trim();
            let said = said.strip_prefix("error: ").unwrap_or(said);
            match said.starts_with("could not find `Cargo.toml`") {
                true => anyhow!("{said}; run inside a Cargo workspace"),
                false => anyhow!("cargo cannot read this workspace: {said}"),
            }
        }
        other => anyhow!("cargo metadata cannot be run: {other}"),
    }
}

/// Why a build failed: what cargo says first, and what a build script or compiler says last.
fn reason(messages: &str) -> String {
    // What is said after the cause: by the compiler, and by the crate `cmake`.
    let idle = [
        "warning: ",
        "note: ",
        "error: could not compile ",
        "build script failed",
        "For more information about ",
    ];
    let mut lines = messages
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !idle.iter().any(|idle| line.starts_with(idle)))
        .filter(|line| !is_source(line));
    let first = lines
        .clone()
        .find_map(|line| match line.strip_prefix("error[") {
            Some(numbered) => Some(numbered.split_once("]: ")?.1),
            None => line.strip_prefix("error: "),
        })
        .unwrap_or("it does not build");
    match lines.next_back() {
        Some(last) if !last.contains(first) && last.chars().any(char::is_alphanumeric) => {
            format!("{first}: {last}")
        }
        _ => first.to_owned(),
    }
}

/// Whether a line of a compiler's message shows source code, or where it stands.
fn is_source(line: &str) -> bool {
    let unnumbered = line.trim_start_matches(|c: char| c.is_ascii_digit());
    unnumbered.trim_start().starts_with('|') || line.starts_with("-->") || line.starts_with("= ")
}

/// A fingerprint of the binaries and what they read, to notice that records come from others.
fn hash<'p>(files: impl Iterator<Item = &'p PathBuf>) -> Result<String> {
    let mut hasher = DefaultHasher::new();
    for path in files {
        hasher.write(&read(path)?);
    }
    Ok(format!("{:016x}", hasher.finish()))
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reason_of_a_failed_build_is_its_first_error_and_its_last_words() {
        let script = "\
   Compiling snmalloc-sys v0.7.6
error: failed to run custom build command for `snmalloc-sys v0.7.6`

Caused by:
  process didn't exit successfully: `build-script-build` (exit status: 101)
  --- stderr

  thread 'main' panicked at lib.rs:1132:5:

  failed to execute command: No such file or directory (os error 2)
  is `cmake` not installed?

  build script failed, must exit now
  note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
";
        assert_eq!(
            reason(script),
            "failed to run custom build command for `snmalloc-sys v0.7.6`: is `cmake` not installed?"
        );
        let source = "\
error: the compiler for this is not installed
 --> benches/global_absent.rs:5:1
  |
5 | compile_error!(\"the compiler for this is not installed\");
  | ^^^^^^^^^^^^^^^^^^^^^

error: could not compile `fixture` (bench \"global_absent\") due to 1 previous error
";
        assert_eq!(reason(source), "the compiler for this is not installed");
        let nightly = "\
error[E0554]: `#![feature]` may not be used on the stable release channel
 --> benches/old.rs:1:12
  |
1 | #![feature(test)]
  |            ^^^^

For more information about this error, try `rustc --explain E0554`.
error: could not compile `fixture` (bench \"old\") due to 1 previous error
";
        assert_eq!(
            reason(nightly),
            "`#![feature]` may not be used on the stable release channel"
        );
        let types = "\
error[E0308]: mismatched types
 --> benches/b.rs:1:26
  |
1 | fn main() { let x: u32 = \"a\"; }
  |                    ---   ^^^ expected `u32`, found `&str`
  |                    |
  |                    expected due to this
";
        assert_eq!(reason(types), "mismatched types");
        assert_eq!(reason(""), "it does not build");
    }
}
