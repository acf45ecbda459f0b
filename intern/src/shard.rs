//! A table of positions by hashes, which is read without a lock while one thread at a time adds to it.
//!
//! Groups are those of [`Compact`](crate::Compact), made of atomics. A position is written before its
//! tag, and a tag never changes, so a reader that sees a tag sees the position, and what its writer
//! did before. A table that is full is replaced by one twice as large; readers that look at the old one
//! may miss what was added since, and then ask again under the lock. Old tables are kept until nobody
//! can be reading: that is known when the shard is borrowed exclusively, and not before. Together they
//! are at most as large as the table in use.
//!
//! What was compared to keeping them is `crossbeam-epoch`, whose pin costs each look-up a fence.

use std::ops::Range;
use std::ptr;

use crate::sync::{AtomicPtr, AtomicU32, AtomicU64, Mutex, MutexGuard, Ordering, PoisonError};
use crate::tags::{SLOTS, STRINGS_PER_GROUP, Slots, Tags, tag, word_with};

/// Groups of the smallest table. A hash is shifted by less than its bits only with two.
const FEWEST_GROUPS: usize = 2;

/// Positions that are hashed again at the same time when a table grows.
const AHEAD: usize = 16;

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

impl<'a> Table<'a> {
    #[inline(always)]
    fn find<R>(self, hash: u64, is: impl Fn(u32) -> Option<R>) -> Option<R> {
        let mut at = (hash >> self.shift) as usize;
        loop {
            let group = self.groups.get(at)?;
            let tags = group.tags();
            if let Some(found) = group.find(tags, tag(hash), &is) {
                return Some(found);
            }
            if Slots::free(tags).first().is_some() {
                return None;
            }
            at = (at + 1) & (self.groups.len() - 1);
        }
    }

    /// Puts a position in the first free slot, of which there must be one.
    fn fill(self, hash: u64, position: u32) {
        let mut at = (hash >> self.shift) as usize;
        loop {
            let group = &self.groups[at];
            // `Relaxed` in this function: only one thread stores.
            let tags = [0, 1].map(|word| group.tags[word].load(Ordering::Relaxed));
            if let Some(slot) = Slots::free(tags).first() {
                group.positions[slot].store(position, Ordering::Relaxed);
                let word = word_with(tags[slot / 8], slot, tag(hash));
                // `Release`: publishes the position and what it stands for.
                group.tags[slot / 8].store(word, Ordering::Release);
                return;
            }
            at = (at + 1) & (self.groups.len() - 1);
        }
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

    /// The first that `is` gives for a position added under that hash before the table was replaced
    /// for the last time, or seen since.
    #[inline]
    pub(crate) fn find<R>(&self, hash: u64, is: impl Fn(u32) -> Option<R>) -> Option<R> {
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
    /// The first that `is` gives for a position added under that hash.
    pub(crate) fn find<R>(&self, hash: u64, is: impl Fn(u32) -> Option<R>) -> Option<R> {
        self.shard.find(hash, is)
    }

    /// Positions that were set aside for this shard: those who lock it share them.
    pub(crate) fn block(&mut self) -> &mut Range<u32> {
        &mut self.writer.block
    }

    /// Bytes of the table that is needed before another position can be added; 0 when there is room.
    pub(crate) fn needed_bytes(&self) -> usize {
        match self.writer.room {
            0 => self.larger() * size_of::<Group>(),
            _ => 0,
        }
    }

    /// Makes room for another position; `hash_of` gives the hash under which one was added. Gives
    /// whether it could, which fails when no memory is left.
    pub(crate) fn make_room(&mut self, hash_of: impl Fn(u32) -> u64) -> bool {
        if self.writer.room > 0 {
            return true;
        }
        let count = self.larger();
        let (Some(larger), Ok(())) = (
            TablePointer::with_groups(count),
            self.writer.retired.try_reserve(1),
        ) else {
            return false;
        };
        let old = self.shard.table.table();
        let mut hashes = [(0, 0); AHEAD];
        let mut waiting = 0;
        let mut positions = 0;
        for group in old.groups {
            for slot in 0..SLOTS {
                // Slots are filled from the first on.
                let tags = group.tags();
                if Slots::free(tags).any(|free| free == slot) {
                    break;
                }
                let position = group.positions[slot].load(Ordering::Relaxed);
                let hash = hash_of(position);
                crate::prefetch(
                    larger.table().groups,
                    (hash >> larger.table().shift) as usize,
                );
                hashes[waiting] = (hash, position);
                waiting += 1;
                positions += 1;
                if waiting == AHEAD {
                    for (hash, position) in hashes {
                        larger.table().fill(hash, position);
                    }
                    waiting = 0;
                }
            }
        }
        for &(hash, position) in &hashes[..waiting] {
            larger.table().fill(hash, position);
        }
        let retired = self.shard.table.replace(larger);
        self.writer.retired.push(retired);
        self.writer.room = count * STRINGS_PER_GROUP - positions;
        true
    }

    /// Adds a position, for which [`make_room`](Self::make_room) made room.
    ///
    /// What the position stands for must have been written: a reader may come to it at once.
    pub(crate) fn add(&mut self, hash: u64, position: u32) {
        self.writer.room -= 1;
        self.shard.table.table().fill(hash, position);
    }

    fn larger(&self) -> usize {
        (self.shard.table.table().groups.len() * 2).max(FEWEST_GROUPS)
    }
}
