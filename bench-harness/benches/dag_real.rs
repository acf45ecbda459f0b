//! How do the schedulers do on graphs that real programs left behind?

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use arena::Bump;
use bench_harness::{Input, Lab, Routine, spin};
use engine::import::{Workflow, cargo_metadata, wfformat};
use engine::{Outcome, Run, Strategy};

/// How long all nodes of a graph compute together.
const TOTAL_NS: f64 = 2e6;

fn suite(lab: &mut Lab) {
    let graphs = graphs(lab).unwrap_or_else(|sentence| lab.refuse(sentence));
    lab.section("DAG execution");
    let group = lab.group("dag-real", "How do the schedulers do on real graphs?");
    group
        .work("An iteration runs a graph whose nodes compute for their recorded time, scaled so that all of them together compute for 2 ms. `crate-graph` is the dependency graph of this workspace, with the same time for every package. As many workers as cores.")
        .axis("graph")
        .unit("node")
        .baseline("sequential");
    for (label, workflow) in graphs {
        let input = Input::new(label, workflow.shape.len() as u64);
        for strategy in Strategy::ALL {
            let workflow = workflow.clone();
            group.case(strategy, input.clone(), move || runs(strategy, &workflow));
        }
    }
}

bench_harness::main!(suite);

/// The workspace's own crate graph and the workflows that the user named.
fn graphs(lab: &Lab) -> Result<Vec<(String, Workflow)>, String> {
    let crates = cargo_metadata(&lab.cargo_metadata()?)
        .map_err(|error| format!("the output of cargo metadata is no graph: {error}"))?;
    let mut graphs: Vec<(String, Workflow)> = vec![("crate-graph".to_owned(), crates)];
    for file in lab.files() {
        let name = file.display();
        let text = std::fs::read_to_string(&file)
            .map_err(|error| format!("cannot read {name}: {error}"))?;
        let workflow = wfformat(&text)
            .map_err(|error| format!("{name} is not a workflow of WfFormat 1.5: {error}"))?;
        let stem = file
            .file_stem()
            .unwrap_or(file.as_os_str())
            .to_string_lossy()
            .into_owned();
        if graphs.iter().any(|(other, _)| *other == stem) {
            return Err(format!("two graphs are called `{stem}`; rename {name}"));
        }
        graphs.push((stem, workflow));
    }
    Ok(graphs)
}

fn runs(strategy: Strategy, workflow: &Workflow) -> Routine {
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let scheduler = strategy.scheduler(workers).expect("threads can be started");
    let total_s: f64 = workflow.runtimes_s.iter().sum();
    let runs: Arc<[AtomicU32]> = workflow
        .runtimes_s
        .iter()
        .map(|_| AtomicU32::new(0))
        .collect();
    let dag = workflow
        .shape
        .build(Bump::default(), |index| {
            let nanoseconds =
                TOTAL_NS * workflow.runtimes_s[index] / total_s.max(f64::MIN_POSITIVE);
            let runs = Arc::clone(&runs);
            move |_: &Run<'_>| {
                spin(nanoseconds);
                // A node runs once in a run, so nothing else writes its counter.
                let run = runs[index].load(Ordering::Relaxed) + 1;
                runs[index].store(run, Ordering::Relaxed);
                Ok(())
            }
        })
        .expect("an imported graph is valid");
    let mut outcome = Outcome::new();
    let mut times = 0;
    Routine::new(
        move || {
            times += 1;
            scheduler.run_into(&dag, &mut outcome);
            (times, outcome.completed())
        },
        move |&(times, completed)| {
            assert_eq!(completed, runs.len(), "every node completes");
            let every = runs
                .iter()
                .all(|runs| runs.load(Ordering::Relaxed) == times);
            assert!(every, "every node runs once in every run");
        },
    )
}
