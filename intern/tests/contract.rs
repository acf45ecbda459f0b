//! What every strategy promises, checked for each of them.

use std::collections::{BTreeSet, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Barrier;

use intern::{
    Compact, Concurrent, Frozen, Interner, Rodeo, Sharded, StringInterner, Symbol, ThreadedRodeo,
};
use proptest::collection::vec;
use proptest::prelude::*;

/// One module of tests per strategy.
macro_rules! contract {
    ($($strategy:ident: $make:expr,)*) => {$(
        mod $strategy {
            use super::*;

            #[test]
            fn an_empty_interner_knows_nothing() {
                check_empty(&$make);
            }

            #[test]
            fn ids_are_dense_and_strings_survive_growth() {
                check_many(&mut $make);
            }

            #[test]
            fn long_and_odd_strings_are_kept() {
                check_odd(&mut $make);
            }

            #[cfg(debug_assertions)]
            #[test]
            #[should_panic = "Symbol(0) is of another interner"]
            fn a_symbol_of_another_interner_is_refused_in_debug_builds() {
                // The same string, so that nothing else would tell.
                check_owner(&mut $make, &mut $make);
            }

            #[test]
            fn an_interner_can_move_to_another_thread() {
                check_send(&mut $make);
            }

            proptest! {
                #![proptest_config(config())]

                #[test]
                fn symbols_are_equal_exactly_when_strings_are(strings in vec(string(), 0..100)) {
                    check_model(&mut $make, &strings);
                }

                #[test]
                fn a_batch_equals_one_by_one(
                    known in vec(string(), 0..20),
                    batch in vec(string(), 0..100),
                ) {
                    check_batch(&mut $make, &mut $make, &known, &batch);
                }

                #[test]
                fn a_frozen_copy_equals_the_live_interner(strings in vec(string(), 0..100)) {
                    check_frozen(&mut $make, &strings);
                }
            }
        }
    )*};
}

contract! {
    rodeo: Rodeo::default(),
    rodeo_with_capacity: Rodeo::with_capacity(10, 100),
    string_interner: StringInterner::default(),
    string_interner_with_capacity: StringInterner::with_capacity(10, 100),
    compact: Compact::default(),
    compact_with_capacity: Compact::with_capacity(10, 100),
    threaded_rodeo: &ThreadedRodeo::default(),
    threaded_rodeo_with_capacity: &ThreadedRodeo::with_capacity(10, 100),
    sharded: &Sharded::default(),
    sharded_with_capacity: &Sharded::with_capacity(1000, 10_000),
    concurrent: &Concurrent::default(),
    concurrent_with_a_secret_key: &Concurrent::with_hasher(std::hash::RandomState::new()),
    compact_with_a_secret_key: Compact::with_hasher(std::hash::RandomState::new()),
}

#[test]
fn threads_agree_on_symbols_threaded_rodeo() {
    check_threads(&ThreadedRodeo::default());
}

#[test]
fn threads_agree_on_symbols_sharded() {
    check_threads(&Sharded::default());
}

#[test]
fn threads_agree_on_symbols_concurrent() {
    check_threads(&Concurrent::default());
}

#[test]
fn a_shared_string_outlives_the_reference_it_was_resolved_through() {
    fn names<'a>(a: &'a Sharded, b: &'a Concurrent, c: &'a ThreadedRodeo) -> [&'a str; 3] {
        let (one, two, three) = (a.intern("one"), b.intern("two"), c.intern("three"));
        [a.resolve(one), b.resolve(two), c.resolve(three)]
    }
    let (a, b, c) = (
        Sharded::default(),
        Concurrent::default(),
        ThreadedRodeo::default(),
    );
    assert!(a.is_empty() && b.is_empty() && c.is_empty());
    assert_eq!(names(&a, &b, &c), ["one", "two", "three"]);
}

