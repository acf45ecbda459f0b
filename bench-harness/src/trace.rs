//! What a program allocates and frees, call by call: written by [`Recorder`](crate::Recorder), made
//! up from a workload file, and replayed on any allocator.
//!
//! # Format
//!
//! A text file, one call a line, in the order in which the calls took effect:
//!
//! ```text
//! perf-lab allocations 1
//! a 64 8 0
//! r 0 128 1
//! f 0 1
//! end 0
//! ```
//!
//! | line | means |
//! |---|---|
//! | `perf-lab allocations 1` | the first line: what this is, and the version of the format |
//! | `a BYTES ALIGN THREAD` | a block is allocated; the first block has id 0, the next 1 |
//! | `r ID BYTES THREAD` | block `ID` gets another size and keeps its id |
//! | `f ID THREAD` | block `ID` is freed |
//! | `end MISSED` | the last line: how many later calls were not recorded, for want of room |
//!
//! Threads are numbered from 0 in the order in which they first appear. Blocks that are never freed
//! outlived the recording.

use std::alloc::{GlobalAlloc, Layout};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::path::Path;
use std::ptr;

use crate::record::ReadError;

/// First line of the format that is written; readers refuse others.
const HEADER: &str = "perf-lab allocations 1";

/// Most calls of a trace. They are all in memory while they are replayed.
pub(crate) const CALLS_LIMIT: usize = 1 << 22;

/// Largest block that a trace may hold.
pub(crate) const BYTES_LIMIT: usize = 1 << 30;

/// Largest alignment that a trace may hold.
pub(crate) const ALIGN_LIMIT: usize = 1 << 16;

/// Calls of an allocator, in the order in which they took effect.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace {
    steps: Vec<Packed>,
    /// Who made them.
    threads: Vec<u32>,
    blocks: usize,
    /// Calls after these that were not recorded.
    missed: u64,
}

/// What is done, and by which thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) step: Step,
    pub(crate) thread: u32,
}

/// What is done. Blocks are numbered in the order in which they are allocated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Allocate(Layout),
    Reallocate { block: u32, bytes: usize },
    Free { block: u32 },
}

/// A step in 8 bytes, because reading it is part of the time of a replay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Packed {
    /// What is done in the two lowest bits, above them the block or the alignment.
    what: u32,
    bytes: u32,
}

impl Packed {
    const ALLOCATE: u32 = 0;
    const REALLOCATE: u32 = 1;
    const FREE: u32 = 2;

    fn new(step: Step) -> Self {
        // Sizes, alignments and numbers of blocks are limited.
        let packed = |kind, rest: u32, bytes| Self {
            what: kind | rest << 2,
            bytes: bytes as u32,
        };
        match step {
            Step::Allocate(layout) => packed(Self::ALLOCATE, layout.align() as u32, layout.size()),
            Step::Reallocate { block, bytes } => packed(Self::REALLOCATE, block, bytes),
            Step::Free { block } => packed(Self::FREE, block, 0),
        }
    }

    #[inline]
    fn step(self) -> Step {
        let (rest, bytes) = (self.what >> 2, self.bytes as usize);
        match self.what & 3 {
            Self::ALLOCATE => {
                // SAFETY: `new` took both from a layout.
                Step::Allocate(unsafe { Layout::from_size_align_unchecked(bytes, rest as usize) })
            }
            Self::REALLOCATE => Step::Reallocate { block: rest, bytes },
            _ => Step::Free { block: rest },
        }
    }
}

impl Trace {
    /// A trace of valid calls: blocks are named only while they are allocated, and sizes and
    /// alignments are within the limits.
    pub(crate) fn new(calls: impl IntoIterator<Item = Call>, missed: u64) -> Self {
        let mut trace = Self {
            missed,
            ..Self::default()
        };
        for Call { step, thread } in calls {
            trace.blocks += usize::from(matches!(step, Step::Allocate(_)));
            trace.steps.push(Packed::new(step));
            trace.threads.push(thread);
        }
        trace
    }

    /// Number of blocks that are allocated.
    pub fn blocks(&self) -> usize {
        self.blocks
    }

    /// Number of calls: allocations, reallocations and frees.
    pub fn calls(&self) -> usize {
        self.steps.len()
    }

    /// Number of calls after these that were not recorded, because a trace has no room for more
    /// than about 4 million.
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// Number of threads that made the calls. Takes O([`calls`](Self::calls)) time.
    pub fn threads(&self) -> usize {
        let last = self.threads.iter().max();
        last.map_or(0, |last| *last as usize + 1)
    }

