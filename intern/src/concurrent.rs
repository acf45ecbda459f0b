//! An interner shared between threads, in which nobody waits for what is known.
//!
//! A string's hash chooses one of 32 tables, which hold the positions of records; a list by symbols
//! holds their addresses. Records, lists and tables never move while they can be read. So to find a known
//! string and to resolve a symbol are loads, and only new strings of the same table wait for each
//! other.
//!
//! What was compared, in ns a string for each of two threads that intern into 100 000 known strings of
//! 28 bytes, by how many of theirs are known (2-core x86-64 VM, 2026-11, medians of 7 rounds in turn):
//!
//! | | 99 % | 90 % | 50 % |
//! |---|---|---|---|
//! | this | 31 | 56 | 157 |
//! | addresses instead of positions in the tables, in groups of seven | 35 | 55 | 144 |
//! | internity's `ThreadedLexicon`, which resolves only when it is frozen | 72 | 113 | 191 |
//! | lasso's `ThreadedRodeo`, with Fx | 91 | 181 | 454 |
//!
//! In another run, numbering strings by shards instead of by one counter took 129 instead of 165 ns at
//! 50 %; symbols would not be dense. Spreading the list of positions, so that threads do not write the
//! same lines, and a lock that spins changed nothing.
//!
//! To resolve one of 1000, 100 000 and a million symbols takes 2.1, 6.1 and 50 ns in random order, with
//! another job on the machine; with positions in the list, 4 bytes fewer, 2.5, 7.7 and 65. With the
//! length beside the position it took 7.2 instead of 7.9 for 100 000, and more for a million.

use std::hash::{BuildHasher, Hasher};
use std::ops::Range;

use crate::apart::Apart;
use crate::budget::Budget;
use crate::growing::Growing;
use crate::length::{Any, Eight, Four, Length, Sixteen, by_length};
use crate::records::{Records, Source};
use crate::shard::{Locked, Shard, Vacancy};
use crate::sync::{AtomicPtr, AtomicU32, Ordering};
use crate::{Folded, InternError, Interner, Owner, Statistics, Symbol, unknown};

/// Number of shards.
const SHARDS: usize = 32;

/// Strings of a batch that are looked for at the same time.
const AHEAD: usize = 16;

/// Bytes that a shard takes at a time, for records of its own.
const BLOCK_BYTES: Range<usize> = 128..4096;

/// An interner shared between threads, which finds known strings and resolves symbols without a lock.
///
/// Symbols are dense once no thread is interning. New strings take the lock of one of 32 shards. Holds
/// 5 bytes a string beside the strings themselves, 8 bytes in a list and 7 to 14 in a table; each
/// list and table doubles when it is full, and replaced tables, together as large as those in use, are
/// kept until [`reclaim`](Self::reclaim) or the end. Needs addresses of 64 bits whose highest byte is
/// not used: where the system puts tags into it, interning panics.
///
/// Strings are hashed with [`Folded`] unless another hasher is given; strings that a stranger chooses
/// want one with a secret key, such as [`RandomState`](std::hash::RandomState).
///
/// # Examples
///
/// ```
/// use intern::Concurrent;
///
/// let names = Concurrent::default();
/// let symbols = std::thread::scope(|scope| {
///     [(); 2]
///         .map(|()| scope.spawn(|| names.intern("fetch")))
///         .map(|thread| thread.join().unwrap())
/// });
/// assert_eq!(symbols[0], symbols[1]);
/// assert_eq!(names.resolve(symbols[0]), "fetch");
/// ```
pub struct Concurrent<S = Folded> {
    /// Invariant: they hold positions of records, written before they were added.
    shards: Box<[Shard; SHARDS]>,
    records: Records,
    /// The [place](Records::place) of the record of each symbol, by its index; null while there is none.
    ///
    /// Invariant: what is not null was given by `records`, and the record written before.
    places: Growing<AtomicPtr<u8>>,
    /// The next index.
    next: Apart<AtomicU32>,
    budget: Budget,
    hasher: S,
    owner: Owner,
}

impl Default for Concurrent {
    fn default() -> Self {
        Self::with_hasher(Folded)
    }
}

impl Concurrent {
    /// An empty interner.
    pub fn new() -> Self {
        Self::default()
    }
}

impl<S> Concurrent<S> {
    /// An empty interner that hashes with `hasher`.
    pub fn with_hasher(hasher: S) -> Self {
        Self {
            shards: Box::new(std::array::from_fn(|_| Shard::new())),
            records: Records::new(),
            places: Growing::new(),
            next: Apart(AtomicU32::new(0)),
            budget: Budget::new(usize::MAX),
            hasher,
            owner: Owner::new(),
        }
    }