fn check_empty(interner: &impl Interner) {
    assert!(interner.is_empty());
    assert_eq!(interner.len(), 0);
    assert_eq!(interner.get(""), None);
    assert_eq!(interner.get("a"), None);
    for index in [0, 1, 1000, u32::MAX - 1] {
        let symbol = Symbol::from_index(index);
        let resolved = catch_unwind(AssertUnwindSafe(|| interner.resolve(symbol).len()));
        let message = *resolved.unwrap_err().downcast::<String>().unwrap();
        assert_eq!(message, format!("Symbol({index}) is not of this interner"));
    }
    assert!(Frozen::from_interner(interner).is_empty());
}

fn check_many(interner: &mut impl Interner) {
    let count = if cfg!(miri) { 300 } else { 20_000 };
    for index in 0..count {
        let string = format!("module{}.item{index}", index % 7);
        assert_eq!(interner.intern(&string), Symbol::from_index(index));
    }
    assert_eq!(interner.len(), count as usize);
    for index in 0..count {
        let string = format!("module{}.item{index}", index % 7);
        let symbol = Symbol::from_index(index);
        assert_eq!(interner.resolve(symbol), string);
        assert_eq!(interner.get(&string), Some(symbol));
        assert_eq!(interner.intern(&string), symbol);
    }
    assert_eq!(interner.len(), count as usize);
}

fn check_odd(interner: &mut impl Interner) {
    let long = "long".repeat(if cfg!(miri) { 5000 } else { 1_000_000 });
    let lengths = (0..=300).map(|length| "a".repeat(length));
    let odd = [
        "\0",
        "\0\0",
        "é",
        "e\u{301}",
        "🦀",
        "\u{10FFFF}",
        "a\n",
        "long",
    ]
    .map(String::from);
    let strings: Vec<_> = lengths.chain(odd).chain([long]).collect();
    let symbols: Vec<_> = strings
        .iter()
        .map(|string| interner.intern(string))
        .collect();
    for (string, symbol) in strings.iter().zip(&symbols) {
        assert_eq!(interner.resolve(*symbol), string);
        assert_eq!(interner.get(string), Some(*symbol));
    }
    assert_eq!(interner.len(), strings.len());
}

#[cfg(debug_assertions)]
fn check_owner(interner: &mut impl Interner, other: &mut impl Interner) {
    // The same string, so that nothing else would tell.
    let symbol = interner.intern("fetch");
    assert_eq!(other.intern("fetch"), symbol);
    let known = other.get("fetch").unwrap();
    assert_eq!(other.resolve(known), "fetch");
    other.resolve(symbol);
}

fn check_send(interner: &mut (impl Interner + Send)) {
    let before = interner.intern("before");
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            assert_eq!(interner.resolve(before), "before");
            interner.intern("there");
        });
        thread.join().unwrap();
    });
    assert_eq!(interner.resolve(Symbol::from_index(1)), "there");
}

fn check_model(interner: &mut impl Interner, strings: &[String]) {
    let mut model = HashMap::new();
    for string in strings {
        let known = model.get(string).copied();
        assert_eq!(interner.get(string), known, "known before: {string:?}");
        assert_eq!(interner.len(), model.len(), "asking adds nothing");
        let symbol = interner.intern(string);
        assert_eq!(
            symbol,
            known.unwrap_or(Symbol::from_index(model.len() as u32))
        );
        model.insert(string, symbol);
    }
    for (string, symbol) in model {
        assert_eq!(interner.resolve(symbol), string);
    }
}

fn check_batch<I: Interner>(batched: &mut I, single: &mut I, known: &[String], batch: &[String]) {
    let batch: Vec<_> = batch.iter().map(String::as_str).collect();
    for string in known {
        assert_eq!(batched.intern(string), single.intern(string));
    }
    let mut symbols = vec![Symbol::from_index(7)];
    batched.intern_batch(&batch, &mut symbols);
    let mut expected = vec![Symbol::from_index(7)];
    expected.extend(batch.iter().map(|string| single.intern(string)));
    assert_eq!(symbols, expected);
    assert_eq!(batched.len(), single.len());
}

