//! Numbers computed from runs. Everything here is a pure function of its arguments.
//!
//! The unit of repetition is the process: samples of one process share its memory layout, heap
//! and predictor state, so their spread says little about the next process. Each process gives
//! one number, the median of its samples, and estimates are made over those.

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
    let (rank, confidence) = interval_rank(sorted.len());
    Some(Estimate {
        point,
        low: sorted[rank - 1],
        high: sorted[sorted.len() - rank],
        confidence,
    })
}

/// Rank from both ends of the interval's ends among `count` values, and its confidence.
fn interval_rank(count: usize) -> (usize, f64) {
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
            assert_eq!(interval_rank(count).0, 1);
            assert!((interval_rank(count).1 - confidence).abs() < 1e-12);
        }
        assert_eq!(interval_rank(9).0, 2);
        assert_eq!(interval_rank(10).0, 2);
        assert!((interval_rank(10).1 - 0.978_515_625).abs() < 1e-12);
        assert_eq!(interval_rank(20).0, 6);
        assert_eq!(interval_rank(100).0, 40);
        // The normal approximation gives 2500 - 1.96 * sqrt(5000) / 2 = 2430.7.
        let (rank, confidence) = interval_rank(5_000);
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
            let promised = interval_rank(count).1;
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
