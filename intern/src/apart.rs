//! What threads write often, away from what they read.

/// A value alone in two cache lines, which the processor fetches together.
#[derive(Debug)]
#[repr(align(128))]
pub(crate) struct Apart<T>(pub(crate) T);
