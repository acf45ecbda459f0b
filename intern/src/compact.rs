//! An interner for one thread: records end to end in one text, and a table of tags.
//!
//! A record is a symbol, a length and a string. The table is of groups of one cache line: twelve
//! places of records, and a byte of each one's hash, all compared at once. So a known string costs
//! two places in memory, its group and its record, and growth reads the records in their order. The
//! design is that of hashbrown's groups and of F14's chunks, which hold their values beside the tags
//! (<https://github.com/facebook/folly/blob/main/folly/container/F14.md>).
//!
//! What was compared, in ns per new and per known string and per resolved symbol, among 1000,
//! 100 000 and 1 000 000 strings of 28 bytes, with the bytes held per string at the end (2-core
//! x86-64 VM, 2026-11, medians of rounds in turn):
//!
//! | | 1000 | 100 000 | 1 000 000 | bytes |
//! |---|---|---|---|---|
//! | this | 22 / 5.2 / 0.9 | 30 / 18 / 3.2 | 69 / 50 / 12 | 47 |
//! | the same with a symbol in the table and no record header | 22 / 7.4 / 0.8 | 41 / 24 / 3.5 | 47 / 56 / 12 | 44 |
//! | hashbrown's table of symbols and hash halves, text end to end | 27 / 7.2 / 0.8 | 29 / 22 / 3.1 | 80 / 72 / 12 | 48 |
//! | internity's `LocalLexicon` | 30 / 8.7 / 0.8 | 34 / 26 / 3.1 | 113 / 77 / 12 | 44 |
//! | string-interner's `BufferBackend`, with Fx | 29 / 8.7 / 25 | 42 / 24 / 39 | 122 / 68 / 61 | 41 |
//! | lasso's `Rodeo`, with Fx | 32 / 9.7 / 0.9 | 51 / 30 / 3.9 | 176 / 100 / 16 | 70 |
//!
//! Also measured and left: hashes kept beside the records would cost 4 bytes a string and save a
//! part of growth, which is an eighth of the time of a million new strings; huge pages for the table
//! saved 4 ns a string of that million, and for the text cost 80 ns, since moving them copies them.
//! A text that grows by an eighth from 1 MiB on held less, but each block the allocator could not
//! extend was copied: 45 instead of 30 ns a new string at 100 000.

use std::hash::{BuildHasher, Hasher};
use std::mem::MaybeUninit;

use crate::length::{Any, Eight, Four, Length, Sixteen, by_length};
use crate::statistics::Statistics;
use crate::tags::{SLOTS, STRINGS_PER_GROUP, Slots, Tags, tag, word_with};
use crate::{Folded, InternError, Interner, Owner, Symbol, prefetch, unknown};

/// An interner for one thread that keeps all strings in one text.
///
/// Holds 5 bytes a string beside the strings themselves, 4 bytes in a list and 7 to 14 in the table;
/// table and list double when they are full, the text grows by its size, above 8 MiB by half and above
/// 16 MiB by an eighth.
///
/// Strings are hashed with [`Folded`] unless another hasher is given; strings that a stranger chooses
/// want one with a secret key, such as [`RandomState`](std::hash::RandomState).
///
/// # Examples
///
/// ```
/// use std::hash::RandomState;
///
/// use intern::{Compact, Interner};
///
/// let mut names = Compact::default();
/// let fetch = names.intern("fetch");
/// assert_eq!(names.intern("fetch"), fetch);
/// assert_eq!(names.resolve(fetch), "fetch");
///
/// let mut from_strangers = Compact::with_hasher(RandomState::new());
/// assert_eq!(from_strangers.intern("fetch").index(), 0);
/// ```
#[derive(Debug)]
pub struct Compact<S = Folded> {
    /// A power of two, or none.
    groups: Vec<Group>,
    /// How far a hash is shifted to the right to be the number of a group.
    shift: u32,
    /// Strings that can be added before the table grows. `offsets` has room for them too.
    room: usize,
    /// Where each record begins, and the end of the last; empty while there is no table.
    ///
    /// Invariant: ascending from 0 to `text.len()`, each at least `HEADER` above the one before it.
    offsets: Vec<u32>,
    /// Records.
    ///
    /// Invariant: what lies `HEADER` bytes behind an offset and before the next is a string.
    text: Vec<u8>,
    /// Strings that are not in the text, by ascending symbols.
    statics: Vec<(Symbol, &'static str)>,
    budget_bytes: usize,
    hasher: S,
    owner: Owner,
}

/// One cache line.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Group {
    tags: Tags,
    /// Where the records of the tagged slots begin.
    positions: [u32; SLOTS],
}

