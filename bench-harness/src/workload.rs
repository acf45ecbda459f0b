//! A workload of a program, described in a TOML file or recorded, to be replayed on strategies.
//!
//! ```toml
//! [allocation]                # objects, on allocators
//! count = 2_000               # how many a thread allocates in a cycle
//! sizes = [{ bytes = 32, weight = 3 }, { bytes = 200, weight = 1 }]
//! lifetime = "together"       # or "stack", or "random" with `live = 500`
//! threads = 1                 # each does all of it; 1 unless given
//!
//! [interning]                 # strings, on interners
//! count = 100_000             # how many a thread interns in a cycle
//! length = 24                 # bytes of a string
//! hit_ratio = 0.9             # how many of them were interned before in the cycle
//! threads = 1
//! ```
//!
//! Either section may be missing. Instead of `count`, `sizes` and `lifetime`, `[allocation]` may name
//! the [trace](crate::trace) of a program: `trace = "requests.trace"`, relative to the file.

use std::alloc::{GlobalAlloc, Layout};
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, Instant};

use serde::Deserialize;
use toml::Spanned;

use crate::record::ReadError;
use crate::trace::{Blocks, Call, Step, Trace};
use crate::{Group, Input, Lab, Routine, Tally, race};

/// Most objects or strings of a thread in a cycle.
const COUNT_LIMIT: usize = 1_000_000;

/// Largest object.
const BYTES_LIMIT: usize = 1 << 20;

/// Most threads.
const THREADS_LIMIT: usize = 64;

/// Longest string.
const LENGTH_LIMIT: usize = 4_096;

/// Alignment of the objects of a file: that of pointers and numbers.
const ALIGN: usize = 8;

/// What a workload file asks for; at least one of its parts is there.
#[derive(Clone, Debug)]
pub struct Workload {
    /// Objects to allocate.
    pub allocation: Option<Allocation>,
    /// Strings to intern.
    pub interning: Option<Interning>,
}

/// Objects that are allocated and freed in every cycle.
#[derive(Clone, Debug)]
pub struct Allocation {
    name: String,
    /// What a thread does in a cycle.
    trace: Arc<Trace>,
    threads: usize,
    description: String,
}

/// Strings that are interned in every cycle, into a new interner.
#[derive(Clone, Debug)]
pub struct Interning {
    name: String,
    /// The different strings.
    strings: Arc<Vec<String>>,
    /// For every thread, the places of the strings that it interns.
    streams: Arc<Vec<Vec<u32>>>,
    description: String,
}

impl Workload {
    /// Reads a workload file, and the trace that it names.
    ///
    /// # Errors
    ///
    /// Fails with file, line and value when a file cannot be read, is not TOML, or holds keys or
    /// values that mean nothing.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let text = std::fs::read_to_string(path).map_err(|error| ReadError::Io {
            path: path.to_owned(),
            error,
        })?;
        let name = path
            .file_stem()
            .unwrap_or(path.as_os_str())
            .to_string_lossy()
            .into_owned();
        let invalid = |span: Range<usize>, reason: String| ReadError::Line {
            path: path.to_owned(),
            line: text[..span.start.min(text.len())].matches('\n').count() + 1,
            reason,
        };
        let tables: Tables = toml::from_str(&text)
            .map_err(|error| invalid(error.span().unwrap_or(0..0), sentence(error.message())))?;
        if tables.allocation.is_none() && tables.interning.is_none() {
            let reason = "neither [allocation] nor [interning] is here; describe one";
            return Err(invalid(0..0, reason.to_owned()));
        }
        let allocation = match tables.allocation {
            None => None,
            Some(table) => {
                let threads = threads(table.get_ref().threads.as_ref());
                let threads = threads.map_err(|(span, reason)| invalid(span, reason))?;
                let (trace, description) = match &table.get_ref().trace {
                    Some(file) => recorded(path, file, table.get_ref())
                        .map_err(|error| error.or_line(invalid))?,
                    None => made_up(&table).map_err(|(span, reason)| invalid(span, reason))?,
                };
                Some(Allocation {
                    name: name.clone(),
                    trace: Arc::new(trace),
                    threads,
                    description: format!("{description}, on {}", counted(threads, "thread")),
                })
            }
        };
        let interning = match tables.interning {
            None => None,
            Some(table) => {
                Some(interning(name, &table).map_err(|(span, reason)| invalid(span, reason))?)
            }
        };
        Ok(Self {
            allocation,
            interning,
        })
    }
}

