//! What do building and running a graph cost, by shape, size, strategy, grain and workers?

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, LazyLock};

use arena::{Arena, Bump, BumpScope, Bumpalo, Heap, Pool, Slab};
use bench_harness::{Group, Input, Lab, Rotation, Routine, shuffle, spin};
use engine::{Builder, Dag, IdBuilder, NodeError, NodeId, Outcome, Run, Shape, Strategy, shape};

fn suite(lab: &mut Lab) {
    lab.section("DAG construction");
    for kind in ["chain", "diamond", "tree", "random"] {
        build(lab, kind);
    }
    for (kind, sizes) in [
        ("chain", &[1_000, 100_000][..]),
        ("layered", &[1_000, 100_000]),
        ("fan", &[10]),
    ] {
        names(lab, kind, sizes);
    }
    memory(lab);
    lab.section("DAG execution");
    parallel(lab);
    chain(lab);
    diamond(lab);
    workflows(lab);
    for kind in ["tree", "layered", "wavefront"] {
        large(lab, kind);
    }
    grain(lab);
    workers(lab);
}

bench_harness::main!(suite);

/// Seeds of shapes that are not random make no difference.
fn shape_of(kind: &str, nodes: usize, seed: u64) -> Shape {
    match kind {
        "independent" => shape::independent(nodes),
        "chain" => shape::chain(nodes),
        "fan" => fan(nodes),
        "diamond" => shape::diamond(nodes),
        "tree" => shape::tree(nodes),
        // Every pair of nodes has an edge with probability 0.3 up to 100 nodes.
        "random" if nodes <= 100 => shape::random(nodes, 0.15 * (nodes - 1) as f64, seed),
        "random" => shape::random(nodes, 3.0, seed),
        "layered" => shape::layered(nodes, seed),
        "wavefront" => shape::wavefront(nodes),
        _ => unreachable!("a shape of this file"),
    }
}

/// One node that all others depend on.
fn fan(nodes: usize) -> Shape {
    let mut shape = Shape::new();
    for index in 0..nodes {
        shape.push(format!("node-{index:06}"), (index > 0).then_some(0));
    }
    shape
}

/// The same shape with ids of its own, so that no hash table sees the same strings again.
fn renamed(shape: &Shape, seed: u64) -> Shape {
    let mut renamed = Shape::new();
    for (index, id) in shape.ids().iter().enumerate() {
        let dependencies = shape.dependencies(index).iter().map(|&node| node as usize);
        renamed.push(format!("{id}-{seed:x}"), dependencies);
    }
    renamed
}

fn build(lab: &mut Lab, kind: &'static str) {
    let group = lab.group(
        &format!("dag-build/{kind}"),
        "How long does building a graph take, by where its nodes are stored?",
    );
    group
        .work("An iteration interns the string ids, checks the graph, stores it and drops it; nothing is said in advance about its size, and up to 16 graphs take turns. `by-hand` is what one writes without an engine: a map from ids to indices and a boxed closure a node. `pooled` is `bump` with memory that it keeps.")
        .axis("nodes")
        .unit("node")
        .growth(true)
        .baseline("by-hand")
        .quick_limit(1_000);
    for nodes in [10, 1_000, 100_000] {
        group.case("by-hand", nodes, move || {
            let mut shapes = rotation(kind, nodes);
            Routine::new(
                move || {
                    let shape = shapes.turn();
                    by_hand(shape).edges == shape.edge_count()
                },
                |right| assert!(right, "every edge is there"),
            )
        });
        group.case("heap", nodes, move || builds(kind, nodes, Heap::new));
        group.case("slab", nodes, move || builds(kind, nodes, Slab::new));
        group.case("bump", nodes, move || builds(kind, nodes, Bump::new));
        // One shape and two sizes will do for arenas that differ little.
        if kind == "random" && [1_000, 100_000].contains(&nodes) {
            group.case("bumpalo", nodes, move || builds(kind, nodes, Bumpalo::new));
            group.case("bump-scope", nodes, move || {
                builds(kind, nodes, BumpScope::new)
            });
            group.case("pooled", nodes, move || {
                // A graph owns its arena, so what that is borrowed from is there for ever.
                static POOL: LazyLock<Pool<Bump>> = LazyLock::new(Pool::default);
                builds(kind, nodes, || POOL.get())
            });
        }
    }
}

