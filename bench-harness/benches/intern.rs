//! Which interner finds, adds and resolves strings fastest, and what does it hold?

mod plain;

use std::collections::HashMap;
use std::sync::Mutex;

use bench_harness::{Group, Input, Lab, Rotation, Routine, Tally, race, shuffle};
use intern::{
    Compact, Concurrent, Frozen, Interner, Rodeo, Sharded, StringInterner, Symbol, ThreadedRodeo,
};
use internity::{Sym, ThreadedLexicon};
use oorandom::Rand64;
use plain::Plain;

/// Look-ups in an iteration of the groups over known strings, at most.
const BATCH: usize = 10_000;

fn suite(lab: &mut Lab) {
    lab.section("String interning").counted_first();
    for alphabet in Alphabet::ALL {
        hit(lab, alphabet);
    }
    for alphabet in Alphabet::ALL {
        miss(lab, alphabet);
    }
    for alphabet in Alphabet::ALL {
        mixed(lab, alphabet);
    }
    batch(lab);
    resolve(lab);
    for percent in [50, 90, 99] {
        threads(lab, percent);
    }
    memory(lab);
}

bench_harness::main!(suite);

/// The kinds of strings: what they look like decides what hashing and comparing them costs.
#[derive(Clone, Copy)]
enum Alphabet {
    Node,
    Dotted,
    Words,
}

impl Alphabet {
    const ALL: [Self; 3] = [Self::Node, Self::Dotted, Self::Words];

    fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Dotted => "dotted",
            Self::Words => "words",
        }
    }

    fn describe(self) -> &'static str {
        match self {
            Self::Node => "Strings like `node-000123`.",
            Self::Dotted => "Strings of 28 bytes like `service.eu-1.worker.00000123`.",
            Self::Words => "Strings of two or three English words joined by `-`.",
        }
    }

    /// `count` different strings.
    fn strings(self, count: usize) -> Vec<String> {
        match self {
            Self::Node => (0..count)
                .map(|number| format!("node-{number:06}"))
                .collect(),
            Self::Dotted => (0..count)
                .map(|number| format!("service.eu-{}.worker.{number:08}", number % 7))
                .collect(),
            Self::Words => words(count),
        }
    }
}

/// Pairs of words of a real text, then triples.
fn words(count: usize) -> Vec<String> {
    let mut vocabulary: Vec<&str> = include_str!("../../LICENSE-APACHE")
        .split(|c: char| !c.is_ascii_alphabetic())
        .filter(|word| word.len() > 2)
        .collect();
    vocabulary.sort_unstable();
    vocabulary.dedup();
    let length = vocabulary.len();
    let word = |number: usize| vocabulary[number % length];
    (0..count)
        .map(|number| match number.checked_sub(length * length) {
            None => format!("{}-{}", word(number), word(number / length)),
            Some(rest) => format!(
                "{}-{}-{}",
                word(rest),
                word(rest / length),
                word(rest / length / length)
            ),
        })
        .collect()
}

/// The peer `internity`, for one thread. Its symbols are numbered like ours.
#[derive(Default)]
struct Internity(internity::LocalLexicon);

impl Interner for Internity {
    #[inline]
    fn intern(&mut self, string: &str) -> Symbol {
        Symbol::from_index(self.0.intern(string).as_u32() - 1)
    }

    fn get(&self, string: &str) -> Option<Symbol> {
        let symbol = self.0.get(string)?;
        Some(Symbol::from_index(symbol.as_u32() - 1))
    }

    #[inline]
    fn resolve(&self, symbol: Symbol) -> &str {
        let number = symbol.index() as u32 + 1;
        self.0.resolve(Sym::from_u32(number).expect("not 0"))
    }

    fn len(&self) -> usize {
        self.0.len()
    }
}

/// An interner that threads share.
trait Shared: Sync + Default + 'static {
    type Symbol: Copy + PartialEq + Send + Sync;

    fn intern(&self, string: &str) -> Self::Symbol;
    fn len(&self) -> usize;
}

/// A shared interner that one thread owns.
#[derive(Default)]
struct One<I>(I);

