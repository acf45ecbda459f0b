//! Links bench binaries again in other orders, because where a linker happens to put code can move
//! a time by more than the change that is looked for.
//!
//! While cargo builds, this program stands in for the linker: it runs it and keeps what it was
//! given, as a kit. A kit is then linked as often as wanted, with the sections of the code in an
//! order that a seed decides, in about the time that the linker takes.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, anyhow, bail};
use serde::{Deserialize, Serialize};

/// The first argument of this program when it stands in for the linker.
pub(crate) const KEEP_LINK: &str = "keep-link";

/// Names the folder that kits are kept in.
const KITS: &str = "GEN_BENCHMARKS_KITS";

/// Names the linker that this program stands in for.
const LINKER: &str = "GEN_BENCHMARKS_LINKER";

/// The file of a kit that says how to link it.
const RECIPE: &str = "recipe.json";

/// How a binary is linked.
#[derive(Serialize, Deserialize)]
struct Recipe {
    linker: String,
    folder: PathBuf,
    arguments: Vec<String>,
}

/// The variables that make cargo link through this program and keep kits, where that is possible.
///
/// `folder` is where a script is written for that.
pub(crate) fn variables(folder: &Path, kits: &Path) -> Vec<(String, OsString)> {
    if !cfg!(all(unix, target_os = "linux")) {
        return Vec::new();
    }
    let (Some(host), Ok(program)) = (host(), std::env::current_exe()) else {
        return Vec::new();
    };
    let quoted = program.display().to_string().replace('\'', r"'\''");
    let text = format!("#!/bin/sh\nexec '{quoted}' {KEEP_LINK} \"$@\"\n");
    // rustc tells by the name which arguments a linker understands.
    let script = folder.join("linker/cc");
    let written = crate::publish::write(&script, text.as_bytes()).is_ok() && executable(&script);
    if !written {
        return Vec::new();
    }
    let name = host.to_uppercase().replace(['-', '.'], "_");
    let name = format!("CARGO_TARGET_{name}_LINKER");
    let linker = std::env::var_os(&name).unwrap_or_else(|| "cc".into());
    vec![
        (name, script.into()),
        (KITS.to_owned(), kits.into()),
        (LINKER.to_owned(), linker),
    ]
}

#[cfg(unix)]
fn executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).is_ok()
}

#[cfg(not(unix))]
fn executable(_: &Path) -> bool {
    false
}

/// The platform that cargo builds for.
fn host() -> Option<String> {
    let output = Command::new("rustc").arg("-vV").output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    let mut lines = text.lines();
    lines.find_map(|line| line.strip_prefix("host: ").map(str::to_owned))
}

/// Stands in for the linker: links, and keeps a kit.
pub(crate) fn keep_link(arguments: &[OsString]) -> ExitCode {
    let linker = std::env::var_os(LINKER).unwrap_or_else(|| "cc".into());
    match Command::new(&linker).args(arguments).status() {
        Ok(status) if status.success() => {
            if let Some(kits) = std::env::var_os(KITS) {
                // A kit that cannot be kept is missed when it is wanted.
                let _ = store(&linker, arguments, Path::new(&kits));
            }
            ExitCode::SUCCESS
        }
        Ok(status) => ExitCode::from(status.code().map_or(1, |code| code as u8)),
        Err(error) => {
            eprintln!("cannot run the linker {}: {error}", linker.display());
            ExitCode::FAILURE
        }
    }
}

/// Keeps what was linked as the kit of its output.
fn store(linker: &OsStr, arguments: &[OsString], kits: &Path) -> Result<()> {
    let text = |argument: &OsString| {
        let text = argument.to_str().map(str::to_owned);
        text.context("an argument is not UTF-8")
    };
    let mut arguments = arguments
        .iter()
        .map(text)
        .collect::<Result<Vec<String>>>()?;
    let output = output(&arguments).context("the linker is given no output")?;
    let name = Path::new(&arguments[output])
        .file_name()
        .context("the output has no name")?;
    let kit = kits.join(name);
    let _ = std::fs::remove_dir_all(&kit);
    std::fs::create_dir_all(&kit)?;
    let skipped = output;
    for (number, argument) in arguments.iter_mut().enumerate() {
        if number == skipped {
            continue;
        }
        // `-Wl,--version-script=/tmp/rustcX/list` names a file, too.
        let begin = argument
            .find('/')
            .filter(|_| !argument.starts_with("-L") && !argument.starts_with("-B"));
        let Some(begin) = begin else { continue };
        let file = PathBuf::from(&argument[begin..]);
        if !file.is_file() {
            continue;
        }
        let kept = kit.join(format!(
            "{number}-{}",
            file.file_name().unwrap_or_default().display()
        ));
        take(&file, &kept)?;
        argument.replace_range(begin.., &kept.display().to_string());
    }
    let recipe = Recipe {
        linker: linker
            .to_str()
            .context("the linker's name is not UTF-8")?
            .to_owned(),
        folder: std::env::current_dir()?,
        arguments,
    };
    std::fs::write(kit.join(RECIPE), serde_json::to_vec(&recipe)?)?;
    Ok(())
}