    /// Writes the trace in the format of this module.
    ///
    /// # Errors
    ///
    /// Fails when the file cannot be created or written.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let mut file = BufWriter::new(File::create(path)?);
        writeln!(file, "{HEADER}")?;
        for (step, thread) in self.steps().zip(&self.threads) {
            match step {
                Step::Allocate(layout) => {
                    writeln!(file, "a {} {} {thread}", layout.size(), layout.align())?;
                }
                Step::Reallocate { block, bytes } => {
                    writeln!(file, "r {block} {bytes} {thread}")?;
                }
                Step::Free { block } => writeln!(file, "f {block} {thread}")?,
            }
        }
        writeln!(file, "end {}", self.missed)?;
        file.flush()
    }

    /// Reads a trace.
    ///
    /// # Errors
    ///
    /// Fails with file and line when the file cannot be read, is no trace of this version or ends
    /// early, or when a line names a block that is not allocated at that time.
    pub fn read(path: &Path) -> Result<Self, ReadError> {
        let io = |error| ReadError::Io {
            path: path.to_owned(),
            error,
        };
        let mut calls = Vec::new();
        // Whether a block is allocated.
        let mut live = Vec::new();
        let mut last = 0;
        for (number, line) in (1..).zip(BufReader::new(File::open(path).map_err(io)?).lines()) {
            let invalid = |reason| ReadError::Line {
                path: path.to_owned(),
                line: number,
                reason,
            };
            let line = line.map_err(|error| match error.kind() {
                io::ErrorKind::InvalidData => invalid("the line is not UTF-8".to_owned()),
                _ => io(error),
            })?;
            last = number;
            if number == 1 {
                if line != HEADER {
                    return Err(invalid(format!(
                        "not a trace that this version reads; its first line is `{HEADER}`"
                    )));
                }
                continue;
            }
            if let Some(missed) = line.strip_prefix("end ") {
                let missed = missed.parse().map_err(|_| invalid(not_a_call(&line)))?;
                return Ok(Self::new(calls, missed));
            }
            if calls.len() == CALLS_LIMIT {
                return Err(invalid(format!(
                    "more than {CALLS_LIMIT} calls; cut the trace and end it with `end 0`"
                )));
            }
            calls.push(parse(&line, &mut live).map_err(invalid)?);
        }
        Err(ReadError::Line {
            path: path.to_owned(),
            line: last,
            reason: "the trace ends without its last line, `end 0`; record it again".to_owned(),
        })
    }

    /// Makes all calls on `memory`, by this thread; frees at the end what is still allocated.
    ///
    /// The first and the last byte of a block are written when it is allocated and looked at when it
    /// is freed. Returns how many looks found what was written: as many as there are blocks and
    /// reallocations, unless blocks overlap or lose their content.
    ///
    /// # Panics
    ///
    /// Panics when `memory` has no memory left.
    pub fn replay(&self, memory: &impl GlobalAlloc, blocks: &mut Blocks) -> usize {
        let blocks = &mut blocks.0;
        blocks.clear();
        let mut whole = 0;
        for step in self.steps() {
            match step {
                Step::Allocate(layout) => {
                    // SAFETY: a trace holds no layout of size 0.
                    let start = unsafe { memory.alloc(layout) };
                    blocks.push(Block::mark(start, layout, blocks.len()));
                }
                Step::Reallocate { block, bytes } => {
                    let id = block as usize;
                    let old = blocks[id];
                    whole += usize::from(old.is_whole(id));
                    // SAFETY: `old` comes from `memory` with this layout and is not freed, because
                    // a trace names a block only while it is allocated; `bytes` is not 0 and far
                    // from overflow.
                    let start = unsafe { memory.realloc(old.start, old.layout(), bytes) };
                    let layout = Layout::from_size_align(bytes, old.layout().align())
                        .expect("the sizes of a trace are limited");
                    blocks[id] = Block::mark(start, layout, id);
                }
                Step::Free { block } => {
                    let id = block as usize;
                    let old = std::mem::replace(&mut blocks[id], Block::FREED);
                    whole += usize::from(old.is_whole(id));
                    // SAFETY: as for `realloc`.
                    unsafe { memory.dealloc(old.start, old.layout()) };
                }
            }
        }
        for (id, block) in blocks.iter().enumerate() {
            if block.start.is_null() {
                continue;
            }
            whole += usize::from(block.is_whole(id));
            // SAFETY: as for `realloc`; freed blocks are null.
            unsafe { memory.dealloc(block.start, block.layout()) };
        }
        whole
    }

    /// The calls without their threads.
    pub(crate) fn steps(&self) -> impl Iterator<Item = Step> {
        self.steps.iter().map(|step| step.step())
    }

    /// What [`replay`](Self::replay) returns when all is right.
    pub(crate) fn looks(&self) -> usize {
        let reallocates = |step: &Step| matches!(step, Step::Reallocate { .. });
        self.blocks + self.steps().filter(reallocates).count()
    }
}

