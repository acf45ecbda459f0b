//! What stays true when something fails: the allocator, the budget, or a hasher that panics.
//!
//! The allocator of this program counts the bytes that the current thread has, and refuses what it
//! is told to.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::hash::{BuildHasher, Hasher};
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use intern::{
    Compact, Concurrent, Folded, FoldedHasher, InternError, Interner, Statistics, Symbol,
};
use proptest::collection::vec;
use proptest::prelude::*;

#[global_allocator]
static ALLOCATOR: Refusing = Refusing;

/// The system's allocator, which refuses the calls of a thread after so many.
struct Refusing;

thread_local! {
    /// Calls that are still served. Without a destructor, as what comes after it.
    static SERVED: Cell<u64> = const { Cell::new(u64::MAX) };
    /// Bytes that this thread allocated and did not free.
    static OUTSTANDING: Cell<isize> = const { Cell::new(0) };
    /// The most that it had.
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

impl Refusing {
    /// Serves one more call, unless it refuses.
    fn serve(bytes: isize, allocate: impl FnOnce() -> *mut u8) -> *mut u8 {
        let served = SERVED.get();
        if served == 0 {
            return std::ptr::null_mut();
        }
        let block = allocate();
        if !block.is_null() {
            SERVED.set(served - 1);
            OUTSTANDING.set(OUTSTANDING.get() + bytes);
            PEAK.set(PEAK.get().max(OUTSTANDING.get()));
        }
        block
    }

    /// Runs `work`, of which `served` calls are served.
    fn after<R>(served: u64, work: impl FnOnce() -> R) -> R {
        SERVED.set(served);
        let result = work();
        SERVED.set(u64::MAX);
        result
    }
}

// SAFETY: gives what `System` gives, or null, and neither allocates nor unwinds.
unsafe impl GlobalAlloc for Refusing {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's word.
        Self::serve(layout.size() as isize, || unsafe { System.alloc(layout) })
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        Self::serve(layout.size() as isize, || {
            // SAFETY: the caller's word.
            unsafe { System.alloc_zeroed(layout) }
        })
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::serve(size as isize - layout.size() as isize, || {
            // SAFETY: the caller's word, and all blocks are of `System`.
            unsafe { System.realloc(block, layout, size) }
        })
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        OUTSTANDING.set(OUTSTANDING.get() - layout.size() as isize);
        // SAFETY: the caller's word, and all blocks are of `System`.
        unsafe { System.dealloc(block, layout) }
    }
}

/// What both of ours can do beside [`Interner`].
trait Own: Interner + Sized {
    fn try_intern(&mut self, string: &str) -> Result<Symbol, InternError>;
    fn try_intern_static(&mut self, string: &'static str) -> Result<Symbol, InternError>;
    fn with_budget(self, bytes: usize) -> Self;
    fn reserve(&mut self, strings: usize, bytes: usize) -> Result<(), InternError>;
    fn held_bytes(&self) -> usize;
    fn statistics(&self) -> Statistics;
    fn reclaim(&mut self);

    /// Bytes beside those that it says it holds: the first when there is no replaced table.
    const MORE_BYTES: RangeInclusive<isize>;
}

impl<S: BuildHasher> Own for Compact<S> {
    fn try_intern(&mut self, string: &str) -> Result<Symbol, InternError> {
        Compact::try_intern(self, string)
    }

    fn try_intern_static(&mut self, string: &'static str) -> Result<Symbol, InternError> {
        Compact::try_intern_static(self, string)
    }

    fn with_budget(self, bytes: usize) -> Self {
        Compact::with_budget(self, bytes)
    }

    fn reserve(&mut self, strings: usize, bytes: usize) -> Result<(), InternError> {
        Compact::reserve(self, strings, bytes)
    }

    fn held_bytes(&self) -> usize {
        Compact::held_bytes(self)
    }

    fn statistics(&self) -> Statistics {
        Compact::statistics(self)
    }

    fn reclaim(&mut self) {}

    const MORE_BYTES: RangeInclusive<isize> = 0..=0;
}

/// Owned, so that the budget can be changed and replaced tables be freed.
struct Shared<S = Folded>(Concurrent<S>);

impl<S: BuildHasher> Interner for Shared<S> {
    fn intern(&mut self, string: &str) -> Symbol {
        self.0.intern(string)
    }

