//! Numbers computed from runs. Everything here is a pure function of its arguments.
//!
//! The unit of repetition is the process: samples of one process share its memory layout, heap
//! and predictor state, so their spread says little about the next process. Each process gives
//! one number, the median of its samples, and estimates are made over those.

use statrs::distribution::{Beta, ContinuousCDF};

/// A number computed from processes, and the range it plausibly lies in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// Median over the processes.
    pub point: f64,
    /// Lower end of the interval.
    pub low: f64,
    /// Upper end of the interval.
    pub high: f64,
    /// Probability that an interval made this way covers the true median.
    pub confidence: f64,
}

/// What intervals aim at.
pub const CONFIDENCE: f64 = 0.95;

/// The median of `values`, or `None` when there are none.
///
/// Takes O(n log n) time.
///
/// # Examples
///
/// ```
/// assert_eq!(bench_harness::stats::median(&[3.0, 1.0, 2.0]), Some(2.0));
/// ```
pub fn median(values: &[f64]) -> Option<f64> {
    let sorted = sorted(values);
    let middle = sorted.len() / 2;
    match sorted.len() {
        0 => None,
        length if length % 2 == 1 => Some(sorted[middle]),
        _ => Some(f64::midpoint(sorted[middle - 1], sorted[middle])),
    }
}

/// Median and interval of `values`, one for each process, or `None` when there are none.
///
/// The interval reaches from the k-th smallest to the k-th largest value, with the largest k that
/// keeps the confidence at [`CONFIDENCE`] or above, and k = 1 where no k does. Its confidence is
/// exact for any continuous distribution: the true median lies outside only when fewer than k
/// values fall on one of its sides (David and Nagaraja, *Order Statistics*, section 7.1). Five
/// processes cannot reach 95 %, six can.
///
/// Takes O(n log n) time.
///
/// # Examples
///
/// ```
/// let estimate = bench_harness::stats::estimate(&[5.0, 3.0, 4.0, 9.0, 1.0, 2.0]).unwrap();
/// assert_eq!((estimate.low, estimate.point, estimate.high), (1.0, 3.5, 9.0));
/// assert!((estimate.confidence - (1.0 - 2.0 / 64.0)).abs() < 1e-12);
/// ```
pub fn estimate(values: &[f64]) -> Option<Estimate> {
    let point = median(values)?;
    let sorted = sorted(values);
    let (rank, confidence) = rank_and_confidence(sorted.len());
    Some(Estimate {
        point,
        low: sorted[rank - 1],
        high: sorted[sorted.len() - rank],
        confidence,
    })
}

/// How many of `count` sorted values it takes from either end to reach the interval of [`estimate`]; no
/// fewer of more values.
///
/// Takes O(n) time.
///
/// # Examples
///
/// ```
/// // From the second smallest of ten processes to the second largest.
/// assert_eq!(bench_harness::stats::interval_rank(10), 2);
/// ```
pub fn interval_rank(count: usize) -> usize {
    rank_and_confidence(count).0
}

/// The same, and the confidence of the interval.
fn rank_and_confidence(count: usize) -> (usize, f64) {
    // P(X = i) for X binomial(count, 1/2), summed from i = 0; in logarithms, because the first ones
    // are too small for a float when there are a thousand values.
    let mut log_probability = count as f64 * 0.5_f64.ln();
    let mut below = log_probability.exp();
    let mut best = (1, 1.0 - 2.0 * below);
    for rank in 2..=count / 2 {
        log_probability += ((count - rank + 2) as f64 / (rank - 1) as f64).ln();
        below += log_probability.exp();
        let confidence = 1.0 - 2.0 * below;
        if confidence < CONFIDENCE {
            break;
        }
        best = (rank, confidence);
    }
    (best.0, best.1.max(0.0))
}

