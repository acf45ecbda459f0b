//! What a run comes to: work, critical path, overhead.

use std::fmt;

use super::Timeline;
use super::timeline::Nanoseconds;
use crate::{Dag, NodeId};

/// What a run comes to, in the terms of work and span.
///
/// On `P` workers no schedule can take less than the work divided by `P`, nor less than the
/// critical path, and one that never leaves a worker idle while a node is ready takes at most the sum
/// of the two: R. P. Brent, "The Parallel Evaluation of General Arithmetic Expressions", 1974; for
/// schedulers that steal work, with high probability and a constant more, R. D. Blumofe and C. E.
/// Leiserson, "Scheduling Multithreaded Computations by Work Stealing", 1999.
///
/// # Examples
///
/// ```
/// use engine::trace::{Span, Timeline};
/// use engine::{NodeId, NodeState, shape};
///
/// // `a` takes 30 ns and `b`, which depends on it, 10; the run takes 50 on 2 workers.
/// let dag = shape::chain(2).build(arena::Bump::default(), |_| |_: &engine::Run<'_>| Ok(()))?;
/// let span = |node, start_ns, end_ns| Span {
///     worker: 0,
///     node: NodeId::from_index(node),
///     start_ns,
///     end_ns,
///     state: NodeState::Completed,
/// };
/// let spans = vec![span(0, 5, 35), span(1, 38, 48)];
/// let timeline = Timeline { workers: 2, end_ns: 50, spans, dropped: 0 };
///
/// let stats = timeline.stats(&dag);
/// assert_eq!((stats.work_ns, stats.critical_path_ns, stats.makespan_ns), (40, 40, 50));
/// assert_eq!(stats.utilisation(), 0.4);
/// // A node was ready and a worker free from 0 to 5 and from 35 to 38.
/// assert_eq!(stats.overhead_ns, 8);
/// // Nothing was ready for the second worker in between, nor for both after the last node.
/// assert_eq!(stats.idle_ns, 52);
/// # Ok::<(), engine::BuildError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Number of workers the run could use.
    pub workers: usize,
    /// Number of nodes that ran or were skipped.
    pub nodes: usize,
    /// Time of the run from its beginning to its end.
    pub makespan_ns: u64,
    /// The work: time of all nodes together.
    pub work_ns: u64,
    /// The nodes of the critical path, the path through the graph whose nodes took the longest, from
    /// a root to a sink.
    pub critical_path: Vec<NodeId>,
    /// The span: time of the nodes on the critical path together.
    pub critical_path_ns: u64,
    /// Time that workers were in no node although one was ready for them: what the scheduler takes
    /// to hand over, wake up and find.
    pub overhead_ns: u64,
    /// Time that workers were in no node and none was ready for them.
    pub idle_ns: u64,
    /// Number of nodes that were not recorded; with any, nothing here is exact.
    pub dropped: u64,
}

impl Stats {
    /// How many workers the graph could keep busy on average: work by critical path.
    pub fn parallelism(&self) -> f64 {
        ratio(self.work_ns, self.critical_path_ns)
    }

    /// The part of the workers' time that was spent in nodes, from 0 to 1.
    pub fn utilisation(&self) -> f64 {
        ratio(self.work_ns, self.makespan_ns * self.workers as u64)
    }

    /// The overhead a node, in nanoseconds.
    pub fn overhead_per_node_ns(&self) -> f64 {
        ratio(self.overhead_ns, self.nodes as u64)
    }

    /// The least time that these nodes take on this many workers by any schedule.
    pub fn lower_bound_ns(&self) -> u64 {
        let share = self.work_ns.div_ceil(self.workers.max(1) as u64);
        share.max(self.critical_path_ns)
    }

    /// The most time that they take by a schedule that never leaves a worker idle while a node is
    /// ready and hands over in no time.
    pub fn greedy_bound_ns(&self) -> u64 {
        let workers = self.workers.max(1) as u64;
        // Brent: the critical path, and what is left of the work spread over all workers.
        let rest = self.work_ns.saturating_sub(self.critical_path_ns);
        self.critical_path_ns + rest.div_ceil(workers)
    }
}

