//! All interleavings of what threads share in `Concurrent`, as far as a model checker tries them: two
//! that add to a shard, readers while its table is replaced, and lists whose segments are needed by
//! several at once.
//!
//! Their sources are compiled here a second time, with the checker's atomics and locks.
//!
//! That the model can fail was tried by one mistake at a time. It found: the store of a tag, of a table
//! or of a segment relaxed, and each of their loads; a position stored after its tag; a vacancy from
//! before the lock taken as it was, or with a look at its table only; the vacancy of a table that was
//! replaced used to add; a segment not looked for again under the lock; and indices counted relaxed. It
//! did not find a vacancy whose group is the same but whose table is not looked at: no string is lost
//! here by that.
//!
//! Of two threads, the one that writes runs first and the other reads: the checker goes back to try a
//! store before a load only where a thread has not loaded the same itself.

#[allow(unreachable_pub, dead_code, reason = "it is a module of a test")]
#[path = "../src/apart.rs"]
mod apart;

#[allow(unreachable_pub, dead_code, reason = "it is a module of a test")]
#[path = "../src/budget.rs"]
mod budget;

#[allow(unreachable_pub, dead_code, reason = "it is a module of a test")]
#[path = "../src/growing.rs"]
mod growing;

#[allow(unreachable_pub, dead_code, reason = "not all of it is modelled")]
#[path = "../src/shard.rs"]
mod shard;

#[allow(unreachable_pub, dead_code, reason = "not all of it is modelled")]
#[path = "../src/tags.rs"]
mod tags;

mod sync {
    pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, AtomicUsize, Ordering};
    pub(crate) use loom::sync::{Mutex, MutexGuard};
    pub(crate) use std::sync::PoisonError;

    pub(crate) trait Blank: Sized {
        fn blank(count: usize) -> Option<Box<[Self]>>;
    }
}

use intern::InternError;
use loom::cell::UnsafeCell;
use loom::sync::Arc;
use loom::sync::atomic::{AtomicU32, Ordering};
use loom::thread;

use budget::Budget;
use growing::Growing;
use shard::Shard;
use sync::Blank;

/// The processor need not be told here.
fn prefetch<T>(_: &[T], _: usize) {}

/// A shard, and what its positions stand for: the hash that each was added under, 0 while it is not
/// written.
struct Table {
    shard: Shard,
    records: Vec<UnsafeCell<u64>>,
}

// SAFETY: the checker watches every access to the cells and fails the test when two of them are not
// ordered.
unsafe impl Sync for Table {}

impl Table {
    fn new(records: usize) -> Self {
        Self {
            shard: Shard::new(),
            records: (0..records).map(|_| UnsafeCell::new(0)).collect(),
        }
    }

    fn record(&self, position: u32) -> u64 {
        // SAFETY: the checker watches, see above.
        self.records[position as usize].with(|record| unsafe { *record })
    }

    fn is(&self, hash: u64) -> impl Fn(u32) -> Option<u32> {
        move |position| (self.record(position) == hash).then_some(position)
    }

    fn get(&self, hash: u64) -> Option<u32> {
        match self.shard.first_look(hash, self.is(hash)) {
            Some(position) => Some(position),
            None => self.shard.find(hash, self.is(hash)).ok(),
        }
    }

    /// The position of a hash, as `Concurrent` gives it: `mine` if it is new.
    fn intern(&self, hash: u64, mine: u32) -> u32 {
        if let Some(position) = self.shard.first_look(hash, self.is(hash)) {
            return position;
        }
        let vacancy = match self.shard.find(hash, self.is(hash)) {
            Ok(position) => return position,
            Err(vacancy) => vacancy,
        };
        let mut locked = self.shard.lock();
        let vacancy = match locked.find(hash, vacancy, self.is(hash)) {
            Ok(position) => return position,
            Err(vacancy) => vacancy,
        };
        if locked.needed_bytes() > 0 {
            assert!(locked.grow(|_| (), |position| self.record(position)));
        }
        // SAFETY: the checker watches, see above.
        self.records[mine as usize].with_mut(|record| unsafe { *record = hash });
        locked.add(hash, vacancy, mine);
        mine
    }