    fn get(&self, string: &str) -> Option<Symbol> {
        self.0.get(string)
    }

    fn resolve(&self, symbol: Symbol) -> &str {
        self.0.resolve(symbol)
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn intern_batch(&mut self, strings: &[&str], symbols: &mut Vec<Symbol>) {
        self.0.intern_batch(strings, symbols);
    }
}

impl<S: BuildHasher> Own for Shared<S> {
    fn try_intern(&mut self, string: &str) -> Result<Symbol, InternError> {
        self.0.try_intern(string)
    }

    fn try_intern_static(&mut self, string: &'static str) -> Result<Symbol, InternError> {
        self.0.try_intern_static(string)
    }

    fn with_budget(self, bytes: usize) -> Self {
        Self(self.0.with_budget(bytes))
    }

    fn reserve(&mut self, _: usize, _: usize) -> Result<(), InternError> {
        Ok(())
    }

    fn held_bytes(&self) -> usize {
        self.0.held_bytes()
    }

    fn statistics(&self) -> Statistics {
        self.0.statistics()
    }

    fn reclaim(&mut self) {
        self.0.reclaim();
    }

    /// 128 bytes a shard, and a list of up to eight replaced tables each.
    const MORE_BYTES: RangeInclusive<isize> = 4096..=4096 + 32 * 8 * 8;
}

/// An interner, and what it should hold.
struct Checked<I> {
    interner: I,
    /// Bytes that the thread had when the interner was made.
    before: isize,
    budget: usize,
    strings: Vec<String>,
    copied_bytes: usize,
}

impl<I: Own> Checked<I> {
    fn new(make: impl FnOnce() -> I) -> Self {
        let before = OUTSTANDING.get();
        Self {
            interner: make(),
            before,
            budget: usize::MAX,
            strings: Vec::new(),
            copied_bytes: 0,
        }
    }

    fn limited(self, bytes: usize) -> Self {
        Self {
            interner: self.interner.with_budget(bytes),
            budget: bytes,
            ..self
        }
    }

    fn index(&self, string: &str) -> Option<usize> {
        self.strings.iter().position(|known| known == string)
    }

    /// Interns one string in some way, of which the result is expected of the model.
    #[track_caller]
    fn intern(
        &mut self,
        string: &str,
        copied: bool,
        call: impl FnOnce(&mut I) -> Result<Symbol, InternError>,
    ) {
        let known = self.index(string);
        let held = OUTSTANDING.get();
        let result = call(&mut self.interner);
        // The model does not count.
        let more = OUTSTANDING.get() - held;
        match result {
            Ok(symbol) => {
                assert_eq!(symbol.index(), known.unwrap_or(self.strings.len()));
                self.learn(string, copied);
            }
            Err(error) => {
                assert_eq!(known, None, "what is known needs nothing: {error}");
                assert_eq!(self.interner.get(string), None);
                assert_eq!(self.interner.len(), self.strings.len());
                match error {
                    InternError::OverBudget {
                        budget_bytes,
                        needed_bytes,
                    } => {
                        assert_eq!(budget_bytes, self.budget);
                        assert!(needed_bytes > budget_bytes, "{needed_bytes}");
                    }
                    error => assert_eq!(error, InternError::OutOfMemory),
                }
            }
        }
        assert!(
            more <= 0 || self.interner.held_bytes() <= self.budget,
            "{} bytes are held, by {more} more than before; {} may be",
            self.interner.held_bytes(),
            self.budget
        );
    }

    fn learn(&mut self, string: &str, copied: bool) {
        if self.index(string).is_none() {
            self.copied_bytes += if copied { string.len() } else { 0 };
            self.strings.push(string.to_owned());
        }
    }

    #[track_caller]
    fn check(&self) {
        let interner = &self.interner;
        assert_eq!(interner.len(), self.strings.len());
        for (index, string) in self.strings.iter().enumerate() {
            let symbol = Symbol::from_index(index as u32);
            assert_eq!(interner.resolve(symbol), string);
            assert_eq!(interner.get(string), Some(symbol));
        }
        let statistics = interner.statistics();
        assert_eq!(statistics.strings, self.strings.len());
        assert_eq!(statistics.text_bytes, self.copied_bytes);
        assert_eq!(statistics.held_bytes, interner.held_bytes());
        assert!(statistics.slots >= self.strings.len());
        assert!(statistics.most_probes as f64 >= statistics.mean_probes);
        assert!(self.strings.is_empty() || statistics.mean_probes >= 1.0);
    }

