//! Graphs whose nodes hand values to each other, checked by the compiler.
//!
//! A node of a [`FlowBuilder`] returns a value, and the handle of that value, an [`Output`], is how
//! other nodes ask for it. So edges and types cannot disagree, and there is no order to get wrong.
//! The values of a run live in [`Outputs`], not in the graph: the same [`Flow`] may run on several
//! threads at once, with one `Outputs` each.

use std::any::Any;
use std::fmt;
use std::marker::PhantomData;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::{BuildError, Builder, Dag, NodeError, NodeId, Options, Outcome, Run, Scheduler, Skip};

/// Collects nodes that hand values to each other.
///
/// # Examples
///
/// ```
/// use engine::Sequential;
/// use engine::flow::FlowBuilder;
///
/// let mut flow = FlowBuilder::new();
/// let text = flow.node("read", (), |_, ()| Ok(String::from("6 7")))?;
/// let numbers = flow.node("parse", (text,), |_, (text,)| {
///     let numbers: Result<Vec<u32>, _> = text.split(' ').map(str::parse).collect();
///     Ok(numbers?)
/// })?;
/// let answer = flow.node("answer", (text, numbers), |_, (text, numbers)| {
///     Ok(format!("{text}: {}", numbers.iter().product::<u32>()))
/// })?;
/// let flow = flow.build()?;
///
/// let outputs = flow.run(&Sequential);
/// assert_eq!(outputs.get(answer).unwrap(), "6 7: 42");
/// # Ok::<(), engine::BuildError>(())
/// ```
///
/// A handle of a value of another type does not compile:
///
/// ```compile_fail
/// # use engine::flow::FlowBuilder;
/// let mut flow = FlowBuilder::new();
/// let text = flow.node("read", (), |_, ()| Ok(String::from("6 7")))?;
/// let sum = flow.node("sum", (text,), |_, (number,): (&u32,)| Ok(number + 1))?;
/// # Ok::<(), engine::BuildError>(())
/// ```
pub struct FlowBuilder {
    graph: Builder,
    /// By node; the graph is built by name.
    names: Vec<Box<str>>,
    slots: Vec<SlotKind>,
    number: u64,
}

/// How the slot of a node is made, and whether a run empties it.
struct SlotKind {
    make: fn() -> Box<dyn Slot>,
    is_given: bool,
}

impl FlowBuilder {
    /// A flow without nodes.
    pub fn new() -> Self {
        static NEXT_NUMBER: AtomicU64 = AtomicU64::new(0);
        Self {
            graph: Builder::new(),
            names: Vec::new(),
            slots: Vec::new(),
            // Numbers only have to differ, so no ordering is needed.
            number: NEXT_NUMBER.fetch_add(1, Ordering::Relaxed),
        }
    }

    /// Adds a node: its id, the values it needs, and its work, which is given them by reference and
    /// returns the node's own value.
    ///
    /// The inputs are a tuple of up to 8 [`Output`]s or [`Optional`]s, an array of them, or a `Vec`
    /// for as many as are known only at run time; their nodes are the dependencies. A node that
    /// lacks an input, because the node that should have made it was skipped or failed, is skipped.
    /// Takes O(inputs) time.
    ///
    /// # Errors
    ///
    /// Fails when the id is taken and when the graph becomes too large.
    ///
    /// # Panics
    ///
    /// Panics when an input is of another flow.
    pub fn node<I, T, F>(&mut self, id: &str, inputs: I, work: F) -> Result<Output<T>, BuildError>
    where
        I: Inputs,
        T: Send + Sync + 'static,
        F: for<'v> Fn(&Run<'_>, I::Values<'v>) -> Result<T, NodeError> + Send + Sync + 'static,
    {
        let mut dependencies = Vec::new();
        inputs.each(&mut |(node, flow)| {
            assert_eq!(
                flow, self.number,
                "{node:?} is of another flow; pass values between flows with `input` and `set`"
            );
            dependencies.push(&*self.names[node.index()]);
        });
        self.graph.node(id, dependencies, move |run| {
            let values = values_of(run);
            let inputs = inputs.values(values).ok_or(Skip)?;
            values.put(run.node(), work(run, inputs)?);
            Ok(())
        })?;
        Ok(self.added(id, false))
    }

