//! Where a series of measurements moved from one level to another. Pure.
//!
//! E-divisive means (Matteson and James, "A Nonparametric Approach for Multiple Change Point
//! Analysis of Multivariate Data", 2014) look for the place where what stands before and after
//! differs most, divide the series there, and go on with both parts. Daly et al. ("The Use of
//! Change Point Detection to Identify Software Performance Regressions", 2020) brought them to
//! performance tests. Hunter (Fleming et al., "Hunter: Using Change Point Detection to Hunt for
//! Performance Regressions", 2023, arXiv 2301.03034), now Apache Otava, looks at windows instead of
//! the whole series, lets Student's t-test decide instead of permutations, takes points that are
//! too weak at first, and removes the weakest again until all are strong. So is it done here, but:
//!
//! - The probability of the t-test is multiplied by the number of values, as Bonferroni does. A
//!   permutation test knows that the place was chosen because it differs, a t-test does not: at
//!   0.001 without this, 1 in 50 series of 50 normal values had a change point, and 1 in 6 of 500.
//! - A level has four values at least, and a short one agrees with itself. Three values of which two
//!   are outliers have the mean of a new level, and Student's test believes it when there are many
//!   values before.
//! - A lone outlier counts as the median of it and its neighbours. It would not make a change point,
//!   but hide one, because it makes the variance of its level large.
//! - Values are compared by their ratios, as logarithms: levels are geometric means.

use std::collections::BTreeSet;

use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::gate::Change;
use crate::stats::{CONFIDENCE, median};

/// The fewest values that make a level.
pub const SHORTEST_LEVEL: usize = 4;

/// The fewest values in which a change point can be found.
pub const SHORTEST_SERIES: usize = 2 * SHORTEST_LEVEL;

/// A level of at most so many values has to agree with itself: at most a fifth of them may be nearer
/// to the level beside it.
const SHORT_LEVEL: usize = 12;

/// How much weaker than in the end a change point may be when it is first taken, as in Hunter: its
/// neighbours are not known yet, and may be what hides it.
const WEAK: f64 = 10.0;

/// How many standard deviations make a lone outlier.
const OUTLIER: f64 = 5.0;

/// What counts as a change point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Search {
    /// How many values are looked at together; half of them again in the next window.
    pub window: usize,
    /// The largest probability that a series of one level only holds a point like this.
    pub p: f64,
    /// The smallest change that matters, as a fraction.
    pub change: f64,
}

impl Default for Search {
    /// Windows of 50 values as in Otava, 1 in 1,000 because there are many cases, and 1 %.
    fn default() -> Self {
        Self {
            window: 50,
            p: 0.001,
            change: 0.01,
        }
    }
}

/// A place where the level changed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ChangePoint {
    /// The first value of the new level.
    pub index: usize,
    /// The old level, up to the change point before.
    pub before: f64,
    /// The new level, up to the next change point.
    pub after: f64,
    /// How much they differ, and the interval that covers that with a probability of 95 % if the
    /// place is right.
    pub change: Change,
    /// The probability that a series of one level only holds a point like this.
    pub p: f64,
}

/// The change points of `values`, in order.
///
/// Takes O(n w) time for every level that a window of w values is divided into, and O(n + w²)
/// memory.
///
/// # Panics
///
/// Panics where a value is not positive and finite.
///
/// # Examples
///
/// ```
/// use bench_harness::changepoint::{Search, change_points};
///
/// let values = [100.0, 101.0, 99.0, 100.5, 99.5, 120.0, 121.0, 119.0, 120.5, 119.5];
/// let found = change_points(&values, &Search::default());
/// assert_eq!(found.len(), 1);
/// assert_eq!(found[0].index, 5);
/// assert!((found[0].change.point - 0.2).abs() < 0.01);
/// ```
pub fn change_points(values: &[f64], search: &Search) -> Vec<ChangePoint> {
    let is_valid = |value: &f64| *value > 0.0 && value.is_finite();
    if let Some(invalid) = values.iter().find(|value| !is_valid(value)) {
        panic!("levels are those of positive values; got {invalid}");
    }
    let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
    let logs = without_outliers(&logs);
    let starts = split(&logs, search);
    merge(&logs, starts, search)
}

