//! Seeing a run: when every node ran on which worker, drawn, exported and summed up.
//!
//! A [`Trace`] watches a run as its [`Observer`]; the [`Timeline`] it gives says what happened:
//! [`Timeline::stats`] in figures, [`Timeline::svg`] as a picture, [`Timeline::chrome_json`] for
//! a trace viewer.
//!
//! ```
//! use engine::trace::Trace;
//! use engine::{Options, Outcome, Strategy};
//!
//! let mut graph = engine::Builder::new();
//! graph.node("fetch", [], |_| Ok(()))?;
//! graph.node("parse", ["fetch"], |_| Ok(()))?;
//! let dag = graph.build()?;
//! let scheduler = Strategy::WorkStealing.scheduler(2)?;
//!
//! let mut trace = Trace::with_capacity(2, dag.len());
//! let mut outcome = Outcome::new();
//! let timeline = trace.run(&*scheduler, &dag, &Options::default(), &mut outcome);
//! assert_eq!(timeline.spans.len(), 2);
//! println!("{}", timeline.stats(&dag));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod chrome;
mod clock;
mod stats;
mod svg;
mod timeline;

pub use stats::Stats;
pub(crate) use timeline::{Nanoseconds, label};
pub use timeline::{Span, Timeline};

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, AtomicUsize, Ordering};

use crossbeam::utils::CachePadded;

use self::clock::Clock;
use crate::{Dag, NodeId, NodeState, Observer, Options, Outcome, Scheduler};

/// Records when every node of a run began and ended, and on which worker.
///
/// Recording takes no lock, never allocates and never waits. All memory is taken, and touched, when
/// the trace is made.
///
/// A node pays two readings of the clock: a sequential run of empty nodes takes 1.4 ns a node
/// without an observer, 15 with one that does nothing and 45 with a trace (2-core x86-64 VM, 2026-11). One
/// reading, the end of a node as the start of the next, would save 14 of them, but then nobody could
/// tell the work of a node from the waiting before it.
///
/// One trace watches one run at a time: what runs at the same time under the same worker numbers
/// gets into each other's spans, though never into anything else.
///
/// # Examples
///
/// As the observer of any run:
///
/// ```
/// use engine::trace::Trace;
/// use engine::{Options, Outcome, Scheduler, Sequential, shape};
///
/// let dag = shape::chain(10).build(arena::Bump::default(), |_| |_: &engine::Run<'_>| Ok(()))?;
/// let mut trace = Trace::with_capacity(1, dag.len());
/// let options = Options { observer: Some(&trace), ..Options::default() };
/// Sequential.run_with(&dag, &options, &mut Outcome::new());
/// let timeline = trace.finish();
/// assert_eq!(timeline.spans.len(), 10);
/// assert!(timeline.spans.is_sorted_by_key(|span| span.start_ns));
/// # Ok::<(), engine::BuildError>(())
/// ```
pub struct Trace {
    clock: Clock,
    lanes: Box<[CachePadded<Lane>]>,
    /// Room for events, taken by lanes one chunk at a time, so that however the nodes are spread
    /// over the workers they fit.
    chunks: Box<[CachePadded<Chunk>]>,
    /// Number of chunks that were asked for.
    taken: CachePadded<AtomicUsize>,
    /// Events of workers that have no lane.
    strangers: AtomicU64,
}

/// What one worker records; nobody else writes it, so that plain loads and stores are enough.
///
/// They are atomic, without any ordering, only to make a trace that is misused harmless; on the
/// processors of today they are the same instructions. Whoever reads has the trace to itself, and
/// the end of the run, or whatever gave it the `&mut`, came after all recording.
struct Lane {
    /// The node that was started and has not ended; [`NO_NODE`] when there is none.
    open_node: AtomicU32,
    open_ticks: AtomicU64,
    /// Where the next event goes: chunk times [`CHUNK`] plus position. At a multiple of [`CHUNK`]
    /// it needs a new chunk.
    next: AtomicUsize,
    /// Events that did not fit.
    dropped: AtomicU64,
}

const NO_NODE: u32 = u32::MAX;

/// Events a lane takes at a time: as many as make the counter they are taken by rare to touch, and
/// the last chunk of a worker, half empty on average, cheap.
const CHUNK: usize = 128;