    /// The same interner, which from now on never holds more than that many bytes, beside some
    /// kilobytes of its own.
    ///
    /// Replaced tables count until they are [reclaimed](Self::reclaim).
    ///
    /// # Examples
    ///
    /// ```
    /// use intern::{Concurrent, InternError};
    ///
    /// let names = Concurrent::new().with_budget(16 << 10);
    /// assert!(names.try_intern("fetch").is_ok());
    /// let long = "x".repeat(20_000);
    /// assert!(matches!(names.try_intern(&long), Err(InternError::OverBudget { .. })));
    /// assert!(names.held_bytes() <= 16 << 10);
    /// ```
    #[must_use]
    pub fn with_budget(self, bytes: usize) -> Self {
        Self {
            budget: self.budget.limited(bytes),
            ..self
        }
    }

    /// Bytes held from the global allocator for strings, lists and tables.
    pub fn held_bytes(&self) -> usize {
        self.budget.held()
    }

    /// Frees the tables that were replaced by larger ones.
    ///
    /// While other threads may read, nobody can know that a table is not being read; an exclusive
    /// borrow can.
    pub fn reclaim(&mut self) {
        for shard in self.shards.iter_mut() {
            self.budget.give_back(shard.reclaim());
        }
    }

    /// The string of `symbol`, for as long as the interner is borrowed.
    ///
    /// # Panics
    ///
    /// Panics when the interner has no string of that index.
    #[inline]
    pub fn resolve(&self, symbol: Symbol) -> &str {
        self.owner.check(symbol);
        // `Acquire`: pairs with `add`, for the record.
        match self.places.get(symbol.index() as u32) {
            Some(place) => match place.load(Ordering::Acquire) {
                place if place.is_null() => unknown(symbol),
                // SAFETY: needs the place of a record: the invariant of `places`.
                place => unsafe { self.records.string_in(place) },
            },
            None => unknown(symbol),
        }
    }

    /// Number of strings, with those that other threads are adding.
    #[inline]
    pub fn len(&self) -> usize {
        self.next.0.load(Ordering::Relaxed) as usize
    }

    /// Whether nothing was interned yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl<S: BuildHasher> Concurrent<S> {
    /// The symbol of `string`; see [`Interner::intern`].
    ///
    /// # Panics
    ///
    /// Panics where [`try_intern`](Self::try_intern) fails.
    #[inline]
    pub fn intern(&self, string: &str) -> Symbol {
        let string = string.as_bytes();
        match string.len() {
            8..=16 => self.intern_in::<Eight>(string),
            17..=32 => self.intern_in::<Sixteen>(string),
            4..=7 => self.intern_in::<Four>(string),
            _ => self.intern_any(string),
        }
    }

    /// The symbol of `string`, as [`intern`](Self::intern) gives it, or why there is none.
    ///
    /// # Errors
    ///
    /// Fails when `string` is new and has more than about 2 GiB, or no room is left among 4 GiB of text
    /// with 5 bytes a string; when the budget does not suffice, or when no memory is left. The interner
    /// stays as it was.
    ///
    /// Text is in segments of 1 KiB, 2 KiB and so on, and a string lies in one: to hold a single string
    /// of 1 GiB, half of all text is given up.
    #[inline]
    pub fn try_intern(&self, string: &str) -> Result<Symbol, InternError> {
        let string = string.as_bytes();
        by_length!(string.len(), L => {
            let hash = self.hash(string);
            match self.first_look::<L>(string, hash) {
                Some(symbol) => Ok(symbol),
                None => self.try_intern_slowly::<L>(string, hash),
            }
        })
    }

    /// The symbol of a string that is never freed, which is not copied if it is new.
    ///
    /// To find it takes longer than to find a copy, since its bytes lie elsewhere.
    ///
    /// # Errors
    ///
    /// Fails as [`try_intern`](Self::try_intern) does.
    ///
    /// # Examples
    ///
    /// ```
    /// use intern::Concurrent;
    ///
    /// static LICENSE: &str = "Permission is hereby granted, free of charge, to any person";
    ///
    /// let texts = Concurrent::new();
    /// let license = texts.try_intern_static(LICENSE)?;
    /// assert_eq!(texts.resolve(license).as_ptr(), LICENSE.as_ptr());
    /// assert_eq!(texts.intern(&LICENSE.to_owned()), license);
    /// # Ok::<(), intern::InternError>(())
    /// ```
    pub fn try_intern_static(&self, string: &'static str) -> Result<Symbol, InternError> {
        let hash = self.hash(string.as_bytes());
        match self.second_look::<Any>(string.as_bytes(), hash) {
            Ok(symbol) => Ok(symbol),
            Err(vacancy) => {
                self.add::<Any>(hash, vacancy, string.as_bytes(), Source::Static(string))
            }
        }
    }