/// The level of values that hold no change point: their geometric mean, or `None` where there are
/// none.
pub fn level(values: &[f64]) -> Option<f64> {
    let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
    let logs = without_outliers(&logs);
    (!logs.is_empty()).then(|| mean(&logs).exp())
}

/// The values, with the median of it and its neighbours for each lone outlier.
///
/// Two outliers in a row stay as they are, and so does the first value of a new level.
fn without_outliers(values: &[f64]) -> Vec<f64> {
    let steps: Vec<f64> = values
        .windows(2)
        .map(|pair| (pair[1] - pair[0]).abs())
        .collect();
    let Some(step) = median(&steps).filter(|_| values.len() >= 3) else {
        return values.to_vec();
    };
    // The median size of a difference of two normal values is 0.954 of their standard deviation.
    let limit = OUTLIER * step / 0.954;
    let usual = |at: usize| {
        let start = at.saturating_sub(1).min(values.len() - 3);
        median(&values[start..start + 3]).expect("three values")
    };
    let values = values.iter().enumerate();
    values
        .map(|(at, &value)| match usual(at) {
            usual if (value - usual).abs() > limit => usual,
            _ => value,
        })
        .collect()
}

/// Where levels may begin, ascending: every place that is at least weakly different in a window.
fn split(values: &[f64], search: &Search) -> Vec<usize> {
    let window = search.window.max(SHORTEST_SERIES);
    let limit = WEAK * search.p / values.len() as f64;
    let mut starts = BTreeSet::new();
    let mut start = 0;
    loop {
        let end = values.len().min(start + window);
        let mut found = Vec::new();
        divide(&values[start..end], start, limit, &mut found);
        let last = found.last().copied().unwrap_or(0);
        starts.extend(found);
        if end == values.len() {
            return starts.into_iter().collect();
        }
        start = last.max(start + window / 2);
    }
}

/// Adds the places at which `values`, which begin at `offset`, are to be divided, ascending.
fn divide(values: &[f64], offset: usize, limit: f64, found: &mut Vec<usize>) {
    let Some((at, end)) = most_different(values) else {
        return;
    };
    if Difference::between(&values[..at], &values[at..end]).p > limit {
        return;
    }
    divide(&values[..at], offset, limit, found);
    found.push(offset + at);
    divide(&values[at..], offset + at, limit, found);
}

/// The place before and after which `values` differ most, and how far after; `None` where they are
/// too few.
///
/// The measure is that of Matteson and James: twice the mean distance across the place, less the
/// mean distances on both sides, times `m n / (m + n)`. What stands after the place may end before
/// the values do, or a level that is left again would hide.
///
/// Takes O(n²) time and memory.
fn most_different(values: &[f64]) -> Option<(usize, usize)> {
    // For each value, sums of its distances to those before it, from the first on.
    let distances: Vec<Vec<f64>> = values
        .iter()
        .enumerate()
        .map(|(at, value)| sums(values[..at].iter().map(|other| (value - other).abs())))
        .collect();
    // Sums of all distances within values `start..`, by how many they are.
    let within = |start: usize| {
        let added = (start..values.len()).map(|at| distances[at][at] - distances[at][start]);
        sums(added)
    };
    let all = within(0);
    let mut best: Option<(f64, usize, usize)> = None;
    for at in SHORTEST_LEVEL..values.len() {
        let right = within(at);
        for end in at + SHORTEST_LEVEL..=values.len() {
            let (m, n) = (at as f64, (end - at) as f64);
            let across = all[end] - all[at] - right[end - at];
            let pairs = |count: f64| count * (count - 1.0) / 2.0;
            let divergence =
                2.0 * across / (m * n) - all[at] / pairs(m) - right[end - at] / pairs(n);
            let weighted = divergence * m * n / (m + n);
            if best.is_none_or(|(most, ..)| weighted > most) {
                best = Some((weighted, at, end));
            }
        }
    }
    best.map(|(_, at, end)| (at, end))
}