struct Chunk {
    lane: AtomicU32,
    events: [Event; CHUNK],
}

/// A node that has ended.
#[derive(Default)]
struct Event {
    start_ticks: AtomicU64,
    end_ticks: AtomicU64,
    node: AtomicU32,
    /// The index in [`NodeState::ALL`].
    state: AtomicU8,
}

impl Trace {
    /// A trace of up to `nodes` nodes on workers with numbers less than `workers`, however the
    /// nodes are spread over them.
    ///
    /// Takes 24 bytes a node and 3 KiB a worker. What does not fit, and what workers with other
    /// numbers do, is not recorded but counted in [`Timeline::dropped`].
    ///
    /// # Panics
    ///
    /// Panics when `workers` does not fit into 32 bits.
    pub fn with_capacity(workers: usize, nodes: usize) -> Self {
        assert!(
            u32::try_from(workers).is_ok(),
            "workers are numbered by 32 bits; got {workers}"
        );
        // Every lane leaves less than a chunk of what it took empty.
        let chunk_count = nodes.div_ceil(CHUNK) + workers;
        Self {
            clock: Clock::start(),
            lanes: (0..workers)
                .map(|_| CachePadded::new(Lane::new()))
                .collect(),
            chunks: (0..chunk_count)
                .map(|_| CachePadded::new(Chunk::new()))
                .collect(),
            taken: CachePadded::new(AtomicUsize::new(0)),
            strangers: AtomicU64::new(0),
        }
    }

    /// Runs `dag` by `scheduler` as `options` say, but with this trace as the observer, and returns
    /// what happened between the call of the scheduler and its return.
    ///
    /// What was recorded before is forgotten. Takes O(nodes) time after the run.
    pub fn run(
        &mut self,
        scheduler: &dyn Scheduler,
        dag: &Dag,
        options: &Options<'_>,
        outcome: &mut Outcome,
    ) -> Timeline {
        self.clear();
        let options = Options {
            observer: Some(self),
            ..*options
        };
        let begin = self.clock.now();
        scheduler.run_with(dag, &options, outcome);
        let end = self.clock.now();
        self.take(Some((begin, end)))
    }

    /// What was recorded; the trace is empty afterwards and can watch another run.
    ///
    /// A trace does not see when a run begins and ends, other than in [`run`](Self::run): the
    /// timeline is from the start of the first node to the end of the last. Takes O(nodes) time.
    pub fn finish(&mut self) -> Timeline {
        self.take(None)
    }

    fn take(&mut self, bounds: Option<(u64, u64)>) -> Timeline {
        let rate = self.clock.rate();
        let dropped = self.lanes.iter_mut().map(|lane| *lane.dropped.get_mut());
        let dropped = dropped.sum::<u64>() + *self.strangers.get_mut();
        let nexts: Vec<usize> = self
            .lanes
            .iter_mut()
            .map(|lane| *lane.next.get_mut())
            .collect();
        let taken = (*self.taken.get_mut()).min(self.chunks.len());
        let chunks = &mut self.chunks[..taken];
        let length = |index: usize, lane: usize| match nexts[lane].checked_sub(index * CHUNK) {
            // The chunk that the lane is at, or one that it has filled.
            Some(length) if length < CHUNK => length,
            _ => CHUNK,
        };
        let mut ticks = Vec::new();
        for (index, chunk) in chunks.iter_mut().enumerate() {
            let worker = *chunk.lane.get_mut() as usize;
            let length = length(index, worker);
            for event in &mut chunk.events[..length] {
                ticks.push((
                    worker,
                    NodeId::from_index(*event.node.get_mut()),
                    *event.start_ticks.get_mut(),
                    *event.end_ticks.get_mut(),
                    NodeState::ALL[*event.state.get_mut() as usize],
                ));
            }
        }
        let (begin, end) = bounds.unwrap_or_else(|| {
            let first = ticks.iter().map(|(_, _, start, ..)| *start).min();
            let last = ticks.iter().map(|(_, _, _, end, _)| *end).max();
            (first.unwrap_or(0), last.unwrap_or(0))
        });
        // Two cores' counters may differ by a little, so a start may be before the beginning.
        let ns = |ticks: u64| rate.ns(ticks.saturating_sub(begin));
        let mut spans: Vec<Span> = ticks
            .into_iter()
            .map(|(worker, node, start, end, state)| Span {
                worker,
                node,
                start_ns: ns(start),
                end_ns: ns(end.max(start)),
                state,
            })
            .collect();
        // Chunks are in the order of their time in each lane; a stable sort keeps that order where
        // times are equal.
        spans.sort_by_key(|span| (span.start_ns, span.end_ns));
        let timeline = Timeline {
            workers: self.lanes.len(),
            end_ns: ns(end),
            spans,
            dropped,
        };
        self.clear();
        timeline
    }

