//! Prints a made-up record of many cases, to see how long a report of it takes.
//!
//! ```bash
//! cargo run -p gen-benchmarks --example many -- 5000 10 20 > many.jsonl
//! cargo run --release -p gen-benchmarks -- report --records many.jsonl --out many
//! ```
//!
//! Its arguments are the number of cases, of processes, and of cases in a group.
//!
//! A report of 5,000 cases in 10 processes takes 0.9 s of processor time and 86 MB where they are one
//! group, 1.4 s and 99 MB where they are 500, and twice as much or less of twice as many up to 10,000; its
//! HTML page has 1.1 and 1.7 MB (release build, 2-core x86-64 VM, 2026-11).

use std::io::Write;

use bench_harness::Environment;
use bench_harness::record::{
    Allocations, CaseId, Counting, Entry, GroupInfo, PlannedGroup, Profile, Record, RunInfo,
    Sample, Status,
};

/// Inputs of a group, as far as it has cases.
const INPUTS: [&str; 4] = ["10", "100", "1000", "10000"];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let numbers: Vec<u32> = std::env::args()
        .skip(1)
        .map(|argument| argument.parse())
        .collect::<Result<_, _>>()?;
    let [cases, processes, in_group] = numbers[..] else {
        return Err("give the number of cases, of processes, and of cases in a group".into());
    };
    let mut out = std::io::BufWriter::new(std::io::stdout().lock());
    let mut random = oorandom::Rand64::new(1);
    let run = RunInfo {
        profile: Profile::Full,
        filter: None,
        processes,
        warm_up_ms: 10,
        measurement_ms: 30,
        samples: 10,
        seed: 1,
        build: "made-up".to_owned(),
        environment: Environment::default(),
        skipped: Vec::new(),
        shard: None,
        machines: Vec::new(),
    };
    writeln!(out, "{}", Entry::Run(Box::new(run)).to_line())?;
    let ids: Vec<CaseId> = (0..cases)
        .map(|number| {
            let (group, place) = (number / in_group, (number % in_group) as usize);
            CaseId {
                group: format!("made-up/{group}"),
                series: format!("series-{}", place / INPUTS.len()),
                input: INPUTS[place % INPUTS.len()].to_owned(),
            }
        })
        .collect();
    for (number, cases) in ids.chunks(in_group as usize).enumerate() {
        let group = PlannedGroup {
            info: GroupInfo {
                group: cases[0].group.clone(),
                section: format!("Section {}", number / 20),
                question: "How long does it take to make up a number?".to_owned(),
                work: "An iteration makes up a number, but nothing was measured.".to_owned(),
                baseline: Some("series-0".to_owned()),
                axis: "numbers".to_owned(),
                unit: "number".to_owned(),
                per_element: false,
                growth: true,
                suite: "gen-benchmarks/examples/many.rs".to_owned(),
                counted_first: false,
                bounds: Vec::new(),
            },
            cases: cases
                .iter()
                .map(|case| (case.series.clone(), case.input.clone()))
                .collect(),
        };
        writeln!(out, "{}", Entry::Group(group).to_line())?;
    }
    for process in 1..=processes {
        for case in &ids {
            let size: f64 = case.input.parse()?;
            let time = size * 1_000.0 * (1.0 + random.rand_float());
            let sample = |noise: f64| Sample {
                iterations: 10,
                elapsed_ns: (time * 10.0 * (1.0 + noise / 10.0)) as u64,
            };
            let record = Record {
                case: case.clone(),
                process,
                samples: (0..10).map(|_| sample(random.rand_float())).collect(),
                elements: size as u64,
                allocations: Some(Allocations {
                    iterations: 3,
                    count: 30,
                    reallocations: 3,
                    bytes: 6_000,
                    peak_bytes: 1_000,
                    held_bytes: 0,
                }),
                counters: None,
                threads: Some(1),
                took_ms: Some(70),
                status: Status::Ok,
            };
            writeln!(out, "{}", Entry::Case(record).to_line())?;
        }
    }
    let reason = "nothing was run".to_owned();
    let counting = Entry::Counting(Counting::Nobody { reason });
    writeln!(out, "{}", counting.to_line())?;
    Ok(out.flush()?)
}
