//! What do the parts around a run cost: finding ready nodes, their data and states, task pools?

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use arena::Bump;
use bench_harness::{Group, Input, Lab, Rotation, Routine, race, shuffle};
use dashmap::DashMap;
use engine::{
    BoundedPool, Dag, Metrics, NodeData, NodeId, NodeState, NodeStates, ReadySet, Run, Shape, shape,
};

fn suite(lab: &mut Lab) {
    lab.section("Nodes");
    for kind in ["chain", "diamond", "random"] {
        ready_set(lab, kind);
    }
    node_data(lab);
    node_status(lab);
    contention(lab);
    lab.section("Worker pool");
    submit(lab);
    backpressure(lab);
    blocking(lab);
}

bench_harness::main!(suite);

fn dag(shape: &Shape) -> Dag {
    shape
        .build(Bump::default(), |_| |_: &Run<'_>| Ok(()))
        .expect("a valid shape")
}

fn ready_set(lab: &mut Lab, kind: &'static str) {
    let group = lab.group(
        &format!("ready-set/{kind}"),
        "How long does it take to find the nodes that are ready, one after the other?",
    );
    group
        .work("An iteration walks through a graph: take a ready node, complete it, until none is left; every edge is followed. Up to 16 graphs take turns. `by-id` keeps the numbers of open dependencies in a map by string id.")
        .axis("nodes")
        .unit("node")
        .growth(true)
        .baseline("by-id");
    for nodes in [10, 100, 1_000] {
        let shape = move |seed| match kind {
            "chain" => shape::chain(nodes),
            "diamond" => shape::diamond(nodes),
            _ => shape::random(nodes, 3.0, seed),
        };
        group.case("by-id", nodes, move || {
            let mut shapes = Rotation::new(nodes, |seed| ById::new(&shape(seed)));
            Routine::new(
                move || shapes.turn().walk(),
                move |walked| assert_eq!(*walked, nodes, "every node becomes ready once"),
            )
        });
        group.case("ready-set", nodes, move || {
            let dags: &'static [Dag] = Vec::leak((0..16).map(|seed| dag(&shape(seed))).collect());
            let mut sets = Rotation::new(nodes, |seed| ReadySet::new(&dags[seed as usize]));
            Routine::new(
                move || {
                    let set = sets.turn_mut();
                    set.reset();
                    let mut walked = 0;
                    while let Some(node) = set.pop() {
                        walked += 1;
                        set.complete(node);
                    }
                    walked
                },
                move |walked| assert_eq!(*walked, nodes, "every node becomes ready once"),
            )
        });
    }
}

/// Kahn's algorithm over maps by string id.
struct ById {
    dependencies: HashMap<String, usize>,
    successors: HashMap<String, Vec<String>>,
}

impl ById {
    fn new(shape: &Shape) -> Self {
        let ids = shape.ids();
        let mut successors: HashMap<String, Vec<String>> = HashMap::new();
        for (index, id) in ids.iter().enumerate() {
            for &dependency in shape.dependencies(index) {
                successors
                    .entry(ids[dependency as usize].clone())
                    .or_default()
                    .push(id.clone());
            }
        }
        let dependencies = (0..ids.len())
            .map(|index| (ids[index].clone(), shape.dependencies(index).len()))
            .collect();
        Self {
            dependencies,
            successors,
        }
    }

    fn walk(&self) -> usize {
        let mut open: HashMap<&str, usize> = self
            .dependencies
            .iter()
            .map(|(id, &count)| (id.as_str(), count))
            .collect();
        let mut ready: Vec<&str> = open
            .iter()
            .filter(|&(_, &count)| count == 0)
            .map(|(&id, _)| id)
            .collect();
        let mut walked = 0;
        while let Some(id) = ready.pop() {
            walked += 1;
            for successor in self.successors.get(id).into_iter().flatten() {
                let count = open
                    .get_mut(successor.as_str())
                    .expect("every node is counted");
                *count -= 1;
                if *count == 0 {
                    ready.push(successor);
                }
            }
        }
        walked
    }
}

fn by_node<'l>(lab: &'l mut Lab, id: &str, question: &str, work: &str) -> &'l mut Group {
    lab.group(id, question)
        .work(work)
        .axis("nodes")
        .unit("node")
}