    /// Fills the smallest table, with positions from 0: the next string needs a larger one.
    fn fill(&self) {
        for position in 0..FULL {
            assert_eq!(self.intern(hash(position), position), position);
        }
        assert_eq!(self.shard.slots(), 24);
    }
}

/// Positions that the smallest table has room for.
const FULL: u32 = 18;

/// Hashes that go to each of two or four groups in turn, with four tags.
fn hash(number: u32) -> u64 {
    u64::from(number) << 62 | u64::from(number) << 20 | u64::from(number / 4 % 4 + 2)
}

fn check(preemptions: usize, model: impl Fn() + Sync + Send + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 20_000;
    builder.check(model);
}

#[test]
fn two_threads_that_add_the_same_agree() {
    check(3, || {
        let table = Arc::new(Table::new(2));
        let other = Arc::clone(&table);
        let thread = thread::spawn(move || other.intern(hash(1), 1));
        let mine = table.intern(hash(1), 0);
        assert_eq!(thread.join().unwrap(), mine);
        assert_eq!(table.get(hash(1)), Some(mine));
    });
}

#[test]
fn two_threads_that_add_to_a_table_agree_and_lose_nothing() {
    check(3, || {
        let table = Arc::new(Table::new(5));
        // So that there is a table, and vacancies in it.
        table.intern(hash(2), 4);
        let other = Arc::clone(&table);
        let thread = thread::spawn(move || {
            [(18, 0), (34, 1)].map(|(number, mine)| other.intern(hash(number), mine))
        });
        // All are of the same group and tag.
        let mine = [(34, 2), (18, 3)].map(|(number, mine)| table.intern(hash(number), mine));
        let [first, second] = thread.join().unwrap();
        assert_eq!(mine, [second, first]);
        assert_eq!(table.get(hash(2)), Some(4));
        assert_eq!(table.get(hash(18)), Some(first));
        assert_eq!(table.get(hash(34)), Some(second));
        assert_eq!(table.get(hash(50)), None);
    });
}

#[test]
fn a_reader_sees_what_a_position_stands_for() {
    check(3, || {
        let table = Arc::new(Table::new(2));
        let other = Arc::clone(&table);
        let reader = thread::spawn(move || {
            let second = other.get(hash(17));
            // Who sees the second sees the first.
            let first = other.get(hash(1));
            assert!(second.is_none() || first == Some(0));
            if let Some(position) = other.shard.likely(hash(1)) {
                assert!([hash(1), hash(17)].contains(&other.record(position)));
            }
        });
        assert_eq!(table.intern(hash(1), 0), 0);
        assert_eq!(table.intern(hash(17), 1), 1);
        reader.join().unwrap();
        assert_eq!(
            (table.get(hash(1)), table.get(hash(17))),
            (Some(0), Some(1))
        );
    });
}

#[test]
fn readers_find_what_is_known_while_the_table_is_replaced() {
    check(3, || {
        let table = Table::new(FULL as usize + 1);
        table.fill();
        let table = Arc::new(table);
        let other = Arc::clone(&table);
        let reader = thread::spawn(move || {
            for number in [0, FULL - 1] {
                assert_eq!(other.get(hash(number)), Some(number));
            }
            let new = other.get(hash(FULL));
            assert!([None, Some(FULL)].contains(&new));
        });
        assert_eq!(table.intern(hash(FULL), FULL), FULL);
        reader.join().unwrap();
        let mut table = Arc::try_unwrap(table).unwrap_or_else(|_| panic!("the reader ended"));
        assert!(table.shard.slots() > 24);
        assert!(
            table.shard.reclaim() > 0,
            "the first table was kept for readers"
        );
        assert_eq!(table.shard.reclaim(), 0);
        for number in 0..=FULL {
            assert_eq!(table.get(hash(number)), Some(number));
        }
    });
}