    /// Drops the model and the interner, which hold what they say they hold.
    #[track_caller]
    fn check_bytes(self) {
        let Self {
            interner,
            before,
            strings,
            ..
        } = self;
        drop(strings);
        let more = OUTSTANDING.get() - before - interner.held_bytes() as isize;
        assert!(
            I::MORE_BYTES.contains(&more),
            "{more} bytes more than it says"
        );
        let mut interner = interner;
        interner.reclaim();
        let more = OUTSTANDING.get() - before - interner.held_bytes() as isize;
        assert_eq!(more, *I::MORE_BYTES.start());
        drop(interner);
        assert_eq!(OUTSTANDING.get(), before);
    }
}

#[derive(Clone, Debug)]
enum Step {
    Intern(String),
    Static(usize),
    Get(String),
    Batch(Vec<String>),
    /// A budget of so many bytes more than are held.
    Budget(usize),
    NoBudget,
    Reserve(usize, usize),
    Reclaim,
    /// Intern after which so many calls of the allocator are served.
    Refuse(u64, String),
    RefuseStatic(u64, usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => string().prop_map(Step::Intern),
        3 => (0..STATICS).prop_map(Step::Static),
        1 => string().prop_map(Step::Get),
        2 => vec(string(), 0..40).prop_map(Step::Batch),
        1 => (0_usize..3000).prop_map(Step::Budget),
        1 => Just(Step::NoBudget),
        1 => (0_usize..60, 0_usize..600).prop_map(|(strings, bytes)| Step::Reserve(strings, bytes)),
        1 => Just(Step::Reclaim),
        4 => (0_u64..3, string()).prop_map(|(served, string)| Step::Refuse(served, string)),
        2 => (0_u64..3, 0..STATICS).prop_map(|(served, which)| Step::RefuseStatic(served, which)),
    ]
}

/// Some are equal to strings that are never freed.
fn string() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab]{0,3}",
        "node-[0-9]{3}",
        "\\PC{0,40}",
        (0..STATICS).prop_map(|which| statics()[which].to_owned()),
        (245_usize..265, "[ab]").prop_map(|(length, letter)| letter.repeat(length)),
        (0_usize..3).prop_map(|which| "long".repeat(40 << (3 * which))),
    ]
}

const STATICS: usize = 40;

/// Strings that are never freed: the empty one, some with a multiple of 13 bytes, and all with 250 to 265.
fn statics() -> &'static [&'static str; STATICS] {
    static ALL: LazyLock<[&'static str; STATICS]> = LazyLock::new(|| {
        std::array::from_fn(|which| {
            let length = if which < 24 { which * 13 } else { which + 226 };
            &*String::leak("a".repeat(length))
        })
    });
    &ALL
}

fn check_program<I: Own>(make: impl FnOnce() -> I, steps: &[Step]) {
    // Its memory is not the interner's.
    statics();
    let mut checked = Checked::new(make);
    for step in steps {
        checked = match step {
            Step::Budget(more) => {
                let bytes = checked.interner.held_bytes() + more;
                checked.limited(bytes)
            }
            Step::NoBudget => checked.limited(usize::MAX),
            step => run(checked, step),
        };
        checked.check();
    }
    checked.check_bytes();
}