    /// Adds a node whose value is given from outside, by [`Outputs::set`], before a run: a
    /// parameter of the flow. A node without such a value fails.
    ///
    /// # Errors
    ///
    /// Fails when the id is taken and when the graph becomes too large.
    ///
    /// # Examples
    ///
    /// ```
    /// use engine::Sequential;
    /// use engine::flow::FlowBuilder;
    ///
    /// let mut flow = FlowBuilder::new();
    /// let side = flow.input::<f64>("side")?;
    /// let area = flow.node("area", (side,), |_, (side,)| Ok(side * side))?;
    /// let flow = flow.build()?;
    ///
    /// let mut outputs = flow.outputs();
    /// for (length, expected) in [(2.0, 4.0), (3.0, 9.0)] {
    ///     outputs.set(side, length);
    ///     flow.run_into(&Sequential, &mut outputs);
    ///     assert_eq!(outputs.get(area), Some(&expected));
    /// }
    /// # Ok::<(), engine::BuildError>(())
    /// ```
    pub fn input<T: Send + Sync + 'static>(&mut self, id: &str) -> Result<Output<T>, BuildError> {
        self.graph
            .node(id, [], |run| match values_of(run).get::<T>(run.node()) {
                Some(_) => Ok(()),
                None => Err(format!(
                    "input `{}` was given no value; call `Outputs::set` before the run",
                    run.name()
                )
                .into()),
            })?;
        Ok(self.added(id, true))
    }

    fn added<T: Send + Sync + 'static>(&mut self, id: &str, is_given: bool) -> Output<T> {
        let node = NodeId::from_index(self.names.len() as u32);
        self.names.push(id.into());
        self.slots.push(SlotKind {
            make: || Box::new(OnceLock::<T>::new()),
            is_given,
        });
        Output {
            node,
            flow: self.number,
            value: PhantomData,
        }
    }

    /// Number of nodes so far.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Whether no node was added yet.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Freezes the flow. Takes O(nodes + edges) time.
    ///
    /// # Errors
    ///
    /// Fails when no memory is left.
    pub fn build(self) -> Result<Flow, BuildError> {
        Ok(Flow {
            dag: self.graph.build()?,
            slots: self.slots,
            number: self.number,
        })
    }
}

impl Default for FlowBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for FlowBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("FlowBuilder")
            .field("nodes", &self.len())
            .finish_non_exhaustive()
    }
}

/// A graph whose nodes hand values to each other, made by a [`FlowBuilder`].
pub struct Flow {
    dag: Dag,
    slots: Vec<SlotKind>,
    number: u64,
}

impl Flow {
    /// The graph.
    #[inline]
    pub fn dag(&self) -> &Dag {
        &self.dag
    }

    /// Room for the values of a run. Takes O(nodes) time and an allocation for each node.
    pub fn outputs(&self) -> Outputs {
        Outputs {
            values: Values(self.slots.iter().map(|slot| (slot.make)()).collect()),
            outcome: Outcome::new(),
            flow: self.number,
        }
    }

    /// Runs the flow and returns the values and the state of every node.
    pub fn run(&self, scheduler: &dyn Scheduler) -> Outputs {
        let mut outputs = self.outputs();
        self.run_into(scheduler, &mut outputs);
        outputs
    }

    /// Runs the flow with the default options; see [`run_with`](Self::run_with).
    ///
    /// # Panics
    ///
    /// Panics when `outputs` are of another flow.
    pub fn run_into(&self, scheduler: &dyn Scheduler, outputs: &mut Outputs) {
        self.run_with(scheduler, &Options::default(), outputs);
    }