/// Sums of the first values: of none, of one, and so on.
fn sums(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let sums = values.scan(0.0, |sum, value| {
        *sum += value;
        Some(*sum)
    });
    std::iter::once(0.0).chain(sums).collect()
}

/// Removes the weakest place until all are strong, and says what changes at those that stay.
fn merge(values: &[f64], mut starts: Vec<usize>, search: &Search) -> Vec<ChangePoint> {
    let difference = |starts: &[usize], at: usize| {
        let start = if at == 0 { 0 } else { starts[at - 1] };
        let end = starts.get(at + 1).copied().unwrap_or(values.len());
        let mut difference =
            Difference::between(&values[start..starts[at]], &values[starts[at]..end]);
        difference.p = (difference.p * values.len() as f64).min(1.0);
        difference
    };
    let mut found: Vec<Difference> = (0..starts.len())
        .map(|at| difference(&starts, at))
        .collect();
    while let Some(at) = weakest(&found, search) {
        starts.remove(at);
        found.remove(at);
        // The places beside it have longer levels now.
        for beside in [at.checked_sub(1), Some(at)].into_iter().flatten() {
            if let Some(found) = found.get_mut(beside) {
                *found = difference(&starts, beside);
            }
        }
    }
    let found = starts.into_iter().zip(&found);
    found
        .map(|(index, difference)| difference.at(index))
        .collect()
}

/// The least certain place, or where all are certain the one of the smallest change; `None` where
/// that is large enough.
fn weakest(found: &[Difference], search: &Search) -> Option<usize> {
    let places = || found.iter().enumerate();
    let (at, doubtful) = places().max_by(|(_, one), (_, other)| one.p.total_cmp(&other.p))?;
    if doubtful.p > search.p {
        return Some(at);
    }
    let size = |difference: &Difference| difference.change(0.0).abs();
    let (at, small) = places().min_by(|(_, one), (_, other)| size(one).total_cmp(&size(other)))?;
    (size(small) < search.change).then_some(at)
}

/// How two levels of logarithms differ, by Student's t-test.
#[derive(Clone, Copy, Debug)]
struct Difference {
    before: f64,
    after: f64,
    /// Half of the interval around their difference.
    half_width: f64,
    p: f64,
}

impl Difference {
    /// What is no level differs from nothing.
    fn between(one: &[f64], other: &[f64]) -> Self {
        let (before, after) = (mean(one), mean(other));
        let certain = |p| Self {
            before,
            after,
            half_width: 0.0,
            p,
        };
        if !(is_level(one, before, after) && is_level(other, after, before)) {
            return certain(1.0);
        }
        let squares = |values: &[f64], mean: f64| -> f64 {
            values.iter().map(|value| (value - mean).powi(2)).sum()
        };
        let freedom = (one.len() + other.len() - 2) as f64;
        let variance = (squares(one, before) + squares(other, after)) / freedom;
        let error = (variance * (1.0 / one.len() as f64 + 1.0 / other.len() as f64)).sqrt();
        if error == 0.0 {
            return certain(if before == after { 1.0 } else { 0.0 });
        }
        let student = StudentsT::new(0.0, 1.0, freedom).expect("at least six degrees of freedom");
        Self {
            before,
            after,
            half_width: error * student.inverse_cdf(f64::midpoint(1.0, CONFIDENCE)),
            p: 2.0 * student.cdf(-(after - before).abs() / error),
        }
    }

    /// `new / old - 1`, where the difference is `more` than it is.
    fn change(&self, more: f64) -> f64 {
        (self.after - self.before + more).exp_m1()
    }

    fn at(&self, index: usize) -> ChangePoint {
        ChangePoint {
            index,
            before: self.before.exp(),
            after: self.after.exp(),
            change: Change {
                point: self.change(0.0),
                low: self.change(-self.half_width),
                high: self.change(self.half_width),
            },
            p: self.p,
        }
    }
}

