//! Graphs of steps: every node is a point of a step and depends on points of the step before.
//!
//! The patterns and their formulas are those of Task Bench (Slaughter and others, *Task Bench: A
//! Parameterized Benchmark for Evaluating Parallel Runtime Performance*, SC20, 2020), written anew
//! for [`Shape`]. This is not that suite: its kernels, its runner and its random numbers are other
//! ones, so figures measured with these graphs are not results of Task Bench.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use oorandom::Rand64;

use crate::Shape;

/// Dependencies of a point in [`Pattern::Nearest`] and [`Pattern::Spread`], and the most that one
/// has in [`Pattern::RandomNearest`].
const RADIX: usize = 5;

/// [`Pattern::Spread`] and [`Pattern::RandomNearest`] repeat themselves after as many steps.
const PERIOD: usize = 3;

/// How likely a point other than the own one is a dependency in [`Pattern::RandomNearest`].
const CONNECTED: f64 = 0.25;

/// Which points of the step before a point depends on.
///
/// `p` is the point, `t` its step, both counted from 0, and `w` the width. A formula that names
/// points the step before does not have means those of them that it has. The first step has no
/// dependencies. Patterns have `w` points in every step except for [`Tree`](Self::Tree) and
/// [`Dom`](Self::Dom).
///
/// # Examples
///
/// ```
/// use engine::Pattern;
///
/// let pattern: Pattern = "stencil".parse()?;
/// let shape = pattern.shape(4, 2);
/// assert_eq!(shape.len(), 8);
/// assert_eq!(shape.ids()[5], "step-1-point-1");
/// assert_eq!(shape.dependencies(5), [0, 1, 2]);
/// # Ok::<(), engine::UnknownPattern>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Pattern {
    /// None: all nodes are independent.
    Trivial,
    /// `p`: as many chains as points.
    NoComm,
    /// `p - 1`, `p` and `p + 1`.
    Stencil,
    /// `p - d`, `p` and `p + d`, where `d` is 1 in step 1 and doubles with every step until it
    /// would reach `w`; then it is 1 again. The butterfly of a fast Fourier transform.
    Fft,
    /// `p / 2`, rounded down. Step `t` has 2<sup>t</sup> points until that is `w`, so the first
    /// steps are a binary tree and the others take turns at being the parent of two.
    Tree,
    /// `p - 1` and `p`: a wave front over a square that stands on its corner. The first step has 1
    /// point; every step adds one to the right until there are `w` or half of the steps are over,
    /// and in the end every step leaves out the leftmost, so that the last step has 1 point too.
    ///
    /// With fewer than `2 w - 1` steps the width `w` is never reached. (The suite cuts its graphs
    /// off at another place then.)
    Dom,
    /// The 5 points around `p`: `p - 2` to `p + 2`.
    Nearest,
    /// `p`, and each of the 4 points around it with a probability of 1/4. The draw depends on the
    /// point and on `t mod 3` only, and is the same in every graph.
    RandomNearest,
    /// 5 points spread over the width: `p`, and `p + i w / 5 + (t mod 3)`, rounded down and modulo
    /// `w`, for `i` from 1 to 4.
    Spread,
    /// Every point: `w²` edges a step.
    AllToAll,
}

impl Pattern {
    /// All patterns.
    pub const ALL: [Self; 10] = [
        Self::Trivial,
        Self::NoComm,
        Self::Stencil,
        Self::Fft,
        Self::Tree,
        Self::Dom,
        Self::Nearest,
        Self::RandomNearest,
        Self::Spread,
        Self::AllToAll,
    ];