/// The interval of Clopper and Pearson (1934) for a probability, when something happened in `happened`
/// of `trials` independent trials: it covers the true one in at least [`CONFIDENCE`] of all cases,
/// whatever that is.
///
/// # Panics
///
/// Panics when it happened more often than it was tried.
///
/// # Examples
///
/// ```
/// // Nothing in ten trials does not yet mean never.
/// let (low, high) = bench_harness::stats::proportion(0, 10);
/// assert_eq!(low, 0.0);
/// assert!((high - 0.3085).abs() < 1e-4);
/// ```
pub fn proportion(happened: u64, trials: u64) -> (f64, f64) {
    assert!(
        happened <= trials,
        "something happened in {happened} of {trials} trials"
    );
    let tail = (1.0 - CONFIDENCE) / 2.0;
    // The probability with which as many or more happen is a beta distribution's.
    let quantile = |happened: u64, other: u64, probability| {
        Beta::new(happened as f64, other as f64)
            .expect("both counts are positive")
            .inverse_cdf(probability)
    };
    let other = trials - happened;
    (
        match happened {
            0 => 0.0,
            _ => quantile(happened, other + 1, tail),
        },
        match other {
            0 => 1.0,
            _ => quantile(happened + 1, other, 1.0 - tail),
        },
    )
}

/// The exponent b of `y = a * x^b` by least squares on the logarithms.
///
/// `None` with fewer than three different x, or where a value is not positive.
///
/// # Examples
///
/// ```
/// let quadratic = [(1.0, 3.0), (10.0, 300.0), (100.0, 30_000.0)];
/// let exponent = bench_harness::stats::growth_exponent(&quadratic).unwrap();
/// assert!((exponent - 2.0).abs() < 1e-9);
/// ```
pub fn growth_exponent(points: &[(f64, f64)]) -> Option<f64> {
    if points.iter().any(|&(x, y)| x <= 0.0 || y <= 0.0) {
        return None;
    }
    let logs: Vec<(f64, f64)> = points.iter().map(|&(x, y)| (x.ln(), y.ln())).collect();
    let mut positions: Vec<f64> = logs.iter().map(|&(x, _)| x).collect();
    positions.sort_by(f64::total_cmp);
    positions.dedup();
    if positions.len() < 3 {
        return None;
    }
    let count = logs.len() as f64;
    let mean_x = logs.iter().map(|&(x, _)| x).sum::<f64>() / count;
    let mean_y = logs.iter().map(|&(_, y)| y).sum::<f64>() / count;
    let covariance: f64 = logs.iter().map(|&(x, y)| (x - mean_x) * (y - mean_y)).sum();
    let variance: f64 = logs.iter().map(|&(x, _)| (x - mean_x).powi(2)).sum();
    Some(covariance / variance)
}

