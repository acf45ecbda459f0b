//! What happened in a run, node by node.

use std::borrow::Cow;
use std::fmt;

use crate::{Dag, NodeId, NodeState};

/// What happened in a run: which node ran when, on which worker.
///
/// Times are in nanoseconds from the beginning of the run. They are as good as the clocks of the
/// processor's cores agree: two spans on one worker are in their true order, two on different
/// workers may be off by some nanoseconds; see [`skew_ns`](Self::skew_ns).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Timeline {
    /// Number of workers the run could use.
    pub workers: usize,
    /// When the run ended.
    pub end_ns: u64,
    /// One for every node that ran or was skipped, in the order of their starts. What was cancelled
    /// before its turn has none.
    pub spans: Vec<Span>,
    /// Number of nodes that were not recorded because there was no room.
    pub dropped: u64,
}

/// When one node ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The number of the worker, from 0.
    pub worker: usize,
    /// The node.
    pub node: NodeId,
    /// When its work was called.
    pub start_ns: u64,
    /// When its work had ended; for a node that was skipped, the same as its start.
    pub end_ns: u64,
    /// How it ended.
    pub state: NodeState,
}

impl Span {
    /// How long the node took.
    #[inline]
    pub fn duration_ns(&self) -> u64 {
        self.end_ns.saturating_sub(self.start_ns)
    }
}

impl Timeline {
    /// By how much a node seems to have started before something it depends on had ended, at worst.
    ///
    /// No node does, so this is the disagreement of the cores' clocks, as far as the run shows it;
    /// 0 is usual. Takes O(nodes + edges) time.
    ///
    /// # Panics
    ///
    /// Panics when a span's node is not in `dag`.
    pub fn skew_ns(&self, dag: &Dag) -> u64 {
        let mut starts = vec![u64::MAX; dag.len()];
        for span in &self.spans {
            starts[span.node.index()] = span.start_ns;
        }
        let successors = self.spans.iter().flat_map(|span| {
            let successors = dag.successors(span.node);
            successors.map(|successor| (span.end_ns, starts[successor.index()]))
        });
        let skews = successors.map(|(end_ns, start_ns)| end_ns.saturating_sub(start_ns));
        skews.max().unwrap_or(0)
    }
}

/// What a node is called in a picture: its id, or its number in a graph without ids.
pub(crate) fn label(dag: &Dag, node: NodeId) -> Cow<'_, str> {
    match dag.name(node) {
        "" => Cow::Owned(format!("#{}", node.index())),
        name => Cow::Borrowed(name),
    }
}

/// A duration with three digits in the unit that suits it: `12.3 µs`.
pub(crate) struct Nanoseconds(pub(crate) f64);

impl fmt::Display for Nanoseconds {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(f64, &str); 4] = [(1.0, "ns"), (1e3, "µs"), (1e6, "ms"), (1e9, "s")];
        let ns = self.0;
        // 999.6 is written with the unit above, as 1.00.
        let unit = UNITS.iter().rev().find(|(size, _)| ns >= 0.9995 * size);
        let (size, name) = unit.unwrap_or(&UNITS[0]);
        let value = ns / size;
        let places = match value {
            _ if value.fract() == 0.0 && *size == 1.0 => 0,
            _ if value < 9.995 => 2,
            _ if value < 99.95 => 1,
            _ => 0,
        };
        write!(formatter, "{value:.places$} {name}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(ns: f64, text: &str) {
        assert_eq!(Nanoseconds(ns).to_string(), text);
    }

    #[test]
    fn durations_have_three_digits_and_a_unit_that_suits() {
        check(0.0, "0 ns");
        check(7.0, "7 ns");
        check(0.25, "0.25 ns");
        check(999.0, "999 ns");
        check(999.6, "1.00 µs");
        check(12_345.0, "12.3 µs");
        check(999_400.0, "999 µs");
        check(1_500_000.0, "1.50 ms");
        check(99.96e9, "100 s");
        check(12_345.0e9, "12345 s");
    }
}