    /// The name, as it is written in flags, files and reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Trivial => "trivial",
            Self::NoComm => "no-comm",
            Self::Stencil => "stencil",
            Self::Fft => "fft",
            Self::Tree => "tree",
            Self::Dom => "dom",
            Self::Nearest => "nearest",
            Self::RandomNearest => "random-nearest",
            Self::Spread => "spread",
            Self::AllToAll => "all-to-all",
        }
    }

    /// The graph of this pattern: `steps` steps of at most `width` points.
    ///
    /// Nodes are in order of step and point, so every node comes after its dependencies, whose
    /// indices are in ascending order and are all of the step before. Ids are `step-3-point-12`.
    /// There are `width * steps` nodes, fewer in [`Tree`](Self::Tree) and [`Dom`](Self::Dom).
    /// Takes O(nodes + edges) time, apart from sorting up to 5 dependencies a node.
    ///
    /// # Panics
    ///
    /// Panics when `width` is 0.
    pub fn shape(self, width: usize, steps: usize) -> Shape {
        assert!(width > 0, "a step has at least 1 point; got a width of 0");
        let mut shape = Shape::new();
        let mut before = 0..0;
        for step in 0..steps {
            let first_before = shape.len() - before.len();
            let points = self.points(width, steps, step);
            for point in points.clone() {
                let mut dependencies = self.candidates(width, step, point);
                dependencies.retain(|dependency| before.contains(dependency));
                dependencies.sort_unstable();
                dependencies.dedup();
                shape.push(
                    format!("step-{step}-point-{point}"),
                    dependencies
                        .into_iter()
                        .map(|dependency| first_before + (dependency - before.start)),
                );
            }
            before = points;
        }
        shape
    }

    /// The points of a step.
    fn points(self, width: usize, steps: usize, step: usize) -> Range<usize> {
        match self {
            Self::Tree => {
                let doubled = u32::try_from(step)
                    .ok()
                    .and_then(|step| 1_usize.checked_shl(step));
                0..doubled.map_or(width, |points| points.min(width))
            }
            Self::Dom => {
                let widest = width.min(steps.div_ceil(2));
                (step + widest).saturating_sub(steps)..widest.min(step + 1)
            }
            _ => 0..width,
        }
    }

    /// What the formula says, in any order: points may be named twice, and may be none of the
    /// step before.
    fn candidates(self, width: usize, step: usize, point: usize) -> Vec<usize> {
        let around = |distance: usize| point.saturating_sub(distance)..=point + distance;
        match self {
            Self::Trivial => Vec::new(),
            Self::NoComm => vec![point],
            Self::Stencil => around(1).collect(),
            Self::Fft => {
                // As many different distances as doublings from 1 to the width.
                let distances = width.next_power_of_two().ilog2().max(1) as usize;
                let distance = 1 << ((step + distances - 1) % distances);
                let left = point.checked_sub(distance);
                left.into_iter().chain([point, point + distance]).collect()
            }
            Self::Tree => vec![point / 2],
            Self::Dom => point.checked_sub(1).into_iter().chain([point]).collect(),
            Self::Nearest => around(RADIX / 2).collect(),
            Self::RandomNearest => around(RADIX / 2)
                .filter(|&other| other == point || drawn(step % PERIOD, point, other))
                .collect(),
            Self::Spread => (0..RADIX)
                .map(|nth| {
                    let turned = if nth > 0 { step % PERIOD } else { 0 };
                    (point + nth * width / RADIX + turned) % width
                })
                .collect(),
            Self::AllToAll => (0..width).collect(),
        }
    }
}

/// Whether `point` depends on `other` in [`Pattern::RandomNearest`].
fn drawn(turn: usize, point: usize, other: usize) -> bool {
    // A generator a pair, so that the answer does not depend on how many pairs were asked before.
    // Neighbouring seeds give unrelated numbers only after some steps.
    let seed = ((point as u128) << 64) | ((other as u128) << 2) | turn as u128;
    let mut random = Rand64::new(seed);
    for _ in 0..4 {
        random.rand_u64();
    }
    random.rand_float() < CONNECTED
}

impl fmt::Display for Pattern {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(self.name())
    }
}