const EMPTY: Group = Group {
    tags: [0; 2],
    positions: [0; SLOTS],
};

/// A free slot.
type Place = (usize, usize);

/// Bytes of a record before its string: the symbol, and a byte for the length.
const HEADER: usize = 5;
/// In place of the length of a string that is not in the text.
const STATIC: u8 = 254;
/// In place of this length and of longer ones: the offsets tell it.
const LONG: u8 = 255;

/// Groups of the smallest table.
const FEWEST_GROUPS: usize = 2;

/// Strings of a batch that are looked for at the same time.
const AHEAD: usize = 16;

/// Bytes of table and text from which batches are looked for together: smaller ones stay in the
/// cache, where it costs 2 ns a string and gains nothing.
const AHEAD_FROM_BYTES: usize = 512 << 10;

/// A string that an interner does not hold; see [`Compact::find`].
#[derive(Clone, Copy, Debug)]
pub struct Vacancy(u64);

impl Default for Compact {
    fn default() -> Self {
        Self::with_hasher(Folded)
    }
}

impl Compact {
    /// An empty interner, which holds no memory.
    pub fn new() -> Self {
        Self::default()
    }

    /// An interner with room for that many strings of that many bytes together.
    ///
    /// # Panics
    ///
    /// Panics when no memory is left.
    pub fn with_capacity(strings: usize, bytes: usize) -> Self {
        let mut new = Self::default();
        new.reserve(strings, bytes)
            .unwrap_or_else(|error| panic!("{error}"));
        new
    }
}

impl<S> Compact<S> {
    /// An empty interner that hashes with `hasher`.
    pub fn with_hasher(hasher: S) -> Self {
        Self {
            groups: Vec::new(),
            shift: 63,
            room: 0,
            offsets: Vec::new(),
            text: Vec::new(),
            statics: Vec::new(),
            budget_bytes: usize::MAX,
            hasher,
            owner: Owner::new(),
        }
    }

    /// The same interner, which from now on never holds more than that many bytes.
    ///
    /// A table that grows counts together with the one it replaces. An interner that already holds
    /// more takes strings as long as it need not grow.
    ///
    /// # Examples
    ///
    /// ```
    /// use intern::{Compact, InternError};
    ///
    /// let mut names = Compact::new().with_budget(1 << 10);
    /// assert!(names.try_intern("fetch").is_ok());
    /// let long = "x".repeat(2000);
    /// assert!(matches!(names.try_intern(&long), Err(InternError::OverBudget { .. })));
    /// assert!(names.held_bytes() <= 1 << 10);
    /// ```
    #[must_use]
    pub fn with_budget(mut self, bytes: usize) -> Self {
        self.budget_bytes = bytes;
        self
    }

    /// Bytes held from the global allocator.
    pub fn held_bytes(&self) -> usize {
        self.groups.capacity() * size_of::<Group>()
            + self.offsets.capacity() * size_of::<u32>()
            + self.text.capacity()
            + self.statics.capacity() * size_of::<(Symbol, &str)>()
    }

    /// Bytes of all strings together, without those that were interned without a copy.
    #[inline]
    pub fn text_len(&self) -> usize {
        self.text.len() - HEADER * self.count()
    }

