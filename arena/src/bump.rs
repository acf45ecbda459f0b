//! A bump arena: one pointer moves through chunks that double in size.
//!
//! Scopes make it a tree of [`Lane`]s. A lane owns the chunks it opened and a stretch of memory that
//! nobody else allocates from; a scope is a lane that begins with the rest of its parent's stretch,
//! which the parent lacks until the scope is closed. So whoever allocates while a scope is open does
//! so from a stretch of its own, and closing a scope never touches what others allocated.
//!
//! A loop that allocates 64 bytes and writes 8 of them takes, in instructions an allocation (callgrind,
//! 2026-11, x86-64):
//!
//! | | |
//! |---|---|
//! | here: the pointer's next place is compared with the end | 9.1 |
//! | downwards, `oxc_allocator` | 10.0 |
//! | here: the size is compared with the room, as it still is for large layouts | 11.1 |
//! | downwards, bumpalo at 8 bytes of alignment; as it comes | 12.0; 14.0 |
//! | bump-scope | 15.0 |
//! | here with a [`Metered`](crate::Metered) around it | 27.1 |
//!
//! Their times are the same within what is noise on a 2-core VM, but for the last two. So counting
//! and the budget are a wrapper's, although a budget could be had for nothing by ending the stretch
//! early: that is exact only as long as no two lanes are in use at once. Upwards, not downwards as
//! most do, also because the newest allocation then grows without a copy.

use std::alloc::Layout;
use std::cell::Cell;
use std::fmt;
use std::mem::ManuallyDrop;
use std::ptr::NonNull;

use crate::chunk::{Chunk, FOOTER, MAX_SMALL, MIN_ALIGN};
use crate::{AllocError, Arena, Scoped, exhausted};

/// Bytes of the first chunk, if nothing asks for more. The allocators of common systems are at
/// their fastest up to this size.
const FIRST_CHUNK: usize = 1024;

/// A bump arena with scopes, every allocation aligned to at least 8 bytes.
///
/// The first choice: an allocation is an addition and a comparison. Chunks double in size. Reset
/// keeps the largest and frees the others; so an arena that is filled alike again and again soon has
/// one chunk that fits all. The newest allocation can grow and shrink in place, as a vector that
/// lives [`In`](crate::In) the arena does.
///
/// ```compile_fail,E0277
/// fn shared(_: impl Sync) {}
///
/// shared(arena::Bump::default());
/// ```
pub struct Bump {
    lane: Lane,
    supply: Supply,
}

/// Numbers about the memory of a [`Bump`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BumpStats {
    /// Chunks held, in use or kept for reuse.
    pub chunks: usize,
    /// Bytes they hold from the global allocator, bookkeeping included.
    pub held_bytes: usize,
    /// Bytes of them that later allocations cannot have before a reset: allocations, padding before
    /// and after them, ends of chunks into which nothing fitted, and what is in open scopes.
    pub used_bytes: usize,
}

impl Bump {
    /// An empty arena, which holds no memory.
    pub fn new() -> Self {
        Self {
            lane: Lane::new(Stretch::default(), 0),
            supply: Supply {
                spare: Cell::new(None),
                demand_bytes: Cell::new(0),
                max_bytes: usize::MAX,
                huge: false,
            },
        }
    }

    /// An arena whose first chunk has room for `bytes`.
    ///
    /// # Panics
    ///
    /// Panics when no memory is left; see [`try_with_capacity`](Self::try_with_capacity).
    pub fn with_capacity(bytes: usize) -> Self {
        Self::try_with_capacity(bytes).unwrap_or_else(|error| exhausted(error))
    }

    /// An arena whose first chunk has room for `bytes`.
    ///
    /// # Errors
    ///
    /// Fails when no memory is left.
    pub fn try_with_capacity(bytes: usize) -> Result<Self, AllocError> {
        let arena = Self::new();
        arena.try_reserve(bytes)?;
        Ok(arena)
    }

    /// Lets chunks double only until they hold `bytes`; one that a single larger allocation needs is
    /// as large as that.
    ///
    /// Bounds what is held in vain, at the price of more chunks, which a reset frees.
    ///
    /// # Examples
    ///
    /// ```
    /// use arena::{Arena, Bump};
    ///
    /// let arena = Bump::new().with_max_chunk(1 << 16);
    /// arena.alloc_slice_fill_with(1_000_000, |index| index as u8);
    /// for number in 0..100_000_u64 {
    ///     arena.alloc(number);
    /// }
    /// let stats = arena.stats();
    /// assert!(stats.held_bytes - stats.used_bytes < 1 << 17);
    /// ```
    #[must_use]
    pub fn with_max_chunk(mut self, bytes: usize) -> Self {
        self.supply.max_bytes = bytes;
        self
    }