fn sorted(values: &[f64]) -> Vec<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn ranks_are_those_of_the_tables() {
        // Hand-computed from the binomial distribution with p = 1/2.
        for (count, confidence) in [(1, 0.0), (3, 0.75), (5, 0.9375), (6, 0.96875)] {
            assert_eq!(interval_rank(count), 1);
            assert!((rank_and_confidence(count).1 - confidence).abs() < 1e-12);
        }
        assert_eq!(interval_rank(9), 2);
        assert_eq!(interval_rank(10), 2);
        assert!((rank_and_confidence(10).1 - 0.978_515_625).abs() < 1e-12);
        assert_eq!(interval_rank(20), 6);
        assert_eq!(interval_rank(100), 40);
        assert!((1..1_000).all(|count| interval_rank(count) <= interval_rank(count + 1)));
        // The normal approximation gives 2500 - 1.96 * sqrt(5000) / 2 = 2430.7.
        let (rank, confidence) = rank_and_confidence(5_000);
        assert!((2_429..=2_432).contains(&rank), "{rank}");
        assert!((0.95..0.953).contains(&confidence), "{confidence}");
    }

    /// How often the interval over `count` draws covers the median of the distribution.
    fn coverage(
        count: usize,
        draw: impl Fn(&mut oorandom::Rand64) -> f64,
        true_median: f64,
    ) -> f64 {
        let mut random = oorandom::Rand64::new(1);
        let trials = 20_000;
        let covered = (0..trials)
            .filter(|_| {
                let values: Vec<f64> = (0..count).map(|_| draw(&mut random)).collect();
                let estimate = estimate(&values).unwrap();
                estimate.low <= true_median && true_median <= estimate.high
            })
            .count();
        covered as f64 / f64::from(trials)
    }

    #[test]
    fn coverage_is_what_is_promised_for_symmetric_skewed_and_heavy_tailed_distributions() {
        let uniform = |random: &mut oorandom::Rand64| random.rand_float();
        let exponential = |random: &mut oorandom::Rand64| -(1.0 - random.rand_float()).ln();
        let cauchy = |random: &mut oorandom::Rand64| {
            (std::f64::consts::PI * (random.rand_float() - 0.5)).tan()
        };
        for count in [3, 6, 10, 15] {
            let promised = rank_and_confidence(count).1;
            for measured in [
                coverage(count, uniform, 0.5),
                coverage(count, exponential, std::f64::consts::LN_2),
                coverage(count, cauchy, 0.0),
            ] {
                // 20 000 trials: four standard errors are below 0.013.
                assert!(
                    (measured - promised).abs() < 0.013,
                    "{count} values: {measured} against {promised}"
                );
            }
        }
    }

    #[track_caller]
    fn check_proportion(happened: u64, trials: u64, low: f64, high: f64) {
        let interval = proportion(happened, trials);
        assert!((interval.0 - low).abs() < 1e-9, "{interval:?}");
        assert!((interval.1 - high).abs() < 1e-9, "{interval:?}");
    }

    #[test]
    fn proportions_are_those_of_the_tables() {
        // By bisection of the binomial sums in decimal arithmetic of 50 digits.
        check_proportion(0, 1, 0.0, 0.975_000_000_0);
        check_proportion(1, 1, 0.025_000_000_0, 1.0);
        check_proportion(0, 10, 0.0, 0.308_497_107_8);
        check_proportion(1, 10, 0.002_528_578_5, 0.445_016_117_0);
        check_proportion(5, 10, 0.187_086_028_4, 0.812_913_971_6);
        check_proportion(10, 60, 0.082_928_810_2, 0.285_219_254_8);
        check_proportion(23, 80, 0.191_760_472_0, 0.399_545_113_3);
        check_proportion(18, 42, 0.277_206_747_8, 0.590_388_729_2);
        check_proportion(2, 4_899, 0.000_049_444_4, 0.001_473_940_8);
        check_proportion(60, 60, 0.940_370_507_7, 1.0);
    }

    #[test]
    fn proportion_leaves_each_tail_its_share() {
        // P(X <= happened) for X binomial, term by term.
        let at_most = |happened: u64, trials: u64, probability: f64| {
            // In logarithms, because the first terms are too small for a float.
            let mut log_term = trials as f64 * (1.0 - probability).ln();
            let mut sum = log_term.exp();
            for k in 0..happened {
                log_term += ((trials - k) as f64 / (k + 1) as f64).ln();
                log_term += (probability / (1.0 - probability)).ln();
                sum += log_term.exp();
            }
            sum
        };
        for trials in [1, 2, 7, 20, 60, 300] {
            for happened in 0..trials {
                let high = proportion(happened, trials).1;
                let tail = at_most(happened, trials, high);
                assert!(
                    (tail - 0.025).abs() < 1e-9,
                    "{happened} of {trials}: {tail}"
                );
                let low = proportion(happened + 1, trials).0;
                let tail = at_most(happened, trials, low);
                assert!(
                    (tail - 0.975).abs() < 1e-9,
                    "{happened} of {trials}: {tail}"
                );
            }
        }
    }

    #[test]
    #[should_panic(expected = "in 3 of 2 trials")]
    fn more_events_than_trials_are_refused() {
        proportion(3, 2);
    }

    #[test]
    fn no_values_give_no_estimate() {
        assert_eq!(estimate(&[]), None);
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn exponent_needs_three_positions_and_positive_values() {
        assert_eq!(growth_exponent(&[(1.0, 1.0), (2.0, 2.0), (2.0, 2.1)]), None);
        assert_eq!(growth_exponent(&[(1.0, 1.0), (2.0, 0.0), (3.0, 2.1)]), None);
    }

    proptest! {
        #[test]
        fn estimate_lies_inside_its_interval(values in prop::collection::vec(0.1f64..1e9, 1..40)) {
            let estimate = estimate(&values).unwrap();
            prop_assert!(estimate.low <= estimate.point && estimate.point <= estimate.high);
        }

        #[test]
        fn exponent_is_recovered(exponent in -1.0f64..3.0, scale in 0.1f64..1e3) {
            let points: Vec<(f64, f64)> =
                [10.0f64, 100.0, 1000.0].iter().map(|&x| (x, scale * x.powf(exponent))).collect();
            prop_assert!((growth_exponent(&points).unwrap() - exponent).abs() < 1e-6);
        }
    }
}