/// Orders in which nodes are visited; 16 take turns.
fn orders(nodes: usize) -> Rotation<Vec<usize>> {
    Rotation::new(nodes, |seed| {
        let mut order: Vec<usize> = (0..nodes).collect();
        shuffle(&mut order, seed);
        order
    })
}

fn node_data(lab: &mut Lab) {
    let group = by_node(
        lab,
        "node-data",
        "How long does it take to set and get the output of a node by its id?",
        "An iteration sets and gets the output of every node by string id, in random order. `locked-map` is a map by id behind a lock; the others are stored by node, with accesses not counted, all counted, or one of 64 counted, chosen at random.",
    );
    group.baseline("locked-map");
    for nodes in [10, 100, 1_000] {
        let right = move |sum: &u64| assert_eq!(*sum, (0..nodes as u64).sum::<u64>());
        group.case("locked-map", nodes, move || {
            let ids = shape::independent(nodes).ids().to_vec();
            let data: Mutex<HashMap<String, u64>> = Mutex::default();
            let mut orders = orders(nodes);
            Routine::new(
                move || {
                    let lock = || data.lock().expect("no thread panics");
                    let mut sum = 0;
                    for &node in orders.turn() {
                        lock().insert(ids[node].clone(), node as u64);
                        sum += lock()[&ids[node]];
                    }
                    sum
                },
                right,
            )
        });
        for (series, metrics) in [
            ("metrics-off", Metrics::Off),
            ("metrics-full", Metrics::Full),
            ("metrics-sampled", Metrics::Sampled { shift: 6 }),
        ] {
            group.case(series, nodes, move || {
                let shape = shape::independent(nodes);
                let dag = dag(&shape);
                let data = NodeData::new(nodes, metrics);
                let mut orders = orders(nodes);
                let mut accesses = 0;
                Routine::new(
                    move || {
                        accesses += nodes as u64;
                        let mut sum = 0;
                        for &node in orders.turn() {
                            let id = &shape.ids()[node];
                            data.set_named(&dag, id, node as u64);
                            sum += data.get_named(&dag, id).unwrap_or(u64::MAX / 2);
                        }
                        (sum, data.sets(), accesses)
                    },
                    move |&(sum, sets, accesses)| {
                        right(&sum);
                        match metrics {
                            Metrics::Off => assert_eq!(sets, 0),
                            Metrics::Full => assert_eq!(sets, accesses),
                            // An estimate: eight standard deviations of a sample this sparse.
                            Metrics::Sampled { shift } => {
                                let deviation = ((accesses << shift) as f64).sqrt();
                                let error = sets.abs_diff(accesses) as f64;
                                assert!(error <= 8.0 * deviation, "{sets} of {accesses}");
                            }
                        }
                    },
                )
            });
        }
    }
}

const CYCLE: [NodeState; 3] = [NodeState::Pending, NodeState::Completed, NodeState::Failed];

/// Where the states of nodes are kept, shared by threads.
trait States: Sync + 'static {
    fn new(nodes: &[NodeId]) -> Self;
    fn set(&self, node: NodeId, state: NodeState);
    fn get(&self, node: NodeId) -> NodeState;
}

impl States for NodeStates {
    fn new(nodes: &[NodeId]) -> Self {
        Self::new(nodes.len())
    }
    fn set(&self, node: NodeId, state: NodeState) {
        self.set(node, state);
    }
    fn get(&self, node: NodeId) -> NodeState {
        self.get(node)
    }
}

