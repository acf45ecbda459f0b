//! Records what a program allocates, here this one: it counts the words of a text.
//!
//! ```text
//! cargo run --release -p bench-harness --example record -- words.trace
//! ```
//!
//! A workload file that says `trace = "words.trace"` in its section `[allocation]` then replays it.

use std::alloc::System;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::thread;

use bench_harness::Recorder;

#[global_allocator]
static ALLOCATOR: Recorder = Recorder(System);

fn main() -> ExitCode {
    let Some(path) = std::env::args_os().nth(1).map(PathBuf::from) else {
        eprintln!("name the file that the trace is written to, as in words.trace");
        return ExitCode::from(2);
    };
    let (words, trace) = Recorder::record(|| {
        let halves = ["the first half of the text", "the other half"];
        let counted = thread::scope(|scope| {
            let counting = halves.map(|half| scope.spawn(move || count(half)));
            counting.map(|half| half.join().expect("counting does not panic"))
        });
        let mut all = BTreeMap::new();
        for (word, times) in counted.into_iter().flatten() {
            *all.entry(word).or_insert(0) += times;
        }
        all
    });
    if let Err(error) = trace.write(&path) {
        eprintln!("cannot write {}: {error}", path.display());
        return ExitCode::FAILURE;
    }
    println!(
        "{} different words; {} blocks, {} calls by {} threads in {}",
        words.len(),
        trace.blocks(),
        trace.calls(),
        trace.threads(),
        path.display()
    );
    ExitCode::SUCCESS
}

fn count(text: &str) -> Vec<(String, usize)> {
    let mut words: BTreeMap<String, usize> = BTreeMap::new();
    for word in text.repeat(200).split(' ') {
        *words.entry(word.to_owned()).or_default() += 1;
    }
    words.into_iter().collect()
}