/// Whether values with this mean are a level, beside one with the mean `beside`.
fn is_level(values: &[f64], mean: f64, beside: f64) -> bool {
    let strays = values
        .iter()
        .filter(|&value| (value - mean).abs() > (value - beside).abs())
        .count();
    values.len() >= SHORTEST_LEVEL && (values.len() > SHORT_LEVEL || 5 * strays <= values.len())
}

fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use oorandom::Rand64;

    /// Noise of 1 % that is normal in its logarithm.
    fn normal(random: &mut Rand64) -> f64 {
        let radius = (-2.0 * (1.0 - random.rand_float()).ln()).sqrt();
        let angle = std::f64::consts::TAU * random.rand_float();
        (0.01 * radius * angle.cos()).exp()
    }

    /// A series of noise around a level for each place.
    fn series(seed: u128, count: usize, level: impl Fn(usize) -> f64) -> Vec<f64> {
        let mut random = Rand64::new(seed);
        (0..count)
            .map(|at| level(at) * normal(&mut random))
            .collect()
    }

    fn indices(values: &[f64]) -> Vec<usize> {
        let found = change_points(values, &Search::default());
        found.iter().map(|point| point.index).collect()
    }

    /// In how many of 200 series exactly the expected places were found.
    fn exact(count: usize, expected: &[usize], level: impl Fn(usize) -> f64) -> usize {
        (0..200)
            .filter(|&seed| indices(&series(seed, count, &level)) == expected)
            .count()
    }

    #[track_caller]
    fn check(count: usize, expected: &[usize], level: impl Fn(usize) -> f64) {
        let exact = exact(count, expected, level);
        assert!(exact >= 190, "{exact} of 200");
    }

    #[test]
    fn step_is_found_where_it_is() {
        check(20, &[10], |at| if at < 10 { 100.0 } else { 106.0 });
        check(200, &[137], |at| if at < 137 { 100.0 } else { 94.0 });
    }

    #[test]
    fn newest_step_is_found_after_four_values() {
        check(24, &[20], |at| if at < 20 { 100.0 } else { 108.0 });
        for values in [1, 2] {
            check(20 + values, &[], |at| if at < 20 { 100.0 } else { 108.0 });
        }
    }

    #[test]
    fn two_steps_are_found_also_where_the_second_undoes_the_first() {
        check(60, &[20, 40], |at| 100.0 + 6.0 * (at / 20) as f64);
        let plateau = |at| {
            if (20..28).contains(&at) { 107.0 } else { 100.0 }
        };
        check(60, &[20, 28], plateau);
    }

    #[test]
    fn steps_of_different_windows_are_found() {
        let level = |at| if at % 200 < 100 { 100.0 } else { 107.0 };
        check(500, &[100, 200, 300, 400], level);
    }

    #[test]
    fn slope_is_cut_into_steps_in_its_direction() {
        for seed in 0..50 {
            let values = series(seed, 80, |at| 100.0 * (1.0 + at as f64 / 200.0));
            let found = change_points(&values, &Search::default());
            assert!(!found.is_empty());
            assert!(
                found.iter().all(|point| point.change.low > 0.0),
                "{found:?}"
            );
        }
    }

    #[test]
    fn lone_outlier_is_no_change_point_wherever_it_stands() {
        for place in [0, 1, 10, 30, 58, 59] {
            check(60, &[], |at| if at == place { 300.0 } else { 100.0 });
        }
    }

    #[test]
    fn outlier_does_not_hide_a_step() {
        let level = |at| match at {
            5 => 200.0,
            at if at < 15 => 100.0,
            _ => 106.0,
        };
        check(30, &[15], level);
    }

    #[test]
    fn fewer_than_one_in_a_hundred_series_of_one_level_holds_a_change_point() {
        let uniform = |random: &mut Rand64| 1.0 + 0.04 * random.rand_float();
        let laplace = |random: &mut Rand64| {
            let side = random.rand_float() - 0.5;
            (-0.01 * side.signum() * (1.0 - 2.0 * side.abs()).max(1e-9).ln()).exp()
        };
        // A third of the values lie 4 % higher.
        let two_modes = |random: &mut Rand64| {
            let mode = if random.rand_float() < 0.3 { 1.04 } else { 1.0 };
            mode * normal(random)
        };
        let outliers = |random: &mut Rand64| {
            let factor = if random.rand_float() < 0.05 { 1.3 } else { 1.0 };
            factor * normal(random)
        };
        type Draw<'d> = &'d dyn Fn(&mut Rand64) -> f64;
        let noises: [(&str, Draw<'_>); 5] = [
            ("normal", &normal),
            ("uniform", &uniform),
            ("laplace", &laplace),
            ("two modes", &two_modes),
            ("outliers", &outliers),
        ];
        for (name, noise) in noises {
            for (count, trials) in [(8, 2_000), (20, 2_000), (50, 2_000), (200, 300)] {
                let mut random = Rand64::new(1);
                let false_alarms = (0..trials)
                    .filter(|_| {
                        let values: Vec<f64> =
                            (0..count).map(|_| 100.0 * noise(&mut random)).collect();
                        !indices(&values).is_empty()
                    })
                    .count();
                println!("{name}, {count} values: {false_alarms} of {trials}");
                assert!(
                    false_alarms * 100 <= trials,
                    "{name}, {count} values: {false_alarms} of {trials}"
                );
            }
        }
    }

    #[test]
    fn interval_covers_the_change() {
        let covered = (0..400)
            .filter(|&seed| {
                let values = series(seed, 40, |at| if at < 20 { 100.0 } else { 110.0 });
                let found = change_points(&values, &Search::default());
                let change = found[0].change;
                found.len() == 1 && change.low <= 0.1 && 0.1 <= change.high
            })
            .count();
        // 400 trials: four standard errors are 4.4 %.
        assert!((360..=398).contains(&covered), "{covered} of 400");
    }

    #[test]
    fn t_test_is_that_of_the_tables() {
        // Means 3 and 8, variance 2.5 each: t = -5 with 8 degrees of freedom, p = 0.001053, and
        // 95 % lie within 2.306 standard errors, which are 1.
        let difference =
            Difference::between(&[1.0, 2.0, 3.0, 4.0, 5.0], &[6.0, 7.0, 8.0, 9.0, 10.0]);
        assert!((difference.p - 0.001_053).abs() < 1e-6, "{difference:?}");
        assert!(
            (difference.half_width - 2.306).abs() < 1e-3,
            "{difference:?}"
        );
    }

    #[test]
    fn smaller_change_than_what_matters_is_left_out() {
        let tenth = |at: usize| if at.is_multiple_of(2) { 0.1 } else { 0.0 };
        let values: Vec<f64> = (0..40)
            .map(|at| if at < 20 { 100.0 } else { 100.7 } + tenth(at))
            .collect();
        assert_eq!(change_points(&values, &Search::default()), []);
        let all = Search {
            change: 0.0,
            ..Search::default()
        };
        assert_eq!(change_points(&values, &all).len(), 1);
    }

    #[test]
    fn short_series_and_series_without_noise_are_no_trouble() {
        for count in 0..SHORTEST_SERIES {
            let values: Vec<f64> = (0..count).map(|at| 2_f64.powi(at as i32)).collect();
            assert_eq!(indices(&values), [0; 0]);
        }
        assert_eq!(indices(&[100.0; 50]), [0; 0]);
        let step = [[100.0; 4], [101.5; 4]].concat();
        let found = change_points(&step, &Search::default());
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].index, found[0].p), (4, 0.0));
        assert!((found[0].change.point - 0.015).abs() < 1e-9);
        assert_eq!(found[0].change.low, found[0].change.high);
    }

    #[test]
    #[should_panic(expected = "positive values; got 0")]
    fn value_that_is_not_positive_is_a_bug() {
        change_points(&[1.0, 0.0], &Search::default());
    }
}
