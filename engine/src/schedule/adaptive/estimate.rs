//! What nodes cost, and whether to share them.

use crate::Dag;
use crate::clock::{Clock, Ticks};

use super::{
    ASLEEP_BEAT_NS, COARSE_LEFT_NS, COARSE_NS, FINE_WALK_NS, FINE_WIDTH_NS, FIRST_LEVEL_TURN,
    FIRST_SHARE_TURN, LAST_LEVEL_TURN, LEAST_LEVELLED_NS, LEAST_SHARED, LEAST_WALK_NODE_NS,
    LEAST_WALK_NS, LEAST_WIDTH, LONG_LOOK_NS, LOOK_NS, LOST_BY_MUCH, MOST_LEVELLED_NS,
    MOST_NODES_A_LONG_LOOK, MOST_NODES_A_LOOK, MOST_OVERHEAD_NS, MOST_SHARED, OUTLIER, RARELY,
    RUNS_BEFORE_COMPARING, SHARED_EDGE_NS, SHARED_NODE_NS, SHORT_RUN_NS, SURE_LEVEL_NS, SURE_NS,
    SURPRISE, TIE, TRIED_WIDTH_NS, WORTH_SHARING,
};

/// How long nodes take, by looking at the clock once for many of them.
#[derive(Clone, Copy)]
pub(super) struct Meter {
    pub(super) clock: Clock,
    pub(super) looked: Ticks,
    /// Nodes to run before the next look.
    pub(super) budget: u32,
    /// What a node took between the last two looks.
    pub(super) cost_ns: f32,
    /// Time it means to pass between two looks, and nodes it runs at most.
    look_ns: f32,
    most: u32,
}

impl Meter {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            looked: Clock::now(),
            budget: 1,
            cost_ns: 0.0,
            look_ns: LOOK_NS,
            most: MOST_NODES_A_LOOK,
        }
    }

    pub(super) fn restart(&mut self) {
        self.looked = Clock::now();
        self.budget = 1;
    }

    /// Takes it that nodes cost what they did in earlier runs, and looks more rarely.
    fn expect(&mut self, cost_ns: f32) {
        self.cost_ns = cost_ns;
        self.look_ns = LONG_LOOK_NS;
        self.most = MOST_NODES_A_LONG_LOOK;
        self.budget = self.wanted().clamp(1, self.most);
    }

    /// Undoes [`expect`](Self::expect).
    fn expect_nothing(&mut self) {
        self.look_ns = LOOK_NS;
        self.most = MOST_NODES_A_LOOK;
    }

    fn wanted(&self) -> u32 {
        (self.look_ns / self.cost_ns.max(0.5)) as u32
    }

    /// Looks at the clock after `ran` nodes, at least one.
    #[inline]
    pub(super) fn look(&mut self, ran: u32) -> f32 {
        let now = Clock::now();
        let elapsed_ns = self.clock.elapsed_ns(self.looked, now);
        self.looked = now;
        self.cost_ns = elapsed_ns / ran as f32;
        // It grows fourfold at most, because the first nodes may not be like the rest.
        let most = (self.budget * 4).min(self.most);
        self.budget = self.wanted().clamp(1, most);
        elapsed_ns
    }
}

/// Whether it pays to share what a walk has left.
pub(super) struct Estimate {
    pub(super) meter: Meter,
    /// Whether there is nothing to decide.
    is_alone: bool,
    elapsed_ns: f32,
    ran: usize,
    /// What the walk must have taken before it decides.
    least_ns: f32,
    /// Below this cost a node is cheaper alone.
    pub(super) least_cost_ns: f32,
    /// How many nodes can run at the same time, on average.
    width: f32,
    /// How many of them do.
    parallelism: f32,
    /// What nodes that are not to be shared took in earlier runs.
    expected_ns: f32,
}

impl Estimate {
    pub(super) fn new(dag: &Dag, workers: usize, clock: Clock) -> Self {
        let width = dag.len() as f32 / dag.level_count().max(1) as f32;
        Self {
            meter: Meter::new(clock),
            is_alone: workers == 1 || width < LEAST_WIDTH,
            elapsed_ns: 0.0,
            ran: 0,
            least_ns: LEAST_WALK_NS + LEAST_WALK_NODE_NS * dag.len() as f32,
            least_cost_ns: least_cost_ns(dag, workers),
            width,
            parallelism: width.min(workers as f32),
            expected_ns: 0.0,
        }
    }