fn ratio(of: u64, to: u64) -> f64 {
    match to {
        0 => 0.0,
        to => of as f64 / to as f64,
    }
}

/// A table; bounds are those of any schedule and of a greedy one.
impl fmt::Display for Stats {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ns = |ns: u64| Nanoseconds(ns as f64).to_string();
        let plural = |count: usize, word: &str| match count {
            1 => format!("1 {word}"),
            _ => format!("{count} {word}s"),
        };
        writeln!(
            formatter,
            "{} on {} in {}",
            plural(self.nodes, "node"),
            plural(self.workers, "worker"),
            ns(self.makespan_ns)
        )?;
        let rows = [
            ("work", ns(self.work_ns), "time in nodes".to_owned()),
            (
                "critical path",
                ns(self.critical_path_ns),
                plural(self.critical_path.len(), "node"),
            ),
            (
                "parallelism",
                format!("{:.2}", self.parallelism()),
                "work / critical path".to_owned(),
            ),
            (
                "bounds",
                ns(self.lower_bound_ns()),
                format!(
                    "by any schedule; at most {} by a greedy one",
                    ns(self.greedy_bound_ns())
                ),
            ),
            (
                "utilisation",
                format!("{:.1} %", 100.0 * self.utilisation()),
                "work / (workers x time)".to_owned(),
            ),
            (
                "overhead",
                ns(self.overhead_ns),
                format!(
                    "{} a node; workers in no node while one was ready",
                    Nanoseconds(self.overhead_per_node_ns())
                ),
            ),
            (
                "idle",
                ns(self.idle_ns),
                "workers in no node while none was ready".to_owned(),
            ),
        ];
        for (index, (name, value, note)) in rows.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(formatter, "{line_break}  {name:<13} {value:>8}  {note}")?;
        }
        if self.dropped > 0 {
            let dropped = plural(self.dropped as usize, "node");
            write!(
                formatter,
                "\n  {dropped} not recorded: nothing here is exact"
            )?;
        }
        Ok(())
    }
}

impl Timeline {
    /// What the run comes to. Takes O(n log n + edges) time for n nodes.
    ///
    /// # Panics
    ///
    /// Panics when a span's node is not in `dag`.
    pub fn stats(&self, dag: &Dag) -> Stats {
        let (critical_path, critical_path_ns) = self.critical_path(dag);
        let (overhead_ns, idle_ns) = self.outside_nodes(dag);
        Stats {
            workers: self.workers,
            nodes: self.spans.len(),
            makespan_ns: self.end_ns,
            work_ns: self.spans.iter().map(|span| span.duration_ns()).sum(),
            critical_path,
            critical_path_ns,
            overhead_ns,
            idle_ns,
            dropped: self.dropped,
        }
    }

    /// The path through the graph whose nodes took the longest, and how long they took.
    ///
    /// Of several that took equally long it is one of them. Takes O(nodes + edges) time.
    ///
    /// # Panics
    ///
    /// Panics when a span's node is not in `dag`.
    pub fn critical_path(&self, dag: &Dag) -> (Vec<NodeId>, u64) {
        let mut duration_ns = vec![0; dag.len()];
        for span in &self.spans {
            duration_ns[span.node.index()] = span.duration_ns();
        }
        // By node, the longest path that ends before it, and the node that path ends with. Ids are a
        // topological order, so a node's entry is final when its turn comes.
        let mut before: Vec<(u64, Option<NodeId>)> = vec![(0, None); dag.len()];
        let mut longest: Option<(u64, NodeId)> = None;
        for node in dag.nodes() {
            let path_ns = before[node.index()].0 + duration_ns[node.index()];
            // Of equal paths the last: it goes on to a sink though the rest took no time.
            if longest.is_none_or(|(longest_ns, _)| path_ns >= longest_ns) {
                longest = Some((path_ns, node));
            }
            for successor in dag.successors(node) {
                let entry = &mut before[successor.index()];
                if entry.1.is_none() || path_ns > entry.0 {
                    *entry = (path_ns, Some(node));
                }
            }
        }
        let Some((longest_ns, end)) = longest else {
            return (Vec::new(), 0);
        };
        let mut path: Vec<_> =
            std::iter::successors(Some(end), |node| before[node.index()].1).collect();
        path.reverse();
        (path, longest_ns)
    }