    /// Drops the values of the run before, except those that were [set](Outputs::set), and runs the
    /// flow as `options` say, putting the new values into `outputs`.
    ///
    /// The context of the options is the flow's own and must not be set; use
    /// [inputs](FlowBuilder::input). Allocates nothing of its own.
    ///
    /// # Panics
    ///
    /// Panics when `outputs` are of another flow, and when the options have a context.
    pub fn run_with(
        &self,
        scheduler: &dyn Scheduler,
        options: &Options<'_>,
        outputs: &mut Outputs,
    ) {
        assert_eq!(outputs.flow, self.number, "the outputs are of another flow");
        assert!(
            options.context.is_none(),
            "the context of a flow is its own; use inputs"
        );
        for (slot, kind) in outputs.values.0.iter_mut().zip(&self.slots) {
            if !kind.is_given {
                slot.clear();
            }
        }
        let options = Options {
            context: Some(&outputs.values),
            ..*options
        };
        scheduler.run_with(&self.dag, &options, &mut outputs.outcome);
    }
}

impl fmt::Debug for Flow {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Flow")
            .field("dag", &self.dag)
            .finish_non_exhaustive()
    }
}

/// What the nodes of a [`Flow`] returned in one run.
pub struct Outputs {
    values: Values,
    outcome: Outcome,
    flow: u64,
}

impl Outputs {
    /// The value of a node; none when it did not complete.
    ///
    /// # Panics
    ///
    /// Panics when the handle is of another flow.
    pub fn get<T: Send + Sync + 'static>(&self, output: Output<T>) -> Option<&T> {
        self.check(output);
        self.values.get(output.node)
    }

    /// Takes the value of a node out; none when it did not complete.
    ///
    /// # Panics
    ///
    /// Panics when the handle is of another flow.
    pub fn take<T: Send + Sync + 'static>(&mut self, output: Output<T>) -> Option<T> {
        self.check(output);
        self.values.slot_mut(output.node).take()
    }

    /// Gives an [input](FlowBuilder::input) its value for the runs to come, and returns the one it
    /// had. The value of a node that is not an input is dropped by the next run.
    ///
    /// # Panics
    ///
    /// Panics when the handle is of another flow.
    pub fn set<T: Send + Sync + 'static>(&mut self, output: Output<T>, value: T) -> Option<T> {
        self.check(output);
        let slot = self.values.slot_mut::<T>(output.node);
        let old = slot.take();
        *slot = OnceLock::from(value);
        old
    }

    /// The state of every node after the last run.
    #[inline]
    pub fn outcome(&self) -> &Outcome {
        &self.outcome
    }

    fn check<T>(&self, output: Output<T>) {
        assert_eq!(
            output.flow, self.flow,
            "{:?} is of another flow than these outputs",
            output.node
        );
    }
}

impl fmt::Debug for Outputs {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Outputs")
            .field("outcome", &self.outcome)
            .finish_non_exhaustive()
    }
}

/// The handle of the value that a node of a flow returns.
pub struct Output<T> {
    node: NodeId,
    /// The number of the flow, which no other flow of this process has.
    flow: u64,
    value: PhantomData<fn() -> T>,
}

impl<T> Output<T> {
    /// The node.
    #[inline]
    pub fn node(self) -> NodeId {
        self.node
    }

    /// The same value as an input that may be missing: the node that asks for it gets an `Option`, and
    /// runs although the other was [skipped by itself](crate::Skip). This is how branches of which
    /// one was not taken are joined. After a failure it runs under
    /// [`Policy::Collect`](crate::Policy::Collect) only.
    #[inline]
    pub fn optional(self) -> Optional<T> {
        Optional(self)
    }
}

impl<T> Clone for Output<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Output<T> {}

impl<T> fmt::Debug for Output<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Output").field(&self.node).finish()
    }
}

/// An [`Output`] that may be missing; see [`Output::optional`].
pub struct Optional<T>(Output<T>);

impl<T> Clone for Optional<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Optional<T> {}

impl<T> fmt::Debug for Optional<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("Optional")
            .field(&self.0.node)
            .finish()
    }
}

/// What a node of a flow needs: an [`Output`], an [`Optional`], or several of them.
///
/// It cannot be implemented outside this crate.
pub trait Inputs: sealed::Sealed + Send + Sync + 'static {
    /// What the work is given for them.
    type Values<'v>;

    /// Calls `found` with the node of each input and the number of its flow.
    #[doc(hidden)]
    fn each(&self, found: &mut dyn FnMut((NodeId, u64)));

    /// Their values, unless one is missing that must not be.
    #[doc(hidden)]
    fn values<'v>(&'v self, values: &'v Values) -> Option<Self::Values<'v>>;
}