    /// What earlier runs of `dag` say.
    pub(super) fn plan(&mut self, dag: &Dag) -> Plan {
        let Some(alone_ns) = dag.hints().alone.get().filter(|_| !self.is_alone) else {
            return Plan::Decide;
        };
        let plan = self.choose(dag, alone_ns);
        if matches!(plan, Plan::Compare | Plan::StayAlone) {
            self.expected_ns = alone_ns;
            self.meter.expect(alone_ns);
        } else {
            self.meter.cost_ns = alone_ns;
        }
        plan
    }

    /// Chooses how to run nodes that take this long alone.
    fn choose(&self, dag: &Dag, alone_ns: f32) -> Plan {
        let hints = dag.hints();
        let nodes = dag.len() as f32;
        let may_share =
            alone_ns >= self.least_cost_ns && self.is_enough(alone_ns, nodes, TRIED_WIDTH_NS);
        let may_level = self.has_levels(alone_ns, nodes);
        if !may_share && !may_level {
            return Plan::StayAlone;
        }
        let run = hints.count_run();
        let turn = run % RUNS_BEFORE_COMPARING;
        let is_rare_round = (run / RUNS_BEFORE_COMPARING).is_multiple_of(RARELY);
        let tried = match turn {
            0 => Plan::Compare,
            FIRST_SHARE_TURN..FIRST_LEVEL_TURN => Plan::Share,
            FIRST_LEVEL_TURN..=LAST_LEVEL_TURN => Plan::Level,
            _ => Plan::Decide,
        };
        let is_sure = alone_ns >= SURE_NS && alone_ns * nodes >= SHORT_RUN_NS;
        if tried == Plan::Compare && !is_sure {
            return Plan::Compare;
        }
        let part_ns = alone_ns / self.parallelism;
        let beyond = |overhead_ns: f32| part_ns + overhead_ns;
        let in_favour = |node_ns: f32| node_ns * TIE;
        let mut ways = [
            (Plan::StayAlone, !is_sure, Some(alone_ns * WORTH_SHARING)),
            (Plan::Share, may_share, hints.sharing.get().map(beyond)),
            (
                Plan::Level,
                may_level,
                hints.levels.get().map(beyond).map(in_favour),
            ),
        ]
        .into_iter()
        .filter(|&(_, is_possible, _)| is_possible)
        .map(|(plan, _, node_ns)| (plan, node_ns));
        let known = ways
            .clone()
            .filter_map(|(plan, node_ns)| Some((plan, node_ns?)));
        let best = known.min_by(|left, right| left.1.total_cmp(&right.1));
        let best_ns = best.map_or(f32::INFINITY, |(_, node_ns)| node_ns);
        if let Some((plan, node_ns)) = ways.find(|&(plan, _)| plan == tried)
            && (is_rare_round || node_ns.is_none_or(|node_ns| node_ns < best_ns * LOST_BY_MUCH))
        {
            return plan;
        }
        best.map_or_else(
            || match may_share {
                true => Plan::Share,
                false => Plan::Level,
            },
            |(plan, _)| plan,
        )
    }

    /// Whether nodes of this cost are enough to be shared when so many are left.
    #[inline]
    fn is_enough(&self, cost_ns: f32, left: f32, least_width_ns: f32) -> bool {
        let left_ns = left * cost_ns;
        (cost_ns >= COARSE_NS && left_ns >= COARSE_LEFT_NS)
            || (cost_ns * self.width.min(left) >= least_width_ns && left_ns >= FINE_WALK_NS)
    }

    /// Whether levels are worth to be tried when so many nodes of this cost are left.
    fn has_levels(&self, cost_ns: f32, left: f32) -> bool {
        (LEAST_LEVELLED_NS..=MOST_LEVELLED_NS).contains(&cost_ns)
            && cost_ns * self.width >= TRIED_WIDTH_NS
            && cost_ns * left >= FINE_WALK_NS
    }

    /// Whether it is worth to wake a thread for the next runs of a graph with so many nodes.
    pub(super) fn is_worth_waking(&self, nodes: usize) -> bool {
        let (node_ns, runs) = (self.meter.cost_ns, RUNS_BEFORE_COMPARING as f32);
        node_ns >= COARSE_NS && node_ns * nodes as f32 * runs >= ASLEEP_BEAT_NS
    }

