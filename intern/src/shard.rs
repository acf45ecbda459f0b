//! A table of positions by hashes, which is read without a lock while one thread at a time adds to it.
//!
//! Groups are those of [`Compact`](crate::Compact), made of atomics. A position is written before its
//! tag, and a tag never changes, so a reader that sees a tag sees the position, and what its writer
//! did before. A table that is full is replaced by one twice as large; readers that look at the old one
//! may miss what was added since, and then ask again under the lock. Old tables are kept until nobody
//! can be reading: that is known when the shard is borrowed exclusively, and not before. Together they
//! are at most as large as the table in use.
//!
//! The alternative is `crossbeam-epoch`, by which readers announce themselves: its `pin` alone takes
//! 10 ns (2-core x86-64 VM, 2026-11), as long as finding a string among a thousand.

use std::ops::Range;
use std::ptr;

use crate::sync::{AtomicPtr, AtomicU32, AtomicU64, Mutex, MutexGuard, Ordering, PoisonError};
use crate::tags::{SLOTS, STRINGS_PER_GROUP, Slots, Tags, tag, word_with};

/// Groups of the smallest table. A hash is shifted by less than its bits only with two.
const FEWEST_GROUPS: usize = 2;

/// Groups whose positions are hashed again together when a table grows.
const AHEAD: usize = 2;

/// One of the tables of an interner.
///
/// Aligned to two cache lines, which the processor fetches together, so that threads on different
/// shards do not slow each other down.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Shard {
    table: TablePointer,
    writer: Mutex<Writer>,
}

/// One cache line.
///
/// Invariant: only who has locked the shard stores, tags are never changed from anything but 0, and a
/// slot's position is stored before its tag.
#[derive(Debug, Default)]
#[repr(C, align(64))]
struct Group {
    tags: [AtomicU64; 2],
    positions: [AtomicU32; SLOTS],
}

/// Where the groups begin, which is null or aligned to 64, and in the free bits how far a hash is
/// shifted to the right to be the number of a group: there are `1 << (64 - shift)`.
///
/// Invariant: groups of that number are there as long as the shard is, or the pointer is null.
#[derive(Debug)]
struct TablePointer(AtomicPtr<Group>);

/// A table that is or was in use.
#[derive(Clone, Copy)]
struct Table<'a> {
    groups: &'a [Group],
    shift: u32,
}

/// Where a hash belongs that was not found: the first free slot after those that are looked at.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Vacancy {
    /// Which table it was: tables of a shard have different ones. 0 is no table.
    shift: u32,
    group: usize,
    /// Of the group, with the slot free.
    tags: Tags,
    slot: usize,
}

#[derive(Debug, Default)]
struct Writer {
    /// Strings that can be added before the table is full.
    room: usize,
    retired: Vec<TablePointer>,
    /// Positions that were set aside for this shard.
    block: Range<u32>,
}

/// A shard to which nobody else is adding.
pub(crate) struct Locked<'a> {
    shard: &'a Shard,
    writer: MutexGuard<'a, Writer>,
}

impl Group {
    #[inline(always)]
    fn tags(&self) -> Tags {
        // `Acquire`: pairs with `fill`, for the positions of the tags seen and what they stand for.
        [
            self.tags[0].load(Ordering::Acquire),
            self.tags[1].load(Ordering::Acquire),
        ]
    }

    /// The first position with that tag for which `is` gives something.
    #[inline(always)]
    fn find<R>(&self, tags: Tags, tag: u8, is: impl Fn(u32) -> Option<R>) -> Option<R> {
        // `Relaxed`: the tag was acquired.
        Slots::with(tags, tag).find_map(|slot| is(self.positions[slot].load(Ordering::Relaxed)))
    }
}

impl Table<'_> {
    /// The first that `is` gives, or where the hash belongs.
    #[inline(always)]
    fn find<R>(self, hash: u64, is: impl Fn(u32) -> Option<R>) -> Result<R, Vacancy> {
        let mut at = (hash >> self.shift) as usize;
        loop {
            let Some(group) = self.groups.get(at) else {
                return Err(Vacancy::default());
            };
            let tags = group.tags();
            if let Some(found) = group.find(tags, tag(hash), &is) {
                return Ok(found);
            }
            if let Some(slot) = Slots::free(tags).first() {
                return Err(Vacancy {
                    shift: self.shift,
                    group: at,
                    tags,
                    slot,
                });
            }
            at = (at + 1) & (self.groups.len() - 1);
        }
    }

    /// The first free slot for a hash, of which there must be one.
    #[inline(always)]
    fn vacancy(self, hash: u64) -> Vacancy {
        let Err(vacancy) = self.find(hash, |_| None::<()>) else {
            unreachable!("nothing is found")
        };
        vacancy
    }

    /// Puts a position in a free slot.
    #[inline(always)]
    fn fill(self, vacancy: Vacancy, hash: u64, position: u32) {
        let Vacancy {
            group, tags, slot, ..
        } = vacancy;
        let group = &self.groups[group];
        // `Relaxed`: its tag publishes it.
        group.positions[slot].store(position, Ordering::Relaxed);
        let word = word_with(tags[slot / 8], slot, tag(hash));
        // `Release`: publishes the position and what it stands for.
        group.tags[slot / 8].store(word, Ordering::Release);
    }
}