impl Allocation {
    /// The group that compares allocators. Several bench files fill it.
    pub fn group<'l>(&self, lab: &'l mut Lab) -> &'l mut Group {
        let group = lab.section("Workload").group(
            "workload/allocation",
            &format!("Which allocator suits the workload {}?", self.name),
        );
        group
            .work(&format!("A cycle is {}. The first and the last byte of an object are written and read again; reading what to do next takes all allocators the same time. Arenas free nothing before the end of a cycle and keep their memory for the next; what they hold is in the peak.", self.description))
            .axis("workload")
            .unit("object")
            .per_element()
            .baseline("system");
        group
    }

    /// The x position of the only input.
    pub fn input(&self) -> Input {
        Input::new(&self.name, (self.trace.blocks() * self.threads) as u64)
    }

    /// Cycles of the workload on allocators that `make` makes, one for each thread.
    ///
    /// `end` ends a cycle, after everything is freed. Making and dropping the allocator are part of
    /// the time, once for all cycles of a sample.
    ///
    /// # Panics
    ///
    /// The routine panics when an object loses its content, or no memory is left.
    pub fn cycles<M: GlobalAlloc>(
        &self,
        make: impl Fn() -> M + Sync + 'static,
        end: impl Fn(&mut M) + Sync + 'static,
    ) -> Routine {
        let (trace, threads) = (Arc::clone(&self.trace), self.threads);
        let looks = trace.looks();
        let blocks: Vec<Mutex<Blocks>> = (0..threads)
            .map(|_| Mutex::new(Blocks::of(&trace)))
            .collect();
        Routine::timed(
            move |iterations| {
                together(threads, |thread| {
                    let mut blocks = lock(&blocks[thread]);
                    let mut memory = make();
                    let mut right = 0;
                    for _ in 0..iterations {
                        right += u64::from(trace.replay(&memory, &mut blocks) == looks);
                        end(&mut memory);
                    }
                    right == iterations
                })
            },
            |right| {
                assert!(
                    right.iter().all(|&right| right),
                    "objects lose their content"
                )
            },
        )
    }
}

impl Interning {
    /// The group that compares interners. `left_out` are strategies that cannot serve it, each with
    /// the reason; `baseline` is the plain way.
    pub fn group<'l>(
        &self,
        lab: &'l mut Lab,
        baseline: &str,
        left_out: &[(&str, &str)],
    ) -> &'l mut Group {
        let left_out: String = left_out
            .iter()
            .map(|(strategy, reason)| format!(" Left out: `{strategy}`, because {reason}."))
            .collect();
        let group = lab.section("Workload").group(
            "workload/interning",
            &format!("Which interner suits the workload {}?", self.name),
        );
        group
            .work(&format!("A cycle is a new interner and {}. Making and dropping the interner is not timed.{left_out}", self.description))
            .axis("workload")
            .unit("string")
            .per_element()
            .baseline(baseline);
        group
    }

    /// The x position of the only input.
    pub fn input(&self) -> Input {
        let strings: usize = self.streams.iter().map(Vec::len).sum();
        Input::new(&self.name, strings as u64)
    }

    /// Number of threads that share the interner.
    pub fn threads(&self) -> usize {
        self.streams.len()
    }

    /// Cycles of a workload of one thread on interners that `make` makes.
    ///
    /// `intern` returns the index of the symbol of a string, and `len` how many strings the interner
    /// has.
    ///
    /// # Panics
    ///
    /// The routine panics when the workload has several [`threads`](Self::threads).
    pub fn cycles<I>(
        &self,
        make: impl Fn() -> I + 'static,
        intern: impl Fn(&mut I, &str) -> usize + 'static,
        len: impl Fn(&I) -> usize + 'static,
    ) -> Routine {
        self.rounds(
            make,
            move |interner, strings, streams| {
                let [(stream, symbols)] = streams else {
                    panic!("an interner for one thread is given {}", streams.len());
                };
                let mut symbols = lock(symbols);
                let start = Instant::now();
                for (symbol, &place) in symbols.iter_mut().zip(stream) {
                    *symbol = intern(interner, &strings[place as usize]);
                }
                start.elapsed()
            },
            len,
        )
    }

    /// The same on interners that any number of threads share.
    pub fn shared_cycles<I: Sync>(
        &self,
        make: impl Fn() -> I + 'static,
        intern: impl Fn(&I, &str) -> usize + Sync + 'static,
        len: impl Fn(&I) -> usize + 'static,
    ) -> Routine {
        self.rounds(
            make,
            move |interner, strings, streams| {
                let interner = &*interner;
                let work = |thread: usize| {
                    let (stream, symbols) = &streams[thread];
                    let mut symbols = lock(symbols);
                    for (symbol, &place) in symbols.iter_mut().zip(stream) {
                        *symbol = intern(interner, &strings[place as usize]);
                    }
                };
                together(streams.len(), work).0
            },
            len,
        )
    }

    /// Makes an interner, lets `run` fill it and say how long that took, and looks at the symbols,
    /// again and again.
    fn rounds<I>(
        &self,
        make: impl Fn() -> I + 'static,
        run: impl Fn(&mut I, &[String], &[Stream]) -> Duration + 'static,
        len: impl Fn(&I) -> usize + 'static,
    ) -> Routine {
        let strings = Arc::clone(&self.strings);
        let stream = |places: &Vec<u32>| (places.clone(), Mutex::new(vec![0; places.len()]));
        let streams: Vec<Stream> = self.streams.iter().map(stream).collect();
        Routine::timed(
            move |iterations| {
                let (mut elapsed, mut right) = (Duration::ZERO, true);
                for _ in 0..iterations {
                    let mut interner = make();
                    elapsed += run(&mut interner, &strings, &streams);
                    right &= len(&interner) == strings.len()
                        && Tally::pause(|| agree(strings.len(), &streams));
                }
                (elapsed, right)
            },
            |right| {
                assert!(
                    right,
                    "equal strings have equal symbols and others have others"
                )
            },
        )
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("no thread panics")
}

