//! Links bench binaries again in other orders, because where a linker happens to put code can move
//! a time by more than the change that is looked for.
//!
//! While cargo builds, this program stands in for the linker: it runs it and keeps what it was
//! given, as a kit. A kit is then linked as often as wanted, with the sections of the code in an
//! order that a seed decides, in about the time that the linker takes.
//!
//! Two builds that are compared are linked in the same order, functions of equal size first, so that
//! these lie at the same places in both. What differs comes after them, each function behind padding
//! that lets it begin at the same place of a cache line in both, and at another one in every layout:
//! over all [`LAYOUTS`] of a seed it begins at every second byte of a line once. Compilers align
//! functions, and then loops within a function that an edit moved by some bytes lie elsewhere in one
//! build, and in every layout alike; so what a kit keeps of objects has that alignment taken away.
//!
//! Measured before that, with functions aligned to 16 bytes and in another place for each build: a
//! layout moved a walk over 50 nodes by up to 8 % (2-core x86-64 VM, 2026-11).

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};

use anyhow::{Context, Result, anyhow, bail};
use bench_harness::shuffle;
use object::elf::{
    FileHeader64, SHF_ALLOC, SHF_EXECINSTR, SHF_GNU_RETAIN, SHT_PROGBITS, SectionHeader64,
};
use object::read::archive::ArchiveFile;
use object::read::elf::{ElfFile, FileHeader as _};
use object::write;
use object::{
    Architecture, BinaryFormat, Endianness, Object as _, ObjectSection as _, ObjectSymbol as _,
    SectionFlags, SectionKind, SymbolFlags, SymbolKind, SymbolScope,
};
use serde::{Deserialize, Serialize};

/// The first argument of this program when it stands in for the linker.
pub(crate) const KEEP_LINK: &str = "keep-link";

/// Names the folder that kits are kept in.
const KITS: &str = "GEN_BENCHMARKS_KITS";

/// Names the linker that this program stands in for.
const LINKER: &str = "GEN_BENCHMARKS_LINKER";

/// The file of a kit that says how to link it.
const RECIPE: &str = "recipe.json";

/// Layouts of one seed, over which functions that differ begin everywhere in a cache line: enough that
/// what a single one does to a time averages out, and few enough to be linked and launched several
/// times within seconds.
///
/// Of so many launches, more layouts with fewer launches of each say more: with 16 layouts the gate's
/// test has 9 degrees of freedom and asks for 4.3 standard errors, with 32 it has 19 and asks for 3.2.
pub(crate) const LAYOUTS: usize = 32;

/// Bytes of a cache line.
const LINE: usize = 64;

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

/// Moves the kit at `from` to `to`, where the next build does not replace it, and takes the alignment
/// of its functions away.
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
        let (file, kept) = (from.join(&name), to.join(&name));
        let mut bytes = std::fs::read(&file)?;
        match loosen(&mut bytes) {
            true => std::fs::write(&kept, bytes)?,
            false => take(&file, &kept)?,
        }
        argument.replace_range(at.., &to.join(&name).display().to_string());
    }
    std::fs::write(to.join(RECIPE), serde_json::to_vec(&recipe)?)?;
    Ok(())
}

/// Takes the alignment of its functions away from an object, or from those in an archive, as far as
/// their processor permits; false if there was nothing to take.
fn loosen(bytes: &mut [u8]) -> bool {
    let Ok(archive) = ArchiveFile::parse(&*bytes) else {
        return loosen_object(bytes).is_some();
    };
    let members = archive.members().flatten();
    let ranges: Vec<_> = members.map(|member| member.file_range()).collect();
    let mut loosened = false;
    for (begin, size) in ranges {
        // A thin archive only names its members.
        let member = bytes.get_mut(begin as usize..(begin + size) as usize);
        loosened |= member.is_some_and(|member| loosen_object(member).is_some());
    }
    loosened
}