    /// Asks the kernel for huge pages in chunks of 2 MiB and more, which are rounded up to multiples
    /// of that.
    ///
    /// Makes the first use of much memory cheaper, where the kernel grants it: on Linux with
    /// transparent huge pages not set to `never`. Elsewhere this changes nothing but the rounding.
    ///
    /// # Examples
    ///
    /// ```
    /// use arena::{Arena, Bump};
    ///
    /// let arena = Bump::new().with_huge_pages();
    /// assert_eq!(arena.alloc_slice_copy(&[7_u8; 3 << 20]).len(), 3 << 20);
    /// ```
    #[must_use]
    pub fn with_huge_pages(mut self) -> Self {
        self.supply.huge = true;
        self
    }

    /// Makes sure that the next `bytes` bytes, padding included, are allocated without a new chunk.
    ///
    /// # Errors
    ///
    /// Fails when no memory is left.
    pub fn try_reserve(&self, bytes: usize) -> Result<(), AllocError> {
        if bytes <= self.lane.room() {
            return Ok(());
        }
        let refused = AllocError {
            bytes,
            align: MIN_ALIGN,
        };
        let layout = Layout::from_size_align(bytes, MIN_ALIGN).map_err(|_| refused)?;
        self.lane.try_open(&self.supply, layout)
    }

    /// Resets an arena of several chunks.
    #[cold]
    #[inline(never)]
    fn keep_largest(&mut self) {
        self.supply.note_demand(self.lane.filled_bytes());
        if let Some(mut chunk) = self.lane.chunks.take() {
            chunk.append(self.supply.spare.take());
            self.lane.enter(chunk.into_largest());
        }
        self.lane.forget_others();
    }

    /// Numbers about the memory. Takes O(chunks) time.
    ///
    /// Allocating counts nothing: they follow from the chunks and the pointer. To count allocations
    /// and the bytes asked for, wrap the arena in a [`Metered`](crate::Metered).
    ///
    /// # Examples
    ///
    /// ```
    /// use arena::{Arena, Bump};
    ///
    /// let arena = Bump::default();
    /// assert_eq!(arena.stats().chunks, 0);
    /// arena.alloc(1_u32);
    /// arena.alloc_str("twelve bytes");
    /// assert_eq!(arena.stats().used_bytes, 8 + 16);
    /// ```
    pub fn stats(&self) -> BumpStats {
        let lane = self.lane.stats();
        let spare = look(&self.supply.spare, |spare| {
            spare.map_or(0, |spare| spare.bytes())
        });
        BumpStats {
            chunks: lane.chunks + usize::from(spare > 0),
            held_bytes: lane.held_bytes + spare,
            used_bytes: lane.used_bytes,
        }
    }
}

impl Default for Bump {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Bump {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Bump")
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

// SAFETY: a lane returns aligned memory of chunks it owns, from a stretch that no other lane
// allocates from, and never the same twice before it is cleared. Chunks are heap blocks, so moving
// the arena moves no allocation; they are freed by `reset`, which needs `&mut`, and with the arena.
unsafe impl Arena for Bump {
    #[inline]
    fn try_alloc_layout(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.lane.try_alloc(&self.supply, layout)
    }

    /// Keeps the largest chunk and frees the others.
    #[inline]
    fn reset(&mut self) {
        match self.lane.chunks.get_mut() {
            Some(chunk) if !chunk.has_older() && self.supply.spare.get_mut().is_none() => {
                let whole = chunk.stretch();
                self.lane.set_stretch(whole);
                self.lane.forget_others();
            }
            Some(_) => self.keep_largest(),
            None => (),
        }
    }

    fn held_bytes(&self) -> usize {
        self.stats().held_bytes
    }