macro_rules! shared {
    ($($interner:ty),*) => {$(
        impl Shared for $interner {
            type Symbol = Symbol;

            #[inline]
            fn intern(&self, string: &str) -> Symbol {
                self.intern(string)
            }

            fn len(&self) -> usize {
                self.len()
            }
        }

        impl Interner for One<$interner> {
            #[inline]
            fn intern(&mut self, string: &str) -> Symbol {
                self.0.intern(string)
            }

            #[inline]
            fn get(&self, string: &str) -> Option<Symbol> {
                self.0.get(string)
            }

            #[inline]
            fn resolve(&self, symbol: Symbol) -> &str {
                self.0.resolve(symbol)
            }

            fn len(&self) -> usize {
                self.0.len()
            }

            fn intern_batch(&mut self, strings: &[&str], symbols: &mut Vec<Symbol>) {
                (&self.0).intern_batch(strings, symbols);
            }
        }
    )*};
}

shared!(ThreadedRodeo, Sharded, Concurrent);

/// Adds a case for every strategy for one thread.
macro_rules! every_local {
    ($group:expr, $input:expr, $routine:ident($($argument:expr),*)) => {
        $group.case("std-map", $input, move || $routine::<Plain>($($argument),*));
        $group.case("rodeo", $input, move || $routine::<Rodeo>($($argument),*));
        $group.case("string-interner", $input, move || $routine::<StringInterner>($($argument),*));
        $group.case("internity", $input, move || $routine::<Internity>($($argument),*));
        $group.case("compact", $input, move || $routine::<Compact>($($argument),*));
    };
}

/// Adds a case for every strategy that threads share.
macro_rules! every_shared {
    ($group:expr, $input:expr, $routine:ident($($argument:expr),*)) => {
        $group.case("threaded-rodeo", $input, move || $routine::<One<ThreadedRodeo>>($($argument),*));
        $group.case("sharded", $input, move || $routine::<One<Sharded>>($($argument),*));
        $group.case("concurrent", $input, move || $routine::<One<Concurrent>>($($argument),*));
    };
}

/// A string and the symbol that an interner gave it.
type Known = (String, Symbol);

/// An interner that knows `strings`, and its symbols for them.
fn filled<I: Interner + Default>(strings: Vec<String>) -> (I, Vec<Known>) {
    let mut interner = I::default();
    let known: Vec<Known> = strings
        .into_iter()
        .map(|string| {
            let symbol = interner.intern(&string);
            (string, symbol)
        })
        .collect();
    assert_eq!(interner.len(), known.len());
    (interner, known)
}

/// What a batch of interned strings is folded to, so that no answer can be left out.
fn fold(sum: u64, symbol: Symbol) -> u64 {
    sum.wrapping_mul(31).wrapping_add(symbol.index() as u64)
}

/// A shuffled list that also lies in memory in its new order, as strings do that are being read: what
/// is measured is the interner and not the way to its arguments.
fn in_order<T: Clone>(list: &[T], seed: u64) -> Vec<T> {
    let mut order: Vec<&T> = list.iter().collect();
    shuffle(&mut order, seed);
    order.into_iter().cloned().collect()
}

/// Parts of a shuffled list that take turns, each with the fold of its symbols.
struct Windows {
    known: Vec<Known>,
    expected: Vec<u64>,
    window: usize,
    next: usize,
}

impl Windows {
    /// A short list is shuffled 16 times, so that no order is met often enough to be learned.
    fn new(mut known: Vec<Known>) -> Self {
        let window = known.len().min(BATCH);
        if known.len() == window {
            known = (0..16).flat_map(|seed| in_order(&known, seed)).collect();
        } else {
            known = in_order(&known, 1);
        }
        let expected = known
            .chunks_exact(window)
            .map(|chunk| chunk.iter().fold(0, |sum, &(_, symbol)| fold(sum, symbol)))
            .collect();
        Self {
            known,
            expected,
            window,
            next: 0,
        }
    }

    /// The part whose turn it is, and the fold of its symbols.
    fn turn(&mut self) -> (&[Known], u64) {
        let turn = self.next;
        self.next = (turn + 1) % self.expected.len();
        (
            &self.known[turn * self.window..][..self.window],
            self.expected[turn],
        )
    }
}

/// Orders in which strings arrive at an empty interner, with the fold of the symbols that it must
/// give them; short ones take turns.
fn streams(strings: Vec<String>) -> Rotation<(Vec<String>, u64)> {
    let order = |seed| {
        let stream = in_order(&strings, seed);
        let mut indices = HashMap::new();
        let sum = stream.iter().fold(0, |sum, string| {
            let next = indices.len() as u32;
            let index = *indices.entry(string.as_str()).or_insert(next);
            fold(sum, Symbol::from_index(index))
        });
        (stream, sum)
    };
    match strings.len() {
        ..=10_000 => Rotation::new(strings.len(), order),
        _ => Rotation::of([order(1)]),
    }
}