/// The blocks of a replay. Kept from one to the next, so that replaying allocates nothing itself.
#[derive(Debug, Default)]
pub struct Blocks(Vec<Block>);

impl Blocks {
    /// Room for the blocks of `trace`.
    pub fn of(trace: &Trace) -> Self {
        Self(Vec::with_capacity(trace.blocks))
    }
}

// SAFETY: pointers are only used inside `replay`, which leaves none that is not freed.
unsafe impl Send for Blocks {}

#[derive(Clone, Copy, Debug)]
struct Block {
    start: *mut u8,
    // Not a `Layout`, which takes twice the room.
    bytes: u32,
    align: u32,
}

impl Block {
    const FREED: Self = Self {
        start: ptr::null_mut(),
        bytes: 1,
        align: 1,
    };

    /// A new block, with its id at both ends.
    #[inline]
    fn mark(start: *mut u8, layout: Layout, id: usize) -> Self {
        assert!(!start.is_null(), "no memory is left for {layout:?}");
        let block = Self {
            start,
            bytes: layout.size() as u32,
            align: layout.align() as u32,
        };
        // SAFETY: the block was just allocated with `layout`, whose size is not 0.
        unsafe { start.write(id as u8) };
        // SAFETY: as for the first byte.
        unsafe { block.last().write(id as u8) };
        block
    }

    #[inline]
    fn layout(self) -> Layout {
        // SAFETY: both come from a layout, whose parts a trace limits to 32 bits.
        unsafe { Layout::from_size_align_unchecked(self.bytes as usize, self.align as usize) }
    }

    /// The place of the last byte.
    #[inline]
    fn last(self) -> *mut u8 {
        // SAFETY: the offset lies inside the block, which has at least one byte.
        unsafe { self.start.add(self.bytes as usize - 1) }
    }

    #[inline]
    fn is_whole(self, id: usize) -> bool {
        // SAFETY: the block is allocated, and `mark` wrote its first byte.
        let first = unsafe { self.start.read() };
        // SAFETY: as for the first byte.
        let last = unsafe { self.last().read() };
        (first, last) == (id as u8, id as u8)
    }
}

/// Reads one call and checks that it is possible.
fn parse(line: &str, live: &mut Vec<bool>) -> Result<Call, String> {
    let mut parts = line.split(' ');
    let kind = parts.next().unwrap_or_default();
    let numbers: Option<Vec<usize>> = parts.map(|part| part.parse().ok()).collect();
    let numbers = numbers.ok_or_else(|| not_a_call(line))?;
    let size = |bytes: usize| match bytes {
        1..=BYTES_LIMIT => Ok(bytes),
        _ => Err(format!(
            "a block of {bytes} bytes; a trace holds blocks of 1 to {BYTES_LIMIT}"
        )),
    };
    let mut named = |block: usize, keep: bool| match live.get_mut(block) {
        Some(allocated @ true) => {
            *allocated = keep;
            Ok(block as u32)
        }
        _ => Err(format!("block {block} is not allocated here")),
    };
    let (step, thread) = match (kind, &numbers[..]) {
        ("a", &[bytes, align, thread]) => {
            let layout = Some(align)
                .filter(|align| *align <= ALIGN_LIMIT)
                .and_then(|align| Layout::from_size_align(size(bytes).ok()?, align).ok());
            let Some(layout) = layout else {
                size(bytes)?;
                return Err(format!(
                    "an alignment of {align}; it is a power of two, at most {ALIGN_LIMIT}"
                ));
            };
            live.push(true);
            (Step::Allocate(layout), thread)
        }
        ("r", &[block, bytes, thread]) => {
            let block = named(block, true)?;
            let bytes = size(bytes)?;
            (Step::Reallocate { block, bytes }, thread)
        }
        ("f", &[block, thread]) => {
            let block = named(block, false)?;
            (Step::Free { block }, thread)
        }
        _ => return Err(not_a_call(line)),
    };
    match u32::try_from(thread) {
        Ok(thread) if (thread as usize) < CALLS_LIMIT => Ok(Call { step, thread }),
        _ => Err(format!("thread {thread}; threads are numbered from 0")),
    }
}