fn check_frozen(interner: &mut impl Interner, strings: &[String]) {
    let symbols: Vec<_> = strings
        .iter()
        .map(|string| interner.intern(string))
        .collect();
    let frozen = Frozen::from_interner(interner);
    assert_eq!(frozen.len(), interner.len());
    for (string, symbol) in strings.iter().zip(symbols) {
        assert_eq!(frozen.resolve(symbol), string);
    }
    let listed = frozen.iter().map(|(symbol, string)| {
        assert_eq!(interner.resolve(symbol), string);
        symbol.index()
    });
    assert!(listed.eq(0..interner.len()));
    let text_bytes: usize = frozen.iter().map(|(_, string)| string.len()).sum();
    assert_eq!(frozen.held_bytes(), text_bytes + 4 * (frozen.len() + 1));
}

/// Threads begin at different places of the same strings, so that each is new to several of them at
/// about the same time, and resolve what they got while the others go on.
fn check_threads<S: Sync>(shared: &S)
where
    for<'a> &'a S: Interner,
{
    const THREADS: usize = 4;
    let count = if cfg!(miri) { 60 } else { 10_000 };
    let barrier = Barrier::new(THREADS);
    let run = |thread: usize| {
        let mut interner = shared;
        let mut symbols = vec![None; count];
        barrier.wait();
        for step in 0..count {
            let number = (step + thread * 3) % count;
            let string = format!("string {number}");
            let symbol = interner.intern(&string);
            assert_eq!(interner.resolve(symbol), string);
            assert_eq!(interner.get(&string), Some(symbol));
            symbols[number] = Some(symbol);
        }
        symbols
    };
    let of_threads: Vec<_> = std::thread::scope(|scope| {
        let run = &run;
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| scope.spawn(move || run(thread)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap())
            .collect()
    });
    assert!(of_threads.iter().all(|symbols| *symbols == of_threads[0]));
    assert_eq!(shared.len(), count);
    let indices: BTreeSet<_> = of_threads[0]
        .iter()
        .flatten()
        .map(|symbol| symbol.index())
        .collect();
    assert!(indices.into_iter().eq(0..count), "dense");
    assert_eq!(Frozen::from_interner(&shared).len(), count);
}

#[test]
fn a_frozen_resolver_is_read_by_several_threads() {
    let mut interner = Rodeo::default();
    let symbol = interner.intern("shared");
    let frozen = Frozen::from_interner(&interner);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| assert_eq!(frozen.resolve(symbol), "shared"));
        }
    });
}

/// Short strings of two letters are often equal; the others have common beginnings and ends.
fn string() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab]{0,3}",
        "[0-9]{1,2}",
        "node-[0-9]{6}",
        "\\PC{0,40}",
        "x{30}[a-c]{1,2}y{30}"
    ]
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: if cfg!(miri) { 2 } else { 64 },
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// Whether references to a type can be sent to other threads: a constant of the type `T` itself is
/// preferred to the one of the trait.
macro_rules! is_sync {
    ($type:ty) => {{
        #[allow(dead_code, reason = "it is for types that are not")]
        trait Otherwise {
            const SYNC: bool = false;
        }
        impl<T> Otherwise for T {}
        struct Is<T>(std::marker::PhantomData<T>);
        #[allow(dead_code, reason = "it is for types that are `Sync`")]
        impl<T: Sync> Is<T> {
            const SYNC: bool = true;
        }
        Is::<$type>::SYNC
    }};
}

#[test]
fn concurrent_is_shared_between_threads_if_its_hasher_can_be() {
    /// Counts what it hashes, for one thread.
    struct Counting(#[expect(dead_code, reason = "only its type matters")] std::cell::Cell<u32>);

    assert!(is_sync!(Concurrent));
    assert!(is_sync!(Concurrent<std::hash::RandomState>));
    assert!(!is_sync!(Concurrent<Counting>));
    assert!(!is_sync!(Concurrent<std::rc::Rc<u32>>));
}