    #[inline]
    fn count(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// The string of that index, or nothing when there is none.
    #[inline(always)]
    fn string(&self, index: usize) -> Option<&str> {
        let Some(&[start, end]) = self.offsets.get(index..index + 2) else {
            return None;
        };
        let range = start as usize + HEADER..end as usize;
        if range.is_empty() {
            return Some(self.empty_or_static(index));
        }
        debug_assert!(std::str::from_utf8(&self.text[range.clone()]).is_ok());
        // Unchecked for the reason told at `Frozen::resolve`.
        //
        // SAFETY: needs an ascending range within `text`: the invariant of `offsets`.
        let bytes = unsafe { self.text.get_unchecked(range) };
        // SAFETY: needs a string: the invariant of `text`.
        Some(unsafe { std::str::from_utf8_unchecked(bytes) })
    }

    #[cold]
    #[inline(never)]
    fn empty_or_static(&self, index: usize) -> &str {
        match self
            .statics
            .binary_search_by_key(&index, |(symbol, _)| symbol.index())
        {
            Ok(found) => self.statics[found].1,
            Err(_) => "",
        }
    }

    /// Whether `more` bytes can be held beside those that are.
    fn afford(&self, more: usize) -> Result<(), InternError> {
        if more > self.budget_bytes.saturating_sub(self.held_bytes()) {
            return Err(InternError::OverBudget {
                budget_bytes: self.budget_bytes,
                needed_bytes: self.held_bytes().saturating_add(more),
            });
        }
        Ok(())
    }

    /// Makes room for a record of that many bytes.
    #[cold]
    #[inline(never)]
    fn lengthen(&mut self, bytes: usize) -> Result<(), InternError> {
        let (length, capacity) = (self.text.len(), self.text.capacity());
        let wanted = match capacity {
            0x100_0000.. => capacity + capacity / 8,
            0x80_0000.. => capacity + capacity / 2,
            _ => (capacity * 2).max(256),
        };
        // The last bytes of a budget are as good as any.
        let affordable = self.budget_bytes.saturating_sub(self.held_bytes());
        let wanted = wanted
            .min(capacity.saturating_add(affordable))
            .max(length + bytes);
        self.afford(wanted - capacity)?;
        self.text
            .try_reserve_exact(wanted - length)
            .map_err(|_| InternError::OutOfMemory)
    }
}

impl<S: BuildHasher> Compact<S> {
    /// The symbol of `string`, or what [`insert`](Self::insert) needs to add it.
    ///
    /// For callers that decide in between whether to add the string: it is hashed once. Takes
    /// O(`string.len()`) time.
    ///
    /// # Errors
    ///
    /// Gives a [`Vacancy`] when the string was not interned before.
    ///
    /// # Examples
    ///
    /// ```
    /// use intern::{Compact, Interner};
    ///
    /// let mut names = Compact::default();
    /// let vacancy = names.find("fetch").unwrap_err();
    /// assert!(names.is_empty());
    /// let fetch = names.insert(vacancy, "fetch");
    /// assert_eq!(names.find("fetch").unwrap(), fetch);
    /// ```
    #[inline]
    pub fn find(&self, string: &str) -> Result<Symbol, Vacancy> {
        let string = string.as_bytes();
        by_length!(string.len(), L => {
            let hash = self.hash(string);
            match self.first_look::<L>(string, hash) {
                Some(symbol) => Ok(symbol),
                None => self.search::<L>(string, hash).map_err(|_| Vacancy(hash)),
            }
        })
    }