fn run<I: Own>(mut checked: Checked<I>, step: &Step) -> Checked<I> {
    match step {
        Step::Intern(string) => checked.intern(string, true, |to| to.try_intern(string)),
        Step::Static(which) => {
            let string = statics()[*which];
            checked.intern(string, false, |to| to.try_intern_static(string));
        }
        Step::Refuse(served, string) => checked.intern(string, true, |to| {
            Refusing::after(*served, || to.try_intern(string))
        }),
        Step::RefuseStatic(served, which) => {
            let string = statics()[*which];
            checked.intern(string, false, |to| {
                Refusing::after(*served, || to.try_intern_static(string))
            });
        }
        Step::Get(string) => {
            let index = checked.interner.get(string).map(Symbol::index);
            assert_eq!(index, checked.index(string));
        }
        Step::Batch(strings) => {
            let batch: Vec<_> = strings.iter().map(String::as_str).collect();
            let mut symbols = Vec::with_capacity(batch.len());
            checked = checked.limited(usize::MAX);
            checked.interner.intern_batch(&batch, &mut symbols);
            assert_eq!(symbols.len(), batch.len());
            for (string, symbol) in batch.iter().zip(symbols) {
                let index = checked.index(string).unwrap_or(checked.strings.len());
                assert_eq!(symbol.index(), index);
                checked.learn(string, true);
            }
        }
        Step::Budget(_) | Step::NoBudget => unreachable!("they take the interner itself"),
        Step::Reserve(strings, bytes) => {
            let held = checked.interner.held_bytes();
            let reserved = checked.interner.reserve(*strings, *bytes);
            let now = checked.interner.held_bytes();
            assert!(
                now == held || now <= checked.budget,
                "{now} bytes of {}",
                checked.budget
            );
            assert!(reserved.is_ok() || checked.budget < usize::MAX);
        }
        Step::Reclaim => {
            let held = checked.interner.held_bytes();
            checked.interner.reclaim();
            assert!(checked.interner.held_bytes() <= held);
        }
    }
    checked
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn programs_run_as_on_a_plain_model_compact(steps in vec(step(), 0..60)) {
        check_program(Compact::new, &steps);
    }

    #[test]
    fn programs_run_as_on_a_plain_model_concurrent(steps in vec(step(), 0..60)) {
        check_program(|| Shared(Concurrent::new()), &steps);
    }

    #[test]
    fn programs_run_when_all_hashes_are_equal(steps in vec(step(), 0..60)) {
        check_program(|| Compact::with_hasher(Same), &steps);
        check_program(|| Shared(Concurrent::with_hasher(Same)), &steps);
    }
}

/// Refuses the first call, then the second, and so on, of all that it takes to hold some strings.
fn check_every_refusal<I: Own>(make: impl Fn() -> I) {
    let strings: Vec<_> = (0..500).map(|number| format!("node {number}")).collect();
    for served in 0.. {
        let mut checked = Checked::new(&make);
        let mut left = served;
        let mut refused = 0;
        for string in &strings {
            let mut error = None;
            checked.intern(string, true, |to| {
                SERVED.set(left);
                let result = to.try_intern(string);
                left = SERVED.replace(u64::MAX);
                error = result.clone().err();
                result
            });
            if let Some(error) = error {
                assert_eq!(error, InternError::OutOfMemory);
                refused += 1;
                left = u64::MAX;
                checked.intern(string, true, |to| Ok(to.try_intern(string).unwrap()));
            }
        }
        checked.check();
        checked.check_bytes();
        if refused == 0 {
            assert!(served > 5, "more calls than that: {served}");
            return;
        }
    }
}

#[test]
fn any_refusal_is_an_error_that_changes_nothing_compact() {
    check_every_refusal(Compact::new);
}

#[test]
fn any_refusal_is_an_error_that_changes_nothing_concurrent() {
    check_every_refusal(|| Shared(Concurrent::new()));
}

/// Budgets of all sizes, with which strings are added until one does not fit.
fn check_budgets<I: Own>(make: impl Fn() -> I, budgets: impl Iterator<Item = usize>) {
    let strings: Vec<_> = (0..2000).map(|number| format!("{number}")).collect();
    for bytes in budgets {
        let before = OUTSTANDING.get();
        let mut interner = make().with_budget(bytes);
        for string in &strings {
            PEAK.set(before);
            let result = interner.try_intern(string);
            // With a table that was replaced meanwhile.
            let peak = PEAK.get() - before;
            assert!(
                peak <= bytes as isize + I::MORE_BYTES.end(),
                "{peak} of {bytes} bytes for a moment"
            );
            let held = interner.held_bytes();
            assert!(
                held <= bytes,
                "{held} of {bytes} bytes for {} strings",
                interner.len()
            );
            if result.is_err() {
                break;
            }
        }
    }
}

#[test]
fn no_budget_is_exceeded_by_a_byte_compact() {
    check_budgets(Compact::new, (0..8 << 10).step_by(4));
}