    #[inline]
    unsafe fn resize_in_place(&self, start: NonNull<u8>, old: Layout, new_bytes: usize) -> bool {
        // SAFETY: the contract is the same, and allocations of this arena are those of its lane.
        unsafe { self.lane.resize_in_place(start, old, new_bytes) }
    }
}

// SAFETY: the chunks of a scope that is kept join those of the lane it was opened from, and what it
// allocated of that lane's stretch is never given back. So both are released with that lane.
unsafe impl Scoped for Bump {
    type Scope<'a> = Scope<'a>;

    #[inline]
    fn scope(&self) -> Scope<'_> {
        Scope::open(&self.lane, &self.supply)
    }

    #[inline]
    fn keep<'a>(scope: Scope<'a>)
    where
        Self: 'a,
    {
        scope.keep();
    }
}

/// A part of a [`Bump`] that is released when this guard is dropped: an arena itself, which may have
/// scopes in turn.
///
/// Opening and closing one moves a few pointers. It goes on in the chunk of the arena it was opened
/// from; of the chunks it adds, the largest is kept for whoever needs a chunk next. The arena it was
/// opened from stays usable meanwhile, but takes a new chunk when it is, because the rest of its
/// chunk belongs to the scope.
///
/// # Examples
///
/// ```
/// use arena::{Arena, Bump, Scoped};
///
/// let arena = Bump::default();
/// let kept = arena.alloc_str("kept");
/// let before = arena.stats();
/// for candidate in 0..1000_u32 {
///     let scope = arena.scope();
///     let digits = scope.alloc_str(&candidate.to_string());
///     assert!(digits.len() < kept.len());
/// }
/// assert_eq!(arena.stats(), before);
/// ```
///
/// What a scope allocated cannot outlive it:
///
/// ```compile_fail,E0597
/// use arena::{Arena, Bump, Scoped};
///
/// let arena = Bump::default();
/// let value = {
///     let scope = arena.scope();
///     scope.alloc(1)
/// };
/// *value = 2;
/// ```
///
/// and a scope cannot outlive what it was opened from:
///
/// ```compile_fail,E0502
/// use arena::{Arena, Bump, Scoped};
///
/// let mut arena = Bump::default();
/// let scope = arena.scope();
/// arena.reset();
/// scope.alloc(1);
/// ```
///
/// It stays on its thread:
///
/// ```compile_fail,E0277
/// fn sent(_: impl Send) {}
///
/// sent(arena::Scoped::scope(&arena::Bump::default()));
/// ```
pub struct Scope<'arena> {
    lane: Lane,
    supply: &'arena Supply,
    parent: &'arena Lane,
    /// The end of the parent's stretch, taken from it.
    lent: Stretch,
    /// What the parent had counted when this scope was opened.
    parent_left_bytes: usize,
}

impl<'arena> Scope<'arena> {
    #[inline]
    fn open(parent: &'arena Lane, supply: &'arena Supply) -> Self {
        let next = parent.next.get();
        let lent = Stretch {
            start: next,
            next,
            end: parent.end.get(),
        };
        parent.end.set(next);
        Self {
            lane: Lane::new(lent, parent.left_bytes.get()),
            supply,
            parent,
            lent,
            parent_left_bytes: parent.left_bytes.get(),
        }
    }

    /// Whether the parent's stretch still ends where the lent one begins, in the same chunk.
    ///
    /// The address of that end tells: another chunk has its footer between its last stretch and
    /// whatever comes after it. Of an empty stretch it would not, since several may begin there.
    #[inline]
    fn adjoins_parent(&self) -> bool {
        self.lent.start != self.lent.end && self.parent.end.get() == self.lent.start
    }

    /// Closes the scope, leaving everything allocated in it to the parent.
    #[inline]
    fn keep(self) {
        let scope = ManuallyDrop::new(self);
        if scope.adjoins_parent() && scope.lane.start.get() == scope.lent.start {
            // One stretch again.
            scope.parent.next.set(scope.lane.next.get());
            scope.parent.end.set(scope.lane.end.get());
        } else {
            scope.parent.go_on_in(scope.lane.stretch());
        }
        let aside = scope.lane.aside.get();
        if aside.room() > 0 {
            scope.parent.go_on_in(aside);
        }
        let added_bytes = scope.lane.left_bytes.get() - scope.parent_left_bytes;
        scope.parent.count_left(added_bytes);
        if let Some(mut chunks) = scope.lane.chunks.take() {
            chunks.append(scope.parent.chunks.take());
            scope.parent.chunks.set(Some(chunks));
        }
    }

