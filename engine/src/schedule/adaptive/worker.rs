//! What a worker does that takes part in a shared run.

use std::ops::Range;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use crate::clock::{Clock, Ticks};
use crate::execution::Execution;
use crate::{Dag, NodeId};

use super::estimate::{Estimate, Meter, Plan, least_cost_ns};
use super::lanes::{Lanes, Wait};
use super::pool::{Pool, count_down};
use super::{
    ASLEEP_BEAT_NS, COARSE_NS, HUNGRY_BEAT_NS, LOOK_NS, LOOKS_BEFORE_HELPING,
    LOOKS_BEFORE_RETIRING, MOST_COLLECTED, PATIENCE_NS, PIECE_NS, PUBLISH_NS, ROUNDS_BEFORE_YIELD,
    SHARE_NS, Team, WAKE_NS,
};

/// What stands for all nodes of a run where it is taken from a shelf: the run goes level by level.
const LEVELS: u32 = u32::MAX;

/// A worker that takes part in a shared run.
pub(super) struct Worker<'p> {
    pool: &'p Pool<Execution<'static>>,
    lanes: &'p Lanes,
    index: usize,
    /// Counters that have come to 0 and whose nodes are to be run, the next one last; or [`LEVELS`].
    stack: Vec<u32>,
    /// Whether there may be something on the own shelf.
    published: bool,
    /// A counter that many nodes count down, and how many times this worker has yet to.
    collected: (u32, u32),
    meter: Meter,
    left: u32,
    /// Looks in a row that found nodes too cheap to share.
    cheap: u32,
    offered: Ticks,
    least_cost_ns: f32,
    /// How long this worker ran nodes in levels, and how many, since it was made.
    busy: (f32, u32),
    /// Whether to give way between two looks for nodes: there are more workers than cores.
    yields: bool,
}

/// Why a worker stops working on a run.
#[derive(PartialEq)]
pub(super) enum End {
    /// There is nothing left for it.
    Dry,
    /// It has waited long; somebody must stay.
    Tired,
}

/// Why a worker stops running nodes that are ready.
#[derive(PartialEq)]
enum Stop {
    Dry,
    /// Nobody else has anything, and nodes are so cheap that walking is faster.
    Cheap,
}

impl<'p> Worker<'p> {
    pub(super) fn new(team: &'p Team, index: usize, clock: Clock, mut stack: Vec<u32>) -> Self {
        stack.clear();
        let (pool, lanes) = (&team.pool, &team.lanes);
        Self {
            pool,
            lanes,
            index,
            stack,
            published: false,
            collected: (0, 0),
            meter: Meter::new(clock),
            left: 1,
            cheap: 0,
            offered: Clock::now(),
            least_cost_ns: 0.0,
            busy: (0.0, 0),
            yields: pool.workers() > cores(),
        }
    }

    /// What a node that is not coarse took of this worker in levels.
    pub(super) fn busy_ns(&self) -> Option<f32> {
        let (busy_ns, ran) = self.busy;
        (ran > 0).then(|| busy_ns / ran as f32)
    }

    pub(super) fn into_stack(self) -> Vec<u32> {
        self.stack
    }

    fn enter(&mut self, dag: &Dag) {
        self.published = false;
        self.collected = (0, 0);
        self.left = self.meter.budget;
        self.cheap = 0;
        self.offered = self.meter.looked;
        self.least_cost_ns = least_cost_ns(dag, self.pool.workers());
    }

    /// Begins to work on a run with what was taken from others while waiting for it.
    pub(super) fn take_over(&mut self, dag: &Dag) {
        if self.stack.last() == Some(&LEVELS) {
            self.meter.cost_ns = self.pool.cost_ns();
        } else {
            self.enter(dag);
            self.go_on();
        }
    }

    /// Begins a run as its caller. `ended` says which nodes have ended when it is exactly the first
    /// so many.
    pub(super) fn begin(&mut self, execution: &Execution<'_>, ended: Option<usize>, meter: Meter) {
        self.meter = meter;
        self.enter(execution.dag());
        match ended {
            Some(ended) => self.collect_rest(execution, ended),
            None => self.collect_open(execution),
        }
        self.offer(Clock::now());
    }

