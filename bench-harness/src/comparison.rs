//! What is said of two builds by the numbers of their processes. Pure functions of their arguments.
//!
//! A process gives one number, so the sides are compared by Welch's t test over processes: on
//! logarithms where all numbers are positive, which makes ratios of them. A permutation test would
//! assume less, but cannot call anything significant that was run in three processes a side.

use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::gate::{Change, Verdict};
use crate::stats;

/// One metric of one case on both sides, a number for each process.
#[derive(Clone, Debug, Default)]
pub struct Sides {
    /// The old numbers.
    pub base: Vec<f64>,
    /// The new numbers.
    pub head: Vec<f64>,
    /// Whether larger numbers are better; `None` where nobody knows.
    pub more_is_better: Option<bool>,
    /// Whether repeating gives the same number, so that one process is enough.
    pub exact: bool,
}

/// What is said of one metric of one case.
#[derive(Clone, Debug, PartialEq)]
pub struct Comparison {
    /// Median of the old numbers.
    pub base: f64,
    /// Median of the new numbers.
    pub head: f64,
    /// How much they differ; `None` where one process or nothing stands on a side, and where the
    /// old number is 0.
    pub change: Option<Change>,
    /// What follows.
    pub verdict: Verdict,
    /// The smallest worsening that would have been found with a probability of 95 %.
    pub visible: Option<f64>,
    /// Why there is no verdict.
    pub reason: Option<String>,
}

/// Share of false regressions among all that are found, and of false improvements: half of what an
/// interval of 95 % leaves out, since either errs on one side.
const FALSE_SHARE: f64 = (1.0 - stats::CONFIDENCE) / 2.0;

/// Compares all cases of a suite; a worsening of less than `limit`, a fraction, does not matter.
///
/// A case has regressed when the test that it is not worse than the limit fails, corrected for the
/// number of cases by Benjamini and Hochberg (1995). It has improved when the test that it is not
/// better fails in the same way and the change is beyond the limit. It is equivalent when the
/// interval of the change shows that it is not worse by the limit. Everything else is
/// inconclusive.
///
/// Takes O(n log n) time for n numbers.
///
/// # Examples
///
/// ```
/// use bench_harness::comparison::{Sides, compare};
/// use bench_harness::gate::Verdict;
///
/// let sides = Sides {
///     base: vec![100.0, 101.0, 99.0, 100.0],
///     head: vec![110.0, 111.0, 109.0, 110.0],
///     more_is_better: Some(false),
///     exact: false,
/// };
/// let found = compare(&[sides], 0.01).remove(0);
/// assert_eq!(found.verdict, Verdict::Regressed);
/// let change = found.change.unwrap();
/// assert!(0.08 < change.low && change.low < change.point && change.high < 0.12);
/// ```
pub fn compare(suite: &[Sides], limit: f64) -> Vec<Comparison> {
    let tested: Vec<Result<Contrast, &str>> = suite.iter().map(Contrast::new).collect();
    let count = tested.iter().filter(|contrast| contrast.is_ok()).count();
    let family = |probability: &dyn Fn(&Contrast) -> f64| {
        let found = tested.iter();
        let found = found.map(|contrast| contrast.as_ref().ok().map(probability));
        adjusted(&found.collect::<Vec<_>>())
    };
    let worse = family(&|contrast| contrast.not_above(contrast.scaled(limit)));
    let better = family(&|contrast| contrast.mirrored().not_above(0.0));
    let comparisons = suite.iter().zip(&tested).zip(worse.iter().zip(&better));
    let comparisons = comparisons.map(|((sides, tested), (worse, better))| {
        let middle = |numbers: &[f64]| stats::median(numbers).unwrap_or(f64::NAN);
        let mut comparison = Comparison {
            base: middle(&sides.base),
            head: middle(&sides.head),
            change: None,
            verdict: Verdict::Inconclusive,
            visible: None,
            reason: None,
        };
        let contrast = match tested {
            Ok(contrast) => contrast,
            Err(reason) => {
                comparison.reason = Some((*reason).to_owned());
                return comparison;
            }
        };
        comparison.change = contrast.change();
        comparison.visible = contrast.visible(limit);
        let threshold = contrast.scaled(limit);
        let (low, high) = contrast.interval();
        let holds = |p: &Option<f64>| p.is_some_and(|p| p <= FALSE_SHARE);
        comparison.verdict = if sides.more_is_better.is_none() {
            comparison.reason = Some("nobody says which direction is better".to_owned());
            Verdict::Inconclusive
        } else if holds(worse) {
            Verdict::Regressed
        } else if holds(better) && contrast.worsening <= -threshold {
            Verdict::Improved
        } else if high < threshold || low == high && high <= threshold {
            Verdict::Equivalent
        } else {
            comparison.reason = Some(match low > threshold {
                true => format!("it may be chance, as one of {count} comparisons"),
                false => "the interval reaches across the limit".to_owned(),
            });
            Verdict::Inconclusive
        };
        comparison
    });
    comparisons.collect()
}