    /// Adds `string`, for which [`find`](Self::find) gave this vacancy.
    ///
    /// With the vacancy of another string, or of one added since, `string` may get a symbol besides
    /// the one that look-ups find. Takes O(`string.len()`) time, and now and then O(strings) to
    /// grow.
    ///
    /// # Panics
    ///
    /// Panics where [`try_intern`](Self::try_intern) fails.
    #[inline]
    pub fn insert(&mut self, vacancy: Vacancy, string: &str) -> Symbol {
        let Vacancy(hash) = vacancy;
        let string = string.as_bytes();
        debug_assert_eq!(hash, self.hash(string), "the vacancy is another string's");
        debug_assert!(
            self.search::<Any>(string, hash).is_err(),
            "the string is new"
        );
        let added = by_length!(string.len(), L => {
            let place = free(&self.groups, self.shift, hash);
            self.add::<L>(string, hash, place)
        });
        added.unwrap_or_else(|error| panic!("{error}"))
    }

    /// The symbol of `string`, as [`intern`](Interner::intern) gives it, or why there is none.
    ///
    /// # Errors
    ///
    /// Fails when `string` is new and there are already `u32::MAX` strings, when they would have,
    /// with 5 bytes each, more than 4 GiB together, when the budget does not suffice, or when no
    /// memory is left. The interner stays as it was.
    #[inline]
    pub fn try_intern(&mut self, string: &str) -> Result<Symbol, InternError> {
        let string = string.as_bytes();
        by_length!(string.len(), L => self.try_intern_in::<L>(string))
    }

    /// The symbol of a string that is never freed, which is not copied if it is new.
    ///
    /// It takes no room in the text. It is found through a list, so look-ups and [`resolve`] of it
    /// take O(log n) time for `n` such strings, and longer than those of a copy.
    ///
    /// [`resolve`]: Interner::resolve
    ///
    /// # Errors
    ///
    /// Fails as [`try_intern`](Self::try_intern) does.
    ///
    /// # Examples
    ///
    /// ```
    /// use intern::{Compact, Interner};
    ///
    /// static LICENSE: &str = "Permission is hereby granted, free of charge, to any person";
    ///
    /// let mut texts = Compact::new();
    /// let license = texts.try_intern_static(LICENSE)?;
    /// assert_eq!(texts.resolve(license).as_ptr(), LICENSE.as_ptr());
    /// assert_eq!(texts.intern(&LICENSE.to_owned()), license);
    /// # Ok::<(), intern::InternError>(())
    /// ```
    pub fn try_intern_static(&mut self, string: &'static str) -> Result<Symbol, InternError> {
        let hash = self.hash(string.as_bytes());
        let place = match self.search::<Any>(string.as_bytes(), hash) {
            Ok(symbol) => return Ok(symbol),
            Err(place) => place,
        };
        if string.is_empty() {
            return self.add::<Any>(&[], hash, place);
        }
        if self.statics.len() == self.statics.capacity() {
            let more = self.statics.len().max(4);
            self.afford(more * size_of::<(Symbol, &str)>())?;
            self.statics
                .try_reserve_exact(more)
                .map_err(|_| InternError::OutOfMemory)?;
        }
        // The record of an empty string, until it is marked.
        let symbol = self.add::<Any>(&[], hash, place)?;
        let mark = self.offsets[symbol.index()] as usize + HEADER - 1;
        self.text[mark] = STATIC;
        self.statics.push((symbol, string));
        Ok(symbol)
    }

    /// Makes room for that many more strings of that many bytes together.
    ///
    /// # Errors
    ///
    /// Fails when the budget does not suffice or no memory is left; some of the room may have been
    /// made.
    pub fn reserve(&mut self, strings: usize, bytes: usize) -> Result<(), InternError> {
        if strings > self.room {
            let all = self.count().saturating_add(strings);
            let groups = all.div_ceil(STRINGS_PER_GROUP).checked_next_power_of_two();
            self.rebuild(groups.ok_or(InternError::OutOfMemory)?)?;
        }
        let bytes = bytes.saturating_add(strings.saturating_mul(HEADER));
        let spare = self.text.capacity() - self.text.len();
        if bytes > spare {
            self.afford(bytes - spare)?;
            self.text
                .try_reserve_exact(bytes)
                .map_err(|_| InternError::OutOfMemory)?;
        }
        Ok(())
    }