    /// Begins a run level by level, as its caller.
    pub(super) fn begin_levels(&mut self, cost_ns: f32) {
        self.meter.cost_ns = cost_ns;
        self.published = false;
        self.lanes.begin();
        self.stack.resize(self.pool.workers(), LEVELS);
    }

    /// Waits for nodes of the run, as its caller, or for its end; returns whether there are nodes.
    pub(super) fn wait_as_caller(&mut self) -> bool {
        let patience = patience(self.meter.clock, self.yields);
        self.pool.wait_as_caller(&mut self.stack, patience)
    }

    /// Waits for nodes of a run, as a thread, or for the end of the scheduler; returns whether there
    /// are nodes.
    pub(super) fn wait_as_thread(&mut self) -> bool {
        let patience = patience(self.meter.clock, self.yields);
        self.pool
            .wait_as_thread(self.index, &mut self.stack, patience)
    }

    /// Works until there is nothing left for this worker.
    pub(super) fn work(&mut self, execution: &Execution<'_>) -> End {
        if self.stack.last() == Some(&LEVELS) {
            return self.run_levels(execution);
        }
        self.left = self.meter.budget;
        while self.run_ready(execution) == Stop::Cheap {
            if !self.walk_open(execution) {
                break;
            }
            reset(execution);
            self.collect_open(execution);
        }
        End::Dry
    }

    /// Becomes inactive, unless somebody must stay and nobody else would; returns whether it did.
    pub(super) fn retire(&mut self, end: End) -> bool {
        match end {
            End::Dry => self.pool.retire(),
            End::Tired if !self.pool.retire_unless_alone() => return false,
            End::Tired => self.stack.clear(),
        }
        true
    }

    /// Takes part in a run that goes level by level, until it has ended or this worker is tired.
    fn run_levels(&mut self, execution: &Execution<'_>) -> End {
        let levels = execution.dag().levels();
        let (nodes, ends) = (levels.nodes(), levels.ends());
        let cost_ns = self.meter.cost_ns;
        let is_coarse = cost_ns >= COARSE_NS;
        let most = (PIECE_NS / cost_ns).max(1.0) as u32;
        let workers = self.pool.workers();
        let mut tokens = std::mem::take(&mut self.stack);
        // One stands for this worker, the others are for those who come.
        tokens.pop();
        self.invite(&mut tokens, nodes.len());
        let (mut busy_ns, mut ran) = self.busy;
        let run = |piece: Range<u32>| {
            // Those who came have left: a level took them too long.
            if self.pool.is_alone() && self.pool.shelved(self.index) == 0 {
                tokens.resize(workers - 1, LEVELS);
                self.invite(&mut tokens, nodes.len() - piece.start as usize);
            }
            let start = (!is_coarse).then(Clock::now);
            for &node in &nodes[piece.start as usize..piece.end as usize] {
                // The caller may have run it before it began to share.
                if execution.states().is_open(node) {
                    execution.run(node);
                    ran += 1;
                }
            }
            if let Some(start) = start {
                busy_ns += self.meter.clock.elapsed_ns(start, Clock::now());
            }
        };
        let mut is_tired = false;
        let mut is_patient = patience(self.meter.clock, self.yields);
        self.lanes.work(self.index, ends, most, run, |asked| {
            if asked == 0 {
                is_patient = patience(self.meter.clock, self.yields);
            }
            if self.pool.is_alone() {
                return Wait::Help;
            }
            is_tired = !is_patient();
            match asked {
                _ if is_tired => Wait::Leave,
                0..LOOKS_BEFORE_HELPING => Wait::Look,
                _ => Wait::Help,
            }
        });
        if !is_coarse {
            self.busy = (busy_ns, ran);
        }
        self.stack = tokens;
        self.pool.take_back(self.index, &mut self.stack, workers);
        self.stack.clear();
        match is_tired {
            // To look again it must know what it takes part in.
            true => {
                self.stack.push(LEVELS);
                End::Tired
            }
            false => End::Dry,
        }
    }