fn loosen_object(bytes: &mut [u8]) -> Option<()> {
    let file = ElfFile::<FileHeader64<Endianness>>::parse(&*bytes).ok()?;
    let least = match file.architecture() {
        // Pointers to member functions in C++ keep a flag in the last bit.
        Architecture::X86_64 => 2,
        Architecture::Aarch64 => 4,
        _ => return None,
    };
    let endian = file.endian();
    let table = file.elf_header().e_shoff(endian) as usize;
    // Whoever asks for more than compilers do by themselves has a reason.
    let functions = file.sections().filter(|section| {
        (least + 1..=16).contains(&section.align())
            && section.name().is_ok_and(|name| name.starts_with(".text."))
    });
    let functions: Vec<usize> = functions.map(|section| section.index().0).collect();
    for &function in &functions {
        let header = table + function * size_of::<SectionHeader64<Endianness>>();
        let header = bytes.get_mut(header..)?;
        let (header, _) = object::from_bytes_mut::<SectionHeader64<Endianness>>(header).ok()?;
        header.sh_addralign.set(endian, least);
    }
    (!functions.is_empty()).then_some(())
}

/// The functions of two builds, by whether both have them in the same size. Each is given by the
/// names of its symbol in the one and in the other, which may differ in their suffix.
pub(crate) struct Functions {
    architecture: Architecture,
    same: Vec<Vec<String>>,
    /// Functions that one lacks, or that have another size.
    other: Vec<Vec<String>>,
}

/// The sizes and names of a function's symbols; several where its name is that of several functions.
#[derive(Default)]
struct Symbols {
    sizes: Vec<u64>,
    names: BTreeSet<String>,
}

impl Functions {
    /// Reads the functions of two binaries, base and head.
    ///
    /// # Errors
    ///
    /// Fails when one has no symbols.
    pub(crate) fn of(binaries: [&Path; 2]) -> Result<Self> {
        let (architecture, base) = symbols(binaries[0])?;
        let (_, mut head) = symbols(binaries[1])?;
        let mut functions = Self {
            architecture,
            same: Vec::new(),
            other: Vec::new(),
        };
        for (name, mut base) in base {
            let head = head.remove(&name).unwrap_or_default();
            base.names.extend(head.names);
            let of = match base.sizes == head.sizes {
                true => &mut functions.same,
                false => &mut functions.other,
            };
            of.push(base.names.into_iter().collect());
        }
        let added = head.into_values();
        functions
            .other
            .extend(added.map(|head| head.names.into_iter().collect()));
        Ok(functions)
    }

    /// A layout for both, one of the [`LAYOUTS`] of a seed: an order as a file for the linker, and an
    /// object with the padding that stands in it.
    fn layout(&self, seed: u32, layout: usize) -> Result<(String, Vec<u8>)> {
        let mut random = oorandom::Rand64::new(u128::from(seed) << 32 | layout as u128);
        let mut same: Vec<&Vec<String>> = self.same.iter().collect();
        shuffle(&mut same, random.rand_u64());
        let mut order: Vec<&str> = same.into_iter().flatten().map(String::as_str).collect();
        let mut other: Vec<usize> = (0..self.other.len()).collect();
        shuffle(&mut other, random.rand_u64());
        // Where those that differ begin besides, among the sets of a cache.
        let lines = random.rand_range(0..64) as usize;
        let begins = other.iter().enumerate().map(|(place, &function)| {
            let mut begins: Vec<usize> = (0..LAYOUTS).collect();
            shuffle(&mut begins, u64::from(seed) << 32 | function as u64);
            let before = if place == 0 { lines * LINE } else { 0 };
            before + begins[layout % LAYOUTS] * LINE / LAYOUTS
        });
        let paddings: Vec<(String, usize)> = begins
            .enumerate()
            .map(|(place, size)| (format!("gen_benchmarks_padding_{place}"), size))
            .collect();
        for ((padding, _), &function) in paddings.iter().zip(&other) {
            order.push(padding);
            order.extend(self.other[function].iter().map(String::as_str));
        }
        Ok((order.join("\n") + "\n", self.padding(&paddings)?))
    }

