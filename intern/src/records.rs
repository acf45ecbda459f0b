//! Strings and their symbols, written once and read by anybody who knows where.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ops::Range;

use crate::apart::Apart;
use crate::budget::Budget;
use crate::growing::{Growing, segment_end};
use crate::length::Length;
use crate::sync::{AtomicU32, Blank, Ordering};
use crate::{InternError, Symbol};

/// Bytes of a record before its string: the symbol, and a byte for the length.
const HEADER: u32 = 5;
/// In place of the length of a string that lies elsewhere: its address and length follow.
const STATIC: u8 = 254;
/// In place of this length and of longer ones: 4 bytes of length follow, then the string.
const LONG: u8 = 255;

/// How far the length of a record is shifted to the left in its place.
const LENGTH_SHIFT: u32 = 56;

/// Records by their positions, which are never 0.
#[derive(Debug)]
pub(crate) struct Records {
    bytes: Growing<Byte>,
    /// The first position that nobody has taken.
    free: Apart<AtomicU32>,
}

#[derive(Debug)]
#[repr(transparent)]
struct Byte(UnsafeCell<MaybeUninit<u8>>);

impl Blank for Byte {
    /// None of them has a value.
    fn blank(count: usize) -> Option<Box<[Self]>> {
        let mut bytes = Vec::new();
        bytes.try_reserve_exact(count).ok()?;
        // SAFETY: needs so many bytes of capacity, of which each is a value: any memory is.
        unsafe { bytes.set_len(count) };
        Some(bytes.into_boxed_slice())
    }
}

// SAFETY: a byte is written only by who took its position, before it tells anybody of it by a store
// that others acquire, and never again; see `Records::write`.
unsafe impl Sync for Byte {}

/// What a record is written from.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    Copied(&'a [u8]),
    Static(&'static str),
}

impl Source<'_> {
    /// What the header says of the length.
    #[inline]
    fn header_length(self) -> u8 {
        match self {
            Self::Copied(string) if string.len() < usize::from(STATIC) => string.len() as u8,
            Self::Copied(_) => LONG,
            Self::Static(_) => STATIC,
        }
    }

    /// Bytes of the record.
    #[inline]
    pub(crate) fn record_bytes(self) -> usize {
        HEADER as usize
            + match self {
                Self::Copied(string) if string.len() < usize::from(STATIC) => string.len(),
                Self::Copied(string) => size_of::<u32>() + string.len(),
                Self::Static(_) => size_of::<(usize, usize)>(),
            }
    }
}

impl Records {
    pub(crate) fn new() -> Self {
        Self {
            bytes: Growing::new(),
            free: Apart(AtomicU32::new(1)),
        }
    }

    /// Positions that were taken, or given up.
    pub(crate) fn taken(&self) -> usize {
        self.free.0.load(Ordering::Relaxed) as usize
    }

    /// Positions that nobody else has, of so many bytes in one piece.
    ///
    /// # Errors
    ///
    /// Fails when there are not so many positions left, when `budget` does not suffice, or when no
    /// memory is left.
    pub(crate) fn take(&self, bytes: usize, budget: &Budget) -> Result<Range<u32>, InternError> {
        let mut free = self.free.0.load(Ordering::Relaxed);
        loop {
            let range = range_from(free, bytes)?;
            self.bytes.need(range.start, budget)?;
            // `Relaxed`: a number that nobody else gets; who publishes a record publishes its segment.
            match self.free.0.compare_exchange_weak(
                free,
                range.end,
                Ordering::Relaxed,
                Ordering::Relaxed,
            ) {
                Ok(_) => return Ok(range),
                Err(now) => free = now,
            }
        }
    }

