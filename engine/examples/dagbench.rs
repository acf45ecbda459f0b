//! What do building and running a graph cost a node? One CSV line for each engine, graph and
//! number of threads, to be compared with drivers of other engines that print the same columns.
//!
//! ```text
//! cargo run --release -p engine --example dagbench -- floor,work-stealing fan,wave 10,1000 0 1,2 20
//! ```
//!
//! Columns: engine, topology, nodes, K, threads, edges, build ns/node, re-run ns/node, its minimum,
//! build+run+drop ns/node, re-run us, its 95th percentile in us. Times are medians where nothing
//! else is said. A node computes K rounds of xorshift and counts its run; a graph whose nodes did
//! not run once in every run ends the program.

use std::collections::HashSet;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::process::ExitCode;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use clap::Parser;
use engine::{Dag, NodeError, Outcome, Run, Scheduler, Shape, Strategy};

#[derive(Parser)]
#[command(
    about = "Measures what building and running graphs costs a node; prints CSV",
    arg_required_else_help = true,
    after_help = "Columns: engine, topology, nodes, K, threads, edges, build ns/node, re-run \
                  ns/node, its minimum, build+run+drop ns/node, re-run us, its p95 us\n\
                  Example: dagbench floor,work-stealing chain,fan 10,1000 0,75 1,2 20"
)]
struct Arguments {
    /// `floor` (a walk over boxed closures) and names of schedulers
    engines: List<Engine>,
    /// Any of chain, fan, diamond, tree, layer, wave, indep
    #[arg(default_value = "chain,fan,diamond,tree,layer,wave,indep")]
    topologies: List<Topology>,
    /// Numbers of nodes; `wave` rounds down to a square
    #[arg(default_value = "10,100,1000,10000")]
    sizes: List<NonZeroU32>,
    /// Rounds of xorshift in a node: 0 is an empty one, 75 about 0.1 us, 750 about 1 us
    #[arg(default_value = "0")]
    k: List<u32>,
    /// Numbers of workers
    #[arg(default_value = "1,2")]
    threads: List<usize>,
    /// Milliseconds a figure may take, where 7 samples do not need more
    #[arg(default_value_t = 20.0)]
    budget_ms: f64,
}

/// Values separated by commas.
#[derive(Clone, Debug)]
struct List<T>(Vec<T>);

impl<T: FromStr> FromStr for List<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        text.split(',')
            .map(str::parse)
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

fn main() -> ExitCode {
    match measure(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(sentence) => {
            eprintln!("{sentence}");
            ExitCode::FAILURE
        }
    }
}

fn measure(arguments: &Arguments) -> Result<(), String> {
    let budget_ns = arguments.budget_ms * 1e6;
    for &engine in &arguments.engines.0 {
        for &threads in &arguments.threads.0 {
            let driver = engine.driver(threads)?;
            for &topology in &arguments.topologies.0 {
                for nodes in &arguments.sizes.0 {
                    let shape = topology.shape(nodes.get() as usize);
                    for &rounds in &arguments.k.0 {
                        let counters = Counters::new(shape.len(), rounds);
                        let case = format!("{},{},{nodes}", engine.name(), topology.name());
                        let measured = driver
                            .measure(&shape, &counters, budget_ns)
                            .map_err(|wrong| format!("{case}: {wrong}"))?;
                        let per_node = |ns: f64| ns / shape.len() as f64;
                        println!(
                            "{},{},{},{rounds},{threads},{},{:.2},{:.2},{:.2},{:.2},{:.2},{:.2}",
                            engine.name(),
                            topology.name(),
                            shape.len(),
                            shape.edge_count(),
                            per_node(measured.build.median),
                            per_node(measured.run.median),
                            per_node(measured.run.least),
                            per_node(measured.whole.median),
                            measured.run.median / 1e3,
                            measured.run.p95 / 1e3,
                        );
                    }
                }
            }
        }
    }
    Ok(())
}

/// One series.
#[derive(Clone, Copy, Debug)]
enum Engine {
    Floor,
    Scheduler(Strategy),
}

impl Engine {
    fn name(self) -> &'static str {
        match self {
            Self::Floor => "floor",
            Self::Scheduler(strategy) => strategy.name(),
        }
    }

    fn driver(self, threads: usize) -> Result<Driver, String> {
        match self {
            Self::Floor => Ok(Driver::Floor),
            Self::Scheduler(strategy) => strategy
                .scheduler(threads)
                .map(Driver::Scheduler)
                .map_err(|error| error.to_string()),
        }
    }
}

