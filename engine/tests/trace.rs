//! What a trace promises, on every scheduler.

use std::collections::HashSet;
use std::error::Error;
use std::hint::black_box;

use arena::Bump;
use engine::trace::{Timeline, Trace};
use engine::{
    CancelToken, Dag, NodeError, NodeId, NodeState, Observer, Options, Outcome, Run, Sequential,
    Strategy, shape,
};

/// A graph whose nodes take a little time, and every `fails`th of them fails.
fn layered(nodes: usize, fails: usize) -> Dag {
    let work = |index: usize| {
        move |_: &Run<'_>| -> Result<(), NodeError> {
            (0..200).for_each(|step| _ = black_box(step));
            match index % fails {
                3 => Err("broken".into()),
                _ => Ok(()),
            }
        }
    };
    shape::layered(nodes, 1)
        .build(Bump::default(), work)
        .unwrap()
}

/// Checks what holds for the timeline of every run that was not stopped.
#[track_caller]
fn check(timeline: &Timeline, dag: &Dag, outcome: &Outcome, name: &str) {
    assert_eq!(timeline.dropped, 0, "{name}");
    let nodes: HashSet<NodeId> = timeline.spans.iter().map(|span| span.node).collect();
    assert_eq!(timeline.spans.len(), dag.len(), "{name}: one span a node");
    assert_eq!(nodes.len(), dag.len(), "{name}: no node twice");
    let mut free_ns = vec![0; timeline.workers];
    for span in &timeline.spans {
        assert_eq!(span.state, outcome.state(span.node), "{name}: {span:?}");
        assert!(span.start_ns <= span.end_ns, "{name}: {span:?}");
        let free_ns = &mut free_ns[span.worker];
        assert!(
            *free_ns <= span.start_ns,
            "{name}: {span:?} before {free_ns}"
        );
        *free_ns = span.end_ns;
    }
    // No node starts before its dependencies have ended. The trace says by how much the clocks of
    // two cores make it seem so; a hundred microseconds would be no clock but a wrong trace.
    let skew_ns = timeline.skew_ns(dag);
    assert!(skew_ns < 100_000, "{name}: {skew_ns}");

    let stats = timeline.stats(dag);
    assert!(stats.critical_path_ns <= stats.work_ns, "{name}: {stats:?}");
    let steps = stats.critical_path.windows(2);
    for step in steps {
        let is_edge = dag.successors(step[0]).any(|node| node == step[1]);
        assert!(is_edge, "{name}: {step:?} is no edge");
    }
}

#[test]
fn every_node_is_in_the_timeline_once_on_every_scheduler() {
    for fails in [usize::MAX, 7] {
        let dag = layered(500, fails);
        for strategy in Strategy::ALL {
            for workers in 1..=4 {
                let scheduler = strategy.scheduler(workers).unwrap();
                let mut trace = Trace::with_capacity(workers, dag.len());
                let mut outcome = Outcome::new();
                // The second run has nothing left over from the first.
                for _ in 0..2 {
                    let options = Options::default();
                    let timeline = trace.run(&*scheduler, &dag, &options, &mut outcome);
                    check(&timeline, &dag, &outcome, &format!("{strategy}, {workers}"));
                }
            }
        }
    }
}

#[test]
fn exported_trace_has_every_node_once_as_an_event() -> Result<(), Box<dyn Error>> {
    let dag = layered(100, 7);
    let scheduler = Strategy::WorkStealing.scheduler(2)?;
    let mut trace = Trace::with_capacity(2, dag.len());
    let timeline = trace.run(&*scheduler, &dag, &Options::default(), &mut Outcome::new());
    let document: serde_json::Value = serde_json::from_str(&timeline.chrome_json(&dag))?;
    let events = document["traceEvents"].as_array().ok_or("no events")?;
    let nodes = events.iter().filter(|event| event["cat"] == "node");
    let mut names: Vec<_> = nodes.filter_map(|event| event["name"].as_str()).collect();
    names.sort_unstable();
    let expected: Vec<_> = dag.nodes().map(|node| dag.name(node)).collect();
    assert_eq!(names, expected);
    let ended = events.iter().filter(|event| event["ph"] == "X");
    for event in ended {
        assert!(event["dur"].as_f64().is_some_and(|us| us >= 0.0), "{event}");
    }
    Ok(())
}

#[test]
fn node_that_was_cancelled_before_its_turn_has_no_span() {
    let dag = layered(10, usize::MAX);
    let token = CancelToken::new();
    token.cancel();
    let options = Options {
        cancel: Some(&token),
        ..Options::default()
    };
    let mut trace = Trace::with_capacity(1, dag.len());
    let timeline = trace.run(&Sequential, &dag, &options, &mut Outcome::new());
    assert_eq!((timeline.spans.len(), timeline.dropped), (0, 0));
}

#[test]
fn what_does_not_fit_is_counted() {
    let dag = layered(1_000, usize::MAX);
    let mut trace = Trace::with_capacity(1, 0);
    let mut outcome = Outcome::new();
    let timeline = trace.run(&Sequential, &dag, &Options::default(), &mut outcome);
    assert!(timeline.dropped > 0);
    assert_eq!(timeline.spans.len() + timeline.dropped as usize, 1_000);
    let text = timeline.stats(&dag).to_string();
    assert!(text.contains("not recorded"), "{text}");
}

#[test]
fn workers_without_a_lane_are_counted_not_recorded() {
    let mut trace = Trace::with_capacity(1, 10);
    for worker in [0, 1, usize::MAX] {
        let node = NodeId::from_index(0);
        trace.node_started(worker, node);
        trace.node_finished(worker, node, NodeState::Completed);
    }
    let timeline = trace.finish();
    assert_eq!((timeline.spans.len(), timeline.dropped), (1, 2));
    assert_eq!(
        trace.finish(),
        Timeline {
            workers: 1,
            ..Timeline::default()
        }
    );
}

#[test]
fn any_spread_of_nodes_over_workers_fits() {
    const WORKERS: usize = 5;
    const NODES: u32 = 1_000;
    for spread in [
        [1000, 0, 0, 0, 0],
        [996, 1, 1, 1, 1],
        [200; 5],
        [129, 129, 129, 129, 484],
    ] {
        let mut trace = Trace::with_capacity(WORKERS, NODES as usize);
        let mut left = spread;
        let mut nodes = (0..NODES).map(NodeId::from_index);
        // In turns, so that chunks of different workers lie between each other.
        while left != [0; WORKERS] {
            for (worker, left) in left.iter_mut().enumerate().filter(|(_, left)| **left > 0) {
                let node = nodes.next().unwrap();
                trace.node_started(worker, node);
                trace.node_finished(worker, node, NodeState::Completed);
                *left -= 1;
            }
        }
        let timeline = trace.finish();
        assert_eq!(timeline.dropped, 0, "{spread:?}");
        for (worker, expected) in spread.into_iter().enumerate() {
            let spans = timeline.spans.iter().filter(|span| span.worker == worker);
            assert_eq!(spans.count(), expected, "{spread:?}");
        }
    }
}