    /// Writes the record of a string of that class at `position`.
    ///
    /// # Safety
    ///
    /// The position begins a range of [`Source::record_bytes`] that [`take`](Self::take) gave, of
    /// which nobody else knows.
    #[inline(always)]
    pub(crate) unsafe fn write<L: Length>(
        &self,
        position: u32,
        symbol: Symbol,
        source: Source<'_>,
    ) {
        let record = self.record(position).cast_mut();
        // SAFETY: needs a range in one piece, which is written by nobody else: the caller's word.
        let record = unsafe {
            std::slice::from_raw_parts_mut(record.cast::<MaybeUninit<u8>>(), source.record_bytes())
        };
        let (header, rest) = record.split_at_mut(HEADER as usize);
        let [a, b, c, d] = symbol.number().to_le_bytes();
        match source {
            Source::Copied(string) if string.len() < usize::from(STATIC) => {
                L::copy(string, rest);
            }
            Source::Copied(string) => {
                let (length, rest) = rest.split_at_mut(size_of::<u32>());
                length.write_copy_of_slice(&(string.len() as u32).to_le_bytes());
                rest.write_copy_of_slice(string);
            }
            Source::Static(string) => {
                let (address, length) = rest.split_at_mut(size_of::<usize>());
                let address: *mut *const u8 = address.as_mut_ptr().cast();
                // SAFETY: needs room for a pointer, which may be unaligned: half of the rest.
                unsafe { address.write_unaligned(string.as_ptr()) };
                length.write_copy_of_slice(&string.len().to_ne_bytes());
            }
        }
        header.write_copy_of_slice(&[a, b, c, d, source.header_length()]);
    }

    /// The symbol of a record if it is a copy of `string`, which is of that class and shorter than
    /// 254 bytes.
    ///
    /// # Safety
    ///
    /// At `position`, a record was written before.
    #[inline(always)]
    pub(crate) unsafe fn symbol_of_short<L: Length>(
        &self,
        position: u32,
        string: &[u8],
    ) -> Option<Symbol> {
        // SAFETY: the caller's word.
        let (record, header) = unsafe { self.header(position) };
        if usize::from(header.length) != string.len() || (L::LONG && header.length >= STATIC) {
            return None;
        }
        let bytes = record.wrapping_add(HEADER as usize);
        // SAFETY: needs so many bytes that nobody writes: a record of that length has them.
        let bytes = unsafe { std::slice::from_raw_parts(bytes, string.len()) };
        if L::equal(bytes, string) {
            header.symbol
        } else {
            None
        }
    }

    /// The symbol of a record if it is of `string` and not a copy shorter than 254 bytes.
    ///
    /// # Safety
    ///
    /// At `position`, a record was written before.
    #[inline(always)]
    pub(crate) unsafe fn symbol_of_special(&self, position: u32, string: &[u8]) -> Option<Symbol> {
        // SAFETY: the caller's word.
        let (_, header) = unsafe { self.header(position) };
        if header.length < STATIC {
            return None;
        }
        // SAFETY: the caller's word.
        let same = unsafe { self.string(position) }.as_bytes() == string;
        if same { header.symbol } else { None }
    }

    /// Whether a record's string lies elsewhere.
    ///
    /// # Safety
    ///
    /// At `position`, a record was written before.
    pub(crate) unsafe fn is_static(&self, position: u32) -> bool {
        // SAFETY: the caller's word.
        let (_, header) = unsafe { self.header(position) };
        header.length == STATIC
    }

    /// The string of a record.
    ///
    /// # Safety
    ///
    /// At `position`, a record was written before.
    #[inline(always)]
    pub(crate) unsafe fn string(&self, position: u32) -> &str {
        // SAFETY: the caller's word.
        let (record, header) = unsafe { self.header(position) };
        // SAFETY: the caller's word; the length is that of the header.
        unsafe { string_at(record, header.length) }
    }

    /// The address of a record with that length in its header, and the length in the highest byte,
    /// which is 0 in addresses of a process: who resolves waits for nothing but the string.
    ///
    /// # Panics
    ///
    /// Panics when it is not 0.
    pub(crate) fn place(&self, position: u32, source: Source<'_>) -> *mut u8 {
        const { assert!(usize::BITS == 64, "an address leaves a byte for the length") };
        let record = self.record(position).cast_mut();
        assert!(
            record.addr() >> LENGTH_SHIFT == 0,
            "an address of a process has 56 bits"
        );
        let length = usize::from(source.header_length());
        record.map_addr(|address| address | length << LENGTH_SHIFT)
    }

    /// The string of a record.
    ///
    /// # Safety
    ///
    /// [`place`](Self::place) gave the place of it, and the record was written before.
    #[inline(always)]
    pub(crate) unsafe fn string_in(&self, place: *mut u8) -> &str {
        let length = (place.addr() >> LENGTH_SHIFT) as u8;
        let record = place.map_addr(|address| address & ((1 << LENGTH_SHIFT) - 1));
        // SAFETY: needs a record of that length, which lives as long as `self`: the caller's word.
        unsafe { string_at(record, length) }
    }