    /// Gives up the chunks that the scope added.
    #[cold]
    fn put_back(&self, chunks: Chunk) {
        let filled_bytes = self.lane.filled_bytes() - self.parent_left_bytes;
        self.supply.note_demand(filled_bytes);
        self.supply.put_back(chunks);
    }
}

impl Drop for Scope<'_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(chunks) = self.lane.chunks.take() {
            self.put_back(chunks);
        }
        if self.adjoins_parent() {
            self.parent.end.set(self.lent.end);
        } else {
            self.parent.go_on_in(self.lent);
        }
    }
}

impl fmt::Debug for Scope<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Scope")
            .field("stats", &self.lane.stats())
            .finish_non_exhaustive()
    }
}

// SAFETY: as for `Bump`. What is in the lent stretch stays valid as long as the parent's chunk, and
// what is in chunks of the scope until the scope is reset or dropped. The parent gets its stretch
// back only when the scope is dropped.
unsafe impl Arena for Scope<'_> {
    #[inline]
    fn try_alloc_layout(&self, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        self.lane.try_alloc(self.supply, layout)
    }

    /// Releases what was allocated since the scope was opened, as closing it would.
    fn reset(&mut self) {
        if let Some(chunks) = self.lane.chunks.take() {
            self.put_back(chunks);
        }
        self.lane.set_stretch(self.lent);
        self.lane.forget_others();
        self.lane.count_left(self.parent_left_bytes);
    }

    /// Bytes of the chunks that the scope added.
    fn held_bytes(&self) -> usize {
        self.lane.stats().held_bytes
    }

    #[inline]
    unsafe fn resize_in_place(&self, start: NonNull<u8>, old: Layout, new_bytes: usize) -> bool {
        // SAFETY: the contract is the same, and allocations of this arena are those of its lane.
        unsafe { self.lane.resize_in_place(start, old, new_bytes) }
    }
}

// SAFETY: as for `Bump`.
unsafe impl Scoped for Scope<'_> {
    type Scope<'a>
        = Scope<'a>
    where
        Self: 'a;

    #[inline]
    fn scope(&self) -> Scope<'_> {
        Scope::open(&self.lane, self.supply)
    }

    #[inline]
    fn keep<'a>(scope: Scope<'a>)
    where
        Self: 'a,
    {
        scope.keep();
    }
}

/// Memory of one live chunk: `next..end` is free, what is before `next` is allocated.
///
/// Invariant: `start <= next <= end`, all in the same chunk or at its end and multiples of
/// [`MIN_ALIGN`]; or all equal and in no chunk.
#[derive(Clone, Copy)]
struct Stretch {
    start: NonNull<u8>,
    next: NonNull<u8>,
    end: NonNull<u8>,
}

impl Default for Stretch {
    fn default() -> Self {
        let nowhere = Layout::new::<u64>().dangling_ptr();
        Self {
            start: nowhere,
            next: nowhere,
            end: nowhere,
        }
    }
}

impl Stretch {
    fn room(&self) -> usize {
        self.end.addr().get() - self.next.addr().get()
    }

    fn filled_bytes(&self) -> usize {
        self.next.addr().get() - self.start.addr().get()
    }

    fn debug_check(&self) {
        let Self { start, next, end } = self;
        debug_assert!(
            start <= next && next <= end,
            "a stretch from {start:p} to {end:p} goes on at {next:p}"
        );
    }

    fn has_room_for(&self, layout: Layout) -> bool {
        let padding = self.next.addr().get().wrapping_neg() & (layout.align() - 1);
        padding <= self.room() && rounded_up(layout.size()) <= self.room() - padding
    }
}

/// A stretch of memory to allocate from, and the chunks opened to get it.
///
/// Invariant: `start`, `next` and `end` are a [`Stretch`], and so is `aside`, of chunks that live as
/// long as the lane is not reset. Only this lane allocates from the free parts of both.
struct Lane {
    next: Cell<NonNull<u8>>,
    end: Cell<NonNull<u8>>,
    start: Cell<NonNull<u8>>,
    /// Free memory to look at before a chunk is opened.
    aside: Cell<Stretch>,
    /// Bytes allocated since the last reset in stretches that were left for good, by this lane or,
    /// before it was opened, by the one it was opened from.
    left_bytes: Cell<usize>,
    /// All chunks that this lane frees, in any order.
    chunks: Cell<Option<Chunk>>,
}