    /// The symbol of `string` if it was interned before.
    #[inline]
    pub fn get(&self, string: &str) -> Option<Symbol> {
        let string = string.as_bytes();
        by_length!(string.len(), L => {
            let hash = self.hash(string);
            match self.first_look::<L>(string, hash) {
                Some(symbol) => Some(symbol),
                None => self.second_look::<L>(string, hash).ok(),
            }
        })
    }

    /// Interns `strings` in their order and appends their symbols to `symbols`: 16 at a time, so that
    /// their groups are fetched together, then their records.
    ///
    /// # Panics
    ///
    /// Panics where [`try_intern`](Self::try_intern) fails.
    pub fn intern_batch(&self, strings: &[&str], symbols: &mut Vec<Symbol>) {
        symbols.reserve(strings.len());
        let mut hashes = [0; AHEAD];
        for strings in strings.chunks(AHEAD) {
            for (hash, string) in hashes.iter_mut().zip(strings) {
                *hash = self.hash(string.as_bytes());
                self.shard(*hash).prefetch(*hash);
            }
            for &hash in &hashes[..strings.len()] {
                if let Some(position) = self.shard(hash).likely(hash) {
                    self.records.prefetch(position);
                }
            }
            for (&hash, string) in hashes.iter().zip(strings) {
                let string = string.as_bytes();
                symbols.push(by_length!(string.len(), L => self.intern_hashed::<L>(string, hash)));
            }
        }
    }

    /// What the interner holds, and how far its strings are from where they are looked for first.
    ///
    /// Hashes all strings. What other threads add meanwhile may be counted or not.
    pub fn statistics(&self) -> Statistics {
        let positions = self.shards.iter().flat_map(Shard::positions);
        let mut text_bytes = 0;
        let probes: Vec<usize> = positions
            .filter_map(|position| {
                // SAFETY: needs the position of a record: the invariant of `shards`.
                let string = unsafe { self.records.string(position) };
                // SAFETY: the same.
                if !unsafe { self.records.is_static(position) } {
                    text_bytes += string.len();
                }
                let hash = self.hash(string.as_bytes());
                self.shard(hash).probes(hash, position)
            })
            .collect();
        let slots = self.shards.iter().map(Shard::slots).sum();
        Statistics::new(probes.into_iter(), text_bytes, self.held_bytes(), slots)
    }

    #[inline(always)]
    fn hash(&self, string: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(string);
        hasher.finish()
    }

    /// The shard of a hash, by bits between those of the tag and those of the group.
    #[inline(always)]
    fn shard(&self, hash: u64) -> &Shard {
        &self.shards[(hash >> 8) as usize % SHARDS]
    }

    #[inline(always)]
    fn intern_in<L: Length>(&self, string: &[u8]) -> Symbol {
        self.intern_hashed::<L>(string, self.hash(string))
    }

    #[inline(never)]
    fn intern_any(&self, string: &[u8]) -> Symbol {
        self.intern_in::<Any>(string)
    }

    #[inline(always)]
    fn intern_hashed<L: Length>(&self, string: &[u8], hash: u64) -> Symbol {
        match self.first_look::<L>(string, hash) {
            Some(symbol) => symbol,
            None => self.intern_slowly::<L>(string, hash),
        }
    }

