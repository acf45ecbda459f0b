//! Arenas do what a plain model of them does, whatever the program.
#![no_main]

use arbitrary::{Result, Unstructured};
use arena::{
    Arena, Bump, BumpScope, Bumpalo, Dropping, Heap, Metered, PerThread, Pool, Scoped, Slab,
};
use libfuzzer_sys::fuzz_target;

#[path = "../../tests/model/mod.rs"]
mod model;

use model::{Operation, Siblings, check_program, check_siblings};

fuzz_target!(|input: &[u8]| {
    // An input that ends early is a program that does.
    let _ = run(&mut Unstructured::new(input));
});

fn run(input: &mut Unstructured<'_>) -> Result<()> {
    let capacity = input.int_in_range(0..=5000)?;
    match input.int_in_range(0..=12)? {
        0 => scoped(&Bump::default(), input),
        1 => scoped(&Bump::with_capacity(capacity), input),
        2 => scoped(&Bump::new().with_max_chunk(capacity), input),
        3 => scoped(&Bump::new().with_huge_pages(), input),
        4 => scoped(&Metered::new(Bump::default()), input),
        5 => scoped(&Pool::<Bump>::default().get(), input),
        6 => plain(Bump::default(), input),
        7 => plain(Bumpalo::default(), input),
        8 => plain(BumpScope::default(), input),
        9 => plain(Dropping::new(Bump::default()), input),
        10 => plain(Heap::default(), input),
        11 => plain(Slab::default(), input),
        _ => {
            let arenas = PerThread::<Bump>::default();
            // The place for a thread's arena is made by its first use, which cannot fail.
            arenas.get();
            plain(arenas, input)
        }
    }
    Ok(())
}

fn plain(mut arena: impl Arena, input: &mut Unstructured<'_>) {
    check_program(&mut arena, &program(input, operation));
}

fn scoped(arena: &impl Scoped, input: &mut Unstructured<'_>) {
    check_siblings(arena, &program(input, siblings));
}

/// What the input says, until it ends.
fn program<T>(
    input: &mut Unstructured<'_>,
    next: impl Fn(&mut Unstructured<'_>) -> Result<T>,
) -> Vec<T> {
    let mut program = Vec::new();
    while !input.is_empty() && program.len() < 1000 {
        let Ok(operation) = next(input) else { break };
        program.push(operation);
    }
    program
}

fn operation(input: &mut Unstructured<'_>) -> Result<Operation> {
    Ok(match input.int_in_range(0..=15)? {
        0..10 => Operation::Allocate {
            bytes: bytes(input)?,
            align: 1 << if input.ratio(1, 8)? {
                input.int_in_range(0..=12)?
            } else {
                input.int_in_range(0..=4)?
            },
            allowed: if input.ratio(1, 8)? {
                input.int_in_range(0..=2)?
            } else {
                usize::MAX
            },
        },
        10..15 => Operation::Resize {
            age: input.int_in_range(0..=7)?,
            bytes: bytes(input)?,
        },
        _ => Operation::Reset,
    })
}

fn bytes(input: &mut Unstructured<'_>) -> Result<usize> {
    match input.int_in_range(0..=9)? {
        0 => input.int_in_range(0..=100_000),
        1 | 2 => input.int_in_range(0..=5000),
        _ => input.int_in_range(0..=100),
    }
}

fn siblings(input: &mut Unstructured<'_>) -> Result<Siblings> {
    let kind = input.int_in_range(0..=15)?;
    let scope = input.int_in_range(0..=3)?;
    let keep = input.arbitrary()?;
    Ok(match kind {
        0..3 => Siblings::Open,
        3..6 => Siblings::Close { scope, keep },
        6 => Siblings::Reset { scope },
        7..11 => Siblings::Inside {
            scope,
            operation: operation(input)?,
        },
        11 | 12 => Siblings::Nested {
            scope,
            inside: operation(input)?,
            around: operation(input)?,
            keep,
        },
        _ => Siblings::Around(operation(input)?),
    })
}
