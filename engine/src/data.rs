//! One value for every node, set and read from any thread.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::{Dag, NodeId};

/// A value of type `T` for every node of a graph, set and read from any thread.
///
/// Nodes usually share it through an [`Arc`](std::sync::Arc), so it is made before the graph is,
/// for a number of nodes. Each value has its own lock, held only while the value is moved or
/// cloned; for values that are expensive to clone let `T` be an `Arc`.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use engine::{Builder, Metrics, NodeData, Scheduler, Sequential};
///
/// let data = Arc::new(NodeData::new(2, Metrics::Full));
/// let mut graph = Builder::new();
/// let output = Arc::clone(&data);
/// graph.node("fetch", [], move |run| {
///     output.set(run.node(), 20);
///     Ok(())
/// })?;
/// let both = Arc::clone(&data);
/// graph.node("parse", ["fetch"], move |run| {
///     let fetched = both.get_named(run.dag(), "fetch").ok_or("nothing was fetched")?;
///     both.set(run.node(), fetched + 1);
///     Ok(())
/// })?;
/// let dag = graph.build()?;
///
/// assert!(Sequential.run(&dag).all_completed());
/// assert_eq!(data.get_named(&dag, "parse"), Some(21));
/// assert_eq!((data.sets(), data.gets()), (2, 2));
/// # Ok::<(), engine::BuildError>(())
/// ```
#[derive(Debug)]
pub struct NodeData<T> {
    values: Box<[Mutex<Option<T>>]>,
    metrics: Metrics,
    sets: AtomicU64,
    gets: AtomicU64,
}

/// How sets and gets are counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Metrics {
    /// Not at all.
    #[default]
    Off,
    /// Every one of them.
    Full,
    /// One in `2^shift`, chosen at random and counted as `2^shift`: an estimate, which costs less
    /// when many threads count.
    Sampled {
        /// The binary logarithm of the sampling interval, less than 64.
        shift: u32,
    },
}

impl<T> NodeData<T> {
    /// Room for one value for each of `nodes` nodes. Takes O(`nodes`) time.
    ///
    /// # Panics
    ///
    /// Panics when `metrics` is sampled with a shift of 64 or more.
    pub fn new(nodes: usize, metrics: Metrics) -> Self {
        if let Metrics::Sampled { shift } = metrics {
            assert!(shift < 64, "a sampling shift is less than 64; got {shift}");
        }
        Self {
            values: (0..nodes).map(|_| Mutex::new(None)).collect(),
            metrics,
            sets: AtomicU64::new(0),
            gets: AtomicU64::new(0),
        }
    }

    /// Sets the value of `node` and returns the one before.
    ///
    /// # Panics
    ///
    /// Panics when there is no such node.
    #[inline]
    pub fn set(&self, node: NodeId, value: T) -> Option<T> {
        self.metrics.count(&self.sets);
        self.lock(node).replace(value)
    }

    /// Takes the value of `node` out.
    ///
    /// # Panics
    ///
    /// Panics when there is no such node.
    #[inline]
    pub fn take(&self, node: NodeId) -> Option<T> {
        self.metrics.count(&self.gets);
        self.lock(node).take()
    }

    /// The value of `node`, if there is one.
    ///
    /// # Panics
    ///
    /// Panics when there is no such node.
    #[inline]
    pub fn get(&self, node: NodeId) -> Option<T>
    where
        T: Clone,
    {
        self.metrics.count(&self.gets);
        self.lock(node).clone()
    }

    /// [`set`](Self::set) for the node of `dag` with this id.
    ///
    /// # Panics
    ///
    /// Panics when there is no such node.
    #[inline]
    pub fn set_named(&self, dag: &Dag, id: &str, value: T) -> Option<T> {
        self.set(find(dag, id), value)
    }

    /// [`get`](Self::get) for the node of `dag` with this id.
    ///
    /// # Panics
    ///
    /// Panics when there is no such node.
    #[inline]
    pub fn get_named(&self, dag: &Dag, id: &str) -> Option<T>
    where
        T: Clone,
    {
        self.get(find(dag, id))
    }

    /// Number of times a value was set, as far as [`Metrics`] count it.
    pub fn sets(&self) -> u64 {
        self.sets.load(Ordering::Relaxed)
    }

