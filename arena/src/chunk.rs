//! A chunk of a bump arena, and the list it is in.
//!
//! The link and the size lie in the chunk's own last bytes, so that chunks can change lists without
//! an allocation that might fail, and the memory handed out begins as aligned as the chunk.

use std::alloc::{self, Layout};
use std::ptr::NonNull;

use crate::AllocError;
use crate::huge;

/// What allocations are aligned to at least, and so what all sizes are a multiple of.
pub(crate) const MIN_ALIGN: usize = 8;

/// Added to any address in a chunk this is an address still.
pub(crate) const MAX_SMALL: usize = 4096;

/// A chunk that owns its memory and the older chunks of its list; all are freed when it is dropped.
///
/// Invariant: points to a footer at the end of a block of the global allocator, whose `start` and
/// `layout` are that block's. Nobody else frees the block or uses the footer. The block does not end
/// in the last [`MAX_SMALL`] bytes of the address space.
pub(crate) struct Chunk(NonNull<Footer>);

struct Footer {
    start: NonNull<u8>,
    layout: Layout,
    older: Option<Chunk>,
}

/// Bytes of a chunk that are not for allocations.
pub(crate) const FOOTER: usize = size_of::<Footer>();

const _: () = assert!(FOOTER.is_multiple_of(MIN_ALIGN) && align_of::<Footer>() <= MIN_ALIGN);

// SAFETY: a `Chunk` owns its memory, and the global allocator frees memory on any thread.
unsafe impl Send for Chunk {}

impl Chunk {
    /// Allocates a chunk of `bytes`, footer included and rounded up to [`MIN_ALIGN`], that begins
    /// aligned to `align`. With `huge` a large chunk asks for huge pages.
    pub(crate) fn try_new(bytes: usize, align: usize, huge: bool) -> Result<Self, AllocError> {
        let refused = AllocError { bytes, align };
        let bytes = bytes.checked_next_multiple_of(MIN_ALIGN).ok_or(refused)?;
        let align = align.max(MIN_ALIGN);
        let layout = Layout::from_size_align(bytes, align).map_err(|_| refused)?;
        let layout = if huge { huge::layout(layout) } else { layout };
        assert!(layout.size() >= FOOTER, "a chunk has room for its footer");
        // SAFETY: needs a size other than 0: asserted above, since a footer has one.
        let start = NonNull::new(unsafe { alloc::alloc(layout) }).ok_or(refused)?;
        if start.addr().get() > usize::MAX - MAX_SMALL - layout.size() {
            // SAFETY: needs a block of the global allocator and its layout: just allocated.
            unsafe { alloc::dealloc(start.as_ptr(), layout) };
            return Err(refused);
        }
        if huge {
            huge::advise(start, layout);
        }
        // SAFETY: needs an offset inside the block: its size is at least the footer's.
        let footer = unsafe { start.add(layout.size() - FOOTER) }.cast::<Footer>();
        // SAFETY: needs memory for a footer that is aligned and nobody else's: these are the last
        // bytes of a block allocated above; start and size are multiples of `MIN_ALIGN`, which is
        // enough for a footer.
        unsafe {
            footer.write(Footer {
                start,
                layout,
                older: None,
            });
        }
        Ok(Self(footer))
    }

    /// First byte for allocations, aligned as the chunk was asked for.
    pub(crate) fn start(&self) -> NonNull<u8> {
        self.footer().start
    }

    /// End of the bytes for allocations.
    pub(crate) fn end(&self) -> NonNull<u8> {
        self.0.cast()
    }

    /// Bytes held from the global allocator by this chunk alone.
    pub(crate) fn bytes(&self) -> usize {
        self.footer().layout.size()
    }

    /// Bytes for allocations.
    pub(crate) fn room(&self) -> usize {
        self.bytes() - FOOTER
    }

    /// Whether this chunk's list has others.
    pub(crate) fn has_older(&self) -> bool {
        self.footer().older.is_some()
    }

    /// Takes the older chunks out of this chunk's list.
    pub(crate) fn take_older(&mut self) -> Option<Self> {
        self.footer_mut().older.take()
    }

    /// Puts `older` behind the last chunk of this chunk's list. Takes O(chunks) time.
    pub(crate) fn append(&mut self, older: Option<Self>) {
        let mut last = self;
        while last.footer().older.is_some() {
            last = last.footer_mut().older.as_mut().expect("just seen");
        }
        last.footer_mut().older = older;
    }

    /// This chunk and the older ones.
    pub(crate) fn list(&self) -> impl Iterator<Item = &Self> {
        std::iter::successors(Some(self), |chunk| chunk.footer().older.as_ref())
    }

    /// The largest chunk of the list; frees the others.
    pub(crate) fn into_largest(mut self) -> Self {
        let mut rest = self.take_older();
        let mut largest = self;
        while let Some(mut chunk) = rest {
            rest = chunk.take_older();
            if chunk.bytes() > largest.bytes() {
                largest = chunk;
            }
        }
        largest
    }

    fn footer(&self) -> &Footer {
        // SAFETY: needs a footer that is initialised and not mutated meanwhile: the invariant, and
        // `footer_mut` borrows the chunk mutably.
        unsafe { self.0.as_ref() }
    }

    fn footer_mut(&mut self) -> &mut Footer {
        // SAFETY: as in `footer`; this is the only borrow because `self` is borrowed mutably.
        unsafe { self.0.as_mut() }
    }
}

impl Drop for Chunk {
    fn drop(&mut self) {
        // In a loop: dropping the link inside the footer would recurse as deep as the list is long.
        let mut older = self.take_older();
        while let Some(mut chunk) = older {
            older = chunk.take_older();
        }
        let Footer { start, layout, .. } = *self.footer();
        // SAFETY: needs a block of the global allocator, its layout, and no second call: the
        // invariant. The footer, which lies in the block, has no link left that needs dropping.
        unsafe { alloc::dealloc(start.as_ptr(), layout) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_list_is_freed_without_recursion() {
        let mut list: Option<Chunk> = None;
        for _ in 0..if cfg!(miri) { 100 } else { 300_000 } {
            let mut chunk = Chunk::try_new(FOOTER + 1, 1, false).unwrap();
            chunk.append(list);
            list = Some(chunk);
        }
    }

    #[test]
    fn the_largest_of_a_list_is_kept_alone() {
        let mut list = Chunk::try_new(100, 1, false).unwrap();
        for bytes in [3000, 200, 1000] {
            let mut chunk = Chunk::try_new(bytes, 1, false).unwrap();
            chunk.append(Some(list));
            list = chunk;
        }
        assert_eq!(list.list().count(), 4);
        let largest = list.into_largest();
        assert_eq!((largest.bytes(), largest.list().count()), (3000, 1));
        assert_eq!(largest.room(), 3000 - FOOTER);
    }
}