/// The place of the output among the arguments.
fn output(arguments: &[String]) -> Option<usize> {
    let flag = arguments.iter().position(|argument| argument == "-o")?;
    (flag + 1 < arguments.len()).then_some(flag + 1)
}

/// Puts a file into a kit: what builds replace, they do not write into.
fn take(file: &Path, kept: &Path) -> Result<()> {
    if std::fs::hard_link(file, kept).is_err() {
        std::fs::copy(file, kept)?;
    }
    Ok(())
}

/// The folder of the kit of a binary that was copied to `path`.
pub(crate) fn beside(path: &Path) -> PathBuf {
    path.with_extension("kit")
}

/// Moves the kit at `from` to `to`, where the next build does not replace it.
pub(crate) fn keep(from: &Path, to: &Path) -> Result<()> {
    let text = std::fs::read(from.join(RECIPE))?;
    let mut recipe: Recipe = serde_json::from_slice(&text)?;
    std::fs::create_dir_all(to)?;
    let folder = format!("{}/", from.display());
    for argument in &mut recipe.arguments {
        let Some(at) = argument.find(&folder) else {
            continue;
        };
        let name = argument[at + folder.len()..].to_owned();
        take(&from.join(&name), &to.join(&name))?;
        argument.replace_range(at.., &to.join(&name).display().to_string());
    }
    std::fs::write(to.join(RECIPE), serde_json::to_vec(&recipe)?)?;
    Ok(())
}

/// Links the kit of the binary at `path` with its code in the order of `seed`, to `out`.
///
/// # Errors
///
/// Fails with a sentence when there is no kit, or the linker does not order sections.
pub(crate) fn relink(path: &Path, seed: u32, out: &Path) -> Result<()> {
    let kit = beside(path);
    let text = std::fs::read(kit.join(RECIPE))
        .map_err(|_| anyhow!("what {} was linked from was not kept", path.display()))?;
    let mut recipe: Recipe = serde_json::from_slice(&text)?;
    let output = output(&recipe.arguments).context("the kit has no output")?;
    recipe.arguments[output] = out.display().to_string();
    // Its working folder was that of a build that may be gone.
    let folder = if recipe.folder.is_dir() {
        recipe.folder
    } else {
        kit
    };
    let result = Command::new(&recipe.linker)
        .args(&recipe.arguments)
        .arg(format!("-Wl,--shuffle-sections=.text*={seed}"))
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("cannot run {}", recipe.linker))?;
    if !result.status.success() {
        let said = String::from_utf8_lossy(&result.stderr);
        bail!(
            "the linker does not link in another order, which needs lld: {}",
            said.lines().next_back().unwrap_or("no reason given")
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn kept_kit_links_in_other_orders_when_what_it_was_linked_from_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("main.c");
        let functions: String = (0..40)
            .map(|n| format!("int f{n}(void) {{ return {n}; }}\n"))
            .collect();
        std::fs::write(&source, functions + "int main(void) { return 7; }\n").unwrap();
        let object = folder.path().join("main.o");
        let compiled = Command::new("cc")
            .args(["-c", "-ffunction-sections", "-o"])
            .args([&object, &source])
            .status();
        if !compiled.is_ok_and(|status| status.success()) {
            println!("skipped: there is no C compiler");
            return;
        }
        let binary = folder.path().join("deps/program");
        std::fs::create_dir_all(binary.parent().unwrap()).unwrap();
        let kits = folder.path().join("kits");
        let arguments = [
            "-fuse-ld=lld",
            object.to_str().unwrap(),
            "-o",
            binary.to_str().unwrap(),
        ];
        let arguments = arguments.map(OsString::from);
        let linked = Command::new("cc").args(&arguments).output().unwrap();
        if !linked.status.success() {
            println!("skipped: there is no lld");
            return;
        }
        store(OsStr::new("cc"), &arguments, &kits).unwrap();
        keep(&kits.join("program"), &beside(&binary)).unwrap();
        std::fs::remove_dir_all(&kits).unwrap();
        std::fs::remove_file(&object).unwrap();
        let linked = |seed| {
            let out = folder.path().join(format!("layout-{seed}"));
            relink(&binary, seed, &out).unwrap();
            assert_eq!(Command::new(&out).status().unwrap().code(), Some(7));
            std::fs::read(out).unwrap()
        };
        assert_ne!(linked(1), linked(2));
        assert_eq!(linked(3), linked(3));
    }

    #[test]
    fn binary_without_a_kit_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let error = relink(&folder.path().join("bench"), 1, &folder.path().join("out"));
        let error = error.unwrap_err().to_string();
        assert!(
            error.contains("bench was linked from was not kept"),
            "{error}"
        );
    }
}
