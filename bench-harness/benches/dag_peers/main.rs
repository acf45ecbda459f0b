//! How do the schedulers do beside other ways to run a graph, on the same graphs and work?

mod bounds;
mod dag_exec;
mod dagrs;
mod hog;
mod peer;
mod rayon_scope;
mod scheduler;
mod tbb;
mod tokio_joinset;

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use bench_harness::{Group, Input, Lab, Rotation, Routine};
use engine::{Shape, Strategy, shape};

use hog::Hog;
use peer::{Peer, Work};

fn suite(lab: &mut Lab) {
    lab.section("Beside other engines");
    for kind in KINDS {
        floor(lab, kind);
    }
    for kind in KINDS {
        fine(lab, kind);
    }
    for kind in ["fan", "tree", "layered", "wavefront"] {
        coarse(lab, kind);
    }
    latency(lab);
    for kind in ["fan", "layered"] {
        busy_neighbour(lab, kind);
    }
    every_peer(lab);
}

bench_harness::main!(suite);

const KINDS: [&str; 7] = [
    "independent",
    "chain",
    "fan",
    "diamonds",
    "tree",
    "layered",
    "wavefront",
];

/// Seeds of shapes that are not random make no difference.
fn shape_of(kind: &str, nodes: usize, seed: u64) -> Shape {
    match kind {
        "independent" => shape::independent(nodes),
        "chain" => shape::chain(nodes),
        "fan" => shape::diamond(nodes),
        "diamonds" => shape::diamonds(nodes),
        "tree" => shape::tree(nodes),
        "layered" => shape::layered(nodes, seed),
        "wavefront" => shape::wavefront(nodes),
        _ => unreachable!("a shape of this file"),
    }
}

/// A way to run graphs, as the report names it.
#[derive(Clone, Copy, PartialEq)]
enum Series {
    Floor,
    Ideal,
    Scheduler(Strategy),
    RayonScope,
    TokioJoinSet,
    OneTbb,
    DagExec,
    Dagrs,
}

impl fmt::Display for Series {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Floor => "floor",
            Self::Ideal => "ideal",
            Self::Scheduler(strategy) => strategy.name(),
            Self::RayonScope => "rayon-scope",
            Self::TokioJoinSet => "tokio-joinset",
            Self::OneTbb => "onetbb",
            Self::DagExec => "dag_exec",
            Self::Dagrs => "dagrs",
        })
    }
}

/// The schedulers of `engine` but those that are called so.
fn schedulers_but(left_out: &[&str]) -> Vec<Series> {
    Strategy::ALL
        .into_iter()
        .filter(|strategy| !left_out.contains(&strategy.name()))
        .map(Series::Scheduler)
        .collect()
}

/// What an iteration does and where.
#[derive(Clone, Copy)]
struct Setting {
    kind: &'static str,
    nodes: usize,
    /// About how long a node computes beside counting its run.
    grain_ns: f32,
    workers: usize,
    /// Whether an iteration builds its graph and drops it, rather than run one that is there.
    builds: bool,
    /// Whether a neighbour keeps one core busy.
    hog: bool,
}

impl Setting {
    fn new(kind: &'static str, nodes: usize, grain_ns: f32, workers: usize) -> Self {
        Self {
            kind,
            nodes,
            grain_ns,
            workers,
            builds: false,
            hog: false,
        }
    }
}

/// Adds a case, unless its series is not to be had here.
fn add(group: &mut Group, series: Series, setting: Setting) {
    add_as(group, series, &series.to_string(), setting.nodes, setting);
}

/// Adds a case under another name or input.
fn add_as(
    group: &mut Group,
    series: Series,
    name: &str,
    input: impl Into<Input>,
    setting: Setting,
) {
    if series == Series::OneTbb && onetbb::version().is_none() {
        return;
    }
    let workers = setting.workers;
    group.case(name, input, move || match series {
        Series::Floor => routine(bounds::Floor, setting),
        Series::Ideal => routine(bounds::Ideal::new(), setting),
        Series::Scheduler(strategy) => {
            routine(scheduler::Scheduled::new(strategy, workers), setting)
        }
        Series::RayonScope => routine(rayon_scope::RayonScope::new(workers), setting),
        Series::TokioJoinSet => routine(tokio_joinset::TokioJoinSet::new(workers), setting),
        Series::OneTbb => routine(tbb::OneTbb::new(workers), setting),
        Series::DagExec => routine(dag_exec::DagExec::new(workers), setting),
        Series::Dagrs => routine(dagrs::Dagrs::new(workers), setting),
    });
}

/// A graph and how often it should have run.
struct Counted<G> {
    graph: G,
    runs: &'static [AtomicU32],
    times: u32,
}

/// Counters that start at zero. They live as long as the process, so that a node's work is a
/// reference and copying it costs nothing; a process measures one case.
fn counters(nodes: usize) -> &'static [AtomicU32] {
    Box::leak((0..nodes).map(|_| AtomicU32::new(0)).collect())
}