#[test]
fn no_budget_is_exceeded_by_a_byte_concurrent() {
    check_budgets(|| Shared(Concurrent::new()), (0..64 << 10).step_by(200));
}

/// Calls a hasher may still have; then it panics.
struct Panicking(AtomicU64);

impl BuildHasher for &Panicking {
    type Hasher = FoldedHasher;

    fn build_hasher(&self) -> FoldedHasher {
        let left = self.0.load(Ordering::Relaxed);
        assert!(left > 0, "no more hashes");
        self.0.store(left - 1, Ordering::Relaxed);
        Folded.build_hasher()
    }
}

/// Lets the hasher panic wherever a table grows, after so many strings were hashed again.
fn check_panics<'a, I: Own>(hasher: &'a Panicking, make: impl FnOnce(&'a Panicking) -> I) {
    let mut interner = make(hasher);
    let mut panics = 0;
    for number in 0..1000_u32 {
        let string = format!("node {number}");
        let held = interner.held_bytes();
        // One is for the string itself.
        hasher.0.store(1 + u64::from(number % 7), Ordering::Relaxed);
        let interned = catch_unwind(AssertUnwindSafe(|| interner.try_intern(&string)));
        hasher.0.store(u64::MAX, Ordering::Relaxed);
        if interned.is_err() {
            panics += 1;
            assert!(interner.held_bytes() <= held.max(interner.statistics().held_bytes));
            assert_eq!(interner.get(&string), None);
            let after = interner.held_bytes();
            // The same again: nothing is lost each time.
            hasher.0.store(1, Ordering::Relaxed);
            catch_unwind(AssertUnwindSafe(|| interner.try_intern(&string))).unwrap_err();
            hasher.0.store(u64::MAX, Ordering::Relaxed);
            assert_eq!(interner.held_bytes(), after);
            interner.try_intern(&string).unwrap();
        }
        assert_eq!(interner.len(), number as usize + 1);
        for known in 0..=number {
            let symbol = interner.get(&format!("node {known}"));
            assert_eq!(symbol.map(Symbol::index), Some(known as usize));
        }
    }
    assert_eq!(interner.statistics().strings, 1000);
    assert!(panics > 2, "{panics}");
}

#[test]
fn a_hasher_that_panics_while_the_table_grows_changes_nothing_compact() {
    check_panics(&Panicking(AtomicU64::new(0)), |hasher| {
        Compact::with_hasher(hasher)
    });
}

#[test]
fn a_hasher_that_panics_while_the_table_grows_changes_nothing_concurrent() {
    check_panics(&Panicking(AtomicU64::new(0)), |hasher| {
        Shared(Concurrent::with_hasher(hasher))
    });
}

/// One hash for all strings.
#[derive(Clone, Copy)]
struct Same;

impl BuildHasher for Same {
    type Hasher = Self;

    fn build_hasher(&self) -> Self {
        Self
    }
}

impl Hasher for Same {
    fn write(&mut self, _: &[u8]) {}

    fn finish(&self) -> u64 {
        u64::MAX
    }
}

#[test]
fn room_that_cannot_be_made_is_refused() {
    for (strings, bytes) in [
        (usize::MAX, 0),
        (usize::MAX, usize::MAX),
        (usize::MAX / 2, 0),
        (usize::MAX / 8, 0),
        (usize::MAX / 64, 0),
        (0, usize::MAX),
        (1, usize::MAX),
        (20, usize::MAX / 2),
    ] {
        let mut names = Compact::new();
        // Sanitizers end a program that asks for so much.
        Refusing::after(0, || names.reserve(strings, bytes)).unwrap_err();
        let mut names = names.with_budget(10_000);
        let over = names.reserve(strings, bytes);
        assert!(
            matches!(over, Err(InternError::OverBudget { .. })),
            "{over:?}"
        );
        assert_eq!(names.try_intern("works on").unwrap().index(), 0);
    }
}