fn hit(lab: &mut Lab, alphabet: Alphabet) {
    let group = lab.group(
        &format!("intern-hit/{}", alphabet.name()),
        "How long does it take to find the symbol of a known string?",
    );
    group
        .work(&format!(
            "An iteration interns up to 10 000 known strings in random order, which lie in memory in that order. {}",
            alphabet.describe()
        ))
        .quick_limit(1_000)
        .batch(BATCH as u64);
    describe(group);
    for count in [1_000, 100_000, 1_000_000] {
        every_local!(group, count, hits(alphabet, count));
        // What they look like matters less to strategies that also wait for memory of other threads.
        if matches!(alphabet, Alphabet::Dotted) {
            every_shared!(group, count, hits(alphabet, count));
        }
    }
}

fn describe(group: &mut Group) {
    group
        .axis("strings")
        .unit("string")
        .per_element()
        .growth(true)
        .baseline("std-map");
}

fn hits<I: Interner + Default + 'static>(alphabet: Alphabet, count: usize) -> Routine {
    let (mut interner, known) = filled::<I>(alphabet.strings(count));
    let mut windows = Windows::new(known);
    Routine::new(
        move || {
            let (window, expected) = windows.turn();
            let sum = window
                .iter()
                .fold(0, |sum, (string, _)| fold(sum, interner.intern(string)));
            sum == expected
        },
        |right| assert!(right, "an interned string has another symbol than before"),
    )
}

fn miss(lab: &mut Lab, alphabet: Alphabet) {
    let group = lab.group(
        &format!("intern-miss/{}", alphabet.name()),
        "How long does it take to add a string?",
    );
    group
        .work(&format!("An iteration interns all strings into a new interner; dropping it is not part of the time. {}", alphabet.describe()))
        .quick_limit(1_000)
        .standard_limit(100_000);
    describe(group);
    for count in [1_000, 100_000, 1_000_000] {
        every_local!(group, count, misses(alphabet, count));
        // What they look like matters less to strategies that also wait for memory of other threads.
        if matches!(alphabet, Alphabet::Dotted) {
            every_shared!(group, count, misses(alphabet, count));
        }
    }
}

fn misses<I: Interner + Default + 'static>(alphabet: Alphabet, count: usize) -> Routine {
    fills::<I>(alphabet.strings(count), count)
}

/// Fills an empty interner with a stream in which there are `different` strings.
fn fills<I: Interner + Default + 'static>(strings: Vec<String>, different: usize) -> Routine {
    let mut streams = streams(strings);
    Routine::prepared(
        I::default,
        move |mut interner| {
            let (stream, expected) = streams.turn();
            let sum = stream
                .iter()
                .fold(0, |sum, string| fold(sum, interner.intern(string)));
            (interner, sum == *expected)
        },
        move |(interner, right)| {
            assert_eq!(interner.len(), different);
            assert!(right, "a string has the symbol of its first arrival");
        },
    )
}

fn mixed(lab: &mut Lab, alphabet: Alphabet) {
    let group = lab.group(
        &format!("intern-mixed/{}", alphabet.name()),
        "How long does interning take when every other string is new?",
    );
    group
        .work(&format!("An iteration interns strings of which each comes twice, in random order, into a new interner; dropping it is not part of the time. {}", alphabet.describe()))
        .quick_limit(1_000)
        .standard_limit(match alphabet {
            Alphabet::Dotted => 100_000,
            Alphabet::Node | Alphabet::Words => 1_000,
        });
    describe(group);
    for count in [1_000, 100_000, 1_000_000] {
        every_local!(group, count, mixes(alphabet, count));
    }
}

fn mixes<I: Interner + Default + 'static>(alphabet: Alphabet, count: usize) -> Routine {
    let once = alphabet.strings(count / 2);
    fills::<I>([once.clone(), once].concat(), count / 2)
}