impl TablePointer {
    fn none() -> Self {
        Self(AtomicPtr::new(ptr::without_provenance_mut(63)))
    }

    /// The first group, or null, and the shift.
    #[inline(always)]
    fn load(&self) -> (*const Group, u32) {
        // `Acquire`: pairs with `publish`, for the groups.
        let pointer = self.0.load(Ordering::Acquire);
        let shift = pointer.addr() as u32 & 63;
        (pointer.map_addr(|address| address & !63), shift)
    }

    /// The group where a hash is looked for first.
    #[inline(always)]
    fn first_group(&self, hash: u64) -> Option<&Group> {
        let (groups, shift) = self.load();
        if groups.is_null() {
            return None;
        }
        let group = groups.wrapping_add((hash >> shift) as usize);
        // SAFETY: needs a group that lives as long as `self`: the invariant, of a number below that of
        // the groups, since a hash has 64 bits.
        Some(unsafe { &*group })
    }

    #[inline]
    fn table(&self) -> Table<'_> {
        let (groups, shift) = self.load();
        let groups = match groups.is_null() {
            true => &[],
            // SAFETY: needs as many groups that live as long as `self`: the invariant.
            false => unsafe { std::slice::from_raw_parts(groups, 1 << (u64::BITS - shift)) },
        };
        Table { groups, shift }
    }

    /// A table of that many empty groups, a power of two; or none when no memory is left.
    fn with_groups(count: usize) -> Option<Self> {
        let mut groups = Vec::new();
        groups.try_reserve_exact(count).ok()?;
        groups.resize_with(count, Group::default);
        let first = Box::into_raw(groups.into_boxed_slice()).cast::<Group>();
        let shift = u64::BITS - count.trailing_zeros();
        let pointer = first.map_addr(|address| address | shift as usize);
        Some(Self(AtomicPtr::new(pointer)))
    }

    /// Puts `new` in use, and gives the table that was.
    fn replace(&self, new: Self) -> Self {
        // `Relaxed`: only who has locked the shard stores.
        let old = self.0.load(Ordering::Relaxed);
        let pointer = new.0.load(Ordering::Relaxed);
        // The groups are this pointer's now.
        std::mem::forget(new);
        // `Release`: publishes the groups.
        self.0.store(pointer, Ordering::Release);
        Self(AtomicPtr::new(old))
    }
}

impl Drop for TablePointer {
    fn drop(&mut self) {
        let table = self.table();
        if !table.groups.is_empty() {
            let groups = ptr::from_ref(table.groups).cast_mut();
            // SAFETY: needs what `into_raw` gave, once, and nobody else who uses it. Each pointer to
            // groups is in one `TablePointer` only, and who drops it knows that nobody reads.
            drop(unsafe { Box::from_raw(groups) });
        }
    }
}

impl Shard {
    pub(crate) fn new() -> Self {
        Self {
            table: TablePointer::none(),
            writer: Mutex::new(Writer::default()),
        }
    }

    /// Something that `is` gives for a position added under that hash.
    ///
    /// Looks at no more than one position, so that it need not loop: what is there is nearly always
    /// found.
    #[inline(always)]
    pub(crate) fn first_look<R>(&self, hash: u64, is: impl Fn(u32) -> Option<R>) -> Option<R> {
        let group = self.table.first_group(hash)?;
        let slot = Slots::with(group.tags(), tag(hash)).first()?;
        is(group.positions[slot].load(Ordering::Relaxed))
    }

    /// The first of those that [`first_look`](Self::first_look) looks at, without a look at what is
    /// there.
    #[inline(always)]
    pub(crate) fn likely(&self, hash: u64) -> Option<u32> {
        let group = self.table.first_group(hash)?;
        let slot = Slots::with(group.tags(), tag(hash)).first()?;
        Some(group.positions[slot].load(Ordering::Relaxed))
    }

    /// Has the processor fetch the group where a hash is looked for first.
    #[inline(always)]
    pub(crate) fn prefetch(&self, hash: u64) {
        if let Some(group) = self.table.first_group(hash) {
            crate::prefetch(std::slice::from_ref(group), 0);
        }
    }

    /// The first that `is` gives for a position added under that hash, or where the hash belongs.
    ///
    /// # Errors
    ///
    /// Finds nothing when there is nothing, or when it is being added.
    #[inline(always)]
    pub(crate) fn find<R>(&self, hash: u64, is: impl Fn(u32) -> Option<R>) -> Result<R, Vacancy> {
        self.table.table().find(hash, is)
    }