fn build<P: Peer>(
    peer: &P,
    shape: &Shape,
    runs: &'static [AtomicU32],
    setting: Setting,
) -> P::Graph {
    let works = runs.iter().map(|runs| Work::new(runs, setting.grain_ns));
    peer.build(shape, works)
}

fn routine<P: Peer + 'static>(mut peer: P, setting: Setting) -> Routine {
    let hog = setting.hog.then(Hog::start);
    // 16 where they are small enough for a branch predictor to learn one by heart.
    let graphs = if setting.nodes <= 1_000 { 16 } else { 1 };
    let shapes = (0..graphs).map(|seed| shape_of(setting.kind, setting.nodes, seed));
    let check = |(runs, times): &(&'static [AtomicU32], u32)| {
        let even = |runs: &AtomicU32| runs.load(Ordering::Relaxed) == *times;
        assert!(runs.iter().all(even), "every node runs once in every run");
    };
    if setting.builds {
        let mut shapes = Rotation::of(shapes.map(|shape| (shape, counters(setting.nodes), 0_u32)));
        return Routine::new(
            move || {
                let (shape, runs, times) = shapes.turn_mut();
                let mut graph = build(&peer, shape, runs, setting);
                peer.run(&mut graph);
                drop(graph);
                *times += 1;
                let _ = &hog;
                (*runs, *times)
            },
            check,
        );
    }
    let mut graphs = Rotation::of(shapes.map(|shape| {
        let runs = counters(setting.nodes);
        Counted {
            graph: build(&peer, &shape, runs, setting),
            runs,
            times: 0,
        }
    }));
    Routine::new(
        move || {
            // It is busy until this closure is dropped.
            let _ = &hog;
            let counted = graphs.turn_mut();
            peer.run(&mut counted.graph);
            counted.times += 1;
            (counted.runs, counted.times)
        },
        check,
    )
}

/// What the groups have in common.
const RERUN: &str = "An iteration runs a built graph on threads that are already there, from the call until every node has finished.";

/// What the series do that are not schedulers of this lab.
fn peers() -> String {
    let onetbb = match onetbb::version() {
        Some(version) => format!(
            "`onetbb` is oneTBB {version}: a flow graph of continue nodes behind a C++ shim, whose caller is one of the workers; its allocations are not counted."
        ),
        None => "`onetbb` is left out: it was not found at build time.".to_owned(),
    };
    format!(
        "`rayon-scope` is what one writes by hand: boxed closures, a count of unfinished dependencies a node, a scope. `tokio-joinset` is a coordinator that awaits tasks, on a thread beside the workers. {onetbb}"
    )
}

/// What [`bounds::Ideal`] is.
const IDEAL: &str = "`ideal` is no scheduler: two threads walk over half of the nodes each and do not look at the edges.";

fn group<'l>(lab: &'l mut Lab, id: &str, question: &str, work: &str) -> &'l mut Group {
    lab.group(id, question)
        .work(work)
        .axis("nodes")
        .unit("node")
}

fn describe(kind: &str) -> &'static str {
    match kind {
        "independent" => "No node depends on another.",
        "chain" => "Every node depends on the one before.",
        "fan" => "One root, one sink, all other nodes between them.",
        "diamonds" => {
            "Diamonds of 4 nodes one after another; the sink of one is the root of the next."
        }
        "tree" => "Every node but the root depends on its parent, 2 on each.",
        "layered" => {
            "Every node depends on 1 to 4 random nodes of the layer before; as many layers as nodes a layer."
        }
        "wavefront" => "A square grid; every node depends on its left and its upper neighbour.",
        _ => unreachable!("a shape of this file"),
    }
}

fn floor(lab: &mut Lab, kind: &'static str) {
    let group = group(
        lab,
        &format!("dag-floor/{kind}"),
        "How far is a run of empty nodes from a plain walk over closures?",
        &format!(
            "{RERUN} Nodes only count their run. {} `floor` is one thread that walks over boxed closures in topological order, without a look at the edges, states or outcomes; the other series are a scheduler with 1 and with 2 workers.",
            describe(kind)
        ),
    );
    group
        .growth(true)
        .baseline("floor")
        .bound("floor")
        .quick_limit(0);
    for nodes in [1_000, 1_000_000] {
        add(group, Series::Floor, Setting::new(kind, nodes, 0.0, 1));
        // The scheduler that is meant for nodes as small as these.
        let Ok(strategy) = "adaptive".parse() else {
            continue;
        };
        for workers in [1, 2] {
            let setting = Setting::new(kind, nodes, 0.0, workers);
            let name = format!("{strategy}-{workers}");
            add_as(group, Series::Scheduler(strategy), &name, nodes, setting);
        }
    }
}