fn batch(lab: &mut Lab) {
    let group = lab.group(
        "intern-batch",
        "Is interning 100 strings at once cheaper than one by one?",
    );
    group
        .work("An iteration interns 100 known strings of 28 bytes, one by one or in one call, into a list of symbols; sets of the strings that the interner knows take turns in random order.")
        .quick_limit(1_000)
        .batch(100);
    describe(group);
    group.baseline("compact");
    for count in [1_000, 100_000, 1_000_000] {
        group.case("rodeo", count, move || batches::<Rodeo>(count, false));
        group.case("compact", count, move || batches::<Compact>(count, false));
        group.case("compact-batch", count, move || {
            batches::<Compact>(count, true)
        });
        group.case("concurrent", count, move || {
            batches::<One<Concurrent>>(count, false)
        });
        group.case("concurrent-batch", count, move || {
            batches::<One<Concurrent>>(count, true)
        });
    }
}

fn batches<I: Interner + Default + 'static>(count: usize, at_once: bool) -> Routine {
    let (mut interner, known) = filled::<I>(Alphabet::Dotted.strings(count));
    let mut sets = Rotation::of(
        in_order(&known, 1)
            .chunks_exact(100)
            .map(|set| set.iter().cloned().unzip::<_, _, Vec<_>, Vec<_>>()),
    );
    let mut symbols = Vec::with_capacity(100);
    Routine::new(
        move || {
            let (set, expected) = sets.turn();
            symbols.clear();
            if at_once {
                let set: [&str; 100] = std::array::from_fn(|at| set[at].as_str());
                interner.intern_batch(&set, &mut symbols);
            } else {
                symbols.extend(set.iter().map(|string| interner.intern(string)));
            }
            symbols == *expected
        },
        |right| {
            assert!(
                right,
                "a batch must give the symbols that single calls give"
            )
        },
    )
}

fn resolve(lab: &mut Lab) {
    let group = lab.group(
        "intern-resolve",
        "How long does it take to get the string of a symbol?",
    );
    group
        .work("An iteration resolves up to 10 000 symbols in random order and reads the length and the last byte of each string. `frozen` is the read-only copy made of an interner. Strings of 28 bytes.")
        .quick_limit(1_000)
        .batch(BATCH as u64);
    describe(group);
    for count in [1_000, 100_000, 1_000_000] {
        every_local!(group, count, resolves(count));
        every_shared!(group, count, resolves(count));
        group.case("frozen", count, move || {
            let (live, known) = filled::<Rodeo>(Alphabet::Dotted.strings(count));
            let frozen = Frozen::from_interner(&live);
            resolved(known, move |symbol| fold_text(frozen.resolve(symbol)))
        });
    }
}

/// What a resolved string is folded to: its length and its last byte.
fn fold_text(text: &str) -> u64 {
    text.len() as u64 * 256 + u64::from(*text.as_bytes().last().unwrap_or(&0))
}

/// A sum that depends on the order of its parts.
fn sum(parts: impl Iterator<Item = u64>) -> u64 {
    parts
        .zip(0..)
        .fold(0, |sum, (part, place)| sum ^ part.rotate_left(place))
}

fn resolves<I: Interner + Default + 'static>(count: usize) -> Routine {
    let (interner, known) = filled::<I>(Alphabet::Dotted.strings(count));
    resolved(known, move |symbol| fold_text(interner.resolve(symbol)))
}

fn resolved(known: Vec<Known>, text: impl Fn(Symbol) -> u64 + 'static) -> Routine {
    let Windows { known, window, .. } = Windows::new(known);
    let symbols: Vec<Symbol> = known.iter().map(|&(_, symbol)| symbol).collect();
    let expected: Vec<u64> = known
        .chunks_exact(window)
        .map(|chunk| sum(chunk.iter().map(|(string, _)| fold_text(string))))
        .collect();
    let mut turn = 0;
    Routine::new(
        move || {
            let chunk = &symbols[turn * window..][..window];
            let right = expected[turn];
            turn = (turn + 1) % expected.len();
            sum(chunk.iter().map(|&symbol| text(symbol))) == right
        },
        |right| assert!(right, "a symbol resolves to another string"),
    )
}

/// Strings that are known before a race between threads begins.
const KNOWN: usize = 100_000;

/// Strings that each thread interns in an iteration of a race.
const RACE: usize = 20_000;

impl Shared for Mutex<Rodeo> {
    type Symbol = Symbol;

    fn intern(&self, string: &str) -> Symbol {
        self.lock().expect("no thread panics").intern(string)
    }