    /// Forgets what was recorded. Takes O(workers) time.
    fn clear(&mut self) {
        for lane in &mut self.lanes {
            **lane = Lane::new();
        }
        *self.taken.get_mut() = 0;
        *self.strangers.get_mut() = 0;
    }

    /// Where the next event of a worker goes.
    #[inline]
    fn slot(&self, worker: usize, lane: &Lane) -> Option<&Event> {
        let mut next = lane.next.load(Ordering::Relaxed);
        if next.is_multiple_of(CHUNK) {
            next = self.next_chunk(worker)?;
        }
        lane.next.store(next + 1, Ordering::Relaxed);
        Some(&self.chunks[next / CHUNK].events[next % CHUNK])
    }

    /// Takes a chunk for a worker and returns the place of its first event.
    #[cold]
    #[inline(never)]
    fn next_chunk(&self, worker: usize) -> Option<usize> {
        // Every chunk is taken once because the counter is; nothing else is published by it.
        let index = self.taken.fetch_add(1, Ordering::Relaxed);
        let chunk = self.chunks.get(index)?;
        chunk.lane.store(worker as u32, Ordering::Relaxed);
        Some(index * CHUNK)
    }
}

impl Observer for Trace {
    #[inline]
    fn node_started(&self, worker: usize, node: NodeId) {
        if let Some(lane) = self.lanes.get(worker) {
            lane.open_node.store(node.index() as u32, Ordering::Relaxed);
            // The last thing before the work is called.
            lane.open_ticks.store(self.clock.now(), Ordering::Relaxed);
        }
    }

    #[inline]
    fn node_finished(&self, worker: usize, node: NodeId, state: NodeState) {
        let end_ticks = self.clock.now_or_earlier();
        let Some(lane) = self.lanes.get(worker) else {
            self.strangers.fetch_add(1, Ordering::Relaxed);
            return;
        };
        let node = node.index() as u32;
        let start_ticks = match lane.open_node.load(Ordering::Relaxed) == node {
            true => lane.open_ticks.load(Ordering::Relaxed),
            // It was skipped.
            false => end_ticks,
        };
        lane.open_node.store(NO_NODE, Ordering::Relaxed);
        let Some(event) = self.slot(worker, lane) else {
            let dropped = lane.dropped.load(Ordering::Relaxed);
            lane.dropped.store(dropped + 1, Ordering::Relaxed);
            return;
        };
        event.start_ticks.store(start_ticks, Ordering::Relaxed);
        event.end_ticks.store(end_ticks, Ordering::Relaxed);
        event.node.store(node, Ordering::Relaxed);
        event.state.store(index_of(state), Ordering::Relaxed);
    }
}

#[inline]
fn index_of(state: NodeState) -> u8 {
    debug_assert_eq!(NodeState::ALL[state as usize], state);
    state as u8
}

impl Lane {
    fn new() -> Self {
        Self {
            open_node: AtomicU32::new(NO_NODE),
            open_ticks: AtomicU64::new(0),
            next: AtomicUsize::new(0),
            dropped: AtomicU64::new(0),
        }
    }
}

impl Chunk {
    fn new() -> Self {
        Self {
            lane: AtomicU32::new(0),
            events: std::array::from_fn(|_| Event::default()),
        }
    }
}

impl fmt::Debug for Trace {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Trace")
            .field("workers", &self.lanes.len())
            .field("room", &(self.chunks.len() * CHUNK))
            .finish_non_exhaustive()
    }
}