mod sealed {
    pub trait Sealed {}
}

impl<T: Send + Sync + 'static> sealed::Sealed for Output<T> {}

impl<T: Send + Sync + 'static> Inputs for Output<T> {
    type Values<'v> = &'v T;

    fn each(&self, found: &mut dyn FnMut((NodeId, u64))) {
        found((self.node, self.flow));
    }

    #[inline]
    fn values<'v>(&'v self, values: &'v Values) -> Option<&'v T> {
        values.get(self.node)
    }
}

impl<T: Send + Sync + 'static> sealed::Sealed for Optional<T> {}

impl<T: Send + Sync + 'static> Inputs for Optional<T> {
    type Values<'v> = Option<&'v T>;

    fn each(&self, found: &mut dyn FnMut((NodeId, u64))) {
        self.0.each(found);
    }

    #[inline]
    fn values<'v>(&'v self, values: &'v Values) -> Option<Option<&'v T>> {
        Some(values.get(self.0.node))
    }
}

impl<I: Inputs, const N: usize> sealed::Sealed for [I; N] {}

impl<I: Inputs, const N: usize> Inputs for [I; N] {
    type Values<'v> = [I::Values<'v>; N];

    fn each(&self, found: &mut dyn FnMut((NodeId, u64))) {
        for input in self {
            input.each(found);
        }
    }

    #[inline]
    fn values<'v>(&'v self, values: &'v Values) -> Option<Self::Values<'v>> {
        if !self.iter().all(|input| input.values(values).is_some()) {
            return None;
        }
        // Values only come during a run.
        Some(std::array::from_fn(|index| {
            self[index].values(values).expect("it was there before")
        }))
    }
}

impl<I: Inputs> sealed::Sealed for Vec<I> {}

/// Allocates once for every call of the work.
impl<I: Inputs> Inputs for Vec<I> {
    type Values<'v> = Vec<I::Values<'v>>;

    fn each(&self, found: &mut dyn FnMut((NodeId, u64))) {
        for input in self {
            input.each(found);
        }
    }

    fn values<'v>(&'v self, values: &'v Values) -> Option<Self::Values<'v>> {
        self.iter().map(|input| input.values(values)).collect()
    }
}

macro_rules! inputs_of_tuple {
    ($($input:ident $index:tt),*) => {
        impl<$($input: Inputs),*> sealed::Sealed for ($($input,)*) {}

        impl<$($input: Inputs),*> Inputs for ($($input,)*) {
            type Values<'v> = ($($input::Values<'v>,)*);

            fn each(&self, _found: &mut dyn FnMut((NodeId, u64))) {
                $(self.$index.each(_found);)*
            }

            #[inline]
            fn values<'v>(&'v self, _values: &'v Values) -> Option<Self::Values<'v>> {
                Some(($(self.$index.values(_values)?,)*))
            }
        }
    };
}

inputs_of_tuple!();
inputs_of_tuple!(A 0);
inputs_of_tuple!(A 0, B 1);
inputs_of_tuple!(A 0, B 1, C 2);
inputs_of_tuple!(A 0, B 1, C 2, D 3);
inputs_of_tuple!(A 0, B 1, C 2, D 3, E 4);
inputs_of_tuple!(A 0, B 1, C 2, D 3, E 4, F 5);
inputs_of_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6);
inputs_of_tuple!(A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7);

/// The values of a run by node, each an `OnceLock` of the node's type: written once, by the node,
/// and then read by any thread without a lock.
///
/// A value takes 20 ns to be kept and 1 ns for each node that reads it (2-core x86-64 VM, 2026-11): less than
/// handing a node to a worker takes, so there is no unsafe code here.
#[doc(hidden)]
pub struct Values(Box<[Box<dyn Slot>]>);

trait Slot: Any + Send + Sync {
    fn clear(&mut self);
}

impl<T: Send + Sync + 'static> Slot for OnceLock<T> {
    fn clear(&mut self) {
        self.take();
    }
}

