//! Interners do what a plain model of them does, whatever the program: one thread on `Compact`, two on
//! `Concurrent`.
//!
//! `make fuzz` runs it.
#![no_main]

use std::collections::HashMap;

use arbitrary::{Result, Unstructured};
use intern::{Compact, Concurrent, InternError, Interner, Symbol};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    // An input that ends early is a program that does.
    let _ = run(&mut Unstructured::new(input));
});

enum Step {
    Intern(String),
    Static(&'static str),
    Batch(Vec<String>),
    Reserve(usize, usize),
    /// A budget of so many bytes beside those that are held.
    Budget(usize),
}

/// Strings that are never freed: parts of one.
static LETTERS: [u8; 600] = [b'a'; 600];

fn run(input: &mut Unstructured<'_>) -> Result<()> {
    let concurrent = input.arbitrary()?;
    let mut program = Vec::new();
    while !input.is_empty() && program.len() < 300 {
        program.push(step(input)?);
    }
    match concurrent {
        true => check_concurrent(&program),
        false => check_compact(&program),
    }
    Ok(())
}

fn step(input: &mut Unstructured<'_>) -> Result<Step> {
    Ok(match input.int_in_range(0..=9)? {
        0..=4 => Step::Intern(string(input)?),
        5 => {
            let length = input.int_in_range(0..=LETTERS.len())?;
            Step::Static(std::str::from_utf8(&LETTERS[..length]).expect("they are ASCII"))
        }
        6 => {
            let count = input.int_in_range(0..=40)?;
            Step::Batch((0..count).map(|_| string(input)).collect::<Result<_>>()?)
        }
        7 => Step::Reserve(
            input.arbitrary::<u32>()? as usize,
            input.arbitrary::<u16>()?.into(),
        ),
        8 => Step::Budget(input.int_in_range(0..=20_000)?),
        _ => Step::Budget(1 << 30),
    })
}

fn string(input: &mut Unstructured<'_>) -> Result<String> {
    Ok(match input.int_in_range(0..=3)? {
        0 => input.arbitrary()?,
        1 => "a".repeat(input.int_in_range(0..=600)?),
        2 => format!("node-{:06}", input.arbitrary::<u16>()?),
        _ => format!("{}", input.arbitrary::<u8>()?),
    })
}

fn check_compact(program: &[Step]) {
    let mut interner = Compact::new();
    let mut model = HashMap::new();
    let mut budget = usize::MAX;
    for step in program {
        let held = interner.held_bytes();
        match step {
            Step::Intern(string) => learn(&mut model, string, interner.try_intern(string)),
            Step::Static(string) => learn(&mut model, string, interner.try_intern_static(string)),
            Step::Batch(strings) => {
                budget = usize::MAX;
                interner = interner.with_budget(budget);
                let batch: Vec<_> = strings.iter().map(String::as_str).collect();
                let mut symbols = Vec::new();
                interner.intern_batch(&batch, &mut symbols);
                assert_eq!(symbols.len(), batch.len());
                for (string, symbol) in batch.iter().zip(symbols) {
                    learn(&mut model, string, Ok(symbol));
                }
            }
            Step::Reserve(strings, bytes) => {
                // More would take all memory without a budget.
                let _ = interner.reserve(*strings % 10_000, *bytes);
            }
            Step::Budget(more) => {
                budget = held + more;
                interner = interner.with_budget(budget);
            }
        }
        assert!(interner.held_bytes() <= budget.max(held));
        assert_eq!(interner.len(), model.len());
    }
    check(&interner, &model);
    assert_eq!(interner.statistics().strings, model.len());
}

/// What was given is what the model has, or nothing is added.
fn learn(model: &mut HashMap<String, usize>, string: &str, given: Result<Symbol, InternError>) {
    let count = model.len();
    match given {
        Ok(symbol) => {
            let index = *model.entry(string.to_owned()).or_insert(count);
            assert_eq!(symbol.index(), index);
        }
        Err(_) => assert!(!model.contains_key(string)),
    }
}

fn check(interner: &impl Interner, model: &HashMap<String, usize>) {
    assert_eq!(interner.len(), model.len());
    for (string, &index) in model {
        let symbol = interner.get(string).expect("it was interned");
        assert_eq!(symbol.index(), index);
        assert_eq!(interner.resolve(symbol), string);
    }
}

/// Two threads run the same program, from its two ends.
fn check_concurrent(program: &[Step]) {
    let mut interner = Concurrent::new();
    let budget = program.iter().find_map(|step| match step {
        Step::Budget(more) => Some(*more),
        _ => None,
    });
    let budget = budget.unwrap_or(usize::MAX);
    interner = interner.with_budget(budget);
    let (mut model, other) = std::thread::scope(|scope| {
        let other = scope.spawn(|| run_shared(&interner, program.iter().rev()));
        (run_shared(&interner, program.iter()), other.join())
    });
    for (string, index) in other.expect("the other thread ends") {
        assert_eq!(*model.entry(string).or_insert(index), index);
    }
    assert!(interner.held_bytes() <= budget);
    check(&&interner, &model);
    interner.reclaim();
    check(&&interner, &model);
    assert_eq!(interner.statistics().strings, model.len());
}

fn run_shared<'a>(
    interner: &Concurrent,
    program: impl Iterator<Item = &'a Step>,
) -> HashMap<String, usize> {
    let mut model = HashMap::new();
    let mut learn = |string: &str, given: Result<Symbol, InternError>| match given {
        Ok(symbol) => {
            assert_eq!(interner.resolve(symbol), string);
            assert_eq!(interner.get(string), Some(symbol));
            let index = *model.entry(string.to_owned()).or_insert(symbol.index());
            assert_eq!(symbol.index(), index);
        }
        Err(_) => assert!(!model.contains_key(string)),
    };
    for step in program {
        match step {
            Step::Intern(string) => learn(string, interner.try_intern(string)),
            Step::Static(string) => learn(string, interner.try_intern_static(string)),
            Step::Batch(strings) => {
                for string in strings {
                    learn(string, interner.try_intern(string));
                }
            }
            Step::Reserve(..) | Step::Budget(_) => {}
        }
    }
    model
}
