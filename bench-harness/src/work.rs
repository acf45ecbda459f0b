//! Work for nodes and inputs for routines.

use std::hint::black_box;

/// Rounds of [`spin`] that take about a microsecond on the 4 GHz x86-64 machine they were counted
/// on. On others, compare with the time of a sequential run.
const ROUNDS_A_MICROSECOND: f64 = 750.0;

/// Computes for about `nanoseconds`.
///
/// The amount of work is fixed, not the time: two threads that share a core take twice as long,
/// as real work would, and every process executes the same instructions.
#[inline]
pub fn spin(nanoseconds: f64) {
    let rounds = (nanoseconds * (ROUNDS_A_MICROSECOND / 1_000.0)) as u64;
    let mut state = black_box(0x9E37_79B9_7F4A_7C15_u64);
    for _ in 0..rounds {
        // xorshift64 (Marsaglia, 2003): a chain of dependent operations that cannot be vectorised.
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    black_box(state);
}

/// Puts `items` into an order that depends on `seed` alone, each order as likely as any other
/// (Fisher and Yates, as in Knuth, *The Art of Computer Programming*, algorithm 3.4.2P).
///
/// # Examples
///
/// ```
/// let mut order = [0, 1, 2, 3, 4];
/// bench_harness::shuffle(&mut order, 1);
/// let mut same = [0, 1, 2, 3, 4];
/// bench_harness::shuffle(&mut same, 1);
/// assert_eq!(order, same);
/// ```
pub fn shuffle<T>(items: &mut [T], seed: u64) {
    let mut random = oorandom::Rand64::new(seed.into());
    for last in (1..items.len()).rev() {
        items.swap(last, random.rand_range(0..last as u64 + 1) as usize);
    }
}

/// Inputs that take turns, so that a benchmark does not measure how well a branch predictor
/// learned one of them.
#[derive(Clone, Debug)]
pub struct Rotation<T> {
    inputs: Vec<T>,
    next: usize,
}

impl<T> Rotation<T> {
    /// Makes inputs by seed: 16, or fewer where 16 would be more than about 200 000 elements (too
    /// many to be memorised, and slow to make), but at least 2.
    pub fn new(elements: usize, make: impl FnMut(u64) -> T) -> Self {
        let count = (200_000 / elements.max(1)).clamp(2, 16) as u64;
        Self::of((0..count).map(make))
    }

    /// Just these inputs.
    ///
    /// # Panics
    ///
    /// Panics when there are none.
    pub fn of(inputs: impl IntoIterator<Item = T>) -> Self {
        let inputs: Vec<T> = inputs.into_iter().collect();
        assert!(!inputs.is_empty(), "a rotation needs at least 1 input");
        Self { inputs, next: 0 }
    }

    /// The input whose turn it is.
    #[inline]
    pub fn turn(&mut self) -> &T {
        let index = self.turn_index();
        &self.inputs[index]
    }

    /// The same, for inputs that are changed by use.
    #[inline]
    pub fn turn_mut(&mut self) -> &mut T {
        let index = self.turn_index();
        &mut self.inputs[index]
    }

    #[inline]
    fn turn_index(&mut self) -> usize {
        let turn = self.next;
        self.next = if turn + 1 == self.inputs.len() {
            0
        } else {
            turn + 1
        };
        turn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_input_gets_its_turn_in_order() {
        let mut rotation = Rotation::new(1, |seed| seed);
        let turns: Vec<u64> = (0..17).map(|_| *rotation.turn()).collect();
        assert_eq!(turns[..16], (0..16).collect::<Vec<_>>());
        assert_eq!(turns[16], 0);
    }

    #[test]
    fn shuffling_keeps_every_item_and_depends_on_the_seed() {
        let shuffled = |seed| {
            let mut items: Vec<u32> = (0..100).collect();
            shuffle(&mut items, seed);
            items
        };
        let mut sorted = shuffled(1);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..100).collect::<Vec<_>>());
        assert_ne!(shuffled(1), shuffled(2));
        shuffle::<u32>(&mut [], 1);
    }

    #[test]
    fn large_inputs_are_fewer_but_never_one() {
        assert_eq!(Rotation::new(50_000, |_| ()).inputs.len(), 4);
        assert_eq!(Rotation::new(10_000_000, |_| ()).inputs.len(), 2);
    }
}
