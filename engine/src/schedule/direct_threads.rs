//! A scheduler that starts a thread for every node.

use std::thread::{self, ScopedJoinHandle};

use crossbeam::channel;

use crate::execution::{self, Execution};
use crate::worker::WorkerMark;
use crate::{Dag, NodeId, Options, Outcome, Scheduler, SchedulerError, Strategy, Workers};

/// Starts a fresh thread for every node, at most `workers` of them alive at the same time in a run.
///
/// A node whose thread the system refuses to start runs on the calling thread. This is the plain
/// way, kept to show what a thread costs; it needs microseconds for a node.
#[derive(Debug)]
pub struct DirectThreads {
    workers: Workers,
}

impl DirectThreads {
    /// A scheduler with at most as many threads alive at the same time in a run as there are
    /// workers. None is started yet.
    ///
    /// # Errors
    ///
    /// Fails when there are 0 workers.
    pub fn new(workers: impl Into<Workers>) -> Result<Self, SchedulerError> {
        let workers = workers.into().at_least_one()?;
        Ok(Self { workers })
    }

    fn run_graphs(&self, executions: &[Execution<'_>]) {
        thread::scope(|scope| {
            // A thread sends the number of its seat when its node has run.
            let (done, seats_done) = channel::unbounded();
            let nodes: usize = executions
                .iter()
                .map(|execution| execution.dag().len())
                .sum();
            let seat_count = self.workers.count.min(nodes);
            let mut seats: Vec<Option<Seat<'_, '_>>> = Vec::new();
            seats.resize_with(seat_count, || None);
            let mut free: Vec<usize> = (0..seat_count).collect();
            let mut ready: Vec<(&Execution<'_>, NodeId)> = Vec::new();
            let mut roots = executions
                .iter()
                .flat_map(|execution| execution.roots().map(move |node| (execution, node)));
            loop {
                while let Some(seat) = free.pop() {
                    let Some((execution, node)) = ready.pop().or_else(|| roots.next()) else {
                        free.push(seat);
                        break;
                    };
                    let done = done.clone();
                    let thread = self.workers.thread(seat).spawn_scoped(scope, move || {
                        self.workers.enter(seat);
                        execution.run(node);
                        done.send(seat)
                            .expect("the receiver is on the caller's stack");
                    });
                    match thread {
                        Ok(thread) => {
                            seats[seat] = Some(Seat {
                                thread,
                                execution,
                                node,
                            });
                        }
                        Err(_) => {
                            let _mark = WorkerMark::new();
                            execution.run(node);
                            execution.release(node, |node| ready.push((execution, node)));
                            free.push(seat);
                        }
                    }
                }
                if free.len() == seat_count {
                    return;
                }
                let seat = seats_done.recv().expect("a sender is on this stack");
                let Seat {
                    thread,
                    execution,
                    node,
                } = seats[seat].take().expect("a seat whose thread was started");
                // The thread has run its node; waiting for its end keeps the number alive exact.
                thread.join().expect("a run catches every panic");
                free.push(seat);
                execution.release(node, |node| ready.push((execution, node)));
            }
        });
    }
}

struct Seat<'scope, 'r> {
    thread: ScopedJoinHandle<'scope, ()>,
    execution: &'r Execution<'r>,
    node: NodeId,
}

impl Scheduler for DirectThreads {
    fn name(&self) -> &'static str {
        Strategy::DirectThreads.name()
    }

    fn run_with(&self, dag: &Dag, options: &Options<'_>, outcome: &mut Outcome) {
        execution::run_one(dag, options, outcome, |executions| {
            self.run_graphs(executions)
        });
    }

    fn run_all(&self, dags: &[Dag]) -> Vec<Outcome> {
        execution::run_all(dags, |executions| self.run_graphs(executions))
    }
}