/// What a thread interns: the places of the strings, and room for their symbols.
type Stream = (Vec<u32>, Mutex<Vec<usize>>);

/// Whether each of the strings got one symbol, its own and below their number.
fn agree(strings: usize, streams: &[Stream]) -> bool {
    let mut symbol_of = vec![None; strings];
    let mut given = vec![false; strings];
    streams.iter().all(|(places, symbols)| {
        let symbols = lock(symbols);
        places.iter().zip(&*symbols).all(|(&place, &symbol)| {
            let known = &mut symbol_of[place as usize];
            if known.is_some() {
                return *known == Some(symbol);
            }
            *known = Some(symbol);
            let given = given.get_mut(symbol);
            given.is_some_and(|given| !std::mem::replace(given, true))
        })
    })
}

/// Runs `work` on threads that start together; a single one is this thread.
fn together<T: Send>(threads: usize, work: impl Fn(usize) -> T + Sync) -> (Duration, Vec<T>) {
    if threads > 1 {
        return race(threads, work);
    }
    let start = Instant::now();
    let result = work(0);
    (start.elapsed(), vec![result])
}

/// The file as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Tables {
    allocation: Option<Spanned<AllocationTable>>,
    interning: Option<Spanned<InterningTable>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AllocationTable {
    trace: Option<Spanned<String>>,
    count: Option<Spanned<i64>>,
    sizes: Option<Spanned<Vec<SizeTable>>>,
    lifetime: Option<Spanned<String>>,
    live: Option<Spanned<i64>>,
    threads: Option<Spanned<i64>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SizeTable {
    bytes: Spanned<i64>,
    weight: Spanned<i64>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct InterningTable {
    count: Option<Spanned<i64>>,
    length: Option<Spanned<i64>>,
    hit_ratio: Option<Spanned<f64>>,
    threads: Option<Spanned<i64>>,
}

/// What is wrong with a value, and where in the file.
type Fault = (Range<usize>, String);

/// A key of a table, or a fault that says that it is missing.
fn required<'t, V, T>(value: Option<&'t V>, key: &str, table: &Spanned<T>) -> Result<&'t V, Fault> {
    value.ok_or_else(|| (table.span(), format!("`{key}` is missing in this section")))
}