fn rotation(kind: &'static str, nodes: usize) -> Rotation<Shape> {
    Rotation::new(nodes, |seed| renamed(&shape_of(kind, nodes, seed), seed))
}

fn builds<A: Arena + Send + 'static>(
    kind: &'static str,
    nodes: usize,
    arena: impl Fn() -> A + 'static,
) -> Routine {
    let mut shapes = rotation(kind, nodes);
    Routine::new(
        move || {
            let shape = shapes.turn();
            let dag = shape
                .build(arena(), |_| |_: &Run<'_>| Ok(()))
                .expect("a valid shape");
            (dag.len(), dag.edge_count() == shape.edge_count())
        },
        move |&(built, edges)| assert!(built == nodes && edges, "every node and edge is there"),
    )
}

/// The calls that define a graph by ids of 28 bytes, as a parser would make them: every occurrence
/// of an id is bytes of its own, one after the other.
struct Calls {
    text: String,
    /// Where each occurrence begins, and the end of the last.
    cuts: Vec<usize>,
    /// By call, how many occurrences it has: the node's own, then those of its dependencies.
    occurrences: Vec<usize>,
    edge_count: usize,
}

impl Calls {
    fn new(shape: &Shape, order: impl IntoIterator<Item = usize>) -> Self {
        let mut calls = Self {
            text: String::new(),
            cuts: vec![0],
            occurrences: Vec::new(),
            edge_count: shape.edge_count(),
        };
        for node in order {
            let dependencies = shape.dependencies(node);
            calls.push(node);
            for &dependency in dependencies {
                calls.push(dependency as usize);
            }
            calls.occurrences.push(1 + dependencies.len());
        }
        calls
    }

    fn push(&mut self, node: usize) {
        let id = format!("service.eu-{}.worker.{node:08}", node % 7);
        assert_eq!(id.len(), 28);
        self.text.push_str(&id);
        self.cuts.push(self.text.len());
    }

    fn build(&self) -> Dag {
        let mut graph = Builder::with_capacity(self.occurrences.len(), self.edge_count);
        let mut occurrences = self
            .cuts
            .windows(2)
            .map(|cuts| &self.text[cuts[0]..cuts[1]]);
        for &count in &self.occurrences {
            let id = occurrences.next().expect("every call names its node");
            let dependencies = occurrences.by_ref().take(count - 1);
            graph.node(id, dependencies, |_| Ok(())).expect("a new id");
        }
        graph.build().expect("a valid graph")
    }
}

fn build_by_number(shape: &Shape) -> Dag {
    let mut graph = IdBuilder::with_capacity(shape.len(), shape.edge_count());
    for node in 0..shape.len() {
        let dependencies = shape.dependencies(node).iter();
        let dependencies = dependencies.map(|&dependency| NodeId::from_index(dependency));
        graph.node(dependencies, |_| Ok(())).expect("a valid node");
    }
    graph.build().expect("a valid graph")
}

fn names(lab: &mut Lab, kind: &'static str, sizes: &[usize]) {
    let group = lab.group(
        &format!("dag-build/names-{kind}"),
        "What do string ids cost when a graph is built, and what does their order cost?",
    );
    group
        .work("An iteration builds a graph whose size is said in advance and drops it. `ids` numbers its nodes; the others name them by 28 bytes, every occurrence bytes of its own: `names` after their dependencies, `names-reversed` before them, `names-shuffled` in random order.")
        .axis("nodes")
        .unit("node")
        .growth(sizes.len() > 1)
        .baseline("ids")
        .quick_limit(1_000);
    for &nodes in sizes {
        group.case("ids", nodes, move || {
            let mut shapes = Rotation::new(nodes, |seed| shape_of(kind, nodes, seed));
            Routine::new(
                move || {
                    let shape = shapes.turn();
                    let dag = build_by_number(shape);
                    (dag.len(), dag.edge_count() == shape.edge_count())
                },
                move |&(built, edges)| {
                    assert!(built == nodes && edges, "every node and edge is there");
                },
            )
        });
        let calls = move |order: fn(&mut Vec<usize>, u64)| {
            let mut calls = Rotation::new(nodes, |seed| {
                let mut nodes: Vec<usize> = (0..nodes).collect();
                order(&mut nodes, seed);
                Calls::new(&shape_of(kind, nodes.len(), seed), nodes)
            });
            Routine::new(
                move || {
                    let calls = calls.turn();
                    let dag = calls.build();
                    (dag.len(), dag.edge_count() == calls.edge_count)
                },
                move |&(built, edges)| {
                    assert!(built == nodes && edges, "every node and edge is there");
                },
            )
        };
        group.case("names", nodes, move || calls(|_, _| ()));
        if nodes > 10 {
            group.case("names-reversed", nodes, move || {
                calls(|nodes, _| nodes.reverse())
            });
            group.case("names-shuffled", nodes, move || {
                calls(|nodes, seed| shuffle(nodes, seed))
            });
        }
    }
}

fn memory(lab: &mut Lab) {
    let group = lab.group(
        "dag-memory",
        "What does it cost to build a graph, and how much memory does it hold then?",
    );
    group
        .work("An iteration builds a layered graph of closures that capture nothing and keeps it; dropping it is not part of the time. `ids` numbers its nodes, `names` names them by 28 bytes, dependencies first.")
        .axis("nodes")
        .unit("node")
        .per_element()
        .growth(false)
        .baseline("ids")
        .quick_limit(0);
    let nodes = 100_000;
    let check = move |dag: &Dag| assert_eq!(dag.len(), nodes);
    group.case("ids", nodes, move || {
        let shape = shape::layered(nodes, 1);
        Routine::prepared(|| (), move |()| build_by_number(&shape), check)
    });
    group.case("names", nodes, move || {
        let calls = Calls::new(&shape::layered(nodes, 1), 0..nodes);
        Routine::prepared(|| (), move |()| calls.build(), check)
    });
}

type Work = Box<dyn Fn() -> Result<(), NodeError>>;

/// A graph as one writes it without an engine.
struct ByHand {
    nodes: Vec<(Work, Vec<usize>)>,
    edges: usize,
}

fn by_hand(shape: &Shape) -> ByHand {
    let mut indices: HashMap<String, usize> = HashMap::new();
    let mut graph = ByHand {
        nodes: Vec::new(),
        edges: 0,
    };
    for (index, id) in shape.ids().iter().enumerate() {
        assert!(indices.insert(id.clone(), index).is_none(), "duplicate id");
        let dependencies: Vec<usize> = shape
            .dependencies(index)
            .iter()
            .map(|&node| indices[&shape.ids()[node as usize]])
            .collect();
        graph.edges += dependencies.len();
        graph.nodes.push((Box::new(|| Ok(())), dependencies));
    }
    graph
}

/// How often each node of a graph ran.
type Runs = Arc<[AtomicU32]>;

/// A graph whose nodes count their runs, each for itself.
struct Counted {
    dag: Dag,
    runs: Runs,
}

impl Counted {
    /// `work` is done by every node beside counting.
    fn new(shape: &Shape, work: impl Fn(usize) + Copy + Send + Sync + 'static) -> Self {
        let runs: Runs = (0..shape.len()).map(|_| AtomicU32::new(0)).collect();
        let dag = shape
            .build_without_ids(Bump::default(), |index| {
                let runs = Arc::clone(&runs);
                move |_: &Run<'_>| {
                    work(index);
                    // A node runs once in a run, so nothing else writes its counter; a scheduler
                    // that breaks this loses counts, and the check sees it.
                    let run = runs[index].load(Ordering::Relaxed) + 1;
                    runs[index].store(run, Ordering::Relaxed);
                    Ok(())
                }
            })
            .expect("a valid shape");
        Self { dag, runs }
    }
}