// SAFETY: the pointers lead into chunks that the lane of a `Bump` owns and that move to the other
// thread with it; nobody else has them, since the borrows of an arena end before it is moved. The
// lane of a `Scope` does not move to another thread, because the scope has a reference to a lane.
unsafe impl Send for Lane {}

impl Lane {
    #[inline]
    fn new(stretch: Stretch, left_bytes: usize) -> Self {
        Self {
            next: Cell::new(stretch.next),
            end: Cell::new(stretch.end),
            start: Cell::new(stretch.start),
            aside: Cell::default(),
            left_bytes: Cell::new(left_bytes),
            chunks: Cell::new(None),
        }
    }

    fn stretch(&self) -> Stretch {
        Stretch {
            start: self.start.get(),
            next: self.next.get(),
            end: self.end.get(),
        }
    }

    #[inline]
    fn set_stretch(&self, stretch: Stretch) {
        stretch.debug_check();
        self.start.set(stretch.start);
        self.next.set(stretch.next);
        self.end.set(stretch.end);
    }

    /// Makes `stretch` the current one if it has more room, and sets the other aside.
    fn go_on_in(&self, mut stretch: Stretch) {
        let current = self.stretch();
        if stretch.room() > current.room() {
            self.set_stretch(stretch);
            stretch = current;
        }
        self.set_aside(stretch);
    }

    /// Of `stretch` and the one aside, keeps the one with more room at hand and leaves the other.
    fn set_aside(&self, stretch: Stretch) {
        let left = if stretch.room() > self.aside.get().room() {
            self.aside.replace(stretch)
        } else {
            stretch
        };
        self.count_left(left.filled_bytes());
    }

    fn count_left(&self, bytes: usize) {
        self.left_bytes.set(self.left_bytes.get() + bytes);
    }

    /// Forgets all stretches but the current one, for a reset: they may be parts of its chunk.
    #[inline]
    fn forget_others(&self) {
        self.aside.set(Stretch::default());
        self.left_bytes.set(0);
    }

    /// Bytes allocated since the last reset, as far as this lane knows.
    fn filled_bytes(&self) -> usize {
        let at_hand_bytes = self.stretch().filled_bytes() + self.aside.get().filled_bytes();
        self.left_bytes.get() + at_hand_bytes
    }

    /// Bytes left before a new chunk is needed.
    #[inline(always)]
    fn room(&self) -> usize {
        self.end.get().addr().get() - self.next.get().addr().get()
    }

    #[inline(always)]
    fn try_alloc(&self, supply: &Supply, layout: Layout) -> Result<NonNull<u8>, AllocError> {
        match self.bump(layout) {
            Some(start) => Ok(start),
            None => self.try_alloc_in_new_chunk(supply, layout),
        }
    }

    /// The next memory for `layout`, if there is room for it.
    #[inline(always)]
    fn bump(&self, layout: Layout) -> Option<NonNull<u8>> {
        let (next, bytes) = (self.next.get(), rounded_up(layout.size()));
        // Which of the two ways is known when the program is compiled, if the layout is.
        if layout.align() <= MIN_ALIGN && bytes <= MAX_SMALL {
            // No chunk ends so late that the sum would be too much for an address.
            if next.addr().get().wrapping_add(bytes) > self.end.get().addr().get() {
                return None;
            }
            // SAFETY: needs to stay inside the chunk: just compared with its end.
            self.next.set(unsafe { next.add(bytes) });
            return Some(next);
        }
        let room = self.room();
        let padding = if layout.align() <= MIN_ALIGN {
            0
        } else {
            next.addr().get().wrapping_neg() & (layout.align() - 1)
        };
        if padding > room || bytes > room - padding {
            return None;
        }
        // SAFETY: needs to stay inside the chunk: `padding` is at most `room`.
        let start = unsafe { next.add(padding) };
        // SAFETY: needs to stay inside the chunk: `bytes` is at most what `padding` leaves of `room`.
        self.next.set(unsafe { start.add(bytes) });
        Some(start)
    }

    #[cold]
    #[inline(never)]
    fn try_alloc_in_new_chunk(
        &self,
        supply: &Supply,
        layout: Layout,
    ) -> Result<NonNull<u8>, AllocError> {
        self.try_open(supply, layout)?;
        Ok(self.bump(layout).expect("a new chunk has room"))
    }