fn fine(lab: &mut Lab, kind: &'static str) {
    let group = group(
        lab,
        &format!("dag-fine/{kind}"),
        "What does a node cost that computes for 0.1 us, on 2 workers?",
        &format!("{RERUN} 2 workers. {} {} {IDEAL}", describe(kind), peers()),
    );
    group.baseline("sequential").bound("ideal").quick_limit(0);
    for nodes in [1_000, 10_000] {
        let setting = Setting::new(kind, nodes, 100.0, 2);
        if !matches!(kind, "chain" | "diamonds") {
            add(group, Series::Ideal, setting);
        }
        for series in schedulers_but(&["direct-threads", "bounded-pool"]) {
            add(group, series, setting);
        }
        add(group, Series::RayonScope, setting);
        // 30 us a node where one follows the other.
        if nodes <= 1_000 && !matches!(kind, "chain" | "diamonds") {
            add(group, Series::TokioJoinSet, setting);
        }
        add(group, Series::OneTbb, setting);
    }
}

fn coarse(lab: &mut Lab, kind: &'static str) {
    let group = group(
        lab,
        &format!("dag-coarse/{kind}"),
        "What does a node cost that computes for 1 us, on 2 workers?",
        &format!("{RERUN} 2 workers. {} {} {IDEAL}", describe(kind), peers()),
    );
    group
        .baseline("sequential")
        .bound("ideal")
        .quick_limit(0)
        .standard_limit(1_000);
    for nodes in [1_000, 10_000] {
        let setting = Setting::new(kind, nodes, 1_000.0, 2);
        add(group, Series::Ideal, setting);
        for series in schedulers_but(&["direct-threads", "bounded-pool"]) {
            add(group, series, setting);
        }
        add(group, Series::RayonScope, setting);
        add(group, Series::TokioJoinSet, setting);
        add(group, Series::OneTbb, setting);
    }
}

fn latency(lab: &mut Lab) {
    for (task, question, what) in [
        (
            "rerun",
            "How long does a small graph take from submission to completion?",
            RERUN,
        ),
        (
            "build-run-drop",
            "How long does a small graph take that is run once?",
            "An iteration builds a graph, runs it once and drops it, on threads that are already there.",
        ),
    ] {
        let group = group(
            lab,
            &format!("dag-latency/{task}"),
            question,
            &format!(
                "{what} The graph is a fan of 10 nodes: one root, one sink, 8 nodes between them, which only count their run. {} `dag_exec` starts its threads with every run; a second run of `dagrs` resets the graph first. `floor` walks over boxed closures in order; it and `sequential` have 1 worker only, engines that take microseconds have 2 only.",
                peers()
            ),
        );
        group
            .axis("workers")
            .baseline("rayon-scope")
            .bound("floor")
            .quick_limit(0);
        for workers in [1, 2] {
            let setting = Setting {
                builds: task != "rerun",
                ..Setting::new("fan", 10, 0.0, workers)
            };
            let mut every = match workers {
                1 => schedulers_but(&["direct-threads", "bounded-pool"]),
                _ => schedulers_but(&["direct-threads", "bounded-pool", "sequential"]),
            };
            if workers == 1 {
                every.extend([Series::Floor, Series::RayonScope, Series::OneTbb]);
            } else {
                every.extend(PEER_CRATES);
            }
            for series in every {
                let input = Input::number(workers, 10);
                add_as(group, series, &series.to_string(), input, setting);
            }
        }
    }
}

/// The ways to run a graph that other people made.
const PEER_CRATES: [Series; 5] = [
    Series::RayonScope,
    Series::TokioJoinSet,
    Series::OneTbb,
    Series::DagExec,
    Series::Dagrs,
];

fn busy_neighbour(lab: &mut Lab, kind: &'static str) {
    let group = group(
        lab,
        &format!("dag-busy-neighbour/{kind}"),
        "How well do 2 workers do when another thread keeps one core busy?",
        &format!(
            "{RERUN} 2 workers, nodes that compute for 1 us, and a thread that computes without end, confined to one core where the system can be told so. {} {}",
            describe(kind),
            peers()
        ),
    );
    group.baseline("sequential").quick_limit(0);
    for nodes in [100, 1_000] {
        let setting = Setting {
            hog: true,
            ..Setting::new(kind, nodes, 1_000.0, 2)
        };
        for series in schedulers_but(&["direct-threads", "bounded-pool"]) {
            add(group, series, setting);
        }
        add(group, Series::RayonScope, setting);
        add(group, Series::OneTbb, setting);
    }
}

fn every_peer(lab: &mut Lab) {
    let group = group(
        lab,
        "dag-peers/layered",
        "What does a node cost in engines that people use today?",
        &format!(
            "{RERUN} 2 workers, 500 nodes that compute for about as long as the input says. {} {} `dag_exec` starts its threads with every run; a second run of `dagrs` resets the graph first. {IDEAL}",
            describe("layered"),
            peers()
        ),
    );
    group
        .axis("work a node")
        .baseline("rayon-scope")
        .bound("ideal")
        .quick_limit(0);
    for (label, grain_ns) in [("no-op", 0.0), ("1 us", 1_000.0)] {
        let mut every = vec![Series::Ideal];
        every.extend(schedulers_but(&[]));
        every.extend(PEER_CRATES);
        for series in every {
            let setting = Setting::new("layered", 500, grain_ns, 2);
            let input = Input::new(label, 500);
            add_as(group, series, &series.to_string(), input, setting);
        }
    }
}