/// Whether every node ran as often as the others, and at least once.
fn ran_evenly(runs: &Runs) -> bool {
    let counts: HashSet<u32> = runs
        .iter()
        .map(|runs| runs.load(Ordering::Relaxed))
        .collect();
    counts.len() == 1 && !counts.contains(&0)
}

/// Runs graphs that take turns again and again, with the same outcome's memory.
fn runs(strategy: Strategy, workers: usize, graphs: Vec<Counted>) -> Routine {
    let scheduler = strategy.scheduler(workers).expect("threads can be started");
    let counters: Vec<Runs> = graphs.iter().map(|graph| Arc::clone(&graph.runs)).collect();
    let mut graphs = Rotation::of(graphs.into_iter().enumerate());
    let mut outcome = Outcome::new();
    Routine::new(
        move || {
            let (turn, graph) = graphs.turn();
            scheduler.run_into(&graph.dag, &mut outcome);
            (*turn, outcome.completed())
        },
        move |&(turn, completed)| {
            assert_eq!(completed, counters[turn].len(), "every node completes");
            assert!(
                ran_evenly(&counters[turn]),
                "every node runs once in every run"
            );
        },
    )
}

/// Graphs that do nothing but count: 16 where they are small enough for a branch predictor to
/// learn one by heart.
fn no_op(nodes: usize, shape: impl Fn(u64) -> Shape) -> Vec<Counted> {
    let copies = if nodes <= 1_000 { 16 } else { 1 };
    (0..copies)
        .map(|seed| Counted::new(&shape(seed), |_| ()))
        .collect()
}

