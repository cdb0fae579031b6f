//! The choice of a move: iterative deepening over joint moves, until a budget of positions or the time is used up.
//!
//! My move is worth a mix of what it yields against the predicted replies and against the worst reply found, where one of
//! the nearest opponents deviates from its prediction at a time. A window as in alpha-beta leaves out what cannot change
//! the choice.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::Relaxed;
use std::thread;
use std::time::Instant;

use crate::evaluation::{Evaluator, open_steps};
use crate::leaf_eval::LeafEval;
use crate::ordering::{Moves, NO_MOVE, Ordering};
use crate::prediction::{Predictor, options};
use crate::state::{JointMove, MOST_PLIES, MOST_SNAKES, State, Undo};
use crate::table::{Bound, Memory, Table};
use crate::weights::Weights;

/// What ends a decision, whichever comes first.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Positions scored at most, beyond those one turn ahead.
    pub positions: u64,
    /// Turns looked ahead at most.
    pub depth: u32,
    /// None: no clock; the same position always gets the same move.
    pub until: Option<Instant>,
    /// Threads that think at once, on one table; above 1 a move is not repeatable.
    pub threads: usize,
}

impl Limits {
    /// The budgets of the weights, without a clock.
    pub fn budget<const W: usize>(state: &State<W>, weights: &Weights) -> Self {
        let search = &weights.search;
        let (positions, depth) = match state.living {
            0 | 1 => (search.duel_budget, search.solo_depth),
            2 => (search.duel_budget, search.duel_depth),
            _ => (search.crowd_budget, search.crowd_depth),
        };
        Self { positions, depth, until: None, threads: 1 }
    }

    /// As deep as can be until `until`.
    pub fn clock(until: Instant) -> Self {
        Self { positions: u64::MAX, depth: MOST_PLIES as u32 - 2, until: Some(until), threads: 1 }
    }
}

/// A move and how it came about.
#[derive(Clone, Debug)]
pub struct Decision {
    pub direction: u8,
    /// In the points of the weights, at the deepest finished look.
    pub value: f64,
    /// Turns looked ahead.
    pub depth: u32,
    /// Positions scored.
    pub scored: u64,
    /// Each move that was considered with its value at the deepest look that finished it, best first.
    pub moves: Vec<(u8, f64)>,
}

/// Late in the order comes what is seldom good: it is looked at one turn less deep, and in full only if that promises more
/// than what stands ("late move reductions", known from chess). From so many turns on there is something to save.
const REDUCED_FROM: u32 = 3;

/// Positions scored between two looks at the clock, about 0.05 ms.
const ALARM_EVERY: u64 = 64;

/// Chooses the move of snake `me`, which must be alive in `state`.
///
/// `prior` says how good each move looks from outside, a network's logits for instance: it decides which are looked at
/// first, nothing else. `learned` helps the evaluation where it covers the game.
pub fn choose<const W: usize>(
    state: &State<W>,
    me: usize,
    weights: &Weights,
    learned: Option<&LeafEval>,
    limits: Limits,
    prior: Option<[f32; 4]>,
) -> Decision {
    let (table, stop) = (Table::new(limits.positions), AtomicBool::new(false));
    let search = || Search::new(state, me, weights, learned, limits, &table, &stop);
    if limits.threads <= 1 {
        return search().deepen(1, prior);
    }
    // Each finds in the table what the others looked at, and those that look one turn further from the start bring the
    // good moves to the front for the rest ("lazy SMP").
    thread::scope(|scope| {
        for helper in 1..limits.threads {
            let search = &search;
            scope.spawn(move || search().deepen(1 + helper as u32 % 2, prior));
        }
        let decision = search().deepen(1, prior);
        stop.store(true, Relaxed);
        decision
    })
}

struct Search<'a, const W: usize> {
    state: State<W>,
    me: usize,
    weights: &'a Weights,
    evaluator: Evaluator<'a, W>,
    predictor: Predictor,
    ordering: Ordering,
    table: &'a Table,
    /// Another thread has decided.
    stop: &'a AtomicBool,
    undos: Vec<Undo<W>>,
    limits: Limits,
    /// Positions scored, and those of the look in hand that did not end the game.
    scored: u64,
    quiet: u64,
    /// Turns played so far, and how many of them did not count as looked ahead.
    ahead: usize,
    forced: u32,
    /// Pessimism about the replies to the move to be made now, and to later ones.
    pessimism: [f64; 2],
    /// The game has opponents at the root.
    multi: bool,
    /// This is the look one turn ahead, which is finished whatever it takes.
    first: bool,
    rung: bool,
}