    /// What the interner holds, and how far its strings are from where they are looked for first.
    ///
    /// Hashes all strings.
    pub fn statistics(&self) -> Statistics {
        let probes = (0..self.count()).filter_map(|index| {
            let string = self.string(index).unwrap_or_default();
            let hash = self.hash(string.as_bytes());
            self.probes(hash, self.offsets[index])
        });
        Statistics::new(
            probes,
            self.text_len(),
            self.held_bytes(),
            self.groups.len() * SLOTS,
        )
    }

    /// Groups that are looked at to find the record at `position`; nothing when it is not found, as one
    /// that was inserted with the vacancy of another string.
    fn probes(&self, hash: u64, position: u32) -> Option<usize> {
        let mut at = (hash >> self.shift) as usize;
        for probes in 1..=self.groups.len() {
            let group = &self.groups[at];
            let mut slots = Slots::with(group.tags, tag(hash));
            if slots.any(|slot| group.positions[slot] == position) {
                return Some(probes);
            }
            at = (at + 1) & (self.groups.len() - 1);
        }
        None
    }

    #[inline(always)]
    fn hash(&self, string: &[u8]) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write(string);
        hasher.finish()
    }

    /// The symbol of a string if it is where nearly all are.
    ///
    /// Without loops and calls: a function that only looks here and leaves the rest to another needs
    /// no registers saved, which is 14 of 85 instructions.
    #[inline(always)]
    fn first_look<L: Length>(&self, string: &[u8], hash: u64) -> Option<Symbol> {
        let group = self.groups.get((hash >> self.shift) as usize)?;
        let slot = Slots::with(group.tags, tag(hash)).first()?;
        self.symbol_at::<L>(group.positions[slot], string)
    }

    /// The symbol of `string` if its record is at `position`.
    #[inline(always)]
    fn symbol_at<L: Length>(&self, position: u32, string: &[u8]) -> Option<Symbol> {
        let position = position as usize;
        // When the text ends before, it is another string.
        let record = self.text.get(position..position + HEADER + string.len())?;
        let (header, bytes) = record.split_at(HEADER);
        let &[a, b, c, d, length] = header.first_chunk()?;
        if string.len() != usize::from(length)
            || (L::LONG && length >= STATIC)
            || !L::equal(bytes, string)
        {
            return None;
        }
        let symbol = Symbol::from_number(u32::from_le_bytes([a, b, c, d]))?;
        Some(self.owner.mark(symbol))
    }

    /// The same for a string that is not in the text, or too long for its header.
    fn special_at(&self, position: u32, string: &[u8]) -> Option<Symbol> {
        let &[a, b, c, d, length] = self.text.get(position as usize..)?.first_chunk()?;
        if length < STATIC {
            return None;
        }
        let symbol = Symbol::from_number(u32::from_le_bytes([a, b, c, d]))?;
        let same = self.string(symbol.index())?.as_bytes() == string;
        same.then(|| self.owner.mark(symbol))
    }

    /// The symbol of a string, or where it belongs.
    #[inline(always)]
    fn search<L: Length>(&self, string: &[u8], hash: u64) -> Result<Symbol, Place> {
        let mut at = (hash >> self.shift) as usize;
        loop {
            // An empty interner has none.
            let Some(group) = self.groups.get(at) else {
                return Err((0, 0));
            };
            for slot in Slots::with(group.tags, tag(hash)) {
                let position = group.positions[slot];
                let found = self.symbol_at::<L>(position, string);
                if let Some(symbol) = found.or_else(|| self.special_at(position, string)) {
                    return Ok(symbol);
                }
            }
            if let Some(slot) = Slots::free(group.tags).first() {
                return Err((at, slot));
            }
            at = (at + 1) & (self.groups.len() - 1);
        }
    }