/// As many workers as the machine has cores.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Adds a case for every scheduler.
fn every_scheduler(group: &mut Group, nodes: usize, shape: fn(usize) -> Shape) {
    for strategy in Strategy::ALL {
        group.case(strategy, nodes, move || {
            runs(strategy, cores(), no_op(nodes, |_| shape(nodes)))
        });
    }
}

/// What the groups about running have in common.
const RUN: &str = "An iteration runs a built graph on a scheduler that is already there, from the call until the outcome of every node is known. A node counts its run and returns a result. As many workers as cores.";

fn running<'l>(lab: &'l mut Lab, id: &str, question: &str, work: &str) -> &'l mut Group {
    lab.group(id, question)
        .work(work)
        .axis("nodes")
        .unit("node")
        .growth(true)
        .baseline("sequential")
}

fn parallel(lab: &mut Lab) {
    let group = running(
        lab,
        "dag-run/parallel",
        "What does a scheduler cost when all nodes can run at once?",
        RUN,
    );
    for nodes in [10, 50, 100, 200, 500] {
        every_scheduler(group, nodes, shape::independent);
    }
}

fn chain(lab: &mut Lab) {
    let group = running(
        lab,
        "dag-run/chain",
        "What does a scheduler cost when nothing can run in parallel?",
        RUN,
    );
    for nodes in [5, 10, 20, 50, 500] {
        every_scheduler(group, nodes, shape::chain);
    }
}

fn diamond(lab: &mut Lab) {
    let group = running(
        lab,
        "dag-run/diamond",
        "What does the smallest fan-out and fan-in cost?",
        RUN,
    );
    every_scheduler(group, 5, shape::diamond);
}