    /// Goes on where there is room for `layout`: in the stretch aside or in another chunk.
    fn try_open(&self, supply: &Supply, layout: Layout) -> Result<(), AllocError> {
        let aside = self.aside.get();
        let current = self.stretch();
        if aside.has_room_for(layout) {
            self.set_stretch(aside);
            self.aside.set(current);
            return Ok(());
        }
        let mut chunk = supply.try_take(self.filled_bytes(), layout)?;
        chunk.append(self.chunks.take());
        self.enter(chunk);
        self.set_aside(current);
        Ok(())
    }

    /// Goes on in `chunk`, which heads the list of all chunks of the lane.
    #[inline]
    fn enter(&self, chunk: Chunk) {
        self.set_stretch(chunk.stretch());
        self.chunks.set(Some(chunk));
    }

    /// See [`Arena::resize_in_place`].
    ///
    /// # Safety
    ///
    /// The same, for an allocation of this lane.
    #[inline]
    unsafe fn resize_in_place(&self, start: NonNull<u8>, old: Layout, new_bytes: usize) -> bool {
        let first = self.start.get().addr().get();
        let stretch = self.end.get().addr().get() - first;
        // An allocation of the lane around may end where this stretch begins, so that it ends at
        // `next` is not enough.
        let offset = start.addr().get().wrapping_sub(first);
        let used = self.next.get().addr().get() - first;
        if offset > stretch || offset + rounded_up(old.size()) != used {
            return false;
        }
        if new_bytes > stretch - offset {
            return false;
        }
        // Both ends of the stretch are multiples of `MIN_ALIGN`, so the sum is not beyond its end.
        let used = offset + rounded_up(new_bytes);
        // SAFETY: needs to stay inside the chunk: `used` is at most the length of the stretch. From
        // `start` on there is only this allocation, which ends at `next`, and free memory. The new
        // pointer comes from the chunk's own, since `start` may be good for the allocation only.
        self.next.set(unsafe { self.start.get().add(used) });
        true
    }

    fn stats(&self) -> BumpStats {
        look(&self.chunks, |chunks| {
            let mut stats = BumpStats::default();
            for chunk in chunks.iter().flat_map(|chunk| chunk.list()) {
                stats.chunks += 1;
                stats.held_bytes += chunk.bytes();
                stats.used_bytes += chunk.room();
            }
            // A stretch lent by another lane is not in these chunks.
            let free_bytes = self.room() + self.aside.get().room();
            stats.used_bytes = stats.used_bytes.saturating_sub(free_bytes);
            stats
        })
    }
}

impl Chunk {
    fn stretch(&self) -> Stretch {
        Stretch {
            start: self.start(),
            next: self.start(),
            end: self.end(),
        }
    }
}

/// Where the lanes of a [`Bump`] get chunks from.
///
/// A new chunk is as large as everything that was filled before, so that chunks double. The size
/// follows what was filled rather than the chunk before, because a lane whose stretch is lent may
/// leave chunks that are hardly used; and it is at least what an earlier cycle needed, so that one
/// chunk is enough for the next.
struct Supply {
    /// An empty chunk, left by a scope.
    spare: Cell<Option<Chunk>>,
    /// Room for the most that was filled before a reset, or in a scope, that left several chunks.
    demand_bytes: Cell<usize>,
    max_bytes: usize,
    huge: bool,
}

impl Supply {
    /// A chunk with room for `layout`, for a lane that filled so many bytes: the spare one, or a new
    /// one, which is the smallest that will do when there is no memory for more.
    fn try_take(&self, filled_bytes: usize, layout: Layout) -> Result<Chunk, AllocError> {
        match self.spare.take() {
            Some(spare) if spare.stretch().has_room_for(layout) => return Ok(spare),
            spare => self.spare.set(spare),
        }
        let refused = AllocError::of(layout);
        let least = rounded_up(layout.size())
            .checked_add(FOOTER)
            .ok_or(refused)?;
        let wanted = (filled_bytes + FIRST_CHUNK)
            .max(self.demand_bytes.get())
            .min(self.max_bytes)
            .max(least);
        Chunk::try_new(wanted, layout.align(), self.huge)
            .or_else(|_| Chunk::try_new(least, layout.align(), false))
            .map_err(|_| refused)
    }