    /// Keeps other threads from adding.
    pub(crate) fn lock(&self) -> Locked<'_> {
        Locked {
            shard: self,
            // A panic under the lock leaves the table as it was, so a poisoned one is as good.
            writer: self.writer.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Frees the tables that were replaced, and gives their bytes.
    pub(crate) fn reclaim(&mut self) -> usize {
        let writer = self.writer.get_mut();
        let writer = writer.unwrap_or_else(PoisonError::into_inner);
        // Nobody reads: the shard is borrowed exclusively.
        let retired = std::mem::take(&mut writer.retired);
        retired
            .iter()
            .map(|table| size_of_val(table.table().groups))
            .sum()
    }

    /// Slots of the table.
    pub(crate) fn slots(&self) -> usize {
        self.table.table().groups.len() * SLOTS
    }

    /// The positions that were added, as far as they are seen.
    pub(crate) fn positions(&self) -> impl Iterator<Item = u32> {
        let groups = self.table.table().groups.iter();
        groups.flat_map(|group| {
            let filled = Slots::free(group.tags()).first().unwrap_or(SLOTS);
            // `Relaxed`: the tags were acquired.
            let positions = group.positions[..filled].iter();
            positions.map(|position| position.load(Ordering::Relaxed))
        })
    }

    /// Groups that are looked at to find `position`, added under that hash; nothing when it is not
    /// found.
    pub(crate) fn probes(&self, hash: u64, position: u32) -> Option<usize> {
        let Table { groups, shift } = self.table.table();
        let start = (hash >> shift) as usize;
        (0..groups.len())
            .position(|probe| {
                let group = &groups[(start + probe) & (groups.len() - 1)];
                let is = |other| (other == position).then_some(());
                group.find(group.tags(), tag(hash), is).is_some()
            })
            .map(|probe| probe + 1)
    }
}

impl Locked<'_> {
    /// The first that `is` gives for a position added under that hash, or where the hash belongs;
    /// `vacancy` is what [`Shard::find`] gave before the shard was locked.
    ///
    /// # Errors
    ///
    /// Finds nothing when there is nothing.
    #[inline]
    pub(crate) fn find<R>(
        &self,
        hash: u64,
        vacancy: Vacancy,
        is: impl Fn(u32) -> Option<R>,
    ) -> Result<R, Vacancy> {
        let table = self.shard.table.table();
        // What was added since under the same hash would have taken the free slot.
        let same_group = vacancy.shift == table.shift
            && table
                .groups
                .get(vacancy.group)
                .is_some_and(|group| group.tags() == vacancy.tags);
        match same_group {
            true => Err(vacancy),
            false => self.shard.find(hash, is),
        }
    }

    /// Positions that were set aside for this shard: those who lock it share them.
    #[inline]
    pub(crate) fn block(&mut self) -> &mut Range<u32> {
        &mut self.writer.block
    }

    /// Bytes of the table that is needed before another position can be added; 0 when there is room.
    #[inline]
    pub(crate) fn needed_bytes(&self) -> usize {
        match self.writer.room {
            0 => self.larger() * size_of::<Group>(),
            _ => 0,
        }
    }

    /// Replaces the table by one twice as large; `prefetch` and `hash_of` get the positions that were
    /// added, for the hashes under which they were. Gives whether it could, which fails when no memory
    /// is left.
    #[cold]
    #[inline(never)]
    pub(crate) fn grow(&mut self, prefetch: impl Fn(u32), hash_of: impl Fn(u32) -> u64) -> bool {
        let group_count = self.larger();
        let (Some(larger), Ok(())) = (
            TablePointer::with_groups(group_count),
            self.writer.retired.try_reserve(1),
        ) else {
            return false;
        };
        let new = larger.table();
        let mut added = 0;
        // Not a `Vec`, whose allocation could fail.
        let mut positions = [0; AHEAD * SLOTS];
        // A position goes to one of two groups beside each other, so only what it stands for is far.
        for groups in self.shard.table.table().groups.chunks(AHEAD) {
            let mut count = 0;
            for group in groups {
                // Slots are filled from the first on. `Relaxed`: this thread has locked the shard.
                let filled = Slots::free(group.tags()).first().unwrap_or(SLOTS);
                for position in &group.positions[..filled] {
                    positions[count] = position.load(Ordering::Relaxed);
                    count += 1;
                }
            }
            let positions = &positions[..count];
            positions.iter().copied().for_each(&prefetch);
            for &position in positions {
                let hash = hash_of(position);
                new.fill(new.vacancy(hash), hash, position);
            }
            added += count;
        }
        let retired = self.shard.table.replace(larger);
        self.writer.retired.push(retired);
        self.writer.room = group_count * STRINGS_PER_GROUP - added;
        true
    }

    /// Adds a position where [`find`](Self::find) found a vacancy, or anew when the table was replaced
    /// since.
    ///
    /// What the position stands for must have been written: a reader may come to it at once.
    ///
    /// # Panics
    ///
    /// Panics when there is no room: see [`needed_bytes`](Self::needed_bytes).
    #[inline]
    pub(crate) fn add(&mut self, hash: u64, vacancy: Vacancy, position: u32) {
        self.writer.room = self.writer.room.checked_sub(1).expect("there is room");
        let table = self.shard.table.table();
        let vacancy = match vacancy.shift == table.shift {
            true => vacancy,
            false => table.vacancy(hash),
        };
        table.fill(vacancy, hash, position);
    }

    fn larger(&self) -> usize {
        (self.shard.table.table().groups.len() * 2).max(FEWEST_GROUPS)
    }
}