impl States for Mutex<HashMap<NodeId, NodeState>> {
    fn new(nodes: &[NodeId]) -> Self {
        Self::new(
            nodes
                .iter()
                .map(|&node| (node, NodeState::Pending))
                .collect(),
        )
    }
    fn set(&self, node: NodeId, state: NodeState) {
        self.lock().expect("no thread panics").insert(node, state);
    }
    fn get(&self, node: NodeId) -> NodeState {
        self.lock().expect("no thread panics")[&node]
    }
}

impl States for DashMap<NodeId, NodeState> {
    fn new(nodes: &[NodeId]) -> Self {
        nodes
            .iter()
            .map(|&node| (node, NodeState::Pending))
            .collect()
    }
    fn set(&self, node: NodeId, state: NodeState) {
        self.insert(node, state);
    }
    fn get(&self, node: NodeId) -> NodeState {
        *self
            .view(&node, |_, state| *state)
            .as_ref()
            .expect("every node has a state")
    }
}

fn nodes_of(count: usize) -> Vec<NodeId> {
    dag(&shape::independent(count)).nodes().collect()
}

fn node_status(lab: &mut Lab) {
    let group = by_node(
        lab,
        "node-status",
        "How long does it take to set and get the state of a node?",
        "An iteration sets and gets the state of every node, in random order, on one thread.",
    );
    group.baseline("locked-map");
    for nodes in [10, 100, 1_000] {
        group.case("locked-map", nodes, move || {
            status::<Mutex<HashMap<_, _>>>(nodes)
        });
        group.case("dashmap", nodes, move || status::<DashMap<_, _>>(nodes));
        group.case("atomic", nodes, move || status::<NodeStates>(nodes));
    }
}

fn status<S: States>(count: usize) -> Routine {
    let nodes = nodes_of(count);
    let states = S::new(&nodes);
    let mut orders = orders(count);
    let mut round = 0;
    Routine::new(
        move || {
            round += 1;
            orders
                .turn()
                .iter()
                .filter(|&&node| {
                    let state = CYCLE[(node + round) % CYCLE.len()];
                    states.set(nodes[node], state);
                    states.get(nodes[node]) == state
                })
                .count()
        },
        move |kept| assert_eq!(*kept, count, "a state that was set can be read"),
    )
}

fn contention(lab: &mut Lab) {
    let group = lab.group(
        "contention",
        "Do threads that change states slow each other down?",
    );
    group
        .work("Threads start together; in an iteration each sets and gets the states of its share of 1 000 nodes, every n-th of n threads. Time is from the first start to the last end.")
        .axis("threads")
        .unit("access")
        .per_element()
        .baseline("locked-map");
    for threads in [1, 2, 4] {
        let input = || Input::number(threads, 1_000);
        group.case("locked-map", input(), move || {
            contended::<Mutex<HashMap<_, _>>>(threads)
        });
        group.case("dashmap", input(), move || {
            contended::<DashMap<_, _>>(threads)
        });
        group.case("atomic", input(), move || contended::<NodeStates>(threads));
    }
}

fn contended<S: States>(threads: usize) -> Routine {
    let nodes = nodes_of(1_000);
    let states = S::new(&nodes);
    Routine::timed(
        move |iterations| -> (Duration, Vec<bool>) {
            race(threads, |thread| {
                (0..iterations).all(|iteration| {
                    let state = CYCLE[iteration as usize % CYCLE.len()];
                    nodes.iter().skip(thread).step_by(threads).all(|&node| {
                        states.set(node, state);
                        states.get(node) == state
                    })
                })
            })
        },
        move |right| {
            assert_eq!(
                *right,
                vec![true; threads],
                "no thread changes another's nodes"
            )
        },
    )
}

