//! What an interner holds, and how well its table is filled.

/// What an interner holds, and how far its strings are from where they are looked for first.
///
/// # Examples
///
/// ```
/// use intern::{Compact, Interner};
///
/// let mut names = Compact::default();
/// for number in 0..1000 {
///     names.intern(&format!("node-{number}"));
/// }
/// let statistics = names.statistics();
/// assert_eq!(statistics.strings, 1000);
/// assert!(statistics.load() < 1.0);
/// assert!(statistics.mean_probes >= 1.0);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Statistics {
    /// Number of strings.
    pub strings: usize,
    /// Bytes of the strings that the interner holds, without those that were interned without a copy.
    pub text_bytes: usize,
    /// Bytes held from the global allocator, the strings included.
    pub held_bytes: usize,
    /// Strings that would fill the table.
    pub slots: usize,
    /// Groups of slots that are looked at to find a string, on average; 0 when there is none.
    pub mean_probes: f64,
    /// Groups of slots that are looked at to find the string that is farthest.
    pub most_probes: usize,
}

impl Statistics {
    pub(crate) fn new(
        probes: impl Iterator<Item = usize>,
        text_bytes: usize,
        held_bytes: usize,
        slots: usize,
    ) -> Self {
        let (strings, all_probes, most_probes) = probes
            .fold((0, 0, 0), |(strings, all, most), probes| {
                (strings + 1, all + probes, probes.max(most))
            });
        Self {
            strings,
            text_bytes,
            held_bytes,
            slots,
            mean_probes: all_probes as f64 / strings.max(1) as f64,
            most_probes,
        }
    }

    /// Part of the table that is filled, from 0 to 1.
    pub fn load(&self) -> f64 {
        self.strings as f64 / self.slots.max(1) as f64
    }
}