impl<'a, const W: usize> Search<'a, W> {
    fn new(
        state: &State<W>,
        me: usize,
        weights: &'a Weights,
        learned: Option<&'a LeafEval>,
        limits: Limits,
        table: &'a Table,
        stop: &'a AtomicBool,
    ) -> Self {
        let weights = weights.among(state.living);
        let search = &weights.search;
        let pessimism = match state.living {
            0 | 1 => [0.0; 2],
            2 => [search.duel_pessimism, search.duel_pessimism_later],
            _ => [search.crowd_pessimism, search.crowd_pessimism_later],
        };
        Self {
            state: state.clone(),
            me,
            weights,
            evaluator: Evaluator::new(state, me, weights, learned),
            predictor: Predictor::new(weights),
            ordering: Ordering::new(),
            table,
            stop,
            undos: vec![Undo::NOTHING; MOST_PLIES],
            limits,
            scored: 0,
            quiet: 0,
            ahead: 0,
            forced: 0,
            pessimism,
            multi: state.living > 1,
            first: true,
            rung: false,
        }
    }

    /// Looks `from` turns ahead, then one more, and so on, until the limits are reached.
    fn deepen(&mut self, from: u32, prior: Option<[f32; 4]>) -> Decision {
        let mut moves = options(&self.state, self.me, self.state.standing());
        if let Some(prior) = prior {
            moves.sort_by_score(|direction| prior[usize::from(direction)]);
        }
        let mut ranked: Vec<(u8, f64)> = moves.as_slice().iter().map(|&direction| (direction, 0.0)).collect();
        let mut decision = Decision { direction: ranked[0].0, value: 0.0, depth: 0, scored: 0, moves: Vec::new() };
        if ranked.len() > 1 {
            for depth in from..=self.limits.depth {
                (self.first, self.quiet) = (depth == 1, 0);
                let finished = self.look(&mut ranked, depth);
                if finished == ranked.len() || (finished > 0 && self.weights.search.keep_partial) {
                    ranked[..finished].sort_by(|a, b| b.1.total_cmp(&a.1));
                    (decision.direction, decision.value, decision.depth) = (ranked[0].0, ranked[0].1, depth);
                }
                if self.quiet == 0 || self.is_over() {
                    break; // every line ends the game, or nothing is left to think with
                }
            }
        }
        decision.scored = self.scored;
        decision.moves = ranked;
        decision
    }

    /// Values the root moves at one depth and returns how many it finished.
    fn look(&mut self, ranked: &mut [(u8, f64)], depth: u32) -> usize {
        let (key, mut alpha) = (self.key(), f64::NEG_INFINITY);
        let known = self.table.find(key);
        let predicted = self.predictor.all(&self.state, self.me, self.state.standing());
        for (index, (direction, value)) in ranked.iter_mut().enumerate() {
            let (found, mut reply) = self.after_mine(*direction, predicted, depth, (alpha, f64::INFINITY), &known);
            if self.is_spent() {
                return index;
            }
            *value = found;
            if found > alpha {
                alpha = found;
                (reply.best, reply.depth, reply.bound, reply.value) = (*direction, depth, Bound::Lower, found);
                self.table.keep(key, &reply);
            }
        }
        ranked.len()
    }

    fn is_over(&self) -> bool {
        self.rung || self.scored >= self.limits.positions
    }

    /// Whether the look in hand has to be broken off.
    #[inline]
    fn is_spent(&self) -> bool {
        !self.first && self.is_over()
    }

    /// Names the position by the ways that led to it.
    #[inline]
    fn key(&self) -> u64 {
        let mut key = self.ahead as u64;
        for snake in self.state.snakes() {
            key = (key ^ snake.way).wrapping_mul(0xff51_afd7_ed55_8ccd);
            key ^= key >> 33;
        }
        key
    }