/// No pattern has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no pattern is called `{name}`; there are {}", Pattern::ALL.map(Pattern::name).join(", "))]
pub struct UnknownPattern {
    /// The name that was asked for.
    pub name: String,
}

impl FromStr for Pattern {
    type Err = UnknownPattern;

    fn from_str(name: &str) -> Result<Self, UnknownPattern> {
        Self::ALL
            .into_iter()
            .find(|pattern| pattern.name() == name)
            .ok_or_else(|| UnknownPattern { name: name.into() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The steps of a shape as text: points are separated by spaces, steps by `|`, and a point is
    /// written as the points it depends on, or as `-` without any.
    fn drawn_as(pattern: Pattern, width: usize, steps: usize) -> String {
        let shape = pattern.shape(width, steps);
        let points: Vec<usize> = shape
            .ids()
            .iter()
            .map(|id| id.rsplit('-').next().unwrap().parse().unwrap())
            .collect();
        let step_of = |index: usize| shape.ids()[index].split('-').nth(1).unwrap();
        let mut text = String::new();
        for index in 0..shape.len() {
            if index > 0 {
                text += match step_of(index) == step_of(index - 1) {
                    true => " ",
                    false => " | ",
                };
            }
            let dependencies: Vec<String> = shape
                .dependencies(index)
                .iter()
                .map(|&dependency| points[dependency as usize].to_string())
                .collect();
            text += match dependencies.is_empty() {
                true => "-".to_owned(),
                false => dependencies.join(","),
            }
            .as_str();
        }
        text
    }

    #[track_caller]
    fn check(pattern: Pattern, width: usize, steps: usize, expected: &str) {
        assert_eq!(drawn_as(pattern, width, steps), expected, "{pattern}");
    }

    #[test]
    fn dependencies_are_those_of_the_formula() {
        check(Pattern::Trivial, 2, 2, "- - | - -");
        check(Pattern::NoComm, 2, 3, "- - | 0 1 | 0 1");
        check(Pattern::Stencil, 4, 2, "- - - - | 0,1 0,1,2 1,2,3 2,3");
        check(
            Pattern::Fft,
            4,
            4,
            "- - - - | 0,1 0,1,2 1,2,3 2,3 | 0,2 1,3 0,2 1,3 | 0,1 0,1,2 1,2,3 2,3",
        );
        check(Pattern::Fft, 3, 3, "- - - | 0,1 0,1,2 1,2 | 0,2 1 0,2");
        check(Pattern::Fft, 1, 3, "- | 0 | 0");
        check(
            Pattern::Nearest,
            6,
            2,
            "- - - - - - | 0,1,2 0,1,2,3 0,1,2,3,4 1,2,3,4,5 2,3,4,5 3,4,5",
        );
        check(Pattern::AllToAll, 3, 2, "- - - | 0,1,2 0,1,2 0,1,2");
    }

    #[test]
    fn spread_turns_with_the_step() {
        // 0, 10/5, 20/5, 30/5 and 40/5, all but the first turned by 1.
        let shape = Pattern::Spread.shape(10, 4);
        let of = |step: usize, point: usize| {
            let before = 10 * (step as u32 - 1);
            let index = 10 * step + point;
            let dependencies = shape.dependencies(index).iter();
            dependencies.map(|index| index - before).collect::<Vec<_>>()
        };
        assert_eq!(of(1, 0), [0, 3, 5, 7, 9]);
        assert_eq!(of(2, 0), [0, 4, 6, 8]);
        assert_eq!(of(3, 0), [0, 2, 4, 6, 8]);
        assert_eq!(of(1, 9), [2, 4, 6, 8, 9]);
    }

    #[test]
    fn tree_doubles_until_it_is_as_wide_as_asked() {
        check(Pattern::Tree, 4, 4, "- | 0 0 | 0 0 1 1 | 0 0 1 1");
        check(Pattern::Tree, 3, 3, "- | 0 0 | 0 0 1");
        assert_eq!(Pattern::Tree.shape(2, 200).len(), 399);
    }

    #[test]
    fn dom_grows_and_shrinks_by_one_point_a_step() {
        check(
            Pattern::Dom,
            3,
            6,
            "- | 0 0 | 0 0,1 1 | 0 0,1 1,2 | 0,1 1,2 | 1,2",
        );
        // Too few steps for the width.
        check(Pattern::Dom, 9, 4, "- | 0 0 | 0 0,1 | 0,1");
        check(Pattern::Dom, 9, 3, "- | 0 0 | 0,1");
        assert_eq!(Pattern::Dom.shape(16, 100).len(), 16 * 100 - 15 * 16);
    }

    #[test]
    fn random_nearest_keeps_the_own_point_and_about_a_quarter_of_the_others() {
        let (width, steps) = (1_000, 4);
        let shape = Pattern::RandomNearest.shape(width, steps);
        let mut others = 0;
        for index in width..shape.len() {
            let dependencies = shape.dependencies(index);
            let own = (index - width) as u32;
            assert!(dependencies.contains(&own), "{}", shape.ids()[index]);
            assert!(dependencies.iter().all(|other| other.abs_diff(own) <= 2));
            others += dependencies.len() - 1;
        }
        let connected = others as f64 / (4 * width * (steps - 1)) as f64;
        assert!((0.23..0.27).contains(&connected), "{connected}");
    }

    #[test]
    fn random_nearest_repeats_after_three_steps() {
        let text = drawn_as(Pattern::RandomNearest, 20, 7);
        let steps: Vec<&str> = text.split(" | ").collect();
        assert_eq!(steps[1], steps[4]);
        assert_eq!(steps[3], steps[6]);
        assert_ne!(steps[1], steps[2]);
    }

    #[test]
    fn every_dependency_is_of_the_step_before_and_every_step_has_its_points() {
        for pattern in Pattern::ALL {
            for (width, steps) in [(1, 1), (1, 5), (4, 0), (5, 7), (16, 40), (64, 10)] {
                let shape = pattern.shape(width, steps);
                let mut next = 0;
                let mut before = 0..0;
                for step in 0..steps {
                    let points = pattern.points(width, steps, step);
                    assert!(!points.is_empty() && points.end <= width);
                    let indices = next..next + points.len();
                    for index in indices.clone() {
                        let dependencies = shape.dependencies(index);
                        assert!(dependencies.is_sorted_by(|left, right| left < right));
                        assert!(
                            dependencies
                                .iter()
                                .all(|&dependency| before.contains(&(dependency as usize))),
                            "{pattern} {width} {steps}: {}",
                            shape.ids()[index]
                        );
                        // A point that depends on nothing would not have to wait for its step.
                        assert_eq!(
                            dependencies.is_empty(),
                            step == 0 || pattern == Pattern::Trivial,
                            "{pattern} {width} {steps}: {}",
                            shape.ids()[index]
                        );
                    }
                    next = indices.end;
                    before = indices;
                }
                assert_eq!(shape.len(), next);
                if !matches!(pattern, Pattern::Tree | Pattern::Dom) {
                    assert_eq!(shape.len(), width * steps);
                }
            }
        }
    }

    #[test]
    fn every_name_parses_to_its_pattern() {
        for pattern in Pattern::ALL {
            assert_eq!(pattern.to_string().parse(), Ok(pattern));
        }
        assert_eq!(
            "ring".parse::<Pattern>().unwrap_err().to_string(),
            "no pattern is called `ring`; there are trivial, no-comm, stencil, fft, tree, dom, \
             nearest, random-nearest, spread, all-to-all"
        );
    }

    #[test]
    #[should_panic(expected = "a step has at least 1 point; got a width of 0")]
    fn no_width_is_refused() {
        Pattern::Trivial.shape(0, 1);
    }
}
