//! The flow graph behind its C shim.

use std::ffi::{CStr, c_char, c_void};
use std::ptr::NonNull;
use std::sync::Arc;

/// What the shim knows a pool by.
#[repr(C)]
struct RawPool([u8; 0]);

/// What the shim knows a graph by.
#[repr(C)]
struct RawGraph([u8; 0]);

// Declared as `src/shim.cpp` defines them.
unsafe extern "C" {
    safe fn onetbb_version() -> *const c_char;
    safe fn onetbb_pool_new(workers: usize) -> NonNull<RawPool>;
    /// The pool is alive, has no graphs, and is not used again.
    unsafe fn onetbb_pool_drop(pool: NonNull<RawPool>);
    /// The pool outlives the graph.
    unsafe fn onetbb_graph_new(pool: NonNull<RawPool>) -> NonNull<RawGraph>;
    /// The graph is alive, does not run, and is not used again.
    unsafe fn onetbb_graph_drop(graph: NonNull<RawGraph>);
    /// Nothing else uses the graph; `call(data)` may be called on any thread while it runs.
    unsafe fn onetbb_graph_node(
        graph: NonNull<RawGraph>,
        call: unsafe extern "C" fn(*const c_void),
        data: *const c_void,
    );
    /// Nothing else uses the graph; both are numbers of its nodes.
    unsafe fn onetbb_graph_edge(graph: NonNull<RawGraph>, from: usize, to: usize);
    /// Nothing else uses the graph; all its nodes and edges have been added.
    unsafe fn onetbb_graph_seal(graph: NonNull<RawGraph>);
    /// Nothing else uses the graph; it is sealed.
    unsafe fn onetbb_graph_run(graph: NonNull<RawGraph>);
}

/// Threads of oneTBB that graphs run on.
#[derive(Debug)]
pub struct Pool(NonNull<RawPool>);

// SAFETY: a task arena may be used and dropped by any thread, and by several at once; the rest of
// the shim's pool is not touched between its making and its end.
unsafe impl Send for Pool {}

// SAFETY: as above.
unsafe impl Sync for Pool {}

impl Pool {
    /// A pool with at most `workers` nodes running at a time, the caller of
    /// [`Graph::run`] being one of the workers; `None` where the library was not found at build
    /// time.
    ///
    /// The library bounds the threads of all pools together: while one with fewer workers is
    /// alive, the others have no more than it.
    ///
    /// # Panics
    ///
    /// Panics when `workers` is 0 or does not fit into 31 bits.
    pub fn new(workers: usize) -> Option<Arc<Self>> {
        assert!(
            workers > 0 && i32::try_from(workers).is_ok(),
            "a pool has between 1 and 2^31 - 1 workers; got {workers}"
        );
        Some(Arc::new(Self(onetbb_pool_new(workers))))
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY: made by `new` and dropped once; every graph holds the pool by an `Arc`.
        unsafe { onetbb_pool_drop(self.0) }
    }
}

/// A graph that can be run again and again.
pub struct Graph<F> {
    raw: NonNull<RawGraph>,
    /// What the nodes call, by their addresses.
    _works: Box<[F]>,
    /// The graph runs there.
    _pool: Arc<Pool>,
}

impl<F: Fn() + Send + Sync> Graph<F> {
    /// A graph whose nodes do `works`, with `edges` from a node to one that depends on it, by
    /// their positions.
    ///
    /// Takes O(nodes + edges) time. The process ends when a work panics.
    ///
    /// # Panics
    ///
    /// Panics when an edge names a node that is not there.
    pub fn new(
        pool: &Arc<Pool>,
        works: impl IntoIterator<Item = F>,
        edges: impl IntoIterator<Item = (usize, usize)>,
    ) -> Self {
        // SAFETY: the graph holds the pool until it is dropped.
        let raw = unsafe { onetbb_graph_new(pool.0) };
        let graph = Self {
            raw,
            _works: works.into_iter().collect(),
            _pool: Arc::clone(pool),
        };
        for work in &graph._works {
            let data = std::ptr::from_ref(work).cast();
            // SAFETY: nothing else knows of the graph yet. `call` wants an `F` at `data`: it lies
            // in a box that lives until the graph is dropped, and `F` may be called by any thread.
            unsafe { onetbb_graph_node(raw, call::<F>, data) }
        }
        let nodes = graph._works.len();
        for (from, to) in edges {
            assert!(
                from < nodes && to < nodes,
                "edge {from} -> {to} leaves the {nodes} nodes"
            );
            // SAFETY: nothing else knows of the graph yet; the numbers are checked above.
            unsafe { onetbb_graph_edge(raw, from, to) }
        }
        // SAFETY: nothing else knows of the graph yet, and this adds no more to it.
        unsafe { onetbb_graph_seal(raw) }
        graph
    }

    /// Runs every node, each after those it depends on, and returns when all have finished.
    pub fn run(&mut self) {
        // SAFETY: `&mut` makes it the only use; `new` sealed it.
        unsafe { onetbb_graph_run(self.raw) }
    }
}

impl<F> Drop for Graph<F> {
    fn drop(&mut self) {
        // SAFETY: made by `new` and dropped once; `run` waits for all nodes. The works and the
        // pool are fields, which are dropped after this.
        unsafe { onetbb_graph_drop(self.raw) }
    }
}

/// Calls the `F` at `data`. A panic ends the process: it cannot unwind out of an `extern "C"`
/// function.
///
/// # Safety
///
/// There is an `F` at `data` that may be called on this thread.
unsafe extern "C" fn call<F: Fn()>(data: *const c_void) {
    // SAFETY: the caller promises it.
    let work = unsafe { &*data.cast::<F>() };
    work();
}

/// The version of the library that is linked, as in `2021.8.0`; `None` where it was not found at
/// build time.
pub fn version() -> Option<String> {
    // SAFETY: the library returns a constant that ends in a zero.
    let version = unsafe { CStr::from_ptr(onetbb_version()) };
    Some(version.to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex;

    /// The order in which the nodes of a graph ran, run after run.
    fn orders(workers: usize, nodes: usize, edges: &[(usize, usize)], runs: usize) -> Vec<usize> {
        let order = Arc::new(Mutex::new(Vec::new()));
        let works = (0..nodes).map(|node| {
            let order = Arc::clone(&order);
            move || order.lock().unwrap().push(node)
        });
        let pool = Pool::new(workers).unwrap();
        let mut graph = Graph::new(&pool, works, edges.iter().copied());
        drop(pool);
        for _ in 0..runs {
            graph.run();
        }
        order.lock().unwrap().clone()
    }

    #[test]
    fn nodes_run_after_those_they_depend_on_in_every_run() {
        for workers in [1, 2, 4] {
            let edges = [(2, 1), (1, 0), (2, 0)];
            assert_eq!(orders(workers, 3, &edges, 2), [2, 1, 0, 2, 1, 0]);
        }
    }

    #[test]
    fn every_node_runs_once_a_run() {
        let mut order = orders(2, 100, &[], 1);
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
        assert_eq!(orders(2, 0, &[], 1), []);
    }

    #[test]
    #[should_panic(expected = "edge 0 -> 2 leaves the 2 nodes")]
    fn edge_to_a_node_that_is_not_there_is_refused() {
        orders(1, 2, &[(0, 2)], 1);
    }

    #[test]
    #[should_panic(expected = "got 0")]
    fn pool_without_workers_is_refused() {
        Pool::new(0);
    }

    #[test]
    fn version_is_that_of_a_release() {
        assert!(version().unwrap().starts_with("20"));
    }
}