/// A number that must lie between two others.
fn number(value: &Spanned<i64>, key: &str, range: Range<usize>) -> Result<usize, Fault> {
    let found = *value.get_ref();
    match usize::try_from(found) {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err((
            value.span(),
            format!("{key} = {found}; give {} to {}", range.start, range.end - 1),
        )),
    }
}

fn threads(value: Option<&Spanned<i64>>) -> Result<usize, Fault> {
    value.map_or(Ok(1), |threads| {
        number(threads, "threads", 1..THREADS_LIMIT + 1)
    })
}

/// The trace that a program left behind, or why it is none.
fn recorded(
    path: &Path,
    file: &Spanned<String>,
    table: &AllocationTable,
) -> Result<(Trace, String), TraceFault> {
    let others = [
        table.count.as_ref().map(Spanned::span),
        table.sizes.as_ref().map(Spanned::span),
        table.lifetime.as_ref().map(Spanned::span),
        table.live.as_ref().map(Spanned::span),
    ];
    if let Some(span) = others.into_iter().flatten().next() {
        let reason = "a section with `trace` has no `count`, `sizes`, `lifetime` or `live`; leave out one or the other";
        return Err(TraceFault::Here((span, reason.to_owned())));
    }
    let trace = path.parent().unwrap_or(Path::new("")).join(file.get_ref());
    let trace = Trace::read(&trace).map_err(TraceFault::There)?;
    if trace.blocks() == 0 {
        let reason = format!(
            "trace = \"{}\" allocates nothing; record more",
            file.get_ref()
        );
        return Err(TraceFault::Here((file.span(), reason)));
    }
    let missed = match trace.missed() {
        0 => String::new(),
        missed => format!(" ({missed} later calls are not in it)"),
    };
    let description = format!(
        "the trace `{}`: {} of {}{missed}, replayed in their order",
        file.get_ref(),
        counted(trace.calls(), "call"),
        counted(trace.threads(), "thread"),
    );
    Ok((trace, description))
}

/// What is wrong with a trace: how it is named, or what is in it.
enum TraceFault {
    Here(Fault),
    There(ReadError),
}

impl TraceFault {
    fn or_line(self, invalid: impl Fn(Range<usize>, String) -> ReadError) -> ReadError {
        match self {
            Self::Here((span, reason)) => invalid(span, reason),
            Self::There(error) => error,
        }
    }
}

/// A trace with the sizes and lifetimes that a section describes.
fn made_up(table: &Spanned<AllocationTable>) -> Result<(Trace, String), Fault> {
    let keys = table.get_ref();
    let count = required(keys.count.as_ref(), "count", table)?;
    let count = number(count, "count", 1..COUNT_LIMIT + 1)?;
    let sizes = required(keys.sizes.as_ref(), "sizes", table)?;
    let mut weighted = Vec::new();
    for size in sizes.get_ref() {
        let bytes = number(&size.bytes, "bytes", 1..BYTES_LIMIT + 1)?;
        let weight = number(&size.weight, "weight", 1..COUNT_LIMIT + 1)?;
        let layout = Layout::from_size_align(bytes, ALIGN).expect("far from overflow");
        weighted.push((layout, weight as u64));
    }
    if weighted.is_empty() {
        let reason = "sizes = []; give at least one, as in [{ bytes = 64, weight = 1 }]";
        return Err((sizes.span(), reason.to_owned()));
    }
    let lifetime = required(keys.lifetime.as_ref(), "lifetime", table)?;
    let mut random = oorandom::Rand64::new(1);
    let total: u64 = weighted.iter().map(|(_, weight)| weight).sum();
    let sizes: Vec<Layout> = (0..count)
        .map(|_| {
            let mut left = random.rand_range(0..total);
            let size = weighted.iter().find(|(_, weight)| {
                let found = left < *weight;
                left = left.saturating_sub(*weight);
                found
            });
            size.expect("the weights sum to the total").0
        })
        .collect();
    if let Some(live) = &keys.live
        && lifetime.get_ref() != "random"
    {
        let reason = format!(
            "live = {} means something with lifetime = \"random\" only",
            live.get_ref()
        );
        return Err((live.span(), reason));
    }
    let (steps, freed) = match lifetime.get_ref().as_str() {
        "together" => (freed_together(&sizes), "freed together".to_owned()),
        "stack" => (
            freed_as_stack(&sizes, &mut random),
            "the youngest freed first".to_owned(),
        ),
        "random" => {
            let live = required(keys.live.as_ref(), "live", table)?;
            let live = number(live, "live", 1..count + 1)?;
            (
                freed_at_random(&sizes, live, &mut random),
                format!("freed in random order, {live} live"),
            )
        }
        other => {
            let reason =
                format!("lifetime = \"{other}\"; give \"together\", \"stack\" or \"random\"");
            return Err((lifetime.span(), reason));
        }
    };
    let calls = steps.into_iter().map(|step| Call { step, thread: 0 });
    let mean = sizes.iter().map(Layout::size).sum::<usize>() / count;
    let description = format!(
        "{} of {mean} bytes in the mean, {freed}",
        counted(count, "object")
    );
    Ok((Trace::new(calls, 0), description))
}