impl FromStr for Engine {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "floor" => Ok(Self::Floor),
            _ => name
                .parse()
                .map(Self::Scheduler)
                .map_err(|error: engine::UnknownStrategy| format!("{error}, floor")),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Topology {
    /// Every node depends on the one before.
    Chain,
    /// The first node before all others, the last one after all others.
    Fan,
    /// One node, two after it, one after both, and so on.
    Diamond,
    /// Every node but the first depends on its parent in a binary tree.
    Tree,
    /// Layers of 32; every node depends on 3 random nodes of the layer before.
    Layer,
    /// A square grid; every node depends on its upper and its left neighbour.
    Wave,
    /// No edges.
    Indep,
}

impl Topology {
    const ALL: [Self; 7] = [
        Self::Chain,
        Self::Fan,
        Self::Diamond,
        Self::Tree,
        Self::Layer,
        Self::Wave,
        Self::Indep,
    ];

    fn name(self) -> &'static str {
        match self {
            Self::Chain => "chain",
            Self::Fan => "fan",
            Self::Diamond => "diamond",
            Self::Tree => "tree",
            Self::Layer => "layer",
            Self::Wave => "wave",
            Self::Indep => "indep",
        }
    }

    /// The graph of this topology; other drivers generate the same one.
    fn shape(self, nodes: usize) -> Shape {
        let side = nodes.isqrt();
        let nodes = if self == Self::Wave {
            side * side
        } else {
            nodes
        };
        let mut random = SplitMix(42);
        let mut shape = Shape::new();
        for index in 0..nodes {
            let dependencies: Vec<usize> = match self {
                Self::Chain => index.checked_sub(1).into_iter().collect(),
                Self::Fan if index == 0 => Vec::new(),
                Self::Fan if index == nodes - 1 => (1..index).collect(),
                Self::Fan => vec![0],
                Self::Diamond if index == 0 => Vec::new(),
                Self::Diamond if index % 3 == 0 => vec![index - 2, index - 1],
                Self::Diamond => vec![index - index % 3],
                Self::Tree => index
                    .checked_sub(1)
                    .map(|above| above / 2)
                    .into_iter()
                    .collect(),
                Self::Layer if index < LAYER => Vec::new(),
                Self::Layer => random.layer_before(index),
                Self::Wave => {
                    let upper = index.checked_sub(side);
                    let left = (index % side > 0).then(|| index - 1);
                    upper.into_iter().chain(left).collect()
                }
                Self::Indep => Vec::new(),
            };
            shape.push(format!("node-{index:06}"), dependencies);
        }
        shape
    }
}

impl FromStr for Topology {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL
            .into_iter()
            .find(|topology| topology.name() == name)
            .ok_or_else(|| {
                let names = Self::ALL.map(Self::name).join(", ");
                format!("no topology is called `{name}`; there are {names}")
            })
    }
}

/// Nodes in a layer of [`Topology::Layer`].
const LAYER: usize = 32;

/// The generator SplitMix64 (Steele, Lea and Flood, 2014): small enough to be the same in every
/// driver.
struct SplitMix(u64);

impl SplitMix {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Three nodes of the layer before that of node `index`.
    fn layer_before(&mut self, index: usize) -> Vec<usize> {
        let first = (index / LAYER - 1) * LAYER;
        let mut chosen = Vec::with_capacity(3);
        while chosen.len() < 3 {
            let candidate = first + (self.next() % LAYER as u64) as usize;
            if !chosen.contains(&candidate) {
                chosen.push(candidate);
            }
        }
        chosen
    }
}

/// What the nodes of a graph do, and how often each did it.
struct Counters {
    runs: &'static [AtomicU32],
    rounds: u32,
}

impl Counters {
    /// The counters live until the program ends, so that a node borrows its own and captures 16
    /// bytes.
    fn new(nodes: usize, rounds: u32) -> Self {
        let runs: Vec<AtomicU32> = (0..nodes).map(|_| AtomicU32::new(0)).collect();
        Self {
            runs: runs.leak(),
            rounds,
        }
    }