#[test]
fn a_vacancy_of_a_table_that_was_replaced_is_not_used() {
    check(2, || {
        let table = Table::new(FULL as usize + 2);
        table.fill();
        let table = Arc::new(table);
        let other = Arc::clone(&table);
        let thread = thread::spawn(move || other.intern(hash(22), FULL));
        let mine = table.intern(hash(22), FULL + 1);
        assert_eq!(thread.join().unwrap(), mine);
        for number in [0, 2, FULL - 2] {
            assert_eq!(table.get(hash(number)), Some(number));
        }
        assert_eq!(table.get(hash(22)), Some(mine));
    });
}

/// An element of which the first of a segment is watched.
struct Element(Option<UnsafeCell<u32>>);

// SAFETY: the checker watches, as above.
unsafe impl Sync for Element {}

impl Blank for Element {
    fn blank(count: usize) -> Option<Box<[Self]>> {
        let watched = |index: usize| (index == 0).then(|| UnsafeCell::new(0));
        let elements: Box<[Self]> = (0..count).map(|index| Self(watched(index))).collect();
        elements[0].set(7);
        Some(elements)
    }
}

impl Element {
    fn set(&self, value: u32) {
        let cell = self.0.as_ref().expect("the first of a segment");
        // SAFETY: the checker watches, see above.
        cell.with_mut(|cell| unsafe { *cell = value });
    }

    fn value(&self) -> u32 {
        let cell = self.0.as_ref().expect("the first of a segment");
        // SAFETY: the checker watches, see above.
        cell.with(|cell| unsafe { *cell })
    }
}

/// Elements of the first segment.
const FIRST: usize = 1024;

#[test]
fn a_segment_that_two_threads_need_is_allocated_once() {
    check(3, || {
        // No byte more than for one of them: neither thread fails because the other was there.
        let budget = Budget::new(FIRST * size_of::<Element>());
        let list = Arc::new((Growing::<Element>::new(), budget));
        let other = Arc::clone(&list);
        let get = |list: &Growing<Element>| list.get(0).map(Element::value);
        let need = |(list, budget): &(Growing<Element>, Budget)| {
            list.need(0, budget).unwrap();
            // SAFETY: needs an element whose segment was needed before.
            assert_eq!(unsafe { &*list.pointer(0) }.value(), 7);
            list.pointer(0).addr()
        };
        let thread = thread::spawn(move || {
            // Who needs nothing yet sees the segment whole or not at all.
            assert!(get(&other.0).is_none_or(|value| value == 7));
            need(&other)
        });
        let place = need(&list);
        assert_eq!(thread.join().unwrap(), place);
        assert_eq!(list.1.held(), FIRST * size_of::<Element>());
    });
}

#[test]
fn a_segment_that_cannot_be_afforded_is_needed_again() {
    check(3, || {
        let budget = Budget::new(FIRST * size_of::<Element>() - 1);
        let list = Arc::new((Growing::<Element>::new(), budget));
        let other = Arc::clone(&list);
        let thread = thread::spawn(move || other.0.need(0, &other.1));
        let refused =
            |error: Result<(), InternError>| matches!(error, Err(InternError::OverBudget { .. }));
        assert!(refused(list.0.need(0, &list.1)));
        assert!(refused(thread.join().unwrap()));
        assert_eq!(list.1.held(), 0);
    });
}

/// As `Concurrent::add` numbers strings, were there two shards.
#[test]
fn who_is_numbered_late_sees_the_segment_that_others_needed() {
    check(3, || {
        let first = FIRST as u32;
        let shared = Arc::new((
            Growing::<Element>::new(),
            Budget::new(usize::MAX),
            // The string after the next is the last of the first segment.
            AtomicU32::new(first - 2),
        ));
        let number = |(list, budget, next): &(Growing<Element>, Budget, AtomicU32)| {
            let index = next.load(Ordering::Relaxed);
            // One other thread may be numbered before.
            list.need(index, budget).unwrap();
            list.need(index + 1, budget).unwrap();
            let index = next.fetch_add(1, Ordering::AcqRel);
            assert!(list.get(index).is_some());
        };
        let other = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            number(&other);
            number(&other);
        });
        number(&shared);
        thread.join().unwrap();
    });
}