/// All pairs of neighbouring lengths around those that a header cannot tell, as copies or not.
fn check_lengths<I: Own>(make: impl Fn() -> I) {
    let lengths = [0, 1, 3, 252, 253, 254, 255, 256, 257];
    static LETTERS: [[u8; 257]; 2] = [[b'a'; 257], [b'b'; 257]];
    let all: Vec<&'static str> = lengths
        .iter()
        .flat_map(|&length| LETTERS.each_ref().map(|letters| &letters[..length]))
        .map(|letters| std::str::from_utf8(letters).unwrap())
        .collect();
    for first in &all {
        for second in &all {
            for which in 0..4 {
                let mut checked = Checked::new(&make);
                for (string, copied) in [(first, which & 1 == 0), (second, which & 2 == 0)] {
                    checked.intern(string, copied, |to| match copied {
                        true => to.try_intern(&String::from(*string)),
                        false => to.try_intern_static(string),
                    });
                    let symbol = checked.interner.get(string).unwrap();
                    assert_eq!(checked.interner.intern(string), symbol);
                    assert_eq!(checked.interner.try_intern_static(string), Ok(symbol));
                }
                checked.check();
            }
        }
    }
}

#[test]
fn strings_of_all_kinds_of_records_are_told_apart() {
    check_lengths(Compact::new);
    check_lengths(|| Compact::with_hasher(Same));
    check_lengths(|| Shared(Concurrent::new()));
    check_lengths(|| Shared(Concurrent::with_hasher(Same)));
}

/// lasso 0.7.3 with a memory limit gives out the rest of a buffer that is too short for a string, and
/// writes behind its end.
fn check_last_bytes<I: Own>(make: impl Fn() -> I) {
    // What one string takes with its tables, which the budget has to suffice for.
    let mut one = make();
    one.try_intern("x").unwrap();
    for spare in 0..64 {
        let mut interner = make().with_budget(one.held_bytes() + spare);
        let mut known = Vec::new();
        for length in (1..300).chain([5000, 100_000]) {
            let string = "y".repeat(length);
            match interner.try_intern(&string) {
                Ok(symbol) => known.push((symbol, string)),
                Err(error) => assert!(matches!(error, InternError::OverBudget { .. })),
            }
            assert!(interner.held_bytes() <= one.held_bytes() + spare);
        }
        assert!(!known.is_empty() && known.len() < 300);
        for (symbol, string) in known {
            assert_eq!(interner.resolve(symbol), string);
        }
    }
}

#[test]
fn nothing_is_written_behind_the_last_bytes_of_a_budget() {
    check_last_bytes(Compact::new);
    check_last_bytes(|| Shared(Concurrent::new()));
}

fn check_batch<I: Own>(make: impl FnOnce() -> I) {
    let strings: Vec<_> = (0..3000).map(|number| format!("node {number}")).collect();
    let batch: Vec<_> = strings.iter().map(String::as_str).collect();
    let mut interner = make().with_budget(64 << 10);
    let mut symbols = Vec::new();
    let all = catch_unwind(AssertUnwindSafe(|| {
        interner.intern_batch(&batch, &mut symbols)
    }));
    let message = *all.unwrap_err().downcast::<String>().unwrap();
    assert!(
        message.starts_with("the interner may hold 65536 bytes"),
        "{message}"
    );
    assert!((1..3000).contains(&symbols.len()));
    assert_eq!(interner.len(), symbols.len());
    for (string, symbol) in strings.iter().zip(symbols) {
        assert_eq!(interner.resolve(symbol), string);
    }
}

#[test]
fn a_batch_that_does_not_fit_is_interned_as_far_as_it_does() {
    check_batch(Compact::new);
    check_batch(|| Shared(Concurrent::new()));
}

#[test]
fn a_string_of_more_than_the_text_is_refused() {
    // Pages that nobody writes take no memory.
    for length in [u32::MAX as usize - 4, (1 << 32) + 5] {
        let long = String::from_utf8(vec![0; length]).unwrap();
        let mut compact = Compact::with_hasher(Same);
        assert_eq!(compact.try_intern(&long), Err(InternError::TooMuchText));
        let concurrent = Concurrent::with_hasher(Same);
        assert_eq!(concurrent.try_intern(&long), Err(InternError::TooMuchText));
        // A part that would have the same length in 32 bits is another string.
        let short = &long[..length & 0xFFFF];
        assert_eq!(compact.try_intern(short).unwrap().index(), 0);
        assert_eq!(concurrent.try_intern(short).unwrap().index(), 0);
        assert_eq!(compact.get(&long), None);
        assert_eq!(concurrent.get(&long), None);
    }
}
