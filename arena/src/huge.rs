//! Huge pages: what a chunk must be like to get them, and how to ask for them.
//!
//! A fresh page of memory costs the kernel far more than the allocations that go into it, and most
//! of that is per page: one of 2 MiB is several times cheaper than the 512 usual ones it replaces.

use std::alloc::Layout;
use std::ptr::NonNull;

/// Bytes of a huge page on the common platforms; where it differs, asking is in vain but harmless.
const PAGE: usize = 2 << 20;

/// The layout rounded up so that it can be filled with huge pages; unchanged when it is smaller than
/// one.
pub(crate) fn layout(layout: Layout) -> Layout {
    if layout.size() < PAGE {
        return layout;
    }
    layout
        .align_to(PAGE)
        .map_or(layout, |aligned| aligned.pad_to_align())
}

/// Asks the kernel to back a block of `layout` that begins at `start` with huge pages.
///
/// This is advice, so it may be refused, as by kernels built or set without transparent huge pages;
/// the block then has usual pages and nothing else changes. On systems other than Linux nothing is
/// asked.
pub(crate) fn advise(start: NonNull<u8>, layout: Layout) {
    #[cfg(all(target_os = "linux", not(miri)))]
    if layout.size() >= PAGE && layout.align() >= PAGE {
        use rustix::mm::{Advice, madvise};
        // SAFETY: needs a range of memory that may be advised about: `start` begins a block of
        // `layout`, which is made of whole pages, and this advice changes no contents.
        let _ = unsafe { madvise(start.as_ptr().cast(), layout.size(), Advice::LinuxHugepage) };
    }
    #[cfg(not(all(target_os = "linux", not(miri))))]
    let _ = (start, layout);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(bytes: usize, expected_bytes: usize, expected_align: usize) {
        let layout = layout(Layout::from_size_align(bytes, 16).unwrap());
        assert_eq!(
            (layout.size(), layout.align()),
            (expected_bytes, expected_align)
        );
    }

    #[test]
    fn only_blocks_of_a_huge_page_and_more_are_rounded_up() {
        check(PAGE - 1, PAGE - 1, 16);
        check(PAGE, PAGE, PAGE);
        check(PAGE + 1, 2 * PAGE, PAGE);
    }

    #[test]
    fn a_block_too_large_to_be_rounded_up_stays() {
        let bytes = isize::MAX as usize - 15;
        check(bytes, bytes, 16);
    }
}