    /// Notes that `filled_bytes` were filled in several chunks of which one is kept.
    fn note_demand(&self, filled_bytes: usize) {
        // An eighth more: alignment takes other padding in one chunk than in several.
        let demand_bytes = filled_bytes + filled_bytes / 8 + FOOTER;
        self.demand_bytes
            .set(self.demand_bytes.get().max(demand_bytes));
    }

    /// Keeps the largest of `chunks` and the spare one, frees the others.
    #[cold]
    fn put_back(&self, mut chunks: Chunk) {
        chunks.append(self.spare.take());
        self.spare.set(Some(chunks.into_largest()));
    }
}

/// `bytes` rounded up to [`MIN_ALIGN`]. A layout is so small that this cannot overflow.
#[inline(always)]
fn rounded_up(bytes: usize) -> usize {
    (bytes + (MIN_ALIGN - 1)) & !(MIN_ALIGN - 1)
}

/// What `look` finds in a cell; it must not panic, or the chunks would be freed.
fn look<T>(cell: &Cell<Option<Chunk>>, look: impl FnOnce(Option<&Chunk>) -> T) -> T {
    let chunks = cell.take();
    let found = look(chunks.as_ref());
    cell.set(chunks);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Fills the arena beyond its first chunk and fails when an address comes twice.
    #[track_caller]
    fn check_distinct(arena: &Bump, count: usize) {
        let addresses: HashSet<usize> = (0..count as u64)
            .map(|value| (&raw const *arena.alloc(value)).addr())
            .collect();
        assert_eq!(addresses.len(), count);
    }

    #[test]
    fn a_stretch_set_aside_is_not_used_twice_after_a_reset() {
        let mut arena = Bump::with_capacity(4096);
        let layout = Layout::new::<[u64; 8]>();
        let newest = arena.try_alloc_layout(layout).unwrap();
        let first = arena.scope();
        // SAFETY: needs a valid allocation of this arena for that layout: made above.
        assert!(unsafe { arena.resize_in_place(newest, layout, 0) });
        let second = arena.scope();
        drop(first);
        drop(second);
        assert!(arena.lane.aside.get().room() > 0, "the case is made");
        arena.reset();
        check_distinct(&arena, 1000);
    }

    #[test]
    fn the_rest_of_a_chunk_is_not_lost_when_a_scope_that_left_it_is_kept() {
        let arena = Bump::with_capacity(100_000);
        let held_bytes = arena.held_bytes();
        let kept = arena.attempt(|scope| {
            scope.alloc(1_u64);
            Ok::<_, ()>(scope.alloc([7_u8; 200_000]))
        });
        assert_eq!(kept.unwrap()[199_999], 7);
        let with_kept_bytes = arena.held_bytes();
        assert!(with_kept_bytes > held_bytes, "the case is made");
        for value in 0..10_000_u64 {
            arena.alloc(value);
        }
        assert_eq!(arena.held_bytes(), with_kept_bytes);
    }

    #[test]
    fn what_scopes_gave_up_does_not_make_later_chunks_larger() {
        let arena = Bump::with_capacity(10_000);
        let layout = Layout::new::<[u64; 8]>();
        for _ in 0..10_000 {
            let outer = arena.scope();
            outer.alloc([0_u64; 8]);
            let newest = outer.try_alloc_layout(layout).unwrap();
            let first = outer.scope();
            // SAFETY: needs a valid allocation of this scope for that layout: made above.
            assert!(unsafe { outer.resize_in_place(newest, layout, 0) });
            let second = outer.scope();
            drop(first);
            drop(second);
        }
        arena.alloc([0_u8; 11_000]);
        assert!(arena.held_bytes() < 50_000, "{:?}", arena.stats());
    }

    #[test]
    fn allocating_around_scopes_does_not_take_a_chunk_each_time() {
        let arena = Bump::with_capacity(100_000);
        for number in 0..1000_u64 {
            let scope = arena.scope();
            scope.alloc([number; 100]);
            arena.alloc(number);
        }
        assert!(arena.stats().chunks <= 5, "{:?}", arena.stats());
    }

    #[test]
    fn chunks_stop_doubling_at_the_cap() {
        let arena = Bump::new().with_max_chunk(4096);
        for value in 0..10_000_u64 {
            arena.alloc(value);
        }
        let stats = arena.stats();
        assert!(stats.held_bytes < 80_000 + 80_000 / 50 + 4096, "{stats:?}");
    }
}