    /// The value of the position for me, looking `depth` turns ahead, within the window: values up to alpha are upper
    /// bounds, values from beta on lower bounds.
    fn best(&mut self, depth: u32, (alpha, beta): (f64, f64)) -> f64 {
        let key = self.key();
        let known = self.table.find(key);
        if known.settles(depth, alpha, beta) {
            self.quiet += 1; // for all we know: the lines below it were not looked at again
            return known.value;
        }
        let standing = self.state.standing();
        let head = self.state.snakes()[self.me].head;
        let mut moves = options(&self.state, self.me, standing);
        self.ordering.sort_mine(&mut moves, head, self.ahead, known.best);
        let predicted = self.predictor.all(&self.state, self.me, standing);
        let mut found = Memory { depth, best: 0, ..Memory::NOTHING };
        for (place, &direction) in moves.as_slice().iter().enumerate() {
            let window = (alpha.max(found.value), beta);
            let (value, reply) = self.in_turn(place, direction, predicted, depth, window, &known);
            if self.is_spent() {
                return found.value.max(value);
            }
            if value > found.value {
                found = Memory { value, best: direction, reply: reply.reply, replier: reply.replier, ..found };
            }
            if value >= beta {
                break;
            }
        }
        if found.value > alpha {
            found.bound = if found.value >= beta { Bound::Lower } else { Bound::Exact };
            self.ordering.praise(found.best, head, self.ahead, depth);
        }
        self.table.keep(key, &found);
        found.value
    }

    /// `after_mine` for the move that is tried at that place in the order.
    fn in_turn(
        &mut self,
        place: usize,
        direction: u8,
        predicted: JointMove,
        depth: u32,
        window: (f64, f64),
        known: &Memory,
    ) -> (f64, Memory) {
        if place > 0 && depth >= REDUCED_FROM {
            let hasty = self.after_mine(direction, predicted, depth - 1, window, known);
            if hasty.0 <= window.0 || self.is_spent() {
                return hasty;
            }
        }
        self.after_mine(direction, predicted, depth, window, known)
    }

    /// The value of my move. The memory that it returns names the worst reply.
    fn after_mine(
        &mut self,
        direction: u8,
        predicted: JointMove,
        depth: u32,
        (alpha, beta): (f64, f64),
        known: &Memory,
    ) -> (f64, Memory) {
        let mut moves = predicted;
        moves[self.me] = direction;
        let share = self.pessimism[self.ahead.min(1)];
        if share == 0.0 || self.state.living < 2 {
            return (self.play(moves, depth, (alpha, beta)), Memory::NOTHING);
        }
        // A share of the expected value counts: it must be known, but for what the one deviation of a duel soon settles.
        let enough = if share < 1.0 && self.state.living > 2 { f64::INFINITY } else { beta };
        let mut expected = self.play(moves, depth, (alpha, enough));
        if expected <= alpha || self.is_spent() {
            return (expected, Memory::NOTHING);
        }
        if expected >= enough && share < 1.0 {
            // The move is worth beta unless a reply spoils it by more than it promises.
            let need = (beta - (1.0 - share) * expected) / share;
            let (worst, _) = self.worst_reply(moves, predicted, depth, (need.next_down(), need), known);
            if worst >= need || self.is_spent() {
                return (beta, Memory::NOTHING);
            }
            expected = self.play(moves, depth, (alpha, f64::INFINITY));
        }
        let low = (alpha - (1.0 - share) * expected) / share;
        let (worst, reply) = self.worst_reply(moves, predicted, depth, (low, expected), known);
        ((1.0 - share) * expected + share * worst, reply)
    }

    /// The least value of the replies, or one that is low enough, with the reply.
    fn worst_reply(
        &mut self,
        mut moves: JointMove,
        predicted: JointMove,
        depth: u32,
        (low, mut worst): (f64, f64),
        known: &Memory,
    ) -> (f64, Memory) {
        let (mut reply, standing) = (Memory::NOTHING, self.state.standing());
        let (repliers, count) = self.repliers();
        for &replier in &repliers[..count] {
            let head = self.state.snakes()[replier].head;
            let mut answers = options(&self.state, replier, standing);
            let likely = if usize::from(known.replier) == replier { known.reply } else { NO_MOVE };
            self.ordering.sort_replies(&mut answers, head, self.ahead, likely);
            let deviations = answers.as_slice().iter().filter(|answer| **answer != predicted[replier]);
            for (place, &answer) in deviations.enumerate() {
                moves[replier] = answer;
                let value = self.replied(place, moves, depth, (low, worst));
                if value < worst {
                    (worst, reply.reply, reply.replier) = (value, answer, replier as u8);
                }
                if self.is_spent() {
                    return (worst, reply);
                }
                if worst <= low {
                    self.ordering.blame(answer, head, self.ahead, depth);
                    return (worst, reply);
                }
            }
            moves[replier] = predicted[replier];
        }
        (worst, reply)
    }

