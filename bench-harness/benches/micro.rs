//! What do the small habits around names and maps cost?

use std::collections::HashMap;

use bench_harness::{Lab, Rotation, Routine};
use intern::{Compact, Interner, Symbol};

/// Operations in an iteration.
const BATCH: usize = 1_000;

fn suite(lab: &mut Lab) {
    lab.section("Names and maps");
    label(lab);
    map(lab);
    topic(lab);
}

bench_harness::main!(suite);

const STATES: [&str; 4] = ["started", "completed", "failed", "retried"];

fn workflow(number: usize) -> String {
    format!("workflow-{:03}", number % 50)
}

fn label(lab: &mut Lab) {
    let group = lab.group(
        "label",
        "What does it save to keep the handle of a labelled counter?",
    );
    group
        .work("An iteration counts 1 000 events by workflow and state and then sums the 200 counters: `lookup` finds the counter by its two labels each time, `interned` by their symbols, `cached` has kept its index.")
        .axis("events")
        .unit("event")
        .per_element()
        .baseline("lookup");
    // 16 orders of events take turns.
    let events = || {
        Rotation::new(BATCH, |seed| {
            let mut random = oorandom::Rand64::new(u128::from(seed));
            (0..BATCH)
                .map(|_| {
                    (
                        random.rand_range(0..50) as usize,
                        random.rand_range(0..4) as usize,
                    )
                })
                .collect::<Vec<_>>()
        })
    };
    // The sum of the counters, and how often 1 000 events were counted.
    let right = |&(total, turns): &(u64, u64)| {
        assert_eq!(total, turns * BATCH as u64, "every event is counted once");
    };
    group.case("lookup", BATCH, move || {
        let names: Vec<String> = (0..50).map(workflow).collect();
        let mut counters: HashMap<(String, String), u64> = HashMap::new();
        for name in &names {
            for state in STATES {
                counters.insert((name.clone(), state.to_owned()), 0);
            }
        }
        let mut events = events();
        let mut turns = 0;
        Routine::new(
            move || {
                turns += 1;
                for &(workflow, state) in events.turn() {
                    let labels = (names[workflow].clone(), STATES[state].to_owned());
                    *counters.get_mut(&labels).expect("a counter for all labels") += 1;
                }
                (counters.values().sum::<u64>(), turns)
            },
            right,
        )
    });
    group.case("interned", BATCH, move || {
        let mut symbols = Compact::default();
        let names: Vec<String> = (0..50).map(workflow).collect();
        let mut counters: HashMap<(Symbol, Symbol), u64> = HashMap::new();
        for name in &names {
            for state in STATES {
                counters.insert((symbols.intern(name), symbols.intern(state)), 0);
            }
        }
        let mut events = events();
        let mut turns = 0;
        Routine::new(
            move || {
                turns += 1;
                for &(workflow, state) in events.turn() {
                    let labels = (
                        symbols.intern(&names[workflow]),
                        symbols.intern(STATES[state]),
                    );
                    *counters.get_mut(&labels).expect("a counter for all labels") += 1;
                }
                (counters.values().sum::<u64>(), turns)
            },
            right,
        )
    });
    group.case("cached", BATCH, move || {
        let mut counters = vec![0; 50 * STATES.len()];
        let mut events = events();
        let mut turns = 0;
        Routine::new(
            move || {
                turns += 1;
                for &(workflow, state) in events.turn() {
                    counters[workflow * STATES.len() + state] += 1;
                }
                (counters.iter().sum::<u64>(), turns)
            },
            right,
        )
    });
}

fn map(lab: &mut Lab) {
    let group = lab.group(
        "map",
        "What does it save to say how many entries a map will have?",
    );
    group
        .work("An iteration builds a map from `u64` keys, scattered, to themselves, sums its values and drops it; 16 sets of keys take turns.")
        .axis("entries")
        .unit("entry")
        .growth(true)
        .baseline("without-capacity");
    for entries in [10, 100, 1_000] {
        for (series, capacity) in [("without-capacity", 0), ("with-capacity", entries)] {
            group.case(series, entries, move || {
                let mut sets = Rotation::new(entries, |seed| {
                    (1..=entries as u64)
                        .map(|number| (number + seed).wrapping_mul(0x9E37_79B9_7F4A_7C15))
                        .collect::<Vec<_>>()
                });
                Routine::new(
                    move || {
                        let keys = sets.turn();
                        let mut map = HashMap::with_capacity(capacity);
                        for &key in keys {
                            map.insert(key, key);
                        }
                        let sum = map
                            .values()
                            .fold(0_u64, |sum, &value| sum.wrapping_add(value));
                        let expected = keys.iter().fold(0_u64, |sum, &key| sum.wrapping_add(key));
                        (map.len(), sum == expected)
                    },
                    move |&(length, right)| {
                        assert_eq!(length, entries);
                        assert!(right, "the map holds what was inserted");
                    },
                )
            });
        }
    }
}

fn topic(lab: &mut Lab) {
    let group = lab.group(
        "topic-format",
        "What does it cost to make the name of a topic?",
    );
    group
        .work("An iteration makes 1 000 names like `workflow-007.completed.12` and drops each: with `format!`, into a string of the right capacity, or into one string that is cleared.")
        .axis("names")
        .unit("name")
        .per_element()
        .baseline("format");
    fn names(mut name: impl FnMut(&str, &str, u8) -> usize + 'static) -> Routine {
        let workflows: Vec<String> = (0..50).map(workflow).collect();
        let mut numbers = Rotation::new(BATCH, |seed| {
            let mut random = oorandom::Rand64::new(u128::from(seed));
            (0..BATCH)
                .map(|_| random.rand_range(10..100) as u8)
                .collect::<Vec<_>>()
        });
        Routine::new(
            move || {
                numbers
                    .turn()
                    .iter()
                    .map(|&number| {
                        let state = STATES[usize::from(number) % STATES.len()];
                        name(&workflows[usize::from(number) % 50], state, number) - state.len()
                    })
                    .sum::<usize>()
            },
            // `workflow-007`, two dots and two digits, beside the state.
            |bytes| assert_eq!(*bytes, BATCH * 16),
        )
    }
    group.case("format", BATCH, || {
        names(|workflow, state, number| {
            std::hint::black_box(format!("{workflow}.{state}.{number}")).len()
        })
    });
    group.case("with-capacity", BATCH, || {
        names(|workflow, state, number| {
            let mut name = String::with_capacity(workflow.len() + state.len() + 5);
            append(&mut name, workflow, state, number);
            std::hint::black_box(name).len()
        })
    });
    group.case("reused", BATCH, || {
        let mut name = String::new();
        names(move |workflow, state, number| {
            name.clear();
            append(&mut name, workflow, state, number);
            std::hint::black_box(&name).len()
        })
    });
}

fn append(name: &mut String, workflow: &str, state: &str, number: u8) {
    name.push_str(workflow);
    name.push('.');
    name.push_str(state);
    name.push('.');
    name.push((b'0' + number / 10) as char);
    name.push((b'0' + number % 10) as char);
}
