//! Bytes that may be held, counted by several threads.

use crate::InternError;
use crate::sync::{AtomicUsize, Ordering};

/// Bytes that are held, and how many may be.
#[derive(Debug)]
pub(crate) struct Budget {
    limit_bytes: usize,
    held_bytes: AtomicUsize,
}

/// Bytes that are counted, and given back unless they are kept: also when a panic comes between.
#[must_use]
pub(crate) struct Taken<'a> {
    budget: &'a Budget,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(limit_bytes: usize) -> Self {
        Self {
            limit_bytes,
            held_bytes: AtomicUsize::new(0),
        }
    }

    /// The same with another limit.
    pub(crate) fn limited(self, limit_bytes: usize) -> Self {
        Self {
            limit_bytes,
            ..self
        }
    }

    pub(crate) fn held(&self) -> usize {
        self.held_bytes.load(Ordering::Relaxed)
    }

    /// Counts that many bytes more, until what it gives is dropped.
    ///
    /// # Errors
    ///
    /// Fails when they would be more than may be held, and counts nothing.
    pub(crate) fn take(&self, bytes: usize) -> Result<Taken<'_>, InternError> {
        // `Relaxed`: only the number matters.
        let mut held = self.held();
        loop {
            let needed = held.saturating_add(bytes);
            if needed > self.limit_bytes {
                return Err(InternError::OverBudget {
                    budget_bytes: self.limit_bytes,
                    needed_bytes: needed,
                });
            }
            let relaxed = Ordering::Relaxed;
            match self
                .held_bytes
                .compare_exchange_weak(held, needed, relaxed, relaxed)
            {
                Ok(_) => {
                    return Ok(Taken {
                        budget: self,
                        bytes,
                    });
                }
                Err(now) => held = now,
            }
        }
    }

    /// Counts that many bytes less, which were taken and kept before.
    pub(crate) fn give_back(&self, bytes: usize) {
        self.held_bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

impl Taken<'_> {
    /// Counts the bytes on: they are held now.
    pub(crate) fn keep(self) {
        std::mem::forget(self);
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.budget.give_back(self.bytes);
    }
}
