//! Links bench binaries again in other orders, because where a linker happens to put code can move
//! a time by more than the change that is looked for.
//!
//! While cargo builds, this program stands in for the linker: it runs it and keeps what it was
//! given, as a kit. A kit is then linked as often as wanted, with the sections of the code in an
//! order that a seed decides, in about the time that the linker takes.
//!
//! Two builds that are compared are linked in the same order, functions of equal size first: what
//! both have in common then lies at the same places in both, and what differs begins at the same
//! place, another one in every order.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, anyhow, bail};
use bench_harness::shuffle;
use object::elf::FileHeader64;
use object::read::elf::ElfFile;
use object::{Endianness, Object as _, ObjectSymbol as _, SymbolKind};
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

/// The functions of two builds, by whether both have them in the same size.
pub(crate) struct Functions {
    same: Vec<String>,
    /// Functions that one lacks, or that have another size.
    other: Vec<String>,
}

/// At most so many functions of equal size come after those that differ: their sizes decide where
/// those begin within a line of the cache.
const AFTER: u64 = 16;

impl Functions {
    /// Reads the functions of two binaries, base and head.
    ///
    /// # Errors
    ///
    /// Fails when one has no symbols.
    pub(crate) fn of(binaries: [&Path; 2]) -> Result<Self> {
        let [base, head] = [sizes(binaries[0])?, sizes(binaries[1])?];
        let mut functions = Self {
            same: Vec::new(),
            other: Vec::new(),
        };
        let added = head.keys().filter(|name| !base.contains_key(*name));
        for name in base.keys().chain(added) {
            match base.get(name) == head.get(name) {
                true => functions.same.push(name.clone()),
                false => functions.other.push(name.clone()),
            }
        }
        Ok(functions)
    }

    /// An order for both, as a file for the linker.
    fn order(&self, seed: u32) -> String {
        let mut same: Vec<&str> = self.same.iter().map(String::as_str).collect();
        let mut other: Vec<&str> = self.other.iter().map(String::as_str).collect();
        shuffle(&mut same, u64::from(seed));
        shuffle(&mut other, u64::from(seed));
        let mut random = oorandom::Rand64::new(u128::from(seed));
        let after = random.rand_range(0..AFTER + 1).min(same.len() as u64) as usize;
        let (before, after) = same.split_at(same.len() - after);
        let mut order = String::new();
        for name in before.iter().chain(&other).chain(after) {
            order.push_str(name);
            order.push('\n');
        }
        order
    }
}

/// The sizes of all functions of a binary; several where a name is that of several functions.
fn sizes(binary: &Path) -> Result<BTreeMap<String, Vec<u64>>> {
    let bytes = crate::workspace::read(binary)?;
    let unreadable = || format!("the symbols of {} cannot be read", binary.display());
    let file = ElfFile::<FileHeader64<Endianness>>::parse(&*bytes).with_context(unreadable)?;
    let mut sizes: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for symbol in file.symbols() {
        if symbol.kind() == SymbolKind::Text && symbol.is_definition() {
            let name = symbol.name().with_context(unreadable)?;
            sizes
                .entry(name.to_owned())
                .or_default()
                .push(symbol.size());
        }
    }
    if sizes.is_empty() {
        bail!(
            "{} has no symbols (`strip` in its profile?)",
            binary.display()
        );
    }
    sizes.values_mut().for_each(|sizes| sizes.sort_unstable());
    Ok(sizes)
}

/// Links the kits of the binaries of two builds with their code in the same order, to `outs`.
///
/// # Errors
///
/// As [`relink`].
pub(crate) fn relink_alike(
    binaries: [&Path; 2],
    functions: &Functions,
    seed: u32,
    outs: [&Path; 2],
) -> Result<()> {
    let order = outs[0].with_extension("order");
    std::fs::write(&order, functions.order(seed))
        .with_context(|| format!("cannot write {}", order.display()))?;
    let option = format!("-Wl,--symbol-ordering-file={}", order.display());
    for (binary, out) in binaries.into_iter().zip(outs) {
        let options = [option.as_str(), "-Wl,--no-warn-symbol-ordering"];
        link(binary, &options, out)?;
    }
    Ok(())
}