    /// Number of times a value was read or taken, as far as [`Metrics`] count it.
    pub fn gets(&self) -> u64 {
        self.gets.load(Ordering::Relaxed)
    }

    #[inline]
    fn lock(&self, node: NodeId) -> MutexGuard<'_, Option<T>> {
        // A panic while the lock is held can only be one of `T::clone`, which leaves the value as
        // it was.
        self.values[node.index()]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

#[inline]
fn find(dag: &Dag, id: &str) -> NodeId {
    match dag.node(id) {
        Some(node) => node,
        None => panic!("no node has the id `{id}`"),
    }
}

impl Metrics {
    #[inline]
    fn count(self, counter: &AtomicU64) {
        // `Relaxed`: the counters order nothing.
        match self {
            Self::Off => {}
            Self::Full => {
                counter.fetch_add(1, Ordering::Relaxed);
            }
            Self::Sampled { shift } => {
                // Taking every 2^shift-th instead would see only the sets of a thread that sets
                // and gets in turn.
                let interval = 1 << shift;
                if next_random() & (interval - 1) == 0 {
                    counter.fetch_add(interval, Ordering::Relaxed);
                }
            }
        }
    }
}

/// A xorshift generator for each thread.
#[inline]
fn next_random() -> u64 {
    thread_local! {
        static STATE: Cell<u64> = const { Cell::new(0) };
    }
    let mut state = STATE.get();
    if state == 0 {
        state = next_seed();
    }
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    STATE.set(state);
    state
}

/// A seed of its own for every thread, as many threads run one operation only. Never 0, from which
/// xorshift does not move.
#[cold]
#[inline(never)]
fn next_seed() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    // splitmix64 (Steele, Lea and Flood, 2014).
    let mut seed = NEXT
        .fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed)
        .wrapping_add(0x9e37_79b9_7f4a_7c15);
    seed = (seed ^ (seed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    seed = (seed ^ (seed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    (seed ^ (seed >> 31)).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(metrics: Metrics, times: u64) -> (u64, u64) {
        let data = NodeData::new(1, metrics);
        let node = NodeId::from_index(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for value in 0..times {
                    data.set(node, value);
                    assert_eq!(data.get(node), Some(value));
                }
            });
        });
        (data.sets(), data.gets())
    }

    #[test]
    fn threads_of_one_operation_are_sampled_too() {
        let data = NodeData::new(1, Metrics::Sampled { shift: 1 });
        for value in 0..200 {
            std::thread::scope(|scope| {
                scope.spawn(|| data.set(NodeId::from_index(0), value));
            });
        }
        // 200 fair coins: six standard deviations are 42 heads, which count twice.
        assert!((116..=284).contains(&data.sets()), "{}", data.sets());
    }

    #[test]
    fn values_are_replaced_and_taken() {
        let data = NodeData::new(2, Metrics::Off);
        let (first, second) = (NodeId::from_index(0), NodeId::from_index(1));
        assert_eq!(data.set(first, "a"), None);
        assert_eq!(data.set(first, "b"), Some("a"));
        assert_eq!(data.get(second), None);
        assert_eq!(data.take(first), Some("b"));
        assert_eq!(data.get(first), None);
    }

    #[test]
    fn full_metrics_count_everything_and_off_nothing() {
        assert_eq!(count(Metrics::Full, 100), (100, 100));
        assert_eq!(count(Metrics::Off, 100), (0, 0));
        assert_eq!(count(Metrics::Sampled { shift: 0 }, 100), (100, 100));
    }

    #[test]
    fn sampled_metrics_estimate_both_counts() {
        let (sets, gets) = count(Metrics::Sampled { shift: 4 }, 100_000);
        for estimate in [sets, gets] {
            assert_eq!(estimate % 16, 0);
            assert!((95_000..105_000).contains(&estimate), "{estimate}");
        }
    }

    #[test]
    #[should_panic(expected = "no node has the id `x`")]
    fn unknown_id_is_refused() {
        let dag = crate::Builder::new().build().unwrap();
        NodeData::new(1, Metrics::Off).set_named(&dag, "x", 1);
    }
}