    #[inline(never)]
    fn intern_slowly<L: Length>(&self, string: &[u8], hash: u64) -> Symbol {
        self.try_intern_slowly::<L>(string, hash)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    #[inline(always)]
    fn try_intern_slowly<L: Length>(
        &self,
        string: &[u8],
        hash: u64,
    ) -> Result<Symbol, InternError> {
        match self.second_look::<L>(string, hash) {
            Ok(symbol) => Ok(symbol),
            Err(vacancy) => self.add::<L>(hash, vacancy, string, Source::Copied(string)),
        }
    }

    /// The symbol of a string if it is where nearly all are.
    #[inline(always)]
    fn first_look<L: Length>(&self, string: &[u8], hash: u64) -> Option<Symbol> {
        let symbol = self.shard(hash).first_look(hash, |position| {
            // SAFETY: needs the position of a record: the invariant of `shards`.
            unsafe { self.records.symbol_of_short::<L>(position, string) }
        });
        symbol.map(|symbol| self.owner.mark(symbol))
    }

    /// The symbol of a string, wherever it is; or where it belongs, also when it is being added.
    #[inline(always)]
    fn second_look<L: Length>(&self, string: &[u8], hash: u64) -> Result<Symbol, Vacancy> {
        let symbol = self
            .shard(hash)
            .find(hash, |position| self.symbol_of::<L>(position, string))?;
        Ok(self.owner.mark(symbol))
    }

    #[inline(always)]
    fn symbol_of<L: Length>(&self, position: u32, string: &[u8]) -> Option<Symbol> {
        // SAFETY: needs the position of a record: the invariant of `shards`, whose it is.
        let short = unsafe { self.records.symbol_of_short::<L>(position, string) };
        // SAFETY: the same.
        short.or_else(|| unsafe { self.records.symbol_of_special(position, string) })
    }

    /// Adds a string, unless it was added meanwhile.
    #[inline(always)]
    fn add<L: Length>(
        &self,
        hash: u64,
        vacancy: Vacancy,
        string: &[u8],
        source: Source<'_>,
    ) -> Result<Symbol, InternError> {
        let mut locked = self.shard(hash).lock();
        let is = |position| self.symbol_of::<L>(position, string);
        let vacancy = match locked.find(hash, vacancy, is) {
            Ok(symbol) => return Ok(self.owner.mark(symbol)),
            Err(vacancy) => vacancy,
        };
        if locked.needed_bytes() > 0 {
            self.grow(&mut locked)?;
        }
        // Before this string is numbered, other threads may number theirs, in the other shards. Of as
        // many strings after `next` as there are shards, and this one, two are of the same shard, and
        // the later one saw that many: so one of them, if not this one, needed the segment.
        let next = self.next.0.load(Ordering::Relaxed);
        let last = next.checked_add(SHARDS as u32);
        self.places.need(next, &self.budget)?;
        self.places
            .need(last.ok_or(InternError::TooManyStrings)?, &self.budget)?;
        let position = self.take(locked.block(), source.record_bytes())?;
        let place = self.records.place(position, source);
        // Nothing fails from here on, so that no index is left out. `AcqRel`: the segment of the index
        // may have been needed by a thread that was numbered before, and not by this one.
        let index = self.next.0.fetch_add(1, Ordering::AcqRel);
        let symbol = Symbol::from_index(index);
        // SAFETY: needs so many bytes that nobody else knows of: `take` gave them.
        unsafe { self.records.write::<L>(position, symbol, source) };
        let entry = self.places.get(index).expect("the segment was needed");
        // `Release`: publishes the record to who resolves.
        entry.store(place, Ordering::Release);
        // Publishes the record to who interns.
        locked.add(hash, vacancy, position);
        Ok(self.owner.mark(symbol))
    }

    #[cold]
    fn grow(&self, locked: &mut Locked<'_>) -> Result<(), InternError> {
        // Given back when the hasher panics, too.
        let taken = self.budget.take(locked.needed_bytes())?;
        let grown = locked.grow(
            |position| self.records.prefetch(position),
            |position| {
                // SAFETY: needs the position of a record: the invariant of `shards`.
                self.hash(unsafe { self.records.string(position) }.as_bytes())
            },
        );
        if !grown {
            return Err(InternError::OutOfMemory);
        }
        taken.keep();
        Ok(())
    }

    /// So many bytes for a record, from those that were set aside in `rest` if they suffice.
    fn take(&self, rest: &mut Range<u32>, bytes: usize) -> Result<u32, InternError> {
        if bytes > rest.len() {
            // So little that all shards together leave a small part of the text unused.
            let block = self.records.taken() / 64;
            let block = block.clamp(BLOCK_BYTES.start, BLOCK_BYTES.end);
            if bytes > block / 4 {
                return Ok(self.records.take(bytes, &self.budget)?.start);
            }
            *rest = self.records.take(block, &self.budget)?;
        }
        let position = rest.start;
        rest.start += bytes as u32;
        Ok(position)
    }
}

impl<S: BuildHasher> Interner for &Concurrent<S> {
    #[inline]
    fn intern(&mut self, string: &str) -> Symbol {
        Concurrent::intern(self, string)
    }

    #[inline]
    fn get(&self, string: &str) -> Option<Symbol> {
        Concurrent::get(self, string)
    }

    #[inline]
    fn resolve(&self, symbol: Symbol) -> &str {
        Concurrent::resolve(self, symbol)
    }

    fn len(&self) -> usize {
        Concurrent::len(self)
    }

    fn intern_batch(&mut self, strings: &[&str], symbols: &mut Vec<Symbol>) {
        Concurrent::intern_batch(self, strings, symbols);
    }
}
