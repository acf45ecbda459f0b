//! Branches, loops and graphs inside graphs.
//!
//! **Branches**: a [`Flow`](crate::flow::Flow) decides by values. A node that was made by
//! [`FlowBuilder::case`] runs only when the value of another node is that of its case; otherwise it
//! is skipped, and so is everything that needs its value. What joins the branches takes
//! [optional](crate::flow::Output::optional) values. In a graph without values a node decides for
//! itself and returns [`Skip`].
//!
//! **Loops**: [`repeat`] makes the work of a node that runs a graph until it is told to stop, at
//! most so many times. **Graphs inside graphs**: [`subgraph`] runs one once.

use std::ops::ControlFlow;
use std::sync::Arc;

use crate::flow::{FlowBuilder, Inputs, Output};
use crate::{
    BuildError, CancelToken, Cancelled, Cause, Dag, NodeError, Options, Outcome, Run, Scheduler,
    Skip,
};

impl FlowBuilder {
    /// Adds a node that runs only when the value of `decision` is `case`, and is skipped otherwise;
    /// in everything else as [`node`](Self::node).
    ///
    /// # Errors
    ///
    /// As [`node`](Self::node).
    ///
    /// # Panics
    ///
    /// Panics when an input is of another flow.
    ///
    /// # Examples
    ///
    /// ```
    /// use engine::Sequential;
    /// use engine::flow::FlowBuilder;
    ///
    /// #[derive(PartialEq)]
    /// enum Size { Small, Large }
    ///
    /// let mut flow = FlowBuilder::new();
    /// let bytes = flow.input::<u64>("bytes")?;
    /// let size = flow.node("size", bytes, |_, bytes| {
    ///     Ok(if *bytes < 1_000 { Size::Small } else { Size::Large })
    /// })?;
    /// let copied = flow.case("copy", size, Size::Small, bytes, |_, bytes| Ok(format!("{bytes} copied")))?;
    /// let mapped = flow.case("map", size, Size::Large, bytes, |_, bytes| Ok(format!("{bytes} mapped")))?;
    /// let done = flow.node("done", [copied.optional(), mapped.optional()], |_, branches| {
    ///     Ok(branches.into_iter().flatten().cloned().collect::<String>())
    /// })?;
    /// let flow = flow.build()?;
    ///
    /// let mut outputs = flow.outputs();
    /// outputs.set(bytes, 5_000);
    /// flow.run_into(&Sequential, &mut outputs);
    /// assert_eq!(outputs.get(done).unwrap(), "5000 mapped");
    /// # Ok::<(), engine::BuildError>(())
    /// ```
    pub fn case<C, I, T, F>(
        &mut self,
        id: &str,
        decision: Output<C>,
        case: C,
        inputs: I,
        work: F,
    ) -> Result<Output<T>, BuildError>
    where
        C: PartialEq + Send + Sync + 'static,
        I: Inputs,
        T: Send + Sync + 'static,
        F: for<'v> Fn(&Run<'_>, I::Values<'v>) -> Result<T, NodeError> + Send + Sync + 'static,
    {
        self.node(id, (decision, inputs), move |run, (decision, values)| {
            if *decision != case {
                return Err(Skip.into());
            }
            work(run, values)
        })
    }
}