fn freed_together(sizes: &[Layout]) -> Vec<Step> {
    let allocations = sizes.iter().map(|&layout| Step::Allocate(layout));
    let frees = (0..sizes.len() as u32).map(|block| Step::Free { block });
    allocations.chain(frees).collect()
}

/// Pushes and pops with equal chances, as calls and returns of a program do.
fn freed_as_stack(sizes: &[Layout], random: &mut oorandom::Rand64) -> Vec<Step> {
    let mut steps = Vec::with_capacity(2 * sizes.len());
    let mut stack = Vec::new();
    for (block, &layout) in (0..).zip(sizes) {
        steps.push(Step::Allocate(layout));
        stack.push(block);
        while random.rand_range(0..2) == 0
            && let Some(block) = stack.pop()
        {
            steps.push(Step::Free { block });
        }
    }
    steps.extend(stack.into_iter().rev().map(|block| Step::Free { block }));
    steps
}

/// Frees an object at random for each that is allocated, once `live` are.
fn freed_at_random(sizes: &[Layout], live: usize, random: &mut oorandom::Rand64) -> Vec<Step> {
    let mut steps = Vec::with_capacity(2 * sizes.len());
    let mut blocks = Vec::with_capacity(live);
    for (block, &layout) in (0..).zip(sizes) {
        if blocks.len() == live {
            let victim = random.rand_range(0..live as u64) as usize;
            let block = blocks.swap_remove(victim);
            steps.push(Step::Free { block });
        }
        steps.push(Step::Allocate(layout));
        blocks.push(block);
    }
    crate::shuffle(&mut blocks, 1);
    steps.extend(blocks.into_iter().map(|block| Step::Free { block }));
    steps
}

/// What every string begins with, as far as it has room.
const PREFIX: &str = "service.eu-central-1.worker.";

fn interning(name: String, table: &Spanned<InterningTable>) -> Result<Interning, Fault> {
    let keys = table.get_ref();
    let count = required(keys.count.as_ref(), "count", table)?;
    let count = number(count, "count", 1..COUNT_LIMIT + 1)?;
    let length = required(keys.length.as_ref(), "length", table)?;
    let bytes = number(length, "length", 1..LENGTH_LIMIT + 1)?;
    let hit_ratio = required(keys.hit_ratio.as_ref(), "hit_ratio", table)?;
    let hits = *hit_ratio.get_ref();
    if !(0.0..=1.0).contains(&hits) {
        let reason = format!("hit_ratio = {hits}; give 0.0 to 1.0");
        return Err((hit_ratio.span(), reason));
    }
    let threads = threads(keys.threads.as_ref())?;
    let all = count * threads;
    let different = (((1.0 - hits) * all as f64).round() as usize).max(1);
    let digits = (different - 1).max(1).ilog10() as usize + 1;
    if bytes < digits {
        let reason = format!(
            "length = {bytes} is too short for {different} different strings; give {digits} or more"
        );
        return Err((length.span(), reason));
    }
    let prefix: String = PREFIX.chars().cycle().take(bytes - digits).collect();
    let strings = (0..different).map(|number| format!("{prefix}{number:0digits$}"));
    // Which of the strings are new when their turn comes; the first must be.
    let mut new = vec![false; all];
    new[..different].fill(true);
    crate::shuffle(&mut new[1..], 1);
    let mut random = oorandom::Rand64::new(1);
    let mut known = 0;
    let mut streams = vec![Vec::with_capacity(count); threads];
    for (turn, new) in new.into_iter().enumerate() {
        let place = match new {
            true => {
                known += 1;
                known - 1
            }
            false => random.rand_range(0..known),
        };
        streams[turn % threads].push(place as u32);
    }
    let description = format!(
        "{} of {bytes} bytes interned on {}, {different} of them different",
        counted(all, "string"),
        counted(threads, "thread"),
    );
    Ok(Interning {
        name,
        strings: Arc::new(strings.collect()),
        streams: Arc::new(streams),
        description,
    })
}