/// How much worse the new numbers are: a difference with its standard error.
#[derive(Clone, Copy)]
struct Contrast {
    /// Of logarithms, or of the numbers themselves as parts of the old one; positive is worse.
    worsening: f64,
    error: f64,
    freedom: f64,
    /// Whether it is of logarithms.
    is_ratio: bool,
    /// Whether parts of the old number mean something: it is not 0.
    has_base: bool,
    more_is_better: bool,
}

impl Contrast {
    /// The contrast of two sides, or why there is none.
    fn new(sides: &Sides) -> Result<Self, &'static str> {
        let least = sides.base.len().min(sides.head.len());
        if least == 0 {
            return Err("only a summary is known, which cannot be tested for significance");
        }
        if least == 1 && !sides.exact {
            return Err("one process cannot tell chance from change; measure in several");
        }
        let all = || sides.base.iter().chain(&sides.head);
        let is_ratio = all().all(|&number| number > 0.0);
        let of = |numbers: &[f64]| {
            let values = numbers.iter().map(|&number| match is_ratio {
                true => number.ln(),
                false => number,
            });
            mean_and_variance(&values.collect::<Vec<f64>>())
        };
        let ((base, base_square), (head, head_square)) = (of(&sides.base), of(&sides.head));
        let error = (base_square + head_square).sqrt();
        // Welch and Satterthwaite.
        let part = |square: f64, count: usize| square.powi(2) / (count.max(2) - 1) as f64;
        let freedom = (base_square + head_square).powi(2)
            / (part(base_square, sides.base.len()) + part(head_square, sides.head.len()));
        let unit = match is_ratio || base == 0.0 {
            true => 1.0,
            false => base.abs(),
        };
        let more_is_better = sides.more_is_better == Some(true);
        let sign = if more_is_better { -1.0 } else { 1.0 };
        Ok(Self {
            worsening: sign * (head - base) / unit,
            error: error / unit,
            freedom: if freedom.is_finite() { freedom } else { 1.0 },
            is_ratio,
            has_base: is_ratio || base != 0.0,
            more_is_better,
        })
    }

    /// The same with worse and better exchanged.
    fn mirrored(self) -> Self {
        Self {
            worsening: -self.worsening,
            ..self
        }
    }

    /// A worsening, as a fraction, on the scale of the contrast.
    fn scaled(&self, fraction: f64) -> f64 {
        match (self.is_ratio, self.has_base) {
            (true, _) => fraction.ln_1p(),
            (false, true) => fraction,
            // Of nothing, every part is nothing.
            (false, false) => 0.0,
        }
    }

    /// The probability of such a worsening, or a larger one, if the true one is at most
    /// `threshold`.
    fn not_above(&self, threshold: f64) -> f64 {
        let beyond = self.worsening - threshold;
        match (self.error > 0.0, beyond > 0.0) {
            (true, _) => self.distribution().sf(beyond / self.error),
            // Numbers that repeat exactly leave nothing to chance.
            (false, true) => 0.0,
            (false, false) => 1.0,
        }
    }

    /// Range of the true worsening, on the scale of the contrast.
    fn interval(&self) -> (f64, f64) {
        let half = self.quantile(1.0 - FALSE_SHARE) * self.error;
        (self.worsening - half, self.worsening + half)
    }

    /// The change of the numbers, whichever direction is better.
    fn change(&self) -> Option<Change> {
        let sign = if self.more_is_better { -1.0 } else { 1.0 };
        let fraction = |worsening: f64| match self.is_ratio {
            true => (sign * worsening).exp_m1(),
            false => sign * worsening,
        };
        let (low, high) = self.interval();
        let (one, other) = (fraction(low), fraction(high));
        self.has_base.then(|| Change {
            point: fraction(self.worsening),
            low: one.min(other),
            high: one.max(other),
        })
    }

    /// The smallest worsening, as a fraction, that would have been found in 95 of 100 comparisons.
    fn visible(&self, limit: f64) -> Option<f64> {
        let quantiles = self.quantile(1.0 - FALSE_SHARE) + self.quantile(stats::CONFIDENCE);
        let visible = self.scaled(limit) + quantiles * self.error;
        let fraction = if self.is_ratio {
            visible.exp_m1()
        } else {
            visible
        };
        (self.has_base && fraction.is_finite()).then_some(fraction)
    }

    fn quantile(&self, probability: f64) -> f64 {
        match self.error > 0.0 {
            true => self.distribution().inverse_cdf(probability),
            false => 0.0,
        }
    }

    fn distribution(&self) -> StudentsT {
        StudentsT::new(0.0, 1.0, self.freedom.max(1.0))
            .expect("the degrees of freedom are positive")
    }
}

