//! Addresses in the memory of a process → the functions that they lie in, by the symbols of its files.

use std::collections::HashMap;
use std::path::Path;

use bench_harness::sampler::Mapping;
use object::elf::FileHeader64;
use object::read::elf::ElfFile;
use object::{Endianness, Object as _, ObjectSegment as _, ObjectSymbol as _, SymbolKind};

/// The symbols of files, read once each.
#[derive(Default)]
pub(crate) struct Symbols(HashMap<String, Functions>);

/// A function of a program.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    /// Empty where no symbol holds the address.
    pub(crate) name: String,
    /// The name of its file, where that is not the program itself.
    pub(crate) file: Option<String>,
}

impl Symbols {
    /// The function at an address of a process that runs `program`.
    pub(crate) fn place(&mut self, program: &Path, mappings: &[Mapping], address: u64) -> Place {
        let mut mappings = mappings.iter();
        let Some(mapping) = mappings.find(|one| (one.start..one.end).contains(&address)) else {
            return Place {
                name: String::new(),
                file: Some(String::new()),
            };
        };
        let path = Path::new(&mapping.path);
        let functions = self.0.entry(mapping.path.clone()).or_insert_with(|| {
            // What is no file or cannot be read has no symbols.
            let bytes = path.is_absolute().then(|| std::fs::read(path).ok());
            let functions = bytes.flatten().and_then(|bytes| Functions::of(&bytes));
            functions.unwrap_or_default()
        });
        let offset = (address - mapping.start).wrapping_add(mapping.offset);
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        Place {
            name: functions.at(offset).unwrap_or_default(),
            file: (path != program).then(|| name.into_owned()),
        }
    }
}

/// Where the functions of a file are.
#[derive(Default)]
struct Functions {
    /// Parts of the file: where they begin in it, how long they are, and their first address.
    segments: Vec<(u64, u64, u64)>,
    /// First addresses, those behind the last, and symbols; in order.
    all: Vec<(u64, u64, String)>,
}

impl Functions {
    fn of(bytes: &[u8]) -> Option<Self> {
        let file = ElfFile::<FileHeader64<Endianness>>::parse(bytes).ok()?;
        let segments = file.segments().map(|segment| {
            let (offset, length) = segment.file_range();
            (offset, length, segment.address())
        });
        let functions = file
            .symbols()
            .chain(file.dynamic_symbols())
            .filter(|symbol| symbol.kind() == SymbolKind::Text && symbol.size() > 0);
        let mut all: Vec<(u64, u64, String)> = functions
            .filter_map(|symbol| {
                let end = symbol.address().checked_add(symbol.size())?;
                Some((symbol.address(), end, symbol.name().ok()?.to_owned()))
            })
            .collect();
        // Of several names of one function, the one that looks most like what a program calls.
        let inner = |name: &str| name.starts_with('_');
        all.sort_by(|(start, _, one), (other_start, _, other)| {
            let names = (inner(one), one.len(), one).cmp(&(inner(other), other.len(), other));
            start.cmp(other_start).then(names)
        });
        all.dedup_by_key(|(start, ..)| *start);
        Some(Self {
            segments: segments.collect(),
            all,
        })
    }

    /// The function at a place of the file, as a program calls it.
    fn at(&self, offset: u64) -> Option<String> {
        let mut segments = self.segments.iter();
        let (start, _, first) = segments
            .find(|(start, length, _)| (*start..start.saturating_add(*length)).contains(&offset))?;
        let address = (offset - start).wrapping_add(*first);
        let behind = self.all.partition_point(|(start, ..)| *start <= address);
        let (_, end, symbol) = self.all.get(behind.checked_sub(1)?)?;
        let name = || format!("{:#}", rustc_demangle::demangle(symbol));
        (address < *end).then(name)
    }
}

#[cfg(test)]
#[cfg(target_os = "linux")]
mod tests {
    use super::*;

    /// A function that is found by its address.
    #[inline(never)]
    fn known() -> u64 {
        std::hint::black_box(7)
    }

    /// What is mapped where in this process.
    fn mappings() -> Vec<Mapping> {
        let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
        let mapping = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let number = |text| u64::from_str_radix(text, 16).unwrap();
            let (start, end) = fields[0].split_once('-').unwrap();
            Mapping {
                start: number(start),
                end: number(end),
                offset: number(fields[2]),
                path: fields.get(5).copied().unwrap_or_default().to_owned(),
            }
        };
        maps.lines().map(mapping).collect()
    }

    #[test]
    fn function_is_found_wherever_the_program_was_loaded_and_what_is_in_none_has_no_name() {
        let program = std::env::current_exe().unwrap();
        let mappings = mappings();
        let mut symbols = Symbols::default();
        let mut place = |program: &Path, address| symbols.place(program, &mappings, address);
        assert_eq!(known(), 7);
        let address = known as *const () as u64;
        let found = place(&program, address);
        assert_eq!(found.file, None);
        assert!(found.name.ends_with("symbols::tests::known"), "{found:?}");
        // Of another program, it would be one of a library's.
        let other = place(Path::new("/no/such"), address);
        let name = program.file_name().unwrap().to_string_lossy().into_owned();
        assert_eq!((other.name, other.file), (found.name, Some(name)));
        let nowhere = place(&program, 0);
        assert_eq!((&*nowhere.name, nowhere.file), ("", Some(String::new())));
        let stack = std::ptr::from_ref(&address).expose_provenance() as u64;
        assert_eq!(place(&program, stack).name, "");
    }

    #[test]
    fn what_is_no_program_has_no_functions() {
        assert!(Functions::of(b"").is_none());
        assert!(Functions::of(b"\x7fELF garbage").is_none());
    }
}