    fn len(&self) -> usize {
        self.lock().expect("no thread panics").len()
    }
}

impl Shared for ThreadedLexicon {
    type Symbol = Sym;

    #[inline]
    fn intern(&self, string: &str) -> Sym {
        self.intern(string)
    }

    fn len(&self) -> usize {
        self.len()
    }
}

fn threads(lab: &mut Lab, percent: u64) {
    let group = lab.group(
        &format!("intern-threads/{percent}"),
        &format!("How do threads that share an interner get on when {percent} % of the strings are known?"),
    );
    group.work("Threads start together, on an interner of 100 000 known strings of 28 bytes; in an iteration each interns 20 000 strings, the new ones its own. `internity` cannot resolve symbols before it is frozen, the others can at any time. Time is from the first start to the last end.");
    group
        .axis("threads")
        .unit("string")
        .per_element()
        .baseline("locked-rodeo");
    for threads in [1, 2] {
        let input = || Input::number(threads, (threads * RACE) as u64);
        group.case("locked-rodeo", input(), move || {
            shared::<Mutex<Rodeo>>(threads, percent)
        });
        group.case("threaded-rodeo", input(), move || {
            shared::<ThreadedRodeo>(threads, percent)
        });
        group.case("internity", input(), move || {
            shared::<ThreadedLexicon>(threads, percent)
        });
        group.case("sharded", input(), move || {
            shared::<Sharded>(threads, percent)
        });
        group.case("concurrent", input(), move || {
            shared::<Concurrent>(threads, percent)
        });
    }
}

fn shared<I: Shared>(threads: usize, percent: u64) -> Routine {
    let strings = Alphabet::Dotted.strings(KNOWN);
    Routine::timed(
        move |iterations| {
            // A new interner each time: one that went on growing would be another case.
            let (interner, streams, different) = Tally::pause(|| {
                let interner = I::default();
                let symbols: Vec<I::Symbol> = strings
                    .iter()
                    .map(|string| interner.intern(string))
                    .collect();
                let mut different = KNOWN;
                let streams: Vec<Vec<(String, Option<I::Symbol>)>> = (0..threads)
                    .map(|thread| {
                        let mut random = Rand64::new(thread as u128);
                        (0..iterations as usize * RACE)
                            .map(|number| {
                                if random.rand_range(0..100) < percent {
                                    let known = random.rand_range(0..KNOWN as u64) as usize;
                                    (strings[known].clone(), Some(symbols[known]))
                                } else {
                                    different += 1;
                                    (format!("new-{thread}-{number:022}"), None)
                                }
                            })
                            .collect()
                    })
                    .collect();
                (interner, streams, different)
            });
            let (elapsed, mut right) = race(threads, |thread| {
                streams[thread].iter().all(|(string, expected)| {
                    let symbol = interner.intern(string);
                    expected.is_none_or(|expected| expected == symbol)
                })
            });
            right.push(interner.len() == different);
            Tally::pause(|| drop((interner, streams)));
            (elapsed, right)
        },
        |right| {
            assert!(
                right.iter().all(|&right| right),
                "known strings keep their symbols and every new one gets its own"
            );
        },
    )
}

fn memory(lab: &mut Lab) {
    let group = lab.group(
        "intern-memory",
        "What does it cost to fill an interner with a million strings, and how much memory does it hold then?",
    );
    group
        .work("An iteration interns all strings of 28 bytes into a new interner and keeps it; held bytes include the strings.")
        .quick_limit(0);
    describe(group);
    group.baseline("rodeo");
    let count = 1_000_000;
    group.case("rodeo", count, move || {
        misses::<Rodeo>(Alphabet::Dotted, count)
    });
    group.case("string-interner", count, move || {
        misses::<StringInterner>(Alphabet::Dotted, count)
    });
    group.case("internity", count, move || {
        misses::<Internity>(Alphabet::Dotted, count)
    });
    group.case("compact", count, move || {
        misses::<Compact>(Alphabet::Dotted, count)
    });
    group.case("concurrent", count, move || {
        misses::<One<Concurrent>>(Alphabet::Dotted, count)
    });
    group.case("frozen", count, move || {
        let (live, _) = filled::<Compact>(Alphabet::Dotted.strings(count));
        Routine::prepared(
            || (),
            move |()| Frozen::from_interner(&live),
            move |frozen| assert_eq!(frozen.len(), count),
        )
    });
}