    #[inline(always)]
    fn intern_in<L: Length>(&mut self, string: &[u8]) -> Symbol {
        let hash = self.hash(string);
        match self.first_look::<L>(string, hash) {
            Some(symbol) => symbol,
            None => self.second_look::<L>(string, hash),
        }
    }

    #[inline(never)]
    fn intern_any(&mut self, string: &[u8]) -> Symbol {
        self.intern_in::<Any>(string)
    }

    #[inline(never)]
    fn second_look<L: Length>(&mut self, string: &[u8], hash: u64) -> Symbol {
        self.try_intern_hashed::<L>(string, hash)
            .unwrap_or_else(|error| panic!("{error}"))
    }

    #[inline(always)]
    fn try_intern_in<L: Length>(&mut self, string: &[u8]) -> Result<Symbol, InternError> {
        let hash = self.hash(string);
        self.try_intern_hashed::<L>(string, hash)
    }

    #[inline(always)]
    fn try_intern_hashed<L: Length>(
        &mut self,
        string: &[u8],
        hash: u64,
    ) -> Result<Symbol, InternError> {
        match self.search::<L>(string, hash) {
            Ok(symbol) => Ok(symbol),
            Err(place) => self.add::<L>(string, hash, place),
        }
    }

    /// Adds a string that is not in the table, where `place` is free for it if there is room.
    #[inline(always)]
    fn add<L: Length>(
        &mut self,
        string: &[u8],
        hash: u64,
        mut place: Place,
    ) -> Result<Symbol, InternError> {
        let position = self.text.len();
        let bytes = HEADER + string.len();
        let Ok(end) = u32::try_from(position + bytes) else {
            return Err(InternError::TooMuchText);
        };
        if self.text.capacity() - position < bytes {
            self.lengthen(bytes)?;
        }
        if self.room == 0 {
            self.grow()?;
            place = free(&self.groups, self.shift, hash);
        }
        // The text, with 5 bytes each, ends before there are too many.
        let symbol = Symbol::from_index(self.count() as u32);
        let length = match string.len() {
            length @ ..254 => length as u8,
            _ => LONG,
        };
        let (header, rest) = self.text.spare_capacity_mut()[..bytes].split_at_mut(HEADER);
        let [a, b, c, d] = symbol.number().to_le_bytes();
        header.copy_from_slice(&[a, b, c, d, length].map(MaybeUninit::new));
        L::copy(string, rest);
        // SAFETY: needs so many bytes of capacity, all of them written: `bytes` of them just now.
        unsafe { self.text.set_len(end as usize) };
        self.offsets.push(end);
        fill(&mut self.groups, place, hash, position as u32);
        self.room -= 1;
        Ok(self.owner.mark(symbol))
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self) -> Result<(), InternError> {
        self.rebuild(self.groups.len() * 2)
    }

    /// Makes a table of that many groups, a power of two in which the strings have room.
    fn rebuild(&mut self, groups: usize) -> Result<(), InternError> {
        let groups = groups.max(FEWEST_GROUPS);
        let count = self.count();
        let room = groups
            .saturating_mul(STRINGS_PER_GROUP)
            .saturating_sub(count);
        // One more, for the end of the last.
        let offsets = count.saturating_add(room).saturating_add(1);
        let more_offsets = offsets.saturating_sub(self.offsets.capacity());
        let table_bytes = groups.saturating_mul(size_of::<Group>());
        let offset_bytes = more_offsets.saturating_mul(size_of::<u32>());
        self.afford(table_bytes.saturating_add(offset_bytes))?;
        let mut table = Vec::new();
        table
            .try_reserve_exact(groups)
            .map_err(|_| InternError::OutOfMemory)?;
        self.offsets
            .try_reserve_exact(offsets - self.offsets.len())
            .map_err(|_| InternError::OutOfMemory)?;
        table.resize(groups, EMPTY);
        let shift = u64::BITS - groups.trailing_zeros();
        let mut hashes = [0; AHEAD];
        for first in (0..count).step_by(AHEAD) {
            let batch = first..count.min(first + AHEAD);
            for (hash, index) in hashes.iter_mut().zip(batch.clone()) {
                let string = self.string(index).unwrap_or_default();
                *hash = self.hash(string.as_bytes());
                prefetch(&table, (*hash >> shift) as usize);
            }
            for (hash, index) in hashes.into_iter().zip(batch) {
                let place = free(&table, shift, hash);
                fill(&mut table, place, hash, self.offsets[index]);
            }
        }
        // Not before: a hasher may panic.
        self.groups = table;
        self.shift = shift;
        self.room = room;
        if self.offsets.is_empty() {
            self.offsets.push(0);
        }
        Ok(())
    }
}