    /// Lets others take part in a run that goes level by level, and wakes one who sleeps where that
    /// pays.
    fn invite(&self, tokens: &mut Vec<u32>, left: usize) {
        let cost_ns = self.meter.cost_ns;
        if !tokens.is_empty() {
            self.pool.publish(self.index, tokens, tokens.len(), cost_ns);
        }
        if self.pool.hungry() == 0
            && self.pool.asleep() > 0
            && self.pool.shelved_by_all() > 0
            && cost_ns * left as f32 >= WAKE_NS
        {
            self.pool.wake_one();
        }
    }

    /// Runs nodes that are ready and those that become ready by them.
    fn run_ready(&mut self, execution: &Execution<'_>) -> Stop {
        let nodes = execution.dag().len() as u32;
        loop {
            let Some(counter) = self.next(execution) else {
                if self.look_around() {
                    self.go_on();
                    continue;
                }
                return Stop::Dry;
            };
            if counter >= nodes {
                self.stack.extend(execution.dag().members(counter).rev());
                if self.meter.cost_ns >= COARSE_NS {
                    // The first member may take long.
                    self.offer(Clock::now());
                }
                continue;
            }
            let node = NodeId::from_index(counter);
            execution.run(node);
            self.release(execution, node);
            self.left -= 1;
            if self.left == 0 && self.look(execution) {
                return Stop::Cheap;
            }
            if self.pool.hungry() > 0 && self.stack.len() > 1 {
                self.feed();
            }
        }
    }

    /// Gives half to those who look for nodes, without waiting for the next look at the clock.
    fn feed(&mut self) {
        let len = self.stack.len();
        let cost_ns = self.meter.cost_ns;
        if len as f32 * cost_ns >= SHARE_NS
            && cost_ns >= self.least_cost_ns
            && (!self.published || self.pool.shelved(self.index) == 0)
        {
            self.pool
                .publish(self.index, &mut self.stack, len.div_ceil(2), cost_ns);
            self.published = true;
        }
    }

    #[inline]
    fn next(&mut self, execution: &Execution<'_>) -> Option<u32> {
        if let Some(counter) = self.stack.pop() {
            return Some(counter);
        }
        if let Some(counter) = self.flush(execution) {
            return Some(counter);
        }
        if !self.published {
            return None;
        }
        let cost_ns = self.meter.cost_ns;
        let most = if cost_ns >= COARSE_NS {
            nodes_of_one_look(cost_ns)
        } else {
            self.pool.shelved(self.index).div_ceil(2).max(1)
        };
        self.published = self.pool.take_back(self.index, &mut self.stack, most);
        self.stack.pop()
    }

    /// Goes on with nodes that were another worker's: passes on what is more than it needs itself, and
    /// wakes the next worker where that pays.
    fn go_on(&mut self) {
        // The time without nodes is none of theirs.
        self.meter.restart();
        self.left = self.meter.budget;
        self.meter.cost_ns = self.pool.cost_ns();
        if self.meter.cost_ns >= COARSE_NS {
            self.offer(self.meter.looked);
        }
    }

    /// Looks for nodes of others for a moment.
    fn look_around(&mut self) -> bool {
        if self.pool.is_alone() {
            return false;
        }
        self.pool
            .look_around(self.index, &mut self.stack, LOOKS_BEFORE_RETIRING)
    }