/// The mean, and the variance of that mean.
fn mean_and_variance(values: &[f64]) -> (f64, f64) {
    let count = values.len() as f64;
    // Equal values must have a variance of 0, which their rounded mean would not give.
    if values.iter().all(|value| *value == values[0]) {
        return (values[0], 0.0);
    }
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, squares / (count - 1.0) / count)
}

/// Probabilities corrected for their number, so that of those that are at most q, a share of at
/// most q is expected to be false (Benjamini and Hochberg, 1995). `None` takes no part.
///
/// Takes O(n log n) time.
///
/// # Examples
///
/// ```
/// let adjusted = bench_harness::comparison::adjusted(&[Some(0.01), None, Some(0.04)]);
/// assert_eq!(adjusted, [Some(0.02), None, Some(0.04)]);
/// ```
pub fn adjusted(probabilities: &[Option<f64>]) -> Vec<Option<f64>> {
    let mut order: Vec<(usize, f64)> = probabilities
        .iter()
        .enumerate()
        .filter_map(|(index, probability)| Some((index, (*probability)?)))
        .collect();
    order.sort_by(|(_, one), (_, other)| one.total_cmp(other));
    let count = order.len() as f64;
    let mut adjusted = vec![None; probabilities.len()];
    let mut least = 1.0_f64;
    for (rank, (index, probability)) in order.into_iter().enumerate().rev() {
        least = least.min(probability * count / (rank + 1) as f64);
        adjusted[index] = Some(least);
    }
    adjusted
}