    /// `play` for the reply that is tried at that place in the order.
    fn replied(&mut self, place: usize, moves: JointMove, depth: u32, window: (f64, f64)) -> f64 {
        if place > 0 && depth >= REDUCED_FROM {
            let hasty = self.play(moves, depth - 1, window);
            if hasty >= window.1 || self.is_spent() {
                return hasty;
            }
        }
        self.play(moves, depth, window)
    }

    /// The opponents whose every reply is tried: the only one, or the nearest few within the reply radius.
    fn repliers(&self) -> ([usize; MOST_SNAKES], usize) {
        let (search, mut near, mut count) = (&self.weights.search, [(0, 0); MOST_SNAKES], 0);
        let head = self.state.snakes()[self.me].head;
        for (index, rival) in self.state.rivals(self.me) {
            let distance = self.state.board.distance(head, rival.head);
            if self.state.living == 2 || distance <= search.reply_radius {
                near[count] = (distance, index);
                count += 1;
            }
        }
        near[..count].sort_unstable();
        let most = if self.state.living == 2 { 1 } else { search.reply_snakes };
        (near.map(|(_, index)| index), count.min(most))
    }

    /// Plays one turn, values what comes of it and takes it back.
    fn play(&mut self, moves: JointMove, depth: u32, window: (f64, f64)) -> f64 {
        let before = self.state.living;
        self.state.step(&moves, &mut self.undos[self.ahead]);
        self.ahead += 1;
        let value = self.value_after(before, depth, window);
        self.ahead -= 1;
        self.state.undo(&self.undos[self.ahead]);
        value
    }

    fn value_after(&mut self, before: u32, depth: u32, (alpha, beta): (f64, f64)) -> f64 {
        let outcome = &self.weights.outcome;
        let delay = outcome.delay * self.ahead as f64;
        let alive = self.state.snakes()[self.me].alive;
        let ended = match (alive, self.state.living) {
            (false, 0) if self.multi => Some(outcome.draw + delay),
            (false, _) => Some(delay - outcome.death),
            (true, 1) if self.multi => Some(outcome.win - delay),
            _ => None,
        };
        if let Some(value) = ended {
            self.count_position();
            return value;
        }
        let bonus = outcome.kill * f64::from(before - self.state.living);
        let window = (alpha - bonus, beta - bonus);
        bonus + self.value_quiet(depth, window)
    }

    fn value_quiet(&mut self, depth: u32, window: (f64, f64)) -> f64 {
        let room = self.ahead + 1 < MOST_PLIES;
        if room && self.forced < self.weights.search.forced_turns && self.is_forced() {
            self.forced += 1;
            let value = self.best(depth, window);
            self.forced -= 1;
            return value;
        }
        if depth <= 1 || !room {
            self.count_position();
            self.quiet += 1;
            return self.evaluator.score(&self.state);
        }
        self.best(depth - 1, window)
    }

    fn is_forced(&self) -> bool {
        open_steps(&self.state, self.me, self.state.standing()) == 1
    }

    /// Notes that a position was scored, and now and then looks at the clock.
    #[inline]
    fn count_position(&mut self) {
        self.scored += 1;
        if self.scored.is_multiple_of(ALARM_EVERY) {
            self.rung |= self.stop.load(Relaxed) || self.limits.until.is_some_and(|until| Instant::now() >= until);
        }
    }
}

impl Moves {
    fn sort_by_score(&mut self, score: impl Fn(u8) -> f32) {
        let mut sorted: Vec<u8> = self.as_slice().to_vec();
        sorted.sort_by(|a, b| score(*b).total_cmp(&score(*a)));
        *self = Self::default();
        for direction in sorted {
            self.push(direction);
        }
    }
}