    /// Counts down what waits for `node`, which has run.
    #[inline]
    fn release(&mut self, execution: &Execution<'_>, node: NodeId) {
        let targets = execution.dag().targets(node);
        if targets.is_empty() {
            return;
        }
        let waiting = execution.waiting();
        let alone = !self.published && self.pool.is_alone();
        // The first one goes on top: its number is next to that of `node`, and so are the counters and
        // states it touches. The other way round two workers on a wavefront share cache lines all the
        // time (0.1 us nodes: 105 instead of 75 ns a node; 2-core x86-64 VM, 2026-11).
        for &target in targets.iter().rev() {
            let counter = target.counter();
            let is_last = if alone {
                let mut by = 1;
                if target.is_wide() && self.collected.0 == counter {
                    by += std::mem::take(&mut self.collected.1);
                }
                count_down(&waiting[counter as usize], by, true)
            } else if target.is_only() {
                true
            } else if target.is_wide() {
                if self.collected.0 != counter
                    && let Some(ready) = self.flush(execution)
                {
                    self.stack.push(ready);
                }
                self.collected = (counter, self.collected.1 + 1);
                false
            } else {
                count_down(&waiting[counter as usize], 1, false)
            };
            // Without a branch: whether a node is ready is a coin toss, and 8 ns when guessed wrong.
            let len = self.stack.len();
            self.stack.push(counter);
            self.stack.truncate(len + usize::from(is_last));
        }
    }

    /// Counts down what was collected; returns the counter when it has come to 0.
    #[inline]
    fn flush(&mut self, execution: &Execution<'_>) -> Option<u32> {
        let (counter, by) = self.collected;
        if by == 0 {
            return None;
        }
        self.collected.1 = 0;
        count_down(&execution.waiting()[counter as usize], by, false).then_some(counter)
    }

    /// Looks at the clock and decides who runs what is left; returns whether to walk over it alone.
    #[inline(never)]
    fn look(&mut self, execution: &Execution<'_>) -> bool {
        let ran = self.meter.budget;
        self.meter.look(ran);
        self.left = self.meter.budget;
        let cost_ns = self.meter.cost_ns;
        let is_long = self.collected.1 > 0 && cost_ns > HUNGRY_BEAT_NS;
        if (self.collected.1 >= MOST_COLLECTED || is_long)
            && let Some(counter) = self.flush(execution)
        {
            self.stack.push(counter);
        }
        if self.published && self.pool.shelved(self.index) == 0 {
            self.published = false;
        }
        // What a node takes here includes what sharing costs.
        if cost_ns < self.least_cost_ns && ran >= 16 && !execution.shared().is_observed() {
            self.cheap += 1;
            if self.cheap >= 2 {
                if !self.published && self.pool.is_alone() {
                    return true;
                }
                return false;
            }
        } else {
            self.cheap = 0;
        }
        self.offer(self.meter.looked);
        false
    }

    /// Lets others take nodes where that pays, and wakes one who sleeps where that pays.
    fn offer(&mut self, now: Ticks) {
        let len = self.stack.len();
        let cost_ns = self.meter.cost_ns;
        let starved_ns = self.meter.clock.elapsed_ns(self.offered, now);
        let mut shelved = self.pool.shelved(self.index);
        let count = if cost_ns >= COARSE_NS {
            let kept = nodes_of_one_look(cost_ns).min(len.div_ceil(2));
            len - kept
        } else if len < 2 || shelved > 0 {
            0
        } else {
            let is_wanted = self.pool.hungry() > 0
                && (len as f32 * cost_ns >= SHARE_NS || starved_ns >= HUNGRY_BEAT_NS);
            match is_wanted || cost_ns >= PUBLISH_NS {
                true => len.div_ceil(2),
                false => 0,
            }
        };
        if count > 0 {
            self.pool
                .publish(self.index, &mut self.stack, count, cost_ns);
            self.published = true;
            shelved += count;
        }
        if self.pool.hungry() > 0 || (shelved == 0 && cost_ns < COARSE_NS) {
            self.offered = now;
        } else if self.pool.asleep() > 0 {
            let waiting_ns = self.pool.shelved_by_all() as f32 * cost_ns;
            if waiting_ns >= WAKE_NS || (waiting_ns > 0.0 && starved_ns >= ASLEEP_BEAT_NS) {
                self.offered = now;
                self.pool.wake_one();
            }
        }
    }