    /// The time that workers were in no node: while nodes were ready for them, and while none were.
    fn outside_nodes(&self, dag: &Dag) -> (u64, u64) {
        let mut ready_ns = vec![0; dag.len()];
        for span in &self.spans {
            for successor in dag.successors(span.node) {
                let ready_ns = &mut ready_ns[successor.index()];
                *ready_ns = span.end_ns.max(*ready_ns);
            }
        }
        // When the numbers of ready nodes and of free workers change, and by how much.
        let mut changes: Vec<(u64, i64, i64)> = Vec::with_capacity(3 * self.spans.len() + 1);
        for span in &self.spans {
            // The clocks of two cores may disagree: what starts is ready.
            let ready_ns = ready_ns[span.node.index()].min(span.start_ns);
            changes.push((ready_ns, 1, 0));
            changes.push((span.start_ns, -1, -1));
            changes.push((span.end_ns, 0, 1));
        }
        changes.push((self.end_ns, 0, 0));
        changes.sort_unstable_by_key(|(at_ns, ..)| *at_ns);
        let (mut ready, mut free) = (0, self.workers as i64);
        let (mut overhead_ns, mut idle_ns) = (0, 0);
        let mut since_ns = 0;
        for (at_ns, more_ready, more_free) in changes {
            let elapsed_ns = at_ns - since_ns;
            let waiting = ready.min(free).max(0);
            overhead_ns += elapsed_ns * waiting as u64;
            idle_ns += elapsed_ns * (free - waiting).max(0) as u64;
            since_ns = at_ns;
            ready += more_ready;
            free += more_free;
        }
        (overhead_ns, idle_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Span;
    use crate::{NodeState, Run, Shape};

    /// The id of a node, the indices of its dependencies, its worker, its start and its end.
    type Row<'r> = (&'r str, &'r [usize], (usize, u64, u64));

    /// A graph and its timeline.
    fn example(workers: usize, end_ns: u64, nodes: &[Row<'_>]) -> (Dag, Timeline) {
        let mut shape = Shape::new();
        for (name, dependencies, _) in nodes {
            shape.push((*name).to_owned(), dependencies.iter().copied());
        }
        let dag = shape
            .build(arena::Bump::default(), |_| |_: &Run<'_>| Ok(()))
            .unwrap();
        let spans = nodes
            .iter()
            .enumerate()
            .map(|(node, (_, _, (worker, start_ns, end_ns)))| Span {
                worker: *worker,
                node: NodeId::from_index(node as u32),
                start_ns: *start_ns,
                end_ns: *end_ns,
                state: NodeState::Completed,
            })
            .collect();
        let timeline = Timeline {
            workers,
            end_ns,
            spans,
            dropped: 0,
        };
        (dag, timeline)
    }

    /// A diamond of four nodes on two workers:
    ///
    /// ```text
    /// worker 0  ..aaaaaaaaaa..bbbbbbbbbbbbbbbbbbbb........dddd
    /// worker 1  ..................cccccccccccccccccccccc......
    ///             2         12  18              34    40  46
    /// ```
    fn diamond() -> (Dag, Timeline) {
        example(
            2,
            46,
            &[
                ("a", &[], (0, 2, 12)),
                ("b", &[0], (0, 14, 34)),
                ("c", &[0], (1, 18, 40)),
                ("d", &[1, 2], (0, 42, 46)),
            ],
        )
    }

    #[test]
    fn figures_of_a_diamond_are_those_computed_by_hand() {
        let (dag, timeline) = diamond();
        let stats = timeline.stats(&dag);
        let names: Vec<_> = stats
            .critical_path
            .iter()
            .map(|&node| dag.name(node))
            .collect();
        assert_eq!(names, ["a", "c", "d"]);
        assert_eq!(stats.critical_path_ns, 10 + 22 + 4);
        assert_eq!(stats.work_ns, 10 + 20 + 22 + 4);
        assert_eq!(stats.makespan_ns, 46);
        assert!((stats.parallelism() - 56.0 / 36.0).abs() < 1e-12);
        assert!((stats.utilisation() - 56.0 / 92.0).abs() < 1e-12);
        // One worker for `a`: 0..2. Both for `b` and `c`: 12..14. One for `c`: 14..18. One for `d`:
        // 40..42.
        assert_eq!(stats.overhead_ns, 2 + 2 * 2 + 4 + 2);
        // Worker 1 until 12, worker 0 from 34 to 40, worker 1 from there to the end.
        assert_eq!(stats.idle_ns, 12 + 6 + 6);
        assert_eq!(stats.lower_bound_ns(), 36);
        assert_eq!(stats.greedy_bound_ns(), 36 + 10);
        assert_eq!(stats.overhead_per_node_ns(), 3.0);
    }

    #[test]
    fn every_moment_of_a_worker_is_work_overhead_or_idle() {
        let (dag, timeline) = diamond();
        let stats = timeline.stats(&dag);
        assert_eq!(stats.work_ns + stats.overhead_ns + stats.idle_ns, 2 * 46);
    }

    #[test]
    fn table_reads_as_one_expects() {
        let (dag, timeline) = diamond();
        let expected = "\
4 nodes on 2 workers in 46 ns
  work             56 ns  time in nodes
  critical path    36 ns  3 nodes
  parallelism       1.56  work / critical path
  bounds           36 ns  by any schedule; at most 46 ns by a greedy one
  utilisation     60.9 %  work / (workers x time)
  overhead         12 ns  3 ns a node; workers in no node while one was ready
  idle             24 ns  workers in no node while none was ready";
        assert_eq!(timeline.stats(&dag).to_string(), expected);
    }

    #[test]
    fn nodes_that_were_not_recorded_are_said() {
        let (dag, mut timeline) = diamond();
        timeline.dropped = 1;
        let text = timeline.stats(&dag).to_string();
        assert!(
            text.ends_with("1 node not recorded: nothing here is exact"),
            "{text}"
        );
    }

    #[test]
    fn timeline_of_no_nodes_comes_to_nothing() {
        let (dag, timeline) = example(2, 0, &[]);
        let stats = timeline.stats(&dag);
        assert_eq!(
            stats,
            Stats {
                workers: 2,
                ..Stats::default()
            }
        );
        assert_eq!((stats.parallelism(), stats.utilisation()), (0.0, 0.0));
    }

    #[test]
    fn path_of_nodes_that_took_no_time_is_still_a_path() {
        let (dag, timeline) = example(1, 0, &[("a", &[], (0, 0, 0)), ("b", &[0], (0, 0, 0))]);
        let (path, ns) = timeline.critical_path(&dag);
        assert_eq!((path.len(), ns), (2, 0));
    }

    #[test]
    fn clock_that_lags_behind_shows_as_skew_and_breaks_nothing() {
        let (dag, timeline) = example(2, 20, &[("a", &[], (0, 0, 10)), ("b", &[0], (1, 7, 20))]);
        assert_eq!(timeline.skew_ns(&dag), 3);
        let stats = timeline.stats(&dag);
        assert_eq!(stats.overhead_ns, 0);
        assert_eq!(stats.idle_ns, 7 + 10);
        assert_eq!(diamond().1.skew_ns(&diamond().0), 0);
    }
}