    /// The work of the node with this index.
    fn work(&self, index: usize) -> impl Fn() + Send + Sync + use<> {
        let (runs, rounds, seed) = (&self.runs[index], self.rounds, index as u32);
        move || {
            if rounds > 0 {
                // xorshift64 (Marsaglia, 2003): a chain of operations that cannot be vectorised.
                let mut state = u64::from(seed)
                    .wrapping_mul(2_654_435_761)
                    .wrapping_add(88_172_645_463_325_252);
                for _ in 0..rounds {
                    state ^= state << 13;
                    state ^= state >> 7;
                    state ^= state << 17;
                }
                black_box(state);
            }
            // `Relaxed`, and no read-modify-write: a node runs once in a run, so nothing else
            // writes its counter. An engine that breaks this loses counts, and the check sees it.
            runs.store(
                runs.load(Ordering::Relaxed).wrapping_add(1),
                Ordering::Relaxed,
            );
        }
    }

    /// Says what is wrong unless every node ran `expected` times since the last call.
    fn take(&self, expected: u32) -> Result<(), String> {
        let counts: HashSet<u32> = self
            .runs
            .iter()
            .map(|runs| runs.swap(0, Ordering::Relaxed))
            .collect();
        match counts.iter().find(|&&count| count != expected) {
            None => Ok(()),
            Some(count) => Err(format!("a node ran {count} times in {expected} runs")),
        }
    }
}

/// What was measured of one graph, in nanoseconds.
struct Measured {
    build: Times,
    run: Times,
    whole: Times,
}

/// How an engine is driven.
enum Driver {
    Floor,
    Scheduler(Box<dyn Scheduler>),
}

impl Driver {
    fn measure(
        &self,
        shape: &Shape,
        counters: &Counters,
        budget_ns: f64,
    ) -> Result<Measured, String> {
        match self {
            Self::Floor => measure_engine(
                || boxes(shape, counters),
                |boxes| boxes.iter().for_each(|work| work()),
                |boxes| boxes.iter().for_each(|work| work()),
                counters,
                budget_ns,
            ),
            Self::Scheduler(scheduler) => {
                let mut outcome = Outcome::new();
                measure_engine(
                    || dag(shape, counters),
                    |dag| scheduler.run_into(dag, &mut outcome),
                    |dag| drop(scheduler.run(dag)),
                    counters,
                    budget_ns,
                )
            }
        }
    }
}

/// The graph of `shape`; the only place that knows how one is built.
fn dag(shape: &Shape, counters: &Counters) -> Dag {
    shape
        .build_without_ids(arena::Bump::default(), |index| {
            let work = counters.work(index);
            move |_: &Run<'_>| -> Result<(), NodeError> {
                work();
                Ok(())
            }
        })
        .expect("every topology is a graph without cycles")
}

/// The work of the nodes, in an order in which it can be done.
fn boxes(shape: &Shape, counters: &Counters) -> Vec<Box<dyn Fn() + Send + Sync>> {
    (0..shape.len())
        .map(|index| Box::new(counters.work(index)) as Box<dyn Fn() + Send + Sync>)
        .collect()
}

/// `rerun` may keep what it needs between runs, `run` starts from nothing.
fn measure_engine<G>(
    build: impl Fn() -> G,
    mut rerun: impl FnMut(&G),
    run: impl Fn(&G),
    counters: &Counters,
    budget_ns: f64,
) -> Result<Measured, String> {
    let built = sample(budget_ns / 2.0, || {
        let start = Instant::now();
        let graph = build();
        let elapsed = start.elapsed();
        drop(graph);
        elapsed.as_nanos() as f64
    });
    counters.take(0)?;

    let graph = build();
    let mut runs = 0;
    let ran = sample(budget_ns, || {
        runs += 1;
        let start = Instant::now();
        rerun(&graph);
        start.elapsed().as_nanos() as f64
    });
    counters.take(runs)?;
    drop(graph);

    let mut runs = 0;
    let whole = sample(budget_ns, || {
        runs += 1;
        let start = Instant::now();
        let graph = build();
        run(&graph);
        drop(graph);
        start.elapsed().as_nanos() as f64
    });
    counters.take(runs)?;
    Ok(Measured {
        build: built,
        run: ran,
        whole,
    })
}

struct Times {
    median: f64,
    least: f64,
    p95: f64,
}

