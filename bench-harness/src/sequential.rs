//! Decides from fresh processes of two builds whether one is slower, looking more than once. Pure.
//!
//! A launch starts one process of each build on one core, lets them take turns, and gives one
//! number: the logarithm of the ratio of what their turns took. Launches are independent of each
//! other; turns are not, which is why tests that treat them so raise false alarms.

use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::gate::{Change, Verdict};

/// How launches are judged.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Test {
    /// The change that matters, as a fraction.
    pub limit: f64,
    /// How often a case that has not changed may be called changed, over all looks together.
    pub alpha: f64,
    /// How often the launches are looked at; every look spends the same part of `alpha`
    /// (Bonferroni), which is an upper bound however much looks depend on each other.
    pub looks: u32,
    /// Fewer launches than this are not judged: a few launches of a case that is sometimes in
    /// another state can agree by chance.
    pub least_launches: usize,
}

impl Default for Test {
    fn default() -> Self {
        Self {
            limit: 0.01,
            alpha: 1e-4,
            looks: 4,
            least_launches: 24,
        }
    }
}

impl Test {
    /// The test for a suspicion that is confirmed by another test on fresh launches: a case that has
    /// not changed fails only when both err, so each may err in one case of 100.
    pub fn suspicion() -> Self {
        Self {
            alpha: 0.01,
            ..Self::default()
        }
    }
}

/// What the launches say so far.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Judged {
    /// What follows; inconclusive means that more launches can help.
    pub verdict: Verdict,
    /// The change with an interval of 95 %.
    pub change: Change,
    /// Where the value of another run like this one lies with a probability of 95 %: its error adds
    /// to that of this run.
    pub next: Change,
    /// How likely launches of equal builds are at some look as far apart as these, in either
    /// direction (at most).
    pub p: f64,
    /// The smallest slowdown that so many launches would have found with a probability of 95 %.
    pub visible: f64,
    /// Launches of each build.
    pub launches: u32,
}

/// What part of the launches is left out at each end: a neighbour that stays for a whole launch
/// moves a mean, and what it moves by says nothing about the builds.
const TRIM: f64 = 0.2;

/// A normal variable stays below so many standard deviations with a probability of 95 %.
const NORMAL_95: f64 = 1.644_854;

impl Test {
    /// Judges the logarithms of ratios of all launches so far, or `None` when they are too few.
    ///
    /// The estimate is a mean trimmed by a fifth at both ends, its error Yuen's (1974), which
    /// follows Student's distribution. A case has regressed when equal builds would look so with a
    /// probability below the part of `alpha` of this look, and the estimate is at least half the
    /// limit: with less than that, even a true difference is not one that matters. It is equivalent
    /// when a slowdown as large as the limit would look so as rarely.
    ///
    /// Takes O(n log n) time.
    ///
    /// # Panics
    ///
    /// Panics on a value that is not a number.
    pub fn judge(&self, launches: &[f64]) -> Option<Judged> {
        let count = launches.len();
        if count < self.least_launches.max(5) {
            return None;
        }
        let Located { point, error, kept } = located(launches);
        let freedom = (kept - 1) as f64;
        let student = StudentsT::new(0.0, 1.0, freedom).expect("the freedom is positive");
        let p = match error > 0.0 {
            true => (2.0 * f64::from(self.looks) * student.sf((point / error).abs())).min(1.0),
            // Every launch said the same.
            false if point == 0.0 => 1.0,
            false => 0.0,
        };
        let interval = |error: f64| {
            let reach = student.inverse_cdf(0.975) * error;
            Change {
                point: point.exp_m1(),
                low: (point - reach).exp_m1(),
                high: (point + reach).exp_m1(),
            }
        };
        let change = interval(error);
        let matters = self.limit / 2.0;
        let share = self.alpha / f64::from(self.looks);
        let times = student.inverse_cdf(1.0 - share / 2.0);
        let verdict = match () {
            () if p < self.alpha && change.point >= matters => Verdict::Regressed,
            () if p < self.alpha && change.point <= -matters => Verdict::Improved,
            () if (point + times * error).exp_m1() < self.limit => Verdict::Equivalent,
            () => Verdict::Inconclusive,
        };
        // What is found has to exceed the error so many times; the error is estimated, too, and in
        // one run larger than in the next (normal approximation of the noncentral distribution).
        let found = times + NORMAL_95 * (1.0 + times * times / (2.0 * freedom)).sqrt();
        Some(Judged {
            verdict,
            change,
            next: interval(error * std::f64::consts::SQRT_2),
            p,
            visible: (found * error).max(matters + NORMAL_95 * error).exp_m1(),
            launches: count as u32,
        })
    }
}

/// A trimmed mean, its error, and how many values it keeps.
struct Located {
    point: f64,
    error: f64,
    kept: usize,
}