/// The first free slot for a string of that hash; any place when there is no table.
#[inline(always)]
fn free(groups: &[Group], shift: u32, hash: u64) -> Place {
    let mut at = (hash >> shift) as usize;
    while let Some(group) = groups.get(at) {
        if let Some(slot) = Slots::free(group.tags).first() {
            return (at, slot);
        }
        at = (at + 1) & (groups.len() - 1);
    }
    (0, 0)
}

#[inline(always)]
fn fill(groups: &mut [Group], (at, slot): Place, hash: u64, position: u32) {
    let group = &mut groups[at];
    group.tags[slot / 8] = word_with(group.tags[slot / 8], slot, tag(hash));
    group.positions[slot] = position;
}

impl<S: BuildHasher> Interner for Compact<S> {
    #[inline]
    fn intern(&mut self, string: &str) -> Symbol {
        let string = string.as_bytes();
        match string.len() {
            8..=16 => self.intern_in::<Eight>(string),
            17..=32 => self.intern_in::<Sixteen>(string),
            4..=7 => self.intern_in::<Four>(string),
            _ => self.intern_any(string),
        }
    }

    #[inline]
    fn get(&self, string: &str) -> Option<Symbol> {
        self.find(string).ok()
    }

    #[inline]
    fn resolve(&self, symbol: Symbol) -> &str {
        self.owner.check(symbol);
        match self.string(symbol.index()) {
            Some(string) => string,
            None => unknown(symbol),
        }
    }

    #[inline]
    fn len(&self) -> usize {
        self.count()
    }

    /// Interns as [`intern`](Self::intern) does, 16 strings at a time: their groups are fetched
    /// together, then their records.
    fn intern_batch(&mut self, strings: &[&str], symbols: &mut Vec<Symbol>) {
        symbols.reserve(strings.len());
        if self.text.len() + size_of_val(&*self.groups) < AHEAD_FROM_BYTES {
            symbols.extend(strings.iter().map(|string| self.intern(string)));
            return;
        }
        let mut hashes = [0; AHEAD];
        for strings in strings.chunks(AHEAD) {
            for (hash, string) in hashes.iter_mut().zip(strings) {
                *hash = self.hash(string.as_bytes());
                prefetch(&self.groups, (*hash >> self.shift) as usize);
            }
            for &hash in &hashes[..strings.len()] {
                let group = &self.groups[(hash >> self.shift) as usize];
                // Without a branch that could be mispredicted: another record is as good.
                let slot = Slots::with(group.tags, tag(hash)).first().unwrap_or(0);
                let position = group.positions[slot] as usize;
                prefetch(&self.text, position);
                // The end of a record of 32 bytes.
                prefetch(&self.text, position + HEADER + 32);
            }
            for (&hash, string) in hashes.iter().zip(strings) {
                let string = string.as_bytes();
                let interned =
                    by_length!(string.len(), L => self.try_intern_hashed::<L>(string, hash));
                symbols.push(interned.unwrap_or_else(|error| panic!("{error}")));
            }
        }
    }
}