/// Makes the work of a node that runs the graph `body` until `until` says to stop, at most `limit`
/// times.
///
/// `until` is given the number of the iteration, from 1, and its outcome. When a node of the body
/// fails, the loop fails at once, with [`LoopError::Body`]. Each iteration is a run on `scheduler`,
/// which on a worker thread is a sequential walk; it has the context of the run around it and is
/// cancelled with it.
///
/// # Examples
///
/// ```
/// use std::ops::ControlFlow;
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU32, Ordering};
/// use engine::control::repeat;
/// use engine::{Scheduler, Sequential};
///
/// let error = Arc::new(AtomicU32::new(1_000));
/// let mut body = engine::Builder::new();
/// let halved = Arc::clone(&error);
/// body.node("refine", [], move |_| {
///     halved.store(halved.load(Ordering::Relaxed) / 2, Ordering::Relaxed);
///     Ok(())
/// })?;
/// let small = Arc::clone(&error);
/// let until = move |_, _: &engine::Outcome| match small.load(Ordering::Relaxed) {
///     0..10 => ControlFlow::Break(()),
///     _ => ControlFlow::Continue(()),
/// };
///
/// let mut graph = engine::Builder::new();
/// graph.node("solve", [], repeat(20, Arc::new(Sequential), Arc::new(body.build()?), until))?;
/// assert!(Sequential.run(&graph.build()?).all_completed());
/// assert_eq!(error.load(Ordering::Relaxed), 7);
/// # Ok::<(), engine::BuildError>(())
/// ```
pub fn repeat(
    limit: u32,
    scheduler: Arc<dyn Scheduler>,
    body: Arc<Dag>,
    until: impl Fn(u32, &Outcome) -> ControlFlow<()> + Send + Sync + 'static,
) -> impl Fn(&Run<'_>) -> Result<(), NodeError> + Send + Sync + 'static {
    move |run| {
        let mut outcome = Outcome::new();
        for iteration in 1..=limit {
            if let Err(failed) = run_inside(run, &*scheduler, &body, &mut outcome)? {
                return Err(LoopError::Body { iteration, failed }.into());
            }
            if until(iteration, &outcome).is_break() {
                return Ok(());
            }
        }
        Err(LoopError::Limit { limit }.into())
    }
}

/// Makes the work of a node that runs the graph `body` once, as [`repeat`] does.
///
/// # Examples
///
/// ```
/// use std::sync::Arc;
/// use engine::control::subgraph;
/// use engine::{Scheduler, Sequential};
///
/// let mut body = engine::Builder::new();
/// body.node("compile", [], |_| Ok(()))?;
/// body.node("link", ["compile"], |_| Err("no such library".into()))?;
///
/// let mut graph = engine::Builder::new();
/// graph.node("build", [], subgraph(Arc::new(Sequential), Arc::new(body.build()?)))?;
/// let outcome = Sequential.run(&graph.build()?);
/// assert_eq!(outcome.failures()[0].cause.to_string(), "node `link`: no such library");
/// # Ok::<(), engine::BuildError>(())
/// ```
pub fn subgraph(
    scheduler: Arc<dyn Scheduler>,
    body: Arc<Dag>,
) -> impl Fn(&Run<'_>) -> Result<(), NodeError> + Send + Sync + 'static {
    move |run| {
        run_inside(run, &*scheduler, &body, &mut Outcome::new())??;
        Ok(())
    }
}

/// Why a loop did not come to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LoopError {
    /// It was not told to stop.
    #[error("not done after {limit} iterations; allow more, or stop earlier")]
    Limit {
        /// The most iterations it is allowed.
        limit: u32,
    },
    /// A node of its body failed.
    #[error("iteration {iteration}: {failed}")]
    Body {
        /// The number of the iteration, from 1.
        iteration: u32,
        /// The node, and why.
        #[source]
        failed: NodeFailed,
    },
}

/// A node of a graph inside a graph failed.
#[derive(Debug, thiserror::Error)]
#[error("node `{name}`: {source}")]
pub struct NodeFailed {
    /// The id of the first node that failed.
    pub name: String,
    /// Why it did.
    pub source: NodeError,
}

/// Runs `body` as a part of `run`.
fn run_inside(
    run: &Run<'_>,
    scheduler: &dyn Scheduler,
    body: &Dag,
    outcome: &mut Outcome,
) -> Result<Result<(), NodeFailed>, Cancelled> {
    run.check_cancelled()?;
    let token = CancelToken::new();
    let inner = token.clone();
    let _hook = run.on_cancel(move || inner.cancel());
    let options = Options {
        cancel: Some(&token),
        context: run.any_context(),
        ..Options::default()
    };
    scheduler.run_with(body, &options, outcome);
    run.check_cancelled()?;
    if outcome.failures.is_empty() {
        return Ok(Ok(()));
    }
    let first = outcome.failures.swap_remove(0);
    Ok(Err(NodeFailed {
        name: body.name(first.node).into(),
        source: match first.cause {
            Cause::Error(error) => error,
            Cause::Panic(message) => format!("panicked: {message}").into(),
        },
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Builder, NodeState, Sequential, Strategy};
    use std::sync::atomic::{AtomicU32, Ordering};

    fn graph(work: impl Fn(&Run<'_>) -> Result<(), NodeError> + Send + Sync + 'static) -> Dag {
        let mut graph = Builder::new();
        graph.node("first", [], |_| Ok(())).unwrap();
        graph.node("work", ["first"], work).unwrap();
        graph.build().unwrap()
    }

    /// What a loop that stops after `stop` of at most `limit` iterations says, and how many there
    /// were.
    #[track_caller]
    fn check(
        limit: u32,
        stop: u32,
        body: impl Fn(u32) -> Result<(), NodeError> + Send + Sync + 'static,
        expected: (u32, Result<(), &str>),
    ) {
        let body = Arc::new(body);
        for strategy in Strategy::ALL {
            let iterations = Arc::new(AtomicU32::new(0));
            let counter = Arc::clone(&iterations);
            let body = Arc::clone(&body);
            let body = graph(move |_| body(counter.fetch_add(1, Ordering::Relaxed) + 1));
            let until = move |iteration, outcome: &Outcome| {
                assert!(outcome.all_completed());
                match iteration == stop {
                    true => ControlFlow::Break(()),
                    false => ControlFlow::Continue(()),
                }
            };
            let scheduler: Arc<dyn Scheduler> = strategy.scheduler(2).unwrap().into();
            let dag = graph(repeat(limit, Arc::clone(&scheduler), Arc::new(body), until));
            for outer in [&Sequential as &dyn Scheduler, &*scheduler] {
                iterations.store(0, Ordering::Relaxed);
                let outcome = outer.run(&dag);
                let failures = outcome.failures().first();
                let result = failures.map_or(Ok(()), |failure| Err(failure.cause.to_string()));
                let iterations = iterations.load(Ordering::Relaxed);
                let expected = (expected.0, expected.1.map_err(str::to_owned));
                assert_eq!((iterations, result), expected, "{strategy}");
            }
        }
    }

    #[test]
    fn loop_runs_its_body_until_it_is_told_to_stop() {
        check(10, 1, |_| Ok(()), (1, Ok(())));
        check(10, 10, |_| Ok(()), (10, Ok(())));
    }

    #[test]
    fn loop_that_is_not_told_to_stop_fails_at_its_limit() {
        let message = "not done after 10 iterations; allow more, or stop earlier";
        check(10, 11, |_| Ok(()), (10, Err(message)));
        let message = "not done after 0 iterations; allow more, or stop earlier";
        check(0, 1, |_| Ok(()), (0, Err(message)));
    }

    #[test]
    fn loop_ends_with_the_first_iteration_that_fails() {
        let fails = |iteration| match iteration {
            3 => Err("broken".into()),
            _ => Ok(()),
        };
        check(10, 5, fails, (3, Err("iteration 3: node `work`: broken")));
    }

    #[test]
    fn cancelling_goes_through_to_the_body() {
        for strategy in Strategy::ALL {
            let token = CancelToken::new();
            let cancels = token.clone();
            let reached = Arc::new(AtomicU32::new(0));
            let counter = Arc::clone(&reached);
            let body = graph(move |run| {
                counter.fetch_add(1, Ordering::Relaxed);
                cancels.cancel();
                run.check_cancelled()?;
                Err("not cancelled".into())
            });
            let until = |_, _: &Outcome| ControlFlow::Continue(());
            let scheduler: Arc<dyn Scheduler> = strategy.scheduler(2).unwrap().into();
            let dag = graph(repeat(10, Arc::clone(&scheduler), Arc::new(body), until));
            let mut outcome = Outcome::new();
            let options = Options {
                cancel: Some(&token),
                ..Options::default()
            };
            scheduler.run_with(&dag, &options, &mut outcome);
            assert_eq!(
                outcome.count(NodeState::Cancelled),
                1,
                "{strategy}: {outcome}"
            );
            assert_eq!(reached.load(Ordering::Relaxed), 1, "{strategy}");
        }
    }

    #[test]
    fn body_has_the_context_of_the_run_around_it() {
        let body = graph(|run| match run.context::<u32>() {
            Some(7) => Ok(()),
            other => Err(format!("got {other:?}").into()),
        });
        let dag = graph(subgraph(Arc::new(Sequential), Arc::new(body)));
        let mut outcome = Outcome::new();
        let options = Options {
            context: Some(&7_u32),
            ..Options::default()
        };
        Sequential.run_with(&dag, &options, &mut outcome);
        assert!(outcome.all_completed(), "{:?}", outcome.failures());
    }

    #[test]
    fn exactly_the_chosen_branch_runs_on_every_scheduler_and_thread() {
        let mut flow = FlowBuilder::new();
        let number = flow.input::<u32>("number").unwrap();
        let rest = flow
            .node("rest", number, |_, number| Ok(number % 3))
            .unwrap();
        let branches = [0, 1, 2].map(|case| {
            let id = format!("branch {case}");
            let begin = flow
                .case(&id, rest, case, number, |_, number| Ok(number * 10))
                .unwrap();
            let id = format!("rest of branch {case}");
            flow.node(&id, begin, move |_, number| Ok(number + case))
                .unwrap()
        });
        let join = flow
            .node("join", branches.map(Output::optional), |_, branches| {
                Ok(branches.into_iter().flatten().copied().collect::<Vec<_>>())
            })
            .unwrap();
        let flow = flow.build().unwrap();
        for strategy in Strategy::ALL {
            let scheduler = strategy.scheduler(3).unwrap();
            std::thread::scope(|scope| {
                for first in 0..3 {
                    let (flow, scheduler) = (&flow, &scheduler);
                    scope.spawn(move || {
                        let mut outputs = flow.outputs();
                        for value in first..first + 20 {
                            outputs.set(number, value);
                            flow.run_into(&**scheduler, &mut outputs);
                            let expected = vec![value * 10 + value % 3];
                            assert_eq!(outputs.get(join), Some(&expected), "{strategy}");
                            assert_eq!(outputs.outcome().count(NodeState::Skipped), 4);
                            assert!(outputs.outcome().failures().is_empty());
                        }
                    });
                }
            });
        }
    }
}
