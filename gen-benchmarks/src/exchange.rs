//! Files of other tools: opened, read and written here, understood by [`bench_harness::exchange`].

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, anyhow, bail, ensure};
use bench_harness::Environment;
use bench_harness::criterion_output;
use bench_harness::exchange::{self, Folder, Format, Found, Measurement};
use bench_harness::record::{self, Entry, LINE_LIMIT, Profile};
use clap::Args;

use crate::workspace::Workspace;
use crate::{default_records, print, publish, runner};

/// Largest file that is read, in bytes.
const FILE_LIMIT: u64 = 256 << 20;

/// What a record is called.
const RECORD: &str = "a record";

/// What criterion calls its latest run.
pub(crate) const LATEST: &str = "new";

#[derive(Args, Clone)]
pub(crate) struct Import {
    /// A file of results, or a folder of criterion: `target/criterion`, or `criterion:main` for a
    /// baseline.
    #[arg(value_name = "FILE")]
    source: String,
    /// Its format [default: told by the content].
    #[arg(long, value_name = "NAME")]
    format: Option<Format>,
    /// The record to write.
    #[arg(long, value_name = "OUT")]
    records: PathBuf,
}

#[derive(Args, Clone)]
pub(crate) struct Export {
    /// The format to write.
    #[arg(long, value_name = "NAME", value_parser = written)]
    format: Format,
    /// The record to read, or a file of another tool [default: the last unfiltered record of the
    /// standard profile].
    #[arg(long, value_name = "FILE")]
    records: Option<String>,
    /// The file to write, or the folder for criterion [default: standard output].
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// What formats that name the whole call it: criterion's baseline.
    #[arg(long, value_name = "NAME", default_value = "perf-lab")]
    baseline: String,
}

fn written(name: &str) -> Result<Format, String> {
    let format: Format = name.parse()?;
    match format.is_written() {
        true => Ok(format),
        false => Err(format!(
            "format `{format}` is only read; written are {}",
            names(true)
        )),
    }
}

/// Names of all formats, or of those that are written.
fn names(written: bool) -> String {
    let formats = Format::ALL.into_iter();
    let names: Vec<&str> = formats
        .filter(|format| !written || format.is_written())
        .map(Format::name)
        .collect();
    names.join(", ")
}

pub(crate) fn import_help() -> String {
    format!(
        "Formats: {}.\n\nExamples:
  gen-benchmarks import hyperfine.json --records imported.jsonl
  gen-benchmarks import criterion:main --records main.jsonl
  gen-benchmarks import old.txt --format go --records old.jsonl",
        names(false)
    )
}

pub(crate) fn export_help() -> String {
    format!(
        "Formats: {}. github-action takes files of one direction: where both are needed,
`--out x.json` becomes x-smaller.json and x-bigger.json.

Examples:
  gen-benchmarks export --format bmf --records nightly.jsonl --out bmf.json
  gen-benchmarks export --format go | benchstat /dev/stdin
  gen-benchmarks export --format criterion --out target/criterion --baseline nightly",
        names(true)
    )
}

/// What a source holds.
pub(crate) struct Loaded {
    /// What it is, as in "format `go`".
    pub(crate) what: String,
    pub(crate) measurements: Vec<Measurement>,
    pub(crate) warnings: Vec<String>,
    /// Where it was measured, as far as the source says.
    pub(crate) environment: Option<Environment>,
}

/// Turns a file of another tool into a record.
pub(crate) fn import(arguments: &Import) -> Result<ExitCode> {
    runner::replaceable(&arguments.records)?;
    let loaded = load(&arguments.source, arguments.format)?;
    ensure!(
        loaded.what != RECORD,
        "{} is a record already; every command reads it as it is",
        arguments.source
    );
    let mut text = String::new();
    for measurement in &loaded.measurements {
        let line = Entry::Imported(Box::new(measurement.clone())).to_line();
        ensure!(
            line.len() < LINE_LIMIT,
            "{} of `{}` has more samples than a line of a record holds ({LINE_LIMIT} bytes)",
            measurement.metric,
            measurement.id
        );
        text += &line;
        text.push('\n');
    }
    publish::write(&arguments.records, text.as_bytes())?;
    warn(&loaded.warnings);
    let mut ids: Vec<&str> = loaded
        .measurements
        .iter()
        .map(|one| one.id.as_str())
        .collect();
    ids.sort_unstable();
    ids.dedup();
    eprintln!(
        "{}: {}, {} measurements of {} benchmarks",
        arguments.source,
        loaded.what,
        loaded.measurements.len(),
        ids.len()
    );
    eprintln!("{}", arguments.records.display());
    Ok(ExitCode::SUCCESS)
}

