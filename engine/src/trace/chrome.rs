//! The Trace Event Format, which Perfetto and the trace viewers of browsers read.

use std::borrow::Cow;

use serde::Serialize;

use super::Timeline;
use super::timeline::label;
use crate::{Dag, NodeState};

/// All workers are threads of one process.
const PROCESS: u32 = 1;

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document<'t> {
    display_time_unit: &'static str,
    other_data: OtherData,
    trace_events: Vec<Event<'t>>,
}

#[derive(Serialize)]
struct OtherData {
    dropped: u64,
}

/// One event; times are in microseconds, as the format wants them.
#[derive(Default, Serialize)]
struct Event<'t> {
    name: Cow<'t, str>,
    cat: &'static str,
    ph: &'static str,
    pid: u32,
    tid: usize,
    ts: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    dur: Option<f64>,
    /// What an instant is drawn across: its thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<&'static str>,
    /// Which flow it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    /// That a flow ends at the slice around its time, not at the next one.
    #[serde(skip_serializing_if = "Option::is_none")]
    bp: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    args: Option<Arguments>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Arguments {
    Name {
        name: String,
    },
    Node {
        node: usize,
        state: &'static str,
        critical: bool,
    },
}

impl Timeline {
    /// The run in the Trace Event Format, JSON, to be opened in Perfetto (`ui.perfetto.dev`) or at
    /// `about://tracing`.
    ///
    /// Every worker is a thread; every node that ran is a complete event and one that was skipped an
    /// instant; arrows lead along the critical path. Takes O(nodes + edges) time.
    ///
    /// # Panics
    ///
    /// Panics when a span's node is not in `dag`.
    pub fn chrome_json(&self, dag: &Dag) -> String {
        let (path, _) = self.critical_path(dag);
        let mut on_path = vec![false; dag.len()];
        for node in &path {
            on_path[node.index()] = true;
        }
        let us = |ns: u64| ns as f64 / 1e3;
        let threads = (0..self.workers).map(|worker| Event {
            name: "thread_name".into(),
            cat: "__metadata",
            ph: "M",
            pid: PROCESS,
            tid: worker,
            args: Some(Arguments::Name {
                name: format!("worker {worker}"),
            }),
            ..Event::default()
        });
        let nodes = self.spans.iter().map(|span| {
            let ran = span.state != NodeState::Skipped || span.duration_ns() > 0;
            Event {
                name: label(dag, span.node),
                cat: "node",
                ph: if ran { "X" } else { "i" },
                pid: PROCESS,
                tid: span.worker,
                ts: us(span.start_ns),
                dur: ran.then(|| us(span.duration_ns())),
                s: (!ran).then_some("t"),
                args: Some(Arguments::Node {
                    node: span.node.index(),
                    state: span.state.name(),
                    critical: on_path[span.node.index()],
                }),
                ..Event::default()
            }
        });
        let mut span_of = vec![None; dag.len()];
        for span in &self.spans {
            span_of[span.node.index()] = Some(span);
        }
        let spans_on_path = path.iter().filter_map(|node| span_of[node.index()]);
        let spans_on_path: Vec<_> = spans_on_path.collect();
        let arrows = spans_on_path.windows(2).enumerate().flat_map(|(id, pair)| {
            // An arrow is fixed to a slice by a time inside of it, and the start is.
            [("s", None, pair[0]), ("f", Some("e"), pair[1])].map(|(ph, bp, span)| Event {
                name: "critical path".into(),
                cat: "critical path",
                ph,
                pid: PROCESS,
                tid: span.worker,
                ts: us(span.start_ns),
                id: Some(id),
                bp,
                ..Event::default()
            })
        });
        let document = Document {
            display_time_unit: "ns",
            other_data: OtherData {
                dropped: self.dropped,
            },
            trace_events: threads.chain(nodes).chain(arrows).collect(),
        };
        serde_json::to_string(&document).expect("strings and finite numbers are JSON")
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::trace::Span;
    use crate::{NodeId, Run, Shape};

    fn events() -> Vec<Value> {
        let mut shape = Shape::new();
        shape.push("say \"hi\"\n\u{1}</script>\\".to_owned(), []);
        shape.push("second".to_owned(), [0]);
        shape.push("left out".to_owned(), [0]);
        let dag = shape
            .build(arena::Bump::default(), |_| |_: &Run<'_>| Ok(()))
            .unwrap();
        let span = |worker, node, start_ns, end_ns, state| Span {
            worker,
            node: NodeId::from_index(node),
            start_ns,
            end_ns,
            state,
        };
        let timeline = Timeline {
            workers: 2,
            end_ns: 5_000,
            spans: vec![
                span(0, 0, 1, 1_501, NodeState::Completed),
                span(1, 1, 2_000, 4_000, NodeState::Failed),
                span(0, 2, 2_100, 2_100, NodeState::Skipped),
            ],
            dropped: 7,
        };
        let document: Value = serde_json::from_str(&timeline.chrome_json(&dag)).unwrap();
        assert_eq!(document["otherData"]["dropped"], 7);
        document["traceEvents"].as_array().unwrap().clone()
    }

    #[test]
    fn node_is_a_complete_event_on_the_thread_of_its_worker() {
        let events = events();
        assert_eq!(
            events[2],
            json!({
                "name": "say \"hi\"\n\u{1}</script>\\", "cat": "node", "ph": "X",
                "pid": 1, "tid": 0, "ts": 0.001, "dur": 1.5,
                "args": {"node": 0, "state": "completed", "critical": true},
            })
        );
        assert_eq!(events[3]["tid"], 1);
        assert_eq!(events[3]["args"]["state"], "failed");
    }

    #[test]
    fn skipped_node_is_an_instant() {
        let event = &events()[4];
        assert_eq!((&event["ph"], &event["s"]), (&json!("i"), &json!("t")));
        assert_eq!(event.get("dur"), None);
    }

    #[test]
    fn threads_are_named_and_the_critical_path_is_a_flow() {
        let events = events();
        assert_eq!(events[1]["args"]["name"], "worker 1");
        let flow: Vec<_> = events.iter().filter(|event| event["id"] == 0).collect();
        let ends: Vec<_> = flow
            .iter()
            .map(|event| (&event["ph"], &event["tid"]))
            .collect();
        assert_eq!(ends, [(&json!("s"), &json!(0)), (&json!("f"), &json!(1))]);
    }
}