/// Takes samples of `once`, after 3 that are thrown away: 7 to 2000 within the budget, or 3 where
/// they take 8 times as long.
fn sample(budget_ns: f64, mut once: impl FnMut() -> f64) -> Times {
    for _ in 0..3 {
        once();
    }
    let mut samples = Vec::new();
    let start = Instant::now();
    loop {
        samples.push(once());
        let spent_ns = start.elapsed().as_nanos() as f64;
        let enough = samples.len() >= 7 && (spent_ns > budget_ns || samples.len() >= 2_000);
        if enough || samples.len() >= 3 && spent_ns > budget_ns * 8.0 {
            break;
        }
    }
    samples.sort_by(f64::total_cmp);
    Times {
        median: samples[samples.len() / 2],
        least: samples[0],
        p95: samples[samples.len() * 95 / 100],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The edges of a shape as `from>to`.
    fn edges(topology: Topology, nodes: usize) -> String {
        let shape = topology.shape(nodes);
        (0..shape.len())
            .flat_map(|node| {
                let dependencies = shape.dependencies(node).iter();
                dependencies.map(move |from| format!("{from}>{node}"))
            })
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn small_topologies_are_as_drawn() {
        assert_eq!(edges(Topology::Chain, 3), "0>1 1>2");
        assert_eq!(edges(Topology::Fan, 4), "0>1 0>2 1>3 2>3");
        assert_eq!(edges(Topology::Diamond, 6), "0>1 0>2 1>3 2>3 3>4 3>5");
        assert_eq!(edges(Topology::Tree, 5), "0>1 0>2 1>3 1>4");
        assert_eq!(edges(Topology::Wave, 8), "0>1 0>2 1>3 2>3");
        assert_eq!(edges(Topology::Indep, 3), "");
        assert_eq!(edges(Topology::Layer, 32), "");
    }

    #[test]
    fn layers_are_drawn_from_the_published_generator() {
        // The first outputs of SplitMix64 with the seed 1234567.
        let mut random = SplitMix(1_234_567);
        assert_eq!(random.next(), 6_457_827_717_110_365_317);
        assert_eq!(random.next(), 3_203_168_211_198_807_973);
        let shape = Topology::Layer.shape(100);
        assert_eq!(shape.edge_count(), 3 * 68);
        assert!(
            shape
                .dependencies(99)
                .iter()
                .all(|from| (64..96).contains(from))
        );
    }

    #[test]
    fn every_engine_runs_every_topology_and_is_measured() {
        let strategies = Strategy::ALL.map(Engine::Scheduler);
        for engine in strategies.into_iter().chain([Engine::Floor]) {
            assert_eq!(
                engine.name().parse::<Engine>().map(Engine::name),
                Ok(engine.name())
            );
            let driver = engine.driver(2).unwrap();
            for topology in Topology::ALL {
                assert_eq!(topology.name().parse(), Ok(topology));
                let shape = topology.shape(40);
                let measured = driver.measure(&shape, &Counters::new(shape.len(), 1), 0.0);
                assert!(measured.unwrap().run.least >= 0.0);
            }
        }
    }

    #[test]
    fn an_engine_that_loses_a_node_or_runs_one_twice_is_found() {
        let shape = Topology::Chain.shape(3);
        let counters = Counters::new(3, 0);
        let build = || boxes(&shape, &counters);
        type Boxes = Vec<Box<dyn Fn() + Send + Sync>>;
        let right = |boxes: &Boxes| boxes.iter().for_each(|work| work());
        let lost = |boxes: &Boxes| boxes[1..].iter().for_each(|work| work());
        let twice = |boxes: &Boxes| boxes.iter().chain([&boxes[0]]).for_each(|work| work());
        assert!(measure_engine(build, right, right, &counters, 0.0).is_ok());
        let error = measure_engine(build, lost, right, &counters, 0.0).err();
        assert!(error.unwrap().starts_with("a node ran 0 times in "));
        let error = measure_engine(build, right, twice, &counters, 0.0).err();
        assert!(error.unwrap().starts_with("a node ran "));
    }

    #[test]
    fn unknown_names_are_answered_with_the_known_ones() {
        let error = "fifo".parse::<Engine>().unwrap_err();
        assert!(
            error.contains("work-stealing") && error.ends_with(", floor"),
            "{error}"
        );
        let error = "ring".parse::<Topology>().unwrap_err();
        assert_eq!(
            error,
            "no topology is called `ring`; there are chain, fan, diamond, tree, layer, wave, indep"
        );
    }
}