    /// Has the processor fetch a record of up to 32 bytes.
    #[inline(always)]
    pub(crate) fn prefetch(&self, position: u32) {
        let record = self.record(position);
        crate::prefetch_at(record);
        crate::prefetch_at(record.wrapping_add(HEADER as usize + 32));
    }

    /// Where a record is, and what it begins with.
    ///
    /// # Safety
    ///
    /// At `position`, a record was written before.
    #[inline(always)]
    unsafe fn header(&self, position: u32) -> (*const u8, Header) {
        let record = self.record(position);
        // SAFETY: needs five bytes that nobody writes: every record has them.
        let [a, b, c, d, length] = unsafe { record.cast::<[u8; HEADER as usize]>().read() };
        let symbol = Symbol::from_number(u32::from_le_bytes([a, b, c, d]));
        (record, Header { symbol, length })
    }

    /// Where the record at a position is, if the position was taken.
    #[inline(always)]
    fn record(&self, position: u32) -> *const u8 {
        self.bytes.pointer(position).cast()
    }
}

/// The string of a record, of which the header has that `length`.
///
/// # Safety
///
/// There is a record of that length, which lives as long as the string is used.
#[inline(always)]
unsafe fn string_at<'a>(record: *const u8, length: u8) -> &'a str {
    let rest = record.wrapping_add(HEADER as usize);
    let (bytes, length) = match length {
        // SAFETY: needs a record of such a header.
        STATIC.. => unsafe { elsewhere(rest, length) },
        length => (rest, usize::from(length)),
    };
    // SAFETY: needs so many bytes that nobody writes: the record has them, or says where they are.
    let bytes = unsafe { std::slice::from_raw_parts(bytes, length) };
    debug_assert!(std::str::from_utf8(bytes).is_ok());
    // SAFETY: needs a string, which records are written from.
    unsafe { std::str::from_utf8_unchecked(bytes) }
}

/// What a record begins with.
struct Header {
    symbol: Option<Symbol>,
    length: u8,
}

/// The bytes of a string whose length is not in its header, and the length; `rest` is what follows
/// the header.
///
/// # Safety
///
/// `rest` belongs to a record with that length in its header.
#[cold]
#[inline(never)]
unsafe fn elsewhere(rest: *const u8, length: u8) -> (*const u8, usize) {
    if length == STATIC {
        let address: *const *const u8 = rest.cast();
        let length: *const usize = rest.wrapping_add(size_of::<usize>()).cast();
        // SAFETY: needs a pointer, which may be unaligned: such a record has it here.
        let address = unsafe { address.read_unaligned() };
        // SAFETY: the same for the length behind it.
        return (address, unsafe { length.read_unaligned() });
    }
    let length: *const u32 = rest.cast();
    // SAFETY: needs a number, which may be unaligned: such a record has it here.
    let length = u32::from_le(unsafe { length.read_unaligned() });
    (rest.wrapping_add(size_of::<u32>()), length as usize)
}

/// The first range of so many positions from `free` on that lies in one segment.
fn range_from(free: u32, bytes: usize) -> Result<Range<u32>, InternError> {
    let mut start = free;
    loop {
        // The segment in which 32 bits end is not used: 4 GiB for 1023 positions.
        let end = u32::try_from(segment_end(start)).map_err(|_| InternError::TooMuchText)?;
        if bytes <= (end - start) as usize {
            return Ok(start..start + bytes as u32);
        }
        // What is left of a segment that is too short is given up.
        start = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_lie_in_one_segment() {
        assert_eq!(range_from(1, 1023).unwrap(), 1..1024);
        assert_eq!(range_from(1, 1024).unwrap(), 1024..2048);
        assert_eq!(range_from(2000, 2048).unwrap(), 3072..5120);
        let end = u32::MAX - 1023;
        assert_eq!(range_from(end - 3, 3).unwrap(), end - 3..end);
        for (free, bytes) in [
            (end - 3, 4),
            (end, 1),
            (u32::MAX, 1),
            // More than the longest segment.
            (1, (1 << 31) + 1),
            (1, u32::MAX as usize),
            (1, 1 << 32),
            (1, usize::MAX / 2),
        ] {
            assert_eq!(range_from(free, bytes), Err(InternError::TooMuchText));
        }
    }
}