/// Yuen's trimmed mean and its standard error from the winsorised variance (K. K. Yuen, *The
/// two-sample trimmed t for unequal population variances*, Biometrika 61, 1974).
fn located(values: &[f64]) -> Located {
    let mut sorted = values.to_vec();
    sorted.sort_by(|one, other| one.partial_cmp(other).expect("launches give numbers"));
    let count = sorted.len();
    let cut = (TRIM * count as f64) as usize;
    let kept = count - 2 * cut;
    let point = sorted[cut..count - cut].iter().sum::<f64>() / kept as f64;
    let (lowest, highest) = (sorted[cut], sorted[count - cut - 1]);
    let winsorised = || sorted.iter().map(|value| value.clamp(lowest, highest));
    let mean = winsorised().sum::<f64>() / count as f64;
    let squares: f64 = winsorised().map(|value| (value - mean).powi(2)).sum();
    Located {
        point,
        error: (squares / ((kept - 1) * kept) as f64).sqrt(),
        kept,
    }
}

/// How likely equal builds look as different as two independent tests found them, by the product of
/// what both say (R. A. Fisher, *Statistical Methods for Research Workers*, 4th edition, 1932).
///
/// # Examples
///
/// ```
/// let both = bench_harness::sequential::combined(0.01, 0.01);
/// assert!((both - 1.021e-3).abs() < 1e-6);
/// assert_eq!(bench_harness::sequential::combined(0.0, 0.5), 0.0);
/// ```
pub fn combined(one: f64, other: f64) -> f64 {
    let product = one * other;
    match product > 0.0 {
        true => product * (1.0 - product.ln()),
        false => 0.0,
    }
}

/// Which of `p` are discoveries when at most `rate` of all discoveries are to be false on average
/// (Benjamini and Hochberg, 1995).
///
/// Takes O(n log n) time.
///
/// # Examples
///
/// ```
/// let found = bench_harness::sequential::discoveries(&[0.001, 0.9, 0.02, 0.03], 0.05);
/// assert_eq!(found, [true, false, true, true]);
/// ```
pub fn discoveries(p: &[f64], rate: f64) -> Vec<bool> {
    let mut order: Vec<usize> = (0..p.len()).collect();
    order.sort_by(|&one, &other| p[one].total_cmp(&p[other]));
    let step = rate / p.len().max(1) as f64;
    let last = (0..order.len()).rfind(|&rank| p[order[rank]] <= step * (rank + 1) as f64);
    let bound = last.map(|rank| p[order[rank]]);
    p.iter()
        .map(|&p| bound.is_some_and(|bound| p <= bound))
        .collect()
}