impl Values {
    #[inline]
    fn slot<T: Send + Sync + 'static>(&self, node: NodeId) -> &OnceLock<T> {
        let slot: &dyn Any = &*self.0[node.index()];
        slot.downcast_ref().expect("a handle has its node's type")
    }

    fn slot_mut<T: Send + Sync + 'static>(&mut self, node: NodeId) -> &mut OnceLock<T> {
        let slot: &mut dyn Any = &mut *self.0[node.index()];
        slot.downcast_mut().expect("a handle has its node's type")
    }

    #[inline]
    fn get<T: Send + Sync + 'static>(&self, node: NodeId) -> Option<&T> {
        self.slot(node).get()
    }

    #[inline]
    fn put<T: Send + Sync + 'static>(&self, node: NodeId, value: T) {
        let is_first = self.slot(node).set(value).is_ok();
        debug_assert!(is_first, "{node:?} has a value already");
    }
}

#[inline]
fn values_of<'r>(run: &Run<'r>) -> &'r Values {
    run.context()
        .expect("a flow is run by `Flow::run`, not by a scheduler")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NodeState, Sequential, Strategy};
    use std::sync::Arc;

    /// Adds `depth` rows of sums over a row of inputs: a flow whose results are known.
    fn sums(flow: &mut FlowBuilder, width: u64, depth: usize) -> Vec<Output<u64>> {
        let mut row: Vec<_> = (0..width)
            .map(|index| {
                flow.node(&format!("0-{index}"), (), move |_, ()| Ok(index))
                    .unwrap()
            })
            .collect();
        for level in 1..depth {
            row = (0..row.len())
                .map(|index| {
                    let (left, right) = (row[index], row[(index + 1) % row.len()]);
                    let id = format!("{level}-{index}");
                    flow.node(&id, (left, right), |_, (left, right)| Ok(left + right))
                        .unwrap()
                })
                .collect();
        }
        row
    }

    fn expected_sums(width: u64, depth: usize) -> Vec<u64> {
        let mut row: Vec<u64> = (0..width).collect();
        for _ in 1..depth {
            row = (0..row.len())
                .map(|index| row[index] + row[(index + 1) % row.len()])
                .collect();
        }
        row
    }

    #[test]
    fn every_scheduler_hands_values_along_edges() {
        let mut flow = FlowBuilder::new();
        let last = sums(&mut flow, 8, 6);
        let total = flow
            .node("total", last.clone(), |_, row| {
                Ok(row.into_iter().sum::<u64>())
            })
            .unwrap();
        let flow = flow.build().unwrap();
        let expected = expected_sums(8, 6);
        let mut outputs = flow.outputs();
        for strategy in Strategy::ALL {
            for workers in 1..=4 {
                let scheduler = strategy.scheduler(workers).unwrap();
                flow.run_into(&*scheduler, &mut outputs);
                let row: Vec<_> = last
                    .iter()
                    .map(|&output| *outputs.get(output).unwrap())
                    .collect();
                assert_eq!(row, expected, "{strategy} with {workers} workers");
                assert_eq!(
                    outputs.get(total),
                    Some(&expected.iter().sum()),
                    "{strategy}"
                );
            }
        }
    }

    #[test]
    fn one_flow_runs_on_several_threads_with_values_of_their_own() {
        let mut flow = FlowBuilder::new();
        let start = flow.input::<u64>("start").unwrap();
        let mut last = start;
        for index in 0..50 {
            last = flow
                .node(&index.to_string(), (last, start), |_, (last, start)| {
                    Ok(last + start)
                })
                .unwrap();
        }
        let flow = flow.build().unwrap();
        let scheduler = crate::WorkStealing::new(2).unwrap();
        std::thread::scope(|scope| {
            for number in 0..4_u64 {
                let (flow, scheduler) = (&flow, &scheduler);
                scope.spawn(move || {
                    let mut outputs = flow.outputs();
                    outputs.set(start, number);
                    for _ in 0..20 {
                        flow.run_into(scheduler, &mut outputs);
                        assert_eq!(outputs.get(last), Some(&(number * 51)));
                    }
                });
            }
        });
    }

    #[test]
    fn missing_value_skips_what_needs_it_and_not_what_can_do_without() {
        let mut flow = FlowBuilder::new();
        let skipped = flow
            .node("skipped", (), |_, ()| -> Result<u32, _> {
                Err(Skip.into())
            })
            .unwrap();
        let needs = flow
            .node("needs", (skipped,), |_, (value,)| Ok(*value))
            .unwrap();
        let needs_too = flow
            .node("needs too", [needs], |_, [value]| Ok(*value))
            .unwrap();
        let join = flow
            .node(
                "join",
                (skipped.optional(), needs_too.optional()),
                |_, (first, second)| Ok(first.is_none() && second.is_none()),
            )
            .unwrap();
        let flow = flow.build().unwrap();
        let outputs = flow.run(&Sequential);
        assert_eq!(outputs.outcome().count(NodeState::Skipped), 3);
        assert_eq!(outputs.get(join), Some(&true));
    }

    #[test]
    fn failed_node_has_no_value_although_it_had_one() {
        let mut flow = FlowBuilder::new();
        let number = flow.input::<i32>("number").unwrap();
        let half = flow
            .node("half", number, |_, number| match number % 2 {
                0 => Ok(number / 2),
                _ => Err("odd".into()),
            })
            .unwrap();
        let flow = flow.build().unwrap();
        let mut outputs = flow.outputs();
        outputs.set(number, 6);
        flow.run_into(&Sequential, &mut outputs);
        assert_eq!(outputs.get(half), Some(&3));
        assert_eq!(outputs.set(number, 7), Some(6));
        flow.run_into(&Sequential, &mut outputs);
        assert_eq!(outputs.get(half), None);
        assert_eq!(outputs.outcome().failures()[0].cause.to_string(), "odd");
    }

    #[test]
    fn input_without_a_value_fails_and_says_what_to_do() {
        let mut flow = FlowBuilder::new();
        let number = flow.input::<i32>("number").unwrap();
        let flow = flow.build().unwrap();
        let outputs = flow.run(&Sequential);
        assert_eq!(
            outputs.outcome().failures()[0].cause.to_string(),
            "input `number` was given no value; call `Outputs::set` before the run"
        );
        assert_eq!(outputs.get(number), None);
    }

    #[test]
    fn values_are_dropped_once_by_the_next_run_or_with_the_outputs() {
        let witness = Arc::new(());
        let mut flow = FlowBuilder::new();
        let made = Arc::clone(&witness);
        let kept = flow
            .node("a", (), move |_, ()| Ok(Arc::clone(&made)))
            .unwrap();
        let flow = flow.build().unwrap();
        let mut outputs = flow.outputs();
        for _ in 0..3 {
            flow.run_into(&Sequential, &mut outputs);
            assert_eq!(Arc::strong_count(&witness), 3);
        }
        let taken = outputs.take(kept).unwrap();
        assert_eq!(outputs.get(kept), None);
        flow.run_into(&Sequential, &mut outputs);
        assert_eq!(Arc::strong_count(&witness), 4);
        drop(taken);
        drop(outputs);
        assert_eq!(Arc::strong_count(&witness), 2);
    }

    #[test]
    fn a_failed_definition_leaves_handles_right() {
        let mut flow = FlowBuilder::new();
        let a = flow.node("a", (), |_, ()| Ok(1)).unwrap();
        assert!(flow.node("a", (), |_, ()| Ok("one")).is_err());
        let b = flow
            .node("b", (a, a), |_, (left, right)| Ok(left + right))
            .unwrap();
        assert_eq!(flow.len(), 2);
        let outputs = flow.build().unwrap().run(&Sequential);
        assert_eq!(outputs.get(b), Some(&2));
    }

    #[test]
    #[should_panic(expected = "NodeId(0) is of another flow; pass values")]
    fn input_of_another_flow_is_refused() {
        let stranger = FlowBuilder::new().input::<u8>("stranger").unwrap();
        let _ = FlowBuilder::new().node("a", (stranger,), |_, _| Ok(()));
    }

    #[test]
    #[should_panic(expected = "NodeId(0) is of another flow than these outputs")]
    fn handle_of_another_flow_is_refused() {
        let stranger = FlowBuilder::new().input::<u8>("stranger").unwrap();
        FlowBuilder::new()
            .build()
            .unwrap()
            .run(&Sequential)
            .get(stranger);
    }
}