fn not_a_call(line: &str) -> String {
    let shown: String = line.chars().take(60).collect();
    format!(
        "`{shown}` is not `a BYTES ALIGN THREAD`, `r ID BYTES THREAD`, `f ID THREAD` or `end MISSED`"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::alloc::System;
    use std::cell::Cell;

    fn read_text(text: &str) -> Result<Trace, ReadError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.trace");
        std::fs::write(&path, text).unwrap();
        Trace::read(&path)
    }

    #[track_caller]
    fn check_refused(lines: &str, place: &str, reason: &str) {
        let error = read_text(&format!("{HEADER}\n{lines}"))
            .unwrap_err()
            .to_string();
        assert!(error.contains(place), "{error}");
        assert!(error.contains(reason), "{error}");
    }

    const EXAMPLE: &str = "perf-lab allocations 1\na 64 8 0\na 1 1 1\nr 0 128 1\nf 0 0\nend 7\n";

    #[test]
    fn trace_survives_a_round_trip() {
        let trace = read_text(EXAMPLE).unwrap();
        assert_eq!((trace.blocks(), trace.calls()), (2, 4));
        assert_eq!((trace.threads(), trace.missed()), (2, 7));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("t.trace");
        trace.write(&path).unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), EXAMPLE);
        assert_eq!(Trace::read(&path).unwrap(), trace);
    }

    #[test]
    fn bad_lines_are_named() {
        check_refused("b 1 2 3\nend 0\n", ":2: ", "`b 1 2 3` is not `a BYTES");
        check_refused("a 1 1\nend 0\n", ":2: ", "`a 1 1` is not");
        check_refused("a 0 1 0\nend 0\n", ":2: ", "a block of 0 bytes");
        check_refused("a 9 3 0\nend 0\n", ":2: ", "an alignment of 3");
        check_refused("a 9 1 99999999999\n", ":2: ", "thread 99999999999");
        check_refused("a 9 1 0\nf 1 0\n", ":3: ", "block 1 is not allocated");
        check_refused(
            "a 9 1 0\nf 0 0\nf 0 0\n",
            ":4: ",
            "block 0 is not allocated",
        );
        check_refused("a 9 1 0\n", ":2: ", "ends without its last line");
        let other = EXAMPLE.replace("allocations 1", "allocations 2");
        let error = read_text(&other).unwrap_err().to_string();
        assert!(error.contains(":1: not a trace"), "{error}");
    }

    /// The system's allocator, which counts what is live.
    #[derive(Default)]
    struct Counted(Cell<isize>);

    // SAFETY: all calls go to `System`.
    unsafe impl GlobalAlloc for Counted {
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            self.0.set(self.0.get() + layout.size() as isize);
            // SAFETY: the contract is the same.
            unsafe { System.alloc(layout) }
        }

        unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
            self.0.set(self.0.get() - layout.size() as isize);
            // SAFETY: the contract is the same.
            unsafe { System.dealloc(block, layout) }
        }
    }

    #[test]
    fn replay_finds_every_block_whole_and_frees_them_all() {
        let trace = read_text(EXAMPLE).unwrap();
        let memory = Counted::default();
        let mut blocks = Blocks::of(&trace);
        for _ in 0..2 {
            assert_eq!(trace.replay(&memory, &mut blocks), 3);
            assert_eq!(trace.looks(), 3);
            assert_eq!(memory.0.get(), 0);
        }
    }

    /// Hands out one block again and again.
    struct Same(Cell<[u64; 16]>);

    // SAFETY: not kept, which is what the test looks for; what it returns may be written to.
    unsafe impl GlobalAlloc for Same {
        unsafe fn alloc(&self, _: Layout) -> *mut u8 {
            self.0.as_ptr().cast()
        }

        unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
    }

    #[test]
    fn blocks_that_overlap_are_noticed() {
        let trace = read_text(&format!("{HEADER}\na 64 8 0\na 64 8 0\nend 0\n")).unwrap();
        let mut blocks = Blocks::default();
        let whole = trace.replay(&Same(Cell::default()), &mut blocks);
        assert_eq!((whole, trace.looks()), (1, 2));
    }
}
