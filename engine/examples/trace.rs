//! Runs a graph and shows the run: writes `timeline.svg`, `trace.json` and `graph.dot`.

use std::fs;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use arena::Bump;
use clap::{ArgGroup, Parser, ValueEnum};
use engine::dot::Dot;
use engine::import::{self, Workflow};
use engine::trace::Trace;
use engine::{Options, Outcome, Run, Shape, Strategy, shape};

/// Runs a graph, prints what the run comes to, and writes pictures of it into a folder.
#[derive(Parser)]
#[command(group = ArgGroup::new("graph").required(true).args(["workflow", "shape"]))]
#[command(after_help = "Examples:
  cargo run --release -p engine --example trace -- --shape layered --nodes 200
  cargo run --release -p engine --example trace -- montage.json --scheduler rayon-graph --out target/montage")]
struct Arguments {
    /// A workflow in WfFormat 1.5; its nodes take their share of --total-ms
    workflow: Option<PathBuf>,
    /// Instead of a workflow, a generated graph
    #[arg(long)]
    shape: Option<Generated>,
    /// Number of nodes of a generated graph
    #[arg(long, default_value_t = 100, requires = "shape")]
    nodes: usize,
    /// How long all nodes take together, in milliseconds
    #[arg(long, default_value_t = 100.0)]
    total_ms: f64,
    /// sequential, direct-threads, bounded-pool, rayon-level, rayon-graph or work-stealing
    #[arg(long, default_value_t = Strategy::WorkStealing)]
    scheduler: Strategy,
    /// Number of worker threads
    #[arg(long, default_value_t = 2)]
    workers: usize,
    /// Where the files are written; made when it does not exist
    #[arg(long, default_value = "target/trace")]
    out: PathBuf,
}

#[derive(Clone, Copy, ValueEnum)]
enum Generated {
    Independent,
    Chain,
    Diamond,
    Tree,
    Random,
    Layered,
    Wavefront,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    if !(0.0..=3.6e6).contains(&arguments.total_ms) {
        bail!(
            "--total-ms is from 0 to 3600000; got {}",
            arguments.total_ms
        );
    }
    let workflow = match (&arguments.workflow, arguments.shape) {
        (Some(path), _) => read(path)?,
        (None, Some(shape)) => generate(shape, arguments.nodes),
        (None, None) => unreachable!("one of the two is required"),
    };
    let total_s: f64 = workflow.runtimes_s.iter().sum();
    let scale = match total_s {
        0.0 => 0.0,
        total_s => arguments.total_ms / 1e3 / total_s,
    };
    let dag = workflow.shape.build(Bump::default(), |index| {
        let busy = Duration::from_secs_f64(workflow.runtimes_s[index] * scale);
        move |_: &Run<'_>| {
            let start = Instant::now();
            while start.elapsed() < busy {
                black_box(());
            }
            Ok(())
        }
    })?;

    let scheduler = arguments.scheduler.scheduler(arguments.workers)?;
    let mut outcome = Outcome::new();
    let mut trace = Trace::with_capacity(arguments.workers, dag.len());
    let timeline = trace.run(&*scheduler, &dag, &Options::default(), &mut outcome);

    println!("{}: {outcome}\n{}", workflow.name, timeline.stats(&dag));
    let out = &arguments.out;
    fs::create_dir_all(out).with_context(|| format!("cannot make the folder {}", out.display()))?;
    let title = format!("{} by {}", workflow.name, scheduler.name());
    let dot = Dot {
        title: &title,
        outcome: Some(&outcome),
        timeline: Some(&timeline),
    };
    for (name, text) in [
        ("timeline.svg", timeline.svg(&dag, &title)),
        ("trace.json", timeline.chrome_json(&dag)),
        ("graph.dot", dot.draw(&dag)),
    ] {
        let path = out.join(name);
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
        println!("wrote {}", path.display());
    }
    Ok(())
}

fn read(path: &Path) -> anyhow::Result<Workflow> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    import::wfformat(&text).with_context(|| format!("cannot import {}", path.display()))
}

/// A graph whose nodes take between one and four parts of time.
fn generate(generated: Generated, nodes: usize) -> Workflow {
    const SEED: u64 = 1;
    let (name, shape): (_, Shape) = match generated {
        Generated::Independent => ("independent", shape::independent(nodes)),
        Generated::Chain => ("chain", shape::chain(nodes)),
        Generated::Diamond => ("diamond", shape::diamond(nodes.max(3))),
        Generated::Tree => ("tree", shape::tree(nodes)),
        Generated::Random => ("random", shape::random(nodes, 2.0, SEED)),
        Generated::Layered => ("layered", shape::layered(nodes, SEED)),
        Generated::Wavefront => ("wavefront", shape::wavefront(nodes)),
    };
    let mut random = oorandom::Rand64::new(SEED.into());
    Workflow {
        name: format!("{name}, {} nodes", shape.len()),
        runtimes_s: (0..shape.len())
            .map(|_| 1.0 + 3.0 * random.rand_float())
            .collect(),
        shape,
    }
}