/// A number with its noun: `1 thread`, `2 threads`.
fn counted(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

/// A message of the TOML reader on one line.
fn sentence(message: &str) -> String {
    message.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read_text(text: &str) -> Result<Workload, ReadError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mine.toml");
        std::fs::write(&path, text).unwrap();
        let trace = "perf-lab allocations 1\na 64 8 0\nr 0 128 1\nend 0\n";
        std::fs::write(folder.path().join("t.trace"), trace).unwrap();
        std::fs::write(
            folder.path().join("empty.trace"),
            "perf-lab allocations 1\nend 0\n",
        )
        .unwrap();
        std::fs::write(
            folder.path().join("bad.trace"),
            "perf-lab allocations 1\nf 3 0\n",
        )
        .unwrap();
        Workload::read(&path)
    }

    /// Checks that the text is refused at `place`, with `reason`.
    #[track_caller]
    fn check_refused(text: &str, place: &str, reason: &str) {
        let error = read_text(text).unwrap_err().to_string();
        assert!(error.contains(place), "{error}");
        assert!(error.contains(reason), "{error}");
        assert!(!error.contains('\n'), "{error}");
    }

    const SIZES: &str = "sizes = [{ bytes = 10, weight = 3 }, { bytes = 100, weight = 1 }]";

    fn objects(lifetime: &str) -> Allocation {
        let text = format!("[allocation]\ncount = 1000\n{SIZES}\nlifetime = {lifetime}");
        read_text(&text).unwrap().allocation.unwrap()
    }

    /// Most objects that are live at once, and how many are allocated and freed.
    fn levels(trace: &Trace) -> (usize, usize, usize) {
        let (mut live, mut most, mut freed) = (0, 0, 0);
        for step in trace.steps() {
            match step {
                Step::Allocate(_) => live += 1,
                Step::Free { .. } => {
                    live -= 1;
                    freed += 1;
                }
                Step::Reallocate { .. } => {}
            }
            most = most.max(live);
        }
        (most, trace.blocks(), freed)
    }

    #[test]
    fn lifetimes_free_all_objects_and_keep_as_many_as_they_say() {
        assert_eq!(
            levels(&objects("\"together\"").trace),
            (1_000, 1_000, 1_000)
        );
        assert_eq!(
            levels(&objects("\"random\"\nlive = 50").trace),
            (50, 1_000, 1_000)
        );
        let (most, allocated, freed) = levels(&objects("\"stack\"").trace);
        assert_eq!((allocated, freed), (1_000, 1_000));
        assert!((2..500).contains(&most), "{most}");
    }

    #[test]
    fn stack_frees_the_youngest() {
        let (mut stack, mut next) = (Vec::new(), 0);
        for step in objects("\"stack\"").trace.steps() {
            match step {
                Step::Allocate(_) => {
                    stack.push(next);
                    next += 1;
                }
                Step::Free { block } => assert_eq!(stack.pop(), Some(block)),
                Step::Reallocate { .. } => unreachable!("nothing grows"),
            }
        }
    }

    #[test]
    fn sizes_come_up_by_their_weight() {
        let trace = &objects("\"together\"").trace;
        let small = trace
            .steps()
            .filter(|step| matches!(step, Step::Allocate(layout) if layout.size() == 10))
            .count();
        // 750 expected; five standard deviations are 68.
        assert!((682..818).contains(&small), "{small}");
    }

    #[test]
    fn hits_are_as_many_as_the_ratio_says_and_nothing_is_known_before_it_is_new() {
        for threads in [1, 3] {
            let text = format!(
                "[interning]\ncount = 1000\nlength = 12\nhit_ratio = 0.9\nthreads = {threads}"
            );
            let interning = read_text(&text).unwrap().interning.unwrap();
            assert_eq!(interning.strings.len(), 100 * threads);
            assert!(interning.strings.iter().all(|string| string.len() == 12));
            let mut seen = 0;
            for turn in 0..1_000 * threads {
                let place = interning.streams[turn % threads][turn / threads];
                assert!(place <= seen, "string {place} after {seen}");
                seen = seen.max(place + 1);
            }
            assert_eq!(seen as usize, 100 * threads);
        }
    }

    #[test]
    fn trace_is_found_beside_the_file_and_described() {
        let workload = read_text("[allocation]\ntrace = \"t.trace\"\nthreads = 2").unwrap();
        let allocation = workload.allocation.unwrap();
        assert_eq!(
            allocation.description,
            "the trace `t.trace`: 2 calls of 2 threads, replayed in their order, on 2 threads"
        );
    }

    #[test]
    fn bad_files_are_named_with_line_and_value() {
        check_refused("", "mine.toml:1: ", "neither [allocation] nor [interning]");
        check_refused("[allocation]\ncuont = 1", ":2: ", "unknown field `cuont`");
        check_refused("[alocation]", ":1: ", "unknown field `alocation`");
        check_refused("\n[allocation", ":2: ", "unclosed table");
        check_refused("[allocation]\ncount = \"many\"", ":2: ", "\"many\"");
        check_refused(
            "[allocation]\ncount = 0",
            ":2: ",
            "count = 0; give 1 to 1000000",
        );
        check_refused("[allocation]\ncount = 7", ":1: ", "`sizes` is missing");
        let sizes = "[allocation]\ncount = 7\nlifetime = \"stack\"\nsizes = ";
        check_refused(&format!("{sizes}[]"), ":4: ", "sizes = []");
        check_refused(
            &format!("{sizes}[{{ bytes = 8, weight = 1 }},\n{{ bytes = -8, weight = 1 }}]"),
            ":5: ",
            "bytes = -8",
        );
        let lifetime = format!("[allocation]\ncount = 7\n{SIZES}\nlifetime = ");
        check_refused(
            &format!("{lifetime}\"long\""),
            ":4: ",
            "lifetime = \"long\"",
        );
        check_refused(
            &format!("{lifetime}\"random\""),
            ":1: ",
            "`live` is missing",
        );
        check_refused(
            &format!("{lifetime}\"random\"\nlive = 8"),
            ":5: ",
            "live = 8; give 1 to 7",
        );
        check_refused(
            &format!("{lifetime}\"stack\"\nlive = 3"),
            ":5: ",
            "live = 3 means something",
        );
        check_refused(
            "[allocation]\nthreads = 65",
            ":2: ",
            "threads = 65; give 1 to 64",
        );
        let strings = "[interning]\ncount = 100\nlength = ";
        check_refused(
            &format!("{strings}1\nhit_ratio = 0.5"),
            ":3: ",
            "length = 1 is too short for 50",
        );
        check_refused(
            &format!("{strings}9\nhit_ratio = 1.5"),
            ":4: ",
            "hit_ratio = 1.5",
        );
    }

    #[test]
    fn bad_traces_are_named_where_they_are() {
        let trace = |name| format!("[allocation]\ntrace = \"{name}.trace\"");
        check_refused(&trace("missing"), "missing.trace", "cannot read");
        check_refused(&trace("bad"), "bad.trace:2: ", "block 3 is not allocated");
        check_refused(&trace("empty"), "mine.toml:2: ", "allocates nothing");
        check_refused(&format!("{}\ncount = 3", trace("t")), ":3: ", "leave out");
    }

    #[test]
    fn wrong_symbols_are_noticed() {
        let stream = |symbols: [usize; 4]| (vec![0, 1, 0, 2], Mutex::new(symbols.to_vec()));
        assert!(agree(3, &[stream([2, 0, 2, 1])]));
        assert!(
            !agree(3, &[stream([2, 0, 1, 1])]),
            "a string got two symbols"
        );
        assert!(
            !agree(3, &[stream([2, 0, 2, 0])]),
            "two strings got one symbol"
        );
        assert!(!agree(3, &[stream([3, 0, 3, 1])]), "a symbol is too large");
        assert!(
            !agree(3, &[stream([2, 0, 2, 1]), stream([1, 0, 1, 2])]),
            "threads disagree"
        );
    }
}