fn workflows(lab: &mut Lab) {
    let group = running(
        lab,
        "dag-run/workflows",
        "What do many small graphs cost when they are submitted at once?",
        "An iteration submits graphs of 3 independent nodes to one scheduler and waits for all their outcomes. As many workers as cores.",
    );
    group.axis("graphs").unit("graph");
    for graphs in [10, 50, 100] {
        for strategy in Strategy::ALL {
            group.case(strategy, graphs, move || {
                let scheduler = strategy.scheduler(cores()).expect("threads can be started");
                let counted: Vec<Counted> = (0..graphs)
                    .map(|_| Counted::new(&shape::independent(3), |_| ()))
                    .collect();
                let counters: Vec<Runs> = counted
                    .iter()
                    .map(|graph| Arc::clone(&graph.runs))
                    .collect();
                let dags: Vec<Dag> = counted.into_iter().map(|graph| graph.dag).collect();
                Routine::new(
                    move || scheduler.run_all(&dags),
                    move |outcomes| {
                        assert_eq!(outcomes.len(), graphs);
                        assert!(outcomes.iter().all(|outcome| outcome.completed() == 3));
                        assert!(
                            counters.iter().all(ran_evenly),
                            "every node runs once in every run"
                        );
                    },
                )
            });
        }
    }
}

fn large(lab: &mut Lab, kind: &'static str) {
    let group = running(
        lab,
        &format!("dag-run/{kind}"),
        "What does a scheduler cost a node, from a thousand nodes to a million?",
        &format!(
            "{RUN} `direct-threads`, which starts a thread for each node, is left out above 1 000 nodes."
        ),
    );
    group.quick_limit(1_000);
    for nodes in [1_000, 100_000, 1_000_000] {
        for strategy in Strategy::ALL {
            let most_nodes = match strategy {
                Strategy::DirectThreads => 1_000,
                Strategy::BoundedPool => 100_000,
                _ => usize::MAX,
            };
            if nodes <= most_nodes {
                group.case(strategy, nodes, move || {
                    let graphs = no_op(nodes, |seed| shape_of(kind, nodes, seed));
                    runs(strategy, cores(), graphs)
                });
            }
        }
    }
}

/// A layered graph whose nodes compute between half and one and a half of `grain_ns`.
fn computing(nodes: usize, grain_ns: f64) -> Vec<Counted> {
    let graph = |seed| {
        Counted::new(&shape::layered(nodes, seed), move |index| {
            if grain_ns > 0.0 {
                spin(grain_ns * (0.5 + (index * 7 % 16) as f64 / 15.0));
            }
        })
    };
    (0..16).map(graph).collect()
}

fn grain(lab: &mut Lab) {
    let group = running(
        lab,
        "dag-grain",
        "How much must a node do before running nodes in parallel pays?",
        "An iteration runs a layered graph of 225 nodes that compute for about as long as the input says, between half and one and a half of it. `rayon-level` waits for each layer, the others count dependencies. As many workers as cores.",
    );
    group.axis("work a node").growth(false);
    for (label, grain_ns) in [
        ("no-op", 0.0),
        ("1 us", 1e3),
        ("10 us", 1e4),
        ("100 us", 1e5),
    ] {
        for strategy in Strategy::ALL {
            group.case(strategy, Input::new(label, 225), move || {
                runs(strategy, cores(), computing(225, grain_ns))
            });
        }
    }
}

fn workers(lab: &mut Lab) {
    let group = running(
        lab,
        "dag-workers",
        "How does a scheduler scale with its workers?",
        "An iteration runs a layered graph of 225 nodes that compute for about 10 us each. The times beyond as many workers as the machine has cores show what too many cost; there a speed-up above the number of cores would be a fault of the measurement.",
    );
    group.axis("workers").growth(false);
    let mut counts: Vec<usize> = std::iter::successors(Some(1), |count| Some(count * 2))
        .take_while(|&count| count <= 2 * cores())
        .collect();
    if counts.last() != Some(&(2 * cores())) {
        counts.push(2 * cores());
    }
    for count in counts {
        for strategy in Strategy::ALL {
            group.case(strategy, Input::number(count, 225), move || {
                runs(strategy, count, computing(225, 1e4))
            });
        }
    }
}