    /// Takes note of what a node took in a run that was shared as `plan` says: in wall time, and in
    /// time of a worker where that is known.
    pub(super) fn note_shared(&self, dag: &Dag, plan: Plan, wall_ns: f32, busy_ns: Option<f32>) {
        let hints = dag.hints();
        if let Some(alone_ns) = self.average_ns() {
            hints.note_alone(alone_ns);
        }
        let Some(alone_ns) = hints.alone.get() else {
            return;
        };
        // Nodes do something else now, or it was not they that took the time: think again.
        let is_cheaper = wall_ns * self.parallelism <= alone_ns * LEAST_SHARED
            || busy_ns.is_some_and(|busy_ns| busy_ns <= alone_ns * LEAST_SHARED);
        let is_dearer = busy_ns.unwrap_or(wall_ns) > alone_ns * MOST_SHARED + MOST_OVERHEAD_NS;
        if is_cheaper || is_dearer {
            return hints.alone.forget();
        }
        let (hint, turn) = match plan {
            Plan::Level => (&hints.levels, FIRST_LEVEL_TURN),
            _ => (&hints.sharing, FIRST_SHARE_TURN),
        };
        let part_ns = alone_ns / self.parallelism;
        // Less than nothing where the time alone was too long: that of a first run is, in cold caches.
        let mut overhead_ns = wall_ns - part_ns;
        if hint
            .get()
            .is_some_and(|before_ns| part_ns + before_ns < part_ns * LEAST_SHARED)
        {
            // The time alone has been put right since.
            hint.forget();
        }
        if let Some(before_ns) = hint.get() {
            let most_ns = (part_ns + before_ns) * OUTLIER;
            if wall_ns > most_ns {
                // It may have been the machine, so it counts for less, and the next runs will tell.
                hints.go_back_to(turn, RUNS_BEFORE_COMPARING);
                overhead_ns = most_ns - part_ns;
            }
        }
        hint.note(overhead_ns);
    }

    /// Nodes to run before the next look.
    #[inline]
    pub(super) fn budget(&self) -> usize {
        match self.is_alone {
            true => usize::MAX,
            false => self.meter.budget as usize,
        }
    }

    pub(super) fn average_ns(&self) -> Option<f32> {
        (self.ran > 0).then(|| self.elapsed_ns / self.ran as f32)
    }

    /// Takes note that `ran` nodes have run and `left` are left; returns how to share these, or that
    /// this is not decided yet.
    #[inline]
    pub(super) fn look(&mut self, ran: usize, left: usize) -> Plan {
        if self.is_alone || ran == 0 {
            return Plan::Decide;
        }
        self.elapsed_ns += self.meter.look(ran as u32);
        self.ran += ran;
        if self.meter.cost_ns < self.expected_ns * SURPRISE {
            return Plan::Decide;
        }
        self.expected_ns = 0.0;
        self.meter.expect_nothing();
        if self.elapsed_ns < self.least_ns {
            return Plan::Decide;
        }
        let average_ns = self.elapsed_ns / self.ran as f32;
        let cost_ns = self.meter.cost_ns.min(average_ns);
        let left = left as f32;
        if cost_ns < COARSE_NS {
            if self.elapsed_ns < FINE_WALK_NS {
                return Plan::Decide;
            }
            if self.has_levels(cost_ns, left) && cost_ns * self.width >= SURE_LEVEL_NS {
                return Plan::Level;
            }
        }
        match cost_ns >= self.least_cost_ns && self.is_enough(cost_ns, left, FINE_WIDTH_NS) {
            true => Plan::Share,
            false => Plan::Decide,
        }
    }
}

/// How a run goes on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Plan {
    /// By a walk that looks whether it pays to share.
    Decide,
    /// By sharing.
    Share,
    /// By sharing one level after the other.
    Level,
    /// As `StayAlone`, to know what the others are worth.
    Compare,
    /// By a walk to the end, unless nodes take much longer than they did.
    StayAlone,
}

/// Below this cost a node of `dag` is cheaper alone than shared by `workers`.
pub(super) fn least_cost_ns(dag: &Dag, workers: usize) -> f32 {
    let edges = dag.target_count() as f32 / dag.len().max(1) as f32;
    (SHARED_NODE_NS + SHARED_EDGE_NS * edges) / (workers.max(2) - 1) as f32
}