/// A pool whose tasks count themselves.
fn counting(workers: usize, capacity: usize, tasks: u64) -> Routine {
    static DONE: AtomicU64 = AtomicU64::new(0);
    let pool = BoundedPool::new(workers, capacity).expect("threads can be started");
    Routine::new(
        move || {
            let before = DONE.load(Ordering::Relaxed);
            for _ in 0..tasks {
                pool.submit(|| {
                    DONE.fetch_add(1, Ordering::Relaxed);
                });
            }
            pool.wait().expect("no task panics");
            DONE.load(Ordering::Relaxed) - before
        },
        move |done| assert_eq!(*done, tasks, "every task runs once"),
    )
}

fn submit(lab: &mut Lab) {
    let group = lab.group(
        "bounded-pool/submit",
        "What does handing a task to a pool cost?",
    );
    group
        .work("An iteration submits 1 000 tasks that count themselves and waits once at the end. The queue has room for as many tasks as there are workers; a full queue blocks the submitter. `rayon` spawns into a scope of its own pool, without a bound.")
        .axis("workers")
        .unit("task")
        .per_element()
        .baseline("rayon");
    for workers in [10, 50, 100, 500, 1_000] {
        let input = || Input::number(workers, 1_000);
        group.case("bounded-pool", input(), move || {
            counting(workers, workers, 1_000)
        });
        group.case("rayon", input(), move || {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(workers)
                .build()
                .expect("threads can be started");
            let done = AtomicU64::new(0);
            Routine::new(
                move || {
                    let before = done.load(Ordering::Relaxed);
                    pool.scope(|scope| {
                        for _ in 0..1_000 {
                            scope.spawn(|_| {
                                done.fetch_add(1, Ordering::Relaxed);
                            });
                        }
                    });
                    done.load(Ordering::Relaxed) - before
                },
                |done| assert_eq!(*done, 1_000, "every task runs once"),
            )
        });
    }
}

fn backpressure(lab: &mut Lab) {
    let group = lab.group(
        "bounded-pool/backpressure",
        "What does a pool cost whose submitter has to wait for room?",
    );
    group
        .work("An iteration submits tasks that count themselves to 10 workers with a queue of 10, and waits once at the end; the submitter blocks when the queue is full.")
        .axis("tasks")
        .growth(true)
        .unit("task");
    for tasks in [1_000, 5_000] {
        group.case("bounded-pool", tasks, move || {
            counting(10, 10, tasks as u64)
        });
    }
}

/// How long a blocking task sleeps.
const SLEEP: Duration = Duration::from_millis(1);

fn blocking(lab: &mut Lab) {
    let group = lab.group(
        "bounded-pool/blocking",
        "What does a limit on the workers cost when the tasks only wait?",
    );
    group
        .work("An iteration runs tasks that sleep for 1 ms, on a new thread each or on 4 workers. How far a sleep overshoots stands under Environment, for one of 100 us.")
        .axis("tasks")
        .growth(true)
        .unit("task")
        .per_element()
        .baseline("direct-threads")
        .quick_limit(100)
        .standard_limit(100);
    for tasks in [10, 100, 1_000] {
        group.case("direct-threads", tasks, move || {
            Routine::new(
                move || {
                    std::thread::scope(|scope| {
                        let handles: Vec<_> = (0..tasks)
                            .map(|_| scope.spawn(|| std::thread::sleep(SLEEP)))
                            .collect();
                        handles
                            .into_iter()
                            .filter_map(|handle| handle.join().ok())
                            .count()
                    })
                },
                move |done| assert_eq!(*done, tasks, "every task runs once"),
            )
        });
        group.case("limited-4", tasks, move || {
            let pool = BoundedPool::new(4, 4).expect("threads can be started");
            Routine::new(
                move || {
                    let started = std::time::Instant::now();
                    for _ in 0..tasks {
                        pool.submit(|| std::thread::sleep(SLEEP));
                    }
                    pool.wait().expect("no task panics");
                    // Four workers cannot sleep through the tasks faster than this.
                    started.elapsed() >= SLEEP * tasks.div_ceil(4) as u32
                },
                |slept| assert!(slept, "every task sleeps"),
            )
        });
    }
}