    /// As [`collect_open`](Self::collect_open), when exactly the first `ended` nodes have ended.
    fn collect_rest(&mut self, execution: &Execution<'_>, ended: usize) {
        let dag = execution.dag();
        self.stack.clear();
        let mut roots = dag.root_count();
        for (node, &count) in dag.counts()[..dag.len()].iter().enumerate() {
            if roots == 0 {
                break;
            }
            if count == 0 {
                roots -= 1;
                if node >= ended {
                    self.stack.push(node as u32);
                }
            }
        }
        for node in dag.nodes().take(ended) {
            for target in dag.targets(node) {
                let counter = target.counter();
                if count_down(&execution.waiting()[counter as usize], 1, true) {
                    let members = dag.members(counter);
                    self.stack
                        .extend(members.filter(|&member| member as usize >= ended));
                }
            }
        }
        // The first node goes on top.
        self.stack.reverse();
    }

    /// Makes the counters those of a run in which exactly the nodes that are not open have ended,
    /// and the stack what is ready then. The counters must be as at the start; nobody else may be
    /// active.
    fn collect_open(&mut self, execution: &Execution<'_>) {
        let (dag, states) = (execution.dag(), execution.states());
        let waiting = execution.waiting();
        debug_assert_eq!(self.collected.1, 0, "nothing is collected");
        self.stack.clear();
        for node in dag.nodes() {
            if !states.is_open(node) {
                for target in dag.targets(node) {
                    count_down(&waiting[target.counter() as usize], 1, true);
                }
            }
        }
        let is_zero = |counter: usize| waiting[counter].load(Ordering::Relaxed) == 0;
        let is_open = |node: u32| states.is_open(NodeId::from_index(node));
        for node in (0..dag.len()).rev() {
            if is_zero(node) && is_open(node as u32) {
                self.stack.push(node as u32);
            }
        }
        for counter in dag.len()..waiting.len() {
            if is_zero(counter) {
                let members = dag.members(counter as u32);
                self.stack.extend(members.filter(|&node| is_open(node)));
            }
        }
    }

    /// Walks over what is open, alone; returns whether something is left, which is to be shared.
    fn walk_open(&mut self, execution: &Execution<'_>) -> bool {
        self.stack.clear();
        self.collected = (0, 0);
        let nodes = execution.dag().len();
        let mut estimate = Estimate::new(execution.dag(), self.pool.workers(), self.meter.clock);
        let mut next = 0;
        while next < nodes {
            let ran;
            (ran, next) = execution.walk(next, estimate.budget());
            let pays = estimate.look(ran, nodes - next) != Plan::Decide;
            if pays && estimate.meter.cost_ns >= self.least_cost_ns {
                self.meter = estimate.meter;
                self.left = self.meter.budget;
                self.cheap = 0;
                return true;
            }
        }
        false
    }
}

/// How many coarse nodes of this cost a worker keeps.
fn nodes_of_one_look(cost_ns: f32) -> usize {
    (LOOK_NS / cost_ns).max(1.0) as usize
}

/// Cores this process may use. Asked once, because that reads files.
fn cores() -> usize {
    static CORES: OnceLock<usize> = OnceLock::new();
    *CORES.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

/// Makes the counters those of a run that has not begun.
fn reset(execution: &Execution<'_>) {
    for (counter, &count) in execution.waiting().iter().zip(execution.dag().counts()) {
        counter.store(count, Ordering::Relaxed);
    }
}

/// Says, when asked again and again, whether it is still worth looking for nodes.
fn patience(clock: Clock, yields: bool) -> impl FnMut() -> bool {
    let mut rounds = 0_u32;
    let mut since = None;
    move || {
        rounds += 1;
        if yields || rounds > ROUNDS_BEFORE_YIELD {
            std::thread::yield_now();
        } else {
            std::hint::spin_loop();
        }
        if !rounds.is_multiple_of(32) {
            return true;
        }
        let now = Clock::now();
        let since_when = *since.get_or_insert(now);
        let is_patient = clock.elapsed_ns(since_when, now) < PATIENCE_NS;
        if !is_patient {
            since = None;
        }
        is_patient
    }
}