/// Writes a record in the format of another tool.
pub(crate) fn export(arguments: &Export) -> Result<ExitCode> {
    let source = match &arguments.records {
        Some(source) => source.clone(),
        None => {
            let records = default_records(&Workspace::find()?, Profile::Standard, false, "");
            records.to_string_lossy().into_owned()
        }
    };
    let loaded = load(&source, None)?;
    let format = arguments.format;
    let written = exchange::write(format, &arguments.baseline, &loaded.measurements)
        .map_err(|reason| anyhow!("cannot export {source}: {reason}"))?;
    warn(&loaded.warnings);
    warn(&written.warnings);
    match (&arguments.out, &written.parts[..]) {
        (None, [(_, text)]) => print(text)?,
        (None, _) if format == Format::Criterion => {
            bail!("criterion's results are a folder; name it with --out")
        }
        (None, _) => bail!(
            "format `{format}` needs two files here, one for what is better smaller and one for what is better bigger; name them with --out"
        ),
        (Some(folder), parts) if format == Format::Criterion => {
            for (path, text) in parts {
                publish::write(&folder.join(path), text.as_bytes())?;
            }
            eprintln!("{}", folder.display());
        }
        (Some(out), [(_, text)]) => {
            publish::write(out, text.as_bytes())?;
            eprintln!("{}", out.display());
        }
        (Some(out), parts) => {
            for (name, text) in parts {
                let path = beside(out, name);
                publish::write(&path, text.as_bytes())?;
                eprintln!("{}", path.display());
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// `x-smaller.json` for `x.json`.
fn beside(path: &Path, name: &str) -> PathBuf {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let extension = path.extension().map_or(String::new(), |extension| {
        format!(".{}", extension.to_string_lossy())
    });
    path.with_file_name(format!("{stem}-{name}{extension}"))
}

pub(crate) fn warn(warnings: &[String]) {
    for warning in warnings {
        eprintln!("warning: {}", plain(warning));
    }
}

/// Text of other tools without what a terminal would obey.
pub(crate) fn plain(text: &str) -> String {
    let shown = text.chars().map(|c| match c.is_control() {
        true => '\u{fffd}',
        false => c,
    });
    shown.collect()
}

/// Reads a record, a file of another tool, or a baseline of criterion.
pub(crate) fn load(source: &str, format: Option<Format>) -> Result<Loaded> {
    let path = Path::new(source);
    if path.is_dir() {
        return load_criterion(path, LATEST);
    }
    if !path.exists()
        && let Some((home, baseline)) = source.rsplit_once(':')
    {
        return match home {
            "criterion" => load_criterion(&criterion_home()?, baseline),
            _ => load_criterion(Path::new(home), baseline),
        };
    }
    let text = text_of(path)?;
    if format.is_none() && is_record(&text) {
        return load_record(path);
    }
    let format = format.or_else(|| Format::detect(&text)).with_context(|| {
        format!(
            "cannot tell the format of {source}; name it with `import --format`, known are {}",
            names(false)
        )
    })?;
    let Found {
        measurements,
        warnings,
    } = exchange::read(format, source, &text)?;
    Ok(Loaded {
        what: format!("format `{format}`"),
        measurements,
        warnings,
        environment: None,
    })
}

pub(crate) fn text_of(path: &Path) -> Result<String> {
    let failed = || format!("cannot read {}", path.display());
    let mut bytes = Vec::new();
    let file = File::open(path).with_context(failed)?;
    let mut limited = file.take(FILE_LIMIT + 1);
    limited.read_to_end(&mut bytes).with_context(failed)?;
    ensure!(
        bytes.len() as u64 <= FILE_LIMIT,
        "{} is larger than {} MiB",
        path.display(),
        FILE_LIMIT >> 20
    );
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = valid.iter().filter(|&&byte| byte == b'\n').count() + 1;
        anyhow!("{}:{line}: is not UTF-8 text", path.display())
    })
}

/// Whether the first line is one of a record.
pub(crate) fn is_record(text: &str) -> bool {
    let line: Option<serde_json::Value> = text
        .lines()
        .next()
        .and_then(|line| serde_json::from_str(line).ok());
    line.is_some_and(|line| line.get("schema").is_some() && line.get("kind").is_some())
}

fn load_record(path: &Path) -> Result<Loaded> {
    let read = record::read(path)?;
    let (measurements, mut warnings) = exchange::from_entries(&read.entries);
    let environment = read.entries.iter().find_map(|entry| match entry {
        Entry::Run(run) => Some(run.environment.clone()),
        _ => None,
    });
    if read.truncated {
        warnings.push(format!(
            "{} ends inside a line, which is left out",
            path.display()
        ));
    }
    ensure!(
        !measurements.is_empty(),
        "{} holds no results{}",
        path.display(),
        warnings
            .first()
            .map_or(String::new(), |warning| format!(": {warning}"))
    );
    Ok(Loaded {
        what: RECORD.to_owned(),
        measurements,
        warnings,
        environment,
    })
}

/// The folder that criterion writes to from here.
fn criterion_home() -> Result<PathBuf> {
    if let Some(home) = std::env::var_os("CRITERION_HOME") {
        return Ok(home.into());
    }
    if let Some(target) = std::env::var_os("CARGO_TARGET_DIR") {
        return Ok(Path::new(&target).join("criterion"));
    }
    let workspace = Workspace::find()?;
    let target = workspace.scratch.parent().unwrap_or(&workspace.root);
    Ok(target.join("criterion"))
}

fn load_criterion(home: &Path, baseline: &str) -> Result<Loaded> {
    ensure!(
        home.is_dir(),
        "{} does not exist; give a file, a folder of criterion, or criterion:BASELINE",
        home.display()
    );
    let folders = criterion_output::folders(home, baseline)?;
    ensure!(
        !folders.is_empty(),
        "no benchmark below {} has a baseline `{baseline}`; save one with `cargo bench -- --save-baseline {baseline}`",
        home.display()
    );
    let folders = folders.into_iter().map(criterion_folder);
    let folders = folders.collect::<Result<Vec<_>>>()?;
    let found = exchange::read_criterion(&home.display().to_string(), &folders)?;
    Ok(Loaded {
        what: format!("format `criterion`, baseline `{baseline}`"),
        measurements: found.measurements,
        warnings: found.warnings,
        environment: None,
    })
}

/// What criterion keeps of one benchmark and baseline.
pub(crate) fn criterion_folder(folder: PathBuf) -> Result<Folder> {
    let optional = |path: PathBuf| match path.exists() {
        true => text_of(&path).map(Some),
        false => Ok(None),
    };
    Ok(Folder {
        benchmark: text_of(&folder.join("benchmark.json"))?,
        sample: optional(folder.join("sample.json"))?,
        estimates: optional(folder.join("estimates.json"))?,
        file: folder.display().to_string(),
    })
}