    /// An object with a section of each size, which begins with a cache line.
    fn padding(&self, paddings: &[(String, usize)]) -> Result<Vec<u8>> {
        let mut object = write::Object::new(
            BinaryFormat::Elf,
            self.architecture,
            object::Endianness::Little,
        );
        for (name, size) in paddings {
            let section = format!(".text.{name}").into_bytes();
            let section = object.add_section(Vec::new(), section, SectionKind::Text);
            object.section_mut(section).flags = SectionFlags::Elf {
                sh_type: SHT_PROGBITS,
                sh_flags: SHF_ALLOC | SHF_EXECINSTR | SHF_GNU_RETAIN,
            };
            // Never executed.
            object.append_section_data(section, &vec![0xcc; *size], LINE as u64);
            object.add_symbol(write::Symbol {
                name: name.clone().into_bytes(),
                value: 0,
                size: *size as u64,
                kind: SymbolKind::Text,
                scope: SymbolScope::Linkage,
                weak: false,
                section: write::SymbolSection::Section(section),
                flags: SymbolFlags::None,
            });
        }
        object.write().context("the padding cannot be written")
    }
}

/// The symbols of all functions of a binary, by their names without the suffix that the compiler
/// numbers a module with, which is another one after every edit of it.
fn symbols(binary: &Path) -> Result<(Architecture, BTreeMap<String, Symbols>)> {
    let bytes = crate::workspace::read(binary)?;
    let unreadable = || format!("the symbols of {} cannot be read", binary.display());
    let file = ElfFile::<FileHeader64<Endianness>>::parse(&*bytes).with_context(unreadable)?;
    let mut functions: BTreeMap<String, Symbols> = BTreeMap::new();
    for symbol in file.symbols() {
        if symbol.kind() == SymbolKind::Text && symbol.is_definition() {
            let name = symbol.name().with_context(unreadable)?;
            let stem = name.split_once(".llvm.").map_or(name, |(stem, _)| stem);
            let function = functions.entry(stem.to_owned()).or_default();
            function.sizes.push(symbol.size());
            function.names.insert(name.to_owned());
        }
    }
    if functions.is_empty() {
        bail!(
            "{} has no symbols (`strip` in its profile?)",
            binary.display()
        );
    }
    for function in functions.values_mut() {
        function.sizes.sort_unstable();
    }
    Ok((file.architecture(), functions))
}