/// Series by their numbers, smallest first: the index of each and its place, from 1. Who is not
/// shown to be slower than the first of a place shares it.
pub fn ranking(series: &[Vec<f64>]) -> Vec<(usize, usize)> {
    let middle = |index: usize| stats::median(&series[index]).unwrap_or(f64::INFINITY);
    let mut order: Vec<usize> = (0..series.len()).collect();
    order.sort_by(|&one, &other| middle(one).total_cmp(&middle(other)));
    let mut leader = 0;
    let places = (0..order.len()).map(|at| {
        let sides = Sides {
            base: series[order[leader]].clone(),
            head: series[order[at]].clone(),
            more_is_better: Some(false),
            exact: false,
        };
        if compare(&[sides], 0.0)[0].verdict == Verdict::Regressed {
            leader = at;
        }
        (order[at], leader + 1)
    });
    places.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use Verdict::{Equivalent, Improved, Inconclusive, Regressed};

    fn sides(base: &[f64], head: &[f64]) -> Sides {
        Sides {
            base: base.to_vec(),
            head: head.to_vec(),
            more_is_better: Some(false),
            exact: false,
        }
    }

    #[track_caller]
    fn check(sides: Sides, limit: f64, expected: Verdict) -> Comparison {
        let found = compare(&[sides], limit).remove(0);
        assert_eq!(found.verdict, expected, "{found:?}");
        assert_eq!(
            found.reason.is_some(),
            expected == Inconclusive,
            "{found:?}"
        );
        found
    }

    #[test]
    fn verdict_follows_from_where_the_interval_lies() {
        let base = [100.0, 100.1, 99.9, 100.0];
        check(sides(&base, &[105.0, 105.1, 104.9, 105.0]), 0.01, Regressed);
        check(sides(&base, &[95.0, 95.1, 94.9, 95.0]), 0.01, Improved);
        check(
            sides(&base, &[100.3, 100.4, 100.2, 100.3]),
            0.01,
            Equivalent,
        );
        check(sides(&base, &[99.7, 99.8, 99.6, 99.7]), 0.01, Equivalent);
        check(
            sides(&base, &[101.0, 101.3, 100.7, 101.0]),
            0.01,
            Inconclusive,
        );
        check(
            sides(&base, &[100.0, 150.0, 200.0, 120.0]),
            0.01,
            Inconclusive,
        );
    }

    #[test]
    fn more_may_be_better() {
        let throughput = |head: &[f64]| Sides {
            more_is_better: Some(true),
            ..sides(&[100.0, 100.1, 99.9], head)
        };
        let found = check(throughput(&[90.0, 90.1, 89.9]), 0.01, Regressed);
        let change = found.change.unwrap();
        assert!(change.low < change.point && change.point < change.high && change.high < 0.0);
        check(throughput(&[110.0, 110.1, 109.9]), 0.01, Improved);
        let nobody_says = Sides {
            more_is_better: None,
            ..throughput(&[90.0, 90.1, 89.9])
        };
        let found = check(nobody_says, 0.01, Inconclusive);
        assert!(found.change.is_some());
    }

    #[test]
    fn one_process_or_none_says_nothing_unless_counts_are_exact() {
        check(sides(&[100.0], &[200.0, 200.0]), 0.01, Inconclusive);
        check(sides(&[], &[200.0, 200.0]), 0.01, Inconclusive);
        let exact = |head: f64| Sides {
            exact: true,
            ..sides(&[100.0], &[head])
        };
        check(exact(200.0), 0.01, Regressed);
        check(exact(100.0), 0.0, Equivalent);
        check(exact(50.0), 0.01, Improved);
        check(exact(100.9), 0.01, Equivalent);
    }

    #[test]
    fn counts_that_repeat_are_compared_without_chance() {
        let found = check(sides(&[0.1; 3], &[0.1; 3]), 0.0, Equivalent);
        let change = found.change.unwrap();
        assert_eq!((change.low, change.high), (0.0, 0.0));
        check(sides(&[215.0; 3], &[241.0; 3]), 0.01, Regressed);
        check(sides(&[215.0; 3], &[214.0; 3]), 0.0, Improved);
    }

    #[test]
    fn something_out_of_nothing_is_a_regression_without_a_ratio() {
        let found = check(sides(&[0.0; 3], &[5.0; 3]), 0.01, Regressed);
        assert_eq!(found.change, None);
        check(sides(&[0.0; 3], &[0.0; 3]), 0.01, Equivalent);
        let found = check(sides(&[5.0; 3], &[0.0; 3]), 0.01, Improved);
        assert_eq!(found.change.unwrap().point, -1.0);
    }

    #[test]
    fn interval_is_that_of_welch() {
        // By hand: means 1 and 3, variances of the means 1/3 and 4/3, so that
        // the error is sqrt(5/3) and the freedom (5/3)^2 / (1/9 / 2 + 16/9 / 2) = 2.941.
        let e = |values: [f64; 3]| values.map(f64::exp).to_vec();
        let found = compare(&[sides(&e([0.0, 1.0, 2.0]), &e([1.0, 3.0, 5.0]))], 0.01);
        let change = found[0].change.unwrap();
        assert!((change.point.ln_1p() - 2.0).abs() < 1e-12);
        // The t quantiles of 97.5 % are 4.303 for 2 degrees and 3.182 for 3.
        let half = (change.high.ln_1p() - 2.0) / (5.0_f64 / 3.0).sqrt();
        assert!((3.182..3.30).contains(&half), "{half}");
    }

    #[test]
    fn t_quantiles_are_those_of_the_tables() {
        for (freedom, expected) in [(1.0, 12.706), (2.0, 4.303), (5.0, 2.571), (30.0, 2.042)] {
            let quantile = StudentsT::new(0.0, 1.0, freedom)
                .unwrap()
                .inverse_cdf(0.975);
            assert!((quantile - expected).abs() < 5e-4, "{freedom}: {quantile}");
        }
    }

    #[test]
    fn adjusted_probabilities_are_those_of_the_procedure() {
        // The example of Benjamini and Hochberg (1995), of which four are rejected at 5 %.
        let found = [
            0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262,
            0.5719, 0.6528, 0.7590, 1.0,
        ];
        let adjusted: Vec<f64> = adjusted(&found.map(Some)).into_iter().flatten().collect();
        assert_eq!(adjusted.iter().filter(|q| **q <= 0.05).count(), 4);
        assert!((adjusted[3] - 0.0095 * 15.0 / 4.0).abs() < 1e-12);
        assert!(adjusted.is_sorted());
    }

    fn normal(random: &mut oorandom::Rand64) -> f64 {
        let radius = (-2.0 * (1.0 - random.rand_float()).ln()).sqrt();
        radius * (std::f64::consts::TAU * random.rand_float()).cos()
    }

    /// Processes whose logarithms are drawn around a ratio.
    fn drawn(
        random: &mut oorandom::Rand64,
        count: usize,
        ratio: f64,
        draw: fn(&mut oorandom::Rand64) -> f64,
    ) -> Vec<f64> {
        let numbers = (0..count).map(|_| 100.0 * ratio * (0.01 * draw(random)).exp());
        numbers.collect()
    }

    #[test]
    fn intervals_cover_the_true_ratio_as_often_as_they_promise() {
        let mut random = oorandom::Rand64::new(3);
        for count in [3, 6, 15] {
            let suite: Vec<Sides> = (0..4_000)
                .map(|_| {
                    let base = drawn(&mut random, count, 1.0, normal);
                    sides(&base, &drawn(&mut random, count, 1.05, normal))
                })
                .collect();
            let found = compare(&suite, 0.01);
            let covers = |one: &&Comparison| {
                one.change
                    .is_some_and(|change| change.low <= 0.05 && 0.05 <= change.high)
            };
            let share = found.iter().filter(covers).count() as f64 / suite.len() as f64;
            // Four standard errors are 0.014; with few processes Welch's interval is a little wide.
            assert!(
                (0.936..0.985).contains(&share),
                "{count} processes: {share}"
            );
        }
    }

    #[test]
    fn unchanged_suites_have_hardly_any_regressions_whatever_the_distribution() {
        let skewed = |random: &mut oorandom::Rand64| -(1.0 - random.rand_float()).ln();
        let heavy = |random: &mut oorandom::Rand64| normal(random) / normal(random).abs().max(0.1);
        for draw in [normal, skewed, heavy] {
            let mut random = oorandom::Rand64::new(5);
            let suites = 200;
            let with_regression = (0..suites)
                .filter(|_| {
                    let suite: Vec<Sides> = (0..50)
                        .map(|_| {
                            let base = drawn(&mut random, 6, 1.0, draw);
                            sides(&base, &drawn(&mut random, 6, 1.0, draw))
                        })
                        .collect();
                    // Without a limit, so that every difference would count.
                    let found = compare(&suite, 0.0);
                    found.iter().any(|one| one.verdict == Regressed)
                })
                .count();
            // Of 200 suites 2.5 % are 5; four standard errors are 9 more.
            assert!(
                with_regression <= 14,
                "{with_regression} of {suites} suites"
            );
        }
    }

    #[test]
    fn correction_holds_back_what_chance_brings_among_many() {
        let lucky = sides(&[100.0, 101.0, 102.0, 101.0], &[103.0, 104.0, 105.0, 104.0]);
        check(lucky.clone(), 0.0, Regressed);
        let mut suite = vec![sides(&[100.0, 101.0, 99.0], &[100.0, 99.0, 101.0]); 200];
        suite.push(lucky);
        let found = compare(&suite, 0.0).pop().unwrap();
        assert_eq!(found.verdict, Inconclusive);
        assert!(found.reason.unwrap().contains("one of 201 comparisons"));
    }

    #[test]
    fn what_is_visible_is_found_as_often_as_it_says() {
        let mut random = oorandom::Rand64::new(9);
        let base = drawn(&mut random, 1_000, 1.0, normal);
        let same = compare(&[sides(&base, &base)], 0.01).remove(0);
        let visible = same.visible.unwrap();
        let found = (0..500).filter(|_| {
            let base = drawn(&mut random, 1_000, 1.0, normal);
            let head = drawn(&mut random, 1_000, 1.0 + visible, normal);
            compare(&[sides(&base, &head)], 0.01)[0].verdict == Regressed
        });
        let share = found.count() as f64 / 500.0;
        assert!((0.91..0.99).contains(&share), "{share}");
    }

    #[test]
    fn series_that_are_not_measurably_slower_share_a_place() {
        let series = [
            vec![200.0, 201.0, 202.0],
            vec![100.5, 101.5, 100.0],
            vec![100.0, 101.0, 99.0],
        ];
        assert_eq!(ranking(&series), [(2, 1), (1, 1), (0, 3)]);
        assert_eq!(ranking(&[]), []);
    }
}