/// Links the kit of the binary at `path` with its code in the order of `seed`, to `out`.
///
/// # Errors
///
/// Fails with a sentence when there is no kit, or the linker does not order sections.
pub(crate) fn relink(path: &Path, seed: u32, out: &Path) -> Result<()> {
    link(
        path,
        &[&format!("-Wl,--shuffle-sections=.text*={seed}")],
        out,
    )
}

fn link(path: &Path, options: &[&str], out: &Path) -> Result<()> {
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
        .args(options)
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
    #[cfg(target_os = "linux")]
    fn what_two_builds_share_lies_at_the_same_places_in_both() {
        let folder = tempfile::tempdir().unwrap();
        let build = |name: &str, f7: &str| {
            let functions: String = (0..40)
                .map(|n| match n {
                    7 => f7.to_owned(),
                    _ => format!("int f{n}(int x) {{ return x * {n} + {n}; }}\n"),
                })
                .collect();
            let uses: String = (0..40).map(|n| format!("sum += f{n}(argc);")).collect();
            let main =
                format!("int main(int argc, char**v) {{ int sum = 0; {uses} return sum & 1; }}");
            let source = folder.path().join(format!("{name}.c"));
            std::fs::write(&source, functions + &main).unwrap();
            let object = folder.path().join(format!("{name}.o"));
            let binary = folder.path().join(name);
            let compiled = Command::new("cc")
                .args(["-c", "-O1", "-fno-inline", "-ffunction-sections", "-o"])
                .args([&object, &source])
                .status();
            if !compiled.is_ok_and(|status| status.success()) {
                return None;
            }
            let arguments = [
                "-fuse-ld=lld",
                object.to_str().unwrap(),
                "-o",
                binary.to_str().unwrap(),
            ];
            let arguments = arguments.map(OsString::from);
            let linked = Command::new("cc").args(&arguments).output().unwrap();
            if !linked.status.success() {
                return None;
            }
            let kits = folder.path().join("kits");
            store(OsStr::new("cc"), &arguments, &kits).unwrap();
            keep(&kits.join(name), &beside(&binary)).unwrap();
            Some(binary)
        };
        let base = build("base", "int f7(int x) { return x; }\n");
        let head = build(
            "head",
            "int f7(int x) { for (int n = 0; n < x; n++) x ^= n * x; return x; }\n",
        );
        let (Some(base), Some(head)) = (base, head) else {
            println!("skipped: there is no C compiler, or no lld");
            return;
        };
        let functions = Functions::of([&base, &head]).unwrap();
        assert_eq!(functions.other, ["f7"]);
        let mut starts = Vec::new();
        for seed in 0..4 {
            let outs = ["base", "head"].map(|name| folder.path().join(format!("{name}-{seed}")));
            relink_alike([&base, &head], &functions, seed, [&outs[0], &outs[1]]).unwrap();
            let places = outs.map(|out| {
                let bytes = std::fs::read(out).unwrap();
                let file = ElfFile::<FileHeader64<Endianness>>::parse(&*bytes).unwrap();
                let places = file.symbols().filter_map(|symbol| {
                    let name = symbol.name().ok()?;
                    name.starts_with('f')
                        .then(|| (name.to_owned(), symbol.address()))
                });
                places.collect::<BTreeMap<String, u64>>()
            });
            let moved = places[0]
                .iter()
                .filter(|(name, place)| places[1][*name] != **place);
            assert!(moved.count() <= AFTER as usize, "{places:?}");
            assert_eq!(places[0]["f7"], places[1]["f7"]);
            starts.push(places[0]["f7"]);
        }
        starts.dedup();
        assert!(starts.len() > 1, "{starts:?}");
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