/// Links the kits of the binaries of two builds in the same layout, one of the [`LAYOUTS`] of a seed,
/// to `outs`.
///
/// # Errors
///
/// As [`relink`].
pub(crate) fn relink_alike(
    binaries: [&Path; 2],
    functions: &Functions,
    seed: u32,
    layout: usize,
    outs: [&Path; 2],
) -> Result<()> {
    let (order, padding) = functions.layout(seed, layout)?;
    let [order_file, padding_file] = ["order", "o"].map(|kind| outs[0].with_extension(kind));
    for (file, bytes) in [(&order_file, order.as_bytes()), (&padding_file, &padding)] {
        std::fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let order = format!("-Wl,--symbol-ordering-file={}", order_file.display());
    let padding = padding_file.display().to_string();
    let options = [
        padding.as_str(),
        order.as_str(),
        "-Wl,--no-warn-symbol-ordering",
        // What comes before the code, and how long it is, moves nothing within a page.
        "-Wl,-z,separate-loadable-segments",
    ];
    for (binary, out) in binaries.into_iter().zip(outs) {
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
                .args(["-c", "-O2", "-fno-inline", "-ffunction-sections", "-o"])
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
        assert_eq!(functions.other, [["f7"]]);
        let mut begins = BTreeSet::new();
        let mut lines = BTreeSet::new();
        for layout in 0..LAYOUTS {
            let outs = ["base", "head"].map(|name| folder.path().join(format!("{name}-{layout}")));
            relink_alike([&base, &head], &functions, 3, layout, [&outs[0], &outs[1]]).unwrap();
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
            assert_eq!(places[0], places[1]);
            begins.insert(places[0]["f7"] % LINE as u64);
            lines.insert(places[0]["f7"] / LINE as u64);
        }
        let everywhere: BTreeSet<u64> = (0..LINE as u64).step_by(2).collect();
        assert_eq!(begins, everywhere);
        assert!(lines.len() > 8, "{lines:?}");
    }

    #[test]
    fn functions_of_objects_and_archives_lose_their_alignment() {
        let mut object = write::Object::new(
            BinaryFormat::Elf,
            Architecture::X86_64,
            object::Endianness::Little,
        );
        for (name, align) in [
            (".text.f", 16),
            (".text.g", 64),
            (".text", 16),
            (".data.d", 16),
        ] {
            let section = object.add_section(Vec::new(), name.into(), SectionKind::Text);
            object.append_section_data(section, &[0xc3], align);
        }
        let object = object.write().unwrap();
        let alignments = |bytes: &[u8]| -> Vec<(String, u64)> {
            let file = ElfFile::<FileHeader64<Endianness>>::parse(bytes).unwrap();
            let sections = file.sections().filter(|one| one.data() == Ok(&[0xc3][..]));
            let sections = sections.map(|one| (one.name().unwrap().to_owned(), one.align()));
            sections.collect()
        };
        let loose = [
            (".text.f", 2),
            (".text.g", 64),
            (".text", 16),
            (".data.d", 16),
        ];
        let loose = loose.map(|(name, align)| (name.to_owned(), align));
        // Beside an empty member, at a place that is not a multiple of eight.
        let mut archive = b"!<arch>\n".to_vec();
        for (name, bytes) in [("empty", &[][..]), ("odd", b"ab"), ("object", &object)] {
            let head = format!(
                "{name:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n",
                0,
                0,
                0,
                644,
                bytes.len()
            );
            archive.extend(head.bytes().chain(bytes.iter().copied()));
        }
        let begin = archive.len() - object.len();
        assert_ne!(begin % 8, 0);
        let before = archive.len();
        assert!(loosen(&mut archive));
        assert_eq!(archive.len(), before);
        assert_eq!(alignments(&archive[begin..]), loose);
        let mut alone = object;
        assert!(loosen(&mut alone));
        assert_eq!(alignments(&alone), loose);
        assert!(!loosen(&mut alone), "there is nothing left to take");
        assert!(!loosen(&mut b"\x7fELF, but no object".to_vec()));
    }

    #[test]
    fn functions_are_told_by_names_without_the_number_of_their_module() {
        let symbols = |binary: &[(&str, u64)]| {
            let folder = tempfile::tempdir().unwrap();
            let mut object = write::Object::new(
                BinaryFormat::Elf,
                Architecture::X86_64,
                object::Endianness::Little,
            );
            let section = object.add_section(Vec::new(), b".text".into(), SectionKind::Text);
            for &(name, size) in binary {
                let value = object.append_section_data(section, &vec![0x90; size as usize], 2);
                object.add_symbol(write::Symbol {
                    name: name.into(),
                    value,
                    size,
                    kind: SymbolKind::Text,
                    scope: SymbolScope::Linkage,
                    weak: false,
                    section: write::SymbolSection::Section(section),
                    flags: SymbolFlags::None,
                });
            }
            let path = folder.path().join("binary");
            std::fs::write(&path, object.write().unwrap()).unwrap();
            (folder, path)
        };
        let base = symbols(&[("f.llvm.1", 3), ("g.llvm.1", 4), ("h", 5)]);
        let head = symbols(&[("f.llvm.2", 3), ("g.llvm.2", 6), ("i", 5)]);
        let functions = Functions::of([&base.1, &head.1]).unwrap();
        assert_eq!(functions.same, [["f.llvm.1", "f.llvm.2"]]);
        let other: [&[&str]; 3] = [&["g.llvm.1", "g.llvm.2"], &["h"], &["i"]];
        assert_eq!(functions.other, other);
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