/// How likely a fair coin falls at least as unevenly as `ups` against `downs` (sign test, both
/// directions).
///
/// # Examples
///
/// ```
/// let likely = bench_harness::sequential::one_sided(8, 0);
/// assert!((likely - 2.0 / 256.0).abs() < 1e-12);
/// ```
pub fn one_sided(ups: usize, downs: usize) -> f64 {
    let count = ups + downs;
    let fewer = ups.min(downs);
    let mut log_probability = count as f64 * 0.5_f64.ln();
    let mut tail = log_probability.exp();
    for falls in 1..=fewer {
        log_probability += ((count - falls + 1) as f64 / falls as f64).ln();
        tail += log_probability.exp();
    }
    (2.0 * tail).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A standard normal number (Box and Muller).
    fn normal(random: &mut oorandom::Rand64) -> f64 {
        let radius = (-2.0 * (1.0 - random.rand_float()).ln()).sqrt();
        radius * (std::f64::consts::TAU * random.rand_float()).cos()
    }

    /// How often `count` launches with this change and noise get this verdict at one look.
    fn share(
        test: Test,
        count: usize,
        mut draw: impl FnMut(&mut oorandom::Rand64) -> f64,
        verdict: Verdict,
    ) -> f64 {
        let mut random = oorandom::Rand64::new(7);
        let trials = 4_000;
        let hits = (0..trials).filter(|_| {
            let launches: Vec<f64> = (0..count).map(|_| draw(&mut random)).collect();
            test.judge(&launches).unwrap().verdict == verdict
        });
        hits.count() as f64 / f64::from(trials)
    }

    #[test]
    fn quantiles_of_the_library_are_those_of_the_tables_far_out() {
        let student = |freedom, p| StudentsT::new(0.0, 1.0, freedom).unwrap().inverse_cdf(p);
        // From another implementation (SciPy 1.17).
        for (freedom, p, quantile) in [
            (23.0, 0.999_975, 4.971_975),
            (23.0, 0.975, 2.068_658),
            (5.0, 0.975, 2.570_582),
            (47.0, 0.9999, 4.034_257),
        ] {
            let found = student(freedom, p);
            assert!((found - quantile).abs() < 1e-5, "{found} for {quantile}");
        }
    }

    #[test]
    fn equal_builds_are_called_changed_as_rarely_as_promised() {
        let loose = Test {
            limit: 1e-9,
            alpha: 0.05,
            looks: 1,
            ..Test::default()
        };
        let noise = |random: &mut oorandom::Rand64| 0.01 * normal(random);
        let changed = share(loose, 24, noise, Verdict::Regressed)
            + share(loose, 24, noise, Verdict::Improved);
        // Four standard errors of 4 000 trials are 0.014.
        assert!((changed - 0.05).abs() < 0.014, "{changed}");
        // One launch in ten is in another state, 10 % slower or faster.
        let tails = |random: &mut oorandom::Rand64| {
            let state = if random.rand_float() < 0.1 { 0.1 } else { 0.01 };
            state * normal(random)
        };
        let changed = share(loose, 24, tails, Verdict::Regressed)
            + share(loose, 24, tails, Verdict::Improved);
        assert!(changed < 0.064, "{changed}");
    }

    #[test]
    fn slowdown_called_visible_is_found_19_times_in_20() {
        let test = Test::default();
        let sigma = 0.01;
        let mut random = oorandom::Rand64::new(1);
        let launches: Vec<f64> = (0..100_000).map(|_| sigma * normal(&mut random)).collect();
        let visible: Vec<f64> = launches
            .chunks(48)
            .filter_map(|launches| test.judge(launches))
            .map(|judged| judged.visible)
            .collect();
        let visible = crate::stats::median(&visible).unwrap();
        let slower = |random: &mut oorandom::Rand64| visible.ln_1p() + sigma * normal(random);
        let found = share(test, 48, slower, Verdict::Regressed);
        assert!((0.92..0.98).contains(&found), "{found} of {visible}");
    }

    #[test]
    fn interval_covers_the_truth_and_the_wider_one_the_next_run() {
        let mut random = oorandom::Rand64::new(3);
        let mut run = || {
            let launches: Vec<f64> = (0..30)
                .map(|_| 0.003 + 0.01 * normal(&mut random))
                .collect();
            Test::default().judge(&launches).unwrap()
        };
        let runs: Vec<Judged> = (0..4_000).map(|_| run()).collect();
        let inside = |change: &Change, value: f64| change.low <= value && value <= change.high;
        let truth = runs
            .iter()
            .filter(|run| inside(&run.change, 0.003_f64.exp_m1()));
        let next = runs
            .windows(2)
            .filter(|pair| inside(&pair[0].next, pair[1].change.point));
        let (truth, next) = (truth.count(), next.count());
        assert!((3_740..3_860).contains(&truth), "{truth}");
        assert!((3_700..3_880).contains(&next), "{next}");
    }

    #[track_caller]
    fn check(point: f64, spread: f64, count: usize, verdict: Verdict) {
        let launches: Vec<f64> = (0..count)
            .map(|launch| point + spread * if launch % 2 == 0 { 1.0 } else { -1.0 })
            .collect();
        let judged = Test::default().judge(&launches).unwrap();
        assert_eq!(judged.verdict, verdict, "{judged:?}");
    }

    #[test]
    fn verdict_depends_on_the_interval_and_the_limit() {
        check(0.02, 0.005, 24, Verdict::Regressed);
        check(-0.02, 0.005, 24, Verdict::Improved);
        check(0.0, 0.005, 24, Verdict::Equivalent);
        check(0.004, 0.0001, 24, Verdict::Equivalent);
        check(0.02, 0.2, 24, Verdict::Inconclusive);
        check(0.0, 0.2, 24, Verdict::Inconclusive);
        check(0.0, 0.0, 24, Verdict::Equivalent);
        check(0.02, 0.0, 24, Verdict::Regressed);
        assert_eq!(Test::default().judge(&[0.0; 23]), None);
    }

    #[test]
    fn few_outliers_do_not_move_the_estimate() {
        let mut launches = vec![0.0; 30];
        for (launch, value) in launches.iter_mut().enumerate() {
            *value = 0.001 * (launch % 3) as f64;
        }
        let before = Test::default().judge(&launches).unwrap().change.point;
        launches[0] = 5.0;
        launches[10] = 3.0;
        let after = Test::default().judge(&launches).unwrap().change.point;
        assert!((before - after).abs() < 5e-4, "{before} {after}");
    }

    #[test]
    fn discoveries_stop_where_the_line_is_crossed_last() {
        assert_eq!(discoveries(&[], 0.01), [false; 0]);
        assert_eq!(discoveries(&[0.011, 0.5], 0.01), [false, false]);
        assert_eq!(
            discoveries(&[0.004, 0.009, 0.5], 0.01),
            [false, false, false]
        );
        assert_eq!(discoveries(&[0.003, 0.006, 0.5], 0.01), [true, true, false]);
        // The second is over its own line but under that of the third.
        assert_eq!(
            discoveries(&[0.003, 0.008, 0.0095], 0.01),
            [true, true, true]
        );
    }

    #[test]
    fn sign_test_is_that_of_the_binomial_distribution() {
        assert!((one_sided(5, 5) - 1.0).abs() < 1e-12);
        assert!((one_sided(9, 1) - 22.0 / 1024.0).abs() < 1e-12);
        assert_eq!(one_sided(0, 0), 1.0);
    }
}
